"""Maps on a stated scale: as dark as they are, on any picture."""

import numpy as np
import pytest

from mmocc.visualization.colours import Scale, heat_colours, overlay_heat
from mmocc.visualization.sheet import LINES, Panel, draw_sheet


def test_maps_100_times_apart_do_not_look_the_same():
    ramp = np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8)
    strong, weak = heat_colours(ramp), heat_colours(ramp / 100)
    assert np.abs(strong.astype(int) - weak).max() > 100
    # The ends are jet's: dark blue and dark red, RGB; and all beyond.
    ends = heat_colours(np.array([[-5.0, 0.0, 1.0, 7.0]]))[0]
    assert ends[0].tolist() == ends[1].tolist() == [0, 0, 128]
    assert ends[2].tolist() == ends[3].tolist() == [128, 0, 0]
    # Another range: its middle is that of 0 to 1.
    middle = heat_colours(np.full((1, 1), 15.0), 10, 20)
    assert middle.tolist() == heat_colours(np.full((1, 1), 0.5)).tolist()
    with pytest.raises(ValueError, match='from low to high, got 1 to 1'):
        heat_colours(ramp, 1, 1)


def test_an_overlay_is_a_mixture():
    image = np.full((4, 4, 3), 200, np.uint8)
    out = overlay_heat(image, np.zeros((4, 4)), alpha=0.25)
    assert out[0, 0].tolist() == [150, 150, 182]  # 3/4 of 200, 1/4 of blue


def near(picture, colour):
    return np.abs(picture.astype(int) - colour).max(axis=2) < 40


def test_a_mask_is_outlined_where_it_is_and_a_scale_is_drawn():
    image = np.full((100, 100, 3), (10, 20, 60), np.uint8)
    mask = np.zeros((100, 100), np.uint8)
    mask[20:40, 30:70] = 1
    plain = draw_sheet([[Panel(image)]], width=4)
    sheet = draw_sheet([[Panel(image, masks={'defect': mask})]], width=4)
    magenta = near(sheet, (255, 0, 255))
    frame = (sheet == (10, 20, 60)).all(axis=2).nonzero()
    top, left = frame[0].min(), frame[1].min()
    scale = (frame[1].max() - left + 1) / 100
    rows, columns = magenta[: frame[0].max()].nonzero()
    drawn = [
        (columns.min() - left) / scale,
        (rows.min() - top) / scale,
        (columns.max() - left) / scale,
        (rows.max() - top) / scale,
    ]
    np.testing.assert_allclose(drawn, [30, 20, 70, 40], atol=1.5)
    assert magenta[frame[0].max() :].any()  # explained in the legend
    assert not near(plain, (255, 0, 255)).any()
    bar = draw_sheet([[Panel(image, scale=Scale(0, 0.5, 'error'))]], width=4)
    for colour in ((0, 0, 128), (128, 0, 0)):
        assert near(bar, colour).sum() > 10 > near(plain, colour).sum()
    none = draw_sheet([[Panel(image, masks={'defect': 0 * mask})]], width=4)
    assert none.shape == plain.shape
    assert 'defect' in LINES
