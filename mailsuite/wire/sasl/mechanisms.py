"""The mechanisms by their registered names, and what they need of the connection."""

from __future__ import annotations

import binascii
from collections.abc import Callable, Mapping, Sequence

import attrs

from mailsuite.wire.sasl.cram_md5 import CramMd5
from mailsuite.wire.sasl.exchange import Mechanism
from mailsuite.wire.sasl.ntlm import Ntlm
from mailsuite.wire.sasl.plain import Login, Plain
from mailsuite.wire.sasl.scram import Scram
from mailsuite.wire.sasl.steps import ScramHash

NONCE_OCTETS = 18
"""Random ones in our part of SCRAM's nonce: 24 characters in base64."""


@attrs.frozen
class Surroundings:
    """What a mechanism may need of the connection."""

    hostname: str
    """As challenges name this host."""
    octets: Callable[[int], bytes]
    """So many random octets."""
    seconds: Callable[[], float]
    """Since the epoch."""
    bindings: Mapping[str, bytes] = {}
    """Channel bindings of the TLS connection by their registered types; empty without TLS."""
    offered: tuple[str, ...] = ()
    """The mechanisms that this connection is offered now."""


def _plain(surroundings: Surroundings) -> Mechanism:
    return Plain()


def _login(surroundings: Surroundings) -> Mechanism:
    return Login()


def _cram_md5(surroundings: Surroundings) -> Mechanism:
    return CramMd5(surroundings.hostname, surroundings.octets, surroundings.seconds)


def _ntlm(surroundings: Surroundings) -> Mechanism:
    return Ntlm(surroundings.hostname, surroundings.octets, surroundings.seconds)


def _scram(name: str, hash: ScramHash) -> Callable[[Surroundings], Mechanism]:
    def mechanism(surroundings: Surroundings) -> Mechanism:
        def nonce() -> str:
            return binascii.b2a_base64(surroundings.octets(NONCE_OCTETS), newline=False).decode("ascii")

        # Of whatever hash: else somebody in the middle would leave the weakest alone in the list.
        plus_offered = any(each.endswith("-PLUS") for each in surroundings.offered)
        return Scram(name, hash, nonce, surroundings.bindings, plus_offered)

    return mechanism


MECHANISMS: Mapping[str, Callable[[Surroundings], Mechanism]] = {
    "PLAIN": _plain,
    "LOGIN": _login,
    "CRAM-MD5": _cram_md5,
    "SCRAM-SHA-1": _scram("SCRAM-SHA-1", "sha1"),
    "SCRAM-SHA-256": _scram("SCRAM-SHA-256", "sha256"),
    "SCRAM-SHA-256-PLUS": _scram("SCRAM-SHA-256-PLUS", "sha256"),
    "NTLM": _ntlm,
}
"""All that we speak, by their registered names. Each call makes what one exchange needs."""

HIDING = frozenset(MECHANISMS) - {"PLAIN", "LOGIN"}
"""Those that hide the password from whoever listens."""


def offered(names: Sequence[str], plaintext: bool, bindings: Mapping[str, bytes]) -> tuple[str, ...]:
    """Those of *names* (upper case) that a connection may be offered, in their order.

    Mechanisms that show the password need *plaintext* to be allowed, those that bind to the TLS channel need
    something to bind to. What is not offered is not to be accepted.
    """
    return tuple(
        name for name in names if (plaintext or name in HIDING) and (bindings or not name.endswith("-PLUS"))
    )
