"""What the fuzzed tests share: allowed errors, memory, strange input."""

import re
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

DOCUMENTED = (ValueError, KeyError, FileNotFoundError)
MOST = 64  # MiB that the work on one example may add to what is there before
_RESET, _STATUS = Path('/proc/self/clear_refs'), Path('/proc/self/status')


def _megabytes(key):
    found = re.search(rf'{key}:\s+(\d+) kB', _STATUS.read_text())
    return int(found[1]) / 1024


@contextmanager
def bounded(most=MOST):
    """Fail if the work inside takes more memory than this, in MiB."""
    try:
        _RESET.write_text('5')  # Linux then starts the peak again
    except OSError:
        yield
        return
    before = _megabytes('VmRSS')
    yield
    assert _megabytes('VmHWM') - before <= most


def attempt(work, *names):
    """Return what work returns, or None for an error of the documented ones.

    The error must speak of one of the names, if there are any.
    """
    with bounded():
        try:
            return work()
        except DOCUMENTED as error:
            told = str(error)
            assert not names or any(str(name) in told for name in names), told
            return None


SMALL = ['0', '1', '2', '7', '-1', '1.5', '1_0', '\u0663', '0x10', '""', ',']
LARGE = ['1e3', '1e39', '1e308', '-1e308', '1e999', 'nan', '-inf', '9' * 20]
NUMBERS = st.sampled_from(SMALL + LARGE)
WORDS = st.one_of(
    NUMBERS,
    st.sampled_from(['a.jpg', 'test_0001', '../x', '/', '%(a)s', '"', "'"]),
    st.text(max_size=4),
)
BYTES = st.one_of(st.binary(max_size=40), st.text(max_size=40).map(str.encode))


@st.composite
def damaged(draw, valid, words=WORDS):
    """Draw bytes of a text file: valid lines, some fields of them replaced."""
    fields = re.split(r'(\W)', valid)
    for _ in range(draw(st.integers(0, 3))):
        fields[draw(st.integers(0, len(fields) - 1))] = draw(words)
    data = ''.join(fields).encode('utf-8', 'surrogatepass')
    return draw(st.sampled_from([b'', b'\xff', b'\0'])) + data


@st.composite
def flipped(draw, valid):
    """Draw valid bytes, a few of them changed, cut off or doubled."""
    data = bytearray(valid)
    for _ in range(draw(st.integers(1, 4))):
        data[draw(st.integers(0, len(data) - 1))] = draw(st.integers(0, 255))
    end = draw(st.sampled_from([None, len(data) // 2, 1, 0, -1]))
    return bytes(data[:end])


def floats(low, high, width=32):
    """Draw finite numbers of these limits, as exact as a type is wide."""
    return st.floats(
        float(np.float32(low)), float(np.float32(high)), width=width
    )


def boxes(least=0, most=5, far=1e4):
    """Draw (n, 4) xyxy float32 boxes; they may be empty or turned over."""
    return st.integers(least, most).flatmap(
        lambda n: nps.arrays(np.float32, (n, 4), elements=floats(-far, far))
    )


def proper(drawn):
    """Return boxes whose first corner is the first."""
    low = np.minimum(drawn[:, :2], drawn[:, 2:])
    return np.hstack([low, np.maximum(drawn[:, :2], drawn[:, 2:])])


def maps(most=12, far=1e30):
    """Draw float32 (h, w) maps, often with equal or extreme values."""
    shapes = nps.array_shapes(min_dims=2, max_dims=2, max_side=most)
    values = st.one_of(
        st.sampled_from([0.0, 1.0, 0.5, -1.0, far, -far]), floats(-far, far)
    )
    return nps.arrays(np.float32, shapes, elements=values)


def masks(most=12):
    """Draw bool (h, w) masks."""
    shapes = nps.array_shapes(min_dims=2, max_dims=2, max_side=most)
    return nps.arrays(bool, shapes)
