"""Signatures of Standard Webhooks: fixed ones, another's reading of ours, and what is not believed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.wire.webhook import (
    MAX_SIGNATURES,
    TOLERANCE,
    BadSecret,
    BadSignature,
    Secret,
    signed_fields,
    verify,
)

TEXT = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SECRET = Secret.parse(TEXT)
OLDER = Secret(bytes(range(24)))
ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
TIME = 1614265330
BODY = b'{"test": 2432232314}'
SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
"""Of the test vector that the libraries of Standard Webhooks share."""

SECRETS = st.binary(min_size=24, max_size=64).map(Secret)
IDS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="."), min_size=1)


def test_the_vector_of_the_standard() -> None:
    fields = signed_fields([SECRET], ID, TIME, BODY)
    assert fields == {
        "webhook-id": ID,
        "webhook-timestamp": str(TIME),
        "webhook-signature": SIGNATURE,
    }
    assert verify([SECRET], fields, BODY, TIME) == ID


@given(SECRETS, IDS, st.binary())
def test_what_is_signed_is_believed(secret: Secret, id: str, body: bytes) -> None:
    assert verify([secret], signed_fields([secret], id, TIME, body), body, TIME) == id


@given(SECRETS, IDS, st.text())
def test_others_believe_it(secret: Secret, id: str, body: str) -> None:
    now = int(datetime.now(UTC).timestamp())
    octets = body.encode("utf-8")
    standardwebhooks.Webhook(secret.text).verify(
        octets, signed_fields([secret], id, now, octets), json_parse=False
    )


@given(SECRETS, IDS, st.text())
def test_it_believes_others(secret: Secret, id: str, body: str) -> None:
    signature = standardwebhooks.Webhook(secret.text).sign(id, datetime.fromtimestamp(TIME, UTC), body)
    fields = {"Webhook-Id": id, "Webhook-Timestamp": str(TIME), "Webhook-Signature": signature}
    assert verify([secret], fields, body.encode("utf-8"), TIME) == id


def test_while_secrets_change() -> None:
    fields = signed_fields([SECRET, OLDER], ID, TIME, BODY)
    assert fields["webhook-signature"].split(" ")[0] == SIGNATURE
    assert len(fields["webhook-signature"].split(" ")) == 2
    for secrets in ([SECRET], [OLDER], [OLDER, SECRET]):
        assert verify(secrets, fields, BODY, TIME) == ID
    with pytest.raises(BadSignature, match="no signature is ours"):
        verify([Secret(bytes(32))], fields, BODY, TIME)


def test_other_kinds_of_signatures_are_passed_over() -> None:
    fields = signed_fields([SECRET], ID, TIME, BODY)
    fields["webhook-signature"] = f"v1a,AAAA v2,BBBB nonsense {SIGNATURE}"
    assert verify([SECRET], fields, BODY, TIME) == ID


def test_no_more_signatures_than_a_few_are_looked_at() -> None:
    fields = signed_fields([SECRET], ID, TIME, BODY)
    fields["webhook-signature"] = "v1,x " * (MAX_SIGNATURES - 1) + SIGNATURE
    assert verify([SECRET], fields, BODY, TIME) == ID
    fields["webhook-signature"] = "v1,x " * MAX_SIGNATURES + SIGNATURE
    with pytest.raises(BadSignature):
        verify([SECRET], fields, BODY, TIME)


@pytest.mark.parametrize("now", [TIME - TOLERANCE, TIME + TOLERANCE, TIME + 0.5])
def test_clocks_may_be_off(now: float) -> None:
    assert verify([SECRET], signed_fields([SECRET], ID, TIME, BODY), BODY, now) == ID


@pytest.mark.parametrize("now", [TIME - TOLERANCE - 1, TIME + TOLERANCE + 1, 0])
def test_what_is_old_or_to_come_is_not_believed(now: float) -> None:
    with pytest.raises(BadSignature, match="its time"):
        verify([SECRET], signed_fields([SECRET], ID, TIME, BODY), BODY, now)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"webhook-id": ""}, "no webhook-id"),
        ({"webhook-timestamp": " "}, "no webhook-timestamp"),
        ({"webhook-signature": ""}, "no webhook-signature"),
        ({"webhook-id": "other"}, "no signature"),
        ({"webhook-id": f"{ID}.1"}, "that nobody signs"),
        ({"webhook-id": "ä"}, "that nobody signs"),
        ({"webhook-timestamp": f"{TIME + 1}"}, "no signature"),
        ({"webhook-timestamp": f"0{TIME}"}, "no signature"),
        ({"webhook-timestamp": f"{TIME}.0"}, "that nobody signs"),
        ({"webhook-timestamp": "-1"}, "that nobody signs"),
        ({"webhook-timestamp": "٣"}, "that nobody signs"),
        ({"webhook-timestamp": "9" * 5000}, "that nobody signs"),
        ({"webhook-signature": SIGNATURE[:-1]}, "no signature"),
        ({"webhook-signature": SIGNATURE.removeprefix("v1,")}, "no signature"),
        ({"webhook-signature": SIGNATURE.replace("v1", "v2")}, "no signature"),
        ({"webhook-signature": "v1,ä\udc80"}, "no signature"),
    ],
)
def test_what_is_not_believed(changes: dict[str, str], why: str) -> None:
    fields = signed_fields([SECRET], ID, TIME, BODY) | changes
    with pytest.raises(BadSignature, match=why):
        verify([SECRET], fields, BODY, TIME)


def test_a_body_that_was_changed_is_not_believed() -> None:
    fields = signed_fields([SECRET], ID, TIME, BODY)
    for body in (BODY + b" ", BODY.replace(b" ", b""), b""):
        with pytest.raises(BadSignature, match="no signature is ours"):
            verify([SECRET], fields, body, TIME)
    with pytest.raises(BadSignature, match="no signature is ours"):
        verify([], fields, BODY, TIME)


@pytest.mark.parametrize("id", ["", "a.b", "a b", "a\r\n", "ä", "x" * 257])
def test_ids_that_cannot_be_signed(id: str) -> None:
    with pytest.raises(ValueError, match="cannot be signed"):
        signed_fields([SECRET], id, TIME, BODY)


def test_nothing_goes_out_unsigned() -> None:
    with pytest.raises(ValueError, match="nothing to sign with"):
        signed_fields([], ID, TIME, BODY)
    with pytest.raises(ValueError, match="cannot be signed"):
        signed_fields([SECRET], ID, -1, BODY)


@given(st.binary(min_size=24, max_size=64))
def test_secrets_there_and_back(octets: bytes) -> None:
    secret = Secret(octets)
    assert secret.text.startswith("whsec_")
    assert Secret.parse(secret.text) == secret
    assert Secret.parse(secret.text.rstrip("=")) == secret
    assert secret.text not in repr(secret)
    assert repr(octets) not in repr(secret)


@pytest.mark.parametrize(
    "text",
    [
        "",
        TEXT.removeprefix("whsec_"),
        "whsk_" + TEXT.removeprefix("whsec_"),
        "whsec_",
        "whsec_" + "A" * 28,
        "whsec_" + "A" * 88,
        "whsec_" + "A" * 33,
        "whsec_" + "_" * 32,
        "whsec_" + "ä" * 32,
        TEXT + "\n",
    ],
)
def test_secrets_that_are_none(text: str) -> None:
    with pytest.raises(BadSecret) as caught:
        Secret.parse(text)
    assert "AAAA" not in str(caught.value)


@pytest.mark.parametrize("length", [0, 23, 65])
def test_secrets_of_other_lengths(length: int) -> None:
    with pytest.raises(BadSecret, match="24 to 64 octets"):
        Secret(bytes(length))
