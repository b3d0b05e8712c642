"""One or several processes that share a work, by torch alone."""

from typing import Any

from torch import distributed
from torch.utils.data import (
    Dataset,
    DistributedSampler,
    Sampler,
    SequentialSampler,
)


def several() -> bool:
    """Return whether there are several processes."""
    known = distributed.is_available() and distributed.is_initialized()
    return known and distributed.get_world_size() > 1


def is_main_process() -> bool:
    """Return whether this is the first process, or the only one."""
    return not several() or distributed.get_rank() == 0


def gather(part: Any) -> list[Any]:
    """Return the parts of all processes, in their order, in each of them."""
    if not several():
        return [part]
    parts: list[Any] = [None] * distributed.get_world_size()
    distributed.all_gather_object(parts, part)
    return parts


def broadcast(value: Any) -> Any:
    """Return the first process's value in all of them."""
    values = [value]
    if several():
        distributed.broadcast_object_list(values)
    return values[0]


def sampler(dataset: Dataset) -> Sampler:
    """Return the order of a data set's samples, shared by all processes.

    The last samples are repeated until each process has as many.
    """
    if several():
        return DistributedSampler(dataset, shuffle=False)
    return SequentialSampler(dataset)  # type: ignore[arg-type]
