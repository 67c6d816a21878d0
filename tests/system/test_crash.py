"""Kill the server with SIGKILL at random moments of its work, start it again, and count (promises 1 and 2).

The moments are steps of the load itself, drawn with a seed that a failure shows; MAILSUITE_SEED repeats it.
A killed process leaves the page cache behind, so this proves the order of our own steps and not that of the
disk: test_order.py does that.
"""

from __future__ import annotations

import contextlib
import os
import random
import sys
import threading
import time
from pathlib import Path

import attrs
import pytest

from tests.system.clients import Refused, pid_of, pop3, uidls
from tests.system.harness import NOTHING_KEPT, PASSWORDS, Server
from tests.system.load import (
    STEPS_OF_A_LETTER,
    Expectation,
    Killer,
    Letter,
    Load,
    files_below,
    hand_in,
    letters,
)
from tests.system.tracing import traced, why_not

LONG = bool(os.environ.get("MAILSUITE_LONG"))
ROUNDS = 500 if LONG else 3
"""Of each of the two tests: a thousand kills in all."""
KEPT = 150
"""Messages for each account that stay for the next round; deleted ones must not come back."""


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be repeated."""
    seed = int(os.environ.get("MAILSUITE_SEED", time.time_ns() % 1_000_000))
    print(f"MAILSUITE_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


def test_killed_while_mail_comes_in(own_server: Server, chance: random.Random) -> None:
    expected = Expectation()
    own_server.start()
    for number in range(ROUNDS):
        wanted = letters(chance, f"round{number}", 200)
        load = Load(own_server, wanted, chance.randint(1, len(wanted) * STEPS_OF_A_LETTER))
        with contextlib.ExitStack() as sessions:
            for account in PASSWORDS:  # their locks are held at the moment of death
                sessions.enter_context(pop3(own_server, account))
            load.run()
        expected.add(load)
        own_server.start()
        found = expected.check(own_server)
        for account, drop in found.items():
            files = list(files_below(own_server.maildir(account), "new", "cur"))
            assert len(files) == len(drop), "what is in tmp is no message, and all else is one"
        thin_out(own_server, expected, found, chance)
    after = Letter("afterwards", tuple(PASSWORDS))
    hand_in(own_server, [after])
    expected.expect(after)
    expected.check(own_server)


def thin_out(
    server: Server, expected: Expectation, found: dict[str, dict[str, str]], chance: random.Random
) -> None:
    """Delete what is beyond KEPT messages in each account: none of it may come back in a later round."""
    for account, drop in found.items():
        with pop3(server, account) as client:
            numbers = uidls(client)
            for uidl in chance.sample(sorted(drop), max(0, len(drop) - KEPT)):
                client.say(b"DELE %d" % numbers[uidl], b"+OK")
                del expected.certain[account, drop[uidl]]
            client.say(b"QUIT", b"+OK")


@attrs.define
class Deletions:
    """POP3 sessions on one account, one after another, each deleting a few messages; the server dies amid."""

    server: Server
    account: str
    killer: Killer
    chance: random.Random
    gone: set[str] = attrs.field(factory=set, init=False)
    """UIDLs of those whose QUIT was answered."""
    uncertain: set[str] = attrs.field(factory=set, init=False)
    """Those whose QUIT may have reached the server."""
    failure: BaseException | None = attrs.field(default=None, init=False)

    def work(self) -> None:
        try:
            with contextlib.suppress(OSError):
                while self._session():
                    pass
        except Refused as refusal:
            if not self.killer.struck:
                self.failure = refusal

    def _session(self) -> bool:
        with pop3(self.server, self.account) as client:
            numbers = uidls(client)
            doomed = self.chance.sample(sorted(numbers), min(len(numbers), self.chance.randint(1, 6)))
            for uidl in doomed:
                client.say(b"DELE %d" % numbers[uidl], b"+OK")
                self.killer.count()
            self.uncertain = set(doomed)
            client.send(b"QUIT\r\n")
            self.killer.count()
            answer = client.line()
            if not answer.startswith(b"+OK") or not client.ended_a_line:
                raise Refused(f"QUIT: {answer!r}")
            self.gone |= self.uncertain
            self.uncertain = set()
            self.killer.count()
            return len(numbers) > len(doomed)


def test_killed_while_mail_is_deleted(own_server: Server, chance: random.Random) -> None:
    own_server.start()
    expected = Expectation()
    for number in range(ROUNDS):
        missing = max(40 - sum(a == account for a, _ in expected.certain) for account in PASSWORDS)
        fresh = [Letter(f"{number}.{index}", tuple(PASSWORDS)) for index in range(missing)]
        hand_in(own_server, fresh)
        for letter in fresh:
            expected.expect(letter)
        before = expected.check(own_server)
        killer = Killer(pid_of(own_server), chance.randint(1, 120))
        deletions = [
            Deletions(own_server, account, killer, random.Random(chance.random())) for account in PASSWORDS
        ]
        threads = [threading.Thread(target=each.work) for each in deletions]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        own_server.kill()
        assert [each.failure for each in deletions if each.failure] == []
        for each in deletions:
            for uidl in each.gone | each.uncertain:
                name = before[each.account][uidl]
                del expected.certain[each.account, name]
                if uidl in each.uncertain:
                    expected.possible.add((each.account, name))
        own_server.start()
        after = expected.check(own_server)
        for account, drop in after.items():
            assert drop.items() <= before[account].items(), "a UIDL names one message for all time"


def steps(**last: int) -> list[tuple[str, int]]:
    """Each of the named calls, up to that number. The first sendto answers the harness, before any mail."""
    return [(call, number) for call in last for number in range(1 + (call == "sendto"), last[call] + 1)]


STEPS_IN = steps(fsync=24, renameat2=8, sendto=18) if LONG else [("fsync", 13), ("renameat2", 4)]
STEPS_OUT = steps(renameat2=3, fsync=3, sendto=8) if LONG else [("renameat2", 2)]
STEPS_FOR_GOOD = steps(unlink=3, fsync=1, sendto=8) if LONG else [("unlink", 2)]


def killed_by_strace(server: Server, directory: Path, call: str, number: int) -> None:
    """Start the server, which has run before, so that the n-th such call of one of its threads kills it."""
    if reason := why_not():
        pytest.skip(reason)
    traced(server, directory / "trace", "-e", f"inject={call}:signal=KILL:when={number}").start()


def start_again(server: Server) -> None:
    """Without strace."""
    server.kill()
    server.command = (sys.executable, "-m", "mailsuite")
    server.start()


@pytest.mark.parametrize(("call", "number"), STEPS_IN)
def test_killed_at_a_step_of_a_delivery(own_server: Server, tmp_path: Path, call: str, number: int) -> None:
    own_server.start().stop()
    killed_by_strace(own_server, tmp_path, call, number)
    expected = Expectation()
    died = False
    for index in range(4):
        letter = Letter(f"{call}.{number}.{index}", tuple(PASSWORDS), large=index == 2)
        expected.offer(letter)
        try:
            hand_in(own_server, [letter])
        except (Refused, OSError):
            died = True
            break
        expected.expect(letter)
    assert died
    start_again(own_server)
    expected.check(own_server)


@pytest.mark.parametrize(
    ("call", "number", "more"),
    [*((*step, "") for step in STEPS_OUT), *((*step, NOTHING_KEPT) for step in STEPS_FOR_GOOD)],
)
def test_killed_at_a_step_of_quit(
    own_server: Server, tmp_path: Path, call: str, number: int, more: str
) -> None:
    """While mail moves to where it can be brought back from, and while it is removed for good."""
    own_server.extra += more
    own_server.start()
    expected = Expectation()
    account = min(PASSWORDS)
    kept, *doomed = (Letter(f"{call}.{number}.{index}", (account,)) for index in range(4))
    hand_in(own_server, [kept, *doomed])
    for letter in (kept, *doomed):
        expected.expect(letter)
    own_server.stop()
    killed_by_strace(own_server, tmp_path, call, number)
    with contextlib.suppress(OSError, Refused), pop3(own_server, account) as client:
        for index in range(len(doomed)):
            client.say(b"DELE %d" % (index + 2), b"+OK")
        for letter in doomed:
            expected.give_up(letter)
        assert not client.say(b"QUIT"), "it is dead before it can answer"
    start_again(own_server)
    expected.check(own_server)
