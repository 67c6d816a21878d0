"""What changes while a server runs: devices and accounts go, keys rotate, hashes age, sources fall silent."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import re
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mailsuite.cli.context import NotReachable
from tests.system.clients import Client, greeted, within
from tests.system.harness import AT_ONCE, DEVICE, LIMITS, PASSWORDS, PATIENCE, Server, password_of
from tests.system.mechanisms import authenticate

JOE, ANN, BOB = PASSWORDS
SUE = "sue@example.test"
ALL = '["plain", "login", "scram-sha-1", "scram-sha-256", "cram-md5", "ntlm"]'
SETTINGS = LIMITS.replace("[submission]\n", f"[submission]\nauth = {ALL}\n").replace(
    "[pop3]\n", f'[pop3]\nauth = {ALL}\napop = "offer"\n'
)
OLD = 'mechanisms = ["cram-md5", "ntlm"]'

WRONG = b"-ERR [AUTH] Name or password is wrong"
WRONG_SMTP = b"535 5.7.8 That name and password do not fit together"
SYS_TEMP = b"-ERR [SYS/TEMP]"
UNAVAILABLE = b"454 4.7.0"


def is_in(answer: bytes) -> bool:
    return answer.startswith((b"+OK", b"235 2.7.0"))


def try_it(server: Server, listener: str, mechanism: str, name: str, password: str) -> bytes:
    """One login on a connection of its own; the reply that ends it."""
    with greeted(server, listener) as client:
        return authenticate(client, mechanism, name, password)


def succeeds(server: Server, listener: str, mechanism: str, name: str, password: str) -> None:
    answer = try_it(server, listener, mechanism, name, password)
    assert is_in(answer), answer


@contextlib.contextmanager
def logged_in(server: Server, listener: str, mechanism: str, name: str, password: str) -> Iterator[Client]:
    """A session."""
    with greeted(server, listener) as client:
        answer = authenticate(client, mechanism, name, password)
        assert is_in(answer), answer
        yield client


def ends_at_once(client: Client, began: float) -> None:
    """The server ends the connection AT_ONCE, counted from *began* (features row A-10)."""
    client.socket.settimeout(AT_ONCE)
    with contextlib.suppress(ConnectionResetError):
        while client.socket.recv(65_536):
            pass
    assert time.monotonic() - began < AT_ONCE


def lives_on(client: Client) -> None:
    assert client.say(b"NOOP").startswith((b"+OK", b"250"))


@contextlib.contextmanager
def four_sessions(server: Server, account: str, gone: str, kept: str) -> Iterator[Callable[[float], None]]:
    """Sessions of one account with each of two passwords. What is yielded looks at them: those of *gone*
    have ended within a second of the time it is given, and that of *kept* goes on."""
    with (
        logged_in(server, "pop3s", "PLAIN", account, gone) as pop3,
        logged_in(server, "submissions", "PLAIN", account, gone) as first,
        logged_in(server, "submissions", "SCRAM-SHA-256", account, gone) as second,
        logged_in(server, "submissions", "PLAIN", account, kept) as other,
    ):

        def look(began: float) -> None:
            for client in (pop3, first, second):
                ends_at_once(client, began)
            lives_on(other)

        yield look


def test_a_device_that_is_removed(own_server: Server) -> None:
    """Its sessions end within a second, the others of the account live, and it opens nothing any more."""
    own_server.start()
    phone, laptop = own_server.add_device(JOE, "Phone"), own_server.add_device(JOE, "Laptop")
    with four_sessions(own_server, JOE, phone, laptop) as look:
        began = time.monotonic()
        own_server.control.delete(f"/v1/accounts/{JOE}/devices/phone")
        look(began)
    assert try_it(own_server, "pop3s", "PLAIN", JOE, phone) == WRONG
    assert try_it(own_server, "submissions", "SCRAM-SHA-256", JOE, phone) == WRONG_SMTP
    succeeds(own_server, "pop3s", "PLAIN", JOE, laptop)


def test_a_device_that_is_removed_by_command(own_server: Server) -> None:
    own_server.start()
    password = own_server.cli("device", "add", JOE, "Phone", "--quiet").strip()
    with logged_in(own_server, "pop3s", "PLAIN", JOE, password) as client:
        own_server.cli("device", "remove", JOE, "Phone", "--yes")
        ends_at_once(client, time.monotonic())


def test_marks_of_a_session_that_is_cut_off(own_server: Server) -> None:
    """What it marked as deleted stays."""
    own_server.start()
    password = own_server.add_device(JOE, "Phone")
    own_server.deliver(b"Subject: x\r\n\r\nx\r\n")
    with logged_in(own_server, "pop3s", "PLAIN", JOE, password) as client:
        client.say(b"DELE 1", b"+OK")
        own_server.control.delete(f"/v1/accounts/{JOE}/devices/Phone")
        ends_at_once(client, time.monotonic())
    assert len(within(PATIENCE, own_server.messages, Exception)) == 1


def test_a_device_that_is_taken_out_of_the_file(own_server: Server) -> None:
    other = "second-device-of-joes-77"
    own_server.extra = SETTINGS
    phone, laptop = own_server.device("phone", OLD), own_server.device("laptop", password=other)
    own_server.settings = {JOE: phone + laptop}
    own_server.start()
    with four_sessions(own_server, JOE, DEVICE, other) as look:
        own_server.settings = {JOE: laptop}
        own_server.reload()
        look(time.monotonic())
    assert try_it(own_server, "pop3s", "CRAM-MD5", JOE, DEVICE) == WRONG
    own_server.settings = {JOE: own_server.device("phone", OLD) + laptop}
    own_server.reload()
    succeeds(own_server, "pop3s", "CRAM-MD5", JOE, DEVICE)


def test_a_device_that_may_do_less_by_the_file(own_server: Server) -> None:
    """What it may not do any more ends, and the command says so; what it may goes on."""
    own_server.extra = SETTINGS
    own_server.settings = {JOE: own_server.device("phone")}
    own_server.start()
    with (
        logged_in(own_server, "pop3s", "PLAIN", JOE, DEVICE) as pop3,
        logged_in(own_server, "submissions", "PLAIN", JOE, DEVICE) as submission,
    ):
        own_server.settings = {JOE: own_server.device("phone", 'scopes = ["submission"]')}
        own_server.write_config()
        began = time.monotonic()
        assert "1 session ended" in own_server.cli("reload")
        ends_at_once(pop3, began)
        lives_on(submission)
        own_server.settings = {JOE: own_server.device("phone", 'networks = ["192.0.2.0/24"]')}
        own_server.write_config()
        began = time.monotonic()
        assert "1 session ended" in own_server.cli("reload")
        ends_at_once(submission, began)
    assert "the device may do less than before" in own_server.log.read_text()


def test_an_account_that_is_disabled(own_server: Server) -> None:
    """By command, one that stands in the database, with all its passwords."""
    own_server.start()
    own_server.control.post("/v1/accounts", {"address": SUE, "password": password_of(SUE)})
    phone = own_server.add_device(SUE, "Phone")
    with (
        logged_in(own_server, "pop3s", "PLAIN", SUE, phone) as pop3,
        logged_in(own_server, "submissions", "PLAIN", SUE, password_of(SUE)) as submission,
        logged_in(own_server, "submissions", "PLAIN", ANN, PASSWORDS[ANN]) as other,
    ):
        began = time.monotonic()
        own_server.control.patch(f"/v1/accounts/{SUE}", {"state": "off"})
        ends_at_once(pop3, began)
        ends_at_once(submission, began)
        lives_on(other)
    for password in (phone, password_of(SUE)):
        assert try_it(own_server, "pop3s", "PLAIN", SUE, password) == WRONG
    own_server.control.patch(f"/v1/accounts/{SUE}", {"state": "enabled"})
    succeeds(own_server, "pop3s", "PLAIN", SUE, phone)


def test_an_account_that_is_disabled_in_the_file(own_server: Server) -> None:
    own_server.start()
    with (
        logged_in(own_server, "pop3s", "PLAIN", JOE, PASSWORDS[JOE]) as pop3,
        logged_in(own_server, "submissions", "PLAIN", JOE, PASSWORDS[JOE]) as submission,
    ):
        own_server.settings = {JOE: 'state = "off"'}
        own_server.reload()
        began = time.monotonic()
        ends_at_once(pop3, began)
        ends_at_once(submission, began)
    assert try_it(own_server, "pop3s", "PLAIN", JOE, PASSWORDS[JOE]) == WRONG


def test_pop3_that_is_denied(own_server: Server) -> None:
    """POP3 sessions end; sending and receiving go on."""
    own_server.start()
    own_server.control.post("/v1/accounts", {"address": SUE, "password": password_of(SUE)})
    with logged_in(own_server, "pop3s", "PLAIN", SUE, password_of(SUE)) as pop3:
        began = time.monotonic()
        own_server.control.patch(f"/v1/accounts/{SUE}", {"pop3": "deny"})
        ends_at_once(pop3, began)
    assert try_it(own_server, "pop3s", "PLAIN", SUE, password_of(SUE)) == WRONG
    succeeds(own_server, "submissions", "PLAIN", SUE, password_of(SUE))
    own_server.deliver(b"Subject: x\r\n\r\nx\r\n", SUE)


# Verifiers and hashes


def test_a_hash_that_was_brought_along(own_server: Server) -> None:
    """SCRAM comes with the first login that shows the password under TLS, not with one in clear."""
    from argon2 import PasswordHasher

    own_server.passwords = {BOB: PasswordHasher(1, 8, 1).hash(PASSWORDS[BOB])}
    own_server.extra = SETTINGS
    own_server.start()
    assert try_it(own_server, "pop3s", "SCRAM-SHA-256", BOB, PASSWORDS[BOB]) == WRONG
    succeeds(own_server, "pop3-trusted", "PLAIN", BOB, PASSWORDS[BOB])
    own_server.cli("key", "rotate")  # and whatever was in the background has come to its end
    assert try_it(own_server, "pop3s", "SCRAM-SHA-256", BOB, PASSWORDS[BOB]) == WRONG
    succeeds(own_server, "pop3s", "PLAIN", BOB, PASSWORDS[BOB])
    for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-1"):
        within(
            PATIENCE,
            lambda name=mechanism: succeeds(own_server, "pop3s", name, BOB, PASSWORDS[BOB]),
            AssertionError,
        )
    own_server.stop()
    own_server.start()
    succeeds(own_server, "pop3s", "SCRAM-SHA-256", BOB, PASSWORDS[BOB])


def ssha(password: str) -> str:
    salt = b"pepper-8"
    return "{SSHA}" + base64.b64encode(hashlib.sha1(password.encode() + salt).digest() + salt).decode()


SHA512_CRYPT = (
    "{SHA512-CRYPT}$6$saltsaltsalt$"
    "bK7KYPHz.jYBuhj1eI4eqkhplqXMWmmInb4Q3RxekzDiaGr3Im"
    "GFWAQX9NmVCkq0dBxIYVzsViH4PcDeK6kIV."
)


def stored_hash(server: Server, account: str) -> str:
    database = server.state / "accounts.db"
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(account)")]
        assert "password_hash" in columns, columns
        local, _, domain = account.partition("@")
        rows = connection.execute("SELECT * FROM account").fetchall()
    [row] = [row for row in rows if (local in row and domain in row) or account in row]
    return str(row[columns.index("password_hash")])


def test_an_import_and_then_logins(own_server: Server) -> None:
    """A passwd-file of Dovecot's: people log in with what they had, and the hash becomes ours."""
    own_server.extra = SETTINGS
    own_server.start()
    old = {"imp1@example.test": ssha("first-old-secret"), "imp2@example.test": SHA512_CRYPT}
    words = {"imp1@example.test": "first-old-secret", "imp2@example.test": "second-old-secret"}
    file = own_server.directory / "passwd"
    file.write_text("".join(f"{name}:{stored}:::::\n" for name, stored in old.items()))
    own_server.cli("account", "import", file)
    before = {name: stored_hash(own_server, name) for name in old}
    for name, password in words.items():
        assert try_it(own_server, "pop3s", "PLAIN", name, "wrong") == WRONG
        assert not is_in(try_it(own_server, "pop3s", "SCRAM-SHA-256", name, password))
        succeeds(own_server, "pop3s", "PLAIN", name, password)
        within(PATIENCE, lambda name=name: rehashed(own_server, name), AssertionError)
        succeeds(own_server, "pop3s", "PLAIN", name, password)
        within(
            PATIENCE,
            lambda name=name, password=password: succeeds(
                own_server, "submissions", "SCRAM-SHA-256", name, password
            ),
            AssertionError,
        )
        assert not before[name].startswith("$argon2id$")
    after = {name: stored_hash(own_server, name) for name in old}
    said = own_server.cli("account", "import", file)
    assert {name: stored_hash(own_server, name) for name in old} == after, said
    for name, password in words.items():
        succeeds(own_server, "pop3s", "PLAIN", name, password)
    own_server.stop()
    assert len(re.findall(r" login\.rehashed ", own_server.logged())) == len(old)


def rehashed(server: Server, account: str) -> None:
    assert stored_hash(server, account).startswith("$argon2id$v=19$m=19456,t=2,p=1$")


# What if


def test_what_if_apop_were_required(own_server: Server) -> None:
    """Before anything changed it tells who would be locked out, and requiring it then does just that."""
    own_server.extra = SETTINGS
    own_server.settings = {JOE: own_server.device("eudora", 'mechanisms = ["apop"]')}
    own_server.start()
    question = ("config", "check", "--what-if", "pop3.apop=require")
    assert "nobody who logged in" in own_server.cli(*question)
    succeeds(own_server, "pop3s", "PLAIN", ANN, PASSWORDS[ANN])
    succeeds(own_server, "pop3s", "SCRAM-SHA-256", BOB, PASSWORDS[BOB])
    with greeted(own_server, "pop3s") as client:
        stamp = client.read[0].rpartition(b" ")[2]
        digest = hashlib.md5(stamp + DEVICE.encode()).hexdigest()
        client.say(f"APOP {JOE} {digest}".encode(), b"+OK")
    told = within(PATIENCE, lambda: locked_out(own_server, question, {ANN}), AssertionError)
    [client_of_ann] = told["locked_out"][0]["clients"]
    assert (client_of_ann["mechanism"], client_of_ann["peer"]) == ("PLAIN", "127.0.0.1")
    own_server.extra = SETTINGS.replace('apop = "offer"', 'apop = "require"')
    own_server.reload()
    assert not is_in(try_it(own_server, "pop3s", "PLAIN", ANN, PASSWORDS[ANN]))
    succeeds(own_server, "pop3s", "SCRAM-SHA-256", BOB, PASSWORDS[BOB])
    succeeds(own_server, "pop3s", "SCRAM-SHA-256", ANN, PASSWORDS[ANN])
    within(PATIENCE, lambda: locked_out(own_server, question, set()), AssertionError)


def locked_out(
    server: Server, question: tuple[str, ...], expected: set[str]
) -> dict[str, list[dict[str, object]]]:
    """What is told, once the logins before it are recorded."""
    told = server.cli(*question, "--json", status=4 if expected else 0)
    document = json.loads(told[told.index("{") : told.rindex("}") + 1])
    document = document.get("what_if", document)
    assert {entry["account"] for entry in document["locked_out"]} == expected
    return document


# Keys


def test_keys_rotate_while_people_log_in(own_server: Server) -> None:
    own_server.extra = SETTINGS
    own_server.settings = {JOE: own_server.device("of the file", OLD)}
    own_server.start()
    passwords = {JOE: DEVICE} | {
        account: own_server.add_device(account, "all", "cram-md5", "ntlm") for account in (ANN, BOB)
    }
    answers: list[bytes] = []
    ended = threading.Event()

    def log_in_all_the_while() -> None:
        while not ended.is_set():
            for account, password in passwords.items():
                answers.append(try_it(own_server, "submissions", "CRAM-MD5", account, password))

    thread = threading.Thread(target=log_in_all_the_while)
    thread.start()
    try:
        first = seal_key(own_server)
        for _ in range(5):
            assert "There is a new key" in own_server.cli("key", "rotate")
    finally:
        ended.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert answers
    assert all(map(is_in, answers)), set(answers)
    assert seal_key(own_server) != first
    own_server.stop()
    own_server.start()
    all_log_in(own_server, passwords)


def all_log_in(server: Server, devices: dict[str, str]) -> None:
    for account, password in devices.items():
        for mechanism in ("PLAIN", "CRAM-MD5", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            succeeds(server, "submissions", mechanism, account, password)
        if account in PASSWORDS:
            succeeds(server, "submissions", "SCRAM-SHA-256", account, PASSWORDS[account])


def test_killed_while_keys_rotate(own_server: Server) -> None:
    """At whatever point it ends, all that was sealed opens again after the start."""
    own_server.extra = SETTINGS
    own_server.start()
    people = {f"p{number}@example.test": "" for number in range(12)}
    for account in people:
        own_server.control.post("/v1/accounts", {"address": account, "password": password_of(account)})
        people[account] = own_server.add_device(account, "all", "cram-md5", "ntlm")
    for kill in range(6):
        key = seal_key(own_server)
        thread = threading.Thread(target=rotate_until_killed, args=(own_server,))
        thread.start()
        within(PATIENCE, lambda key=key: is_another(own_server, key), AssertionError)
        time.sleep(0.013 * kill)  # anywhere within: that is what is tried
        own_server.kill()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        assert seal_key(own_server) != key, "nothing was under way"
        own_server.start()
        for account, password in people.items():
            succeeds(own_server, "submissions", "CRAM-MD5", account, password)
    for account, password in people.items():
        for mechanism in ("PLAIN", "NTLM", "SCRAM-SHA-1", "SCRAM-SHA-256"):
            succeeds(own_server, "submissions", mechanism, account, password)
        succeeds(own_server, "pop3s", "SCRAM-SHA-256", account, password_of(account))
    said = own_server.cli("key", "rotate")
    assert "could not be opened" not in said
    assert "seal.broken" not in own_server.logged()


def seal_key(server: Server) -> bytes:
    return (server.state / "keys" / "seal.key").read_bytes()


def is_another(server: Server, key: bytes) -> None:
    assert seal_key(server) != key


def rotate_until_killed(server: Server) -> None:
    with contextlib.suppress(NotReachable):  # it is dead
        while True:
            server.control.post("/v1/keys/rotate", {})


# What keeps us from judging


def test_a_source_that_is_down(own_server: Server) -> None:
    """It is no wrong password, by any mechanism that would ask it; who is here is let in."""
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        own_server.extra = SETTINGS + (
            f'\n[[source]]\nname = "hook"\ntype = "http"\nurl = "http://127.0.0.1:{port}/check"\n'
            'timeout = "300ms"\n'
        )
        own_server.more = f'[[account]]\naddress = "{SUE}"\n'
        own_server.start()
        for _ in range(2):  # silent: it takes the connection, and says nothing
            assert try_it(own_server, "pop3s", "PLAIN", SUE, "whatever it is").startswith(SYS_TEMP)
            assert try_it(own_server, "submissions", "LOGIN", SUE, "whatever it is").startswith(UNAVAILABLE)
    for _ in range(4):  # and now nothing listens there; four are one more than a session may fail
        assert try_it(own_server, "pop3s", "PLAIN", SUE, "whatever it is").startswith(SYS_TEMP)
    with greeted(own_server, "submissions") as client:
        for _ in range(4):
            assert authenticate(client, "PLAIN", SUE, "whatever it is").startswith(UNAVAILABLE)
    succeeds(own_server, "pop3s", "PLAIN", JOE, PASSWORDS[JOE])
    device = own_server.add_device(SUE, "Phone")
    succeeds(own_server, "pop3s", "PLAIN", SUE, device)
    assert try_it(own_server, "pop3s", "PLAIN", JOE, "wrong") == WRONG
    own_server.stop()
    assert "source.down" in own_server.logged()


def test_a_database_that_cannot_be_read(own_server: Server) -> None:
    own_server.start()
    own_server.control.post("/v1/accounts", {"address": SUE, "password": password_of(SUE)})
    succeeds(own_server, "pop3s", "PLAIN", SUE, password_of(SUE))
    own_server.stop()
    own_server.start()
    spoil(own_server.state / "accounts.db")
    for password in (password_of(SUE), "wrong"):
        for _ in range(2):
            assert try_it(own_server, "pop3s", "PLAIN", SUE, password).startswith(SYS_TEMP)
            assert try_it(own_server, "submissions", "PLAIN", SUE, password).startswith(UNAVAILABLE)
            answer = try_it(own_server, "pop3s", "SCRAM-SHA-256", SUE, password)
            assert answer.startswith(SYS_TEMP), answer


def spoil(database: Path) -> None:
    """Overwrite what the server has open, in place."""
    for file in (database, database.with_name(database.name + "-wal")):
        if file.exists():
            octets = file.stat().st_size
            with file.open("r+b") as opened:
                opened.write(b"\xff" * octets)


def test_a_key_that_is_lost(own_server: Server) -> None:
    """The server does not start as if nothing were. What does not open is our trouble, no wrong password."""
    own_server.extra = SETTINGS
    own_server.start()
    device = own_server.add_device(JOE, "Phone", "cram-md5")
    own_server.stop()
    (own_server.state / "keys" / "seal.key").unlink()
    assert "seal.key is missing" in own_server.cli("serve", status=1)
    own_server.cli("key", "new")
    own_server.start()
    assert try_it(own_server, "pop3s", "CRAM-MD5", JOE, device).startswith(SYS_TEMP)
    assert try_it(own_server, "submissions", "PLAIN", JOE, device).startswith(UNAVAILABLE)
    succeeds(own_server, "pop3s", "PLAIN", JOE, PASSWORDS[JOE])
    assert "seal.broken" in own_server.logged()
