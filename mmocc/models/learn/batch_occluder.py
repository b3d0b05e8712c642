"""Occlude a whole normalised batch on its device."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from mmengine.dist import get_dist_info
from mmengine.structures import BaseDataElement
from torch import Tensor, nn

from mmocc.models.learn.model_colours import (
    check_images,
    check_order,
    check_statistics,
    order_of,
    preprocessor_colours,
    to_model,
)
from mmocc.models.learn.occluder_draws import (
    Draws,
    current_variant,
    digest_bank,
    draw,
    draw_variants,
    numbers_of,
    seeded,
)
from mmocc.occlusion.cutout_pile import Layer, pile_cutouts
from mmocc.occlusion.occluders import (
    OccluderBank,
    Occluders,
    check_banks,
    fit_scale,
    pixel_grid,
    render,
)
from mmocc.registry import MODELS

LATTICE = 24  # the image is sampled by 24 x 24 points to size a rectangle
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
    return MODELS.build(
        {
            'type': 'mmocc.BatchOccluder',
            **preprocessor_colours(data_preprocessor, cfg),
            **cfg,
        }
    )


def add_twins(
    inputs: Tensor,
    occluder: nn.Module,
    samples: Sequence[BaseDataElement] | None = None,
) -> Tensor:
    """Return (N, C, H, W) images and then their occluded twins, (2N, ...).

    In one batch, because a forward pass of it is most of a step's cost.
    """
    both = torch.cat([inputs, inputs])
    occluder(both[len(inputs) :], inplace=True, data_samples=samples)
    return both


@MODELS.register_module()
class BatchOccluder(nn.Module):
    """Paste an occluder on each image of a normalised batch.

    The occluders are those of ``mmocc.Occlude``: a rectangle, or as many
    cut-outs as the share needs. There is no loop over images, only a pass for
    each kind, or each cut-out of an image. Random numbers, sizes and places
    are computed on the CPU, so that nothing waits for the device.

    The draws of step ``k`` depend on ``seed`` and ``k`` only. The state dict
    holds the number of steps, so that a resumed run continues the sequence.
    With several processes, each draws for the global batch and uses its share
    in the order of mmengine's ``DefaultSampler``: two processes occlude as one
    process does with the doubled batch.

    The banks are read where training starts (mmengine's ``init_weights``), or
    at the first batch: a model for inference needs none of their files.

    Args:
        kinds: Occluder kinds; one is drawn for each image. None: ``white``
            and ``noise``, which need no files, and the kinds of the banks
            that are given.
        area: Range of the hidden share of the image, in [0, 1]; or the share.
        texture_bank: Folder(s) of images, for kind ``texture``. For both
            banks, ``builtin:train`` and ``builtin:test`` are drawn by mmocc.
        object_bank: Folder(s) of RGBA cut-outs, for kind ``object``. An image
            gets up to eight, each behind those before and no larger than
            about the image, until the share is hidden.
        texture_size: Side of the texture sheets in pixels.
        mean: The model's normalisation, in 0-255 units and in the channel
            order that the model sees; one number or one for each channel.
            None: 0, for images that are not normalised.
        std: Likewise; None: 1.
        bgr_to_rgb: Whether the model sees RGB: another way to say
            ``channel_order``.
        seed: Base seed of the draws.
        channel_order: ``bgr`` or ``rgb``: what the model sees. None: by its
            data preprocessor in mmocc's classifiers; ``bgr`` elsewhere.
        variants: None: other occluders in each step, without end. A number
            V: an image has V occluded twins, which follow from ``seed`` and
            the image's number in the data set; epoch k shows twin k modulo V.
            Then ``clean_cache`` of LEARN stores the twins' features too.

    Raises:
        ValueError: If a kind is unknown, its bank is not given, ``area`` is
            not a range of shares, ``variants`` is below 1, or a colour option
            makes no sense; with the first batch, if a bank is empty or
            unreadable, or the images are normalised and ``mean`` and ``std``
            are not known; with a batch, if ``variants`` need the images'
            numbers and there are none.
        FileNotFoundError: With the first batch, if a bank does not exist.
    """

    def __init__(
        self,
        kinds: str | Sequence[str] | None = None,
        area: float | tuple[float, float] = (0.2, 0.8),
        texture_bank: str | Path | Sequence[str] | None = None,
        object_bank: str | Path | Sequence[str] | None = None,
        texture_size: int = 256,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        bgr_to_rgb: bool | None = None,
        seed: int = 0,
        channel_order: str | None = None,
        variants: int | None = None,
    ) -> None:
        super().__init__()
        if variants is not None and variants < 1:
            raise ValueError(f'variants={variants} must be 1 or more, or None')
        self.variants = variants
        low, high = (area, area) if isinstance(area, int | float) else area
        if not 0 < low <= high <= 1:
            raise ValueError(
                f'area {area} must be two shares 0 < low <= high <= 1'
            )
        self.area = (low, high)
        self.seed = seed
        self.channel_order = check_order(channel_order, bgr_to_rgb)
        if kinds is None:
            kinds = ['white', 'noise']
            kinds += ['texture'] if texture_bank else []
            kinds += ['object'] if object_bank else []
        kinds = [kinds] if isinstance(kinds, str) else kinds
        self.kinds = check_banks(kinds, texture_bank, object_bank)
        self.banks = (texture_bank, object_bank, texture_size)
        self.bank = None  # read later
        self._digest = ''
        self.channels = 0  # of the images, once they are known
        for name, values in dict(
            mean=0.0 if mean is None else mean, std=1.0 if std is None else std
        ).items():
            values = torch.tensor(np.ravel(values), dtype=torch.float32)
            self.register_buffer(name, values.view(1, -1, 1, 1), False)
        check_statistics(self.mean, self.std)
        # Steps done: an int, which needs no wait for the device, and a tensor
        # for the state dict.
        self._steps = 0
        self.register_buffer('steps', torch.zeros((), dtype=torch.int64))

    @property
    def bgr_to_rgb(self) -> bool:
        """Whether the model sees RGB."""
        return self.channel_order == 'rgb'

    def init_weights(self) -> None:
        """Read the banks: mmengine calls this where training starts."""
        if self.bank is None:
            self.bank = OccluderBank(self.kinds, *self.banks)
            settings = (self.kinds, self.area, self.seed, self.channel_order)
            if self.variants:  # before the sheets get the model's colours
                self._digest = digest_bank(self.bank, settings)

    def digest(self) -> str:
        """Return a digest of what decides an image's variants."""
        self.init_weights()
        return self._digest

    def _prepare(
        self,
        inputs: Tensor,
        samples: Sequence[BaseDataElement] | None,
    ) -> None:
        """Give the occluders the colours and the device of the first batch."""
        check_images(inputs, self.mean, self.std)
        self.init_weights()
        if self.channel_order is None:
            self.channel_order = order_of(samples, self.kinds)
        self.channels = inputs.shape[1]
        for kind, sheets in self.bank.sheets.items():
            # No second copy: many textures would fill the memory.
            sheets = to_model(kind, sheets, self.channel_order, self.channels)
            self.bank.sheets[kind] = sheets
            self.register_buffer(
                f'{kind}_sheets', sheets.to(inputs.device), persistent=False
            )
        if self.bank.cutouts is not None:
            sheets = self.bank.sheets['object']
            self.bank.cutouts = self.bank.cutouts._replace(sheets=sheets)

    def _load_from_state_dict(self, *args, **kwargs) -> None:
        super()._load_from_state_dict(*args, **kwargs)
        self._steps = int(self.steps)

    def generator(self) -> torch.Generator:
        """Return this step's generator and count the step."""
        generator = seeded(self.seed, self._steps)
        self._steps += 1
        self.steps.fill_(self._steps)
        return generator

    def _draws(
        self, num: int, samples: Sequence[BaseDataElement] | None
    ) -> Draws:
        """Draw for a batch: by the step, or each image's variant."""
        if self.variants is None:
            rank, world = get_dist_info()
            draws = draw(self.bank, self.kinds, num * world, self.generator())
            return draws.take(torch.arange(rank, num * world, world))
        variant = current_variant(self.variants)
        numbers = numbers_of(samples)
        return draw_variants(
            self.bank, self.kinds, self.seed, numbers, variant
        )

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        inplace: bool = False,
        data_samples: Sequence[BaseDataElement] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Occlude a batch.

        Args:
            inputs: (N, C, H, W), normalised; C is 1 (grey) or 3.
            inplace: Write into the inputs, which saves a copy of the batch.
            data_samples: Of the batch; they tell whether images are from
                files, which are BGR, if the channel order is not known, and
                the images' numbers for ``variants``.

        Returns:
            The occluded batch, and its mask (N, 1, H, W) bool, True = hidden.
        """
        if not self.channels:
            self._prepare(inputs, data_samples)
        if inputs.shape[1] != self.channels:
            raise ValueError(
                f'a batch of {inputs.shape[1]} channels after one of '
                f'{self.channels}: build another mmocc.BatchOccluder for it'
            )
        draws = self._draws(len(inputs), data_samples)
        low, high = self.area
        area = low + (high - low) * draws.area
        size = inputs.shape[-2:]
        occluded = inputs if inplace else inputs.clone()
        mask = torch.zeros_like(inputs[:, :1], dtype=torch.bool)
        for number, kind in enumerate(self.kinds):
            rows = (draws.kinds == number).nonzero()[:, 0]
            if not len(rows):
                continue
            own = draws.take(rows)
            # On a pixel centre, as mmocc.Occlude does.
            centre = (own.xy * own.xy.new_tensor(size[::-1])).floor() + 0.5
            layers = self._fit(
                kind, own.occluders[kind], centre, area[rows], size
            )
            for layer in reversed(layers):  # the first is in front
                layer = layer._replace(rows=rows[layer.rows])
                self._paste(occluded, mask, kind, layer.to(inputs.device))
        return occluded, mask

    def _fit(
        self,
        kind: str,
        occluders: Occluders,
        centre: Tensor,
        area: Tensor,
        size: tuple[int, int],
    ) -> list[Layer]:
        """Return the occluders to paste, and their scales."""
        if kind == 'object':
            sheets = self.bank.sheets['object']
            return pile_cutouts(sheets, occluders, centre, area, size)
        points = pixel_grid((LATTICE, LATTICE), centre.device).flatten(0, 1)
        points = points * points.new_tensor(size[::-1]) / LATTICE
        rows = torch.arange(len(area))
        centre = centre[rows]
        scale = fit_scale(
            points[None], occluders, centre, area, max_scale=4.0 * max(size)
        )
        return [Layer(rows, occluders, centre, scale)]

    def _paste(
        self,
        images: Tensor,
        mask: Tensor,
        kind: str,
        layer: Layer,
    ) -> None:
        """Paste occluders of one kind on rows of the batch, in place."""
        size = tuple(images.shape[-2:])
        sheets = getattr(self, f'{kind}_sheets', None)
        step = len(layer.rows)
        if images.device.type == 'cpu':
            step = max(1, CACHED_PIXELS // math.prod(size))
        for start in range(0, len(layer.rows), step):
            rows, *put = layer.take(slice(start, start + step))
            colours, alpha = render(kind, sheets, *put, size)
            colours = colours[:, : self.channels].sub_(self.mean)
            colours = colours.div_(self.std).to(images.dtype)
            # images[rows] = ... would copy number by number.
            pasted = images.index_select(0, rows)
            pasted.lerp_(colours, alpha.to(images.dtype))
            images.index_copy_(0, rows, pasted)
            hidden = mask.index_select(0, rows).logical_or_(alpha >= 0.5)
            mask.index_copy_(0, rows, hidden)

    def extra_repr(self) -> str:
        """Return the main arguments."""
        return (
            f'kinds={self.kinds}, area={self.area}, seed={self.seed}, '
            f'variants={self.variants}'
        )
