"""Which images and classes the drawing tools take."""

from argparse import Namespace

import pytest
import torch
import toy_localizer
from mmengine.config import Config

from mmocc.apis import samples
from mmocc.apis.photos import asked

NAMES = ['red kite, Milvus', 'blue tit']


@pytest.fixture
def cfg(tmp_path, monkeypatch):
    toy_localizer.write(tmp_path)
    monkeypatch.chdir(tmp_path)
    return Config.fromfile('cam.py')


def test_images_come_from_files_folders_and_the_test_set(cfg, tmp_path):
    images = samples.Images(cfg, ['2', 'colours', 'colours/1_bird.png'])
    assert [samples.sample_name(item, 0) for item in images] == [
        '2_bird', '0_bird', '1_bird', '2_bird', '3_bird', '1_bird',
    ]  # fmt: skip
    assert images[0]['inputs'].shape == (3, 64, 64)
    assert 'gt_bboxes' in images[0]['data_samples']
    assert torch.equal(images[0]['inputs'], images[3]['inputs'])
    with pytest.raises(FileNotFoundError, match=r'gone\.jpg is no image, no'):
        samples.Images(cfg, ['gone.jpg'])
    with pytest.raises(ValueError, match='no sample 4: the data set has 4'):
        samples.Images(cfg, ['4'])


def test_a_number_is_spread_over_photos_as_over_the_test_set(cfg):
    def names(images, number):
        args = Namespace(images=images, select=None, number=number)
        return [samples.sample_name(item, 0) for item in asked(cfg, args, 3)]

    everyone = ['0_bird', '1_bird', '2_bird', '3_bird']
    assert names(['colours'], 2) == ['0_bird', '3_bird']
    assert names(['colours'], None) == names(['colours'], 9) == everyone
    assert names(None, 2) == ['0_bird', '3_bird']
    assert names(None, None) == ['0_bird', '2_bird', '3_bird']


def test_samples_are_chosen_by_index_or_path_or_spread(cfg):
    dataset = samples.build_dataset(cfg)
    assert samples.choose(dataset, ['3', '1_b', '3']) == [3, 1]
    assert samples.choose(dataset, ['bird']) == [0, 1, 2, 3]
    with pytest.raises(ValueError, match=r"no image .* has 'owl' in it"):
        samples.choose(dataset, ['owl'])
    cfg.test_dataloader = None
    with pytest.raises(ValueError, match=r'cam\.py has no test_dataloader'):
        samples.build_dataset(cfg)
    spread = [samples.spread(*args) for args in ((10, 4), (3, 8), (5, 1))]
    assert spread == [[0, 3, 6, 9], [0, 1, 2], [0]]
    assert samples.spread(0, 3) == []


def test_class_names_come_from_the_checkpoint_or_the_test_set(cfg, tmp_path):
    assert samples.class_names(cfg, 'weights.pth') == NAMES
    meta = dict(dataset_meta=dict(classes=('a', 'b')))
    state = dict(weight=torch.ones(1))
    torch.save(dict(state_dict=state, meta=meta), 'named.pth')
    assert samples.class_names(cfg, 'named.pth') == ['a', 'b']
    (tmp_path / 'metadata' / 'test' / 'image_ids.txt').unlink()
    assert samples.class_names(cfg, 'weights.pth') is None


def test_categories_go_by_name_synonym_or_number():
    find = samples.find_categories
    assert find(['Milvus', 'BLUE TIT', '0', '7'], NAMES) == [0, 1, 0, 7]
    assert find(['red kite, Milvus'], NAMES) == [0]
    assert find(None, NAMES) == [None]
    with pytest.raises(ValueError, match="no class 'owl'; classes: red kite"):
        find(['owl'], NAMES)
    with pytest.raises(ValueError, match='not known'):
        find(['owl'], None)
    cranes = ['crane', 'ox', 'crane', 'maillot', 'maillot, tank suit']
    with pytest.raises(ValueError, match=r"called 'Crane': .* numbers 0, 2"):
        find(['Crane'], cranes)
    assert find(['2', 'maillot', 'tank suit'], cranes) == [2, 3, 4]


def test_images_of_different_sizes_are_no_batch():
    packs = [dict(inputs=torch.zeros(3, 4, width)) for width in (4, 5)]
    with pytest.raises(ValueError, match='images of different sizes'):
        samples.network_inputs(None, packs)
