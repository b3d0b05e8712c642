"""Lists and tables of labels, names and boxes, damaged at random."""

import math

import numpy as np
import pytest
from fuzzing import BYTES, attempt, damaged
from hypothesis import given
from hypothesis import strategies as st

from mmocc.datasets import lists
from mmocc.datasets.anomaly import layouts
from mmocc.datasets.voc_layout import read_split
from mmocc.datasets.wsol import cub, ilsvrc, metadata, tiny_imagenet
from mmocc.occlusion.cutouts import read_anchors
from mmocc.utils.expressions import EXPRESSIONS

affectnet, face_folder, kdef, rafdb = (
    pytest.importorskip(f'mmocc.datasets.{name}', exc_type=ImportError)
    for name in ('affectnet', 'face_folder', 'kdef', 'rafdb')
)

OLD = 'a/b.jpg,1,2,30,40,' + ';'.join(['5.5'] * 136) + ',3,-.5,.5\n'
LABELS = {str(k): name for k, name in enumerate(EXPRESSIONS)}
TABLE = 'path,expression,' + ','.join(face_folder.LANDMARKS) + '\n'
TABLE += 'a.png,3' + ',1.5' * 10 + '\nb.png,1' + ',2' * 10 + '\n'
ANCHORS = '[a]\n' + ''.join(f'mask_{k}: 1, 2.5\n' for k in 'abcdef')
BOX_CSV = (
    'split,path,wnid,x0_64,y0_64,x1_64,y1_64\nval,val/1.png,n1,1,2,30,40\n'
)


def cub_images(folder):
    (folder / 'images.txt').write_text('1 a/b.jpg\n')
    (folder / 'train_test_split.txt').write_text('1 0\n')
    return cub.CUBReader(folder, 'test').images()


def cub_boxes(folder):
    (folder / 'images.txt').write_text('1 a/b.jpg\n')
    return cub.CUBReader(folder, 'test').boxes()


def ilsvrc_boxes(folder):
    reader = ilsvrc.ILSVRCReader(folder, 'val', boxes='lines.txt')
    return [reader.labelled_by_boxes(), reader.boxes()]


def tiny(folder, **options):
    (folder / 'train/n1').mkdir(parents=True, exist_ok=True)
    reader = tiny_imagenet.TinyImageNetReader(folder, 'val', **options)
    return [reader.labelled_by_boxes(), reader.boxes()]


def old_affectnet(folder):
    return affectnet.read_affectnet(folder, 'val', 'old', True)


READERS = {  # file, what is in it, and what reads it
    'split': (
        'ImageSets/Main/test.txt',
        '000001\n000002\n',
        lambda folder: read_split(folder, 'test'),
    ),
    'names': (
        'names.txt',
        'n02_1_0\nn02_2_0\n',
        lambda folder: lists.read_names(folder / 'names.txt', ''),
    ),
    'image ids': ('image_ids.txt', 'a/b.jpg\n', metadata.read_image_ids),
    'class labels': (
        'class_labels.txt',
        'a/b.jpg,0\nc.jpg,1\n',
        metadata.read_class_labels,
    ),
    'image sizes': (
        'image_sizes.txt',
        'a/b.jpg,500,375\n',
        metadata.read_image_sizes,
    ),
    'boxes': (
        'localization.txt',
        'a/b.jpg,60,27,385,331\na/b.jpg,1,2,3,4\n',
        metadata.read_localization,
    ),
    'masks': (
        'localization.txt',
        'a.jpg,b.png,c.png\na.jpg,d.png,\n',
        metadata.read_localization,
    ),
    'CUB labels': ('image_class_labels.txt', '1 5\n', cub_images),
    'CUB boxes': ('bounding_boxes.txt', '1 1.0 2.0 30.0 40.0\n', cub_boxes),
    'ILSVRC boxes': (
        'lines.txt',
        'a.JPEG 3 1 2 30 40 5 6 7 8\n',
        ilsvrc_boxes,
    ),
    'Tiny ImageNet': (
        'val/val_annotations.txt',
        'val_0.JPEG n1 0 32 44 62\n',
        tiny,
    ),
    'Tiny ImageNet CSV': (
        'boxes.csv',
        BOX_CSV,
        lambda folder: tiny(folder, box_file='boxes.csv'),
    ),
    'RAF-DB': (
        'EmoLabel/list_patition_label.txt',
        'train_00001.jpg 5\ntest_0001.jpg 2\n',
        lambda folder: rafdb.read_rafdb(folder, 'test'),
    ),
    'RAF-DB, occluded': (
        'rafdb_occlusion_list.txt',
        'test_0001_aligned 3 2\n3/test_0001_aligned.jpg\n',
        lambda folder: rafdb.read_subset(folder / 'rafdb_occlusion_list.txt'),
    ),
    'AffectNet': ('validation.csv', OLD, old_affectnet),
    'AffectNet, occluded': (
        'list.txt',
        'val/5/abc/\n5/abc.jpg\n',
        lambda folder: affectnet.read_subset(folder / 'list.txt'),
    ),
    'KDEF': (
        'list.txt',
        'train_align-AF01ANFL.JPG 1\ntest_align-BM02HAS.JPG 4\n',
        lambda folder: kdef.read_list(folder / 'list.txt'),
    ),
    'CSV labels': (
        'labels.csv',
        TABLE,
        lambda folder: face_folder.read_labelled(
            folder / 'labels.csv', LABELS
        ),
    ),
    'VisA': (
        'split_csv/1cls.csv',
        'object,split,label,image,mask\na,test,normal,x.png,\n',
        lambda folder: layouts.read_visa(folder, 'test'),
    ),
    'masks.cfg': (
        'masks.cfg',
        ANCHORS,
        lambda folder: read_anchors(folder / 'masks.cfg'),
    ),
}


def numbers(found):
    """Yield all floating-point numbers within what was read."""
    if isinstance(found, float | np.floating):
        yield found
    elif isinstance(found, np.ndarray):
        yield from found.ravel().tolist()
    elif isinstance(found, dict):
        yield from numbers(list(found.values()))
    elif isinstance(found, list | tuple):
        for item in found:
            yield from numbers(item)


@pytest.fixture(params=READERS, scope='module')
def reader(request, tmp_path_factory):
    """Return a reader, a text for it, and how to hand it a file."""
    file, text, read = READERS[request.param]
    folder = tmp_path_factory.mktemp('lists')
    (folder / 'x.png').touch()
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)

    def read_bytes(data):
        path.write_bytes(data)
        return attempt(lambda: read(folder), folder)

    return text, read_bytes


def test_whole_files_are_read(reader):
    text, read = reader
    found = read(text.encode())
    assert found is not None and len(found)


@given(st.data())
def test_damaged_files_are_read_or_named(reader, data):
    text, read = reader
    content = data.draw(st.one_of(damaged(text), BYTES))
    assert all(map(math.isfinite, numbers(read(content))))


@given(
    st.tuples(st.text(max_size=3), st.text(max_size=12), st.text(max_size=3))
)
def test_any_name_is_one_of_kdef_or_none(parts):
    name = kdef.parse_name('AF01ANFL'.join(parts))
    assert name is None or kdef.parse_name(str(name)) == name
