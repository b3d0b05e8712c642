"""What the app takes from strangers, and what it hides of it."""

import io
import struct
import zlib

import numpy as np
import pytest
import torch
from PIL import Image

from mmocc.app import photos
from mmocc.app.hiding import LARGEST, PLACES, hide_and_seek, occluded
from mmocc.app.photos import PhotoError, read_photo, square
from mmocc.occlusion import KINDS

RED = np.full((30, 60, 3), (200, 10, 30), np.uint8)


def refused(path):
    """Return why a file is refused."""
    with pytest.raises(PhotoError) as error:
        read_photo(path)
    assert '\n' not in str(error.value)
    assert str(path.parent) not in str(error.value)
    return str(error.value)


def test_a_photo_is_turned_and_lies_on_white(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    half = RED.copy()
    half[:, 30:] = 0
    Image.fromarray(half).save(tmp_path / 'a.png', exif=exif)
    photo = read_photo(tmp_path / 'a.png')
    assert photo.shape == (60, 30, 3)
    assert (photo[:30] == RED[0, 0]).all() and not photo[30:].any()
    clear = Image.new('RGBA', (20, 10), (0, 0, 0, 0))
    clear.save(tmp_path / 'b.png')
    assert (read_photo(tmp_path / 'b.png') == 255).all()
    Image.new('L', (20, 10), 9).save(tmp_path / 'c.png')
    assert (read_photo(tmp_path / 'c.png') == 9).all()


def bomb(width, height):
    """Return a PNG whose header states a size, and that holds nothing."""

    def chunk(kind, data):
        crc = zlib.crc32(kind + data)
        return (
            struct.pack('>I', len(data)) + kind + data + struct.pack('>I', crc)
        )

    header = struct.pack('>IIBBBBB', width, height, 8, 2, 0, 0, 0)
    parts = chunk(b'IHDR', header), chunk(b'IDAT', b''), chunk(b'IEND', b'')
    return b'\x89PNG\r\n\x1a\n' + b''.join(parts)


@pytest.mark.parametrize(
    ('size', 'said'),
    [
        ((9000, 9000), '9000 x 9000 pixels'),  # Pillow would decode it
        ((12000, 12000), '12000 x 12000 pixels'),  # and warn
        ((100_000, 100_000), 'too many pixels'),
    ],
)
def test_a_bomb_is_refused_by_its_header(size, said, tmp_path, recwarn):
    (tmp_path / 'bomb.png').write_bytes(bomb(*size))
    why = refused(tmp_path / 'bomb.png')
    assert said in why and 'up to 40 million' in why
    assert not recwarn.list


def test_files_that_are_no_photos_are_refused(tmp_path, monkeypatch):
    path = tmp_path / 'a.png'
    for content in (b'', b'no picture', bomb(20, 20)):
        path.write_bytes(content)
        assert 'no picture that can be read' in refused(path)
    buffer = io.BytesIO()
    Image.fromarray(RED).save(buffer, 'PNG')
    path.write_bytes(buffer.getvalue()[:60])
    assert 'no picture that can be read' in refused(path)
    Image.new('RGB', (7, 20)).save(path)
    assert '7 x 20 pixels; both sides need 8' in refused(path)
    Image.fromarray(np.zeros((20, 20), np.uint16)).save(path)
    assert 'more than 8 bits' in refused(path)
    monkeypatch.setattr(photos, 'MAX_MIB', 1)
    path.write_bytes(bytes(2**21))
    assert 'has 2 MiB, and the app takes up to 1' in refused(path)
    with pytest.raises(PhotoError, match='Give a photo'):
        read_photo(None)


def test_the_middle_of_a_photo():
    photo = np.zeros((40, 80, 3), np.uint8)
    photo[:, 20:60] = 255
    inner = slice(1, -1)  # pixels at the rim see their neighbours
    seen = square(photo, 20)
    assert seen.shape == (20, 20, 3) and (seen[:, inner] == 255).all()
    photo[:5] = photo[35:] = 0
    assert not square(photo, 20)[0].any()
    assert (square(photo, 30, 0.75)[inner] == 255).all()


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('share', [0.0, 0.25, LARGEST])
def test_the_hidden_share_is_exact(kind, share):
    photo, told = occluded(RED, kind, share, 'middle', 3)
    pixels = round(share * 1800)
    assert told == pytest.approx(pixels / 1800)
    if kind == 'white':
        assert (photo == 255).all(-1).sum() == pixels
        assert (photo == RED).all(-1).sum() == 1800 - pixels
    assert photo.shape == RED.shape and photo.dtype == np.uint8
    assert (RED == (200, 10, 30)).all()


@pytest.mark.parametrize('kind', KINDS)
def test_occluders_are_put_where_it_is_said(kind):
    for place, point in PLACES.items():
        photo, _ = occluded(RED, kind, 0.1, place, 1)
        changed = (photo != RED).any(-1)
        rows, columns = np.nonzero(changed)
        if point is None:
            other, _ = occluded(RED, kind, 0.1, place, 2)
            assert (other != photo).any()
            continue
        x, y = columns.mean() / 60, rows.mean() / 30
        assert abs(x - point[0]) < 0.2 and abs(y - point[1]) < 0.3


def test_what_cannot_be_hidden_is_refused():
    for words in (('grey', 0.2), ('white', 0.95), ('white', 0.2, 'below')):
        with pytest.raises(ValueError, match=r'unknown|share must'):
            occluded(RED, *words)


def test_hide_and_seek_hides_cells_of_the_photo():
    torch.manual_seed(0)
    photo, share = hide_and_seek(RED, 6, 0.5, 1)
    hidden = (photo != RED).any(-1)
    assert share == pytest.approx(hidden.mean())
    cells = hidden.reshape(3, 10, 6, 10).transpose(0, 2, 1, 3).reshape(18, -1)
    assert (cells.all(1) | ~cells.any(1)).all() and 0 < share < 1
    assert (hide_and_seek(RED, 6, 0.5, 1)[0] == photo).all()
    assert hide_and_seek(RED, 6, 0.0)[1] == 0
