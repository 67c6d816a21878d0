"""Ways in: USER and PASS, APOP, AUTH, STLS (features rows P-04, P-05, P-19, P-20, A-01, A-06)."""

from __future__ import annotations

import hashlib
from base64 import b64encode

import attrs
import pytest

from mailsuite.model import response
from mailsuite.model.response import Response
from mailsuite.wire.pop3.authorization import Authorization
from mailsuite.wire.pop3.session import Disconnected, Login, SessionSettings, StartTls, Violation
from mailsuite.wire.sasl.steps import DigestClaim, HopelessClaim, PasswordClaim
from tests.wire.pop3.world import CLEAR, DIGEST, STAMP, STAMPED, World

WRONG = b"-ERR [AUTH] Name or password is wrong\r\n"
WELCOME = b"+OK 3 messages (75 octets)\r\n"
MALFORMED = b"-ERR That is not what this mechanism defines\r\n"
NAME_FIRST = b"-ERR Send USER first\r\n"
SEND_PASSWORD = b"+OK Send your password\r\n"
SASL = attrs.evolve(CLEAR, sasl_mechanisms=("PLAIN", "LOGIN"))
OFFERS_TLS = SessionSettings("h", tls_available=True)
RIGHT = b64encode(b"\0joe\0secret word")


def fresh(settings: SessionSettings = CLEAR, answers: bool = True) -> World:
    world = World(settings, answers=answers)
    world.take()
    return world


# USER and PASS


@pytest.mark.parametrize("name", [b"joe", b"JOE@example.net", b"nobody", b"a/b\\c%00", b"-x", b"[::1]"])
def test_user_accepts_any_name(name: bytes) -> None:
    """Nobody learns from USER which accounts there are."""
    world = fresh()
    assert world.say(b"USER " + name + b"\r\n") == SEND_PASSWORD
    assert not world.events


@pytest.mark.parametrize(
    ("line", "password"),
    [
        (b"PASS secret word\r\n", "secret word"),
        (b"PASS  secret \r\n", " secret "),
        (b"pass x\n", "x"),
        (b"PASS  \r\n", " "),
        (b'PASS "q" \\ <%00>\r\n', '"q" \\ <%00>'),
    ],
)
def test_a_password_is_all_behind_the_one_space(line: bytes, password: str) -> None:
    world = fresh(answers=False)
    world.say(b"USER joe\r\n" + line)
    assert world.events == [Login(PasswordClaim("USER", "", "joe", password))]
    assert password.strip() == "" or password not in repr(world.events)


def test_a_right_password_opens_the_maildrop() -> None:
    world = fresh()
    assert world.say(b"USER joe\r\nPASS secret word\r\n") == SEND_PASSWORD + WELCOME
    assert world.session.logged_in


def test_the_last_user_wins() -> None:
    world = fresh(answers=False)
    world.say(b"USER ann\r\nUSER joe\r\nPASS x\r\n")
    assert world.events == [Login(PasswordClaim("USER", "", "joe", "x"))]


@pytest.mark.parametrize(
    "between",
    [
        b"",
        b"USER joe\r\nUSER\r\n",
        b"USER joe\r\nUSER two words\r\n",
        b"USER joe\r\nUSER jos\xe9\r\n",
        b"USER joe\r\nUSER " + b"x" * 300 + b"\r\n",
        b"USER joe\r\nSTAT\r\n",
        b"USER joe\r\nPASS\r\n",
        b"USER joe\r\nPASS wrong\r\n",
        b"USER joe\r\nAPOP joe " + DIGEST + b"\r\n",
        b"USER joe\r\nAUTH\r\n",
    ],
)
def test_pass_counts_only_right_after_a_good_user(between: bytes) -> None:
    """A refused USER must not leave an older name behind for the PASS that was pipelined with it."""
    world = fresh()
    world.say(between)
    before = len(world.events)
    assert world.say(b"PASS secret word\r\n") == NAME_FIRST
    assert len(world.events) == before


@pytest.mark.parametrize("line", [b"APOP joe " + DIGEST, b"AUTH PLAIN " + RIGHT, b"AUTH"])
def test_another_way_in_makes_user_void(line: bytes) -> None:
    """Even where the other way was refused for no fault of the client's."""
    world = fresh(attrs.evolve(STAMPED, sasl_mechanisms=("PLAIN",)), answers=False)
    world.say(b"USER joe\r\n" + line + b"\r\n")
    if world.session.waiting:
        world.session.refuse(response.MAILDROP_IN_USE)
    world.take()
    assert world.say(b"PASS secret word\r\n") == NAME_FIRST


def test_capa_between_user_and_pass_is_no_harm() -> None:
    world = fresh()
    assert world.say(b"USER joe\r\nCAPA\r\nPASS secret word\r\n").endswith(WELCOME)


@pytest.mark.parametrize("command", [b"USER joe", b"PASS secret word", b"AUTH PLAIN " + RIGHT])
def test_no_password_is_looked_at_on_a_clear_connection(command: bytes) -> None:
    world = fresh(SessionSettings("h", sasl_mechanisms=("PLAIN",)))
    assert world.say(command + b"\r\n").startswith(b"-ERR [SYS/PERM] No password is taken")
    assert not world.events


# What may come back


@pytest.mark.parametrize(
    "refusal",
    [
        response.MAILDROP_IN_USE,
        response.LOGGED_IN_TOO_SOON,
        response.TEMPORARY_TROUBLE,
        response.PERMANENT_TROUBLE,
        Response(False, "", "no"),
    ],
)
def test_who_is_refused_for_another_reason_may_try_again(refusal: Response) -> None:
    """features row P-05: in AUTHORIZATION as before, however often."""
    world = fresh(STAMPED, answers=False)
    for _ in range(5):
        assert world.say(b"APOP joe " + DIGEST + b"\r\n") == b""
        assert world.session.waiting
        world.session.refuse(refusal)
        assert world.take() == refusal.encode()
        assert not world.session.closing
    world.answers = True
    assert world.say(b"USER joe\r\nPASS secret word\r\n").endswith(WELCOME)


def test_three_wrong_passwords_close() -> None:
    world = fresh()
    attempt = b"USER joe\r\nPASS guess\r\n"
    assert world.say(attempt * 4) == (SEND_PASSWORD + WRONG) * 3
    assert world.session.closing
    assert [type(event) for event in world.events] == [Login, Login, Login, Disconnected]
    assert world.events[-1] == Disconnected("failed-logins")


def test_wrong_passwords_count_over_all_ways_in_and_over_tls() -> None:
    world = fresh(attrs.evolve(STAMPED, sasl_mechanisms=("PLAIN",), tls_available=True))
    assert world.say(b"USER joe\r\nPASS guess\r\n").endswith(WRONG)
    assert world.say(b"APOP joe 00000000000000000000000000000000\r\n") == WRONG
    world.say(b"STLS\r\n")
    assert world.say(b"AUTH PLAIN " + b64encode(b"\0joe\0guess") + b"\r\n") == WRONG
    assert world.session.closing


# APOP


def test_apop() -> None:
    world = World(STAMPED)
    assert world.take() == b"+OK mail.example.net POP3 ready <1.2@mail.example.net>\r\n"
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WELCOME
    assert world.events == [Login(DigestClaim("APOP", "joe", STAMP.encode(), DIGEST.decode()))]
    assert DIGEST.decode() not in repr(world.events)


@pytest.mark.parametrize("digest", [DIGEST.upper(), DIGEST[:-1], b"x" * 32])
def test_an_apop_digest_is_lower_case_hexadecimal(digest: bytes) -> None:
    world = fresh(STAMPED)
    assert world.say(b"APOP joe " + digest + b"\r\n").startswith(b"-ERR The arguments")
    assert not world.events


def test_the_example_of_rfc_1939() -> None:
    stamp = "<1896.697170952@dbc.mtview.ca.us>"
    world = fresh(attrs.evolve(CLEAR, apop_stamp=stamp), answers=False)
    world.say(b"APOP mrose c4c9334bac560ecc979e58001b3e22fb\r\n")
    [login] = world.events
    assert login == Login(
        DigestClaim("APOP", "mrose", stamp.encode(), hashlib.md5(f"{stamp}tanstaaf".encode()).hexdigest())
    )


GUESS = b"APOP joe " + b"0" * 32 + b"\r\n"


def test_a_stamp_is_good_for_one_guess() -> None:
    """features row A-06: no further digest is looked at, and it counts as wrong credentials do."""
    world = fresh(STAMPED)
    assert world.say(GUESS) == WRONG
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WRONG
    assert world.events[1:] == [Login(HopelessClaim("APOP", "joe", "stamp-spent"))]
    assert world.say(b"USER joe\r\nPASS secret word\r\n").endswith(WELCOME)
    world = fresh(STAMPED)
    assert world.say(GUESS * 3) == WRONG * 3
    assert world.session.closing


def test_a_stamp_that_was_spent_in_clear_is_spent_inside_tls() -> None:
    world = fresh(attrs.evolve(STAMPED, tls_available=True))
    assert world.say(GUESS) == WRONG
    world.say(b"STLS\r\n")
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WRONG


@pytest.mark.parametrize(
    "before",
    [b"APOP joe " + DIGEST.upper() + b"\r\n", b"USER joe\r\nPASS guess\r\n", b"AUTH PLAIN AGEAYg==\r\n"],
)
def test_what_is_no_guess_leaves_the_stamp(before: bytes) -> None:
    world = fresh(attrs.evolve(STAMPED, sasl_mechanisms=("PLAIN",)))
    world.say(before)
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WELCOME


# APOP required


HIDDEN_ONLY = b"-ERR [AUTH] No password is taken in the open here; use APOP or SCRAM\r\n"
REQUIRING = attrs.evolve(STAMPED, apop_required=True, sasl_mechanisms=("PLAIN", "SCRAM-SHA-256"))


@pytest.mark.parametrize("tls_active", [False, True])
@pytest.mark.parametrize(
    "line",
    [
        b"USER joe",
        b"PASS secret word",
        b"AUTH PLAIN",
        b"AUTH PLAIN " + RIGHT,
        b"auth login",
        b"AUTH LOGIN am9l",
    ],
)
def test_where_apop_is_required_no_password_is_looked_at(line: bytes, tls_active: bool) -> None:
    world = World(REQUIRING, tls_active)
    world.take()
    assert world.say(line + b"\r\n") == HIDDEN_ONLY
    assert not world.events
    capabilities = world.say(b"CAPA\r\n")
    assert b"\r\nUSER\r\n" not in capabilities
    assert b"SASL SCRAM-SHA-256\r\n" in capabilities
    assert world.say(b"AUTH\r\n") == b"+OK Mechanisms follow\r\nSCRAM-SHA-256\r\n.\r\n"
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WELCOME
    assert b"\r\nUSER\r\n" not in world.say(b"CAPA\r\n")


def test_passwords_that_nobody_looked_at_are_bad_commands_and_no_failed_logins() -> None:
    world = fresh(REQUIRING)
    assert world.say(b"USER joe\r\nPASS x\r\n" + b"AUTH LOGIN\r\n") == HIDDEN_ONLY * 3
    assert not world.session.closing
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == WELCOME
    world = fresh(REQUIRING)
    assert world.say(b"USER joe\r\n" * 5) == HIDDEN_ONLY * 4
    assert world.events == [Disconnected("bad-commands")]


def test_where_apop_is_required_and_nothing_else_is_there() -> None:
    world = fresh(attrs.evolve(REQUIRING, sasl_mechanisms=("PLAIN",)))
    assert world.say(b"AUTH\r\n") == HIDDEN_ONLY
    assert world.say(b"AUTH SCRAM-SHA-256\r\n") == HIDDEN_ONLY
    assert b"SASL" not in world.say(b"CAPA\r\n")


def test_apop_needs_a_stamp_in_the_greeting() -> None:
    world = fresh()
    assert world.say(b"APOP joe " + DIGEST + b"\r\n") == b"-ERR APOP is not offered here\r\n"
    assert not world.events


# AUTH


@pytest.mark.parametrize(
    ("line", "claim"),
    [
        (b"AUTH PLAIN " + RIGHT, PasswordClaim("PLAIN", "", "joe", "secret word")),
        (b"auth plain " + b64encode(b"joe\0joe\0x"), PasswordClaim("PLAIN", "joe", "joe", "x")),
        (b"AUTH PLAIN\r\n" + RIGHT, PasswordClaim("PLAIN", "", "joe", "secret word")),
        (b"AUTH LOGIN\r\nam9l\r\nc2VjcmV0IHdvcmQ=", PasswordClaim("LOGIN", "", "joe", "secret word")),
        (b"AUTH LOGIN am9l\r\neA==", PasswordClaim("LOGIN", "", "joe", "x")),
        (b"AUTH PLAIN\n" + RIGHT, PasswordClaim("PLAIN", "", "joe", "secret word")),
        (
            b"AUTH PLAIN\r\n" + b64encode(b"\0j\0" + "pä".encode()),
            PasswordClaim("PLAIN", "", "j", "pä"),
        ),
    ],
)
def test_auth_leads_to_a_claim(line: bytes, claim: PasswordClaim) -> None:
    world = fresh(SASL, answers=False)
    world.say(line + b"\r\n")
    assert world.events == [Login(claim)]


def test_auth_line_by_line() -> None:
    world = fresh(SASL)
    assert world.say(b"AUTH PLAIN\r\n") == b"+ \r\n"
    assert world.say(RIGHT + b"\r\n") == WELCOME
    assert world.say(b"AUTH PLAIN " + RIGHT + b"\r\n") == b"-ERR You are logged in already\r\n"
    world = fresh(SASL)
    assert world.say(b"AUTH LOGIN\r\n") == b"+ VXNlcm5hbWU6\r\n"
    assert world.say(b"am9l\r\n") == b"+ UGFzc3dvcmQ6\r\n"
    assert world.say(b"c2VjcmV0IHdvcmQ=\r\n") == WELCOME


@pytest.mark.parametrize(
    ("lines", "answer"),
    [
        (b"AUTH PLAIN\r\n*\r\n", b"+ \r\n-ERR Authentication is cancelled\r\n"),
        (b"AUTH LOGIN am9l\r\n*\r\n", b"+ UGFzc3dvcmQ6\r\n-ERR Authentication is cancelled\r\n"),
        (b"AUTH PLAIN =\r\n", MALFORMED),
        (b"AUTH PLAIN ==\r\n", MALFORMED),
        (b"AUTH PLAIN *\r\n", MALFORMED),
        (b"AUTH PLAIN " + RIGHT[:-1] + b"\r\n", MALFORMED),
        (b"AUTH PLAIN " + RIGHT + b"=\r\n", MALFORMED),
        (b"AUTH PLAIN AG=pvZQ==\r\n", MALFORMED),
        (b"AUTH PLAIN !" + RIGHT + b"\r\n", MALFORMED),
        (b"AUTH PLAIN\r\n" + RIGHT + b" \r\n", b"+ \r\n" + MALFORMED),
        (b"AUTH PLAIN\r\n \r\n", b"+ \r\n" + MALFORMED),
        (b"AUTH PLAIN\r\n\xff\0\r\n", b"+ \r\n" + MALFORMED),
        (b"AUTH PLAIN\r\n\r\n", b"+ \r\n" + MALFORMED),
        (b"AUTH PLAIN " + b64encode(b"joe\0secret word") + b"\r\n", MALFORMED),
        (b"AUTH PLAIN " + b64encode(b"ann\0joe\0secret word") + b"\r\n", WRONG),
        (b"AUTH PLAIN " + b64encode(b"\0joe\0") + b"\r\n", WRONG),
        (b"AUTH PLAIN " + b64encode(b"\0joe\0guess") + b"\r\n", WRONG),
        (b"AUTH GSSAPI\r\n", b"-ERR This mechanism is not offered here\r\n"),
        (b"AUTH PLAIN a b\r\n", b"-ERR The arguments do not fit this command\r\n"),
        (b"AUTH PLAIN " + b"A" * 300 + b"\r\n", b"-ERR The command is too long\r\n"),
    ],
)
def test_an_exchange_that_fails_leaves_the_session_as_it_was(lines: bytes, answer: bytes) -> None:
    """RFC 5034 section 4: as if the client had not issued the AUTH command."""
    world = fresh(SASL)
    assert world.say(lines) == answer
    assert world.say(b"AUTH PLAIN " + RIGHT + b"\r\n") == WELCOME


def test_what_is_pipelined_into_an_exchange_is_a_response() -> None:
    """features row P-15: nothing inside AUTH is executed."""
    world = fresh(SASL)
    assert world.say(b"AUTH PLAIN\r\nQUIT\r\nCAPA\r\n").startswith(b"+ \r\n" + MALFORMED + b"+OK Capab")
    assert not world.session.closing


@pytest.mark.parametrize("piece", [0, 1, 4096])
@pytest.mark.parametrize(
    ("octets", "fits"), [(12288, True), (12289, False), (20000, False)], ids=["most", "more", "far more"]
)
def test_a_response_may_have_12288_octets(octets: int, fits: bool, piece: int) -> None:
    world = fresh(SASL)
    world.say(b"AUTH PLAIN\r\n")
    answer = world.say(b"A" * (octets - 2) + b"\r\n", piece)
    assert world.session.closing is not fits
    if fits:
        assert answer == MALFORMED
    else:
        assert answer == b"-ERR The command is too long\r\n"
        assert world.events == [Violation("oversize-response")]


def test_after_the_exchange_commands_are_short_again() -> None:
    world = fresh(SASL)
    assert world.say(b"AUTH PLAIN\r\n*\r\n" + b"N" * 600 + b"\r\n").endswith(b"too long\r\n")
    assert world.events == [Violation("oversize-command")]


def test_auth_where_nothing_is_offered() -> None:
    world = fresh()
    for line in (b"AUTH\r\n", b"AUTH PLAIN\r\n", b"AUTH PLAIN =\r\n"):
        assert world.say(line) == b"-ERR AUTH is not offered here\r\n"


def test_a_response_belongs_to_an_exchange() -> None:
    with pytest.raises(RuntimeError, match="no exchange"):
        Authorization(SASL, True).respond(b"")


@pytest.mark.parametrize(
    ("mechanism", "configured", "answer"),
    [
        (b"PLAIN", ("PLAIN", "CRAM-MD5"), b"-ERR [SYS/PERM] No password is taken"),
        (b"LOGIN", ("PLAIN", "CRAM-MD5"), b"-ERR This mechanism is not offered"),
        (b"CRAM-MD5", ("PLAIN", "CRAM-MD5"), b"+ "),
        (b"SCRAM-SHA-1", ("PLAIN", "CRAM-MD5"), b"-ERR This mechanism is not offered"),
        (b"SCRAM-SHA-256-PLUS", ("SCRAM-SHA-256-PLUS", "CRAM-MD5"), b"-ERR This mechanism is not offered"),
        (b"SCRAM-SHA-256-PLUS", ("SCRAM-SHA-256-PLUS",), b"-ERR [SYS/PERM] No password is taken"),
    ],
)
def test_on_a_clear_connection(mechanism: bytes, configured: tuple[str, ...], answer: bytes) -> None:
    """What is not offered is not accepted."""
    world = fresh(attrs.evolve(CLEAR, plaintext_login=False, sasl_mechanisms=configured))
    assert world.say(b"AUTH " + mechanism + b"\r\n").startswith(answer)
    assert not world.events


def test_binding_needs_tls_also_for_whom_we_trust() -> None:
    world = fresh(attrs.evolve(CLEAR, sasl_mechanisms=("SCRAM-SHA-256-PLUS",)))
    assert world.say(b"AUTH SCRAM-SHA-256-PLUS\r\n") == b"-ERR AUTH is not offered here\r\n"


# STLS


def test_stls_forgets_what_came_before() -> None:
    world = fresh(attrs.evolve(OFFERS_TLS, plaintext_login=True))
    assert b"STLS\r\n" in world.say(b"CAPA\r\n")
    assert world.say(b"USER joe\r\nSTLS\r\n") == SEND_PASSWORD + b"+OK Begin TLS now\r\n"
    assert world.events == [StartTls()]
    assert world.say(b"PASS secret word\r\n") == NAME_FIRST
    assert b"STLS" not in world.say(b"CAPA\r\n")
    assert world.say(b"STLS\r\n") == b"-ERR TLS is active already\r\n"
    assert world.say(b"USER joe\r\nPASS secret word\r\n") == SEND_PASSWORD + WELCOME


def test_stls_forgets_bad_commands() -> None:
    world = fresh(OFFERS_TLS)
    world.say(b"HELP\r\n" * 3)
    world.say(b"STLS\r\n")
    world.say(b"HELP\r\n" * 3)
    assert not world.session.closing


def test_passwords_become_possible_inside_tls() -> None:
    world = fresh(OFFERS_TLS)
    assert b"\r\nUSER\r\n" not in world.say(b"CAPA\r\n")
    world.say(b"STLS\r\n")
    assert b"\r\nUSER\r\n" in world.say(b"CAPA\r\n")
    assert world.say(b"USER joe\r\nPASS secret word\r\n").endswith(WELCOME)


@pytest.mark.parametrize("behind", [b"U", b"USER eve\r\n", b"\r\n", b"\x16\x03\x01"])
def test_clear_text_behind_stls_drops_the_connection(behind: bytes) -> None:
    """features row P-19: what somebody slipped in before TLS is never obeyed inside it."""
    world = fresh(OFFERS_TLS)
    assert world.say(b"STLS\r\n" + behind) == b""
    assert world.session.closing
    assert world.events == [Violation("plaintext-after-stls")]


def test_clear_text_during_the_handshake_drops_the_connection() -> None:
    world = fresh(OFFERS_TLS, answers=False)
    assert world.say(b"STLS\r\n") == b"+OK Begin TLS now\r\n"
    world.session.receive(b"")
    assert world.session.waiting
    assert world.say(b"USER eve\r\n") == b""
    assert world.session.closing
    assert world.events == [StartTls(), Violation("plaintext-after-stls")]
    world.session.tls_started()
    assert world.say(b"USER eve\r\n") == b""


def test_stls_where_there_is_no_tls() -> None:
    world = fresh()
    assert world.say(b"STLS\r\nNOOP\r\n").startswith(b"-ERR TLS is not offered here\r\n")
    assert not world.events


# TLS that is required


@pytest.mark.parametrize(
    "line", [b"USER joe", b"APOP joe " + b"0" * 32, b"AUTH", b"AUTH PLAIN", b"AUTH CRAM-MD5", b"AUTH NTLM"]
)
def test_nobody_logs_in_before_the_tls_that_is_required(line: bytes) -> None:
    """Not by what hides the password either: mail would go in clear."""
    settings = attrs.evolve(
        OFFERS_TLS, tls_required=True, apop_stamp="<1@h>", sasl_mechanisms=("PLAIN", "CRAM-MD5")
    )
    world = fresh(settings)
    assert world.say(line + b"\r\n") == response.TLS_FIRST.encode()
    assert not world.events
    assert world.say(b"STLS\r\n") == response.TLS_BEGINS.encode()
    assert world.say(b"AUTH\r\n") == b"+OK Mechanisms follow\r\nPLAIN\r\nCRAM-MD5\r\n.\r\n"
