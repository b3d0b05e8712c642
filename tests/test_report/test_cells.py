import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from mmocc.report.cells import (
    insert_before_packing,
    make_occlude,
    occlude_dataset,
)
from mmocc.report.occlusion_cells import OcclusionCells
from mmocc.utils.from_config import build_dataset


@pytest.fixture
def dataset(tiny_config):
    return build_dataset(Config.fromfile(tiny_config))


def test_the_occlusion_goes_just_before_packing():
    load, pack = type('Load', (), {})(), type('PackThings', (), {})()
    occlude = object()
    first, last = insert_before_packing([load, pack], occlude, 'L1 white')
    assert (first.steps, first.occlude) == ([load], occlude)
    assert last.pack is pack
    with pytest.raises(ValueError, match=r"named Pack\.\.\..*\['Load'\]"):
        insert_before_packing([load], None, 'L0')


def test_the_clean_cell_is_the_test_set_itself(dataset):
    clean = occlude_dataset(dataset, make_occlude('L0'), 'L0')
    for index in range(len(dataset)):
        assert torch.equal(clean[index]['inputs'], dataset[index]['inputs'])
    assert clean[0]['data_samples'].occlusion_cell == 'L0'
    assert 'occlusion_cell' not in dataset[0]['data_samples']


def test_wrappers_are_followed_down_to_a_pipeline(dataset):
    joint = torch.utils.data.ConcatDataset([dataset, dataset])
    twin = occlude_dataset(joint, make_occlude('L2 white', seed=0), 'L2 white')
    assert 0.4 <= twin[5]['data_samples'].occlusion_share < 0.6
    assert 'occlusion_share' not in joint[5]['data_samples']
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
    with pytest.raises(ValueError, match="'L2 white'"):
        OcclusionCells(dataset, 'L0')


def test_accuracy_by_cell_inside_the_validation_of_a_run(tiny_config):
    cfg = Config.fromfile(tiny_config)
    plain = cfg.val_dataloader.dataset
    cfg.val_evaluator = dict(type='mmocc.OcclusionAccuracy')
    with pytest.raises(ValueError, match=r'mmocc\.OcclusionCells'):
        Runner.from_cfg(cfg).val()
    cfg.val_dataloader.dataset = dict(
        type='mmocc.OcclusionCells',
        dataset=plain,
        cells=['L0', 'L1 white', 'L1 noise'],
    )
    cfg.default_hooks.checkpoint = dict(
        type='CheckpointHook', save_best='occlusion/mean', rule='greater'
    )
    cfg.experiment_name = 'cells'
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
