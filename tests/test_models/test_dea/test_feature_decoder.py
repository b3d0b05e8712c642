"""DEA that redraws features: distances, the score, and what it refuses."""

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea

from mmocc.models.dea import FeatureDecoder
from mmocc.models.dea.anomaly_judge import fit_judge
from mmocc.models.dea.anomaly_scores import SINGLE

DECODER = dict(
    type='mmocc.FeatureDecoder',
    target_channels=(16, 32),
    target_stride=8,
    in_channels=32,
    roi_size=4,
    width=8,
)
JUDGE = dict(
    scores=('feature', 'pearson', 'zscore'),
    anomaly_score='feature',
)


def decoder(**options):
    options = dict(DECODER, **options)
    options.pop('type')
    return FeatureDecoder(**options)


def test_a_distance_is_one_minus_the_cosine_of_each_map():
    mine = decoder(target_channels=(2, 1))
    # equal; orthogonal and opposite: (1 + 2) / 2
    recons = torch.tensor([[[[3.0, 1]], [[4, 0]], [[5, 2]]]])
    target = torch.tensor([[[[6.0, 0]], [[8, 7]], [[1, -3]]]])
    away = mine.distances(recons, target)
    torch.testing.assert_close(away, torch.tensor([[[0.0, 1.5]]]))
    assert mine.loss(recons, target).item() == pytest.approx(0.75)
    nothing = mine.loss(mine(torch.zeros(0, 32, 4, 4)), target[:0])
    nothing.backward()
    assert nothing.item() == 0


def test_targets_are_the_features_of_the_region():
    mine = decoder(target_channels=(1, 1), roi_size=2)
    fine = torch.arange(8.0).repeat(8, 1)[None, None]
    coarse = torch.full((1, 1, 4, 4), 5.0)
    rois = torch.tensor([[0.0, 16, 0, 48, 64]])
    away = mine.targets([fine, coarse, coarse], rois)
    assert away.shape == (1, 2, 4, 4)
    # From 16 to 48 pixels are the cells 2 to 5, one each.
    expected = torch.tensor([2.0, 3, 4, 5]).repeat(4, 1)
    torch.testing.assert_close(away[0, 0], expected)
    assert (away[0, 1] == 5).all()
    with pytest.raises(ValueError, match='but the first maps have'):
        mine.targets([fine.repeat(1, 3, 1, 1), coarse], rois)
    with pytest.raises(ValueError, match='roi_size must be even'):
        decoder(roi_size=3)


@pytest.fixture(scope='module')
def trained():
    """Return a DEA whose trunk is frozen after it has learnt the marks."""
    model = toy_dea.build(frozen_detector=False).train()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(80):
        toy_dea.step(model, toy_dea.batch(), optimizer)
    own = toy_dea.build(feature_decoder=DECODER, judge=JUDGE).train()
    own.load_state_dict(model.state_dict(), strict=False)
    weights = [p for p in own.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=3e-3)
    losses = [toy_dea.step(own, toy_dea.batch(), optimizer) for _ in range(40)]
    assert losses[-1]['loss_feat'] < 0.7 * losses[0]['loss_feat']
    return own


def test_the_highest_distance_of_an_object_is_its_score(trained):
    data = toy_dea.batch()
    assert fit_judge(trained, [data]) >= 4
    columns = trained.judge.normal_scores.shape[1]
    assert columns == len(SINGLE)
    samples = trained.eval().test_step(toy_dea.batch())
    for sample in samples:
        objects = sample.pred_instances
        assert objects.errors.shape[1:] == (8, 8)
        highest = objects.errors.flatten(1).amax(1)
        torch.testing.assert_close(objects.score_feature, highest)
        torch.testing.assert_close(objects.anomaly_scores, highest)
        limit = trained.judge.threshold()
        assert torch.equal(objects.is_anomaly, highest > limit)
        assert objects.score_zscore.isfinite().all()
    again = toy_dea.build(feature_decoder=DECODER, judge=JUDGE).eval()
    again.load_state_dict(trained.state_dict())
    other = again.test_step(toy_dea.batch())
    torch.testing.assert_close(
        other[0].pred_instances.errors, samples[0].pred_instances.errors
    )


def test_what_cannot_be_redrawn_is_refused():
    with pytest.raises(ValueError, match='needs a frozen trunk'):
        toy_dea.build(feature_decoder=DECODER, frozen_detector=False)
    with pytest.raises(ValueError, match='give feature_decoder=dict'):
        toy_dea.build(judge=JUDGE)
