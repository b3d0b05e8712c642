"""OccludedVehicles on small copies of the CompositionalNets layout."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image
from test_datasets.test_occluded_pascal3d import ALL, record_log

from mmocc.registry import DATASETS

occluded_vehicles = pytest.importorskip(
    'mmocc.datasets.occluded_vehicles',
    reason='OccludedVehicles needs mmpretrain',
    exc_type=ImportError,
)
OccludedVehicles = occluded_vehicles.OccludedVehicles

VEHICLES = ('aeroplane', 'bicycle', 'bus', 'car', 'motorbike', 'train')
NAMES = ('n0001_11_0', 'n0001_12_1')
WORDS = ('ONE', 'FIVE', 'NINE')
SUFFIXES = {'white': '_white', 'noise': '_noise', 'texture': '_texture'}
SIZE = (60, 40)  # (w, h): mask side 224 is 5.6 times the height
LOAD = dict(type='LoadImageFromFile')
MASKS = dict(type='mmocc.LoadOcclusionMasks')


def save(path, image=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    (image or Image.new('RGB', SIZE)).save(path, **options)


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('\r\n'.join(lines) + '\n\n')


def write_pascal(root, categories=VEHICLES):
    root = root / 'pascal3d+_occ'
    for category in categories:
        write(root / f'{category}_imagenet_train.txt', ['t1', 't2'])
        for stem in ('t1', 't2'):
            save(root / f'TRAINING_DATA/{category}_imagenet/{stem}.JPEG')
        write(root / f'{category}_imagenet_occ.txt', NAMES)
        for name in NAMES:
            save(root / f'{category}LEVELZERO/{name[:-2]}.JPEG')
            for level, suffix in product(WORDS, (*SUFFIXES.values(), '')):
                save(root / f'{category}LEVEL{level}{suffix}/{name}.JPEG')


def write_coco(root, categories=VEHICLES):
    root = root / 'coco_occ'
    for category in categories:
        for split, name in (
            ('train', '5_0_train2017'),
            ('test', '7_0_val2017'),
        ):
            write(root / f'{category}_ZERO_{split}.txt', [name])
            save(root / f'{category}_zero/{name}.jpg')
        for level in WORDS:
            write(root / f'{category}_{level}.txt', [f'9_4_{level}'])
            save(root / f'{category}_occ/9_4_{level}.jpg')


def write_masks(root, category='bus'):
    """Object: left half. White occluder: upper half; object: left quarter."""
    for name in NAMES:
        item = np.zeros((230, 350), np.uint8)  # larger than 224 x 336
        item[:224, :168] = 255
        item[224:], item[:, 336:] = 255, 255  # must be cut away
        folder = root / f'0_old_masks/{category}_imagenet_occludee_mask'
        save(folder / f'{name}.png', Image.fromarray(item))
        parts = dict(_mask=np.s_[:20], _mask_object=np.s_[:, :15])
        for suffix, part in parts.items():
            hidden = np.zeros((40, 60, 3), np.uint8)
            hidden[part] = 255
            path = root / f'{category}LEVELONE{suffix}/{name}.JPEG'
            save(path, Image.fromarray(hidden), quality=50)


@pytest.fixture
def package(tmp_path):
    write_pascal(tmp_path)
    return tmp_path


@pytest.fixture
def logged(monkeypatch):
    return record_log(monkeypatch, occluded_vehicles)


def test_each_cell_reads_its_own_folder(package):
    shares = ((0.2, 0.4), (0.4, 0.6), (0.6, 0.8))
    cells = enumerate(zip(WORDS, shares, strict=True), start=1)
    kinds = ('white', 'noise', 'texture', 'object')
    for (level, (word, share)), kind in product(cells, kinds):
        data = OccludedVehicles(package, level=f'L{level}', kind=kind)
        folder = f'busLEVEL{word}{SUFFIXES.get(kind, "")}'
        path = package / 'pascal3d+_occ' / folder / f'{NAMES[0]}.JPEG'
        assert data[2 * VEHICLES.index('bus')].items() >= dict(
            img_path=str(path), img_id=NAMES[0], occlusion_level=f'L{level}',
            occlusion_kind=kind, occlusion_range=share,
        ).items()  # fmt: skip


def test_labels_are_of_twelve_classes_or_of_own_ones(package):
    data = OccludedVehicles(package, level='L1', kind='object')
    assert data.metainfo['classes'] == ALL
    pairs = {(d['category'], d['gt_label']) for d in data}
    assert pairs == {(name, ALL.index(name)) for name in VEHICLES}
    assert len(data) == 12
    for split in ('train', 'test'):
        data = OccludedVehicles(package, split=split, classes=VEHICLES)
        assert {d['gt_label'] for d in data} == set(range(6))


def test_clean_images_lack_the_last_two_characters_of_the_list(package):
    data = OccludedVehicles(package, level='L0', categories=['car'])
    stems = [Path(d['img_path']).name for d in data]
    assert stems == ['n0001_11.JPEG', 'n0001_12.JPEG']
    assert [d['img_id'] for d in data] == list(NAMES)  # pairs with L1 to L3


def test_two_objects_of_one_photo_keep_both_lines_and_are_counted(
    package, logged
):
    path = package / 'pascal3d+_occ/car_imagenet_occ.txt'
    write(path, ['n0001_11_0', 'n0001_11_1'])
    data = OccludedVehicles(package, level='L0', categories=['car'])
    assert data[0]['img_path'] == data[1]['img_path']
    assert 'lines that repeat an image: 1' in logged[0]


@pytest.mark.parametrize(
    ('split', 'level', 'file'),
    [
        ('train', 'L0', 'car_zero/5_0_train2017.jpg'),
        ('test', 'L0', 'car_zero/7_0_val2017.jpg'),
        ('test', 'L1', 'car_occ/9_4_ONE.jpg'),
        ('test', 'L2', 'car_occ/9_4_FIVE.jpg'),
        ('test', 'L3', 'car_occ/9_4_NINE.jpg'),
    ],
)
def test_coco_reads_its_own_lists_uncut(tmp_path, split, level, file):
    write_coco(tmp_path)
    data = OccludedVehicles(tmp_path, 'coco', split, level, categories=['car'])
    assert [d['img_path'] for d in data] == [str(tmp_path / 'coco_occ' / file)]
    assert data[0]['gt_label'] == 5
    assert data[0]['occlusion_kind'] is None


@pytest.mark.parametrize('kind', ['noise', 'object'])
def test_masks_have_the_image_size_and_the_hidden_share(package, kind):
    write_masks(package / 'pascal3d+_occ')
    data = OccludedVehicles(
        package, level='L1', kind=kind, categories=['bus'], with_masks=True,
        pipeline=[LOAD, dict(type='Resize', scale=(120, 80)), MASKS],
    )  # fmt: skip
    sample = data[0]
    hidden = sample['occlusion_mask']
    expected = np.zeros((80, 120), np.uint8)
    expected[:, :60] = 1  # the left half, cut to 224 x 336, not squeezed
    np.testing.assert_array_equal(sample['gt_seg_map'], expected)
    assert hidden.shape == (80, 120)
    # JPEG rounds at the edge of the occluder: thresholded, never in between
    assert set(np.unique(hidden)) == {0, 1}
    occluded = [hidden[place] == 1 for place in ((10, 20), (70, 70), (70, 5))]
    assert occluded == [True, False, kind == 'object']
    assert sample['occlusion_share'] == pytest.approx(0.5, abs=0.04)


def test_clean_images_have_an_object_mask_and_nothing_hidden(package):
    root = package / 'pascal3d+_occ'
    write_masks(root)
    data = OccludedVehicles(
        package, categories=['bus'], with_masks=True, pipeline=[LOAD, MASKS]
    )
    sample = data[0]
    assert sample['occlusion_mask'].sum() == sample['occlusion_share'] == 0
    assert sample['gt_seg_map'].sum() == 40 * 30
    folder = root / '0_old_masks/bus_imagenet_occludee_mask'
    save(folder / f'{NAMES[0]}.png', Image.new('RGB', (100, 100)))
    with pytest.raises(ValueError, match=rf'{NAMES[0]}\.png.*with_masks='):
        data[0]


def test_masks_that_cannot_be_loaded_are_an_error(package):
    with pytest.raises(FileNotFoundError, match=r'occludee_mask: no such fol'):
        OccludedVehicles(package, with_masks=True)
    data = OccludedVehicles(package, pipeline=[LOAD, MASKS])
    with pytest.raises(ValueError, match=r'with_masks=True'):
        data[0]
    write_masks(package / 'pascal3d+_occ')
    flip = dict(type='RandomFlip', prob=1.0)
    data = OccludedVehicles(
        package, categories=['bus'], with_masks=True,
        pipeline=[LOAD, flip, MASKS],
    )  # fmt: skip
    with pytest.raises(ValueError, match='before RandomFlip'):
        data[0]


def test_missing_lists_may_be_allowed_and_are_counted(tmp_path, logged):
    with pytest.raises(
        FileNotFoundError, match=r'none of the lists.*data_root'
    ):
        OccludedVehicles(tmp_path, allow_missing=True)
    write_coco(tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r'boat_ZERO_train\.txt.*allow_missing=True'
    ):
        OccludedVehicles(tmp_path, 'coco', 'train')
    data = OccludedVehicles(tmp_path, 'coco', 'train', allow_missing=True)
    assert {d['category'] for d in data} == set(VEHICLES)
    assert (
        'categories without a list: 6 (boat, bottle, chair, diningtable, '
        'sofa, tvmonitor)' in logged[0]
    )


def test_a_missing_image_or_level_is_named(package):
    root = package / 'pascal3d+_occ'
    (root / f'busLEVELONE/{NAMES[1]}.JPEG').unlink()
    with pytest.raises(
        FileNotFoundError,
        match=rf'{NAMES[1]}\.JPEG: no such file.*bus_imagenet_occ\.txt'
        r'.*1 of 2 are missing',
    ):
        OccludedVehicles(package, level='L1', kind='object')
    (root / 'aeroplaneLEVELNINE_white').rename(root / 'elsewhere')
    with pytest.raises(
        FileNotFoundError,
        match=r'LEVELNINE_white: no such folder.*similar.*aeroplaneLEVELNINE_',
    ):
        OccludedVehicles(package, level='L3', kind='white')


@pytest.mark.parametrize(
    ('lines', 'message'),
    [([], '.*empty'), (['_0'], ": the line '_0' is too short")],
)
def test_a_list_without_names_is_named(package, lines, message):
    write(package / 'pascal3d+_occ/car_imagenet_occ.txt', lines)
    with pytest.raises(ValueError, match=rf'car_imagenet_occ\.txt{message}'):
        OccludedVehicles(package, categories=['car'])


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(source='imagenet'), "unknown source 'imagenet'"),
        (dict(split='val'), "unknown split 'val'"),
        (dict(level='L4'), "unknown level 'L4'"),
        (dict(level='L1'), "unknown kind None; choose from 'white'"),
        (dict(level='L1', kind='glass'), "unknown kind 'glass'"),
        (dict(kind='white'), "kind='white'.*pascal3d\\+ at L0"),
        (dict(source='coco', level='L1', kind='object'), 'give kind=None'),
        (dict(split='train', level='L1', kind='white'), 'clean'),
        (dict(split='train', with_masks=True), 'no masks for pascal3d'),
        (dict(source='coco', with_masks=True), 'no masks for coco, test'),
        (dict(categories=['cow']), 'without a label: cow'),
        (dict(categories=[]), 'some of the classes'),
        (dict(classes=['boat']), 'some of the classes'),
    ],
)
def test_a_cell_that_does_not_exist_is_refused(package, wrong, message):
    with pytest.raises(ValueError, match=message):
        OccludedVehicles(package, **wrong)


def test_the_base_config_builds_and_yields_packed_samples(tmp_path):
    cfg = Config.fromfile(
        ROOT / 'configs/_base_/datasets/occluded_vehicles.py'
    )
    write_pascal(tmp_path, ALL)
    init_default_scope('mmpretrain')
    paths = []
    for loader, size in (('train', 12), ('val', 12), ('test', 12)):
        settings = cfg[f'{loader}_dataloader'].dataset
        data = DATASETS.build(dict(settings, data_root=str(tmp_path)))
        assert len(data) == size
        packed = data[1]
        assert packed['inputs'].shape == (3, 224, 224)
        label = packed['data_samples'].gt_label.item()
        assert label == data.get_data_info(1)['gt_label']
        assert 'OccludedVehicles' in repr(data)
        paths += [sample['img_path'] for sample in data.load_data_list()]
    assert len(set(paths)) == 36  # no image chooses, and trains or tests


def test_a_tenth_of_each_training_list_is_kept_to_choose_with(tmp_path):
    root = tmp_path / 'pascal3d+_occ'
    names = [f't{index}' for index in range(30)]
    for category in ('bus', 'car'):
        write(root / f'{category}_imagenet_train.txt', names)
        for name in names:
            save(root / f'TRAINING_DATA/{category}_imagenet/{name}.JPEG')

    def ids(part):
        data = OccludedVehicles(
            tmp_path, split='train', categories=['bus', 'car'], part=part
        )
        return [(s['category'], s['img_id']) for s in data]

    parts = {part: ids(part) for part in ('all', 'fit', 'select')}
    assert [len(parts[p]) for p in parts] == [60, 54, 6]
    assert set(parts['fit']) | set(parts['select']) == set(parts['all'])
    chosen = [name for category, name in parts['select'] if category == 'bus']
    write(root / 'bus_imagenet_train.txt', sorted(names, reverse=True))
    again = [name for category, name in ids('select') if category == 'bus']
    assert set(again) == set(chosen)  # whatever the order of the list
    write(root / 'bus_imagenet_train.txt', names[:1])
    with pytest.raises(ValueError, match=r'bus_imagenet_train.*1 images cann'):
        ids('fit')
    with pytest.raises(ValueError, match="part='fit' is of the training"):
        OccludedVehicles(tmp_path, part='fit')
    with pytest.raises(ValueError, match="unknown part 'half'"):
        ids('half')
