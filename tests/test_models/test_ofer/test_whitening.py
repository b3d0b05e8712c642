import numpy as np
import pytest
import torch
from mmpretrain.structures import DataSample
from sklearn.metrics import roc_auc_score
from tiny_mae import PATCHES, SIZE, build_mae
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.models.ofer import PatchLatentExtractor, PatchSVDD
from mmocc.models.ofer.whitening import PatchWhitening

L, D = 3, 5


def latents(number=4000, seed=0):
    """Return Gaussian latents, another mean and covariance at each place."""
    torch.manual_seed(0)
    mean, mix = 3 * torch.randn(L, D), torch.randn(L, D, D)
    torch.manual_seed(seed)
    noise = torch.randn(number, L, D)
    return mean + torch.einsum('nld,lde->nle', noise, mix)


def all_clean(z):
    return torch.ones(z.shape[:2], dtype=torch.bool)


def fitted(*parts, ridge=0.0):
    module = PatchWhitening(L, D, ridge)
    module.fit((z, all_clean(z)) for z in parts)
    return module


def test_each_position_gets_mean_0_and_covariance_1():
    z = latents()
    out = fitted(z[:1000], z[1000:])(z)
    assert out.dtype == torch.float32
    assert out.mean(dim=0).abs().max() < 1e-4
    for place in range(L):
        covariance = torch.cov(out[:, place].T, correction=0)
        assert torch.allclose(covariance, torch.eye(D), atol=1e-3)


def test_occluded_patches_are_not_counted():
    z, clean = latents(), all_clean(latents())
    clean[::3, 1] = False
    wanted = PatchWhitening(L, D)
    wanted.fit([(z, clean)])
    spoilt = z.clone()
    spoilt[~clean] = 1e3
    found = PatchWhitening(L, D)
    found.fit([(spoilt, clean)])
    assert torch.equal(found.mean, wanted.mean)
    assert torch.equal(found.matrix, wanted.matrix)
    rest = z[clean[:, 1], 1].mean(dim=0)
    assert torch.allclose(wanted.mean[1], rest, atol=1e-5)


def test_a_direction_in_which_nothing_varies_does_not_decide():
    z = latents()
    z[..., 0] = 2.0
    module = fitted(z, ridge=0.01)
    moved = z.clone()
    moved[..., 0] += 0.01
    change = (module(moved) - module(z)).norm(dim=-1)
    assert change.max() < 0.1
    assert module(z).isfinite().all()


def test_a_place_that_is_never_clean_is_refused():
    z, clean = latents(10), all_clean(latents(10))
    clean[1:, 2] = False
    with pytest.raises(ValueError, match=r'position 2 .* clean in 1 pic'):
        PatchWhitening(L, D).fit([(z, clean)])
    z[0, 0] = torch.nan
    with pytest.raises(ValueError, match='not finite'):
        PatchWhitening(L, D).fit([(z, all_clean(z))])


def test_what_is_common_elsewhere_is_strange_here():
    """Latents that changed their places: far off once they are whitened."""
    z = latents(2000)
    fresh = latents(500, seed=1)
    strange = fresh[:, [1, 2, 0]]
    truth = np.repeat([0, 1], 500 * L)
    module = fitted(z, ridge=0.01)

    def auroc(change):
        both = change(torch.cat([fresh, strange]))
        return roc_auc_score(truth, both.norm(dim=-1).flatten())

    assert auroc(module) > 0.9
    assert auroc(lambda x: x - z.mean(dim=(0, 1))) == pytest.approx(0.5)


def images(number=40, seed=0):
    torch.manual_seed(seed)
    return torch.randn(number, 3, SIZE, SIZE)


def batches(*parts):
    return [
        dict(inputs=list(x), data_samples=[DataSample() for _ in x])
        for x in parts
    ]


@pytest.fixture
def svdd():
    return build()


def build(**options):
    extractor = PatchLatentExtractor(build_mae())
    torch.manual_seed(0)
    options = dict(whiten=True, dims=(16, 8)) | options
    return PatchSVDD(extractor, data_preprocessor={}, **options)


def test_a_detector_is_trained_on_whitened_latents(svdd):
    with pytest.raises(RuntimeError, match='at_start=True'):
        svdd.loss(images(2))
    svdd.fit(batches(images(), images(40, 1)))
    whitening = svdd.whitening.state_dict()
    whitening = {name: value.clone() for name, value in whitening.items()}
    centre = svdd.centre.clone()
    seen = svdd.extractor.encode(torch.cat([images(), images(40, 1)]))
    assert torch.allclose(whitening['mean'], seen.mean(dim=0), atol=1e-5)
    first = svdd.loss(images(8))['loss_svdd']
    optimizer = torch.optim.Adam(svdd.projection.parameters(), 1e-3)
    for step in range(30):
        loss = svdd.loss(images(8, step))['loss_svdd']
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert svdd.loss(images(8))['loss_svdd'] < 0.7 * first
    assert svdd.fit(batches(images(40, 5))) == 40 * PATCHES
    assert torch.equal(svdd.centre, centre)
    for name, value in svdd.whitening.state_dict().items():
        assert torch.equal(value, whitening[name])
    share = svdd.detect(images(40, 5)).mask.float().mean()
    assert abs(share - svdd.nu) < 0.005


def test_its_checkpoint_holds_the_whitening(svdd):
    svdd.fit(batches(images()))
    other = PatchSVDD(dims=(16, 8), whiten=True)
    other.share_extractor(svdd.extractor)
    other.load_state_dict(svdd.state_dict(), strict=False)
    wanted = svdd.detect(images(4)).distances
    assert torch.equal(other.detect(images(4)).distances, wanted)
    plain = build(whiten=False)
    for one, two in ((svdd, plain), (plain, svdd)):
        with pytest.raises(ValueError, match=r'same dims .* whiten'):
            one.load_state_dict(two.state_dict(), strict=False)


def work(rank, folder):
    """Fit to 25 pictures, or to the other 15."""
    join(rank, folder)
    model = build()
    model.fit(batches(images()[:25] if rank == 0 else images()[25:]))
    torch.save(model.state_dict(), folder / f'{rank}.pth')
    leave()


def test_two_processes_whiten_by_what_both_have(tmp_path, svdd):
    multiprocessing.start_processes(
        work, (tmp_path,), nprocs=2, start_method='fork'
    )
    one, two = (torch.load(tmp_path / f'{rank}.pth') for rank in (0, 1))
    for name, value in one.items():
        assert torch.equal(value, two[name]), name
    svdd.fit(batches(images()))
    for name in ('whitening.mean', 'whitening.matrix', 'centre', 'radius'):
        wanted = svdd.state_dict()[name]
        assert torch.allclose(one[name], wanted, rtol=1e-3, atol=1e-3), name
