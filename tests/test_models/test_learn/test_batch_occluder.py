import cv2
import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub
from mmpretrain.structures import DataSample

from mmocc.occlusion import KINDS
from mmocc.registry import MODELS

MEAN, STD = [100.0, 110.0, 120.0], [50.0, 60.0, 70.0]


def build(**kwargs):
    return MODELS.build(dict(type='mmocc.BatchOccluder', **kwargs))


@pytest.mark.parametrize('kind', KINDS)
@pytest.mark.parametrize('size', [(32, 32), (45, 64)])
def test_the_hidden_area_is_inside_the_range(occluder_folders, kind, size):
    occluder = build(kinds=(kind,), area=(0.3, 0.5), **occluder_folders)
    inputs = torch.zeros(32, 3, *size)
    occluded, mask = occluder(inputs)
    share = mask.float().mean(dim=(1, 2, 3))
    if kind == 'object':  # silhouettes with holes only nearly reach it
        assert 0.2 < share.mean() < 0.55
    else:
        assert (share > 0.3 - 0.04).all()
        assert (share < 0.5 + 0.06).all()
        untouched = ~mask.expand_as(inputs)
        assert (occluded[untouched] == 0).all()
    assert (inputs == 0).all()


def test_white_is_255_in_the_models_normalisation():
    occluder = build(kinds=('white',), mean=MEAN, std=STD)
    occluded, mask = occluder(torch.zeros(4, 3, 16, 16))
    white = (255 - torch.tensor(MEAN)) / torch.tensor(STD)
    values = occluded.permute(0, 2, 3, 1)[mask[:, 0]]
    assert torch.allclose(values, white.expand_as(values))


def test_colours_follow_the_models_channel_order(tmp_path):
    blue = np.zeros((20, 20, 3), np.uint8)
    blue[..., 0] = 200  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / 'blue.png'), blue)
    for bgr_to_rgb, channel in ((False, 0), (True, 2)):
        occluder = build(
            kinds=('texture',),
            texture_bank=str(tmp_path),
            texture_size=16,
            bgr_to_rgb=bgr_to_rgb,
        )
        occluded, mask = occluder(torch.zeros(2, 3, 16, 16))
        values = occluded.permute(0, 2, 3, 1)[mask[:, 0]]
        expected = torch.zeros(3)
        expected[channel] = 200
        assert torch.equal(values, expected.expand_as(values))


def test_all_kinds_occur_and_steps_differ(occluder_folders):
    occluder = build(kinds=KINDS, **occluder_folders)
    inputs = torch.zeros(64, 3, 16, 16)
    first, _ = occluder(inputs)
    second, _ = occluder(inputs)
    assert not torch.equal(first, second)
    distinct = [len(image.unique()) for image in first]
    assert min(distinct) == 2  # white: one colour and the background
    assert max(distinct) > 30  # noise


def test_seed_and_number_of_steps_decide(occluder_folders):
    inputs = torch.zeros(4, 3, 16, 16)
    config = dict(kinds=KINDS, **occluder_folders)
    first, same, other = (build(**config, seed=s) for s in (1, 1, 2))
    occluded = first(inputs)[0]
    assert torch.equal(occluded, same(inputs)[0])
    assert not torch.equal(occluded, other(inputs)[0])
    resumed = build(**config, seed=1)
    assert list(resumed.state_dict()) == ['steps']
    resumed.load_state_dict(first.state_dict())
    assert torch.equal(first(inputs)[0], resumed(inputs)[0])


def test_kinds_default_to_those_that_can_be_made(occluder_folders):
    textures = occluder_folders['texture_bank']
    assert build().kinds == ('white', 'noise')
    only = build(texture_bank=textures).kinds
    assert only == ('white', 'noise', 'texture')
    assert build(**occluder_folders).kinds == KINDS


def test_two_ranks_share_out_the_draws_of_one(monkeypatch, occluder_folders):
    inputs = torch.zeros(6, 3, 16, 16)
    whole = build(kinds=KINDS, **occluder_folders)(inputs)[0]
    for rank in range(2):
        monkeypatch.setattr(
            'mmocc.models.learn.batch_occluder.get_dist_info',
            lambda rank=rank: (rank, 2),
        )
        part = build(kinds=KINDS, **occluder_folders)(inputs[:3])[0]
        assert torch.equal(part, whole[rank::2])


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
def test_half_precision_batches_keep_their_type(dtype):
    occluded, _ = build()(torch.zeros(2, 3, 16, 16, dtype=dtype))
    assert occluded.dtype == dtype
    assert occluded.isfinite().all()


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_a_gpu_gives_what_the_cpu_gives(occluder_folders):
    inputs = 255 * torch.rand(16, 3, 32, 32)
    config = dict(kinds=KINDS, **occluder_folders)
    cpu = build(**config)(inputs)[0]
    gpu = build(**config).cuda()(inputs.cuda())[0].cpu()
    assert (cpu - gpu).abs().mean() < 2  # rims may differ by a rounding


@pytest.mark.parametrize('area', [(0.0, 0.5), (0.6, 0.5), (0.5, 1.1)])
def test_area_must_be_shares(area):
    with pytest.raises(ValueError, match='two shares'):
        build(area=area)


def test_in_place_is_the_same_without_a_copy():
    inputs = 255 * torch.rand(6, 3, 20, 30)
    original = inputs.clone()
    expected, mask = build(seed=3)(inputs)
    assert torch.equal(inputs, original)
    occluded, same_mask = build(seed=3)(inputs, inplace=True)
    assert occluded is inputs
    assert torch.equal(occluded, expected)
    assert torch.equal(same_mask, mask)


def samples_of(*numbers):
    return [DataSample(metainfo=dict(sample_idx=n)) for n in numbers]


def test_variants_of_an_image_do_not_depend_on_its_batch(
    occluder_folders, monkeypatch
):
    hub = MessageHub.get_instance('occluder')
    monkeypatch.setattr(MessageHub, 'get_current_instance', lambda: hub)
    hub.update_info('epoch', 0)
    occluder = build(kinds=KINDS, variants=2, **occluder_folders)
    inputs = torch.zeros(12, 3, 16, 16)
    first, mask = occluder(inputs, data_samples=samples_of(*range(12)))
    assert len({tuple(image.flatten().tolist()) for image in first}) == 12
    part, _ = occluder(inputs[:3], data_samples=samples_of(7, 0, 11))
    assert torch.equal(part, first[[7, 0, 11]])
    twins = []
    for epoch in range(4):
        hub.update_info('epoch', epoch)
        samples = samples_of(*range(12))
        twins.append(occluder(inputs, data_samples=samples)[0])
    assert torch.equal(twins[0], first)
    assert torch.equal(twins[2], first)
    assert torch.equal(twins[3], twins[1])
    assert not (twins[1] == first).flatten(1).all(1).any()
    # As many of each kind and share as without variants.
    assert 0.2 < mask.float().mean() < 0.8


def test_variants_need_numbers_and_one_at_least():
    occluder = build(variants=1)
    inputs = torch.zeros(1, 3, 16, 16)
    for samples in (None, [DataSample()]):
        with pytest.raises(ValueError, match=r'sample_idx.*PackInputs'):
            occluder(inputs, data_samples=samples)
    with pytest.raises(ValueError, match='variants=0 must be 1 or more'):
        build(variants=0)
