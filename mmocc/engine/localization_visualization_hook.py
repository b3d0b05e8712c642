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
        threshold: Share of the map's maximum (see
            :func:`mmocc.evaluation.localization.map_to_boxes`).
        keep: ``largest``, ``largest_contour`` or ``all``.
        normalize: ``max`` or ``minmax``.
        **kwargs: Of :class:`mmocc.engine.SampleVisualizationHook`:
            ``interval``, ``show``, ``out_dir`` and so on.

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
        # matplotlib is not needed by a run that draws nothing.
        from mmocc.visualization import localization_pictures as pictures
        from mmocc.visualization.sheet import draw_sheet

        classes = (meta or {}).get('classes')
        image = pictures.original_image(sample, inputs)
        kinds = dict(pred_cam='predicted class', gt_cam='true class')
        name = kinds.get(self.field, self.field)
        answer = pictures.read_answer(sample, name, self.field, classes)
        truth = pictures.true_name(sample, classes)
        rule = pictures.BoxRule(**self.rule)
        row = pictures.localization_row(
            image,
            f'truth: {truth}',
            pictures.true_boxes(sample),
            [answer],
            rule,
        )
        return draw_sheet([row], heading=f'box: {rule}')
