"""The mechanisms that we speak as a client, by their registered names, and which of them to take."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from mailsuite.wire.sasl.client import ClientMechanism, CramMd5Client, Credentials, LoginClient, PlainClient
from mailsuite.wire.sasl.client_scram import NONCE_OCTETS, ScramClient
from mailsuite.wire.sasl.mechanisms import HIDING

Octets = Callable[[int], bytes]
"""So many random ones."""

CLIENT_MECHANISMS: Mapping[str, Callable[[Credentials, Octets], ClientMechanism]] = {
    "SCRAM-SHA-256": lambda credentials, octets: ScramClient(credentials, "sha256", octets(NONCE_OCTETS)),
    "SCRAM-SHA-1": lambda credentials, octets: ScramClient(credentials, "sha1", octets(NONCE_OCTETS)),
    "CRAM-MD5": lambda credentials, octets: CramMd5Client(credentials),
    "PLAIN": lambda credentials, octets: PlainClient(credentials),
    "LOGIN": lambda credentials, octets: LoginClient(credentials),
}
"""The best first. Each call makes what one exchange needs, or raises ValueError where the mechanism cannot
carry these credentials."""
BEST_FIRST = tuple(CLIENT_MECHANISMS)


def choose(
    credentials: Credentials,
    wanted: Sequence[str],
    offered: Collection[str],
    plaintext: bool,
    octets: Octets,
) -> tuple[str, ClientMechanism] | None:
    """The first of *wanted* that is *offered* and can carry these credentials; None where none does. Those
    that show the password are taken where *plaintext* allows it, and no others are known than ours."""
    for name in wanted:
        if name in offered and name in CLIENT_MECHANISMS and (plaintext or name in HIDING):
            try:
                return name, CLIENT_MECHANISMS[name](credentials, octets)
            except ValueError:
                continue
    return None
