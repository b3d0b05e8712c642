"""Where rich can draw a bar of progress."""

from importlib.util import find_spec

from rich.console import Console


def draws_bars(console: Console) -> bool:
    """Return whether a bar that moves can be drawn.

    That is in a terminal, and in a notebook with ipywidgets; without, rich
    draws none there and warns.
    """
    if console.is_jupyter:
        return find_spec('ipywidgets') is not None
    return console.is_terminal
