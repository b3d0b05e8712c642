"""The classifier of weakened features: only its head learns."""

import copy
import math

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.structures import DataSample
from torch import nn

from mmocc.models.ofer import WeakenedFeatureClassifier
from mmocc.models.ofer.feature_tokens import token_features
from mmocc.registry import MODELS


class Levels(nn.Module):
    """Pixels at 16, 8, 4 and 2 cells a side, after a weight."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.eye(3))

    def forward(self, x):
        """Return four maps."""
        x = torch.einsum('dc,nchw->ndhw', self.weight, x)
        shrunk = [nn.functional.avg_pool2d(x, side) for side in (2, 4, 8)]
        return x, *shrunk


HEAD = dict(
    type='StackedLinearClsHead', num_classes=3, mid_channels=[8], topk=(1,)
)
DETECTOR = dict(
    type='mmocc.PatchGaussian',
    grid=(4, 4),
    size=16,
    dims=None,
    ridge=0.1,
    keep_folds=True,
)


def build(detector=True, **options):
    """Build a model; ``detector`` changes options of the detector."""
    torch.manual_seed(0)
    cfg = dict(
        type='mmocc.WeakenedFeatureClassifier',
        backbone=Levels(),
        head=HEAD,
        grid=(4, 4),
        size=16,
        dims=3,
        data_preprocessor=dict(
            mean=[127.0] * 3, std=[128.0] * 3, to_rgb=True, num_classes=3
        ),
    )
    if detector:
        more = detector if isinstance(detector, dict) else {}
        cfg['detector'] = dict(DETECTOR, backbone=Levels(), **more)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(cfg | options)


def photos(number, seed=0):
    """Return uint8 photos (number, 3, 16, 16) that are alike."""
    torch.manual_seed(seed)
    base = torch.arange(16.0).view(1, 1, 16, 1) * 8
    noise = 40 * torch.randn(number, 3, 4, 4).repeat_interleave(4, 2)
    return (60 + base + noise.repeat_interleave(4, 3)).clamp(0, 255).byte()


def batches(number=24):
    images = photos(number)
    for start in range(0, number, 8):
        samples = []
        for place in range(start, start + 8):
            sample = DataSample().set_gt_label(place % 3)
            sample.set_metainfo(dict(img_path=f'{place}.png'))
            samples.append(sample)
        yield dict(
            inputs=list(images[start : start + 8]), data_samples=samples
        )


def fitted(**options):
    model = build(**options)
    model.fit(list(batches()))
    return model


def normal(model, images):
    return model.data_preprocessor(dict(inputs=list(images)), False)['inputs']


def test_an_infinite_radius_is_the_control():
    model, control = fitted(), fitted(detector=None)
    images = normal(model, photos(5, seed=3))
    assert model.extract_feat(images)[0].shape == (5, 20 * 4)
    weakened = model.extract_feat(images)[0]
    assert not torch.allclose(weakened, control.extract_feat(images)[0])
    model.detector.radius.fill_(math.inf)
    (read,) = model.extract_feat(images)
    assert torch.equal(read, control.extract_feat(images)[0])
    assert (read[:, -20:] == -1).all()
    features = token_features(model.backbone(images), (4, 4))
    tokens = model.tokens(features).flatten(1)
    assert torch.allclose(read[:, :-20], tokens, rtol=4e-4, atol=0)


def test_tokens_of_an_unusual_patch_are_weakened():
    model = fitted()
    plain = photos(4, seed=3)
    hidden = plain.clone()
    hidden[:, :, 4:8, 8:12] = 255  # patch 6, in the deep cell 1
    before, after = (
        model.extract_feat(normal(model, images))[0].split([60, 20], 1)
        for images in (plain, hidden)
    )
    told = after[1]
    assert (told[:, 6] > 0.5).all()
    assert (told[:, 6] > before[1][:, 6]).all()
    four = told[:, [2, 3, 6, 7]].mean(1)
    assert torch.allclose(told[:, 17], four)
    share = 1 / (1 + torch.exp(8 * told[:, 6]))
    features = token_features(model.backbone(normal(model, hidden)), (4, 4))
    token = model.tokens(features)[:, 6]
    read = after[0].view(4, 20, 3)[:, 6]
    assert torch.allclose(read, token * share[:, None], rtol=1e-4)


def test_a_batch_gives_what_single_photos_give():
    model = fitted().eval()
    images = normal(model, photos(5, seed=2))
    together = model(images)
    single = torch.cat([model(image[None]) for image in images])
    assert together.shape == (5, 3)
    assert torch.allclose(together, single, atol=1e-5)


def test_a_step_changes_only_the_head():
    model = fitted().train()
    assert not model.backbone.training and not model.detector.training
    before = copy.deepcopy(model.state_dict())
    trains = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trains == {f'head.{n}' for n, _ in model.head.named_parameters()}
    step = torch.optim.SGD((p for p in model.parameters()), 0.1)
    data = model.data_preprocessor(next(batches()), True)
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss'}
    losses['loss'].backward()
    step.step()
    after = model.state_dict()
    assert {k for k in after if not torch.equal(before[k], after[k])} == trains


def test_training_judges_faces_by_those_of_other_people():
    model = fitted()
    data = model.data_preprocessor(next(batches()), True)
    own = model.detector.patch_distances(data['inputs'])
    other = model.detector.training_distances(
        **{
            'images': data['inputs'],
            'samples': data['data_samples'],
        }
    )
    assert other.mean() > 1.05 * own.mean()
    seen = []
    model.head.loss = lambda feats, samples: seen.append(feats[0]) or {}
    model.drop = 0.0
    model.train()(**data, mode='loss')
    (wanted,) = model.read(data['inputs'], other)
    assert torch.equal(seen[0], wanted)
    model.eval()(**data, mode='loss')
    assert torch.equal(seen[1], model.extract_feat(data['inputs'])[0])
    plain = fitted(detector=dict(keep_folds=False)).detector
    args = data['inputs'], data['data_samples']
    assert torch.equal(plain.training_distances(*args), own)
    assert not any('other' in key for key in plain.state_dict())


def test_predictions_have_expression_and_patches():
    model = fitted().eval()
    images = normal(model, photos(2, seed=2))
    scores = model(images).softmax(1)
    for row, sample in zip(scores, model(images, mode='predict'), strict=True):
        assert torch.allclose(sample.pred_score, row)
        assert sample.patch_grid == (4, 4)
        over = sample.pred_patch_dist > sample.patch_radius
        assert torch.equal(sample.pred_patch_mask, over)
    control = fitted(detector=None).eval()
    assert 'pred_patch_dist' not in control(images, mode='predict')[0]


def test_faces_of_another_size_are_resized():
    model = fitted().eval()
    images = normal(model, photos(2))
    large = images.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.allclose(model(large), model(images), atol=0.05)


def test_statistics_take_mirror_images_and_a_known_detector_stays():
    model, plain = fitted(), fitted(mirror=False)
    lines = model.tokens.mean0.view(4, 4, -1)[..., :3]
    assert torch.allclose(lines, lines.flip(1), atol=1e-4)
    lines = plain.tokens.mean0.view(4, 4, -1)[..., :3]
    assert not torch.allclose(lines, lines.flip(1), atol=1e-2)
    other = build()
    other.detector.load_state_dict(plain.detector.state_dict())
    assert not other.radius > 0  # the hook fits
    assert other.fit(list(batches())).patches == 0
    assert torch.equal(other.radius, plain.radius)
    assert torch.equal(other.tokens.mean0, model.tokens.mean0)


def test_a_checkpoint_holds_all():
    model, copied = fitted().eval(), build().eval()
    copied.load_state_dict(model.state_dict())
    images = normal(model, photos(3, seed=5))
    assert torch.equal(copied(images), model(images))


def test_wrong_use_is_named():
    with pytest.raises(ValueError, match='slope=0'):
        build(slope=0)
    with pytest.raises(ValueError, match='drop=1'):
        build(drop=1)
    with pytest.raises(ValueError, match='at least as fine as the grid'):
        build(grid=(32, 32))
    images = torch.zeros(1, 3, 16, 16)
    with pytest.raises(RuntimeError, match='FitRadiusHook'):
        build(detector=None)(images)
    with pytest.raises(RuntimeError, match='not fitted'):
        build()(images)
    model = fitted()
    with pytest.raises(ValueError, match="mode='train'"):
        model(images, mode='train')
    with pytest.raises(ValueError, match='without an image'):
        model(images[:0])
    with pytest.raises(ValueError, match='NaN'):
        model(images * math.nan, mode='predict')
    model.grid = (2, 2)
    with pytest.raises(ValueError, match='finds 16 patches'):
        model(images)
    assert isinstance(model, WeakenedFeatureClassifier)
