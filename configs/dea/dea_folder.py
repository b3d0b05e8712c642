"""DEA for parts in a folder of your own, on a pretrained trunk."""

_base_ = [
    '../_base_/models/dea_lite0_parts.py',
    '../_base_/datasets/parts_folder.py',
    '../_base_/dea_parts.py',
]

# One part an image: detections of less confidence are of nothing.
test_evaluator = dict(image_confidence=0.3)
