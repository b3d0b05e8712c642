"""Each method from a new-style config through all tools, in one process.

A run writes its config with full paths for classes; some tools read that one.
"""

import json

import fault_runs
import pytest
from conftest import ROOT
from mmengine.config import Config
from new_style import write

TEST_SET = dict(batch_size=4, num_workers=0, persistent_workers=False)
VIS = {
    'learn': ('vis_cam', '--method cam --save-path vis/cam.png'),
    'hide_and_seek': ('vis_localization', '--number 1 --out vis'),
    'dea': ('vis_reconstruction', '--number 1 --out vis'),
    'recognise': ('vis_ofer', '--number 1 --out vis'),
}
MODELS = {
    'learn': 'mmocc.models.LEARNClassifier',
    'hide_and_seek': 'mmpretrain.models.classifiers.image.ImageClassifier',
    'dea': 'mmocc.models.DEA',
    'recognise': 'mmocc.models.LatentOFER',
}


def new_config(folder, method):
    """Write a method's config, which tests on its training images."""
    cfg = Config.fromfile(fault_runs.write(folder, method))
    dataset = dict(cfg.train_dataloader.dataset, test_mode=True)
    dataset['pipeline'] = [
        step
        for step in dataset['pipeline']
        if not step['type'].startswith('Random')
    ]
    if method == 'recognise':
        cfg.model.head.num_classes = fault_runs.CLASSES
    metric = dict(type='Accuracy', topk=1)
    if method == 'dea':
        resize = dict(type='Resize', scale=(96, 96), keep_ratio=True)
        dataset['pipeline'].insert(-1, resize)
        metric = dict(type='CocoMetric', ann_file='pages/pages.json')
    cfg.test_dataloader = dict(
        TEST_SET,
        dataset=dataset,
        sampler=dict(type='DefaultSampler', shuffle=False),
    )
    cfg.update(test_evaluator=metric, test_cfg={}, custom_hooks=[])
    cfg.train_cfg.max_epochs = 1
    return write(folder, cfg)


@pytest.mark.parametrize('method', VIS)
def test_a_method_goes_through_all_tools(run_tool, tmp_path, method):
    path = new_config(tmp_path, method)
    tools = ROOT / 'tools'
    tool, flags = VIS[method]
    model, written = (f'{p} work/epoch_1.pth' for p in (path, 'work/new.py'))
    image = '0 ' if tool == 'vis_cam' else ''
    commands = (
        f'{tools}/train.py {path}',
        f'{tools}/train.py {path} --resume',
        f'{tools}/test.py {written} --out out.json --out-item metrics',
        f'{tools}/analysis_tools/occlusion_benchmark.py {model} --every 4 '
        '--kinds white --workers 0 --examples 1 --device cpu --out report',
        f'{tools}/visualization/{tool}.py {image}{written} {flags}',
    )
    result = run_tool(
        ROOT / 'tests/new_style.py',
        *' -- '.join(commands).split(),
        PYTHONPATH=f'{ROOT}:{ROOT / "tests"}',
        CUDA_VISIBLE_DEVICES='',
    )
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / 'out.json').read_text())
    assert all(-1 <= value <= 100 for value in metrics.values())
    report = 'det_occlusion' if method == 'dea' else 'occlusion'
    text = (tmp_path / 'work/new.py').read_text()
    assert f"type='{MODELS[method]}'" in text
    assert (tmp_path / 'report' / f'{report}.json').is_file()
    assert any((tmp_path / 'vis').iterdir())
