import copy

import pytest
import torch
from small_nets import BranchNet, DigitNet, TokenNet, TwiceNet, example
from torch import nn

from mmocc.learn import attach, load

PLAIN = dict(pool='none', gate=False, residual=False)


def attached(net=None, layer=None, seed=0, **learn):
    torch.manual_seed(seed)
    net = (net or DigitNet()).eval()
    handle = attach(net, layer, dict(PLAIN, **learn), example())
    handle.enabled = True
    return handle


def repaired_by_hand(handle, images):
    net = handle.model
    with handle.disabled():
        maps = net.stage(net.stem(images))
    maps = handle.learn.repair_map(maps)[0]
    return net.fc(net.pool(maps).flatten(1))


@torch.no_grad()
def test_the_last_map_before_the_pooling_is_repaired():
    handle, images = attached(), example()
    assert handle.layer == 'stage'
    assert handle.options['in_channels'] == 32
    expected = repaired_by_hand(handle, images)
    for model in (handle, handle.model):
        torch.testing.assert_close(model(images), expected)
    with handle.disabled():
        plain = handle(images)
    assert not torch.allclose(plain, expected)
    torch.testing.assert_close(handle(images), expected)  # on again
    net = handle.remove()
    torch.testing.assert_close(net(images), plain)


@torch.no_grad()
def test_a_new_learn_is_off():
    net, images = DigitNet().eval(), example()
    expected = net(images)
    handle = attach(net, example=images)
    torch.testing.assert_close(handle(images), expected)
    handle.enabled = True
    assert not torch.allclose(handle(images), expected)


@torch.no_grad()
def test_tokens_are_repaired_except_the_class_token():
    handle, images = attached(TokenNet(), 'blocks.1'), example()
    net = handle.model
    tokens = net.patch_embed(images).flatten(2).transpose(1, 2)
    first = net.cls_token.expand(2, -1, -1)
    tokens = net.blocks[:2][0](torch.cat([first, tokens], dim=1))
    handle.enabled = False
    tokens = net.blocks[1](tokens)
    handle.enabled = True
    grid = tokens[:, 1:].transpose(1, 2).reshape(2, 24, 4, 4)
    new = handle.learn.repair_map(grid)[0].flatten(2).transpose(1, 2)
    tokens = net.blocks[2](torch.cat([tokens[:, :1], new], dim=1))
    torch.testing.assert_close(handle(images), net.head(tokens[:, 0]))


@pytest.mark.parametrize(
    ('net', 'layer', 'message'),
    [
        (TokenNet, None, r'Candidates.*blocks\.1 \(17, 24\)'),
        (TokenNet, 'blocks.2', 'class token.*name an earlier layer'),
        (TwiceNet, None, 'again.* runs several times.*stem'),
        (TwiceNet, 'again', "layer='again' ran 2 times"),
        (TwiceNet, 'fan', "layer='fan' gave no feature.*stem"),
        (BranchNet, None, 'left gives .it is inside of a branch'),
        (lambda: nn.Conv2d(3, 4, 3), None, r'must give logits.*\(1, 4'),
    ],
)
def test_a_layer_that_cannot_be_told_is_named(net, layer, message):
    net = net()
    with pytest.raises(ValueError, match=message):
        attached(net, layer)
    assert not any(m._forward_hooks for m in net.modules())


@torch.no_grad()
def test_a_branch_is_repaired_if_it_is_named():
    handle, images = attached(BranchNet(), 'left'), example()
    net = handle.model
    stem = net.stem(images)
    with handle.disabled():
        left = net.left(stem)
    maps = stem + handle.learn.repair_map(left)[0]
    torch.testing.assert_close(handle(images), net.fc(maps.mean((2, 3))))


def test_a_second_learn_on_a_layer_is_refused():
    handle = attached()
    with pytest.raises(ValueError, match=r'has a LEARN already.*remove\(\)'):
        attached(handle.model)
    handle.remove()
    attached(handle.model)


def test_the_state_dict_of_the_classifier_is_what_it_was():
    net = DigitNet()
    names = set(net.state_dict())
    handle = attached(net)
    assert set(net.state_dict()) == names
    both = set(handle.state_dict())
    assert {f'model.{name}' for name in names} < both
    assert {n for n in both if n.startswith('learn.encoder.0.')}
    DigitNet().load_state_dict(net.state_dict())


@torch.no_grad()
@pytest.mark.parametrize('part', ['handle', 'model'])
def test_a_deep_copy_is_whole_and_independent(part):
    handle, images = attached(), example()
    source = handle if part == 'handle' else handle.model
    twin, expected = copy.deepcopy(source), source(images)
    for parameter in handle.parameters():
        parameter.zero_()
    torch.testing.assert_close(twin(images), expected)
    assert not torch.allclose(source(images), expected)


@torch.no_grad()
def test_what_changes_little_is_left_alone():
    handle, images = attached(), example()
    repaired = handle(images)
    with handle.disabled():
        plain = handle(images)
        maps = handle.model.stage(handle.model.stem(images))
    new = handle.learn.repair_map(maps)[0]
    changes = [
        float(((new - maps)[i] ** 2).sum() / (maps[i] ** 2).sum())
        for i in range(2)
    ]
    handle.threshold = sum(changes) / 2
    small = changes.index(min(changes))
    expected = repaired.clone()
    expected[small] = plain[small]
    torch.testing.assert_close(handle(images), expected)


@torch.no_grad()
def test_the_mean_of_both_answers():
    handle, images = attached(), example()
    with handle.disabled():
        plain = handle(images).softmax(1)
    expected = (plain + handle(images).softmax(1)) / 2
    torch.testing.assert_close(handle.averaged(images), expected)
    assert not torch.allclose(expected, plain)


@torch.no_grad()
def test_half_precision_and_train_mode_keep_working():
    handle, images = attached().double(), example().double()
    expected = handle(images)
    handle.model.float()
    assert next(handle.learn.parameters()).dtype == torch.float64
    out = handle(images.float())
    assert out.dtype == torch.float32
    torch.testing.assert_close(out.double(), expected, rtol=1e-3, atol=1e-3)
    assert handle.train().training
    assert handle.eval().learn.training is False


@torch.no_grad()
def test_trace_and_compile_take_learn_in():
    handle, images = attached(), example()
    expected = handle(images)
    traced = torch.jit.trace(handle, images)
    torch.testing.assert_close(traced(images), expected)
    compiled = torch.compile(handle.model, backend='eager')
    torch.testing.assert_close(compiled(images), expected)
    with handle.disabled():
        plain = handle.model(images)
        torch.testing.assert_close(compiled(images), plain)


@torch.no_grad()
def test_save_and_load_learn_alone(tmp_path):
    handle, images = attached(gate='cell'), example()
    expected = handle(images)
    handle.threshold = 1e-6
    file = handle.save(tmp_path / 'new' / 'learn.pt')
    assert file.stat().st_size < 2.2 * sum(
        p.numel() for p in handle.learn.parameters()
    )
    net = DigitNet().eval()
    net.load_state_dict(handle.model.state_dict())
    again = load(net, file)
    assert again.layer == 'stage'
    assert again.threshold == 1e-6
    torch.testing.assert_close(again(images), expected, rtol=0.02, atol=0.02)
    assert not torch.allclose(
        again(images), again.remove()(images), rtol=0.02, atol=0.02
    )
    other = attached(net, gate='cell', seed=1).load(file)
    torch.testing.assert_close(other(images), expected, rtol=0.02, atol=0.02)


def test_files_that_do_not_fit_are_refused(tmp_path):
    handle = attached()
    file = handle.save(tmp_path / 'learn.pt')
    net = handle.remove()
    with pytest.raises(ValueError, match=r'is for learn=.*this one has'):
        attached(net, gate='cell').load(file)
    with torch.no_grad():
        net.fc.bias.add_(1)
    with pytest.raises(ValueError, match='other weights than those of this D'):
        load(net, file)
    torch.save(net.state_dict(), tmp_path / 'net.pt')
    with pytest.raises(ValueError, match=r'net\.pt holds no LEARN alone'):
        load(net, tmp_path / 'net.pt')
    (tmp_path / 'text.pt').write_text('LEARN')
    with pytest.raises(ValueError, match=r'text\.pt cannot be read'):
        load(net, tmp_path / 'text.pt')
    with pytest.raises(FileNotFoundError, match='no such file'):
        load(net, tmp_path / 'none.pt')
    with torch.no_grad():
        handle.learn.encoder[0].bias.fill_(1e9)
    with pytest.raises(ValueError, match=r'encoder\.0\.bias.* not finite'):
        handle.save(tmp_path / 'bad.pt')
    assert not (tmp_path / 'bad.pt').exists()


@pytest.mark.parametrize('channels', [16, 1280, 2048])
def test_the_default_file_is_small(tmp_path, channels):
    net = nn.Sequential(
        nn.Conv2d(3, channels, 3, 8, 1),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
    )
    handle = attach(net, example=example())
    assert handle.layer == '0'
    assert handle.save(tmp_path / 'x.pt').stat().st_size < 4 * 2**20
