"""Tells DEA what normal objects look like, while it trains."""

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmocc.registry import HOOKS


@HOOKS.register_module()
class AnomalyReferenceHook(Hook):
    """Fit the judge of ``mmocc.DEA`` to normal objects.

    Before each validation and at the end of training, before the checkpoint
    is written, the model predicts the pages of ``dataloader``, and its
    detections that speak for an object are what is normal from then on: the
    bank of the latent distance, and the scores that fusions and
    ``is_anomaly`` are measured by. Several processes share the pages.

    The detector has seen training pages, and is surer of them than it will be
    of others; hold some normal pages back for this where there are enough.

    Args:
        dataloader: Config of a dataloader of normal objects, with a test
            pipeline that loads boxes: in pixels of the original image.

    Raises:
        ValueError: While running, if hardly any object is detected.
    """

    priority = 'NORMAL'  # before the checkpoint, and before validation

    def __init__(self, dataloader: dict) -> None:
        self.dataloader = dataloader

    def before_train(self, runner: Runner) -> None:
        """Build the dataloader."""
        if not isinstance(self.dataloader, DataLoader):
            self.dataloader = runner.build_dataloader(self.dataloader)

    def after_train_epoch(self, runner: Runner) -> None:
        """Fit after an epoch that is validated, or the last."""
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
        """Fit after an iteration that is validated, or the last."""
        loop = runner.train_loop
        if not isinstance(loop, EpochBasedTrainLoop) and is_due(
            runner.iter + 1, loop.max_iters, loop
        ):
            self.fit(runner)

    def fit(self, runner: Runner) -> None:
        """Fit the model's judge now."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        # mmdet is not needed where nothing is detected.
        from mmocc.models.dea.normal_objects import fit_judge

        count = fit_judge(model, self.dataloader)
        print_log(f'fitted to {count} normal objects', logger='current')


def is_due(step: int, last: int, loop: object) -> bool:
    """Return whether a training loop validates now or ends."""
    if step == last:
        return True
    begin = getattr(loop, 'val_begin', 1)
    return step >= begin and step % getattr(loop, 'val_interval', last) == 0
