"""A detection test set, seen through one cell of an occlusion table."""

from collections.abc import Callable, Sequence
from functools import partial

from torch.utils.data import Dataset

from mmocc.report.cells import change_pipelines

KEPT = ('occlusion_shares', 'occlusion_status')


class PackObjects:
    """Pack as the host does, and keep how much of each object is hidden.

    Args:
        pack: The host's packing transform.
    """

    def __init__(self, pack: Callable[[dict], dict]) -> None:
        self.pack = pack

    def __call__(self, results: dict) -> dict:
        """Return the packed sample with ``occlusion_*`` as metainfo."""
        packed = self.pack(results)
        known = {key: results[key] for key in KEPT}
        packed['data_samples'].set_metainfo(known)
        return packed


def insert_behind_loading(
    transforms: Sequence[Callable], occlude: Callable
) -> list[Callable]:
    """Return a test pipeline with an occlusion right behind its image.

    The objects are hidden in the image as it is on disk: the place where the
    data set's boxes and masks are right (test pipelines of mmdet often resize
    the image only), and where every model sees the same occlusion whatever
    size it wants.

    Args:
        transforms: The built transforms of a pipeline.
        occlude: The occlusion.

    Raises:
        ValueError: If the pipeline does not load an image, or does not pack.
    """
    names = [type(step).__name__ for step in transforms]
    load = [i for i, n in enumerate(names) if 'Load' in n and 'Image' in n]
    pack = [i for i, name in enumerate(names) if name.startswith('Pack')]
    if not load or not pack or pack[0] < load[0]:
        raise ValueError(
            'no place for the occlusion: looked for a transform named '
            'Load...Image... (such as LoadImageFromFile) and, behind it, one '
            'named Pack... (such as PackDetInputs) in the test pipeline '
            f'{names}'
        )
    steps = list(transforms)
    steps[pack[0]] = PackObjects(steps[pack[0]])
    return [*steps[: load[0] + 1], occlude, *steps[load[0] + 1 :]]


def occlude_objects_of(dataset: Dataset, occlude: Callable) -> Dataset:
    """Return the same data set with its objects occluded.

    Raises:
        ValueError: If there is no pipeline, or no place in it.
    """
    change = partial(insert_behind_loading, occlude=occlude)
    return change_pipelines(dataset, change)
