"""Which mechanisms there are, and who is offered them."""

from __future__ import annotations

import pytest

from mailsuite.wire.sasl.mechanisms import HIDING, MECHANISMS, offered
from mailsuite.wire.sasl.steps import ScramQuestion
from tests.wire.sasl.world import b64, exchange_of

ALL = ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "SCRAM-SHA-1", "CRAM-MD5", "LOGIN", "NTLM")


def test_all_of_them() -> None:
    assert set(MECHANISMS) == set(ALL)
    assert set(ALL) - HIDING == {"PLAIN", "LOGIN"}


@pytest.mark.parametrize(
    ("plaintext", "bound", "names"),
    [
        (True, True, ALL),
        (True, False, ALL[1:]),
        (False, True, ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "NTLM")),
        (False, False, ("SCRAM-SHA-256", "SCRAM-SHA-1", "CRAM-MD5", "NTLM")),
    ],
)
def test_offers(plaintext: bool, bound: bool, names: tuple[str, ...]) -> None:
    bindings = {"tls-exporter": b"x"} if bound else {}
    assert offered(ALL, plaintext, bindings) == names
    assert offered((), plaintext, bindings) == ()


@pytest.mark.parametrize(
    ("mechanism", "hash"), [("SCRAM-SHA-1", "sha1"), ("SCRAM-SHA-256", "sha256"), (ALL[0], "sha256")]
)
def test_hashes(mechanism: str, hash: str) -> None:
    header = b"p=tls-exporter,," if mechanism.endswith("-PLUS") else b"n,,"
    question = exchange_of(mechanism).start(b64(header + b"n=joe,r=x"))
    assert isinstance(question, ScramQuestion)
    assert question.hash == hash
