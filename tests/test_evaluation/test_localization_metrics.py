"""The localization metrics, by value."""

import numpy as np
import pytest
import torch
from PIL import Image

from mmocc.evaluation.box_accuracy import best_accuracy, box_hits
from mmocc.evaluation.localization_accuracy import LocalizationAccuracy
from mmocc.evaluation.max_box_acc import MaxBoxAcc
from mmocc.evaluation.px_ap import (
    PxAP,
    pixel_average_precision,
    read_mask,
    score_histograms,
)
from mmocc.utils.cell_grid import CellGrid

SHAPE = (100, 200)


def peak(box, shape=(50, 100), low=0.0):
    """Return a map that is 1 in a box (of the map) and low around it."""
    cam = np.full(shape, low, np.float32)
    x1, y1, x2, y2 = box
    cam[y1:y2, x1:x2] = 1
    return torch.from_numpy(cam)


def sample(cam, boxes, label=0, scores=(0.7, 0.2, 0.1)):
    return dict(
        gt_cam=cam,
        gt_bboxes=np.array(boxes, np.float32),
        gt_label=torch.tensor([label]),
        pred_score=torch.tensor(scores),
        ori_shape=SHAPE,
        img_path='a.jpg',
    )


def run(metric, *samples):
    metric.process({}, list(samples))
    return metric.evaluate(len(samples))


def grid_map():
    """Return a map of the size of the grid, so that nothing resizes it."""
    return peak((50, 50, 100, 100), (224, 224))


RIGHT = peak((20, 10, 60, 40))  # in the image twice as large
BOX = [40, 20, 120, 80]


def test_localization_accuracy_by_value():
    scores = run(
        LocalizationAccuracy(topk=(1, 2)),
        sample(RIGHT, [BOX]),  # right in all
        sample(RIGHT, [BOX], label=1),  # right box, second class
        sample(RIGHT, [[150, 0, 190, 20]]),  # wrong box, right class
        sample(RIGHT, [[150, 0, 190, 20], BOX], label=2),  # one is enough
    )
    assert scores == {
        'localization/gt_known_loc': 75.0,
        'localization/top1_clas': 50.0,
        'localization/top2_clas': 75.0,
        'localization/top1_loc': 25.0,
        'localization/top2_loc': 50.0,
    }


def test_an_iou_of_exactly_the_threshold_is_right():
    # Both on the grid of the image; inclusive: 10 x 10 within 10 x 20.
    cam = torch.zeros(SHAPE)
    cam[10:19, 10:19] = 1
    half = sample(cam, [[10, 10, 19, 29]])
    less = sample(cam, [[10, 10, 19, 30]])
    for part, expected in ((half, 100), (less, 0)):
        scores = run(LocalizationAccuracy(), part)
        assert scores['localization/gt_known_loc'] == expected


def test_blank_maps_are_misses_and_do_not_stop_the_run():
    blanks = [torch.full((7, 7), v) for v in (float('nan'), 0.0, -3.0)]
    samples = [sample(cam, [[60, 20, 120, 80]]) for cam in blanks]
    scores = run(LocalizationAccuracy(), *samples)
    assert scores['localization/gt_known_loc'] == 0
    scores = run(MaxBoxAcc((1, 2)), *samples)
    assert scores['max_box_acc/v1'] == scores['max_box_acc/v2'] == 0


def test_the_best_threshold_is_the_data_sets_and_not_an_images():
    # Each map finds its object at one of the thresholds only.
    hits = np.array([[3, 5, 4], [0, 0, 2]])
    assert best_accuracy(hits, 10, np.array([0.1, 0.2, 0.3])) == [
        (50.0, 0.2),
        (20.0, 0.3),
    ]
    low, high = grid_map(), grid_map()
    low[50:100, 100:150] = 0.3  # found above 0.3; the other one up to 0.6
    high[50:100, 100:150] = 0.6
    first = dict(sample(low, [[50, 50, 100, 100]]), ori_shape=(224, 224))
    second = dict(sample(high, [[50, 50, 150, 100]]), ori_shape=(224, 224))
    scores = run(MaxBoxAcc(iou_thrs=(0.9,)), first, second)
    assert scores['max_box_acc/v2'] == 100
    assert 0.29 < scores['max_box_acc/v2_iou90_threshold'] < 0.6
    low[50:100, 100:150] = 0.8  # now no threshold serves both
    scores = run(MaxBoxAcc(iou_thrs=(0.9,)), first, second)
    assert scores == {
        'max_box_acc/v2': 50.0,
        'max_box_acc/v2_iou90': 50.0,
        'max_box_acc/v2_iou90_threshold': 0.0,
    }


def test_version_2_counts_any_contour_and_version_1_the_largest():
    cam = grid_map()
    cam[150:180, 150:180] = 1
    small = dict(sample(cam, [[150, 150, 180, 180]]), ori_shape=(224, 224))
    scores = run(MaxBoxAcc((2, 1)), small)
    assert scores['max_box_acc/v1'] == 0
    assert scores['max_box_acc/v2_iou50'] == 100
    assert run(MaxBoxAcc((1, 2)), small) == scores
    large = dict(sample(cam, [[50, 50, 100, 100]]), ori_shape=(224, 224))
    assert run(MaxBoxAcc(1), large)['max_box_acc/v1'] == 100


def test_hits_of_one_map_by_iou_and_threshold():
    cam = grid_map().numpy()  # 50 x 50, taken for 51 x 51
    cam[50:100, 100:150] = 0.5
    found = box_hits(
        cam,
        [[50, 50, 100, 100]],
        (224, 224),
        np.array([0.2, 0.7]),
        (0.3, 0.5, 0.7),
    )
    # 51 * 51 / (101 * 51) is 0.505
    assert found.tolist() == [[True, True], [True, True], [False, True]]


@pytest.mark.parametrize('metric', [LocalizationAccuracy(), MaxBoxAcc()])
def test_the_message_for_a_sample_without_map_or_box_has_the_remedy(metric):
    whole = sample(RIGHT, [BOX])
    with pytest.raises(ValueError, match=r'mmocc\.CAMHead'):
        run(metric, {k: v for k, v in whole.items() if k != 'gt_cam'})
    with pytest.raises(ValueError, match=r'a\.jpg has none.*with_boxes=True'):
        run(metric, {k: v for k, v in whole.items() if k != 'gt_bboxes'})


@pytest.mark.parametrize(
    'make, words',
    [
        (lambda: LocalizationAccuracy(threshold=1.5), 'threshold is 1.5'),
        (lambda: LocalizationAccuracy(topk=(0,)), 'topk is'),
        (lambda: MaxBoxAcc(version=3), 'version is 3'),
        (lambda: MaxBoxAcc(iou_thrs=(0.5, 2)), 'iou_thrs is'),
        (lambda: MaxBoxAcc(interval=0), 'interval is 0'),
        (lambda: PxAP(interval=1), 'interval is 1'),
    ],
)
def test_wrong_arguments_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_metric_starts_again_and_holds_one_sum():
    metric, part = MaxBoxAcc(interval=0.01), sample(RIGHT, [BOX])
    first = run(metric, part)
    metric.process({}, [part] * 5)
    assert metric.results == [] and metric._sum.nbytes == 5 * 100 * 8
    metric.evaluate(5)
    assert run(metric, part) == first
    with pytest.raises(ValueError, match='got no sample'):
        metric.evaluate(0)
    metric.process({}, [part] * 4)
    with pytest.raises(RuntimeError, match=r'got 4 samples.*DefaultSampler'):
        metric.evaluate(2)


# -- masks -----------------------------------------------------------------


def save_mask(path, place, shape=(224, 224)):
    mask = np.zeros(shape, np.uint8)
    mask[place] = 255
    Image.fromarray(mask).save(path)
    return path


def test_foreground_is_never_ignored(tmp_path):
    first = save_mask(tmp_path / 'a.png', np.s_[:10, :10])
    second = save_mask(tmp_path / 'b.png', np.s_[20:30, :10])
    ignore = save_mask(tmp_path / 'i.png', np.s_[:30, :10])
    mask = read_mask([first, second], ignore)
    assert (mask == 1).sum() == 200 and (mask == 255).sum() == 100
    assert (mask[10:20, :10] == 255).all()
    with pytest.raises(FileNotFoundError, match='missing, or no'):
        read_mask([tmp_path / 'c.png'], None)


@pytest.mark.parametrize('ignored_score', [0.0, 1.0])
def test_a_perfect_map_has_px_ap_100(tmp_path, ignored_score):
    paths = [save_mask(tmp_path / 'a.png', np.s_[:70, 20:90])]
    ignore = save_mask(tmp_path / 'i.png', np.s_[:100, 20:90])
    mask = read_mask(paths, ignore)
    cam = np.where(mask == 255, ignored_score, mask == 1)
    scores = run(
        PxAP(),
        dict(gt_cam=cam, gt_mask_paths=paths, ignore_mask_path=ignore),
    )
    assert scores == {'px_ap/px_ap': 100.0}


@pytest.mark.parametrize('value', [0.0, 0.5, 1.0])
@pytest.mark.parametrize(
    'inside, outside', [(43031, 7145), (833, 49342), (347, 13909)]
)
def test_a_constant_map_scores_the_share_of_the_foreground(
    value, inside, outside
):
    # The pixels of the reference's test masks: the rest is ignored.
    mask = np.full(224 * 224, 255, np.uint8)
    mask[:inside] = 1
    mask[inside : inside + outside] = 0
    mask = mask.reshape(224, 224)
    scores = np.full(mask.shape, value)
    counts = score_histograms(scores, mask, np.arange(0, 1, 0.01))
    share = 100 * inside / (inside + outside)
    assert pixel_average_precision(counts) == pytest.approx(share, abs=1e-9)
    with pytest.raises(ValueError, match='no pixel of the masks'):
        pixel_average_precision(np.zeros_like(counts))


def test_px_ap_by_hand_and_against_sklearn():
    metrics = pytest.importorskip('sklearn.metrics')
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 101, (30, 30)) / 100 + 1e-6
    mask = (rng.random((30, 30)) < 0.3).astype(np.uint8)
    counts = score_histograms(scores, mask, np.arange(0, 1, 0.01))
    expected = metrics.average_precision_score(mask.ravel(), scores.ravel())
    assert pixel_average_precision(counts) == pytest.approx(100 * expected)


# A network whose cells see 16 i, of 224 x 224 pixels, as ResNet's
CELLS = CellGrid((0.5 / 224,) * 2, (16 / 224,) * 2)


def aligned_sample(cells=CELLS):
    """Return a map of 14 x 14 cells and the box that CELLS give it."""
    cam = torch.zeros(14, 14)
    cam[2:6, 3:8] = 1
    # From half a cell before the first centre to half a cell after the last
    box = [40, 24, 120, 88]
    part = dict(sample(cam, [box]), ori_shape=(224, 224))
    return part if cells is None else dict(part, map_cells=tuple(cells))


@pytest.mark.parametrize('metric', [MaxBoxAcc, LocalizationAccuracy, PxAP])
def test_aligned_metrics_need_to_know_the_cells_and_say_so(metric):
    made = metric(align='receptive_field')
    assert made.prefix == f'{metric.default_prefix}_aligned'
    assert metric(align='receptive_field', prefix='mine').prefix == 'mine'
    part = dict(aligned_sample(None), gt_mask_paths=['a.png'])
    with pytest.raises(ValueError, match=r"MapCellsHook.*align='grid'"):
        run(made, part)
    with pytest.raises(ValueError, match='grid, receptive_field'):
        metric(align='left')


def test_an_aligned_map_gives_the_box_that_an_even_one_misses():
    thrs = (0.85,)
    grid = run(MaxBoxAcc(iou_thrs=thrs), aligned_sample())
    aligned = run(
        MaxBoxAcc(iou_thrs=thrs, align='receptive_field'), aligned_sample()
    )
    assert grid['max_box_acc/v2'] == 0  # 7.5 pixels too far
    assert aligned['max_box_acc_aligned/v2'] == 100
    paper = dict(threshold=0.5, iou_thr=0.85)
    grid = run(LocalizationAccuracy(**paper), aligned_sample())
    aligned = run(
        LocalizationAccuracy(**paper, align='receptive_field'),
        aligned_sample(),
    )
    assert grid['localization/gt_known_loc'] == 0
    assert aligned['localization_aligned/gt_known_loc'] == 100


def test_a_threshold_from_elsewhere_is_the_only_one():
    cam = grid_map()
    cam[50:100, 100:150] = 0.5  # above 0.5 the box is right
    part = dict(sample(cam, [[50, 50, 100, 100]]), ori_shape=(224, 224))
    options = dict(version=(1, 2), iou_thrs=(0.9,))
    low = run(MaxBoxAcc(threshold=0.2, **options), part)
    high = run(MaxBoxAcc(threshold=0.6, **options), part)
    assert low['max_box_acc/v1_threshold'] == 0.2
    assert low['max_box_acc/v2_iou90'] == low['max_box_acc/v2'] == 0
    assert high['max_box_acc/v2_iou90'] == high['max_box_acc/v1'] == 100
    best = run(MaxBoxAcc(**options), part)
    assert best['max_box_acc/v2'] == 100
    assert 0.49 < best['max_box_acc/v2_iou90_threshold'] < 0.6
    with pytest.raises(ValueError, match=r'threshold is 1\.0'):
        MaxBoxAcc(threshold=1.0)


def test_topk_counts_right_boxes_of_right_classes_at_their_best_threshold():
    cam = grid_map()
    truth = [[50, 50, 100, 100]]
    parts = [
        dict(sample(cam, truth, label), ori_shape=(224, 224))
        for label in (0, 1, 2)
    ]
    parts.append(dict(sample(cam, [[0, 0, 9, 9]]), ori_shape=(224, 224)))
    scores = run(MaxBoxAcc((2, 1), topk=(1, 2)), *parts)
    expected = dict(
        v1=75.0, top1_loc=25.0, top2_loc=50.0, top1_clas=50.0, top2_clas=75.0
    )
    for name, value in expected.items():
        assert scores[f'max_box_acc/{name}'] == value
    assert 0 <= scores['max_box_acc/top1_loc_threshold'] < 1
    with pytest.raises(ValueError, match='topk'):
        MaxBoxAcc(2, topk=(1,))


def test_a_constant_float64_map_is_a_miss_as_it_is_logged():
    cam = torch.full((7, 7), 0.1, dtype=torch.float64)
    for part in (
        dict(sample(cam, [[0, 0, 199, 99]])),
        dict(sample(cam, [[0, 0, 199, 99]]), map_cells=CELLS),
    ):
        align = 'receptive_field' if 'map_cells' in part else 'grid'
        metric = MaxBoxAcc((1, 2), align=align, prefix='m')
        scores = run(metric, part)
        assert scores['m/v1'] == scores['m/v2'] == 0
