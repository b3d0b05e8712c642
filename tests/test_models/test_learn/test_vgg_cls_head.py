import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_state_dict
from mmpretrain.registry import MODELS

SMALL = dict(type='mmocc.VGGClsHead', num_classes=5, feat_size=1)


def build(cfg):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(cfg)
    model.init_weights()
    return model.eval()


def stock(num_classes=5):
    """mmpretrain's VGG-11 with its FC layers inside the backbone."""
    backbone = dict(type='VGG', depth=11, num_classes=num_classes)
    head = dict(type='ClsHead')
    return build(dict(type='ImageClassifier', backbone=backbone, head=head))


def ours(**init_cfg):
    """The same network with the FC layers in our head."""
    backbone = dict(type='VGG', depth=11, num_classes=-1, out_indices=(4,))
    head = dict(type='mmocc.VGGClsHead', num_classes=5)
    backbone.update(init_cfg)
    head.update(init_cfg)
    return dict(type='ImageClassifier', backbone=backbone, head=head)


def pretrained(path):
    return dict(type='Pretrained', checkpoint=str(path), prefix='backbone.')


def assert_equal_models(model, theirs):
    for index in (0, 3, 6):
        assert torch.equal(
            model.head.classifier[index].weight,
            theirs.backbone.classifier[index].weight,
        )
    x = torch.randn(2, 3, 224, 224)
    with torch.no_grad():
        expected = theirs.backbone(x)[-1]
        assert torch.allclose(
            model.head(model.backbone(x)), expected, atol=1e-5
        )


def test_mmpretrain_vgg_checkpoints_initialise_it_with_equal_logits(tmp_path):
    theirs = stock()
    torch.save(theirs.state_dict(), tmp_path / 'vgg.pth')
    model = build(ours(init_cfg=pretrained(tmp_path / 'vgg.pth')))
    assert_equal_models(model, theirs)


def test_a_last_layer_of_other_classes_is_not_loaded(tmp_path):
    theirs = stock(num_classes=7)
    torch.save(theirs.state_dict(), tmp_path / 'vgg.pth')
    model = build(ours(init_cfg=pretrained(tmp_path / 'vgg.pth')))
    assert model.head.classifier[6].weight.shape == (5, 4096)
    assert torch.equal(
        model.head.classifier[3].weight, theirs.backbone.classifier[3].weight
    )


@pytest.mark.parametrize('loader', ['torch', 'mmengine'])
def test_learn_classifier_loads_them_by_load_from(loader):
    theirs = stock()
    neck = dict(type='mmocc.LEARN', in_channels=512)
    model = build(dict(ours(), type='mmocc.LEARNClassifier', neck=neck))
    state = theirs.state_dict()
    names = list(state)
    if loader == 'torch':
        missing = model.load_state_dict(state, strict=False).missing_keys
        assert all(k.startswith(('neck.', 'occluder.')) for k in missing)
    else:
        load_state_dict(model, state)
    assert list(state) == names  # the caller's dict is not touched
    assert_equal_models(model, theirs)


def test_a_map_of_another_size_says_both_shapes():
    head = MODELS.build(SMALL)
    with pytest.raises(ValueError, match=r'\(512, 1, 1\).*\(512, 2, 2\)'):
        head((torch.randn(1, 512, 2, 2),))


def test_dropout_is_active_in_training_only():
    head = MODELS.build(SMALL)
    x = (torch.randn(4, 512, 1, 1),)
    assert not torch.equal(head.train()(x), head(x))
    assert torch.equal(head.eval()(x), head(x))
