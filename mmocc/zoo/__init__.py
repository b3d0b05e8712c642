"""Trained models that come with mmocc: weights in half precision, and cards.

A model NAME has a card, ``NAME.json``: what it is, how it was trained, what
it reached, its licence, its file and the digest of that. A new model is two
files here (``tools/dev/pack_model.py`` writes both) and a row in
``docs/zoo.md``.
"""

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass, fields
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmocc.utils.hosts import MissingHostError

if TYPE_CHECKING:
    from torch import nn

__all__ = ['Card', 'cards', 'load']

FOLDER = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Card:
    """What is known of a trained model.

    Attributes:
        name: For :func:`load`.
        about: What it is, in a sentence.
        file: Name of its weights in this folder.
        sha256: Digest of the file.
        form: How it is built: ``config`` or ``attached``.
        build: For ``config`` the ``config`` of mmocc, and ``without``, a
            prefix of weights that it does not take; for ``attached`` the name
            of the ``timm`` model.
        needs: What ``pip install`` brings, by the module that it brings.
        data: What it was trained and tested on.
        command: What trained it.
        numbers: What it reached, in percent; ``of`` says on what.
        made: Date, seed and device.
        licence: Of the weights, and of what they come from.
        inputs: What images must be.
    """

    name: str
    about: str
    file: str
    sha256: str
    form: str
    build: dict[str, str]
    needs: dict[str, str]
    data: str
    command: str
    numbers: dict[str, Any]
    made: str
    licence: str
    inputs: str

    @property
    def path(self) -> Path:
        """Where its weights are."""
        return FOLDER / self.file


def cards() -> dict[str, Card]:
    """Return the cards of all models by their names.

    Raises:
        ValueError: If a card has other fields than :class:`Card`.
    """
    found = {}
    for path in sorted(FOLDER.glob('*.json')):
        content = json.loads(path.read_text(encoding='utf-8'))
        wrong = set(content) ^ {f.name for f in fields(Card)}
        if wrong:
            raise ValueError(f'{path}: missing or unknown {sorted(wrong)}')
        found[content['name']] = Card(**content)
    return found


def load(name: str, device: str = 'cpu') -> 'nn.Module':
    """Return a trained model that comes with mmocc, ready to answer.

    Args:
        name: One of :func:`cards`.
        device: Where to put it.

    Returns:
        A classifier in eval mode: called with normalised images (N, 3, H, W),
        it gives logits (N, classes). ``model.card`` has its :class:`Card`.

    Raises:
        ValueError: If there is no such model, or its file is damaged.
        MissingHostError: If a package is missing; the message names it.
    """
    known = cards()
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f'did you mean {close[0]!r}?' if close else 'choose another'
        raise ValueError(
            f'mmocc has no model {name!r}; {hint} It has {", ".join(known)}'
        )
    card = known[name]
    check_needs(card)
    check_file(card)
    model = FORMS[card.form](card).to(device).eval()
    model.card = card
    return model


def check_needs(card: Card) -> None:
    """Raise MissingHostError if a package that a model needs is missing."""
    missing = [pip for module, pip in card.needs.items() if not _there(module)]
    if missing:
        names = ' '.join(f'"{pip}"' for pip in missing)
        raise MissingHostError(
            f'mmocc.load({card.name!r}) needs what is not installed here: '
            f'pip install {names}'
        )


def _there(module: str) -> bool:
    """Return whether a module can be found; nothing is imported."""
    try:
        return find_spec(module) is not None
    except ValueError:  # of a module without a spec
        return False


def check_file(card: Card) -> None:
    """Raise ValueError if the file of a model is missing or damaged."""
    remedy = 'install mmocc again: pip install --force-reinstall mmocc'
    if not card.path.is_file():
        raise ValueError(f'{card.path} is missing; {remedy}')
    from mmocc.utils.own_folder import sha256_of  # imports torch; cards do not

    digest = sha256_of(card.path)
    if digest != card.sha256:
        raise ValueError(
            f'{card.path} is damaged: its SHA-256 is {digest}, its card says '
            f'{card.sha256}; {remedy}'
        )


def from_config(card: Card) -> 'nn.Module':
    """Return a config's model with the weights of a card.

    It has what mmpretrain's inferencers ask of a model: its config, and the
    names of the classes.
    """
    import torch
    from mmengine.config import Config

    from mmocc.apis.photos import photo_config
    from mmocc.utils.find_config import find_config
    from mmocc.utils.from_config import build_model
    from mmocc.utils.weights import fill_model

    cfg = Config.fromfile(find_config(card.build['config']))
    cfg = photo_config(cfg)
    content = torch.load(card.path, map_location='cpu', weights_only=True)
    state = content['state_dict']
    if without := card.build.get('without'):
        state = {k: v for k, v in state.items() if not k.startswith(without)}
    model = build_model(cfg)
    fill_model(model, state, card.file)
    model._config = cfg
    model._dataset_meta = content['meta']['dataset_meta']
    return model


def attached(card: Card) -> 'nn.Module':
    """Return a model of timm with the LEARN of a card inside."""
    from mmocc.learn import load as load_learn
    from mmocc.report.named_models import timm_model

    named = timm_model(card.build['timm'])
    named.module.eval()
    return load_learn(named.module, card.path)


FORMS: dict[str, Callable[[Card], 'nn.Module']] = {
    'config': from_config,
    'attached': attached,
}
