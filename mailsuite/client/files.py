"""Where the program keeps things, and files for the owner's eyes only."""

from __future__ import annotations

import contextlib
import os
import stat
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

import attrs

_NAME = "mailsuite-notify"


@attrs.frozen
class Places:
    """Folders of one user."""

    config: Path
    state: Path

    @property
    def settings(self) -> Path:
        """What the user writes; it need not be there."""
        return self.config / "config.toml"

    @property
    def accounts(self) -> Path:
        """One file for each account, which ``enrol`` writes."""
        return self.config / "accounts"

    def account(self, address: str) -> Path:
        return self.accounts / f"{_file_name(address)}.toml"

    def password(self, address: str) -> Path:
        """Where no keyring is."""
        return self.config / "passwords" / _file_name(address)

    def kept(self, address: str) -> Path:
        return self.state / f"{_file_name(address)}.json"


def places(environment: Mapping[str, str], system: str = sys.platform) -> Places:
    """By the XDG Base Directory Specification; on macOS and Windows where programs keep such things."""
    home = Path(environment.get("HOME") or Path.home())
    if system == "darwin":
        folder = home / "Library" / "Application Support" / _NAME
        return Places(folder, folder / "state")
    if system == "win32":
        folder = Path(environment.get("APPDATA") or home / "AppData" / "Roaming") / _NAME
        return Places(folder, folder / "state")
    config = _absolute(environment.get("XDG_CONFIG_HOME"), home / ".config")
    state = _absolute(environment.get("XDG_STATE_HOME"), home / ".local" / "state")
    return Places(config / _NAME, state / _NAME)


def _absolute(named: str | None, default: Path) -> Path:
    """A path of the environment; a relative one is passed over, as that specification wants it."""
    return Path(named) if named and Path(named).is_absolute() else default


def _file_name(address: str) -> str:
    name = quote(address, safe="@+=")
    return f"%2E{name[1:]}" if name.startswith(".") else name


def write_private(path: Path, text: str, *, is_durable: bool = True) -> None:
    """Put a file in place, whole or not at all, with mode 0600 in a folder of mode 0700. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            if is_durable:
                os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(name).unlink()
        raise


def is_private(path: Path) -> bool:
    """Whether nobody else may read it; true of what is not there, and where modes say nothing (Windows)."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return True
    return os.name == "nt" or not stat.S_IMODE(mode) & 0o077
