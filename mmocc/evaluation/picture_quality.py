"""How close a picture comes to the true one."""

import numpy as np


def picture_quality(
    recon: np.ndarray, clean: np.ndarray, hole: np.ndarray | None = None
) -> dict[str, float]:
    """Return ``psnr`` in dB (inf for equal pictures) and ``ssim``, 1 at most.

    By scikit-image; SSIM is that of Wang et al. (IEEE TIP 13(4), 2004):
    Gaussian window of sigma 1.5, mean over channels.

    Args:
        recon: (H, W, 3) in 0 to 255, at least 11 pixels high and wide.
        clean: The same shape.
        hole: (H, W) bool, the pixels to compare; None for all. SSIM's windows
            extend beyond it.
    """
    # Comes with mmdet; other tasks do not need it.
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    recon, clean = (np.asarray(x, np.float64) for x in (recon, clean))
    _, ssim = structural_similarity(
        recon,
        clean,
        data_range=255,
        channel_axis=2,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        full=True,
    )
    hole = np.ones(recon.shape[:2], bool) if hole is None else hole
    with np.errstate(divide='ignore'):  # equal pictures: inf
        psnr = peak_signal_noise_ratio(
            clean[hole], recon[hole], data_range=255
        )
    return dict(psnr=float(psnr), ssim=float(ssim[hole].mean()))
