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
from torch.utils.data import Dataset

from mmocc.report.answers import Answers, fingerprint
from mmocc.report.classifiers import (
    cell_loader,
    load_model,
    predict,
)
from mmocc.utils import cli


@dataclass
class Settings:
    """What all models of a report share.

    Attributes:
        out: Folder of the report; finished cells are kept in ``out/cells``.
        occlude: Arguments of ``mmocc.Occlude`` beside kind and level.
        device: Where the models run.
        every: Take only every n-th image.
        amp: Predict in half precision.
        cfg_options: Overrides of the models' configs.
        occluded_coco: Annotation of Occluded COCO, for detectors.
        separated_coco: Annotation of Separated COCO, for detectors.
        trust: Whether a checkpoint may run code while it is loaded.
    """

    out: Path
    occlude: dict[str, Any]
    device: str = 'cpu'
    every: int = 1
    amp: bool = False
    cfg_options: dict[str, Any] = field(default_factory=dict)
    occluded_coco: str | None = None
    separated_coco: str | None = None
    trust: bool = False


class Job:
    """A model of the report: its config, weights and answers so far.

    Args:
        name: Its name in the report.
        config: Path of its config.
        checkpoint: Path or URL of its weights.
        settings: What all models of the report share.
    """

    def __init__(
        self,
        name: str,
        config: str,
        checkpoint: str,
        settings: Settings,
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
        self.model = None
        self.cells = {}

    def path(self, cell: str) -> Path:
        """Return the file of a cell's answers."""
        safe = ''.join(
            c if c.isalnum() or c in '-_.' else '_' for c in self.name
        )
        return (
            self.settings.out
            / 'cells'
            / safe
            / f'{cell.replace(" ", "_")}.npz'
        )

    def load_done(self, cells: list[str]) -> None:
        """Take over the cells that an earlier run has finished."""
        for cell in cells:
            found = Answers.load(self.path(cell), self.fingerprint)
            if found is not None:
                self.cells[cell] = found

    def detect(self, name: str, work: Callable) -> dict[str, float]:
        """Return what a detector's cell gives, computed or read back."""
        path = self.path(name).with_suffix('.json')
        if path.exists():
            kept = json.loads(path.read_text())
            if kept['fingerprint'] == self.fingerprint:
                return kept['found']
        found = work(
            model=self.ready(),
            cfg=self.cfg,
            amp=self.settings.amp,
            every=self.settings.every,
        )
        if is_main_process():
            path.parent.mkdir(parents=True, exist_ok=True)
            kept = dict(fingerprint=self.fingerprint, found=found)
            path.with_suffix('.part').write_text(json.dumps(kept))
            path.with_suffix('.part').replace(path)
        print_log(f'{self.name:24s} {name}: done')
        return found

    def ready(self) -> nn.Module:
        """Return the model, loaded at first need."""
        if self.model is None:
            self.model = load_model(
                self.cfg, self.checkpoint, self.settings.device
            )
        return self.model


def run_group(
    jobs: list[Job], dataset: Dataset, cells: list[str], occlude: dict
) -> None:
    """Compute what is missing of models that share their test data.

    Args:
        jobs: The models.
        dataset: Their test set.
        cells: Cells to compute.
        occlude: Arguments of ``mmocc.Occlude`` with the bank built.
    """
    settings = jobs[0].settings
    for cell in cells:
        missing = [job for job in jobs if cell not in job.cells]
        if not missing:
            continue
        loader = cell_loader(
            jobs[0].cfg,
            dataset,
            cell,
            every=settings.every,
            **occlude,
        )
        found = predict(
            {job.name: job.ready() for job in missing},
            track(loader, cell, disable=not is_main_process(), transient=True),
            settings.amp,
        )
        for job in missing:
            answers = job.cells[cell] = found[job.name]
            if is_main_process():
                answers.save(job.path(cell), job.fingerprint)
            right = 100 * answers.hits.mean() if len(answers.index) else np.nan
            print_log(f'{job.name:24s} {cell:12s} {right:6.2f} %')
