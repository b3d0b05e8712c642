"""DEA for parts in the layout of MVTec AD, on a pretrained trunk."""

_base_ = [
    '../_base_/models/dea_lite0_parts.py',
    '../_base_/datasets/parts_mvtec.py',
    '../_base_/dea_parts.py',
]

# One part an image: detections of less confidence are of nothing.
test_evaluator = dict(image_confidence=0.3)
