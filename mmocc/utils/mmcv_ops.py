"""mmcv's operators where they are not compiled: a stand-in by torchvision.

Compiling mmcv takes minutes; its pure Python build takes seconds, but mmdet
cannot be imported with it: ``mmcv.ops`` wants the compiled ``mmcv._ext``.
:class:`StandInFinder` provides a module of that name if Python finds no other.
``nms`` and ``roi_align`` (the mean, on any device) are torchvision's; every
other operator says what to do when it is called. It imports nothing until
``mmcv._ext`` is asked for.
"""

import sys
from collections.abc import Callable, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

NAME = 'mmcv._ext'
REMEDY = 'compile them with "make ops", or install a wheel that has them'


def nms(
    bboxes: 'Tensor', scores: 'Tensor', iou_threshold: float, offset: int
) -> 'Tensor':
    """Return which (n, 4) xyxy boxes are kept, best first.

    With ``offset`` 1, a box covers its last pixel as well.
    """
    from torchvision.ops import nms

    if offset:
        bboxes = bboxes + bboxes.new_tensor([0, 0, offset, offset])
    return nms(bboxes, scores, iou_threshold)


def roi_align_forward(
    inputs: 'Tensor',
    rois: 'Tensor',
    output: 'Tensor',
    argmax_y: 'Tensor',
    argmax_x: 'Tensor',
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the features of (n, 5) regions to ``output`` (n, C, h, w).

    Raises:
        NotImplementedError: If the maximum is wanted (``pool_mode`` 0).
    """
    from torchvision.ops import roi_align

    if pool_mode == 0:
        missing("roi_align with pool_mode='max'")()
    size = aligned_height, aligned_width
    output.copy_(
        roi_align(inputs, rois, size, spatial_scale, sampling_ratio, aligned)
    )


def roi_align_backward(
    grad_output: 'Tensor',
    rois: 'Tensor',
    argmax_y: 'Tensor',
    argmax_x: 'Tensor',
    grad_input: 'Tensor',
    aligned_height: int,
    aligned_width: int,
    spatial_scale: float,
    sampling_ratio: int,
    pool_mode: int,
    aligned: bool,
) -> None:
    """Write the gradient of the maps to ``grad_input`` (B, C, H, W)."""
    import torch
    import torchvision  # noqa: F401  (registers the operator)

    grad_input.copy_(
        torch.ops.torchvision._roi_align_backward(
            grad_output,
            rois,
            spatial_scale,
            aligned_height,
            aligned_width,
            *grad_input.shape,
            sampling_ratio,
            aligned,
        )
    )


def missing(name: str) -> Callable:
    """Return an operator that only says that it is missing."""

    def call(*args: Any, **kwargs: Any) -> None:
        raise NotImplementedError(
            f'mmcv was built without its compiled operators, and {name} is '
            f'one of them: {REMEDY}'
        )

    return call


def get_compiler_version() -> str:
    """Return what mmengine's log says of mmcv's compiler."""
    return 'none (nms and roi_align are those of torchvision)'


PROVIDED = dict(
    nms=nms,
    roi_align_forward=roi_align_forward,
    roi_align_backward=roi_align_backward,
    get_compiler_version=get_compiler_version,
    get_compiling_cuda_version=get_compiler_version,
)


class StandIn(ModuleType):
    """``mmcv._ext`` in pure Python: any operator can be imported."""

    def __getattr__(self, name: str) -> Callable:
        if name.startswith('__'):  # Python's own questions
            raise AttributeError(name)
        return missing(name)


class StandInFinder(MetaPathFinder, Loader):
    """Gives :class:`StandIn` for ``mmcv._ext`` where there is no other."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Return a spec for ``mmcv._ext``, and for nothing else."""
        return ModuleSpec(NAME, self) if fullname == NAME else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the stand-in."""
        module = StandIn(NAME)
        vars(module).update(PROVIDED)
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Do nothing: the module is ready."""


def provide_ops() -> None:
    """Let ``mmcv.ops`` be imported where mmcv has no compiled operators.

    Compiled ones are found first and change nothing.
    """
    if not any(isinstance(f, StandInFinder) for f in sys.meta_path):
        sys.meta_path.append(StandInFinder())


def ops_state() -> str:
    """Return whose operators ``mmcv.ops`` calls, in a few words."""
    from importlib import import_module

    extension = import_module(NAME)
    if isinstance(extension, StandIn):
        return "torchvision's ops"
    return 'compiled'
