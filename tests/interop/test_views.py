"""Two computers with programs of others, one maildrop: each fetches and deletes, both get all (row B-01)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.fetchers import FETCHERS, Mailbox, each_fetcher, text
from tests.interop.letters import numbered
from tests.interop.programs import Desk
from tests.system.harness import Server

ANN = "ann@example.test"
Fetch = Callable[[Desk, Mailbox], list[bytes]]


@pytest.fixture
def computers(server: Server) -> Iterator[list[Mailbox]]:
    """Two with a view of their own; both delete what they have fetched."""
    names = ("computer at home", "computer at work")
    secrets = [server.add_device(ANN, name, view=True) for name in names]
    yield [Mailbox(server, ANN, secret, keep=False) for secret in secrets]
    for name in names:
        server.cli("device", "remove", ANN, name, "--yes")


def sent(*numbers: int) -> list[bytes]:
    return [text(numbered(number)) for number in numbers]


@each_fetcher
def test_both_get_all_of_it(server: Server, desk: Desk, computers: list[Mailbox], fetch: Fetch) -> None:
    home, work = computers
    for each in computers:
        assert fetch(desk, each) == []  # from now on they count
    for number in (1, 2):
        server.deliver(numbered(number), ANN)
    assert fetch(desk, home) == sent(1, 2)
    assert fetch(desk, home) == [], "it has deleted them, so they are gone for it"
    server.deliver(numbered(3), ANN)
    assert fetch(desk, work) == sent(1, 2, 3)
    assert len(server.messages(ANN)) == 1, "what both have deleted is gone"
    assert fetch(desk, home) == sent(3)
    assert server.messages(ANN) == []


def test_one_program_at_home_and_another_at_work(
    server: Server, desk: Desk, computers: list[Mailbox]
) -> None:
    for each, fetch in zip(computers, (FETCHERS["mpop"], FETCHERS["getmail"]), strict=True):
        assert fetch(desk, each) == []
    for number in range(1, 6):
        server.deliver(numbered(number), ANN)
    assert FETCHERS["mpop"](desk, computers[0]) == sent(1, 2, 3, 4, 5)
    assert FETCHERS["getmail"](desk, computers[1]) == sent(1, 2, 3, 4, 5)
    assert server.messages(ANN) == []
