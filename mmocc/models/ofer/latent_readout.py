"""What becomes of the chosen latents: one vector for a face."""

from mmengine.model import BaseModule
from torch import Tensor, nn

from mmocc.registry import MODELS


@MODELS.register_module()
class LatentProjection(BaseModule):
    """Project each latent alike, and take the mean: small, for any number.

    Where a latent lies is in the latent itself: the ViT adds the position to
    it.

    Args:
        in_dims: Width D of a latent.
        out_dims: Width of the vector.
    """

    def __init__(self, in_dims: int, out_dims: int = 256) -> None:
        super().__init__()
        self.out_dims = out_dims
        self.project = nn.Sequential(
            nn.LayerNorm(in_dims), nn.Linear(in_dims, out_dims), nn.GELU()
        )
        self.norm = nn.BatchNorm1d(out_dims)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, out_dims) of latents (N, K, D)."""
        return self.norm(self.project(tokens).mean(dim=1))


@MODELS.register_module()
class LatentMLP(BaseModule):
    """The authors' release: all latents in a row, through four layers.

    There is no non-linearity between the layers. With the defaults it has
    454,768,936 parameters.

    Args:
        in_dims: Width D of a latent.
        num_tokens: Their number K.
        hidden_dims: Widths of the first three layers.
        out_dims: Width of the vector.
    """

    def __init__(
        self,
        in_dims: int = 512,
        num_tokens: int = 78,
        hidden_dims: tuple[int, int, int] = (10000, 5000, 1024),
        out_dims: int = 256,
    ) -> None:
        super().__init__()
        self.num_tokens = num_tokens
        self.out_dims = out_dims
        first, second, third = hidden_dims
        self.layers = nn.Sequential(
            nn.Linear(num_tokens * in_dims, first),
            nn.Linear(first, second),
            nn.BatchNorm1d(second),
            nn.Linear(second, third),
            nn.Linear(third, out_dims),
            nn.BatchNorm1d(out_dims),
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (N, out_dims) of latents (N, K, D).

        Raises:
            ValueError: If their number is not K.
        """
        if tokens.shape[1] != self.num_tokens:
            raise ValueError(
                f'mmocc.LatentMLP was made for num_tokens={self.num_tokens} '
                f'latents, the selector gives {tokens.shape[1]}'
            )
        return self.layers(tokens.flatten(1))
