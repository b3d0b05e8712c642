"""Pictures of the stages of Latent-OFER."""

import numpy as np
import pytest
import tiny_ofer
import torch
from mmpretrain.structures import DataSample

from mmocc.visualization import ofer_pictures as pictures
from mmocc.visualization.sheet import draw_sheet

CLASSES = ['Surprise', 'Fear', 'Disgust', 'Joy', 'Sadness', 'Anger', 'Neutral']


def predicted():
    """Return a face (8 x 8 px, 2 x 2 patches) and its prediction."""
    inputs = torch.zeros(3, 8, 8)
    inputs[2] = 200  # BGR: red
    sample = DataSample().set_gt_label(3).set_pred_label(3)
    sample.set_pred_score(torch.tensor([0.1, 0, 0, 0.8, 0.1, 0, 0]))
    sample.set_metainfo(dict(patch_grid=(2, 2)))
    sample.pred_patch_dist = torch.tensor([0.5, 2.0, 1.0, 0.7])
    sample.pred_patch_mask = torch.tensor([False, True, False, False])
    sample.recon = torch.full((3, 8, 8), 99.6)
    sample.attention = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    sample.chosen_patches = torch.tensor([[False, False], [True, True]])
    return inputs, sample


def test_a_row_shows_every_stage_in_order():
    inputs, sample = predicted()
    row = pictures.ofer_row(inputs, 'face', sample, CLASSES)
    captions = {panel.title: panel.caption for panel in row}
    assert list(captions.items()) == [
        ('face', 'truth: Joy'),
        ('distance', '0.50 to 2.00'),
        ('occluded', '1 of 4 patches'),
        ('reconstructed', ''),
        ('attention', '2 latents read'),
        ('expression', 'Joy 80 %'),
    ]
    assert row[0].image[0, 0].tolist() == [200, 0, 0]
    assert (row[3].image == 100).all()
    assert draw_sheet([row]).ndim == 3


def test_only_hidden_patches_are_painted():
    inputs, sample = predicted()
    image = pictures.ofer_row(inputs, '', sample)[2].image
    painted = (image == pictures.HIDDEN).all(axis=-1)
    assert painted[:4, 4:].all()
    assert painted.sum() == 16
    assert (image[~painted] == (200, 0, 0)).all()


def test_the_most_anomalous_patch_is_red_and_the_least_blue():
    image = np.zeros((8, 8, 3), np.uint8)
    values = np.array([[0.5, 2.0], [1.0, 0.7]])
    scale = pictures.distance_scale(values, None)
    assert scale[:2] == (0.5, 2.0)
    heat = pictures.overlay_patches(image, values, scale)
    assert heat[1, 6, 0] > heat[1, 6, 2]
    assert heat[1, 1, 2] > heat[1, 1, 0]
    assert (heat[:4, 4:] == heat[0, 4]).all()
    flat = np.ones((2, 2))
    scale = pictures.distance_scale(flat, None)
    drawn = pictures.overlay_patches(image, flat, scale)
    assert (drawn == drawn[0, 0]).all()  # no division by zero


def test_distances_have_the_same_colours_on_all_faces():
    near, far = np.full((2, 2), 0.5), np.full((2, 2), 3.0)
    image = np.zeros((8, 8, 3), np.uint8)
    scales = [pictures.distance_scale(v, 1.5) for v in (near, far)]
    assert scales[0] == scales[1] == (0.0, 3.0, 'distance (radius 1.5)')
    drawn = [
        pictures.overlay_patches(image, values, scales[0])[0, 0]
        for values in (near, far)
    ]
    assert drawn[0][2] > drawn[0][0] and drawn[1][0] > drawn[1][2]
    inputs, sample = predicted()
    sample.set_metainfo(dict(patch_radius=1.5))
    assert pictures.ofer_row(inputs, '', sample)[1].scale == scales[0]


@pytest.mark.parametrize(('label', 'colour'), [(3, 'green'), (2, 'crimson')])
def test_a_right_expression_is_green_and_a_wrong_one_red(label, colour):
    inputs, sample = predicted()
    sample.set_gt_label(label)
    assert pictures.ofer_row(inputs, '', sample)[-1].colour == colour


def test_a_face_needs_a_prediction_but_no_label_or_stages():
    with pytest.raises(ValueError, match='has no pred_score'):
        pictures.ofer_row(torch.zeros(3, 8, 8), '', DataSample())
    inputs, _ = predicted()
    sample = DataSample().set_pred_label(1)
    sample.set_pred_score(torch.tensor([0.25, 0.75]))
    row = pictures.ofer_row(inputs, 'face', sample)
    assert [panel.title for panel in row] == ['face', 'expression']
    assert row[-1].caption == 'class 1 75 %'
    assert row[-1].colour == 'black'


def test_bars_are_as_long_as_the_probabilities():
    bars = pictures.draw_scores(np.array([0.0, 1.0, 0.5]))
    blue = np.abs(bars.astype(int) - (31, 119, 180)).sum(-1) < 30
    lengths = sorted({int(n) for n in blue.sum(axis=1)} - {0})
    assert lengths[-1] == pytest.approx(2 * lengths[0], abs=3)
    assert bars.shape == (240, 240, 3)


def test_predictions_of_the_real_model_are_drawn():
    model = tiny_ofer.build().eval()
    photos = tiny_ofer.photos(2)
    data = dict(inputs=list(photos), data_samples=tiny_ofer.samples(2))
    with torch.no_grad():
        samples = model.test_step(data)
    rows = [
        pictures.ofer_row(photo, 'photo', sample, CLASSES)
        for photo, sample in zip(photos, samples, strict=True)
    ]
    assert all(len(row) == 6 for row in rows)
    face, mask = rows[0][3].image, samples[0].pred_patch_mask.view(4, 4)
    known = np.kron(~mask.numpy(), np.ones((8, 8), bool))
    assert np.array_equal(face[known], rows[0][0].image[known])
    assert not np.array_equal(face[~known], rows[0][0].image[~known])
