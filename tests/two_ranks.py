"""Tests of several processes: a rank that hangs does not stop the others."""

import time
from datetime import timedelta

import torch.distributed as dist

LIMIT = 120  # seconds that a rank waits for another


def join(rank, folder, world=2):
    """Become one of the ranks that meet in a folder."""
    dist.init_process_group(
        'gloo',
        init_method=f'file://{folder}/store',
        rank=rank,
        world_size=world,
        timeout=timedelta(seconds=LIMIT),
    )


def leave():
    """End what :func:`join` began."""
    # Ending a group, torch 2.1 holds the lock that the last send needs.
    dist.barrier()
    time.sleep(0.2)
    dist.destroy_process_group()
