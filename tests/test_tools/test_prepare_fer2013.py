"""FER2013 prepared: nothing of the test is in the training."""

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

TOOL = ROOT / 'tools/dev/prepare_fer2013.py'
THINGS = dict(
    train='bear_1_2 cup_1_3 tie_1_4 book_1_5 car_1_6 person_1_7',
    test='person_2_1 pizza_2_2 tv_2_3 laptop_2_4 skis_2_5 bear_2_6',
)
MASKS = 'surgical surgical_green surgical_blue cloth N95 KN95 gas'


def photo(seed):
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (12, 12), np.uint8))


def save(picture, *parts):
    path = parts[0].joinpath(*parts[1:])
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path)


@pytest.fixture
def sources(tmp_path):
    """Write three splits, cut-outs, masks and hands."""
    for seed, split in enumerate(('train', 'validation', 'test')):
        for index in range(3):
            large = photo(10 * seed + index).resize((48, 48))
            save(large, tmp_path, 'fer', split, 'sad', f'{split}{index}.jpg')
    twin = photo(20).resize((48, 48)).point(lambda value: value * 0.8 + 9)
    save(twin, tmp_path, 'fer/train/happy/twin.jpg')
    save(twin, tmp_path, 'fer/validation/happy/twin2.jpg')
    save(photo(0).resize((48, 48)), tmp_path, 'fer/train/sad/again.jpg')
    save(Image.new('L', (48, 48)), tmp_path, 'fer/train/sad/black.jpg')
    thing = Image.new('RGBA', (8, 8), (9, 9, 9, 255))
    for split, names in THINGS.items():
        for name in names.split():
            save(thing, tmp_path, 'cut', split, f'{name}.png')
    for name in MASKS.split():
        for view in ('', '_left', '_right'):
            save(thing, tmp_path, 'masks/templates', f'{name}{view}.png')
    (tmp_path / 'masks/masks.cfg').write_text('[surgical]\n')
    save(thing, tmp_path, 'hand/000.png')
    return tmp_path


def names(folder):
    return sorted(p.stem for p in folder.rglob('*') if p.suffix != '.cfg')


def test_the_test_shares_nothing_with_the_training(sources, run_tool):
    done = run_tool(TOOL, 'fer', 'cut', 'masks', 'hand', '--out', 'out')
    assert done.returncode == 0, done.stderr
    out = sources / 'out'
    assert names(out / 'test') == ['sad', 'test0', 'test1', 'test2']
    assert 'twin2' not in names(out / 'validation')
    # a repeat within the training stays
    train = ['again', 'train0', 'train1', 'train2']
    assert names(out / 'train/sad') == train
    assert not (out / 'train/happy').exists()
    notes = (out / 'left_out.txt').read_text().splitlines()
    assert sorted(notes) == [
        'train/happy/twin.jpg is like validation/happy/twin2.jpg',
        'train/sad/black.jpg is blank',
        'validation/happy/twin2.jpg is like test/sad/test0.jpg',
    ]
    things = out / 'occluders'
    train, test = (
        {path.name for path in (things / split).iterdir()}
        for split in ('train', 'test')
    )
    assert not train & test
    assert names(things / 'train/animal') == [
        'bear_1_2'
    ]  # not that of the test
    assert names(things / 'test/person') == ['person_2_1']
    assert names(things / 'test/electronic') == ['laptop_2_4', 'tv_2_3']
    assert len(names(things / 'train/surgical_mask')) == 9
    assert len(names(things / 'test/respirator')) == 9
    assert (things / 'test/cloth_mask/masks.cfg').is_file()


def test_a_missing_kind_is_named(sources, run_tool):
    (sources / 'cut/test/pizza_2_2.png').unlink()
    done = run_tool(TOOL, 'fer', 'cut', 'masks', 'hand', '--out', 'out')
    assert done.returncode
    assert 'no cut-out for out/occluders/test/food' in done.stderr
