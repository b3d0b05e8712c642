"""Models that come with mmocc: cards, files, and the same answers as ever."""

import copy
import dataclasses
import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from conftest import ROOT

import mmocc
from mmocc import zoo
from mmocc.utils.hosts import MissingHostError

CARDS = zoo.cards()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Let the zoo be an empty folder."""
    monkeypatch.setattr(zoo, 'FOLDER', tmp_path)
    return tmp_path


def own_card(folder, weights=b'numbers', **changes):
    """Write a card with a file of its own, and return it."""
    (folder / 'mine.pth').write_bytes(weights)
    first = next(iter(CARDS.values()))
    card = dataclasses.replace(
        first,
        name='mine',
        file='mine.pth',
        sha256=hashlib.sha256(weights).hexdigest(),
        needs={},
    )
    content = dataclasses.asdict(card) | changes
    (folder / 'mine.json').write_text(json.dumps(content), encoding='utf-8')
    return content


@pytest.mark.parametrize('name', CARDS)
def test_a_card_says_all_and_its_file_is_whole(name):
    card = CARDS[name]
    for field in dataclasses.fields(card):
        assert getattr(card, field.name), field.name
    assert zoo.FOLDER / f'{name}.json' == card.path.with_name(f'{name}.json')
    assert hashlib.sha256(card.path.read_bytes()).hexdigest() == card.sha256
    assert card.form in zoo.FORMS


def test_all_files_are_below_10_mib_and_in_half_precision():
    files = {card.path for card in CARDS.values()}
    assert set(zoo.FOLDER.glob('*.pth')) == files
    assert sum(path.stat().st_size for path in files) < 10 * 2**20
    for path in files:
        content = torch.load(path, weights_only=True)
        state = content.get('state_dict', content.get('state'))
        kinds = {v.dtype for v in state.values() if v.is_floating_point()}
        assert kinds == {torch.half}


def test_the_page_names_every_model_and_its_numbers():
    page = ROOT / 'docs' / 'zoo.md'
    if not page.is_file():
        pytest.skip('docs are not there')
    text = page.read_text(encoding='utf-8')
    for card in CARDS.values():
        assert f'`{card.name}`' in text
        assert card.sha256[:8] in text
        for key, value in card.numbers.items():
            assert key == 'of' or str(value) in text, (card.name, key)


def test_an_unknown_name_gets_the_names_that_are_there():
    name = next(iter(CARDS))
    with pytest.raises(ValueError, match=f"did you mean '{name}'"):
        mmocc.load(name + 's')
    with pytest.raises(ValueError, match=name):
        mmocc.load('qqq')


def test_a_damaged_file_is_refused_with_both_digests(folder):
    card = own_card(folder)
    (folder / 'mine.pth').write_bytes(b'other')
    with pytest.raises(ValueError, match=f'(?s)damaged.*{card["sha256"]}'):
        mmocc.load('mine')
    (folder / 'mine.pth').unlink()
    with pytest.raises(ValueError, match='missing; install mmocc again'):
        mmocc.load('mine')


def test_what_is_not_installed_is_named_as_pip_names_it(folder):
    own_card(folder, needs={'no_such_module': 'no-such-package', 'json': 'x'})
    with pytest.raises(MissingHostError, match=r'"no-such-package"$'):
        mmocc.load('mine')


def test_a_card_with_another_field_is_refused(folder):
    own_card(folder, colour='red')
    with pytest.raises(ValueError, match=r"mine\.json: .*\['colour'\]"):
        zoo.cards()


def test_cards_are_read_without_torch():
    code = (
        'import sys, mmocc.zoo; assert mmocc.zoo.cards();'
        'assert not {"torch", "mmengine"} & set(sys.modules)'
    )
    subprocess.run([sys.executable, '-c', code], check=True, cwd=ROOT)


def test_a_learn_for_a_model_of_timm_is_loaded_into_it(folder, monkeypatch):
    timm = pytest.importorskip('timm')
    pytest.importorskip('mmengine')
    from mmocc.learn import attach
    from mmocc.report import named_models

    torch.manual_seed(0)
    model = timm.create_model('resnet10t', num_classes=3).eval()
    images = torch.randn(2, 3, 64, 64)
    handle = attach(copy.deepcopy(model), 'layer2', example=images[:1])
    handle.enabled = True
    with torch.no_grad():
        wanted = handle(images)
        before = model(images)
    path = handle.save(folder / 'any.pt')
    own_card(
        folder, path.read_bytes(), form='attached', build={'timm': 'resnet10t'}
    )
    named = named_models.NamedModel('resnet10t', model, 'here')
    monkeypatch.setattr(named_models, 'timm_model', {'resnet10t': named}.get)
    loaded = mmocc.load('mine')
    assert loaded.card.name == 'mine'
    assert not loaded.training
    with torch.no_grad():
        answers = loaded(images)
    torch.testing.assert_close(answers, wanted, rtol=0, atol=2e-3)
    assert (before - answers).abs().max() > 2e-2  # it is LEARN that answers


# Logits of float32 on an x86 CPU, of the file's weights, for the image below.
LOGITS = {
    'learn_efficientnet-lite0_digits': [
        0.003, 0.418, -0.647, -0.358, -0.233, -0.303, -0.576, -0.181, -0.124,
        0.120,
    ],
    'efficientnet-lite0_digits': [
        0.019, 0.429, -0.352, -0.350, -0.069, -0.231, -0.408, -0.063, -0.147,
        0.053,
    ],
}  # fmt: skip


@pytest.mark.parametrize('name', LOGITS)
def test_a_model_answers_as_ever(name):
    pytest.importorskip('mmpretrain')
    model = mmocc.load(name)
    line = np.linspace(-1, 1, 112, dtype=np.float32)
    wave = np.sin(5 * line[:, None] * line + np.arange(3)[:, None, None])
    with torch.no_grad():
        logits = model(torch.from_numpy(wave.astype(np.float32))[None])[0]
    torch.testing.assert_close(
        logits, torch.tensor(LOGITS[name]), rtol=0, atol=1e-2
    )
