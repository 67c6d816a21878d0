"""What a POP3 session did, for its one line in the log (features row P-24)."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from mailsuite.model.message import MessageRef
from mailsuite.model.view import View
from mailsuite.wire.pop3.events import Retrieve


@attrs.define
class Traffic:
    """Octets are as they went out, dots and all, those of broken messages too."""

    messages: int = 0
    """In the maildrop at the login; their size is ``octets``."""
    octets: int = 0
    retrieved: int = 0
    """Sent whole."""
    retrieved_octets: int = 0
    tops: int = 0
    top_octets: int = 0
    deleted: int = 0

    def found(self, messages: Sequence[MessageRef]) -> None:
        """This is in the maildrop."""
        self.messages, self.octets = len(messages), sum(ref.size for ref in messages)

    def sent(self, event: Retrieve, whole: bool, octets: int) -> None:
        """So much went out in answer to a RETR or a TOP."""
        if event.lines is None:
            self.retrieved += whole
            self.retrieved_octets += octets
        else:
            self.tops += whole
            self.top_octets += octets


def spelled(view: View | None) -> str:
    """A view in a word: ``inbox``, ``trash``, ``trash+restore``, ``device``; empty where there is none."""
    if view is None:
        return ""
    return "device" if view.device else view.box.value or "inbox"
