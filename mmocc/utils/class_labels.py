"""Names of classes that tell them apart."""

from collections import Counter
from collections.abc import Sequence


def class_labels(classes: Sequence[str]) -> list[str]:
    """Return class names, with the number where two have the same name.

    ImageNet has two cranes: a bird and a machine.
    """
    times = Counter(classes)
    return [
        f'{name} ({label})' if times[name] > 1 else name
        for label, name in enumerate(classes)
    ]
