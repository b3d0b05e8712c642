"""What the inferencers share: photos in, answers and pictures out."""

import copy
import math
import os
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.infer import BaseInferencer
from rich import get_console
from rich.progress import track
from torch import nn

from mmocc.apis.photos import (
    Photo,
    PhotoPipeline,
    UnreadablePhotoError,
    list_photos,
    photo_config,
)
from mmocc.apis.samples import class_names
from mmocc.utils.bars import draws_bars
from mmocc.utils.checkpoints import check_checkpoint
from mmocc.utils.files import expand, fit_name, note
from mmocc.utils.find_config import find_config
from mmocc.utils.from_config import load_model
from mmocc.utils.state_dicts import CheckpointError
from mmocc.visualization.sheet import show_image, write_image

GUARD = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'


@contextmanager
def guarded(checkpoint: str, trust: bool = False) -> Iterator[None]:
    """Refuse a checkpoint that runs code, and any that is loaded inside.

    FileNotFoundError or CheckpointError if it is missing or refused. What the
    process loads afterwards is not touched.
    """
    if '://' not in checkpoint and not Path(checkpoint).is_file():
        raise FileNotFoundError(f'there is no checkpoint {checkpoint}')
    before = os.environ.get(GUARD)
    try:
        check_checkpoint(checkpoint, 'weights', trust=trust)
        yield
    except SystemExit as error:
        text = str(error.code)
        text = text.replace('--trust-checkpoint', 'trust_checkpoint=True')
        raise CheckpointError(text) from error
    finally:
        os.environ.pop(GUARD, None)
        if before is not None:
            os.environ[GUARD] = before


class PhotoInferencer(BaseInferencer):
    """Base of the inferencers: what they take, and how they go through it.

    Photos are loaded, answered and drawn batch by batch, so that a folder of
    any length fits in memory. Nothing is pasted on them, and neither the data
    set nor the banks of occluders of the config need exist.

    Args:
        model: Config, or the path or name of one, as the tools take it.
        weights: Path or URL of its checkpoint, which must fill the model.
        device: Such as ``cuda:0``; None takes the GPU if there is one.
        classes: Names of the classes; by default those of the checkpoint, or
            of the test set if that is there.
        cfg_options: Changes of the config, by dotted names.
        trust_checkpoint: Load it though it may run code.
        show_progress: Show a bar, if there is more than one batch.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        CheckpointError: The checkpoint does not fit, or may run code.
    """

    preprocess_kwargs = {'skip_corrupt', 'channel_order'}
    visualize_kwargs = {'show', 'out_dir', 'return_vis'}

    def __init__(
        self,
        model: str | Path | Config,
        weights: str | Path,
        device: str | None = None,
        classes: Sequence[str] | None = None,
        cfg_options: dict[str, Any] | None = None,
        trust_checkpoint: bool = False,
        show_progress: bool = True,
    ) -> None:
        cfg = copy.deepcopy(model)
        if not isinstance(cfg, Config):
            cfg = Config.fromfile(find_config(str(expand(model))))
        cfg.merge_from_dict(cfg_options or {})
        self.classes = classes
        self.trust_checkpoint = trust_checkpoint
        super().__init__(
            photo_config(cfg),
            str(weights),
            device,
            show_progress=show_progress,
        )

    def _init_model(
        self, cfg: Config, weights: str, device: str = 'cpu'
    ) -> nn.Module:
        """Load the model, and the names of its classes."""
        with guarded(weights, self.trust_checkpoint):
            if self.classes is None:
                self.classes = class_names(cfg, weights)
            return load_model(cfg, weights, device)

    def _init_pipeline(self, cfg: Config) -> PhotoPipeline:
        """Build what loads and packs photos."""
        return PhotoPipeline(cfg)

    def _init_collate(self, cfg: Config) -> Callable:
        """Return what makes lists of samples, which all hosts' models take."""
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> None:
        """Build none: a run's visualizer writes into its work folder."""

    def __call__(
        self,
        inputs: Any,
        return_datasamples: bool = False,
        batch_size: int = 1,
        **kwargs: Any,
    ) -> dict[str, list]:
        """Answer photos.

        Args:
            inputs: A path, URL, folder or array (uint8, (H, W, 3)), or a list
                of these.
            return_datasamples: Return data samples, not dicts.
            batch_size: Photos at a time; only those of one size after the
                pipeline share a batch, as padding would change the answers.
            **kwargs: ``skip_corrupt``: leave out files that cannot be read,
                and say so, instead of an error. ``channel_order`` of arrays:
                ``bgr`` (mm, OpenCV) or ``rgb``. ``show``: open a window for
                each picture. ``out_dir``: folder for pictures. ``return_vis``:
                return pictures.

        Returns:
            ``predictions``, for each photo; ``visualization``, pictures (H,
            W, 3) uint8 RGB if asked for; ``skipped``, a line for each file
            that was left out.

        Raises:
            FileNotFoundError: There is no such photo.
            UnreadablePhotoError: A file cannot be read.
        """
        if batch_size < 1:
            raise ValueError(f'batch_size must be 1 or more, got {batch_size}')
        load, ask, draw, tell = self._dispatch_kwargs(**kwargs)
        photos = self._inputs_to_list(inputs)
        results: dict = dict(predictions=[], visualization=[], skipped=[])
        batches: Iterable[list[Photo]] = self.preprocess(
            photos, batch_size, skipped=results['skipped'], **load
        )
        if self.show_progress and len(photos) > batch_size:
            total = math.ceil(len(photos) / batch_size)
            batches = track(
                batches,
                'Inference',
                total=total,
                disable=not draws_bars(get_console()),
            )
        for batch in batches:
            samples = self.forward(batch, **ask)
            pictures = self.visualize(batch, samples, **draw)
            told = self.postprocess(
                samples, pictures, return_datasamples, photos=batch, **tell
            )
            for name, values in told.items():
                results[name] += values
        if results['skipped']:
            note(
                f'{len(results["skipped"])} of {len(photos)} photos left out: '
                f'{"; ".join(results["skipped"])}'
            )
        return results

    def _inputs_to_list(self, inputs: Any) -> list[str | np.ndarray]:
        """Return all photos; see :func:`mmocc.apis.photos.list_photos`."""
        return list_photos(inputs)

    def preprocess(
        self,
        inputs: Sequence[str | np.ndarray],
        batch_size: int = 1,
        skip_corrupt: bool = False,
        channel_order: str = 'bgr',
        skipped: list[str] | None = None,
    ) -> Iterator[list[Photo]]:
        """Yield batches of photos; ``skipped`` gets a line for each other."""
        batch: list[Photo] = []
        for place, item in enumerate(inputs):
            try:
                photos = self.photos_of(item, place, channel_order, skipped)
            except UnreadablePhotoError as error:
                if not skip_corrupt:
                    remedy = 'leave it out, or give skip_corrupt=True'
                    raise UnreadablePhotoError(f'{error}; {remedy}') from error
                if skipped is not None:
                    skipped.append(str(error))
                continue
            for photo in photos:
                full = len(batch) == batch_size
                if batch and (full or _differ(batch, photo)):
                    yield batch
                    batch = []
                batch.append(photo)
        if batch:
            yield batch

    def photos_of(
        self,
        item: str | np.ndarray,
        place: int,
        channel_order: str,
        skipped: list[str] | None = None,
    ) -> list[Photo]:
        """Return what the model sees of one photo: here, all of it.

        A subclass that finds nothing to see adds a line to ``skipped``.
        """
        return [self.pipeline(item, place, channel_order)]

    @torch.no_grad()
    def forward(self, inputs: Sequence[Photo], **kwargs: Any) -> list:
        """Return the predicted data samples of a batch, on the CPU."""
        batch = self.collate_fn([photo.packed for photo in inputs])
        return [sample.cpu() for sample in self.model.test_step(batch)]

    def visualize(
        self,
        inputs: Sequence[Photo],
        preds: Sequence[Any],
        show: bool = False,
        out_dir: str | Path | None = None,
        return_vis: bool = False,
    ) -> list[np.ndarray]:
        """Draw a batch where it is asked for; return pictures if asked to."""
        if not (show or out_dir or return_vis):
            return []
        pictures = []
        for photo, sample in zip(inputs, preds, strict=True):
            picture = self.draw(photo, sample)
            if out_dir is not None:
                name = f'{photo.place:06d}_{photo.stem}'
                path = expand(out_dir) / fit_name(name, '.png')
                write_image(picture, path)
            if show:
                show_image(picture, photo.name)
            if return_vis:
                pictures.append(picture)
        return pictures

    def postprocess(
        self,
        preds: Sequence[Any],
        visualization: list[np.ndarray],
        return_datasample: bool = False,
        photos: Sequence[Photo] = (),
    ) -> dict[str, list]:
        """Return the answers of a batch, and its pictures."""
        answers = list(preds)
        if not return_datasample:
            answers = [
                dict(name=photo.name, **self.describe(photo, sample))
                for photo, sample in zip(photos, preds, strict=True)
            ]
        return dict(predictions=answers, visualization=visualization)

    @abstractmethod
    def draw(self, photo: Photo, sample: Any) -> np.ndarray:
        """Return the picture (H, W, 3) uint8 RGB of a photo's prediction."""

    @abstractmethod
    def describe(self, photo: Photo, sample: Any) -> dict[str, Any]:
        """Return a photo's prediction as plain values and arrays."""


def _differ(batch: Sequence[Photo], photo: Photo) -> bool:
    """Return whether a photo has another size than those of a batch."""
    size = batch[0].packed['inputs'].shape
    return photo.packed['inputs'].shape != size
