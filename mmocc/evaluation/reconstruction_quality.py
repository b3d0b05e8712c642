"""How close reconstructed pictures come to the true ones."""

from collections.abc import Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from mmocc.evaluation.patch_occlusion_metric import as_array
from mmocc.evaluation.picture_quality import picture_quality
from mmocc.registry import METRICS


@METRICS.register_module()
class ReconstructionQuality(BaseMetric):
    """PSNR and SSIM of reconstructed faces, of the whole and of the hole.

    For models that give ``recon``, such as ``mmocc.HybridReconstructor`` and
    ``mmocc.LatentOFER``, on samples with ``clean_img``
    (``mmocc.PasteOcclusion`` with ``keep_clean=True``). Gives ``psnr``,
    ``ssim``, ``psnr_hole`` and ``ssim_hole``, means over pictures; the hole
    is what ``pred_patch_mask`` hides. Pictures without a hole are left out,
    and the log counts them. Arguments are those of mmengine's ``BaseMetric``.
    """

    default_prefix = 'recon'

    def process(self, data_batch: dict, data_samples: Sequence[dict]) -> None:
        """Keep the quality of each sample; None where nothing is hidden.

        ValueError if a sample lacks a field, or sizes differ.
        """
        for sample in data_samples:
            recon, clean, hole = _pictures(sample)
            quality = None
            if hole.any():
                inside = picture_quality(recon, clean, hole)
                quality = picture_quality(recon, clean) | {
                    f'{name}_hole': value for name, value in inside.items()
                }
            self.results.append(quality)

    def compute_metrics(
        self, results: list[dict[str, float] | None]
    ) -> dict[str, float]:
        """Return the means over pictures; ValueError if none has a hole."""
        rows = [quality for quality in results if quality is not None]
        if not rows:
            raise ValueError(
                f'nothing is hidden in any of {len(results)} pictures: there '
                'is no reconstruction to judge'
            )
        if len(rows) < len(results):
            print_log(
                f'mmocc.ReconstructionQuality: {len(results) - len(rows)} of '
                f'{len(results)} pictures have no hole and are left out',
                logger='current',
            )
        return {k: float(np.mean([row[k] for row in rows])) for k in rows[0]}


def _pictures(sample: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the picture and the clean one (H, W, 3) RGB, and the hole."""
    keys = ('recon', 'clean_img', 'pred_patch_mask', 'patch_grid')
    name = sample.get('img_path', 'a sample')
    missing = [key for key in keys if sample.get(key) is None]
    if missing:
        raise ValueError(
            f'{name} has no {" and no ".join(missing)}: a reconstructor gives '
            'recon and the mask, mmocc.PasteOcclusion(keep_clean=True) gives '
            'clean_img; PackInputs must list it in its meta_keys'
        )
    recon, clean, mask = (as_array(sample[key]) for key in keys[:3])
    recon, clean = recon.transpose(1, 2, 0), clean[..., ::-1]
    if recon.shape != clean.shape:
        raise ValueError(
            f'{name}: the reconstructed picture is {recon.shape}, the clean '
            f'one {clean.shape}; put mmocc.PasteOcclusion after all steps '
            'that change the size'
        )
    grid = tuple(sample['patch_grid'])
    sides = recon.shape[0] // grid[0], recon.shape[1] // grid[1]
    hole = np.kron(np.reshape(mask, grid) > 0, np.ones(sides)) > 0
    return recon, clean, hole
