"""PSNR and SSIM, of the whole picture and of the hole."""

import math

import numpy as np
import pytest
import torch
from mmengine.registry import METRICS

from mmocc.evaluation.picture_quality import picture_quality
from mmocc.models.dea.anomaly_scores import ssim

pytest.importorskip('skimage', reason="PSNR and SSIM are scikit-image's")

RNG = np.random.default_rng(0)
CLEAN = RNG.integers(0, 256, (32, 32, 3), np.uint8)


def sample(recon, mask, clean=CLEAN):
    """Return a sample of a reconstructor; pictures are RGB here."""
    return dict(
        img_path='face.png',
        recon=torch.tensor(recon).permute(2, 0, 1).float(),
        clean_img=clean[..., ::-1],
        pred_patch_mask=torch.tensor(mask),
        patch_grid=(2, 2),
    )


def evaluate(*samples):
    metric = METRICS.build(dict(type='mmocc.ReconstructionQuality'))
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_psnr_by_hand_and_ssim_of_another_implementation():
    recon = CLEAN + 10.0
    quality = picture_quality(recon, CLEAN)
    assert quality['psnr'] == pytest.approx(20 * math.log10(255 / 10))
    noisy = np.clip(CLEAN + RNG.normal(0, 40, CLEAN.shape), 0, 255)
    got = picture_quality(noisy, CLEAN)['ssim']
    a, b = (
        torch.tensor(x).permute(2, 0, 1)[None].float() / 255
        for x in (noisy, CLEAN)
    )
    # It treats borders differently.
    assert got == pytest.approx(ssim(a, b).item(), abs=0.02)
    assert picture_quality(CLEAN, CLEAN) == dict(psnr=math.inf, ssim=1.0)


def test_the_hole_has_its_own_values():
    # Only the upper right quarter differs, by 20.
    recon = CLEAN.astype(float)
    recon[:16, 16:] += 20
    values = evaluate(sample(recon, [False, True, False, False]))
    inside = 20 * math.log10(255 / 20)
    assert values['recon/psnr_hole'] == pytest.approx(inside)
    # A quarter of the squared error
    assert values['recon/psnr'] == pytest.approx(inside + 10 * math.log10(4))
    assert values['recon/ssim'] > values['recon/ssim_hole']


def test_pictures_without_a_hole_are_left_out():
    hidden = [True, False, False, False]
    bad = sample(CLEAN + 5.0, hidden)
    alone = evaluate(bad)
    assert evaluate(bad, sample(CLEAN, [False] * 4)) == alone
    with pytest.raises(ValueError, match='nothing is hidden'):
        evaluate(sample(CLEAN, [False] * 4))


def test_missing_fields_and_other_sizes_are_named():
    good = sample(CLEAN, [True] * 4)
    with pytest.raises(ValueError, match=r'face\.png has no clean_img'):
        evaluate(good | dict(clean_img=None))
    with pytest.raises(ValueError, match=r'face\.png: the reconstructed'):
        evaluate(good | dict(clean_img=CLEAN[:16]))
