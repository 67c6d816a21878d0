"""Kill the server with SIGKILL at random moments between mail's 250 and its notices, start it again, and see
that whoever follows is told of all that was taken: at least once, and each time by the same id.

The moments are drawn with a seed that a failure shows; MAILSUITE_SEED repeats it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import attrs
import pytest

from tests.system.clients import within
from tests.system.harness import PASSWORDS, PATIENCE, Server
from tests.system.hooks import Hooks, subscribe
from tests.system.load import STEPS_OF_A_LETTER, Expectation, Load, letters
from tests.system.streams import WITH_NOTIFY, Listening, authorization
from tests.system.test_happenings import rows

ROUNDS = 1000 if os.environ.get("MAILSUITE_LONG") else 20
LETTERS = 12
"""Of each round."""
HOSTS = {account: f"127.0.0.{number}" for number, account in enumerate(sorted(PASSWORDS), start=2)}


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be repeated."""
    seed = int(os.environ.get("MAILSUITE_SEED", time.time_ns() % 1_000_000))
    print(f"MAILSUITE_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


@pytest.fixture
def hooks() -> Iterator[Hooks]:
    with Hooks() as listening:
        yield listening


@attrs.define
class Reader:
    """Somebody who stays connected, and comes again with the id of the last event that he has heard."""

    account: str
    told: list[dict[str, Any]] = attrs.field(factory=list)
    last: str = ""
    resynced: int = 0
    _thread: threading.Thread = attrs.field(factory=threading.Thread)

    def follow(self, server: Server) -> None:
        stream = Listening.open(server, "?types=mail", authorization(self.account), self.last)
        self._thread = threading.Thread(target=self._read, args=(stream,))
        self._thread.start()

    def _read(self, stream: Listening) -> None:
        with contextlib.suppress(AssertionError, OSError):  # the server has died
            while True:
                for event in stream.next():
                    self.resynced += event.type == "resync"
                    if event.type == "mail":
                        self.told.append(json.loads(event.data))
        self.last = stream.last_id
        stream.close()

    def has_heard(self, seqs: Iterable[int]) -> None:
        missing = set(seqs) - covered(self.told)
        assert not missing, f"{self.account} was told nothing of {sorted(missing)}"

    def gone(self) -> None:
        self._thread.join()


def covered(notices: Sequence[dict[str, Any]]) -> set[int]:
    """The places of the log that they tell of."""
    return {seq for each in notices for seq in range(each.get("first", each["seq"]), each["seq"] + 1)}


def test_killed_between_the_250_and_the_notice(
    own_server: Server, hooks: Hooks, chance: random.Random
) -> None:
    own_server.extra, own_server.listeners = hooks.settings(), WITH_NOTIFY
    expected = Expectation()
    readers = [Reader(account) for account in HOSTS]
    own_server.start()
    for account, host in HOSTS.items():
        subscribe(own_server, account, hooks.url(f"/{account}", host))
    for number in range(ROUNDS):
        for reader in readers:
            reader.follow(own_server)
        wanted = letters(chance, f"round{number}", LETTERS)
        load = Load(own_server, wanted, chance.randint(1, LETTERS * STEPS_OF_A_LETTER))
        load.run()
        expected.add(load)
        for reader in readers:
            reader.gone()
        own_server.start()
    for reader in readers:
        reader.follow(own_server)

    happened = defaultdict[str, dict[int, str]](dict)
    for account, seq, kind, row in rows(own_server):
        if kind == "mail.new":
            happened[account][seq] = row["uidl"]
    hooks.until(lambda: all(set(happened[a]) <= covered([p.json for p in hooks.at(f"/{a}")]) for a in HOSTS))
    for reader in readers:
        within(PATIENCE, lambda: reader.has_heard(happened[reader.account]), AssertionError)  # noqa: B023
    acknowledged = set(expected.certain)
    for account, drop in expected.check(own_server).items():
        told = set(happened[account].values())
        certain = {uidl for uidl, name in drop.items() if (account, name) in acknowledged}
        assert certain <= told, "taken, and nowhere in the log"
        assert told <= set(drop), "nobody is told of what is not there"
    check_ids(hooks, readers)
    own_server.stop()
    for reader in readers:
        reader.gone()
        assert not reader.resynced


def check_ids(hooks: Hooks, readers: Sequence[Reader]) -> None:
    """One for each place of each log, however often and in which way it was told."""
    ids: dict[tuple[str, int], str] = {}
    for reader in readers:
        posted = [each.json for each in hooks.at(f"/{reader.account}")]
        seqs = list(dict.fromkeys(each["seq"] for each in posted))
        assert seqs == sorted(seqs), "what is told for the first time comes in order"
        assert all(each["count"] == 1 for each in posted)
        for notice in (*reader.told, *posted):
            id = ids.setdefault((reader.account, notice["seq"]), notice["id"])
            assert notice["id"] == id
    assert len(set(ids.values())) == len(ids)
