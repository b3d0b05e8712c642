"""The models of an occlusion report: what is done, and what is missing."""

import copy
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import quote

import numpy as np
from torch import nn

from mmocc.report.answers import Answers
from mmocc.report.classifiers import cell_loader, predict
from mmocc.report.detection_store import Detections
from mmocc.report.fingerprint import (
    Parts,
    changed,
    model_parts,
    occlusion_parts,
)
from mmocc.report.progress import ReportProgress
from mmocc.utils.ranks import broadcast, is_main_process

NO_PHOTOS = 'they have no results by photo, from which intervals are made'
UNREADABLE = 'their file is damaged, or of another version of mmocc'


@dataclass
class Settings:
    """What all models of a report share."""

    out: Path  # folder of the report; finished cells are in out/cells
    device: str = 'cpu'
    every: int = 1  # take only every n-th image
    amp: bool = False  # predict in half precision
    cfg_options: dict[str, Any] = field(default_factory=dict)
    occluded_coco: str | None = None  # annotation files, for detectors
    separated_coco: str | None = None
    trust: bool = False  # a checkpoint may run code while it is loaded
    data: str | None = None  # folder of the test data; None: the config's


class Job:
    """A model of the report: its config, weights and answers so far."""

    def __init__(
        self, name: str, config: str, checkpoint: str, settings: Settings
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.settings = settings
        from mmocc.utils import cli  # which needs mmengine

        self.cfg = cli.read_config(config, settings.cfg_options)
        if settings.data:
            cli.use_data(self.cfg, settings.data)
        cli.fill_dataloaders(self.cfg, ['test_dataloader'])
        cli.check_checkpoint(
            checkpoint, 'CONFIG CHECKPOINT', config, settings.trust
        )
        self.parts = model_parts(self.cfg, checkpoint) | self.shared_parts()
        self.model: nn.Module | None = None
        self.cells: dict[str, Answers] = {}

    seed: int | None = None  # of further occlusions, else the report's

    def for_seed(self, seed: int) -> 'Job':
        """Return the same model, for answers to occlusions of another seed.

        They are kept beside those of the first seed.
        """
        twin = copy.copy(self)
        twin.seed, twin.cells = seed, {}
        twin.ready = self.ready  # type: ignore[method-assign]
        return twin

    def shared_parts(self) -> Parts:
        """Return what of the settings decides an answer."""
        device = self.settings.device.partition(':')[0]
        return {
            'the choice of images (--every)': str(self.settings.every),
            'the precision (--amp)': device if self.settings.amp else '',
        }

    def path(self, cell: str) -> Path:
        """Return the file of a cell's answers."""
        folder = self.settings.out / 'cells' / folder_name(self.name)
        ending = '' if self.seed is None else f'.seed{self.seed}'
        return folder / f'{cell.replace(" ", "_")}{ending}.npz'

    def load_done(
        self, cells: Sequence[str], data: Parts, occlude: dict[str, Any]
    ) -> None:
        """Read back the cells that an earlier run has finished.

        Args:
            cells: Names of the cells.
            data: Digests of the test data.
            occlude: Arguments of ``mmocc.Occlude`` with the bank built.
        """
        self.parts |= data
        stale: dict[str, list[str]] = {}
        done: dict[str, Answers] = {}
        for cell in cells if is_main_process() else ():
            path = self.path(cell)
            if not path.exists():
                continue
            stored = Answers.load(path)
            now = self.parts | occlusion_parts(cell, **occlude)
            reason = changed(stored[1], now) if stored else UNREADABLE
            if stored and not reason:
                done[cell] = stored[0]
            else:
                stale.setdefault(reason, []).append(cell)
        self._say_stale(stale)
        self.cells |= broadcast(done)

    def save(self, cell: str, answers: Answers, occlude: dict) -> None:
        """Keep the answers in a cell, to be read back by a later run."""
        self.cells[cell] = answers
        if is_main_process():
            parts = self.parts | occlusion_parts(cell, **occlude)
            answers.save(self.path(cell), parts)

    def detect(
        self, name: str, work: Callable, data: Parts, keep: Any = None
    ) -> dict[str, float]:
        """Return what a detector's cell gives, computed or read back.

        Args:
            name: Of the cell.
            work: Gives the metrics.
            data: Digests of what decides them besides the model.
            keep: A ``KeepDetections``, whose ``found`` gets the detections
                of each photo; None where they are not wanted. ``found``
                stays None in all processes except the first.
        """
        path = self.path(name).with_suffix('.json')
        parts = self.parts | data
        done = self._read(name, path, parts) if is_main_process() else None
        if done is not None and keep is not None:
            keep.found = Detections.load(path.with_suffix('.photos.npz'))
            if keep.found is None:
                self._say_stale({NO_PHOTOS: [name]})
                done = None
        done = broadcast(done)
        if done is not None:
            return done
        more = {} if keep is None else dict(keep=keep)
        metrics = work(
            model=self.ready(),
            cfg=self.cfg,
            amp=self.settings.amp,
            every=self.settings.every,
            **more,
        )
        if is_main_process():
            path.parent.mkdir(parents=True, exist_ok=True)
            if keep is not None and keep.found is not None:
                keep.found.save(path.with_suffix('.photos.npz'))
            text = json.dumps(dict(parts=parts, found=metrics))
            path.with_suffix('.part').write_text(text, encoding='utf-8')
            path.with_suffix('.part').replace(path)
        print(f'{self.name:24s} {name}: done')
        return metrics

    def _read(self, cell: str, path: Path, parts: Parts) -> dict | None:
        """Return a detector's stored result, if it still holds."""
        if not path.exists():
            return None
        try:
            stored = json.loads(path.read_text(encoding='utf-8'))
            reason = changed(stored['parts'], parts)
            if not reason:
                return stored['found']
        except (ValueError, LookupError, TypeError, AttributeError):
            reason = UNREADABLE
        self._say_stale({reason: [cell]})
        return None

    def _say_stale(self, stale: dict[str, list[str]]) -> None:
        """Log why answers of an earlier run are computed again."""
        for reason, cells in stale.items():
            names = ', '.join(map(repr, cells))
            print(f'{self.name}: answers of {names} are not reused: {reason}')

    def ready(self) -> nn.Module:
        """Return the model, which is loaded at the first call."""
        if self.model is None:
            from mmocc.utils.from_config import load_model
            from mmocc.utils.state_dicts import CheckpointError

            try:
                self.model = load_model(
                    self.cfg, self.checkpoint, self.settings.device
                )
            except URLError as error:
                raise CheckpointError(
                    f'{self.checkpoint} cannot be downloaded '
                    f'({error.reason}); name a file instead'
                ) from error
        return self.model


def folder_name(name: str) -> str:
    """Return the name of a model's folder, another one for each name."""
    letters = [
        letter if letter.isalnum() or letter in ' -_.' else quote(letter, '')
        for letter in name
    ]
    if letters[:1] == ['.']:
        letters[0] = '%2E'  # never the folder above
    return ''.join(letters)


def work_left(jobs: list[Job], dataset: Any, cells: list[str]) -> int:
    """Return how many images models have yet to answer to, over all cells."""
    images = -(-len(dataset) // jobs[0].settings.every)
    missing = (cell not in job.cells for job in jobs for cell in cells)
    return images * sum(missing)


def run_group(
    jobs: list[Job],
    dataset: Any,
    cells: list[str],
    occlude: dict,
    progress: ReportProgress,
) -> None:
    """Compute the missing cells of models that share their test data.

    ``occlude`` are arguments of ``mmocc.Occlude`` with the bank built.
    """
    settings = jobs[0].settings
    seed = '' if jobs[0].seed is None else f', seed {jobs[0].seed}'
    for cell in cells:
        missing = [job for job in jobs if cell not in job.cells]
        if not missing:
            continue
        loader = cell_loader(
            jobs[0].cfg, dataset, cell, settings.every, **occlude
        )
        work = work_left(missing, dataset, [cell])
        by_model = predict(
            {job.name: job.ready() for job in missing},
            progress.track(loader, f'{cell}{seed}', work),
            settings.amp,
        )
        for job in missing:
            answers = by_model[job.name]
            job.save(cell, answers, occlude)
            right = 100 * answers.hits.mean() if len(answers.index) else np.nan
            known = (answers.label >= 0).any()  # else it is of no label
            words = f'{right:6.2f} %' if known else 'done'
            print(f'{job.name:24s} {cell:12s} {words}{seed}')
