"""Python's garbage collector, set for a server."""

from __future__ import annotations

import gc
from collections.abc import Callable

THRESHOLDS = (50_000, 20, 50)
"""New containers before a young collection, young ones before a middle one, middle ones before a full one.

The default of 700 lets one long listing cause hundreds of collections that find nothing: what serves mail is
freed by its reference counts, and few cycles are made.
"""


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
