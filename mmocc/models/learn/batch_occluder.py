"""Occlude a whole normalised batch on its device."""

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
# A CPU renders so many pixels at a time (five images of 224 x 224): buffers of
# a whole batch leave its cache, and their memory is anew asked for each time.
CACHED_PIXELS = 2**18


@MODELS.register_module()
class BatchOccluder(nn.Module):
    """Paste one occluder on each image of a normalised batch.

    The occluders are those of ``mmocc.Occlude``. There is no loop over
    images: one pass for each kind that occurs. Random numbers are drawn on
    the CPU (a few for each image), so the device is never waited for.

    The draws of step ``k`` depend on ``seed`` and ``k`` only; the number of
    steps done is kept in the state dict, so that a resumed run continues the
    sequence. Under several processes the draws are made for the global batch
    and each rank takes its share in the order in which mmengine's
    ``DefaultSampler`` deals out samples: two processes occlude just as one
    process with the doubled batch does.

    Args:
        kinds: Occluder kinds; one is drawn for each image.
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
        kinds: Sequence[str] = ('white', 'noise'),
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
        order = [2, 1, 0, 3] if bgr_to_rgb else [0, 1, 2, 3]
        self.bank = OccluderBank(
            kinds, texture_bank, object_bank, texture_size
        )
        for kind, sheets in self.bank.sheets.items():
            # The only copy: of many textures, two would fill the memory.
            sheets = sheets[:, order[: sheets.shape[1]]]
            self.bank.sheets[kind] = sheets
            self.register_buffer(f'{kind}_sheets', sheets, persistent=False)
        shape = (1, 3, 1, 1)
        mean = torch.tensor(mean, dtype=torch.float32).view(shape)
        std = torch.tensor(std, dtype=torch.float32).view(shape)
        self.register_buffer('mean', mean, persistent=False)
        self.register_buffer('std', std, persistent=False)
        # Steps done: an int for use without waiting for the device, and its
        # twin in the state dict.
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
            inplace: Write into the inputs, which saves a batch of memory and
                of copying.

        Returns:
            The occluded batch, and its mask (N, 1, H, W) bool, True = hidden.
        """
        rank, world = get_dist_info()
        total = len(inputs) * world
        generator = self.generator()
        kinds = torch.randint(
            len(self.bank.kinds), (total,), generator=generator
        )
        area, x, y = torch.rand(3, total, generator=generator)
        low, high = self.area
        area = low + (high - low) * area
        height, width = inputs.shape[-2:]
        # On a pixel centre, as mmocc.Occlude does.
        pixel = (
            torch.stack([(x * width).floor(), (y * height).floor()], dim=-1)
            + 0.5
        )
        occluded = inputs if inplace else inputs.clone()
        mask = inputs.new_empty(inputs[:, :1].shape, dtype=torch.bool)
        step = len(inputs)
        if inputs.device.type == 'cpu':
            step = max(1, CACHED_PIXELS // (height * width))
        for number, kind in enumerate(self.bank.kinds):
            drawn = self.bank.draw(kind, total, generator)[rank::world]
            index = (kinds[rank::world] == number).nonzero()[:, 0]
            if not len(index):
                continue
            place = inputs.device
            occluders = drawn[index].to(place)
            where = pixel[rank::world][index].to(place)
            wanted = area[rank::world][index].to(place)
            scale = self._fit(kind, occluders, where, wanted, (height, width))
            for start in range(0, len(index), step):
                part = slice(start, start + step)
                chosen = index[part].to(place)
                # Not occluded[chosen] = ..., which copies number by number.
                pasted, hidden = self._paste(
                    occluded.index_select(0, chosen),
                    kind,
                    occluders[part],
                    where[part],
                    scale[part],
                )
                occluded.index_copy_(0, chosen, pasted)
                mask.index_copy_(0, chosen, hidden)
        return occluded, mask

    def _fit(
        self,
        kind: str,
        occluders: Occluders,
        pixel: Tensor,
        area: Tensor,
        size: tuple[int, int],
    ) -> Tensor:
        """Return the (N,) scales at which occluders hide these areas."""
        points = pixel_grid((LATTICE, LATTICE), pixel.device)
        points = points * points.new_tensor(size[::-1]) / LATTICE
        alpha = None
        if kind == 'object':
            alpha = self.object_sheets[occluders.sheet, 3]
        return fit_scale(
            points.flatten(0, 1)[None],
            occluders,
            pixel,
            area,
            max_scale=4.0 * max(size),
            alpha=alpha,
        )

    def _paste(
        self,
        images: Tensor,
        kind: str,
        occluders: Occluders,
        pixel: Tensor,
        scale: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Paste occluders of one kind, one on each image, in place."""
        sheets = getattr(self, f'{kind}_sheets', None)
        size = tuple(images.shape[-2:])
        colours, alpha = render(kind, sheets, occluders, pixel, scale, size)
        colours = colours.sub_(self.mean).div_(self.std).to(images.dtype)
        return images.lerp_(colours, alpha.to(images.dtype)), alpha >= 0.5

    def extra_repr(self) -> str:
        """Return the arguments that decide what is pasted."""
        return f'kinds={self.bank.kinds}, area={self.area}, seed={self.seed}'
