"""Stops a run whose loss is not finite, and names the images."""

import math
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmocc.registry import HOOKS

NAMED = 8  # samples that an error names


@HOOKS.register_module()
class InvalidLossHook(Hook):
    """Stop where an input or a term of the loss is NaN or infinite.

    Without it, a run continues with weights of NaN, and saves them. The error
    names the image with such pixels; else the term, the step and the images of
    its batch. Before a checkpoint, the trained parameters are checked as well.

    On a GPU, reading a loss makes the host wait. So the terms are read
    together every ``interval`` steps, at the end of an epoch and before a
    checkpoint; the error names the first bad step. On a CPU, each step is
    checked.

    Args:
        interval: Steps between two checks.
        limit: The absolute value of each loss term must be below this.

    Raises:
        FloatingPointError: While running.
        ValueError: If ``interval`` or ``limit`` is not above 0.
    """

    priority = 'NORMAL'  # before the checkpoint

    def __init__(self, interval: int = 50, limit: float = math.inf) -> None:
        if interval < 1 or not limit > 0:
            raise ValueError(
                f'interval is {interval} and limit {limit}; give steps and a '
                'size above 0'
            )
        self.interval = interval
        self.limit = limit
        self.steps: list[tuple[int, list[str], list[str]]] = []
        self.values: list[torch.Tensor] = []

    def before_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Check the inputs, if they are in the host's memory."""
        paths = images_with_nan(data_batch)
        if paths:
            raise FloatingPointError(
                f'The input of iteration {runner.iter} is NaN or infinite in '
                f'{_listed(paths)}: correct these files or the pipeline, and '
                'continue with --resume'
            )

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: dict | None = None,
    ) -> None:
        """Record the loss of a step; check the recorded ones if due."""
        terms = {
            name: value.detach()
            for name, value in (outputs or {}).items()
            if 'loss' in name and isinstance(value, torch.Tensor)
        }
        if not terms:
            return
        values = torch.stack([v.float().mean() for v in terms.values()])
        self.steps.append((runner.iter, list(terms), image_paths(data_batch)))
        self.values.append(values)
        if values.device.type == 'cpu' or len(self.steps) >= self.interval:
            self.check(runner)

    def after_train_epoch(self, runner: Runner) -> None:
        """Check the last losses of the epoch."""
        self.check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Check before anything is written."""
        self.check(runner)
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        for name, parameter in model.named_parameters():
            if parameter.requires_grad and not parameter.isfinite().all():
                raise FloatingPointError(
                    f'{name} is not finite after iteration {runner.iter}, '
                    f'and no checkpoint was written. {_remedy(runner)}'
                )

    def check(self, runner: Runner) -> None:
        """Raise FloatingPointError if a loss since the last check is bad."""
        if not self.values:
            return
        values = torch.cat(self.values).tolist()
        steps, self.steps, self.values = self.steps, [], []
        for iteration, names, paths in steps:
            for name in names:
                value = values.pop(0)
                if abs(value) < self.limit:
                    continue
                raise FloatingPointError(
                    f'{name} is {value:g} in iteration {iteration} on '
                    f'{_listed(paths)}. {_remedy(runner)}'
                )


def _listed(paths: list[str]) -> str:
    """Return the first of the samples, and how many more there are."""
    more = f' and {len(paths) - NAMED} more' if len(paths) > NAMED else ''
    return (', '.join(paths[:NAMED]) or 'samples without img_path') + more


def _remedy(runner: Runner) -> str:
    """Return what can be done."""
    return (
        'Look at these images and their labels, lower the learning rate or '
        'clip gradients (optim_wrapper.clip_grad), and continue from the last '
        f'checkpoint in {runner.work_dir} with --resume'
    )


def image_paths(data_batch: Any) -> list[str]:
    """Return the ``img_path`` of a batch's samples, where they have one."""
    samples = _field(data_batch, 'data_samples')
    paths = [getattr(sample, 'img_path', None) for sample in samples]
    return [str(path) for path in paths if path is not None]


def images_with_nan(data_batch: Any) -> list[str]:
    """Return the ``img_path`` of samples whose input is not finite."""
    inputs = _field(data_batch, 'inputs')
    samples = _field(data_batch, 'data_samples')
    if len(inputs) != len(samples):  # several views of each, say
        return []
    return [
        str(getattr(sample, 'img_path', f'sample {index} of the batch'))
        for index, (image, sample) in enumerate(
            zip(inputs, samples, strict=True)
        )
        if isinstance(image, torch.Tensor) and _has_nan(image)
    ]


def _has_nan(image: torch.Tensor) -> bool:
    """Say whether a tensor on the CPU has a NaN or an infinite value."""
    if not image.is_floating_point() or image.device.type != 'cpu':
        return False
    # A sum is faster, but may overflow although all values are finite.
    return not (image.sum().isfinite() or image.isfinite().all())


def _field(data_batch: Any, name: str) -> list:
    """Return a field of a batch as a list, empty if it has none."""
    field = data_batch.get(name) if isinstance(data_batch, dict) else None
    return [] if field is None else list(field)
