"""Training without a gradient: a model takes statistics of its data."""

import torch
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.optim import OptimWrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch import nn
from torch.utils.data import DataLoader

from mmocc.registry import LOOPS, OPTIM_WRAPPER_CONSTRUCTORS


@LOOPS.register_module()
class FitLoop(EpochBasedTrainLoop):
    """Call ``model.fit`` with the training's dataloader, once.

    The hooks of an epoch run around it, so that the checkpoint is written and
    validation follows. A model with ``fit`` is ``mmocc.PatchGaussian``.

    Args:
        runner: The runner.
        dataloader: Of the training.
        max_epochs: Must be 1.
        **kwargs: Of mmengine's ``EpochBasedTrainLoop``.

    Raises:
        ValueError: If ``max_epochs`` is another number.
        TypeError: While running, if the model has no ``fit``.
    """

    def __init__(
        self,
        runner: Runner,
        dataloader: DataLoader | dict,
        max_epochs: int = 1,
        **kwargs,
    ) -> None:
        if max_epochs != 1:
            raise ValueError(
                f'mmocc.FitLoop fits once, got max_epochs={max_epochs}; leave '
                'it out, or use an EpochBasedTrainLoop'
            )
        super().__init__(runner, dataloader, max_epochs, **kwargs)

    def run_epoch(self) -> None:
        """Fit the model, between the hooks of an epoch."""
        self.runner.call_hook('before_train_epoch')
        model = self.runner.model
        model = model.module if is_model_wrapper(model) else model
        if not hasattr(model, 'fit'):
            raise TypeError(
                f'{type(model).__name__} has no method fit(batches), which '
                'mmocc.FitLoop calls; train it with by_epoch=True'
            )
        result = model.fit(self.dataloader)
        print_log(f'fitted: {result}', logger='current')
        self._iter += len(self.dataloader)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1


@OPTIM_WRAPPER_CONSTRUCTORS.register_module()
class NoOptimWrapperConstructor:
    """An optimizer of nothing, which mmengine's runner asks for.

    Args:
        optim_wrapper_cfg: Not used.
        paramwise_cfg: Not used.
    """

    def __init__(
        self,
        optim_wrapper_cfg: dict | None = None,
        paramwise_cfg: dict | None = None,
    ) -> None: ...

    def __call__(self, model: nn.Module) -> OptimWrapper:
        """Return it, for any model."""
        nothing = nn.Parameter(torch.zeros(0))
        return OptimWrapper(torch.optim.SGD([nothing], lr=0.0))
