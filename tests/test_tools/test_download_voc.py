"""The VOC downloader, without a network."""

from urllib.error import URLError

import pytest
from conftest import import_tool
from data_tools import CONVERTERS, run_here

pytest.importorskip('torchvision', reason='torchvision does the download')


@pytest.fixture
def tool():
    return import_tool(CONVERTERS / 'download_voc.py')


def put(root, split, *ids):
    for name in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / name).mkdir(parents=True, exist_ok=True)
    for img_id in ids:
        (root / f'Annotations/{img_id}.xml').touch()
        (root / f'JPEGImages/{img_id}.jpg').touch()
    (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(ids))


def test_a_complete_split_is_not_fetched_again(tmp_path, monkeypatch):
    root = tmp_path / 'VOCdevkit/VOC2007'
    put(root, 'trainval', '000005')
    put(root, 'test', '000001', '000002')
    # calling it would fail
    monkeypatch.setattr('torchvision.datasets.VOCDetection', None)
    status, output, _ = run_here(
        'download_voc', '--out', tmp_path, '--years', '2007'
    )
    assert status == 0
    assert 'trainval is already there' in output
    assert 'test is already there' in output


def test_a_split_that_lacks_an_image_is_fetched_again(
    tool, tmp_path, monkeypatch
):
    root = tmp_path / 'VOCdevkit/VOC2012'
    put(root, 'trainval', 'a', 'b')
    (root / 'JPEGImages/b.jpg').unlink()
    calls = []

    def download(out, **kwargs):
        calls.append((out, kwargs))
        (root / 'JPEGImages/b.jpg').touch()

    monkeypatch.setattr(tool, 'VOCDetection', download)
    tool.fetch(tmp_path, '2012', 'trainval')
    wanted = dict(year='2012', image_set='trainval', download=True)
    assert calls == [(str(tmp_path), wanted)]


def test_a_download_that_stays_incomplete_is_an_error(
    tool, tmp_path, monkeypatch
):
    monkeypatch.setattr(tool, 'VOCDetection', lambda *a, **k: None)
    with pytest.raises(OSError, match=r'still incomplete.*VOCtest.*\.tar'):
        tool.fetch(tmp_path, '2007', 'test')


def test_no_network_says_which_archive_to_put_where(tmp_path, monkeypatch):
    def download(*args, **kwargs):
        raise URLError('no route')

    monkeypatch.setattr('torchvision.datasets.VOCDetection', download)
    status, _, errors = run_here('download_voc', '--out', tmp_path)
    assert status == 1
    assert 'VOC2007 trainval' in errors
    assert str(tmp_path / 'VOCtrainval_06-Nov-2007.tar') in errors
