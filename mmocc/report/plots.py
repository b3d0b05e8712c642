"""Pictures of what occlusion costs."""

from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import matplotlib
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmocc.occlusion import CLEAN, LEVELS
from mmocc.report.statistics import cell_kinds
from mmocc.report.tables import AXES, measured
from mmocc.utils.class_labels import class_labels

matplotlib.use('Agg')


def plot_accuracy(report: dict, path: str | Path | IO) -> None:
    """Draw accuracy against level, a panel for each kind; 95 % intervals."""
    models = report['models']
    names = list(next(iter(models.values()))['cells'])
    kinds = cell_kinds(names)
    figure, panels = _panels(kinds, 3.2, 'occlusion level', report)
    for panel, kind in zip(panels, kinds, strict=False):
        for place, (model, summary) in enumerate(models.items()):
            _draw_kind(panel, summary['cells'], kind, place, model)
    panels[0].set_ylim(0, 101)
    _save(figure, panels[0], len(models), path)


def _panels(
    titles: Sequence[str], height: float, label: str, report: dict
) -> tuple[Figure, Any]:
    """Return a figure with a panel for each title, and at least one."""
    count = len(titles) or 1
    figure, panels = plt.subplots(
        1,
        count,
        figsize=(3 * count, height),
        sharey=True,
        squeeze=False,
        layout='constrained',
    )
    for panel, title in zip(panels[0], titles, strict=False):
        panel.set_title(title)
        panel.set_xlabel(label)
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel(AXES[measured(report)])
    return figure, panels[0]


def _save(
    figure: Figure, panel: Axes, entries: int, path: str | Path | IO
) -> None:
    """Add a legend above the panels, save the figure and close it."""
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='outside upper center', ncols=min(entries, 4)
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)


def _draw_kind(
    panel: Axes, cells: dict, kind: str, place: int, model: str
) -> None:
    """Draw one model's line of one kind, a little beside the others'."""
    names = [lv if lv == CLEAN else f'{lv} {kind}' for lv in LEVELS]
    at = [spot for spot, name in enumerate(names) if name in cells]
    values = np.array([cells[names[spot]]['accuracy'] for spot in at])
    sides = np.array([cells[names[spot]]['interval'] for spot in at]).T
    panel.errorbar(
        np.array(at) + 0.04 * place,
        values,
        yerr=np.abs(sides - values).clip(0),
        marker='o',
        markersize=4,
        capsize=2,
        label=model,
    )
    panel.set_xticks(range(len(LEVELS)), list(LEVELS))


def plot_examples(
    rows: list[tuple[str, list[tuple[np.ndarray, dict[str, int]]]]],
    truth: list[int],
    classes: Sequence[str],
    path: str | Path,
) -> None:
    """Draw images with each model's answer below, right ones in green.

    Models are numbered, and named once above: names are wider than images.
    ``rows`` are a name and, for each image, the picture (H, W, 3) uint8 BGR
    and the answers by model; ``truth`` is the true class of each column, all
    as numbers, since ``classes`` may have a name twice.
    """
    count, names = len(truth), class_labels(classes)
    figure, panels = plt.subplots(
        len(rows),
        count,
        figsize=(1.5 * count, 2.0 * len(rows)),
        squeeze=False,
        layout='constrained',
    )
    for line, (name, images) in zip(panels, rows, strict=True):
        for panel, (image, answers), label in zip(
            line, images, truth, strict=True
        ):
            panel.imshow(image[..., ::-1])
            panel.set_xticks([])
            panel.set_yticks([])
            for place, answer in enumerate(answers.values()):
                panel.text(
                    0.5,
                    -0.07 - 0.13 * place,
                    f'{place + 1}: {names[answer]}',
                    color='green' if answer == label else 'crimson',
                    transform=panel.transAxes,
                    ha='center',
                    va='top',
                    fontsize=8,
                )
        line[0].set_ylabel(name)
    for panel, label in zip(panels[0], truth, strict=True):
        panel.set_title(names[label], fontsize=9)
    models = enumerate(rows[0][1][0][1], start=1)
    words = ',   '.join(f'{place}: {name}' for place, name in models)
    figure.suptitle(f'answers of   {words}', fontsize=10)
    figure.savefig(path, dpi=130)
    plt.close(figure)
