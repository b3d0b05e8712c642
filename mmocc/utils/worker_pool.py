"""Spreads the work of a tool that writes many files over processes."""

import multiprocessing
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import cv2
import torch

CHUNK = 8  # jobs that a process gets at once


def run_jobs(
    start: Callable[..., Any],
    args: tuple,
    work: Callable[[Any, Any], Any],
    jobs: Sequence,
    workers: int,
) -> Iterator:
    """Return ``work(start(*args), job)`` of each job, in order.

    ``start`` runs once in every process, and each process uses one thread. An
    error ends the run. Ctrl-C reaches only the calling process.

    Args:
        start: Prepares a process; a class or function of a module.
        args: Its arguments, which are sent to the processes.
        work: Does one job; a function of a module.
        jobs: What to hand to ``work``, one after another.
        workers: Number of processes; 1 stays in this one, less: ValueError.
    """
    if workers < 1:
        raise ValueError(f'workers is {workers}; use 1 process or more')
    if workers == 1:
        return _run_here(start, args, work, jobs)
    return _run_in_pool((start, args, work), jobs, workers)


def _run_here(
    start: Callable, args: tuple, work: Callable, jobs: Sequence
) -> Iterator:
    """Do the jobs in this process, with all of its threads."""
    state = start(*args)
    for job in jobs:
        yield work(state, job)


def _run_in_pool(task: tuple, jobs: Sequence, workers: int) -> Iterator:
    """Do the jobs in other processes."""
    methods = multiprocessing.get_all_start_methods()
    # Not a fork of this process, because torch may run threads in it.
    method = 'forkserver' if 'forkserver' in methods else 'spawn'
    context = multiprocessing.get_context(method)
    if method == 'forkserver':
        context.set_forkserver_preload([__name__, task[0].__module__])
    pool = ProcessPoolExecutor(workers, context, _start, task)
    try:
        yield from pool.map(_do, jobs, chunksize=CHUNK)
    finally:
        pool.shutdown(cancel_futures=True)


_work: Callable[[Any], Any] | None = None  # of this process


def _start(start: Callable, args: tuple, work: Callable) -> None:
    """Prepare a process."""
    global _work
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the first process stops us
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    _work = partial(work, start(*args))


def _do(job: Any) -> Any:
    """Do one job in a prepared process."""
    return _work(job)
