"""Nothing that lets somebody in ends up where people look: every secret of a server, searched for everywhere.

Every mechanism is used rightly, wrongly and in pieces, at the most talkative log level; then the log, what
commands print, process arguments and environments, and the files of the state directory are searched for
each secret, as it stands and in every coding that a careless line of code would give it.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import os
import re
import sqlite3
import stat
import subprocess
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest
from argon2 import PasswordHasher

from mailsuite.wire.sasl.md4 import md4
from tests.system.clients import greeted, within
from tests.system.harness import LIMITS, PASSWORDS, PATIENCE, Server
from tests.system.mechanisms import Scram, authenticate, steps

JOE, ANN, BOB = PASSWORDS
SUE, IMPORTED, HASHED = "sue@example.test", "imp@example.test", "hashed@example.test"
ALL = '["plain", "login", "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "cram-md5", "ntlm"]'
SETTINGS = (
    LIMITS.replace("[submission]\n", f"[submission]\nauth = {ALL}\n").replace(
        "[pop3]\n", f'[pop3]\nauth = {ALL}\napop = "offer"\n'
    )
    + '\n[log]\nlevel = "debug"\n'
)
SASL = ("PLAIN", "LOGIN", "CRAM-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256", "NTLM")
OLD = ("apop", "cram-md5", "ntlm")
LEAST_OCTETS = 8
"""What is shorter is found everywhere by chance."""


@attrs.define
class Canaries:
    """Secrets, each with what it is; and how each may have been written down."""

    known: dict[str, bytes] = attrs.field(factory=dict)
    made: int = 0

    def password(self, what: str) -> str:
        """A new password, unlike any other text."""
        self.made += 1
        text = f"Canary{self.made:02}-tH1s-1s-n0b0dys-bUt-{what}"
        return self.add(what, text)

    def add(self, what: str, text: str) -> str:
        """A password: also what old mechanisms make of it."""
        if what in self.known:
            what = f"{what} {self.made}"
        self.known[what] = text.encode()
        self.known[f"NT hash of {what}"] = md4(text.encode("utf-16-le"))
        return text

    def written(self) -> Iterator[tuple[str, bytes]]:
        """Each secret in each form that is long enough to mean something."""
        for what, octets in self.known.items():
            forms = {
                octets,
                octets.hex().encode(),
                octets.hex().upper().encode(),
                base64.b64encode(octets).rstrip(b"=")[:-1],
                base64.urlsafe_b64encode(octets).rstrip(b"=")[:-1],
                repr(octets)[2:-1].encode(),
                quote(octets).encode(),
                octets.decode("latin-1").encode("utf-16-le"),
                octets.decode("latin-1").encode("utf-8"),
                octets[::-1],
            }
            yield from ((what, form) for form in forms if len(form) >= LEAST_OCTETS)

    def in_(self, place: str, text: bytes) -> list[str]:
        """What of them stands in *text*."""
        return [f"{what} in {place}" for what, form in self.written() if form in text]


def verifiers(canaries: Canaries, what: str, password: str, scram: Scram) -> None:
    """What a SCRAM server keeps of a password, told by the salt that it sent."""
    hash = "sha1" if scram.mechanism_name == "SCRAM-SHA-1" else "sha256"
    given = dict(part.split("=", 1) for part in scram.server_first.split(","))
    salt, count = base64.b64decode(given["s"]), int(given["i"])
    salted = hashlib.pbkdf2_hmac(hash, password.encode(), salt, count)
    client_key = hmac.digest(salted, b"Client Key", hash)
    canaries.known[f"salted {what}, {hash}"] = salted
    canaries.known[f"client key of {what}, {hash}"] = client_key
    canaries.known[f"stored key of {what}, {hash}"] = hashlib.new(hash, client_key).digest()
    canaries.known[f"server key of {what}, {hash}"] = hmac.digest(salted, b"Server Key", hash)


@attrs.define
class Aviary:
    """A server whose secrets are all known, and all that was said to it and about it."""

    server: Server
    canaries: Canaries = attrs.field(factory=Canaries)
    said: list[bytes] = attrs.field(factory=list)
    """Lines of SASL exchanges, as clients sent them."""
    shown: dict[str, str] = attrs.field(factory=dict)
    """What each command printed."""
    processes: list[bytes] = attrs.field(factory=list)
    """Arguments and environments."""

    def log_in(self, listener: str, mechanism: str, name: str, password: str) -> bytes:
        with greeted(self.server, listener) as client:
            return authenticate(client, mechanism, name, password, self.said)

    def command(self, *arguments: str | Path, stdin: str = "", status: int | None = 0) -> str:
        """Run it, keep what it prints, and look at the process while it waits for its input."""
        command = [*self.server.command, "--config", str(self.server.config), *map(str, arguments)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            self.look_at(process.pid)
            said, _ = process.communicate(stdin, timeout=PATIENCE)
        assert status in {None, process.returncode}, said
        self.shown[f"{len(self.shown)}: {' '.join(map(str, arguments))}"] = said
        return said

    def look_at(self, pid: int) -> None:
        with contextlib.suppress(OSError):  # it has ended
            for file in ("cmdline", "environ"):
                self.processes.append(Path(f"/proc/{pid}/{file}").read_bytes())

    def stored(self) -> None:
        """Learn what the files of the state directory keep: hashes, sealed values, keys."""
        with contextlib.closing(sqlite3.connect(self.server.state / "accounts.db")) as connection:
            tables = [
                name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")
            ]
            for table in tables:
                for row in connection.execute(f'SELECT * FROM "{table}"'):
                    for value in row:
                        self._value(table, value)
        key = (self.server.state / "keys" / "seal.key").read_bytes()
        for number, token in enumerate(re.findall(rb"[A-Za-z0-9+/_=-]{20,}", key)):
            self.canaries.known[f"token {number} of the key file"] = token
            with contextlib.suppress(ValueError):
                self.canaries.known[f"key {number}"] = base64.b64decode(token, validate=True)
            with contextlib.suppress(ValueError):
                self.canaries.known[f"key {number}, of hex"] = bytes.fromhex(token.decode())

    def _value(self, table: str, value: object) -> None:
        what = f"value {len(self.canaries.known)} of {table}"
        if isinstance(value, bytes) and len(value) >= 2 * LEAST_OCTETS:
            self.canaries.known[what] = value
        elif isinstance(value, str) and value.startswith(("$", "{")):
            self.canaries.known[what] = value.encode()
            self.canaries.known[f"end of {what}"] = value.rpartition("$")[2].encode()

    def exchanges(self) -> None:
        """What was said is a secret too, as long as it stands for one."""
        for number, line in enumerate(self.said):
            words = line.split()[2:] if line.startswith((b"AUTH", b"APOP")) else line.split()
            for word in words:
                if len(word) >= 2 * LEAST_OCTETS:
                    self.canaries.known[f"line {number}"] = word


@pytest.fixture(scope="module")
def aviary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aviary]:
    server = Server(tmp_path_factory.mktemp("canary"), SETTINGS)
    found = Aviary(server)
    canaries = found.canaries
    server.passwords = {account: canaries.password(f"own-of-{account[:3]}") for account in PASSWORDS}
    old = canaries.password("old")
    server.settings = {JOE: server.device("old", 'mechanisms = ["apop", "cram-md5", "ntlm"]', password=old)}
    stored = PasswordHasher(1, 8, 1).hash(canaries.password("behind-a-hash"))
    canaries.known["hash in the file"] = stored.encode()
    canaries.known["end of the hash in the file"] = stored.rpartition("$")[2].encode()
    server.more = f'[[account]]\naddress = "{HASHED}"\npassword_hash = "{stored}"\n'
    with server:
        _live(found)
        yield found


def _live(aviary: Aviary) -> None:
    """All that people and administrators do, and do wrong."""
    server, canaries = aviary.server, aviary.canaries
    _administer(aviary)
    phone = canaries.add("phone", server.add_device(ANN, "phone", *OLD))
    old = canaries.known["old"].decode()
    hashed = canaries.known["behind-a-hash"].decode()
    assert aviary.log_in("pop3s", "PLAIN", HASHED, hashed).startswith(b"+OK")
    for mechanism in SASL:
        for listener in ("pop3s", "submissions", "pop3-trusted"):
            aviary.log_in(listener, mechanism, JOE, old)
            aviary.log_in(listener, mechanism, ANN, phone)
            aviary.log_in(listener, mechanism, BOB, server.passwords[BOB])
            aviary.log_in(listener, mechanism, JOE, canaries.password("wrong"))
            aviary.log_in(listener, mechanism, "nobody@example.test", canaries.password("nobodys"))
            aviary.log_in(listener, mechanism, canaries.password("name"), canaries.password("behind-name"))
            aviary.log_in(listener, mechanism, canaries.password("domain") + "@example.test", "x" * 12)
    for mechanism in ("SCRAM-SHA-1", "SCRAM-SHA-256"):
        for what, name in (("own-of-bob", BOB), ("phone", ANN), ("old", JOE)):
            _learn_verifiers(aviary, mechanism, what, name)
    _stumble(aviary, phone)
    aviary.look_at(server.process.pid if server.process else 0)


def _learn_verifiers(aviary: Aviary, mechanism: str, what: str, name: str) -> None:
    password = aviary.canaries.known[what].decode()
    scram = Scram(name, password, mechanism)
    with greeted(aviary.server, "pop3s") as client:
        answer = client.say(b"AUTH " + mechanism.encode(), b"+ ")
        for step in scram.steps():
            aviary.said.append(base64.b64encode(step(base64.b64decode(answer[2:]))))
            answer = client.say(aviary.said[-1])
        assert answer.startswith(b"+OK")
    verifiers(aviary.canaries, what, password, scram)


def _administer(aviary: Aviary) -> None:
    server, canaries = aviary.server, aviary.canaries
    first, second = canaries.password("first-of-sue"), canaries.password("second-of-sue")
    file = server.directory / "password"
    file.write_text(second + "\n")
    aviary.command("account", "add", SUE, "--stdin", stdin=first + "\n")
    aviary.command("account", "password", SUE, "--password-file", file)
    aviary.command("auth", "test", SUE, "--stdin", stdin=second + "\n")
    aviary.command("auth", "test", SUE, "--stdin", stdin=first + "\n", status=1)
    aviary.command("auth", "test", SUE, "--mechanism", "APOP", "--stdin", stdin=second + "\n", status=1)
    aviary.command(
        "account", "add", SUE, "--stdin", stdin=canaries.password("for-one-that-is-there"), status=1
    )
    old = canaries.password("imported")
    salt = b"a-salt-8"
    ssha = base64.b64encode(hashlib.sha1(old.encode() + salt).digest() + salt).decode()
    canaries.known["imported hash"] = ssha.encode()
    bad = [canaries.password(f"bad-line-{number}") for number in range(4)]
    lines = (
        f"{IMPORTED}:{{SSHA}}{ssha}:::::",
        f"bad1@example.test:{{PLAIN}}{bad[0]}:::::",
        f"bad2@example.test:{{ROT13}}{bad[1]}:::::",
        f"bad3@example.test:$9$nothing${bad[2]}:::::",
        f"{bad[3]}",
    )
    passwd = server.directory / "passwd"
    passwd.write_text("\n".join(lines) + "\n")
    aviary.command("account", "import", passwd, status=1)
    assert IMPORTED in aviary.command("account", "list")
    assert aviary.log_in("pop3s", "PLAIN", IMPORTED, old).startswith(b"+OK")


def _stumble(aviary: Aviary, phone: str) -> None:
    """Malformed exchanges, passwords in the wrong place, connections that end in the middle."""
    server, canaries = aviary.server, aviary.canaries
    for listener in ("pop3s", "submissions"):
        for mechanism in SASL:
            for spoil in (lambda line: line[:-1], lambda line: line + b"!", lambda line: line * 700):
                with greeted(server, listener) as client:
                    answer = client.say(b"AUTH " + mechanism.encode())
                    for step in steps(mechanism, ANN, phone):
                        mark, _, text = answer.partition(b" ")
                        if mark not in {b"+", b"334"}:
                            break
                        line = base64.b64encode(step(base64.b64decode(text)))
                        aviary.said.append(line)
                        with contextlib.suppress(OSError):
                            client.send(spoil(line) + b"\r\n")
                            answer = client.line()
            with greeted(server, listener) as client:
                line = base64.b64encode(f"\0{ANN}\0{phone}".encode())
                client.send(b"AUTH " + mechanism.encode() + b" " + line)  # and gone
    for listener in ("pop3", "pop3s", "pop3-trusted"):
        with greeted(server, listener) as client, contextlib.suppress(OSError):
            for command in ("USER", "PASS", "APOP", "AUTH PLAIN", "XTRA", ""):
                client.send(f"{command} {canaries.password('misplaced')}\r\n".encode())
            client.say(b"QUIT")  # if the session bears so much nonsense
        with greeted(server, listener) as client:
            client.send(f"USER {JOE}\r\nPASS {canaries.password('wrong-pass')}\r\n".encode())
            assert client.line().startswith((b"+OK", b"-ERR [SYS/PERM]"))
            assert client.line().startswith(b"-ERR")
        with greeted(server, listener) as client:
            stamp = client.read[0].rpartition(b" ")[2]
            digest = hashlib.md5(stamp + canaries.known["old"]).hexdigest()
            aviary.said.append(f"APOP {JOE} {digest}".encode())
            assert client.say(aviary.said[-1]).startswith(b"+OK")
    with greeted(server, "submission") as client:
        client.say(b"AUTH PLAIN " + base64.b64encode(f"\0{JOE}\0{canaries.password('before-tls')}".encode()))
        client.say(canaries.password("a-command").encode())
    _reload_what_is_wrong(aviary)


def _reload_what_is_wrong(aviary: Aviary) -> None:
    server, canaries = aviary.server, aviary.canaries
    short = "C4n4ry-short"
    canaries.known["short device password"] = short.encode()
    someone = '[[account]]\naddress = "x@example.test"\n'
    mistakes = (
        f'{someone}password_hash = "$9$salt${canaries.password("hash-in-file")}"',
        f'{someone}password = "{canaries.password("unknown-key")}"',
        server.account("x@example.test") + server.device("short", password=short),
        '[[source]]\nname = "hook"\ntype = "http"\n'
        f'url = "https://joe:{canaries.password("in-a-url")}@127.0.0.1/check"',
        '[[source]]\nname = "checker"\ntype = "plugin"\n'
        f'checker = "nothing-like-this:{canaries.password("in-a-checker")}"',
    )
    sound = server.more
    for mistake in mistakes:
        server.more = sound + mistake
        server.write_config()
        aviary.command("reload", status=4)
        aviary.command("config", "check", status=None)
    server.more = sound
    server.reload()


SHOWING = (
    ("config", "show"),
    ("config", "show", "--json"),
    ("config", "check"),
    ("status",),
    ("status", "--json"),
    ("account", "list"),
    ("account", "list", "--json"),
    ("account", "show", JOE),
    ("account", "show", SUE, "--json"),
    ("device", "list"),
    ("device", "list", ANN, "--json"),
)


def test_no_secret_is_shown_anywhere(aviary: Aviary) -> None:
    """Neither in the log, at its most talkative, nor by any command, nor to who lists processes."""
    for command in SHOWING:
        aviary.command(*command)
    aviary.command("key", "rotate")
    aviary.stored()
    aviary.exchanges()
    server = aviary.server
    within(PATIENCE, lambda: quiet(server), AssertionError)
    log = server.log.read_bytes()
    assert log.count(b" login.refused ") > 50
    assert b" debug " in log
    found = aviary.canaries.in_("the log", log)
    for command, text in aviary.shown.items():
        found += aviary.canaries.in_(command, text.encode())
    for arguments in aviary.processes:
        found += aviary.canaries.in_("a process", arguments)
    assert not found
    assert len(aviary.processes) > 10
    assert len(aviary.canaries.known) > 300


def quiet(server: Server) -> None:
    """All sessions are over, and what they logged is written."""
    services = server.control.get("/v1/status")["services"]
    assert not sum(int(service["sessions"]) for service in services)
    size = server.log.stat().st_size
    time.sleep(0.3)  # more than the log waits for further lines
    assert server.log.stat().st_size == size


def test_the_search_finds_what_is_there(aviary: Aviary) -> None:
    """A check that cannot fail is none."""
    [what, *_] = aviary.canaries.known
    octets = aviary.canaries.known[what]
    for form in (
        octets,
        base64.b64encode(b"x" + octets)[:0] + base64.b64encode(octets),
        octets.hex().encode(),
    ):
        assert aviary.canaries.in_("here", b"before " + form + b" after")
    assert not aviary.canaries.in_("here", b"nothing of the kind")


def test_nothing_that_proves_stands_in_a_file(aviary: Aviary) -> None:
    """Neither passwords nor what SCRAM and NTLM check by are in the databases, or beside them."""
    canaries = Canaries(
        {
            what: octets
            for what, octets in aviary.canaries.known.items()
            if not re.match(r"value|end of value|line|token|key|imported hash", what)
        }
    )
    assert len([what for what in canaries.known if what.startswith(("stored key", "NT hash"))]) > 100
    found = []
    for file in files(aviary.server.state):
        found += canaries.in_(str(file), file.read_bytes())
    assert not found
    key = (aviary.server.state / "keys" / "seal.key").read_bytes()
    for file in files(aviary.server.state):
        for token in re.findall(rb"[A-Za-z0-9+/_-]{20,}", key) if file.name != "seal.key" else ():
            assert token not in file.read_bytes()


def files(folder: Path) -> Iterable[Path]:
    return [file for file in folder.rglob("*") if file.is_file()]


def test_who_may_read_the_files(aviary: Aviary) -> None:
    state = aviary.server.state
    modes = {file: stat.S_IMODE(file.stat().st_mode) for file in files(state)}
    assert modes[state / "keys" / "seal.key"] == 0o600
    databases = {file: mode for file, mode in modes.items() if ".db" in file.name}
    assert databases
    assert not {file: oct(mode) for file, mode in databases.items() if mode & 0o077}
    assert not stat.S_IMODE((state / "keys").stat().st_mode) & 0o077


CHECKER = """
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import ICheckerFactory
from twisted.plugin import IPlugin
from zope.interface import implementer


@implementer(ICredentialsChecker)
class Broken:
    credentialInterfaces = (IUsernamePassword,)

    def requestAvatarId(self, credentials):
        password = credentials.password
        return [][len(password)]


@implementer(ICheckerFactory, IPlugin)
class Factory:
    authType = "broken"
    authHelp = "fails"
    argStringFormat = "none"
    credentialInterfaces = (IUsernamePassword,)

    def generateChecker(self, argstring=""):
        return Broken()


factory = Factory()
"""


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_a_traceback_shows_none(tmp_path: Path, mechanism: str) -> None:
    """A checker of somebody else's fails with a password in its hands: our mistake, temporary, logged."""
    plugins = tmp_path / "lib" / "twisted" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "broken_checker.py").write_text(CHECKER)
    canaries = Canaries()
    server = Server(tmp_path / "server", SETTINGS)
    server.directory.mkdir()
    server.environment = os.environ | {"PYTHONPATH": f"{tmp_path / 'lib'}:{os.environ.get('PYTHONPATH', '')}"}
    server.more = (
        f'[[account]]\naddress = "{SUE}"\n[[source]]\nname = "broken"\ntype = "plugin"\nchecker = "broken"\n'
    )
    with server:
        said: list[bytes] = []
        with greeted(server, "pop3s") as client:
            answer = authenticate(client, "PLAIN", SUE, canaries.password("own"), said)
            assert answer.startswith(b"-ERR [SYS/TEMP]")
        with greeted(server, "submissions") as client:
            answer = authenticate(client, mechanism, SUE, canaries.password("own-again"), said)
            assert answer.startswith(b"454 4.7.0")
        server.stop()
    for number, line in enumerate(said):
        canaries.known[f"line {number}"] = line.split()[-1]
    log = server.log.read_bytes()
    assert b"IndexError" in log
    assert not canaries.in_("the log", log)
