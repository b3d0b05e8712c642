"""What a user may give Latent-OFER by mistake is told in words."""

import pytest
import tiny_ofer
import torch


@pytest.fixture(scope='module')
def model():
    return tiny_ofer.build().eval()


def images_of(model, number=2):
    return tiny_ofer.normalised(model, tiny_ofer.photos(number))


@pytest.mark.parametrize('mode', ['tensor', 'predict', 'loss'])
def test_a_batch_without_an_image(model, mode):
    with pytest.raises(ValueError, match=r'without an image: \(0, 3, 32, 32'):
        model(torch.zeros(0, 3, 32, 32), [], mode=mode)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_an_image_with_nan_or_inf_is_named(model, value):
    images = images_of(model)
    images[1, 2, 5, 7] = value
    samples = tiny_ofer.samples(2)
    samples[1].set_metainfo(dict(img_path='faces/odd.jpg'))
    with pytest.raises(ValueError, match=r'odd\.jpg: has NaN or inf \(1 of 2'):
        model(images, samples, mode='predict')
    with pytest.raises(ValueError, match='image 1 of the batch: has NaN'):
        model(images, mode='tensor')
    detector = model.stages.detector
    with pytest.raises(ValueError, match='image 1 of the batch: has NaN'):
        detector(images, mode='predict')


@pytest.mark.parametrize('size', [(35, 35), (64, 64), (32, 40), (16, 16)])
def test_a_photo_of_another_size_is_told_that_of_the_model(model, size):
    height, width = size
    with pytest.raises(ValueError) as raised:
        model(torch.zeros(1, 3, height, width), mode='predict')
    assert f'{height} x {width} pixels (h x w)' in str(raised.value)
    assert "resize images to 32 x 32: dict(type='Resize', scale=(32, 32))" in (
        str(raised.value)
    )


@pytest.mark.parametrize('label', [7, -1])
def test_a_label_outside_the_classes_is_named(model, label):
    samples = tiny_ofer.samples(2)
    samples[1].set_gt_label(label)
    samples[1].set_metainfo(dict(img_path='faces/odd.jpg'))
    with pytest.raises(ValueError) as raised:
        model(images_of(model), samples, mode='loss')
    for words in ('odd.jpg', f'its label {label}', '7 classes of the head'):
        assert words in str(raised.value)
