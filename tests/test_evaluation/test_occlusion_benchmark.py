import csv
import json
from pathlib import Path

import pytest
import torch
from matplotlib import pyplot as plt
from mmengine.config import Config
from mmengine.registry import MODELS, init_default_scope

from mmocc.evaluation import occlusion_benchmark as bench
from mmocc.visualization.occlusion_plots import plot_accuracy

ROW = dict(images=10)


def cells(clean, **levels):
    """Make cells: the clean accuracy, and one value for each level."""
    return {'L0': dict(accuracy=clean, **ROW)} | {
        f'{level} {kind}': dict(accuracy=value, **ROW)
        for level, value in levels.items()
        for kind in ('white', 'noise', 'texture', 'object')
    }


def test_the_table_has_the_papers_thirteen_cells():
    names = bench.cell_names()
    assert len(names) == 13
    assert names[:3] == ['L0', 'L1 white', 'L1 noise']
    assert names[-1] == 'L3 object'


def test_means_are_over_cells_levels_and_what_is_occluded():
    means = bench.summary(cells(100.0, L1=90.0, L2=60.0, L3=30.0))
    assert means['L0'] == 100
    assert (means['L1'], means['L2'], means['L3']) == (90, 60, 30)
    assert means['L1-L3'] == 60
    assert means['mean'] == pytest.approx((100 + 4 * 180) / 13)


def test_the_occlusion_goes_just_before_packing():
    steps = [dict(type='LoadImageFromFile'), dict(type='Resize')]
    pack = dict(type='mmpretrain.PackInputs')
    occlude = dict(type='mmocc.Occlude')
    pipeline = [*steps, pack]
    assert bench.insert_occlude(pipeline, occlude) == [*steps, occlude, pack]
    assert pipeline == [*steps, pack]


def test_a_pipeline_without_packing_says_what_was_looked_for():
    with pytest.raises(ValueError, match=r"Pack\.\.\..*'LoadImageFromFile'"):
        bench.insert_occlude([dict(type='LoadImageFromFile')], {})


def test_the_tool_writes_table_json_csv_and_plot(
    run_tool, tiny_config, tmp_path, occluder_folders
):
    cfg = Config.fromfile(tiny_config)
    init_default_scope('mmpretrain')
    checkpoint = tmp_path / 'model.pth'
    torch.manual_seed(0)
    torch.save(
        dict(state_dict=MODELS.build(cfg.model).state_dict()), checkpoint
    )
    root = Path(__file__).resolve().parents[2]
    command = [
        root / 'tools/analysis_tools/occlusion_benchmark.py',
        tiny_config, checkpoint, tiny_config, checkpoint,
        '--names', 'a', 'b',
        '--texture-bank', occluder_folders['texture_bank'],
        '--object-bank', occluder_folders['object_bank'],
        '--texture-size', 32,
        '--out', tmp_path / 'out',
    ]  # fmt: skip
    result = run_tool(*command)
    assert result.returncode == 0, result.stderr
    written = json.loads((tmp_path / 'out/occlusion.json').read_text())
    assert written['meta']['seed'] == 0
    models = written['models']
    assert list(models['a']['cells']) == bench.cell_names()
    assert models['a'] == models['b']  # the same occlusions for every model
    assert all(c['images'] == 4 for c in models['a']['cells'].values())
    with (tmp_path / 'out/occlusion.csv').open() as file:
        assert len(list(csv.DictReader(file))) == 26
    assert '| a |' in (tmp_path / 'out/occlusion.md').read_text()
    assert (tmp_path / 'out/occlusion.png').stat().st_size > 1000


def test_a_checkpoint_that_does_not_fill_the_model_is_refused(
    tiny_config, tmp_path
):
    torch.save(dict(state_dict={}), tmp_path / 'empty.pth')
    with pytest.raises(ValueError, match=r'empty\.pth does not fit.*missing'):
        bench.load_model(
            Config.fromfile(tiny_config), str(tmp_path / 'empty.pth')
        )


def test_the_plot_has_a_panel_for_each_kind(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setattr(plt, 'close', shown.append)
    models = {'m': cells(100.0, L1=90.0, L2=60.0, L3=30.0)}
    plot_accuracy(models, tmp_path / 'plot.png')
    panels = shown[0].axes
    titles = [panel.get_title() for panel in panels]
    assert titles == ['white', 'noise', 'texture', 'object']
    assert list(panels[0].lines[0].get_ydata()) == [100, 90, 60, 30]
