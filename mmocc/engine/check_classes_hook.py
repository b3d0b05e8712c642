"""Stops a run whose checkpoint was trained on other classes."""

from itertools import zip_longest
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmocc.registry import HOOKS
from mmocc.utils.state_dicts import CheckpointError


@HOOKS.register_module()
class CheckClassesHook(Hook):
    """Compare a checkpoint's class names with those of the data.

    A detector with the same number of other classes loads without an error,
    and its answers are wrong. A checkpoint without its training set's classes
    passes.

    Raises:
        CheckpointError: When a checkpoint is loaded whose classes differ.
    """

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Compare with the set that is trained or tested on."""
        meta = checkpoint.get('meta') or {}
        trained = (meta.get('dataset_meta') or {}).get('classes')
        if trained is None:
            return
        for loop in (runner._train_loop, runner._val_loop, runner._test_loop):
            own = data_classes(loop)
            if own is None or list(own) == list(trained):
                continue
            place, (a, b) = next(
                (i, pair)
                for i, pair in enumerate(zip_longest(trained, own))
                if pair[0] != pair[1]
            )
            raise CheckpointError(
                f'the checkpoint was trained on {len(trained)} classes, the '
                f'data have {len(own)}, and class {place} is {a!r} there but '
                f'{b!r} here: use a checkpoint of these classes, or set the '
                "data set's metainfo=dict(classes=...) to the checkpoint's"
            )


def data_classes(loop: Any) -> list[str] | None:
    """Return the class names of a loop's data set, if it has been built."""
    dataset = getattr(getattr(loop, 'dataloader', None), 'dataset', None)
    return (getattr(dataset, 'metainfo', None) or {}).get('classes')
