"""Pictures of localization while a run validates or tests."""

from typing import Any

from mmocc.engine.sample_visualization_hook import SampleVisualizationHook
from mmocc.registry import HOOKS


@HOOKS.register_module()
class LocalizationVisualizationHook(SampleVisualizationHook):
    """Draw image, map, and box against ground truth of some samples.

    For models whose head gives maps (``mmocc.CAMHead``).

    Args:
        field: The map of a sample: ``pred_cam`` or ``gt_cam``.
        threshold: As in :func:`mmocc.evaluation.localization.map_to_boxes`.
        keep: As there.
        normalize: As there.
        **kwargs: As in :class:`mmocc.engine.SampleVisualizationHook`.

    Raises:
        ValueError: If the interval is below 1; while running, if the model
            gives no such map.
    """

    def __init__(
        self,
        field: str = 'pred_cam',
        threshold: float = 0.2,
        keep: str = 'largest',
        normalize: str = 'max',
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.field = field
        self.rule = dict(threshold=threshold, keep=keep, normalize=normalize)

    def picture(self, inputs: Any, sample: Any, meta: dict | None) -> Any:
        """Return the picture (H, W, 3) uint8 RGB of one sample."""
        # A run that draws nothing needs no matplotlib.
        from mmocc.visualization import localization_pictures as pictures
        from mmocc.visualization.sheet import draw_sheet

        classes = (meta or {}).get('classes')
        kinds = dict(pred_cam='predicted class', gt_cam='true class')
        name = kinds.get(self.field, self.field)
        rule = pictures.BoxRule(**self.rule)
        row = pictures.localization_row(
            pictures.original_image(sample, inputs),
            f'truth: {pictures.true_name(sample, classes)}',
            pictures.true_boxes(sample),
            [pictures.read_answer(sample, name, self.field, classes)],
            rule,
        )
        return draw_sheet([row], heading=f'box: {rule}')
