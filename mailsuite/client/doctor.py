"""``mailsuite-notify doctor``: what could keep notices from coming, found before it does."""

from __future__ import annotations

import enum
import errno
import socket
from collections.abc import Callable, Iterator
from typing import Any, Final

import attrs
from twisted.internet.threads import deferToThreadPool

from mailsuite.client.asking import ask
from mailsuite.client.files import Places, is_private
from mailsuite.client.follower import Transport
from mailsuite.client.pop3 import Login, LoginRefused, look
from mailsuite.client.popups.choice import popups
from mailsuite.client.popups.freedesktop import Threads
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.reachable import hint, knock_results
from mailsuite.client.settings import Account, Preferences, server_of
from mailsuite.client.trouble import in_words

MAX_SKEW: Final = 120.0
"""Seconds that our clock may differ from the server's before certificates and quiet hours suffer."""
FINGER_PORT: Final = 79
FINGER_SECONDS: Final = 2.0
_HAS_STREAM: Final = frozenset({401, 200})
"""What the path of the stream answers who sends no password: it is there."""


class State(enum.Enum):
    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing need be done."""
    WRONG = "wrong"


@attrs.frozen
class Finding:
    """One line."""

    state: State
    what: str
    said: str


@attrs.frozen
class Doctor:
    """*now* gives seconds since the epoch."""

    reactor: Any
    places: Places
    preferences: Preferences
    threads: Threads
    now: Callable[[], float]

    async def examine(self, account: Account, login: Login | None) -> list[Finding]:
        """One account; without a password only what needs none."""
        findings = list(self._files(account))
        if login is None:
            findings.append(Finding(State.WRONG, "password", "there is none; enrol again"))
        else:
            findings.append(await self._mailbox(account, login))
            if account.transport is Transport.LISTENER:
                findings += await self._knocks(account, login)
        if account.transport in {Transport.AUTO, Transport.STREAM}:
            findings += await self._stream(account)
        return findings

    async def examine_here(self) -> list[Finding]:
        """This computer."""
        port = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), self._port)
        finger = await deferToThreadPool(self.reactor, self.reactor.getThreadPool(), _finger)
        return [port, *finger, await self._popups()]

    def _files(self, account: Account) -> Iterator[Finding]:
        for path in (self.places.password(account.address), self.places.account(account.address)):
            if not is_private(path):
                yield Finding(State.WRONG, "files", f"{path} can be read by others: chmod 600 {path}")

    async def _mailbox(self, account: Account, login: Login) -> Finding:
        what = f"POP3 {account.server}:{account.pop3_port}"
        try:
            endpoint = account.trust.endpoint(self.reactor, account.server, account.pop3_port)
            found = await look(endpoint, self.reactor, login)
        except LoginRefused as error:
            return Finding(State.WRONG, what, f"{error}; a new one: mailsuite-notify enrol {account.address}")
        except Exception as error:  # whatever the network is up to is what is to be told
            return Finding(State.WRONG, what, in_words(error))
        said = f"{len(found.messages)} messages, TLS is good"
        if found.login_delay > account.poll_seconds:
            return Finding(
                State.NOTE,
                what,
                f"{said}; it wants {found.login_delay:g} s between two logins, and gets that",
            )
        return Finding(State.OK, what, said)

    async def _knocks(self, account: Account, login: Login) -> list[Finding]:
        what = "knocks"
        try:
            results = await knock_results(self.reactor, server_of(self.reactor, account), login)
        except Exception as error:  # a server of somebody else has no such interface
            return [Finding(State.NOTE, what, f"the server cannot be asked to try: {in_words(error)}")]
        if not results:
            return [Finding(State.NOTE, what, "nobody has asked the server for them: enrol again")]
        return [Finding(State.OK if each == "ok" else State.WRONG, what, hint(each)) for each in results]

    async def _stream(self, account: Account) -> list[Finding]:
        what = f"stream {account.server}:{account.stream_port}"
        other = State.WRONG if account.transport is Transport.STREAM else State.NOTE
        try:
            answer = await ask(
                self.reactor, server_of(self.reactor, account), None, "GET", "/notify/v1/stream"
            )
        except Exception as error:
            return [Finding(other, what, in_words(error))]
        is_there = answer.status in _HAS_STREAM
        said = "it is there, TLS is good" if is_there else f"there is none (HTTP {answer.status})"
        return [Finding(State.OK if is_there else other, what, said), *self._clock(answer.date)]

    def _clock(self, date: float | None) -> Iterator[Finding]:
        if date is None:
            return
        skew = self.now() - date
        if abs(skew) > MAX_SKEW:
            way = "ahead of" if skew > 0 else "behind"
            yield Finding(State.WRONG, "clock", f"this computer's is {abs(skew):.0f} s {way} the server's")
        else:
            yield Finding(State.OK, "clock", "as the server's")

    def _port(self) -> Finding:
        """Whether the listener could have its port. Blocks."""
        port = self.preferences.port
        what = f"port {port}"
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind((self.preferences.bind if "." in self.preferences.bind else "", port))
                trial.listen(1)
            except OSError as error:
                return Finding(
                    State.NOTE if error.errno == errno.EADDRINUSE else State.WRONG, what, _why(error)
                )
        return Finding(State.OK, what, "free; the firewall must let the mail server in")

    async def _popups(self) -> Finding:
        try:
            way = popups(self.preferences.popup, self.reactor, self.threads)
            if way is not None:
                await way.ready()
        except NoPopups as error:
            return Finding(State.WRONG, "pop-ups", str(error))
        return Finding(State.OK, "pop-ups", "off" if way is None else way.name)


def _why(error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            return "in use: by mailsuite-notify itself, if it runs, else by another program"
        case errno.EACCES:
            return "ports below 1024 are the administrator's: use mailsuite-notify.socket of systemd"
    return error.strerror or "cannot be had"


def _finger() -> list[Finding]:
    """A finger daemon would take the knocks that come to port 79 (RFC 4146 section 3). Blocks."""
    try:
        with socket.create_connection(("127.0.0.1", FINGER_PORT), FINGER_SECONDS) as asking:
            asking.settimeout(FINGER_SECONDS)
            asking.sendall(b"\r\n")
            answered = asking.recv(1)
    except OSError:
        return []
    if not answered:
        return []
    return [
        Finding(State.WRONG, "port 79", "a finger daemon answers there, and would swallow knocks: stop it")
    ]
