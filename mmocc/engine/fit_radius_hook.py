"""Fits the radius of a detector of occluded patches."""

import math

from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmocc.engine.anomaly_reference_hook import AnomalyReferenceHook
from mmocc.registry import HOOKS


@HOOKS.register_module()
class FitRadiusHook(AnomalyReferenceHook):
    """Fit the radius of ``mmocc.PatchSVDD`` or another patch detector.

    Before each validation and at the end of training, before the checkpoint,
    the detector sees all batches of a dataloader. Its radius becomes the
    quantile 1 - nu of the distances of clean patches; ValueError if there are
    none. The log says how many patches of other faces such a radius flags.
    Several processes share the batches.

    Args:
        dataloader: Config of a dataloader of clean pictures that the detector
            does not learn from: distances of its own faces are smaller, and a
            radius of them flags too much of others. None for that of the
            validation; or of the training, with ``at_start`` or if there is
            no validation.
        module: Dotted name of the detector in the model; empty if it is the
            model.
        at_start: Fit before the first step instead, unless the radius is
            known: for a detector that does not learn, in a model that reads
            its masks.
    """

    def __init__(
        self,
        dataloader: dict | None = None,
        module: str = '',
        at_start: bool = False,
    ) -> None:
        super().__init__(dataloader)
        self.module = module
        self.at_start = at_start

    def before_train(self, runner: Runner) -> None:
        """Build the dataloader; fit now if ``at_start`` says so."""
        if self.dataloader is None and (
            self.at_start or runner.val_loop is None
        ):
            self.dataloader = runner.train_dataloader
        super().before_train(runner)
        if self.at_start and not self._detector(runner).radius > 0:
            self._fit(runner)

    def fit(self, runner: Runner) -> None:
        """Fit the detector now, unless it was fitted at the start."""
        if not self.at_start:
            self._fit(runner)

    def _fit(self, runner: Runner) -> None:
        """Fit the detector now."""
        detector = self._detector(runner)
        fitted = detector.fit(self.dataloader)
        text = f'radius {float(detector.radius):.4g} from '
        text += f'{fitted.patches} clean patches'
        if not math.isnan(fitted.false_alarms):
            share = 100 * fitted.false_alarms
            text += f'; of other faces, {share:.1f} % are beyond such a radius'
        print_log(text, logger='current')

    def _detector(self, runner: Runner) -> object:
        """Return the detector in the model, wrapped or not."""
        model = runner.model
        model = model.module if is_model_wrapper(model) else model
        return model.get_submodule(self.module)
