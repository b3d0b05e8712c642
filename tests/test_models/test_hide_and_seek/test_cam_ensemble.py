import copy

import pytest
import torch
from conftest import ROOT
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_checkpoint
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample


def member(stride=2, num_classes=2):
    return dict(
        type='ImageClassifier',
        data_preprocessor=dict(mean=[0.0] * 3, std=[1.0] * 3),
        backbone=dict(
            type='ResNet',
            depth=18,
            stem_channels=4,
            base_channels=4,
            strides=(1, 2, 2, stride),
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


def ensemble(*models, **kwargs):
    return build(dict(type='mmocc.CAMEnsemble', models=models, **kwargs))


class Stub(torch.nn.Module):
    """A classifier of two classes that gives the same feature always."""

    def __init__(self, feat):
        super().__init__()
        self.feat = feat
        with DefaultScope.overwrite_default_scope('mmpretrain'):
            self.head = MODELS.build(
                dict(type='mmocc.CAMHead', num_classes=2, in_channels=1)
            ).eval()
        with torch.no_grad():
            self.head.fc.weight.copy_(torch.tensor([[1.0], [-1.0]]))
            self.head.fc.bias.zero_()

    def extract_feat(self, inputs):
        return (self.feat,)


def of_features(feats, **kwargs):
    """Return an ensemble whose models have these features."""
    model = ensemble(*[member() for _ in feats], **kwargs)
    for index, feat in enumerate(feats):
        model.models[index] = Stub(feat)
    return model


def predict(model):
    samples = [DataSample().set_gt_label(1)]
    with torch.no_grad():
        return model(torch.zeros(1, 3, 32, 32), samples, mode='predict')[0]


def test_scores_of_all_and_maps_of_some_are_averaged():
    # The first is alone of its opinion: its score counts, its map does not.
    feats = [-9.0, 1.0, 3.0]
    maps = [torch.full((1, 1, 2, 2), value) for value in feats]
    sample = predict(of_features(maps, map_models=(1, 2)))
    scores = torch.tensor([[f, -f] for f in feats]).softmax(dim=1)
    torch.testing.assert_close(sample.pred_score, scores.mean(dim=0))
    assert int(sample.pred_label) == 0
    assert torch.equal(sample.pred_cam, torch.full((2, 2), 2.0))
    assert torch.equal(sample.gt_cam, torch.full((2, 2), -2.0))


def test_maps_of_all_models_and_classes_on_request():
    maps = [torch.full((1, 1, 2, 2), value) for value in (1.0, 3.0)]
    sample = predict(of_features(maps, maps=('all',)))
    assert torch.equal(sample.cams[:, 0, 0], torch.tensor([2.0, -2.0]))
    assert sample.cams.shape == (2, 2, 2)
    assert 'pred_cam' not in sample


def test_smaller_maps_are_enlarged_to_the_largest():
    small = torch.tensor([[[[0.0, 4.0]]]])
    large = torch.zeros(1, 1, 2, 4)
    sample = predict(of_features([small, large]))
    # bilinear, pixel centres aligned: 0, 1, 3, 4; then the mean with zeros
    row = torch.tensor([0.0, 0.5, 1.5, 2.0])
    torch.testing.assert_close(sample.pred_cam, row.expand(2, 4))


def test_one_model_is_an_ensemble_of_itself():
    model = ensemble(member())
    x = torch.randn(2, 3, 64, 64)
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    with torch.no_grad():
        ours = model(x, samples, mode='predict')
        alone = model.models[0](x, [s.new() for s in samples], mode='predict')
        torch.testing.assert_close(
            model(x), torch.stack([s.pred_score for s in alone])
        )
    for first, second in zip(ours, alone, strict=True):
        torch.testing.assert_close(first.pred_cam, second.pred_cam)
        torch.testing.assert_close(first.gt_cam, second.gt_cam)
        assert torch.equal(first.pred_label, second.pred_label)


def test_joined_checkpoints_load_and_images_are_normalised(run_tool, tmp_path):
    parts = [member(), member(stride=1)]
    models = [build(part) for part in parts]
    paths = [tmp_path / f'{index}.pth' for index in range(2)]
    for model, path in zip(models, paths, strict=True):
        torch.save(dict(state_dict=model.state_dict()), path)
    joined = tmp_path / 'joined.pth'
    tool = ROOT / 'tools/model_converters/join_checkpoints.py'
    result = run_tool(tool, joined, *paths)
    assert result.returncode == 0, result.stderr
    model = ensemble(
        *parts, data_preprocessor=dict(mean=[8.0] * 3, std=[2.0] * 3)
    )
    load_checkpoint(model, str(joined), strict=True)
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    data = dict(inputs=[image], data_samples=[DataSample().set_gt_label(1)])
    (sample,) = model.test_step(data)
    x = (image[None].float() - 8) / 2
    with torch.no_grad():
        score = torch.stack([m(x).softmax(dim=1)[0] for m in models])
    torch.testing.assert_close(sample.pred_score, score.mean(dim=0))
    assert sample.gt_cam.shape == (4, 4)


def test_joining_refuses_a_missing_file_and_spares_an_existing_one(
    run_tool, tmp_path
):
    tool = ROOT / 'tools/model_converters/join_checkpoints.py'
    result = run_tool(tool, tmp_path / 'new.pth', tmp_path / 'none.pth')
    assert result.returncode == 1
    assert 'none.pth does not exist' in result.stderr.splitlines()[-1]
    path = tmp_path / 'old.pth'
    torch.save(dict(state_dict={}), path)
    result = run_tool(tool, path, path)
    assert result.returncode == 1
    assert 'old.pth exists' in result.stderr.splitlines()[-1]


def test_the_data_preprocessor_of_the_first_model_serves_all():
    model = ensemble(member(), member())
    assert model.data_preprocessor is model.models[0].data_preprocessor


@pytest.mark.parametrize(
    ('models', 'kwargs', 'message'),
    [
        (
            [dict(member(), head=dict(type='LinearClsHead', num_classes=2,
                                      in_channels=32))],
            {},
            r'models\[0\] .* head LinearClsHead',
        ),
        ([member(), member(num_classes=3)], {}, r'num_classes \[2, 3\]'),
        ([member()], dict(map_models=(1,)), r'map_models \[1\] must be some'),
        ([member()], dict(map_models=()), r'map_models \[\] must be some'),
        ([], {}, 'needs models'),
    ],
)  # fmt: skip
def test_models_that_do_not_fit_are_refused(models, kwargs, message):
    with pytest.raises(ValueError, match=message):
        ensemble(*models, **kwargs)


def test_it_is_not_trained():
    with pytest.raises(ValueError, match='one by one'):
        ensemble(member())(torch.zeros(1, 3, 32, 32), [], mode='loss')
