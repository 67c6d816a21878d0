"""Where the device password of an account is kept: in the desktop's keyring, else in a file of mode 0600.

All of this blocks, so it is done before the reactor runs.
"""

from __future__ import annotations

import contextlib
from typing import Any, Final

import attrs

from mailsuite.client.files import Places, is_private, write_private

SERVICE: Final = "mailsuite-notify"
"""Under this name the keyring shows it."""


class NoPassword(Exception):
    """There is none, or it cannot be read; the message says what to do."""


def _keyring() -> Any:
    """The module; None where the extra is not installed."""
    try:
        import keyring  # noqa: PLC0415 - an extra, and slow to import
    except ImportError:
        return None
    return keyring


@attrs.frozen
class Passwords:
    """Of one user."""

    places: Places
    use_keyring: bool = True

    def keep(self, address: str, password: str) -> str:
        """Keep it; answers where, in words. Raises OSError."""
        file = self.places.password(address)
        if self.use_keyring and _kept_in_keyring(address, password):
            file.unlink(missing_ok=True)  # an older one would be found first
            return "in the keyring"
        write_private(file, password + "\n")
        return f"in {file}"

    def find(self, address: str) -> str:
        """Raises NoPassword."""
        file = self.places.password(address)
        if not is_private(file):
            raise NoPassword(f"{file} can be read by others: chmod 600 {file}")
        try:
            return file.read_text("utf-8").rstrip("\n")
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise NoPassword(f"{file}: {error}") from error
        found = _of_keyring(address) if self.use_keyring else None
        if found is None:
            raise NoPassword(
                f"there is no password for {address} here: run  mailsuite-notify enrol {address}"
            )
        return found

    def forget(self, address: str) -> None:
        """Raises OSError."""
        self.places.password(address).unlink(missing_ok=True)
        keyring = _keyring()
        if keyring is not None and self.use_keyring:
            with contextlib.suppress(keyring.errors.KeyringError):
                keyring.delete_password(SERVICE, address)


def _kept_in_keyring(address: str, password: str) -> bool:
    """Whether it is there now: some backends take a password and keep nothing."""
    keyring = _keyring()
    if keyring is None:
        return False
    try:
        keyring.set_password(SERVICE, address, password)
    except keyring.errors.KeyringError:
        return False
    return _of_keyring(address) == password


def _of_keyring(address: str) -> str | None:
    keyring = _keyring()
    if keyring is None:
        return None
    try:
        found: str | None = keyring.get_password(SERVICE, address)
    except keyring.errors.KeyringError:
        return None
    return found
