import sys

import pytest
import torch
from conftest import ROOT, import_tool
from PIL import Image
from small_nets import TRANSFORM, DigitNet, digits, example, trained_net

from mmocc.learn import load
from mmocc.report.named_models import NamedModel


@pytest.fixture
def tool(monkeypatch):
    """The tool, which finds a small trained net under any name of timm."""
    tool = import_tool(ROOT / 'tools' / 'fit_learn.py')
    net = NamedModel('digits', trained_net(), 'the test', TRANSFORM)
    net.module.pretrained_cfg = dict(input_size=(3, 32, 32))
    monkeypatch.setitem(tool.LIBRARIES, 'timm', lambda *_: net)
    return tool


def run(tool, monkeypatch, *arguments):
    argv = ['mmocc fit-learn', '--timm', 'digits', '--device', 'cpu']
    monkeypatch.setattr(sys, 'argv', [*argv, *map(str, arguments)])
    return tool.main()


def save(folder, first, last):
    folder.mkdir()
    for number, image in enumerate(digits(first, last)[0]):
        Image.fromarray(image).save(folder / f'{number}.png')
    return folder


def test_it_writes_what_load_reads(tool, tmp_path, monkeypatch, capsys):
    folders = (
        save(tmp_path / 'a', 1000, 1080),
        save(tmp_path / 'b', 1080, 1160),
    )
    file = tmp_path / 'out' / 'learn.pt'
    options = '--epochs', 8, '--lr', 5e-3, '--out', file
    code = run(
        tool, monkeypatch, '--images', *folders, *options,
        '--max-clean-cost', 0.1, '--left-alone', 0.9, '--validation', 0.3,
        '--batch-size', 16,
        '--variants', 2, '--kinds', 'white', 'noise',
    )  # fmt: skip
    lines = capsys.readouterr().out.splitlines()
    assert code == 0
    assert lines[0] == 'digits: weights of the test; 160 photos'
    assert 'Gain over L1 to L3 +' in lines[-2]
    assert lines[-1].startswith(f'wrote {file} (0.')
    net = DigitNet().eval()
    net.load_state_dict(trained_net().state_dict())
    plain = net(example())
    assert not torch.allclose(load(net, file)(example()), plain)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (('--images', 'none'), 'none is not a folder of photographs'),
        (('--images', '.', '--layer', 'fan'), "layer='fan' gave no feature"),
    ],
)
def test_errors_are_one_line(tool, tmp_path, monkeypatch, arguments, message):
    save(tmp_path / 'images', 0, 3)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message) as error:
        run(tool, monkeypatch, *arguments)
    assert '\n' not in str(error.value)
