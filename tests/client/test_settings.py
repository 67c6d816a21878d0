"""Files that people write."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mailsuite.client.files import places
from mailsuite.client.follower import Transport
from mailsuite.client.quiet import QuietHours, read_span
from mailsuite.client.settings import Account, Preferences, accounts
from mailsuite.client.table import SettingsProblem
from mailsuite.model.access import parse_network
from mailsuite.model.notice import Level


def test_without_a_file_all_is_as_usual(tmp_path: Path) -> None:
    assert Preferences.read(tmp_path / "config.toml") == Preferences()


def test_all_that_may_stand_in_it(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(
        """
        popup = "notify-send"
        command = ["play", "ding.wav"]
        command_seconds = 5
        fetch = ["mbsync", "-a"]
        [listener]
        port = 10080
        bind = "192.0.2.1"
        [quiet]
        zone = "Europe/Berlin"
        hours = ["22:00-07:00", "sat,sun 07:00-10:00"]
        """
    )
    spans = (read_span("daily", "22:00", "07:00"), read_span("sat,sun", "07:00", "10:00"))
    quiet = QuietHours(ZoneInfo("Europe/Berlin"), spans)
    expected = Preferences(
        "notify-send", ("play", "ding.wav"), 5, ("mbsync", "-a"), 10080, "192.0.2.1", quiet
    )
    assert Preferences.read(file) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("popup = 3", "popup is a text"),
        ('popup = "loud"', "popup is one of auto, dbus"),
        ('command = "play"', "command is a list"),
        ("command = [1]", "command is a list of texts"),
        ("command_seconds = true", "command_seconds goes from 1"),
        ("[listener]\nport = 0", "listener: port goes from 1 to 65535"),
        ("listener = 3", "listener is a table"),
        ("sound = true", "sound is no setting"),
        ("[quiet]\nloud = 1", "quiet: loud is no setting"),
        ('[quiet]\nhours = ["22-7"]\nzone = "UTC"', "is no time"),
        ('[quiet]\nhours = ["never 22:00-07:00"]\nzone = "UTC"', "are no days"),
        ('[quiet]\nhours = ["22:00-07:00"]', "zone is the name of a time zone"),
        ('[quiet]\nhours = ["22:00-07:00"]\nzone = "../../etc/passwd"', "time zone"),
        ('[quiet]\nhours = ["22:00-07:00"]\nzone = "Mars/North"', "time zone"),
        ("popup =", "config.toml: "),
    ],
)
def test_mistakes_are_told_by_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "config.toml"
    file.write_text(text)
    with pytest.raises(SettingsProblem) as problem:
        Preferences.read(file)
    assert words in str(problem.value)
    assert str(file) in str(problem.value)


ALICE = Account(
    "alice@example.org",
    "mail.example.org",
    'al"ice\\',
    Transport.LISTENER,
    443,
    1995,
    600,
    "/etc/ca file.pem",
    Level.SENDER,
    (parse_network("192.0.2.0/24"), parse_network("2001:db8::1")),
)


def test_an_account_is_read_as_it_was_written(tmp_path: Path) -> None:
    home = places({"HOME": str(tmp_path)}, "linux")
    assert accounts(home) == ()
    bob = Account("bob@example.net", "pop.example.net")
    for account in (ALICE, bob):
        account.write(home.account(account.address))
    assert accounts(home) == (ALICE, bob)
    assert (ALICE.login_name, bob.login_name) == ('al"ice\\', "bob@example.net")
    assert ALICE.trust.ca_file == Path("/etc/ca file.pem")
    assert bob.trust.ca_file is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "address is no mail address"),
        ('address = "alice"\nserver = "x"', "address is no mail address"),
        ('address = "alice@example.org"', "server is missing"),
        ('address = "alice@example.org"\nserver = "x"\ntransport = "pigeon"', "pigeon"),
        ('address = "alice@example.org"\nserver = "x"\nlevel = "all"', "level is one of knock, count"),
        ('address = "alice@example.org"\nserver = "x"\nknock_from = ["here"]', "here"),
        ('address = "alice@example.org"\nserver = "x"\npoll_seconds = 1', "poll_seconds goes from 60"),
        ('address = "alice@example.org"\nserver = "x"\npassword = "x"', "password is no setting"),
    ],
)
def test_an_account_that_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    file = tmp_path / "alice.toml"
    file.write_text(text)
    with pytest.raises(SettingsProblem, match=words):
        Account.read(file)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="No such file"):
        Account.read(tmp_path / "gone.toml")
    (tmp_path / "x.toml").write_bytes(b"\xff")
    with pytest.raises(SettingsProblem, match=r"x\.toml"):
        Account.read(tmp_path / "x.toml")
