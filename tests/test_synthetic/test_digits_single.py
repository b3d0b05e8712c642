"""One digit in each image: what the localization set of digits holds."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT
from mmengine.registry import init_default_scope

pytest.importorskip('sklearn', reason='the digits come with scikit-learn')
pytest.importorskip('mmpretrain')
from sklearn.datasets import load_sample_images

from mmocc.datasets.wsol_dataset import WSOLDataset
from mmocc.synthetic.digits.photo_cutouts import add_clutter
from mmocc.synthetic.digits.plan import SINGLE, DigitsSettings
from mmocc.synthetic.digits.scene import DIGIT_CLASSES
from mmocc.synthetic.digits.writer import write_digits_voc

TOOL = ROOT / 'tools/dataset_converters/make_digits_voc.py'


@pytest.fixture(scope='module')
def single(tmp_path_factory):
    root = tmp_path_factory.mktemp('digits_single') / 'voc'
    write_digits_voc(root, replace(SINGLE, limit=100, repeat=1))
    return root


def read(root, split, **kwargs):
    init_default_scope('mmpretrain')
    return WSOLDataset(
        'voc', str(root), split, classes=DIGIT_CLASSES, pipeline=[], **kwargs
    )


def test_every_image_has_one_digit_smaller_than_itself(single):
    images = 0
    for split in ('train', 'val', 'test'):
        dataset = read(single, split, with_boxes=True)
        for index in range(len(dataset)):
            info = dataset.get_data_info(index)
            ((x1, y1, x2, y2),) = info['gt_bboxes']
            assert 0 <= x1 < x2 <= 128 and 0 <= y1 < y2 <= 128
            assert (x2 - x1) * (y2 - y1) < 0.5 * 128**2
            images += 1
    assert images > 90  # of 100: what is hardly visible is no label


def test_it_trains_without_its_annotations(single, tmp_path):
    named = read(single, 'train')
    hidden = single / 'Annotations'
    hidden.rename(tmp_path / 'Annotations')
    try:
        dataset = read(single, 'train')
        assert dataset.get_gt_labels().tolist() == (
            named.get_gt_labels().tolist()
        )
        assert len(set(dataset.get_gt_labels())) == 10
        with pytest.raises(FileNotFoundError, match='Annotations'):
            read(single, 'train', with_boxes=True)
    finally:
        (tmp_path / 'Annotations').rename(hidden)


def test_clutter_changes_a_part_of_the_canvas_and_none_is_none():
    photos = load_sample_images().images
    canvas = np.zeros((96, 96, 3), np.float32)
    rng = np.random.default_rng(0)
    kept = add_clutter(canvas, photos, 0, rng)
    np.testing.assert_array_equal(kept, canvas)
    changed = (add_clutter(canvas, photos, 3, rng) != 0).any(axis=2)
    assert 0.01 < changed.mean() < 0.4
    assert not canvas.any()
    with pytest.raises(ValueError, match='clutter'):
        DigitsSettings(clutter=-1)


def test_the_tool_makes_it_where_the_config_looks(run_tool, tmp_path):
    result = run_tool(TOOL, '--single', '--limit', 100, '--repeat', 1)
    assert result.returncode == 0, result.stderr
    root = tmp_path / 'data/digits_single'
    assert (root / 'ImageSets/Main/nine_test.txt').is_file()
    again = run_tool(TOOL, '--single', '--limit', 100, '--repeat', 1)
    assert 'already holds' in again.stdout
