"""LEARN on the layouts that mmpretrain's backbones give: maps and tokens."""

import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from torch import nn

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2, feedforward_channels=48)
VIT = dict(
    type='VisionTransformer', arch=ARCH, img_size=(32, 32), patch_size=8
)
DEIT = dict(VIT, type='DistilledVisionTransformer')
SWIN = dict(
    type='SwinTransformer',
    arch=dict(embed_dims=24, depths=[1, 2], num_heads=[2, 2]),
    img_size=32,
    window_size=2,
    out_indices=(1,),
)
MIXER = dict(
    type='MlpMixer',
    arch=dict(
        embed_dims=24,
        num_layers=2,
        tokens_mlp_dims=8,
        channels_mlp_dims=48,
    ),
    img_size=32,
    patch_size=8,
)
RESNET = dict(type='ResNet', depth=18, stem_channels=8, base_channels=8)
EFFICIENT = dict(type='EfficientNet', arch='b0')
GAP = dict(type='GlobalAveragePooling')
CLS, DIST = dict(type='VisionTransformerClsHead'), dict(type='DeiTClsHead')
# name: backbone, neck, head, channels of the head, where LEARN is, channels
CASES = {
    'ResNet': (RESNET, GAP, None, 64, None, 64),
    'ResNet inside': (RESNET, GAP, None, 64, 'backbone.layer2', 16),
    'EfficientNet': (EFFICIENT, GAP, None, 1280, None, 1280),
    'EfficientNet inside': (
        EFFICIENT, GAP, None, 1280, 'backbone.layers.2', 24
    ),
    'Swin': (SWIN, GAP, None, 48, None, 48),
    'Swin stage': (SWIN, GAP, None, 48, 'backbone.stages.0', 24),
    'Swin block': (SWIN, GAP, None, 48, 'backbone.stages.1.blocks.0', 48),
    'ViT token': (VIT, None, CLS, 24, None, 24),
    'ViT map': (dict(VIT, out_type='featmap'), GAP, None, 24, None, 24),
    'ViT block': (VIT, None, CLS, 24, 'backbone.layers.0', 24),
    'ViT no token': (
        dict(VIT, out_type='avg_featmap', with_cls_token=False),
        None, None, 24, 'backbone.layers.0', 24,
    ),
    'DeiT tokens': (DEIT, None, DIST, 24, None, 24),
    'DeiT block': (DEIT, None, DIST, 24, 'backbone.layers.0', 24),
    'Mixer': (MIXER, dict(GAP, dim=1), None, 24, None, 24),
    'Mixer block': (
        MIXER, dict(GAP, dim=1), None, 24, 'backbone.layers.0', 24
    ),
}  # fmt: skip


def build(backbone, neck, head, channels, after=None, width=None, **more):
    """Build a classifier, with LEARN if its width is given."""
    head = dict(head or dict(type='LinearClsHead', topk=1))
    head.update(num_classes=3, in_channels=channels)
    cfg = dict(type='ImageClassifier', backbone=backbone, neck=neck, head=head)
    cfg['data_preprocessor'] = dict(mean=[128] * 3, std=[64] * 3)
    if width:
        learn = dict(type='mmocc.LEARN', in_channels=width)
        cfg['type'] = 'mmocc.LEARNClassifier'
        if after:
            cfg.update(insert_after=after, learn=learn)
        else:
            cfg['neck'] = [learn, neck] if neck else learn
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        torch.manual_seed(0)
        return MODELS.build(copy.deepcopy(dict(cfg, **more)))


def batch(size=(32, 32), channels=3):
    torch.manual_seed(1)
    samples = [DataSample().set_gt_label(i) for i in range(3)]
    return torch.rand(3, channels, *size) * 4 - 2, samples


@pytest.mark.parametrize('name', CASES)
def test_it_trains_learn_alone_and_predicts(name):
    model = build(*CASES[name]).train()
    inputs, samples = batch()
    losses = model.loss(inputs, samples)
    sum(losses.values()).backward()
    trained = {n for n, p in model.named_parameters() if p.grad is not None}
    assert trained == {
        n for n, p in model.named_parameters() if p.requires_grad
    }
    assert all(n.startswith(('neck', 'inner_learn')) for n in trained)
    gradients = [p.grad.abs().sum() for p in model.learn.parameters()]
    assert all(gradient > 0 for gradient in gradients)
    model.eval()
    with torch.no_grad():
        predicted = model.predict(inputs, samples)
        logits = model(inputs)
    for sample, row in zip(predicted, logits, strict=True):
        assert torch.allclose(sample.pred_score, row.softmax(0), atol=1e-6)


@pytest.mark.parametrize('name', [n for n in CASES if CASES[n][4]])
def test_a_learn_that_changes_nothing_gives_the_baselines_logits(
    name, monkeypatch
):
    backbone, neck, head, channels, _, _ = CASES[name]
    baseline = build(backbone, neck, head, channels).eval()
    model = build(*CASES[name]).eval()
    model.load_state_dict(baseline.state_dict(), strict=False)
    monkeypatch.setattr(model.learn, 'repair_map', lambda maps: (maps, None))
    inputs, _ = batch()
    with torch.no_grad():
        assert torch.allclose(model(inputs), baseline(inputs), atol=1e-6)


def test_the_class_token_stays_and_patches_are_repaired_where_they_lie():
    backbone, *rest = CASES['ViT block']
    model = build(dict(backbone, img_size=(16, 48)), *rest).eval()
    inputs, _ = batch((16, 48))
    tokens = []
    block = model.backbone.layers[0]
    before = block.register_forward_hook(lambda m, a, out: tokens.append(out))
    after = model.backbone.layers[1].register_forward_pre_hook(
        lambda m, args: tokens.append(args[0])
    )
    with torch.no_grad():
        model(inputs)
        first, second = tokens
        grid = first[:, 1:].reshape(3, 2, 6, 24).permute(0, 3, 1, 2)
        repaired, _ = model.learn.repair(grid)
    assert torch.equal(second[:, 0], first[:, 0])
    expected = repaired.permute(0, 2, 3, 1).reshape(3, 12, 24)
    assert torch.allclose(second[:, 1:], expected, atol=1e-6)
    before.remove()
    after.remove()


def test_halves_of_a_grid_that_is_not_square_are_known():
    backbone, *rest = CASES['Swin block']
    model = build(dict(backbone, img_size=(32, 64)), *rest)
    shapes = []
    encode = model.learn.encode
    model.learn.encode = lambda x: shapes.append(x.shape[-2:]) or encode(x)
    inputs, samples = batch((32, 64))
    model.loss(inputs, samples)
    assert shapes == [(4, 8)]  # after patches of 4, and one merging


class Raw(nn.Module):
    """A backbone of one patch embedding, whose tokens are its output."""

    def __init__(self, wrap=tuple):
        super().__init__()
        self.patch_embed = Patches()
        self.wrap = wrap

    def forward(self, x):
        tokens, _ = self.patch_embed(x)
        return self.wrap([tokens])


class Patches(nn.Conv2d):
    def __init__(self):
        super().__init__(3, 24, 8, 8)

    def forward(self, x):
        x = super().forward(x)
        return x.flatten(2).transpose(1, 2), x.shape[-2:]


class MeanHead(nn.Module):
    """Reads the last of a tuple, list or dict of tokens, and averages them."""

    num_classes = 3

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(24, 3)

    def forward(self, feats):
        if isinstance(feats, dict):
            feats = list(feats.values())
        return self.fc(feats[-1].mean(dim=1))


def build_raw(wrap=tuple, learn=None, **more):
    learn = dict(dict(type='mmocc.LEARN', in_channels=24), **learn or {})
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(
            dict(
                type='mmocc.LEARNClassifier',
                backbone=Raw(wrap),
                neck=learn,
                head=MeanHead(),
                data_preprocessor=dict(mean=[128] * 3, std=[64] * 3),
                **more,
            )
        )


def as_dict(parts):
    return dict(shallow=torch.zeros(1), tokens=parts[-1])


@pytest.mark.parametrize('wrap', [tuple, list, as_dict, lambda p: p[0]])
def test_tuples_lists_dicts_and_tensors_are_read_and_written(wrap):
    model = build_raw(wrap)
    inputs, samples = batch()
    sum(model.loss(inputs, samples).values()).backward()
    output = model.extract_feat(inputs)
    assert type(output) is {as_dict: dict, list: list}.get(wrap, tuple)


def test_tokens_of_another_grid_than_a_square_must_be_told():
    inputs, samples = batch((16, 40))  # 2 x 5 = 3 x 3 + 1 tokens
    with pytest.raises(ValueError, match=r'set token_grid=.2, 5. in mmocc'):
        build_raw().loss(inputs, samples)
    inputs, samples = batch((16, 48))  # 2 x 6
    with pytest.raises(ValueError, match=r'12 tokens.*token_grid=\(h, w\)'):
        build_raw().loss(inputs, samples)
    model = build_raw(learn=dict(token_grid=(2, 6)))
    sum(model.loss(inputs, samples).values()).backward()


def test_grey_images_train():
    backbone, *rest = CASES['ResNet']
    model = build(
        dict(backbone, in_channels=1),
        *rest,
        data_preprocessor=dict(mean=[128], std=[64]),
    )
    sum(model.loss(*batch(channels=1)).values()).backward()
