"""Pictures of Latent-OFER's stages while a run validates or tests."""

from typing import Any

from mmocc.engine.sample_visualization_hook import SampleVisualizationHook
from mmocc.registry import HOOKS


@HOOKS.register_module()
class OFERVisualizationHook(SampleVisualizationHook):
    """Draw photo, distances, mask, reconstruction, attention, expression.

    For ``mmocc.LatentOFER``; arguments and errors are those of the base.
    """

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # A run that draws nothing does not need matplotlib.
        from mmocc.visualization.ofer_pictures import ofer_row
        from mmocc.visualization.sheet import draw_sheet

        classes = (meta or {}).get('classes')
        return draw_sheet([ofer_row(inputs, 'photo', sample, classes)])
