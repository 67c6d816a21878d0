"""Kill the server with SIGKILL at random moments while mail comes in for aliases, archives and a maildrop
that becomes full, start it again, and count (promise 1, features rows M-19, L-03, L-07, S-B07).

As in test_crash.py the moments are steps of the load, drawn with a seed that a failure shows.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import threading
import time
from collections import Counter

import attrs
import pytest

from tests.system.clients import Client, Refused, pid_of, smtp, within
from tests.system.harness import Server
from tests.system.letters import ANN, BOB, JOE, TAKEN, kept, rcpt, stuffed
from tests.system.load import Killer

ROUNDS = 250 if os.environ.get("MAILSUITE_LONG") else 2
LETTERS = 120
"""Of each round, over CONNECTIONS at once."""
CONNECTIONS = 8
BOX, HEADS, TIGHT = "box@example.test", "heads@example.test", "tight@other.test"
EVERYBODY = (JOE, ANN, BOB, BOX, HEADS, TIGHT)
ROOM = 60 << 10
"""Octets that TIGHT may have."""
DOMAINS = """
aliases = { team = ["joe", "ann"], deep = ["team", "bob+deep"] }
archive_to = "box@example.test"
[[domain]]
name = "other.test"
archive_to = "heads@example.test"
archive_part = "header"
"""
LEADS_TO = {
    "joe@example.test": {JOE},
    "ann+tag@example.test": {ANN},
    "team@example.test": {JOE, ANN},
    "deep@example.test": {JOE, ANN, BOB},
    TIGHT: {TIGHT},
}
REFUSED = ("nobody@example.test", "x@elsewhere.example")
FULL = b"452 4.2.2 "
_NAME = re.compile(rb"^X-Load: (\S+)\r\n", re.MULTILINE)


@attrs.frozen
class Letter:
    """One message; its octets follow from its name."""

    name: str
    recipients: tuple[str, ...] = ()

    @property
    def text(self) -> bytes:
        chance = random.Random(self.name)
        octets = 400_000 if chance.random() < 0.05 else chance.randint(100, 6000)
        return b"X-Load: %s\r\n\r\n%s" % (
            self.name.encode(),
            b".. a line, over and over\r\n" * (octets // 26),
        )

    @property
    def by_data(self) -> bool:
        return len(self.name) % 2 == 1

    @property
    def goes_to(self) -> set[str]:
        """Whose maildrops it must be in, when it is acknowledged."""
        accounts = set[str]().union(*(LEADS_TO[each] for each in self.recipients))
        archives = {HEADS if each == TIGHT else BOX for each in self.recipients}
        return accounts | archives

    def digest(self, account: str) -> str:
        """Of what that account's copy has behind the trace."""
        header = self.text.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
        return hashlib.sha256(header if account == HEADS else self.text).hexdigest()


def letters(chance: random.Random) -> list[Letter]:
    """For one to three of those names."""
    everybody = sorted(LEADS_TO)
    return [
        Letter(f"load-{number}", tuple(chance.sample(everybody, chance.choice((1, 1, 2, 3)))))
        for number in range(LETTERS)
    ]


@attrs.define
class Load:
    """Hands in letters over several connections at once, until the server is killed in the middle."""

    server: Server
    waiting: list[Letter]
    killer: Killer
    acknowledged: dict[str, Letter] = attrs.field(factory=dict, init=False)
    in_flight: dict[str, Letter] = attrs.field(factory=dict, init=False)
    """Those whose end may have reached the server, and that had no answer."""
    refused: int = attrs.field(default=0, init=False)
    """How many found a maildrop full."""
    failures: list[BaseException] = attrs.field(factory=list, init=False)

    def run(self) -> None:
        threads = [threading.Thread(target=self._work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.server.kill()
        assert self.failures == []
        assert self.killer.struck

    def _work(self) -> None:
        try:
            with contextlib.suppress(OSError), smtp(self.server) as client:
                while self.waiting:
                    self._hand_in(client, self.waiting.pop())
        except Refused as refusal:
            if not self.killer.struck:
                self.failures.append(refusal)

    def _hand_in(self, client: Client, letter: Letter) -> None:
        """A transaction in which others are refused as well, by DATA or by BDAT."""
        client.say(b"MAIL FROM:<sender@elsewhere.example>", b"250")
        answers = rcpt(client, *letter.recipients, *REFUSED)
        self.killer.count()
        if {answer[:4] for answer in answers[-len(REFUSED) :]} != {b"550 "}:
            raise Refused(repr(answers))
        if FULL in answers:
            self.refused += 1
            client.say(b"RSET", b"250")
            return
        self._message(client, letter)
        self.killer.count()
        answer = client.reply()
        if not client.ended_a_line or not answer.startswith((TAKEN, FULL)):
            raise Refused(repr(answer))
        del self.in_flight[letter.name]
        if answer.startswith(TAKEN):
            self.acknowledged[letter.name] = letter
        else:
            self.refused += 1
        self.killer.count()

    def _message(self, client: Client, letter: Letter) -> None:
        """Up to its end, whose answer is not read."""
        text = letter.text
        first, second = text[: len(text) // 2], text[len(text) // 2 :]
        if letter.by_data:
            client.say(b"DATA", b"354")
            whole = stuffed(text) + b".\r\n"
            first, second = whole[: len(text) // 2], whole[len(text) // 2 :]
        else:
            first = b"BDAT %d\r\n" % len(first) + first
            second = b"BDAT %d LAST\r\n" % len(second) + second
        client.send(first)
        self.killer.count()
        if not letter.by_data and not client.reply().startswith(TAKEN):
            raise Refused("the first chunk is refused")
        self.in_flight[letter.name] = letter
        client.send(second)


STEPS_OF_A_LETTER = 4


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be repeated."""
    seed = int(os.environ.get("MAILSUITE_SEED", time.time_ns() % 1_000_000))
    print(f"MAILSUITE_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


def copies(server: Server) -> Counter[tuple[str, str]]:
    """(account, letter) of all that is there; each copy is whole."""
    found = Counter[tuple[str, str]]()
    for account in EVERYBODY:
        for message in kept(server, account):
            if b"\r\nAuto-Submitted: auto-generated\r\n" in message:  # it is nearly full
                continue
            name = _NAME.search(message)
            assert name, f"torn: {message[:200]!r}"
            letter = Letter(name[1].decode())
            assert hashlib.sha256(message[name.start() :]).hexdigest() == letter.digest(account), account
            found[account, letter.name] += 1
    return found


def usage_is_true(server: Server) -> None:
    """What is counted of each account is what its files have, also after a crash."""
    for account in EVERYBODY:
        usage = server.control.get(f"/v1/accounts/{account}")["usage"]
        assert (usage["octets"], usage["messages"]) == (
            sum(map(len, kept(server, account))),
            len(kept(server, account)),
        ), account


@pytest.mark.parametrize("round_", range(ROUNDS))
def test_killed_while_mail_goes_many_ways(own_server: Server, chance: random.Random, round_: int) -> None:
    server = own_server
    server.domain = DOMAINS
    others = (server.account(BOX), server.account(HEADS), server.account(TIGHT, f'quota = "{ROOM}B"'))
    server.more = "".join(others)
    server.start()
    wanted = letters(chance)
    # Of those for whom there is no room there are fewer steps.
    load = Load(
        server, list(wanted), Killer(pid_of(server), chance.randint(1, LETTERS * STEPS_OF_A_LETTER * 2 // 3))
    )
    load.run()
    server.start()
    there = copies(server)
    certain = {(account, each.name) for each in load.acknowledged.values() for account in each.goes_to}
    possible = {(account, each.name) for each in load.in_flight.values() for account in each.goes_to}
    assert certain - set(there) == set(), "acknowledged, and not there"
    assert set(there) - certain - possible == set(), "there, and never sent, or refused"
    assert set(there.values()) <= {1}, "there twice"
    within(5, lambda: usage_is_true(server), AssertionError)
    letters_of_others = (message for message in kept(server, TIGHT) if _NAME.search(message))
    assert sum(map(len, letters_of_others)) <= ROOM
    with smtp(server) as client:  # it goes on, by all ways
        after = Letter("afterwards", ("deep@example.test",))
        client.say(b"MAIL FROM:<>", b"250")
        client.say(b"RCPT TO:<deep@example.test>", b"250")
        client.say(b"DATA", b"354")
        client.send(stuffed(after.text) + b".\r\n")
        assert client.reply().startswith(TAKEN)
    assert {who for who, name in copies(server) if name == after.name} == after.goes_to
