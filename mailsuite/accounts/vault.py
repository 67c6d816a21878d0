"""What accounts and their devices prove themselves by, made and opened; sealed wherever it is kept."""

from __future__ import annotations

import binascii
import hmac
import json
import secrets
from collections.abc import Mapping
from functools import partial
from hashlib import new, sha256
from typing import Any, Final

import attrs

from mailsuite.accounts.keyring import Keyring, SealBroken
from mailsuite.accounts.passwords import prepared
from mailsuite.interfaces import IThreads
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.wire.sasl.scram_keys import salted_password, server_key, stored_key
from mailsuite.wire.sasl.steps import ScramHash, ScramParameters

ITERATIONS = 15_000
"""Of PBKDF2, for each SCRAM key. At least 4096 (RFC 7677 section 4); Dovecot takes that, and a sealed key is
guessed at only by who has the key file."""
HASHES: Final[tuple[ScramHash, ...]] = ("sha1", "sha256")
_VERSION = 1
_NOBODY: Final = Address("nobody", "invalid")


@attrs.frozen
class ScramKey:
    """StoredKey and ServerKey (RFC 5802 section 3)."""

    stored_key: bytes = attrs.field(repr=False)
    server_key: bytes = attrs.field(repr=False)


ScramKeys = Mapping[ScramHash, ScramKey]
"""By hash; empty for a password that SASLprep (RFC 4013) forbids."""


@attrs.frozen(eq=False)
class DeviceSecrets:
    """What was sealed of a device password."""

    _key: bytes = attrs.field(repr=False)
    _digest: bytes = attrs.field(repr=False)
    scram: ScramKeys = attrs.field(repr=False)
    password: str | None = attrs.field(repr=False)
    """Where it was sealed to be recoverable."""

    def matches(self, password: str) -> bool:
        """Whether it is this one; takes as long for any."""
        return hmac.compare_digest(_keyed(self._key, password), self._digest)


@attrs.define(eq=False)
class Vault:
    """Seals and opens under a keyring; derives SCRAM's keys in *threads*.

    One machine-made device password needs no slow hash, so it is checked by HMAC-SHA-256 under a key of its
    own. What opening finds broken raises SealBroken.
    """

    keyring: Keyring
    threads: IThreads
    _decoy: bytes = attrs.field(init=False, repr=False)
    _decoy_verifiers: bytes = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        self.use(self.keyring)

    def use(self, keyring: Keyring) -> None:
        """Seal and open by this keyring from now on."""
        self.keyring = keyring
        content = _device_content(secrets.token_hex(), _decoy_keys(), recoverable=True)
        self._decoy = keyring.seal(content, _about_device(_NOBODY, ""))
        self._decoy_verifiers = keyring.seal(_verifiers_content("", _decoy_keys()), _about_verifiers(_NOBODY))

    async def seal_device(self, account: Address, device_id: str, password: str, recoverable: bool) -> bytes:
        """What a device's password is checked by; the password itself too where it is *recoverable*."""
        keys = await self._scram_keys(account, password)
        content = _device_content(password, keys, recoverable)
        return self.keyring.seal(content, _about_device(account, device_id))

    async def seal_verifiers(self, account: Address, password: str, stored_hash: str) -> bytes:
        """The SCRAM keys of an account's own password, good as long as *stored_hash* is its hash."""
        keys = await self._scram_keys(account, password)
        return self.keyring.seal(_verifiers_content(stored_hash, keys), _about_verifiers(account))

    def open_device(self, account: Address, device: Device) -> DeviceSecrets:
        """What a device's password is checked by. Raises SealBroken."""
        return _device_secrets(self.keyring.unseal(device.sealed, _about_device(account, device.id)))

    def open_verifiers(self, account: Address, sealed: bytes, stored_hash: str) -> ScramKeys | None:
        """The SCRAM keys of the account's own password; None where they are of another password or of an
        older number of iterations, or where there are none. Raises SealBroken."""
        if not sealed:
            return None
        content = _loaded(self.keyring.unseal(sealed, _about_verifiers(account)))
        bound = hmac.compare_digest(str(content.get("for", "")), _bound_to(stored_hash))
        return _read_keys(content) if bound and content.get("iterations") == ITERATIONS else None

    def open_decoy(self) -> DeviceSecrets:
        """What nobody knows the password of; costs what open_device() costs."""
        return _device_secrets(self.keyring.unseal(self._decoy, _about_device(_NOBODY, "")))

    def open_decoy_verifiers(self) -> ScramKeys:
        """Keys of both hashes that nobody has a proof for; costs what open_verifiers() costs."""
        return self.open_verifiers(_NOBODY, self._decoy_verifiers, "") or {}

    def scram_parameters(self, name: str, hash: ScramHash) -> ScramParameters:
        """Salt and iterations for a canonical name, whether or not there is such an account.

        They are the same for all passwords of an account: the server speaks before it can know which of them
        the client will use.
        """
        return ScramParameters(self.keyring.salt(f"{hash}\0{name}"), ITERATIONS)

    def seal(self, plain: bytes, about: str) -> bytes:
        """Seal what others keep, under the newest key; *about* says what it is and whose. In any thread."""
        return self.keyring.seal(plain, about)

    def open(self, sealed: bytes, about: str) -> bytes | None:
        """What seal() sealed for the same *about*; None where it is broken. In any thread."""
        try:
            return self.keyring.unseal(sealed, about)
        except SealBroken:
            return None

    def is_current(self, sealed: bytes) -> bool:
        """Whether it is sealed under the newest key."""
        return self.keyring.is_current(sealed)

    def reseal_device(self, account: Address, device: Device) -> Device | None:
        """The same under the newest key; None: it is. Raises SealBroken."""
        sealed = self._resealed(device.sealed, _about_device(account, device.id))
        return None if sealed is None else attrs.evolve(device, sealed=sealed)

    def reseal_verifiers(self, account: Address, sealed: bytes) -> bytes | None:
        """The same under the newest key; None: it is. Raises SealBroken."""
        return self._resealed(sealed, _about_verifiers(account))

    def _resealed(self, sealed: bytes, about: str) -> bytes | None:
        if self.keyring.is_current(sealed):
            return None
        return self.keyring.seal(self.keyring.unseal(sealed, about), about)

    async def _scram_keys(self, account: Address, password: str) -> ScramKeys:
        salts = {hash: self.scram_parameters(str(account), hash).salt for hash in HASHES}
        return await self.threads.run(partial(_derive, password, salts))


def _decoy_keys() -> ScramKeys:
    sizes: dict[ScramHash, int] = {hash: new(hash).digest_size for hash in HASHES}
    return {
        hash: ScramKey(secrets.token_bytes(size), secrets.token_bytes(size)) for hash, size in sizes.items()
    }


def _derive(password: str, salts: Mapping[ScramHash, bytes]) -> ScramKeys:
    keys: dict[ScramHash, ScramKey] = {}
    for hash, salt in salts.items():
        try:
            salted = salted_password(password, salt, ITERATIONS, hash)
        except ValueError:  # SASLprep forbids it, so no client can make a proof with it
            return {}
        keys[hash] = ScramKey(stored_key(salted, hash), server_key(salted, hash))
    return keys


def _keyed(key: bytes, password: str) -> bytes:
    return hmac.digest(key, prepared(password), "sha256")


def _bound_to(stored_hash: str) -> str:
    return sha256(stored_hash.encode("utf-8", "surrogatepass")).hexdigest()


def _about_device(account: Address, device_id: str) -> str:
    return f"device\0{account}\0{device_id}"


def _about_verifiers(account: Address) -> str:
    return f"verifiers\0{account}"


def _device_content(password: str, keys: ScramKeys, recoverable: bool) -> bytes:
    key = secrets.token_bytes(32)
    content = {"key": _text(key), "digest": _text(_keyed(key, password)), **_written_keys(keys)}
    return _dumped({**content, "password": password} if recoverable else content)


def _verifiers_content(stored_hash: str, keys: ScramKeys) -> bytes:
    return _dumped({"for": _bound_to(stored_hash), **_written_keys(keys)})


def _written_keys(keys: ScramKeys) -> dict[str, object]:
    written = {hash: [_text(key.stored_key), _text(key.server_key)] for hash, key in keys.items()}
    return {"iterations": ITERATIONS, "scram": written}


def _device_secrets(plain: bytes) -> DeviceSecrets:
    content = _loaded(plain)
    keys = _read_keys(content) if content["iterations"] == ITERATIONS else {}
    return DeviceSecrets(_octets(content["key"]), _octets(content["digest"]), keys, content.get("password"))


def _read_keys(content: Mapping[str, Any]) -> ScramKeys:
    return {hash: ScramKey(*map(_octets, pair)) for hash, pair in content["scram"].items()}


def _dumped(content: Mapping[str, object]) -> bytes:
    return json.dumps({"version": _VERSION, **content}).encode("ascii")


def _loaded(plain: bytes) -> dict[str, Any]:
    """What was sealed was written by us; only its version may be another's."""
    content: dict[str, Any] = json.loads(plain)
    if content["version"] != _VERSION:
        raise SealBroken(f"it has version {content['version']}, and this program reads {_VERSION}")
    return content


def _text(data: bytes) -> str:
    return binascii.b2a_base64(data, newline=False).decode("ascii")


def _octets(text: str) -> bytes:
    return binascii.a2b_base64(text)
