"""Pictures of redrawn pages while a run validates or tests."""

from typing import Any

from mmocc.engine.localization_visualization_hook import (
    LocalizationVisualizationHook,
)
from mmocc.registry import HOOKS


@HOOKS.register_module()
class ReconstructionVisualizationHook(LocalizationVisualizationHook):
    """Draw page, redrawn page and anomaly map of some samples.

    For ``mmocc.DEA``; where the pictures go is told by the base,
    :class:`mmocc.engine.LocalizationVisualizationHook`. As
    ``default_hooks.visualization`` it obeys ``--show`` and ``--show-dir`` of
    ``tools/test.py``.

    Args:
        enable: Whether to draw at all.
        interval: Draw every so many samples, starting with the first.
        show: Open a window for each picture.
        wait_time: Seconds a window stays; 0 waits for a key.
        out_dir: Folder for the pictures, in place of the backends.
        min_confidence: Detections below are not drawn: the paper's P.
        threshold: Anomaly score above which an object is odd; None for the
            model's own.
        background: Shade of the redrawn page's paper, 0 to 1.

    Raises:
        ValueError: If the interval is below 1; while running, if the model
            redraws nothing.
    """

    def __init__(
        self,
        enable: bool = True,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        out_dir: str | None = None,
        min_confidence: float = 0.02,
        threshold: float | None = None,
        background: float = 1.0,
    ) -> None:
        super().__init__(enable, interval, show, wait_time, out_dir)
        self.rule = dict(
            min_confidence=min_confidence,
            threshold=threshold,
            background=background,
        )

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # matplotlib is not needed by a run that draws nothing.
        from mmocc.visualization import redrawing_pictures as pictures
        from mmocc.visualization.localization_pictures import original_image
        from mmocc.visualization.sheet import draw_sheet

        rule = pictures.Rule(**self.rule)
        image = original_image(sample, inputs)
        row = pictures.reconstruction_row(image, 'page', sample, rule)
        return draw_sheet([row], heading=str(rule), width=4)
