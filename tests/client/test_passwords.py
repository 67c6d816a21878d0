"""Where device passwords are kept."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from keyring.backend import KeyringBackend
from keyring.backends import fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError

from mailsuite.client.files import places
from mailsuite.client.passwords import SERVICE, NoPassword, Passwords

ALICE = "alice@example.org"
SECRET = "amber-river-violet-anchor"


class Ring(KeyringBackend):
    """A keyring in memory."""

    priority = 1

    def __init__(self) -> None:
        super().__init__()
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if (service, username) not in self.kept:
            raise PasswordDeleteError("not there")
        del self.kept[service, username]


@pytest.fixture
def ring() -> Iterator[Ring]:
    before = keyring.get_keyring()
    made = Ring()
    keyring.set_keyring(made)
    yield made
    keyring.set_keyring(before)


@pytest.fixture
def passwords(tmp_path: Path) -> Passwords:
    return Passwords(places({"HOME": str(tmp_path)}, "linux"))


def test_in_the_keyring(ring: Ring, passwords: Passwords, tmp_path: Path) -> None:
    assert passwords.keep(ALICE, SECRET) == "in the keyring"
    assert ring.kept == {(SERVICE, ALICE): SECRET}
    assert passwords.find(ALICE) == SECRET
    assert list(tmp_path.iterdir()) == []
    passwords.forget(ALICE)
    passwords.forget(ALICE)
    assert ring.kept == {}
    with pytest.raises(NoPassword, match="enrol alice"):
        passwords.find(ALICE)


@pytest.mark.parametrize("backend", [fail.Keyring, null.Keyring])
def test_a_keyring_that_keeps_nothing(
    ring: Ring, passwords: Passwords, backend: type[KeyringBackend]
) -> None:
    keyring.set_keyring(backend())
    assert "passwords/alice@example.org" in passwords.keep(ALICE, SECRET)
    assert passwords.find(ALICE) == SECRET
    passwords.forget(ALICE)


def test_a_keyring_that_is_locked(ring: Ring, passwords: Passwords) -> None:
    ring.locked = True
    passwords.keep(ALICE, SECRET)
    assert passwords.find(ALICE) == SECRET
    assert ring.kept == {}


def test_in_a_file_because_the_user_wants_it(ring: Ring, passwords: Passwords) -> None:
    plain = Passwords(passwords.places, use_keyring=False)
    plain.keep(ALICE, SECRET)
    file = plain.places.password(ALICE)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (file.read_text(), ring.kept) == (SECRET + "\n", {})
    assert passwords.keep(ALICE, "a newer one") == "in the keyring"
    assert not file.exists()
    assert passwords.find(ALICE) == "a newer one"


def test_a_file_that_others_can_read_is_not_used(passwords: Passwords) -> None:
    plain = Passwords(passwords.places, use_keyring=False)
    plain.keep(ALICE, SECRET)
    plain.places.password(ALICE).chmod(0o644)
    with pytest.raises(NoPassword, match="chmod 600") as told:
        plain.find(ALICE)
    assert SECRET not in str(told.value)


def test_a_file_that_is_no_text(passwords: Passwords) -> None:
    plain = Passwords(passwords.places, use_keyring=False)
    plain.keep(ALICE, SECRET)
    plain.places.password(ALICE).write_bytes(b"\xff\xfe")
    with pytest.raises(NoPassword):
        plain.find(ALICE)


def test_without_the_library(passwords: Passwords, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "keyring", None)
    passwords.keep(ALICE, SECRET)
    assert passwords.find(ALICE) == SECRET
    passwords.forget(ALICE)
    with pytest.raises(NoPassword):
        passwords.find(ALICE)
