"""SSD's head: mmdet's numbers, any loss, and boxes that know their prior."""

from contextlib import nullcontext

import pytest
import torch

pytest.importorskip('mmdet', reason='detection needs mmdet')

from mmengine.structures import InstanceData
from tiny_ssd import SIDE, SIZES, TEST, answers, build_head, metas, objects
from torch.utils._python_dispatch import TorchDispatchMode

from mmocc.models.dea import ssd_losses
from mmocc.models.dea.ssd_iou_head import prior_levels

COUNTS = [(3, 1, 5), (0, 4, 2), (12, 0, 1), (1, 1, 1), (7, 30, 0)]
ASSIGNERS = {
    'ssd': dict(),
    'all ties': dict(gt_max_assign_all=True),
    'least IoU': dict(min_pos_iou=0.4, gt_max_assign_all=True),
    'no low quality': dict(match_low_quality=False),
    'gap': dict(pos_iou_thr=0.6, neg_iou_thr=0.3),
    'two limits': dict(pos_iou_thr=0.6, neg_iou_thr=(0.1, 0.4)),
    'ignore': dict(ignore_iof_thr=0.3),
    'ignore by box': dict(ignore_iof_thr=0.3, ignore_wrt_candidates=False),
}
LOSSES = ('GIoULoss', 'DIoULoss', 'EIoULoss', 'FocalEIoULoss')


def total(losses):
    """Return (classification, boxes) summed as mmengine does."""
    return [
        sum(part.mean() for part in losses[name])
        if isinstance(losses[name], list | tuple)
        else losses[name]
        for name in ('loss_cls', 'loss_bbox')
    ]


def iou_head(name=None, **options):
    """Return a head with this loss of decoded boxes, if there is one."""
    if name:
        name = name if '.' in name else f'mmocc.{name}'
        options |= dict(loss_bbox=dict(type=name), reg_decoded_bbox=True)
    return build_head(**options)


def gradients(losses, maps):
    leaves = [leaf for part in maps for leaf in part]
    return torch.autograd.grad(sum(total(losses)), leaves)


def all_losses(head, maps, gts, shapes=None, ignored=None):
    return head.loss_by_feat(*maps, gts, metas(len(gts), shapes), ignored)


def compare(stock, ours, gts, seed, **kwargs):
    """Assert that both heads have one loss and one gradient."""
    maps = answers(stock, len(gts), seed)
    losses = all_losses(ours, maps, gts, **kwargs)
    expected = all_losses(stock, maps, gts, **kwargs)
    close = torch.testing.assert_close
    close(total(losses), total(expected), rtol=1e-6, atol=1e-6)
    grads, wanted = (gradients(part, maps) for part in (losses, expected))
    close(grads, wanted, rtol=1e-4, atol=1e-6)
    return total(expected)


def stock_assignment(head, gts, ignored):
    """Return mmdet's (B, N) assignment, image by image."""
    priors = head.all_priors([(s, s) for s in SIZES], torch.device('cpu'))
    return torch.stack(
        [
            head.assigner.assign(InstanceData(priors=priors), gt, skip).gt_inds
            for gt, skip in zip(gts, ignored, strict=True)
        ]
    )


@pytest.mark.parametrize('whole', [False, True], ids=['any', 'ties'])
@pytest.mark.parametrize('name', ASSIGNERS)
def test_priors_get_what_mmdets_assigner_gives_them(name, whole):
    head = build_head(assigner=ASSIGNERS[name])
    priors = head.all_priors([(s, s) for s in SIZES], torch.device('cpu'))
    values = set()
    for seed, counts in enumerate(COUNTS):
        gts = objects(counts, seed, whole)
        if counts[0] > 1:  # one box twice is two objects
            gts[0].bboxes[1] = gts[0].bboxes[0]
        ignored = objects((2, 0, 1), seed + 100, whole)
        expected = stock_assignment(head, gts, ignored)
        boxes, real = ssd_losses.pad_boxes([gt.bboxes for gt in gts])
        skip, _ = ssd_losses.pad_boxes([gt.bboxes for gt in ignored])
        blocked = ssd_losses.find_ignored(skip, priors, head.assigner)
        assigned = ssd_losses.assign(
            boxes, real, counts, priors, blocked, head.assigner
        )
        for image, count in enumerate(counts):
            if not count:  # mmdet ignores nothing in images without objects
                expected[image] = -blocked[image].long()
        assert assigned.equal(expected)
        values |= set(assigned.flatten().tolist())
    assert 0 in values
    assert max(values) > 5
    assert (-1 in values) == (name.startswith(('ignore', 'gap', 'two')))


@pytest.mark.parametrize('seed', range(len(COUNTS)))
def test_smooth_l1_equals_mmdets_to_a_millionth(seed):
    # In mmdet, images without objects teach nothing.
    ours = build_head(min_negatives=0)
    stock = build_head('mmdet.SSDHead')
    gts = objects(COUNTS[seed], seed)
    loss_cls, loss_bbox = compare(stock, ours, gts, seed)
    assert loss_cls > 0
    assert loss_bbox > 0
    # Of equal scores as many are mined; a box may reach out of the image.
    gts[2].bboxes[:1] = torch.tensor([-10.0, 60, 40, 120])
    maps = answers(stock, 3, scale=0.0)
    loss, expected = (
        total(all_losses(head, maps, gts)) for head in (ours, stock)
    )
    torch.testing.assert_close(loss, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    'change',
    [
        dict(train=dict(pos_weight=2.5)),
        dict(train=dict(smoothl1_beta=0.3)),
        dict(train=dict(neg_pos_ratio=1)),
        dict(train=dict(neg_pos_ratio=500)),
        dict(train=dict(allowed_border=0)),
        dict(train=dict(allowed_border=10)),
        dict(reg_decoded_bbox=True),
        dict(assigner=ASSIGNERS['gap']),
        dict(assigner=ASSIGNERS['ignore']),
    ],
    ids=str,
)
def test_every_setting_of_mmdet_keeps_its_meaning(change):
    ours = build_head(min_negatives=0, **change)
    stock = build_head('mmdet.SSDHead', **change)
    shapes = [(SIDE, SIDE), (SIDE, 70), (50, SIDE)]  # padded to one size
    for seed in range(3):
        gts = objects((3, 2, 4), seed)
        for gt in gts:
            gt.bboxes.clamp_(max=50)
            size = gt.bboxes[:, 2:] - gt.bboxes[:, :2]
            gt.bboxes[(size <= 0).any(1)] = torch.tensor([10.0, 20, 40, 45])
        ignored = [None, *objects((1, 2), seed + 50)]
        compare(stock, ours, gts, seed, shapes=shapes, ignored=ignored)


@pytest.mark.parametrize('counts', [(0, 0), (3, 0)])
def test_images_without_objects_teach_the_background(counts):
    head = build_head(min_negatives=7)
    maps = answers(head, 2)
    losses = all_losses(head, maps, objects(counts))
    leaves = torch.autograd.grad(
        losses['loss_cls'], maps[0], retain_graph=True
    )
    assert sum((leaf[1] != 0).flatten().sum() // 6 for leaf in leaves) == 7
    if counts == (0, 0):
        assert losses['loss_bbox'].item() == 0
        # the hardest seven of each image, and an image counts as one positive
        rows = ssd_losses.flatten_maps(maps[0], 6).log_softmax(-1)[..., -1]
        expected = -rows.topk(7, largest=False).values.sum() / 2
        assert losses['loss_cls'].item() == pytest.approx(expected.item())
    grads = gradients(losses, maps)
    assert all(grad.isfinite().all() for grad in grads)


@pytest.mark.parametrize('clamp', [None, 3])
@pytest.mark.parametrize('name', [f'mmocc.{name}' for name in LOSSES] + [
    'mmdet.GIoULoss', 'mmdet.CIoULoss', 'mmdet.IoULoss'
])  # fmt: skip
def test_an_iou_loss_is_its_value_on_decoded_positives(name, clamp):
    config = dict(type=name, loss_weight=10.0)
    head = build_head(loss_bbox=config, reg_decoded_bbox=True)
    head.bbox_coder.add_ctr_clamp = clamp is not None
    head.bbox_coder.ctr_clamp = clamp
    gts = objects((3, 0, 2), seed=3)
    maps = answers(head, 3, seed=1)
    losses = all_losses(head, maps, gts)
    priors = head.all_priors([(s, s) for s in SIZES], torch.device('cpu'))
    deltas = ssd_losses.flatten_maps(maps[1], 4)
    assigned = stock_assignment(head, gts, [None] * 3)
    parts = []
    for image, gt in enumerate(gts):
        rows = (assigned[image] > 0).nonzero()[:, 0]
        boxes = head.bbox_coder.decode(priors[rows], deltas[image, rows])
        target = gt.bboxes[assigned[image, rows] - 1]
        loss = head.loss_bbox(boxes, target, reduction_override='none')
        parts.append(loss.sum())
    positives = (assigned > 0).sum(dim=1).clamp(min=1).sum()
    expected = sum(parts).item() / positives.item()
    assert losses['loss_bbox'].item() == pytest.approx(expected, rel=1e-5)
    grads = gradients(losses, maps)
    assert all(grad.isfinite().all() for grad in grads)
    assert sum(grad.any() for grad in grads[len(SIZES) :]) > 1


def test_float64_predictions_have_float64_losses():
    head = build_head(
        loss_bbox=dict(type='mmocc.DIoULoss'), reg_decoded_bbox=True
    )
    maps = [[m.detach().double() for m in part] for part in answers(head, 2)]
    losses = all_losses(head, maps, objects((3, 2)))
    assert {loss.dtype for loss in losses.values()} == {torch.float64}


def test_half_precision_is_learnt_in_float32():
    head = iou_head('EIoULoss')
    maps = answers(head, 2)
    half = [[m.detach().to(torch.bfloat16) for m in part] for part in maps]
    with torch.autocast('cpu', dtype=torch.bfloat16):
        losses = all_losses(head, half, objects((3, 2)))
    again = [[m.float() for m in part] for part in half]
    expected = all_losses(head, again, objects((3, 2)))
    for name, value in expected.items():
        assert losses[name].dtype == torch.float32
        assert losses[name].equal(value)


class NoReading(TorchDispatchMode):
    """Refuse what makes the host wait for a device."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = str(func)
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        kinds = {t.device.type for t in tensors}
        if isinstance(result, torch.Tensor):
            kinds.add(result.device.type)
        copies = '_to_copy' in name or 'copy_' in name
        if (copies and len(kinds) > 1) or 'nonzero' in name:
            raise AssertionError(f'the host waits for {name}')
        return result


@pytest.mark.parametrize('counts', [(3, 0, 5), (0, 0, 0)])
@pytest.mark.parametrize('name', [None, *LOSSES])
def test_the_host_never_waits_for_the_device(name, counts, monkeypatch):
    # Meta tensors have no values, so that reading one fails, and no autocast.
    monkeypatch.setattr(torch, 'autocast', lambda *_, **__: nullcontext())
    head = iou_head(name, assigner=ASSIGNERS['ignore']).to('meta')
    maps = answers(head, 3)
    maps = [
        [leaf.detach().to('meta').requires_grad_() for leaf in part]
        for part in maps
    ]
    gts, ignored = objects(counts), objects((1, 0, 2))
    for part in gts + ignored:
        part.bboxes = part.bboxes.to('meta')
        part.labels = part.labels.to('meta')
    all_losses(head, maps, gts, ignored=ignored)  # priors are copied once
    with NoReading():
        losses = all_losses(head, maps, gts, ignored=ignored)
        sum(total(losses)).backward()
    assert maps[0][0].grad.shape == maps[0][0].shape
    assert losses['num_bad_boxes'].shape == ()


def test_waiting_would_be_noticed():
    values = torch.zeros(3, device='meta')
    with NoReading():
        for wait in (
            lambda: values.cpu(),
            lambda: torch.zeros(3).to('meta'),
            lambda: values.nonzero(),
            lambda: values[values > 0],
            lambda: values.sum().item(),
        ):
            with pytest.raises((AssertionError, RuntimeError)):
                wait()


@pytest.mark.parametrize('counts', [(3, 0, 5), (0, 0, 0), (1, 2, 30)])
@pytest.mark.parametrize('name', [None, 'FocalEIoULoss', 'mmdet.CIoULoss'])
def test_all_rows_give_what_the_positives_give(name, counts, monkeypatch):
    head = iou_head(name)
    maps = answers(head, 3)
    expected = all_losses(head, maps, objects(counts))
    every = ssd_losses.pick_rows

    def pick_all(maps, channels, mask):  # as on a GPU
        return every(maps, channels, torch.ones_like(mask))

    monkeypatch.setattr(ssd_losses, 'pick_rows', pick_all)
    losses = all_losses(head, maps, objects(counts))
    torch.testing.assert_close(total(losses), total(expected))
    grads, wanted = (gradients(part, maps) for part in (losses, expected))
    assert all(grad.isfinite().all() for grad in grads)
    torch.testing.assert_close(grads, wanted)


@pytest.mark.parametrize(
    'box',
    [
        [30, 30, 30, 60],
        [30, 30, 60, 30],
        [60, 60, 30, 30],
        [0, 0, float('nan'), 30],
        [0, 0, float('inf'), 30],
        [SIDE, 0, SIDE + 20, 30],
        [-20, -20, -1, -1],
    ],
)
def test_ground_truth_of_no_use_is_refused_by_name(box):
    head = build_head()
    gts = objects((2, 2))
    gts[1].bboxes[1] = torch.tensor(box)
    maps = answers(head, 2)
    with pytest.raises(ValueError, match=r'1\.jpg: ground-truth box'):
        all_losses(head, maps, gts)


def test_parts_that_do_not_fit_are_refused():
    for name in ('mmocc.EIoULoss', 'mmdet.CIoULoss'):
        with pytest.raises(ValueError, match='set reg_decoded_bbox=True'):
            build_head(loss_bbox=dict(type=name))
    other = dict(type='ATSSAssigner', topk=9)
    with pytest.raises(ValueError, match='assigner is ATSSAssigner'):
        build_head(train=dict(assigner=other))


def predict(head, maps, **kwargs):
    return head.predict_by_feat(
        *maps, batch_img_metas=metas(len(maps[0][0])), **kwargs
    )


def test_predictions_are_those_of_mmdets_head_once_it_can_predict():
    maps = answers(build_head(), 2, scale=2.0)
    stock = build_head('mmdet.SSDHead')
    with pytest.raises(AttributeError, match='loss_cls'):
        predict(stock, maps)
    stock.loss_cls = None  # what it lacks
    pairs = zip(predict(build_head(), maps), predict(stock, maps), strict=True)
    for ours, theirs in pairs:
        assert len(ours) == TEST['max_per_img']
        for name in ('bboxes', 'scores', 'labels'):
            torch.testing.assert_close(ours[name], theirs[name])


@pytest.mark.parametrize('rescale', [False, True])
@pytest.mark.parametrize('with_nms', [False, True])
def test_each_box_knows_its_prior_and_level(rescale, with_nms):
    head = build_head()
    maps = answers(head, 2, scale=2.0)
    scores = ssd_losses.flatten_maps(maps[0], 6).softmax(-1)
    deltas = ssd_losses.flatten_maps(maps[1], 4)
    priors = head.all_priors([(s, s) for s in SIZES], torch.device('cpu'))
    levels = prior_levels([12 * 12 * 4, 6 * 6 * 6, 3 * 3 * 6, 2 * 2 * 4])
    assert [index for level in levels for index in level] == [*range(862)]
    assert len(priors) == 862
    found = predict(head, maps, rescale=rescale, with_nms=with_nms)
    seen = set()
    for image, result in enumerate(found):
        inds = result.prior_inds
        assert inds.dtype == result.level_inds.dtype == torch.int64
        boxes = head.bbox_coder.decode(
            priors[inds], deltas[image, inds], max_shape=(SIDE, SIDE)
        )
        torch.testing.assert_close(result.bboxes, boxes)
        wanted = scores[image, inds, result.labels]
        torch.testing.assert_close(result.scores, wanted)
        seen |= set(result.level_inds.tolist())
        for index, level in zip(inds, result.level_inds, strict=True):
            assert int(index) in levels[level]
    assert seen == {0, 1, 2, 3}
    maps = answers(head, 1, scale=0.0)  # no box is above the threshold
    maps[0] = [m.detach() for m in maps[0]]
    for level in maps[0]:
        level.view(1, -1, 6, *level.shape[-2:])[:, :, -1] = 20.0
    (result,) = predict(head, maps)
    assert result.bboxes.shape == (0, 4)
    assert result.prior_inds.dtype == result.level_inds.dtype == torch.int64
