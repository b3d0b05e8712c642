"""A classification test set, seen through the occlusions of a table.

A cell is one column of the occluded-vehicle tables: ``L0`` (clean), or a level
and an occluder kind, such as ``L2 texture``.
"""

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from mmcv.transforms import Compose
from torch.utils.data import Dataset

from mmocc.datasets.transforms.occlude import Occlude
from mmocc.occlusion import CLEAN, OccluderBank, split_cell
from mmocc.registry import DATASETS

OCCLUSION_KEYS = ('occlusion_share', 'occlusion_region')


def share_bank(
    cells: Sequence[str],
    texture_bank: str | Sequence[str] | None = None,
    object_bank: str | Sequence[str] | None = None,
    texture_size: int = 256,
    **occlude_args: Any,
) -> dict[str, Any]:
    """Return arguments of ``mmocc.Occlude`` with one bank for all cells.

    So that textures and cut-outs are read once, and not for each cell.
    """
    kinds = [split_cell(cell)[1] for cell in cells if cell != CLEAN]
    if kinds:
        kinds = list(dict.fromkeys(kinds))
        occlude_args['bank'] = OccluderBank(
            kinds, texture_bank, object_bank, texture_size
        )
    return occlude_args


def make_occlude(
    cell: str, transform: type[Occlude] = Occlude, **occlude_args: Any
) -> Occlude | None:
    """Return the occlusion of a cell; None for ``L0``.

    Args:
        cell: Name as in :func:`mmocc.occlusion.cell_names`.
        transform: ``mmocc.Occlude``, or ``mmocc.OccludeObjects``.
        **occlude_args: Further arguments of the transform.

    Raises:
        ValueError: If the name is no cell's.
    """
    if cell == CLEAN:
        return None
    level, kind = split_cell(cell)
    return transform(kind=kind, level=level, **occlude_args)


class PackOcclusion:
    """Pack as the host does, and keep what is known of the occlusion.

    Args:
        pack: The host's packing transform.
        cell: Name of the cell.
    """

    def __init__(self, pack: Callable[[dict], dict], cell: str) -> None:
        self.pack = pack
        self.cell = cell

    def __call__(self, results: dict) -> dict:
        """Return the packed sample with ``occlusion_*`` as metainfo."""
        packed = self.pack(results)
        known = {key: results[key] for key in OCCLUSION_KEYS if key in results}
        packed['data_samples'].set_metainfo(
            dict(known, occlusion_cell=self.cell)
        )
        return packed


def insert_occlude(
    transforms: Sequence[Callable], occlude: Callable | None, cell: str
) -> list[Callable]:
    """Return a test pipeline with an occlusion just before its packing.

    That is after loading and all geometric steps: the object is hidden just
    as the model will see it.

    Args:
        transforms: The built transforms of a pipeline.
        occlude: The occlusion, or None.
        cell: Name of the cell.

    Raises:
        ValueError: If the pipeline has no ``Pack...`` transform.
    """
    names = [type(step).__name__ for step in transforms]
    for place, (name, step) in enumerate(zip(names, transforms, strict=True)):
        if name.startswith('Pack'):
            return [
                *transforms[:place],
                *([occlude] if occlude else []),
                PackOcclusion(step, cell),
                *transforms[place + 1 :],
            ]
    raise ValueError(
        'no place for the occlusion: looked for a transform named Pack... '
        f'(such as PackInputs) in the test pipeline {names}'
    )


def change_pipelines(
    dataset: Dataset, change: Callable[[Sequence[Callable]], list[Callable]]
) -> Dataset:
    """Return the same data set, read by another pipeline.

    The annotations are shared, not copied. Wrappers are followed down to the
    data sets with a pipeline.

    Args:
        dataset: A data set of a host.
        change: Gives the new transforms for the built ones of a pipeline.

    Raises:
        ValueError: If there is no pipeline.
    """
    twin = copy.copy(dataset)
    if hasattr(dataset, 'pipeline'):
        twin.pipeline = Compose(change(dataset.pipeline.transforms))
    elif hasattr(dataset, 'datasets'):
        twin.datasets = [
            change_pipelines(part, change) for part in dataset.datasets
        ]
    elif hasattr(dataset, 'dataset'):
        twin.dataset = change_pipelines(dataset.dataset, change)
    else:
        raise ValueError(
            f'{type(dataset).__name__} has no pipeline to put an occlusion in'
        )
    return twin


def occlude_dataset(
    dataset: Dataset, occlude: Callable | None, cell: str
) -> Dataset:
    """Return the same data set, seen through an occlusion.

    Raises:
        ValueError: If there is no pipeline, or no place in it.
    """
    change = partial(insert_occlude, occlude=occlude, cell=cell)
    return change_pipelines(dataset, change)


@DATASETS.register_module()
class OcclusionCells(Dataset):
    """A test set in several cells of the occlusion table, one after another.

    For ``val_dataloader`` or ``test_dataloader``, with the metric
    ``mmocc.OcclusionAccuracy``: how much occlusion costs the model, during
    its training. An occlusion depends on (seed, sample, kind, level) only.

    Args:
        dataset: Config of the data set, or a built one, whose pipeline ends
            in a ``Pack...`` transform.
        cells: Names as in :func:`mmocc.occlusion.cell_names`.
        seed: Base seed of the occlusions.
        **occlude_args: Further arguments of ``mmocc.Occlude``:
            ``texture_bank``, ``object_bank``, ``texture_size``, ``region``.

    Raises:
        ValueError: If a cell is misspelt or none is given, a bank is missing,
            or the pipeline has no place for an occlusion.
    """

    def __init__(
        self,
        dataset: dict | Dataset,
        cells: Sequence[str] = (CLEAN, 'L2 white'),
        seed: int = 0,
        **occlude_args: Any,
    ) -> None:
        if not cells or isinstance(cells, str):
            raise ValueError(
                f"cells must be a list such as ['L0', 'L2 white'], got "
                f'{cells!r}'
            )
        if isinstance(dataset, dict):
            dataset = DATASETS.build(dataset)
        if hasattr(dataset, 'full_init'):
            dataset.full_init()
        self.cells = list(cells)
        shared = share_bank(self.cells, seed=seed, **occlude_args)
        self.parts = [
            occlude_dataset(dataset, make_occlude(cell, **shared), cell)
            for cell in self.cells
        ]

    @property
    def metainfo(self) -> dict:
        """Meta information of the data set."""
        return self.parts[0].metainfo

    def full_init(self) -> None:
        """Do nothing: the data set is read at construction."""

    def __len__(self) -> int:
        """Return the number of images times the number of cells."""
        return len(self.cells) * len(self.parts[0])

    def __getitem__(self, index: int) -> dict:
        """Return a packed sample, with ``occlusion_cell`` as metainfo."""
        part, place = divmod(index, len(self.parts[0]))
        return self.parts[part][place]
