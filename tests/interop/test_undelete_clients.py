"""Programs of others log in with ``+trash`` and ``+trash+restore``, which all of them can (row B-02)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.interop.fetchers import Mailbox, each_fetcher, text
from tests.interop.letters import numbered
from tests.interop.programs import Desk
from tests.system.harness import PASSWORDS, Server

BOB = "bob@example.test"
LETTERS = [text(numbered(number)) for number in range(3)]
Fetch = Callable[[Desk, Mailbox], list[bytes]]


@pytest.fixture
def deleted(server: Server) -> Iterator[list[bytes]]:
    """Three messages that are in bob's trash alone, as they were in his inbox."""
    server.cli("undelete", BOB, "--purge", "--yes")
    for number in range(3):
        server.deliver(numbered(number), BOB)
    before = server.messages(BOB)
    with server.pop3(BOB) as client:
        for number in (1, 2, 3):
            client.dele(number)
    assert server.messages(BOB) == []
    yield before
    server.cli("undelete", BOB, "--purge", "--yes")


def box(server: Server, ending: str, *, keep: bool = True) -> Mailbox:
    return Mailbox(server, f"bob{ending}@example.test", PASSWORDS[BOB], keep)


@each_fetcher
def test_it_deletes_and_finds_it_in_the_trash(server: Server, desk: Desk, fetch: Fetch) -> None:
    server.cli("undelete", BOB, "--purge", "--yes")
    for number in range(3):
        server.deliver(numbered(number), BOB)
    assert fetch(desk, box(server, "", keep=False)) == LETTERS
    assert server.messages(BOB) == []
    for _ in range(2):
        assert fetch(desk, box(server, "+trash")) == LETTERS
    assert server.messages(BOB) == [], "reading in the trash restores nothing"


@each_fetcher
def test_it_brings_all_back(server: Server, desk: Desk, deleted: list[bytes], fetch: Fetch) -> None:
    fetched = fetch(desk, box(server, "+trash+restore"))
    assert fetched == LETTERS
    assert server.messages(BOB) == deleted
    assert fetch(desk, box(server, "+trash")) == []


@each_fetcher
def test_it_forgets_what_it_deletes_there(
    server: Server, desk: Desk, deleted: list[bytes], fetch: Fetch
) -> None:
    assert len(fetch(desk, box(server, "+trash", keep=False))) == len(deleted)
    assert fetch(desk, box(server, "+trash")) == []
    assert "0 messages" in server.cli("undelete", BOB, "--all")
    assert server.messages(BOB) == []


@each_fetcher
def test_a_wrong_password(server: Server, desk: Desk, deleted: list[bytes], fetch: Fetch) -> None:
    with pytest.raises(AssertionError, match="ended with"):
        fetch(desk, Mailbox(server, "bob+trash@example.test", "wrong"))
    assert len(fetch(desk, box(server, "+trash"))) == len(deleted)
    assert server.messages(BOB) == []
