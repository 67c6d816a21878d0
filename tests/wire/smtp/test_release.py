"""A message that its sender wants held (RFC 4865; features row U-05)."""

from __future__ import annotations

import datetime
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.envelope import MailParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.wire.smtp.events import Mail
from mailsuite.wire.smtp.release import instant, interval, release_of, spell
from tests.wire.smtp.conftest import Begin, Conversation

NOW = 1_700_000_000
"""2023-11-14T22:13:20Z, as the conversation has it."""
HOUR = 3600


@pytest.fixture
def holding(begin: Begin) -> Conversation:
    """A session that holds mail for an hour at most, after EHLO."""
    conversation = begin(hold_max=HOUR)
    conversation.say("EHLO client.example")
    conversation.events.clear()
    return conversation


def said(conversation: Conversation) -> list[MailParameters]:
    return [event.parameters for event in conversation.took(Mail)]


def test_ehlo_tells_how_long_and_up_to_when(begin: Begin) -> None:
    heard = begin(hold_max=HOUR).send(b"EHLO x\r\n")
    assert b"250-FUTURERELEASE 3600 2023-11-14T23:13:20Z\r\n" in heard


def test_it_is_offered_where_mail_may_be_submitted(begin: Begin) -> None:
    submission = {"tls_available": True, "tls_required": True, "auth_required": True, "hold_max": HOUR}
    assert b"FUTURERELEASE" not in begin(**submission).send(b"EHLO x\r\n")
    assert b"FUTURERELEASE" in begin(True, **submission).send(b"EHLO x\r\n")
    assert b"FUTURERELEASE" not in begin(True, **submission).send(b"HELO x\r\n")
    assert b"FUTURERELEASE" not in begin(True, **submission | {"hold_max": 0}).send(b"EHLO x\r\n")


@pytest.mark.parametrize(
    ("parameter", "parameters"),
    [
        ("HOLDFOR=1", MailParameters(hold_for=1)),
        ("holdfor=3600", MailParameters(hold_for=HOUR)),
        ("HOLDUNTIL=2023-11-14T22:13:21Z", MailParameters(hold_until="2023-11-14T22:13:21Z")),
        ("HOLDUNTIL=2023-11-14t23:13:20z", MailParameters(hold_until="2023-11-14t23:13:20z")),
        ("HOLDUNTIL=2023-11-15T00:13:20+01:00", MailParameters(hold_until="2023-11-15T00:13:20+01:00")),
    ],
)
def test_what_is_said_is_handed_on(holding: Conversation, parameter: str, parameters: MailParameters) -> None:
    assert holding.say(f"MAIL FROM:<> {parameter}").startswith("250 ")
    assert said(holding) == [parameters]
    assert parameters.held


@pytest.mark.parametrize(
    "parameter",
    [
        "HOLDFOR",
        "HOLDFOR=",
        "HOLDFOR=0",
        "HOLDFOR=01",
        "HOLDFOR=-1",
        "HOLDFOR=+1",
        "HOLDFOR=1.5",
        "HOLDFOR=1h",
        "HOLDFOR=0000000001",
        "HOLDFOR=1000000000",
        "HOLDFOR=\u0661",
        "HOLDFOR=1 HOLDFOR=1",
        "HOLDFOR=1 HOLDUNTIL=2023-11-14T22:13:21Z",
        "HOLDUNTIL=2023-11-14T22:13:21Z HOLDFOR=1",
        "HOLDUNTIL=2023-11-14T22:13:21Z HOLDUNTIL=2023-11-14T22:13:21Z",
        "HOLDUNTIL",
        "HOLDUNTIL=1700000001",
        "HOLDUNTIL=2023-11-14",
        "HOLDUNTIL=2023-11-14T22:13Z",
        "HOLDUNTIL=2023-11-14T22:13:21",
        "HOLDUNTIL=2023-11-14T22:13:21.Z",
        "HOLDUNTIL=2023-11-14T22:13:21+0100",
        "HOLDUNTIL=2023-11-14T22:13:21+24:00",
        "HOLDUNTIL=2023-11-14T24:13:21Z",
        "HOLDUNTIL=2023-11-14T22:60:21Z",
        "HOLDUNTIL=2023-11-14T22:13:61Z",
        "HOLDUNTIL=2023-11-31T22:13:21Z",
        "HOLDUNTIL=2023-02-29T22:13:21Z",
        "HOLDUNTIL=0000-01-01T00:00:00Z",
        "HOLDUNTIL=23-11-14T22:13:21Z",
        "HOLDUNTIL=2023-11-14T22:13:2\u0661Z",
    ],
)
def test_what_is_none(holding: Conversation, parameter: str) -> None:
    assert holding.say(f"MAIL FROM:<> {parameter}") == "501 5.5.4 A parameter is malformed, or is there twice"
    assert said(holding) == []


@pytest.mark.parametrize(
    ("parameter", "answer"),
    [
        ("HOLDFOR=3601", "501 5.5.4 No message is held here for so long; EHLO says for how long one is"),
        ("HOLDFOR=999999999", "501 5.5.4 No message is held here for so long"),
        ("HOLDUNTIL=2023-11-14T23:13:20.001Z", "501 5.5.4 No message is held here for so long"),
        ("HOLDUNTIL=9999-12-31T23:59:60-23:59", "501 5.5.4 No message is held here for so long"),
        (
            "HOLDUNTIL=2023-11-14T22:13:20Z",
            "501 5.5.4 The time up to which the message is to be held is past",
        ),
        ("HOLDUNTIL=2023-11-14T23:13:19+01:00", "501 5.5.4 The time up to which"),
        ("HOLDUNTIL=0001-01-01T00:00:00+23:59", "501 5.5.4 The time up to which"),
    ],
)
def test_what_cannot_be_waited_for(holding: Conversation, parameter: str, answer: str) -> None:
    assert holding.say(f"MAIL FROM:<> {parameter}").startswith(answer)
    assert said(holding) == []
    assert holding.say("MAIL FROM:<> HOLDFOR=3600").startswith("250 ")


def test_what_ehlo_has_told_is_taken_however_late_it_is_said(begin: Begin) -> None:
    times = iter([NOW + 0.9, NOW + 100.0])
    conversation = begin(hold_max=HOUR, seconds=lambda: next(times))
    heard = conversation.send(b"EHLO x\r\n").decode()
    latest = heard.partition("FUTURERELEASE 3600 ")[2][:20]
    assert latest == "2023-11-14T23:13:20Z"
    assert conversation.say(f"MAIL FROM:<> HOLDUNTIL={latest}").startswith("250 ")


def test_where_it_is_not_offered(greeted: Conversation) -> None:
    for parameter in ("HOLDFOR=1", "HOLDUNTIL=2023-11-14T22:13:21Z"):
        assert greeted.say(f"MAIL FROM:<> {parameter}").startswith("555 5.5.4 ")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1969-12-31T23:59:59Z", -1),
        ("2000-02-29T12:00:00-00:00", 951_825_600),
        ("2023-11-14T22:13:20.25Z", NOW + 0.25),
        ("2016-12-31T23:59:60Z", 1_483_228_800),
    ],
)
def test_times(text: str, seconds: float) -> None:
    assert instant(text) == seconds


@given(
    st.datetimes(
        min_value=datetime.datetime(2, 1, 1),
        max_value=datetime.datetime(9998, 1, 1),
        timezones=st.integers(-1439, 1439).map(
            lambda minutes: datetime.timezone(datetime.timedelta(minutes=minutes))
        ),
    )
)
def test_times_are_what_the_library_takes_them_for(moment: datetime.datetime) -> None:
    whole = moment.replace(microsecond=0)
    assert instant(whole.isoformat()) == whole.timestamp()
    assert instant(spell(whole.timestamp())) == whole.timestamp()


@given(st.text(max_size=40))
def test_no_text_does_harm(text: str) -> None:
    for read in (interval, instant):
        with suppress(PermanentFailure):
            read(text)


def test_when_it_goes() -> None:
    assert release_of(MailParameters(), NOW) == 0.0
    assert not MailParameters().held
    assert release_of(MailParameters(hold_for=60), NOW) == NOW + 60
    assert release_of(MailParameters(hold_until="2023-11-14T22:13:21Z"), 5.0) == NOW + 1
