"""Shows normal objects to DEA and to the baselines while they train."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmocc.registry import HOOKS


@HOOKS.register_module()
class AnomalyReferenceHook(Hook):
    """Tell a model what is normal: ``mmocc.DEA`` or a baseline.

    Before each validation and at the end of training, before the checkpoint
    is written, the model predicts the images of ``dataloader``. From then on,
    its detections of objects are what is normal. Several processes share the
    pages. The detector is more confident on training pages: hold some normal
    pages back for this where there are enough.

    Args:
        dataloader: Config of a dataloader of normal objects, with a test
            pipeline that loads boxes in pixels of the original image; None
            for the validation's own.

    Raises:
        ValueError: While running, if hardly any object is detected, or there
            is no dataloader.
    """

    priority = 'NORMAL'  # before the checkpoint, and before validation

    def __init__(self, dataloader: dict | None = None) -> None:
        self.dataloader = dataloader

    def before_train(self, runner: Runner) -> None:
        """Build the dataloader."""
        if self.dataloader is None:
            if runner.val_loop is None:
                raise ValueError(
                    f'mmocc.{type(self).__name__} has no dataloader, and the '
                    'run has no validation: set dataloader or val_dataloader'
                )
            self.dataloader = runner.val_loop.dataloader
        if not isinstance(self.dataloader, DataLoader):
            self.dataloader = runner.build_dataloader(self.dataloader)

    def after_train_epoch(self, runner: Runner) -> None:
        """Fit after an epoch before a validation, and after the last."""
        loop = runner.train_loop
        if isinstance(loop, EpochBasedTrainLoop) and is_due(
            runner.epoch + 1, loop.max_epochs, loop
        ):
            self.fit(runner)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Fit after an iteration before a validation, and after the last."""
        loop = runner.train_loop
        if not isinstance(loop, EpochBasedTrainLoop) and is_due(
            runner.iter + 1, loop.max_iters, loop
        ):
            self.fit(runner)

    def fit(self, runner: Runner) -> None:
        """Fit the model now, by its ``fit_normal``."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        count = model.fit_normal(self.dataloader)
        print_log(f'fitted to {count} normal objects', logger='current')


def is_due(step: int, last: int, loop: object) -> bool:
    """Return whether a training loop validates now or ends."""
    if step == last:
        return True
    begin = getattr(loop, 'val_begin', 1)
    return step >= begin and step % getattr(loop, 'val_interval', last) == 0
