"""Which of an account's messages a POP3 session is about, and for whom (features rows B-01, B-02)."""

from __future__ import annotations

import enum

import attrs


class Box(enum.Enum):
    """What a login name asks for by its ending."""

    INBOX = ""
    """The mail that has come: ``joe@example.net``."""
    TRASH = "trash"
    """What was deleted, as long as it is kept: ``joe+trash@example.net``. DELE there forgets for good."""
    RESTORE = "trash+restore"
    """The same; whatever is retrieved there is back in the inbox after QUIT:
    ``joe+trash+restore@example.net``."""


@attrs.frozen
class View:
    """A maildrop as one session sees it. Sessions of different views do not shut each other out."""

    box: Box = Box.INBOX
    device: str = ""
    """The id of the device whose own view this is: DELE hides a message from it alone, until every device
    with a view has done the same; empty: the classic view, where DELE removes."""
