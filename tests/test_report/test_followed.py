"""The report's occlusion finds the object wherever a pipeline moves it."""

import cv2
import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import init_default_scope
from mmpretrain.datasets import BaseDataset
from PIL import Image

from mmocc.datasets.transforms import Occlude
from mmocc.occlusion import CutOffError, UnreachableLevelError
from mmocc.report.answers import CUT_OFF
from mmocc.report.cells import insert_before_packing
from mmocc.report.classifiers import CheckedDataset
from mmocc.report.occlusion_cells import OcclusionCells

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
EDGE = dict(type='ResizeEdge', scale=256)
CENTRE = dict(type='CenterCrop', crop_size=224)
MEAN, STD = [120.0, 110.0, 100.0], [60.0, 50.0, 40.0]
PHOTO = (320, 500)  # ResizeEdge makes 256 x 400 of it, a scale of 0.8
BOX = [150, 60, 350, 260]  # in the photo
# The box by hand: times 0.8, minus the crop's corner (88, 16).
MOVED = (slice(32, 192), slice(32, 192))


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


@pytest.fixture
def photo(tmp_path):
    """Write a black photo with a grey object in BOX."""
    image = np.zeros((*PHOTO, 3), np.uint8)
    image[BOX[1] : BOX[3], BOX[0] : BOX[2]] = 100
    path = tmp_path / 'photo.png'
    Image.fromarray(image).save(path)
    return str(path)


def info(photo, box=BOX, **more):
    boxes = np.array([box], np.float32)
    return dict(img_path=photo, gt_label=0, gt_bboxes=boxes, **more)


def pipeline(steps, level='L2', **occlude):
    steps = Compose([LOAD, *steps, PACK]).transforms
    hide = Occlude(kind='white', level=level, seed=0, **occlude)
    return Compose(insert_before_packing(steps, hide, f'{level} white'))


def hidden_of(packed):
    """Return the hidden pixels: only the occluder is white."""
    return (packed['inputs'] == 255).all(dim=0).numpy()


class LoadMask:
    """Add a mask that fits the photo."""

    def __init__(self, mask):
        self.mask = mask

    def __call__(self, results):
        return dict(results, gt_seg_map=self.mask.copy())


def test_imagenets_test_pipeline_hides_the_share_of_the_moved_box(photo):
    for idx in range(6):
        packed = pipeline([EDGE, CENTRE])(info(photo, object_index=idx))
        by_hand = hidden_of(packed)[MOVED].mean()
        sample = packed['data_samples']
        assert packed['inputs'].shape == (3, 224, 224)
        assert 0.4 <= by_hand < 0.6
        assert sample.occlusion_share == pytest.approx(by_hand)
        assert sample.occlusion_region == 'box'


class Crops(BaseDataset):
    """A set of one object crop; ``ann_file`` is its photo."""

    def load_data_list(self):
        return [info(self.ann_file), info(self.ann_file, [0, 0, 90, 320])]


def test_a_data_set_in_cells_is_hidden_where_the_model_sees_it(photo):
    data = Crops(photo, pipeline=[LOAD, EDGE, CENTRE, PACK])
    cells = OcclusionCells(data, ['L0', 'L2 white'])
    packed = cells[2]
    by_hand = hidden_of(packed)[MOVED].mean()
    assert packed['data_samples'].occlusion_share == pytest.approx(by_hand)
    assert torch.equal(cells[0]['inputs'], data[0]['inputs'])
    faults = CheckedDataset(cells.parts[1])[1]
    assert (faults.index, faults.reason) == (1, CUT_OFF)
    assert 'photo.png' in faults.message


def test_imagenets_test_pipeline_hides_the_share_of_the_moved_mask(photo):
    y, x = np.mgrid[: PHOTO[0], : PHOTO[1]] + 0.5
    mask = np.hypot(y - 160, x - 250) < 80
    y, x = np.mgrid[:224, :224] + 0.5
    moved = np.hypot(y - 112, x - 112) < 64  # by hand, as MOVED
    for value in (1, 255):
        load = LoadMask(value * mask.astype(np.uint8))
        packed = pipeline([load, EDGE, CENTRE])(info(photo, object_index=1))
        by_hand = hidden_of(packed)[moved].mean()
        sample = packed['data_samples']
        assert sample.occlusion_share == pytest.approx(by_hand, abs=0.01)
        assert 0.39 <= by_hand < 0.61
        assert sample.occlusion_region == 'mask'


@pytest.mark.parametrize(
    'steps',
    [
        [dict(EDGE, backend='pillow'), CENTRE],
        [dict(type='Resize', scale=(100, 100)), CENTRE],  # moves boxes too
        [dict(type='RandomResizedCrop', scale=224, crop_ratio_range=(0.3, 1))],
        [EDGE, dict(type='RandomCrop', crop_size=200)],
        [EDGE, dict(type='mmocc.FixedCrop', crop_size=224, position='center')],
        [EDGE, dict(type='RandomFlip', prob=0.5, direction='horizontal')],
        [EDGE, dict(type='Pad', size_divisor=32, pad_val=dict(img=254))],
        [EDGE, CENTRE, dict(type='ColorJitter', brightness=0.1)],
        [
            dict(type='NumpyToPIL', to_rgb=True),
            dict(type='torchvision/Resize', size=200),
            dict(type='torchvision/RandomCrop', size=150),
            dict(type='torchvision/RandomHorizontalFlip', p=0.5),
            dict(type='PILToNumpy', to_bgr=True),
        ],
    ],
    ids=lambda steps: str(steps[-1].get('type')) + str(len(steps)),
)
def test_the_object_is_where_the_clean_image_shows_it(photo, steps):
    clean = Compose([LOAD, *steps, PACK])
    occluded = pipeline(steps)
    for seed in range(4):
        images = []
        for run in (clean, occluded):
            np.random.seed(seed)
            torch.manual_seed(seed)
            images.append(run(info(photo, object_index=seed)))
        picture = images[0]['inputs'][0].numpy()
        item = (picture > 50) & (picture < 250)
        by_hand = hidden_of(images[1])[item].mean()
        share = images[1]['data_samples'].occlusion_share
        assert share == pytest.approx(by_hand, abs=0.01)
        assert 0.39 <= by_hand < 0.61


def test_steps_that_crop_by_the_object_are_followed(photo):
    crop = dict(crop_box=[100, 40, 400, 280])  # boxes are in the crop
    steps = [dict(type='mmocc.CropObject'), dict(EDGE, scale=120), CENTRE]
    steps[2] = dict(CENTRE, crop_size=100)
    packed = pipeline(steps)(info(photo, [50, 20, 250, 220], **crop))
    # 300 x 240 becomes 150 x 120; its crop starts at (25, 10)
    by_hand = hidden_of(packed)[0:100, 0:100].mean()
    assert packed['data_samples'].occlusion_share == pytest.approx(by_hand)
    assert 0.4 <= by_hand < 0.6


def test_objects_that_a_pipeline_loses_have_errors_of_their_own(photo):
    run = pipeline([EDGE, CENTRE])
    with pytest.raises(CutOffError, match=r'photo\.png: .* crops the whole'):
        run(info(photo, [0, 0, 90, 320]))
    tiny = pipeline([dict(EDGE, scale=20, backend='pillow')])
    with pytest.raises(UnreachableLevelError, match=r'photo\.png: .*shrinks'):
        tiny(info(photo, [200, 100, 204, 104]))
    # what is left of an object counts as the object
    packed = run(info(photo, [0, 0, 210, 320]))  # 80 columns of the crop
    by_hand = hidden_of(packed)[:, :80].mean()
    assert packed['data_samples'].occlusion_share == pytest.approx(by_hand)
    whole = pipeline([EDGE, CENTRE], region='image')
    packed = whole(info(photo, [0, 0, 90, 320]))
    assert packed['data_samples'].occlusion_region == 'image'
    assert 0.4 <= hidden_of(packed).mean() < 0.6


def normalise(values):
    """Return the bounds of white after the normalisation, by hand."""
    return [(values - m) / s for m, s in zip(MEAN, STD, strict=True)]


TORCH_MEAN = [m / 255 for m in MEAN]
TORCH_STD = [s / 255 for s in STD]
NORMALISE = dict(type='Normalize', mean=MEAN, std=STD, to_rgb=True)
TORCH = [
    dict(type='NumpyToPIL', to_rgb=True),
    dict(type='torchvision/Resize', size=256),
    dict(type='torchvision/CenterCrop', size=224),
    dict(type='torchvision/ToTensor'),
    dict(type='torchvision/Normalize', mean=TORCH_MEAN, std=TORCH_STD),
]
TENSOR = [
    *TORCH[:1],
    dict(type='torchvision/PILToTensor'),
    *TORCH[1:3],
    dict(type='torchvision/ConvertImageDtype', dtype='float'),
    TORCH[4],
]


@pytest.mark.parametrize(
    'steps',
    [[EDGE, CENTRE, NORMALISE], TORCH, TENSOR],
    ids=['mm', 'torch', 'tensor'],
)
def test_white_is_white_where_the_pipeline_normalises(photo, steps):
    packed = pipeline(steps)(info(photo))
    inputs = packed['inputs']
    assert inputs.dtype == torch.float32
    white = torch.tensor(normalise(255.0))
    black = torch.tensor(normalise(0.0))
    assert torch.allclose(inputs.amax(dim=(1, 2)), white, atol=1e-4)
    assert torch.allclose(inputs.amin(dim=(1, 2)), black, atol=1e-4)
    hidden = torch.isclose(inputs, white[:, None, None], atol=1e-4).all(dim=0)
    by_hand = hidden[MOVED].float().mean()
    share = packed['data_samples'].occlusion_share
    assert share == pytest.approx(float(by_hand), abs=0.01)
    assert 0.4 <= share < 0.6


def test_floats_from_0_to_255_keep_their_fractions(photo):
    load = dict(LOAD, to_float32=True)
    smooth = [load, dict(EDGE, interpolation='bicubic'), CENTRE, PACK]
    steps = Compose(smooth).transforms
    hide = Occlude(kind='white', level='L1', seed=0)
    run = Compose(insert_before_packing(steps, hide, 'L1 white'))
    packed, clean = run(info(photo)), Compose(smooth)(info(photo))
    hidden = (packed['inputs'] == 255).all(dim=0)
    share = float(hidden.numpy()[MOVED].mean())
    assert packed['data_samples'].occlusion_share == pytest.approx(share)
    assert torch.equal(
        packed['inputs'][:, ~hidden], clean['inputs'][:, ~hidden]
    )
    assert (clean['inputs'] % 1).any()


class LoadShares:
    """Load an image as floats from 0 to 1."""

    def __call__(self, results):
        return dict(results, img=np.full((8, 8, 3), 0.5, np.float32))


@pytest.mark.parametrize(
    ('steps', 'message'),
    [
        ([LOAD, NORMALISE, EDGE, CENTRE], 'after Normalize.*change its size'),
        ([LoadShares()], 'no step gives an image with values from 0 to 255'),
    ],
)
def test_without_a_place_for_the_occlusion_the_pipeline_is_named(
    photo, steps, message
):
    steps = Compose([*steps, PACK]).transforms
    hide = Occlude(kind='white', level='L2', seed=0)
    run = Compose(insert_before_packing(steps, hide, 'L2 white'))
    with pytest.raises(ValueError, match=rf'photo\.png: .*{message}'):
        run(info(photo))


class Shear:
    """Do something else at each call, from a generator of its own."""

    rng = np.random.default_rng(0)

    def __call__(self, results):
        side = int(self.rng.integers(100, 200))
        image = cv2.resize(results['img'], (side, side))
        return dict(results, img=image)


def test_a_step_that_cannot_be_repeated_is_noticed(photo):
    with pytest.raises(ValueError, match=r'photo\.png: .*cannot be followed'):
        pipeline([Shear()])(info(photo))


def test_random_steps_go_on_as_without_an_occlusion(photo):
    steps = [EDGE, dict(type='RandomCrop', crop_size=200)]
    run = pipeline(steps)
    run(info(photo))  # finds the place
    np.random.seed(3)
    run(info(photo))
    after = np.random.random()
    np.random.seed(3)
    Compose([LOAD, *steps, PACK])(info(photo))
    assert np.random.random() == after
