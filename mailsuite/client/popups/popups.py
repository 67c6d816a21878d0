"""What every way to show a pop-up promises."""

from __future__ import annotations

from typing import Protocol

from mailsuite.client.wording import Popup


class NoPopups(Exception):
    """Nothing can be shown now; the message says why."""


class Popups(Protocol):
    """A way to show pop-ups on the user's desktop."""

    @property
    def name(self) -> str:
        """As in the settings."""

    async def ready(self) -> None:
        """Whether anything could be shown now. Raises NoPopups."""

    async def show(self, popup: Popup) -> int:
        """Show it; answers what close() takes, 0 where it cannot be taken back. Raises NoPopups."""

    async def close(self, shown: int) -> None:
        """Take it back, if it is still there. Raises NoPopups."""
