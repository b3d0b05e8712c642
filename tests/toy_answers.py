"""Answers of two models to four images, for tests of the report."""

import numpy as np

from mmocc.report.answers import Answers

CLASSES = ('cat', 'dog')


def answers(hits, index=None, share=0.0):
    """Make answers to dogs and cats in turn, right where ``hits`` says."""
    hits = np.array(hits, bool)
    label = np.arange(len(hits)) % 2
    index = np.arange(len(hits)) if index is None else np.array(index)
    return Answers(
        index=index,
        label=label,
        pred=np.where(hits, label, 1 - label),
        confidence=np.full(len(hits), 0.9, np.float32),
        share=np.full(len(hits), share, np.float32),
        identity=np.array([f'{place}.jpg' for place in index], str),
        regions=dict(image=len(hits)),
    )


def table(clean, white, noise):
    return {
        'L0': answers(clean),
        'L1 white': answers(white, share=0.3),
        'L1 noise': answers(noise, share=0.3),
    }


BASE = table([1, 1, 1, 1], [1, 0, 0, 0], [1, 1, 0, 0])
OURS = table([1, 1, 1, 0], [1, 1, 0, 1], [1, 1, 1, 1])
