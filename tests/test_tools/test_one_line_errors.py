"""What a user can repair ends each tool with one line and the remedy."""

import sys

import pytest
import torch
from conftest import ROOT, import_tool
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

from mmocc.utils import cli
from mmocc.utils.one_line import one_line_errors

BASE = 'from mmengine.config import read_base\nwith read_base():\n'
TOOLS = {
    'train': 'CONFIG',
    'test': 'CONFIG w.pth',
    'analysis_tools/occlusion_benchmark': 'CONFIG w.pth --kinds white',
    'analysis_tools/dataset_mean': 'CONFIG --workers 0',
    'visualization/browse_occlusion': 'CONFIG',
    'visualization/vis_cam': '0 CONFIG w.pth --save-path cam.png',
    'visualization/vis_deconv': 'CONFIG w.pth --layer backbone',
    'visualization/vis_localization': 'CONFIG w.pth',
    'visualization/vis_ofer': 'CONFIG w.pth',
    'visualization/vis_reconstruction': 'CONFIG w.pth',
}


def last_line(tool, config, monkeypatch):
    """Return the line with which a tool ends."""
    words = [config if w == 'CONFIG' else w for w in TOOLS[tool].split()]
    monkeypatch.setattr(sys, 'argv', [f'{tool}.py', *map(str, words)])
    with pytest.raises(SystemExit) as stop:
        import_tool(ROOT / 'tools' / f'{tool}.py').main()
    assert isinstance(stop.value.code, str), stop.value.code
    assert '\n' not in stop.value.code
    return stop.value.code


@pytest.fixture
def weights(tiny_config, monkeypatch):
    """Write the weights of the tiny config; go where they are."""
    init_default_scope('mmpretrain')
    model = MODELS.build(Config.fromfile(tiny_config).model)
    path = tiny_config.with_name('w.pth')
    torch.save(dict(state_dict=model.state_dict()), path)
    monkeypatch.chdir(tiny_config.parent)
    return path


@pytest.mark.parametrize('tool', TOOLS)
def test_a_config_that_does_not_exist(tool, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = last_line(tool, 'configs/gone.py', monkeypatch)
    assert 'gone.py' in line
    assert 'No such file' in line or 'not exist' in line


@pytest.mark.parametrize('tool', sorted({*TOOLS} - {'train', 'test'}))
def test_a_folder_of_data_that_does_not_exist(
    tool, tiny_config, weights, monkeypatch
):
    text = tiny_config.read_text()
    root = str(tiny_config.with_name('images'))
    tiny_config.write_text(text.replace(root, 'data/VOCdevkit/VOC2012'))
    line = last_line(tool, tiny_config, monkeypatch)
    assert 'data/VOCdevkit/VOC2012' in line
    assert 'python tools/dataset_converters/download_voc.py' in line
    tiny_config.write_text(text.replace(root, 'my/photos'))
    line = last_line(tool, tiny_config, monkeypatch)
    assert 'my/photos' in line
    assert '--cfg-options' in line
    assert 'download' not in line


def test_training_and_testing_without_data_say_the_same(
    run_tool, tiny_config, weights, tmp_path
):
    root = '--cfg-options'
    for tool, *more in (('train', 'train'), ('test', 'test', 'w.pth')):
        loader, *checkpoint = more
        result = run_tool(
            ROOT / f'tools/{tool}.py',
            tiny_config,
            *checkpoint,
            root,
            f'{loader}_dataloader.dataset.data_root=data/VOCdevkit',
            CUDA_VISIBLE_DEVICES='',
        )
        assert result.returncode == 1
        assert 'Traceback' not in result.stderr
        assert 'download_voc.py" makes the data' in result.stderr


@pytest.mark.parametrize(
    ('error', 'words'),
    [
        (FileNotFoundError(2, 'No such file', 'a/b'), 'a/b: No such file; na'),
        # Words of ours, with a remedy, stay.
        (FileNotFoundError('x.txt: no such file; write it'), 'x.txt: no such'),
        # From a worker of a dataloader.
        (
            FileNotFoundError(
                'Caught FileNotFoundError in worker 0.\nTraceback:\n  ...\n'
                "FileNotFoundError: [Errno 2] No such file: 'a/VOC/1.jpg'\n"
            ),
            'a/VOC/1.jpg: No such file; "python tools/dataset_converters/down',
        ),
        (
            KeyError('Nett is not in the a::model registry. Please check ...'),
            'Nett is not in the a::model registry. MMOCC_TRACEBACK=1',
        ),
        (
            ImportError('Failed to import X from y in c.py, line 3'),
            'Failed to import X from y in c.py, line 3. MMOCC_TRACEBACK=1',
        ),
    ],
)
def test_errors_become_lines_unless_the_traceback_is_wanted(
    error, words, monkeypatch
):
    with pytest.raises(SystemExit) as stop, one_line_errors():
        raise error
    assert stop.value.code.startswith(words)
    assert '\n' not in stop.value.code
    monkeypatch.setenv('MMOCC_TRACEBACK', '1')
    with pytest.raises(type(error)), one_line_errors():
        raise error


def test_other_errors_keep_their_traceback():
    with pytest.raises(KeyError, match='own'), one_line_errors():
        raise KeyError('own')


def test_a_config_that_cannot_be_read_is_named(tmp_path):
    path = tmp_path / 'bad.py'
    for text, words in (
        ("custom_imports = dict(imports=['gone_module'])", 'gone_module'),
        ('model = dict(', 'bad.py'),
        ("_base_ = 'gone_base.py'", 'gone_base.py'),
        (f'{BASE}    from .gone_base import *', 'gone_base'),
        ('from .gone_base import *', 'bad.py: Illegal syntax'),
        ('from mmocc.models import LEARM\nmodel = dict(type=LEARM)', 'LEARM'),
    ):
        path.write_text(text)
        with pytest.raises(SystemExit) as stop:
            cli.read_config(str(path))
        assert words in stop.value.code
        assert '\n' not in stop.value.code
