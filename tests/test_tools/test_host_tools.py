"""mmpretrain's own tools on a plain ImageClassifier with a LEARN neck."""

import os
import re
from pathlib import Path

import mmpretrain
import numpy as np
import pytest
import torch
from conftest import ROOT
from mmengine.config import Config
from mmpretrain.apis import ImageClassificationInferencer, get_model

TOOLS = Path(mmpretrain.__file__).parent / '.mim/tools'
PLAIN = """
_base_ = './tiny.py'
model = dict(neck=[
    dict(type='mmocc.LEARN', in_channels=64),
    dict(type='GlobalAveragePooling'),
])
"""
TRAINED = """
_base_ = './plain.py'
model = dict(
    type='mmocc.LEARNClassifier', occluder=dict(type='mmocc.BatchOccluder')
)
"""


@pytest.fixture
def plain(tiny_config):
    """Write a config with a LEARN neck, and what its training would leave."""
    config = tiny_config.with_name('plain.py')
    config.write_text(PLAIN)
    trained = config.with_name('trained.py')
    trained.write_text(TRAINED)
    torch.manual_seed(0)
    checkpoint = config.with_suffix('.pth')
    model = get_model(str(trained))
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return config, checkpoint


def params_of(output):
    """Return the number of parameters that get_flops.py prints."""
    number, unit = re.search(r'Params: ([\d.]+)(\w)', output).groups()
    return float(number) * dict(K=1e3, M=1e6)[unit]


def test_get_flops_counts_learn(plain, run_tool):
    config, _ = plain
    tool = TOOLS / 'analysis_tools/get_flops.py'
    counted = []
    for path in (config, config.with_name('tiny.py')):
        result = run_tool(tool, path, '--shape', 64)
        assert result.returncode == 0, result.stderr
        counted.append(params_of(result.stdout))
    learn = get_model(str(config)).neck[0]
    expected = sum(param.numel() for param in learn.parameters())
    assert counted[0] - counted[1] == pytest.approx(expected, abs=1000)


@pytest.mark.parametrize('layer', [None, 'neck.0.decoder.2'])
def test_vis_cam_looks_at_backbone_and_repaired_features(
    plain, run_tool, tmp_path, layer
):
    cam = pytest.importorskip(
        'pytorch_grad_cam', reason='vis_cam.py needs: pip install grad-cam'
    )
    path = os.pathsep.join([str(ROOT), str(Path(cam.__file__).parents[1])])
    image = next(tmp_path.rglob('*.png'))
    layers = ['--target-layers', layer] if layer else []
    result = run_tool(
        TOOLS / 'visualization/vis_cam.py',
        image,
        *plain,
        '--save-path',
        tmp_path / 'cam.png',
        *layers,
        PYTHONPATH=path,
    )
    assert (tmp_path / 'cam.png').is_file(), result.stderr


def test_inferencer_takes_an_array_and_answers_as_the_trained_model(plain):
    config, checkpoint = plain
    image = np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8)
    answers = [
        ImageClassificationInferencer(
            str(path), pretrained=str(checkpoint), device='cpu'
        )(image)[0]
        for path in (config, config.with_name('trained.py'))
    ]
    model = get_model(str(config), str(checkpoint), device='cpu').eval()
    preprocess = Config.fromfile(config).model.data_preprocessor
    inputs = (torch.from_numpy(image).permute(2, 0, 1)[None] - 127.5) / 127.5
    assert preprocess.mean == preprocess.std == [127.5] * 3
    with torch.no_grad():
        scores = model(inputs.float()).softmax(dim=1)[0]
    for answer in answers:
        assert answer['pred_label'] == scores.argmax()
        np.testing.assert_allclose(
            answer['pred_scores'], scores.numpy(), atol=1e-6
        )
