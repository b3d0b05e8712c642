"""GIoU, DIoU, CIoU, EIoU and Focal-EIoU: losses on pairs of boxes.

For a predicted box B, its target G and the smallest box C around both, with
IoU = |B & G| / |B | G|, rho the distance of the centres, and widths and
heights w, h (B), w_g, h_g (G), c_w, c_h (C)::

    GIoU = 1 - IoU + (|C| - |B | G|) / |C|                arXiv 1902.09630
    DIoU = 1 - IoU + rho^2 / (c_w^2 + c_h^2)              arXiv 1911.08287
    CIoU = DIoU + a v, v = (2 / pi (atan w / h - atan w_g / h_g))^2,
        a = v / (1 - IoU + v), without gradient            arXiv 1911.08287
    EIoU = DIoU + (w - w_g)^2 / c_w^2 + (h - h_g)^2 / c_h^2
                                                          arXiv 2101.08158

**EIoU is the Efficient IoU, not mmdet's ``EIoULoss``, which is the Extended
IoU. GIoU divides by the enclosing box C**, not by B, as hal-03409930 prints
it.

The functions take boxes (n, 4) xyxy in pixels, and ``eps``, which is added to
divisors, in pixels^2. They return (n,) float32 (float64 for predictions in
float64): 0 for equal boxes, above 1 for boxes apart. GIoU, DIoU and CIoU
equal torchvision's, but the host never waits for the device, and a box with
exchanged corners is empty.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn

from mmocc.registry import MODELS

EPS = 1e-7
REDUCTIONS = ('none', 'mean', 'sum')
DIVISORS = ('boxes', 'weights')  # of mmocc.FocalEIoULoss


class Pairs(NamedTuple):
    """The geometry of n pairs of boxes, in pixels."""

    iou: Tensor  # (n,) intersection over union, in [0, 1]
    union: Tensor  # (n,) its area
    rho: Tensor  # (n, 2) vector between the centres
    sizes: Tensor  # (n, 2) difference of the widths and of the heights
    angle: Tensor  # (n,) difference of atan(width / height)
    enclosing: Tensor  # (n, 2) width and height of the enclosing box


def _area(size: Tensor) -> Tensor:
    # Not prod: its gradient counts zeros on the host.
    width, height = size.clamp_min(0).unbind(dim=1)
    return width * height


def _angle(size: Tensor, eps: float) -> Tensor:
    # Of a size that is not 0, so that a gradient is finite.
    width, height = size.clamp_min(eps).unbind(dim=1)
    return torch.atan(width / height)


def pair_boxes(pred: Tensor, target: Tensor, eps: float = EPS) -> Pairs:
    """Return the geometry of boxes (n, 4); ValueError if they are not so.

    In float32, or in float64 if the predictions are.
    """
    if pred.shape != target.shape or pred.shape[1:] != (4,):
        raise ValueError(
            f'expected two tensors (n, 4) of aligned xyxy boxes, got '
            f'{tuple(pred.shape)} and {tuple(target.shape)}'
        )
    wide = torch.promote_types(pred.dtype, torch.float32)
    pred, target = pred.to(wide), target.to(wide)
    low, high = pred[:, :2], pred[:, 2:]
    low_g, high_g = target[:, :2], target[:, 2:]
    size, size_g = high - low, high_g - low_g
    overlap = _area(torch.min(high, high_g) - torch.max(low, low_g))
    union = _area(size) + _area(size_g) - overlap
    # Of all four corners, so that exchanged ones are enclosed as well.
    corners = torch.stack([low, high, low_g, high_g])
    return Pairs(
        iou=overlap / (union + eps),
        union=union,
        rho=(low + high - low_g - high_g) / 2,
        sizes=size - size_g,
        angle=_angle(size, eps) - _angle(size_g, eps),
        enclosing=corners.amax(dim=0) - corners.amin(dim=0),
    )


def _diou(pairs: Pairs, eps: float) -> Tensor:
    diagonal = pairs.enclosing.square().sum(dim=1)
    distance = pairs.rho.square().sum(dim=1)
    return 1 - pairs.iou + distance / (diagonal + eps)


def _eiou(pairs: Pairs, eps: float) -> Tensor:
    sides = pairs.sizes.square() / (pairs.enclosing.square() + eps)
    return _diou(pairs, eps) + sides.sum(dim=1)


def giou_loss(pred: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Return the Generalized IoU loss, (n,) in [0, 2]."""
    pairs = pair_boxes(pred, target, eps)
    area = _area(pairs.enclosing)
    return 1 - pairs.iou + (area - pairs.union) / (area + eps)


def diou_loss(pred: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Return the Distance IoU loss, (n,) in [0, 2]."""
    return _diou(pair_boxes(pred, target, eps), eps)


def ciou_loss(pred: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Return the Complete IoU loss, (n,) in [0, 3].

    Equal boxes have no loss and a finite gradient: mmdet's are NaN there.
    """
    pairs = pair_boxes(pred, target, eps)
    aspect = (pairs.angle * 2 / math.pi).square()
    with torch.no_grad():
        share = aspect / (1 - pairs.iou + aspect + eps)
    return _diou(pairs, eps) + share * aspect


def eiou_loss(pred: Tensor, target: Tensor, eps: float = EPS) -> Tensor:
    """Return the Efficient IoU loss, (n,) in [0, 4]."""
    return _eiou(pair_boxes(pred, target, eps), eps)


def focal_eiou_loss(
    pred: Tensor, target: Tensor, gamma: float = 0.5, eps: float = EPS
) -> Tensor:
    """Return IoU^gamma EIoU, (n,) >= 0: good boxes count more.

    The weight IoU^gamma is a constant for the gradient, because that of
    IoU^0.5 is infinite at IoU = 0. Boxes apart cost nothing.
    """
    pairs = pair_boxes(pred, target, eps)
    return pairs.iou.detach().pow(gamma) * _eiou(pairs, eps)


class IoUTypeLoss(nn.Module):
    """Base of the losses on decoded boxes: weights and reduction, as in mm.

    Args:
        loss_weight: Factor of the loss.
        reduction: ``mean``, ``sum`` (without ``avg_factor``) or ``none``.
        eps: Added to divisors, in pixels^2.
    """

    function: Callable[..., Tensor]

    def __init__(
        self,
        loss_weight: float = 1.0,
        reduction: str = 'mean',
        eps: float = EPS,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.reduction = self._checked(reduction)
        self.eps = eps

    @staticmethod
    def _checked(reduction: str) -> str:
        if reduction not in REDUCTIONS:
            raise ValueError(
                f'unknown reduction {reduction!r}; choose from {REDUCTIONS}'
            )
        return reduction

    def compute(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the (n,) losses of (n, 4) boxes."""
        return self.function(pred, target, self.eps)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss, (n,) if not reduced; 0 with gradient if n is 0.

        Args:
            pred: (n, 4) decoded xyxy boxes in pixels, n >= 0.
            target: The same shape.
            weight: (n,), or (n, 4), which is averaged.
            avg_factor: Divisor of the sum instead of n, if the reduction is
                ``mean``; such as the number of positives.
            reduction_override: Reduction of this call.
        """
        reduction = self._checked(reduction_override or self.reduction)
        if reduction == 'sum' and avg_factor is not None:
            raise ValueError("avg_factor goes with reduction 'mean' only")
        with torch.autocast(pred.device.type, enabled=False):
            loss = self.loss_weight * self.compute(pred, target)
        if weight is not None:
            loss = loss * (weight.mean(-1) if weight.dim() > 1 else weight)
        if reduction == 'none':
            return loss
        if reduction == 'sum':
            return loss.sum()
        if avg_factor is None:
            return loss.sum() / max(len(loss), 1)
        return loss.sum() / (avg_factor + torch.finfo(torch.float32).eps)


@MODELS.register_module()
class GIoULoss(IoUTypeLoss):
    """Generalized IoU; see :class:`IoUTypeLoss`."""

    function = staticmethod(giou_loss)


@MODELS.register_module()
class DIoULoss(IoUTypeLoss):
    """Distance IoU; see :class:`IoUTypeLoss`."""

    function = staticmethod(diou_loss)


@MODELS.register_module()
class CIoULoss(IoUTypeLoss):
    """Complete IoU; see :func:`ciou_loss` and :class:`IoUTypeLoss`."""

    function = staticmethod(ciou_loss)


@MODELS.register_module()
class EIoULoss(IoUTypeLoss):
    """Efficient IoU; see :class:`IoUTypeLoss`."""

    function = staticmethod(eiou_loss)


@MODELS.register_module()
class FocalEIoULoss(IoUTypeLoss):
    """Focal-EIoU; see :func:`focal_eiou_loss` and :class:`IoUTypeLoss`.

    Args:
        gamma: Exponent of the weight; 0 gives EIoU for boxes that overlap.
        divisor: Of the reduction ``mean``. ``boxes``: ``avg_factor``, or n.
            ``weights``: the sum of the weights IoU^gamma, times ``weight``,
            whatever ``avg_factor`` is, as in the paper's first version
            (arXiv 2101.08158v1); so the loss stays large while boxes are
            bad. The sum is that of one call: a head that calls its loss for
            each map has one for each. With the reduction ``none``, losses
            are multiplied by n (or the sum of ``weight``) over that sum, so
            that their mean is the same.
        kwargs: Of :class:`IoUTypeLoss`.

    Raises:
        ValueError: The divisor is unknown.
    """

    def __init__(
        self, gamma: float = 0.5, divisor: str = 'boxes', **kwargs
    ) -> None:
        super().__init__(**kwargs)
        if divisor not in DIVISORS:
            raise ValueError(
                f'unknown divisor {divisor!r}; choose from {DIVISORS}'
            )
        self.gamma, self.divisor = gamma, divisor

    def compute(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the (n,) losses of (n, 4) boxes."""
        return focal_eiou_loss(pred, target, self.gamma, self.eps)

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Tensor | None = None,
        avg_factor: float | Tensor | None = None,
        reduction_override: str | None = None,
    ) -> Tensor:
        """Return the loss, as :meth:`IoUTypeLoss.forward` does."""
        reduction = reduction_override or self.reduction
        if self.divisor == 'boxes' or reduction == 'sum':
            return super().forward(pred, target, weight, avg_factor, reduction)
        each = pred.new_ones(len(pred)) if weight is None else weight
        each = each.mean(-1) if each.dim() > 1 else each
        iou = pair_boxes(pred, target, self.eps).iou.detach()
        shares = (each * iou.pow(self.gamma)).sum()
        if reduction == 'mean':
            return super().forward(pred, target, weight, shares, reduction)
        scale = each.sum() / (shares + torch.finfo(torch.float32).eps)
        loss = super().forward(pred, target, weight, None, reduction)
        return scale * loss
