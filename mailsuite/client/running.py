"""``mailsuite-notify run``: follows all accounts until it is stopped."""

from __future__ import annotations

import json
import random
import shutil
import traceback
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from mailsuite.client.actions import Actions
from mailsuite.client.allowed import AllowList
from mailsuite.client.command import CommandRunner
from mailsuite.client.files import Places
from mailsuite.client.follower import Follower, Transport
from mailsuite.client.kept import Kept
from mailsuite.client.listener import Listener
from mailsuite.client.listening import place
from mailsuite.client.news import News
from mailsuite.client.pop3 import Login, LoginRefused, Look, look
from mailsuite.client.popups.choice import popups
from mailsuite.client.popups.popups import NoPopups
from mailsuite.client.receiver import Receiver
from mailsuite.client.settings import Account, Preferences, server_of
from mailsuite.client.stream import StreamClient
from mailsuite.client.threads import InThread
from mailsuite.client.verifier import Verifier
from mailsuite.concurrent.tasks import Tasks

REFUSED: Final = 77
"""The exit status where no account can be followed because its password is refused: EX_NOPERM of sysexits.h.
Starting again would not help."""


@attrs.frozen
class Wishes:
    """What the command line asks for."""

    accounts: Mapping[Account, str]
    """Each with its password."""
    preferences: Preferences
    places: Places
    as_json: bool = False
    inherited: tuple[int, ...] = ()
    """Listening sockets that were handed over."""


@attrs.define(eq=False)
class RunProgram:
    """*say* takes lines for standard output, *complain* those for standard error."""

    reactor: Any
    wishes: Wishes
    say: Callable[[str], None]
    complain: Callable[[str], None]
    now: Callable[[], datetime]
    _done: Deferred[None] = attrs.field(factory=Deferred, init=False)
    _followed: dict[str, tuple[Follower, Tasks]] = attrs.field(factory=dict, init=False)
    _said: dict[str, str | None] = attrs.field(factory=dict, init=False)
    """The trouble of each account that was told last."""
    _tasks: Tasks = attrs.field(init=False)
    _actions: Actions = attrs.field(init=False)
    _allowed: AllowList = attrs.field(init=False)
    _listener: Listener = attrs.field(init=False)

    @_tasks.default
    def _make_tasks(self) -> Tasks:
        return Tasks(self._broken)

    @_actions.default
    def _make_actions(self) -> Actions:
        wanted = self.wishes.preferences
        actions = Actions(self.reactor, self._tasks, self.now, self.complain, quiet=wanted.quiet)
        actions.say = self._say if self.wishes.as_json else None
        actions.command = self._runner(wanted.command, float(wanted.command_seconds))
        actions.fetch = self._runner(wanted.fetch, None)
        try:
            actions.popups = popups(wanted.popup, self.reactor, InThread(self.reactor))
        except NoPopups as error:
            self.complain(f"no pop-ups: {error}")
        return actions

    def _runner(self, argv: Sequence[str], limit: float | None) -> CommandRunner | None:
        """None where nothing is wanted, or cannot be had, which is told."""
        if not argv:
            return None
        program = shutil.which(argv[0])
        if program is None:
            self.complain(f"there is no program {argv[0]!r}")
            return None
        ended = partial(self._command_ended, argv[0])
        return CommandRunner(self.reactor, self.reactor, (program, *argv[1:]), ended, limit)

    @_allowed.default
    def _make_allowed(self) -> AllowList:
        accounts = list(filter(self._may_listen, self.wishes.accounts))
        networks = tuple(network for each in accounts for network in each.knock_from)
        return AllowList(self.reactor, self._tasks, frozenset(each.server for each in accounts), networks)

    @_listener.default
    def _make_listener(self) -> Listener:
        receiver = Receiver(self.reactor, self._knocked, self._allowed.allows, self._flooded)
        wanted = self.wishes.preferences
        return Listener(
            self.reactor,
            self._tasks,
            receiver,
            wanted.bind,
            wanted.port,
            self.wishes.inherited,
            self._listening,
            self.complain,
        )

    async def run(self) -> None:
        """Until stopped; SystemExit where there is nothing left to follow."""
        self.reactor.addSystemEventTrigger("before", "shutdown", self._shut_down)
        for account, password in self.wishes.accounts.items():
            self._follow(account, Login(account.login_name, password))
        if any(self._may_listen(each) for each in self.wishes.accounts):
            self._tasks.start(self._hear_knocks())
        await self._done

    async def _hear_knocks(self) -> None:
        await self._allowed.refresh()
        await self._listener.begin()

    @staticmethod
    def _may_listen(account: Account) -> bool:
        return account.transport in {Transport.AUTO, Transport.LISTENER}

    def _follow(self, account: Account, login: Login) -> None:
        kept = Kept.read(self.wishes.places.kept(account.address))
        trouble = partial(self._trouble, account)
        mailbox = account.trust.endpoint(self.reactor, account.server, account.pop3_port)

        async def one_look() -> Look:
            return await look(mailbox, self.reactor, login)

        verifier = Verifier(
            self.reactor,
            one_look,
            kept,
            account.address,
            self._tell,
            partial(trouble, "POP3"),
            float(account.poll_seconds),
        )
        follower = Follower(
            self.reactor,
            account.address,
            account.transport,
            self._stream(account, login),
            verifier,
            kept,
            self._tell,
            partial(self._actions.gone, account.address),
            partial(trouble, "stream"),
            partial(self._listener.want, account.address),
            random.random,
        )
        tasks = Tasks(partial(self._given_up, account))
        self._followed[account.address] = follower, tasks
        tasks.start(verifier.run())
        tasks.start(follower.follow())

    def _stream(self, account: Account, login: Login) -> StreamClient | None:
        if account.transport not in {Transport.AUTO, Transport.STREAM}:
            return None
        return StreamClient(self.reactor, server_of(self.reactor, account), login, account.level)

    # What happens

    def _knocked(self, peer: str, knocks: int) -> None:
        """Of which account, a knock does not say: all whose mail is where it came from are looked at."""
        hosts = {host for each in self._listener.receiver.peers for host in self._allowed.hosts_at(each)}
        for account in self.wishes.accounts:
            followed = self._followed.get(account.address)
            if account.server in hosts and followed is not None:
                followed[0].knocked()

    def _flooded(self, peer: str) -> None:
        self.complain(f"a flood of knocks, now from {peer}: one look a minute until it is over")

    def _listening(self, host: str, port: int) -> None:
        self._tell_state({"event": "listening", "address": host, "port": port}, place(host, port))

    def _tell(self, news: News) -> None:
        if not self.wishes.as_json:
            what = f"{news.count} new" if news.kind.value == "mail.new" else news.kind.value
            self._say(f"{self.now().isoformat(timespec='seconds')} {news.account}: {what}")
        self._actions.tell(news)

    def _trouble(self, account: Account, way: str, words: str | None) -> None:
        """Once for each trouble, and once when it is over."""
        key = f"{account.address} {way}"
        if self._said.get(key, "") == words:
            return
        self._said[key] = words
        if words is not None:
            self.complain(f"{account.address}: {account.server}, {way}: {words}")
        else:
            state = {"event": "following", "account": account.address, "by": way.lower()}
            self._tell_state(state, f"{account.address}: {way} of {account.server}")

    def _tell_state(self, document: dict[str, Any], words: str) -> None:
        if self.wishes.as_json:
            self._say(json.dumps(document))
        else:
            self.complain(f"{document['event']} {words}")

    def _command_ended(self, program: str, status: int) -> None:
        if status:
            self.complain(f"{program}: ended with {status}")

    # The end

    def _given_up(self, account: Account, failure: Failure) -> None:
        if not failure.check(LoginRefused):
            self._broken(failure)
            return
        followed = self._followed.pop(account.address, None)
        if followed is None:
            return
        followed[1].cancel()
        self._listener.want(account.address, False)
        self.complain(
            f"{account.address}: {failure.value}, and is not asked again. "
            f"A new one:  mailsuite-notify enrol {account.address}"
        )
        if not self._followed:
            self._finish(REFUSED)

    def _broken(self, failure: Failure) -> None:
        """A mistake of ours: it is shown, and ends the program, which whoever supervises it starts again."""
        self.complain("".join(traceback.format_exception(failure.value)).rstrip("\n"))
        self._finish(1)

    def _finish(self, status: int) -> None:
        if not self._done.called:
            self._done.errback(SystemExit(status))

    def _say(self, line: str) -> None:
        try:
            self.say(line)
        except BrokenPipeError:  # whoever read us has gone
            self._finish(1)

    def _shut_down(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._close())

    async def _close(self) -> None:
        for _, tasks in self._followed.values():
            tasks.cancel()
            await tasks.finished()
        self._allowed.stop()
        self._tasks.cancel()
        await self._listener.stop()
        await self._actions.stop()
