"""The MAE's own redrawing, with nothing after it."""

from torch import Tensor

from mmocc.models.ofer.base_reconstructor import BaseReconstructor
from mmocc.registry import MODELS


@MODELS.register_module()
class MAEReconstructor(BaseReconstructor):
    """Fill hidden patches with the coarse picture of the extractor's MAE.

    What Latent-OFER's tables 2 and 9 call MAE. Nothing to train; arguments
    are those of :class:`BaseReconstructor`.
    """

    def redraw(self, images: Tensor, hole: Tensor, coarse: Tensor) -> Tensor:
        """Return the coarse pictures (N, 3, H, W)."""
        return coarse
