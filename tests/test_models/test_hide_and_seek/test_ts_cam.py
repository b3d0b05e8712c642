"""TS-CAM by the values of its definition, on a tiny ViT."""

import copy

import pytest
import torch
from mmpretrain.models.backbones import VisionTransformer
from mmpretrain.structures import DataSample
from torch.nn import functional as F

from mmocc.models.hide_and_seek import TSCAMHead, TSCAMViT
from mmocc.utils.cell_grid import CellGrid
from mmocc.visualization.receptive_field import find_cells

HEADS, SIDE = 2, 24  # of the ViT; of images, in pixels: 3x2 patches
ARCH = dict(
    embed_dims=8, num_layers=3, num_heads=HEADS, feedforward_channels=16
)


def network(**options):
    torch.manual_seed(0)
    made = TSCAMViT(arch=ARCH, img_size=(24, 16), patch_size=8, **options)
    made.init_weights()
    with torch.no_grad():
        made.cls_token.normal_()
        for layer in made.layers:
            layer.attn.qkv.weight.mul_(4)  # attention far from uniform
    made.eval()  # returns None in mmpretrain
    return made


def images(count=2):
    return torch.rand(
        count, 3, 24, 16, generator=torch.Generator().manual_seed(1)
    )


def attention_by_hand(net, pixels):
    """Return the mean attention (N, 3, 2), head by head, as defined."""
    x = net.patch_embed(pixels)[0]
    token = net.cls_token.expand(len(x), -1, -1)
    x = torch.cat([token, x], 1) + net.pos_embed
    rows = []
    for layer in net.layers:
        # ((x @ W + b) of queries, keys, values) of 8 numbers, 4 for a head
        qkv = layer.ln1(x) @ layer.attn.qkv.weight.T + layer.attn.qkv.bias
        q, k, v = qkv[..., :8], qkv[..., 8:16], qkv[..., 16:]
        outputs = []
        for head in range(HEADS):
            part = slice(4 * head, 4 * head + 4)
            scores = q[..., part] @ k[..., part].transpose(1, 2) / 4**0.5
            weights = scores.exp() / scores.exp().sum(2, keepdim=True)
            rows.append(weights[:, 0, 1:])  # from the class token to patches
            outputs.append(weights @ v[..., part])
        x = x + layer.attn.proj(torch.cat(outputs, 2))
        x = layer.ffn(layer.ln2(x), identity=x)
    return torch.stack(rows).mean(0).view(-1, 3, 2), net.ln1(x)[:, 1:]


def test_attention_is_that_of_each_layer_and_head():
    net, pixels = network(), images()
    with torch.no_grad():
        attention, maps = net(pixels)
        expected, tokens = attention_by_hand(net, pixels)
    assert attention.shape == (2, 1, 3, 2)
    torch.testing.assert_close(attention[:, 0], expected)
    torch.testing.assert_close(maps, tokens.mT.reshape(2, 8, 3, 2))
    assert expected.std() > 0.01  # no uniform attention
    assert not net.layers[0].attn.qkv._forward_hooks


def test_training_is_the_hosts_and_weights_are_shared():
    net = network()
    host = VisionTransformer(
        arch=ARCH, img_size=(24, 16), patch_size=8, out_type='featmap'
    )
    host.load_state_dict(net.state_dict())
    net.train()
    (maps,) = net(images())
    torch.testing.assert_close(maps, host(images())[0])
    net.eval()
    twin = copy.deepcopy(net)
    with torch.no_grad():
        torch.testing.assert_close(twin(images())[0], net(images())[0])


def test_attention_follows_another_size_of_images():
    with torch.no_grad():
        attention, maps = network()(torch.rand(1, 3, 32, 40))
    assert attention.shape == (1, 1, 4, 5) and maps.shape == (1, 8, 4, 5)


def head(**options):
    torch.manual_seed(2)
    return TSCAMHead(num_classes=3, in_channels=8, **options).eval()


def test_the_map_is_the_semantic_map_times_the_attention():
    made = head(maps=('pred', 'gt', 'all'))
    attention, last = torch.rand(2, 1, 3, 2), torch.rand(2, 8, 3, 2)
    samples = [DataSample().set_gt_label(label) for label in (2, 0)]
    with torch.no_grad():
        first, second = made.predict((attention, last), samples)
        # A 3x3 convolution as a product with each window
        windows = F.unfold(last, 3, padding=1)
        weight = made.conv.weight.flatten(1)
        semantic = weight @ windows + made.conv.bias[:, None]
        semantic = semantic.view(2, 3, 3, 2)
    torch.testing.assert_close(first.cams, semantic[0] * attention[0])
    torch.testing.assert_close(first.gt_cam, first.cams[2])
    torch.testing.assert_close(second.gt_cam, second.cams[0])
    torch.testing.assert_close(
        second.pred_cam, second.cams[second.pred_label[0]]
    )
    scores = semantic.mean((2, 3)).softmax(1)
    torch.testing.assert_close(second.pred_score, scores[1])


def test_labels_teach_the_semantic_map():
    made = head().train()
    last = torch.rand(2, 8, 3, 2)
    samples = [DataSample().set_gt_label(label) for label in (2, 0)]
    losses = made.loss((last,), samples)  # as in training, no attention
    scores = made.conv(last).mean((2, 3))
    expected = F.cross_entropy(scores, torch.tensor([2, 0]))
    torch.testing.assert_close(losses['loss'], expected)


def test_missing_attention_and_wrong_labels_are_named():
    made, last = head(), torch.rand(1, 8, 3, 2)
    with pytest.raises(ValueError, match=r'mmocc\.TSCAMViT'):
        made.class_maps((last,))
    with pytest.raises(ValueError, match=r'mmocc\.TSCAMViT'):
        made.class_maps((last, last))
    with pytest.raises(ValueError, match='num_classes'):
        made.class_maps((last[:, :1], last), torch.tensor([3]))
    with pytest.raises(ValueError, match='none'):
        head(maps=('none',))


def test_cells_are_the_patches():
    cells = find_cells(network(), (24, 16))
    assert cells == CellGrid.even((3, 2))
