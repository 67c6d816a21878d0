"""Python's garbage collector, set for a server and for a command."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager

THRESHOLDS = (10_000, 10, 10)
"""New containers before a young collection, young ones before a middle one, middle ones before a full one.

A long listing makes hundreds of thousands of containers and no cycle; by the default of 700 it is searched
hundreds of times for nothing. A session that has ended leaves a few dozen containers in cycles, so some
hundred sessions bring a young collection, and tens of thousands a full one: a few megabytes wait for it.
"""


@contextmanager
def of_a_program() -> Iterator[None]:
    """For all that a program does from its first import to its end.

    Imports make hundreds of thousands of containers that stay, so fewer collections look at them; none does
    at the end, when the system takes all memory back.
    """
    gc.set_threshold(*THRESHOLDS)
    try:
        yield
    finally:
        gc.freeze()


def settle() -> Callable[[], None]:
    """What lives now will live as long as the server: no collection looks at it again, and fewer are made.

    Answers the function that undoes this.
    """
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)

    def undo() -> None:
        gc.set_threshold(*before)
        gc.unfreeze()

    return undo
