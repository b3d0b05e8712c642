"""Pages of ornaments, some of them outside the dictionary: a COCO data set.

Marks of anomalies, here and in :class:`mmocc.AnomalyImages`:

* Every one of ``instances`` has ``anomaly``, 0 or 1. An object outside the
  dictionary has ``anomaly=1, bbox_label=-1, ignore_flag=1``, a defective one
  of a known class ``anomaly=1``, its label and ``ignore_flag=0``: the detector
  must find it.
* ``mmocc.LoadAnomalyAnnotations`` and ``mmocc.PackAnomalyInputs`` pack objects
  of known classes as ``gt_instances`` (``bboxes``, ``labels``, ``anomaly``),
  so that detection losses and metrics never get label -1, and those outside
  as ``ignored_instances``. Its other objects, crowds, have ``anomaly`` 0 and
  count neither as normal nor as anomalous. ``gt_sem_seg.sem_seg``, (1, h, w)
  uint8, is 1 where a pixel is anomalous: in the defect mask if the data have
  one, else in the boxes of anomalous objects.
* The test pipeline loads the annotations after ``Resize``: they are in pixels
  of the original image, as predictions with ``rescale=True``.
"""

from pathlib import Path
from typing import Any

from mmdet.datasets import CocoDataset
from mmdet.datasets.api_wrappers import COCO
from mmengine.fileio import get_local_path
from mmengine.logging import print_log

from mmocc.datasets.coco_layout import read_coco
from mmocc.registry import DATASETS
from mmocc.utils.files import expand
from mmocc.utils.photos import agree

OUTSIDE = -1  # label of objects outside the dictionary


class CheckedCOCO(COCO):
    """mmdet's index of a COCO file, which :func:`read_coco` reads.

    So a mark before the text, repeated ids and damage are read or named.
    """

    def __init__(self, annotation_file: str) -> None:
        super().__init__()
        self.dataset = read_coco(Path(annotation_file))
        self.createIndex()
        self.img_ann_map = self.imgToAnns
        self.cat_img_map = self.catToImgs


@DATASETS.register_module()
class OrnamentPages(CocoDataset):
    """Pages that ``tools/dataset_converters/make_ornament_pages.py`` makes.

    The protocol of HAL hal-03409930, section III-A. It reads any COCO json
    whose categories outside the dictionary have the supercategory
    ``outside``. The classes are those of the file, unless ``metainfo`` names
    them.

    Args:
        *args: For :class:`mmdet.CocoDataset`.
        outside: Whether to give the objects outside the dictionary as well.
        **kwargs: For :class:`mmdet.CocoDataset`.

    Raises:
        ValueError: When the data are read, if a class is not in the file, or
            the file is damaged or for pages of another size.
    """

    METAINFO = dict(classes=None)
    COCOAPI = CheckedCOCO

    def __init__(
        self, *args: Any, outside: bool = True, **kwargs: Any
    ) -> None:
        self.outside = outside
        self.outside_ids: set[int] = set()
        for key in ('data_root', 'ann_file'):
            if kwargs.get(key):
                kwargs[key] = str(expand(kwargs[key]))
        prefix = kwargs.get('data_prefix') or {}
        prefix = {k: v and str(expand(v)) for k, v in prefix.items()}
        if prefix:
            kwargs['data_prefix'] = prefix
        super().__init__(*args, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the file, and from it the classes."""
        backend = self.backend_args
        with get_local_path(self.ann_file, backend_args=backend) as path:
            content = read_coco(Path(path))
        names = []
        for category in content['categories']:
            if category.get('supercategory') == 'outside':
                self.outside_ids.add(category['id'])
            else:
                names.append(category['name'])
        classes = self._metainfo.get('classes') or names
        missing = [name for name in classes if name not in names]
        if missing:
            raise ValueError(
                f'{self.ann_file}: {len(missing)} of {len(classes)} classes '
                f'are not in its dictionary, the first being {missing[0]!r}. '
                'The pages were made with another dictionary: use the pages '
                'of the detector, or leave metainfo.classes out'
            )
        self._metainfo['classes'] = tuple(classes)
        infos = super().load_data_list()
        for info in filter(lambda i: Path(i['img_path']).is_file(), infos):
            size = info['width'], info['height']
            boxes = [item['bbox'] for item in info['instances']]
            agree(info['img_path'], size, self.ann_file, boxes)
        empty = sum(not info['instances'] for info in infos)
        print_log(
            f'OrnamentPages: {len(infos)} pages of {self.ann_file}, {empty} '
            'of them without an object',
            logger='current',
        )
        return infos

    def parse_data_info(self, raw_data_info: dict) -> dict:
        """Add ``anomaly`` to the instances, and the outside ones."""
        info = super().parse_data_info(raw_data_info)
        for instance in info['instances']:
            instance['anomaly'] = 0
        for item in raw_data_info['raw_ann_info'] if self.outside else []:
            if item['category_id'] in self.outside_ids:
                x, y, width, height = item['bbox']
                info['instances'].append(
                    dict(
                        bbox=[x, y, x + width, y + height],
                        bbox_label=OUTSIDE,
                        ignore_flag=1,
                        anomaly=1,
                    )
                )
        return info
