"""Whose sessions end when the configuration is another."""

from __future__ import annotations

import datetime
from ipaddress import ip_address
from pathlib import Path

import pytest

from mailsuite.accounts.endings import DEVICE_VIEW, concerns
from mailsuite.config.load import load
from mailsuite.config.schema import Config
from mailsuite.file_accounts import Expulsion, expelled
from mailsuite.model.address import Address

JOE = Address("joe", "example.test")
NOW = datetime.datetime(2026, 11, 21, 12, tzinfo=datetime.UTC).timestamp()
HERE, THERE = ip_address("192.0.2.7"), ip_address("198.51.100.7")


def read(folder: Path, device: str | None = "", account: str = "", password: str = "") -> Config:
    """One account with one device, whose further settings these are; without it where that is None."""
    text = ['[[account]]\naddress = "joe@example.test"', account]
    if device is not None:
        secret = folder / f"secret{password}"
        secret.touch(mode=0o600)
        secret.write_text(password or "amber-river-violet-anchor")
        text += ["[[account.device]]", 'name = "Phone"', f'password_file = "{secret}"', device]
    file = folder / "mailsuite.toml"
    file.write_text("\n".join(text))
    return load(file, {}, ()).accepted()


def told(before: Config, after: Config) -> list[tuple[bool, str]]:
    """Whether it is about the device, and why."""
    found = expelled(before, after, NOW)
    assert {each.account for each in found} <= {JOE}
    return [(each.device is not None, each.reason) for each in found]


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ('state = "off"', "the account was switched off"),
        ('pop3 = "deny"', "POP3 was closed to the account"),
        ('state = "forward"\nforward = "ann@example.test"', ""),
        ('name = "Joe"', ""),
    ],
)
def test_an_account_that_may_not_log_in_any_more(tmp_path: Path, account: str, reason: str) -> None:
    before, after = read(tmp_path), read(tmp_path, account=account)
    assert told(before, after) == ([(False, reason)] if reason else [])
    assert told(after, before) == told(after, after) == []


def test_an_account_that_is_gone(tmp_path: Path) -> None:
    before = read(tmp_path)
    (tmp_path / "mailsuite.toml").write_text("")
    after = load(tmp_path / "mailsuite.toml", {}, ()).accepted()
    assert told(before, after) == [(False, "the account was removed")]


def test_an_account_that_covers_one_of_the_database(tmp_path: Path) -> None:
    """Its sessions were let in by what does not count any more, or it may be off now."""
    (tmp_path / "mailsuite.toml").write_text("")
    before = load(tmp_path / "mailsuite.toml", {}, ()).accepted()
    assert told(before, read(tmp_path)) == [(False, "the account stands in the configuration file now")]


def test_a_device_that_is_gone_or_has_another_password(tmp_path: Path) -> None:
    before = read(tmp_path)
    assert told(before, read(tmp_path, None)) == [(True, "the device was removed")]
    other = read(tmp_path, password="another-river-violet-anchor")
    assert told(before, other) == [(True, "the device has another password")]


def only(found: list[Expulsion]) -> Expulsion:
    [expulsion] = found
    assert expulsion.reason == "the device may do less than before"
    return expulsion


def test_a_device_that_may_do_less_keeps_the_sessions_that_it_may_still_open(tmp_path: Path) -> None:
    before = read(tmp_path, 'networks = ["192.0.2.0/24", "198.51.100.0/24"]')
    scoped = only(expelled(before, read(tmp_path, 'scopes = ["submission"]'), NOW))
    assert [scoped.spares(service, HERE) for service in ("pop3", "submission")] == [False, True]
    narrowed = only(expelled(before, read(tmp_path, 'networks = ["192.0.2.0/25"]'), NOW))
    assert [narrowed.spares("pop3", peer) for peer in (HERE, THERE)] == [True, False]


def test_a_device_that_loses_a_mechanism_keeps_none(tmp_path: Path) -> None:
    before, after = read(tmp_path, 'mechanisms = ["apop", "ntlm"]'), read(tmp_path, 'mechanisms = ["apop"]')
    assert not only(expelled(before, after, NOW)).spares("pop3", HERE)
    assert told(after, before) == []


def test_a_device_whose_day_has_come(tmp_path: Path) -> None:
    before = read(tmp_path)
    assert told(before, read(tmp_path, 'expires = "2026-11-21"')) == [(True, "the device has expired")]
    assert told(before, read(tmp_path, 'expires = "2026-11-22"')) == []


def test_a_device_that_sees_another_view_reads_no_further(tmp_path: Path) -> None:
    before, after = read(tmp_path), read(tmp_path, "view = true")
    for one, other in ((before, after), (after, before)):
        assert told(one, other) == [(True, "the device sees another view of the maildrop")]
    assert told(after, after) == []
    assert [concerns(DEVICE_VIEW, service) for service in ("pop3", "submission")] == [True, False]
    also_narrower = read(tmp_path, 'view = true\nnetworks = ["192.0.2.0/25"]')
    assert not only(expelled(before, also_narrower, NOW)).spares("pop3", HERE)
