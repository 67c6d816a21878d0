"""STARTTLS and AUTH: what a session may, before and after."""

import base64

import pytest

from mailsuite.model import reply as replies
from mailsuite.model.reply import Reply
from mailsuite.wire.sasl.steps import HopelessClaim, PasswordClaim
from mailsuite.wire.smtp.events import (
    FAILED_LOGINS,
    STARTTLS_INJECTION,
    Authenticate,
    Hello,
    Mail,
    Reset,
    StartTls,
    Violation,
)
from mailsuite.wire.smtp.session import SessionSettings

CLAIM = PasswordClaim("PLAIN", "", "joe", "secret")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


JOE = b64("\0joe\0secret")


# STARTTLS


@pytest.fixture
def clear(begin):
    """A submission session before STARTTLS, after EHLO."""
    conversation = begin(
        tls_available=True, tls_required=True, auth_required=True, auth_mechanisms=("PLAIN", "LOGIN")
    )
    conversation.say("EHLO x")
    conversation.events.clear()
    return conversation


def test_starttls_forgets_everything(begin) -> None:
    conversation = begin(tls_available=True, auth_mechanisms=("PLAIN",), plaintext_auth=True)
    assert b"STARTTLS" in conversation.send(b"EHLO x\r\n")
    assert conversation.say("STARTTLS") == "220 2.0.0 Begin TLS now"
    assert conversation.events == [Hello("x", True), StartTls()]
    session = conversation.session
    assert session.next_event() is None
    assert not session.closing
    session.tls_started()
    assert conversation.say("MAIL FROM:<>").startswith("503")
    heard = conversation.send(b"EHLO x\r\n")
    assert b"STARTTLS" not in heard
    assert b"AUTH PLAIN" in heard
    assert conversation.say("STARTTLS").startswith("503 5.5.1")
    assert conversation.say("MAIL FROM:<>").startswith("250")


def test_commands_behind_starttls_are_never_run(clear) -> None:
    heard = clear.send(b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<>\r\n")
    assert heard == replies.OUT_OF_STEP.encode()
    assert clear.session.closing
    assert [type(event) for event in clear.events] == [Violation]
    assert clear.events[0].kind == STARTTLS_INJECTION


def test_one_octet_behind_starttls_is_enough(clear) -> None:
    clear.send(b"STARTTLS\r\nE")
    assert clear.session.closing


def test_clear_octets_after_the_220_are_never_run(clear) -> None:
    assert clear.send(b"STARTTLS\r\n").startswith(b"220 ")
    assert clear.send(b"MAIL FROM:<>\r\n") == b""
    assert clear.session.closing
    assert [type(event) for event in clear.events] == [StartTls, Violation]


def test_input_behind_a_starttls_that_is_refused_runs_as_ever(begin) -> None:
    conversation = begin()
    conversation.say("EHLO x")
    assert conversation.send(b"STARTTLS\r\nNOOP\r\n").splitlines()[1].startswith(b"250")


def test_starttls_within_a_transaction(begin) -> None:
    conversation = begin(tls_available=True)
    assert conversation.say("EHLO x", "MAIL FROM:<>", "STARTTLS").startswith("503 5.5.1")


def test_starttls_after_a_login_in_clear(begin) -> None:
    conversation = begin(tls_available=True, auth_mechanisms=("PLAIN",), plaintext_auth=True)
    assert conversation.say("EHLO x", f"AUTH PLAIN {JOE}", "STARTTLS").startswith("503 5.5.1")


def test_starttls_needs_ehlo(begin) -> None:
    assert begin(tls_available=True).say("HELO x", "STARTTLS").startswith("503 5.5.1")


def test_starttls_takes_no_argument(clear) -> None:
    assert clear.say("STARTTLS now").startswith("501 5.5.4")


@pytest.mark.parametrize("line", ["MAIL FROM:<>", f"AUTH PLAIN {JOE}", "RCPT TO:<a@b>", "DATA", "VRFY x"])
def test_nothing_but_tls_where_tls_is_required(clear, line: str) -> None:
    assert clear.say(line) == "530 5.7.0 Must issue a STARTTLS command first"
    assert clear.events == []


@pytest.mark.parametrize("line", ["NOOP", "RSET", "EHLO y", "HELP"])
def test_what_is_harmless_before_tls(clear, line: str) -> None:
    assert clear.say(line).startswith("2")


def test_drain_during_a_handshake_waits_for_its_end(clear) -> None:
    clear.say("STARTTLS")
    clear.session.drain()
    assert not clear.session.closing
    clear.session.tls_started()
    assert clear.session.closing
    assert clear.session.bytes_to_send() == replies.STOPPING.encode()


def test_time_out_during_a_handshake_says_nothing_in_clear(clear) -> None:
    clear.say("STARTTLS")
    clear.session.timed_out()
    assert clear.session.closing
    assert clear.session.bytes_to_send() == b""


# AUTH


def test_mail_needs_a_login(submission) -> None:
    assert submission.say("MAIL FROM:<>").startswith("530 5.7.0")
    assert submission.say(f"AUTH PLAIN {JOE}") == replies.AUTHENTICATION_SUCCEEDED.encode().decode()[:-2]
    assert submission.say("MAIL FROM:<> AUTH=<>").startswith("250")
    assert [type(event) for event in submission.events] == [Authenticate, Mail]


@pytest.mark.parametrize(
    ("lines", "challenges", "claim"),
    [
        ([f"AUTH PLAIN {JOE}"], [], CLAIM),
        ([f"auth plain  {JOE}"], [], CLAIM),
        (["AUTH PLAIN", JOE], [""], CLAIM),
        (
            ["AUTH LOGIN", b64("joe"), b64("secret")],
            ["Username:", "Password:"],
            PasswordClaim("LOGIN", "", "joe", "secret"),
        ),
        (
            [f"AUTH LOGIN {b64('joe')}", b64("secret")],
            ["Password:"],
            PasswordClaim("LOGIN", "", "joe", "secret"),
        ),
        (["AUTH PLAIN " + b64("joe\0joe\0secret")], [], PasswordClaim("PLAIN", "joe", "joe", "secret")),
    ],
)
def test_exchanges(submission, lines: list[str], challenges: list[str], claim: PasswordClaim) -> None:
    for line, challenge in zip(lines[:-1], challenges, strict=True):
        assert submission.say(line) == f"334 {b64(challenge)}"
    assert submission.say(lines[-1]).startswith("235 2.7.0")
    assert submission.events == [Authenticate(claim)]
    assert submission.say(f"AUTH PLAIN {JOE}").startswith("503 5.5.1")


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (["AUTH"], "501 5.5.4"),
        (["AUTH FOO"], "504 5.5.4"),
        (["AUTH CRAM-MD5"], "504 5.5.4"),
        (["AUTH PLAIN x"], "501 5.5.2"),
        (["AUTH PLAIN ="], "501 5.5.2"),
        ([f"AUTH PLAIN {JOE} {JOE}"], "501 5.5.2"),
        (["AUTH PLAIN \u00e9"], "501 5.5.2"),
        (["AUTH PLAIN", "*"], "501 5.5.2"),
        (["AUTH PLAIN", "MAIL FROM:<>"], "501 5.5.2"),
        (["AUTH PLAIN", ""], "501 5.5.2"),
        (["AUTH PLAIN", JOE + "\r"], "501 5.5.2"),
        (["AUTH LOGIN", b64("joe"), "*"], "501 5.5.2"),
        (["AUTH PLAIN " + "x" * 12300], "500 5.5.6"),
        (["auth PLAIN " + "x" * 12300], "500 5.5.6"),
        (["AUTH PLAIN", "x" * 12300], "500 5.5.6"),
    ],
)
def test_exchanges_that_fail(submission, lines: list[str], answer: str) -> None:
    assert submission.say(*lines).startswith(answer)
    assert submission.events == []
    assert submission.say("NOOP").startswith("250")
    assert submission.say("MAIL FROM:<>").startswith("530")


@pytest.mark.parametrize(("fields", "reason"), [("root\0joe\0secret", "authzid"), ("\0joe\0", "empty")])
def test_hopeless_claims_are_judged_like_others(submission, fields: str, reason: str) -> None:
    """So they are logged, delayed and counted."""
    submission.answers[Authenticate] = replies.AUTHENTICATION_FAILED
    assert submission.say("AUTH PLAIN " + b64(fields)).startswith("535 5.7.8")
    assert submission.events == [Authenticate(HopelessClaim("PLAIN", "joe", reason))]


def test_long_exchanges_are_taken(submission) -> None:
    filler = "x" * (12288 - len("AUTH PLAIN \r\n"))
    assert submission.say(f"AUTH PLAIN {filler}").startswith("501 5.5.2")  # read, though it makes no sense
    submission.say("AUTH PLAIN")
    assert submission.say("x" * 12286).startswith("501 5.5.2")


@pytest.mark.parametrize(
    ("answer", "code"),
    [(replies.AUTHENTICATION_FAILED, "535 5.7.8"), (replies.AUTHENTICATION_UNAVAILABLE, "454 4.7.0")],
)
def test_logins_that_fail(submission, answer: Reply, code: str) -> None:
    submission.answers[Authenticate] = answer
    assert submission.say(f"AUTH PLAIN {JOE}").startswith(code)
    assert submission.say("MAIL FROM:<>").startswith("530")
    submission.answers[Authenticate] = replies.AUTHENTICATION_SUCCEEDED
    assert submission.say(f"AUTH PLAIN {JOE}").startswith("235")


def test_guessing_is_cut_off(submission) -> None:
    submission.answers[Authenticate] = replies.AUTHENTICATION_FAILED
    heard = submission.send(f"AUTH PLAIN {JOE}\r\n".encode() * 30)
    assert heard.count(b"535 ") == 3
    assert heard.endswith(b"421 4.7.0 Too many failed logins\r\n")
    assert submission.session.closing
    assert submission.events[-1] == Violation(FAILED_LOGINS, "3 wrong credentials")


def test_logins_that_nobody_could_judge_are_no_guesses(submission) -> None:
    submission.answers[Authenticate] = replies.AUTHENTICATION_UNAVAILABLE
    assert submission.send(f"AUTH PLAIN {JOE}\r\n".encode() * 30).count(b"454 4.7.0") == 30
    assert not submission.session.closing


def test_guesses_count_over_starttls(begin) -> None:
    conversation = begin(tls_available=True, auth_mechanisms=("PLAIN",), plaintext_auth=True)
    conversation.answers[Authenticate] = replies.AUTHENTICATION_FAILED
    conversation.say("EHLO x", *[f"AUTH PLAIN {JOE}"] * 2, "STARTTLS")
    conversation.session.tls_started()
    assert conversation.say("EHLO x").startswith("250")
    assert b"421 4.7.0" in conversation.send(f"AUTH PLAIN {JOE}\r\n".encode())


def test_auth_within_a_transaction(begin) -> None:
    conversation = begin(True, auth_mechanisms=("PLAIN",))
    assert conversation.say("EHLO x", "MAIL FROM:<>", f"AUTH PLAIN {JOE}").startswith("503 5.5.1")
    assert conversation.took(Reset) == []


def test_auth_needs_ehlo(begin) -> None:
    assert begin(True, auth_mechanisms=("PLAIN",)).say("HELO x", f"AUTH PLAIN {JOE}").startswith("503 5.5.1")


def test_no_login_in_clear(begin) -> None:
    conversation = begin(tls_available=True, auth_mechanisms=("PLAIN",))
    assert b"AUTH" not in conversation.send(b"EHLO x\r\n")
    assert conversation.say(f"AUTH PLAIN {JOE}").startswith("530 5.7.0")
    assert conversation.took(Authenticate) == []


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("AUTH PLAIN", "530 5.7.0"),
        ("AUTH LOGIN", "504 5.5.4"),
        ("AUTH SCRAM-SHA-256-PLUS", "504 5.5.4"),
        ("AUTH SCRAM-SHA-256", "334 "),
        ("AUTH SCRAM-SHA-1", "504 5.5.4"),
        ("AUTH GSSAPI", "504 5.5.4"),
    ],
)
def test_in_clear_what_is_not_offered_is_not_accepted(begin, line: str, answer: str) -> None:
    conversation = begin(auth_mechanisms=("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"))
    assert b"AUTH SCRAM-SHA-256\r\n" in conversation.send(b"EHLO x\r\n")
    assert conversation.say(line).startswith(answer)
    assert conversation.events == [Hello("x", True)]


def test_where_tls_is_required_nothing_is_offered_before(begin) -> None:
    conversation = begin(tls_available=True, tls_required=True, auth_mechanisms=("SCRAM-SHA-256",))
    assert b"AUTH" not in conversation.send(b"EHLO x\r\n")
    assert conversation.say("AUTH SCRAM-SHA-256").startswith("530 5.7.0")


def test_the_list_is_whole_inside_tls(begin) -> None:
    """features row U-02."""
    names = ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "CRAM-MD5", "NTLM")
    conversation = begin(True, auth_mechanisms=names)
    assert f"250-AUTH {' '.join(names)}\r\n".encode() in conversation.send(b"EHLO x\r\n")


def test_only_known_mechanisms() -> None:
    with pytest.raises(ValueError, match="unknown SASL mechanisms: CRAM-MD6, plain"):
        SessionSettings("h", auth_mechanisms=("PLAIN", "CRAM-MD6", "plain"))


def test_login_in_clear_where_that_is_wanted(begin) -> None:
    conversation = begin(auth_mechanisms=("PLAIN",), plaintext_auth=True)
    assert conversation.say("EHLO x", f"AUTH PLAIN {JOE}").startswith("235")


@pytest.mark.parametrize("response", [JOE, JOE + "x", "*"])
def test_a_line_feed_alone_ends_an_exchange(submission, response: str) -> None:
    submission.say("AUTH PLAIN")
    heard = submission.send(f"{response}\nMAIL FROM:<>\r\nNOOP\r\n".encode())
    assert [line[:9] for line in heard.splitlines()] == [b"501 5.5.2", b"500 5.5.2", b"250 2.0.0"]
    assert submission.events == []


def test_commands_behind_auth_wait_for_its_outcome(submission) -> None:
    submission.session.receive(f"AUTH PLAIN {JOE}\r\nMAIL FROM:<>\r\n".encode())
    assert submission.session.next_event() == Authenticate(CLAIM)
    assert submission.session.next_event() is None
    submission.session.reply(replies.AUTHENTICATION_FAILED)
    assert submission.session.next_event() is None
    assert b"\r\n530 5.7.0" in submission.session.bytes_to_send()


def test_no_event_shows_a_password(submission) -> None:
    submission.say(f"AUTH PLAIN {JOE}")
    assert "secret" not in repr(submission.events)
