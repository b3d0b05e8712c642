"""Are there more threads at work than cores?"""

import os

import torch

from mmocc.utils.files import note


def busy_remark(load: float, cores: int, threads: int) -> str | None:
    """Return what to say before a long computation on busy cores, if any.

    Args:
        load: Processes that run or wait for a core, in the last minute.
        cores: Of the machine.
        threads: With which this process computes.
    """
    # Up to twice the cores, it may be what this user's last job has left:
    # its threads and loading processes.
    if threads < 2 or load <= 2 * cores:
        return None
    return (
        f'{load:.0f} processes are at work on {cores} cores, and this one '
        f'computes with {threads} threads, which wait for each other then: up '
        'to 20 times slower was seen. OMP_NUM_THREADS=1 before the command '
        'helps; best, run one job at a time'
    )


def warn_if_busy() -> None:
    """Note it in the log if other processes keep this machine's cores busy."""
    if not hasattr(os, 'getloadavg'):  # Windows
        return
    remark = busy_remark(
        os.getloadavg()[0], os.cpu_count() or 1, torch.get_num_threads()
    )
    if remark is not None:
        note(remark)
