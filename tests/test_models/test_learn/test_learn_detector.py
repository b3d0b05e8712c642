import copy
import subprocess
import sys

import pytest
import torch
from mmengine.runner import load_state_dict
from torch import nn

pytest.importorskip('mmdet', reason='detection needs mmdet')

import tiny_detectors as tiny
from mmdet.models.test_time_augs import DetTTAModel
from mmengine.config import Config, ConfigDict

from mmocc.models.learn import LEARN
from mmocc.models.learn.learn_detector import flat
from mmocc.utils.state_dicts import CheckpointError

every_detector = pytest.mark.parametrize('name', tiny.DETECTORS)
RETINA = tiny.DETECTORS['retina']


def build_pair(name, seed=0, **changes):
    """Return a detector and LEARN in it, with the detector's weights."""
    plain = tiny.build(tiny.DETECTORS[name], seed).eval()
    model = tiny.build(tiny.learning(tiny.DETECTORS[name]), **changes)
    model.load_state_dict(plain.state_dict(), strict=False)
    return plain, model.eval()


def close_gate(model):
    """Make LEARN give back what it gets."""
    for learn in model.learn.values():
        nn.init.zeros_(learn.gate.weight)
        nn.init.constant_(learn.gate.bias, -1e9)


def predict(model, seed=0, size=tiny.SIZE):
    inputs, samples = tiny.batch(size, seed)
    with torch.no_grad():
        return [x.pred_instances for x in model.predict(inputs, samples)]


def train(model, steps=2):
    """Train; return the names of the tensors that changed."""
    before = copy.deepcopy(model.state_dict())
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=1e-3)
    for _ in range(steps):
        optimizer.zero_grad()
        model.parse_losses(model.loss(*tiny.batch()))[0].backward()
        nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
    after = model.state_dict()
    return {k for k, v in before.items() if not torch.equal(v, after[k])}


@every_detector
def test_only_learn_changes_in_training(name):
    _, model = build_pair(name)
    learns = {k for k in model.state_dict() if k.startswith('learn.')}
    assert train(model) == {*learns, 'occluder.steps'}
    with_grad = {n for n, p in model.named_parameters() if p.grad is not None}
    assert with_grad == learns


@every_detector
def test_with_a_closed_gate_it_answers_as_the_detector_does(name):
    plain, model = build_pair(name)
    repaired = predict(model)
    close_gate(model)
    same, expected = predict(model), predict(plain)
    for one, other, moved in zip(same, expected, repaired, strict=True):
        assert len(other) > 0
        for key, value in other.items():
            assert torch.equal(one[key], value), key
        assert not torch.equal(moved.scores, other.scores)
    inputs, samples = tiny.batch()
    with torch.no_grad():  # raw answers, of get_flops and the like
        raw, plain_raw = (
            flatten(m(inputs, samples, mode='tensor')) for m in (model, plain)
        )
    assert all(map(torch.equal, raw, plain_raw))


def flatten(answers):
    """Return the tensors of nested lists."""
    if torch.is_tensor(answers):
        return [answers]
    answers = answers.values() if isinstance(answers, dict) else answers
    return [x for answer in answers for x in flatten(answer)]


@every_detector
@pytest.mark.parametrize('clean_pass', [True, False])
def test_losses_are_what_their_definitions_say(name, clean_pass):
    plain, model = build_pair(name, clean_pass=clean_pass, det_weight=0.5)
    inputs, samples = tiny.batch()
    twin = copy.deepcopy(model)  # its occluder draws the same
    torch.manual_seed(3)  # two-stage detectors sample proposals
    losses = model.train().loss(inputs, samples)
    occluded = twin.occluder(inputs, data_samples=samples)[0]
    assert not torch.equal(occluded, inputs)
    with torch.no_grad():
        clean, hidden = map(plain.extract_feat, (inputs, occluded))

    def repair(maps):
        return twin.learn[str(maps.shape[1])].repair_map(maps)[0]

    pairs = list(zip(clean, hidden, strict=True))
    rec = [(repair(h) - c).square().mean() for c, h in pairs]
    read = [repair(h) for _, h in pairs]
    wanted = copy.deepcopy(samples)
    if clean_pass:
        same = [(repair(c) - c).square().mean() for c in clean]
        rec = [(a + b) / 2 for a, b in zip(rec, same, strict=True)]
        read = [torch.cat([repair(c), repair(h)]) for c, h in pairs]
        wanted += copy.deepcopy(samples)
    assert losses.pop('loss_rec').item() == pytest.approx(
        float(sum(rec)) / len(rec), rel=1e-5
    )
    plain.extract_feat = lambda _: tuple(read)
    for part in (getattr(plain, k, None) for k in ('bbox_head', 'rpn_head')):
        if part is not None:
            part.training = True  # FCOS: deltas in strides
    torch.manual_seed(3)
    images = torch.cat([inputs, occluded])[-len(wanted) :]
    expected = flat(plain.loss(images, wanted))
    own = flat(losses)
    assert own.keys() == expected.keys()
    for key, value in expected.items():
        weight = 0.5 if 'loss' in key else 1
        torch.testing.assert_close(own[key], weight * value)


def test_a_loss_can_be_left_out():
    _, model = build_pair('retina', det_weight=0.0)
    assert list(model.loss(*tiny.batch())) == ['loss_rec']
    _, model = build_pair('retina', loss_rec=None)
    assert set(model.loss(*tiny.batch())) == {'loss_cls', 'loss_bbox'}
    with pytest.raises(ValueError, match='nothing to train LEARN by'):
        build_pair('retina', loss_rec=None, det_weight=0.0)
    _, model = build_pair('retina', det_weight=0.0)
    _, cosine = build_pair(
        'retina', det_weight=0.0, loss_rec=dict(distance='cosine')
    )
    values = [
        float(m.loss(*tiny.batch())['loss_rec']) for m in (model, cosine)
    ]
    assert values[0] != values[1]


def test_layers_stay_in_eval_mode_and_heads_know_that_they_train():
    _, model = build_pair('fcos')
    model.train()
    assert model.training
    assert all(m.training for m in model.learn.modules())
    assert model.bbox_head.training  # else FCOS multiplies by the stride
    frozen = [model.backbone, model.neck]
    assert not any(m.training for part in frozen for m in part.modules())
    _, model = build_pair('retina')
    norms = [
        m for m in model.train().modules() if isinstance(m, nn.BatchNorm2d)
    ]
    assert norms
    assert not any(m.training for m in norms)
    model.eval()
    assert not any(m.training for m in model.modules())


def test_levels_of_equal_channels_share_a_learn():
    shared = build_pair('retina')[1].learn
    own = build_pair('ssd')[1].learn
    assert list(shared) == ['16']
    assert sorted(own) == ['16', '32', '64']
    assert [own[k].in_channels for k in ('16', '32', '64')] == [16, 32, 64]


def test_options_of_learn_reach_it():
    options = dict(type='mmocc.LEARN', latent_channels=5, gate=False)
    model = tiny.build(tiny.learning(RETINA, learn=options))
    learn = model.learn['16']
    assert isinstance(learn, LEARN)
    assert learn.gate is None
    assert learn.pool == 'none'
    assert learn.encoder[-1].out_channels == 5


@pytest.mark.parametrize('load', [nn.Module.load_state_dict, load_state_dict])
def test_a_checkpoint_of_the_detector_must_fill_the_frozen_parts(load):
    plain, model = build_pair('retina', seed=1)
    state = plain.state_dict()
    assert torch.equal(
        model.state_dict()['neck.fpn_convs.0.conv.weight'],
        state['neck.fpn_convs.0.conv.weight'],
    )
    del state['bbox_head.retina_reg.bias']
    with pytest.raises(CheckpointError, match=r'bbox_head\.retina_reg\.bias'):
        load(model, state, strict=False)
    faster = tiny.build(tiny.DETECTORS['faster'])
    with pytest.raises(CheckpointError, match='frozen detector'):
        load(model, faster.state_dict(), strict=False)


def test_its_checkpoint_holds_all_and_fits_the_plain_detector():
    _, model = build_pair('faster', seed=1)
    train(model, steps=1)
    again = tiny.build(tiny.learning(tiny.DETECTORS['faster']), seed=2)
    result = again.load_state_dict(model.state_dict())
    assert not result.missing_keys
    for one, other in zip(
        predict(again.eval()), predict(model.eval()), strict=True
    ):
        assert torch.equal(one.bboxes, other.bboxes)
    plain = tiny.build(tiny.DETECTORS['faster'], seed=3)
    result = plain.load_state_dict(model.state_dict(), strict=False)
    assert not result.missing_keys
    assert all(k.startswith(('learn', 'occl')) for k in result.unexpected_keys)


def test_it_warns_once_without_a_checkpoint(monkeypatch):
    lines = []
    monkeypatch.setattr(
        'mmocc.utils.weights.note',
        lambda text, **kwargs: lines.append(text),
    )
    model = tiny.build(tiny.learning(RETINA))
    for _ in range(2):
        model.loss(*tiny.batch())
    assert len(lines) == 1
    assert 'no checkpoint of the frozen detector' in lines[0]
    build_pair('retina')[1].loss(*tiny.batch())
    assert len(lines) == 1


@pytest.mark.parametrize('name', ['retina', 'faster'])
def test_odd_sizes_empty_batches_and_half_precision(name):
    _, model = build_pair(name)
    close_gate(model)
    size = (45, 83)
    assert len(predict(model, size=size)) == 3
    inputs, samples = tiny.batch(size)
    empty = [tiny.sample([], size) for _ in samples]
    model.train()
    for group in (samples, empty):
        losses = model.loss(inputs, group)
        assert model.parse_losses(losses)[0].isfinite()
    _, model = build_pair(name)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        half = model.loss(*tiny.batch())['loss_rec']
    whole = build_pair(name)[1].loss(*tiny.batch())['loss_rec']
    assert half.dtype == torch.float32
    assert half.item() == pytest.approx(whole.item(), rel=0.05)


def test_copies_and_test_time_augmentation():
    _, model = build_pair('retina')
    twin = copy.deepcopy(model)  # as EMA does
    nn.init.zeros_(twin.learn['16'].gate.weight)
    assert not torch.equal(
        twin.learn['16'].gate.weight, model.learn['16'].gate.weight
    )
    tta = DetTTAModel(
        module=model, tta_cfg=ConfigDict(nms=tiny.NMS, max_per_img=10)
    ).eval()
    _, samples = tiny.batch()
    image = torch.randint(256, (3, *tiny.SIZE), dtype=torch.uint8)
    for one in samples:
        one.set_metainfo(dict(flip=False, flip_direction=None))
    data = dict(inputs=[[image], [image]], data_samples=[samples[:1]] * 2)
    with torch.no_grad():
        (merged,) = tta.test_step(data)
    assert len(merged.pred_instances) > 0


def test_inferencer_of_mmdet(tmp_path):
    from mmdet.apis import DetInferencer, init_detector

    plain, model = build_pair('retina')
    close_gate(model)
    pipeline = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(96, 64), keep_ratio=False),
        dict(type='PackDetInputs'),
    ]
    loader = dict(dataset=dict(type='CocoDataset', pipeline=pipeline))
    drawing = dict(type='DetLocalVisualizer')
    common = dict(default_scope='mmdet', visualizer=drawing)
    files, answers = {}, []
    for name, one, cfg in (
        ('plain', plain, RETINA),
        ('learn', model, tiny.learning(RETINA)),
    ):
        cfg = dict(model=cfg, test_dataloader=loader, **common)
        files[name] = tmp_path / f'{name}.py', tmp_path / f'{name}.pth'
        Config(cfg).dump(files[name][0])
        meta = dict(dataset_meta=dict(classes=('a', 'b', 'c')))
        torch.save(
            dict(state_dict=one.state_dict(), meta=meta), files[name][1]
        )
    image = torch.randint(256, (50, 70, 3), dtype=torch.uint8).numpy()
    for config, weights in files.values():
        infer = DetInferencer(str(config), str(weights), device='cpu')
        answers.append(infer(image)['predictions'][0])
    assert answers[0] == answers[1]
    detector = init_detector(*map(str, files['learn']), device='cpu')
    assert type(detector).__name__ == 'LEARNDetectorRetinaNet'


def test_errors_say_what_to_do():
    cases = (
        (dict(type='mmocc.LEARNDetector'), "needs detector='...'"),
        (dict(detector='RetinaNett'), "no detector='RetinaNett'"),
        (dict(detector='DINO'), 'DINO is neither'),
        (dict(occluder=None), 'occluder=None'),
    )
    for changes, message in cases:
        cfg = {**tiny.learning(RETINA), **changes}
        if 'type' in changes:
            del cfg['detector']
        with pytest.raises(ValueError, match=message):
            tiny.build(cfg)
    model = tiny.build(tiny.learning(RETINA, in_channels=8))
    with pytest.raises(ValueError, match=r'level 0 has 16 channels.*for 8;'):
        model.loss(*tiny.batch())
    inputs, samples = tiny.batch()
    del samples[1].gt_instances
    with pytest.raises(ValueError, match=r'no gt_instances\.bboxes'):
        build_pair('retina')[1].loss(inputs, samples)
    _, model = build_pair('retina')
    with pytest.raises(FloatingPointError, match='loss_rec = nan'):
        model.loss(inputs * float('nan'), tiny.batch()[1])


def test_a_head_that_does_not_say_its_channels():
    head = tiny.build(RETINA).bbox_head
    model = tiny.build(tiny.learning(RETINA, in_channels=[16, 16, 16]))
    assert list(model.learn) == ['16']
    del model.bbox_head.in_channels
    assert head.in_channels == 16
    with pytest.raises(ValueError, match='set in_channels'):
        model._head_channels()


def test_the_control_trains_all_on_the_same_twins():
    cfg = dict(
        tiny.DETECTORS['faster'],
        type='mmocc.OcclusionAugDetector',
        detector='FasterRCNN',
    )
    model = tiny.build(cfg).train()
    plain = tiny.build(tiny.DETECTORS['faster']).train()
    plain.load_state_dict(model.state_dict(), strict=False)
    twin = copy.deepcopy(model.occluder)
    inputs, samples = tiny.batch()
    torch.manual_seed(3)
    losses = flat(model.loss(inputs, samples))
    both = torch.cat([inputs, twin(inputs, data_samples=samples)[0]])
    torch.manual_seed(3)
    expected = flat(plain.loss(both, samples + copy.deepcopy(samples)))
    for key, value in expected.items():
        torch.testing.assert_close(losses[key], value)
    trained = {n for n, p in model.named_parameters() if p.requires_grad}
    assert trained == {
        n for n, p in plain.named_parameters() if p.requires_grad
    }


WITHOUT_MMDET = """
import sys
sys.modules['mmdet'] = None  # as if it were not installed
from mmocc.models import LEARNClassifier
from mmocc.registry import MODELS
assert 'mmocc.models.learn.detectors' not in sys.modules
MODELS.build(dict(type='mmocc.LEARN', in_channels=4))
try:
    MODELS.get('mmocc.LEARNDetector')
except ImportError as error:
    assert 'mmocc.LEARNDetector needs mmdet' in str(error), error
else:
    raise AssertionError('LEARNDetector without mmdet')
"""


def test_classification_works_without_mmdet():
    subprocess.run([sys.executable, '-c', WITHOUT_MMDET], check=True)
