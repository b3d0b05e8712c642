import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DATASETS, init_default_scope
from mmengine.runner import Runner

from mmocc.occlusion import cell_names
from mmocc.report.cells import (
    OcclusionCells,
    insert_occlude,
    make_occlude,
    occlude_dataset,
)


class Load:
    pass


class PackThings:
    pass


@pytest.fixture
def dataset(tiny_config):
    init_default_scope('mmpretrain')
    return DATASETS.build(Config.fromfile(tiny_config).test_dataloader.dataset)


def test_the_table_has_the_papers_thirteen_cells():
    names = cell_names()
    assert len(names) == 13
    assert names[:3] == ['L0', 'L1 white', 'L1 noise']
    assert names[-1] == 'L3 object'


def test_the_occlusion_goes_just_before_packing():
    load, pack, occlude = Load(), PackThings(), object()
    steps = insert_occlude([load, pack], occlude, 'L1 white')
    assert steps[:2] == [load, occlude]
    assert steps[2].pack is pack
    assert len(steps) == 3


def test_a_pipeline_without_packing_says_what_was_looked_for():
    with pytest.raises(ValueError, match=r"named Pack\.\.\..*\['Load'\]"):
        insert_occlude([Load()], None, 'L0')


@pytest.mark.parametrize('cell', ['L1', 'L9 white', 'L1 nose', 'white'])
def test_a_misspelt_cell_is_refused(cell):
    with pytest.raises(ValueError, match='unknown'):
        make_occlude(cell)


def test_the_clean_cell_is_the_test_set_itself(dataset):
    clean = occlude_dataset(dataset, None, 'L0')
    for index in range(len(dataset)):
        assert torch.equal(clean[index]['inputs'], dataset[index]['inputs'])
    assert clean[0]['data_samples'].occlusion_cell == 'L0'
    assert 'occlusion_cell' not in dataset[0]['data_samples']


def test_a_wrapped_data_set_is_followed_down(dataset):
    joint = torch.utils.data.ConcatDataset([dataset, dataset])
    seen = occlude_dataset(joint, make_occlude('L2 white', seed=0), 'L2 white')
    share = seen[5]['data_samples'].occlusion_share
    assert 0.4 <= share < 0.6
    assert 'occlusion_share' not in joint[5]['data_samples']


def test_what_has_no_pipeline_is_refused():
    with pytest.raises(ValueError, match='TensorDataset has no pipeline'):
        occlude_dataset(torch.utils.data.TensorDataset(), None, 'L0')


def test_cells_follow_one_another(dataset):
    cells = OcclusionCells(dataset, ['L0', 'L3 noise'], seed=1)
    assert len(cells) == 2 * len(dataset)
    first, second = cells[1], cells[1 + len(dataset)]
    assert torch.equal(first['inputs'], dataset[1]['inputs'])
    assert second['data_samples'].occlusion_cell == 'L3 noise'
    assert 0.6 <= second['data_samples'].occlusion_share < 0.8
    assert second['data_samples'].occlusion_region == 'image'
    assert cells.metainfo['classes'] == dataset.metainfo['classes']
    again = OcclusionCells(dataset, ['L3 noise'], seed=1)[1]
    assert torch.equal(again['inputs'], second['inputs'])


def test_cells_must_be_a_list(dataset):
    with pytest.raises(ValueError, match="'L2 white'"):
        OcclusionCells(dataset, 'L0')


def test_accuracy_by_cell_inside_the_validation_of_a_run(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.val_dataloader.dataset = dict(
        type='mmocc.OcclusionCells',
        dataset=cfg.val_dataloader.dataset,
        cells=['L0', 'L1 white', 'L1 noise'],
    )
    cfg.val_evaluator = dict(type='mmocc.OcclusionAccuracy')
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', save_best='occlusion/mean', rule='greater'
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    metrics = runner.val()
    assert set(metrics) == {
        f'occlusion/{name}'
        for name in ('L0', 'L1_white', 'L1_noise', 'L1', 'mean', 'L1-L3')
    }
    cells = [metrics[f'occlusion/{n}'] for n in ('L1_white', 'L1_noise')]
    assert metrics['occlusion/L1'] == sum(cells) / 2
    assert all(value in (0, 25, 50, 75, 100) for value in cells)


def test_other_data_under_the_metric_say_what_to_do(tiny_config):
    cfg = Config.fromfile(tiny_config)
    cfg.val_evaluator = dict(type='mmocc.OcclusionAccuracy')
    with pytest.raises(ValueError, match=r'mmocc\.OcclusionCells'):
        Runner.from_cfg(cfg).val()
