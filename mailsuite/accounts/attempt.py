"""What somebody shows who wants to log in, as twisted.cred's credentials."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from hashlib import md5
from hmac import compare_digest

import attrs
from twisted.cred.credentials import ICredentials, IUsernameHashedPassword, IUsernamePassword
from zope.interface import Attribute, implementer

from mailsuite.accounts.names import Named
from mailsuite.config.mechanisms import Apop
from mailsuite.model.address import Address
from mailsuite.model.device import Device
from mailsuite.model.facts import ConnectionFacts
from mailsuite.model.retention import Retention
from mailsuite.model.view import View
from mailsuite.wire.sasl.ntlm_response import nt_hash, ntlmv2_proves
from mailsuite.wire.sasl.scram_keys import proves, server_signature
from mailsuite.wire.sasl.steps import (
    Claim,
    DigestClaim,
    HopelessClaim,
    NtlmClaim,
    PasswordClaim,
    ScramClaim,
    ScramHash,
)


@attrs.frozen
class LoginRules:
    """What a listener says about logins."""

    default_domain: str = ""
    """The domain of a name that has none; empty: such a name is nobody's."""
    alternate_at: str = ""
    """Characters that stand for the @ where a name has none (features row S-M02)."""
    apop: Apop = "off"
    domain_apop: Mapping[str, Apop] = attrs.field(factory=dict)
    """Domains that say otherwise."""
    login_delay: float = 0.0
    """Seconds from one POP3 login to the next (RFC 2449 section 6.5)."""
    domain_login_delay: Mapping[str, float] = attrs.field(factory=dict)
    retention: Retention = attrs.field(factory=Retention)
    """How long mail stays of accounts that have no own word on it; ``read`` as Account.retention has it."""
    domain_retention: Mapping[str, Retention] = attrs.field(factory=dict)
    max_sessions: int = 0
    """POP3 sessions of one account at the same time; 0: no limit."""
    takeover: bool = False
    """Whether a login ends the session of the same view, instead of being refused (features row P-05)."""

    def apop_of(self, domain: str) -> Apop:
        return self.domain_apop.get(domain, self.apop)

    def login_delay_of(self, domain: str) -> float:
        return self.domain_login_delay.get(domain, self.login_delay)

    def retention_of(self, domain: str) -> Retention:
        return self.domain_retention.get(domain, self.retention)

    @property
    def apop_somewhere(self) -> bool:
        """Whether there may be accounts that APOP is for; a listener cannot know whose session it is."""
        return {self.apop, *self.domain_apop.values()} != {"off"}

    @property
    def apop_everywhere(self) -> bool:
        """Whether nobody may show his password, so that nobody needs to be offered a way to."""
        return {self.apop, *self.domain_apop.values()} == {"require"}


@attrs.frozen
class Granted:
    """Who somebody is, and by what they proved it."""

    account: Address
    device: Device | None = None
    """The device whose password it was; None: the account's own."""
    signature: bytes = attrs.field(default=b"", repr=False)
    """SCRAM's server signature, which the client is shown (RFC 5802 section 3)."""


class IScramProof(ICredentials):
    """A proof of SCRAM (RFC 5802 section 3), to be held against stored keys."""

    username: bytes = Attribute("The name, in UTF-8.")
    hash: ScramHash = Attribute("The keys that fit are of this hash.")

    def server_signature(stored_key: bytes, server_key: bytes) -> bytes | None:
        """What proves to the client that we know it, or None: the proof does not fit *stored_key*."""


class IHopeless(ICredentials):
    """What can be true of no account, as the protocol has found out."""

    username: bytes = Attribute("The name, in UTF-8; empty where it is none that an account can have.")
    reason: str = Attribute("Why, in a word for the log.")


@implementer(ICredentials)
@attrs.define(eq=False)
class Attempt:
    """One attempt to log in, and where it comes from.

    Neither the name nor what was shown is in its repr(): people type a password into the field of the
    name. Login and our checkers fill in ``named``, the latter ``granted`` and ``stored``; those of third
    parties leave them alone.
    """

    name: str = attrs.field(repr=False)
    mechanism: str
    """As in the log: "USER", "APOP", "PLAIN", "SCRAM-SHA-256" ..."""
    rules: LoginRules
    facts: ConnectionFacts
    named: Named | None = attrs.field(default=None, init=False, repr=False)
    """Whose the name is, or would be if there were such an account, and of which box, as soon as that is
    known."""
    granted: Granted | None = attrs.field(default=None, init=False)
    stored: str | None = attrs.field(default=None, init=False, repr=False)
    """The account's password hash as it was when this was granted."""

    @property
    def username(self) -> bytes:
        return octets(self.name)

    @property
    def view(self) -> View:
        """Of which maildrop, and for whom: the classic view of the inbox, unless a checker of ours granted
        more."""
        if self.granted is None or self.named is None:
            return View()
        device = self.granted.device
        return View(self.named.box, device.id if device is not None and device.view else "")


@implementer(IUsernamePassword)
@attrs.define(eq=False)
class PasswordAttempt(Attempt):
    """By a password: USER and PASS, PLAIN, LOGIN."""

    _password: str = attrs.field(repr=False)

    @property
    def password(self) -> bytes:
        return octets(self._password)

    def checkPassword(self, password: bytes) -> bool:
        return compare_digest(self.password, password)


@implementer(IUsernameHashedPassword)
@attrs.define(eq=False)
class DigestAttempt(Attempt):
    """By a digest of our challenge and a secret: APOP (RFC 1939 section 7), CRAM-MD5 (RFC 2195)."""

    _claim: DigestClaim = attrs.field(repr=False)

    def checkPassword(self, password: bytes) -> bool:
        """Whether the digest was made with this password."""
        if self.mechanism == "APOP":
            expected = md5(self._claim.challenge + password, usedforsecurity=False).hexdigest()
        else:
            expected = hmac.new(password, self._claim.challenge, "md5").hexdigest()
        return compare_digest(expected.encode("ascii"), octets(self._claim.digest))


@implementer(IUsernameHashedPassword)
@attrs.define(eq=False)
class NtlmAttempt(Attempt):
    """By an NTLMv2 response (MS-NLMP section 3.3.2)."""

    _claim: NtlmClaim = attrs.field(repr=False)

    def checkPassword(self, password: bytes) -> bool:
        """Whether the response was made with this password."""
        return ntlmv2_proves(self._claim, nt_hash(password.decode("utf-8", "replace")))


@implementer(IScramProof)
@attrs.define(eq=False)
class ScramAttempt(Attempt):
    """By a proof of SCRAM."""

    _claim: ScramClaim = attrs.field(repr=False)

    @property
    def hash(self) -> ScramHash:
        return self._claim.hash

    def server_signature(self, stored_key: bytes, server_key: bytes) -> bytes | None:
        claim = self._claim
        if not proves(stored_key, claim.auth_message, claim.proof, claim.hash):
            return None
        return server_signature(server_key, claim.auth_message, claim.hash)


@implementer(IHopeless)
@attrs.define(eq=False)
class HopelessAttempt(Attempt):
    """By something that proves nothing, whatever the password is: NTLM of version 1, the binding to another
    channel, a stamp that is spent ..."""

    _claim: HopelessClaim = attrs.field(repr=False)

    @property
    def reason(self) -> str:
        return self._claim.reason


def attempt_of(claim: Claim, rules: LoginRules, facts: ConnectionFacts) -> Attempt:
    """The credentials that a claim on the wire is."""
    common = (claim.authcid, claim.mechanism, rules, facts)
    match claim:
        case PasswordClaim():
            return PasswordAttempt(*common, claim.password)
        case DigestClaim():
            return DigestAttempt(*common, claim)
        case NtlmClaim():
            return NtlmAttempt(*common, claim)
        case ScramClaim():
            return ScramAttempt(*common, claim)
        case HopelessClaim():
            return HopelessAttempt(*common, claim)


def octets(text: str) -> bytes:
    """*text* in UTF-8, octets that were escaped at decoding restored; never fails."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
