"""Annotations and masks in XML, JSON, NumPy's formats and pictures."""

import io
import json
import math
import pickle

import cv2
import numpy as np
import pytest
from fuzzing import attempt, damaged, flipped, proper
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from mmocc.datasets import occlusion_masks, pascal3d_boxes
from mmocc.datasets.anomaly.boxes import read_detections
from mmocc.datasets.voc_layout import parse_voc_xml
from mmocc.occluded_sets.sources import read_photo
from mmocc.occlusion import banks
from mmocc.report.occluded_coco import read_subset
from mmocc.utils.npz_reader import parse_npy, read_npz

affectnet = pytest.importorskip(
    'mmocc.datasets.affectnet', exc_type=ImportError
)
coco = pytest.importorskip('mmocc.occluded_sets.coco')
voc_objects = pytest.importorskip(
    'mmocc.datasets.voc_objects', exc_type=ImportError
)

XML = """<?xml version="1.0" encoding="utf-8"?>
<annotation><filename>a.jpg</filename>
<size><width>60</width><height>40</height><depth>3</depth></size>
<object><name>cat</name><difficult>0</difficult><truncated>1</truncated>
<bndbox><xmin>3</xmin><ymin>5</ymin><xmax>22</xmax><ymax>30</ymax></bndbox>
</object><object><name>dog</name><bndbox><xmin>1</xmin><ymin>1</ymin>
<xmax>60</xmax><ymax>40</ymax></bndbox></object></annotation>
"""
SIZE = (8, 6)
JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-9, 9),
        st.sampled_from([1e300, math.inf, math.nan, 10**30, 'x', '', '../x']),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=6),
        st.dictionaries(
            st.sampled_from(['id', 'counts', 'size', 'bbox']), inner
        ),
    ),
    max_leaves=8,
)


def document():
    """Return a small COCO document with all that we read."""
    polygon = [[0, 0, 5, 0, 5, 5]]
    note = dict(image_id=1, category_id=1, iscrowd=0)
    return dict(
        images=[dict(id=1, file_name='a/b.jpg', height=8, width=6)],
        categories=[dict(id=1, name='cat')],
        annotations=[
            dict(note, id=1, bbox=[1, 2, 3, 4], segmentation=polygon),
            dict(note, id=2, segmentation=dict(size=SIZE, counts=[40, 8])),
            dict(note, id=3, bbox=[0, 0, 6, 8]),
        ],
    )


def saved(array, **more):
    """Return the bytes of an array's file; of an archive if there is more."""
    file = io.BytesIO()
    if more:
        np.savez_compressed(file, **more)
    else:
        np.save(file, array)
    return file.getvalue()


def picture(mode, suffix, size=(6, 8)):
    """Return the bytes of a picture."""
    file = io.BytesIO()
    Image.new(mode, size).save(file, suffix)
    return file.getvalue()


LABEL = saved(np.array('3'))
OBJECTS = np.array([np.arange(6), None], object)
NPZ = saved(
    None,
    mask=np.ones(SIZE, np.uint8),
    box=np.array([1, 7, 0, 5, 8, 6]),
    names=OBJECTS,
)
PICTURES = [
    picture('L', 'png'),
    picture('P', 'png'),
    picture('RGB', 'jpeg'),
    picture('RGBA', 'png'),
    picture('RGB', 'bmp'),
]


@given(damaged(XML))
def test_voc_xml(folder, content):
    path = folder / 'a.xml'
    path.write_bytes(content)
    found = attempt(lambda: parse_voc_xml(path), path)
    for item in found.objects if found else ():
        x1, y1, x2, y2 = item.box
        assert x1 < x2
        assert y1 < y2
        made = attempt(
            lambda x=item: voc_objects.crop_window(x.box, (60, 40), 0.1), 'box'
        )
        if made:
            left, top, right, bottom = made[0]
            assert 0 <= left < right <= 60
            assert 0 <= top < bottom <= 40
            assert np.isfinite(made[1]).all()


@given(st.sampled_from([b'\xff\xfe', b'', b'<a' * 9]), st.binary(max_size=99))
def test_bytes_are_no_annotation(folder, start, rest):
    path = folder / 'b.xml'
    path.write_bytes(start + rest)
    attempt(lambda: parse_voc_xml(path), path)


@st.composite
def documents(draw):
    """Draw a COCO document, some values of it replaced."""
    made = document()
    for _ in range(draw(st.integers(1, 3))):
        place = made
        while isinstance(place, dict | list) and place:
            keys = (
                list(place) if isinstance(place, dict) else range(len(place))
            )
            key = draw(st.sampled_from(keys))
            if not isinstance(place[key], dict | list) or draw(st.booleans()):
                place[key] = draw(JSON)
                break
            place = place[key]
    return made


@given(documents())
def test_coco(folder, made):
    path = folder / 'coco.json'
    path.write_text(json.dumps(made))
    source = coco.COCOSource(path, folder)
    for item in attempt(source.items, path) or ():
        found = attempt(lambda x=item: source.objects(x, SIZE), path)
        for known in found or ():
            assert np.isfinite(known.box).all()
            if known.mask is not None:
                assert known.mask.shape == SIZE
                assert known.mask.max() == 1


@given(st.one_of(st.text(max_size=12), st.binary(max_size=12)))
def test_compressed_run_lengths(counts):
    runs = dict(size=list(SIZE), counts=counts)
    mask = attempt(lambda: coco.decode_segmentation(runs, SIZE, 'here'))
    assert mask is None or (mask.shape == SIZE and mask.max() <= 1)


@given(
    st.one_of(
        JSON, st.dictionaries(st.text(max_size=2), st.lists(JSON, max_size=5))
    )
)
def test_detections(folder, found):
    path = folder / 'found.json'
    path.write_text(json.dumps(found))
    boxes = attempt(lambda: read_detections(path, 0.5), path) or {}
    assert all(np.isfinite(part).all() for part in boxes.values())
    assert all((proper(part) == part).all() for part in boxes.values())


@given(st.one_of(flipped(LABEL), st.binary(max_size=9)))
def test_labels_of_affectnet(folder, content):
    for name in ('images', 'annotations'):
        (folder / f'val_set/{name}').mkdir(parents=True, exist_ok=True)
    (folder / 'val_set/images/7.jpg').touch()
    path = folder / 'val_set/annotations/7_exp.npy'
    path.write_bytes(content)
    read = affectnet.read_affectnet
    faces = attempt(lambda: read(folder, 'val', 'new', True), path)
    assert faces is None or len(faces) == 1


@given(flipped(NPZ))
def test_archives(folder, content):
    path = folder / 'a.npz'
    path.write_bytes(content)
    attempt(lambda: read_npz(path, ['mask', 'box', 'names']), path)
    mask = attempt(lambda: occlusion_masks.read_object_mask(path, SIZE), path)
    assert mask is None or set(mask.ravel()) <= {0, 1}


@given(st.one_of(flipped(saved(OBJECTS)), flipped(saved(np.ones(3)))))
def test_arrays(content):
    try:
        assert isinstance(parse_npy(content), np.ndarray)
    except Exception as error:  # its callers name the file
        assert not isinstance(error, MemoryError)


@given(
    st.lists(
        st.floats(allow_nan=True, width=32) | st.integers(-3, 9).map(float),
        min_size=5,
        max_size=7,
    )
)
def test_boxes_of_pascal3d(values):
    stored = attempt(lambda: pascal3d_boxes.read_stored_box(values), 'box')
    if stored is None:
        return
    around = (0.0, 0.0, 5.0, 7.0)
    turned = attempt(
        lambda: pascal3d_boxes.is_swapped(stored, True, lambda: around), 'box'
    )
    assert turned in (None, True, False)
    share = pascal3d_boxes.box_iou(stored.direct, around)
    assert 0 <= share <= 1


@given(st.sampled_from(PICTURES).flatmap(flipped))
def test_pictures(folder, content):
    path = folder / 'a.png'
    path.write_bytes(content)
    attempt(lambda: occlusion_masks.read_white(str(path)), path)
    attempt(lambda: banks.read_image(path, cv2.IMREAD_UNCHANGED), path)
    image = attempt(lambda: read_photo(str(path)), path)
    assert image is None or image.shape[2] == 3


HARD = [
    ['a.jpg', 'cat', 7, [1.0, 2.0, 30.0, 40.0], None, 0.3],
    ['b.jpg', 'dog', 8, [5, 6, 7, 8], dict(size=[9, 9], counts='0'), 0.5],
]
HARD_PICKLES = [pickle.dumps(HARD, protocol) for protocol in (0, 2, 4, 5)]


@given(
    st.one_of(JSON, st.lists(JSON, min_size=5, max_size=6).map(lambda x: [x]))
)
def test_lists_of_hard_objects(folder, content):
    path = folder / 'hard.json'
    path.write_text(json.dumps(content))
    found = attempt(lambda: read_subset(path, 'xyxy'), path)
    for item in found or ():
        assert np.isfinite(item.box).all()


@given(st.sampled_from(HARD_PICKLES).flatmap(flipped))
def test_pickled_lists_of_hard_objects(folder, content):
    path = folder / 'hard.pkl'
    path.write_bytes(content)
    found = attempt(lambda: read_subset(path, 'xywh'), path)
    assert found is None or 1 <= len(found) <= 2
