"""Accuracy of each class, and their mean."""

import numpy as np
import torch
from mmengine.logging import print_log

from mmocc.evaluation.class_accuracies import class_accuracies
from mmocc.evaluation.summed_metric import SummedMetric
from mmocc.registry import METRICS
from mmocc.utils.class_labels import class_labels


@METRICS.register_module()
class MeanClassAccuracy(SummedMetric):
    """Mean over the classes of their accuracy, in percent.

    Also called balanced accuracy or mean recall: each class has the same
    weight. It is over the whole set, so batches do not change it. Gives
    ``mean`` and the accuracy of each class under its name, or its name and
    number where two classes have the same. Classes without a sample are not in
    the mean, and the log names them.

    Args:
        per_class: Whether to give the accuracy of each class.
        collect_device: ``cpu`` or ``gpu``, for sums of several processes.
        prefix: Of the names.
    """

    default_prefix = 'class_accuracy'

    def __init__(
        self,
        per_class: bool = True,
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device, prefix)
        self.per_class = per_class

    def score(self, sample: dict) -> np.ndarray:
        """Return the (C, C) confusion of one sample: a single 1.

        ValueError if it has several labels, or one outside the classes.
        """
        scores = torch.as_tensor(sample['pred_score'])
        label = torch.as_tensor(sample['gt_label'])
        count = len(scores)
        if label.numel() != 1 or not 0 <= int(label) < count:
            raise ValueError(
                'mmocc.MeanClassAccuracy needs one label of 0 .. '
                f'{count - 1} for each image; {sample.get("img_path", "one")} '
                f'has {label.tolist()}: check num_classes of the head against '
                'the classes of the data'
            )
        confusion = np.zeros((count, count), np.int64)
        confusion[int(label), int(scores.argmax())] = 1
        return confusion

    def summarize(self, total: np.ndarray) -> dict[str, float]:
        """Return the mean, and the accuracy of each class."""
        names = self._names(len(total))
        values = dict(zip(names, 100 * class_accuracies(total), strict=True))
        known = {k: float(v) for k, v in values.items() if not np.isnan(v)}
        absent = [name for name in names if name not in known]
        if absent:
            print_log(
                f'MeanClassAccuracy: no sample of {", ".join(absent)}; the '
                'mean is over the other classes',
                logger='current',
            )
        mean = {'mean': float(np.mean(list(known.values())))}
        return mean | known if self.per_class else mean

    def _names(self, count: int) -> list[str]:
        """Return the data set's class names, all different, or numbers."""
        names = (self.dataset_meta or {}).get('classes') or []
        if len(names) == count:
            return class_labels(names)
        return [str(i) for i in range(count)]
