"""Maps of a frozen trunk, kept in memory: the same values, computed once."""

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

import toy_dea
from conftest import ROOT
from mmengine.config import Config

from mmocc.models.dea.map_memory import MapMemory, is_frozen
from mmocc.registry import MODELS


class Trunk(torch.nn.Module):
    """Two maps of an image; counts the images it gets."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1).requires_grad_(False)
        self.images = 0
        self.eval()

    def forward(self, images):
        self.images += len(images)
        fine = self.conv(images)
        return fine, torch.nn.functional.avg_pool2d(fine, 2)


@pytest.fixture
def trunk():
    torch.manual_seed(0)
    return Trunk()


@pytest.fixture
def images():
    return torch.randn(3, 3, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def notes(monkeypatch):
    """Return a list of what is logged."""
    texts = []
    for module in ('dea', 'map_memory'):
        monkeypatch.setattr(
            f'mmocc.models.dea.{module}.print_log',
            lambda text, **_: texts.append(text),
        )
    return texts


def test_each_image_is_computed_once_and_has_its_own_maps(trunk, images):
    memory = MapMemory(1.0)
    first = memory(trunk, images[:2], [trunk])
    order = [2, 0, 1, 0]
    again = memory(trunk, images[order], [trunk])
    assert trunk.images == 3
    for level, known, plain in zip(
        again, first, trunk(images[order]), strict=True
    ):
        assert level.dtype == torch.float32
        assert torch.equal(level[1:3], known)
        torch.testing.assert_close(level, plain, rtol=2**-11, atol=1e-7)


def test_mirrored_and_other_precision_are_other_images(trunk, images):
    memory = MapMemory(1.0)
    memory(trunk, images, [trunk])
    mirrored = memory(trunk, images.flip(-1), [trunk])
    assert trunk.images == 6
    with torch.autocast('cpu', torch.bfloat16):
        rough = memory(trunk, images, [trunk])
    assert trunk.images == 9
    assert rough[0].dtype == torch.bfloat16
    torch.testing.assert_close(
        mirrored[0], trunk(images.flip(-1))[0], rtol=2**-11, atol=1e-7
    )


def test_other_weights_empty_the_memory(trunk, images):
    memory = MapMemory(1.0)
    memory(trunk, images, [trunk])
    trunk.conv.weight.mul_(2)
    changed = memory(trunk, images, [trunk])
    assert trunk.images == 6
    torch.testing.assert_close(
        changed[0], trunk(images)[0], rtol=2**-11, atol=1e-7
    )


def test_a_full_memory_keeps_no_more_and_changes_no_value(
    trunk, images, notes
):
    row = 2 * 4 * (64 + 16)  # bytes
    memory, large = MapMemory(2 * row / 2**30), MapMemory(1.0)
    for _ in range(2):
        small = memory(trunk, images, [trunk])
    assert trunk.images == 4
    assert (memory.size, len(memory.rows)) == (2 * row, 2)
    assert len(notes) == 1
    assert 'those of others are computed in each step' in notes[0]
    # Sums of a batch of another size may round otherwise.
    torch.testing.assert_close(
        small, large(trunk, images, [trunk]), rtol=2**-10, atol=1e-7
    )


def test_values_that_float16_cannot_hold_are_refused(trunk, images):
    trunk.conv.weight.mul_(1e6)
    with pytest.raises(FloatingPointError, match='map_memory_gib=0'):
        MapMemory(1.0)(trunk, images, [trunk])


def test_frozen_means_no_parameter_and_no_statistics_are_trained(trunk):
    norm = torch.nn.BatchNorm2d(3).requires_grad_(False)
    assert is_frozen([trunk, norm.eval()])
    assert not is_frozen([trunk, norm.train()])
    assert not is_frozen([trunk.requires_grad_(True)])


def losses(gib, frozen=True):
    """Return the losses of steps in the middle of a run, with this memory."""
    model = toy_dea.build(frozen_detector=frozen, map_memory_gib=gib).train()
    optimizer = torch.optim.SGD(model.decoder.parameters(), lr=0.01)
    torch.manual_seed(3)
    values = [
        toy_dea.step(model, toy_dea.batch(), optimizer) for _ in range(4)
    ]
    return model, torch.stack([one['loss_rec'].detach() for one in values])


def test_dea_learns_the_same_with_and_without_memory():
    plain, expected = losses(0)
    model, actual = losses(1.0)
    assert plain.map_memory is None
    assert len(model.map_memory.rows) == len(toy_dea.PAGES)
    torch.testing.assert_close(actual, expected, rtol=1e-3, atol=1e-5)
    assert set(model.state_dict()) == set(plain.state_dict())


def test_dea_says_that_a_trained_trunk_has_no_memory(notes):
    model, actual = losses(1.0, frozen=False)
    assert model.map_memory is None
    assert torch.equal(actual, losses(0, frozen=False)[1])
    assert len(notes) == 1
    assert 'map_memory_gib has no effect' in notes[0]


def test_the_config_of_parts_has_a_frozen_trunk():
    cfg = Config.fromfile(ROOT / 'configs/dea/dea_mvtec.py').model
    cfg.backbone.init_cfg = None
    assert cfg.map_memory_gib == 1
    assert is_frozen([MODELS.build(cfg.backbone).train()])
