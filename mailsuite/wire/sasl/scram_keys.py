"""The arithmetic of SCRAM (RFC 5802 section 3), for whoever makes, keeps and tries its keys."""

from __future__ import annotations

import hashlib
import hmac

from mailsuite.wire.sasl.saslprep import saslprep
from mailsuite.wire.sasl.steps import ScramHash


def salted_password(password: str, salt: bytes, iterations: int, hash: ScramHash) -> bytes:
    """SaltedPassword: slow, as *iterations* says. ValueError where SASLprep prohibits the password.

    RFC 5802 section 2.2 would refuse characters that Unicode 3.2 did not know. They are taken here, since
    clients that take them agree on what they become.
    """
    return hashlib.pbkdf2_hmac(hash, saslprep(password).encode("utf-8"), salt, iterations)


def stored_key(salted: bytes, hash: ScramHash) -> bytes:
    """StoredKey, by which the client is known. It is no password, yet lets whoever has it try passwords."""
    client_key = hmac.digest(salted, b"Client Key", hash)
    return hashlib.new(hash, client_key).digest()


def server_key(salted: bytes, hash: ScramHash) -> bytes:
    """ServerKey, by which the server is known."""
    return hmac.digest(salted, b"Server Key", hash)


def proves(stored_key: bytes, auth_message: bytes, proof: bytes, hash: ScramHash) -> bool:
    """Whether *proof* was made by somebody who knows the password behind *stored_key*; in constant time."""
    signature = hmac.digest(stored_key, auth_message, hash)
    if len(proof) != len(signature):
        return False
    client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
    return hmac.compare_digest(hashlib.new(hash, client_key).digest(), stored_key)


def server_signature(server_key: bytes, auth_message: bytes, hash: ScramHash) -> bytes:
    """ServerSignature, by which the client sees that we know it."""
    return hmac.digest(server_key, auth_message, hash)
