"""The objects that DEA's judge is fitted to."""

from collections.abc import Iterable

import torch
from mmdet.structures.bbox import get_box_tensor
from mmengine.dist import all_gather_object
from torch import nn

from mmocc.models.dea.anomaly_judge import Redrawing
from mmocc.models.dea.regions import rescale_results
from mmocc.utils.object_matching import match_objects


@torch.no_grad()
def normal_objects(model: nn.Module, data: dict) -> Redrawing:
    """Return the detections of a batch that speak for a normal object.

    Args:
        model: A ``mmocc.DEA`` in eval mode.
        data: A batch as a dataloader gives it, with boxes in pixels of the
            original images. Objects marked as anomalous do not count.
    """
    data = model.data_preprocessor(data, False)
    samples = data['data_samples']
    results, drawn = model.redraw_results(data['inputs'], samples)
    rescale_results(results, samples)
    keep, start = [], 0
    for result, sample in zip(results, samples, strict=True):
        truth = sample.gt_instances
        if 'anomaly' in truth:
            truth = truth[truth.anomaly == 0]
        found = match_objects(
            result.bboxes, result.scores, get_box_tensor(truth.bboxes)
        )
        keep.append(found[found >= 0] + start)
        start += len(result)
    return drawn.take(torch.cat(keep).to(drawn.latents.device))


def fit_judge(model: nn.Module, batches: Iterable[dict]) -> int:
    """Fit a model's judge to normal objects; return how many there are.

    Args:
        model: A ``mmocc.DEA``; it is left in the mode that it was in.
        batches: Its pages, in each process a share of them.

    Raises:
        ValueError: If hardly any object is detected.
    """
    mode = model.training
    model.eval()
    parts = [normal_objects(model, data) for data in batches]
    model.train(mode)
    place = model.judge.bank.device
    # On the CPU: their pictures are many.
    mine = [torch.cat(part).cpu() for part in zip(*parts, strict=True)]
    every = zip(*all_gather_object(mine), strict=True)
    drawn = Redrawing(*(torch.cat(part).to(place) for part in every))
    model.judge.fit(drawn)
    return len(drawn.latents)
