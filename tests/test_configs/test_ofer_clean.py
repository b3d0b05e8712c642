"""The test pipelines of Latent-OFER take faces as they are.

Occluders are pasted by the configs ``-occluded`` only, which are otherwise
those that they are named after.
"""

import numpy as np
import pytest
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from ofer_chain import FOLDER, NAMES, read
from PIL import Image

from mmocc.apis.photos import PhotoPipeline, photo_config

OCCLUDED = [name for name in NAMES if name.endswith('-occluded')]
CLEAN = [
    name
    for name in NAMES
    if name not in OCCLUDED and read(name).get('test_dataloader')
]


def model_size(name):
    """Return the side of the faces that a config's model takes."""
    small = ('_cartoon', '_fer2013', '_muxspace')
    if any(part in name for part in small):
        return 64
    medium = ('_mux6', '_my_faces')
    return 128 if any(part in name for part in medium) else 224


def steps_of(cfg):
    return cfg.test_dataloader.dataset.pipeline


def picture(folder, side, grey):
    """Write a photo of noise, which any blending or resizing changes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (side, side, 3), np.uint8)
    if grey:
        pixels[:] = pixels[..., :1]
    path = folder / 'photo.png'
    Image.fromarray(pixels).save(path)
    return path, pixels


@pytest.mark.parametrize('name', CLEAN)
def test_a_photo_of_the_models_size_keeps_its_pixels(name, tmp_path):
    cfg = read(name)
    assert 'PasteOcclusion' not in str(steps_of(cfg))
    # Detectors of grey photos make any photo grey, as those of training are.
    grey = 'Grayscale' in str(steps_of(cfg))
    side = model_size(name)
    path, pixels = picture(tmp_path, side, grey)
    steps = steps_of(cfg)
    if name == 'svdd_vit-tiny_masked_fer2013':  # first as small as FER2013's
        steps = [s for s in steps if s.get('scale') != (48, 48)]
    packed = Compose(steps)(dict(img_path=str(path), gt_label=0))
    image = packed['inputs'].permute(1, 2, 0).numpy()[..., ::-1]
    # The host's RandomGrayscale cuts thirds off, which may cost one level.
    assert np.abs(image.astype(int) - pixels).max() <= int(grey)


@pytest.mark.parametrize('name', NAMES)
def test_inferencers_paste_nothing_and_take_any_size(name, tmp_path):
    cfg = read(name)
    if not cfg.get('test_dataloader'):
        pytest.skip('a config of pre-training, which is not tested')
    init_default_scope(cfg.default_scope)
    pipeline = PhotoPipeline(photo_config(cfg))
    steps = [type(step).__name__ for step in pipeline.steps]
    assert 'PasteOcclusion' not in steps
    for side in (350, 51):
        path, _ = picture(tmp_path, side, grey=False)
        packed = pipeline(str(path)).packed
        if name.startswith('expression_resnet18_cartoon'):
            continue  # a CNN takes faces of any size
        size = model_size(name)
        assert packed['inputs'].shape[1:] == (size, size)


@pytest.mark.parametrize('name', OCCLUDED)
def test_an_occluded_config_is_its_base_with_pasting_in_the_test(name):
    base = name.removesuffix('-occluded')
    assert (FOLDER / f'{base}.py').is_file()
    own, other = (read(n)._cfg_dict.to_dict() for n in (name, base))
    pasted = [s['type'] for s in own['test_dataloader']['dataset']['pipeline']]
    assert pasted.count('mmocc.PasteOcclusion') == 1
    paste = own['test_dataloader']['dataset']['pipeline'][
        pasted.index('mmocc.PasteOcclusion')
    ]
    assert paste.get('prob', 1.0) == 1 and paste['seed'] == 0
    assert paste['occluders'].endswith(('/test', ':test'))
    for cfg in (own, other):
        cfg['test_dataloader']['dataset'].pop('pipeline')
    assert own == other


def test_each_config_of_stages_2_to_4_without_own_photos_has_a_twin():
    stages = ('gaussian_', 'svdd_', 'recon_', 'ofer_', 'weakened_')
    for name in CLEAN:
        if name.startswith(stages) and '_masked_' not in name:
            twin = f'{name}-occluded'
            assert twin in NAMES or name.startswith('ofer_resnet18_rafdb'), (
                name
            )
