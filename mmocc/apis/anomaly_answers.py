"""What ``mmocc predict dea`` writes besides pictures: a table and maps."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from mmocc.utils.files import fit_name

FIELDS = ('name', 'image_score', 'anomalous', 'objects', 'anomalous_objects')


def write_anomalies(
    predictions: Sequence[Mapping[str, Any]], out: Path
) -> int:
    """Write ``predictions.csv`` and the maps; return the number of maps.

    A map is in ``maps``, as float32 of the photo's size: ``NAME.npy`` for
    NumPy, ``NAME.tiff`` for programs of images.

    Args:
        predictions: Of ``mmocc.apis.DEAInferencer``.
        out: Folder to write to; it is made.

    Raises:
        OSError: If a file cannot be written.
    """
    folder = out / 'maps'
    folder.mkdir(parents=True, exist_ok=True)
    path = out / 'predictions.csv'
    with path.open('w', newline='', encoding='utf-8') as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for one in predictions:
            writer.writerow(
                dict(
                    name=one['name'],
                    image_score=one['image_score'],
                    anomalous=int(one['image_anomalous']),
                    objects=len(one['anomalous']),
                    anomalous_objects=int(np.sum(one['anomalous'])),
                )
            )
    for place, one in enumerate(predictions):
        heat = np.asarray(one['anomaly_map'], np.float32)
        stem = f'{place:06d}_{Path(one["name"]).stem}'
        np.save(folder / fit_name(stem, '.npy'), heat)
        file_name = folder / fit_name(stem, '.tiff')
        if not cv2.imwrite(str(file_name), heat):
            raise OSError(f'cannot write {file_name}')
    return len(predictions)
