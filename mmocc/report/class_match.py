"""Which output of a model is meant by a class of the data."""

import re
from collections.abc import Callable, Iterable, Sequence

from mmocc.utils.imagenet_classes import imagenet_wnids, is_imagenet

WNID = re.compile(r'(n\d{8})(?![^\W_])')  # n01440764, n01440764_tench


def match_classes(
    own: list[str] | None, names: Sequence[str] | None
) -> tuple[list[str] | None, list[int] | None]:
    """Return the names of the outputs, and each own class's output.

    The second is None where both have the same numbers.

    Args:
        own: Classes of the data set, if it names them.
        names: Of the models' outputs, if they are given.

    Raises:
        ValueError: If a class of the data set is none of the outputs.
    """
    if names is None or own is None:
        return (own if names is None else list(names)), None
    outputs = find_outputs(own, names)
    if outputs is not None:
        return list(names), outputs
    table = _unique(map(synonyms, names))
    places = [table.get(plain(name)) for name in own]
    if len(own) == len(names) and all(
        place in (None, number) for number, place in enumerate(places)
    ):
        return list(names), None  # other words for the same classes
    pairs = zip(own, places, strict=True)
    lost = [name for name, place in pairs if place is None] or own
    raise ValueError(
        f'class_names= has {len(names)} names, the data set {len(own)} '
        f'classes, of which {len(lost)} are not found in it just once (the '
        f'first is {lost[0]!r}); name the folders as in class_names=, by the '
        "outputs' numbers, or for ImageNet by WNID (n01440764)"
    )


def find_outputs(own: Sequence[str], names: Sequence[str]) -> list[int] | None:
    """Return the output of each class, None unless all are found just once.

    They are looked for by name, exactly; by name without case, underscores
    and the like, or by one of several names between commas; in ImageNet's
    classes by WNID; and by number.
    """
    wnids = imagenet_wnids() if is_imagenet(names) else []
    numbers = map(str, range(len(names)))
    ways: list[tuple[Callable, Iterable[Iterable[str]]]] = [
        (lambda name: name, ([name] for name in names)),
        (plain, map(synonyms, names)),
        (wnid_in, ([wnid] for wnid in wnids)),
        (_number_in, ([number] for number in numbers)),
    ]
    for key, words in ways:
        table = _unique(words)
        outputs = [table.get(key(name)) for name in own]
        known = [output for output in outputs if output is not None]
        if len(known) == len(own) == len(set(known)):
            return known
    return None


def plain(name: str) -> str:
    """Return a name in small letters and digits, with single blanks."""
    return ' '.join(re.findall(r'[^\W_]+', name.casefold().replace("'", '')))


def synonyms(name: str) -> list[str]:
    """Return the plain forms of a name, and of its parts between commas."""
    return list(dict.fromkeys(map(plain, [name, *name.split(',')])))


def wnid_in(name: str) -> str | None:
    """Return the WNID with which a name begins."""
    match = WNID.match(name)
    return match[1] if match else None


def _number_in(name: str) -> str | None:
    """Return a name that is a number without leading zeros."""
    return str(int(name)) if re.fullmatch('[0-9]+', name) else None


def _unique(words: Iterable[Iterable[str]]) -> dict[str | None, int]:
    """Return by word the only place that has it."""
    places: dict[str | None, list[int]] = {}
    for place, group in enumerate(words):
        for word in group:
            places.setdefault(word, []).append(place)
    return {w: found[0] for w, found in places.items() if len(found) == 1}
