"""Sheets of panels, and the pictures of localization on them."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from PIL import Image

from mmocc.visualization import localization_pictures as pictures
from mmocc.visualization.localization_pictures import Answer, BoxRule
from mmocc.visualization.sheet import Panel, draw_sheet, write_image

LIME, RED = (0, 255, 0), (255, 0, 0)


def count(image, colour):
    return int((image == colour).all(axis=2).sum())


def places(image, colour):
    """Return the first and last row and column with a colour, or nearly."""
    near = np.abs(image.astype(int) - colour).max(axis=2) < 30
    rows, cols = near.nonzero()
    return rows.min(), rows.max(), cols.min(), cols.max()


def plain(shape, colour):
    return np.full((*shape, 3), colour, np.uint8)


@pytest.mark.parametrize('side', [16, 64, 500])
def test_a_panel_is_as_large_whatever_its_image(side):
    panels = [Panel(plain((side, side), (10, 20, 200))), Panel(None)]
    sheet = draw_sheet([panels], width=2)
    assert sheet.dtype == np.uint8
    top, bottom, left, right = places(sheet, (10, 20, 200))
    assert right - left + 1 == pytest.approx(220, rel=0.06)
    assert bottom - top == pytest.approx(right - left, abs=3)


def test_a_box_is_drawn_where_it_belongs():
    image = plain((100, 200), (10, 20, 200))
    box = {'ground truth': [[50, 20, 150, 70]]}
    sheet = draw_sheet([[Panel(image, boxes=box)]], width=4)
    frame = places(sheet, (10, 20, 200))
    panel = sheet[: frame[1]]  # the legend is below
    top, bottom, left, right = places(panel, LIME)
    drawn = np.array([left, top, right, bottom]) - np.tile(frame[2::-2], 2)
    scale = (frame[3] - frame[2]) / 200
    np.testing.assert_allclose(drawn / scale, [50, 20, 150, 70], atol=1.5)
    assert places(sheet, LIME)[1] > frame[1]  # explained in the legend
    without = draw_sheet([[Panel(image)]], width=4)
    assert count(without, LIME) == 0 and len(without) < len(sheet)


def test_a_long_sheet_has_all_rows_one_heading_and_one_legend():
    image = plain((50, 50), (10, 20, 200))
    box = {'ground truth': [[10, 10, 40, 40]]}
    row = [Panel(image, 'name', boxes=box)]
    short, long = (draw_sheet([row] * n, 'heading') for n in (8, 20))
    assert long.shape[1] == short.shape[1]
    lines = (np.abs(long.astype(int) - (10, 20, 200)).max(axis=2) < 30).any(1)
    assert (np.diff(lines.astype(int)) == 1).sum() >= 20
    frame = places(long, (10, 20, 200))
    below = count(long[frame[1] :], LIME)
    assert below > 0  # the legend, at the end alone
    first = draw_sheet([row] * 8, 'heading')
    whole = count(long, LIME) - below
    eight = count(first, LIME) - below
    assert whole == pytest.approx(20 / 8 * eight, rel=0.1)


def test_rows_differ_in_height_and_length_but_one_must_have_a_panel():
    image = plain((50, 50), (200, 10, 20))
    short = draw_sheet([[Panel(image, 'a')] * 3])
    long = draw_sheet([[Panel(image, 'a long name ' * 20)] * 3])
    assert long.shape[1] == short.shape[1]
    assert long.shape[0] > short.shape[0]
    sheet = draw_sheet([[Panel(image), Panel(image)], [Panel(image)]])
    half = sheet[len(sheet) // 2 :, sheet.shape[1] // 2 :]
    assert count(half, (200, 10, 20)) == 0
    with pytest.raises(ValueError, match='at least one panel'):
        draw_sheet([[]])


def peak(y1=2, y2=6, x1=4, x2=10):
    cam = np.full((8, 16), -1.0, np.float32)
    cam[y1:y2, x1:x2] = 5
    return cam


def test_a_map_s_box_is_in_pixels_and_the_best_iou_counts():
    box = pictures.find_boxes(peak(), (80, 160))
    np.testing.assert_allclose(box, [[40, 20, 100, 60]], atol=5)
    assert pictures.find_boxes(np.zeros((8, 16)), (80, 160)).shape == (0, 4)
    nan = np.full((8, 16), np.nan)
    assert pictures.find_boxes(nan, (80, 160)).shape == (0, 4)
    boxes = np.array([[0, 0, 9, 9], [50, 50, 59, 59]])
    truth = np.array([[50, 50, 59, 54]])  # half of the second
    assert pictures.best_iou(boxes, truth) == pytest.approx(0.5)
    for none in ((boxes[:0], truth), (boxes, truth[:0])):
        assert pictures.best_iou(*none) == 0


def test_a_row_says_class_score_and_iou():
    image = plain((80, 160), 100)
    truth = np.array([[40, 20, 100, 60]])
    answers = [
        Answer('A', peak(), 'cat 90 %', True),
        Answer('B', peak(0, 2, 0, 2), 'dog 60 %', False),
        Answer('C', np.zeros((8, 16)), 'cat 50 %', None),
    ]
    row = pictures.localization_row(image, 'truth: cat', truth, answers)
    assert [panel.title for panel in row] == [
        'truth: cat', 'A', 'A: box', 'B', 'B: box', 'C', 'C: box',
    ]  # fmt: skip
    captions = [panel.caption for panel in row]
    assert captions[1::2] == [f'predicted: {a.text}' for a in answers]
    assert float(captions[2].split()[1]) > 0.85
    assert captions[4::2] == ['IoU 0.00', 'no box: map has no peak']
    assert [p.colour for p in row[1:5]] == ['green', 'green'] + ['crimson'] * 2
    assert not len(row[6].boxes['predicted box'])
    bare = pictures.localization_row(image, '', truth[:0], answers[:1])
    assert bare[2].caption == 'no true box'


def test_an_overlay_is_red_at_the_peak_and_blue_elsewhere():
    overlay = pictures.overlay_map(plain((80, 160), 128), peak())
    assert overlay[40, 70, 0] > 120 and overlay[40, 70, 2] < 80
    assert overlay[5, 5, 2] > 120 and overlay[5, 5, 0] < 80
    assert str(BoxRule()) == 'largest component above 20 % of the maximum'
    text = 'all contours above 35 % of the range (min-max)'
    assert str(BoxRule(0.35, 'all', 'minmax')) == text


def test_an_overlay_s_colours_follow_how_the_map_is_normalised():
    cam = np.full((8, 16), 2.0, np.float32)
    cam[2:6, 4:10] = 5.0  # elsewhere 40 % of the maximum: no blue for 'max'
    image = plain((80, 160), 128)
    far = {
        how: pictures.overlay_map(image, cam, how)[5, 5].astype(int)
        for how in ('max', 'minmax')
    }
    assert far['max'][1] > 150  # green to cyan, half of the picture's grey
    assert far['minmax'][1] < 80 and far['minmax'][2] > 120  # dark blue


def sample(**fields):
    data = DataSample(metainfo=dict(img_path='a.jpg'))
    data.set_pred_score(torch.tensor([0.2, 0.8])).set_pred_label(1)
    for name, value in fields.items():
        data.set_field(value, name)
    return data


@pytest.mark.parametrize(
    ('labels', 'classes', 'text'),
    [([0, 1], ['cat', 'dog, pup'], 'dog 80 %'), (0, None, 'class 1 80 %')],
)
def test_an_answer_is_read_from_a_sample(labels, classes, text):
    cam = torch.ones(2, 3, dtype=torch.bfloat16)
    data = sample(pred_cam=cam).set_gt_label(labels)
    answer = pictures.read_answer(data, 'A', 'pred_cam', classes)
    assert (answer.text, answer.right) == (text, classes is not None)
    assert answer.cam.dtype == np.float32 and answer.cam.shape == (2, 3)
    with pytest.raises(ValueError, match=r"'gt_cam' for a\.jpg.*'gt' among"):
        pictures.read_answer(sample(), 'A', 'gt_cam')


def test_an_image_is_shown_in_its_own_size(tmp_path):
    packed = torch.zeros(3, 8, 8)
    packed[0] = 255  # blue, as mm packs BGR
    assert (pictures.shown_image(packed) == (0, 0, 255)).all()
    grey = pictures.shown_image(packed[1:2], (20, 30))
    np.testing.assert_array_equal(grey, plain((20, 30), 0))
    path = tmp_path / 'new' / 'red.png'
    write_image(plain((20, 30), RED), path)
    assert (np.asarray(Image.open(path)) == RED).all()
    meta = DataSample(metainfo=dict(img_path=str(path), ori_shape=(20, 30)))
    assert (pictures.original_image(meta, packed) == RED).all()
    # Not the file's size: perhaps a crop of it.
    meta.set_metainfo(dict(ori_shape=(10, 10)))
    image = pictures.original_image(meta, packed)
    np.testing.assert_array_equal(image, plain((10, 10), (0, 0, 255)))
