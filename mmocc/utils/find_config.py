"""Configs by the names that a user gives them."""

from importlib.util import find_spec
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]


def home() -> Path:
    """Return the folder of mmocc's ``configs`` and ``tools``.

    It is ``mmocc/.mim`` of an installation, where links lead to the checkout,
    else the checkout itself.
    """
    mim = PACKAGE / '.mim'
    if (mim / 'tools' / 'train.py').is_file():
        return (mim / 'tools').resolve().parent
    return PACKAGE.parent


def find_config(name: str) -> str:
    """Return the path of a config.

    Args:
        name: A path, which comes first; a path in mmocc's configs, such as
            ``learn/vgg16_voc.py``; or ``package::`` and a path in the configs
            that come with a package, with or without ``.py``.

    Returns:
        The path, or ``name`` itself where there is no such file.

    Raises:
        FileNotFoundError: The package is missing, or has no such config.
    """
    if Path(name).is_file():
        return name
    package, mark, inner = name.partition('::')
    if mark:
        return str(_in_package(package, inner))
    for folder in (home() / 'configs', home()):
        path = _with_suffix(folder / name)
        if path.is_file():
            return str(path)
    return name


def _in_package(package: str, name: str) -> Path:
    """Return the path of a config that comes with a package."""
    spec = find_spec(package) if package.isidentifier() else None
    places = list(spec.submodule_search_locations or ()) if spec else []
    if not places:
        raise FileNotFoundError(
            f'{package}::{name}: no package {package} is installed'
        )
    folder = Path(places[0], '.mim', 'configs')
    if package == 'mmocc':
        folder = home() / 'configs'
    path = _with_suffix(folder / name)
    if not path.is_file():
        raise FileNotFoundError(
            f'{package}::{name}: no such config; they are in {folder}'
        )
    return path


def _with_suffix(path: Path) -> Path:
    """Return a path with the suffix of configs, if it has none."""
    return path if path.suffix else path.with_name(f'{path.name}.py')
