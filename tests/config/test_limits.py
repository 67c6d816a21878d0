"""Limits of accounts and domains that come to nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.config.load import load

DOORS = """
[smtp]
max_message = "10MiB"
[[listener]]
name = "mx"
service = "smtp"
port = 25
[[listener]]
name = "submissions"
service = "submission"
port = 465
tls = "implicit"
max_message = "20MiB"
[[listener]]
name = "off"
service = "lmtp"
bind = ["127.0.0.1"]
port = 24
enabled = false
max_message = "40MiB"
"""


def warnings(tmp_path: Path, text: str) -> list[str]:
    path = tmp_path / "mailsuite.toml"
    path.write_text(text, encoding="utf-8")
    loaded = load(path, {})
    loaded.accepted()
    return [one.text for one in loaded.problems if one.severity == "warning" and "no effect" in one.text]


def beyond(own: int) -> str:
    return f'"{own}MiB" has no effect: it is above the 20MiB that each listener takes'


@pytest.mark.parametrize(
    ("domain", "account", "told"),
    [
        ("", "", []),
        ('max_message = "20MiB"', 'max_message = "20MiB"', []),
        (
            'max_message = "21MiB"',
            "",
            [beyond(21)],
        ),
        (
            "",
            'max_message = "30MiB"',
            [beyond(30)],
        ),
        (
            'max_message = "1MiB"',
            'max_message = "2MiB"',
            ['"2MiB" has no effect: it is above the 1MiB that example.net allows'],
        ),
        ('total_quota = "1GiB"', "", []),
        ('total_quota = "0"\nsame_as = "example.org"', "", []),
        (
            'total_quota = "1GiB"\nsame_as = "example.org"',
            "",
            ["total_quota has no effect: example.net shares that of example.org"],
        ),
    ],
)
def test_what_has_no_effect(tmp_path: Path, domain: str, account: str, told: list[str]) -> None:
    text = f"""{DOORS}
[[domain]]
name = "example.net"
{domain}
[[account]]
address = "joe@example.net"
{account}
[[account]]
address = "ann@example.org"
"""
    found = warnings(tmp_path, text)
    assert len(found) == len(told)
    assert all(each.endswith(wanted) for each, wanted in zip(found, told, strict=True))


def test_without_a_door_nothing_is_judged(tmp_path: Path) -> None:
    text = """
[[listener]]
name = "pop3"
service = "pop3"
port = 110
[[account]]
address = "joe@example.net"
max_message = "1GiB"
"""
    assert warnings(tmp_path, text) == []
