"""Names without a domain in header fields."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.cli.bare_names import complete
from mailsuite.delivery.header_addresses import read_addresses
from mailsuite.model.address import Address


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ""),
        ("root", "root@d.example"),
        (" root\n", " root@d.example\n"),
        ("root (Cron Daemon)", "root@d.example (Cron Daemon)"),
        ("(Cron (the) Daemon) root", "(Cron (the) Daemon) root@d.example"),
        ("root (no end", "root@d.example (no end"),
        ("Cron Daemon <root>", "Cron Daemon <root@d.example>"),
        ('"root, the" <root>, ann', '"root, the" <root@d.example>, ann@d.example'),
        ("joe@example.net", "joe@example.net"),
        ("root, joe@example.net,\n ann", "root@d.example, joe@example.net,\n ann@d.example"),
        ("Joe Doe <joe@example.net>", "Joe Doe <joe@example.net>"),
        ("<@a.example:joe@example.net>", "<@a.example:joe@example.net>"),
        ("us: root, <ann>;, joe", "us: root@d.example, <ann@d.example>;, joe@d.example"),
        ("undisclosed-recipients:;", "undisclosed-recipients:;"),
        ('"with blank"', '"with blank"@d.example'),
        ("two words", "two words"),
        ("<>", "<>"),
        ("=?utf-8?q?J=C3=B6?= <joe>", "=?utf-8?q?J=C3=B6?= <joe@d.example>"),
        ("joe@[192.0.2.1]", "joe@[192.0.2.1]"),
        ('"no end', '"no end'),
        ("jöe", "jöe@d.example"),
        ("<joe> (x)", "<joe@d.example> (x)"),
        ("<joe> more", "<joe@d.example> more"),
    ],
)
def test_values(value: str, expected: str) -> None:
    assert complete(value, "d.example") == expected


@given(st.text(alphabet='ab.@<>,;:()"\\[] \n=?é\udc80'))
def test_anything(value: str) -> None:
    """Nothing is taken away, and what is complete stays."""
    once = complete(value, "d.example")
    assert once.replace("@d.example", "") == value.replace("@d.example", "")
    if not once.count("@d.example"):
        assert once == value


@given(
    st.lists(
        st.sampled_from(["root", "joe@example.net", "Ann <ann>", "x (y)", '"q r" <z@example.net>']),
        min_size=1,
    )
)
def test_what_comes_out_can_be_read(names: list[str]) -> None:
    read = read_addresses(complete(", ".join(names), "d.example").encode())
    assert len(read) == len(names)
    assert Address("root", "") not in read


def test_a_long_list_costs_what_it_weighs() -> None:
    """A second for as many names as fit into a header; where each moves all that is behind it, minutes."""
    began = time.process_time()
    assert complete("a," * 400_000, "example.test") == "a@example.test," * 400_000
    assert time.process_time() - began < 30.0
