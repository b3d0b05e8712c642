"""What fails before the work begins, in one line."""

import argparse
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.config import Config

from mmocc.report import checks
from mmocc.report.job import folder_name
from mmocc.utils.from_config import build_dataset, load_model


def test_numbers_below_the_least_are_refused():
    read = checks.at_least(1)
    assert read('3') == 3
    for text in ('0', '-2', '1.5', 'many', ''):
        with pytest.raises(argparse.ArgumentTypeError, match='at least 1'):
            read(text)
    assert checks.at_least(0)('0') == 0


def test_each_name_has_a_folder_of_its_own():
    names = [
        'a/b',
        'a_b',
        'a%2Fb',
        'a b',
        '..',
        '.',
        '%2E.',
        'a\u0308',
        'n.1',
        'Ä',
        '名',
    ]
    folders = [folder_name(name) for name in names]
    assert len(set(folders)) == len(names)
    assert folders[:2] == ['a%2Fb', 'a_b']
    assert folders[2] == 'a%252Fb'
    assert all(Path(folder).name == folder for folder in folders)
    assert folders[-3:] == ['n.1', 'Ä', '名']
    assert not set(folders) & {'.', '..', ''}


def test_names_that_would_be_mixed_up_are_refused():
    assert checks.name_problem(['a/b', 'a_b'], 2) is None
    for names in (['a'], ['a', 'a'], ['a', 'b', 'c'], ['a', '']):
        assert 'different name' in checks.name_problem(names, 2)
    assert 'share a folder' in checks.name_problem(['vgg', 'VGG'], 2)


def job(folder, name='a'):
    path = folder / 'cells' / name / 'L0.npz'
    return SimpleNamespace(path=lambda cell: path)


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    checks.check_out([job(tmp_path / 'new')], tmp_path / 'new')
    assert list((tmp_path / 'new/cells/a').iterdir()) == []
    (tmp_path / 'file').write_text('', encoding='utf-8')
    for out in (tmp_path / 'file', tmp_path / 'file' / 'below'):
        with pytest.raises(SystemExit, match=r'--out .*file.* cannot be wri'):
            checks.check_out([job(out)], out)
    with pytest.raises(SystemExit, match='cannot be written to'):
        checks.check_out([job(tmp_path, 300 * 'n')], tmp_path)


def model_job(tiny_config, tmp_path, outputs):
    """Return what the check needs of a job whose head has some outputs."""
    cfg = Config.fromfile(tiny_config)
    cfg.model.head.num_classes = outputs
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmpretrain')
    path = tmp_path / f'{outputs}.pth'
    torch.save(MODELS.build(cfg.model).state_dict(), path)
    model = load_model(cfg, str(path))
    return SimpleNamespace(cfg=cfg, name='m', cells={}, ready=lambda: model)


@pytest.mark.parametrize('outputs', [1, 3])
def test_a_head_that_does_not_fit_the_classes_is_refused(
    tiny_config, tmp_path, outputs
):
    wrong = model_job(tiny_config, tmp_path, outputs)
    dataset = build_dataset(wrong.cfg)
    message = rf"tiny\.py: the head of model 'm' has {outputs} outputs, but"
    with pytest.raises(SystemExit, match=rf'{message} .* has 2 classes'):
        checks.check_classes([wrong], dataset, ['L0'], ['dark', 'light'])
    wrong.cells = dict(L0=None)  # read back: it was checked before
    checks.check_classes([wrong], dataset, ['L0'], ['dark', 'light'])


def test_without_names_of_classes_only_too_few_outputs_are_refused(
    tiny_config, tmp_path
):
    more = model_job(tiny_config, tmp_path, 3)
    dataset = build_dataset(more.cfg)
    checks.check_classes([more], dataset, ['L0'], None)
    fewer = model_job(tiny_config, tmp_path, 1)
    with pytest.raises(SystemExit, match='has 1 outputs'):
        checks.check_classes([fewer], dataset, ['L0'], None)


def test_labels_beyond_the_classes_are_refused(tiny_config, tmp_path):
    fits = model_job(tiny_config, tmp_path, 2)
    dataset = build_dataset(fits.cfg)
    checks.check_classes([fits], dataset, ['L0'], ['dark', 'light'])
    with pytest.raises(SystemExit, match='has label 1, but only 1 classes'):
        checks.check_classes([fits], dataset, ['L0'], ['dark'])


def test_an_empty_test_set_is_refused():
    named = SimpleNamespace(cfg=SimpleNamespace(filename='some.py'))
    with pytest.raises(SystemExit, match=r'some\.py: .* has no image'):
        checks.check_size(named, [])
    checks.check_size(named, [0])
