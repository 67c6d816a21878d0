"""claws-mail: a graphical program fetches, leaves mail on the server, and removes it from there."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.interop.claws import IMPLICIT_TLS, STLS, Claws, Profile, display
from tests.interop.letters import crlf, numbered, split_trace
from tests.interop.programs import PATIENCE, Desk, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = [needs("claws-mail"), needs("Xvfb", "xvfb")]

WAYS = {
    "STLS": ("ann@example.test", "pop3", STLS),
    "TLS": ("bob@example.test", "pop3s", IMPLICIT_TLS),
}
"""Each with a user of its own, so that no other test's sessions are among those that are looked at."""


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[str]:
    with display(tmp_path / "display") as name:
        yield name


@attrs.define
class Sessions:
    """A user's POP3 sessions that our log tells of, from now on."""

    server: Server
    user: str
    seen: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.seen = len(self._lines())

    def _lines(self) -> list[str]:
        ended = (line for line in self.server.logged().splitlines() if " pop3.session " in line)
        return [line for line in ended if f" account={self.user} " in line]

    def next(self, claws: Claws) -> dict[str, str]:
        """The fields of the next one that ends."""
        deadline = time.monotonic() + PATIENCE
        while len(lines := self._lines()) <= self.seen:
            assert time.monotonic() < deadline, f"it did not come:\n{claws.said()}"
            time.sleep(0.05)
        self.seen += 1
        return dict(re.findall(r"(\w+)=(\S+)", lines[self.seen - 1]))


def wait_for(profile: Profile, count: int) -> list[bytes]:
    """What lies in the inbox once it holds *count* letters: the program files them after QUIT."""
    deadline = time.monotonic() + PATIENCE
    while len(letters := profile.inbox()) < count:
        assert time.monotonic() < deadline, f"{len(letters)} of {count} letters came"
        time.sleep(0.05)
    return [split_trace(crlf(letter))[1] for letter in letters]


@pytest.mark.parametrize("way", WAYS)
def test_leave_on_server_then_remove(server: Server, desk: Desk, screen: str, way: str) -> None:
    user, listener, tls = WAYS[way]
    profile = Profile(desk, user, PASSWORDS[user], server.ports[listener], tls, server.certificate)
    for number in range(2):
        server.deliver(numbered(number), user)
    sessions = Sessions(server, user)

    profile.write(remove=False)
    with Claws(profile, screen) as claws:
        first = sessions.next(claws)
        assert (first["listener"], first["reason"], first["retrieved"]) == (listener, "QUIT", "2")
        assert wait_for(profile, 2) == [numbered(0), numbered(1)]

        claws.tell("--receive-all")
        again = sessions.next(claws)
        assert (again["messages"], again["retrieved"]) == ("2", "0"), "nothing is downloaded twice"

        server.deliver(numbered(2), user)
        claws.tell("--receive-all")
        third = sessions.next(claws)
        assert (third["messages"], third["retrieved"], third["deleted"]) == ("3", "1", "0")
        assert wait_for(profile, 3) == [numbered(number) for number in range(3)]

    profile.write(remove=True)
    server.deliver(numbered(3), user)
    with Claws(profile, screen) as claws:
        last = sessions.next(claws)
        assert (last["messages"], last["retrieved"], last["deleted"]) == ("4", "1", "4")
        assert wait_for(profile, 4) == [numbered(number) for number in range(4)]
    left = [file for folder in ("new", "cur") for file in (server.maildir(user) / folder).iterdir()]
    assert left == []
