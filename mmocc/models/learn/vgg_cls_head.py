"""VGG's three fully connected layers as a head.

mmpretrain keeps them inside the backbone, where no neck can come before them.
"""

from mmpretrain.models.heads import ClsHead
from torch import Tensor, nn

from mmocc.registry import MODELS


@MODELS.register_module()
class VGGClsHead(ClsHead):
    """FC - ReLU - dropout - FC - ReLU - dropout - FC on a flattened map.

    Use it with ``VGG(num_classes=-1, out_indices=(4,))``. The layout is that
    of mmpretrain's ``backbone.classifier.*``, so its checkpoints fit:

    - in a new model, by ``init_cfg=dict(type='Pretrained', checkpoint=...,
      prefix='backbone.')`` on this head (a last layer for another number of
      classes is not loaded);
    - in ``mmocc.LEARNClassifier``, by ``load_from``, which calls
      :meth:`remap_state_dict`.

    Args:
        num_classes: Number of classes.
        in_channels: Channels of the feature map.
        feat_size: Side of the (square) feature map; 7 for 224-pixel images.
        hidden_channels: Width of the two hidden layers.
        dropout: Dropout ratio after each hidden layer.
        **kwargs: As in ``mmpretrain``'s ClsHead (``loss``, ``topk``,
            ``cal_acc``, ``init_cfg``).
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 512,
        feat_size: int = 7,
        hidden_channels: int = 4096,
        dropout: float = 0.5,
        **kwargs,
    ) -> None:
        init_cfg = dict(type='Normal', layer='Linear', std=0.01)
        super().__init__(**{'init_cfg': init_cfg, **kwargs})
        self.num_classes = num_classes
        self.map_shape = (in_channels, feat_size, feat_size)
        self.classifier = nn.Sequential(
            nn.Linear(in_channels * feat_size**2, hidden_channels),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(hidden_channels, hidden_channels),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(hidden_channels, num_classes),
        )

    def pre_logits(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the (N, hidden_channels) input of the last layer.

        Args:
            feats: Features; the last is (N, in_channels, feat_size,
                feat_size).

        Raises:
            ValueError: If the map has another shape.
        """
        feat = feats[-1]
        if tuple(feat.shape[1:]) != self.map_shape:
            raise ValueError(
                f'mmocc.VGGClsHead was built for maps of {self.map_shape} '
                f'(in_channels, feat_size, feat_size), got '
                f'{tuple(feat.shape[1:])}; set them to fit the input size'
            )
        return self.classifier[:-1](feat.flatten(1))

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Return the (N, num_classes) logits."""
        return self.classifier[-1](self.pre_logits(feats))

    @staticmethod
    def remap_state_dict(state_dict: dict, prefix: str) -> None:
        """Rename mmpretrain VGG's ``backbone.classifier.*``, in place.

        Args:
            state_dict: State dict of a whole model.
            prefix: This head's prefix in it, ``head.`` as a rule.
        """
        old = f'{prefix.removesuffix("head.")}backbone.classifier.'
        for key in [key for key in state_dict if key.startswith(old)]:
            new = f'{prefix}classifier.{key.removeprefix(old)}'
            state_dict[new] = state_dict.pop(key)
