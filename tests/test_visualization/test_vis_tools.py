"""The drawing tools, started as users start them, on known images."""

import itertools

import numpy as np
import pytest
import toy_localizer
from conftest import ROOT
from PIL import Image

from mmocc.evaluation.stored_maps import read_manifest

TOOLS = ROOT / 'tools' / 'visualization'
METHODS = ('cam', 'gradcamplusplus')
PATHS = dict(PYTHONPATH=f'{ROOT}:{ROOT / "tests"}', CUDA_VISIBLE_DEVICES='')


@pytest.fixture
def draw(run_tool, tmp_path):
    """Run a tool beside the toy's files; return what it printed."""
    toy_localizer.write(tmp_path)

    def run(tool, *args):
        result = run_tool(tool, *args, **PATHS, MPLBACKEND='agg')
        assert result.returncode == 0, result.stderr
        return result.stdout

    return run


def read(path):
    return np.asarray(Image.open(path).convert('RGB')).astype(int)


def has_colour(picture, colour):
    return bool((np.abs(picture - colour).max(axis=2) < 12).any())


def test_models_are_compared_on_the_same_images(draw, tmp_path):
    printed = draw(
        TOOLS / 'vis_localization.py', 'cam.py', 'weights.pth', 'plain.py',
        'weights.pth', '--names', 'head', 'Grad', '--select', '1_bird', '2',
        '--method', 'grad-cam', '--out', 'out',
    )  # fmt: skip
    lines = [line for line in printed.splitlines() if 'IoU' in line]
    rows = [f'{i}_bird, {name}' for i in (1, 2) for name in ('head', 'Grad')]
    assert [line.split(':')[0] for line in lines] == rows
    assert 'predicted: blue tit' in lines[0]
    assert 'predicted: red kite' in lines[2]
    assert all(0.75 < float(line.split('IoU ')[1]) < 1 for line in lines)
    names = {path.stem for path in (tmp_path / 'out').iterdir()}
    assert names == {'localization', '000001_1_bird', '000002_2_bird'}
    picture = read(tmp_path / 'out' / '000002_2_bird.png')
    assert has_colour(picture, (0, 255, 0))  # ground truth
    assert has_colour(picture, (255, 0, 0))  # predicted box


def test_maps_of_several_methods_and_classes(draw, tmp_path):
    printed = draw(
        TOOLS / 'vis_cam.py', 'colours/1_bird.png', '0', 'plain.py',
        'weights.pth', '--method', 'cam', 'gradcam++', '--target-category',
        'Milvus', '1', '--boxes', '--save-path', 'cams.png', '--maps-dir',
        'maps', '--out-dir', 'single',
    )  # fmt: skip
    assert 'target layer: backbone.features (others' in printed
    parts = itertools.product('01', ['bird'], METHODS, '01')
    names = {'_'.join(part) for part in parts}
    for folder, kind in (('maps', 'npy'), ('single', 'png')):
        files = (tmp_path / folder).glob(f'*.{kind}')
        assert {file.stem for file in files} == names
    known = read_manifest(tmp_path / 'maps')
    assert set(known) == names and None not in known.values()
    for category, method in itertools.product((0, 1), METHODS):
        file = tmp_path / 'maps' / f'{category}_bird_{method}_{category}.npy'
        cam = np.load(file)
        height, width = cam.shape
        inside = cam[height // 2, width // 2 + width // 8]
        assert cam.dtype == np.float16
        assert inside == pytest.approx(cam.max(), rel=0.05), file
        assert cam[0, 0] < 0.1 * cam.max(), file
        other = file.with_stem(f'{category}_bird_{method}_{1 - category}')
        assert np.load(other).max() < 1e-6
    assert has_colour(read(tmp_path / 'cams.png'), (255, 0, 0))


def test_a_method_that_fails_is_named_and_the_others_stay(run_tool, tmp_path):
    toy_localizer.write(tmp_path)
    result = run_tool(
        TOOLS / 'vis_cam.py', 'colours/1_bird.png', 'plain.py', 'weights.pth',
        '--method', 'cam', 'gradcam', '--target-layers',
        'backbone.features.0', '--out-dir', 'single', '--save-path',
        'cams.png', **PATHS, MPLBACKEND='agg',
    )  # fmt: skip
    assert result.returncode == 1
    assert '1_bird, cam: CAM needs a head that is linear' in result.stderr
    assert '1 of 2 maps failed' in result.stderr
    assert (tmp_path / 'cams.png').is_file()
    assert [file.stem for file in (tmp_path / 'single').iterdir()] == [
        '1_bird_gradcam_1'
    ]


def test_what_the_preprocessor_or_a_hook_hides_is_shown(draw, tmp_path):
    text = (tmp_path / 'cam.py').read_text()
    start = text.index(
        "            dict(\n                type='mmocc.HideAndS"
    )
    end = text.index("            dict(type='PackInputs'),\n        ],")
    plain = text[:start] + text[end:]
    batch = """
data_preprocessor.update(
    type='mmocc.HidingDataPreprocessor',
    hide=dict(type='mmocc.BatchHideAndSeek', grid_sizes=(16,)))
"""
    hook = """
custom_hooks = [dict(
    type='mmocc.HideFeaturesHook', module='backbone.features.2',
    hide=dict(type='mmocc.HideFeatures', grid_sizes=(8,), fill=-1.0))]
"""
    for name, more in (('batch', batch), ('hook', hook)):
        (tmp_path / f'{name}.py').write_text(plain + more)
        printed = draw(
            TOOLS / 'browse_occlusion.py', f'{name}.py', '--draws', '5',
            '-o', name,
        )  # fmt: skip
        mean = float(printed.split('hidden of the image: mean ')[1].split()[0])
        assert 30 < mean < 70, name  # half of the cells
        # 0 of a normalised batch is its mean, 100; a map's cells are grey
        grey = (100,) * 3 if name == 'batch' else (127,) * 3
        picture = read(tmp_path / name / 'hiding_train_0000.png')
        assert has_colour(picture, grey)
    (tmp_path / 'none.py').write_text(plain)
    with pytest.raises(AssertionError, match='nothing that is known hides'):
        draw(TOOLS / 'browse_occlusion.py', 'none.py')


def test_features_are_projected_back_to_the_pixels(draw, tmp_path):
    printed = draw(
        TOOLS / 'vis_deconv.py', 'cam.py', 'weights.pth', '--layer',
        'backbone.features.5', '--top', '4', '--out', 'out',
    )  # fmt: skip
    assert '2 channels, of which 0 never fire' in printed
    name = 'backbone.features.5'
    assert {path.stem for path in (tmp_path / 'out').iterdir()} == {
        f'deconv_{name}', f'{name}_channel0000', f'{name}_channel0001',
    }  # fmt: skip
    # Filter [1, -0.5, -0.5] on a pixel: the projection is 1 in red, and half
    # as dark as grey in the others, beside a patch in the object's colour.
    picture = read(tmp_path / 'out' / 'backbone.features.5_channel0000.png')
    left, right = np.array_split(picture, 2, axis=1)
    assert has_colour(left, (255, 64, 64))
    assert has_colour(right, (230, 20, 20))
    assert not has_colour(picture, (20, 20, 230))


def test_hiding_is_shown_and_summed_up(draw, tmp_path):
    printed = draw(
        TOOLS / 'browse_occlusion.py', 'cam.py', '--draws', '5', '--rows',
        '3', '-o', 'out',
    )  # fmt: skip
    assert 'wrote out/hiding_train_0003.png' in printed
    mean = float(printed.split('hidden of the image: mean ')[1].split()[0])
    assert 35 < mean < 65  # 320 patches, each hidden with probability 0.5
    assert printed.rstrip().endswith('in 20 draws')
    picture = read(tmp_path / 'out/hiding_train_0000.png')
    assert has_colour(picture, (255, 0, 255))


def test_the_hook_draws_while_a_run_tests(draw, tmp_path):
    draw(ROOT / 'tools' / 'test.py', 'cam.py', 'weights.pth')
    pictures = sorted((tmp_path / 'work').rglob('vis_image/*.png'))
    names = [path.stem for path in pictures]
    assert names == ['000000_0_bird_0', '000002_2_bird_0']
    assert has_colour(read(pictures[0]), (0, 255, 0))
