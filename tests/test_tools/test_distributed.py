"""Two processes without a GPU train as one with the doubled batch does."""

import json
import socket
import sys

import pytest
import tiny_learn
import torch
import torch.distributed as dist
from mmengine.config import Config
from mmengine.model import MMDistributedDataParallel
from mmpretrain.registry import MODELS
from mmpretrain.structures import DataSample
from tiny_learn import ROOT, checkpoint, finish, start
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.models.learn.feature_losses import (
    InterClassLatentLoss,
    IntraClassLatentLoss,
    gather_ranks,
)

LEARN_AT_512 = 701_216  # parameters, of design and paper
LOSSES = {
    **{
        f'intra {positives} {distance}': (
            IntraClassLatentLoss,
            dict(positives=positives, distance=distance),
        )
        for positives in ('class', 'twin', 'centroid')
        for distance in ('cosine', 'l2')
    },
    'inter cosine': (InterClassLatentLoss, dict(margin=1.2)),
    'inter l2': (InterClassLatentLoss, dict(distance='l2', margin=4.0)),
}


@pytest.fixture
def port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return str(probe.getsockname()[1])


def test_two_processes_follow_the_loss_curve_of_one(tmp_path, port):
    config = tiny_learn.write(
        tmp_path, "train_cfg['max_epochs'] = 2", gather=True
    )
    results = []
    for name, batch, *command in (
        ('one', 8, sys.executable, ROOT / 'tools/train.py', config),
        ('two', 4, ROOT / 'tools/dist_train.sh', config, 2),
    ):
        finish(
            tmp_path,
            start(
                tmp_path,
                *command,
                f'--work-dir={name}',
                '--cfg-options',
                f'train_dataloader.batch_size={batch}',
                PORT=port,
            ),
        )
        curve = json.loads((tmp_path / name / 'curve.json').read_text())
        weights = checkpoint(tmp_path / name / 'epoch_2.pth')['state_dict']
        results.append((curve, weights))
    (one, weights_of_one), (two, weights_of_two) = results
    assert len(one) == len(two) == 6
    keys = {'loss', 'loss_rec', 'loss_intra', 'loss_inter', 'loss_cls'}
    for expected, losses in zip(one, two, strict=True):
        assert set(losses) == keys
        assert min(losses.values()) > 1e-3  # each has something to do
        assert losses == pytest.approx(expected, rel=1e-4)
    assert one[-1]['loss'] < one[0]['loss']
    before = checkpoint(tmp_path / 'baseline.pth')['state_dict']
    for name, expected in weights_of_one.items():
        torch.testing.assert_close(
            weights_of_two[name], expected, rtol=1e-4, atol=1e-5
        )
        if name in before:
            assert torch.equal(expected, before[name])


def latents():
    """Return inputs and weights whose product are eight latents, labels."""
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(2, 8, 5, generator=generator)
    weights = torch.randn(5, 6, generator=generator)
    return inputs, weights, torch.tensor([0, 1, 2, 0, 1, 1, 2, 0])


def loss_and_grad(cls, options, gather, share):
    """Return a loss of this share of the latents, and weights' gradient."""
    inputs, weights, labels = latents()
    weights.requires_grad_()
    clean, occluded = inputs[:, share] @ weights
    loss = cls(gather=gather, **options)(clean, occluded, labels[share])
    loss.backward()
    return loss.detach(), weights.grad


def on_two_ranks(cls, options, gather, rank):
    """Return the means over ranks, as DDP makes of the gradient."""
    result = loss_and_grad(cls, options, gather, slice(rank, None, 2))
    for tensor in result:
        dist.all_reduce(tensor)
    return [tensor / 2 for tensor in result]


def gradient_of_gather_ranks(rank):
    """Return a rank's gradient, where rank r weighs entry i by i + 10 r."""
    mine = torch.full((2, 3), float(rank), requires_grad=True)
    whole = gather_ranks(mine)
    assert whole[:, 0].tolist() == [0, 0, 1, 1]
    weight = torch.arange(12.0).view(4, 3) + 10 * rank
    (whole * weight).sum().backward()
    return mine.grad


def sent_by_ddp():
    """Return the numbers that DDP sends in a step, and LEARN's parameters."""
    cfg = Config.fromstring(tiny_learn.config_text(), '.py')
    cfg.merge_from_dict(
        {
            'model.backbone.stem_channels': 64,
            'model.backbone.base_channels': 64,
            'model.neck.0.in_channels': 512,
            'model.head.in_channels': 512,
        }
    )
    torch.manual_seed(0)
    model = MMDistributedDataParallel(
        MODELS.build(cfg.model), broadcast_buffers=False
    )
    sent = []

    def count(_, bucket):
        sent.append(bucket.buffer().numel())
        future = torch.futures.Future()
        future.set_result(bucket.buffer())
        return future

    model.register_comm_hook(None, count)
    samples = [DataSample().set_gt_label(label) for label in (0, 1)]
    losses = model(torch.randn(2, 3, 32, 32), samples, mode='loss')
    sum(losses.values()).backward()
    return dict(
        sent=sum(sent),
        with_grad=sum(
            p.numel() for p in model.parameters() if p.requires_grad
        ),
        of_learn=sum(p.numel() for p in model.module.learn.parameters()),
        of_all=sum(p.numel() for p in model.parameters()),
    )


def work(rank, folder):
    """Do on one of two ranks what the tests below look at."""
    torch.set_num_threads(1)
    join(rank, folder)
    found = dict(
        gather_grad=gradient_of_gather_ranks(rank),
        gathered={k: on_two_ranks(*v, True, rank) for k, v in LOSSES.items()},
        local={k: on_two_ranks(*v, False, rank) for k, v in LOSSES.items()},
        ddp=sent_by_ddp(),
    )
    torch.save(found, f'{folder}/{rank}.pth')
    leave()


@pytest.fixture(scope='module')
def ranks(tmp_path_factory):
    """What each of two ranks found."""
    folder = tmp_path_factory.mktemp('ranks')
    multiprocessing.spawn(work, (folder,), nprocs=2)
    return [checkpoint(folder / f'{rank}.pth') for rank in range(2)]


def test_gather_ranks_sums_the_gradients_of_all_ranks(ranks):
    weight = torch.arange(12.0).view(4, 3)
    total = weight + (weight + 10)
    assert torch.equal(ranks[0]['gather_grad'], total[:2])
    assert torch.equal(ranks[1]['gather_grad'], total[2:])


@pytest.mark.parametrize('name', LOSSES)
def test_gathered_losses_have_the_value_and_gradient_of_one_process(
    ranks, name
):
    expected = loss_and_grad(*LOSSES[name], False, slice(None))
    for rank in ranks:
        torch.testing.assert_close(
            rank['gathered'][name], list(expected), rtol=1e-5, atol=1e-7
        )


@pytest.mark.parametrize('name', LOSSES)
def test_without_gathering_ranks_do_not_see_each_others_pairs(ranks, name):
    loss, grad = loss_and_grad(*LOSSES[name], False, slice(None))
    local, local_grad = ranks[0]['local'][name]
    if name.startswith('intra twin'):  # a twin is always on the same rank
        torch.testing.assert_close(local, loss)
    else:
        assert abs(local / loss - 1) > 1e-2
        assert (local_grad - grad).abs().max() > 1e-2 * grad.abs().max()


def test_ddp_sends_the_gradient_of_learn_and_nothing_else(ranks):
    for rank in ranks:
        assert rank['ddp']['sent'] == LEARN_AT_512
        assert rank['ddp']['with_grad'] == LEARN_AT_512
        assert rank['ddp']['of_learn'] == LEARN_AT_512
        assert rank['ddp']['of_all'] > 10 * LEARN_AT_512
