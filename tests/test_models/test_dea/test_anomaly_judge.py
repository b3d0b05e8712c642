"""Scores compare with normal objects, and none with itself."""

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmocc.models.dea.anomaly_judge import AnomalyJudge, Redrawing
from mmocc.models.dea.anomaly_scores import SCORES

ALL = (*SCORES, 'zscore', 'rank')


def redrawing(count, noise=0.1, seed=0):
    """Return objects, redrawn with so much noise."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.rand(count, 1, 16, 16, generator=generator)
    blur = noise * torch.randn(pictures.shape, generator=generator)
    return Redrawing(
        (pictures + blur).clamp(0, 1),
        pictures,
        torch.randn(count, 8, generator=generator),
        torch.rand(count, generator=generator),
    )


def judge(**options):
    return AnomalyJudge(**dict(dict(scores=ALL), **options))


def test_the_halves_share_no_object():
    mine = judge()
    drawn = redrawing(41)
    mine.fit(drawn)
    assert mine.bank.shape == (20, 8)
    assert mine.normal_scores.shape == (20, len(SCORES))
    # The bank holds objects of the redrawing, and none of the judged ones.
    away = torch.cdist(mine.bank, drawn.latents)
    assert away.amin(1).max() < 1e-2
    banked = set(away.argmin(1).tolist())
    column = mine.normal_scores[:, SCORES.index('confidence')]
    judged = {
        int((1 - drawn.confidence - value).abs().argmin()) for value in column
    }
    assert len(banked) == len(judged) == 20
    assert not banked & judged
    small = judge(bank_size=6)
    small.fit(drawn)
    assert len(small.bank) == len(small.normal_scores) == 6
    with pytest.raises(ValueError, match='only 3 detections match'):
        small.fit(redrawing(3))


def test_badly_redrawn_objects_score_higher():
    mine = judge()
    mine.fit(redrawing(60))
    good, bad = mine(redrawing(30, 0.1, 1)), mine(redrawing(30, 0.8, 1))
    assert tuple(good) == ALL
    for name in ('pearson', 'mse', 'ssim', 'zscore', 'rank'):
        assert bad[name].min() > good[name].median(), name
    for name in ('latent', 'confidence'):  # do not look at the redrawing
        assert bad[name].equal(good[name]), name
    with torch.autocast('cpu', dtype=torch.bfloat16):  # changes no score
        again = mine(redrawing(30, 0.1, 1))
    for name, value in good.items():
        assert again[name].dtype == torch.float32
        assert again[name].equal(value), name


@pytest.mark.parametrize('name', ALL)
def test_the_share_of_false_alarms_is_kept(name):
    mine = judge(anomaly_score=name, false_alarms=0.1)
    mine.fit(redrawing(400))
    scores = mine(redrawing(400, seed=1))[name]
    share = (scores > mine.threshold()).float().mean().item()
    assert share == pytest.approx(0.1, abs=0.1)
    if name in ('latent', 'zscore', 'rank'):
        blank = judge(scores=('pearson', name), anomaly_score=name)
        message = f"'{name}' .*AnomalyReferenceHook"
        with pytest.raises(RuntimeError, match=message):
            blank(redrawing(3))


def test_a_checkpoint_brings_its_normal_objects():
    mine, other = judge(), judge(scores=('latent',), anomaly_score='latent')
    mine.fit(redrawing(30))
    assert not other.fitted
    other.load_state_dict(mine.state_dict())
    assert other.fitted
    drawn = redrawing(5, seed=2)
    assert other(drawn)['latent'].equal(mine(drawn)['latent'])
    other.load_state_dict(judge().state_dict())  # one that knows nothing
    assert not other.fitted
