"""Pictures of redrawn pages while a run validates or tests."""

from typing import Any

from mmocc.engine.sample_visualization_hook import SampleVisualizationHook
from mmocc.registry import HOOKS


@HOOKS.register_module()
class ReconstructionVisualizationHook(SampleVisualizationHook):
    """Draw some pages, redrawn by ``mmocc.DEA``, and their anomaly maps.

    ``min_confidence``, ``threshold``, ``background`` and ``most`` are those of
    :class:`mmocc.visualization.redrawing_pictures.Rule`, ``kwargs`` those of
    :class:`mmocc.engine.SampleVisualizationHook`. A model that redraws
    nothing raises a ValueError.
    """

    def __init__(
        self,
        min_confidence: float = 0.02,
        threshold: float | None = None,
        background: float = 1.0,
        most: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.rule = (min_confidence, threshold, background, most)

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # A run that draws nothing does not need matplotlib.
        from mmocc.visualization import redrawing_pictures as pictures
        from mmocc.visualization.localization_pictures import original_image
        from mmocc.visualization.sheet import draw_sheet

        rule = pictures.Rule(*self.rule)
        image = original_image(sample, inputs)
        row = pictures.reconstruction_row(image, 'page', sample, rule)
        return draw_sheet([row], heading=str(rule), width=4)
