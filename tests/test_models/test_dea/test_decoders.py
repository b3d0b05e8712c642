"""Decoders: sizes of the paper, losses by value."""

import math

import pytest
import torch

from mmocc.models.dea import ConvDecoder, FCDecoder
from mmocc.models.dea.decoders import FewChannelsShuffle


def count(module):
    return sum(p.numel() for p in module.parameters())


def test_the_decoders_have_the_sizes_that_they_state():
    assert count(ConvDecoder()) == 397_860
    with torch.device('meta'):
        decoder = FCDecoder()
    assert count(decoder) == 77_617_152
    widths = [
        (p.shape[1], p.shape[0]) for p in decoder.parameters() if p.ndim == 2
    ]
    assert widths == [(1024, 2048), (2048, 4096), (4096, 16384)]
    kinds = [type(layer).__name__ for layer in decoder.layers[2:]]
    layers = ['Linear', 'ReLU', 'Linear', 'ReLU', 'Linear', 'Sigmoid']
    assert kinds == [*layers, 'Unflatten']
    pictures = decoder(torch.empty(2, 1024, 5, 5, device='meta'))
    assert pictures.shape == (2, 1, 128, 128)
    decoder = FCDecoder(4, (8,), size=6)  # sees the features' average only
    x = torch.rand(2, 4, 5, 5)
    mixed = x.flatten(2)[..., torch.randperm(25)].view_as(x)
    torch.testing.assert_close(decoder(x), decoder(mixed))
    assert not torch.allclose(decoder(x), decoder(x * 2))


@pytest.mark.parametrize('form', ['contiguous_format', 'channels_last'])
def test_the_quick_shuffle_is_pytorchs(form):
    x = torch.randn(3, 12, 5, 7).contiguous(memory_format=getattr(torch, form))
    x.requires_grad_()
    ours, theirs = FewChannelsShuffle(2)(x), torch.nn.PixelShuffle(2)(x)
    assert torch.equal(ours, theirs)
    weight = torch.randn_like(ours)
    grads = [
        torch.autograd.grad((y * weight).sum(), x) for y in (ours, theirs)
    ]
    assert torch.equal(*(grad for (grad,) in grads))


SMALL = {
    FCDecoder: dict(in_channels=4, hidden=(8,), size=32),
    ConvDecoder: dict(in_channels=4, widths=(4, 4)),
}


@pytest.mark.parametrize('decoder', SMALL)
@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('number', [0, 1, 3])
def test_pictures_lie_in_0_to_1(decoder, channels, number):
    torch.manual_seed(0)
    decoder = decoder(channels=channels, **SMALL[decoder])
    pictures = decoder(100 * torch.randn(number, 4, 8, 8))
    assert pictures.shape == (number, channels, 32, 32)
    assert ((pictures >= 0) & (pictures <= 1)).all()
    if not number:  # a loss of 0 with gradient
        decoder.loss(pictures, pictures.detach()).backward()
        for name, parameter in decoder.named_parameters():
            assert not parameter.grad.any(), name


@pytest.mark.parametrize(
    ('loss', 'value'),
    [
        ('mse', 0.25),  # (0.5 - 1)^2 and (0.5 - 0)^2
        ('bce', math.log(2)),  # of either
        # flat pictures: (2 ab + c1) / (a^2 + b^2 + c1), c1 = 1e-4; halves
        ('ssim', 1 - ((1 + 1e-4) / (1.25 + 1e-4) + 1e-4 / (0.25 + 1e-4)) / 2),
    ],
)
def test_loss_by_value(loss, value):
    decoder = ConvDecoder(4, widths=(4, 4), loss=loss, loss_weight=2.0)
    recon = torch.full((2, 1, 32, 32), 0.5)
    target = torch.stack([torch.ones(1, 32, 32), torch.zeros(1, 32, 32)])
    assert decoder.loss(recon, target).item() == pytest.approx(
        2 * value, abs=1e-4
    )


@pytest.mark.parametrize('loss', ['mse', 'bce', 'ssim'])
@pytest.mark.parametrize('decoder', SMALL)
def test_some_steps_redraw_four_pictures(decoder, loss):
    torch.manual_seed(0)
    decoder = decoder(loss=loss, **SMALL[decoder])
    x = torch.randn(4, 4, 8, 8)
    target = (x.mean((2, 3)) > 0).float().mean(1).view(4, 1, 1, 1)
    target = target.expand(4, 1, 32, 32) * 0.8 + 0.1
    optimizer = torch.optim.Adam(decoder.parameters(), lr=0.02)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        losses.append(decoder.loss(decoder(x), target))
        losses[-1].backward()
        optimizer.step()
    floor = torch.nn.functional.binary_cross_entropy(target, target)
    floor = floor.item() if loss == 'bce' else 0
    assert losses[-1].item() - floor < 0.3 * (losses[0].item() - floor)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(loss='l1'), r"unknown loss 'l1'; choose from \('mse'"),
        (dict(roi_size=7), 'roi_size must be even, got 7'),
        (dict(channels=2), r'channels must be 1 \(grey\) or 3 \(RGB\), got 2'),
    ],
)
def test_options_and_sizes_that_do_not_fit_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ConvDecoder(**options)
    decoder = ConvDecoder(4, widths=(4, 4))
    with pytest.raises(ValueError, match=r'roi_size=8.*output_size'):
        decoder(torch.zeros(1, 4, 7, 7))
    recon = torch.rand(1, 1, 32, 32)
    with pytest.raises(ValueError, match=r'\(1, 1, 64, 64\).*"size"'):
        decoder.loss(recon, torch.rand(1, 1, 64, 64))
