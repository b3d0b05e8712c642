"""Class maps and anomaly maps: to boxes, to counts, against slow ways."""

import cv2
import numpy as np
import torch
from fuzzing import floats, maps, masks
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from mmocc.datasets.transforms.crop_object import crop_array
from mmocc.evaluation import localization, px_ap
from mmocc.evaluation.anomaly_values import (
    count_pixels,
    object_values,
    pixel_values,
)
from mmocc.evaluation.box_sweep import label_rects, sweep_thresholds
from mmocc.evaluation.component_tree import component_boxes
from mmocc.evaluation.localization import (
    box_iou_inclusive,
    close_boxes,
    contour_rects,
    map_to_boxes,
    normalize_map,
    resize_map,
    threshold_levels,
)
from mmocc.models.ofer import svdd
from mmocc.models.ofer.latent_readout import (
    LatentTokenSelector,
    fit_attention,
)
from mmocc.models.ofer.self_assembly import MODES, self_assembly
from mmocc.report.statistics import (
    accuracy_interval,
    calibration_error,
    difference_interval,
)

THRESHOLDS = np.arange(0, 1, 0.05)


def levels(most=12):
    """Draw uint8 (h, w) maps of few or of many levels."""
    shapes = nps.array_shapes(min_dims=2, max_dims=2, max_side=most)
    values = st.sampled_from([0, 1, 80, 200, 255]) | st.integers(0, 255)
    return nps.arrays(np.uint8, shapes, elements=values)


@given(maps(), st.sampled_from(localization.NORMALIZATIONS))
def test_a_normalised_map_is_finite_and_at_most_1(cam, mode):
    out = normalize_map(cam, mode)
    assert np.isfinite(out).all()
    assert out.max() <= 1
    assert mode == 'max' or out.min() >= 0


@given(
    maps(),
    st.floats(0, 0.99),
    st.sampled_from(localization.KEEP),
    st.sampled_from(localization.NORMALIZATIONS),
)
def test_boxes_of_a_map_lie_in_it(cam, threshold, keep, normalize):
    found = map_to_boxes(cam, threshold, keep, normalize)
    height, width = cam.shape
    assert len(found) >= 1
    assert (found >= 0).all()
    assert (found[:, :2] <= found[:, 2:]).all()
    assert (found[:, 2:] <= [width - 1, height - 1]).all()


@given(maps(), st.integers(1, 30), st.integers(1, 30))
def test_a_resized_map_is_finite(cam, height, width):
    out = resize_map(cam, (height, width))
    assert out.shape == (height, width)
    assert np.isfinite(out).all()


@given(levels(), st.booleans(), st.sampled_from([0, 0.3, 0.7]))
def test_all_thresholds_together_are_as_one_by_one(image, largest, least):
    truth = np.array([[0, 0, 3, 2], [4, 4, 9, 9]])
    found = sweep_thresholds(image, THRESHOLDS, truth, least, largest)
    cuts = threshold_levels(THRESHOLDS, image.max())
    slow = [
        box_iou_inclusive(
            close_boxes(
                contour_rects((image > cut).astype(np.uint8), largest)
                or [(0, 0, 0, 0)],
                image.shape,
            ),
            truth,
        ).max()
        for cut in cuts
    ]
    # Ties of the largest contour may be broken otherwise: see its own tests.
    known = np.maximum(found, slow) >= max(least, 1e-9)
    np.testing.assert_allclose(found[known], np.array(slow)[known])


@given(levels(), st.sampled_from([4, 8]))
def test_the_component_tree_is_as_labelling(image, connectivity):
    cuts = np.unique(image[image < 255])
    assume(len(cuts))
    rects, places = component_boxes(image, cuts, connectivity)
    for place, cut in enumerate(cuts.tolist()):
        mask = (image > cut).astype(np.uint8)
        stats = cv2.connectedComponentsWithStats(
            mask, connectivity=connectivity
        )[2]
        expected = stats[1:, :4].tolist()
        assert sorted(rects[places == place].tolist()) == sorted(expected)


@given(masks(9))
def test_labelling_finds_the_contours(mask):
    mask = mask.astype(np.uint8)
    found = label_rects(mask).tolist()
    assert sorted(found) == sorted(map(list, contour_rects(mask)))


@given(maps(8, 2), st.data())
def test_anomaly_maps(scores, data):
    truth = data.draw(nps.arrays(bool, scores.shape))
    counts = count_pixels(scores, truth)
    assert counts.normal.sum() + counts.anomalous.sum() == scores.size
    assert abs(counts.overlap.sum() - counts.regions) < 1e-9
    for value in pixel_values(counts).values():
        assert value is None or 0 <= value <= 1


@given(maps(8), st.data())
def test_pixels_of_masks(cam, data):
    mask = data.draw(
        nps.arrays(np.uint8, cam.shape, elements=st.sampled_from([0, 1, 255]))
    )
    scores = normalize_map(cam, 'minmax')
    found = px_ap.score_histograms(scores, mask, np.arange(0, 1, 0.1))
    assert found.sum() == (mask < 255).sum()
    if (mask == 1).any():
        assert 0 <= px_ap.pixel_average_precision(found) <= 100 + 1e-9


@given(levels(), nps.arrays(float, 4, elements=st.floats(-1e9, 1e9)))
def test_crops_are_inside_or_refused(image, box):
    try:
        part = crop_array(image, box, 'a.jpg')
    except ValueError as error:
        assert str(error).startswith('a.jpg')
    else:
        assert part.size


@given(st.data(), st.integers(1, 30), st.floats(0, 1))
def test_scores_of_objects(data, number, false_alarms):
    values = floats(-1e30, 1e30) | st.just(float('nan'))
    scores = data.draw(nps.arrays(float, number, elements=values))
    anomalous = data.draw(nps.arrays(bool, number))
    for value in object_values(scores, anomalous, false_alarms).values():
        assert value is None or 0 <= value <= 1


@given(nps.arrays(bool, st.integers(1, 30)), st.data())
def test_intervals_of_hits(hits, data):
    photos = data.draw(nps.arrays(int, len(hits), elements=st.integers(0, 9)))
    low, high = accuracy_interval(hits, photos)
    assert 0 <= low <= hits.mean() + 1e-9 and hits.mean() - 1e-9 <= high <= 1
    base = data.draw(nps.arrays(bool, len(hits)))
    low, high = difference_interval(hits, base, photos)
    gain = hits.mean() - base.mean()
    assert low - 1e-9 <= gain <= high + 1e-9
    sure = data.draw(nps.arrays(float, len(hits), elements=st.floats(0, 1)))
    assert 0 <= calibration_error(hits, sure) <= 1 + 1e-9


@given(st.data(), st.sampled_from(MODES), st.integers(1, 3))
def test_assembly_mixes_what_is_there(data, mode, number):
    shape = (number, 3, *data.draw(st.tuples(*[st.integers(1, 4)] * 2)))
    values = floats(-1e6, 1e6) | st.sampled_from([0.0, 1e-30])
    feature, mirrored = (
        torch.from_numpy(
            data.draw(nps.arrays(np.float32, shape, elements=values))
        )
        for _ in 'ab'
    )
    feature = feature.clone().requires_grad_()
    hole = torch.from_numpy(data.draw(nps.arrays(bool, (number, *shape[2:]))))
    made, weights = self_assembly(feature, mirrored, hole, mode)
    made.sum().backward()
    assert feature.grad.isfinite().all()
    assert made.isfinite().all()
    assert ((weights >= 0) & (weights <= 1)).all()
    assert torch.allclose(weights.sum(1), torch.ones(()), atol=1e-5)
    shown = ~hole[:, None].expand_as(made)
    assert torch.equal(made[shown], feature[shown])
    # A mix of vectors is no longer than the longest of them.
    most = max(feature.abs().max(), mirrored.abs().max())
    assert made.abs().max() <= most * (1 + 1e-4)


@given(
    nps.arrays(
        np.float32, st.tuples(*[st.integers(1, 5)] * 3), elements=floats(-9, 9)
    ),
    st.tuples(st.integers(1, 5), st.integers(1, 5)),
    st.floats(0.01, 1),
)
def test_selected_latents(attention, grid, ratio):
    attention = torch.from_numpy(attention)
    number, patches = len(attention), grid[0] * grid[1]
    latents = torch.randn(number, 1 + patches, 2)
    selector = LatentTokenSelector('top', ratio)
    tokens, index = selector(attention, latents, grid)
    count = selector.count(grid)
    assert index.shape == (number, count)
    assert tokens.shape == (number, count, 2)
    assert (index[:, 1:] > index[:, :-1]).all()
    weights = fit_attention(attention, grid).flatten(1)
    least = weights.gather(1, index).amin(1)
    assert ((weights > least[:, None]).sum(1) < count).all()


@given(
    nps.arrays(
        np.float32,
        st.tuples(st.integers(0, 8), st.integers(1, 4)),
        elements=floats(-1e4, 1e4),
    ),
    st.floats(0.01, 0.99),
)
def test_distances_to_a_centre(points, nu):
    points = torch.from_numpy(points)
    centre = svdd.push_from_zero(torch.zeros(points.shape[1]))
    far = svdd.centre_distances(points, centre)
    assert (far >= 0).all()
    assert svdd.one_class_loss(far).isfinite()
    if len(points):
        radius = svdd.quantile_radius(far, nu)
        assert float(far.min()) <= radius * (1 + 1e-6) + 1e-6
        assert radius <= float(far.max()) * (1 + 1e-6)
        loss = svdd.soft_boundary_loss(far, torch.tensor(radius), nu)
        assert loss.isfinite()
