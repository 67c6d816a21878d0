"""The key file, and what is sealed under it: AES-256-GCM, for secrets that must stay recoverable."""

from __future__ import annotations

import binascii
import contextlib
import hmac
import os
import re
import secrets
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_OCTETS = 32
NONCE_OCTETS = 12
"""NIST SP 800-38D section 8.2.2: random ones are good for 2**32 values under one key."""
SALT_OCTETS = 16
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700
MAX_FILE_OCTETS = 65_536
"""Some 900 keys."""

_HEADER = struct.Struct(">BI")
"""The version of the sealed form, the number of the key."""
_VERSION = 1
_LINE = re.compile(r"(salt|[1-9][0-9]{0,8}) ([A-Za-z0-9+/]{43}=)")
_PREFACE = (
    "# The keys that mailsuite seals secrets with. Whoever has this file and the database has the secrets.\n"
    "# Keep a copy of it, and not beside the database.\n"
)
_LOST = (
    "{path} is missing, and what was sealed with it ({count}) cannot be opened: put it back from the copy "
    "that was kept elsewhere; where there is none, `mailsuite key new` goes on without"
)


class KeyringError(Exception):
    """The key file cannot be used or written; the message says why, and never what is in it."""


class SealBroken(Exception):
    """The key is not there, or what was sealed was changed, or it was sealed for something else."""


@attrs.frozen(eq=False)
class Keyring:
    """Keys by number, of which the newest seals; and a key for salts, which is never another.

    A sealed value names its key by number. It opens only for the same *about* as it was sealed for, so
    moved to another account, device or purpose it is broken. The file is ``salt`` and numbers, each with 32
    octets in base64, the newest key first. A Keyring does not change: rotation gives another one.
    """

    _keys: Mapping[int, bytes] = attrs.field(repr=False)
    _salt_key: bytes = attrs.field(repr=False)

    @classmethod
    def new(cls) -> Keyring:
        """One with a fresh key and a fresh key for salts, nowhere written down."""
        return cls({1: secrets.token_bytes(KEY_OCTETS)}, secrets.token_bytes(KEY_OCTETS))

    @classmethod
    def load_or_create(cls, path: Path, sealed: Callable[[], int] = lambda: 0) -> Keyring:
        """What stands in the file, or new keys, durably written there, where there is none.

        *sealed* counts what was sealed before: then a missing file was lost, and other keys would hide that
        until it is too late to look for a copy. Raises KeyringError for that, for a file that others than
        its owner may touch, that is broken, or that cannot be read or written.
        """
        with _in_words(path):
            try:
                return cls._parse(path, _read(path))
            except FileNotFoundError:
                if count := sealed():
                    raise KeyringError(_LOST.format(path=path, count=count)) from None
        return cls.create(path)

    @classmethod
    def create(cls, path: Path) -> Keyring:
        """New keys, durably written into a file that was not there. Raises KeyringError."""
        ring = cls.new()
        with _in_words(path):
            if os.path.lexists(path):
                raise KeyringError(f"{path} is there; nothing was changed")
            ring._write(path)
        return ring

    def seal(self, plain: bytes, about: str) -> bytes:
        """Seal under the newest key; *about* says what this is and whose."""
        header = _HEADER.pack(_VERSION, self._newest)
        nonce = secrets.token_bytes(NONCE_OCTETS)
        cipher = AESGCM(self._keys[self._newest])
        return header + nonce + cipher.encrypt(nonce, plain, header + about.encode("utf-8"))

    def unseal(self, sealed: bytes, about: str) -> bytes:
        """What was sealed. Raises SealBroken."""
        header, rest = sealed[: _HEADER.size], sealed[_HEADER.size :]
        key = self._keys.get(_number(sealed))
        if key is None:
            raise SealBroken("there is no such key")
        nonce, data = rest[:NONCE_OCTETS], rest[NONCE_OCTETS:]
        try:
            return AESGCM(key).decrypt(nonce, data, header + about.encode("utf-8"))
        except (InvalidTag, ValueError) as error:
            raise SealBroken("it was changed, or sealed for something else") from error

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed under the newest key."""
        return _number(sealed) == self._newest

    def salt(self, text: str) -> bytes:
        """16 octets that are the same for the same text for ever, and tell nobody anything."""
        return hmac.digest(self._salt_key, text.encode("utf-8", "surrogatepass"), "sha256")[:SALT_OCTETS]

    def derived(self, purpose: str) -> bytes:
        """A key of 32 octets for something else, the same for ever. Not by the hash of salt(), for salts are
        told to whoever asks."""
        return hmac.digest(self._salt_key, purpose.encode("ascii"), "sha512")[:KEY_OCTETS]

    def with_new_key(self, path: Path) -> Keyring:
        """These and a new key, which seals from now on; durably in the file. Raises KeyringError."""
        fresh = {self._newest + 1: secrets.token_bytes(KEY_OCTETS)}
        return self._replaced(path, {**fresh, **self._keys})

    def drop_old_keys(self, path: Path) -> Keyring:
        """The newest key alone; durably in the file. Raises KeyringError.

        What is sealed under an older one never opens again.
        """
        return self._replaced(path, {self._newest: self._keys[self._newest]})

    def __len__(self) -> int:
        return len(self._keys)

    @property
    def _newest(self) -> int:
        return max(self._keys)

    def _replaced(self, path: Path, keys: Mapping[int, bytes]) -> Keyring:
        ring = Keyring(keys, self._salt_key)
        with _in_words(path):
            ring._write(path)
        return ring

    def _write(self, path: Path) -> None:
        _make_directory(path.parent)
        lines = [f"salt {_encoded(self._salt_key)}\n"]
        lines += [f"{number} {_encoded(self._keys[number])}\n" for number in sorted(self._keys, reverse=True)]
        _replace(path, (_PREFACE + "".join(lines)).encode("ascii"))

    @classmethod
    def _parse(cls, path: Path, content: bytes) -> Keyring:
        keys: dict[str, bytes] = {}
        lines = content.decode("ascii", "replace").split("\n")
        if lines[-1]:
            raise KeyringError(f"{path}: the last line is cut off")
        for number, line in enumerate(lines, 1):
            if not line or line.startswith("#"):
                continue
            parts = _LINE.fullmatch(line)
            if parts is None or parts[1] in keys:
                raise KeyringError(f"{path}:{number} is no key, or the second of its name")
            keys[parts[1]] = binascii.a2b_base64(parts[2])
        salt_key = keys.pop("salt", None)
        if salt_key is None:
            raise KeyringError(f"{path} has no key for salts")
        if not keys:
            raise KeyringError(f"{path} has no key")
        return cls({int(number): key for number, key in keys.items()}, salt_key)


def _number(sealed: bytes) -> int:
    """Of the key it is sealed under; 0, which no key has, where it is no sealed value of ours."""
    if len(sealed) < _HEADER.size + NONCE_OCTETS:
        return 0
    version, number = _HEADER.unpack_from(sealed)
    return int(number) if version == _VERSION else 0


def _encoded(key: bytes) -> str:
    return binascii.b2a_base64(key, newline=False).decode("ascii")


@contextlib.contextmanager
def _in_words(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise KeyringError(f"{error.filename or path}: {error.strerror}") from error


def _read(path: Path) -> bytes:
    """The file, if it is a plain one that nobody but its owner may touch."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise KeyringError(f"{path} is no plain file")
        if stat.S_IMODE(status.st_mode) & 0o077:
            raise KeyringError(f"{path} is open to others; think of who may have read it, then: chmod 600 it")
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_FILE_OCTETS + 1)
    finally:
        os.close(descriptor)
    if len(content) > MAX_FILE_OCTETS:
        raise KeyringError(f"{path} is longer than {MAX_FILE_OCTETS} octets")
    return content


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(mode=DIRECTORY_MODE)
    except FileExistsError:
        return
    _sync(path.parent)


def _replace(path: Path, content: bytes) -> None:
    """Have *content* under that name, durably, or what was there before: never something between.

    One process at a time does this: who holds the state directory's lock. What an interrupted attempt left
    goes first. As root, the file stays whose it was.
    """
    temporary = path.with_name(f"{path.name}.new")
    with open(_created(temporary), "wb") as file:
        with contextlib.suppress(FileNotFoundError):
            before = path.lstat()
            if os.geteuid() == 0:
                os.fchown(file.fileno(), before.st_uid, before.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.rename(path)
    _sync(path.parent)


def _created(path: Path) -> int:
    """A descriptor of a new file of that name, whatever had it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        return os.open(path, flags, FILE_MODE)
    except FileExistsError:
        path.unlink()
        return os.open(path, flags, FILE_MODE)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
