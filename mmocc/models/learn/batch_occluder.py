"""Occlude a whole normalised batch on its device."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch import Tensor, nn

from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    fit_scale,
    pixel_grid,
    render,
)
from mmocc.registry import MODELS

LATTICE = 24  # the image is sampled by 24 x 24 points to size an occluder
# Pixels that a CPU renders at a time (five images of 224 x 224): buffers of a
# whole batch do not fit its cache, and their memory is reallocated each time.
CACHED_PIXELS = 2**18


def build_occluder(
    cfg: dict | None, data_preprocessor: nn.Module
) -> nn.Module:
    """Build an occluder that normalises as the data preprocessor does.

    Args:
        cfg: Its config; ``mmocc.BatchOccluder`` where it names no type.
        data_preprocessor: The model's.

    Raises:
        ValueError: If ``cfg`` is None.
    """
    if cfg is None:
        raise ValueError(
            'occluder=None, but training needs occluded images: leave it out '
            'for white and noise, or give mmocc.BatchOccluder and its banks'
        )
    cfg = {'type': 'mmocc.BatchOccluder', **cfg}
    if getattr(data_preprocessor, '_enable_normalize', False):
        cfg.setdefault('mean', data_preprocessor.mean.flatten().tolist())
        cfg.setdefault('std', data_preprocessor.std.flatten().tolist())
    cfg.setdefault('bgr_to_rgb', getattr(data_preprocessor, 'to_rgb', False))
    return MODELS.build(cfg)


def add_twins(inputs: Tensor, occluder: nn.Module) -> Tensor:
    """Return (N, 3, H, W) images and then their occluded twins, (2N, ...).

    In one batch, because a forward pass of it is most of a step's cost.
    """
    both = torch.cat([inputs, inputs])
    occluder(both[len(inputs) :], inplace=True)
    return both


@MODELS.register_module()
class BatchOccluder(nn.Module):
    """Paste one occluder on each image of a normalised batch.

    The occluders are those of ``mmocc.Occlude``. There is no loop over
    images, only one pass for each kind. The few random numbers are drawn on
    the CPU, so that nothing waits for the device.

    The draws of step ``k`` depend on ``seed`` and ``k`` only. The state dict
    holds the number of steps, so that a resumed run continues the sequence.
    With several processes, each draws for the global batch and uses its share
    in the order of mmengine's ``DefaultSampler``: two processes occlude as one
    process does with the doubled batch.

    Args:
        kinds: Occluder kinds; one is drawn for each image. None: ``white``
            and ``noise``, which need no files, and the kinds of the banks
            that are given.
        area: Range of the hidden share of the image, in [0, 1].
        texture_bank: Folder(s) of images, for kind ``texture``.
        object_bank: Folder(s) of RGBA cut-outs, for kind ``object``.
        texture_size: Side of the texture sheets in pixels.
        mean: The model's normalisation, in 0-255 units and in the channel
            order that the model sees.
        std: Likewise.
        bgr_to_rgb: Whether the model sees RGB.
        seed: Base seed of the draws.

    Raises:
        ValueError: If a kind is unknown, a bank is missing, empty or
            unreadable, or ``area`` is not a range of shares.
    """

    def __init__(
        self,
        kinds: Sequence[str] | None = None,
        area: tuple[float, float] = (0.2, 0.8),
        texture_bank: str | Path | Sequence[str] | None = None,
        object_bank: str | Path | Sequence[str] | None = None,
        texture_size: int = 256,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (1.0, 1.0, 1.0),
        bgr_to_rgb: bool = False,
        seed: int = 0,
    ) -> None:
        super().__init__()
        if not 0 < area[0] <= area[1] <= 1:
            raise ValueError(
                f'area {tuple(area)} must be two shares 0 < low <= high <= 1'
            )
        self.area = area
        self.seed = seed
        self.bgr_to_rgb = bgr_to_rgb
        if kinds is None:
            kinds = ['white', 'noise']
            kinds += ['texture'] if texture_bank else []
            kinds += ['object'] if object_bank else []
        order = [2, 1, 0, 3] if bgr_to_rgb else [0, 1, 2, 3]
        self.bank = OccluderBank(
            kinds, texture_bank, object_bank, texture_size
        )
        for kind, sheets in self.bank.sheets.items():
            # No second copy: many textures would fill the memory.
            sheets = sheets[:, order[: sheets.shape[1]]]
            self.bank.sheets[kind] = sheets
            self.register_buffer(f'{kind}_sheets', sheets, persistent=False)
        for name, values in dict(mean=mean, std=std).items():
            values = torch.tensor(values, dtype=torch.float32)
            self.register_buffer(name, values.view(1, 3, 1, 1), False)
        # Steps done: an int, which needs no wait for the device, and a tensor
        # for the state dict.
        self._steps = 0
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._steps = int(self.steps)

    def generator(self) -> torch.Generator:
        """Return this step's generator and count the step."""
        state = np.random.SeedSequence([self.seed, self._steps])
        self._steps += 1
        self.steps.fill_(self._steps)
        seed = int(state.generate_state(1, np.uint64)[0] >> np.uint64(1))
        return torch.Generator().manual_seed(seed)

    @torch.no_grad()
    def forward(
        self, inputs: Tensor, inplace: bool = False
    ) -> tuple[Tensor, Tensor]:
        """Occlude a batch.

        Args:
            inputs: (N, 3, H, W), normalised.
            inplace: Write into the inputs, which saves a copy of the batch.

        Returns:
            The occluded batch, and its mask (N, 1, H, W) bool, True = hidden.
        """
        rank, world = get_dist_info()
        total = len(inputs) * world
        generator = self.generator()
        kinds = torch.randint(
            len(self.bank.kinds), (total,), generator=generator
        )
        area, *xy = torch.rand(3, total, generator=generator)
        low, high = self.area
        area = low + (high - low) * area
        size = inputs.shape[-2:]
        # On a pixel centre, as mmocc.Occlude does.
        centre = [(x * n).floor() for x, n in zip(xy, size[::-1], strict=True)]
        centre = torch.stack(centre, dim=-1) + 0.5
        occluded = inputs if inplace else inputs.clone()
        mask = inputs.new_empty(inputs[:, :1].shape, dtype=torch.bool)
        for number, kind in enumerate(self.bank.kinds):
            occluders = self.bank.draw(kind, total, generator)
            rows = (kinds[rank::world] == number).nonzero()[:, 0]
            if len(rows):
                own = rank + world * rows  # their places in the global batch
                draws = (x[own] for x in (occluders, centre, area))
                draws = (x.to(inputs.device) for x in (rows, *draws))
                self._paste(occluded, mask, kind, *draws)
        return occluded, mask

    def _paste(
        self,
        images: Tensor,
        mask: Tensor,
        kind: str,
        rows: Tensor,
        occluders: Occluders,
        centre: Tensor,
        area: Tensor,
    ) -> None:
        """Paste occluders of one kind on rows of the batch, in place."""
        size = tuple(images.shape[-2:])
        points = pixel_grid((LATTICE, LATTICE), images.device)
        points = points * points.new_tensor(size[::-1]) / LATTICE
        alpha = None
        if kind == 'object':
            alpha = self.object_sheets[occluders.sheet, 3]
        scale = fit_scale(
            points.flatten(0, 1)[None],
            occluders,
            centre,
            area,
            max_scale=4.0 * max(size),
            alpha=alpha,
        )
        sheets = getattr(self, f'{kind}_sheets', None)
        step = len(rows)
        if images.device.type == 'cpu':
            step = max(1, CACHED_PIXELS // math.prod(size))
        for start in range(0, len(rows), step):
            part = slice(start, start + step)
            colours, alpha = render(
                kind, sheets, occluders[part], centre[part], scale[part], size
            )
            colours = colours.sub_(self.mean).div_(self.std).to(images.dtype)
            # images[rows] = ... would copy number by number.
            pasted = images.index_select(0, rows[part])
            pasted.lerp_(colours, alpha.to(images.dtype))
            images.index_copy_(0, rows[part], pasted)
            mask.index_copy_(0, rows[part], alpha >= 0.5)

    def extra_repr(self) -> str:
        """Return the main arguments."""
        return f'kinds={self.bank.kinds}, area={self.area}, seed={self.seed}'
