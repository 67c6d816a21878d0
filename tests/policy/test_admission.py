"""Who is let in: bans first, then the list, both as they are at the moment."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from twisted.internet.task import Clock

from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.directory.bans import MemoryBans
from mailsuite.model.access import parse_entry
from mailsuite.observe.log import Log
from mailsuite.policy.access import AccessRules
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.admission import Gatekeeper, Refused
from mailsuite.policy.bans import Bans

PEER = ip_address("192.0.2.7")
WORDS = b"554 5.7.1 no\r\n"


class House:
    def __init__(self) -> None:
        self.clock = Clock()
        log = Log()
        self.bans = Bans(MemoryBans(), self.clock.seconds, log)
        self.lists = AccessLists(Inline(), FileWatch(Inline(), self.clock, log), log)
        self.keeper = Gatekeeper(self.bans, self.lists, "mx", WORDS)
        self.list()

    def list(self, *entries: str) -> None:
        rules = AccessRules("smtp.access", entries=tuple(map(parse_entry, entries)))
        self.lists.turn(run_now(self.lists.prepare({"mx": rules})))


@pytest.fixture
def house() -> House:
    return House()


def test_whom_nothing_speaks_against(house: House) -> None:
    assert house.keeper.refusal(PEER) is None


def test_who_is_listed_is_told_so_from_the_next_connection_on(house: House) -> None:
    house.list("192.0.2.0/24")
    rule = "192.0.2.0/24 (smtp.access.list, entry 1)"
    assert house.keeper.refusal(PEER) == Refused("denied", rule, WORDS)
    house.list()
    assert house.keeper.refusal(PEER) is None


def test_who_is_banned_is_told_nothing_whatever_the_list_says(house: House) -> None:
    house.list("192.0.2.0/24")
    house.bans.ban(PEER, "oversize-command")
    assert house.keeper.refusal(PEER) == Refused("banned", "192.0.2.7/32: oversize-command")
    house.list("allow 192.0.2.7")
    assert house.keeper.refusal(PEER) == Refused("banned", "192.0.2.7/32: oversize-command")
    run_now(house.bans.lift(ip_network("192.0.2.7")))
    assert house.keeper.refusal(PEER) is None
