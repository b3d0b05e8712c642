"""OccludedPASCAL3D on small copies of the set's own layout."""

import os

import numpy as np
import pytest
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope
from PIL import Image
from test_datasets.test_pascal3d_boxes import stored_box

from mmocc.registry import DATASETS

occluded_pascal3d = pytest.importorskip(
    'mmocc.datasets.occluded_pascal3d',
    reason='OccludedPASCAL3D needs mmpretrain',
    exc_type=ImportError,
)
OccludedPASCAL3D = occluded_pascal3d.OccludedPASCAL3D

ALL = (
    'aeroplane', 'bicycle', 'boat', 'bottle', 'bus', 'car', 'chair',
    'diningtable', 'motorbike', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
SIZE = (60, 80)  # (h, w) of the photos
BOX = (10, 5, 50, 35)  # xyxy; swapped, it fits the photo as well
FAR = (30, 5, 75, 35)  # its right edge is beyond the height: clipped
LOAD = dict(type='LoadImageFromFile')
CROP = dict(type='mmocc.CropObject')
MASKS = dict(type='mmocc.LoadOcclusionMasks')
DIAGONAL = ('FGL1_BGL1', 'FGL2_BGL2', 'FGL3_BGL3')


class Evil:
    """Unpickled, it makes a folder."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return os.mkdir, (self.path,)


def object_mask(box, size):
    """Return a mask as from a JPEG: low values are not the object."""
    mask = np.full(size, 4, np.uint8)
    x1, y1, x2, y2 = box
    mask[y1:y2, x1:x2] = 240
    return mask


def write_image(root, folder, stem, size=SIZE):
    path = root / 'images' / folder / f'{stem}.JPEG'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((*size, 3), 70, np.uint8)).save(path)


def write_one(
    root, folder, category, stem, box=BOX, size=SIZE, swap=False, replace=(),
    **members,
):  # fmt: skip
    """Write one image with its annotation, and its line of the list."""
    write_image(root, folder, stem, size)
    hidden = np.zeros(size, bool)
    hidden[:, box[0] : (box[0] + box[2]) // 2] = True  # the left half
    members = {
        'source': np.str_(f'../Images/{category}_imagenet/{stem}.JPEG'),
        'mask': object_mask(box, size),
        'box': stored_box(box, size, swap),
        'occluder_mask': hidden,
        'occluder_box': np.array(
            [[0, 60, 2, 30, *size], [-1] * 6], np.float32
        ),
        'category': category,
        'occluder_level': 'G',  # whatever the level
        **members,
        **dict(replace),
    }
    path = root / 'annotations' / folder / f'{stem}.npz'
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **members)
    listed = root / 'lists' / f'{folder}.txt'
    listed.parent.mkdir(exist_ok=True)
    with listed.open('a') as file:
        file.write(f'{stem}.JPEG\n')
    return path


def write_clean(root, category, stem, box=BOX, **members):
    """Write as CreateL0.py does: swapped box, occluder mask of 3 channels."""
    size = members.setdefault('size', SIZE)
    members = {
        'swap': True,
        'occluder_mask': np.zeros((*size, 3), bool),
        'occluder_box': np.zeros((0, 6), np.float32),
        **members,
    }
    return write_one(
        root, f'{category}FGL0_BGL0', category, stem, box, **members
    )


def record_log(monkeypatch, module):
    lines = []
    monkeypatch.setattr(
        module, 'print_log', lambda text, **_: lines.append(text)
    )
    return lines


@pytest.fixture
def logged(monkeypatch):
    return record_log(monkeypatch, occluded_pascal3d)


def load(root, level='L1', **kwargs):
    kwargs.setdefault('categories', ['bus'])
    return OccludedPASCAL3D(root, level, **kwargs)


def boxes_in_photo(data):
    """Return the objects' boxes, moved from their crops to the photos."""
    return [
        tuple(d['gt_bboxes'][0] + np.tile(d['crop_box'][:2], 2)) for d in data
    ]


def test_a_sample_has_every_field(tmp_path):
    path = write_one(tmp_path, 'busFGL2_BGL3', 'bus', 'n02924116_1')
    info = load(tmp_path, 'FGL2_BGL3')[0]
    boxes = info.pop('gt_bboxes'), info.pop('occluder_boxes')
    assert boxes[0].tolist() == [[4, 3, 44, 33]]
    assert boxes[0].dtype == np.float32
    assert boxes[1].tolist() == [[2, 0, 30, 60]]  # without -1
    image = tmp_path / 'images/busFGL2_BGL3/n02924116_1.JPEG'
    assert info.items() >= dict(
        img_path=str(image), annotation_path=str(path), category='bus',
        img_id='n02924116_1', gt_label=ALL.index('bus'), photo_shape=SIZE,
        crop_box=[6, 2, 54, 38],  # a tenth of 40 x 30 around
    ).items()  # fmt: skip


@pytest.mark.parametrize(
    ('level', 'folder', 'expected'),
    [
        ('L0', 'FGL0_BGL0', ('L0', (0, 0), (0, 0))),
        ('L1', 'FGL1_BGL1', ('L1', (0.2, 0.4), (0, 0.2))),
        ('FGL1_BGL3', 'FGL1_BGL3', ('L1', (0.2, 0.4), (0.4, 0.6))),
        ('L3', 'FGL3_BGL3', ('L3', (0.6, 0.8), (0.4, 0.6))),
        ('raw', '_raw', ('L0', (0, 0), (0, 0))),
        ('occluded', '_occluded', (None, None, None)),
    ],
)
def test_the_level_is_the_folder_s_not_the_annotation_s(
    tmp_path, level, folder, expected
):
    write_one(tmp_path, f'bus{folder}', 'bus', 'a_1')
    info = load(tmp_path, level)[0]
    fields = 'occlusion_level', 'occlusion_range', 'background_range'
    assert tuple(info[field] for field in fields) == expected


def test_samples_go_through_crop_object_and_masks(tmp_path):
    write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'a_1')
    resize = dict(type='Resize', scale=(96, 72))
    sample = load(tmp_path, pipeline=[LOAD, CROP, resize, MASKS])[0]
    assert sample['img'].shape == (72, 96, 3)
    expected = np.zeros((72, 96), np.uint8)
    expected[6:66, 8:88] = 1  # gt_bboxes, twice as large
    np.testing.assert_array_equal(sample['gt_seg_map'], expected)
    hidden = sample['occlusion_mask']
    assert hidden.dtype == np.uint8 and hidden[:, 8:48].all()
    assert not hidden[:, 48:].any()
    assert sample['occlusion_share'] == 0.5


def test_clean_masks_of_three_channels_or_another_size_are_read(tmp_path):
    small = object_mask((5, 3, 25, 18), (30, 40))  # BOX, half as large
    small[2, 5:25] = 240
    write_clean(tmp_path, 'bus', 'a_1', mask=small)
    data = load(tmp_path, 'L0', context=0, pipeline=[LOAD, CROP, MASKS])
    sample = data[0]
    assert sample['gt_seg_map'].shape == (30, 40)
    assert sample['gt_seg_map'].all()
    assert sample['occlusion_mask'].shape == sample['img'].shape[:2]
    assert sample['occlusion_share'] == 0
    assert sample['occluder_boxes'].shape == (0, 4)


def test_an_image_of_another_category_s_synset_is_dropped(tmp_path, logged):
    for stem in ('n02691156_1', 'n02834778_9345', 'n09999999_1'):
        write_one(tmp_path, 'aeroplaneFGL1_BGL1', 'aeroplane', stem)
    data = load(tmp_path, categories=['aeroplane'])
    stems = [d['img_id'] for d in data]
    assert stems == ['n02691156_1', 'n09999999_1']  # the last is not known
    assert '1 dropped: synset of another category' in logged[0]
    assert len(load(tmp_path, categories=['aeroplane'], synsets={})) == 3


def test_levels_can_be_cut_to_the_images_they_share(tmp_path, logged):
    for folder, stems in zip(DIAGONAL, ('abc', 'bcd', 'cb'), strict=True):
        for stem in stems:
            write_one(tmp_path, f'bus{folder}', 'bus', f'{stem}_1')
    for level in DIAGONAL:
        data = load(tmp_path, level, common_with=DIAGONAL)
        assert sorted(d['img_id'] for d in data) == ['b_1', 'c_1']
    assert '1 dropped: not in all levels' in logged[0]
    one = load(tmp_path, 'L1', common_with='L2')
    assert [d['img_id'] for d in one] == ['b_1', 'c_1']


@pytest.mark.parametrize('level', ['FGL0_BGL0', '_raw', '_occluded'])
@pytest.mark.parametrize('with_mask', [True, False])
def test_clean_and_training_boxes_are_swapped_back(
    tmp_path, level, with_mask, logged
):
    mask = {} if with_mask else {'mask': None}
    write_one(tmp_path, f'bus{level}', 'bus', 'a_1', swap=True, **mask)
    data = load(tmp_path, level.strip('_'))
    assert boxes_in_photo(data) == [BOX]
    assert '1 boxes swapped back' in logged[0]


def test_the_mask_overrules_the_folder(tmp_path, logged):
    write_clean(tmp_path, 'bus', 'right_1', swap=False)
    write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'wrong_1', swap=True)
    assert boxes_in_photo(load(tmp_path, 'L0')) == [BOX]
    assert boxes_in_photo(load(tmp_path, 'L1')) == [BOX]
    assert '1 boxes as stored' in logged[0]
    assert '1 boxes swapped back' in logged[1]


def test_a_clipped_box_comes_from_an_occluded_twin(tmp_path, logged):
    path = write_clean(tmp_path, 'bus', 'a_1', FAR)
    stored = np.load(path)['box']
    assert stored[1] == 60  # and not 75
    write_one(tmp_path, 'busFGL3_BGL2', 'bus', 'a_1', FAR)
    assert boxes_in_photo(load(tmp_path, 'L0')) == [FAR]
    assert '1 boxes from a twin' in logged[0]


@pytest.mark.parametrize('twin', [None, dict(swap=True), dict(size=(90, 80))])
def test_without_a_good_twin_the_mask_gives_the_clipped_edge(
    tmp_path, logged, twin
):
    write_clean(tmp_path, 'bus', 'a_1', FAR)
    if twin:
        write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'a_1', FAR, **twin)
    assert boxes_in_photo(load(tmp_path, 'L0')) == [FAR]
    assert '1 boxes edge from the mask' in logged[0]


def test_an_edge_that_nothing_tells_is_an_error_or_the_image_s_or_dropped(
    tmp_path, logged
):
    lost = dict(swap=True, mask=None)
    path = write_one(tmp_path, 'bus_raw', 'bus', 'a_1', FAR, **lost)
    write_one(tmp_path, 'bus_raw', 'bus', 'b_1', BOX, **lost)
    tall = dict(size=(80, 60), **lost)
    write_one(tmp_path, 'bus_raw', 'bus', 'c_1', (5, 30, 35, 75), **tall)
    with pytest.raises(ValueError, match=rf"{path}: .*lost; .*'drop'"):
        load(tmp_path, 'raw')
    data = load(tmp_path, 'raw', lost_edge='image')
    assert boxes_in_photo(data) == [(30, 5, 80, 35), BOX, (5, 30, 35, 80)]
    dropped = load(tmp_path, 'raw', lost_edge='drop')
    assert [d['img_id'] for d in dropped] == ['b_1']
    assert '2 boxes edge lost' in logged[1]


@pytest.mark.parametrize('member', ['category', 'box', 'occluder_box', 'mask'])
def test_code_in_an_annotation_is_not_executed(tmp_path, member):
    trace = tmp_path / 'executed'
    replace = {member: np.array(Evil(trace), object)}
    path = write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'a_1', replace=replace)
    with pytest.raises(
        ValueError, match=rf"{path}, member '{member}': refused, nothing"
    ):
        load(tmp_path, pipeline=[LOAD, CROP, MASKS])[0]
    assert not trace.exists()


def test_training_annotations_with_a_pickled_none_are_read(tmp_path):
    path = write_one(
        tmp_path, 'bus_occluded', 'bus', 'a_1', swap=True, mask=None
    )
    with pytest.raises(ValueError, match='allow_pickle'):
        np.load(path)['mask']
    sample = load(tmp_path, 'occluded', pipeline=[LOAD, CROP, MASKS])[0]
    assert sample['occlusion_mask'].any()
    assert not {'gt_seg_map', 'occlusion_share'} & set(sample)


@pytest.fixture
def bus(tmp_path):
    write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'a_1')
    write_one(tmp_path, 'busFGL1_BGL1', 'bus', 'b_1')
    return tmp_path


@pytest.mark.parametrize(
    ('gone', 'message'),
    [
        ('images/busFGL1_BGL1/b_1.JPEG', r'b_1\.JPEG: no such file.*1 of 2'),
        ('annotations/busFGL1_BGL1/b_1.npz', r'b_1\.npz: no such file'),
        # Only the authors' annotations_grouped are there.
        ('annotations', 'annotations/busFGL1_BGL1: no such folder.*Process'),
        ('lists', r'lists/busFGL1_BGL1\.txt.*CreateL0\.py'),
    ],
)
def test_a_missing_file_or_folder_is_named(bus, gone, message):
    (bus / gone).rename(bus / 'annotations_grouped')
    with pytest.raises(FileNotFoundError, match=message):
        load(bus)


def test_an_image_that_does_not_fit_or_is_unreadable_is_named(bus):
    write_image(bus, 'busFGL1_BGL1', 'b_1', size=(61, 80))
    with pytest.raises(ValueError, match=r'b_1\.npz: made for.*b_1\.JPEG'):
        load(bus)
    (bus / 'images/busFGL1_BGL1/b_1.JPEG').write_bytes(b'no image')
    with pytest.raises(ValueError, match=r'b_1\.JPEG: unreadable image'):
        load(bus)


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(category='car'), r"c_1\.npz: .*'car' in a folder"),
        (dict(box=(5, 5, 5, 9)), r'c_1\.npz: .*the box .* is empty'),
        (dict(occluder_mask=np.array('no')), r'c_1\.npz: a mask of type <U2'),
        (dict(mask=np.zeros(SIZE, 'u1')), r'c_1\.JPEG: its object mask'),
    ],
)
def test_a_wrong_annotation_is_named(bus, wrong, message):
    write_one(
        bus, 'busFGL1_BGL1', stem='c_1', **dict(dict(category='bus'), **wrong)
    )
    with pytest.raises(ValueError, match=message):
        load(bus, pipeline=[LOAD, CROP, MASKS])[2]


@pytest.mark.parametrize(
    ('wrong', 'message'),
    [
        (dict(level='L4'), "unknown level 'L4'"),
        (dict(level='FGL4_BGL1'), "unknown level 'FGL4_BGL1'"),
        (dict(common_with=['L7']), "unknown level 'L7'"),
        (dict(context=-1), 'context is -1'),
        (dict(lost_edge='guess'), "unknown lost_edge 'guess'"),
        (dict(categories=['cow']), 'without a label: cow'),
    ],
)
def test_a_wrong_argument_is_refused(bus, wrong, message):
    with pytest.raises(ValueError, match=message):
        load(bus, **wrong)


def test_the_base_config_builds_and_yields_packed_samples(tmp_path):
    cfg = Config.fromfile(
        ROOT / 'configs/_base_/datasets/occluded_pascal3d.py'
    )
    for category in ALL:
        lost = dict(swap=True, mask=None)
        for stem in ('a_1', 'c_1'):
            write_one(tmp_path, f'{category}_raw', category, stem, FAR, **lost)
        for folder in DIAGONAL:
            write_one(tmp_path, f'{category}{folder}', category, 'a_1')
        write_one(tmp_path, f'{category}FGL1_BGL1', category, 'b_1')
    init_default_scope('mmpretrain')
    paths = []
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        settings = dict(cfg[loader].dataset, data_root=str(tmp_path))
        data = DATASETS.build(settings)
        labels = [data.get_data_info(i)['gt_label'] for i in range(12)]
        assert labels == list(range(12))
        packed = data[7]
        assert packed['inputs'].shape == (3, 224, 224)
        assert packed['data_samples'].gt_label.item() == 7
        assert 'OccludedPASCAL3D' in repr(data)
        paths += [sample['img_path'] for sample in data.load_data_list()]
    assert len(set(paths)) == 36  # no image chooses, and trains or tests
    with pytest.raises(ValueError, match="part='fit' is of the training"):
        OccludedPASCAL3D(tmp_path, part='fit')
