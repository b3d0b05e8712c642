"""Features of each box from the map that predicted it, as DEA reads them.

HAL hal-03409930, section III-A. So large objects get the poorest features
(SSD300's last map is one cell); other rules are options.
"""

from collections.abc import Sequence

import torch
from mmengine.model import BaseModule
from torch import Tensor, nn
from torchvision.ops import RoIAlign

from mmocc.models.dea.exporting import is_exporting
from mmocc.registry import MODELS

RULES = ('own_level', 'conv4_3', 'size')


def check_rois(rois: Tensor, images: int) -> None:
    """Raise ValueError if RoIAlign could not take these (n, 5) regions.

    A coordinate that is not finite can end the process, and a batch index
    beyond the batch of ``images`` reads foreign memory.
    """
    if rois.ndim != 2 or rois.shape[1] != 5:
        raise ValueError(
            'rois must be (n, 5), batch index and xyxy in pixels, got shape '
            f'{tuple(rois.shape)}'
        )
    boxes = rois[:, 1:]
    faults = {
        'is not finite: the detector diverged, lower its learning rate or '
        'clip gradients, and check the annotations': ~boxes.isfinite().all(1),
        'is inverted: boxes are x1, y1, x2, y2 with x1 <= x2 and y1 <= y2': (
            boxes[:, 2:] < boxes[:, :2]
        ).any(1),
        f'names no image of the batch of {images}': (rois[:, 0] < 0)
        | (rois[:, 0] >= images),
    }
    bad = torch.stack(list(faults.values()))
    if bad.any():  # the only time that the host waits for the device
        fault, place = bad.nonzero()[0].tolist()
        region = [round(value, 2) for value in rois[place].tolist()]
        raise ValueError(f'region {place}, {region}, {list(faults)[fault]}')


@MODELS.register_module()
class PriorLevelRoIExtractor(BaseModule):
    """RoIAlign from one of several maps for each box, by a rule.

    A 1x1 convolution brings each map to ``out_channels``.

    Args:
        in_channels: Channels of each map.
        featmap_strides: Pixels of the image in a cell of each map.
        out_channels: Channels of the result.
        output_size: Height and width k of the result.
        rule: Which map a box's features come from. ``own_level``: the one
            that predicted it, the paper's. ``conv4_3``: always the map
            ``fixed_level``; SSD's first map is conv4_3. ``size``: by the
            box's size, as in FPN.
        fixed_level: Map of the rule ``conv4_3``.
        finest_scale: For the rule ``size``: map l > 0 serves boxes whose
            side, sqrt(w * h), is ``finest_scale`` * 2**l pixels to twice that.
        sampling_ratio: Points along each side of a cell of the result; 0 for
            as many as there are cells of the map below it.
        aligned: Whether pixels' centres, not corners, lie on whole numbers
            of the map.
        init_cfg: As in mmengine's BaseModule.

    Raises:
        ValueError: If options are unknown or do not fit; while running, if
            there is no such map, or a region is not finite, is inverted or
            of no image.
    """

    def __init__(
        self,
        in_channels: Sequence[int],
        featmap_strides: Sequence[int],
        out_channels: int = 256,
        output_size: int = 8,
        rule: str = 'own_level',
        fixed_level: int = 0,
        finest_scale: int = 56,
        sampling_ratio: int = 2,
        aligned: bool = True,
        init_cfg: dict | list[dict] | None = dict(
            type='Xavier', layer='Conv2d', distribution='uniform'
        ),
    ) -> None:
        super().__init__(init_cfg)
        if rule not in RULES:
            raise ValueError(f'unknown rule {rule!r}; choose from {RULES}')
        if len(in_channels) != len(featmap_strides):
            raise ValueError(
                f'{len(in_channels)} in_channels but {len(featmap_strides)} '
                'featmap_strides: give one of each for every map'
            )
        if not 0 <= fixed_level < len(in_channels):
            raise ValueError(
                f'fixed_level {fixed_level} is none of the '
                f'{len(in_channels)} maps'
            )
        self.rule = rule
        self.fixed_level = fixed_level
        self.finest_scale = finest_scale
        self.out_channels = out_channels
        self.output_size = output_size
        self.laterals = nn.ModuleList(
            nn.Conv2d(channels, out_channels, 1) for channels in in_channels
        )
        self.layers = nn.ModuleList(
            RoIAlign((output_size,) * 2, 1 / stride, sampling_ratio, aligned)
            for stride in featmap_strides
        )

    def map_levels(self, rois: Tensor, level_inds: Tensor) -> Tensor:
        """Return the (n,) number of the map that each region is read from."""
        if self.rule == 'own_level':
            return level_inds
        if self.rule == 'conv4_3':
            return torch.full_like(level_inds, self.fixed_level)
        side = (rois[:, 3:] - rois[:, 1:3]).prod(1).sqrt()
        level = torch.log2(side / self.finest_scale + 1e-6).floor().long()
        return level.clamp(0, len(self.layers) - 1)

    def forward(
        self, feats: Sequence[Tensor], rois: Tensor, level_inds: Tensor
    ) -> Tensor:
        """Return the features of regions, (n, out_channels, k, k) float32.

        Gradients reach the maps and every parameter, but not the boxes.

        Args:
            feats: Maps (B, C_l, H_l, W_l).
            rois: (n, 5): batch index and xyxy in pixels of the input.
            level_inds: (n,) int64, the map that predicted each box.
        """
        if len(feats) != len(self.layers):
            raise ValueError(
                f'{len(feats)} maps for {len(self.layers)} in_channels'
            )
        with torch.autocast(feats[0].device.type, enabled=False):
            rois = rois.float()
            if is_exporting():
                return self._of_all_maps(
                    feats, rois, self.map_levels(rois, level_inds)
                )
            check_rois(rois, len(feats[0]))
            levels = self.map_levels(rois, level_inds)
            self._check_levels(levels)
            side = self.output_size
            out = rois.new_empty(len(rois), self.out_channels, side, side)
            for number, (feat, lateral, align) in enumerate(
                zip(feats, self.laterals, self.layers, strict=True)
            ):
                own = (levels == number).nonzero()[:, 0]
                if len(own):
                    part = align(lateral(feat.float()), rois[own])
                    out = out.index_copy_(0, own, part)
                elif self.training:
                    # DistributedDataParallel wants a use of each parameter.
                    unused = sum(p.sum() for p in lateral.parameters())
                    out = out + 0 * unused
            return out

    def _of_all_maps(
        self, feats: Sequence[Tensor], rois: Tensor, levels: Tensor
    ) -> Tensor:
        """Read every region from every map, and choose: no branch on data."""
        parts = [
            align(lateral(feat.float()), rois)
            for feat, lateral, align in zip(
                feats, self.laterals, self.layers, strict=True
            )
        ]
        out = parts[0]
        for number, part in enumerate(parts[1:], start=1):
            out = part.where((levels == number)[:, None, None, None], out)
        return out

    def _check_levels(self, levels: Tensor) -> None:
        """Raise ValueError if a region's map is out of range."""
        if levels.numel():
            low, high = (int(value) for value in levels.aminmax())
            if low < 0 or high >= len(self.layers):
                raise ValueError(
                    f'level_inds lie in {low} to {high}, but there are '
                    f'{len(self.layers)} maps, counted from 0'
                )
