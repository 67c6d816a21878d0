"""How long work is cut into pieces, where one thread serves everybody."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

STEPS_IN_A_ROW: Final = 200
"""Of work that takes some ten microseconds a step."""

Turn = Callable[[], Awaitable[None]]
"""Lets all others have their turn, and returns after that."""


async def go_on() -> None:
    """Where nobody else is waiting."""
