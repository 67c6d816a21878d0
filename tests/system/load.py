"""A load of mail whose every message is known, so that it can be counted afterwards."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import signal
import threading
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from tests.system.clients import Refused, begin_data, pid_of, pop3, retrieve_all, smtp
from tests.system.harness import PASSWORDS, Server

CONNECTIONS = 16
LARGE_OCTETS = 300_000
"""Beyond what the store keeps in memory: such a message is spooled while it arrives."""

_NAME = re.compile(rb"^X-Load: (\S+)\r\n", re.MULTILINE)


@attrs.frozen
class Letter:
    """One message, and whom it is for. Its octets follow from its name."""

    name: str
    recipients: tuple[str, ...]
    large: bool = False

    @property
    def text(self) -> bytes:
        """Between 1 and 12 KiB, or large; some lines begin with dots."""
        chance = random.Random(self.name)
        octets = chance.randint(LARGE_OCTETS, 2 * LARGE_OCTETS) if self.large else chance.randint(1000, 12000)
        line = b"%s.. a line that says nothing, over and over\r\n"
        lines = [line % (b"." if chance.random() < 0.1 else b"") for _ in range(octets // len(line))]
        return b"X-Load: %s\r\nSubject: load\r\n\r\n%s" % (self.name.encode(), b"".join(lines))

    @property
    def stuffed(self) -> bytes:
        """As it goes over the wire, without the final dot."""
        return self.text.replace(b"\r\n.", b"\r\n..")

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text).hexdigest()


def letters(chance: random.Random, prefix: str, count: int) -> list[Letter]:
    """Two thirds for one recipient, the others for two or three; a twentieth is large."""
    everybody = sorted(PASSWORDS)
    return [
        Letter(
            f"{prefix}.{number}",
            tuple(chance.sample(everybody, chance.choice((1, 1, 1, 1, 2, 3)))),
            large=number % 20 == 7,
        )
        for number in range(count)
    ]


@attrs.define
class Killer:
    """Ends the server with SIGKILL at the n-th step that the clients take, all together."""

    pid: int
    step: int
    struck: bool = attrs.field(default=False, init=False)
    _taken: int = attrs.field(default=0, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def count(self) -> None:
        with self._guard:
            self._taken += 1
            if self._taken == self.step:
                self.struck = True
                os.kill(self.pid, signal.SIGKILL)


STEPS_OF_A_LETTER = 4


@attrs.define
class Load:
    """Hands in *letters* over 16 connections at once and kills the server in the middle."""

    server: Server
    letters: list[Letter]
    kill_at: int
    """Which of the load's steps is the last; STEPS_OF_A_LETTER of them for each letter."""
    acknowledged: list[Letter] = attrs.field(factory=list, init=False)
    """Those that got their 250."""
    in_flight: list[Letter] = attrs.field(factory=list, init=False)
    """Those whose final dot may have reached the server."""

    def run(self) -> None:
        """Return when the server is dead and no client is left."""
        killer = Killer(pid_of(self.server), self.kill_at)
        waiting = iter(self.letters)
        guard = threading.Lock()
        failures: list[BaseException] = []

        def work() -> None:
            try:
                with contextlib.suppress(OSError), smtp(self.server) as client:
                    while True:
                        with guard:
                            letter = next(waiting, None)
                        if letter is None:
                            return
                        begin_data(client, *letter.recipients)
                        killer.count()
                        text = letter.stuffed
                        half = len(text) // 2
                        client.send(text[:half])
                        killer.count()
                        self.in_flight.append(letter)
                        client.send(text[half:] + b".\r\n")
                        killer.count()
                        answer = client.line()
                        if answer.startswith(b"250 2.0.0 ") and client.ended_a_line:
                            self.acknowledged.append(letter)
                        elif answer:
                            failures.append(Refused(f"{letter.name}: {answer!r}"))
                        killer.count()
            except Refused as end:
                if not killer.struck:
                    failures.append(end)

        threads = [threading.Thread(target=work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.server.kill()
        if failures:
            raise failures[0]


@attrs.define
class Expectation:
    """What must lie in each account's maildrop, and what may."""

    certain: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """(account, letter)."""
    possible: set[tuple[str, str]] = attrs.field(factory=set)
    digests: dict[str, str] = attrs.field(factory=dict)

    def add(self, load: Load) -> None:
        for letter in load.in_flight:
            self.offer(letter)
        for letter in load.acknowledged:
            self.expect(letter)

    def offer(self, letter: Letter) -> None:
        """One that may have been taken."""
        self.digests[letter.name] = letter.digest
        self.possible.update((account, letter.name) for account in letter.recipients)

    def give_up(self, letter: Letter) -> None:
        """One that was certainly there and may be deleted now."""
        self.certain.subtract((account, letter.name) for account in letter.recipients)
        self.certain += Counter()
        self.offer(letter)

    def expect(self, letter: Letter) -> None:
        """One that was certainly taken."""
        self.digests[letter.name] = letter.digest
        self.certain.update((account, letter.name) for account in letter.recipients)

    def check(self, server: Server) -> dict[str, dict[str, str]]:
        """Hold every maildrop against this, over POP3; account -> UIDL -> letter.

        What was possible and is there is certain from now on.
        """
        found = {account: self._check_account(server, account) for account in PASSWORDS}
        there = Counter((account, name) for account, drop in found.items() for name in drop.values())
        lost = self.certain - there
        assert not lost, f"acknowledged and not there: {sorted(lost)}"
        assert all(number == 1 for number in there.values()), f"twice: {there - Counter(set(there))}"
        strange = set(there) - self.possible - set(self.certain)
        assert not strange, f"nobody sent these: {sorted(strange)}"
        self.certain, self.possible = there, set()
        return found

    def _check_account(self, server: Server, account: str) -> dict[str, str]:
        with pop3(server, account) as client:
            messages = retrieve_all(client)
            client.say(b"QUIT", b"+OK")
        names = {}
        for uidl, message in messages.items():
            match = _NAME.search(message)
            assert match, f"torn: {uidl} begins {message[:200]!r}"
            name = match[1].decode()
            digest = hashlib.sha256(message[match.start() :]).hexdigest()
            assert digest == self.digests.get(name), f"torn: {uidl} ({name}), {len(message)} octets"
            names[uidl] = name
        return names


def files_below(maildir: os.PathLike[str], *names: str) -> Iterator[str]:
    """What lies in the named directories of a maildir."""
    for name in names:
        with contextlib.suppress(FileNotFoundError):
            yield from os.listdir(os.path.join(maildir, name))


def hand_in(server: Server, wanted: Iterable[Letter]) -> None:
    """Deliver letters over one connection; each gets its 250."""
    with smtp(server) as client:
        for letter in wanted:
            begin_data(client, *letter.recipients)
            client.send(letter.stuffed + b".\r\n")
            answer = client.line()
            if not answer.startswith(b"250 2.0.0 "):
                raise Refused(f"{letter.name}: {answer!r}")
