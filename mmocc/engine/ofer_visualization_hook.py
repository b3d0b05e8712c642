"""Pictures of Latent-OFER's stages while a run validates or tests."""

from typing import Any

from mmocc.engine.sample_visualization_hook import SampleVisualizationHook
from mmocc.registry import HOOKS


@HOOKS.register_module()
class OFERVisualizationHook(SampleVisualizationHook):
    """Draw photo, distances, mask, redrawn face, attention and expression.

    For ``mmocc.LatentOFER``; what it can be told is the base's.

    Raises:
        ValueError: If the interval is below 1; while running, if the model
            predicts nothing.
    """

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # matplotlib is not needed by a run that draws nothing.
        from mmocc.visualization.ofer_pictures import ofer_row
        from mmocc.visualization.sheet import draw_sheet

        classes = (meta or {}).get('classes')
        return draw_sheet([ofer_row(inputs, 'photo', sample, classes)])
