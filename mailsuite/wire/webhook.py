"""Standard Webhooks 1.0.0: who a request comes from, and that nobody has changed or kept it.

Each attempt is signed with its own time, so that a request that was listened to is worth nothing minutes
later; the id stays, so that the receiver knows one it has seen. Both sides are here.
"""

from __future__ import annotations

import base64
import hmac
import re
from collections.abc import Mapping, Sequence
from typing import Final

import attrs

MIN_SECRET: Final = 24
MAX_SECRET: Final = 64
"""Octets of a secret."""
TOLERANCE: Final = 300
"""Seconds that the time of an attempt may be off, either way."""
MAX_SIGNATURES: Final = 8
"""Signatures of one request that are looked at: more are there while secrets change, but not many."""
ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"
"""The names of the fields."""

_PREFIX: Final = "whsec_"
_VERSION: Final = "v1,"
"""HMAC-SHA256; others are passed over."""
_ID: Final = re.compile(r"[!-\-/-~]{1,256}")
"""Visible ASCII but the dot, which ends it in what is signed."""
_TIME: Final = re.compile(r"[0-9]{1,12}")


class BadSecret(ValueError):
    """It is no secret of this kind; the words say why, and nothing of it."""


class BadSignature(ValueError):
    """The request is not to be believed; the words say why."""


@attrs.frozen
class Secret:
    """What sender and receiver share, for one endpoint alone. Raises BadSecret."""

    octets: bytes = attrs.field(repr=False)
    """MIN_SECRET to MAX_SECRET of them, that nobody can guess."""

    @octets.validator
    def _check(self, _: object, octets: bytes) -> None:
        if not MIN_SECRET <= len(octets) <= MAX_SECRET:
            raise BadSecret(f"a secret of webhooks has {MIN_SECRET} to {MAX_SECRET} octets")

    @classmethod
    def parse(cls, text: str) -> Secret:
        """``whsec_`` and base64, with padding or without."""
        if not text.startswith(_PREFIX):
            raise BadSecret(f"a secret of webhooks begins with {_PREFIX}")
        bare = text.removeprefix(_PREFIX).rstrip("=")
        try:
            octets = base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
        except ValueError:
            raise BadSecret("a secret of webhooks goes on in base64") from None
        return cls(octets)

    @property
    def text(self) -> str:
        """As its owner is shown it, once."""
        return _PREFIX + base64.b64encode(self.octets).decode("ascii")


def signed_fields(secrets: Sequence[Secret], id: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The fields that go with *body*, signed by each of the secrets: while a new one takes over from the
    old, both are there.

    *timestamp*: seconds since 1970, when this attempt is made. ValueError where there is no secret, or an id
    has something other than visible ASCII, or a dot.
    """
    if not secrets:
        raise ValueError("nothing to sign with")
    if not _ID.fullmatch(id) or timestamp < 0:
        raise ValueError("an id or a time that cannot be signed")
    signatures = (_VERSION + _signature(secret, id, str(timestamp), body) for secret in secrets)
    return {ID: id, TIMESTAMP: str(timestamp), SIGNATURE: " ".join(signatures)}


def verify(
    secrets: Sequence[Secret],
    fields: Mapping[str, str],
    body: bytes,
    now: float,
    tolerance: float = TOLERANCE,
) -> str:
    """The id of a request that one of the secrets has signed, at most *tolerance* seconds before or after
    *now*. Raises BadSignature. Whether that id has been seen before is up to the caller.

    *fields*: those of the request, by names in any letter case. The comparison takes the same time whatever
    was sent.
    """
    found = {name.lower(): value.strip() for name, value in fields.items()}
    missing = [name for name in (ID, TIMESTAMP, SIGNATURE) if not found.get(name)]
    if missing:
        raise BadSignature(f"no {missing[0]}")
    id, timestamp = found[ID], found[TIMESTAMP]
    if not _ID.fullmatch(id) or not _TIME.fullmatch(timestamp):
        raise BadSignature("an id or a time that nobody signs")
    if abs(int(timestamp) - now) > tolerance:
        raise BadSignature("its time is too far from ours")
    good = False
    for secret in secrets:
        wanted = (_VERSION + _signature(secret, id, timestamp, body)).encode("ascii")
        for signature in found[SIGNATURE].split(" ", MAX_SIGNATURES)[:MAX_SIGNATURES]:
            good |= hmac.compare_digest(wanted, signature.encode("utf-8", "replace"))
    if not good:
        raise BadSignature("no signature is ours")
    return id


def _signature(secret: Secret, id: str, timestamp: str, body: bytes) -> str:
    signed = b".".join((id.encode("ascii"), timestamp.encode("ascii"), body))
    return base64.b64encode(hmac.digest(secret.octets, signed, "sha256")).decode("ascii")
