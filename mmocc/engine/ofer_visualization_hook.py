"""Pictures of Latent-OFER's stages while a run validates or tests."""

from typing import Any

from mmocc.engine.localization_visualization_hook import (
    LocalizationVisualizationHook,
)
from mmocc.registry import HOOKS


@HOOKS.register_module()
class OFERVisualizationHook(LocalizationVisualizationHook):
    """Draw photo, distances, mask, redrawn face, attention and expression.

    For ``mmocc.LatentOFER``; where the pictures go is told by the base,
    :class:`mmocc.engine.LocalizationVisualizationHook`. As
    ``default_hooks.visualization`` it obeys ``--show`` and ``--show-dir`` of
    ``tools/test.py``.

    Args:
        enable: Whether to draw at all.
        interval: Draw every so many samples, starting with the first.
        show: Open a window for each picture.
        wait_time: Seconds a window stays; 0 waits for a key.
        out_dir: Folder for the pictures, in place of the backends.

    Raises:
        ValueError: If the interval is below 1; while running, if the model
            predicts nothing.
    """

    def __init__(
        self,
        enable: bool = True,
        interval: int = 50,
        show: bool = False,
        wait_time: float = 0.0,
        out_dir: str | None = None,
    ) -> None:
        super().__init__(enable, interval, show, wait_time, out_dir)

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # matplotlib is not needed by a run that draws nothing.
        from mmocc.visualization.ofer_pictures import ofer_row
        from mmocc.visualization.sheet import draw_sheet

        classes = (meta or {}).get('classes')
        return draw_sheet([ofer_row(inputs, 'photo', sample, classes)])
