"""Occlusion in pipelines without mm: types, forms, objects, seeds."""

import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import Compose, v2

from mmocc.occlusion import KINDS, OccluderBank, occlude_object
from mmocc.transforms import HideAndSeek, Occlude

ROOT = Path(__file__).resolve().parents[2]
SIZE = 40, 60  # (h, w)
# A red image, so that a mix-up of channels shows.
ARRAY = np.full((*SIZE, 3), (200, 10, 30), np.uint8)
TENSOR = torch.from_numpy(ARRAY).permute(2, 0, 1).contiguous()
BOXES = [[2, 3, 22, 33], [30, 5, 58, 38]]
FORMS = {
    'array': ARRAY,
    'tensor': TENSOR,
    'tv': tv_tensors.Image(TENSOR),
    'pil': Image.fromarray(ARRAY),
}


@pytest.fixture(scope='module')
def bank():
    return OccluderBank(
        KINDS, 'builtin:train', 'builtin:train', texture_size=32
    )


def planes(image):
    if isinstance(image, torch.Tensor):
        return image.as_subclass(torch.Tensor)
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def target():
    return dict(
        boxes=tv_tensors.BoundingBoxes(
            torch.tensor(BOXES), format='XYXY', canvas_size=SIZE
        ),
        labels=torch.tensor([7, 8]),
        image_id=5,
    )


def hidden_in_boxes(image):
    changed = (planes(image) != TENSOR).any(0)
    return [
        float(changed[y1:y2, x1:x2].float().mean()) for x1, y1, x2, y2 in BOXES
    ]


@pytest.mark.parametrize('form', FORMS)
def test_every_form_comes_back_as_it_was_and_hidden_alike(form, bank):
    image = FORMS[form]
    before = planes(image).clone()
    for kind in KINDS:
        hide = Occlude(kind, 'L2', bank=bank, seed=1)
        hidden = hide(image)
        assert type(hidden) is type(image)
        assert (planes(image) == before).all()
        assert (planes(hidden) == planes(hide(ARRAY))).all()
        share = (planes(hidden) != before).any(0).float().mean()
        assert 0.35 < share < 0.6  # noise may equal the image


def test_it_is_the_cores_occlusion_of_the_image_in_rgb(bank, monkeypatch):
    monkeypatch.setattr(Occlude, '_number', lambda self, planes: 12)
    image = torch.randint(256, (3, 30, 30), dtype=torch.uint8)
    hidden = Occlude('object', 'L1', bank=bank)(image)
    expected, _ = occlude_object(
        image.flip(0),
        torch.ones(30, 30, dtype=torch.bool),
        'object',
        (0.2, 0.4),
        bank,
        torch.Generator().manual_seed(12),
    )
    assert (hidden == expected.flip(0)).all()


def test_seeds_and_torchs_generator_repeat(bank):
    hide = Occlude(bank=bank)
    torch.manual_seed(3)
    first = [hide(TENSOR) for _ in range(2)]
    torch.manual_seed(3)
    again = [hide(TENSOR) for _ in range(2)]
    assert all((a == b).all() for a, b in zip(first, again, strict=True))
    assert (first[0] != first[1]).any()
    fixed = Occlude('white', bank=bank, seed=4)
    state = torch.get_rng_state()
    assert (fixed(TENSOR) == fixed(TENSOR)).all()
    assert (torch.get_rng_state() == state).all()
    other = Occlude('white', bank=bank, seed=5)
    assert (fixed(TENSOR) != other(TENSOR)).any()
    copy = pickle.loads(pickle.dumps(fixed))
    assert (copy(TENSOR) == fixed(TENSOR)).all()


def test_with_a_seed_levels_are_nested(bank):
    masks = [
        Occlude('white', level, bank=bank, seed=0)(TENSOR) == 255
        for level in ('L1', 'L2', 'L3')
    ]
    assert (masks[0] <= masks[1]).all()
    assert (masks[1] <= masks[2]).all()


def test_each_box_is_hidden_and_everything_is_carried(bank):
    hide = Occlude('white', 'L2', bank=bank, keep_mask=True)
    given = target()
    image, changed = hide(FORMS['tv'], given)
    shares = hidden_in_boxes(image)
    assert all(0.4 <= share < 0.6 for share in shares)
    assert changed['hidden_shares'].tolist() == pytest.approx(shares)
    assert type(changed['boxes']) is tv_tensors.BoundingBoxes
    assert changed['boxes'] is given['boxes']
    assert changed['image_id'] == 5
    mask = (planes(image) == 255).all(0)
    assert (changed['occlusion_mask'] == mask).all()
    assert 'hidden_shares' not in given


def test_pipelines_of_torchvision_run_it(bank):
    hide = Occlude('white', 'L1', bank=bank)
    steps = v2.Compose(
        [v2.RandomHorizontalFlip(1), hide, v2.ToDtype(torch.float32)]
    )
    image, changed = steps(FORMS['tv'], target())
    assert image.dtype == torch.float32
    assert changed['boxes'][0].tolist() == [38, 3, 58, 33]
    pair = steps((FORMS['tv'], target()))
    assert isinstance(pair, tuple)
    assert len(pair[1]['hidden_shares']) == 2
    assert Compose([hide])(FORMS['pil']).size == SIZE[::-1]
    image, label = hide(FORMS['pil'], 3)
    assert label == 3
    image, mask = hide(FORMS['tv'], tv_tensors.Mask(torch.ones(1, *SIZE)))
    assert mask.shape == (1, *SIZE)


def test_dicts_are_called_as_albumentations_calls(bank):
    hide = Occlude('white', 'L1', bank=bank, box_format='xywh')
    bboxes = [(2, 3, 20, 30, 'cat'), (30, 5, 28, 33, 'dog')]
    for sample in (
        hide(image=ARRAY, bboxes=bboxes, name='a'),
        hide(dict(image=ARRAY, bboxes=bboxes, name='a')),
    ):
        assert sample['bboxes'] == bboxes
        assert sample['name'] == 'a'
        assert isinstance(sample['hidden_shares'], np.ndarray)
        assert sample['hidden_shares'].tolist() == pytest.approx(
            hidden_in_boxes(sample['image'])
        )


def test_a_mask_of_labels_is_one_object(bank):
    mask = np.zeros(SIZE, np.uint8)
    mask[5:25, 10:40] = 12
    mask[30:] = 255  # not labelled
    hide = Occlude('white', 'L1', bank=bank)
    sample = hide(image=ARRAY, mask=mask)
    changed = (sample['image'] == 255).all(-1)
    share = changed[mask == 12].mean()
    assert 0.2 <= share < 0.4
    assert sample['hidden_shares'].tolist() == pytest.approx([share])
    assert sample['mask'] is mask


def test_objects_hidden_too_far_leave_boxes_masks_and_labels(bank):
    hide = Occlude('white', 0.9, bank=bank, region='box', min_visible=0.2)
    masks = torch.zeros(3, *SIZE, dtype=torch.uint8)
    given = target() | dict(
        boxes=torch.tensor([[0, 0, 20, 20], [70, 0, 80, 9], [30, 0, 50, 20]]),
        masks=tv_tensors.Mask(masks),
        labels=[1, 2, 3],
        iscrowd=np.array([0, 0, 0]),
    )
    _, changed = hide(TENSOR, given)
    assert changed['dropped_objects'] == 2
    assert changed['boxes'].tolist() == [[70, 0, 80, 9]]  # not in the image
    assert changed['labels'] == [2]
    assert changed['masks'].shape == (1, *SIZE)
    assert type(changed['masks']) is tv_tensors.Mask
    assert changed['iscrowd'].tolist() == [0]
    assert changed['hidden_shares'].isnan().tolist() == [True]
    assert len(given['boxes']) == 3
    sample = Occlude('white', 'L1', bank=bank, min_visible=0.5)(
        image=ARRAY, bboxes=BOXES, names=['a', 'b']
    )
    assert sample['dropped_objects'] == 0


def test_more_names_may_be_told_and_lengths_must_agree(bank):
    options = dict(bank=bank, min_visible=0.9, object_fields=['names'])
    hide = Occlude('white', 'L3', **options)
    sample = hide(image=ARRAY, bboxes=BOXES, names=('a', 'b'))
    assert sample['names'] == ()
    assert sample['bboxes'] == []
    with pytest.raises(ValueError, match="'labels' has 1 entries for 2"):
        hide(image=ARRAY, bboxes=BOXES, names=['a', 'b'], labels=[1])
    with pytest.raises(KeyError, match='names'):
        hide(image=ARRAY, bboxes=BOXES)
    with pytest.raises(TypeError, match='min_visible needs a target'):
        hide(TENSOR, target()['boxes'])


def test_images_without_objects_and_crowds_are_left_alone(bank):
    hide = Occlude('white', 'L3', bank=bank, min_visible=0.5)
    image, changed = hide(TENSOR, dict(boxes=torch.zeros(0, 4)))
    assert (image == TENSOR).all()
    assert changed['hidden_shares'].shape == (0,)
    assert changed['dropped_objects'] == 0
    image, changed = hide(TENSOR, target() | dict(iscrowd=[1, 1]))
    assert (image == TENSOR).all()
    never = Occlude('white', bank=bank, p=0)
    assert never(image=ARRAY)['hidden_shares'].tolist() == [0]
    assert never(ARRAY) is ARRAY


def test_grey_and_read_only_pictures(bank):
    hide = Occlude('white', 'L1', bank=bank)
    grey = hide(Image.new('L', (20, 20), 50))
    assert grey.mode == 'L'
    assert set(np.unique(np.array(grey))) == {50, 255}
    fixed = ARRAY[:, ::-1]
    fixed.flags.writeable = False
    assert hide(fixed).shape == ARRAY.shape


@pytest.mark.parametrize(
    ('image', 'message'),
    [
        (TENSOR.float(), r'torch\.float32.*before ToTensor'),
        (ARRAY / 255, r'float64.*before ToTensor'),
        (TENSOR[None], 'one colour image at a time'),
        (ARRAY[..., 0], 'one colour image at a time'),
        (Image.new('RGBA', (4, 4)), r"RGBA: call \.convert\('RGB'\)"),
        ('a.jpg', 'got str'),
    ],
)
@pytest.mark.parametrize('cls', [Occlude, HideAndSeek])
def test_other_types_are_one_error(image, message, cls):
    hide = cls('white') if cls is Occlude else cls()
    with pytest.raises(
        TypeError, match=f'{cls.__name__} takes PIL.*{message}'
    ):
        hide(image)


def test_wrong_arguments_and_samples_are_named(bank):
    for options, message in (
        (dict(region='face'), "'face'.*'auto'"),
        (dict(box_format='coco'), "'coco'.*'xywh'"),
        (dict(min_visible=2), r'min_visible.*\[0, 1\]'),
        (dict(p=-1), r'p must.*\[0, 1\]'),
        (dict(kind='snow'), 'snow'),
        (dict(texture_bank='builtin:all'), 'builtin:all'),
    ):
        with pytest.raises(ValueError, match=message):
            Occlude(**options)
    hide = Occlude('white', bank=bank)
    for fields, message in (
        (dict(bboxes=[[30, 30, 5, 5]]), 'inverted.*box_format'),
        (dict(bboxes=[[1, 1, np.nan, 5]]), 'NaN'),
        (dict(mask=np.ones((3, 4))), r'\(3, 4\) does not fit'),
        (dict(bboxes=BOXES, masks=[np.ones(SIZE)]), '1 masks.*2 boxes'),
    ):
        with pytest.raises(ValueError, match=message):
            hide(image=ARRAY, **fields)
    boxes = target()['boxes']
    with pytest.raises(ValueError, match='boxes are for an image of'):
        hide(TENSOR[:, :20], boxes)
    with pytest.raises(ValueError, match="region='box'"):
        Occlude('white', bank=bank, region='box')(image=ARRAY)
    for call in (dict(img=ARRAY), dict()):
        with pytest.raises(TypeError, match='image'):
            hide(**call)


def test_core_and_transforms_run_with_no_mm_and_no_torchvision():
    code = """
import sys
for name in ('mmengine', 'mmcv', 'mmdet', 'mmpretrain', 'torchvision'):
    sys.modules[name] = None
import numpy as np
from mmocc.occlusion import KINDS
from mmocc.transforms import HideAndSeek, Occlude
image = np.zeros((32, 32, 3), np.uint8)
for kind in KINDS:
    assert Occlude(kind, texture_size=32)(image).any(), kind
hide = HideAndSeek(8, 1.0, min_visible=0.1)
assert hide(image=image, bboxes=[[1, 1, 9, 9]])['bboxes'] == []
"""
    done = subprocess.run(
        [sys.executable, '-c', code],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_examples_of_the_page_run(capsys):
    text = (ROOT / 'docs/transforms.md').read_text(encoding='utf-8')
    names = {}
    blocks = re.findall(r'```python\n(.+?)```', text, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(block, names)
    assert 'tensor(' in capsys.readouterr().out
    assert len(names['sample']['hidden_shares']) == 1
