"""SSD and DEA as graphs: traced with one page, right for twenty others."""

import io

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea

from mmocc.models.dea.export import ExportedDetector, export_onnx

PLAIN = dict(type='mmdet.SingleStageDetector')
FIELDS = ('bboxes', 'scores', 'labels', 'level_inds')
RULES = ('own_level', 'conv4_3', 'size')


def pages(count):
    """Return pages of one to six marks at random places, and samples."""
    rng = np.random.default_rng(0)
    for number in range(count):
        marks = [
            (
                int(rng.integers(3)),
                *map(int, rng.integers(0, 50, 2)),
                int(rng.integers(20, 44)),
            )
            for _ in range(1 + number % 6)
        ]
        image, sample = toy_dea.page(marks)
        # Grain, so that no two priors have the same score.
        grain = torch.from_numpy(rng.integers(0, 40, image.shape))
        yield (image.int() - grain).clamp(min=0).byte(), sample


def build(redraws, agnostic=True, rule='own_level'):
    """Return a detector that finds something everywhere; with a decoder."""
    options = dict(
        frozen_detector=False,
        judge=dict(scores=('pearson', 'confidence')),
        roi_extractor=dict(rule=rule, sampling_ratio=0),
        test_cfg=dict(nms=dict(class_agnostic=agnostic), max_per_img=300),
    )
    model = toy_dea.build(**options).eval()
    torch.manual_seed(3)
    for conv in [*model.bbox_head.cls_convs, *model.bbox_head.reg_convs]:
        torch.nn.init.normal_(conv[0].weight, std=0.05)
    if not redraws:
        for name in ('roi_extractor', 'decoder', 'judge'):
            delattr(model, name)
        model.__class__ = type(model).__mro__[1]  # mmdet's single stage
    return model


def compare(run, model, names):
    """Compare a graph with the model's own predictions on 20 pages."""
    counts = set()
    for image, sample in pages(20):
        found = dict(zip(names, run(image[None].float()), strict=True))
        data = dict(inputs=[image], data_samples=[sample])
        (expected,) = toy_dea.predict(model, data)
        own = expected.pred_instances
        counts.add(len(own))
        pairs = dict(zip(FIELDS, names[:4], strict=True))
        if 'recons' in names:
            pairs |= dict(recons='recons', anomaly_scores='anomaly_scores')
        for field, name in pairs.items():
            # Pearson of an object that is nearly flat tells little.
            atol = 0.02 if name == 'anomaly_scores' else 2e-3
            torch.testing.assert_close(
                torch.as_tensor(found[name]), own[field], atol=atol, rtol=1e-3
            )
    assert len(counts) > 3  # so many objects that no number is baked in


@pytest.mark.parametrize('agnostic', [True, False])
def test_ssd_with_nms_is_its_predictions(agnostic):
    model = build(False, agnostic)
    exported = ExportedDetector(model, (toy_dea.SIDE,) * 2)
    with torch.no_grad():
        compare(exported, model, exported.output_names)


@pytest.mark.parametrize('rule', RULES)
def test_a_trace_of_dea_holds_for_other_pages(rule):
    model = build(True, rule=rule)
    exported = ExportedDetector(model, (toy_dea.SIDE,) * 2)
    image, _ = next(pages(1))
    with torch.no_grad():
        traced = torch.jit.trace(
            exported, image[None].float(), check_trace=False
        )
        file = io.BytesIO()
        torch.jit.save(traced, file)
        file.seek(0)
        compare(torch.jit.load(file), model, exported.output_names)


@pytest.mark.parametrize('redraws', [False, True])
def test_onnxruntime_gives_the_same(redraws, tmp_path):
    pytest.importorskip('onnx', reason='ONNX files need onnx')
    runtime = pytest.importorskip('onnxruntime')
    model = build(redraws)
    image, _ = next(pages(1))
    path = tmp_path / 'model.onnx'
    names = export_onnx(model, image[None], path)
    session = runtime.InferenceSession(
        str(path), providers=['CPUExecutionProvider']
    )
    assert [out.name for out in session.get_outputs()] == list(names)
    compare(
        lambda image: session.run(None, dict(image=image.numpy())),
        model,
        names,
    )


def test_what_cannot_be_exported_is_refused_by_name(tmp_path):
    size = (toy_dea.SIDE,) * 2
    model = build(True)
    with pytest.raises(ValueError, match='nothing is found in the example'):
        model.bbox_head.test_cfg.score_thr = 1.0
        export_onnx(model, torch.zeros(1, 3, *size), tmp_path / 'x.onnx')
    model.roi_extractor.layers[0].sampling_ratio = 2
    with pytest.raises(ValueError, match='sampling_ratio=0'):
        export_onnx(model, torch.zeros(1, 3, *size), tmp_path / 'x.onnx')
    model.judge.anomaly_score = 'rank'
    with pytest.raises(ValueError, match="score 'rank' cannot be exported"):
        ExportedDetector(model, size)
    model.bbox_head.test_cfg.nms.type = 'soft_nms'
    with pytest.raises(ValueError, match="type is 'soft_nms'"):
        ExportedDetector(model, size)
    with pytest.raises(ValueError, match='NoneType cannot be exported'):
        ExportedDetector(torch.nn.Identity(), size)
