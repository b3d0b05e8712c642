"""Every config of a detector: it trains, resumes and tests."""

import copy

import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmengine.registry import init_default_scope

pytest.importorskip('mmdet', reason='detection needs mmdet')

from run_config import LOADERS, train
from toy_detector import make_objects, voc_config, write_coco

CONFIGS = [
    str(path.relative_to(ROOT / 'configs'))
    for path in sorted((ROOT / 'configs/benchmark').glob('*.py'))
]
CONFIGS += ['dea/ssdlite_l1_bccd.py', 'dea/ssdlite_eiou_bccd.py']
CLASSES = ('cat', 'dog')


@pytest.fixture
def config(request, tmp_path):
    """Return a config of ours on four images of the toy set."""
    cfg = Config.fromfile(ROOT / 'configs' / request.param)
    init_default_scope(cfg.default_scope)
    objects = make_objects(4)
    root = tmp_path / 'data'
    is_voc = cfg.test_dataloader.dataset.type == 'VOCDataset'
    if is_voc:
        voc_config(root, objects)
    else:
        root.mkdir()
        write_coco(root, objects)
        cfg.test_evaluator.ann_file = str(root / 'coco.json')
        cfg.val_evaluator = copy.deepcopy(cfg.test_evaluator)
    for name in LOADERS:
        cfg[name].update(batch_size=2, num_workers=0)
        cfg[name].dataset.update(
            data_root=str(root),
            ann_file='test.txt' if is_voc else 'coco.json',
            metainfo=dict(classes=CLASSES),
        )
    cfg.model.bbox_head.num_classes = len(CLASSES)
    return cfg


@pytest.mark.parametrize('config', CONFIGS, indirect=True)
def test_config_trains_resumes_and_tests(config, tmp_path, request):
    assert train(config, tmp_path / 'work', epochs=1).iter == 2
    runner = train(config, tmp_path / 'work', epochs=2)
    assert (runner.epoch, runner.iter) == (2, 4)
    assert 0 <= runner.test().get('coco/bbox_mAP', 0) <= 1
    states = [
        torch.load(tmp_path / f'work/epoch_{n}.pth', weights_only=False)
        for n in (1, 2)
    ]
    first, last = (state['state_dict'] for state in states)
    for name, _ in runner.model.named_parameters():
        assert last[name].isfinite().all(), name
        frozen = torch.equal(first[name], last[name])
        # SSD's head on a map where no prior met an object learns nothing
        idle = 'ssd' in request.node.name and name.startswith('bbox_head.')
        assert not frozen or idle, f'{name} is frozen'
    for path in tmp_path.rglob('*.pth'):
        path.unlink()
