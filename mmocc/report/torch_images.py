"""Any data set of images and labels, as a test set of the report.

The report reads mm data sets: information, and a pipeline of steps. Here a
folder, a torch data set or an mm data set gets the steps of a torch transform
as its pipeline, so that everything else is the same for all models.
"""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.utils.data import Dataset, Subset
from torchvision import transforms as tv
from torchvision.datasets import DatasetFolder
from torchvision.datasets.folder import default_loader
from torchvision.transforms.functional import pil_to_tensor

from mmocc.datasets.channel_order import (
    dataset_order,
    kept_randomness,
    to_array,
)
from mmocc.datasets.identity import FromDataRoot, data_root_of
from mmocc.datasets.picture_layout import picture_name, to_bgr
from mmocc.report.answers import UnreadableError
from mmocc.report.class_match import match_classes
from mmocc.report.followed import NoPlaceError, make_plan
from mmocc.report.image_folders import NO_LABEL, FlatFolder
from mmocc.report.steps import Sample, Steps
from mmocc.report.torch_targets import read_item

KEPT_MODES = ('L', 'RGB', 'RGBA')  # of PIL images; others become RGB


def dataset_classes(dataset: Any) -> list[str] | None:
    """Return the names of a data set's classes, None if it has none."""
    origin = _origin(dataset)
    names = getattr(origin, 'classes', None)
    names = names or (getattr(origin, 'metainfo', None) or {}).get('classes')
    if not names:
        return None
    return [name if isinstance(name, str) else name[0] for name in names]


def to_label(target: Any, where: str) -> int:
    """Return the one class of a target; ValueError if it is not a number."""
    value = target
    if isinstance(value, list | tuple) and len(value) == 1:  # of mm data sets
        value = value[0]
    if hasattr(value, 'item') and np.asarray(value).size == 1:
        value = value.item()
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    raise ValueError(
        f'{where}: its label must be one whole number, got {target!r:.80}'
    )


class LoadPicture:
    """First step: the picture of a sample, loaded if it is a file."""

    def __call__(self, results: dict) -> dict:
        """Return the sample with ``img``: PIL, array or tensor.

        UnreadableError if the file, or the data set, does not give it.
        """
        if 'unreadable' in results:
            raise UnreadableError(results['unreadable'])
        image = results.get('img')
        if image is None:
            image = _open_rgb(results['img_path'])
        elif isinstance(image, Image.Image) and image.mode not in KEPT_MODES:
            image = image.convert('RGB')
        picture = to_array(image)
        if picture is None or picture.dtype != np.uint8:
            form = getattr(image, 'dtype', type(image).__name__)
            raise ValueError(
                f'{picture_name(results)}: the data set gives {form}, of '
                f'shape {tuple(getattr(image, "shape", ()))}; give the report '
                'the photo itself, PIL or uint8 (an array (H, W, C) or a '
                'tensor (C, H, W)), and what prepares it as transform='
            )
        results['img'] = image
        return results


def _open_rgb(path: str) -> Image.Image:
    """Return the photo of a file; UnreadableError if it is damaged."""
    try:
        with Image.open(path) as file:
            return file.convert('RGB')
    except (OSError, SyntaxError, ValueError) as error:  # as PIL raises them
        raise UnreadableError(f'{path}: {error}') from error


class PictureStep:
    """A step of a torch transform, on the picture of a sample.

    Args:
        transform: Takes and returns a picture.
    """

    def __init__(self, transform: Callable) -> None:
        self.transform = transform

    def __call__(self, results: dict) -> dict:
        """Return the sample with its picture transformed."""
        results['img'] = self.transform(results['img'])
        return results


class ToRGBImage:
    """Make an array of an mm pipeline an RGB PIL image.

    Args:
        order: ``bgr`` or ``rgb``, of the array's channels.
    """

    def __init__(self, order: str) -> None:
        self.order = order

    def __call__(self, results: dict) -> dict:
        """Return the sample with its picture as RGB."""
        array = to_array(results['img'])
        if array is not None and array.dtype == np.uint8:
            bgr = to_bgr(array, self.order)
            results['img'] = Image.fromarray(
                np.ascontiguousarray(bgr[..., ::-1])
            )
        return results


class PackPicture:
    """Last step: the input of the model and what is known of the image.

    Args:
        steps: What is done to the picture after the occlusion.
    """

    def __init__(self, steps: Sequence[Callable] = ()) -> None:
        self.steps = list(steps)

    def __call__(self, results: dict) -> dict:
        """Return ``inputs``, a float tensor (C, H, W), and ``data_samples``.

        Raises:
            ValueError: If the transform gives something else.
        """
        for step in self.steps:
            results = step(results)
        image = results['img']
        if not (
            torch.is_tensor(image)
            and image.ndim == 3
            and image.is_floating_point()
        ):
            form = getattr(image, 'dtype', type(image).__name__)
            raise ValueError(
                f'{picture_name(results)}: transform= gives {form} '
                f'{tuple(getattr(image, "shape", ()))}, but the model needs '
                'a float tensor (C, H, W)'
            )
        label = torch.tensor(np.ravel(results.get('gt_label', NO_LABEL)))
        sample = Sample(gt_label=label)
        if 'img_path' in results:
            sample.set_metainfo(dict(img_path=str(results['img_path'])))
        return dict(
            inputs=image.as_subclass(torch.Tensor), data_samples=sample
        )


def split_steps(transform: Callable) -> list[Callable]:
    """Return the steps of a transform; itself where it does not tell."""
    inner = getattr(transform, 'transforms', None)
    if isinstance(inner, list | tuple | torch.nn.ModuleList):
        return [step for part in inner for step in split_steps(part)]
    if isinstance(transform, torch.nn.Sequential):
        return [step for part in transform for step in split_steps(part)]
    if type(transform).__name__ == 'ImageClassification':
        return _preset_steps(transform)
    return [transform]


def _preset_steps(preset: Any) -> list[Callable]:
    """Return the steps of what torchvision's weights.transforms() gives."""
    resize = tv.Resize(
        preset.resize_size,
        interpolation=preset.interpolation,
        antialias=preset.antialias,
    )
    return [
        resize,
        tv.CenterCrop(preset.crop_size),
        _as_tensor,
        tv.ConvertImageDtype(torch.float),
        tv.Normalize(preset.mean, preset.std),
    ]


def _as_tensor(image: Any) -> torch.Tensor:
    """Return a PIL image as a tensor (C, H, W), a tensor as it is."""
    return image if torch.is_tensor(image) else pil_to_tensor(image)


class TorchImages(Dataset):
    """A test set whose pipeline is a torch transform.

    The object is hidden after the last step of the transform at which the
    picture is still of whole numbers from 0 to 255, so after resizing and
    cropping: as the model sees it. If the transform cannot be split there
    (it is one function, or resizes floats), the photo is occluded before it,
    and the log says so: ``whole`` is True.

    Args:
        dataset: Gives (picture, label), or is an mm data set.
        transform: From the picture to the input of a model.
        class_names: Names of the models' outputs, in order; by default the
            data set's own.

    Raises:
        ValueError: If the data set is empty, or of another form.
    """

    def __init__(
        self,
        dataset: Any,
        transform: Callable,
        class_names: Sequence[str] | None = None,
    ) -> None:
        if not hasattr(dataset, '__getitem__') or not hasattr(
            dataset, '__len__'
        ):
            raise ValueError(
                f'dataset= must be a folder or a data set with a length, got '
                f'{type(dataset).__name__}'
            )
        if not len(dataset):
            raise ValueError('dataset= has no image')
        if hasattr(dataset, 'get_data_info') != hasattr(dataset, 'pipeline'):
            raise ValueError(
                f'{type(dataset).__name__} wraps mm data sets, each of its '
                'own pipeline; report on one of them at a time'
            )
        self.dataset_given = dataset
        self.own = dataset_classes(dataset)
        self.name_outputs(class_names)
        self.data_root = data_root_of(dataset) or getattr(
            _origin(dataset), 'root', None
        )
        load = self._loading()
        steps = [PictureStep(step) for step in split_steps(transform)]
        self.whole = not self._can_split([*load, *steps])
        before = [] if self.whole else steps
        pack = PackPicture(steps if self.whole else [])
        self.pipeline = Steps([FromDataRoot(self), *load, *before, pack])

    def name_outputs(self, class_names: Sequence[str] | None) -> None:
        """Name the models' outputs, of which the images' classes are some.

        ValueError if a class of the images is none of them.
        """
        classes, self.outputs = match_classes(self.own, class_names)
        self.metainfo = dict(classes=classes) if classes else {}
        self.seen: dict[int, int] = {}  # label by index

    def _loading(self) -> list[Callable]:
        """Return the steps that give the picture."""
        if not hasattr(self.dataset_given, 'pipeline'):
            return [LoadPicture()]
        steps = []
        for step in self.dataset_given.pipeline.transforms:
            if type(step).__name__.startswith('Pack'):
                break
            steps.append(step)
        order = dataset_order(self.dataset_given)
        return [*steps, ToRGBImage(order)]

    def _can_split(self, steps: list[Callable]) -> bool:
        """Return whether there is a place to occlude between the steps."""
        for index in range(len(self)):
            try:
                with kept_randomness():
                    make_plan(steps, self.get_data_info(index))
            except OSError:  # this image cannot be read: others will tell
                continue
            except NoPlaceError:
                print(
                    'The transform cannot be split between its geometric '
                    'steps and its floats: the photo is occluded before it.'
                )
                return False
            return True
        return True

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.dataset_given)

    def get_data_info(self, index: int) -> dict[str, Any]:
        """Return the file or the picture of an image, and its label."""
        if hasattr(self.dataset_given, 'get_data_info'):
            info = self.dataset_given.get_data_info(index)
            if 'gt_label' in info:
                info['gt_label'] = self._label(info['gt_label'], index)
            return info
        dataset: Any = self.dataset_given
        place = index
        while isinstance(dataset, Subset):
            dataset, place = dataset.dataset, int(dataset.indices[place])
        info = dict(sample_idx=place, channel_order='rgb')
        if isinstance(dataset, FlatFolder | DatasetFolder):
            info['img_path'], info['label'] = dataset.samples[place]
        if not _is_plain(dataset):
            where = f'dataset[{place}]'
            try:
                info |= read_item(dataset[place], where)
            except OSError as error:
                info.pop('label', None)
                return info | dict(unreadable=f'{where}: {error}')
        return info | dict(gt_label=self._label(info.pop('label'), index))

    def _label(self, target: Any, index: int) -> int:
        """Return the class that an image has for the models."""
        label = to_label(target, f'dataset[{index}]')
        if label < 0 and not isinstance(
            _origin(self.dataset_given), FlatFolder
        ):
            raise ValueError(
                f'dataset[{index}]: its label is {label}; for images without '
                'labels name a folder of images'
            )
        label = label if self.outputs is None else self.outputs[label]
        self.seen[index] = label
        return label

    def highest_label(self) -> int:
        """Return the highest class of an image."""
        for index in range(len(self)):
            if index not in self.seen:  # but for one that cannot be read
                self.get_data_info(index)
        return max(self.seen.values(), default=NO_LABEL)

    def __getitem__(self, index: int) -> dict:
        """Return the packed sample of an image."""
        return self.pipeline(self.get_data_info(index))


def _is_plain(dataset: Any) -> bool:
    """Return whether a data set's images are its files, unchanged."""
    if isinstance(dataset, FlatFolder):
        return True
    return (
        isinstance(dataset, DatasetFolder)
        and type(dataset).__getitem__ is DatasetFolder.__getitem__
        and dataset.transform is None
        and dataset.target_transform is None
        and dataset.loader is default_loader
    )


def _origin(dataset: Any) -> Any:
    """Return the data set that others are subsets of."""
    while isinstance(dataset, Subset):
        dataset = dataset.dataset
    return dataset
