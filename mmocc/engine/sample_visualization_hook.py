"""The base of hooks that draw samples while a run validates or tests."""

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner
from mmengine.visualization import Visualizer


class SampleVisualizationHook(Hook):
    """Base of the hooks that draw some samples with a model's predictions.

    The pictures go to each backend of the run's visualizer. Such a hook is
    one of ``custom_hooks``, or replaces mmpretrain's ``VisualizationHook`` as
    ``default_hooks.visualization``, where ``--show`` and ``--show-dir`` of
    ``tools/test.py`` set it. Of several processes, only the first one draws.

    Args:
        enable: Whether to draw at all.
        interval: Draw every so many samples, starting with the first; >= 1.
        show: Open a window for each picture.
        wait_time: Seconds a window stays; 0 waits for a key.
        out_dir: Folder for the pictures, instead of the backends.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        enable: bool = True,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        out_dir: str | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be 1 or more, got {interval}')
        self.enable = enable
        self.interval = interval
        self.show = show
        self.wait_time = wait_time
        self.out_dir = out_dir
        self.seen = 0

    @abstractmethod
    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture of one sample, (H, W, 3) uint8 RGB.

        ``inputs`` is its image (C, H, W) in 0 to 255, ``sample`` the predicted
        data sample, ``meta`` the data set's ``metainfo``.
        """

    def before_val_epoch(self, runner: Runner) -> None:
        """Start to count samples."""
        self.seen = 0

    before_test_epoch = before_val_epoch

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Draw samples of a validation batch."""
        by_epoch = isinstance(runner.train_loop, EpochBasedTrainLoop)
        step = runner.epoch if by_epoch else runner.iter
        self.draw(runner.visualizer, data_batch, outputs, step)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence | None = None,
    ) -> None:
        """Draw samples of a test batch."""
        self.draw(runner.visualizer, data_batch, outputs, 0)

    def draw(
        self,
        visualizer: Visualizer,
        batch: dict,
        samples: Sequence[Any],
        step: int,
    ) -> None:
        """Draw every ``interval``-th of N samples, with ``batch['inputs']``.

        Images are (C, H, W) in 0 to 255; ``step`` is an epoch or iteration.
        """
        first, self.seen = self.seen, self.seen + len(samples)
        if not self.enable or not is_main_process():
            return
        inputs = batch['inputs']
        if getattr(inputs[0], 'ndim', 0) != 3:  # test-time augmentation
            inputs = inputs[0]  # images of the first view
        meta = visualizer.dataset_meta
        for place, sample in enumerate(samples):
            if (first + place) % self.interval == 0:
                picture = self.picture(inputs[place], sample, meta)
                # Files in two folders may have the same name.
                name = f'{first + place:06d}'
                if 'img_path' in sample:
                    name += f'_{Path(sample.img_path).stem}'
                self._hand_on(visualizer, name, picture, step)

    def _hand_on(
        self, visualizer: Visualizer, name: str, picture: Any, step: int
    ) -> None:
        """Show a picture, and store it in a folder or the backends."""
        if self.show:
            visualizer.show(picture, win_name=name, wait_time=self.wait_time)
        if self.out_dir is None:
            visualizer.add_image(name, picture, step=step)
        else:
            from mmocc.visualization.sheet import write_image

            write_image(picture, Path(self.out_dir, f'{name}_{step}.png'))
