"""How many objects of a detection test set an occlusion reached."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric

from mmocc.datasets.transforms.occlude_objects import IGNORED
from mmocc.occlusion.occlude_objects import BELOW, INSIDE, TOO_SMALL


class ObjectCounts(BaseMetric):
    """Count the objects inside the level, and those that are not.

    Reads what ``mmocc.OccludeObjects`` stored as metainfo. Gives, under
    ``occlusion/``: the number of ``objects`` that count for the metrics,
    those of them ``inside`` the level, ``below`` it and ``too_small`` for it;
    besides them the ``ignored`` ones; and ``mean_share``, the mean hidden
    share of the objects.
    """

    default_prefix = 'occlusion'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the shares and states of each sample's objects."""
        for sample in data_samples:
            pair = (sample['occlusion_shares'], sample['occlusion_status'])
            self.results.append(pair)

    def compute_metrics(self, results: list[tuple]) -> dict[str, float]:
        """Return the counts and the mean share (NaN without objects)."""
        status = Counter(s for _, states in results for s in states)
        shares = [
            float(share)
            for found, states in results
            for share, state in zip(found, states, strict=True)
            if state != IGNORED and not np.isnan(share)
        ]
        names = (INSIDE, BELOW, TOO_SMALL)
        counts = {name: status[name] for name in names}
        return dict(
            objects=sum(counts.values()),
            **counts,
            ignored=status[IGNORED],
            mean_share=float(np.mean(shares)) if shares else float('nan'),
        )
