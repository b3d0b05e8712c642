import numpy as np
import pytest
import torch
from PIL import Image
from small_nets import (
    TRANSFORM,
    BranchNet,
    DigitNet,
    digits,
    example,
    trained_net,
)

from mmocc.learn import fit_learn
from mmocc.learn.agreement import choose_epoch
from mmocc.learn.features import fitting
from mmocc.learn.fit import split_photos
from mmocc.learn.views import Views, list_photos

QUICK = dict(
    transform=TRANSFORM,
    example=example(),
    epochs=8,
    variants=2,
    batch_size=16,
    lr=5e-3,
    kinds=['white', 'noise'],
    validation=0.3,
    left_alone=0.9,
    max_clean_cost=0.1,
)


def fit(net=None, photos=160, **changes):
    lines = []
    images = digits(1000, 1000 + photos)[0]
    options = dict(QUICK, tell=lines.append, **changes)
    return fit_learn(net or trained_net(), images, **options), lines


@pytest.fixture(scope='module')
def fitted():
    return fit()


def test_learn_gains_without_labels(fitted):
    result, lines = fitted
    assert result.gain > 0
    assert result.handle.threshold > 0
    assert result.clean_cost <= 0.1
    assert result.before['L0'] == 1
    assert result.history[result.epoch - 1] == result.after
    assert lines[-1] == str(result)
    assert 'Gain over L1 to L3' in lines[-1]
    assert '48 photographs are held out' in lines[0]
    assert sum(line.startswith('epoch ') for line in lines) == 8


def test_the_gain_is_of_the_handle_on_other_digits(fitted):
    """The reported gain is not one of memorised photographs or features."""
    handle = fitted[0].handle
    images, labels = digits(1300, 1450)
    views = Views(images, TRANSFORM, kinds=QUICK['kinds'], seed=5)
    pictures = [views.levels(view) for view in range(len(views))]
    scores = []
    with torch.no_grad():
        for form in (1, 2, 3):
            inputs = torch.stack([row[form] for row in pictures])
            after = handle(inputs).argmax(1)
            with handle.disabled():
                before = handle(inputs).argmax(1)
            truth = torch.from_numpy(labels)
            scores.append(
                [(x == truth).float().mean() for x in (before, after)]
            )
    before, after = torch.tensor(scores).mean(0)
    assert after >= before


def test_the_classifier_is_given_back_as_it_was():
    net = trained_net().train()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    net.fc.weight.requires_grad_(False)
    state = torch.get_rng_state()
    result, _ = fit(net, photos=20, epochs=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(v, before[k]) for k, v in net.state_dict().items())
    assert net.training and net.stem.training
    grads = {n: p.requires_grad for n, p in net.named_parameters()}
    assert [name for name, grad in grads.items() if not grad] == ['fc.weight']
    assert result.handle.model is net


def test_the_same_call_gives_the_same_learn():
    first, again, other = (
        fit(photos=24, epochs=1, seed=seed)[0].handle.learn.state_dict()
        for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_an_error_leaves_no_hook_behind():
    net = trained_net()
    with pytest.raises(FloatingPointError, match='lower lr than 1e'):
        fit(net, photos=40, lr=1e30, epochs=3)
    assert not any(module._forward_hooks for module in net.modules())


def test_a_branch_cannot_be_trained_on_features():
    with pytest.raises(ValueError, match='inside of a branch'):
        fit(BranchNet(), photos=4, layer='left')


def test_without_gain_learn_is_off():
    """A random classifier has no answers worth repairing, and lr is tiny."""
    torch.manual_seed(0)
    result, lines = fit(DigitNet().eval(), photos=12, epochs=1, lr=1e-12)
    assert result.epoch == 0
    assert not result.handle.enabled
    assert result.after == result.before
    assert 'LEARN is off' in lines[-1]


def test_the_best_epoch_is_one_without_clean_cost():
    def row(*values):
        return dict(zip(('L0', 'L1', 'L2', 'L3'), values, strict=True))

    before = row(1, 0.5, 0.4, 0.3)
    history = [
        row(0.995, 0.6, 0.4, 0.3),
        row(0.95, 0.9, 0.9, 0.9),
        row(0.992, 0.6, 0.5, 0.3),
    ]
    assert choose_epoch(before, history, 0.01) == 3
    assert choose_epoch(before, history, 0.05) == 2
    assert choose_epoch(before, history, 0.0) == 1  # the least cost
    assert choose_epoch(before, [row(1, 0.5, 0.4, 0.3)], 0.01) == 0


def test_memory_decides_how_many_variants_are_held():
    gib = 2**30
    one = 100 * 32 * 8 * 8 * 2 / gib  # float16
    assert fitting(100, 4, (32, 8, 8), 4.01 * one) == 4
    assert fitting(100, 4, (32, 8, 8), 3.5 * one) == 3
    with pytest.raises(ValueError, match='raise it, or take fewer'):
        fitting(100, 4, (32, 8, 8), 1.9 * one)
    net = trained_net()
    held_out = 6 * 4 * 32 * 8 * 8 * 2 / gib
    training = 14 * 32 * 8 * 8 * 2 / gib
    _, lines = fit(
        net, photos=20, epochs=1, memory_gib=held_out + 2.5 * training
    )
    assert '1 instead of 2 occluded variants' in lines[0]


def test_photographs_are_held_out_with_all_their_views():
    torch.manual_seed(0)
    train, held = split_photos(50, 0.1)
    assert sorted([*train, *held]) == list(range(50))
    assert len(held) == 5
    assert split_photos(2, 0.01)[1]
    with pytest.raises(ValueError, match='1 photograph: one must be held'):
        split_photos(1, 0.1)


def views_of(photos, **options):
    return Views(photos, TRANSFORM, **options)


def test_occlusions_hide_their_level_and_follow_the_seed():
    photos = np.full((3, 64, 64, 3), 90, np.uint8)
    views = views_of(photos, kinds=['white', 'noise'], seed=2)
    clean, *hidden = views.levels(1)
    shares = [float((x != clean).any(0).float().mean()) for x in hidden]
    for share, low in zip(shares, (0.2, 0.4, 0.6), strict=True):
        assert low <= share < low + 0.2
    again = views_of(photos, kinds=['white', 'noise'], seed=2)
    assert torch.equal(again.twins(0, 2)[2], views.twins(0, 2)[2])
    first, second = views.twins(0, 2)[1:]
    assert not torch.equal(first, second)
    assert torch.equal(views.twins(0, 2)[0], clean)


def test_further_views_are_crops_of_the_photograph():
    ramp = np.arange(64, dtype=np.uint8)
    photo = np.stack(np.broadcast_arrays(ramp[:, None], ramp, 7), -1)
    views = views_of([photo.astype(np.uint8)] * 2, views=3)
    assert len(views) == 6
    assert [views.photo_of(view) for view in range(6)] == [0, 0, 0, 1, 1, 1]
    whole, one, two = (np.asarray(views.picture(i)) for i in range(3))
    assert np.array_equal(whole, photo)
    assert whole.shape != one.shape
    assert one.shape != two.shape
    for part in (one, two):
        share = part.shape[0] * part.shape[1] / 64**2
        assert 0.3 <= share <= 1
        steps = np.diff(part[..., 1].astype(int), axis=1)
        assert (abs(steps) == 1).all()  # neighbours stay neighbours
    assert np.array_equal(one, views.picture(1))


def test_photographs_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match='is not a folder of photo'):
        list_photos(tmp_path / 'none')
    with pytest.raises(ValueError, match='holds no image'):
        list_photos(tmp_path)
    (tmp_path / 'deep').mkdir()
    Image.new('RGB', (40, 40), 'red').save(tmp_path / 'deep' / 'a.png')
    (tmp_path / 'b.jpg').write_bytes(b'no picture')
    photos = list_photos(tmp_path)
    assert [path.name for path in photos] == ['b.jpg', 'a.png']
    with pytest.raises(ValueError, match=r'b\.jpg cannot be read'):
        views_of(photos)
    with pytest.raises(ValueError, match=r'images\[0\] must be a path'):
        views_of([3])
    with pytest.raises(ValueError, match=r'must give a float tensor.*Image'):
        Views(photos[1:], lambda image: image)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (dict(epochs=0), 'epochs= must be a whole number'),
        (dict(views=1.5), 'views= must be a whole number'),
        (dict(validation=1), r'validation= must be a share in \(0, 1\)'),
        (dict(clean_share=2), 'clean_share= must be in'),
        (dict(lr=0), 'lr= must be positive'),
        (dict(left_alone=1), 'left_alone= must be in'),
    ],
)
def test_arguments_out_of_range_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        fit(photos=4, **change)
