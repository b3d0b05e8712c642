"""A backbone of your own: any module that returns a tuple of features."""

from mmengine.model import BaseModule
from mmengine.registry import MODELS
from torch import Tensor, nn


# mmengine's registry is the root of all: every host finds what it holds.
@MODELS.register_module()
class MyBackbone(BaseModule):
    """A plain stack of convolutions, each at half the size of the last.

    Args:
        channels: Output channels of each stage.
        init_cfg: mmengine's initialisation config.
    """

    def __init__(
        self,
        channels: tuple[int, ...] = (32, 64, 128),
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.stages = nn.Sequential(
            *(
                nn.Sequential(
                    nn.Conv2d(c_in, c_out, 3, stride=2, padding=1, bias=False),
                    nn.BatchNorm2d(c_out),
                    nn.ReLU(),
                )
                for c_in, c_out in zip(
                    (3, *channels[:-1]), channels, strict=True
                )
            )
        )

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Return the last stage's map, in a tuple as the head expects.

        Args:
            x: (N, 3, H, W).

        Returns:
            One tensor (N, channels[-1], h, w).
        """
        return (self.stages(x),)
