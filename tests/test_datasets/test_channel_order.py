"""Red stays red, in whatever order a pipeline delivers the channels."""

import numpy as np
import pytest
import torch
from mmcv.transforms import Compose
from mmengine.registry import MODELS, init_default_scope
from mmpretrain.datasets import BaseDataset, CustomDataset
from PIL import Image

from mmocc.datasets.channel_order import (
    dataset_order,
    loaded_order,
    to_rgb_of,
)
from mmocc.datasets.transforms import HideAndSeek, Occlude, PasteOcclusion
from mmocc.registry import TRANSFORMS
from mmocc.report.cells import insert_after_loading
from mmocc.report.occlusion_cells import OcclusionCells
from mmocc.report.page_examples import make_example, shown_image

LOAD, PACK = dict(type='LoadImageFromFile'), dict(type='PackInputs')
TO_PIL = dict(type='NumpyToPIL', to_rgb=True)
GREY = 40
RED = (255, 0, 0)  # R, G, B


@pytest.fixture(autouse=True)
def scope():
    init_default_scope('mmpretrain')


class LoadWithPIL:
    """Load RGB, as torchvision's folders do."""

    def __call__(self, results):
        image = Image.open(results['img_path']).convert('RGB')
        return dict(results, img=np.asarray(image))


class LoadByName:
    """Load by another key than the path, as from a data base."""

    def __call__(self, results):
        return dict(results, img=np.full((32, 32, 3), GREY, np.uint8))


class InMemory(BaseDataset):
    """Hold images as mmpretrain's CIFAR sets do."""

    METAINFO = dict(classes=['one', 'two'])

    def load_data_list(self):
        image = np.full((32, 32, 3), GREY, np.uint8)
        return [dict(img=image, gt_label=label) for label in (0, 1)]


@pytest.fixture(scope='module')
def red_bank(tmp_path_factory):
    """Write a cut-out that is red all over."""
    folder = tmp_path_factory.mktemp('red') / 'red'
    folder.mkdir()
    Image.new('RGBA', (40, 40), (*RED, 255)).save(folder / 'red.png')
    return str(folder)


@pytest.fixture(scope='module')
def photos(tmp_path_factory):
    """Write a folder of classes with a grey photo each."""
    root = tmp_path_factory.mktemp('photos')
    for name in ('one', 'two'):
        (root / name).mkdir()
        Image.new('RGB', (40, 32), (GREY,) * 3).save(root / name / 'a.png')
    return root


def from_files(photos, *steps):
    return CustomDataset(data_root=str(photos), pipeline=[*steps, PACK])


def in_memory(*steps):
    return InMemory(ann_file='', pipeline=[*steps, PACK])


@pytest.mark.parametrize(
    ('steps', 'to_rgb', 'order'),
    [
        (None, False, 'rgb'),  # stock CIFAR
        ([dict(type='RandomFlip', prob=0.5)], False, 'rgb'),
        ([LOAD], True, 'bgr'),  # stock ImageNet
        ([LOAD], False, 'bgr'),  # stock RegNet: a model that wants BGR
        ([dict(LOAD, imdecode_backend='pillow')], True, 'bgr'),
        ([LoadWithPIL()], False, 'rgb'),
        ([LOAD, TO_PIL, dict(type='PILToNumpy')], False, 'rgb'),
        ([LOAD, TO_PIL, dict(type='PILToNumpy', to_bgr=True)], True, 'bgr'),
    ],
)
def test_a_red_cutout_is_red_for_the_model(
    steps, to_rgb, order, photos, red_bank
):
    files = steps and steps[0] != dict(type='RandomFlip', prob=0.5)
    data = from_files(photos, *steps) if files else in_memory(*(steps or ()))
    assert dataset_order(data) == order
    cells = OcclusionCells(data, ['L0', 'L3 object'], object_bank=red_bank)
    packed = cells[len(data)]
    assert packed['data_samples'].channel_order == order
    assert cells[0]['data_samples'].channel_order == order
    prepare = MODELS.build(dict(type='ClsDataPreprocessor', to_rgb=to_rgb))
    batch = dict(inputs=packed['inputs'][None])
    seen = prepare(batch)['inputs'][0]  # what the model gets
    wants = 'rgb' if to_rgb or order == 'rgb' else 'bgr'
    colour = torch.tensor(RED if wants == 'rgb' else RED[::-1]).float()
    is_red = (seen == colour[:, None, None]).all(dim=0)
    assert 0.55 < is_red.float().mean() < 0.8


def test_what_cannot_be_tried_follows_the_preprocessor_or_mm():
    size = (32, 32)
    image = np.full((32, 32, 3), GREY, np.uint8)
    assert loaded_order(dict(img=image), []) == 'rgb'
    assert loaded_order(dict(img=image), [], to_rgb=True) == 'bgr'
    assert loaded_order(dict(img=image[..., 0]), []) == 'bgr'  # grey
    given = dict(img=image, channel_order='bgr')
    assert loaded_order(given, []) == 'bgr'
    assert loaded_order(dict(img_path='x'), [LoadByName()], size) == 'bgr'
    assert loaded_order(dict(img_path='x'), [lambda r: r['no']], size) == 'bgr'
    assert dataset_order([1, 2]) == 'bgr'
    with pytest.raises(ValueError, match="unknown channel_order 'gbr'"):
        loaded_order(dict(channel_order='gbr'), [], size)


def test_to_rgb_is_the_models_own_before_the_configs():
    top = dict(data_preprocessor=dict(to_rgb=True))
    assert to_rgb_of(top) is True
    assert to_rgb_of(dict(top, model=dict(data_preprocessor={}))) is True
    own = dict(model=dict(data_preprocessor=dict(to_rgb=False)))
    assert to_rgb_of(dict(top, **own)) is False
    assert to_rgb_of({}) is None


@pytest.mark.parametrize(
    'make', ['Occlude', 'OccludeObjects', 'PasteOcclusion']
)
@pytest.mark.parametrize('known', ['argument', 'sample'])
def test_transforms_paste_in_the_order_that_is_said(make, known, red_bank):
    cfg = dict(type=f'mmocc.{make}', seed=0)
    if make == 'PasteOcclusion':
        cfg.update(occluders=dict(red=red_bank), patch_size=8, feather=0)
    else:
        cfg.update(kind='object', level='L3', object_bank=red_bank)
    sample = dict(
        img=np.full((64, 64, 3), (40, 50, 60), np.uint8),  # no grey picture
        gt_bboxes=np.array([[0.0, 0, 64, 64]]),
    )
    for order, colour in (('rgb', RED), ('bgr', RED[::-1])):
        if known == 'argument':
            run, more = TRANSFORMS.build(dict(cfg, channel_order=order)), {}
        else:
            run, more = TRANSFORMS.build(cfg), dict(channel_order=order)
        results = run(dict(sample, **more))
        hidden = results['occlusion_mask'] == 1
        strong = (np.abs(results['img'] - np.array(colour)) < 90).all(axis=-1)
        assert hidden.any() and strong[hidden].mean() > 0.95


def test_the_mean_colour_follows_the_order():
    image = np.zeros((8, 8, 3), np.uint8)
    hide = HideAndSeek(8, hide_prob=1)
    assert hide(dict(img=image))['img'][0, 0].tolist() == [104, 116, 124]
    rgb = dict(img=image, channel_order='rgb')
    assert hide(rgb)['img'][0, 0].tolist() == [124, 116, 104]
    hide = HideAndSeek(8, hide_prob=1, channel_order='rgb')
    assert hide(dict(img=image))['img'][0, 0].tolist() == [124, 116, 104]


def test_a_data_set_that_holds_its_images_holds_rgb(red_bank):
    hide = Occlude(kind='object', level='L3', object_bank=red_bank, seed=0)
    flip = dict(type='RandomFlip', prob=0.5)
    steps = Compose([flip]).transforms
    results = Compose([*steps, hide])(in_memory().get_data_info(0))
    hidden = results['img'][results['occlusion_mask'] == 1]
    assert (hidden == RED).all(axis=-1).mean() > 0.5
    array = dict(img=np.full((32, 32, 3), GREY, np.uint8))  # an inferencer's
    results = hide(array)
    hidden = results['img'][results['occlusion_mask'] == 1]
    assert (hidden == RED[::-1]).all(axis=-1).mean() > 0.5


def test_unknown_orders_are_refused(red_bank):
    for make in (
        lambda: Occlude(kind='white', channel_order='RGB'),
        lambda: HideAndSeek(channel_order='RGB'),
        lambda: PasteOcclusion(dict(a=red_bank), channel_order='RGB'),
    ):
        with pytest.raises(ValueError, match="unknown channel_order 'RGB'"):
            make()


def test_detectors_occlude_in_the_order_of_their_loader(photos, red_bank):
    hide = Occlude(kind='object', level='L3', object_bank=red_bank, seed=0)
    path = str(photos / 'one' / 'a.png')
    for load, colour in ((LoadWithPIL(), RED), (LOAD, RED[::-1])):
        load = Compose([load]).transforms[0]
        name = type(load).__name__
        if name == 'LoadWithPIL':
            load = type('LoadImageRGB', (LoadWithPIL,), {})()
        steps = [load, Compose([PACK]).transforms[0]]
        run = Compose(insert_after_loading(steps, hide))
        inputs = run(dict(img_path=path, gt_label=0))['inputs']
        is_red = inputs == torch.tensor(colour)[:, None, None]
        assert is_red.all(dim=0).float().mean() > 0.5


def test_the_page_shows_colours_as_they_are(red_bank):
    cells = OcclusionCells(in_memory(), ['L3 object'], object_bank=red_bank)
    packed = cells[0]
    image = packed['inputs'].permute(1, 2, 0).numpy()
    shown = shown_image(image, 'rgb')
    assert (shown == RED[::-1]).all(axis=-1).mean() > 0.5  # BGR, for OpenCV
    assert make_example(packed, 0, 'L3 object', {}, ['one', 'two'])['share']
    grey = shown_image(np.array([[[-2.0], [3.0]]]), 'bgr')
    assert grey.tolist() == [[[0] * 3, [255] * 3]]
