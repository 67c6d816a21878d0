"""The stamp that APOP digests are made of (features row P-01)."""

from __future__ import annotations

import re

from mailsuite.config.relations_listeners import STAMP_OCTETS
from mailsuite.frontends.stamp import RANDOM_OCTETS, new_stamp
from mailsuite.model.response import MAX_RESPONSE_OCTETS
from mailsuite.wire.pop3.settings import SessionSettings


def test_its_form() -> None:
    stamp = new_stamp("mail.example.test", 1_700_000_000.9)
    assert re.fullmatch(r"<[0-9a-f]{32}\.1700000000@mail\.example\.test>", stamp)
    assert SessionSettings("mail.example.test", apop_stamp=stamp).greeting.text.endswith(stamp)


def test_the_check_of_the_configuration_knows_its_length() -> None:
    assert len(new_stamp("", 1_700_000_000.0)) == STAMP_OCTETS


def test_no_stamp_comes_twice_though_the_clock_stands_still() -> None:
    assert RANDOM_OCTETS * 8 >= 96
    assert len({new_stamp("h", 0.0) for _ in range(10_000)}) == 10_000


def test_the_longest_host_name_still_fits() -> None:
    name = "x" * 63 + ".example"
    stamp = new_stamp(name, 1e10)
    assert len(SessionSettings(name, apop_stamp=stamp).greeting.encode()) < MAX_RESPONSE_OCTETS
