"""tools/dev/ofer_masked.py: its functions on small arrays."""

import importlib
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

sys.path.insert(0, str(ROOT / 'tools/dev'))

pytest.importorskip('mmpretrain')
pytest.importorskip('sklearn')
tool = importlib.import_module('ofer_masked')


def test_contrast_is_even_whatever_the_light():
    generator = torch.Generator().manual_seed(0)
    image = torch.randint(100, 150, (3, 64, 64), generator=generator)
    dark = (image // 2).to(torch.uint8)
    even = tool.even_contrast(dark)
    face = even[:, 16:64, 8:56].float()
    assert even.dtype == torch.uint8
    assert abs(float(face.mean()) - 120) < 1
    assert abs(float(face.std()) - 50) < 1
    bright = tool.even_contrast(dark * 2 + 20).int()
    assert (bright - even.int()).abs().max() <= 1


def test_a_uniform_face_stays_uniform():
    assert (tool.even_contrast(torch.full((3, 16, 16), 9.0)) == 120).all()


def test_batches_are_evened_and_keep_their_samples():
    image = torch.arange(3 * 64).reshape(3, 8, 8).to(torch.uint8)
    (data,) = tool.evened([dict(inputs=[image], data_samples=['one'])])
    assert data['data_samples'] == ['one']
    assert torch.equal(data['inputs'][0], tool.even_contrast(image))


@pytest.mark.parametrize(
    ('name', 'who'),
    [
        ('cut/images_Ada_Lovelace_0001.png', 'Ada_Lovelace'),
        ('0_0_anhu_0214.jpg', 'anhu'),
        ('Ada_Lovelace', 'Ada_Lovelace'),
        ('389.jpg', '389'),
    ],
)
def test_a_name_tells_the_person(name, who):
    assert tool.person(name) == who


def test_only_patches_of_the_face_count():
    counted = tool.places(dict(face=True)).reshape(8, 8)
    assert counted.sum() == 36
    assert counted[2:, 1:7].all()
    assert tool.places({}).all()


def test_each_half_of_the_clear_faces_is_judged_by_the_other():
    rows = np.linspace(0, 1, 40).reshape(10, 4)
    rows[0] = 9  # clear faces 0, 2 and 4 make a radius for 1 and 3
    truth = np.array([0] * 5 + [1] * 5)
    half = np.arange(10) % 2
    values = tool.held_out(rows, truth, half, 0.1)
    assert values['clear held 0.1'] == pytest.approx(100 * (0 + 2 / 3) / 2)
    assert values['masked held 0.1'] == pytest.approx(50)


def test_a_photo_without_a_face_is_taken_whole():
    cut = ['p/ada.png', 'p/dan.png', 'p/eve.png']
    photos = dict(subject=cut, label=[0, 0, 1])
    whole = dict(
        subject=['p/ada.jpg', 'p/dan.jpg', 'p/gus.jpg', 'p/eve.jpg'],
        label=[0, 0, 0, 1],
    )
    assert set(tool.fold_numbers(['ada', 'dan'], 2)) == {0, 1}
    judged = tool.Judged(
        np.array([[0.5], [0.6], [2.0]]),
        np.array([[0.5], [0.6], [2.0], [2.0]]),
        np.array([[0.5], [1.5]]),
    )
    values = tool.values_of(judged, photos, whole, np.ones(1, bool))
    assert values['auroc'] == 100
    # gus is flagged, too: one of three clear photos ties with the masked one
    assert values['all'] == pytest.approx(100 * (2 + 0.5) / 3)
    assert values['mux6'] == 50
