import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope
from mmengine.runner import Runner
from PIL import Image

from mmocc.occlusion import UnreachableLevelError, cell_names
from mmocc.report import classifiers as bench
from mmocc.report.answers import Answers, Fault, fingerprint

TOOL = Path(__file__).parents[2] / 'tools/analysis_tools'


def save_model(config, path, seed=0):
    """Save random weights, with statistics that make answers differ."""
    init_default_scope('mmpretrain')
    torch.manual_seed(seed)
    model = MODELS.build(Config.fromfile(config).model)
    torch.save(dict(state_dict=model.state_dict()), path)
    return path


@pytest.fixture
def run(tiny_config, tmp_path):
    """Return answers of two models in a cell."""
    cfg = Config.fromfile(tiny_config)
    models = {
        name: bench.load_model(
            cfg, str(save_model(tiny_config, tmp_path / f'{name}.pth', seed))
        )
        for name, seed in (('a', 0), ('b', 1))
    }
    dataset = bench.build_test_set(cfg)

    def predict(cell, every=1, **settings):
        cfg.test_dataloader.update(settings)
        loader = bench.cell_loader(cfg, dataset, cell, every, seed=0)
        return bench.predict(models, loader)

    return predict


def equal(ours, theirs):
    return all(
        np.array_equal(getattr(ours, name), getattr(theirs, name))
        for name in ('index', 'label', 'pred', 'share')
    ) and np.allclose(ours.confidence, theirs.confidence, atol=1e-6)


@pytest.mark.parametrize(
    'loader_args',
    [dict(batch_size=1), dict(batch_size=64), dict(num_workers=4)],
)
def test_answers_depend_on_neither_batch_nor_workers(run, loader_args):
    first, again = run('L2 noise'), run('L2 noise', **loader_args)
    assert equal(first['a'], again['a'])
    assert equal(first['b'], again['b'])


def test_every_model_sees_the_same_occlusions(run):
    found = run('L3 white')
    assert found['a'].share.tolist() == found['b'].share.tolist()
    assert ((found['a'].share >= 0.6) & (found['a'].share < 0.8)).all()
    assert found['a'].regions == dict(image=4)
    assert found['a'].label.tolist() == [0, 0, 1, 1]


def test_a_part_of_the_images_keeps_its_occlusions(run):
    whole, part = run('L1 noise')['a'], run('L1 noise', every=2)['a']
    assert part.index.tolist() == [0, 2]
    assert part.share.tolist() == whole.share[::2].tolist()
    assert np.allclose(part.confidence, whole.confidence[::2], atol=1e-6)


def test_the_clean_cell_equals_the_plain_test(run, tiny_config, tmp_path):
    cfg = Config.fromfile(tiny_config)
    cfg.load_from = str(tmp_path / 'a.pth')
    plain = Runner.from_cfg(cfg).test()['accuracy/top1']
    assert 100 * run('L0')['a'].hits.mean() == plain


def test_answers_are_read_back_only_by_their_own_run(run, tmp_path):
    answers = run('L1 white')['a']
    answers.faults = [Fault(7, 'corrupt', 'x.png')]
    path = tmp_path / 'deep' / 'cell.npz'
    answers.save(path, 'print')
    assert Answers.load(path, 'other') is None
    assert Answers.load(tmp_path / 'none.npz', 'print') is None
    again = Answers.load(path, 'print')
    assert equal(answers, again)
    assert again.regions == answers.regions
    assert again.faults == answers.faults
    assert [p.name for p in path.parent.iterdir()] == ['cell.npz']


def test_the_fingerprint_knows_weights_config_and_settings(
    tiny_config, tmp_path
):
    cfg = Config.fromfile(tiny_config)
    path = str(save_model(tiny_config, tmp_path / 'm.pth'))
    first = fingerprint(cfg, path, seed=0)
    assert fingerprint(cfg, path, seed=0) == first
    assert fingerprint(cfg, path, seed=1) != first
    cfg.model.head.topk = 2
    assert fingerprint(cfg, path, seed=0) != first
    cfg = Config.fromfile(tiny_config)
    save_model(tiny_config, path, seed=5)
    assert fingerprint(cfg, path, seed=0) != first


class Faulty(torch.utils.data.Dataset):
    """Three samples: good, too small, and one whose pipeline is at fault."""

    def __init__(self, path):
        self.path = str(path)

    def __len__(self):
        return 3

    def get_data_info(self, index):
        return dict(img_path=self.path)

    def __getitem__(self, index):
        if index == 1:
            raise UnreachableLevelError('too few pixels')
        if index == 2:
            raise KeyError('no such key')
        return dict(inputs=index)


def test_objects_too_small_are_left_out_and_other_faults_stop(tmp_path):
    image = tmp_path / 'fine.png'
    Image.new('RGB', (4, 4)).save(image)
    checked = bench.CheckedDataset(Faulty(image))
    batch = [checked[0], checked[1]]
    indices, packed, faults = bench.collate_checked(batch, list)
    assert (indices, packed) == ([0], [dict(inputs=0)])
    assert faults == [Fault(1, 'too small', 'too few pixels')]
    with pytest.raises(KeyError, match='no such key'):
        checked[2]
    image.write_bytes(b'not an image')
    fault = checked[2]
    assert fault.reason == 'corrupt'
    assert str(image) in fault.message


def test_different_classes_are_not_compared():
    bench.check_same_classes(dict(a=['x', 'y'], b=('x', 'y'), c=None))
    with pytest.raises(ValueError, match=r"'b' and 'a'.*different: y, z"):
        bench.check_same_classes(dict(a=['x', 'y'], b=['x', 'z']))
    with pytest.raises(ValueError, match='different: their order'):
        bench.check_same_classes(dict(a=['x', 'y'], b=['y', 'x']))


def test_a_checkpoint_that_does_not_fill_the_model_is_refused(
    tiny_config, tmp_path
):
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match=r'empty\.pth does not fit.*missing'):
        bench.load_model(
            Config.fromfile(tiny_config), str(tmp_path / 'empty.pth')
        )


@pytest.fixture
def command(tiny_config, tmp_path, occluder_folders):
    first = save_model(tiny_config, tmp_path / 'a.pth')
    second = save_model(tiny_config, tmp_path / 'b.pth', seed=1)
    return [
        TOOL / 'occlusion_benchmark.py',
        tiny_config, first, tiny_config, second,
        '--names', 'a', 'b',
        '--texture-bank', occluder_folders['texture_bank'],
        '--object-bank', occluder_folders['object_bank'],
        '--texture-size', 32, '--workers', 0,
        '--out', tmp_path / 'out',
    ]  # fmt: skip


def test_the_tool_writes_the_report_and_resumes(run_tool, command, tmp_path):
    result = run_tool(*command)
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / 'out/occlusion.json').read_text())
    assert written['meta']['seed'] == 0
    cells = written['models']['a']['cells']
    assert list(cells) == cell_names()
    assert all(cell['images'] == 4 for cell in cells.values())
    page = (tmp_path / 'out/occlusion.html').read_text()
    assert page.count('data:image/jpeg') == 13 * 4
    assert (tmp_path / 'out/occlusion.png').stat().st_size > 1000
    # a cell that is gone is computed again, the others are not
    done = {p: p.stat().st_mtime_ns for p in tmp_path.glob('out/cells/*/*')}
    gone = tmp_path / 'out/cells/b/L2_noise.npz'
    gone.unlink()
    again = run_tool(*command)
    assert again.returncode == 0, again.stderr
    for path, time in done.items():
        assert (path.stat().st_mtime_ns == time) == (path != gone)
    assert json.loads((tmp_path / 'out/occlusion.json').read_text()) == written


def test_two_processes_find_what_one_does(run_tool, command, tmp_path):
    assert run_tool(*command, '--kinds', 'noise').returncode == 0
    one = json.loads((tmp_path / 'out/occlusion.json').read_text())
    command[-1] = tmp_path / 'two'
    torchrun = ['-m', 'torch.distributed.run', '--nproc-per-node=2']
    result = run_tool(
        sys.executable, *torchrun, '--master-port=29555', *command,
        '--kinds', 'noise', '--launcher', 'pytorch',
        OMP_NUM_THREADS='1', CUDA_VISIBLE_DEVICES='',
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    two = json.loads((tmp_path / 'two/occlusion.json').read_text())
    assert two['models'] == one['models']


def test_an_image_that_cannot_be_read_is_named(run_tool, command, tmp_path):
    broken = tmp_path / 'images/dark/1.png'
    broken.write_bytes(b'broken')
    command += ['--kinds', 'white']
    result = run_tool(*command)
    assert result.returncode == 1
    assert str(broken) in result.stdout + result.stderr
    assert '--skip-corrupt' in result.stderr
    assert not (tmp_path / 'out/occlusion.json').exists()
    result = run_tool(*command, '--skip-corrupt')
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / 'out/occlusion.json').read_text())
    cell = written['models']['b']['cells']['L2 white']
    assert cell['images'] == 3
    assert cell['left_out'] == dict(corrupt=1)


def test_without_banks_only_white_and_noise_are_tested(run_tool, command):
    plain = [*command[:8], *command[-4:]]
    result = run_tool(*plain)
    assert result.returncode == 0, result.stderr
    assert "kind 'object' is left out" in result.stdout
    assert 'L3 noise' in result.stdout
    assert 'L3 texture' not in result.stdout
