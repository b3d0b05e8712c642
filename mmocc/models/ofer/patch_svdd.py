"""Deep SVDD over patch latents: Latent-OFER's detector of occlusions.

Latent-OFER (arXiv 2307.11404, section 3.1 and Eq. 1):

    min_W  mean |Phi(z; W) - c|^2 + lambda / 2 * sum |W_l|^2
    occluded if  |Phi(z) - c| > R

with z the latent of a patch. The detector was never released, and the paper
gives neither Phi nor c, R or lambda. Here Phi has no biases and no bounded
activation, and c is fixed at the start, as Deep SVDD requires (Ruff et al.,
ICML 2018, section 3.3); R is the quantile 1 - nu.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

import torch
from mmengine.dist import all_reduce, get_rank
from mmpretrain.structures import DataSample
from torch import Tensor, nn

from mmocc.models.ofer.patch_detector import (
    PatchDetector,
    RadiusFit,
    choose_dims,
    clean_patches,
    gather,
)
from mmocc.models.ofer.svdd import (
    KernelSVDD,
    PatchWhitening,
    centre_distances,
    one_class_loss,
    push_from_zero,
    quantile_radius,
    soft_boundary_loss,
)
from mmocc.registry import MODELS

OBJECTIVES = ('one-class', 'soft-boundary')


@MODELS.register_module()
class PatchSVDD(PatchDetector):
    """Deep SVDD of the encoder's patch latents, trained on clean patches.

    Only a projection is trained; the extractor is frozen. Patches that a
    sample's ``patch_coverage`` calls occluded, however little, take no part.
    The first step sets the centre to the mean of its batch over all
    processes. ``mmocc.FitRadiusHook`` sets the radius after training.

    Args:
        extractor: See :class:`StageModel`.
        dims: Widths of the projection, hidden layers and output.
        objective: ``one-class`` (Eq. 1) or ``soft-boundary``.
        warmup_iters: First steps of ``soft-boundary``, which are one-class;
            after them the radius is the quantile of each batch.
        slope: Of the projection's LeakyReLU below zero. On cartoon faces 0.5
            ranked patches better than 0.1.
        kernel: Options of a kernel SVDD on top of the projection, which then
            gives the distances: ``gamma``, and ``max_patches`` to fit it to
            (2048). ``dict()`` for its defaults, None for no kernel.
        whiten: Whether to whiten latents at each position before the
            projection, see :class:`PatchWhitening`. It needs a second
            ``mmocc.FitRadiusHook`` with ``at_start=True``. On cartoon faces
            it finds much more, with a small learning rate (1e-4) and no
            kernel.
        random_dims: Use only so many dimensions of the latents, drawn at
            random once (as PaDiM does); None uses all. With 64, the
            whitening of a ViT-B/16 needs 3 MB in place of 460.
        **kwargs: Of :class:`PatchDetector`.

    Raises:
        ValueError: If an option is out of its range, or a checkpoint has
            another projection, slope, whitening or kernel.
    """

    def __init__(
        self,
        extractor: dict | nn.Module | None = None,
        dims: Sequence[int] = (256, 128),
        objective: str = 'one-class',
        warmup_iters: int = 0,
        slope: float = 0.5,
        kernel: dict | None = None,
        whiten: bool = False,
        random_dims: int | None = None,
        **kwargs,
    ) -> None:
        super().__init__(extractor, **kwargs)
        if objective not in OBJECTIVES:
            raise ValueError(
                f'objective={objective!r} is none of {OBJECTIVES}'
            )
        self.objective = objective
        self.warmup_iters = warmup_iters
        self.dims = tuple(dims)
        self.leak = float(slope)
        # In checkpoints, because another slope gives other distances.
        self.register_buffer('slope', torch.tensor(self.leak))
        self.whiten = whiten
        self.random_dims = random_dims
        self.projection = self.whitening = None
        if self.extractor is not None:
            self._build_projection()
        # All zeros means not set: the real centre is pushed from zero.
        self.register_buffer('centre', torch.zeros(dims[-1]))
        self.register_buffer('steps', torch.zeros((), dtype=torch.long))
        kernel = None if kernel is None else dict(kernel)
        self.max_patches = kernel.pop('max_patches', 2048) if kernel else 2048
        self.kernel = None if kernel is None else KernelSVDD(self.nu, **kernel)

    def share_extractor(self, extractor: nn.Module) -> None:
        """Use an extractor that another model owns and saves."""
        super().share_extractor(extractor)
        if self.projection is None:
            self._build_projection()

    def _build_projection(self) -> None:
        """Build Phi, whose input is as wide as the extractor's latents."""
        inputs = self.extractor.encoder_dims
        if self.random_dims is not None:
            chosen = choose_dims(inputs, self.random_dims)
            self.register_buffer('chosen', chosen)
            inputs = len(chosen)
        widths = [inputs, *self.dims]
        layers = []
        for inner, outer in pairwise(widths):
            linear = nn.Linear(inner, outer, bias=False)
            layers += [linear, nn.LeakyReLU(self.leak)]
        self.projection = nn.Sequential(*layers[:-1])
        if self.whiten:
            self.whitening = PatchWhitening(
                math.prod(self.extractor.mae.backbone.patch_resolution),
                widths[0],
            )

    def encode(self, images: Tensor) -> Tensor:
        """Return the latents (N, L, D) in use, of images (N, 3, H, W)."""
        latents = self.extractor.encode(images)
        if self.random_dims is None:
            return latents
        return latents[..., self.chosen]

    def project(self, latents: Tensor) -> Tensor:
        """Return Phi of latents (..., D), float32 (..., dims[-1]).

        With whitening the latents are (N, L, D).
        """
        with torch.autocast(latents.device.type, enabled=False):
            latents = latents.float()
            if self.whitening is not None:
                latents = self.whitening(latents)
            return self.projection(latents)

    def patch_distances(self, images: Tensor) -> Tensor:
        """Return (N, L) float32 distances to the centre of (N, 3, H, W).

        Raises:
            RuntimeError: If the centre or the kernel SVDD is not set yet.
        """
        return self.distances(self.project(self.encode(images)))

    def distances(self, points: Tensor) -> Tensor:
        """Return (...) float32 distances of projected latents (..., d)."""
        with torch.autocast(points.device.type, enabled=False):
            if self.kernel is not None:
                return self.kernel(points)
            if not self.centre.any():
                raise RuntimeError(
                    'mmocc.PatchSVDD has no centre yet: train it, or load a '
                    'checkpoint of a trained one'
                )
            return centre_distances(points, self.centre)

    def loss(
        self, inputs: Tensor, data_samples: list[DataSample] | None = None
    ) -> dict[str, Tensor]:
        """Return ``loss_svdd`` of a batch, and ``distance`` for the log.

        Of the samples, ``patch_coverage`` is read.
        """
        grid = self.extractor.grid(*inputs.shape[-2:])
        clean = clean_patches(data_samples, inputs, grid)
        points = self.project(self.encode(inputs))[clean]
        if not self.centre.any():
            self._set_centre(points)
        with torch.autocast(points.device.type, enabled=False):
            distances = centre_distances(points, self.centre)
            loss = self._objective(distances)
        self.steps += 1
        mean = distances.detach().sum() / max(len(distances), 1)
        return dict(loss_svdd=loss, distance=mean)

    def _objective(self, distances: Tensor) -> Tensor:
        """Return the loss of (n,) distances; update the soft radius."""
        if self.objective == 'one-class' or self.steps < self.warmup_iters:
            return one_class_loss(distances)
        if len(distances):
            self.radius.fill_(quantile_radius(distances, self.nu))
        all_reduce(self.radius, 'mean')
        return soft_boundary_loss(distances, self.radius, self.nu)

    def _set_centre(self, points: Tensor) -> None:
        """Set the centre to the mean over all processes."""
        number = torch.tensor(float(len(points)), device=points.device)
        total = points.detach().sum(dim=0)
        all_reduce(number)
        all_reduce(total)
        if not number:
            raise ValueError(
                'the first batch has no clean patch, from which '
                'mmocc.PatchSVDD sets its centre; paste on fewer images'
            )
        self.centre.copy_(push_from_zero(total / number))

    @torch.no_grad()
    def fit(self, batches: Iterable[dict]) -> RadiusFit:
        """Fit whitening, kernel SVDD and radius.

        It reads the dataloader ``batches`` up to four times. The whitening is
        fitted only once, because Phi is trained on it.
        """
        if self.whitening is not None and not self.whitening.fitted:
            self.whitening.fit(
                (self.encode(x), c) for x, c in self._load(batches)
            )
            images, clean = next(iter(self._load(batches)))
            self._set_centre(self.project(self.encode(images))[clean])
        if self.kernel is not None:
            mode = self.training
            self.eval()
            self.kernel.fit(self._draw_points(batches))
            self.train(mode)
        return super().fit(batches)

    def _draw_points(self, batches: Iterable[dict]) -> Tensor:
        """Return ``max_patches`` clean patches at random, projected."""
        # Each patch draws a number, and the smallest stay: memory does not
        # grow with the data, and all processes choose the same patches.
        generator = torch.Generator().manual_seed(get_rank())
        rows = torch.zeros(0, 1 + len(self.centre))
        for images, clean in self._load(batches):
            points = self.project(self.encode(images))[clean].cpu()
            draw = torch.rand(len(points), 1, generator=generator)
            rows = torch.cat([rows, torch.hstack([draw, points])])
            rows = rows[rows[:, 0].argsort()[: self.max_patches]]
        rows = gather([rows])
        return rows[rows[:, 0].argsort()[: self.max_patches], 1:]

    def _load_from_state_dict(
        self, state_dict: dict, prefix: str, *args
    ) -> None:
        # A loader that is not strict would leave a part random.
        saved = {k.removeprefix(prefix): v for k, v in state_dict.items()}
        theirs, ours = (
            {
                name: tuple(value.shape)
                for name, value in source.items()
                # except the support vectors, whose number may differ
                if name.startswith(('projection.', 'whitening.'))
                or name == 'kernel.gamma'
            }
            for source in (saved, self.state_dict())
        )
        if theirs and theirs != ours:
            raise ValueError(
                f'the checkpoint is of a PatchSVDD with {theirs}, this one '
                f'has {ours}: give it the same dims and kernel, and whiten'
            )
        slope = float(saved.get('slope', self.leak))
        if not math.isclose(slope, self.leak, rel_tol=1e-6):
            raise ValueError(
                f'the checkpoint is of a PatchSVDD with slope={slope:g}, this '
                f'one has {self.leak:g}: give it the same'
            )
        super()._load_from_state_dict(state_dict, prefix, *args)
