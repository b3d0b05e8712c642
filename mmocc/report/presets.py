"""Ready-made occluded test sets as tables of the report: ``--preset``.

Nothing is hidden here: each cell of a table is a test set of its own, read by
the reader of that set and prepared by the model's own test pipeline.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmocc.occlusion import CLEAN, HARD_LEVELS, KINDS, cell_names, split_cell
from mmocc.report.cells import change_pipelines
from mmocc.utils.files import expand, note

if TYPE_CHECKING:
    from mmengine.config import Config

FOLDERS = {'pascal3d+': 'pascal3d+_occ', 'coco': 'coco_occ'}
REAL = 'real'  # the kind of occlusion that nobody has pasted
OCCLUDED = 'occluded'  # a cell whose level is not stated
STATED = 'stated'  # the region: what the set itself calls its object
# Arguments of a reader that a config for the same set may have changed.
_OWN = ('categories', 'context', 'labels', 'lost_edge', 'synsets')
_MASKED = ('CropObject', 'LoadOcclusionMasks')  # steps for other sets


@dataclass(frozen=True)
class ReadyTable:
    """One table of a preset.

    Attributes:
        name: Its folder below that of the report; empty for the only table.
        cells: Config of the test set of each cell, without its pipeline.
    """

    name: str
    cells: Mapping[str, dict]


class ReadyCells:
    """The test sets of a table; it stands where one data set does.

    Args:
        cells: Data set of each cell, built.

    Attributes:
        ready_cells: The same.
        datasets: The data sets, in order.
    """

    def __init__(self, cells: Mapping[str, Any]) -> None:
        self.ready_cells = dict(cells)
        self.datasets = list(cells.values())

    @property
    def metainfo(self) -> dict:
        """Meta information of the first data set."""
        return self.datasets[0].metainfo

    def __len__(self) -> int:
        """Return the number of images of the largest cell."""
        return max(map(len, self.datasets))


class StateOcclusion:
    """First step of a pipeline: what the set itself states of an occlusion.

    An image is known by category and name, which are the same in all cells
    that show it. Where a level is stated, its middle is the hidden share.
    """

    def __call__(self, results: dict) -> dict:
        """Return the sample with ``occlusion_*``."""
        name = results.get('photo_identity') or results.get('img_id')
        if name is not None:
            identity = f'{results.get("category", "")}/{name}'
            results['occlusion_identity'] = identity
            results['occlusion_photo'] = identity
        results['occlusion_region'] = STATED
        if stated := results.get('occlusion_range'):
            results['occlusion_share'] = sum(stated) / 2
        return results


def occluded_vehicles(root: Path) -> list[ReadyTable]:
    """Return the 13 cells of PASCAL3D+, and the 4 of MS-COCO.

    A table whose folder is not there is left out, which the log says.

    Raises:
        FileNotFoundError: If neither is there.
    """
    plain = dict(type='mmocc.OccludedVehicles', data_root=str(root))
    pasted: dict[str, dict] = {CLEAN: dict(plain, level=CLEAN)}
    for cell in cell_names(KINDS)[1:]:
        level, kind = split_cell(cell)
        pasted[cell] = dict(plain, level=level, kind=kind)
    # Some categories have no COCO list; the reader names them in the log.
    coco = dict(plain, source='coco', allow_missing=True)
    real = {CLEAN: dict(coco, level=CLEAN)} | {
        f'{level} {REAL}': dict(coco, level=level) for level in HARD_LEVELS
    }
    tables = [ReadyTable('pascal3d+', pasted), ReadyTable('coco', real)]
    there = [t for t in tables if (root / FOLDERS[t.name]).is_dir()]
    if not there:
        raise FileNotFoundError(
            f'{root}: neither {" nor ".join(FOLDERS.values())} is there; name '
            'the folder that holds the CompositionalNets data'
        )
    for table in tables:
        if table not in there:
            note(f'{root / FOLDERS[table.name]}: no such folder; left out')
    return there


def occluded_pascal3d(root: Path) -> list[ReadyTable]:
    """Return the levels of OccludedPASCAL3D+, L0 where it was made."""
    cells = {
        f'{level} object': dict(
            type='mmocc.OccludedPASCAL3D', data_root=str(root), level=level
        )
        for level in HARD_LEVELS
    }
    if any((root / 'lists').glob('*FGL0_BGL0.txt')):
        clean = dict(cells['L1 object'], level=CLEAN)
        return [ReadyTable('', {CLEAN: clean, **cells})]
    note(
        f"{root}: no L0, which is no download (the authors' CreateL0.py makes "
        'it); the table begins with L1'
    )
    return [ReadyTable('', cells)]


def smd(root: Path, clean: Path | None = None) -> list[ReadyTable]:
    """Return SMD, and ImageNet's own validation photos where they are."""
    plain = dict(type='mmocc.SuperimposedMasked')
    cells: dict[str, dict] = {OCCLUDED: dict(plain, data_root=str(root))}
    if clean is not None:
        photos = dict(plain, data_root=str(clean), occluded=False)
        cells = {CLEAN: photos, **cells}
    return [ReadyTable('', cells)]


def rod(root: Path) -> list[ReadyTable]:
    """Return ROD, whose objects are really occluded."""
    cell = dict(type='mmocc.RealisticOcclusion', data_root=str(root))
    return [ReadyTable('', {OCCLUDED: cell})]


PRESETS: dict[str, Callable[..., list[ReadyTable]]] = dict(
    occluded_vehicles=occluded_vehicles,
    occluded_pascal3d=occluded_pascal3d,
    smd=smd,
    rod=rod,
)


def preset_tables(
    preset: str, data: str | Path | None, clean: str | Path | None = None
) -> list[ReadyTable]:
    """Return the tables of a preset.

    Args:
        preset: One of :data:`PRESETS`.
        data: Folder of the set.
        clean: Folder of ImageNet's validation photos by synset, for ``smd``.

    Raises:
        FileNotFoundError: If a folder is not there.
        ValueError: If a folder is not given, or is not for this preset.
    """
    if data is None:
        raise ValueError(f'--preset {preset} needs --data, its folder')
    if clean is not None and preset != 'smd':
        raise ValueError(
            f'--clean is for --preset smd; {preset} has its own clean images'
        )
    folders = [expand(folder) for folder in (data, clean) if folder]
    for folder in folders:
        if not folder.is_dir():
            raise FileNotFoundError(f'{folder}: no such folder')
    return PRESETS[preset](*folders)


def build_ready(cfg: 'Config', table: ReadyTable) -> ReadyCells:
    """Build the test sets of a table, as a config's model sees images.

    Raises:
        FileNotFoundError: Of the readers, if files are missing.
        ValueError: Of the readers.
    """
    from mmengine.registry import DATASETS, init_default_scope

    from mmocc.utils.config_types import scope_of

    init_default_scope(scope_of(cfg))
    given = _innermost(cfg.test_dataloader.dataset)
    built = {}
    for cell, wanted in table.cells.items():
        steps = fitting_steps(given.get('pipeline', []), wanted['type'])
        dataset = DATASETS.build(
            dict(wanted, pipeline=steps, **own_arguments(given, wanted))
        )
        dataset.full_init()
        built[cell] = change_pipelines(
            dataset, lambda steps: [StateOcclusion(), *steps]
        )
    return ReadyCells(built)


def fitting_steps(pipeline: Sequence[dict], reader: str) -> list[dict]:
    """Return a model's test pipeline for the images of a reader.

    Only the photos of OccludedPASCAL3D+ have an object to crop.
    """
    steps = [
        step
        for step in pipeline
        if str(step['type']).removeprefix('mmocc.') not in _MASKED
    ]
    if reader == 'mmocc.OccludedPASCAL3D':
        names = [str(step['type']) for step in steps]
        loads = [i for i, name in enumerate(names) if 'LoadImage' in name]
        place = loads[0] + 1 if loads else 0
        steps.insert(place, dict(type='mmocc.CropObject'))
    return steps


def own_arguments(given: Mapping, wanted: Mapping) -> dict[str, Any]:
    """Return what a config's test set says of classes, and of the same set.

    A model may have other classes than the 12 of PASCAL3D+, such as the 20 of
    VOC: labels are places in its own list if the vehicles are in it.
    """
    from mmengine.registry import DATASETS

    from mmocc.datasets.occluded_vehicles import VEHICLES
    from mmocc.utils.config_types import find_class

    own = {}
    if given.get('type') == wanted['type']:
        own = {key: given[key] for key in _OWN if key in given}
    if wanted['type'] not in (
        'mmocc.OccludedVehicles',
        'mmocc.OccludedPASCAL3D',
    ):
        return own
    classes = given.get('classes') or (given.get('metainfo') or {}).get(
        'classes'
    )
    if classes is None and given.get('type') is not None:
        kind = find_class(given['type'], DATASETS)
        classes = (getattr(kind, 'METAINFO', None) or {}).get('classes')
    if classes is not None and set(VEHICLES) <= set(classes):
        own['classes'] = tuple(classes)
    return own


def _innermost(dataset: Any) -> Any:
    """Return the config of the data set in wrappers."""
    while 'dataset' in dataset:
        dataset = dataset['dataset']
    return dataset
