"""How long a refusal takes says nothing about why (row P-04): a Kolmogorov-Smirnov test on real logins."""

from __future__ import annotations

import bisect
import itertools
import math
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.system.clients import connect
from tests.system.harness import PASSWORDS, Server

SAMPLES = 40
CERTAINTY = 1e-6
"""How seldom two samples of one distribution differ by as much as is too much."""
LISTED, OFF, DENIED = "joe@example.test", "off@example.test", "denied@example.test"
WRONG = {
    "wrong-password": (LISTED, "wrong"),
    "unknown": ("nobody@example.test", "wrong"),
    "unknown-domain": ("nobody@elsewhere.example", "wrong"),
    "off": (OFF, "wrong"),
    "off-right-password": (OFF, "harbor-signal-mosaic-31"),
    "pop3-denied": (DENIED, "harbor-signal-mosaic-31"),
    "wrong-password-of-a-box": ("joe+trash@example.test", "wrong"),
    "unknown-box": ("nobody+trash@example.test", "wrong"),
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server"))
    made.more = made.account(OFF, 'state = "off"') + made.account(DENIED, 'pop3 = "deny"')
    with made:
        yield made


def seconds_of(server: Server, name: str, password: str) -> float:
    """From PASS to its answer, which is the same for all."""
    with connect(server, "pop3-trusted") as client:
        client.line()
        client.say(f"USER {name}".encode(), b"+OK Send your password")
        began = time.perf_counter()
        client.say(f"PASS {password}".encode(), b"-ERR [AUTH] Name or password is wrong")
        return time.perf_counter() - began


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """How far the two distributions are apart, from 0 to 1."""
    one, other = sorted(one), sorted(other)
    return max(
        abs(bisect.bisect_right(one, at) / len(one) - bisect.bisect_right(other, at) / len(other))
        for at in itertools.chain(one, other)
    )


def limit(samples: int) -> float:
    """Beyond it two samples of this size are of two distributions."""
    return math.sqrt(-math.log(CERTAINTY / 2) / samples)


def test_all_refusals_take_the_same_time(server: Server) -> None:
    """One of each in turn, so that whatever else this machine does meets all of them alike."""
    took: dict[str, list[float]] = {why: [] for why in WRONG}
    for _ in range(SAMPLES):
        for why, (name, password) in WRONG.items():
            took[why].append(seconds_of(server, name, password))
    usual = took.pop("wrong-password")
    apart = {why: round(distance(usual, each), 3) for why, each in took.items()}
    assert max(apart.values()) <= limit(SAMPLES), apart


def test_a_shortcut_would_be_seen(server: Server) -> None:
    """What hashes nothing, for it is known by now: a right password that comes again."""
    slow = [seconds_of(server, LISTED, "wrong") for _ in range(SAMPLES)]
    quick = []
    for _ in range(SAMPLES):
        with connect(server, "pop3-trusted") as client:
            client.line()
            client.say(f"USER {LISTED}".encode(), b"+OK")
            began = time.perf_counter()
            client.say(f"PASS {PASSWORDS[LISTED]}".encode(), b"+OK")
            quick.append(time.perf_counter() - began)
            client.say(b"QUIT", b"+OK")
    assert distance(slow, quick) > limit(SAMPLES)


def test_the_distance() -> None:
    assert distance([1, 2, 3], [1, 2, 3]) == 0
    assert distance([1, 2, 3], [4, 5, 6]) == 1
    assert distance([1, 2, 3, 4], [3, 4, 5, 6]) == 0.5
