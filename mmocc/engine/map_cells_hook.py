"""Finds where the cells of class maps lie, before a validation or test."""

from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmocc.registry import HOOKS
from mmocc.visualization.receptive_field import has_cells, set_cells


@HOOKS.register_module()
class MapCellsHook(Hook):
    """Give each predicted sample the place of its map's cells.

    Metrics with ``align='receptive_field'`` read it as ``map_cells``. It is
    found once for each size of images, from the layers of the network
    (:func:`mmocc.visualization.receptive_field.find_cells`). A model without a
    head of class maps is left as it is.
    """

    def before_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Find the cells for the batch's size of images."""
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        if not has_cells(model):  # whatever its batches are
            return
        images = data_batch['inputs']
        while not torch.is_tensor(images):  # also of the views of an image
            images = images[0]
        if images.shape[-3] == 3:  # not features of a sequence
            set_cells(model, tuple(images.shape[-2:]))

    before_test_iter = before_val_iter
