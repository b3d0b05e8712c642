"""The figure that separates known objects from odd ones."""

from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = dict(dictionary='tab:blue', outside='tab:red')


def plot_separation(
    dictionary: np.ndarray, outside: np.ndarray, path: str | Path
) -> None:
    """Draw Pearson's correlation of objects with their redrawings.

    After table II and the histogram of HAL hal-03409930: shares of objects by
    correlation with mean and standard deviation of each group, and beside it
    each object.

    Args:
        dictionary: (n,) correlations of objects of the dictionary.
        outside: (m,) those of objects outside of it.
        path: Image file to write; folders are made.
    """
    figure = Figure(figsize=(9, 3.4), layout='constrained')
    FigureCanvasAgg(figure)
    bars, points = figure.subplots(1, 2, width_ratios=(3, 2))
    edges = np.linspace(-1, 1, 41)
    groups = dict(dictionary=dictionary, outside=outside)
    rng = np.random.default_rng(0)
    for place, (name, values) in enumerate(groups.items()):
        if not len(values):
            continue
        colour = COLOURS[name]
        mean, spread = values.mean(), values.std()
        bars.hist(
            values,
            edges,
            weights=np.full(len(values), 1 / len(values)),
            color=colour,
            alpha=0.6,
            label=f'{name}: {mean:.2f} ± {spread:.2f} ({len(values)})',
        )
        bars.axvline(mean, color=colour, linestyle='--', linewidth=1.2)
        bars.axvspan(mean - spread, mean + spread, color=colour, alpha=0.12)
        beside = place + rng.uniform(-0.3, 0.3, len(values))
        points.scatter(beside, values, s=6, color=colour, alpha=0.5)
        points.errorbar(place, mean, spread, color='black', capsize=6)
    bars.set_xlabel("Pearson's correlation of picture and redrawing")
    bars.set_ylabel('share of objects')
    bars.legend(fontsize=8, loc='upper left')
    points.set_xticks([0, 1], list(groups))
    points.set_xlim(-0.6, 1.6)
    points.set_ylim(-1.05, 1.05)
    points.set_ylabel('correlation')
    points.grid(axis='y', alpha=0.3)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
