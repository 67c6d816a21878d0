"""Our POP3 dialogues played against other people's servers, and the page that tells where each deviates.

python -m tests.interop.foreign > docs/reference/pop3-servers.md
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.dialogs.dialog import Connect, Dialog, Step, load
from tests.dialogs.live import LiveServer, trusting
from tests.dialogs.play import Cut, Mismatch, Missing, play
from tests.dialogs.scene import Scene, fill_maildir
from tests.interop.courier import PACKAGES, PROBE, Courier, chown, unpacked
from tests.interop.dovecot import PASSWORD, Dovecot
from tests.interop.programs import SEARCH_PATH
from tests.interop.verdicts import OF

ROOT = Path(__file__).parents[2]
DIALOGUES = ROOT / "tests" / "dialogs"
PAGE = ROOT / "docs" / "reference" / "pop3-servers.md"
PATIENCE = 8.0
"""Seconds that a server may be silent; Courier waits five after a wrong password."""
AT_ONCE = 24
"""Dialogues: most of the time they wait for a server that says nothing."""

_CERTIFICATE = (
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
    *("-nodes", "-days", "2", "-subj", "/CN=localhost"),
)

Ports = Mapping[tuple[str, str, str], int]
Door = tuple[str, str, str]
DOORS: tuple[Door, ...] = (("pop3", "no", "usual"), ("pop3", "yes", "usual"))


@attrs.frozen
class Foreign:
    """A running server of somebody else."""

    name: str
    version: str
    address: str
    ports: Ports
    maildir: Callable[[str], Path]
    """Of a user."""


def playable(service: str, doors: Sequence[Door]) -> list[Path]:
    """The dialogues of a service that need nothing but the doors which anybody's server has.

    The others are about our own settings: ways to log in, rules of a listener, networks that are trusted.
    """
    return [
        path
        for path in sorted(DIALOGUES.glob(f"{service}-*.txt"))
        if all((each.service, each.tls, each.login) in doors for each in load(path).connects)
    ]


def dialogues() -> dict[str, Path]:
    """Those of POP3, by the user that each has of its own."""
    return {f"joe{number}@example.test": path for number, path in enumerate(playable("pop3", DOORS))}


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """One that everybody may enter, with a short path and a certificate."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        path = Path(name)
        path.chmod(0o755)
        subprocess.run(
            [*_CERTIFICATE, "-keyout", f"{path}/key.pem", "-out", f"{path}/pem"],
            check=True,
            capture_output=True,
        )
        both = path / "both.pem"
        both.write_bytes((path / "key.pem").read_bytes() + (path / "pem").read_bytes())
        yield path


@contextlib.contextmanager
def dovecot() -> Iterator[Foreign]:
    """Debian's Dovecot, told to take no password in clear, as we do."""
    with folder() as base:
        (base / "mail").mkdir()
        server = Dovecot(base / "d", f"{base}/mail/%u", _with_tls(base), "127.0.0.2", list(dialogues()))
        server.base.mkdir()
        server.base.chmod(0o755)
        with server:
            ports = _ports(server.pop3_port, server.pop3s_port)
            yield Foreign(
                "Dovecot", _version("dovecot", "--version"), server.address, ports, (base / "mail").joinpath
            )


def _with_tls(base: Path) -> str:
    return f"""
ssl = yes
ssl_cert = <{base}/pem
ssl_key = <{base}/key.pem
disable_plaintext_auth = yes
"""


@contextlib.contextmanager
def courier() -> Iterator[Foreign]:
    """Debian's courier-pop, with USER and PASS in clear, which it always takes."""
    root = unpacked(ROOT / ".venv" / "peers" / "courier", PACKAGES)
    with folder() as base:
        both = base / "both.pem"
        os.chmod(both, 0o644)
        version = _version("dpkg-deb", "--field", *root.parent.glob("courier-pop_*.deb"), "Version")
        with Courier(base, root, both, [PROBE, *dialogues()]) as server:
            ports = _ports(server.port, server.tls_port)
            yield Foreign("Courier", version, "127.0.0.1", ports, server.maildir)


def _version(*command: str | Path) -> str:
    done = subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": SEARCH_PATH})
    return done.stdout.split()[0]


def _ports(clear: int, tls: int) -> Ports:
    return dict(zip(DOORS, (clear, tls), strict=True))


def outcomes(server: Foreign) -> dict[str, str]:
    """How each of the dialogues went: empty where it went as ours does."""
    plays = dialogues()
    for user in plays:
        _fill(server.maildir(user))
    with ThreadPoolExecutor(AT_ONCE) as pool:
        words = pool.map(lambda user: played(plays[user], server, Scene(user=user, password=PASSWORD)), plays)
        return {path.stem: each for path, each in zip(plays.values(), words, strict=True)}


def _fill(maildir: Path) -> None:
    """Nobody uses it yet: a server may still be moving what it has shown in a session that has ended."""
    maildir.mkdir(exist_ok=True)
    fill_maildir(maildir)
    for file in (maildir / "new").iterdir():  # as their own deliveries would have stored it
        file.write_bytes(file.read_bytes().replace(b"\r\n", b"\n"))
    chown(maildir)


def played(path: Path, server: Foreign, scene: Scene) -> str:
    """How a dialogue went: empty where it went as ours does. Where the server has no such door it ends."""
    live = LiveServer(server.address, server.ports, trusting(), PATIENCE)
    dialog = up_to_a_door_that_is_missing(load(path, scene), server.ports)
    try:
        play(dialog, live, Cut.TOGETHER if dialog.together else Cut.LINES)
    except (Mismatch, OSError) as error:
        return _in_short(str(error), path, scene.user)
    return ""


def up_to_a_door_that_is_missing(dialog: Dialog, ports: Ports) -> Dialog:
    """The steps before the first connection that is not possible."""

    def is_possible(step: Step) -> bool:
        return not isinstance(step, Connect) or (step.service, step.tls, step.login) in ports

    return attrs.evolve(dialog, steps=tuple(itertools.takewhile(is_possible, dialog.steps)))


def obeys_injection(server: Foreign, door: Door = DOORS[0], said: bytes = b"STLS\r\nCAPA\r\n") -> bool:
    """Whether a command that came in clear behind STLS (or STARTTLS) is answered under TLS."""
    live = LiveServer(server.address, server.ports, trusting(), PATIENCE)
    connection = live.connect(*door)
    try:
        connection.line()
        connection.send(said)
        connection.line()
        try:
            connection.start_tls()
            connection.send(b"QUIT\r\n")
            connection.line()
        except Missing:  # it does not go on
            return False
        try:
            connection.closed()
        except Missing:  # there is more than the answer to QUIT
            return True
        return False
    finally:
        connection.close()


_PLACE = re.compile(r"^\S+\.txt:([0-9]+) \([a-z]+\): ")


def _in_short(words: str, path: Path, user: str) -> str:
    """What went wrong, without what differs from run to run, and what it is the answer to."""
    place = _PLACE.match(words)
    number = int(place[1]) if place else 0
    first, *before = (line.strip() for line in _PLACE.sub("", words).splitlines())
    if "says nothing" in first and before[-1:] and (last := before[-1]).startswith("S: "):
        first = f"after {last[3:]} {first}"
    first = first.replace(user, "{user}").replace("\\r\\n", "")
    first = re.sub(r"UID[0-9]+-[0-9]+", "{uidl}", re.sub(r"\bb(?=['\"])", "", first))
    first = re.sub(r"queued as [0-9A-F]+", "queued as {id}", first)
    first = first if len(first) <= 160 else first[:160] + "…"
    asked = _asked(path.read_text(encoding="utf-8").splitlines()[: number - 1])
    return f"line {number}, {asked}{first}"


def _asked(before: list[str]) -> str:
    """The one command that the last of these lines of a dialogue has the answer to, if it is plain which."""
    said = list(itertools.dropwhile(lambda line: line[:1] in ("S", "#", ""), reversed(before)))
    if len(said) > 1 and said[0].startswith("C: ") and not said[1].startswith("C"):
        return f"`{said[0][3:]}`: "
    return ""


_HEAD = """\
# Where other POP3 servers deviate

Our dialogues (`tests/dialogs/pop3-*.txt`) are a conformance suite that can be played against any server;
[its README](../../tests/dialogs/README.md) says how. This page is made by `python -m tests.interop.foreign`,
which plays those that need no settings of ours against Debian 12's Dovecot and Courier, and
`tests/interop/test_foreign_pop3.py` checks that it is true. Dovecot is told to take no password in clear, and
Courier is told to offer AUTH PLAIN; everything else is as it comes.

A dialogue ends with the first step that goes another way, so one difference may hide another. The tables say
in which line of the file that is, to which command, what we expect and what came.

Not every difference is a fault. Where the RFCs leave a choice our dialogues know one answer, ours; those are
in a table of their own. Of the faults, three matter to users:

- Courier obeys, inside TLS, what came in clear behind STLS (`pop3-stls-injection`): who can write into the
  connection puts commands of their own into the session. It is CVE-2021-38084. Dovecot does not do it.
- Courier announces PIPELINING and loses commands that arrive with the password (`pop3-login-pieces`,
  `pop3-pipelining-session`): a client that pipelines waits for an answer that never comes.
- Neither doubles the dot that a whole message begins with (`pop3-retr-dots`): a client that undoes the
  doubling loses it. No well-formed message begins so.
"""


def page(results: Iterable[tuple[Foreign, Mapping[str, str]]]) -> str:
    """*results*: what outcomes() gave for each server."""
    return "\n".join((_HEAD, *(tables(server, found) for server, found in results)))


def tables(server: Foreign, found: Mapping[str, str]) -> str:
    """What the page says of a server."""
    same = sum(not words for words in found.values())
    parts = [
        f"## {server.name}\n\nVersion {server.version}. {same} of {len(found)} dialogues go as with us.\n"
    ]
    other = {stem: words for stem, words in found.items() if words}
    broken = {stem for stem in other if not OF[server.name].get(stem, "?").startswith("none")}
    for title, column, stems in (
        ("Rules that it breaks", "rule", broken),
        ("Choices that are not ours", "why it may", other.keys() - broken),
    ):
        parts.append(f"### {title}\n\n| dialogue | what happened | {column} |\n|---|---|---|")
        parts += [_row(stem, other[stem], OF[server.name].get(stem, "?")) for stem in sorted(stems)]
        parts.append("")
    return "\n".join(parts)


def told(page: Path, name: str) -> set[str]:
    """The rows of a server on a page."""
    part = page.read_text(encoding="utf-8").partition(f"\n## {name}\n")[2].partition("\n## ")[0]
    return {line.split("`")[1] for line in part.splitlines() if line.startswith("| `")}


def _row(stem: str, *cells: str) -> str:
    escaped = (cell.removeprefix("none: ").replace("|", "\\|").replace("<", "&lt;") for cell in cells)
    return " | ".join((f"| `{stem}`", *escaped)) + " |"


def main() -> None:
    results = []
    for server in (dovecot, courier):
        with server() as running:
            results.append((running, outcomes(running)))
    sys.stdout.write(page(results))


if __name__ == "__main__":
    main()
