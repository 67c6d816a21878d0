"""What an exchange can come to at each step, as values: challenges, questions, claims, refusals."""

from __future__ import annotations

import binascii
import enum
from typing import Literal

import attrs

MAX_LINE_OCTETS = 12288
"""A line of an exchange, line end included (RFC 4954 section 4, on the length of base64 strings)."""
MAX_FIELD_OCTETS = 255
"""Each of authzid, authcid and password: RFC 4616 section 2 asks for at least as much."""

ScramHash = Literal["sha1", "sha256"]
"""As hashlib calls them."""


@attrs.frozen
class Challenge:
    """The client has to answer this."""

    data: bytes

    def encode(self) -> bytes:
        """The challenge in base64, as it stands behind ``334 `` or ``+ ``."""
        return binascii.b2a_base64(self.data, newline=False)


@attrs.frozen
class ScramQuestion:
    """With which salt and how many iterations does this name prove itself? (RFC 5802 section 5.1)

    Answer: ScramParameters, for each name, so that nobody learns which exist.
    """

    authcid: str
    hash: ScramHash


@attrs.frozen
class ScramParameters:
    """The answer to a ScramQuestion."""

    salt: bytes
    iterations: int


@attrs.frozen
class PasswordClaim:
    """Somebody says who they are and shows a password: PLAIN, LOGIN, and POP3's USER and PASS (``USER``)."""

    mechanism: str
    authzid: str
    """Empty or equal to ``authcid``."""
    authcid: str
    password: str = attrs.field(repr=False)


@attrs.frozen
class DigestClaim:
    """Somebody shows a digest of our challenge and a secret: APOP and CRAM-MD5.

    APOP: MD5 of challenge and secret (RFC 1939 section 7). CRAM-MD5: HMAC-MD5 of the challenge, keyed with
    the secret (RFC 2195 section 2).
    """

    mechanism: str
    authcid: str
    challenge: bytes = attrs.field(repr=False)
    digest: str = attrs.field(repr=False)
    """32 lower-case hexadecimal digits."""


@attrs.frozen
class NtlmClaim:
    """Somebody shows an NTLMv2 response (MS-NLMP section 3.3.2)."""

    mechanism: str
    authcid: str
    """``user`` where it has an @, or where ``domain`` is empty or has no dot: then that is a workgroup or a
    computer, which say nothing here. Else ``user@domain``, since a domain with a dot is taken for the mail
    domain."""
    user: str
    """As the client sent it, which is what the digest is made of."""
    domain: str
    challenge: bytes = attrs.field(repr=False)
    """Ours, 8 octets."""
    proof: bytes = attrs.field(repr=False)
    """NTProofStr, 16 octets."""
    blob: bytes = attrs.field(repr=False)
    """What the client signed with it: the rest of its response."""


@attrs.frozen
class ScramClaim:
    """Somebody shows a SCRAM proof (RFC 5802 section 3). It is true where
    H(proof XOR HMAC(StoredKey, auth_message)) is StoredKey."""

    mechanism: str
    authcid: str
    hash: ScramHash
    auth_message: bytes = attrs.field(repr=False)
    proof: bytes = attrs.field(repr=False)


@attrs.frozen
class HopelessClaim:
    """Somebody shows what can be true of no account: well-formed, and wrong whatever the password is.

    It is judged like any other claim, so that it is logged, delayed and counted like any other that fails.
    """

    mechanism: str
    authcid: str
    """Empty where it is not a name that an account can have."""
    reason: str
    """Why it cannot be true, in a word for the log, with hyphens."""


Claim = PasswordClaim | DigestClaim | NtlmClaim | ScramClaim | HopelessClaim


class Refusal(enum.Enum):
    """How an exchange ends that comes to no claim."""

    CANCELLED = "cancelled"
    """The client sent ``*``."""
    MALFORMED = "malformed"
    """No base64, or not what the mechanism defines."""


Step = Challenge | ScramQuestion | Claim | Refusal
