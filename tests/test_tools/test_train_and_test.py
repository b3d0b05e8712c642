"""Each launcher as its users start it: a process of its own, on the CPU."""

import json
import os
import pickle
import socket
import sys

import pytest
import torch
from conftest import ROOT

TOOLS = ROOT / 'tools'
CPU = dict(CUDA_VISIBLE_DEVICES='')


@pytest.fixture
def fake_srun(tmp_path):
    """Put an ``srun`` on the PATH that prints its arguments."""
    srun = tmp_path / 'bin' / 'srun'
    srun.parent.mkdir()
    srun.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    srun.chmod(0o755)
    return f'{srun.parent}:{os.environ["PATH"]}'


@pytest.fixture
def port():
    """Return a port that is free, as two test runs may meet."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def line_of(result):
    """Return what a tool says when it refuses: one line, no traceback."""
    assert result.returncode == 1
    (line,) = (
        line
        for line in result.stderr.splitlines()
        if line.startswith(('Checkpoint ', 'No type '))
    )
    assert 'Traceback' not in result.stderr
    return line


def weights(checkpoint):
    return torch.load(checkpoint, weights_only=False)['state_dict']


def test_check_env_finds_everything_here(run_tool):
    result = run_tool(TOOLS / 'check_env.py')
    assert result.returncode == 0, result.stdout
    assert 'classification: ready' in result.stdout
    assert 'compiled, and they run' in result.stdout


def test_check_env_without_packages_names_the_tested_versions(
    run_tool,
):
    # -S leaves site-packages out, so that only the standard library is there.
    result = run_tool(
        sys.executable,
        '-S',
        TOOLS / 'check_env.py',
        PYTHONPATH='',
    )
    pins = (ROOT / 'requirements' / 'tested.txt').read_text().split()
    torch_pin, vision_pin = (p for p in pins if p.startswith('torch'))
    assert result.returncode == 1
    assert f'-m pip install {torch_pin} {vision_pin}' in result.stdout
    assert 'missing mmcv ' in result.stdout
    assert 'classification: not ready: mmcv' in result.stdout


def test_train_amp_test_and_out(run_tool, tiny_config, tmp_path):
    trained = run_tool(TOOLS / 'train.py', tiny_config, '--amp', **CPU)
    assert trained.returncode == 0, trained.stderr
    assert 'Epoch(train) [1][2/2]' in trained.stdout
    assert 'Epoch(val) [1][2/2]' in trained.stdout
    checkpoint = tmp_path / 'work' / 'epoch_1.pth'
    tested = run_tool(
        TOOLS / 'test.py',
        tiny_config,
        checkpoint,
        '--amp',
        '--out',
        'out.pkl',
        '--show-dir',
        'drawn',
        **CPU,
    )
    assert tested.returncode == 0, tested.stderr
    samples = pickle.loads((tmp_path / 'out.pkl').read_bytes())
    assert [sample['sample_idx'] for sample in samples] == [0, 1, 2, 3]
    assert samples[0]['pred_score'].dtype == torch.float32
    assert any((tmp_path / 'drawn').iterdir())


def test_a_resumed_run_ends_with_the_weights_of_an_unbroken_one(
    run_tool, tiny_config, tmp_path
):
    def train(epochs, work_dir):
        result = run_tool(
            TOOLS / 'train.py',
            tiny_config,
            '--resume',
            '--no-validate',
            '--work-dir',
            work_dir,
            '--cfg-options',
            f'train_cfg.max_epochs={epochs}',
            **CPU,
        )
        assert result.returncode == 0, result.stderr
        assert 'Epoch(val)' not in result.stdout
        return result.stdout

    assert 'Epoch(train) [1][2/2]' in train(1, 'broken')
    assert 'Epoch(train) [1]' not in train(2, 'broken')
    assert 'Epoch(train) [2][2/2]' in train(2, 'whole')
    broken = weights(tmp_path / 'broken' / 'epoch_2.pth')
    whole = weights(tmp_path / 'whole' / 'epoch_2.pth')
    assert all(torch.equal(broken[name], whole[name]) for name in whole)


def test_train_says_how_to_make_a_missing_baseline(run_tool, tiny_config):
    tiny_config.write_text(
        tiny_config.read_text()
        + "load_from = 'gone.pth'\nbaseline_config = 'configs/baseline.py'\n"
    )
    line = line_of(run_tool(TOOLS / 'train.py', tiny_config))
    assert line.startswith('Checkpoint gone.pth does not exist')
    assert '"python tools/train.py configs/baseline.py"' in line
    assert '"--cfg-options load_from=PATH_OR_URL"' in line


def test_test_refuses_a_missing_checkpoint(run_tool, tiny_config):
    line = line_of(run_tool(TOOLS / 'test.py', tiny_config, 'gone.pth'))
    assert f'"python tools/train.py {tiny_config}"' in line


def test_train_corrects_a_misspelt_type(run_tool, tiny_config):
    result = run_tool(
        TOOLS / 'train.py',
        tiny_config,
        '--cfg-options',
        'model.neck.type=mmocc.LERN',
    )
    assert 'Did you mean mmocc.LEARN' in line_of(result)


def test_two_cpu_processes_train_as_one_with_the_doubled_batch(
    run_tool, tiny_config, tmp_path, port
):
    options = [
        '--no-validate', '--cfg-options', 'train_cfg.max_epochs=3',
        'optim_wrapper.optimizer.lr=0.1', 'model.backbone.norm_eval=True',
    ]  # fmt: skip
    two = run_tool(
        TOOLS / 'dist_train.sh',
        tiny_config,
        2,
        '--work-dir',
        'two',
        *options,
        PORT=port,
        **CPU,
    )
    assert two.returncode == 0, two.stderr
    assert 'Epoch(train) [3][1/1]' in two.stdout
    one = run_tool(
        TOOLS / 'train.py',
        tiny_config,
        '--work-dir',
        'one',
        *options,
        'train_dataloader.batch_size=4',
        **CPU,
    )
    assert one.returncode == 0, one.stderr
    first = weights(tmp_path / 'one' / 'epoch_1.pth')
    expected = weights(tmp_path / 'one' / 'epoch_3.pth')
    found = weights(tmp_path / 'two' / 'epoch_3.pth')
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)
    learned = expected['head.fc.weight'] - first['head.fc.weight']
    assert learned.abs().max() > 1e-3


def test_two_cpu_processes_test(run_tool, tiny_config, tmp_path, port):
    weights = tmp_path / 'empty.pth'
    torch.save(dict(state_dict={}), weights)
    result = run_tool(
        TOOLS / 'dist_test.sh',
        tiny_config,
        weights,
        2,
        '--out',
        'metrics.json',
        '--out-item',
        'metrics',
        PORT=port,
        **CPU,
    )
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / 'metrics.json').read_text())
    assert metrics['accuracy/top1'] in (0, 25, 50, 75, 100)  # of 4 images


def test_slurm_scripts_hand_everything_to_srun(run_tool, fake_srun):
    result = run_tool(
        TOOLS / 'slurm_train.sh',
        'gpu',
        'job',
        'a config.py',
        'work',
        '--amp',
        '--cfg-options',
        'key="[1, 2]"',
        PATH=fake_srun,
        PYTHON='py',
        GPUS='4',
        SRUN_ARGS='--exclude a --qos b',
    )
    assert result.stdout.splitlines() == [
        '-p', 'gpu', '--job-name=job', '--gres=gpu:8', '--ntasks=4',
        '--ntasks-per-node=8', '--cpus-per-task=5', '--kill-on-bad-exit=1',
        '--exclude', 'a', '--qos', 'b',
        'py', '-u', f'{TOOLS}/train.py', 'a config.py', '--work-dir', 'work',
        '--launcher', 'slurm', '--amp', '--cfg-options', 'key="[1, 2]"',
    ]  # fmt: skip
    result = run_tool(
        TOOLS / 'slurm_test.sh',
        'gpu',
        'job',
        'c.py',
        'c.pth',
        '--tta',
        PATH=fake_srun,
        PYTHON='py',
    )
    assert result.stdout.splitlines()[-7:] == [
        '-u', f'{TOOLS}/test.py', 'c.py', 'c.pth', '--launcher', 'slurm',
        '--tta',
    ]  # fmt: skip


@pytest.mark.parametrize('kind', ['dist_train', 'dist_test', 'slurm_train'])
def test_shell_scripts_without_arguments_say_their_usage(run_tool, kind):
    result = run_tool(TOOLS / f'{kind}.sh')
    assert result.returncode == 2
    assert result.stderr.startswith('Usage:')


DETECTOR = """
_base_ = 'mmdet::retinanet/retinanet_r18_fpn_1x_coco.py'
model = dict(backbone=dict(init_cfg=None))
data = dict(
    ann_file='coco.json',
    data_prefix=dict(img='.'),
    data_root='images/',
    metainfo=dict(classes=('dark', 'light')),
    pipeline=[
        dict(type='LoadImageFromFile'),
        dict(type='LoadAnnotations', with_bbox=True),
        dict(type='Resize', scale=(64, 64), keep_ratio=True),
        dict(type='PackDetInputs'),
    ],
)
train_dataloader = dict(num_workers=0, dataset=data)
train_cfg = dict(max_epochs=1)
"""


def test_a_plain_mmdet_config_trains(run_tool, tiny_config, tmp_path):
    pytest.importorskip('mmdet')
    names = ['dark/0.png', 'light/0.png']
    coco = dict(
        images=[
            dict(id=i, file_name=name, width=32, height=32)
            for i, name in enumerate(names)
        ],
        annotations=[
            dict(
                id=i,
                image_id=i,
                category_id=i,
                bbox=[4, 4, 20, 20],
                area=400,
                iscrowd=0,
            )
            for i in range(2)
        ],
        categories=[dict(id=0, name='dark'), dict(id=1, name='light')],
    )
    (tmp_path / 'images' / 'coco.json').write_text(json.dumps(coco))
    config = tmp_path / 'detector.py'
    config.write_text(DETECTOR)
    result = run_tool(TOOLS / 'train.py', config, '--no-validate', **CPU)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / 'work_dirs' / 'detector' / 'epoch_1.pth').is_file()
