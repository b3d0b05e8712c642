"""What LEARN does to held-out photographs, in numbers and in words."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from mmocc.learn.attach import Attached
from mmocc.occlusion import CLEAN, HARD_LEVELS

LEVELS = (CLEAN, *HARD_LEVELS)
Agreement = dict[str, float]


@dataclass
class Fit:
    """A trained LEARN, and what it does to held-out photographs.

    Attributes:
        handle: The classifier with LEARN; ``handle.save(path)`` writes it.
        before: By level, the share of held-out views to which the classifier
            answers as to the clean view, without LEARN; ``L0`` is 1.
        after: The same with LEARN.
        epoch: Whose LEARN it is; 0 if no epoch was better than none, and
            LEARN is switched off.
        history: ``after`` of each epoch.
    """

    handle: Attached
    before: Agreement
    after: Agreement
    epoch: int = 0
    history: list[Agreement] = field(default_factory=list)

    @property
    def gain(self) -> float:
        """Mean agreement over L1 to L3, after minus before."""
        return hidden_mean(self.after) - hidden_mean(self.before)

    @property
    def clean_cost(self) -> float:
        """Share of the clean views that are answered in another way."""
        return self.before[CLEAN] - self.after[CLEAN]

    def __str__(self) -> str:
        if not self.epoch:
            return (
                'LEARN is off: no epoch was better than none. More, and more '
                'diverse, photographs, another layer or a lower lr may help'
            )
        words = ', '.join(
            f'{level} {100 * self.before[level]:.1f} -> '
            f'{100 * self.after[level]:.1f}'
            for level in LEVELS
        )
        return (
            f'Agreement with the clean answer on held-out photographs: {words}'
            f'. Gain over L1 to L3 {100 * self.gain:+.1f} points; clean cost '
            f'{100 * self.clean_cost:.1f} points (epoch {self.epoch})'
        )


def hidden_mean(agreement: Agreement) -> float:
    """Return the mean over the levels that hide something."""
    return sum(agreement[level] for level in HARD_LEVELS) / len(HARD_LEVELS)


def choose_epoch(
    before: Agreement, history: Sequence[Agreement], max_clean_cost: float
) -> int:
    """Return the best epoch, from 1; 0 if none is better than no LEARN.

    Args:
        before: The agreement without LEARN.
        history: That after each epoch.
        max_clean_cost: Epochs that cost more when nothing is hidden are taken
            only if none costs less.
    """

    def rank(epoch: int) -> tuple:
        now = history[epoch - 1]
        cost = before[CLEAN] - now[CLEAN]
        over = max(cost - max_clean_cost - 1e-6, 0.0)  # shares are rounded
        return -over, hidden_mean(now)

    best = max(range(1, len(history) + 1), key=rank)
    gain = hidden_mean(history[best - 1]) - hidden_mean(before)
    return best if gain > 0 else 0
