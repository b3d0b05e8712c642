"""Predictions of a detector as a file, without the pictures of objects."""

from collections.abc import Sequence

from mmdet.evaluation import DumpDetResults

from mmocc.registry import METRICS

PICTURES = ('recons', 'errors')


@METRICS.register_module()
class DumpObjects(DumpDetResults):
    """mmdet's ``DumpDetResults``, small also for ``mmocc.DEA``.

    The pictures that DEA redraws, and where they differ, are left out, or
    written with 8 bits. Every tensor is written without the batch that it is
    a part of.

    Args:
        *args: Of mmdet's.
        pictures: Write them, as uint8, 255 for 1.
        **kwargs: Of mmdet's.
    """

    def __init__(self, *args, pictures: bool = False, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.pictures = pictures

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the predictions of a batch."""
        start = len(self.results)
        super().process(data_batch, data_samples)
        for sample in self.results[start:]:
            objects = sample.get('pred_instances', {})
            for name in [name for name in PICTURES if name in objects]:
                shades = objects.pop(name)
                if self.pictures:
                    levels = (255 * shades).round().clamp(0, 255)
                    objects[name] = levels.byte()
            for name, value in objects.items():
                if hasattr(value, 'clone'):
                    objects[name] = value.clone()
