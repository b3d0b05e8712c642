"""The tool that asks a model about photos."""

import json
import sys

import numpy as np
import pytest
import toy_localizer
from conftest import ROOT, import_tool

from mmocc import cli


@pytest.fixture
def tool(tmp_path, monkeypatch):
    """Return a function that runs the tool where toy images are."""
    toy_localizer.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    module = import_tool(ROOT / 'tools/predict.py')

    def run(*args):
        words = ['predict.py', 'localization', 'cam.py', *args]
        monkeypatch.setattr(sys, 'argv', words)
        module.main()

    run.module = module
    return run


def test_each_photo_has_a_line_a_picture_and_an_entry(tool, tmp_path, capsys):
    (tmp_path / 'colours/bad.png').write_bytes(b'bad')
    tool('weights.pth', 'colours', '--skip-corrupt', '--batch-size', '4')
    lines = capsys.readouterr().out.splitlines()
    told = [line for line in lines if line.startswith('colours/')]
    assert len(told) == 4
    assert told[1].startswith('colours/1_bird.png: blue tit ')
    path = tmp_path / 'work_dirs/predict/predictions.json'
    content = json.loads(path.read_text('utf-8'))
    assert len(content['skipped']) == 1
    assert 'map' not in content['predictions'][0]
    ((x1, y1, x2, y2),) = content['predictions'][1]['boxes']
    assert 0 < x1 < x2 < 96
    assert 0 < y1 < y2 < 64
    names = sorted(p.name for p in (tmp_path / 'work_dirs/predict').iterdir())
    assert names[:2] == ['000000_0_bird.png', '000001_1_bird.png']
    assert len(names) == 5


@pytest.mark.parametrize(
    ('args', 'message'),
    [
        (('gone.pth', 'colours'), 'Checkpoint gone.pth does not exist'),
        (('weights.pth', 'gone'), 'gone is no image'),
        (('weights.pth', 'cam.py'), 'leave it out, or give --skip-corrupt'),
    ],
)
def test_what_fails_is_one_line(tool, args, message):
    with pytest.raises(SystemExit) as stop:
        tool(*args)
    assert message in str(stop.value.code)
    assert '\n' not in str(stop.value.code)


def test_answers_are_put_into_words(tool):
    words = tool.module.in_words
    page = dict(name='a.png', anomalous=np.array([True, False]))
    assert words(page) == 'a.png: 1 of 2 objects anomalous'
    face = dict(name='b.png', pred_label=3, pred_score=0.8, mask=np.eye(4) > 0)
    assert words(face) == 'b.png: class 3 80 %, 4 of 16 patches occluded'


def test_it_is_a_command():
    assert cli.COMMANDS['predict'][0] == 'predict.py'
