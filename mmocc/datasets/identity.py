"""Which image a sample is, whatever list it stands in.

An evaluation occlusion is keyed on the identity of its image, and answers of
models are compared by it. A place in a list would not do: it is another one
in a subset, in a concatenation and after sorting. Nor would a whole path: it
is another one on another machine.

The photo of a sample is, of these, the first that the sample has:

1. ``photo_identity``, which a data set may state;
2. ``img_path``, from the data root on: from ``data_root`` of the sample,
   which :class:`FromDataRoot` puts there, else its last two parts
   (``JPEGImages/000001.jpg``);
3. ``img_id``, as ``id:7``; it comes after the path because many data sets
   count their images in it;
4. ``sample_idx``, its place in a data set that holds its images in memory, as
   ``index:7``; 0 without.

One of several objects of a photo has ``#`` and its number there
(``object_index``, ``instance_id``), or its box there (``crop_box``), after it.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, MutableMapping
from pathlib import PurePath
from typing import Any

import numpy as np

OBJECT_KEYS = ('object_index', 'instance_id', 'crop_box')
PARTS = 2  # of a path whose data root is not known


def photo_identity(results: Mapping) -> str:
    """Return which photo a sample is, or is cut out of."""
    stated = results.get('photo_identity')
    if stated is not None:
        return str(stated)
    path = results.get('img_path')
    if isinstance(path, str | PurePath) and str(path):
        return _below(str(path), results.get('data_root'))
    if results.get('img_id') is not None:
        return f'id:{results["img_id"]}'
    return f'index:{int(results.get("sample_idx", 0))}'


def image_identity(results: Mapping) -> str:
    """Return which image a sample is: its photo, and which object of it."""
    photo = photo_identity(results)
    for key in OBJECT_KEYS:
        value = results.get(key)
        if value is not None:
            numbers = [value] if isinstance(value, str) else np.ravel(value)
            return f'{photo}#{",".join(map(str, numbers))}'
    return photo


def note_identity(results: MutableMapping) -> str:
    """Store a sample's identity in it, unless it is there, and return it.

    Keys are ``occlusion_identity`` and ``occlusion_photo``.
    """
    if 'occlusion_identity' not in results:
        results['occlusion_identity'] = image_identity(results)
        results['occlusion_photo'] = photo_identity(results)
    return results['occlusion_identity']


def identity_number(identity: str) -> int:
    """Return an identity as a number of 128 bits, to seed a generator with."""
    data = identity.encode('utf-8', 'surrogatepass')
    return int.from_bytes(hashlib.sha256(data).digest()[:16], 'big')


class FromDataRoot:
    """First step of a pipeline: tell samples where their data set lies.

    Args:
        dataset: Has ``data_root``, or ``data_prefix`` as mm's data sets do.
    """

    def __init__(self, dataset: Any) -> None:
        self.root = data_root_of(dataset)

    def __call__(self, results: dict) -> dict:
        """Return the sample, with ``data_root`` where that is known."""
        if self.root:
            results.setdefault('data_root', self.root)
        return results


def data_root_of(dataset: Any) -> str | None:
    """Return the folder that a data set's paths are in, if it says so."""
    root = getattr(dataset, 'data_root', None)
    prefix = getattr(dataset, 'data_prefix', None)
    if not root and isinstance(prefix, Mapping):
        root = prefix.get('img_path') or prefix.get('img')
    return str(root) if isinstance(root, str | PurePath) and root else None


def _below(path: str, root: Any) -> str:
    """Return the part of a path below a root, or its last parts."""
    parts, top = _parts(path), _parts(str(root or ''))
    if top and parts[: len(top)] == top and len(parts) > len(top):
        return '/'.join(parts[len(top) :])
    return '/'.join(parts[-PARTS:])


def _parts(path: str) -> list[str]:
    """Return the names of a path of any system; macOS splits letters."""
    path = unicodedata.normalize('NFC', path)
    return [
        part for part in re.split(r'[\\/]+', path) if part not in ('', '.')
    ]
