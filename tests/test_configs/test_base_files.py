"""Files of ``_base_`` of different kinds can be combined: no key is in two."""

import itertools

import pytest
from conftest import ROOT
from mmengine.config import Config

BASE = ROOT / 'configs/_base_'
ROOMS = ('models', 'datasets', 'schedules')


def keys_of(path):
    return set(Config.fromfile(path).to_dict())


@pytest.fixture(scope='module')
def keys():
    """Return the keys of each file, by the kind that it is of."""
    rooms = {
        room: {
            path.stem: keys_of(path)
            for path in sorted((BASE / room).glob('*.py'))
        }
        for room in ROOMS
    }
    rooms['runs'] = {
        path.stem: keys_of(path)
        for path in sorted(BASE.glob('*.py'))
        # one has a test pipeline of its own, the other is a whole config
        if path.stem not in ('ten_crop', 'ssdlite_lite0')
    }
    return rooms


@pytest.mark.parametrize(
    ('first', 'second'),
    # Runs state what is evaluated where data sets do not.
    [*itertools.combinations(ROOMS, 2), ('models', 'runs')],
)
def test_no_key_is_in_two_kinds(keys, first, second):
    for one, two in itertools.product(keys[first], keys[second]):
        both = keys[first][one] & keys[second][two]
        assert not both, f'{first}/{one} and {second}/{two}: {both}'
