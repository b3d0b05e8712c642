"""Two occluded test sets for ImageNet classifiers, of the Patch Mixing paper.

A. N. Lee et al., "Hardwiring ViT Patch Selectivity into CNNs using Patch
Mixing", arXiv 2306.17848. Layouts as the authors' loaders read them, on
Hugging Face at ``arielnlee/Superimposed-Masked-Dataset`` and
``arielnlee/Realistic-Occlusion-Dataset``; no code taken.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mmengine.logging import print_log
from mmpretrain.datasets import BaseDataset
from mmpretrain.datasets.categories import IMAGENET_CATEGORIES

from mmocc.datasets.lists import check_choice, class_names
from mmocc.registry import DATASETS
from mmocc.utils.files import expand, list_images, note, some
from mmocc.utils.imagenet_classes import imagenet_wnids

ENDING = '_occluded'  # of SMD's names, before ``.png``
ROD_IMAGES = 1231  # as its dataset_info.json states
# Classes of ROD in the authors' order, which counts from 1, and the output of
# an ImageNet model that has this name (skillet: "frying pan, ..., skillet").
ROD_CLASSES = {
    'banana': 954, 'baseball': 429, 'cowboy hat': 515, 'cup': 968,
    'dumbbell': 543, 'hammer': 587, 'laptop': 620, 'microwave': 651,
    'mouse': 673, 'orange': 950, 'pillow': 721, 'plate': 923,
    'screwdriver': 784, 'skillet': 567, 'spatula': 813, 'vase': 883,
}  # fmt: skip


@DATASETS.register_module()
class SuperimposedMasked(BaseDataset):
    """The Superimposed Masked Dataset (SMD): occluded ImageNet validation.

    Its 40 archives, unpacked anywhere below one folder. An image is a ``.png``
    in a folder whose name is an ImageNet synset, as the authors' loader reads
    them; other files are left out. The label is ImageNet's, 0 to 999.

    Every sample has ``img_path``, ``gt_label``, ``category`` (the synset) and
    ``img_id``, the synset and the photo's name without ``_occluded``, which is
    ``photo_identity``, too: so clean and occluded images pair up. How much is
    hidden is not stated.

    Args:
        data_root: Folder with the unpacked archives; for the clean images, a
            folder of ImageNet's validation photos by synset.
        occluded: False reads clean photos, of any picture format.
        categories: Synsets to read; None reads all that are there.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``pipeline``,
            ``test_mode`` and so on.

    Raises:
        FileNotFoundError: There is no such folder, no image in it, or none of
            a category.
        ValueError: An image is in a folder that is no synset of ImageNet, or
            a category is none, or two images have one name.
    """

    METAINFO = {'classes': IMAGENET_CATEGORIES}

    def __init__(
        self,
        data_root: str,
        occluded: bool = True,
        categories: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        self.root = expand(data_root)
        self.occluded = occluded
        self.categories = categories
        kwargs['classes'] = class_names(kwargs.get('classes'))
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Find the images, and the class of each by its folder."""
        numbers = {name: place for place, name in enumerate(imagenet_wnids())}
        _check_known('synset', self.categories, numbers)
        images = _pictures(
            self.root,
            'unpack smd_1.tar.gz to smd_40.tar.gz there'
            if self.occluded
            else 'name the folder of ImageNet val, with a folder per synset',
        )
        if self.occluded:
            images = [path for path in images if path.suffix == '.png']
        samples = [self._sample(path, numbers) for path in images]
        if self.categories is not None:
            samples = [s for s in samples if s['category'] in self.categories]
        self._check(samples)
        return samples

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        return [
            f'Folder: \t{self.root}',
            f'Images: \t{"occluded" if self.occluded else "clean"}',
        ]

    def _sample(self, path: Path, numbers: dict[str, int]) -> dict:
        """Return one image, labelled by the folder that it is in."""
        synset = path.parent.name
        if synset not in numbers:
            raise ValueError(
                f'{path}: its folder {synset!r} is none of the 1,000 synsets '
                'of ImageNet (such as n01440764); move the image to that of '
                'its class, or out of data_root'
            )
        stem = path.stem.removesuffix(ENDING) if self.occluded else path.stem
        identity = f'{synset}/{stem}'
        return dict(
            img_path=str(path),
            gt_label=numbers[synset],
            category=synset,
            img_id=identity,
            photo_identity=identity,
        )

    def _check(self, samples: list[dict]) -> None:
        """Raise an error unless each category has images; log how many."""
        synsets = {sample['category'] for sample in samples}
        wanted = self.categories or ()
        lost = [name for name in wanted if name not in synsets]
        if lost or not samples:
            ending = '.png' if self.occluded else 'picture'
            raise FileNotFoundError(
                f'{self.root}: no {ending} in a folder '
                f'{some(lost) or "of a synset"}; unpack the archive that has '
                'it, or correct data_root'
            )
        _check_unique(samples)
        print_log(
            f'SuperimposedMasked: {len(samples)} images of {len(synsets)} of '
            '1,000 classes',
            logger='current',
        )


@DATASETS.register_module()
class RealisticOcclusion(BaseDataset):
    """The Realistic Occlusion Dataset (ROD): 16 classes of real occlusion.

    Its two archives, unpacked anywhere below one folder. The class of an image
    is the nearest folder above it that is called like one of the 16 classes
    (``cowboy hat``; capitals, ``_`` and ``-`` do not matter), or by its number
    in the authors' list, from 1.

    Every sample has ``img_path``, ``gt_label`` and ``category``.

    Args:
        data_root: Folder with the unpacked archives.
        labels: ``imagenet``: the output of that name among ImageNet's 1,000,
            for models as they are; ``own``: 0 to 15.
        categories: Which ones to read; None reads all 16.
        **kwargs: For :class:`mmpretrain.datasets.BaseDataset`: ``pipeline``,
            ``test_mode`` and so on.

    Raises:
        FileNotFoundError: There is no such folder, no image in it, or none of
            a category.
        ValueError: An argument is wrong, or an image is in no folder of a
            class.
    """

    METAINFO = {'classes': IMAGENET_CATEGORIES}

    def __init__(
        self,
        data_root: str,
        labels: str = 'imagenet',
        categories: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        check_choice('labels', labels, ['imagenet', 'own'])
        self.root = expand(data_root)
        self.labels = labels
        self.categories = categories
        classes = class_names(kwargs.get('classes'))
        if classes is None and labels == 'own':
            classes = tuple(ROD_CLASSES)
        kwargs['classes'] = classes
        super().__init__(ann_file='', **kwargs)

    def load_data_list(self) -> list[dict]:
        """Find the images, and the class of each by its folders."""
        _check_known('class', self.categories, ROD_CLASSES)
        wanted = list(self.categories or ROD_CLASSES)
        samples = []
        for path in _pictures(
            self.root, 'unpack rod_0.tar.gz and rod_1 there'
        ):
            category = self._class_of(path)
            if category in wanted:
                samples.append(
                    dict(
                        img_path=str(path),
                        gt_label=self._label(category),
                        category=category,
                    )
                )
        self._check(samples, wanted)
        return samples

    def extra_repr(self) -> list[str]:
        """Return the lines that ``repr`` adds to the host's."""
        return [f'Folder: \t{self.root}', f'Labels: \t{self.labels}']

    def _class_of(self, path: Path) -> str:
        """Return the class whose folder is nearest above an image."""
        for name in reversed(path.relative_to(self.root).parts[:-1]):
            plain = name.strip().casefold().replace('_', ' ').replace('-', ' ')
            if plain in ROD_CLASSES:
                return plain
            if plain.isdecimal() and 1 <= int(plain) <= len(ROD_CLASSES):
                return list(ROD_CLASSES)[int(plain) - 1]
        raise ValueError(
            f'{path}: no folder above it is called like one of the classes '
            f'{", ".join(ROD_CLASSES)}, or by its number from 1; move the '
            'image there, or out of data_root'
        )

    def _label(self, category: str) -> int:
        """Return the label of a class."""
        if self.labels == 'imagenet':
            return ROD_CLASSES[category]
        return list(ROD_CLASSES).index(category)

    def _check(self, samples: list[dict], wanted: Sequence[str]) -> None:
        """Raise an error unless each class has images; log how many."""
        counts = Counter(sample['category'] for sample in samples)
        lost = [name for name in wanted if not counts[name]]
        if lost:
            raise FileNotFoundError(
                f'{self.root}: no image of {", ".join(lost)}; unpack both '
                'archives there, or name the classes that you have '
                '(categories=[...])'
            )
        print_log(
            f'RealisticOcclusion: {len(samples)} images of {len(counts)} '
            'classes',
            logger='current',
        )
        if self.categories is None and len(samples) != ROD_IMAGES:
            note(
                f'{self.root}: {len(samples)} images, but the published set '
                f'has {ROD_IMAGES}; is an archive missing?'
            )


def _check_known(
    what: str, names: Sequence[str] | None, known: dict[str, int]
) -> None:
    """Raise ValueError unless all names are known, or none is given."""
    if names is None:
        return
    lost = [name for name in names if name not in known]
    if lost or not names:
        raise ValueError(
            f'categories {some(names) or "[]"}: {some(lost) or "none at all"} '
            f'is no {what} of {some(known)}'
        )


def _pictures(root: Path, remedy: str) -> list[Path]:
    """Return all pictures below a folder; FileNotFoundError if there is none.

    ``remedy`` says what to do then.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root}: no such folder; {remedy}')
    images = list_images(root, deep=True)
    if not images:
        raise FileNotFoundError(f'{root}: no picture below it; {remedy}')
    return images


def _check_unique(samples: Sequence[dict]) -> None:
    """Raise ValueError if two images have one identity."""
    places: dict[str, str] = {}
    for sample in samples:
        other = places.setdefault(sample['img_id'], sample['img_path'])
        if other != sample['img_path']:
            raise ValueError(
                f'{other} and {sample["img_path"]} are both of '
                f'{sample["img_id"]}; remove one of them'
            )
