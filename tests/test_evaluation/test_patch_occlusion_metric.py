"""Metrics of detected patches, by hand."""

import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample

from mmocc.evaluation.patch_values import patch_values
from mmocc.registry import METRICS


def build(**kwargs):
    return METRICS.build(dict(type='mmocc.PatchOcclusionMetric', **kwargs))


def sample(distances, coverage=None, kind=None, radius=0.5):
    out = DataSample()
    distances = torch.tensor(distances)
    out.set_field(distances, 'pred_patch_dist')
    out.set_field(distances > radius, 'pred_patch_mask')
    meta = dict(img_path='a.png')
    if coverage is not None:
        meta['patch_coverage'] = np.array(coverage, np.float32)
    if kind is not None:
        meta['occlusion_kind'] = kind
    out.set_metainfo(meta)
    return out.to_dict()


def evaluate(metric, *samples):
    metric.process({}, samples)
    return metric.evaluate(len(samples))


def test_values_by_hand():
    occluded = np.array([1, 1, 1, 0, 0, 0, 0, 0], bool)
    flagged = np.array([1, 1, 0, 1, 0, 0, 0, 0], bool)
    distances = np.array([9, 8, 3, 7, 2, 1, 4, 0], float)
    values = patch_values(occluded, flagged, distances)
    assert values['accuracy'] == 75
    assert np.isclose(values['precision'], 200 / 3)
    assert np.isclose(values['recall'], 200 / 3)
    assert np.isclose(values['f1'], 200 / 3)
    # 15 pairs; of the occluded, 3 is below 7 and 4
    assert np.isclose(values['auroc'], 100 * 13 / 15)
    # 9 and 8 are above all clean ones; the next threshold flags a fifth
    assert np.isclose(values['recall_at_5'], 200 / 3)


def test_a_coverage_equal_to_the_threshold_is_occluded():
    distances, coverage = [0.9, 0.6, 0.1, 0.0], [[1.0, 0.3], [0.29, 0.0]]
    values = evaluate(build(threshold=0.3), sample(distances, coverage))
    assert values['patch/accuracy'] == 100
    half = evaluate(build(threshold=0.5), sample(distances, coverage))
    assert half['patch/precision'] == 50 and half['patch/recall'] == 100
    assert half['patch/accuracy'] == 75


def test_all_patches_of_all_images_have_the_same_weight():
    metric = build()
    values = evaluate(
        metric,
        sample([0.9, 0.9, 0.9, 0.9], np.ones((2, 2))),
        sample([0.6, 0.1, 0.1, 0.1], np.zeros((2, 2))),
    )
    assert np.isclose(values['patch/precision'], 80)
    assert values['patch/recall'] == 100 and values['patch/auroc'] == 100
    assert np.isclose(values['patch/flagged'], 500 / 8)


def test_kinds_get_separate_metrics():
    values = evaluate(
        build(),
        sample([0.9, 0.1], [[1, 0]], 'hand'),
        sample([0.1, 0.9], [[1, 0]], 'cup'),
        sample([0.1, 0.1], [[0, 0]], ''),
    )
    assert values['patch/auroc_hand'] == 100 and values['patch/auroc_cup'] == 0
    assert values['patch/f1_hand'] == 100 and values['patch/f1_cup'] == 0
    assert not [name for name in values if name.endswith('_')]
    one = evaluate(build(group_by=None), sample([0.9, 0.1], [[1, 0]], 'hand'))
    assert not any('hand' in name for name in one)


def test_undefined_values_are_left_out():
    values = evaluate(build(), sample([0.1, 0.2], [[0, 0]]))
    assert values == {'patch/flagged': 0, 'patch/accuracy': 100}
    masked, clear = sample([0.9, 0.9]), sample([0.9, 0.1])
    for record, label in ((masked, 1), (clear, 0)):
        record['gt_label'] = torch.tensor([label])
    values = evaluate(build(group_by='gt_label'), masked, clear)
    assert values == {
        'patch/flagged': 75,
        'patch/flagged_0': 50,
        'patch/flagged_1': 100,
    }


def test_faults_are_named():
    with pytest.raises(ValueError, match='threshold is 0'):
        build(threshold=0)
    with pytest.raises(ValueError, match='PatchSVDD'):
        build().process({}, [dict(img_path='a.png')])
    with pytest.raises(ValueError, match=r'a.png.*4 patches for 2'):
        build().process({}, [sample([0.1, 0.2], np.zeros((2, 2)))])
