import copy

import pytest
import torch
from mmengine.registry import DefaultScope
from mmengine.runner import load_state_dict
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample

from mmocc.occlusion import KINDS

BACKBONE = dict(type='ResNet_CIFAR', depth=18, base_channels=8)
BACKBONE.update(stem_channels=8, out_indices=(3,))
CONTROL = 'mmocc.OcclusionAugClassifier'
HEAD = dict(type='LinearClsHead', num_classes=3, in_channels=64, topk=1)
GAP = dict(type='GlobalAveragePooling')
BASELINE = dict(
    type='ImageClassifier',
    backbone=BACKBONE,
    neck=GAP,
    head=HEAD,
    data_preprocessor=dict(
        type='ClsDataPreprocessor',
        mean=[10.0, 20.0, 30.0],
        std=[50.0, 60.0, 70.0],
        to_rgb=True,
        num_classes=3,
    ),
)
LEARN = dict(type='mmocc.LEARN', in_channels=64)


def build(cfg=BASELINE, **changes):
    with DefaultScope.overwrite_default_scope('mmpretrain'):
        return MODELS.build(copy.deepcopy(dict(cfg, **changes)))


def build_learn(**changes):
    fields = dict(type='mmocc.LEARNClassifier', neck=[LEARN, GAP])
    return build(**dict(fields, **changes))


def batch(labels=(0, 1, 2, 0), size=32):
    torch.manual_seed(0)
    samples = [DataSample().set_gt_label(label) for label in labels]
    return torch.randn(len(labels), 3, size, size), samples


def train(model, steps=3):
    """Train; return the names of the tensors that changed."""
    before = copy.deepcopy(model.state_dict())
    model.train()
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(trained, lr=0.1)
    for _ in range(steps):
        optimizer.zero_grad()
        sum(model.loss(*batch()).values()).backward()
        optimizer.step()
    after = model.state_dict()
    return {k for k, v in before.items() if not torch.equal(v, after[k])}


INNER = dict(
    neck=GAP,
    learn=dict(type='mmocc.LEARN', in_channels=32, gate=True),
    insert_after='backbone.layer3',
)
WITH_DROPOUT = dict(
    head=dict(HEAD, type='mmocc.VGGClsHead', feat_size=4, hidden_channels=16),
    neck=LEARN,
)


@pytest.mark.parametrize(
    ('changes', 'learn'), [(WITH_DROPOUT, 'neck.'), (INNER, 'inner_learn.')]
)
def test_only_learn_changes_in_training(changes, learn):
    model = build_learn(**changes)
    changed = train(model)
    names = list(model.state_dict())
    trained = {name for name in names if name.startswith(learn)}
    assert changed == {*trained, 'occluder.steps'}
    with_grad = {n for n, p in model.named_parameters() if p.grad is not None}
    assert with_grad == trained


def test_batch_norm_and_dropout_stay_in_eval_mode():
    model = build_learn().train()
    assert model.training
    assert model.learn.training
    others = [
        module
        for name, module in model.named_modules()
        if name and not name.startswith('neck')
    ]
    assert not any(module.training for module in others)
    assert not model.eval().learn.training


def test_a_baseline_checkpoint_gives_the_baselines_logits_before_learn():
    baseline, model = build().eval(), build_learn().eval()
    model.load_state_dict(baseline.state_dict(), strict=False)
    inputs, _ = batch()
    with torch.no_grad():
        feature = model.frozen_feature(inputs)
        without_learn = model.logits(feature)
        assert torch.equal(without_learn, baseline(inputs))


def test_its_checkpoint_works_in_a_plain_image_classifier():
    model = build_learn()
    train(model, steps=1)
    plain = build(neck=[LEARN, GAP])
    result = plain.load_state_dict(model.state_dict(), strict=False)
    assert result.missing_keys == []
    inputs, samples = batch()
    with torch.no_grad():
        expected = model.eval()(inputs)
        assert torch.equal(plain.eval()(inputs), expected)
        predicted = plain.predict(inputs, samples)
    assert torch.equal(predicted[1].pred_score, expected.softmax(dim=1)[1])


def test_losses_are_what_their_definitions_say():
    model = build_learn().eval()
    inputs, samples = batch()
    labels = torch.tensor([0, 1, 2, 0])
    twin = copy.deepcopy(model)  # its occluder draws the same
    losses = model.loss(inputs, samples)
    occluded = twin.occluder(inputs)[0]
    with torch.no_grad():
        clean, occ = (twin.frozen_feature(x) for x in (inputs, occluded))
    repaired = [twin.learn((feat,))[0] for feat in (clean, occ)]
    latents = [twin.learn.encode(feat) for feat in (clean, occ)]
    rec = [(feat - clean).square().mean() for feat in repaired]
    cls = [
        torch.nn.functional.cross_entropy(twin.logits(feat), labels)
        for feat in repaired
    ]
    expected = dict(
        loss_rec=sum(rec) / 2,
        loss_intra=twin.losses.loss_intra(*latents, labels),
        loss_inter=twin.losses.loss_inter(*latents, labels),
        loss_cls=sum(cls) / 2,
    )
    assert_losses(losses, expected)
    model.occluder.load_state_dict(dict(steps=torch.tensor(0)))
    model.clean_pass = False
    expected.update(loss_rec=rec[1], loss_cls=cls[1])
    assert_losses(model.loss(inputs, samples), expected)


def assert_losses(losses, expected):
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.allclose(losses[name], value, rtol=1e-4), name


# What configs said before these were defaults.
DEFAULTS = dict(
    occluder=dict(
        type='mmocc.BatchOccluder', kinds=('white', 'noise'), area=(0.2, 0.8)
    ),
    loss_rec=dict(
        type='mmocc.FeatureReconstructionLoss', distance='l2', loss_weight=1.0
    ),
    loss_intra=dict(
        type='mmocc.IntraClassLatentLoss',
        distance='cosine',
        positives='class',
        loss_weight=0.1,
    ),
    loss_inter=dict(
        type='mmocc.InterClassLatentLoss',
        distance='cosine',
        margin=0.5,
        loss_weight=0.1,
    ),
    loss_cls=dict(type='mmpretrain.CrossEntropyLoss', loss_weight=1.0),
)


@pytest.mark.parametrize(
    ('cfg', 'options'),
    [
        (dict(), DEFAULTS),
        (dict(type=CONTROL, neck=GAP), dict(occluder=DEFAULTS['occluder'])),
    ],
)
def test_defaults_are_what_configs_used_to_spell_out(cfg, options):
    models = []
    for extra in ({}, options):
        torch.manual_seed(0)
        models.append(build_learn(**cfg, **extra))
    one, other = (model.loss(*batch()) for model in models)
    assert one == other
    assert str(models[0]) == str(models[1])


def test_options_without_a_type_change_a_default(occluder_folders):
    model = build_learn(
        occluder=dict(area=(0.1, 0.3), **occluder_folders),
        loss_rec=dict(distance='l1'),
        loss_intra=None,
    )
    assert model.occluder.kinds == ('white', 'noise', 'texture', 'object')
    assert model.occluder.area == (0.1, 0.3)
    assert model.losses.loss_rec.distance == 'l1'
    assert set(model.loss(*batch())) == {'loss_rec', 'loss_inter', 'loss_cls'}


@pytest.mark.parametrize('cfg', [dict(), dict(type=CONTROL, neck=GAP)])
def test_a_missing_bank_is_named_where_training_starts(cfg, tmp_path):
    model = build_learn(
        occluder=dict(object_bank=str(tmp_path / 'nowhere')), **cfg
    )
    inputs, samples = batch()
    assert len(model.predict(inputs, samples)) == 4  # needs no bank
    with pytest.raises(FileNotFoundError, match='nowhere'):
        model.init_weights()  # as Runner.train does first


@pytest.mark.parametrize('labels', [(1, 1, 1), (0, 1, 2)])
def test_batches_of_one_class_or_all_different_train(labels):
    losses = build_learn().loss(*batch(labels))
    sum(losses.values()).backward()
    assert all(loss.isfinite() for loss in losses.values())
    assert (losses['loss_inter'] == 0) == (len(set(labels)) == 1)


def test_the_occluder_takes_the_preprocessors_normalisation(occluder_folders):
    occluder = dict(
        type='mmocc.BatchOccluder', kinds=KINDS, **occluder_folders
    )
    model = build_learn(occluder=occluder)
    assert model.occluder.mean.flatten().tolist() == [10, 20, 30]
    assert model.occluder.std.flatten().tolist() == [50, 60, 70]
    assert model.occluder.bgr_to_rgb


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (dict(neck=GAP), 'just one mmocc.LEARN.*found 0'),
        (dict(neck=[LEARN, LEARN]), 'just one mmocc.LEARN.*found 2'),
        (
            dict(train_cfg=dict(augments=[dict(type='Mixup', alpha=1.0)])),
            'batch augments mix labels',
        ),
        (
            dict(
                data_preprocessor=dict(
                    batch_augments=dict(
                        augments=dict(type='CutMix', alpha=1.0)
                    )
                )
            ),
            'batch augments mix labels',
        ),
        (
            dict.fromkeys(k for k in DEFAULTS if k != 'occluder'),
            'all losses are None',
        ),
        (dict(occluder=None), 'occluder=None.*leave it out'),
        (dict(INNER, insert_after=None), 'both of learn and insert_after'),
        (
            dict(INNER, insert_after='backbone.stage9'),
            "'backbone.stage9' names no",
        ),
        (dict(INNER, neck=[LEARN, GAP]), 'just one mmocc.LEARN.*found 2'),
    ],
)
def test_configs_that_cannot_train_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        build_learn(**changes)


def test_labels_channels_and_features_that_cannot_be_are_named():
    for label in (-1, 3):
        with pytest.raises(ValueError, match=f'label {label} is outside'):
            build_learn().loss(*batch((0, label)))
    model = build_learn(neck=[dict(LEARN, in_channels=512), GAP])
    with pytest.raises(ValueError, match=r'in_channels=512.*gives 64'):
        model.loss(*batch())
    inputs, samples = batch()
    inputs[0, 0, 0, 0] = float('nan')
    with pytest.raises(FloatingPointError, match=r'loss_rec = nan'):
        build_learn().loss(inputs, samples)


@pytest.mark.parametrize(
    ('changes', 'message'),
    [
        (
            dict(backbone=dict(BACKBONE, depth=34)),
            r'layer1\.2\.\S+ is missing',
        ),
        (dict(head=dict(HEAD, num_classes=5)), r'head\.fc\.\S+ is \(3, 64\)'),
    ],
)
def test_a_checkpoint_of_another_architecture_is_refused(changes, message):
    model = build_learn(**changes)
    with pytest.raises(ValueError, match=message):
        model.load_state_dict(build().state_dict(), strict=False)


def test_training_on_a_model_that_was_never_loaded_warns_once(monkeypatch):
    messages = []
    monkeypatch.setattr(
        'mmocc.utils.weights.note',
        lambda message, **_: messages.append(message),
    )
    loaded, random = build_learn(), build_learn()
    loaded.load_state_dict(build().state_dict(), strict=False)
    for model in (loaded, random, random):
        model.loss(*batch())
    assert len(messages) == 1
    assert 'set load_from to a trained classifier' in messages[0]


def test_the_control_trains_all_parts_on_both_images():
    model, sizes = build(type=CONTROL).train(), []
    model.backbone.register_forward_pre_hook(
        lambda _, args: sizes.append(len(args[0]))
    )
    model.loss(*batch())['loss'].backward()
    assert sizes == [8]
    assert all(p.grad is not None for p in model.parameters())


def test_an_inserted_learn_repairs_the_map_that_the_rest_reads():
    model = build_learn(**INNER).eval()
    inputs, _ = batch()
    maps = {}
    for name in ('layer3', 'layer4'):
        getattr(model.backbone, name).register_forward_hook(
            lambda _, args, out, name=name: maps.update({name: (args[0], out)})
        )
    with torch.no_grad():
        logits = model(inputs)
        repaired = model.learn.repair(maps['layer3'][1])[0]
        assert torch.equal(maps['layer4'][0], repaired)
        pooled = model.backbone.layer4(repaired).mean(dim=(2, 3))
        assert torch.allclose(logits, model.head.fc(pooled), atol=1e-6)


def test_an_inserted_learn_has_the_same_losses_defined_on_its_map():
    model = build_learn(**INNER).eval()
    inputs, samples = batch()
    twin = copy.deepcopy(model)
    losses = model.loss(inputs, samples)
    both = torch.cat([inputs, twin.occluder(inputs)[0]])
    maps = []
    twin.backbone.layer3.register_forward_hook(
        lambda module, args, out: maps.append(out)
    )
    with torch.no_grad():
        logits = twin(both)
    clean = maps[0].chunk(2)[0]
    rec = twin.learn.repair(maps[0])[0] - torch.cat([clean, clean])
    labels = torch.tensor([0, 1, 2, 0]).repeat(2)
    cls = torch.nn.functional.cross_entropy(logits, labels)
    assert torch.allclose(losses['loss_rec'], rec.square().mean(), rtol=1e-4)
    assert torch.allclose(losses['loss_cls'], cls, rtol=1e-4)


def test_an_inserted_learn_loads_the_baseline_and_its_own_checkpoint():
    model = build_learn(**INNER)
    result = model.load_state_dict(build().state_dict(), strict=False)
    assert {k.split('.')[0] for k in result.missing_keys} == {
        'inner_learn',
        'occluder',
    }
    again = build_learn(**INNER).eval()
    again.load_state_dict(model.state_dict())
    inputs, _ = batch()
    with torch.no_grad():
        assert torch.equal(again(inputs), model.eval()(inputs))


def test_the_gate_trains_in_bfloat16_autocast():
    model = build_learn(**INNER).train()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = model.loss(*batch())
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.learn.parameters())


LINEAR = dict(type='LinearNeck', in_channels=64, out_channels=16)


def build_necks(own, place=None):
    """Build a classifier with its own necks, with LEARN among them."""
    head = dict(HEAD, in_channels=16)
    if place is None:
        return build(neck=own, head=head)
    own = own if isinstance(own, list) else [own]
    return build_learn(neck=[*own[:place], LEARN, *own[place:]], head=head)


@pytest.mark.parametrize(
    ('own', 'place'),
    [
        (LINEAR, 0),
        ([LINEAR], 0),
        ([GAP, LINEAR], 0),
        ([GAP, LINEAR], 1),
        ([GAP, GAP, LINEAR], 1),
    ],
)
def test_the_classifiers_own_neck_is_loaded_wherever_learn_is(own, place):
    baseline, model = build_necks(own), build_necks(own, place)
    load_state_dict(model, baseline.state_dict())
    (neck,) = (m for m in model.stages if type(m).__name__ == 'LinearNeck')
    values = list(baseline.neck.state_dict().values())
    for value, loaded in zip(values, neck.state_dict().values(), strict=True):
        assert torch.equal(value, loaded)
    again = build_necks(own, place)  # from LEARN's own checkpoint
    again.load_state_dict(model.state_dict())
    for key, value in again.state_dict().items():
        assert torch.equal(value, model.state_dict()[key])


def test_a_checkpoint_without_the_own_neck_is_refused():
    state = build_necks(LINEAR).state_dict()
    state = {k: v for k, v in state.items() if not k.startswith('neck.')}
    with pytest.raises(ValueError, match=r'neck\.1\.\S+ is missing'):
        load_state_dict(build_necks(LINEAR, 0), state)
