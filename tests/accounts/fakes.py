"""Stand-ins for the accounts' tests: cheap hashes that are counted, and attempts to log in."""

from __future__ import annotations

import hashlib
import hmac
from ipaddress import ip_address

from argon2 import PasswordHasher

from mailsuite.accounts.attempt import LoginRules, attempt_of
from mailsuite.model.facts import ConnectionFacts
from mailsuite.wire.sasl.ntlm_response import nt_hash
from mailsuite.wire.sasl.scram_keys import salted_password
from mailsuite.wire.sasl.steps import DigestClaim, NtlmClaim, PasswordClaim, ScramClaim

PEER = ip_address("192.0.2.9")
SECRET = "canary-swordfish"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
HASH = CHEAP.hash(SECRET)
TLS = "TLSv1.3 TLS_AES_256_GCM_SHA384"
AUTH_MESSAGE = b"n=joe,r=1,r=12,s=QSXCR+Q6sek8bf92,i=15000,c=biws,r=12"


class CountingHasher:
    """argon2 at its cheapest; says what was verified against what."""

    def __init__(self):
        self.verified = []
        self.fails_with = None

    def hash(self, password):
        self._fail()
        return CHEAP.hash(password)

    def verify(self, stored, password):
        self.verified.append((stored, password))
        self._fail()
        return CHEAP.verify(stored, password)

    def _fail(self):
        if self.fails_with is not None:
            raise self.fails_with


def facts_of(service="pop3", peer=PEER, tls=""):
    return ConnectionFacts("s1", "pop3s", service, peer, 40_000, tls)


def attempt(
    name="joe@example.net",
    password=SECRET,
    *,
    default_domain="example.net",
    service="pop3",
    mechanism="USER",
    tls="",
    peer=PEER,
    rules=None,
):
    """A name and a password."""
    claim = PasswordClaim(mechanism, "", name, password)
    return attempt_of(claim, rules or LoginRules(default_domain), facts_of(service, peer, tls))


def digest(name, password, *, mechanism="APOP", service="pop3", peer=PEER, rules=None):
    """A digest of a challenge and a secret."""
    challenge = b"<1896.697170952@dbc.mtview.ca.us>"
    secret = password.encode()
    if mechanism == "APOP":
        shown = hashlib.md5(challenge + secret, usedforsecurity=False).hexdigest()
    else:
        shown = hmac.new(secret, challenge, "md5").hexdigest()
    claim = DigestClaim(mechanism, name, challenge, shown)
    return attempt_of(claim, rules or LoginRules("example.net", apop="offer"), facts_of(service, peer))


def ntlm(name, password, *, service="pop3"):
    """An NTLMv2 response, by MS-NLMP section 3.3.2."""
    challenge, blob = bytes(range(8)), b"\x01\x01" + bytes(42)
    key = hmac.digest(nt_hash(password), name.upper().encode("utf-16-le"), "md5")
    proof = hmac.digest(key, challenge + blob, "md5")
    claim = NtlmClaim("NTLM", name, name, "", challenge, proof, blob)
    return attempt_of(claim, LoginRules("example.net"), facts_of(service))


def scram(name, password, parameters, *, hash="sha256", service="pop3", peer=PEER, rules=None):
    """A proof of SCRAM as a client makes it, by RFC 5802 section 3."""
    salted = salted_password(password, parameters.salt, parameters.iterations, hash)
    client_key = hmac.digest(salted, b"Client Key", hash)
    signature = hmac.digest(hashlib.new(hash, client_key).digest(), AUTH_MESSAGE, hash)
    proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
    mechanism = {"sha1": "SCRAM-SHA-1", "sha256": "SCRAM-SHA-256"}[hash]
    claim = ScramClaim(mechanism, name, hash, AUTH_MESSAGE, proof)
    return attempt_of(claim, rules or LoginRules("example.net"), facts_of(service, peer))


def server_signature(password, parameters, hash="sha256"):
    """What the server must show, worked out by itself."""
    salted = salted_password(password, parameters.salt, parameters.iterations, hash)
    return hmac.digest(hmac.digest(salted, b"Server Key", hash), AUTH_MESSAGE, hash)


def held_against(credentials):
    """What the credentials are held against from now on, as a list that grows."""
    tried = []

    class Counted(type(credentials)):
        __slots__ = ()

        def checkPassword(self, password):
            tried.append(password)
            return super().checkPassword(password)

        def server_signature(self, stored_key, server_key):
            tried.append(stored_key)
            return super().server_signature(stored_key, server_key)

    credentials.__class__ = Counted
    return tried
