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


def test_quickstart_runs_from_model_and_folder_to_report_and_remedy(tmp_path):
    pytest.importorskip('mmpretrain', reason='LEARN needs mmengine')
    notebook = nbformat.read(NOTEBOOKS / 'quickstart.ipynb', 4)
    cells = [cell for cell in notebook.cells if cell.cell_type == 'code']
    assert 'TRAIN, TEST, EPOCHS =' in cells[0].source
    cells[0].source = 'TRAIN, TEST, EPOCHS = 64, 30, 1'
    client = nbclient.NotebookClient(
        notebook,
        timeout=600,
        kernel_name='python3',
        resources={'metadata': {'path': str(tmp_path)}},
    )
    client.execute(env={**os.environ, 'PYTHONPATH': str(ROOT)})
    tables = [t for t in outputs(notebook, 'text/html') if '<table>' in t]
    assert len(tables) == 2
    assert all('<th>my network</th>' in table for table in tables)
    assert '<th>with LEARN</th>' in tables[1]
    assert (tmp_path / 'quickstart/report/occlusion.html').is_file()
    (picture,) = outputs(notebook, 'image/png')
    with Image.open(BytesIO(base64.b64decode(picture))) as image:
        assert image.size == (600, 120)  # five pictures, three times as large
    words = ''.join(outputs(notebook, 'stream'))
    assert 'LEARN: ' in words
    assert 'L3  with LEARN' in words
