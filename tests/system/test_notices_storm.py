"""All who follow go away at once and come back at once, again and again: each is told, mail is taken
meanwhile, and the server keeps nothing of those who went."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.system.clients import within
from tests.system.harness import AT_ONCE, Server
from tests.system.streams import JOE, WITH_NOTIFY
from tests.system.test_notice_stream_many import IN_CLEAR, LIMITS, MAIL, Crowd, memory_of

LONG = bool(os.environ.get("MAILSUITE_LONG"))
STREAMS = 8000 if LONG else 200
STORMS = 10 if LONG else 8
KEPT = 7 * 1024
"""Octets that may be left of each stream that has come and gone: half of what it took. Some of it waits for
Python's collector (mailsuite/garbage.py)."""
SIDE_BY_SIDE = 16
ACCOUNTS = tuple(f"user{number}@example.test" for number in range(max(1, STREAMS // 800)))


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, 2 * STREAMS + 1000)), hard))
    listeners = WITH_NOTIFY + IN_CLEAR
    with Server(tmp_path, extra=LIMITS, listeners=listeners, accounts=(JOE, *ACCOUNTS)) as running:
        yield running
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_streams(server: Server) -> int:
    """As the figures have it."""
    return sum(each["account"] in ACCOUNTS for each in server.control.get("/v1/sessions")["sessions"])


def test_storms(server: Server) -> None:
    sizes = []
    for _ in range(STORMS):
        with closing(Crowd(server, "in-clear")) as crowd, ThreadPoolExecutor(SIDE_BY_SIDE) as pool:
            comings = [pool.submit(crowd.open, ACCOUNTS[n % len(ACCOUNTS)]) for n in range(STREAMS)]
            began = time.monotonic()
            server.deliver(MAIL)
            assert time.monotonic() - began < AT_ONCE, "mail does not wait for those who come"
            for coming in comings:
                coming.result()
            server.deliver(MAIL, *ACCOUNTS)
            crowd.wait_for(1)
        within(AT_ONCE, lambda: none_is_left(server), AssertionError)
        sizes.append(memory_of(server))
    assert sizes[-1] - sizes[0] < KEPT * STREAMS * (STORMS - 1), sizes


def none_is_left(server: Server) -> None:
    assert open_streams(server) == 0
