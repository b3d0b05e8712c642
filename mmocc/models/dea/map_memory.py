"""Maps of a frozen trunk in memory, so that DEA computes each once.

Images are known by their pixels as the trunk gets them: a changed or mirrored
image is another one, so a wrong map is never returned.
"""

import logging
from collections.abc import Callable, Sequence

import torch
from mmengine.logging import print_log
from torch import Tensor, nn

from mmocc.models.folder_cache import image_names, precision_of


def is_frozen(parts: Sequence[nn.Module]) -> bool:
    """Return whether no parameter is trained and no layer in train mode."""
    for part in parts:
        if any(p.requires_grad for p in part.parameters()):
            return False
        if any(m.training for m in part.modules() if not any(m.children())):
            return False
    return True


class MapMemory:
    """Computes the maps of images that are not in memory yet.

    All maps are rounded to float16, new ones as well, so that it does not
    matter which of them are in memory: that changes a value by at most 0.05 %
    (2^-11). Other weights of the trunk empty the memory.

    Args:
        limit_gib: Size in GiB from which no more maps are kept.
    """

    def __init__(self, limit_gib: float) -> None:
        self.limit = int(limit_gib * 2**30)
        self.size = 0
        self.rows: dict[str, list[Tensor]] = {}
        self.state: int | None = None  # of the weights that made the rows

    def __call__(
        self,
        compute: Callable[[Tensor], Sequence[Tensor]],
        images: Tensor,
        parts: Sequence[nn.Module],
    ) -> tuple[Tensor, ...]:
        """Return the maps (N, C_l, h_l, w_l) of N images, without gradient.

        Args:
            compute: Returns the maps of images.
            images: (N, 3, H, W), normalised.
            parts: The modules that ``compute`` uses.

        Raises:
            FloatingPointError: If a value is not finite in float16.
        """
        self._empty_if_changed(parts)
        names = image_names(images)
        rows = [self.rows.get(name) for name in names]
        new = [place for place, row in enumerate(rows) if row is None]
        if new:
            with torch.no_grad():
                maps = [level.half() for level in compute(images[new])]
            if not all(level.isfinite().all() for level in maps):
                raise FloatingPointError(
                    'a value of the maps is not finite in float16: set '
                    'model.map_memory_gib=0'
                )
            for index, place in enumerate(new):
                rows[place] = [level[index].cpu().clone() for level in maps]
                self._keep(names[place], rows[place])
        kind = precision_of(images)
        return tuple(
            # As autocast knows one half type, float16 is not stacked.
            torch.stack([part.to(kind) for part in level]).to(images.device)
            for level in zip(*rows, strict=True)
        )

    def _empty_if_changed(self, parts: Sequence[nn.Module]) -> None:
        """Forget all maps if the trunk has other weights now."""
        tensors = [
            tensor
            for part in parts
            for tensor in (*part.parameters(), *part.buffers())
        ]
        state = hash(tuple((id(t), t._version) for t in tensors))
        if state != self.state:
            self.rows.clear()
            self.size, self.state = 0, state

    def _keep(self, name: str, row: list[Tensor]) -> None:
        """Keep the maps of an image, unless the memory is full."""
        if self.size >= self.limit:
            return
        self.rows[name] = row
        self.size += sum(level.nbytes for level in row)
        if self.size >= self.limit:
            print_log(
                f'the maps of {len(self.rows)} images take '
                f'{self.limit / 2**30:g} GiB, as model.map_memory_gib allows: '
                'those of others are computed in each step. Random '
                'transforms in the train pipeline make every image new',
                logger='current',
                level=logging.WARNING,
            )
