"""A metric that keeps what was found in each photo."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmocc.report.detection_store import Detections

MOST = 100  # boxes of a photo that count, as in COCO's metric


class KeepDetections(BaseMetric):
    """Keep the surest boxes of each photo, and its annotated objects.

    Gives no number. ``found`` has them after the evaluation, in the first
    process; it stays None where the data set does not tell its objects.
    """

    default_prefix = 'kept'
    found: Detections | None = None

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the boxes and objects of each sample."""
        for sample in data_samples:
            objects = sample.get('occlusion_objects')
            if objects is None:
                self.results.append(None)
                continue
            pred = sample['pred_instances']
            scores = pred['scores'].float().cpu().numpy()
            # COCO's order: the surest first, equal ones as they come
            best = np.argsort(-scores, kind='mergesort')[:MOST]
            shares = sample.get('occlusion_shares')
            if shares is None:
                shares = np.zeros(len(objects['labels']), np.float32)
            self.results.append(
                dict(
                    photo=sample['occlusion_identity'],
                    boxes=pred['bboxes'].float().cpu().numpy()[best],
                    scores=scores[best],
                    labels=pred['labels'].cpu().numpy()[best],
                    objects=objects['boxes'],
                    object_labels=objects['labels'],
                    ignored=objects['ignored'],
                    shares=np.asarray(shares, np.float32),
                )
            )

    def compute_metrics(self, results: list[dict | None]) -> dict:
        """Join the photos, in the order of the test set."""
        known = [part for part in results if part is not None]
        self.found = joined(known) if len(known) == len(results) else None
        return {}


def joined(parts: Sequence[dict]) -> Detections | None:
    """Return photos as one set of arrays; None without a photo."""
    if not parts:
        return None

    def stack(name: str) -> np.ndarray:
        return np.concatenate([part[name] for part in parts])

    places = np.arange(len(parts))
    return Detections(
        photo=np.array([part['photo'] for part in parts], str),
        owner=np.repeat(places, [len(part['scores']) for part in parts]),
        object_owner=np.repeat(
            places, [len(part['object_labels']) for part in parts]
        ),
        **{
            name: stack(name)
            for name in (
                'boxes', 'scores', 'labels',
                'objects', 'object_labels', 'ignored', 'shares',
            )
        },
    )  # fmt: skip
