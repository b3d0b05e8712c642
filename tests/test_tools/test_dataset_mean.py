"""tools/analysis_tools/dataset_mean.py from the command line."""

import re

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

TOOL = ROOT / 'tools' / 'analysis_tools' / 'dataset_mean.py'


def numbers(line, name):
    """Return the numbers of a printed ``name=[...]`` or ``name=(...)``."""
    text = re.search(rf'{name}=[\[(]([^\])]*)', line).group(1)
    return [float(part) for part in text.split(',') if part.strip()]


@pytest.fixture
def pixels(tiny_config, tmp_path):
    """Return the (n, 3) RGB pixels of the tiny config's images."""
    paths = sorted((tmp_path / 'images').rglob('*.png'))
    images = [np.asarray(Image.open(path)) for path in paths]
    return np.concatenate([image.reshape(-1, 3) for image in images])


@pytest.mark.parametrize(('to_rgb', 'workers'), [(True, 0), (False, 2)])
def test_mean_std_and_fill_have_the_channel_order_of_their_place(
    run_tool, tiny_config, pixels, to_rgb, workers
):
    tiny_config.write_text(
        tiny_config.read_text()
        + f"""
model['data_preprocessor']['to_rgb'] = {to_rgb}
train_dataloader['dataset']['pipeline'].insert(
    1, dict(type='mmocc.HideAndSeek', grid_sizes=[8], hide_prob=1.0))
"""
    )
    result = run_tool(TOOL, tiny_config, '--workers', workers)
    assert result.returncode == 0, result.stderr
    assert 'left out: mmocc.HideAndSeek' in result.stdout
    assert '4 images, 4096 pixels' in result.stdout
    preprocessor, fill = result.stdout.splitlines()[-2:]
    order = 1 if to_rgb else -1
    assert preprocessor.endswith('# RGB' if to_rgb else '# BGR')
    assert fill.endswith('# BGR')
    mean, std = pixels.mean(axis=0), pixels.std(axis=0)
    for line, name, expected in (
        (preprocessor, 'mean', mean[::order]),
        (preprocessor, 'std', std[::order]),
        (fill, 'fill', mean[::-1]),
    ):
        assert numbers(line, name) == pytest.approx(expected, abs=1e-3)


def test_every_second_grey_image_gives_one_number(
    run_tool, tiny_config, pixels
):
    result = run_tool(
        TOOL,
        tiny_config,
        *('--workers', 0, '--every', 2, '--cfg-options'),
        'train_dataloader.dataset.pipeline.0.color_type=grayscale',
    )
    assert result.returncode == 0, result.stderr
    assert '2 images, 2048 pixels' in result.stdout
    fill = result.stdout.splitlines()[-1]
    grey = pixels.reshape(4, -1, 3)[::2] @ [0.299, 0.587, 0.114]
    assert numbers(fill, 'fill') == pytest.approx([grey.mean()], abs=0.6)
    assert fill.endswith(',),')


def test_a_misspelt_type_is_corrected(run_tool, tiny_config):
    result = run_tool(
        TOOL, tiny_config, '--cfg-options', 'model.neck.type=mmocc.LERN'
    )
    assert result.returncode == 1
    assert 'Did you mean mmocc.LEARN' in result.stderr
