"""The benchmark of Latent-OFER's stages measures these stages."""

import sys

import pytest
import torch
from conftest import ROOT

sys.path.insert(0, str(ROOT))  # benchmarks are not installed

from benchmarks import ofer_stages
from mmocc.models.ofer.stage_model import to_rgb

NAME, BATCH, SIDE = ofer_stages.SIZES[0]


def test_parts_of_a_prediction_make_the_whole():
    model = ofer_stages.build(NAME)
    data = ofer_stages.batch_of(2, SIDE)
    with torch.no_grad():
        images = ofer_stages.fit_detector(model, data)
        calls = ofer_stages.stage_calls(model, images)
        done = {name: call() for name, call in calls.items()}
        whole = model.test_step(data)
    assert set(done) == set(ofer_stages.STAGES)
    hidden = done['detector'].mask.float().mean()
    assert hidden == pytest.approx(ofer_stages.HIDDEN, abs=0.02)
    for number, sample in enumerate(whole):
        assert torch.equal(
            sample.pred_patch_mask, done['detector'].mask[number]
        )
        torch.testing.assert_close(
            sample.pred_score, done['recognition'][number].pred_score
        )
    faces = to_rgb(done['reconstructor'], model.data_preprocessor)
    recon = torch.stack([sample.recon for sample in whole])
    assert (faces - recon).abs().max() < 0.3


def test_both_epochs_train_and_one_reads_the_cache(monkeypatch):
    monkeypatch.setattr(ofer_stages, 'EPOCH', 1)
    built, build = [], ofer_stages.build
    monkeypatch.setattr(
        ofer_stages,
        'build',
        lambda *args: built.append(build(*args)) or built[-1],
    )
    rivals = ofer_stages.epoch(NAME, 2, SIDE)
    runs = []
    for model in built:
        model.stages.register_forward_hook(
            lambda module, inputs, outputs: runs.append(module)
        )
    before = [m.head.fuse[0].weight.clone() for m in built]
    for _ in range(2):
        rivals.ours()
        rivals.other()
    for model, old in zip(built, before, strict=True):
        assert not torch.equal(model.head.fuse[0].weight, old)
    assert [runs.count(model.stages) for model in built] == [1, 2]


def test_parts_of_weakened_features_make_the_whole():
    name, number, side = ofer_stages.WEAKENED
    model, data = ofer_stages.build(name), ofer_stages.batch_of(number, side)
    with torch.no_grad():
        calls = ofer_stages.weakened_calls(model, data)
        done = {name: call() for name, call in calls.items()}
        whole = model.test_step(data)
    assert set(done) == set(ofer_stages.WEAKENED_STAGES)
    assert done['features'][0].shape == (number, 80 * 33)
    for row, sample in zip(done['detector'], whole, strict=True):
        torch.testing.assert_close(sample.pred_patch_dist, row)
    for own, sample in zip(done['head'], whole, strict=True):
        torch.testing.assert_close(sample.pred_score, own.pred_score)
