"""Hide-and-Seek in pipelines without mm."""

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import tv_tensors

from mmocc.transforms import HideAndSeek

IMAGE = np.full((30, 50, 3), 7, np.uint8)


def test_cells_of_the_grid_get_the_mean_in_rgb():
    hide = HideAndSeek(10, 0.5, keep_mask=True)
    torch.manual_seed(0)
    sample = hide(image=IMAGE)
    mask = sample['occlusion_mask'].astype(bool)
    cells = mask.reshape(3, 10, 5, 10).transpose(0, 2, 1, 3).reshape(15, 100)
    assert (cells.all(1) | ~cells.any(1)).all()
    assert 0 < mask.mean() < 1
    assert (sample['image'][mask] == (124, 116, 104)).all()
    assert (sample['image'][~mask] == 7).all()
    assert sample['hidden_shares'].tolist() == pytest.approx([mask.mean()])
    assert (IMAGE == 7).all()
    torch.manual_seed(0)
    assert (hide(IMAGE) == sample['image']).all()


def test_a_share_of_cells_is_hidden_and_all_grids_are_drawn():
    hide = HideAndSeek((0, 2, 5), 0.25)
    torch.manual_seed(1)
    shares = [(hide(IMAGE) != 7).any(-1).mean() for _ in range(60)]
    assert np.mean([share == 0 for share in shares]) == pytest.approx(
        1 / 3, abs=0.2
    )
    assert np.mean(shares) == pytest.approx(0.25 * 2 / 3, abs=0.05)


def test_fills_and_types():
    for fill, expected in ((0, (0, 0, 0)), ([1, 2.6, 3], (1, 3, 3))):
        hidden = HideAndSeek(60, 1.0, fill)(Image.fromarray(IMAGE))
        assert (np.array(hidden) == expected).all()
    image = tv_tensors.Image(torch.zeros(3, 64, 64, dtype=torch.uint8))
    hidden = HideAndSeek(64, 1.0, 'noise', seed=0)(image)
    assert type(hidden) is tv_tensors.Image
    assert hidden.float().mean() == pytest.approx(127.5, abs=3)
    for fill in ('grey', (1, 2), 256, float('nan')):
        with pytest.raises(ValueError, match='fill must be'):
            HideAndSeek(fill=fill)
    with pytest.raises(ValueError, match='hide_prob'):
        HideAndSeek(hide_prob=2)


def test_boxes_are_carried_and_dropped_where_nothing_is_seen():
    boxes = [[0, 0, 10, 10], [0, 0, 50, 30]]
    hide = HideAndSeek(10, 0.5, min_visible=0.05, seed=3)
    sample = hide(image=IMAGE, bboxes=boxes, labels=[1, 2])
    shares = [
        (sample['image'][y1:y2, x1:x2] != 7).any(-1).mean()
        for x1, y1, x2, y2 in boxes
    ]
    kept = [bool(share <= 0.95) for share in shares]
    assert sample['labels'] == [
        n for n, k in zip((1, 2), kept, strict=True) if k
    ]
    assert sample['dropped_objects'] == kept.count(False)
    assert len(sample['hidden_shares']) == kept.count(True)
