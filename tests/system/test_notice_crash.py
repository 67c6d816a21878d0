"""Kill the server with SIGKILL while mail comes in and is told of: whoever follows is told of all that was
acknowledged, in order, and what comes twice has the same id.

The moments are steps of the load, drawn with a seed that a failure shows; MAILSUITE_SEED repeats it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness import LIMITS, PASSWORDS, PATIENCE, Server
from tests.system.load import STEPS_OF_A_LETTER, Load, letters
from tests.system.streams import WITH_NOTIFY, ask, authorization
from tests.system.test_subscriptions import Receiver

LONG = bool(os.environ.get("MAILSUITE_LONG"))
ROUNDS = 250 if LONG else 1
LETTERS = 30
MODES = ("each", "latest")


@pytest.fixture
def chance() -> random.Random:
    """Chance that can be repeated."""
    seed = int(os.environ.get("MAILSUITE_SEED", time.time_ns() % 1_000_000))
    print(f"MAILSUITE_SEED={seed}")  # noqa: T201 - pytest shows it with a failure
    return random.Random(seed)


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Receiver]:
    running = Receiver(tmp_path)
    running.answers = True
    yield running
    running.close()


def test_killed_while_it_tells(tmp_path: Path, receiver: Receiver, chance: random.Random) -> None:
    hooks = (
        '[notify]\nallow_networks = ["127.0.0.0/8", "::1/128"]\nmax_per_hour = 10000\nsuppress = []\n'
        f'[notify.webhook]\ncoalesce = "500ms"\nports = [{receiver.server_port}]\nper_host = 20\n'
        f'ca_file = "{receiver.trusted}"\n'
    )
    with Server(tmp_path / "server", listeners=WITH_NOTIFY, extra=LIMITS + hooks) as server:
        for account in PASSWORDS:
            for mode in MODES:
                subscribe(server, receiver, account, mode)
        acknowledged = Counter[str]()
        for number in range(ROUNDS):
            load = Load(
                server,
                letters(chance, f"round{number}", LETTERS),
                chance.randint(LETTERS * 2, LETTERS * STEPS_OF_A_LETTER),
            )
            load.run()
            acknowledged.update(account for letter in load.acknowledged for account in letter.recipients)
            server.start()
            wait_until_all_is_told(server, receiver)
        check(server, receiver, acknowledged)


def subscribe(server: Server, receiver: Receiver, account: str, mode: str) -> None:
    options = {"mode": mode, "header.X-Who": f"{account} {mode}"}
    wish = {"channel": "webhook", "target": receiver.url, "options": options}
    status, made = ask(server, "POST /subscriptions", authorization(account), wish)
    assert (status, made["subscription"]["state"]) == (201, "active"), made


def heads(server: Server) -> dict[str, int]:
    """The number of the newest row in the log of each account."""
    with contextlib.closing(sqlite3.connect(server.state / "notify.db")) as connection:
        return dict(connection.execute("SELECT account, head FROM log_head"))


def told(receiver: Receiver) -> dict[str, list[tuple[int, int, str]]]:
    """By subscriber: up to where in the log, of how many, and the id."""
    found: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    with receiver.news:
        for fields, body in receiver.told:
            notice = json.loads(body)
            if notice["type"] == "mail.new":
                found[fields["x-who"]].append((notice["seq"], notice["count"], notice["id"]))
    return found


def is_all_told(server: Server, receiver: Receiver) -> bool:
    notices = told(receiver)
    return all(
        max((seq for seq, _, _ in notices[f"{account} {mode}"]), default=0) == head
        for account, head in heads(server).items()
        for mode in MODES
    )


def wait_until_all_is_told(server: Server, receiver: Receiver) -> None:
    deadline = time.monotonic() + PATIENCE
    with receiver.news:
        while not is_all_told(server, receiver):
            assert receiver.news.wait(deadline - time.monotonic()), (heads(server), told(receiver))


def check(server: Server, receiver: Receiver, acknowledged: Counter[str]) -> None:
    by_account = heads(server)
    ids: dict[tuple[str, int], set[str]] = defaultdict(set)
    for account in PASSWORDS:
        assert by_account.get(account, 0) >= acknowledged[account], "each 250 has a row"
        for mode in MODES:
            notices = told(receiver)[f"{account} {mode}"]
            seqs = [seq for seq, _, _ in notices]
            first = list(dict.fromkeys(seqs))
            assert first == sorted(first), "in order"
            if mode == "each":
                assert first == list(range(1, by_account.get(account, 0) + 1)), (
                    "each by itself, none left out"
                )
            assert sum(count for _, count, _ in notices) >= acknowledged[account]
            assert len(seqs) - len(first) <= ROUNDS * 10, "twice only what a kill has caught"
            for seq, _, id in notices:
                ids[account, seq].add(id)
    assert all(len(same) == 1 for same in ids.values())
    assert len(set[str]().union(*ids.values())) == len(ids)
