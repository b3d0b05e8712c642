"""A classifier of the app: a square photo in, probabilities and a map out."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from mmocc.app.photos import Pixels
from mmocc.visualization.colours import overlay_heat

Floats = NDArray[np.float32]


class Answer(NamedTuple):
    """What a classifier answers about a photo.

    Attributes:
        scores: (classes,) probabilities.
        label: The class of the highest.
        cam: (h, w) its class map, of any range.
    """

    scores: Floats
    label: int
    cam: Floats


@dataclass
class Classifier:
    """A trained network, and how it is asked.

    Attributes:
        name: For people.
        model: Gives logits (1, classes); its last layer is linear on the
            averaged map.
        prepare: From (s, s, 3) uint8 RGB to its input (1, 3, s, s).
        switched: Opens what holds while it answers, such as LEARN off.
    """

    name: str
    model: nn.Module
    prepare: Callable[[Pixels], Tensor]
    switched: Callable[[], AbstractContextManager] = field(default=nullcontext)

    @torch.no_grad()
    def __call__(self, photo: Pixels) -> Answer:
        """Answer a square photo.

        Raises:
            ValueError: If the network has no class map.
        """
        inputs = self.prepare(photo)
        with self.switched():
            logits, maps = run(self.model, inputs)
        label = int(logits[0].argmax())
        weight = last_layer(self.model, logits, maps).weight[label]
        cam = torch.einsum('c,chw->hw', weight, maps[0])
        scores = logits[0].softmax(0)
        return Answer(scores.cpu().numpy(), label, cam.float().cpu().numpy())


def run(model: nn.Module, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Return logits (1, classes), and the last map (1, C, h, w) before them.

    ValueError if there is no map.
    """
    last: list[Tensor] = []

    def note(_: nn.Module, args: tuple) -> None:
        value = args[0] if args else None
        if isinstance(value, tuple | list) and value:
            value = value[-1]  # of a backbone's maps
        if torch.is_tensor(value) and value.ndim == 4:
            if value.shape[2:].numel() == 1 and last:
                return  # pooled already: timm flattens after its pooling
            last[:] = [value]

    hooks = [m.register_forward_pre_hook(note) for m in model.modules()]
    try:
        logits = model(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    if not last:
        raise ValueError('the network has no map of positions')
    return logits, last[0]


def last_layer(model: nn.Module, logits: Tensor, maps: Tensor) -> nn.Linear:
    """Return the layer that makes logits of the averaged maps.

    ValueError if there is none, so that there is no class map (CAM, Zhou et
    al., CVPR 2016).
    """
    mean = maps.mean(dim=(2, 3))
    for layer in model.modules():
        if isinstance(layer, nn.Linear) and layer.in_features == mean.shape[1]:
            made = layer(mean)
            if made.shape == logits.shape and torch.allclose(
                made, logits, rtol=1e-3, atol=1e-3
            ):
                return layer
    raise ValueError(
        'the last layer of the network is not linear on its averaged map, so '
        'that it has no class map; choose another network'
    )


@dataclass
class Networks:
    """The classifiers that are compared, and what they are asked about.

    Attributes:
        classifiers: The plain one first.
        classes: Names, in the order of the outputs.
        side: Of the square that they see, in pixels.
        part: Of the photo's shorter side that it has.
        words: Where they are from.
        examples: Photos to begin with, (H, W, 3) uint8 RGB.
    """

    classifiers: Sequence[Classifier]
    classes: Sequence[str]
    side: int
    part: float
    words: str
    examples: Sequence[Pixels] = ()


def best(
    answer: Answer, classes: Sequence[str], number: int = 5
) -> dict[str, float]:
    """Return the likeliest classes and their probabilities, best first.

    Of a class's synonyms the first is its name; of two alike, the second one
    gets its number.
    """
    order = np.argsort(-answer.scores, kind='stable')[:number]
    named: dict[str, float] = {}
    for place in order.tolist():
        name = classes[place].split(',')[0]
        key = f'{name} ({place})' if name in named else name
        named[key] = float(answer.scores[place])
    return named


def map_picture(photo: Pixels, answer: Answer) -> Pixels:
    """Return a photo under its class map: dark red is the map's maximum.

    Blue is 0 and below.
    """
    cam = cv2.resize(
        answer.cam, photo.shape[1::-1], interpolation=cv2.INTER_LINEAR
    )
    return overlay_heat(photo, cam, 0.0, max(float(cam.max()), 1e-12))
