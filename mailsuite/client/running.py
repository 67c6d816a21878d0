"""``mailsuite-notify run``: follows all accounts until it is stopped."""

from __future__ import annotations

import json
import random
import traceback
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
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
from mailsuite.client.settings import Account, Preferences
from mailsuite.client.stream import Server, StreamClient
from mailsuite.client.threads import InThread
from mailsuite.client.trial import seconds_of_a_test
from mailsuite.client.trouble import in_words
from mailsuite.client.verifier import Verifier
from mailsuite.client.wording import popup_of
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.notice import Kind

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
        runner = partial(CommandRunner, self.reactor, self.reactor)
        actions = Actions(self.reactor, self._tasks, self.now, self.complain, quiet=wanted.quiet)
        actions.say = self._say if self.wishes.as_json else None
        if wanted.command:
            ended = partial(self._command_ended, wanted.command[0])
            actions.command = runner(wanted.command, ended, float(wanted.command_seconds))
        if wanted.fetch:
            actions.fetch = runner(wanted.fetch, partial(self._command_ended, wanted.fetch[0]))
        try:
            actions.popups = popups(wanted.popup, self.reactor, InThread(self.reactor))
        except NoPopups as error:
            self.complain(f"no pop-ups: {error}")
        return actions

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

    async def try_out(self, clock: Callable[[], float]) -> None:
        """Show a test notice here, then have each server send one, or look where it cannot. *clock*: seconds
        that only go on.

        SystemExit where anything of it failed.
        """
        went_well = [await self._show_test()]
        for account, password in self.wishes.accounts.items():
            login = Login(account.login_name, password)
            try:
                said = await self._try_account(account, login, clock)
            except Exception as error:  # whatever the network is up to is what is to be told
                went_well.append(False)
                self.complain(f"{account.address}: {in_words(error)}")
            else:
                self.say(f"{account.address}: {said}")
        if not all(went_well):
            raise SystemExit(1)

    async def _try_account(self, account: Account, login: Login, clock: Callable[[], float]) -> str:
        """What went well, in words."""
        if account.transport in {Transport.AUTO, Transport.STREAM}:
            try:
                took = await seconds_of_a_test(self.reactor, self._server(account), login, clock)
            except (LoginRefused, CancelledError):
                raise
            except Exception as error:
                if account.transport is Transport.STREAM:
                    raise
                self.complain(f"{account.address}: no test notice came: {in_words(error)}")
            else:
                return f"a test notice was seen after {took * 1000:.0f} ms"
        begun = clock()
        endpoint = account.trust.endpoint(self.reactor, account.server, account.pop3_port)
        found = await look(endpoint, self.reactor, login)
        return f"POP3: {len(found.messages)} messages are there, seen after {(clock() - begun) * 1000:.0f} ms"

    async def _show_test(self) -> bool:
        shown = self._actions.popups
        if shown is None:
            return self.wishes.preferences.popup == "off"
        try:
            await shown.show(popup_of(News("mailsuite-notify", Kind.TEST)))
        except NoPopups as error:
            self.complain(f"no pop-up: {error}")
            return False
        self.say(f"a pop-up was shown by {shown.name}")
        return True

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
        return StreamClient(self.reactor, self._server(account), login, account.level)

    def _server(self, account: Account) -> Server:
        endpoint = account.trust.endpoint(self.reactor, account.server, account.stream_port)
        return Server(account.server, account.stream_port, endpoint)

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
