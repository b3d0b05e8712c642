"""The objects of a sample and which of them are anomalous.

The way they are packed is told in :mod:`mmocc.datasets.ornament_pages`.
"""

from typing import Any, NamedTuple

import torch
from torch import Tensor


class AnomalyTruth(NamedTuple):
    """All objects of an image, of ``n``.

    ``boxes`` (n, 4) float xyxy, in pixels of the original image where the
    pipeline loads the annotations after ``Resize``; ``labels`` (n,) int64, -1
    for what is outside the dictionary; ``anomaly`` (n,) bool.
    """

    boxes: Tensor
    labels: Tensor
    anomaly: Tensor


def anomaly_truth(sample: dict[str, Any]) -> AnomalyTruth:
    """Return the objects of a data sample, known classes first.

    Ignored objects that are not anomalous, such as crowds, are left out.

    Args:
        sample: A ``DetDataSample``, or what its ``to_dict`` gives, as metrics
            get it.

    Raises:
        KeyError: The sample does not tell which objects are anomalous.
    """
    parts = [_fields(sample, name) for name in FIELDS]
    ignored = parts[1]
    keep = ignored['anomaly'] > 0
    parts[1] = {key: value[keep] for key, value in ignored.items()}
    boxes, labels, anomaly = (
        torch.cat([part[key] for part in parts])
        for key in ('bboxes', 'labels', 'anomaly')
    )
    return AnomalyTruth(boxes.float(), labels, anomaly > 0)


FIELDS = ('gt_instances', 'ignored_instances')


def _fields(sample: dict[str, Any], name: str) -> dict[str, Tensor]:
    """Return boxes, labels and anomaly of one field, as plain tensors."""
    found = sample.get(name)
    keys = ('bboxes', 'labels', 'anomaly')
    missing = [key for key in keys if found is None or key not in found]
    if missing:
        raise KeyError(
            f'the sample has no {missing[0]!r} in {name}; use '
            'mmocc.LoadAnomalyAnnotations and mmocc.PackAnomalyInputs in the '
            'test pipeline'
        )
    values = {key: found[key] for key in keys}
    values['bboxes'] = getattr(values['bboxes'], 'tensor', values['bboxes'])
    return values
