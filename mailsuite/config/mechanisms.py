"""Kinds of the ways to log in: SASL mechanisms by their names in lower case, and APOP."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal, get_args

import attrs

from mailsuite.config.kinds import BadValue, Kind, ListOf, OneOf, shown

SaslName = Literal["plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "ntlm"]
Apop = Literal["off", "offer", "require"]
Recoverable = Literal["apop", "cram-md5", "ntlm"]
"""Those that a device password can do only where it is kept so that we can read it."""

PLAINTEXT: Final[frozenset[SaslName]] = frozenset({"plain", "login"})
"""Those that send the password itself."""
UNDER_TLS: Final[frozenset[SaslName]] = PLAINTEXT | {"scram-sha-256-plus"}
"""Those that are offered under TLS only; PLUS binds to the channel, and without TLS there is none."""

APOP: Final[Kind[Apop]] = OneOf(get_args(Apop))

SASL_NAMES: Final[tuple[SaslName, ...]] = get_args(SaslName)
"""In the order in which they are told."""

_NOT_OFFERED: Final = {
    "anonymous": "nobody logs in here without being somebody",
    "apop": 'APOP is no SASL mechanism: write apop = "offer" or apop = "require" in [pop3]',
    "digest-md5": "DIGEST-MD5 is historic (RFC 6331) and not offered; scram-sha-256 took its place",
    "gssapi": "Kerberos is not spoken here; scram-sha-256 hides the password as well",
    "user": 'USER and PASS need not be named: they are offered unless apop is "require"',
}
"""What somebody may look for, and why it is not among the names."""


@attrs.frozen
class SaslMechanism(OneOf[SaslName]):
    """The name of a SASL mechanism, in lower case."""

    words: tuple[SaslName, ...] = SASL_NAMES

    @property
    def word(self) -> str:
        return "SASL mechanism"

    def parse(self, raw: object, base: Path) -> SaslName:
        why = _NOT_OFFERED.get(raw.lower()) if isinstance(raw, str) else None
        if why is not None:
            raise BadValue(f"{shown(raw)}: {why}")
        return super().parse(raw, base)


def mechanisms(minimum: int = 0) -> ListOf[SaslName]:
    """A list of mechanisms, in the order in which they are offered."""
    return ListOf(SaslMechanism(), minimum, '["plain", "scram-sha-256"]')
