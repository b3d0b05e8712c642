"""Labelled files, read by the pipeline of an mm config."""

from collections.abc import Sequence
from typing import Any

from mmpretrain.datasets import BaseDataset


class ListedImages(BaseDataset):
    """A test set of files and labels that are known.

    Args:
        samples: Paths and labels.
        data_root: Folder that the paths are in.
        pipeline: Of an mm config.
        classes: Names of the classes, where they are known.
    """

    def __init__(
        self,
        samples: Sequence[tuple[str, int]],
        data_root: str,
        pipeline: Sequence[Any],
        classes: Sequence[str] | None,
    ) -> None:
        self.samples = samples
        super().__init__(
            ann_file='',
            data_root=data_root,
            pipeline=pipeline,
            metainfo=dict(classes=list(classes)) if classes else None,
        )

    def load_data_list(self) -> list[dict]:
        """Return what a pipeline needs of each image."""
        return [
            dict(img_path=path, gt_label=label) for path, label in self.samples
        ]
