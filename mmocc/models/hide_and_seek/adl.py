"""Attention-based dropout: hide or weigh a map by its own attention."""

import torch
from torch import Tensor, nn

from mmocc.models.feature_maps import tokens_to_map
from mmocc.registry import MODELS


@MODELS.register_module()
class ADL(nn.Module):
    """Attention-based Dropout Layer; in evaluation it does nothing.

    Choe and Shim, "Attention-based Dropout Layer for Weakly Supervised Object
    Localization", CVPR 2019, arXiv 1908.10028, section 3, as in
    clovaai/wsolevaluation. The attention is the mean over the channels. At
    each call, one for the whole batch, the map is multiplied by

    - the drop mask, with the probability ``drop_rate``: 0 where the attention
      is at least ``gamma`` times the image's maximum, else 1;
    - otherwise the importance map, the sigmoid of the attention.

    ``mmocc.HideFeaturesHook`` puts it after a module of any model. The paper
    has it after several: in VGG after the third and the fourth pooling and
    conv5-3, in ResNet-50 within stages 3 and 4. It is meant for maps after a
    ReLU.

    Args:
        drop_rate: Probability of the drop mask.
        gamma: Share of the maximum from which positions are dropped.

    Raises:
        ValueError: If one of them is outside [0, 1].
    """

    def __init__(self, drop_rate: float = 0.75, gamma: float = 0.9) -> None:
        super().__init__()
        if not (0 <= drop_rate <= 1 and 0 <= gamma <= 1):
            raise ValueError(
                f'drop_rate is {drop_rate} and gamma {gamma}; both must be in '
                '[0, 1]'
            )
        self.drop_rate, self.gamma = drop_rate, gamma

    def forward(self, maps: Tensor) -> Tensor:
        """Return maps (N, C, H, W), dropped or weighed in training.

        Tokens (N, L, C) are the map of their square grid.

        Raises:
            ValueError: If it is neither.
        """
        if not self.training:
            return maps
        if maps.dim() == 3:
            grid, back = tokens_to_map(maps)
            return back(self.forward(grid))
        if maps.dim() != 4:
            raise ValueError(
                'mmocc.ADL needs maps (N, C, H, W) or tokens (N, L, C), got '
                f'shape {tuple(maps.shape)}; name another module'
            )
        attention = maps.mean(dim=1, keepdim=True)
        most = attention.amax(dim=(2, 3), keepdim=True)
        drop = (attention < self.gamma * most).to(maps.dtype)
        # Chosen on the device, so that the host does not wait for it.
        dropped = torch.rand((), device=maps.device) < self.drop_rate
        return maps * torch.where(dropped, drop, attention.sigmoid())

    def extra_repr(self) -> str:
        """Return the arguments."""
        return f'drop_rate={self.drop_rate}, gamma={self.gamma}'
