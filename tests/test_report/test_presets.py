"""Reports on test sets that others have occluded: tables, cells, numbers."""

import json

import numpy as np
import pytest
from conftest import ROOT, import_tool
from mmengine.config import Config
from toy_answers import answers

pytest.importorskip('mmpretrain', reason='the readers need mmpretrain')

from test_datasets.test_occluded_imagenet import (
    TENCH,
    TISSUE,
    save,
    write_rod,
    write_smd,
)
from test_datasets.test_occluded_pascal3d import write_one
from test_datasets.test_occluded_vehicles import (
    write_coco,
    write_pascal,
)

from mmocc.datasets.occluded_pascal3d import PASCAL3D_CLASSES
from mmocc.occlusion import cell_names
from mmocc.report import presets
from mmocc.report.presets import build_ready, preset_tables
from mmocc.report.statistics import cell_groups, separate_mean
from mmocc.report.summary import summarise

VOC20 = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat',
    'chair', 'cow', 'diningtable', 'dog', 'horse', 'motorbike', 'person',
    'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
STEPS = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(32, 32)),
    dict(type='PackInputs'),
]


@pytest.fixture
def vehicles(tmp_path):
    """Write both halves of the occluded vehicles."""
    write_pascal(tmp_path / 'data')
    write_coco(tmp_path / 'data')
    return tmp_path / 'data'


def config_of(steps=STEPS, **dataset):
    dataset = dict(dict(type='CustomDataset', pipeline=steps), **dataset)
    return Config(
        dict(
            default_scope='mmpretrain',
            test_dataloader=dict(dataset=dataset),
            model=dict(type='ImageClassifier'),
        )
    )


def test_occluded_vehicles_are_the_papers_13_and_4_cells(vehicles):
    pasted, real = preset_tables('occluded_vehicles', vehicles)
    assert list(pasted.cells) == cell_names()
    assert list(real.cells) == ['L0', 'L1 real', 'L2 real', 'L3 real']
    cells = build_ready(config_of(), pasted).ready_cells
    identities = [
        [sample['data_samples'].occlusion_identity for sample in steps_of(d)]
        for d in cells.values()
    ]
    assert identities == [identities[0]] * 13  # known in all cells as one
    assert len(set(identities[0])) == 12
    paths = [cells['L3 texture'].get_data_info(0)['img_path']]
    assert 'aeroplaneLEVELNINE_texture' in paths[0]
    real_cells = build_ready(config_of(), real).ready_cells
    assert {len(d) for d in real_cells.values()} == {6}


def steps_of(dataset):
    """Return the samples of a data set, packed with what is stated."""
    from mmocc.report.cells import occlude_dataset

    seen = occlude_dataset(dataset, None, 'L0')
    return [seen[index] for index in range(len(seen))]


def test_stated_levels_are_the_hidden_shares(vehicles):
    pasted = preset_tables('occluded_vehicles', vehicles)[0]
    cells = build_ready(config_of(), pasted).ready_cells
    for cell, share in (('L0', 0.0), ('L1 white', 0.3), ('L3 object', 0.7)):
        sample = steps_of(cells[cell])[0]['data_samples']
        assert sample.get('occlusion_share', 0.0) == pytest.approx(share)
        assert sample.occlusion_region == 'stated'


def test_a_half_that_is_missing_is_left_out_by_name(tmp_path, monkeypatch):
    lines = []
    monkeypatch.setattr(presets, 'note', lines.append)
    write_coco(tmp_path)
    (table,) = preset_tables('occluded_vehicles', tmp_path)
    assert table.name == 'coco'
    assert 'pascal3d+_occ: no such folder; left out' in lines[0]
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FileNotFoundError, match=r'neither pascal3d\+_occ nor'):
        preset_tables('occluded_vehicles', tmp_path / 'empty')


def test_models_of_other_classes_have_labels_in_their_own(vehicles):
    table = preset_tables('occluded_vehicles', vehicles)[0]
    for own, number in ((dict(classes=VOC20), 20), ({}, 12)):
        data = build_ready(config_of(**own), table)
        assert len(data.metainfo['classes']) == number
    voc = config_of(type='mmocc.VOCObjects', data_root='none')
    data = build_ready(voc, table).ready_cells['L1 white']
    bus = [d for d in map(data.get_data_info, range(len(data)))][4]
    assert VOC20[bus['gt_label']] == bus['category'] == 'bus'


def test_only_photos_with_boxes_are_cropped(tmp_path, vehicles):
    steps = [STEPS[0], dict(type='mmocc.CropObject'), *STEPS[1:]]
    table = preset_tables('occluded_vehicles', vehicles)[0]
    cells = build_ready(config_of(steps), table).ready_cells
    assert steps_of(cells['L0'])[0]['inputs'].shape == (3, 32, 32)
    root = tmp_path / 'pascal3d'
    for category in PASCAL3D_CLASSES:
        for level in (1, 2, 3):
            write_one(root, f'{category}FGL{level}_BGL{level}', category, 'a')
    (table,) = preset_tables('occluded_pascal3d', root)
    assert list(table.cells) == ['L1 object', 'L2 object', 'L3 object']
    for given in (STEPS, steps):
        data = build_ready(config_of(given), table).ready_cells['L2 object']
        names = [type(s).__name__ for s in data.pipeline.transforms]
        assert names.count('CropObject') == 1
        assert names.index('CropObject') == 1 + names.index(
            'LoadImageFromFile'
        )
        assert len(steps_of(data)) == 12
    write_one(root, 'busFGL0_BGL0', 'bus', 'a', swap=True)
    (table,) = preset_tables('occluded_pascal3d', root)
    assert next(iter(table.cells)) == 'L0'


def test_smd_pairs_with_clean_photos_and_rod_stands_alone(tmp_path):
    smd, rod = write_smd(tmp_path / 'smd'), write_rod(tmp_path / 'rod')
    clean = tmp_path / 'val'
    for synset in (TENCH, TISSUE):
        for number in (7, 8):
            save(clean / synset / f'ILSVRC2012_val_{number:08}.JPEG')
    (table,) = preset_tables('smd', smd, clean)
    cells = build_ready(config_of(), table).ready_cells
    keys = [
        [s['data_samples'].occlusion_identity for s in steps_of(data)]
        for data in cells.values()
    ]
    assert list(cells) == ['L0', 'occluded'] and keys[0] == keys[1]
    (table,) = preset_tables('smd', smd)
    assert list(table.cells) == ['occluded']
    (table,) = preset_tables('rod', rod)
    assert len(build_ready(config_of(), table)) == 16
    own = config_of(type='mmocc.RealisticOcclusion', labels='own')
    assert len(build_ready(own, table).metainfo['classes']) == 16


def test_folders_and_options_that_do_not_fit_are_named(tmp_path):
    with pytest.raises(ValueError, match='--preset rod needs --data'):
        preset_tables('rod', None)
    with pytest.raises(FileNotFoundError, match='gone: no such folder'):
        preset_tables('rod', tmp_path / 'gone')
    with pytest.raises(ValueError, match='--clean is for --preset smd'):
        preset_tables('rod', tmp_path, tmp_path)


def test_means_of_separate_images_are_plain_means_of_the_cells():
    def cell(hits, start):
        return answers(hits, index=range(start, start + len(hits)))

    cells = {
        'L0': cell([1, 1, 1, 1], 0),
        'L1 real': cell([1, 1, 1, 0], 10),
        'L2 real': cell([1, 0], 20),
    }
    report = summarise({'net': cells}, ('cat', 'dog'))
    means = report['models']['net']['means']
    assert means['mean']['accuracy'] == pytest.approx(75)
    assert means['L1-L3']['accuracy'] == pytest.approx(62.5)
    assert means['L1-L3']['images'] == 6
    low, high = means['L1-L3']['interval']
    parts = [
        report['models']['net']['cells'][c] for c in ('L1 real', 'L2 real')
    ]
    down = np.hypot(*(p['accuracy'] - p['interval'][0] for p in parts)) / 2
    up = np.hypot(*(p['interval'][1] - p['accuracy'] for p in parts)) / 2
    assert [low, high] == pytest.approx([62.5 - down, 62.5 + up], abs=1e-3)


def test_the_mean_of_one_number_is_the_number():
    assert separate_mean([0.4], [(0.1, 0.9)]) == pytest.approx((0.4, 0.1, 0.9))


def test_cells_without_a_level_are_in_no_mean_over_levels():
    groups = cell_groups(['L0', 'occluded'])
    assert groups == dict(mean=['L0', 'occluded'], L0=['L0'])


@pytest.fixture
def report(tiny_config, tmp_path, monkeypatch):
    """Return what runs the tool on an untrained model of some classes."""
    import torch
    from mmengine.registry import MODELS, init_default_scope

    def run(classes, *arguments, **dataset):
        text = tiny_config.read_text()
        text = text.replace('num_classes=2', f'num_classes={classes}')
        text += f'\ntest_dataloader["dataset"].update({dataset!r})\n'
        (tmp_path / 'net.py').write_text(text)
        init_default_scope('mmpretrain')
        model = Config.fromfile(tmp_path / 'net.py').model
        weights = MODELS.build(model).state_dict()
        torch.save(weights, tmp_path / 'net.pth')
        arguments = [
            *('report', tmp_path / 'net.py', tmp_path / 'net.pth'),
            *('--out', tmp_path / 'out', '--examples', '1'),
            *('--batch-size', '8', '--workers', '0', *arguments),
        ]
        monkeypatch.setattr('sys.argv', [str(a) for a in arguments])
        tool = ROOT / 'tools/analysis_tools/occlusion_benchmark.py'
        import_tool(tool).main()
        return tmp_path / 'out'

    return run


def numbers_in(folder):
    return json.loads((folder / 'occlusion.json').read_text())


def test_one_command_writes_both_tables(vehicles, report):
    out = report(12, '--preset', 'occluded_vehicles', '--data', vehicles)
    numbers = {name: numbers_in(out / name) for name in ('pascal3d+', 'coco')}
    cells = {k: v['models']['net']['cells'] for k, v in numbers.items()}
    assert list(cells['pascal3d+']) == cell_names()
    assert len(cells['coco']) == 4
    images = {c['images'] for table in cells.values() for c in table.values()}
    assert images == {6, 12}
    assert numbers['pascal3d+']['models']['net']['means']['mean']['images']
    page = (out / 'coco/occlusion.html').read_text()
    assert 'L3 real' in page and 'what the data set itself takes' in page


def test_a_set_without_levels_has_a_page_of_its_one_cell(report, tmp_path):
    out = report(
        *(16, '--preset', 'rod', '--data', write_rod(tmp_path / 'rod')),
        type='mmocc.RealisticOcclusion',
        labels='own',
    )
    net = numbers_in(out)['models']['net']
    assert list(net['cells']) == ['occluded']
    assert net['cells']['occluded']['images'] == 16
    assert list(net['means']) == ['mean']
    assert 'occluded' in (out / 'occlusion.html').read_text()
