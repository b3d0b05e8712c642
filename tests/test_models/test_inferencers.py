"""The hosts' inferencers run on our configs, without the data of training."""

import warnings

import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from PIL import Image

PHOTO = np.random.default_rng(0).integers(0, 256, (90, 70, 3), np.uint8)


@pytest.fixture(scope='module', autouse=True)
def small_memory_and_no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        yield


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """A photo as an array, and its path; there is no data folder."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(PHOTO[..., ::-1]).save('photo.png')
    return [PHOTO, 'photo.png']


def classify(cfg, photos):
    """Return the scores of each photo."""
    from mmpretrain import ImageClassificationInferencer

    model = ImageClassificationInferencer(cfg, pretrained=False, device='cpu')
    for module in model.model.modules():
        if type(module).__name__ == 'PatchSVDD':
            module.centre.fill_(0.1)  # training finds it
    results = [model(photo)[0]['pred_scores'] for photo in photos]
    assert all(np.isfinite(scores).all() for scores in results)
    return results


@pytest.mark.parametrize(
    ('name', 'classes'),
    [('resnet18_cifar10', 10), ('resnet18_cifar10-layer2', 10)],
)
def test_learn_needs_no_occluders_to_classify(name, classes, photos):
    cfg = ROOT / f'configs/learn/{name}.py'
    assert 'data/occluders' in Config.fromfile(cfg).occluders
    one, other = classify(str(cfg), photos)
    assert one.shape == (classes,)
    assert np.allclose(one, other, atol=1e-5)


def test_a_picture_without_a_data_set_is_the_object_to_crop(photos):
    from mmocc.datasets.transforms import CropObject

    crop = CropObject()
    assert crop(dict(img=PHOTO))['img'] is PHOTO
    with pytest.raises(ValueError, match=r'a\.png: its data set gives no'):
        crop(dict(img=PHOTO, sample_idx=3, img_path='a.png'))


def test_latent_ofer_classifies(photos):
    cfg = Config.fromfile(ROOT / 'configs/ofer/ofer_resnet18_rafdb.py')
    tiny = Config.fromfile(ROOT / 'configs/ofer/ofer_resnet18_cartoon.py')
    cfg.model = tiny.model  # the paper's has 300 million parameters
    cfg.model.detector.update(radius=1.0, whiten=False)  # training finds them
    for step in cfg.test_dataloader.dataset.pipeline:
        if step.type == 'Resize':
            step.scale = (64, 64)
    cfg.model.cache = None
    one, other = classify(cfg, photos)
    assert one.shape == (7,)
    assert np.allclose(one, other, atol=1e-5)


def test_dea_redraws_what_it_finds(photos):
    from mmdet.apis import DetInferencer

    cfg = Config.fromfile(ROOT / 'configs/dea/dea_fc_ornament-reduced.py')
    # Other scores compare with objects of the training.
    cfg.model.judge = dict(scores=('mse',), anomaly_score='mse')
    model = DetInferencer(cfg, device='cpu', show_progress=False)
    found = []
    for photo in photos:
        (result,) = model(photo, return_datasamples=True)['predictions']
        objects = result.pred_instances
        assert len(objects.recons) == len(objects.bboxes)
        found.append(objects.scores)
    assert torch.allclose(*found, atol=1e-4)
