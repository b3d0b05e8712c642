"""Ranks that have nothing to learn from, and ranks that die."""

import os
import re
import signal
import socket
import time
from functools import partial
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmpretrain')
pytest.importorskip('mmdet')

import fault_runs
import tiny_learn
import tiny_ofer
import toy_dea
from fault_runs import ROOT, STEPS, end, start
from forked import context
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from two_ranks import join, leave

from mmocc.models.learn import batch_occluder

HERE = Path(__file__).parent
TIMEOUT = 60  # seconds within which a run ends whose other rank is dead
PATIENCE = 10  # seconds that a run is told to wait for another rank


def dea(rank, frozen):
    """A page of objects on rank 0, pages without any on rank 1."""
    model = toy_dea.build(frozen_detector=frozen)
    pages = [[], []] if rank else toy_dea.PAGES[:2]
    return model, toy_dea.batch(pages)


def learn(rank):
    """Twins on rank 1 that differ in no pixel from their images."""
    cfg = Config.fromstring(tiny_learn.config_text(), '.py')
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg.model)
        model.init_weights()
    if rank:
        model.occluder.area = (1e-9, 1e-9)
    images = tiny_ofer.photos(6, seed=rank)
    samples = tiny_ofer.samples(6)
    for index, sample in enumerate(samples):
        sample.set_gt_label(index % 3)
    return model, dict(inputs=images, data_samples=samples)


def ofer(rank):
    """On rank 1, no patch of any face is found occluded."""
    model = tiny_ofer.build()
    if rank:
        model.stages.detector.radius.fill_(1e9)
    data = dict(
        inputs=tiny_ofer.photos(4, seed=rank),
        data_samples=tiny_ofer.samples(4),
    )
    return model, data


CASES = dict(
    dea_joint=partial(dea, frozen=False),
    dea=partial(dea, frozen=True),
    learn=learn,
    ofer=ofer,
)
STEPS_DONE = 2  # a rank that left a parameter out would stop the second


def backward(model, data, preprocess):
    """Add the gradient of a batch to the parameters'; return the loss."""
    torch.manual_seed(0)
    data = preprocess(data, True)
    losses = model(**data, mode='loss')
    loss = sum(v.mean() for k, v in losses.items() if 'loss' in k)
    loss.backward()
    return loss.detach()


def gradients(model):
    """Return the gradients by the parameters' names."""
    return {n: p.grad for n, p in model.named_parameters() if p.requires_grad}


def on_a_rank(rank, folder):
    """Be one of two ranks."""
    torch.set_num_threads(1)
    join(rank, folder)
    found = {}
    for name, make in CASES.items():
        model, data = make(rank)
        model.train()
        parallel = MMDistributedDataParallel(model, broadcast_buffers=False)
        for _ in range(STEPS_DONE):
            model.zero_grad()
            loss = backward(parallel, data, model.data_preprocessor)
        found[name] = dict(loss=loss, gradients=gradients(model))
    torch.save(found, f'{folder}/{rank}.pth')
    leave()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp('ranks')
    processes = [
        context().Process(target=on_a_rank, args=(rank, folder))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(240)
        assert process.exitcode == 0
    return [torch.load(folder / f'{r}.pth') for r in range(2)]


@pytest.mark.parametrize('name', CASES)
def test_gradients_are_the_mean_of_what_one_process_finds(
    ranks, name, monkeypatch
):
    mean = {}
    for rank in range(2):
        # Each rank has its share of the draws for all.
        monkeypatch.setattr(batch_occluder, 'get_dist_info', lambda: (rank, 2))  # noqa: B023
        model, data = CASES[name](rank)
        model.train()
        for _ in range(STEPS_DONE):
            model.zero_grad()
            loss = backward(model, data, model.data_preprocessor)
        assert loss.isfinite()
        torch.testing.assert_close(loss, ranks[rank][name]['loss'])
        for key, value in gradients(model).items():
            mean[key] = mean.get(key, 0) + value / 2
    assert any(value.abs().max() > 0 for value in mean.values())
    for rank in ranks:
        assert rank[name]['gradients'].keys() == mean.keys()
        for key, value in mean.items():
            torch.testing.assert_close(rank[name]['gradients'][key], value)


def be_rank(rank, port):
    """Set what a launcher sets for one of two ranks."""
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=port,
    )


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def test_a_rank_whose_neighbour_is_killed_ends_with_an_error(tmp_path, port):
    fault_runs.write(tmp_path, 'hide_and_seek')
    kill = f'custom_hooks.1.at_iter={STEPS}'
    options = ('--cfg-options', kill, 'custom_hooks.1.rank=1')
    first, second = (
        start(
            tmp_path,
            '--launcher=pytorch',
            *options,
            'train_dataloader.batch_size=2',
            prepare=partial(be_rank, rank, port),
        )
        for rank in range(2)
    )
    end(second, tmp_path, code=-signal.SIGKILL)
    begin = time.monotonic()
    log = end(first, tmp_path, code=1)
    assert time.monotonic() - begin < TIMEOUT
    assert 'Connection closed by peer' in log or 'reset by peer' in log
    assert (tmp_path / 'work/epoch_1.pth').is_file()


def test_a_rank_whose_neighbour_hangs_ends_within_its_timeout(tmp_path, port):
    fault_runs.write(tmp_path, 'hide_and_seek')
    first, second = (
        start(
            tmp_path,
            '--launcher=pytorch',
            '--cfg-options',
            f'custom_hooks.1.at_iter={STEPS}',
            'custom_hooks.1.rank=1',
            'custom_hooks.1.hang=True',
            f'env_cfg.dist_cfg.timeout={PATIENCE}',
            'train_dataloader.batch_size=2',
            prepare=partial(be_rank, rank, port),
        )
        for rank in range(2)
    )
    try:
        wait_for(tmp_path / 'work/hanging')
        begin = time.monotonic()
        log = end(first, tmp_path, code=1)
        taken = time.monotonic() - begin
        assert second.is_alive()
    finally:
        second.kill()
        second.join()
    assert PATIENCE / 2 < taken < PATIENCE + TIMEOUT / 2
    assert re.search(f'Timed out waiting {PATIENCE}000ms', log)
    assert (tmp_path / 'work/epoch_1.pth').is_file()


def wait_for(path, seconds=120):
    """Wait until a file is there."""
    until = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < until, f'{path} has not come'
        time.sleep(0.1)


def test_the_launcher_ends_when_a_rank_is_killed(tmp_path, run_tool, port):
    fault_runs.write(tmp_path, 'hide_and_seek')
    done = run_tool(
        ROOT / 'tools/dist_train.sh',
        'config.py',
        2,
        '--cfg-options',
        f'custom_hooks.1.at_iter={STEPS + 1}',
        'custom_hooks.1.rank=1',
        'train_dataloader.batch_size=2',
        PORT=port,
        PYTHONPATH=f'{ROOT}:{HERE.parent}',
        CUDA_VISIBLE_DEVICES='',
        OMP_NUM_THREADS='1',
    )
    assert done.returncode != 0
    assert 'Signal 9 (SIGKILL)' in done.stderr
    assert (tmp_path / 'work/epoch_1.pth').is_file()
