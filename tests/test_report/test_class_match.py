"""Classes of the data are found in the names of a model's outputs."""

import csv
import random

import pytest
from conftest import ROOT

from mmocc.report.class_match import find_outputs, match_classes
from mmocc.utils.imagenet_classes import (
    imagenet_names,
    imagenet_wnids,
    is_imagenet,
)

NAMES = ['great white shark', 'tench, Tinca tinca', "jack-o'-lantern", 'crane']


@pytest.mark.parametrize(
    ('own', 'outputs'),
    [
        (['crane', 'great white shark'], [3, 0]),
        (['Great_White_Shark', 'jack_o_lantern', 'Crane'], [0, 2, 3]),
        (['Great_White_Shark', 'Jack-o-Lantern_', 'tench'], [0, 2, 1]),
        (['Great-White_Shark', 'tench', 'Tinca tinca'], None),
        (['great_white_shark', 'Tinca_Tinca'], [0, 1]),
        (['10', '2'], None),
        (['0', '3', '01'], [0, 3, 1]),
        (['1', '01'], None),
        (['n01440764'], None),
    ],
)
def test_classes_are_found_once_or_not_at_all(own, outputs):
    assert find_outputs(own, NAMES) == outputs


def test_apostrophes_do_not_count():
    assert find_outputs(["Jack_o'-Lantern"], NAMES) == [2]
    assert find_outputs(['jack-o-lantern'], ["jack-o'lantern", 'x']) is None
    assert find_outputs(['jack-olantern'], ["jack-o'lantern", 'x']) == [0]


def test_folders_of_imagenet_by_wnid():
    own = ['n01443537', 'n01440764_tench', 'n03126707-crane']
    assert find_outputs(own, imagenet_names()) == [1, 0, 517]
    assert find_outputs(['n01440764x'], imagenet_names()) is None
    mm = pytest.importorskip('mmpretrain.datasets.categories')
    assert is_imagenet(mm.IMAGENET_CATEGORIES)
    assert find_outputs(own, mm.IMAGENET_CATEGORIES) == [1, 0, 517]


def test_the_wnids_are_those_of_others():
    wnids = imagenet_wnids()
    assert len(set(wnids)) == 1000 and wnids == sorted(wnids)
    assert len(imagenet_names()) == 1000
    timm = pytest.importorskip('timm.data')
    info = timm.ImageNetInfo()
    assert [info.index_to_label_name(i) for i in range(1000)] == wnids


def test_the_wnids_are_those_of_the_shared_photos():
    path = ROOT.parent / 'shared/data/imagenet_sample_1000/labels.csv'
    if not path.is_file():
        pytest.skip('shared/data/imagenet_sample_1000 is absent')
    with path.open(encoding='utf-8') as file:
        rows = list(csv.DictReader(file))
    by_label = {int(row['label']): row['wnid'] for row in rows}
    assert [by_label[i] for i in range(1000)] == imagenet_wnids()


def test_other_lists_of_a_thousand_are_not_imagenet():
    names = list(imagenet_names())
    random.Random(0).shuffle(names)
    assert not is_imagenet(names)
    assert not is_imagenet(names[:999])


def test_other_words_for_the_same_classes_keep_their_order():
    assert match_classes(['a', 'b'], ['x', 'y']) == (['x', 'y'], None)
    assert match_classes(['a', 'y'], ['x', 'y']) == (['x', 'y'], None)
    assert match_classes(['a', 'b'], None) == (['a', 'b'], None)
    assert match_classes(None, ['x']) == (['x'], None)


@pytest.mark.parametrize(
    ('own', 'names', 'first'),
    [
        (['a', 'x'], ['x', 'y'], 'a'),  # known, and at another place
        (['a'], ['x', 'y'], 'a'),
        (['x', 'z', 'q'], ['x', 'y'], 'z'),
    ],
)
def test_classes_that_are_not_outputs_are_named(own, names, first):
    with pytest.raises(ValueError, match=f'the first is {first!r}'):
        match_classes(own, names)
