"""Who is let in by what, and that all others hear the same: over real sockets, by raw dialogue."""

from __future__ import annotations

import base64
import hashlib
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.clients import Client, greeted, within
from tests.system.harness import DEVICE, LIMITS, LISTENERS, PASSWORDS, PATIENCE, Server, password_of
from tests.system.mechanisms import Scram, authenticate

JOE, ANN, BOB = PASSWORDS
OFF, DENIED = "off@example.test", "denied@example.test"
LITERAL, SHORT, FOREIGN = "ann#example.test@example.test", "x#y@example.test", "jörg@example.test"
SUE, TIM = "sue@other.test", "tim@noapop.test"

OLD = 'mechanisms = ["apop", "cram-md5", "ntlm"]'
ALL = '["plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "ntlm"]'
SASL = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "NTLM")
HIDING = SASL[2:]
SETTINGS = LIMITS.replace("[submission]\n", f'[submission]\nauth = {ALL}\nalternate_at = "#$%"\n').replace(
    "[pop3]\n", f'[pop3]\nauth = {ALL}\napop = "offer"\nalternate_at = "#$%"\n'
)

WRONG = b"-ERR [AUTH] Name or password is wrong"
WRONG_SMTP = b"535 5.7.8 That name and password do not fit together"
HIDDEN_ONLY = b"-ERR [AUTH] No password is taken in the open here; use APOP or SCRAM"


def door(name: str, *lines: str, service: str = "pop3", tls: str = "implicit") -> str:
    block = ("[[listener]]", f'name = "{name}"', f'service = "{service}"', 'bind = ["127.0.0.1"]')
    return "\n".join((*block, "port = 0", f'tls = "{tls}"', *lines)) + "\n"


DOORS = "\n".join(
    (
        LISTENERS,
        door("apop-off", 'apop = "off"'),
        door("apop-required", 'apop = "require"'),
        door("other-domain", 'default_domain = "other.test"'),
        door("submission-few", 'auth = ["plain"]', service="submission"),
        door("pop3-few", 'auth = ["scram-sha-256"]', 'apop = "off"'),
    )
)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"), SETTINGS, DOORS)
    running.accounts = (*PASSWORDS, OFF, DENIED, LITERAL, SHORT, FOREIGN)
    reading = running.device("reading", OLD, 'scopes = ["pop3"]', password="reading-only-secret-11")
    sending = running.device(
        "sending",
        'mechanisms = ["cram-md5", "ntlm"]',
        'scopes = ["submission"]',
        password="sending-only-secret-22",
    )
    here = running.device("here", OLD, 'networks = ["127.0.0.0/8"]', password="network-bound-secret-33")
    away = running.device("away", OLD, 'networks = ["192.0.2.0/24"]', password="another-network-secret-44")
    stale = running.device("stale", OLD, "expires = 2020-01-31", password="expired-device-secret-55")
    running.settings = {
        JOE: running.device("all", OLD) + reading + sending + here + away + stale,
        OFF: 'state = "off"\n' + running.device("of-off", OLD),
        DENIED: 'pop3 = "deny"\n' + running.device("of-denied", OLD),
    }
    running.more = running.account(SUE) + running.device("of-sue", OLD)
    with running:
        yield running


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Two domains decide about APOP by themselves."""
    running = Server(tmp_path_factory.mktemp("server"), SETTINGS, DOORS)
    running.settings = {JOE: running.device("all", OLD)}
    running.more = "\n".join(
        (
            '[[domain]]\nname = "other.test"\napop = "require"',
            '[[domain]]\nname = "noapop.test"\napop = "off"',
            running.account(SUE) + running.device("of-sue", OLD),
            running.account(TIM) + running.device("of-tim", OLD),
        )
    )
    with running:
        yield running


def user_pass(client: Client, name: str, password: str) -> bytes:
    client.say(b"USER " + name.encode(), b"+OK")
    return client.say(b"PASS " + password.encode())


def apop(client: Client, greeting: bytes, name: str, password: str) -> bytes:
    stamp = re.search(rb"<[^<>]+>", greeting)
    assert stamp, greeting
    digest = hashlib.md5(stamp[0] + password.encode()).hexdigest()
    return client.say(f"APOP {name} {digest}".encode())


def try_it(server: Server, listener: str, mechanism: str, name: str, password: str) -> bytes:
    """One login on a connection of its own; the reply that ends it."""
    if mechanism != "APOP":
        with greeted(server, listener) as client:
            if mechanism == "USER":
                return user_pass(client, name, password)
            return authenticate(client, mechanism, name, password)
    with greeted(server, listener) as client:
        return apop(client, client.read[0], name, password)


def is_in(answer: bytes) -> bool:
    return answer.startswith((b"+OK", b"235 2.7.0"))


# Devices: scopes, networks, expiry


@pytest.mark.parametrize(
    ("listener", "password", "let_in"),
    [
        ("pop3s", "reading-only-secret-11", True),
        ("submissions", "reading-only-secret-11", False),
        ("pop3s", "sending-only-secret-22", False),
        ("submissions", "sending-only-secret-22", True),
        ("pop3s", "network-bound-secret-33", True),
        ("submissions", "network-bound-secret-33", True),
        ("pop3s", "another-network-secret-44", False),
        ("submissions", "another-network-secret-44", False),
        ("pop3s", "expired-device-secret-55", False),
        ("submissions", "expired-device-secret-55", False),
    ],
)
@pytest.mark.parametrize("mechanism", SASL)
def test_scopes_networks_and_expiry(
    server: Server, mechanism: str, listener: str, password: str, let_in: bool
) -> None:
    answer = try_it(server, listener, mechanism, JOE, password)
    assert is_in(answer) == let_in
    if not let_in:
        assert answer == (WRONG if listener == "pop3s" else WRONG_SMTP)


# APOP


def capabilities(server: Server, listener: str) -> tuple[bytes, set[bytes]]:
    """The greeting, and the answer to CAPA."""
    with greeted(server, listener) as client:
        return client.read[0], set(client.multiline(b"CAPA"))


def test_apop_off(server: Server) -> None:
    greeting, capa = capabilities(server, "apop-off")
    assert b"<" not in greeting
    assert b"USER" in capa
    with greeted(server, "apop-off") as client:
        assert client.say(b"APOP joe@example.test " + b"0" * 32) == b"-ERR APOP is not offered here"


def test_apop_offered(server: Server) -> None:
    greeting, capa = capabilities(server, "pop3s")
    assert re.fullmatch(rb"\+OK mail\.example\.test POP3 ready <[\x21-\x7e]+@mail\.example\.test>", greeting)
    assert b"USER" in capa
    assert is_in(try_it(server, "pop3s", "APOP", JOE, DEVICE))
    assert is_in(try_it(server, "pop3s", "USER", JOE, PASSWORDS[JOE]))


def test_apop_required(server: Server) -> None:
    """Neither USER nor what shows the password is offered, or accepted; all that hides it is."""
    greeting, capa = capabilities(server, "apop-required")
    assert b"<" in greeting
    assert b"USER" not in capa
    [sasl] = [line.split()[1:] for line in capa if line.startswith(b"SASL ")]
    assert [name.decode() for name in sasl] == [
        "SCRAM-SHA-1",
        "SCRAM-SHA-256",
        "SCRAM-SHA-256-PLUS",
        "CRAM-MD5",
        "NTLM",
    ]
    for line in (b"USER joe", b"PASS x", b"AUTH PLAIN", b"AUTH LOGIN", b"AUTH PLAIN AGEAYQ=="):
        with greeted(server, "apop-required") as client:
            assert [client.say(line) for _ in range(3)] == [HIDDEN_ONLY] * 3
            assert client.say(b"QUIT").startswith(b"+OK"), "that is no failed login"
    for mechanism in HIDING:
        assert is_in(try_it(server, "apop-required", mechanism, JOE, DEVICE))
    assert is_in(try_it(server, "apop-required", "APOP", JOE, DEVICE))


def test_apop_required_by_a_domain(domains: Server) -> None:
    """Its accounts are refused as with a wrong password, at any listener; others are not concerned."""
    for listener in ("pop3s", "apop-off"):
        greeting, capa = capabilities(domains, listener)
        assert b"<" in greeting
        assert b"USER" in capa, "nobody has said yet which account it will be"
        for mechanism in ("USER", "PLAIN", "LOGIN"):
            assert try_it(domains, listener, mechanism, SUE, password_of(SUE)) == WRONG
            assert is_in(try_it(domains, listener, mechanism, JOE, PASSWORDS[JOE]))
        assert is_in(try_it(domains, listener, "SCRAM-SHA-256", SUE, password_of(SUE)))
        assert is_in(try_it(domains, listener, "APOP", SUE, DEVICE))
    assert try_it(domains, "apop-off", "APOP", JOE, DEVICE) == WRONG
    assert is_in(try_it(domains, "submissions", "PLAIN", SUE, password_of(SUE))), "that is POP3's alone"


def test_apop_off_in_a_domain(domains: Server) -> None:
    """Its accounts may show their passwords where others may not."""
    assert try_it(domains, "pop3s", "APOP", TIM, DEVICE) == WRONG
    assert is_in(try_it(domains, "pop3s", "CRAM-MD5", TIM, DEVICE))
    assert is_in(try_it(domains, "pop3s", "USER", TIM, password_of(TIM)))
    assert is_in(try_it(domains, "apop-required", "USER", TIM, password_of(TIM)))
    assert try_it(domains, "apop-required", "USER", JOE, PASSWORDS[JOE]) == WRONG


def test_a_stamp_is_good_for_one_digest(server: Server) -> None:
    """After a wrong digest the right one proves nothing on that connection, and is a failure like any other
    (features row A-06)."""
    seen = server.log.stat().st_size
    with greeted(server, "pop3s") as client:
        greeting = client.read[0]
        assert apop(client, greeting, JOE, "wrong") == WRONG
        assert apop(client, greeting, JOE, DEVICE) == WRONG
        assert is_in(user_pass(client, JOE, PASSWORDS[JOE]))
    within(PATIENCE, lambda: has_reasons(server, seen, {"wrong-digest", "stamp-spent"}), AssertionError)


def test_a_digest_in_capitals(server: Server) -> None:
    with greeted(server, "pop3s") as client:
        assert client.say(b"APOP joe@example.test " + b"ABCDEF01" * 4).startswith(b"-ERR The arguments")


# Not offered means not accepted


@pytest.mark.parametrize("mechanism", [*SASL, "SCRAM-SHA-256-PLUS"])
def test_what_is_not_offered_is_not_accepted(server: Server, mechanism: str) -> None:
    """Not even with the right password in an initial response."""
    initial = base64.b64encode(f"\0{JOE}\0{PASSWORDS[JOE]}".encode())
    if mechanism != "PLAIN":
        with greeted(server, "submission-few") as client:
            for line in (mechanism.encode(), mechanism.lower().encode() + b" " + initial):
                answer = client.say(b"AUTH " + line)
                assert answer == b"504 5.5.4 This mechanism is not available here"
    if mechanism != "SCRAM-SHA-256":
        with greeted(server, "pop3-few") as client:
            for line in (mechanism.encode(), mechanism.lower().encode() + b" " + initial):
                assert client.say(b"AUTH " + line) == b"-ERR This mechanism is not offered here"


def test_nothing_before_tls(server: Server) -> None:
    """On submission no login at all; on POP3 nothing that shows the password, from an untrusted network."""
    with greeted(server, "submission") as client:
        for mechanism in SASL:
            assert client.say(b"AUTH " + mechanism.encode()).startswith(b"530 5.7.0")
    with greeted(server, "pop3") as client:
        lines = client.multiline(b"CAPA")
        assert b"USER" not in lines
        assert [line for line in lines if line.startswith(b"SASL")] == [
            b"SASL SCRAM-SHA-1 SCRAM-SHA-256 CRAM-MD5 NTLM"
        ]
        for line in (b"USER joe@example.test", b"AUTH PLAIN", b"AUTH LOGIN"):
            assert client.say(line) == b"-ERR [SYS/PERM] No password is taken on a clear connection; use TLS"
        assert client.multiline(b"AUTH") == [b"SCRAM-SHA-1", b"SCRAM-SHA-256", b"CRAM-MD5", b"NTLM"]
        assert is_in(authenticate(client, "SCRAM-SHA-256", JOE, PASSWORDS[JOE]))
    assert is_in(try_it(server, "pop3-trusted", "PLAIN", JOE, PASSWORDS[JOE]))


# Names


@pytest.mark.parametrize(
    ("listener", "name", "account"),
    [
        ("pop3s", "joe@example.test", JOE),
        ("pop3s", "JOE@Example.TEST", JOE),
        ("pop3s", "joe", JOE),
        ("submissions", "Joe", JOE),
        ("pop3s", "joe#example.test", JOE),
        ("submissions", "joe$EXAMPLE.test", JOE),
        ("pop3s", "joe%example.test", JOE),
        ("pop3s", "ann#example.test", LITERAL),
        ("submissions", "ann#example.test", LITERAL),
        ("pop3s", "ann$example.test", ANN),
        ("pop3s", "x#y%example.test", SHORT),
        ("pop3s", "x#y", SHORT),
        ("other-domain", "joe@example.test", JOE),
        ("pop3s", "jörg@example.test", FOREIGN),
        ("submissions", "JÖRG@EXAMPLE.TEST", FOREIGN),
        ("pop3s", "jo\u0308rg", FOREIGN),
    ],
)
def test_names(server: Server, listener: str, name: str, account: str) -> None:
    """The last of the characters stands for the @, and an account that is literally so called wins."""
    others = {password_of(other) for other in server.accounts} - {password_of(account)}
    assert is_in(try_it(server, listener, "PLAIN", name, password_of(account)))
    assert is_in(try_it(server, listener, "SCRAM-SHA-256", name, password_of(account)))
    for other in others:
        assert not is_in(try_it(server, listener, "PLAIN", name, other))
    service = "submission" if listener.startswith("submission") else "pop3"
    within(PATIENCE, lambda: logged_in(server, service, account), AssertionError)


def logged_in(server: Server, service: str, account: str) -> None:
    """What the log shows is the account, whatever name was said."""
    assert re.search(rf" {service}\.login .*account={re.escape(account)} ", server.logged())


@pytest.mark.parametrize(
    ("listener", "name"),
    [
        ("pop3s", "joe!example.test"),
        ("pop3s", "joe#elsewhere.test"),
        ("pop3s", "joe@example.test#"),
        ("pop3s", "joe#example.test@example.test"),
        ("other-domain", "joe"),
        ("pop3s", "\N{DOUBLE-STRUCK ITALIC SMALL J}oe@example.test"),
        ("pop3s", "joe @example.test"),
        ("pop3s", "@example.test"),
        ("pop3s", "#"),
    ],
)
def test_names_that_are_nobodys(server: Server, listener: str, name: str) -> None:
    assert try_it(server, listener, "PLAIN", name, PASSWORDS[JOE]) == WRONG


@pytest.mark.parametrize("mechanism", ["USER", "APOP", "CRAM-MD5", "NTLM"])
def test_alternates_with_every_mechanism(server: Server, mechanism: str) -> None:
    assert is_in(try_it(server, "pop3s", mechanism, "joe#example.test", DEVICE))


def test_the_default_domain_of_a_listener(server: Server) -> None:
    assert is_in(try_it(server, "other-domain", "SCRAM-SHA-256", "sue", password_of(SUE)))
    assert is_in(try_it(server, "pop3s", "SCRAM-SHA-256", "joe", PASSWORDS[JOE]))


# The same words


@pytest.mark.parametrize("mechanism", ["USER", "APOP", *SASL])
def test_whoever_is_refused_hears_the_same(server: Server, mechanism: str) -> None:
    """Unknown, wrong, disabled, out of scope, or impossible: only the log tells which."""
    seen = server.log.stat().st_size
    secret = PASSWORDS[JOE] if mechanism in {"APOP", "CRAM-MD5", "NTLM"} else "wrong"
    tries = [
        ("nobody@example.test", DEVICE),
        ("nobody@elsewhere.test", DEVICE),
        (JOE, secret),
        (OFF, DEVICE),
        (DENIED, DEVICE),
        (JOE, "sending-only-secret-22"),
        (JOE, "another-network-secret-44"),
        (JOE, "expired-device-secret-55"),
        (BOB, DEVICE),
    ]
    answers = {last_words(server, "pop3s", mechanism, name, password) for name, password in tries}
    assert len(answers) == 1, answers
    [(_, answer)] = answers
    assert answer == WRONG
    if mechanism in SASL:
        tries = [(name, password) for name, password in tries if name != DENIED and "sending" not in password]
        answers = {last_words(server, "submissions", mechanism, name, password) for name, password in tries}
        assert len(answers) == 1, answers
        [(_, answer)] = answers
        assert answer == WRONG_SMTP
    expected = {"unknown-account", "account-off", "pop3-denied", "device-network", "device-expired"}
    if mechanism != "APOP":  # which a device for submission alone does not do
        expected.add("device-scope")
    within(PATIENCE, lambda: has_reasons(server, seen, expected), AssertionError)


def last_words(server: Server, listener: str, mechanism: str, name: str, password: str) -> tuple[int, bytes]:
    """How many lines came, and the reply, which is all that is said to a SCRAM proof as well."""
    with greeted(server, listener) as client:
        before = len(client.read)
        if mechanism == "USER":
            user_pass(client, name, password)
        elif mechanism == "APOP":
            apop(client, client.read[0], name, password)
        else:
            authenticate(client, mechanism, name, password)
        lines = client.read[before:]
    return len(lines), lines[-1]


def has_reasons(server: Server, seen: int, expected: set[str]) -> None:
    assert expected <= set(reasons_since(server, seen))


def reasons_since(server: Server, seen: int) -> list[str]:
    return re.findall(r" login\.refused .*reason=(\S+)", server.log.read_bytes()[seen:].decode())


def test_unknown_names_have_salts_like_known_ones(server: Server) -> None:
    """The same one each time, its own for each name, as long and as often hashed as a real one."""
    firsts = {}
    for name in (
        JOE,
        BOB,
        "nobody@example.test",
        "nobody@example.test",
        "someone@elsewhere.test",
        JOE.upper(),
    ):
        with greeted(server, "pop3s") as client:
            scram = Scram(name, "x")
            initial = base64.b64encode(scram.get_client_first().encode())
            answer = client.say(b"AUTH SCRAM-SHA-256 " + initial, b"+ ")
        parts = dict(part.split("=", 1) for part in base64.b64decode(answer[2:]).decode().split(","))
        assert firsts.setdefault(name.lower(), (parts["s"], parts["i"])) == (parts["s"], parts["i"])
    assert len({salt for salt, _ in firsts.values()}) == len(firsts)
    assert len({(len(salt), count) for salt, count in firsts.values()}) == 1
    assert all(int(count) >= 10_000 for _, count in firsts.values())


# What failing costs


def timed(client: Client, password: str) -> tuple[float, bytes]:
    began = time.monotonic()
    answer = client.say(b"AUTH PLAIN " + base64.b64encode(f"\0{JOE}\0{password}".encode()))
    return time.monotonic() - began, answer


@pytest.fixture
def slow(tmp_path: Path) -> Iterator[Server]:
    settings = LIMITS.replace('failure_delay = "0s"', 'failure_delay = "500ms"')
    with Server(tmp_path, settings) as running:
        yield running


@pytest.mark.parametrize(
    ("listener", "refused", "end"),
    [
        ("pop3s", WRONG, b""),
        ("submissions", WRONG_SMTP, b"421 4.7.0 Too many failed logins"),
    ],
)
def test_each_failure_takes_longer_and_the_third_ends_the_session(
    slow: Server, listener: str, refused: bytes, end: bytes
) -> None:
    with greeted(slow, listener) as client:
        first, answer = timed(client, "wrong")
        assert answer == refused
        second, answer = timed(client, "wrong")
        assert answer == refused
        assert 0.5 <= first < 1.0 <= second
        third, answer = timed(client, "wrong")
        assert third >= 2.0
        assert answer in {refused, end}
        assert client.rest() in {b"", end + b"\r\n"}
    with greeted(slow, listener) as client:
        took, answer = timed(client, PASSWORDS[JOE])
        assert is_in(answer)
        assert took < 2.0, "who is right does not wait"
    with greeted(slow, listener) as client:
        again, _ = timed(client, "wrong")
        assert 0.5 <= again < 2.0, "the success has taken the failures back"


def test_a_client_that_leaves_while_it_waits(tmp_path: Path) -> None:
    """Nothing of it is left: no session, no timer that holds the stop up, no failure in the log."""
    settings = LIMITS.replace('failure_delay = "0s"', 'failure_delay = "25s"\nfailure_delay_maximum = "25s"')
    with Server(tmp_path, settings) as server:
        with greeted(server, "pop3s") as pop3, greeted(server, "submissions") as submission:
            for client in (pop3, submission):
                client.send(b"AUTH PLAIN " + base64.b64encode(f"\0{JOE}\0wrong".encode()) + b"\r\n")
            within(PATIENCE, lambda: refused_twice(server), AssertionError)
            assert sessions(server) == 2
        within(1.0, lambda: gone(server), AssertionError)
        began = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - began < 10.0
        assert "Traceback" not in server.logged()


def refused_twice(server: Server) -> None:
    assert len(reasons_since(server, 0)) == 2


def sessions(server: Server) -> int:
    return sum(int(service["sessions"]) for service in server.control.get("/v1/status")["services"])


def gone(server: Server) -> None:
    assert sessions(server) == 0


# Rows P-20 and U-02


def test_the_dialogue_of_pop3_auth(server: Server) -> None:
    """RFC 5034: empty challenges, the = for an empty response, *, strict base64, long lines, AUTH again."""
    plain = base64.b64encode(f"\0{JOE}\0{PASSWORDS[JOE]}".encode())
    malformed = b"-ERR That is not what this mechanism defines"
    for response in (b"=", plain[:8] + b"=" + plain[8:], plain + b"!", plain + b"=", b"A" * 12_286):
        with greeted(server, "pop3s") as client:  # a fourth bad command in a row would end the session
            assert client.say(b"AUTH PLAIN") == b"+ "
            assert client.say(response) == malformed
            assert client.say(b"auth plain") == b"+ "
            assert client.say(b"*") == b"-ERR Authentication is cancelled"
    with greeted(server, "pop3s") as client:
        assert client.say(b"AUTH PLAIN =") == malformed
        assert client.say(b"AUTH PLAIN") == b"+ "
        assert client.say(plain).startswith(b"+OK")
        assert client.say(b"AUTH PLAIN " + plain) == b"-ERR You are logged in already"
        assert client.say(b"STAT").startswith(b"+OK")


def test_the_dialogue_of_smtp_auth(server: Server) -> None:
    """RFC 4954: 334, 501, 500 5.5.6, 503 in a transaction and after a login, AUTH= on MAIL."""
    plain = base64.b64encode(f"\0{JOE}\0{PASSWORDS[JOE]}".encode())
    with greeted(server, "submissions") as client:
        assert client.say(b"AUTH") == b"501 5.5.4 This command needs an argument"
        assert client.say(b"AUTH PLAIN") == b"334 "
        assert client.say(b"*") == b"501 5.5.2 Authentication is cancelled"
        assert client.say(b"AUTH PLAIN =") == b"501 5.5.2 That is not what this mechanism defines"
        assert (
            client.say(b"AUTH PLAIN " + plain + b"=") == b"501 5.5.2 That is not what this mechanism defines"
        )
        assert client.say(b"AUTH DIGEST-MD5").startswith(b"504 5.5.4")
        assert client.say(b"AUTH PLAIN") == b"334 "
        assert client.say(b"A" * 12_300).startswith(b"500 5.5.6")
        assert client.say(b"MAIL FROM:<joe@example.test>").startswith(b"530 5.7.0")
        assert client.say(b"AUTH PLAIN " + plain).startswith(b"235 2.7.0")
        assert client.say(b"AUTH PLAIN " + plain).startswith(b"503 5.5.1")
        assert client.say(b"MAIL FROM:<joe@example.test> AUTH=<>").startswith(b"250 2.1.0")
        assert client.say(b"AUTH PLAIN " + plain).startswith(b"503 5.5.1")
