import csv
import json

from mmocc.report.detector_tables import (
    REAL,
    counts_markdown_table,
    det_markdown_table,
    main_metric,
    recall_markdown_table,
    write_det_results,
)

NAMES = ('objects', 'inside', 'below', 'too_small', 'ignored', 'mean_share')
VALUES = zip(NAMES, (10, 8, 1, 1, 3, 0.3049), strict=True)
COUNTS = {f'occlusion/{name}': value for name, value in VALUES}


def coco(value):
    return {'coco/bbox_mAP': value, 'coco/bbox_mAP_l': -1.0}


MODELS = {
    'a': {'L0': coco(0.5), 'L1 white': coco(0.25) | COUNTS},
    'b': {'L0': {'pascal_voc/mAP': 0.75}},
}


def test_the_table_is_in_percent_with_a_row_for_each_model():
    assert det_markdown_table(MODELS).splitlines() == [
        '| model | metric | L0 | L1 white |',
        '| --- | --- | ---: | ---: |',
        '| a | coco/bbox_mAP | 50.0 | 25.0 |',
        '| b | pascal_voc/mAP | 75.0 | - |',
    ]
    assert counts_markdown_table(MODELS['a']).splitlines()[2:] == [
        '| L1 white | 10 | 8 | 1 | 1 | 3 | 0.305 |'
    ]
    table = det_markdown_table({'a': MODELS['a']}, 'coco/bbox_mAP_l')
    assert table.endswith('| a | coco/bbox_mAP_l | - | - |')


def test_the_main_metric_is_the_mean_ap_if_there_is_one():
    def main(*names):
        return main_metric({'L0': dict.fromkeys(names, 0.0)})

    assert main('occlusion/objects', 'x/AR@100', 'x/bbox_mAP') == 'x/bbox_mAP'
    assert main('x/AR@100', 'x/AP') == 'x/AP'
    assert main('occlusion/objects', 'x/recall') == 'x/recall'


def test_real_occlusion_has_its_own_table(tmp_path):
    recall = {'box_recall/occluded_recall': 62.344, 'box_recall/occluded': 8}
    models = dict(MODELS, a=MODELS['a'] | {REAL: recall})
    assert recall_markdown_table(models).splitlines() == [
        '| metric | a | b |',
        '| --- | ---: | ---: |',
        '| box_recall/occluded_recall | 62.34 | - |',
        '| box_recall/occluded | 8 | - |',
    ]
    assert det_markdown_table(models) == det_markdown_table(MODELS)
    write_det_results(models, {}, tmp_path)
    text = (tmp_path / 'det_occlusion.md').read_text()
    assert recall_markdown_table(models) in text


def test_files_hold_every_number(tmp_path):
    models = dict(MODELS, c={'L0': {'x/mAP': float('nan')}})
    write_det_results(models, dict(seed=0), tmp_path / 'out')
    written = json.loads((tmp_path / 'out/det_occlusion.json').read_text())
    assert written['meta'] == dict(seed=0)
    assert written['models']['a'] == MODELS['a']
    assert written['models']['c']['L0']['x/mAP'] is None
    with (tmp_path / 'out/det_occlusion.csv').open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 + 8 + 1 + 1
    assert rows[0] == dict(
        model='a', cell='L0', metric='coco/bbox_mAP', value='0.5'
    )
    text = (tmp_path / 'out/det_occlusion.md').read_text()
    assert '| c | x/mAP | - | - |' in text
    assert '\nObjects, a:\n' in text
    assert 'Objects, b' not in text
