"""What decides a model's answers, as digests by part.

An answer is read back only if every part is as it was; else the names of the
parts say what has changed. Batch size, workers and the place of the data's
folder do not decide an answer, and are not looked at.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from PIL import Image

from mmocc import occlusion
from mmocc.occlusion import CLEAN, OccluderBank, split_cell
from mmocc.utils.files import walk
from mmocc.version import __version__

if TYPE_CHECKING:
    from mmengine.config import Config

Parts = dict[str, str]  # digests by the words that name a part

# Settings of a dataloader that do not change the answers.
NEUTRAL = (
    'batch_size',
    'num_workers',
    'persistent_workers',
    'pin_memory',
    'prefetch_factor',
)


def model_parts(cfg: 'Config', checkpoint: str) -> Parts:
    """Return what decides of a model, as ``load_model`` builds it.

    A checkpoint counts by its content, a URL by its name. Modules that the
    config imports count by their content, too.
    """
    model = _unpacked(cfg.model)
    if cfg.get('data_preprocessor'):
        own = _unpacked(cfg.data_preprocessor)
        model.setdefault('data_preprocessor', own)
    imports = (cfg.get('custom_imports') or {}).get('imports', [])
    imports = [imports] if isinstance(imports, str) else imports
    files = [getattr(sys.modules.get(n), '__file__', None) for n in imports]
    code = [file_digest(file) for file in files if file and is_file(file)]
    weights = file_digest(checkpoint) if is_file(checkpoint) else checkpoint
    return {
        'the model': digest([model, cfg.get('default_scope'), imports, code]),
        'the checkpoint': digest(weights),
        'the version of mmocc': digest(__version__),
    }


def data_parts(cfg: 'Config', dataset: Any) -> Parts:
    """Return what decides of the test data of a config, ``dataset`` built.

    Files that the config names count by content, images and masks by their
    names, sizes and times of change, so that 50,000 take about a second.
    """
    loader = {
        key: value
        for key, value in _unpacked(cfg.test_dataloader).items()
        if key not in NEUTRAL
    }
    roots = sorted(_roots(dataset), key=len, reverse=True)
    heads = [json.dumps(str(Path(root) / '_'))[1:-2] for root in roots]
    loader, named = _take_files(loader, ['', *roots])
    annotations, files = (
        hashlib.sha256(_text(named).encode()),
        hashlib.sha256(),
    )
    for info in infos(dataset):
        text = _text(info)
        for path in _paths(info):
            files.update(_state(path).encode())
        for head in heads:
            text = text.replace(head, '')
        annotations.update(text.encode())
    return {
        'the test dataloader': digest(loader),
        'the class list': digest(_metainfos(dataset)),
        'the annotations': annotations.hexdigest(),
        'the test images': files.hexdigest(),
    }


def evaluator_parts(cfg: 'Config', *annotation_files: str | None) -> Parts:
    """Return what decides of the metrics of a detector."""
    evaluator, named = _take_files(_unpacked(cfg.get('test_evaluator')), [''])
    named += [file_digest(file) for file in annotation_files if file]
    return {'the evaluator': digest([evaluator, named])}


def occlusion_parts(
    cell: str,
    seed: int = 0,
    region: str = 'auto',
    bank: OccluderBank | None = None,
    ready: bool = False,
    **others: Any,
) -> Parts:
    """Return what decides of the occlusion of a cell; nothing does in L0.

    Nothing does, either, where all images are occluded already (``ready``).
    ``others`` are further arguments of ``mmocc.Occlude``.
    """
    if cell == CLEAN or ready:
        return {}
    kind = split_cell(cell)[1]
    parts = {
        'the seed': digest(seed),
        'the region': digest([region, others]),
        'the version of the occlusion': digest(occlusion.OCCLUSION_VERSION),
    }
    if bank is not None and kind in bank.sheets:
        parts[f'the {kind} bank'] = bank_digest(bank, kind)
    return parts


def changed(before: Parts, now: Parts) -> str:
    """Return in words what differs between two runs; empty if nothing."""
    names = [name for name in now if before.get(name) != now[name]]
    names += [name for name in before if name not in now]
    verb = 'has' if len(names) == 1 and not names[0].endswith('s') else 'have'
    return f'{", ".join(names)} {verb} changed' if names else ''


def infos(dataset: Any) -> Iterator[Any]:
    """Yield what a data set knows of each of its samples, in order.

    Wrappers are followed. Of a data set that does not tell, it is all that
    the object holds.
    """
    if hasattr(dataset, 'get_data_info'):
        yield from map(dataset.get_data_info, range(len(dataset)))
    elif hasattr(dataset, 'datasets'):
        for part in dataset.datasets:
            yield from infos(part)
    elif hasattr(dataset, 'dataset'):
        inner = list(infos(dataset.dataset))
        places = getattr(dataset, 'indices', None)
        if places is not None and len(inner) == len(dataset.dataset):
            inner = [inner[place] for place in places]
        yield from inner
    else:
        yield {
            name: value
            for name, value in vars(dataset).items()
            if name not in ('pipeline', 'transform', 'target_transform')
        }


def digest(value: Any) -> str:
    """Return the digest of a value of plain types, arrays and classes."""
    return hashlib.sha256(_text(value).encode()).hexdigest()


@cache
def _content(path: str, size: int, time: int) -> str:
    """Return the digest of a file's content, read once for each state."""
    content = hashlib.sha256()
    with Path(path).open('rb') as file:
        while block := file.read(1 << 20):
            content.update(block)
    return content.hexdigest()


def file_digest(path: str | Path) -> str:
    """Return the digest of a file's content."""
    state = Path(path).stat()
    return _content(str(path), state.st_size, state.st_mtime_ns)


def _unpacked(node: Any) -> Any:
    """Return a part of a config as plain dicts, lazy types as their names."""
    if hasattr(node, 'to_dict'):
        return node.to_dict()
    if isinstance(node, list | tuple):
        return [_unpacked(child) for child in node]
    return node


def is_file(path: str) -> bool:
    """Return whether a text names a file, whatever it is."""
    try:
        return os.path.isfile(path)  # noqa: PTH113  (a Path costs more)
    except (OSError, ValueError):
        return False


def _state(path: str) -> str:
    """Return size and time of change of a file; empty if there is none."""
    try:
        state = os.stat(path)  # noqa: PTH116  (a Path costs more)
    except (OSError, ValueError):
        return ''
    return f'{state.st_size} {state.st_mtime_ns};'


def _paths(node: Any) -> Iterator[str]:
    """Yield what may be paths in a sample's information."""
    if isinstance(node, str):
        if '/' in node or '.' in node or os.sep in node:
            yield node
    elif isinstance(node, Path):
        yield str(node)
    elif isinstance(node, dict):
        for child in node.values():
            yield from _paths(child)
    elif isinstance(node, list | tuple):
        if node and isinstance(node[0], int | float):
            return  # numbers of a box or polygon
        for child in node:
            yield from _paths(child)


def _roots(dataset: Any) -> set[str]:
    """Return the folders of the data sets in a (wrapped) data set."""
    roots = {str(getattr(dataset, 'data_root', None) or '')}
    for part in _wrapped(dataset):
        roots |= _roots(part)
    return {root for root in roots if root not in ('', '.', '/')}


def _metainfos(dataset: Any) -> list[Any]:
    """Return the metainfo of a data set, else of those that it wraps."""
    if hasattr(dataset, 'metainfo'):
        return [dataset.metainfo]
    return [info for part in _wrapped(dataset) for info in _metainfos(part)]


def _wrapped(dataset: Any) -> list[Any]:
    """Return the data sets in a wrapper."""
    one = [dataset.dataset] if hasattr(dataset, 'dataset') else []
    return one or list(getattr(dataset, 'datasets', ()))


def _take_files(
    node: Any, roots: Sequence[str], key: str = ''
) -> tuple[Any, list[Any]]:
    """Return a part of a config without files, and the files' digests.

    A relative name may be below each of the ``roots``, which are left out.
    """
    if key.endswith('_bank'):
        return None, [_folder(node)]
    if isinstance(node, dict):
        items = {str(k): v for k, v in node.items() if k != 'data_root'}
        taken = {k: _take_files(v, roots, k) for k, v in sorted(items.items())}
        files = [file for _, named in taken.values() for file in named]
        return {k: rest for k, (rest, _) in taken.items()}, files
    if isinstance(node, list | tuple):
        pairs = [_take_files(child, roots) for child in node]
        files = [file for _, named in pairs for file in named]
        return [rest for rest, _ in pairs], files
    if isinstance(node, str):
        for root in roots:
            path = os.path.join(root, node)  # noqa: PTH118
            if is_file(path):
                return None, [file_digest(path)]
    return node, []


def _folder(folders: Any) -> Any:
    """Return names and states of the files of a bank in a pipeline."""
    if isinstance(folders, str | Path) and Path(folders).is_dir():
        paths = sorted(
            os.path.join(place, name)  # noqa: PTH118
            for place, below, names in walk(folders)
            for name in (*below, *names)
        )
        return [[Path(path).name, _state(path)] for path in paths]
    if isinstance(folders, list | tuple):
        return [_folder(folder) for folder in folders]
    return folders


def bank_digest(bank: OccluderBank, kind: str) -> str:
    """Return the digest of what a bank holds for a kind of occluder."""
    cutouts = bank.cutouts if kind == 'object' else None
    return digest([bank.sheets[kind], *(cutouts or ())])


def _text(value: Any) -> str:
    """Return a value as text that does not depend on the order of keys."""
    try:
        return json.dumps(value, sort_keys=True, default=_encode)
    except TypeError:  # keys of several types
        return json.dumps(_plain(value), sort_keys=True, default=_encode)


def _plain(node: Any) -> Any:
    """Return nested dicts with keys that are texts."""
    if isinstance(node, dict):
        return {repr(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(child) for child in node]
    return node


def _encode(value: Any) -> Any:
    """Return what JSON takes for what it does not know."""
    value = getattr(value, 'tensor', value)  # boxes of mmdet
    if torch.is_tensor(value):
        value = value.detach().cpu().contiguous().numpy()
    if isinstance(value, Image.Image):
        value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype != object:
        data = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return [str(value.dtype), value.shape, data]
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    if isinstance(value, set | frozenset):
        return sorted(map(_text, value))
    if isinstance(value, Path):
        return str(value)
    name = getattr(value, '__qualname__', type(value).__qualname__)
    return f'{getattr(value, "__module__", "")}.{name}'
