"""A killed run that is resumed ends as the run that was never killed."""

import json
import sys
import time

import pytest
import tiny_learn
import torch
from tiny_learn import AUGMENT, ROOT, checkpoint, finish, kill, start

TRAIN = (sys.executable, ROOT / 'tools' / 'train.py', 'tiny.py')
ADAMW = """
optim_wrapper = dict(
    constructor='mmocc.TrainableOptimWrapperConstructor',
    optimizer=dict(type='AdamW', lr=1e-3),
)
param_scheduler = dict(
    type='CosineAnnealingLR', T_max=4, convert_to_iter_based=True
)
"""
DROPOUT = """
optim_wrapper = dict(optimizer=dict(type='SGD', lr=0.02, momentum=0.9))
param_scheduler = []
load_from = None
model = dict(
    baseline,
    neck=None,
    head=dict(
        type='mmocc.VGGClsHead',
        num_classes=3,
        in_channels=64,
        feat_size=4,
        hidden_channels=32,
        topk=1,
    ),
)
"""


def train_and_kill(folder, iteration):
    """Train until this iteration begins, and kill the process there."""
    env = dict(HANG_AT_ITER=str(iteration))
    process = start(folder, *TRAIN, '--work-dir=killed', **env)
    try:
        for _ in range(6000):
            if (folder / 'hanging').exists():
                break
            assert process.poll() is None, (folder / 'log.txt').read_text()
            time.sleep(0.1)
    finally:
        kill(process)


def differences(one, two, path=''):
    """Yield where two nested structures differ in so much as a bit."""
    if isinstance(one, torch.Tensor):
        if one.dtype != two.dtype or not torch.equal(one, two):
            yield path
    elif isinstance(one, dict):
        if one.keys() != two.keys():
            yield f'{path}: {one.keys() ^ two.keys()}'
        for key in one.keys() & two.keys():
            yield from differences(one[key], two[key], f'{path}.{key}')
    elif isinstance(one, list | tuple):
        if len(one) != len(two):
            yield f'{path}: {len(one)} and {len(two)} entries'
        for index, pair in enumerate(zip(one, two, strict=False)):
            yield from differences(*pair, f'{path}.{index}')
    elif one != two:
        yield f'{path}: {one} and {two}'


@pytest.mark.parametrize(
    ('changes', 'num_workers'),
    [(ADAMW, 0), (ADAMW, 2), (DROPOUT, 0)],
    ids=['LEARN', 'LEARN, two workers', 'baseline with dropout'],
)
def test_a_killed_and_resumed_run_ends_as_one_that_ran_through(
    tmp_path, changes, num_workers
):
    tiny_learn.write(
        tmp_path, changes, augment=AUGMENT, num_workers=num_workers
    )
    train_and_kill(tmp_path, iteration=7)  # in the third of four epochs
    killed = tmp_path / 'killed'
    assert (killed / 'epoch_2.pth').exists()
    assert not (killed / 'epoch_3.pth').exists()
    finish(tmp_path, start(tmp_path, *TRAIN, '--work-dir=killed', '--resume'))
    finish(tmp_path, start(tmp_path, *TRAIN, '--work-dir=whole'))
    resumed = checkpoint(killed / 'epoch_4.pth')
    whole = checkpoint(tmp_path / 'whole' / 'epoch_4.pth')
    for part in ('state_dict', 'optimizer', 'param_schedulers'):
        assert list(differences(resumed[part], whole[part], part)) == []
    curves = [
        json.loads((folder / 'curve.json').read_text())
        for folder in (killed, tmp_path / 'whole')
    ]
    assert curves[0] == curves[1][6:]
    assert len({losses['loss'] for losses in curves[1]}) == 12
