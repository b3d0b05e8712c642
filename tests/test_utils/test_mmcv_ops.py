"""mmcv's operators where none are compiled."""

import subprocess
import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec

import pytest
import torch

from mmocc.utils.mmcv_ops import NAME, StandInFinder, ops_state, provide_ops

pytest.importorskip('mmcv')


@pytest.fixture
def stand_in():
    spec = StandInFinder().find_spec(NAME)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_nms_keeps_the_best_of_boxes_that_overlap(stand_in):
    # As the whole boxes, 9 x 9 of 10 x 10 pixels are shared: 81 / 119; with
    # their last pixels 100 / 142.
    boxes = torch.tensor([[0.0, 0, 10, 10], [1, 1, 11, 11], [20, 20, 30, 30]])
    scores = torch.tensor([0.5, 0.9, 0.1])
    for threshold, offset, kept in (
        (0.68, 0, [1, 2]),  # 81 / 119 = 0.681
        (0.69, 0, [1, 0, 2]),
        (0.69, 1, [1, 2]),  # 100 / 142 = 0.704
        (0.71, 1, [1, 0, 2]),
    ):
        found = stand_in.nms(
            boxes, scores, iou_threshold=threshold, offset=offset
        )
        assert found.tolist() == kept


def test_roi_align_and_its_gradient_are_torchvisions(stand_in):
    from torchvision.ops import roi_align

    torch.manual_seed(0)
    maps = torch.randn(2, 3, 9, 7, dtype=torch.double, requires_grad=True)
    rois = torch.tensor([[1, 2.0, 3.0, 30.5, 40.0], [0, 0.0, 0.0, 9.0, 9.0]])
    rois = rois.double()
    expected = roi_align(maps, rois, (2, 3), 0.2, 2, True)
    weights = torch.randn_like(expected)
    (gradient,) = torch.autograd.grad((expected * weights).sum(), maps)
    options = dict(
        aligned_height=2,
        aligned_width=3,
        spatial_scale=0.2,
        sampling_ratio=2,
        pool_mode=1,
        aligned=True,
    )
    none = maps.new_zeros(0)
    out, back = torch.empty_like(expected), torch.zeros_like(maps)
    stand_in.roi_align_forward(maps, rois, out, none, none, **options)
    torch.testing.assert_close(out, expected)
    stand_in.roi_align_backward(weights, rois, none, none, back, **options)
    torch.testing.assert_close(back, gradient)
    options['pool_mode'] = 0
    with pytest.raises(NotImplementedError, match='max'):
        stand_in.roi_align_forward(maps, rois, out, none, none, **options)


def test_an_operator_that_is_absent_says_so_when_it_is_called(stand_in):
    softnms = stand_in.softnms  # as mmcv.ops imports it
    with pytest.raises(NotImplementedError, match=r'softnms .*make ops'):
        softnms(1, sigma=2)
    with pytest.raises(AttributeError):
        stand_in.__path__  # noqa: B018


def test_it_comes_once_and_after_pythons_own_search():
    before = list(sys.meta_path)
    provide_ops()
    assert sys.meta_path == before  # mmocc did so when it was imported
    kinds = [type(finder) for finder in before]
    assert kinds.count(StandInFinder) == 1
    assert kinds.index(StandInFinder) > before.index(PathFinder)
    finder = before[kinds.index(StandInFinder)]
    assert finder.find_spec('mmcv._other') is None
    assert ops_state() in ('compiled', "torchvision's ops")


def test_a_plain_import_of_mmocc_loads_neither_torch_nor_mmcv():
    code = (
        'import sys, mmocc; '
        'print(sorted({"torch", "mmcv", "mmengine"} & set(sys.modules)))'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout.split() == ['[]'], done.stderr
