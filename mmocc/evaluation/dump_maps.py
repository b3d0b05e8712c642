"""Stores the class maps of a whole test set."""

from collections.abc import Sequence
from typing import Any

from mmengine.evaluator import BaseMetric

from mmocc.evaluation.stored_maps import MapFolder
from mmocc.registry import METRICS
from mmocc.utils.cell_grid import CellGrid


@METRICS.register_module()
class DumpMaps(BaseMetric):
    """Write the class map of each image to ``OUT_DIR/<image id>.npy``.

    In float16, with ``manifest.json``, which says where the maps' cells lie
    (:mod:`mmocc.evaluation.stored_maps`);
    ``tools/analysis_tools/eval_localization.py`` reads both. Several processes
    write into one folder. It stands beside the metrics of a config::

        test_evaluator = [
            dict(type='mmocc.LocalizationAccuracy'),
            dict(type='mmocc.DumpMaps', out_dir='work_dirs/maps')]

    Args:
        out_dir: The folder.
        map_field: Field of the data sample with the map.
        **kwargs: ``collect_device`` and ``prefix``, as in mmengine.
    """

    default_prefix = 'dump'

    def __init__(
        self, out_dir: str, map_field: str = 'gt_cam', **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.out_dir, self.map_field = out_dir, map_field
        self.folder = MapFolder(out_dir)

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Write the maps of a batch.

        Raises:
            ValueError: If a sample has no map or no ``image_id``.
        """
        for sample in data_samples:
            cam, image_id = sample.get(self.map_field), sample.get('image_id')
            if cam is None or image_id is None:
                missing = self.map_field if cam is None else 'image_id'
                raise ValueError(
                    f'mmocc.DumpMaps needs {missing!r} in each data sample; '
                    "use head=dict(type='mmocc.CAMHead', ...) and "
                    "dict(type='mmocc.WSOLDataset', with_boxes=True, ...)"
                )
            cells = sample.get('map_cells')
            cells = cells if cells is None else CellGrid(*cells)
            if hasattr(cam, 'cpu'):
                cam = cam.detach().float().cpu().numpy()
            self.folder.add(image_id, cam, cells)
            self.results.append((image_id, cells))

    def compute_metrics(self, results: list) -> dict[str, int]:
        """Write the manifest of all processes; return the number of maps."""
        # mmengine makes plain tuples of what it collects.
        self.folder.cells = {
            image_id: cells and CellGrid(*cells) for image_id, cells in results
        }
        self.folder.write_manifest()
        self.folder = MapFolder(self.out_dir)
        return {'maps': len(results)}
