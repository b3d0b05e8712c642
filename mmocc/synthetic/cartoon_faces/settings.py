"""What a set of cartoon faces is to hold."""

from dataclasses import dataclass

SPLITS = ('train', 'val', 'test')
LEAST_SIZE = 32  # px; brows and mouths are lost below it


@dataclass(frozen=True)
class FaceSettings:
    """What the faces depend on.

    Attributes:
        seed: Base seed.
        size: Side of a picture in pixels.
        train: Number of training pictures.
        val: Number of validation pictures.
        test: Number of test pictures.
        per_subject: Pictures of one person; all are in the same split. Every
            person shows the expressions in turn.
        occluders: Cut-outs of each kind of occluder.
        occluder_size: Longer side of a cut-out in pixels.

    Raises:
        ValueError: One of them is out of range.
    """

    seed: int = 0
    size: int = 64
    train: int = 2002
    val: int = 350
    test: int = 700
    per_subject: int = 14
    occluders: int = 40
    occluder_size: int = 96

    def __post_init__(self) -> None:
        least = dict.fromkeys(SPLITS, 0) | dict(
            seed=0,
            size=LEAST_SIZE,
            per_subject=1,
            occluders=0,
            occluder_size=LEAST_SIZE,
        )
        for name, low in least.items():
            if getattr(self, name) < low:
                raise ValueError(
                    f'{name} is {getattr(self, name)}; use {low} or more'
                )
