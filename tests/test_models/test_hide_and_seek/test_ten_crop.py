import copy

import pytest
import torch
from conftest import ROOT
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.models.hide_and_seek.cam_averages import paste_crops

SIZE = (6, 6)
FIVE = [(0, 0, 4, 4), (2, 0, 6, 4), (0, 2, 4, 6), (2, 2, 6, 6), (1, 1, 5, 5)]
TEN = [box for box in FIVE for _ in range(2)]
FLIPS = [False, True] * 5


def classifier(num_classes=3):
    return dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[127.5] * 3, std=[60.0] * 3),
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=4,
            base_channels=4,
            strides=(1, 2, 2, 1),
        ),
        head=dict(
            type='mmocc.CAMHead', num_classes=num_classes, in_channels=32
        ),
    )


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(copy.deepcopy(cfg))
    model.init_weights()
    model.eval()
    return model


def with_crops(module):
    return build(dict(type='mmocc.TenCropTTA', module=module))


def crops_of(image, samples):
    """Return the maps that crops of a whole map have."""
    return [
        image[:, y1:y2, x1:x2].flip(-1) if flip else image[:, y1:y2, x1:x2]
        for (x1, y1, x2, y2), flip in samples
    ]


def test_ten_constant_maps_make_the_same_constant():
    cams = [torch.full((2, 3, 3), 5.0)] * 10
    pasted = paste_crops(cams, TEN, FLIPS, SIZE)
    assert torch.equal(pasted, torch.full((2, *SIZE), 5.0))


def test_crops_of_a_map_make_that_map_again():
    whole = torch.randn(2, *SIZE)
    cams = crops_of(whole, list(zip(TEN, FLIPS, strict=True)))
    torch.testing.assert_close(paste_crops(cams, TEN, FLIPS, SIZE), whole)


def test_overlapping_crops_are_averaged_where_they_overlap():
    cams = [torch.full((1, 4, 4), 2.0), torch.full((1, 4, 4), 6.0)]
    pasted = paste_crops(
        cams, [(0, 0, 4, 4), (2, 0, 6, 4)], [False, False], (4, 6)
    )
    row = torch.tensor([2.0, 2.0, 4.0, 4.0, 6.0, 6.0])
    assert torch.equal(pasted[0], row.expand(4, 6))


def test_small_maps_are_enlarged_and_mirrored_ones_turned_back():
    cam = torch.tensor([[[0.0, 4.0]]])
    # bilinear, pixel centres aligned
    row = torch.tensor([0.0, 1.0, 3.0, 4.0])
    box = [(0, 0, 4, 2)]
    plain = paste_crops([cam], box, [False], (2, 4))
    turned = paste_crops([cam], box, [True], (2, 4))
    torch.testing.assert_close(plain[0], row.expand(2, 4))
    torch.testing.assert_close(turned[0], row.flip(0).expand(2, 4))


def test_pixels_in_no_crop_are_refused():
    with pytest.raises(ValueError, match='leave parts of the 4x9 image'):
        paste_crops(
            [torch.ones(1, 2, 2)] * 2,
            [(0, 0, 4, 4), (5, 0, 9, 4)],
            [False, False],
            (4, 9),
        )


def merged(maps, label=2):
    """Merge two halves of an image whose scores are unlike."""
    model = classifier()
    model['head']['maps'] = maps
    tta = with_crops(model)
    halves = []
    scores = [(0.9, 0.1, 0.0), (0.0, 0.6, 0.4)]
    for number, score in enumerate(scores):
        sample = DataSample(
            metainfo=dict(
                crop_box=(4 * number, 0, 4 * number + 4, 4),
                full_shape=(4, 8),
                img_shape=(4, 4),
                flip=bool(number),
                img_path='a.png',
            )
        )
        sample.set_gt_label(label).set_pred_score(torch.tensor(score))
        sample.set_pred_label(torch.tensor(score).argmax(0, keepdim=True))
        values = torch.arange(3.0) + 10 * number
        sample.cams = values[:, None, None].expand(3, 2, 2)
        halves.append(sample)
    (result,) = tta.merge_preds([halves])
    return result


def test_the_predicted_class_is_that_of_the_averaged_scores():
    # class 0 by 0.45 on average, though the second crop says 1
    result = merged(['pred', 'gt'])
    torch.testing.assert_close(
        result.pred_score, torch.tensor([0.45, 0.35, 0.2])
    )
    assert int(result.pred_label) == 0
    assert result.pred_cam[0].tolist() == [0.0] * 4 + [10.0] * 4
    assert result.gt_cam[0].tolist() == [2.0] * 4 + [12.0] * 4
    assert result.img_shape == (4, 8)
    assert result.img_path == 'a.png'
    assert int(result.gt_label) == 2
    assert 'cams' not in result
    assert 'crop_box' not in result


def test_it_gives_the_maps_that_the_head_was_asked_for():
    result = merged(['all'])
    assert result.cams.shape == (3, 4, 8)
    assert result.cams[1, 0].tolist() == [1.0] * 4 + [11.0] * 4
    assert 'pred_cam' not in result
    assert 'gt_cam' not in merged(['pred'])


@pytest.fixture
def ten_crops():
    """Return the pipeline of the base config, after loading."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/ten_crop.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return Compose(cfg.tta_pipeline[1:])


def photo(side=300):
    image = torch.randint(0, 256, (side, side - 40, 3), dtype=torch.uint8)
    return dict(
        img=image.numpy(),
        gt_label=1,
        img_path='photo.png',
        img_shape=image.shape[:2],
        ori_shape=image.shape[:2],
    )


def test_the_base_config_makes_ten_crops_that_cover_the_image(ten_crops):
    crops = ten_crops(photo())
    samples = crops['data_samples']
    assert len(samples) == len(crops['inputs']) == 10
    assert {tuple(x.shape) for x in crops['inputs']} == {(3, 224, 224)}
    kinds = {(s.crop_box, s.flip) for s in samples}
    corners = [(0, 0), (32, 0), (0, 32), (32, 32), (16, 16)]
    assert kinds == {
        ((x, y, x + 224, y + 224), flip)
        for x, y in corners
        for flip in (False, True)
    }
    assert samples[0].full_shape == (256, 256)
    assert samples[0].ori_shape == (300, 260)


@pytest.mark.parametrize('kind', ['classifier', 'ensemble'])
def test_a_batch_through_a_network_has_maps_of_the_whole_image(
    ten_crops, kind
):
    module = classifier()
    if kind == 'ensemble':
        module = dict(type='mmocc.CAMEnsemble', models=[module, module])
    tta = with_crops(module)
    images = [photo(), photo(280)]
    batch = [ten_crops(dict(image)) for image in images]
    results = tta.test_step(pseudo_collate(batch))
    assert len(results) == 2
    crop = [
        dict(inputs=[one['inputs'][i]], data_samples=[DataSample()])
        for one in batch[:1]
        for i in range(10)
    ]
    with torch.no_grad():
        scores = torch.stack(
            [tta.module.test_step(c)[0].pred_score for c in crop]
        )
    torch.testing.assert_close(
        results[0].pred_score, scores.mean(dim=0), rtol=1e-4, atol=1e-4
    )
    for result in results:
        assert result.pred_cam.shape == result.gt_cam.shape == (256, 256)
        assert result.pred_cam.isfinite().all()


def test_a_model_without_class_maps_is_refused():
    module = classifier()
    module['head'] = dict(type='LinearClsHead', num_classes=2, in_channels=32)
    with pytest.raises(ValueError, match=r'needs class maps.*LinearClsHead'):
        with_crops(module)
