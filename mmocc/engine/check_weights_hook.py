"""Stops a run whose checkpoint fills nothing, or not all, of its model."""

from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmocc.registry import HOOKS
from mmocc.utils.state_dicts import CheckpointError, find_weights
from mmocc.utils.weights import fill_model


@HOOKS.register_module()
class CheckWeightsHook(Hook):
    """Check what a run's checkpoint fills, before mmengine loads it.

    mmengine loads what fits and goes on, with random weights in the rest. This
    hook also finds weights where other libraries put them, under the names
    that they give (``mmocc.utils.state_dicts``), and hands them to mmengine
    under the model's. ``tools/train.py`` and ``tools/test.py`` use it in every
    run.

    Args:
        whole: Whether the checkpoint must fill all of the model, as for a
            test. Else one parameter is enough, except to resume.

    Raises:
        CheckpointError: When a checkpoint is loaded that fills less.
    """

    priority = 'HIGHEST'  # other hooks read what this one puts in order

    def __init__(self, whole: bool = False) -> None:
        self.whole = whole

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Fill the model, and leave the weights as ``state_dict``."""
        source, resume = str(runner._load_from), runner._resume
        if resume and 'message_hub' not in checkpoint:
            raise CheckpointError(
                f'{source} holds weights, but no state of a training to '
                'resume; start from it: --cfg-options load_from=PATH'
            )
        checkpoint['state_dict'] = fill_model(
            runner.model,
            find_weights(checkpoint, source),
            source,
            self.whole or resume,
        )
