"""``mailsuite-notify test``: shows a pop-up, and has each server send a notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.internet.defer import CancelledError

from mailsuite.client.follower import Transport
from mailsuite.client.news import News
from mailsuite.client.pop3 import Login, LoginRefused, look
from mailsuite.client.popups.choice import popups
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.settings import Account, Preferences, server_of
from mailsuite.client.threads import InThread
from mailsuite.client.trial import seconds_of_a_test
from mailsuite.client.trouble import in_words
from mailsuite.client.wording import popup_of
from mailsuite.model.notice import Kind


@attrs.frozen
class TryOut:
    """*say* takes lines for standard output, *complain* those for standard error; *clock*: seconds that only
    go on."""

    reactor: Any
    preferences: Preferences
    say: Callable[[str], None]
    complain: Callable[[str], None]
    clock: Callable[[], float]

    async def run(self, accounts: Mapping[Account, str]) -> None:
        """*accounts*, each with its password. SystemExit where anything failed."""
        went_well = [await self._show()]
        for account, password in accounts.items():
            try:
                said = await self._try(account, Login(account.login_name, password))
            except Exception as error:  # whatever the network is up to is what is to be told
                went_well.append(False)
                self.complain(f"{account.address}: {in_words(error)}")
            else:
                self.say(f"{account.address}: {said}")
        if not all(went_well):
            raise SystemExit(1)

    async def _show(self) -> bool:
        try:
            way = popups(self.preferences.popup, self.reactor, InThread(self.reactor))
            if way is not None:
                await way.show(popup_of(News("mailsuite-notify", Kind.TEST)))
                self.say(f"a pop-up was shown by {way.name}")
        except NoPopups as error:
            self.complain(f"no pop-up: {error}")
            return False
        return True

    async def _try(self, account: Account, login: Login) -> str:
        """What went well, in words."""
        if account.transport in {Transport.AUTO, Transport.STREAM}:
            try:
                server = server_of(self.reactor, account)
                took = await seconds_of_a_test(self.reactor, server, login, self.clock)
            except (LoginRefused, CancelledError):
                raise
            except Exception as error:
                if account.transport is Transport.STREAM:
                    raise
                self.complain(f"{account.address}: no test notice came: {in_words(error)}")
            else:
                return f"a test notice was seen after {took * 1000:.0f} ms"
        begun = self.clock()
        endpoint = account.trust.endpoint(self.reactor, account.server, account.pop3_port)
        found = await look(endpoint, self.reactor, login)
        took = self.clock() - begun
        return f"POP3: {len(found.messages)} messages are there, seen after {took * 1000:.0f} ms"
