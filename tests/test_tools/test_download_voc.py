"""The VOC downloader, without a network."""

from urllib.error import URLError

import pytest
from conftest import ROOT, import_tool

pytest.importorskip('torchvision', reason='torchvision does the download')

TOOL = ROOT / 'tools/dataset_converters/download_voc.py'


@pytest.fixture
def tool():
    return import_tool(TOOL)


def put(root, split, *ids):
    for name in ('Annotations', 'JPEGImages', 'ImageSets/Main'):
        (root / name).mkdir(parents=True, exist_ok=True)
    for img_id in ids:
        (root / f'Annotations/{img_id}.xml').touch()
        (root / f'JPEGImages/{img_id}.jpg').touch()
    (root / f'ImageSets/Main/{split}.txt').write_text('\n'.join(ids))


def test_what_is_there_is_not_fetched_again(
    tool, tmp_path, monkeypatch, capsys
):
    root = tmp_path / 'VOCdevkit/VOC2007'
    put(root, 'trainval', '000005')
    put(root, 'test', '000001', '000002')
    monkeypatch.setattr(tool, 'VOCDetection', None)  # calling it would fail
    monkeypatch.setattr(
        'sys.argv', ['x', '--out', str(tmp_path), '--years', '2007']
    )
    assert tool.main() == 0
    said = capsys.readouterr().out
    assert 'trainval is already there' in said
    assert 'test is already there' in said


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


def test_no_network_says_which_archive_to_put_where(
    tool, tmp_path, monkeypatch, capsys
):
    def download(*args, **kwargs):
        raise URLError('no route')

    monkeypatch.setattr(tool, 'VOCDetection', download)
    monkeypatch.setattr('sys.argv', ['x', '--out', str(tmp_path)])
    assert tool.main() == 1
    said = capsys.readouterr().err
    assert 'VOC2007 trainval' in said
    assert str(tmp_path / 'VOCtrainval_06-Nov-2007.tar') in said


def test_an_unknown_year_is_refused(run_tool):
    result = run_tool(TOOL, '--years', '1999')
    assert result.returncode == 2
    assert 'invalid choice' in result.stderr
