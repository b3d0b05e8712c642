import pytest
import torch
from mmengine.registry import DefaultScope
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.models.hide_and_seek import CAMHead


def head(**kwargs):
    settings = dict(dict(num_classes=3, in_channels=2), **kwargs)
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(dict(type='mmocc.CAMHead', **settings))
    with torch.no_grad():
        model.fc.weight.copy_(
            torch.tensor([[1.0, 0.0], [0.0, 1.0], [-2.0, 3.0]])[
                : model.num_classes, : model.in_channels
            ]
        )
        model.fc.bias.copy_(torch.tensor([0.5, 0.0, 0.0]))
    return model.eval()


# Two images of two channels, 1x2 pixels. Pooled: (2, 1) and (0, 4).
FEAT = torch.tensor([[[[1.0, 3.0]], [[0.0, 2.0]]], [[[0.0, 0.0]], [[8.0, 0]]]])
# Weight times feature: class 0 is channel 0, class 1 is channel 1
MAPS = torch.tensor(
    [
        [[[1.0, 3.0]], [[0.0, 2.0]], [[-2.0, 0.0]]],
        [[[0.0, 0.0]], [[8.0, 0.0]], [[24.0, 0.0]]],
    ]
)


def test_maps_are_weights_times_features():
    assert torch.equal(head().class_maps((FEAT,)), MAPS)
    labels = torch.tensor([2, 1])
    maps = head().class_maps((FEAT,), labels)
    assert torch.equal(maps, MAPS[[0, 1], labels])
    with pytest.raises(ValueError, match=r'\[0, 3\] must be classes from 0'):
        head().class_maps((FEAT,), torch.tensor([0, 3]))


def test_a_score_is_the_mean_or_the_maximum_and_the_bias():
    expected = torch.tensor([[2.5, 1.0, -1.0], [0.5, 4.0, 12.0]])
    torch.testing.assert_close(head()((FEAT,)), expected)
    # pooled by their maximum: (3, 2) and (0, 8)
    expected = torch.tensor([[3.5, 2.0, 0.0], [0.5, 8.0, 24.0]])
    torch.testing.assert_close(head(pool='max')((FEAT,)), expected)


def test_predict_gives_the_maps_of_predicted_and_true_class():
    samples = [DataSample().set_gt_label(1), DataSample().set_gt_label(0)]
    predicted = head().predict((FEAT,), samples)
    assert predicted[0] is samples[0]
    assert [int(s.pred_label) for s in predicted] == [0, 2]
    assert torch.equal(predicted[0].pred_cam, MAPS[0, 0])
    assert torch.equal(predicted[1].pred_cam, MAPS[1, 2])
    assert torch.equal(predicted[0].gt_cam, MAPS[0, 1])
    assert torch.equal(predicted[1].gt_cam, MAPS[1, 0])
    assert all('cams' not in sample for sample in predicted)


def test_without_labels_there_is_no_map_of_the_true_class():
    for samples in (None, [DataSample(), DataSample()]):
        predicted = head().predict((FEAT,), samples)
        assert torch.equal(predicted[1].pred_cam, MAPS[1, 2])
        assert all('gt_cam' not in sample for sample in predicted)
    some = [DataSample(), DataSample().set_gt_label(1)]
    first, second = head().predict((FEAT,), some)
    assert 'gt_cam' not in first
    assert torch.equal(second.gt_cam, MAPS[1, 1])


def test_the_maps_of_the_head_are_those_it_names():
    (first, second) = head(maps=('all',)).predict((FEAT,))
    assert torch.equal(torch.stack([first.cams, second.cams]), MAPS)
    assert 'pred_cam' not in first
    (first, _) = head(maps=()).predict((FEAT,))
    assert 'pred_cam' not in first
    assert 'cams' not in first


def test_maps_are_float32_in_mixed_precision():
    # 2049 is no float16 or bfloat16 number
    feat = torch.full((1, 2, 1, 1), 2049.0)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        sample = head().predict((feat,), [DataSample().set_gt_label(0)])[0]
    assert sample.gt_cam.dtype == torch.float32
    assert sample.gt_cam.item() == 2049.0


def test_it_is_the_gradient_map_of_grad_cam_before_the_relu():
    # Selvaraju et al. (arXiv 1610.02391): channel weights are mean gradients
    feat = torch.randn(1, 2, 4, 5, requires_grad=True)
    model = head()
    model((feat,))[0, 2].backward()
    weights = feat.grad.sum(dim=(2, 3))  # mean times the number of pixels
    expected = (weights[..., None, None] * feat).sum(dim=1)
    torch.testing.assert_close(
        model.class_maps((feat,), torch.tensor([2])), expected
    )


def test_it_trains_with_dropout_in_training_only():
    model = head(dropout=0.5)
    samples = [DataSample().set_gt_label(1), DataSample().set_gt_label(2)]
    losses = model.loss((FEAT,), samples)
    assert set(losses) == {'loss'}
    losses['loss'].backward()
    assert model.fc.weight.grad.abs().sum() > 0
    model.train()
    torch.manual_seed(0)
    scores = {tuple(model((FEAT,)).flatten().tolist()) for _ in range(20)}
    assert len(scores) > 1
    model.eval()
    assert torch.equal(model((FEAT,)), model((FEAT,)))


def test_a_whole_classifier_predicts_maps_of_its_images():
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        model = MODELS.build(
            dict(
                type='ImageClassifier',
                backbone=dict(type='ResNet', depth=18, strides=(1, 2, 2, 1)),
                head=dict(
                    type='mmocc.CAMHead', num_classes=5, in_channels=512
                ),
            )
        )
    model.init_weights()
    model.eval()
    samples = [DataSample().set_gt_label(i) for i in range(2)]
    with torch.no_grad():
        x = torch.randn(2, 3, 64, 96)
        predicted = model(x, samples, mode='predict')
        logits = model(x, mode='tensor')
    for sample, score in zip(predicted, logits, strict=True):
        assert sample.pred_cam.shape == sample.gt_cam.shape == (4, 6)
        label = int(sample.pred_label)
        mean = sample.pred_cam.mean() + model.head.fc.bias[label]
        torch.testing.assert_close(mean, score[label], rtol=0, atol=1e-4)


LABELS = [DataSample().set_gt_label([0, 1]) for _ in range(2)]


@pytest.mark.parametrize(
    ('call', 'message'),
    [
        (lambda: CAMHead(3, 2, pool='sum'), "pool 'sum' is none of"),
        (lambda: CAMHead(3, 2, maps=('true',)), r"maps \('true',\) must be"),
        (lambda: CAMHead(3, 2, maps='pred'), "maps 'pred' must be a list"),
        (lambda: head()((torch.zeros(2, 2),)), r'needs maps \(N, 2, h, w\)'),
        (lambda: head()((torch.zeros(2, 7, 1, 1),)), r'got \(2, 7, 1, 1\)'),
        (lambda: head().predict((FEAT,), LABELS), '2 true classes'),
    ],
)
def test_wrong_settings_and_inputs_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
    head(maps=('pred',)).predict((FEAT,), LABELS)
