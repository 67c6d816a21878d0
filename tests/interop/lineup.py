"""The servers of others that take mail from us, each started when it is first wanted."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.accounts.sources.certificates import Authority
from tests.interop.exim import Exim, unpacked_exim
from tests.interop.opensmtpd import OpenSmtpd, unpacked_opensmtpd
from tests.interop.peers import Peer, folder, needs_root
from tests.interop.postfix import Postfix, destination, needs_postfix

WITHOUT = ("chunking", "dsn", "smtputf8", "pipelining", "8bitmime", "size", "starttls")
"""What Postfix does not offer on a port of its own, each."""


def _postfix(base: Path, authority: Authority) -> Postfix:
    return destination(base, authority, *WITHOUT)


def _opensmtpd(base: Path, authority: Authority) -> OpenSmtpd:
    return OpenSmtpd(base, unpacked_opensmtpd(), authority)


def _exim(base: Path, authority: Authority) -> Exim:
    return Exim(base, unpacked_exim(), authority)


Start = Callable[[Path, Authority], contextlib.AbstractContextManager[Peer]]
_STARTS: dict[str, Start] = {"postfix": _postfix, "opensmtpd": _opensmtpd, "exim": _exim}
NAMES = [
    pytest.param("postfix", marks=needs_postfix),
    *(pytest.param(name, marks=needs_root) for name in ("opensmtpd", "exim")),
]
"""To parametrise a test with."""


@attrs.define
class Lineup:
    """All of them, for as long as it is entered."""

    authority: Authority
    """That has signed their certificates."""
    _running: dict[str, Peer] = attrs.field(factory=dict, init=False)
    _stack: contextlib.ExitStack = attrs.field(factory=contextlib.ExitStack, init=False)

    def peer(self, name: str) -> Peer:
        """One of NAMES; it runs."""
        if name not in self._running:
            base = self._stack.enter_context(folder())
            self._running[name] = self._stack.enter_context(_STARTS[name](base, self.authority))
        return self._running[name]

    def postfix(self) -> Postfix:
        """With all that is only its own."""
        running = self.peer("postfix")
        assert isinstance(running, Postfix)
        return running

    def __enter__(self) -> Lineup:
        return self

    def __exit__(self, *failure: object) -> None:
        self._stack.close()
