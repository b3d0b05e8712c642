"""Occlude every object of a normalised batch of a detector, on its device.

The quick form of ``mmocc.OccludeObjects`` for training. There is no rule of a
crowd: an occluder of one object may hide more of its neighbours.
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from mmengine.dist import get_dist_info
from mmengine.structures import BaseDataElement
from torch import Generator, Tensor

from mmocc.models.learn.batch_occluder import BatchOccluder
from mmocc.models.learn.occluder_draws import places_of_all
from mmocc.occlusion.cutout_pile import Layer, pile_cutouts
from mmocc.occlusion.occluders import (
    Occluders,
    extent,
    fit_scale,
    pixel_grid,
    render,
)
from mmocc.registry import MODELS

CANVAS = 24  # a box is seen as a square of 24 x 24 points to size an occluder


class Hiding(NamedTuple):
    """What is put on the n objects of an image."""

    kind: str
    occluders: Occluders  # n, or several times n of kind ``object``
    boxes: Tensor  # (n, 4) xyxy pixels
    place: Tensor  # (as many, 2) of their anchors, as shares of the boxes
    share: Tensor  # (n,) of each box


@MODELS.register_module()
class BatchObjectOccluder(BatchOccluder):
    """Hide a share of every ground-truth box of a normalised batch.

    One kind of occluder is drawn for each image; each of its boxes gets its
    own occluder, or pile of cut-outs, which hides a share drawn from
    ``area``, within a row of 1/24 of the box's side. Boxes that overlap may
    be hidden further by their neighbours' occluders (``mmocc.OccludeObjects``,
    which the report tests with, prevents it, for four to ten times the time).
    Objects that are ignored get no occluder, images without boxes stay as
    they are, and nothing is put on a batch's padding.

    Sizes and places are computed on the CPU from the batch's boxes, only the
    painting on the images' device: draws are the same on every device. Those
    of step ``k`` depend on ``seed``, ``k`` and the image's place in the
    global batch.

    Arguments are those of :class:`BatchOccluder`; ``area`` is the hidden
    share of each box.

    Raises:
        ValueError: As :class:`BatchOccluder`; or in training, if the samples
            have no ``gt_instances`` with (n, 4) xyxy boxes.
    """

    @torch.no_grad()
    def forward(
        self,
        inputs: Tensor,
        inplace: bool = False,
        data_samples: Sequence[BaseDataElement] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Occlude the objects of a batch.

        Args:
            inputs: (N, C, H, W), normalised; C is 1 (grey) or 3.
            inplace: Write into the inputs, which saves a copy of the batch.
            data_samples: Of the N images, with ``gt_instances.bboxes``, xyxy
                in pixels of the inputs; ``img_shape`` (h, w) tells what is
                padding.

        Returns:
            The occluded batch, and its mask (N, 1, H, W) bool, True = hidden.
        """
        samples = data_samples or ()
        boxes = [sample_boxes(x, inputs.shape[-2:]) for x in samples]
        if len(boxes) != len(inputs):
            raise ValueError(
                f'mmocc.BatchObjectOccluder got {len(boxes)} samples for '
                f'{len(inputs)} images: it needs the boxes of each'
            )
        if not self.channels:
            self._prepare(inputs, data_samples)
        rank, world = get_dist_info()
        size = (world * len(inputs),)
        seeds = torch.randint(2**62, size, generator=self.generator())
        occluded = inputs if inplace else inputs.clone()
        mask = torch.zeros_like(inputs[:, :1], dtype=torch.bool)
        for index, seed in enumerate(seeds[rank::world].tolist()):
            if len(boxes[index]):
                generator = Generator().manual_seed(seed)
                h, w = image_size(samples[index], inputs.shape[-2:])
                self._hide(
                    occluded[index, :, :h, :w],
                    mask[index, 0, :h, :w],
                    self._draw(boxes[index], generator),
                )
        return occluded, mask

    def _draw(self, boxes: Tensor, generator: Generator) -> Hiding:
        """Draw what hides (n, 4) boxes."""
        kind = int(torch.randint(len(self.kinds), (1,), generator=generator))
        kind = self.kinds[kind]
        share, *place = torch.rand(3, len(boxes), generator=generator)
        low, high = self.area
        places = torch.stack(place, dim=-1)
        if kind == 'object':
            places = places_of_all(places, generator)
        return Hiding(
            kind,
            self.bank.draw(kind, len(places), generator),
            boxes,
            places,
            low + (high - low) * share,
        )

    def _hide(self, image: Tensor, mask: Tensor, hiding: Hiding) -> None:
        """Put occluders on a (C, H, W) image, and note them in its mask."""
        layers = fit_boxes(hiding, self.bank.sheets.get('object'))
        sheets = getattr(self, f'{hiding.kind}_sheets', None)
        parts = [
            layer.take(slice(index, index + 1))
            for layer in reversed(layers)  # the first is in front
            for index in range(len(layer.rows))
        ]
        for _, occluder, pixel, scale in parts:
            window = extent(occluder, pixel, scale, tuple(mask.shape))
            inner = pixel - pixel.new_tensor([window.left, window.top])
            drawn = (x.to(image.device) for x in (occluder, inner, scale))
            colours, alpha = render(hiding.kind, sheets, *drawn, window.size)
            colours = (colours[:, : self.channels] - self.mean) / self.std
            place = (slice(None), *window.slices)
            image[place] = torch.lerp(
                image[place].to(colours), colours[0], alpha[0]
            ).to(image.dtype)
            mask[window.slices] |= alpha[0, 0] >= 0.5


def fit_boxes(hiding: Hiding, cutouts: Tensor | None = None) -> list[Layer]:
    """Return what is put on n boxes: where, and how large.

    All boxes are taken as squares of one size at once; the occluders are
    stretched as their boxes are, and keep their area.

    Args:
        hiding: What is put on an image.
        cutouts: The sheets of kind ``object``, (T, C, S, S) uint8.

    Returns:
        Layers in pixels of the image; the first is in front.
    """
    kind, occluders, boxes, place, share = hiding
    sides = boxes[:, 2:] - boxes[:, :2]  # (n, 2) width, height
    unit = sides.prod(dim=-1).sqrt() / CANVAS  # pixels of the image a point
    stretch = CANVAS * unit[:, None] / sides
    many = stretch.repeat(len(place) // len(boxes), 1)
    stretched = occluders._replace(shape=occluders.shape * many)
    pixel = CANVAS * place
    if kind == 'object':
        layers = pile_cutouts(
            cutouts, stretched, pixel, share, (CANVAS, CANVAS)
        )
    else:
        points = pixel_grid((CANVAS, CANVAS), boxes.device).flatten(0, 1)
        scale = fit_scale(
            points[None],
            stretched,
            pixel,
            share,
            max_scale=4.0 * CANVAS * float(stretch.reciprocal().max()),
            min_scale=0.1,
        )
        layers = [Layer(torch.arange(len(boxes)), stretched, pixel, scale)]
    return [
        Layer(
            rows,
            one._replace(shape=one.shape / stretch[rows]),
            boxes[rows, :2] + pixel / CANVAS * sides[rows],
            scale * unit[rows],
        )
        for rows, one, pixel, scale in layers
    ]


def image_size(
    sample: BaseDataElement, size: tuple[int, int]
) -> tuple[int, int]:
    """Return the (h, w) of an image without the padding of its batch.

    Args:
        sample: Of the image; ``img_shape`` is its (h, w, ...) if it is known.
        size: (h, w) of the batch.
    """
    height, width = sample.get('img_shape', size)[:2]
    return min(height, size[0]), min(width, size[1])


def sample_boxes(sample: BaseDataElement, size: tuple[int, int]) -> Tensor:
    """Return a sample's boxes inside its image, (n, 4) xyxy, on the CPU.

    Args:
        sample: It has ``gt_instances`` with ``bboxes``.
        size: (h, w) of the batch.

    Raises:
        ValueError: If it has no boxes, or they are of another form.
    """
    name = sample.get('img_path', 'a sample')
    instances = sample.get('gt_instances')
    if instances is None or 'bboxes' not in instances:
        raise ValueError(
            f'{name} has no gt_instances.bboxes, but mmocc.BatchObjectOccluder'
            ' hides objects: does the train pipeline load boxes '
            '(LoadAnnotations(with_bbox=True)) and pack them (PackDetInputs)?'
        )
    boxes = instances.bboxes
    boxes = torch.as_tensor(getattr(boxes, 'tensor', boxes)).detach()
    if boxes.dim() != 2 or boxes.shape[1] != 4:
        raise ValueError(
            f'{name}: gt_instances.bboxes is {tuple(boxes.shape)}; '
            'mmocc.BatchObjectOccluder knows (n, 4) xyxy boxes only'
        )
    if not boxes.isfinite().all():
        raise ValueError(f'{name}: gt_instances.bboxes has NaN or inf')
    height, width = image_size(sample, size)
    limit = torch.tensor([width, height] * 2)
    boxes = boxes.float().cpu().clamp(min=0).minimum(limit)
    return boxes[(boxes[:, 2:] - boxes[:, :2] >= 1).all(dim=1)]
