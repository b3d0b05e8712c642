"""How well a detector finds occluded patches."""

import logging
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmocc.evaluation.patch_values import patch_values
from mmocc.registry import METRICS


@METRICS.register_module()
class PatchOcclusionMetric(BaseMetric):
    """Accuracy, precision, recall, F1 and AUROC of occluded patches, and more.

    For models that give ``pred_patch_dist`` and ``pred_patch_mask`` (L,), such
    as ``mmocc.PatchSVDD``. The truth is ``patch_coverage`` (gh, gw) of
    ``mmocc.PasteOcclusion``: a patch is occluded if at least ``threshold`` of
    it is hidden, else clean. All patches of all images have the same weight.
    All values are in percent, as in the paper's table 1 (arXiv 2307.11404),
    which gives neither the threshold nor the positive class. ``recall_at_5``
    is the recall where 5 % of the clean patches are flagged, whatever the
    radius.

    ``flagged`` is the share of patches that the model calls occluded, and the
    only value if a sample lacks ``patch_coverage``. Undefined values (without
    occluded patches, for example) are left out, with a warning.

    Args:
        threshold: Coverage in (0, 1] from which a patch is occluded; otherwise
            ValueError.
        group_by: Field of the samples; each of its values also gets metrics of
            its images: ``auroc_hand`` is over images with a hand. ``gt_label``
            works too; None for no groups.
        collect_device: ``cpu`` or ``gpu``, for results of several processes.
        prefix: Of the names.
    """

    default_prefix = 'patch'

    def __init__(
        self,
        threshold: float = 0.5,
        group_by: str | None = 'occlusion_kind',
        collect_device: str = 'cpu',
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not 0 < threshold <= 1:
            raise ValueError(f'threshold is {threshold}; it must be in (0, 1]')
        self.threshold = threshold
        self.group_by = group_by

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the patches of a batch; ValueError if they do not fit."""
        for sample in data_samples:
            if sample.get('pred_patch_dist') is None:
                raise ValueError(
                    'mmocc.PatchOcclusionMetric needs pred_patch_dist and '
                    'pred_patch_mask in each data sample; use mmocc.PatchSVDD '
                    'or another patch detector as model'
                )
            distances = as_array(sample['pred_patch_dist'])
            truth = sample.get('patch_coverage')
            if truth is not None:
                truth = as_array(truth).ravel()
                if truth.shape != distances.shape:
                    raise ValueError(
                        f'{sample.get("img_path", "a sample")}: a coverage '
                        f'of {len(truth)} patches for {len(distances)} '
                        'distances; give mmocc.PasteOcclusion the '
                        'patch_size of the model'
                    )
                # A share such as 0.3 is not exact in float32.
                truth = truth >= self.threshold - 1e-6
            self.results.append(
                dict(
                    group=self._group(sample),
                    occluded=truth,
                    flagged=as_array(sample['pred_patch_mask']) > 0,
                    distances=distances.astype(np.float32),
                )
            )

    def _group(self, sample: dict) -> str | None:
        """Return the name of a sample's group, None if it has none."""
        value = sample.get(self.group_by) if self.group_by else None
        if isinstance(value, torch.Tensor | np.ndarray):
            value = torch.as_tensor(value).flatten().tolist()
            value = value[0] if len(value) == 1 else value
        return None if value in (None, '') else str(value)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return the metrics of all images, and of each group."""
        values = self._values(results, '')
        groups = {r['group'] for r in results} - {None}
        for name in sorted(groups):
            part = [r for r in results if r['group'] == name]
            values |= self._values(part, f'_{name}')
        undefined = [name for name, value in values.items() if value is None]
        if undefined:
            print_log(
                f'mmocc.PatchOcclusionMetric: {", ".join(undefined)} are not '
                f'defined for {len(results)} images: no patch is occluded, '
                'none is clean, or none is flagged',
                logger='current',
                level=logging.WARNING,
            )
        return {k: v for k, v in values.items() if v is not None}

    @staticmethod
    def _values(results: list[dict], suffix: str) -> dict[str, float | None]:
        """Return the metrics of some images."""
        flagged = np.concatenate([r['flagged'] for r in results])
        values = dict(flagged=100 * float(flagged.mean()))
        if all(r['occluded'] is not None for r in results):
            occluded, distances = (
                np.concatenate([r[key] for r in results])
                for key in ('occluded', 'distances')
            )
            values |= patch_values(occluded, flagged, distances)
        return {f'{key}{suffix}': value for key, value in values.items()}


def as_array(value: torch.Tensor | np.ndarray) -> np.ndarray:
    """Return a tensor or array as an array."""
    if isinstance(value, torch.Tensor):
        value = value.detach().float().cpu().numpy()
    return np.asarray(value)
