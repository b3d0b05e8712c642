"""The peak memory of a piece of work, beyond what was there before."""

from collections.abc import Callable
from pathlib import Path

import torch


def peak_mib(work: Callable[[], object]) -> float:
    """Return the most MiB that the work needs while it runs.

    On a CPU, Linux counts it for the whole process. Measure each work in its
    own process: memory that was freed before is used again and does not count.

    Raises:
        OSError: If the system does not count memory.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated() / 2**20
        work()
        return torch.cuda.max_memory_allocated() / 2**20 - before
    # forget the peak so far
    Path('/proc/self/clear_refs').write_text('5', encoding='utf-8')
    before = resident('VmRSS')
    work()
    return resident('VmHWM') - before


def resident(what: str) -> float:
    """Return this process's memory in MiB, now or at most (Linux)."""
    for line in (
        Path('/proc/self/status').read_text(encoding='utf-8').splitlines()
    ):
        name, _, value = line.partition(':')
        if name == what:
            return int(value.split()[0]) / 2**10
    raise OSError(f'/proc/self/status has no {what}')
