"""Anomaly data: the published layouts, and a box for each object."""

import json
import pickle

import numpy as np
import pytest
import torch
from conftest import ROOT

pytest.importorskip('mmdet', reason='the data set builds on mmdet')

from anomaly_layouts import (
    DEFECT,
    SIZE,
    THINGS,
    draw,
    save,
    write_detections,
    write_mvtec,
    write_tiles,
    write_visa,
)

from mmocc.datasets.anomaly.boxes import (
    find_defects,
    foreground,
    part_boxes,
    read_detections,
)
from mmocc.datasets.anomaly.layouts import LAYOUTS
from mmocc.datasets.anomaly_images import AnomalyImages

TILES = ROOT.parent / 'shared' / 'data' / 'magnetic_tile'
KINDS = ('Blowhole', 'Break', 'Fray', 'Uneven')


def instances(dataset):
    """Return boxes, labels, ignore flags and anomaly, image by image."""
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    keys = ('bbox', 'bbox_label', 'ignore_flag', 'anomaly')
    return [[[i[k] for k in keys] for i in o['instances']] for o in infos]


def make(root, layout='mvtec', split='test', **kwargs):
    return AnomalyImages(str(root), layout, split, **kwargs)


def summary(images, root):
    def short(path):
        return path and path.relative_to(root).as_posix()

    return [
        (short(i.path), i.category, i.kind, *(map(short, i.masks or [None])))
        for i in images
    ]


def test_mvtec_images_are_objects_or_refused(tmp_path):
    write_mvtec(tmp_path)
    read = LAYOUTS['mvtec']
    train = read(tmp_path, 'train')
    assert [i.category for i in train] == ['bottle'] * 2 + ['cable'] * 2
    assert {i.kind for i in train} == {'good'}
    cables = summary(read(tmp_path, 'test', ['cable']), tmp_path)
    masks = [f'cable/ground_truth/{k}/000_mask.png' for k in ('cut', 'hole')]
    assert cables == [
        ('cable/test/cut/000.png', 'cable', 'cut', masks[0]),
        ('cable/test/good/000.png', 'cable', 'good', None),
        ('cable/test/hole/000.png', 'cable', 'hole', masks[1]),
    ]
    dataset = make(tmp_path)
    assert dataset.metainfo['classes'] == ('bottle', 'cable')
    box = [0.0, 0.0, *map(float, SIZE[::-1])]
    cut, good, hole = instances(dataset)[:3]
    assert cut == hole == [[box, 0, 0, 1]]
    assert good == [[box, 0, 0, 0]]
    masks = [dataset.get_data_info(i)['seg_map_path'] for i in range(3)]
    assert masks[1] is None
    assert masks[2].endswith('bottle/ground_truth/hole/000_mask.png')
    cables = dict(metainfo=dict(classes=('cable',)))
    single = make(tmp_path, **cables)
    assert (len(single), single.metainfo['classes']) == (3, ('cable',))
    assert instances(single)[0] == [[box, 0, 0, 1]]
    with pytest.raises(FileNotFoundError, match=r'pen.*are bottle, cable'):
        make(tmp_path, metainfo=dict(classes=('pen',)))
    mask = tmp_path / 'cable/ground_truth/hole/000_mask.png'
    mask.write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'000_mask\.png: unreadable mask'):
        make(tmp_path, **cables)
    (tmp_path / 'cable/test/good/000.png').write_bytes(b'nothing')
    with pytest.raises(ValueError, match=r'good/000\.png: unreadable image'):
        make(tmp_path, **cables)
    mask.unlink()
    with pytest.raises(FileNotFoundError, match=r'000_mask\.png.*no such'):
        make(tmp_path, **cables)


def test_visa_layout_and_what_does_not_fit(tmp_path):
    path = write_visa(tmp_path)
    read, data = LAYOUTS['visa'], 'capsules/Data'
    assert len(read(tmp_path, 'train')) == 4
    kinds = ('good', None), ('anomaly', f'{data}/Masks/Anomaly/000.png')
    images = f'{data}/Images/Normal/0002.JPG', f'{data}/Images/Anomaly/000.JPG'
    rows = zip(images, kinds, strict=True)
    assert summary(read(tmp_path, 'test', ['capsules']), tmp_path) == [
        (image, 'capsules', *kind) for image, kind in rows
    ]
    with pytest.raises(ValueError, match=r"'pen'; it lists candle, capsules"):
        make(tmp_path, 'visa', metainfo=dict(classes=('pen',)))
    with pytest.raises(FileNotFoundError, match=r'2cls\.csv: no such list'):
        make(tmp_path, 'visa', layout_args=dict(split_file='2cls.csv'))
    lines = path.read_text()
    path.write_text(lines.replace('Masks/Anomaly/000.png', ''))
    with pytest.raises(FileNotFoundError, match=r'line 5 names it'):
        make(tmp_path, 'visa')
    path.write_text(lines.replace('capsules/Data/Masks/Anomaly/000.png', ''))
    with pytest.raises(ValueError, match=r'line 9: no mask'):
        make(tmp_path, 'visa')


def test_tiles_are_split_by_kind(tmp_path):
    write_tiles(tmp_path)
    read = LAYOUTS['magnetic_tile']
    train, test = (read(tmp_path, split) for split in ('train', 'test'))
    stems = [(i.kind, i.path.stem) for i in train]
    assert stems == [('good', '1'), ('good', '3')]
    assert len(test) == 10
    assert not {i.path for i in train} & {i.path for i in test}
    share = dict(train_share=0.75, train_kinds=('good', 'Fray'))
    kinds = [i.kind for i in read(tmp_path, 'train', **share)]
    assert (kinds.count('good'), kinds.count('Fray')) == (3, 3)
    with pytest.raises(FileNotFoundError, match=r"'Dent'; there are Crack"):
        read(tmp_path, 'test', train_kinds=('Dent',))


def test_only_the_defective_object_of_several_is_anomalous(tmp_path):
    write_visa(tmp_path / 'visa')
    dataset = make(tmp_path / 'visa', 'visa', boxes='foreground')
    good, bad = instances(dataset)[:2]
    # JPEG and the smoothing shift borders by a pixel or so.
    for items in good, bad:
        boxes = sorted(item[0] for item in items)
        np.testing.assert_allclose(boxes, THINGS, atol=2)
    assert [item[1:] for item in good] == [[0, 0, 0]] * 2
    assert sorted((i[0][0] > 30, i[3]) for i in bad) == [(False, 0), (True, 1)]


def test_boxes_from_masks(tmp_path):
    write_visa(tmp_path / 'visa')
    names = ['Normal/0002', 'Anomaly/000']
    for category in ('candle', 'capsules'):
        for name in names:
            file = tmp_path / f'masks/{category}/Data/Images/{name}.png'
            save(file, draw([*THINGS, (0, 0, 1, 1)], 1, 0))
    kwargs = dict(boxes='masks', boxes_from=str(tmp_path / 'masks'))
    dataset = make(tmp_path / 'visa', 'visa', min_area=0.01, **kwargs)
    for good, bad in zip(*[iter(instances(dataset))] * 2, strict=True):
        assert [item[0] for item in good] == THINGS.tolist()
        assert [item[3] for item in bad] == [0, 1]
    save(file, draw([], size=(9, 9)))
    with pytest.raises(ValueError, match=r'000\.png: the mask is 9x9'):
        make(tmp_path / 'visa', 'visa', **kwargs)
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r'000\.png: no such mask'):
        make(tmp_path / 'visa', 'visa', **kwargs)


@pytest.mark.parametrize('kind', ['json', 'pkl'])
def test_boxes_from_a_detector(tmp_path, kind):
    write_visa(tmp_path / 'visa')
    names = ('Normal/0002', 'Anomaly/000')
    images = [f'candle/Data/Images/{name}.JPG' for name in names]
    path = tmp_path / f'found.{kind}'
    if kind == 'json':
        write_detections(path, images)
    else:  # as mmdet's test writes them
        boxes = torch.tensor([*THINGS.tolist(), [0, 0, 9, 9]]).float()
        pred = dict(bboxes=boxes, scores=torch.tensor([0.9, 0.9, 0.1]))
        paths = [dict(img_path=f'elsewhere/{name}') for name in images]
        samples = [dict(path, pred_instances=pred) for path in paths]
        path.write_bytes(pickle.dumps(samples))
    kwargs = dict(boxes='detections', boxes_from=str(path))
    candles = dict(metainfo=dict(classes=('candle',)))
    data = make(tmp_path / 'visa', 'visa', **candles, **kwargs)
    good, bad = instances(data)
    assert [item[0] for item in good] == THINGS.tolist()
    assert [item[1:] for item in bad] == [[0, 0, 0], [0, 0, 1]]
    with pytest.raises(ValueError, match=r'no result for capsules/Data'):
        make(tmp_path / 'visa', 'visa', **kwargs)


@pytest.mark.parametrize(
    'content, message',
    [
        ({'a.png': [[0, 0, 5]]}, r'a\.png: its boxes are no rows of five'),
        ({'a.png': [[0, 0, float('nan'), 5, 1]]}, r'a\.png: its boxes are no'),
        ({'a.png': [[9, 0, 5, 5, 1]]}, r'a\.png: inverted or empty box'),
        ({'a.png': [[5, 0, 5, 5, 1]]}, r'a\.png: inverted or empty box'),
        ([{'image_id': 3}], r'neither the result file of an mmdet test'),
    ],
)
def test_bad_detections_are_refused(tmp_path, content, message):
    path = tmp_path / 'found.json'
    path.write_text(json.dumps(content))
    with pytest.raises(ValueError, match=message):
        read_detections(path, 0.3)


class RunsOnLoading:
    """A pickle of it makes a file when it is loaded."""

    def __reduce__(self):
        return open, (str(self.path), 'w')


def test_detections_that_would_run_code_are_refused(tmp_path):
    path, trace = tmp_path / 'found.pkl', tmp_path / 'trace'
    fault = RunsOnLoading()
    fault.path = trace
    pred = dict(bboxes=torch.zeros(0, 4), scores=fault)
    sample = dict(img_path='a.png', pred_instances=pred)
    path.write_bytes(pickle.dumps([sample]))
    with pytest.raises(ValueError, match=r'found\.pkl.*asks for _?io\.open'):
        read_detections(path, 0.3)
    path = tmp_path / 'found.yaml'
    path.write_text(f'!!python/object/apply:pathlib.Path.touch [{trace}]')
    with pytest.raises(ValueError, match=r'found\.yaml.*\.json or a \.pkl'):
        read_detections(path, 0.3)
    assert not trace.exists()
    with pytest.raises(FileNotFoundError, match=r'tools/test\.py'):
        read_detections(tmp_path / 'missing.pkl', 0.3)


def test_an_image_without_detections_is_kept(tmp_path):
    write_tiles(tmp_path / 'tiles')
    images = (tmp_path / 'tiles').rglob('*.jpg')
    path = tmp_path / 'none.json'
    path.write_text(json.dumps({str(image): [] for image in images}))
    kwargs = dict(boxes='detections', boxes_from=str(path))
    dataset = make(tmp_path / 'tiles', 'magnetic_tile', **kwargs)
    items = instances(dataset)
    assert len(items) == 10
    # Defects on no object are objects outside the classes.
    assert items[:4] == [[[list(map(float, DEFECT)), -1, 1, 1]]] * 4
    assert sum(not item for item in items) == 2


def test_defects_as_objects(tmp_path):
    write_tiles(tmp_path)
    kinds = dict(layout_args=dict(train_kinds=('good', 'Fray')))
    kinds |= dict(boxes='defects', metainfo=dict(classes=('Fray',)))
    dataset = make(tmp_path, 'magnetic_tile', **kinds)
    items = instances(dataset)
    fray = [[list(map(float, THINGS[0])), 0, 0, 0]]
    crack = [[list(map(float, DEFECT)), -1, 1, 1]]
    assert items == [crack] * 4 + [fray] * 2 + [[]] * 2  # by folder
    masks = [dataset.get_data_info(i)['seg_map_path'] for i in range(8)]
    assert sum(path is not None for path in masks) == 4  # known: no anomaly
    with pytest.raises(ValueError, match=r'name the known kinds'):
        make(tmp_path, 'magnetic_tile', boxes='defects')
    # An empty mask marks the whole image.
    path = save(tmp_path / 'MT_Crack/Imgs/2.png', draw([], ground=0))
    dataset = make(tmp_path, 'magnetic_tile', boxes='foreground')
    infos = {i['img_path']: i for i in map(dataset.get_data_info, range(10))}
    info = infos[str(path.with_suffix('.jpg'))]
    assert any(item['anomaly'] for item in info['instances'])
    assert info['seg_map_path'] is None


@pytest.mark.parametrize(
    'kwargs, message',
    [
        (dict(layout='mvtek'), r"layout is 'mvtek'"),
        (dict(split='val'), r"split is 'val'"),
        (dict(boxes='all'), r"boxes is 'all'"),
        (dict(boxes='masks'), r'need boxes_from'),
        (dict(boxes_from='x'), r'nothing else does'),
    ],
)
def test_wrong_arguments_are_named(tmp_path, kwargs, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path, **kwargs)


def test_part_boxes_join_diagonal_neighbours_and_hold_defects():
    mask = np.zeros((9, 9), np.uint8)
    mask[1, 1] = mask[2, 2] = mask[7, 5:8] = 255
    assert part_boxes(mask).tolist() == [[1, 1, 3, 3], [5, 7, 8, 8]]
    assert part_boxes(mask, 3).tolist() == [[5, 7, 8, 8]]
    assert part_boxes(mask * 0).shape == (0, 4)
    boxes = np.array([[0, 0, 10, 10], [10, 0, 20, 10], [30, 0, 40, 10]], float)
    defects = draw([(7, 2, 12, 8), (50, 20, 56, 26)], 255, 0)
    defective, alone = find_defects(boxes, defects)
    assert defective.tolist() == [1, 0, 0]  # three fifths of it
    assert alone.tolist() == [[50, 20, 56, 26]]
    defects = draw([(8, 2, 12, 8), (60, 40, 61, 41)], 255, 0)
    defective, alone = find_defects(boxes, defects)
    assert defective.tolist() == [1, 1, 0]  # half of it each
    assert not len(alone)  # a speck
    assert len(find_defects(boxes[:0], defects)[1]) == 1
    assert find_defects(boxes, draw([(60, 40, 61, 41)], 9, 0))[1].size == 4


@pytest.mark.parametrize('values', [(200, 20), (20, 200)])
def test_foreground_is_not_the_border_and_has_no_holes(values):
    thing, ground = values
    picture = draw([THINGS[1], (44, 20, 50, 30)], [thing, ground], ground)
    mask = foreground(np.dstack([picture] * 3))
    np.testing.assert_allclose(part_boxes(mask), THINGS[1:], atol=1)
    assert mask[25, 47] == 1 and mask[0, 0] == 0


@pytest.mark.skipif(not TILES.is_dir(), reason='no magnetic tiles here')
def test_real_tiles():
    train = make(TILES, 'magnetic_tile', 'train')
    test = make(TILES, 'magnetic_tile', 'test')
    assert (len(train), len(test)) == (30, 222)
    flags = [item[0][3] for item in instances(test)]
    assert (sum(flags), len(flags)) == (192, 222)
    kinds = dict(layout_args=dict(train_kinds=('good', *KINDS)))
    kinds |= dict(boxes='defects', metainfo=dict(classes=KINDS))
    defects = make(TILES, 'magnetic_tile', **kinds)
    items = [item for image in instances(defects) for item in image]
    assert all(item[3] == (item[1] < 0) for item in items)
    assert 40 <= sum(item[3] for item in items) <= 60  # cracks, of 40 images
