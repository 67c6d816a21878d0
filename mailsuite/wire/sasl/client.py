"""SASL from the client's side: we prove to another server who we are. Octets are decoded, base64 is off."""

from __future__ import annotations

import enum
import hmac
from typing import Any, Protocol, runtime_checkable

import attrs

from mailsuite.wire.sasl import scram_keys
from mailsuite.wire.sasl.steps import MAX_FIELD_OCTETS, ScramHash


def _fits_a_field(instance: Credentials, attribute: attrs.Attribute[Any], value: str) -> None:
    if not value or "\0" in value or len(value.encode("utf-8")) > MAX_FIELD_OCTETS:
        raise ValueError(f"the {attribute.name} of a login is empty, too long, or has a NUL in it")


@attrs.frozen
class Credentials:
    """Who we are elsewhere. Raises ValueError, which shows neither, for what no server would take."""

    name: str = attrs.field(validator=_fits_a_field)
    password: str = attrs.field(repr=False, validator=_fits_a_field)


class Surrender(enum.Enum):
    """Why we do not go on."""

    MALFORMED = "malformed"
    """The server said what this mechanism does not define, or more than it has to say, or asked for what we
    do not do."""
    IMPOSTOR = "impostor"
    """The server could not prove that it knows our password."""


@attrs.frozen
class Derive:
    """A key has to be made of the password, which takes time: call salted_password() in a thread, and give
    derived() what it answers (RFC 5802 section 3)."""

    password: str = attrs.field(repr=False)
    salt: bytes
    iterations: int
    hash: ScramHash

    def salted_password(self) -> bytes:
        """Slow: up to a second."""
        return scram_keys.salted_password(self.password, self.salt, self.iterations, self.hash)


class ClientMechanism(Protocol):
    """The client's side of one exchange."""

    @property
    def proven(self) -> bool:
        """The server has proved what this mechanism lets it prove."""

    def start(self) -> bytes | None:
        """The initial response; None where the server speaks first."""

    def respond(self, challenge: bytes) -> bytes | Derive | Surrender:
        """Go on with what the server says."""


@runtime_checkable
class DerivingMechanism(ClientMechanism, Protocol):
    """One that asks for a key."""

    def derived(self, salted_password: bytes) -> bytes:
        """The response, with the answer to Derive."""


@attrs.define
class PlainClient:
    """PLAIN (RFC 4616): all in the initial response. What comes then, if anything, is an empty challenge."""

    credentials: Credentials
    proven: bool = attrs.field(default=True, init=False)
    """There is nothing to prove."""

    def start(self) -> bytes | None:
        name, password = _encoded(self.credentials)
        return b"\0" + name + b"\0" + password

    def respond(self, challenge: bytes) -> bytes | Derive | Surrender:
        return Surrender.MALFORMED


@attrs.define
class LoginClient:
    """LOGIN (draft-murchison-sasl-login-00): name and then password, whatever the prompts say."""

    credentials: Credentials
    proven: bool = attrs.field(default=True, init=False)
    _said: int = attrs.field(default=0, init=False)

    def start(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes | Derive | Surrender:
        self._said += 1
        name, password = _encoded(self.credentials)
        match self._said:
            case 1:
                return name
            case 2:
                return password
        return Surrender.MALFORMED


@attrs.define
class CramMd5Client:
    """CRAM-MD5 (RFC 2195)."""

    credentials: Credentials
    proven: bool = attrs.field(default=True, init=False)
    _over: bool = attrs.field(default=False, init=False)

    def start(self) -> bytes | None:
        return None

    def respond(self, challenge: bytes) -> bytes | Derive | Surrender:
        if self._over:
            return Surrender.MALFORMED
        self._over = True
        name, password = _encoded(self.credentials)
        return name + b" " + hmac.new(password, challenge, "md5").hexdigest().encode("ascii")


def _encoded(credentials: Credentials) -> tuple[bytes, bytes]:
    return credentials.name.encode("utf-8"), credentials.password.encode("utf-8")
