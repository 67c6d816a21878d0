"""Coroutines where there is no reactor: at start-up, and in programs that have none."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never has to wait, and answer what it returns or raises.

    Raises RuntimeError where it waits after all: it was given something that needs a reactor.
    """
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("the coroutine waits for a reactor that does not run")
