"""The losses of LEARN: on features, and on latents by class.

arXiv 2402.06936 names them L_rec-f, L_intra-z, L_inter-z and L_cls-o. Its
norms, margin, weights and pairs are not known: each is an argument here.
Computation is in float32, with autocast off. Its cost is O(B^2 D) for a batch
of B latents of D numbers, for any number of classes.
"""

import math

import torch
import torch.distributed.nn.functional as dist_nn
import torch.nn.functional as F
from mmengine.dist import get_world_size
from torch import Tensor, nn

from mmocc.registry import MODELS

FEATURE_DISTANCES = ('l2', 'l1', 'cosine')
LATENT_DISTANCES = ('l2', 'cosine')
POSITIVES = ('class', 'twin', 'centroid')


def feature_distance(
    pred: Tensor, target: Tensor, distance: str = 'l2'
) -> Tensor:
    """Return the distance of each feature map from its target.

    Args:
        pred: (N, C, ...); (N, C) is a map of one cell.
        target: The same shape.
        distance: ``l2`` mean squared difference, ``l1`` mean absolute
            difference, ``cosine`` 1 - cosine over channels, averaged over
            positions.

    Returns:
        (N,), >= 0; 0 for equal maps.
    """
    pred, target = (
        x.float().reshape(*x.shape[:2], -1) for x in (pred, target)
    )
    if distance == 'cosine':
        return 1 - F.cosine_similarity(pred, target, dim=1).flatten(1).mean(1)
    diff = (pred - target).flatten(1)
    return (diff.square() if distance == 'l2' else diff.abs()).mean(dim=1)


def latent_distance(a: Tensor, b: Tensor, distance: str = 'l2') -> Tensor:
    """Return the distances between all pairs of latents.

    Args:
        a: (A, D).
        b: (B, D).
        distance: ``l2`` squared Euclidean distance divided by D; ``cosine``
            1 - cosine, in [0, 2].

    Returns:
        (A, B), >= 0, with a finite gradient also for equal latents.
    """
    if distance == 'cosine':
        return 1 - F.normalize(a, dim=1) @ F.normalize(b, dim=1).T
    # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, because an (A, B, D) difference does
    # not fit for large batches. Rounding can give values just below 0.
    square = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return square.clamp_min(0) / a.shape[1]


def masked_mean(values: Tensor, mask: Tensor) -> Tensor:
    """Return the mean of the values under a mask; 0 with gradient if none."""
    mask = mask.to(values.dtype)
    return (values * mask).sum() / mask.sum().clamp_min(1)


def gather_ranks(tensor: Tensor) -> Tensor:
    """Return the tensors of all ranks, concatenated, with gradient to each.

    Each rank computes the loss on the gathered tensor. The gradients are
    summed over ranks here and averaged by DDP: the result is the gradient of
    one process with the whole batch.
    """
    if get_world_size() == 1:
        return tensor
    if tensor.is_floating_point():
        return torch.cat(dist_nn.all_gather(tensor.contiguous()))
    parts = [torch.empty_like(tensor) for _ in range(get_world_size())]
    torch.distributed.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)


def check_finite(losses: dict[str, Tensor]) -> None:
    """Raise FloatingPointError that names the losses that are not finite."""
    values = torch.stack([loss.detach().float() for loss in losses.values()])
    if not values.isfinite().all():
        bad = ', '.join(
            f'{name} = {value}'
            for name, value in zip(losses, values.tolist(), strict=True)
            if not math.isfinite(value)
        )
        raise FloatingPointError(
            f"not finite: {bad}; check the frozen model's features (a wrong "
            'checkpoint? float16 overflow: try bfloat16) and the learning rate'
        )


def _check(name: str, value: str, allowed: tuple[str, ...]) -> str:
    if value not in allowed:
        raise ValueError(f'unknown {name} {value!r}; choose from {allowed}')
    return value


@MODELS.register_module()
class FeatureReconstructionLoss(nn.Module):
    """L_rec-f: the repaired feature must equal the clean image's feature.

    Args:
        distance: ``l2``, ``l1`` or ``cosine``; see :func:`feature_distance`.
        loss_weight: Factor of the loss; 0 leaves the loss out.
        relative: Divide by the distance of the targets from their mean, which
            is their variance for ``l2``. So maps with large values, as those
            inside a network may be, do not outweigh the other losses.

    Raises:
        ValueError: If the distance is unknown, or ``cosine``, which does not
            depend on the size of values, is to be relative.
    """

    def __init__(
        self,
        distance: str = 'l2',
        loss_weight: float = 1.0,
        relative: bool = False,
    ) -> None:
        super().__init__()
        if relative and distance == 'cosine':
            raise ValueError(
                "distance='cosine' does not depend on the size of values; "
                'set relative=False'
            )
        self.relative = relative
        self.distance = _check('distance', distance, FEATURE_DISTANCES)
        self.loss_weight = loss_weight

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        """Return the weighted mean distance of (N, C, ...) maps, a scalar."""
        with torch.autocast(pred.device.type, enabled=False):
            target = target.detach()
            loss = feature_distance(pred, target, self.distance).mean()
            if self.relative:
                mean = target.float().mean().expand_as(target)
                own = feature_distance(mean, target, self.distance).mean()
                loss = loss / own.clamp_min(torch.finfo(own.dtype).eps)
            return self.loss_weight * loss


class _LatentLoss(nn.Module):
    """Base of the losses on latents: options, gathering, float32.

    A child's ``compute`` gives the unweighted loss of (B, D) latents.
    """

    def __init__(
        self, distance: str, loss_weight: float, gather: bool
    ) -> None:
        super().__init__()
        self.distance = _check('distance', distance, LATENT_DISTANCES)
        self.loss_weight = loss_weight
        self.gather = gather

    def forward(
        self, clean: Tensor, occluded: Tensor, labels: Tensor
    ) -> Tensor:
        """Return the weighted loss of a batch of latent pairs.

        Args:
            clean: (B, ...) latents of the clean images.
            occluded: (B, ...) latents of their occluded twins.
            labels: (B,) class of each.

        Returns:
            A scalar >= 0; 0 with gradient if the batch has no such pair.
        """
        with torch.autocast(clean.device.type, enabled=False):
            clean, occluded = (z.float().flatten(1) for z in (clean, occluded))
            if self.gather:
                clean, occluded, labels = (
                    gather_ranks(t) for t in (clean, occluded, labels)
                )
            return self.loss_weight * self.compute(clean, occluded, labels)


@MODELS.register_module()
class IntraClassLatentLoss(_LatentLoss):
    """L_intra-z: latents of one class are close together.

    Args:
        distance: ``l2`` or ``cosine``; see :func:`latent_distance`.
        positives: The pairs. ``class``: any two latents of a class, clean or
            occluded; ``twin``: an occluded latent and its clean one;
            ``centroid``: a latent and the mean of its class's clean latents
            in the batch.
        loss_weight: Factor of the loss; 0 leaves the loss out.
        gather: Pair latents across all ranks, not only within one.

    Raises:
        ValueError: If an option is unknown.
    """

    def __init__(
        self,
        distance: str = 'cosine',
        positives: str = 'class',
        loss_weight: float = 0.1,
        gather: bool = False,
    ) -> None:
        super().__init__(distance, loss_weight, gather)
        self.positives = _check('positives', positives, POSITIVES)

    def compute(
        self, clean: Tensor, occluded: Tensor, labels: Tensor
    ) -> Tensor:
        """Return the mean distance of positive pairs."""
        same = labels[:, None] == labels
        own = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        z = torch.cat([clean, occluded])
        if self.positives == 'twin':
            pairs, mask = (occluded, clean), own
        elif self.positives == 'centroid':
            members = same.to(z.dtype)
            centroids = (members / members.sum(1, keepdim=True)) @ clean
            pairs, mask = (z, centroids), own.repeat(2, 1)
        else:
            pairs, mask = (z, z), same.repeat(2, 2).fill_diagonal_(False)
        return masked_mean(latent_distance(*pairs, self.distance), mask)


@MODELS.register_module()
class InterClassLatentLoss(_LatentLoss):
    """L_inter-z: latents of different classes are at least a margin apart.

    A hinge on the distance, since minus the distance has no lower bound.

    Args:
        distance: ``l2`` or ``cosine``; see :func:`latent_distance`.
        margin: Distance from which a pair costs nothing.
        loss_weight: Factor of the loss; 0 leaves the loss out.
        gather: Pair latents across all ranks, not only within one.

    Raises:
        ValueError: If the distance is unknown or the margin not positive.
    """

    def __init__(
        self,
        distance: str = 'cosine',
        margin: float = 0.5,
        loss_weight: float = 0.1,
        gather: bool = False,
    ) -> None:
        super().__init__(distance, loss_weight, gather)
        if margin <= 0:
            raise ValueError(f'margin must be positive, got {margin}')
        self.margin = margin

    def compute(
        self, clean: Tensor, occluded: Tensor, labels: Tensor
    ) -> Tensor:
        """Return the mean hinge of pairs of different classes."""
        z = torch.cat([clean, occluded])
        other = (labels[:, None] != labels).repeat(2, 2)
        hinge = F.relu(self.margin - latent_distance(z, z, self.distance))
        return masked_mean(hinge, other)
