import io
import json
import shutil
import sys
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from conftest import ROOT, import_tool
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmocc.apis import report_command
from mmocc.occlusion import (
    CutOffError,
    EmptyRegionError,
    UnreachableLevelError,
    cell_names,
)
from mmocc.report import classifiers
from mmocc.report.answers import Answers, Fault
from mmocc.utils.from_config import build_dataset, load_model

TOOL = ROOT / 'tools/analysis_tools/occlusion_benchmark.py'


def save_model(config, path, seed=0):
    """Save random weights."""
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return str(path)


@pytest.fixture
def run(tiny_config, tmp_path):
    """Return answers of two models in a cell."""
    cfg = Config.fromfile(tiny_config)
    models = {
        name: load_model(
            cfg, save_model(tiny_config, tmp_path / f'{name}.pth', seed)
        )
        for name, seed in (('a', 0), ('b', 1))
    }
    dataset = build_dataset(cfg)

    def predict(cell, every=1, **settings):
        cfg.test_dataloader.update(settings)
        loader = classifiers.cell_loader(cfg, dataset, cell, every, seed=0)
        return classifiers.predict(models, loader)

    return predict


def equal(ours, theirs):
    return all(
        np.array_equal(getattr(ours, name), getattr(theirs, name))
        for name in ('index', 'label', 'pred', 'share')
    ) and np.allclose(ours.confidence, theirs.confidence, atol=1e-6)


def test_answers_depend_on_neither_batch_nor_workers(run):
    first = run('L2 noise')
    for batch, workers in ((1, 0), (64, 0), (2, 2)):
        again = run('L2 noise', batch_size=batch, num_workers=workers)
        assert equal(first['a'], again['a'])
        assert equal(first['b'], again['b'])


def test_the_clean_cell_equals_the_plain_test(run, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    cfg.load_from = str(tmp_path / 'a.pth')
    plain = Runner.from_cfg(cfg).test()['accuracy/top1']
    assert 100 * run('L0')['a'].hits.mean() == plain


def test_every_model_sees_the_same_occlusions_of_all_or_some_images(run):
    both = run('L3 white')
    share = both['a'].share
    assert share.tolist() == both['b'].share.tolist()
    assert ((share >= 0.6) & (share < 0.8)).all()
    assert both['a'].regions == dict(image=4)
    assert both['a'].label.tolist() == [0, 0, 1, 1]
    part = run('L3 white', every=2)['a']
    assert part.index.tolist() == [0, 2]
    assert part.share.tolist() == share[::2].tolist()
    assert np.allclose(part.confidence, both['a'].confidence[::2], atol=1e-6)


def test_answers_are_read_back_as_they_were(run, tmp_path):
    answers = run('L1 white')['a']
    answers.faults = [Fault(7, 'corrupt', 'x.png')]
    answers.probabilities = False
    path = tmp_path / 'deep' / 'cell.npz'
    answers.save(path, dict(model='digest'))
    again, parts = Answers.load(path)
    assert parts == dict(model='digest')
    assert equal(answers, again)
    for name in ('identity', 'photo', 'thumbnail'):
        assert np.array_equal(getattr(answers, name), getattr(again, name))
    assert again.regions == answers.regions
    assert again.faults == answers.faults
    assert not again.probabilities
    assert [p.name for p in path.parent.iterdir()] == ['cell.npz']


def test_an_image_is_known_by_its_name_and_by_what_is_hidden(run):
    clean, white = run('L0')['a'], run('L2 white')['a']
    assert len(set(clean.identity)) == 4
    assert white.identity.tolist() == clean.identity.tolist()
    assert not clean.thumbnail.any()
    assert white.thumbnail.shape == (4, 8, 8)
    hidden = white.thumbnail.mean(axis=(1, 2)) / 255  # the image is the object
    assert np.allclose(hidden, white.share, atol=0.004)


def test_without_names_the_place_is_the_name():
    made = Answers(*(np.arange(3, 6) for _ in range(5)))
    assert made.identity.tolist() == ['index:3', 'index:4', 'index:5']
    assert made.photo.tolist() == made.identity.tolist()
    assert made.pick(np.array([True, False, True])).identity.tolist() == [
        'index:3', 'index:5',
    ]  # fmt: skip
    empty = Answers(*(np.arange(0) for _ in range(5)))
    assert empty.thumbnail.shape == (0, 8, 8)


@pytest.mark.parametrize(
    ('rows', 'proper'),
    [
        ([[0.25, 0.75], [1, 0]], True),
        ([[0.25, 0.7504]], True),
        ([[0.25, 0.76]], False),  # sigmoids
        ([[1.5, -0.5]], False),  # logits
        ([[0.25, 0.75], [0.5, 0.6]], False),
    ],
)
def test_scores_that_are_probabilities(rows, proper):
    assert classifiers.are_probabilities(torch.tensor(rows)) is proper


class Constant(torch.nn.Module):
    """A model with the same scores for each image."""

    def __init__(self, scores):
        super().__init__()
        self.scores = torch.nn.Parameter(torch.tensor(scores))

    def test_step(self, batch):
        for sample in batch['data_samples']:
            sample.set_pred_score(self.scores.detach())
        return batch['data_samples']


def test_answers_say_whether_scores_are_probabilities(tiny_config):
    cfg = Config.fromfile(tiny_config)
    models = dict(sure=Constant([0.9, 0.1]), logits=Constant([-3.0, 5.0]))
    loader = classifiers.cell_loader(cfg, build_dataset(cfg), 'L0')
    made = classifiers.predict(models, loader)
    assert made['sure'].probabilities
    assert not made['logits'].probabilities
    assert made['logits'].confidence.tolist() == [5] * 4
    broken = dict(broken=Constant([float('nan'), 1.0]))
    with pytest.raises(
        ValueError, match=r"0\.png: .* of model 'broken' are N"
    ):
        classifiers.predict(broken, loader)


class Faulty(list):
    """Samples of one image; those that are errors are raised."""

    def get_data_info(self, index):
        return dict(img_path=self.path)

    def __getitem__(self, index):
        sample = super().__getitem__(index)
        if isinstance(sample, Exception):
            raise sample
        return sample


def test_objects_too_small_are_left_out_and_other_faults_stop(tmp_path):
    image = tmp_path / 'fine.png'
    Image.new('RGB', (4, 4)).save(image)
    small = UnreachableLevelError('too few pixels')
    samples = Faulty([dict(inputs=0), small, KeyError('no such key')])
    samples.path = str(image)
    checked = classifiers.CheckedDataset(samples)
    batch = [checked[0], checked[1]]
    indices, packed, faults = classifiers.collate_checked(batch, list)
    assert (indices, packed) == ([0], [dict(inputs=0)])
    assert faults == [Fault(1, 'too_small', 'too few pixels')]
    with pytest.raises(KeyError, match='no such key'):
        checked[2]
    samples[2] = CutOffError('a.png: cut off')
    assert checked[2] == Fault(2, 'cut_off', 'a.png: cut off')
    samples[2] = EmptyRegionError('a.png: the box is inverted')
    assert checked[2] == Fault(2, 'no_pixel', 'a.png: the box is inverted')
    samples[2] = KeyError('no such key')
    image.write_bytes(b'not an image')
    fault = checked[2]
    assert fault.reason == 'corrupt'
    assert str(image) in fault.message


def test_different_classes_are_not_compared():
    check = classifiers.check_same_classes
    check(dict(a=['x', 'y'], b=('x', 'y'), c=None))
    with pytest.raises(ValueError, match=r"'b' and 'a'.*different: y, z"):
        check(dict(a=['x', 'y'], b=['x', 'z']))
    with pytest.raises(ValueError, match='different: their order'):
        check(dict(a=['x', 'y'], b=['y', 'x']))


def test_a_checkpoint_that_does_not_fill_the_model_is_refused(
    tiny_config, tmp_path
):
    path = save_model(tiny_config, tmp_path / 'part.pth')
    state = torch.load(path)['state_dict']
    del state['head.fc.bias']
    torch.save(dict(state_dict=state), path)
    with pytest.raises(ValueError, match=r'part\.pth does not fit.*fc\.bias'):
        load_model(Config.fromfile(tiny_config), path)


@pytest.fixture
def command(tiny_config, tmp_path, occluder_folders):
    first = save_model(tiny_config, tmp_path / 'a.pth')
    second = save_model(tiny_config, tmp_path / 'b.pth', seed=1)
    return [
        TOOL, tiny_config, first, tiny_config, second, '--names', 'a', 'b',
        '--texture-size', 32, '--workers', 0, '--device', 'cpu',
        '--texture-bank', occluder_folders['texture_bank'],
        '--object-bank', occluder_folders['object_bank'],
        '--out', tmp_path / 'out',
    ]  # fmt: skip


@pytest.fixture
def run_here(monkeypatch, capsys):
    """Run a command of the tool in this process; return what it prints."""
    tool = import_tool(TOOL)
    monkeypatch.setenv('TORCH_FORCE_WEIGHTS_ONLY_LOAD', '1')

    def run(*command):
        monkeypatch.setattr(sys, 'argv', [str(word) for word in command])
        tool.main()
        return capsys.readouterr().out

    return run


def test_the_tool_writes_the_report_and_resumes(
    run_tool, run_here, command, tmp_path
):
    result = run_tool(*command)
    assert result.returncode == 0, result.stderr
    written = json.loads(
        (tmp_path / 'out/occlusion.json').read_text(encoding='utf-8')
    )
    assert written['meta']['seed'] == 0
    cells = written['models']['a']['cells']
    assert list(cells) == cell_names()
    assert all(cell['images'] == 4 for cell in cells.values())
    page = (tmp_path / 'out/occlusion.html').read_text(encoding='utf-8')
    assert page.count('data:image/jpeg') == 13 * 4
    assert (tmp_path / 'out/occlusion.png').stat().st_size > 1000
    # a cell that is gone is computed again, the others are not
    done = {p: p.stat().st_mtime_ns for p in tmp_path.glob('out/cells/*/*')}
    gone = tmp_path / 'out/cells/b/L2_noise.npz'
    gone.unlink()
    run_here(*command)
    for path, time in done.items():
        assert (path.stat().st_mtime_ns == time) == (path != gone)
    assert (
        json.loads(
            (tmp_path / 'out/occlusion.json').read_text(encoding='utf-8')
        )
        == written
    )


def test_two_processes_give_the_numbers_of_one(
    run_tool, run_here, command, tmp_path
):
    run_here(*command, '--kinds', 'noise')
    one = json.loads(
        (tmp_path / 'out/occlusion.json').read_text(encoding='utf-8')
    )
    command[-1] = tmp_path / 'two'
    torchrun = ['-m', 'torch.distributed.run', '--nproc-per-node=2']
    result = run_tool(
        sys.executable, *torchrun, '--master-port=29555', *command,
        '--kinds', 'noise', '--launcher', 'pytorch',
        OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    two = json.loads(
        (tmp_path / 'two/occlusion.json').read_text(encoding='utf-8')
    )
    assert two['models'] == one['models']


def test_an_image_that_cannot_be_read_is_named(
    run_here, command, tmp_path, capsys
):
    broken = tmp_path / 'images/dark/1.png'
    broken.write_bytes(b'broken')
    command += ['--kinds', 'white']
    with pytest.raises(SystemExit, match='--skip-corrupt'):
        run_here(*command)
    assert str(broken) in capsys.readouterr().out
    assert not (tmp_path / 'out/occlusion.json').exists()
    run_here(*command, '--skip-corrupt')
    written = json.loads(
        (tmp_path / 'out/occlusion.json').read_text(encoding='utf-8')
    )
    cell = written['models']['b']['cells']['L2 white']
    assert cell['images'] == 3
    assert cell['left_out'] == dict(corrupt=1)


def test_without_banks_only_white_and_noise_are_tested(run_here, command):
    start = command.index('--texture-bank')
    printed = run_here(*command[:start], *command[-2:])
    assert "kind 'object' is left out" in printed
    assert 'L3 noise' in printed
    assert 'L3 texture' not in printed


def test_all_kinds_run_on_banks_that_are_drawn(run_here, command, tmp_path):
    start = command.index('--texture-bank')
    run_here(
        *command[:start], *command[-2:], '--builtin-banks', '--kinds', 'object'
    )
    out = tmp_path / 'out'
    written = json.loads((out / 'occlusion.json').read_text(encoding='utf-8'))
    assert 'L3 object' in written['models']['a']['cells']
    page = (out / 'occlusion.html').read_text(encoding='utf-8')
    assert page.count('builtin:test') == 1
    assert 'texture bank' not in page


SECOND = """
_base_ = {base!r}
test_dataloader = dict(
    dataset=dict(
        data_root={root!r},
        ann_file={ann_file!r},
        metainfo=dict(classes=('dark', 'light')),
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='Resize', scale=(48, 48)),
            dict(type='PackInputs'),
        ],
    )
)
"""


def second_config(tiny_config, names, root=None):
    """Write a config of larger input and another list of images."""
    root = root or tiny_config.parent / 'images'
    lines = [f'{name} {int("light" in name)}' for name in names]
    path = tiny_config.with_name(f'{root.name}{len(names)}.py')
    (root / f'{path.stem}.txt').write_text('\n'.join(lines), encoding='utf-8')
    text = SECOND.format(
        base=str(tiny_config), root=str(root), ann_file=f'{path.stem}.txt'
    )
    path.write_text(text, encoding='utf-8')
    return path


def test_models_are_compared_on_the_images_that_they_share(
    run_here, tiny_config, tmp_path
):
    weights = save_model(tiny_config, tmp_path / 'a.pth')
    larger = second_config(
        tiny_config, ['light/1.png', 'dark/0.png', 'light/0.png']
    )
    root = tmp_path / 'elsewhere'
    shutil.copytree(tmp_path / 'images/dark', root / 'others')
    others = second_config(tiny_config, ['others/0.png'], root)
    printed = run_here(
        TOOL, tiny_config, weights, larger, weights, others, weights,
        '--names', 'base', 'larger', 'others', '--kinds', 'white',
        '--device', 'cpu', '--out', tmp_path / 'out',
    )  # fmt: skip
    assert 'wrote' in printed
    text = (tmp_path / 'out/occlusion.json').read_text(encoding='utf-8')
    models = json.loads(text)['models']
    versus = models['larger']['difference']
    assert {cell['images'] for cell in versus.values()} == {3}
    reason = 'the test sets have no image in common'
    assert models['others']['not_paired'] == reason
    assert 'difference' not in models['others']


def test_another_preprocessor_makes_answers_stale_and_a_batch_does_not(
    run_here, tiny_config, tmp_path
):
    text = tiny_config.read_text(encoding='utf-8')
    start = text.index('    data_preprocessor=')
    end = text.index('\n', start) + 1
    inner = text[start:end].strip().rstrip(',')  # mmpretrain's usual place
    text = f'{text[:start]}{text[end:]}\n{inner}\n'
    tiny_config.write_text(text, encoding='utf-8')
    run = partial(
        run_here, TOOL, tiny_config, tmp_path / 'a.pth', '--kinds', 'white',
        '--device', 'cpu', '--out', tmp_path / 'out',
    )  # fmt: skip
    save_model(tiny_config, tmp_path / 'a.pth')
    run()
    assert ': answers of' not in run('--batch-size', 3, '--workers', 0)
    printed = run('--cfg-options', 'data_preprocessor.std=[1,1,1]')
    stale = "tiny: answers of 'L0', 'L1 white', 'L2 white', 'L3 white' are not"
    assert f'{stale} reused: the model has changed' in printed


def test_names_are_shown_on_terminals_of_few_letters(monkeypatch, tmp_path):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding='ascii')
    monkeypatch.setattr(sys, 'stdout', terminal)
    report_command.start(SimpleNamespace(launcher='none', device='cpu'))
    print('\u540d', file=terminal, flush=True)
    assert terminal.buffer.getvalue().strip() == b'\\u540d'


def test_a_head_that_does_not_fit_stops_before_the_work(
    run_here, command, tmp_path
):
    options = ['--kinds', 'white', '--cfg-options', 'model.head.num_classes=3']
    wrong = Config.fromfile(command[1])
    wrong.model.head.num_classes = 3
    torch.save(MODELS.build(wrong.model).state_dict(), tmp_path / 'a.pth')
    with pytest.raises(SystemExit, match=r"'a' has 3 outputs, .* 2 classes"):
        run_here(*command, *options)
    assert not list(tmp_path.glob('out/cells/*/*'))


@pytest.mark.parametrize(
    'option', ['--every', '--batch-size', '--texture-size', '--seed']
)
def test_numbers_that_cannot_be_are_named(run_here, command, option, capsys):
    with pytest.raises(SystemExit):
        run_here(*command, option, '-1')
    assert f'argument {option}: must be a whole' in capsys.readouterr().err
