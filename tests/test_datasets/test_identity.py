import hashlib

import numpy as np
import pytest
from mmengine.dataset import BaseDataset

from mmocc.datasets.identity import (
    FromDataRoot,
    data_root_of,
    identity_number,
    image_identity,
    note_identity,
    photo_identity,
)


@pytest.mark.parametrize(
    ('fields', 'identity'),
    [
        # of a path, what does not depend on the machine
        (dict(img_path='/home/me/voc/JPEGImages/1.jpg'), 'JPEGImages/1.jpg'),
        (dict(img_path='D:\\voc\\JPEGImages\\1.jpg'), 'JPEGImages/1.jpg'),
        (dict(img_path='./1.jpg', sample_idx=4), '1.jpg'),
        (dict(img_path='s3://bucket/a/b/1.jpg'), 'b/1.jpg'),
        (dict(img_path='/d/a/b/c/1.jpg', data_root='/d/a/'), 'b/c/1.jpg'),
        (dict(img_path='/d/1.jpg', data_root='/d'), '1.jpg'),
        (dict(img_path='/other/c/1.jpg', data_root='/d'), 'c/1.jpg'),
        # é as one letter, and as e with an accent, as macOS writes it
        (dict(img_path='a/caf\u00e9.jpg'), 'a/caf\u00e9.jpg'),
        (dict(img_path='a/cafe\u0301.jpg'), 'a/caf\u00e9.jpg'),
        # what the data set states comes first, its counters last
        (dict(photo_identity='x', img_path='a/b.jpg', img_id=3), 'x'),
        (dict(img_path='a/b.jpg', img_id=3), 'a/b.jpg'),
        (dict(img_path='', img_id=0), 'id:0'),
        (dict(img_path=['a.jpg', 'b.jpg'], sample_idx=5), 'index:5'),
        (dict(sample_idx=np.int64(7)), 'index:7'),
        ({}, 'index:0'),
    ],
)
def test_the_identity_of_a_photo(fields, identity):
    assert photo_identity(fields) == identity
    assert image_identity(fields) == identity


@pytest.mark.parametrize(
    ('fields', 'suffix'),
    [
        (dict(instance_id=2), '#2'),
        (dict(object_index=0, instance_id=9), '#0'),
        (dict(instance_id='left eye'), '#left eye'),
        (dict(crop_box=[1, 2, 30, 40]), '#1,2,30,40'),
        (dict(crop_box=np.array([1, 2, 30, 40])), '#1,2,30,40'),
    ],
)
def test_objects_of_one_photo_are_told_apart(fields, suffix):
    sample = dict(img_path='my photos/1.jpg', **fields)
    assert photo_identity(sample) == 'my photos/1.jpg'
    assert image_identity(sample) == f'my photos/1.jpg{suffix}'


def test_a_noted_identity_stays():
    sample = dict(img_path='/a/b/1.jpg', instance_id=3)
    assert note_identity(sample) == 'b/1.jpg#3'
    assert sample['occlusion_photo'] == 'b/1.jpg'
    sample['img_path'] = 'changed.jpg'
    assert note_identity(sample) == 'b/1.jpg#3'


def test_the_number_is_half_of_a_sha256():
    for identity in ('JPEGImages/000001.jpg#2', 'caf\u00e9', '\udcff'):
        data = identity.encode('utf-8', 'surrogatepass')
        expected = int(hashlib.sha256(data).hexdigest()[:32], 16)
        assert identity_number(identity) == expected
    assert identity_number('abc') == 0xBA7816BF8F01CFEA414140DE5DAE2223


def test_a_data_set_tells_where_its_paths_begin():
    def build(**kwargs):
        return BaseDataset(lazy_init=True, serialize_data=False, **kwargs)

    for kwargs, root in (
        (dict(data_root='/d/voc'), '/d/voc'),
        (dict(data_root='/d', data_prefix=dict(img_path='val')), '/d'),
        (dict(data_prefix=dict(img_path='/d/val')), '/d/val'),
        ({}, None),
    ):
        dataset = build(**kwargs)
        assert data_root_of(dataset) == root
        sample = FromDataRoot(dataset)(dict(img_path='a.jpg'))
        assert sample.get('data_root') == root
