"""The tools as their users start them: in processes, on the CPU."""

import json
import pickle
import re
import socket
import sys

import pytest
import torch
from conftest import ROOT, import_tool
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

TOOLS = ROOT / 'tools'
CPU = dict(CUDA_VISIBLE_DEVICES='')


@pytest.fixture
def port():
    """Return a port that is free, as two test runs may meet."""
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def save_weights(config):
    """Write random weights of a config's model; return the path."""
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(config).model)
    path = config.with_name('random.pth')
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


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


def test_check_env_finds_everything_here(run_tool):
    result = run_tool(TOOLS / 'check_env.py')
    assert result.returncode == 0, result.stdout
    assert 'classification: ready' in result.stdout
    assert re.search(
        r"detection: ready \((torchvision's ops|compiled)\)", result.stdout
    )


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
    assert 'classification: not ready: cv2, mmcv' in result.stdout


def test_check_env_minds_setuptools_only_beside_hosts(monkeypatch):
    tool = import_tool(TOOLS / 'check_env.py')
    monkeypatch.setattr(tool, 'version', lambda _: '83.0.1')
    check, remedy = tool.parts()['setuptools']
    with pytest.raises(RuntimeError, match='not in the tested range'):
        check()
    assert 'setuptools>=77,<81' in remedy
    monkeypatch.setattr(tool, 'find_spec', lambda _: None)
    assert 'setuptools' not in tool.parts()


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


def test_refusals_are_one_line_with_a_remedy(run_tool, tiny_config):
    line = line_of(run_tool(TOOLS / 'test.py', tiny_config, 'gone.pth'))
    assert f'"python tools/train.py {tiny_config}"' in line
    misspelt = '--cfg-options', 'model.neck.type=mmocc.LERN'
    line = line_of(run_tool(TOOLS / 'train.py', tiny_config, *misspelt))
    assert 'Did you mean mmocc.LEARN' in line
    with tiny_config.open('a') as file:
        file.write("load_from = 'gone.pth'\nbaseline_config = 'configs/b.py'")
    line = line_of(run_tool(TOOLS / 'train.py', tiny_config))
    assert line.startswith('Checkpoint gone.pth does not exist')
    assert '"python tools/train.py configs/b.py"' in line
    assert '"--cfg-options load_from=PATH_OR_URL"' in line


def test_random_weights_are_not_tested(run_tool, tiny_config, tmp_path):
    """mmengine loads what fits, even if that is nothing."""
    torch.save(dict(state_dict={'a.b': torch.ones(1)}), tmp_path / 'other.pth')
    result = run_tool(TOOLS / 'test.py', tiny_config, 'other.pth', **CPU)
    assert result.returncode == 1
    assert 'Traceback' not in result.stderr
    assert 'accuracy' not in result.stdout
    (line,) = [x for x in result.stderr.splitlines() if x.startswith('other')]
    assert line.startswith('other.pth fills no parameter of the model')


def test_two_cpu_processes_test(run_tool, tiny_config, tmp_path, port):
    weights = save_weights(tiny_config)
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
