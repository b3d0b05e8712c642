"""The models of an occlusion report: what is done, and what is missing."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.config import Config
from mmengine.dist import is_main_process
from mmengine.logging import print_log
from rich.progress import track
from torch import nn

from mmocc.report.answers import Answers, fingerprint
from mmocc.report.classifiers import cell_loader, predict
from mmocc.utils import cli
from mmocc.utils.from_config import load_model


@dataclass
class Settings:
    """What all models of a report share."""

    out: Path  # folder of the report; finished cells are in out/cells
    occlude: dict[str, Any]  # arguments of mmocc.Occlude
    device: str = 'cpu'
    every: int = 1  # take only every n-th image
    amp: bool = False  # predict in half precision
    cfg_options: dict[str, Any] = field(default_factory=dict)
    occluded_coco: str | None = None  # annotation files, for detectors
    separated_coco: str | None = None
    trust: bool = False  # a checkpoint may run code while it is loaded


class Job:
    """A model of the report: its config, weights and answers so far."""

    def __init__(
        self, name: str, config: str, checkpoint: str, settings: Settings
    ) -> None:
        self.name = name
        self.checkpoint = checkpoint
        self.settings = settings
        self.cfg = Config.fromfile(config)
        self.cfg.merge_from_dict(settings.cfg_options)
        cli.fill_dataloaders(self.cfg, ['test_dataloader'])
        cli.check_types(self.cfg)
        cli.check_checkpoint(
            checkpoint, 'CONFIG CHECKPOINT', config, settings.trust
        )
        self.fingerprint = fingerprint(
            self.cfg,
            checkpoint,
            every=settings.every,
            amp=settings.amp,
            occluded_coco=settings.occluded_coco,
            separated_coco=settings.separated_coco,
            **settings.occlude,
        )
        self.model: nn.Module | None = None
        self.cells: dict[str, Answers] = {}

    def path(self, cell: str) -> Path:
        """Return the file of a cell's answers."""
        letters = (c if c.isalnum() or c in '-_.' else '_' for c in self.name)
        folder = self.settings.out / 'cells' / ''.join(letters)
        return folder / f'{cell.replace(" ", "_")}.npz'

    def load_done(self, cells: list[str]) -> None:
        """Read back the cells that an earlier run has finished."""
        for cell in cells:
            answers = Answers.load(self.path(cell), self.fingerprint)
            if answers is not None:
                self.cells[cell] = answers

    def detect(self, name: str, work: Callable) -> dict[str, float]:
        """Return what a detector's cell gives, computed or read back."""
        path = self.path(name).with_suffix('.json')
        if path.exists():
            stored = json.loads(path.read_text())
            if stored['fingerprint'] == self.fingerprint:
                return stored['found']
        metrics = work(
            model=self.ready(),
            cfg=self.cfg,
            amp=self.settings.amp,
            every=self.settings.every,
        )
        if is_main_process():
            path.parent.mkdir(parents=True, exist_ok=True)
            stored = dict(fingerprint=self.fingerprint, found=metrics)
            path.with_suffix('.part').write_text(json.dumps(stored))
            path.with_suffix('.part').replace(path)
        print_log(f'{self.name:24s} {name}: done')
        return metrics

    def ready(self) -> nn.Module:
        """Return the model, which is loaded at the first call."""
        if self.model is None:
            self.model = load_model(
                self.cfg, self.checkpoint, self.settings.device
            )
        return self.model


def run_group(
    jobs: list[Job], dataset: Any, cells: list[str], occlude: dict
) -> None:
    """Compute the missing cells of models that share their test data.

    ``occlude`` are arguments of ``mmocc.Occlude`` with the bank built.
    """
    settings = jobs[0].settings
    for cell in cells:
        missing = [job for job in jobs if cell not in job.cells]
        if not missing:
            continue
        loader = cell_loader(
            jobs[0].cfg, dataset, cell, settings.every, **occlude
        )
        by_model = predict(
            {job.name: job.ready() for job in missing},
            track(loader, cell, disable=not is_main_process(), transient=True),
            settings.amp,
        )
        for job in missing:
            answers = job.cells[cell] = by_model[job.name]
            if is_main_process():
                answers.save(job.path(cell), job.fingerprint)
            right = 100 * answers.hits.mean() if len(answers.index) else np.nan
            print_log(f'{job.name:24s} {cell:12s} {right:6.2f} %')
