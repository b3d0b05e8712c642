"""What a detector that does not exist finds in photos that do not either."""

import numpy as np

from mmocc.report.detection_store import Detections

CLASSES = 3
PHOTOS = 12


def draw(seed, photos=PHOTOS, share=0.0, lost=0.3):
    """Return objects, boxes that find most of them, and false ones."""
    parts = []
    for number in range(photos):
        rng = np.random.default_rng((seed, number))
        objects = rng.integers(1, 6)
        low = rng.uniform(0, 200, (objects, 2))
        boxes = np.hstack([low, low + rng.uniform(10, 130, (objects, 2))])
        labels = rng.integers(0, CLASSES, objects)
        moved = boxes + rng.normal(0, 3, boxes.shape)
        seen = rng.random(objects) > lost
        moved = moved[seen]
        wrong = rng.uniform(0, 100, (4, 2))
        false = np.hstack([wrong, wrong + rng.uniform(20, 90, (4, 2))])
        parts.append(
            (
                boxes,
                labels,
                np.vstack([moved, false]),
                np.concatenate([labels[seen], rng.integers(0, CLASSES, 4)]),
                np.concatenate([rng.random(objects)[seen], rng.random(4)]),
            )
        )
    order = [np.full(len(p[2]), n) for n, p in enumerate(parts)]
    owner = np.concatenate(
        [np.full(len(p[0]), n) for n, p in enumerate(parts)]
    )
    boxes = np.vstack([p[2] for p in parts]).astype(np.float32)
    return Detections(
        photo=np.array([f'{n}.jpg' for n in range(photos)]),
        owner=np.concatenate(order),
        boxes=boxes,
        scores=np.concatenate([p[4] for p in parts]).astype(np.float32),
        labels=np.concatenate([p[3] for p in parts]),
        object_owner=owner,
        objects=np.vstack([p[0] for p in parts]).astype(np.float32),
        object_labels=np.concatenate([p[1] for p in parts]),
        ignored=np.arange(len(owner)) % 11 == 5,
        shares=np.full(len(owner), share, np.float32),
    )
