"""Images with labels for training; only the test reads their boxes."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset

from mmocc.datasets.lists import class_names
from mmocc.datasets.wsol import LAYOUTS, WSOLImage
from mmocc.registry import DATASETS
from mmocc.utils.files import some

TRUTH_KEYS = ('image_id', 'gt_bboxes', 'gt_mask_paths', 'ignore_mask_path')


@DATASETS.register_module()
class WSOLDataset(BaseDataset):
    """Images for weakly supervised object localization.

    Without ``with_boxes``, for training on labels, no file that holds a box or
    a mask is opened. With it, each packed data sample has the metainfo
    ``image_id`` and ``gt_bboxes`` (float32 (n, 4), xyxy), or ``gt_mask_paths``
    and ``ignore_mask_path``. Boxes are in pixels of the *original* image,
    whatever the pipeline does, and ``PackInputs`` need not name them.

    Args:
        layout: ``metadata`` (the public format of clovaai/wsolevaluation;
            also OpenImages30k with its masks), ``cub`` (CUB-200-2011),
            ``ilsvrc``, ``tiny_imagenet`` or ``voc``; see
            ``docs/localization.md``.
        data_root: Folder of the data set.
        split: Name of the split, in the layout's words.
        with_boxes: Whether samples get their boxes or masks; for the test.
        classes: Names by label, or a file of them; None: the layout's own.
        layout_args: Further arguments of the layout's reader.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``pipeline``,
            ``indices`` and so on.

    Raises:
        ValueError: If there is no such layout, or an image has neither box nor
            mask despite ``with_boxes``.
    """

    def __init__(
        self,
        layout: str,
        data_root: str,
        split: str,
        with_boxes: bool = False,
        classes: str | Sequence[str] | None = None,
        layout_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if layout not in LAYOUTS:
            raise ValueError(
                f'layout is {layout!r}; it must be one of {", ".join(LAYOUTS)}'
            )
        self.layout, self.split, self.with_boxes = layout, split, with_boxes
        metainfo = self._compat_classes(None, class_names(classes))
        self.reader = LAYOUTS[layout](
            data_root, split, metainfo.get('classes'), **(layout_args or {})
        )
        super().__init__(ann_file='', classes=self.reader.classes, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read images and labels, and boxes or masks with ``with_boxes``."""
        truth = {}
        if self.with_boxes:
            images = self.reader.labelled_by_boxes()
            truth = self._load_truth(images)
        else:
            images = self.reader.images()
        counts = Counter(image.image_id for image in images)
        repeated = [name for name, number in counts.items() if number > 1]
        if repeated:
            raise ValueError(
                f'{self.reader.data_root} ({self.split}): {len(repeated)} '
                f'images are listed more than once: {some(repeated)}; remove '
                'the repeated lines'
            )
        print_log(
            f'WSOLDataset: {len(images)} images of {self.reader.data_root} '
            f'({self.split}), {"with" if truth else "without"} boxes',
            logger='current',
        )
        return [
            dict(
                img_path=str(image.path),
                gt_label=image.label,
                image_id=image.image_id,
                **truth.get(image.image_id, {}),
            )
            for image in images
        ]

    def prepare_data(self, idx: int) -> Any:
        """Return a sample of the pipeline, with boxes as in the files."""
        info = self.get_data_info(idx)
        truth = {key: info[key] for key in TRUTH_KEYS if key in info}
        if 'gt_bboxes' in truth:
            truth['gt_bboxes'] = np.array(truth['gt_bboxes'])
        packed = self.pipeline(info)
        # Test-time augmentation packs one sample for each view.
        samples = (packed or {}).get('data_samples', [])
        for sample in samples if isinstance(samples, list) else [samples]:
            sample.set_metainfo(truth)
        return packed

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        source = f'{self.layout} {self.split} of {self.reader.data_root}'
        return [f'Data: \t{source}', f'With boxes: \t{self.with_boxes}']

    def _load_truth(self, images: list[WSOLImage]) -> dict[str, dict]:
        """Return boxes or masks by image id."""
        boxes = self.reader.boxes()
        truth: dict[str, dict] = {
            key: dict(gt_bboxes=value) for key, value in boxes.items()
        }
        for key, (masks, ignore) in self.reader.masks().items():
            truth[key] = dict(
                gt_mask_paths=[str(path) for path in masks],
                ignore_mask_path=ignore and str(ignore),
            )
        missing = [i.image_id for i in images if i.image_id not in truth]
        if missing:
            raise ValueError(
                f'{self.reader.source()}: no box or mask for '
                f'{len(missing)} of {len(images)} images, the first being '
                f'{missing[0]}; add them, take these images out of the list, '
                'or give with_boxes=False'
            )
        return truth
