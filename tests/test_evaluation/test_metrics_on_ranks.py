"""Every metric of two processes is that of one, to the last bit.

Five samples are dealt to two processes as mmengine's DefaultSampler does it,
the first one again at the end, to fill up the last batch.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import multiprocessing
from two_ranks import join, leave

from mmocc.registry import METRICS

pytest.importorskip('mmdet', reason='some of the metrics are for detectors')

SIZE = 5
CELLS = ('L0', 'L1 white', 'L2 noise')
CLASSES = ('cat', 'dog')
PAGE = (60, 90)  # h, w


def random(index):
    return torch.Generator().manual_seed(index)


def classified(index, folder):
    """An image in a cell of the occlusion benchmark."""
    return dict(
        pred_score=torch.rand(3, generator=random(index)),
        gt_label=torch.tensor([index % 3]),
        occlusion_cell=CELLS[index % 3],
    )


def mapped(index, folder):
    """An image with a map, a box, and a mask on disk."""
    return dict(
        gt_cam=torch.rand(8, 8, generator=random(index)),
        gt_mask_paths=[folder / f'{index}.png'],
        gt_bboxes=[[3 * index, 3 * index, 3 * index + 50, 3 * index + 40]],
        gt_label=torch.tensor([index % 2]),
        ori_shape=PAGE,
        pred_score=torch.tensor([0.6, 0.4]),
    )


def video(index, folder):
    return dict(
        sample_idx=index,
        gt_label=torch.tensor([index % 2]),
        cams=torch.rand(2, 12, generator=random(index)),
        pred_score=torch.rand(2, generator=random(index + 9)),
        gt_segments=np.array([(index, index + 3), (index + 5, index + 7)]),
    )


def patched(index, folder):
    """A face with distances of its patches."""
    distances = torch.rand(4, generator=random(index))
    return dict(
        pred_patch_dist=distances,
        pred_patch_mask=distances > 0.5,
        patch_coverage=np.roll([[1, 1], [0, 0]], index, 1),
        occlusion_kind=('hand', 'cup')[index % 2],
    )


def redrawn(index, folder):
    shape = (3, 16, 16)
    clean = torch.randint(256, shape, generator=random(index))
    noise = 30 * torch.rand(shape, generator=random(index + 9))
    return dict(
        recon=clean.flip(0) + noise,
        clean_img=clean.permute(1, 2, 0).numpy().astype(np.uint8),
        pred_patch_mask=torch.tensor([index % 4 == k for k in range(4)]),
        patch_grid=(2, 2),
    )


def instances(generator, number):
    """Boxes and labels; all of them overlap a little."""
    low = torch.randint(30, (number, 2), generator=generator)
    size = torch.randint(8, 30, (number, 2), generator=generator)
    return dict(
        bboxes=torch.cat([low, low + size], 1).float(),
        labels=torch.randint(2, (number,), generator=generator),
    )


def detected(index, folder):
    """A page with objects, anomalous ones, detections and their redrawing."""
    generator = random(index)
    known, anomalous = instances(generator, 3), instances(generator, 1)
    anomalous['labels'] -= 5
    boxes = {k: torch.cat([known[k], anomalous[k]]) for k in known}
    boxes['bboxes'] = boxes['bboxes'] + torch.rand(4, 4, generator=generator)
    boxes['labels'] = boxes['labels'].clamp_min(0)
    pixels = torch.zeros(1, *PAGE, dtype=torch.uint8)
    pixels[:, 20:30, 10:40] = 1
    return dict(
        img_id=index,
        img_path=f'{index}.png',
        ori_shape=PAGE,
        gt_instances=dict(known, anomaly=torch.zeros(3)),
        ignored_instances=dict(anomalous, anomaly=torch.ones(1)),
        gt_sem_seg=dict(sem_seg=pixels),
        instances=[
            dict(bbox=box.tolist(), bbox_label=int(label), ignore_flag=0)
            for box, label in zip(*known.values(), strict=True)
        ],
        pred_instances=dict(
            boxes,
            scores=torch.rand(4, generator=generator),
            score_pearson=torch.rand(4, generator=generator),
            errors=torch.rand(4, 8, 8, generator=generator),
        ),
    )


def write_files(folder):
    """Write masks, a COCO file, and lists of hard objects."""
    images, notes, hard = [], [], []
    for index in range(SIZE):
        mask = torch.rand(8, 8, generator=random(index + 9)) > 0.6
        Image.fromarray(mask.numpy()).save(folder / f'{index}.png')
        page = detected(index, folder)
        images.append(
            dict(id=index, file_name=f'{index}.png', height=60, width=90)
        )
        for item in page['instances']:
            x, y, right, bottom = item['bbox']
            box, label = [x, y, right - x, bottom - y], item['bbox_label']
            notes.append(
                dict(
                    id=len(notes) + 1,
                    image_id=index,
                    category_id=label,
                    bbox=box,
                    area=box[2] * box[3],
                    iscrowd=0,
                )
            )
            rle = dict(size=list(PAGE), counts='0')
            hard.append(
                [f'{index}.png', CLASSES[label], len(hard), box, rle, 0.3]
            )
    categories = [dict(id=k, name=name) for k, name in enumerate(CLASSES)]
    document = dict(images=images, annotations=notes, categories=categories)
    (folder / 'coco.json').write_text(json.dumps(document))
    (folder / 'occluded.json').write_text(json.dumps(hard))
    for row in hard:
        row[3] = [*row[3][:2], row[3][0] + row[3][2], row[3][1] + row[3][3]]
    (folder / 'separated.json').write_text(json.dumps(hard))


METRIC_SAMPLES = {
    'OcclusionAccuracy': classified,
    'MeanClassAccuracy': classified,
    'LocalizationAccuracy': mapped,
    'MaxBoxAcc': mapped,
    'PxAP': mapped,
    'TemporalMeanAP': video,
    'PatchOcclusionMetric': patched,
    'ReconstructionQuality': redrawn,
    'ObjectAnomalyMetric': detected,
    'KnownClassCocoMetric': detected,
    'BoxOccludedSeparatedRecall': detected,
}
OPTIONS = {
    'KnownClassCocoMetric': lambda folder: dict(
        ann_file=str(folder / 'coco.json')
    ),
    'BoxOccludedSeparatedRecall': lambda folder: dict(
        occluded_ann=folder / 'occluded.json',
        separated_ann=folder / 'separated.json',
        iou_thr=0.5,
    ),
}


def score(rank, world, folder):
    """Return the values of every metric, as one of the processes."""
    dealt = [index % SIZE for index in range(-(-SIZE // world) * world)]
    values = {}
    for name, make in METRIC_SAMPLES.items():
        options = OPTIONS.get(name, lambda folder: {})(folder)
        metric = METRICS.build(dict(type=f'mmocc.{name}', **options))
        metric.dataset_meta = dict(classes=CLASSES)
        if name == 'MeanClassAccuracy':
            metric.dataset_meta = dict(classes=('a', 'b', 'c'))
        blank = torch.full((3, *PAGE), 255, dtype=torch.uint8)
        for index in dealt[rank::world]:
            metric.process(dict(inputs=[blank]), [make(index, folder)])
        values[name] = metric.evaluate(SIZE)
    return values


def work(rank, world, folder):
    """Be one of the processes."""
    torch.set_num_threads(1)
    join(rank, folder, world)
    values = score(rank, world, folder)
    (folder / f'rank{rank}.json').write_text(json.dumps(values))
    leave()


@pytest.fixture(scope='module')
def scores(tmp_path_factory):
    """What one process finds, and each of two."""
    folder = tmp_path_factory.mktemp('metrics')
    write_files(folder)
    multiprocessing.spawn(work, (2, folder), nprocs=2)
    two = [json.loads((folder / f'rank{k}.json').read_text()) for k in (0, 1)]
    return [json.loads(json.dumps(score(0, 1, folder))), *two]


@pytest.mark.parametrize('name', METRIC_SAMPLES)
def test_two_processes_score_as_one(scores, name):
    one, first, second = (found[name] for found in scores)
    assert len(one) > 0
    assert any(value not in (0, 100, -1) for value in one.values())
    assert first == one
    assert second == one
