"""``mailsuite-notify enrol``: an account of a server becomes one of this program's."""

from __future__ import annotations

import platform
from collections.abc import Callable
from typing import Any, Final

import attrs

from mailsuite.client.asking import ask
from mailsuite.client.files import Places
from mailsuite.client.follower import Transport
from mailsuite.client.kept import Kept
from mailsuite.client.passwords import Passwords
from mailsuite.client.pop3 import Login, LoginRefused, look
from mailsuite.client.reachable import CHANNEL, SUBSCRIPTIONS
from mailsuite.client.settings import Account, server_of
from mailsuite.client.stream import StreamMissing
from mailsuite.client.trial import seconds_of_a_test
from mailsuite.client.trouble import in_words
from mailsuite.model.display_text import LONG, one_line

DEVICES: Final = "/notify/v1/devices"
SCOPES: Final = ("notify", "pop3")
"""What the device password is good for: to hear, and to look. Not to send."""
MAX_NAME: Final = 60
"""Characters of a name at the server."""
_CREATED: Final = 201
_NO_SUCH: Final = frozenset({404, 405, 501})


class EnrolmentFailed(Exception):
    """Nothing was kept; the message says why."""


def _name() -> str:
    """Of what is ours at the server."""
    return one_line(f"mailsuite-notify on {platform.node() or 'a computer'}", MAX_NAME)


@attrs.frozen
class Enrolment:
    """*say* takes lines for the person; *clock* gives seconds that only go on."""

    reactor: Any
    places: Places
    passwords: Passwords
    say: Callable[[str], None]
    clock: Callable[[], float]
    knock_port: int
    """Where we listen for knocks."""

    async def enrol(self, account: Account, typed: str) -> None:
        """Raises EnrolmentFailed, OSError, NoTrust."""
        login = Login(account.login_name, typed)
        begun = self.clock()
        found = await self._look(account, login)
        took = self.clock() - begun
        login = await self._device(account, login)
        kept = Kept.read(self.places.kept(account.address))
        kept.looked(found)
        kept.write()
        where = self.passwords.keep(account.address, login.password)
        account.write(self.places.account(account.address))
        self.say(f"{account.address} is enrolled; its password is {where}")
        self.say(f"POP3: {len(found)} messages are there, seen after {took * 1000:.0f} ms")
        if account.transport is Transport.LISTENER:
            await self._have_knocks_sent(account, login)
        elif account.transport is not Transport.POLL:
            await self._try_stream(account, login)

    async def _device(self, account: Account, typed: Login) -> Login:
        """A device password, where the server makes one; else what was typed."""
        wanted = {"name": _name(), "scopes": list(SCOPES)}
        try:
            answer = await ask(
                self.reactor, server_of(self.reactor, account), typed, "POST", DEVICES, document=wanted
            )
        except Exception as error:  # there need be no HTTPS at all
            self.say(f"no device password was made, port {account.stream_port}: {in_words(error)}")
            return typed
        if answer.status == 401:
            raise EnrolmentFailed(f"{account.server} refuses the name or the password")
        made = answer.document.get("password")
        if answer.status == _CREATED and isinstance(made, str) and made:
            return Login(typed.name, made)
        why = (
            "the server does not make them" if answer.status in _NO_SUCH else f"it said HTTP {answer.status}"
        )
        self.say(f"no device password was made ({why}): what you typed is kept")
        return typed

    async def _look(self, account: Account, login: Login) -> tuple[str, ...]:
        endpoint = account.trust.endpoint(self.reactor, account.server, account.pop3_port)
        try:
            return (await look(endpoint, self.reactor, login)).messages
        except LoginRefused as error:
            raise EnrolmentFailed(f"{account.server}: {error}") from error
        except Exception as error:  # whatever the network is up to
            place = f"{account.server}, port {account.pop3_port}"
            raise EnrolmentFailed(f"{place}: {in_words(error)}") from error

    async def _have_knocks_sent(self, account: Account, login: Login) -> None:
        """By the server, to where this very computer logs in from (RFC 4146 section 3)."""
        wanted = {"channel": CHANNEL, "target": f"last-ip:{self.knock_port}", "name": _name()}
        try:
            answer = await ask(
                self.reactor, server_of(self.reactor, account), login, "POST", SUBSCRIPTIONS, document=wanted
            )
        except Exception as error:  # there need be no HTTPS at all
            said = in_words(error)
        else:
            said = str(answer.document.get("detail") or f"HTTP {answer.status}")
            if answer.status == _CREATED:
                self.say(f"knocks: the server sends them to port {self.knock_port} of this computer")
                return
        self.say(f"knocks: have the server send them to port {self.knock_port} ({one_line(said, LONG)})")

    async def _try_stream(self, account: Account, login: Login) -> None:
        try:
            took = await seconds_of_a_test(self.reactor, server_of(self.reactor, account), login, self.clock)
        except StreamMissing as error:
            self.say(f"stream: {error}; knocks and looking now and then are used instead")
        except Exception as error:  # it will be tried again by run
            self.say(f"stream: {in_words(error)}")
        else:
            self.say(f"stream: a test notice was seen after {took * 1000:.0f} ms")
