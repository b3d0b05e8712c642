"""A test set, seen through the occlusions of a table.

A cell is one column of the occluded-vehicle tables: ``L0`` (clean), or a level
and an occluder kind, such as ``L2 texture``.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from mmocc.datasets.channel_order import loaded_order
from mmocc.datasets.identity import FromDataRoot, note_identity
from mmocc.datasets.sample_occlusion import SampleOcclusion
from mmocc.occlusion import CLEAN, OccluderBank, split_cell
from mmocc.report.followed import FollowedOcclusion
from mmocc.report.pairing import mask_thumbnail
from mmocc.report.steps import Steps

OCCLUSION_KEYS = (
    'occlusion_share',
    'occlusion_region',
    'occlusion_shares',
    'occlusion_status',
    'channel_order',
    'occlusion_identity',
    'occlusion_photo',
    'occlusion_objects',
)


def share_bank(
    cells: Sequence[str],
    texture_bank: str | Sequence[str] | None = None,
    object_bank: str | Sequence[str] | None = None,
    texture_size: int = 256,
    **occlude_args: Any,
) -> dict[str, Any]:
    """Return arguments of ``mmocc.Occlude`` with one bank for all cells."""
    kinds = {split_cell(cell)[1]: None for cell in cells if cell != CLEAN}
    if kinds:
        occlude_args['bank'] = OccluderBank(
            list(kinds), texture_bank, object_bank, texture_size
        )
    return occlude_args


def make_occlude(
    cell: str,
    transform: type[SampleOcclusion] = SampleOcclusion,
    ready: bool = False,
    **occlude_args: Any,
) -> SampleOcclusion | None:
    """Return the occlusion of a cell, which must exist; None for ``L0``.

    None as well where the images of all cells are ``ready``, occluded by
    others.
    """
    if cell == CLEAN or ready:
        return None
    level, kind = split_cell(cell)
    return transform(kind=kind, level=level, **occlude_args)


class PackOcclusion:
    """Pack as the host does, and keep what is known of the occlusion.

    Args:
        pack: The host's packing transform.
        cell: Name of the cell, if it is to be stored, too.
    """

    def __init__(
        self, pack: Callable[[dict], dict], cell: str | None = None
    ) -> None:
        self.pack = pack
        self.meta = dict(occlusion_cell=cell) if cell else {}

    def __call__(self, results: dict) -> dict:
        """Return the packed sample with ``occlusion_*`` as metainfo."""
        note_identity(results)
        packed = self.pack(results)
        known = {key: results[key] for key in OCCLUSION_KEYS if key in results}
        if 'occlusion_mask' in results:
            mask = results['occlusion_mask']
            known['occlusion_thumbnail'] = mask_thumbnail(mask)
        packed['data_samples'].set_metainfo(known | self.meta)
        return packed


def insert_before_packing(
    transforms: Sequence[Callable],
    occlude: SampleOcclusion | None,
    cell: str,
    to_rgb: bool | None = None,
) -> list[Callable]:
    """Return a test pipeline with an occlusion before its packing.

    The object is hidden after all geometric steps, as the model will see it:
    see :class:`mmocc.report.followed.FollowedOcclusion`. ``to_rgb`` is the
    data preprocessor's, where it is known.

    Raises:
        ValueError: If the pipeline has no ``Pack...`` transform.
    """
    names = [type(step).__name__ for step in transforms]
    places = [i for i, name in enumerate(names) if name.startswith('Pack')]
    if not places:
        raise ValueError(
            'no place for the occlusion: looked for a transform named Pack... '
            f'(such as PackInputs) in the test pipeline {names}'
        )
    steps, pack = list(transforms), places[0]
    return [
        FollowedOcclusion(steps[:pack], occlude, to_rgb),
        PackOcclusion(steps[pack], cell),
        *steps[pack + 1 :],
    ]


def insert_after_loading(
    transforms: Sequence[Callable], occlude: Callable | None
) -> list[Callable]:
    """Return a test pipeline with an occlusion right after its image.

    Without one, only the objects are noted.

    There the boxes and masks of the data set are right (test pipelines of
    mmdet often resize the image only), and every model sees the same
    occlusion, whatever its input size.

    Raises:
        ValueError: If the pipeline does not load an image, or does not pack.
    """
    names = [type(step).__name__ for step in transforms]
    load = [i for i, n in enumerate(names) if 'Load' in n and 'Image' in n]
    pack = [i for i, name in enumerate(names) if name.startswith('Pack')]
    if not load or not pack or pack[0] < load[0]:
        raise ValueError(
            'no place for the occlusion: looked for a transform named '
            'Load...Image... (such as LoadImageFromFile) and, after it, one '
            'named Pack... (such as PackDetInputs) in the test pipeline '
            f'{names}'
        )
    steps = list(transforms)
    steps[pack[0]] = PackOcclusion(steps[pack[0]])
    steps.insert(load[0] + 1, OccludeLoaded(steps[load[0]], occlude))
    return steps


class OccludeLoaded:
    """Occlude an image right after its loading, in its order of channels.

    The annotated objects are noted as ``occlusion_objects``, since they fit
    the photo here: ``boxes`` (n, 4) xyxy, ``labels`` (n,), ``ignored`` (n,).

    Args:
        load: The step that has loaded the image.
        occlude: What hides, if anything does.
    """

    def __init__(
        self,
        load: Callable[[dict], dict],
        occlude: Callable[[dict], dict] | None,
    ) -> None:
        self.load = load
        self.occlude = occlude
        self.order: str | None = None

    def __call__(self, results: dict) -> dict:
        """Return the sample, occluded."""
        if self.order is None:
            info = {k: v for k, v in results.items() if k != 'img'}
            size = results['img'].shape[:2]
            self.order = loaded_order(info, [self.load], size)
        results.setdefault('channel_order', self.order)
        if results.get('instances') is not None:
            results['occlusion_objects'] = noted_objects(results['instances'])
        return self.occlude(results) if self.occlude else results


def noted_objects(instances: Sequence[dict]) -> dict[str, np.ndarray]:
    """Return boxes, labels and ignore flags of an image's annotations."""
    boxes = [item['bbox'] for item in instances]
    labels = [item.get('bbox_label', -1) for item in instances]
    flags = [bool(item.get('ignore_flag')) for item in instances]
    return dict(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array(labels, np.int64),
        ignored=np.array(flags, bool),
    )


def change_pipelines(
    dataset: Any, change: Callable[[Sequence[Callable]], list[Callable]]
) -> Any:
    """Return a data set of the same annotations, read by another pipeline.

    ``change`` gives the new transforms for the built ones of a pipeline.
    Wrappers are followed down to the data sets with a pipeline.

    Raises:
        ValueError: If there is no pipeline.
    """
    twin = copy.copy(dataset)
    if hasattr(dataset, 'pipeline'):
        steps = change(dataset.pipeline.transforms)
        twin.pipeline = Steps([FromDataRoot(dataset), *steps])
    elif hasattr(dataset, 'datasets'):
        twin.datasets = [change_pipelines(d, change) for d in dataset.datasets]
    elif hasattr(dataset, 'dataset'):
        twin.dataset = change_pipelines(dataset.dataset, change)
    else:
        raise ValueError(
            f'{type(dataset).__name__} has no pipeline to put an occlusion in'
        )
    return twin


def occlude_dataset(
    dataset: Any,
    occlude: SampleOcclusion | None,
    cell: str,
    to_rgb: bool | None = None,
) -> Any:
    """Return a classification set, seen through an occlusion.

    ``to_rgb`` is the data preprocessor's, where it is known; it matters for
    data sets that hold their images (:mod:`mmocc.datasets.channel_order`).

    Raises:
        ValueError: If there is no pipeline, or no place in it.
    """
    if cells := getattr(dataset, 'ready_cells', None):  # a test set for each
        dataset = cells.get(cell) or next(iter(cells.values()))
    change = partial(
        insert_before_packing, occlude=occlude, cell=cell, to_rgb=to_rgb
    )
    return change_pipelines(dataset, change)
