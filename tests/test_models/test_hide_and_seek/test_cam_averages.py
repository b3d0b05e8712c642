import copy
import sys

import pytest
import torch
from conftest import ROOT, import_tool
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DefaultScope
from mmengine.runner.checkpoint import load_checkpoint
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.models.hide_and_seek.cam_averages import paste_crops

JOIN = ROOT / 'tools/model_converters/join_checkpoints.py'
HEAD = dict(type='mmocc.CAMHead', num_classes=2, in_channels=32)


def classifier(stride=2, **head):
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
        head=dict(HEAD, **head),
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
    """A classifier of two classes that always gives the same feature."""

    def __init__(self, feat):
        super().__init__()
        self.feat = feat
        self.head = build(classifier(in_channels=1)).head
        with torch.no_grad():
            self.head.fc.weight.copy_(torch.tensor([[1.0], [-1.0]]))
            self.head.fc.bias.zero_()

    def extract_feat(self, inputs):
        return (self.feat,)


def predict(feats, **kwargs):
    """Return the sample of an ensemble whose models have these features."""
    model = ensemble(*[classifier() for _ in feats], **kwargs)
    for index, feat in enumerate(feats):
        model.models[index] = Stub(feat)
    samples = [DataSample().set_gt_label(1)]
    with torch.no_grad():
        return model(torch.zeros(1, 3, 32, 32), samples, mode='predict')[0]


def test_scores_of_all_and_maps_of_some_are_averaged():
    # The first disagrees with the others: only its score counts, not its map.
    feats = [-9.0, 1.0, 3.0]
    maps = [torch.full((1, 1, 2, 2), value) for value in feats]
    sample = predict(maps, map_models=(1, 2))
    scores = torch.tensor([[f, -f] for f in feats]).softmax(dim=1)
    torch.testing.assert_close(sample.pred_score, scores.mean(dim=0))
    assert int(sample.pred_label) == 0
    assert torch.equal(sample.pred_cam, torch.full((2, 2), 2.0))
    assert torch.equal(sample.gt_cam, torch.full((2, 2), -2.0))
    sample = predict(maps[1:], maps=('all',))
    assert torch.equal(sample.cams[:, 0, 0], torch.tensor([2.0, -2.0]))
    assert sample.cams.shape == (2, 2, 2)
    assert 'pred_cam' not in sample


def test_smaller_maps_are_enlarged_to_the_largest():
    small = torch.tensor([[[[0.0, 4.0]]]])
    sample = predict([small, torch.zeros(1, 1, 2, 4)])
    # bilinear, pixel centres aligned: 0, 1, 3, 4; then the mean with zeros
    row = torch.tensor([0.0, 0.5, 1.5, 2.0])
    torch.testing.assert_close(sample.pred_cam, row.expand(2, 4))


def test_one_model_is_an_ensemble_of_itself():
    model = ensemble(classifier())
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
    assert model.data_preprocessor is model.models[0].data_preprocessor
    with pytest.raises(ValueError, match='one by one'):
        model(x, [], mode='loss')


@pytest.fixture
def join(monkeypatch):
    """Return a function that joins checkpoints as the tool does."""

    def call(*paths):
        monkeypatch.setattr(sys, 'argv', ['join', *map(str, paths)])
        import_tool(JOIN).main()

    return call


def test_joined_checkpoints_load_and_images_are_normalised(join, tmp_path):
    parts = [classifier(), classifier(stride=1)]
    models = [build(part) for part in parts]
    paths = [tmp_path / f'{index}.pth' for index in range(2)]
    for model, path in zip(models, paths, strict=True):
        torch.save(dict(state_dict=model.state_dict()), path)
    joined = tmp_path / 'joined.pth'
    join(joined, *paths)
    normalise = dict(mean=[8.0] * 3, std=[2.0] * 3)
    model = ensemble(*parts, data_preprocessor=normalise)
    load_checkpoint(model, str(joined), strict=True)
    image = torch.randint(0, 256, (3, 64, 64), dtype=torch.uint8)
    data = dict(inputs=[image], data_samples=[DataSample().set_gt_label(1)])
    (sample,) = model.test_step(data)
    x = (image[None].float() - 8) / 2
    with torch.no_grad():
        score = torch.stack([m(x).softmax(dim=1)[0] for m in models])
    torch.testing.assert_close(sample.pred_score, score.mean(dim=0))
    assert sample.gt_cam.shape == (4, 4)

    with pytest.raises(SystemExit, match=r'joined\.pth exists'):
        join(joined, *paths)
    with pytest.raises(SystemExit, match=r'none\.pth does not exist'):
        join(tmp_path / 'new.pth', tmp_path / 'none.pth')


LINEAR = dict(type='LinearClsHead', num_classes=2, in_channels=32)


@pytest.mark.parametrize(
    ('models', 'kwargs', 'message'),
    [
        (
            [dict(classifier(), head=LINEAR)],
            {},
            r'models\[0\] .* head LinearClsHead',
        ),
        (
            [classifier(), classifier(num_classes=3)],
            {},
            r'num_classes \[2, 3\]',
        ),
        ([classifier()], dict(map_models=(1,)), r'map_models \[1\] must be'),
        ([classifier()], dict(map_models=()), r'map_models \[\] must be some'),
        ([], {}, 'needs models'),
    ],
)
def test_models_that_do_not_fit_are_refused(models, kwargs, message):
    with pytest.raises(ValueError, match=message):
        ensemble(*models, **kwargs)


# -- ten crops ---------------------------------------------------------------

SIZE = (6, 6)
FIVE = [(0, 0, 4, 4), (2, 0, 6, 4), (0, 2, 4, 6), (2, 2, 6, 6), (1, 1, 5, 5)]
TEN = [box for box in FIVE for _ in range(2)]
FLIPS = [False, True] * 5


def test_crops_of_a_map_give_that_map():
    whole = torch.randn(2, *SIZE)
    cams = [whole[:, y1:y2, x1:x2] for x1, y1, x2, y2 in TEN]
    cams = [c.flip(-1) if f else c for c, f in zip(cams, FLIPS, strict=True)]
    torch.testing.assert_close(paste_crops(cams, TEN, FLIPS, SIZE), whole)
    cams = [torch.full((2, 3, 3), 5.0)] * 10
    pasted = paste_crops(cams, TEN, FLIPS, SIZE)
    assert torch.equal(pasted, torch.full((2, *SIZE), 5.0))


def test_crops_are_averaged_enlarged_and_mirrored_back():
    cams = [torch.full((1, 4, 4), 2.0), torch.full((1, 4, 4), 6.0)]
    boxes = [(0, 0, 4, 4), (2, 0, 6, 4)]
    pasted = paste_crops(cams, boxes, [False, False], (4, 6))
    row = torch.tensor([2.0, 2.0, 4.0, 4.0, 6.0, 6.0])
    assert torch.equal(pasted[0], row.expand(4, 6))
    cam, box = torch.tensor([[[0.0, 4.0]]]), [(0, 0, 4, 2)]
    row = torch.tensor([0.0, 1.0, 3.0, 4.0])  # bilinear, pixel centres aligned
    for flip, expected in ((False, row), (True, row.flip(0))):
        pasted = paste_crops([cam], box, [flip], (2, 4))
        torch.testing.assert_close(pasted[0], expected.expand(2, 4))
    boxes = [(0, 0, 4, 4), (5, 0, 9, 4)]
    with pytest.raises(ValueError, match='leave parts of the 4x9 image'):
        paste_crops([torch.ones(1, 2, 2)] * 2, boxes, [False, False], (4, 9))


def with_crops(module):
    return build(dict(type='mmocc.TenCropTTA', module=module))


def merge_halves(maps):
    """Merge two halves of an image that have different scores."""
    tta = with_crops(classifier(num_classes=3, maps=maps))
    halves = []
    for number, score in enumerate([(0.9, 0.1, 0.0), (0.0, 0.6, 0.4)]):
        sample = DataSample(
            metainfo=dict(
                crop_box=(4 * number, 0, 4 * number + 4, 4),
                full_shape=(4, 8),
                img_shape=(4, 4),
                flip=bool(number),
                img_path='a.png',
            )
        )
        sample.set_gt_label(2).set_pred_score(torch.tensor(score))
        sample.set_pred_label(torch.tensor(score).argmax(0, keepdim=True))
        values = torch.arange(3.0) + 10 * number
        sample.cams = values[:, None, None].expand(3, 2, 2)
        halves.append(sample)
    return tta.merge_preds([halves])[0]


def test_the_predicted_class_is_that_of_the_averaged_scores():
    # class 0 by 0.45 on average, though the second crop predicts 1
    result = merge_halves(['pred', 'gt'])
    torch.testing.assert_close(
        result.pred_score, torch.tensor([0.45, 0.35, 0.2])
    )
    assert int(result.pred_label) == 0
    assert result.pred_cam[0].tolist() == [0.0] * 4 + [10.0] * 4
    assert result.gt_cam[0].tolist() == [2.0] * 4 + [12.0] * 4
    assert result.img_shape == (4, 8)
    assert result.img_path == 'a.png'
    assert int(result.gt_label) == 2
    assert not {'cams', 'crop_box'} & set(result.all_keys())


def test_it_gives_the_maps_that_the_head_names():
    result = merge_halves(['all'])
    assert result.cams.shape == (3, 4, 8)
    assert result.cams[1, 0].tolist() == [1.0] * 4 + [11.0] * 4
    assert 'pred_cam' not in result
    assert 'gt_cam' not in merge_halves(['pred'])


def ten_crops(side):
    """Return a photo, after the pipeline of the base config."""
    cfg = Config.fromfile(ROOT / 'configs/_base_/ten_crop.py')
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        pipeline = Compose(cfg.tta_pipeline[1:])
    image = torch.randint(0, 256, (side, side - 40, 3), dtype=torch.uint8)
    return pipeline(
        dict(
            img=image.numpy(),
            gt_label=1,
            img_path='photo.png',
            img_shape=image.shape[:2],
            ori_shape=image.shape[:2],
        )
    )


def test_the_base_config_gives_ten_crops_that_cover_the_image():
    crops = ten_crops(300)
    samples = crops['data_samples']
    assert len(samples) == len(crops['inputs']) == 10
    assert {tuple(x.shape) for x in crops['inputs']} == {(3, 224, 224)}
    corners = [(0, 0), (32, 0), (0, 32), (32, 32), (16, 16)]
    assert {(s.crop_box, s.flip) for s in samples} == {
        ((x, y, x + 224, y + 224), flip)
        for x, y in corners
        for flip in (False, True)
    }
    assert samples[0].full_shape == (256, 256)
    assert samples[0].ori_shape == (300, 260)


@pytest.mark.parametrize('kind', ['classifier', 'ensemble'])
def test_a_batch_through_a_network_has_maps_of_the_whole_image(kind):
    module = classifier(stride=1)
    if kind == 'ensemble':
        module = dict(type='mmocc.CAMEnsemble', models=[module, module])
    tta = with_crops(module)
    batch = [ten_crops(300), ten_crops(280)]
    results = tta.test_step(pseudo_collate(batch))
    data = dict(inputs=batch[0]['inputs'], data_samples=[DataSample()] * 10)
    with torch.no_grad():
        data = tta.module.data_preprocessor(data)
        logits = tta.module(data['inputs'])
    scores = logits if kind == 'ensemble' else logits.softmax(dim=1)
    torch.testing.assert_close(
        results[0].pred_score, scores.mean(dim=0), rtol=1e-4, atol=1e-4
    )
    for result in results:
        assert result.pred_cam.shape == result.gt_cam.shape == (256, 256)
        assert result.pred_cam.isfinite().all()


def test_a_model_without_class_maps_is_refused():
    with pytest.raises(ValueError, match=r'needs class maps.*LinearClsHead'):
        with_crops(dict(classifier(), head=LINEAR))
