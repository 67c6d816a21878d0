"""Of which mail the archive gets a copy, and what stands in front of it (features row S-B07)."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import SMTPUTF8
from pathlib import Path

import pytest

from mailsuite.config.load import load
from mailsuite.delivery.route_archive import Archives, configured_archives, journal
from mailsuite.model.address import Address

CONFIG = """
[delivery]
archive_to = "all@example.net"
[[domain]]
name = "example.net"
archive_directions = ["in"]
[[domain]]
name = "example.org"
archive_to = ["one@example.org", "all@example.net"]
archive_part = "header"
[[domain]]
name = "quiet.example"
archive_to = "none"
[[domain]]
name = "stands.example"
same_as = "example.org"
[[domain]]
name = "says.example"
same_as = "example.org"
archive_to = "none"
"""
ALL, ONE = "all@example.net", "one@example.org"


@pytest.fixture
def archives(tmp_path: Path) -> Archives:
    (tmp_path / "mailsuite.toml").write_text(CONFIG)
    return configured_archives(load(tmp_path / "mailsuite.toml", {}).accepted())


def of(archives: Archives, account: str, *recipients: str) -> dict[str, bool]:
    found = archives.of(Address.parse(account) if account else None, map(Address.parse, recipients))
    return {str(address): wanted.header_only for address, wanted in found.items()}


@pytest.mark.parametrize(
    ("account", "recipients", "copies"),
    [
        ("", ["joe@example.net"], {ALL: False}),
        ("", ["joe@example.org"], {ALL: True, ONE: True}),
        ("", ["joe@example.org", "joe@example.net"], {ALL: False, ONE: True}),
        ("", ["joe@quiet.example"], {}),
        ("", ["joe@other.example"], {ALL: False}),
        ("", ["joe@stands.example"], {ALL: True, ONE: True}),
        ("", ["joe@says.example"], {}),
        ("joe@stands.example", [], {ALL: True, ONE: True}),
        ("joe@example.net", [], {}),
        ("joe@example.net", ["joe@example.net"], {ALL: False}),
        ("joe@example.org", [], {ALL: True, ONE: True}),
        ("joe@quiet.example", ["joe@example.org"], {ALL: True, ONE: True}),
    ],
)
def test_of_which_mail(
    archives: Archives, account: str, recipients: list[str], copies: dict[str, bool]
) -> None:
    assert of(archives, account, *recipients) == copies


def test_nothing_is_archived_where_nobody_says_so() -> None:
    assert of(Archives(), "joe@example.net", "joe@example.net") == {}


def test_what_an_archive_may_know(archives: Archives) -> None:
    """Of who else gets a message those of its own domain; all, where it archives the sender."""
    net, org = Address("joe", "example.net"), Address("ann", "example.org")
    coming = archives.of(None, [net, org])
    assert [coming[Address.parse(ONE)].knows(each) for each in (net, org)] == [False, True]
    assert [coming[Address.parse(ALL)].knows(each) for each in (net, org)] == [True, True]
    going = archives.of(org, [net])
    assert [going[Address.parse(ONE)].knows(each) for each in (net, org)] == [True, True]


def test_the_envelope_is_kept() -> None:
    recipients = [
        Address("joe", "example.net"),
        Address("a\r\nb: c", "example.net"),
        Address("jörg", "example.org"),
    ]
    octets = journal(Address("eve", "example.com"), recipients)
    assert (
        octets
        == (
            "X-Envelope-From: <eve@example.com>\r\n"
            'X-Envelope-To: <joe@example.net>,\r\n\t<"a??b: c"@example.net>,\r\n\t<jörg@example.org>\r\n'
        ).encode()
    )
    message = message_from_bytes(octets + b"\r\n", policy=SMTPUTF8)
    assert list(message.keys()) == ["X-Envelope-From", "X-Envelope-To"]


def test_a_notice_has_no_sender() -> None:
    assert journal(None, [Address("joe", "example.net")]).startswith(b"X-Envelope-From: <>\r\n")
