"""A pipeline, its samples and batches, as mm has them, without mm.

What mm's own pipelines give (``DataSample`` and lists of it) is used by the
same names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any


class Steps:
    """Steps of a pipeline, one after another.

    Args:
        transforms: Each takes and returns the results of a sample.
    """

    def __init__(self, transforms: Iterable[Callable]) -> None:
        self.transforms = list(transforms)

    def __call__(self, results: Any) -> Any:
        """Return what the last step gives; None as soon as one gives None."""
        for step in self.transforms:
            results = step(results)
            if results is None:
                return None
        return results


class Sample(SimpleNamespace):
    """What is known of an image beside its pixels."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return what has a name, or the default."""
        return getattr(self, name, default)

    def set_metainfo(self, known: Mapping[str, Any]) -> None:
        """Store what is known by name."""
        vars(self).update(known)


class Options(dict):
    """Settings by name, also as attributes, as in a config of mmengine."""

    filename = None  # of no file

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


def collate_lists(samples: Sequence[Mapping[str, Any]]) -> dict[str, list]:
    """Return a batch: by name, what the samples have, as a list."""
    return {name: [s[name] for s in samples] for name in samples[0]}
