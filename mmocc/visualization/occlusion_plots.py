"""Pictures of what occlusion costs."""

from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot as plt

from mmocc.occlusion import KINDS, LEVELS

matplotlib.use('Agg')


def plot_accuracy(
    models: dict[str, dict[str, dict]], path: str | Path
) -> None:
    """Draw accuracy against occlusion level, a panel for each kind.

    Args:
        models: Cells by model name, as in
            :mod:`mmocc.evaluation.occlusion_benchmark`.
        path: Image file to write.
    """
    names = list(next(iter(models.values())))
    kinds = [kind for kind in KINDS if any(kind in name for name in names)]
    figure, panels = plt.subplots(
        1,
        len(kinds),
        figsize=(3 * len(kinds), 3.2),
        sharey=True,
        squeeze=False,
        layout='constrained',
    )
    for panel, kind in zip(panels[0], kinds, strict=True):
        for model, cells in models.items():
            levels = [
                lv for lv in LEVELS if lv == 'L0' or f'{lv} {kind}' in cells
            ]
            values = [
                cells[lv if lv == 'L0' else f'{lv} {kind}']['accuracy']
                for lv in levels
            ]
            panel.plot(levels, values, marker='o', label=model)
        panel.set_title(kind)
        panel.set_xlabel('occlusion level')
        panel.grid(alpha=0.3)
    panels[0][0].set_ylabel('top-1 accuracy, %')
    panels[0][0].set_ylim(0, 101)
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='outside upper center', ncols=len(labels)
    )
    figure.savefig(path, dpi=150)
    plt.close(figure)


def plot_examples(
    rows: list[tuple[str, list[tuple[np.ndarray, dict[str, str]]]]],
    truth: list[str],
    path: str | Path,
) -> None:
    """Draw images with each model's answer below, right ones in green.

    Args:
        rows: For each row its name and, for each image, the picture (H, W, 3)
            uint8 BGR and the models' answers by model name.
        truth: True class of each column.
        path: Image file to write.
    """
    count = len(truth)
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
            for place, (model, answer) in enumerate(answers.items()):
                panel.text(
                    0.5,
                    -0.07 - 0.13 * place,
                    f'{model}: {answer}',
                    color='green' if answer == label else 'crimson',
                    transform=panel.transAxes,
                    ha='center',
                    va='top',
                    fontsize=8,
                )
        line[0].set_ylabel(name)
    for panel, label in zip(panels[0], truth, strict=True):
        panel.set_title(label, fontsize=9)
    figure.savefig(path, dpi=130)
    plt.close(figure)
