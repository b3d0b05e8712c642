"""The tool reports on detectors too, with files of its own form."""

import json
import sys
from pathlib import Path

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from conftest import ROOT
from toy_detector import coco_config, make_objects, write_coco

MODULE = """
from mmengine.registry import MODELS
from toy_detector import ToyDetector, make_objects


@MODELS.register_module()
class SixImagesDetector(ToyDetector):
    def __init__(self):
        super().__init__(make_objects(6))
"""
TOOL = ROOT / 'tools/analysis_tools/occlusion_benchmark.py'


@pytest.fixture
def command(tmp_path):
    """Return a command on a toy detector, which finds what is not white."""
    write_coco(tmp_path, make_objects(6))
    cfg = coco_config(tmp_path)
    cfg.model = dict(type='SixImagesDetector')
    cfg.custom_imports = dict(imports=['six_images'])
    cfg.dump(tmp_path / 'toy.py')
    (tmp_path / 'six_images.py').write_text(MODULE)
    torch.save(
        dict(state_dict=dict(anchor=torch.zeros(1))), tmp_path / 'toy.pth'
    )
    return [
        TOOL, tmp_path / 'toy.py', tmp_path / 'toy.pth',
        '--names', 'toy', '--kinds', 'white', '--out', tmp_path / 'out',
    ]  # fmt: skip


def test_tables_of_a_detector_and_their_resumption(
    run_tool, command, tmp_path
):
    folders = (ROOT, Path(__file__).parents[1], tmp_path)
    paths = dict(PYTHONPATH=':'.join(map(str, folders)))
    result = run_tool(*command, **paths)
    assert result.returncode == 0, result.stderr
    text = (tmp_path / 'out/det_occlusion.json').read_text()
    cells = json.loads(text)['models']['toy']
    assert list(cells) == ['L0', 'L1 white', 'L2 white', 'L3 white']
    scores = [cell['coco/bbox_mAP'] for cell in cells.values()]
    assert scores[0] > scores[-1]
    kept = tmp_path / 'out/cells/toy/L2_white.json'
    time = kept.stat().st_mtime_ns
    assert run_tool(*command, **paths).returncode == 0
    assert kept.stat().st_mtime_ns == time
    assert (
        (tmp_path / 'out/det_occlusion.md').read_text().startswith('| model')
    )


def test_one_annotation_of_real_occlusion_is_not_enough(run_tool, command):
    result = run_tool(sys.executable, *command, '--occluded-coco', 'x.json')
    assert result.returncode == 2
    assert 'both of --occluded-coco and --separated-coco' in result.stderr
