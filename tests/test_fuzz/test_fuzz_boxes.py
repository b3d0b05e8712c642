"""Boxes, overlaps, losses and regions: finite, in range, symmetric."""

import math

import numpy as np
import pytest
import torch
from fuzzing import attempt, boxes, floats, masks, proper
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from mmocc.datasets.anomaly.boxes import find_defects, part_boxes
from mmocc.evaluation import localization
from mmocc.evaluation.anomaly_pages import paste_maps
from mmocc.evaluation.temporal_segments import (
    Segments,
    average_precision,
    find_hits,
    map_to_segments,
    segment_iou,
)
from mmocc.models.dea import iou_losses
from mmocc.occlusion import regions
from mmocc.utils.object_matching import match_objects

targets = pytest.importorskip('mmocc.models.dea.ssd_losses')
redrawn = pytest.importorskip('mmocc.models.dea.regions')

SIDES = st.integers(1, 40)
LOSSES = {
    iou_losses.giou_loss: 2,
    iou_losses.diou_loss: 2,
    iou_losses.eiou_loss: 4,
    iou_losses.focal_eiou_loss: 4,
}


def spans(most=5):
    """Draw (n, 2) float64 starts and ends; some are turned over."""
    return st.integers(0, most).flatmap(
        lambda n: nps.arrays(float, (n, 2), elements=floats(-1e3, 1e3))
    )


@pytest.mark.parametrize('loss', LOSSES)
@given(boxes(2, 2, far=1e6), st.booleans(), st.booleans())
def test_iou_losses(loss, drawn, same, turned):
    pred, target = torch.from_numpy(drawn).split(1)
    target = torch.from_numpy(proper(target.numpy()))
    if not turned:
        pred = torch.from_numpy(proper(pred.numpy()))
    pred = (target if same else pred).clone().requires_grad_()
    value = loss(pred, target)
    value.sum().backward()
    assert value.isfinite().all()
    assert pred.grad.isfinite().all()
    if not turned:
        assert -1e-3 <= float(value) <= LOSSES[loss] + 1e-3


@given(boxes(0, 4), boxes(1, 4))
def test_overlaps_with_priors(drawn, priors):
    drawn, priors = (torch.from_numpy(proper(b)) for b in (drawn, priors))
    for over_prior in (False, True):
        share = targets.overlaps(drawn, priors, over_prior)
        assert share.shape == (len(drawn), len(priors))
        assert ((share >= 0) & (share <= 1 + 1e-3)).all()


@given(boxes(0, 4, far=1e30), SIDES, SIDES)
def test_bad_boxes_are_found(drawn, height, width):
    real = torch.ones(1, len(drawn), dtype=torch.bool)
    metas = [dict(img_shape=(height, width), img_path='a.jpg')]
    given_boxes = torch.from_numpy(drawn)[None]
    bad = attempt(
        lambda: targets.find_bad_boxes(given_boxes, real, metas), 'a.jpg'
    )
    assert bad is None or not bad.any()


@given(boxes(0, 5, far=1e30), SIDES, SIDES)
def test_boxes_are_kept_inside(drawn, width, height):
    size = torch.tensor([float(width), float(height)])
    kept = redrawn.keep_inside(torch.from_numpy(drawn), size)
    assert (kept[:, :2] >= 0).all()
    assert (kept[:, 2:] <= size).all()
    assert (kept[:, 2:] - kept[:, :2] >= 1 - 1e-5).all()


@given(nps.arrays(float, 4, elements=st.floats(-1e308, 1e308)), SIDES, SIDES)
def test_box_region(box, height, width):
    region = regions.box_region(box, (height, width))
    window = region.window
    assert 0 <= window.top <= window.bottom <= height
    assert 0 <= window.left <= window.right <= width
    assert region.mask.shape == window.size
    hidden = torch.ones(height, width, dtype=torch.bool)
    share = regions.hidden_share(region, hidden)
    assert share == 1 or (math.isnan(share) and not region.mask.numel())


@given(masks(), masks())
def test_mask_region(mask, hidden):
    region = regions.mask_region(mask)
    whole = torch.zeros(mask.shape, dtype=torch.bool)
    whole[region.window.slices] = region.mask
    assert torch.equal(whole, torch.from_numpy(mask))
    other = regions.mask_region(hidden)
    meet = region.window.common(other.window)
    shared = 0
    if meet:
        shared = int((region.mask[meet[0]] & other.mask[meet[1]]).sum())
    low, high = (
        min(mask.shape[0], hidden.shape[0]),
        min(mask.shape[1], hidden.shape[1]),
    )
    assert shared == (mask[:low, :high] & hidden[:low, :high]).sum()


@given(
    nps.arrays(float, (3, 4), elements=st.floats(-1e308, 1e308)),
    st.tuples(SIDES, SIDES),
    st.tuples(SIDES, SIDES),
)
def test_boxes_are_scaled_into_the_grid(drawn, ori_shape, size):
    with np.errstate(over='ignore'):
        scaled = localization.scale_boxes(drawn, ori_shape, size)
    rows, columns = size
    assert (scaled >= 0).all()
    assert (scaled <= [columns - 1, rows - 1] * 2).all()
    turned = (drawn[:, 2:] < drawn[:, :2]).any()
    assert turned or (scaled[:, 2:] >= scaled[:, :2]).all()


@given(boxes(0, 4, 1e6), boxes(0, 4, 1e6))
def test_inclusive_iou(one, other):
    shares = attempt(
        lambda: localization.box_iou_inclusive(one, other), 'the box'
    )
    if shares is not None:
        assert shares.shape == (len(one), len(other))
        assert ((shares >= 0) & (shares <= 1)).all()


@given(boxes(0, 5), boxes(0, 5))
def test_detections_speak_for_objects(pred, true):
    pred, true = (torch.from_numpy(proper(b)) for b in (pred, true))
    found = match_objects(pred, torch.ones(len(pred)), true)
    known = found[found >= 0]
    assert found.shape == (len(true),)
    assert len(known.unique()) == len(known)
    assert (known < len(pred)).all()


@given(masks(), boxes(0, 3, 20))
def test_defects_are_on_objects_or_alone(mask, drawn):
    parts = part_boxes(mask)
    covered = np.zeros_like(mask)
    for x1, y1, x2, y2 in parts.astype(int):
        assert mask[y1:y2, x1:x2].any()
        covered[y1:y2, x1:x2] = True
    assert not (mask & ~covered).any()
    defective, alone = find_defects(proper(drawn), mask)
    assert set(defective) <= {0, 1}
    assert mask.any() == (bool(defective.any()) or len(alone) > 0)


@given(
    nps.arrays(np.float32, st.integers(0, 12), elements=floats(-1e30, 1e30)),
    st.floats(0, 0.999),
)
def test_segments_of_a_map(scores, threshold):
    found, strength = map_to_segments(scores, threshold)
    assert len(found) == len(strength)
    assert ((strength > 0) & (strength <= 1)).all()
    assert (found[:, 1] > found[:, 0]).all()
    assert (found[1:, 0] > found[:-1, 1]).all()
    assert found.min(initial=0) >= 0
    assert found.max(initial=0) <= len(scores)


@given(spans(), spans(), st.floats(0, 1))
def test_hits_among_segments(pred, true, iou):
    shares = segment_iou(pred, true)
    assert ((shares >= 0) & (shares <= 1)).all()
    video = np.zeros(len(pred), int), np.zeros(len(true), int)
    hits = find_hits(
        Segments(video[0], pred, pred[:, 0]), Segments(video[1], true), iou
    )
    assert hits.sum() <= min(len(pred), len(true))
    for points in (None, 11):
        mean = average_precision(hits, max(len(true), 1), points)
        assert 0 <= mean <= 1


@given(boxes(0, 3, 1e30), st.integers(1, 6), SIDES, SIDES)
def test_maps_are_pasted_onto_the_page_alone(drawn, side, height, width):
    page = np.full((height, width), -1, np.float32)
    ones = np.ones((len(drawn), side, side), np.float32)
    out = paste_maps(page, ones, drawn, np.arange(len(drawn)))
    assert (page == -1).all()
    assert out.shape == page.shape
    rows, columns = np.mgrid[:height, :width] + 0.5
    expected = np.zeros(page.shape, bool)
    for x1, y1, x2, y2 in drawn:
        expected |= (
            (columns >= x1) & (columns < x2) & (rows >= y1) & (rows < y2)
        )
    assert np.array_equal(out, np.where(expected, 1, -1))
