"""What training hides after the pipeline: in the batch, or in a map."""

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from torch import Tensor, nn
from torch.nn.functional import interpolate

from mmocc.registry import MODELS
from mmocc.utils.config_types import class_name
from mmocc.utils.from_config import build_model
from mmocc.visualization.hiding import Draw, seed_all
from mmocc.visualization.localization_pictures import true_boxes
from mmocc.visualization.target_layers import find_layer, run_until

BATCH_AUGMENTS = ('BatchHideAndSeek', 'BatchOccluder', 'BatchObjectOccluder')
GREY = 127.0


class BatchHiding:
    """Draws what a config hides in normalised batches and in feature maps.

    It knows ``mmocc.HidingDataPreprocessor``, mmdet's ``batch_augments``, the
    ``occluder`` of LEARN's models, and ``mmocc.HideFeaturesHook``. Cells that
    are hidden in a map are drawn grey on the image.

    Args:
        cfg: A config of a training run.

    Raises:
        ValueError: If it has none of them.
    """

    def __init__(self, cfg: Config) -> None:
        self.model = build_model(cfg).eval()
        self.preprocessor = self.model.data_preprocessor
        self.steps: dict[str, Callable[[Tensor], Tensor]] = {}
        parts = [
            getattr(self.preprocessor, 'hide', None),
            *(getattr(self.preprocessor, 'batch_augments', None) or ()),
            getattr(self.model, 'occluder', None),
        ]
        for part in parts:
            if isinstance(part, nn.Module) and (
                type(part).__name__ in BATCH_AUGMENTS
            ):
                self._add(part)
        for hook in cfg.get('custom_hooks') or ():
            if class_name(hook['type']) == 'HideFeaturesHook':
                self._add_feature(hook)
        if not self.steps:
            raise ValueError(
                'nothing that is known hides in the pipeline, in the batch or '
                'in a map'
            )

    def _add(self, part: nn.Module) -> None:
        """Add a module that returns the batch and something else."""
        part.train()
        self.steps[repr(part)] = lambda images: part(images)[0]

    def _add_feature(self, hook: dict) -> None:
        """Add a layer that hides in a map."""
        layer = find_layer(self.model, hook['module'])
        hide = MODELS.build(hook.get('hide', dict(type='mmocc.HideFeatures')))
        hide.train()

        def draw(images: Tensor) -> Tensor:
            maps = run_until(self.model, layer, images)
            hidden = (hide(maps) != maps).any(dim=1, keepdim=True).float()
            size = images.shape[-2:]
            mask = interpolate(hidden, size, mode='nearest') > 0
            return torch.where(mask, self._normalise(GREY), images)

        self.steps[f'{hide} after {hook["module"]}'] = draw

    def __str__(self) -> str:
        """Return what hides, in order."""
        return ', then '.join(self.steps)

    @torch.no_grad()
    def draw(self, dataset: Any, index: int, number: int, seed: int) -> Draw:
        """Return one draw; see :func:`mmocc.visualization.hiding.draw_hiding`.

        Crops and flips depend on (seed, index), the hiding on (seed, index,
        number).
        """
        seed_all(seed, index)
        packed = dataset[index]
        batch = pseudo_collate([copy.deepcopy(packed)])
        images = self.preprocessor(batch, False)['inputs']
        seed_all(seed, index, number)
        after = images.clone()
        for step in self.steps.values():
            after = step(after)
        hidden = (after != images).any(dim=1)[0].cpu().numpy()
        sample = packed['data_samples']
        return Draw(
            self._picture(images),
            self._picture(after),
            hidden,
            true_boxes(sample),
            None,
            sample.get('img_path'),
        )

    def _buffer(self, name: str, default: float) -> Tensor:
        """Return mean or std of the preprocessor, (C, 1, 1)."""
        value = getattr(self.preprocessor, name, None)
        return torch.tensor(default) if value is None else value.cpu()

    def _normalise(self, value: float) -> Tensor:
        """Return a grey value as the network sees it."""
        return (value - self._buffer('mean', 0.0)) / self._buffer('std', 1.0)

    def _picture(self, images: Tensor) -> np.ndarray:
        """Return the only image of a normalised batch as (H, W, 3) RGB."""
        image = images[0].cpu() * self._buffer('std', 1.0)
        image = (image + self._buffer('mean', 0.0)).round().clamp(0, 255)
        image = image.byte().permute(1, 2, 0).numpy()
        names = ('to_rgb', '_channel_conversion')
        rgb = any(getattr(self.preprocessor, name, False) for name in names)
        if image.shape[2] == 1:
            image = image.repeat(3, axis=2)
        return np.ascontiguousarray(image if rgb else image[..., ::-1])
