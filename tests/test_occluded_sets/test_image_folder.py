"""An occluded ImageFolder, and banks that are drawn."""

import json

import numpy as np
import pytest
import torch
from data_tools import run_here, tree
from PIL import Image
from torch import nn
from torchvision.datasets import ImageFolder
from torchvision.transforms import ToTensor

from mmocc.apis.occlusion_report import occlusion_report
from mmocc.occluded_sets.image_folder import ImageFolderSource
from mmocc.occluded_sets.settings import OccludedSettings
from mmocc.occluded_sets.writer import write_occluded
from mmocc.occlusion import LEVELS
from mmocc.occlusion.builtin_cutouts import draw_cutouts

CLASSES = ('bright', 'dark', 'grey one')
DRAWN = dict(texture_bank='builtin:test', object_bank='builtin:test')
FAST = OccludedSettings(
    ('white', 'object'), ('L0', 'L2'), **DRAWN, texture_size=32
)


def write_folder(root, images=4):
    """Write noise about 200, 50 and 120 in a folder for each class."""
    rng = np.random.default_rng(0)
    for name, middle in zip(CLASSES, (200, 50, 120), strict=True):
        (root / name).mkdir(parents=True)
        for index in range(images):
            noise = rng.normal(middle, 40, (32, 40, 3)).clip(0, 255)
            image = Image.fromarray(noise.astype(np.uint8))
            image.save(root / name / f'{index}.v2.png')
    return root


class NearestBrightness(nn.Module):
    """Answers with the class whose brightness is nearest."""

    def forward(self, images):
        levels = torch.tensor([200.0, 50.0, 120.0]) / 255
        return -100 * (images.mean((1, 2, 3))[:, None] - levels).abs()


def report_on(folder, out, **options):
    return occlusion_report(
        {'brightness': NearestBrightness()},
        folder,
        transform=ToTensor(),
        out=out,
        examples=0,
        **options,
    )


@pytest.fixture(scope='module')
def written(tmp_path_factory):
    """Return a folder, and its occluded set with all levels."""
    root = tmp_path_factory.mktemp('folders')
    write_folder(root / 'photos')
    settings = OccludedSettings(
        ('noise', 'object'), tuple(LEVELS), seed=3, **DRAWN
    )
    write_occluded(ImageFolderSource(root / 'photos'), settings, root / 'out')
    return root


def test_torchvision_reads_the_same_labels(written):
    plain = ImageFolder(written / 'photos')
    for cell in ('L0', 'noise_L1', 'object_L3'):
        data = ImageFolder(written / 'out' / cell / 'images')
        assert data.class_to_idx == plain.class_to_idx
        assert data.targets == plain.targets
        same = [
            np.array_equal(one, other)
            for (one, _), (other, _) in zip(data, plain, strict=True)
        ]
        assert same == [cell == 'L0'] * 12
        lines = (written / 'out' / cell / 'labels.csv').read_text()
        assert lines.splitlines()[:2] == [
            'image,label,class', 'bright/0.v2.png,0,bright'
        ]  # fmt: skip
        assert 'grey one/3.v2.png,2,grey one' in lines
    names = (written / 'out/L0/classes.txt').read_text().splitlines()
    assert tuple(names) == CLASSES


def test_a_report_of_the_set_has_the_numbers_of_the_live_cells(
    written, tmp_path
):
    live = report_on(
        written / 'photos',
        tmp_path / 'live',
        kinds=('noise', 'object'),
        levels=('L2', 'L3'),
        seed=3,
        texture_bank=None,
        object_bank='builtin:test',
    )
    cells = [('noise', 'L2'), ('object', 'L3')]
    stored = [
        report_on(
            written / f'out/{kind}_{level}/images',
            tmp_path / kind / level,
            kinds=('white',),
            levels=('L1',),
        ).accuracy('L0')
        for kind, level in cells
    ]
    expected = [live.accuracy(level, kind) for kind, level in cells]
    assert stored == expected
    assert min(expected) < 100


def test_shares_are_of_the_whole_image_and_in_the_level(written):
    manifest = json.loads((written / 'out/manifest.json').read_text())
    assert manifest['layout'] == 'imagefolder'
    for cell, counts in manifest['cells'].items():
        low, high = LEVELS[counts['level']]
        assert counts['inside'] == counts['images'] == 12
        for path in (written / 'out' / cell / 'OcclusionMasks').rglob('*.png'):
            share = np.array(Image.open(path)).mean()
            assert low <= share <= high
    regions = (written / 'out/objects.csv').read_text().splitlines()[1:]
    assert {line.split(',')[6] for line in regions} == {'image'}


def test_drawn_banks_stand_in_the_manifest_by_content(written):
    manifest = json.loads((written / 'out/manifest.json').read_text())
    bank = manifest['settings']['object_bank']
    assert len(bank) == len(draw_cutouts('test'))
    assert len(set(bank.values())) == len(bank)
    table = (written / 'out/images.csv').read_text()
    assert 'builtin:test/' in table
    other = OccludedSettings(('object',), object_bank='builtin:train')
    trained = other.as_json()['object_bank']
    assert not set(trained.values()) & set(bank.values())


def test_only_the_classes_that_are_named(tmp_path):
    write_folder(tmp_path / 'in', images=1)
    status, output, errors = run_here(
        *('make_occluded', 'imagefolder', tmp_path / 'in'),
        *('--out', tmp_path / 'out', '--kinds', 'texture', '--levels', 'L1'),
        *('--texture-bank', 'builtin:test', '--texture-size', '32'),
        *('--classes', 'grey one', 'dark'),
    )
    assert status == 0, errors
    data = ImageFolder(tmp_path / 'out/texture_L1/images')
    assert data.classes == ['dark', 'grey one']
    assert 'texture_L1' in output


def test_a_second_run_makes_the_same_bytes(tmp_path):
    folder = write_folder(tmp_path / 'in', images=1)
    source = ImageFolderSource(folder)
    write_occluded(source, FAST, tmp_path / 'out')
    before = tree(tmp_path / 'out')
    write_occluded(source, FAST, tmp_path / 'out')
    assert tree(tmp_path / 'out') == before


def test_an_image_of_three_pixels_is_counted_as_too_small(tmp_path):
    (tmp_path / 'in/a').mkdir(parents=True)
    Image.new('RGB', (1, 1)).save(tmp_path / 'in/a/dot.png')
    settings = OccludedSettings(('white',), ('L1',))
    source = ImageFolderSource(tmp_path / 'in')
    manifest = write_occluded(source, settings, tmp_path / 'out')
    assert manifest['cells']['white_L1']['too_small'] == 1


def test_folders_that_are_none_are_refused_by_name(tmp_path):
    folder = write_folder(tmp_path / 'in', images=1)

    def items(root=folder, classes=None):
        return ImageFolderSource(root, classes).items()

    with pytest.raises(FileNotFoundError, match='nowhere is not a folder'):
        items(tmp_path / 'nowhere')
    with pytest.raises(ValueError, match='no folder of the class cat; it has'):
        items(classes=('dark', 'cat'))
    (folder / 'empty').mkdir()
    with pytest.raises(ValueError, match='empty holds no image'):
        items()
    Image.new('RGB', (4, 4)).save(folder / 'loose.png')
    with pytest.raises(ValueError, match=r'loose\.png: an image beside'):
        items()
    with pytest.raises(ValueError, match='unknown occluder bank'):
        OccludedSettings(('object',), object_bank='builtin:x').as_json()
