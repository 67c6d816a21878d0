"""Programs that fetch by POP3, each as one call: log in by a name, fetch all, leave it there or delete it.

Each answers the text() of the letters, sorted.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from tests.interop.letters import crlf, split_trace
from tests.interop.programs import SEARCH_PATH, Desk, arrived
from tests.system.harness import Server

_CALLS = itertools.count()
NO_MAIL = 1
"""How fetchmail ends where there is nothing."""


@attrs.frozen
class Mailbox:
    """What a program is told: whom to be, and whether to delete what it has fetched."""

    server: Server
    name: str
    password: str
    keep: bool = True


def fetchmail(desk: Desk, box: Mailbox) -> list[bytes]:
    """With ``fetchall``: without that it reads what it keeps by TOP, which brings nothing back."""
    mail = _new_maildir(desk)
    config = desk.file(
        "fetchmailrc",
        f"""
        set no syslog
        set invisible
        set idfile "{mail}.uidls"
        set pidfile "{desk.home / "pid"}"
        poll localhost service {box.server.ports["pop3s"]} protocol pop3 uidl timeout 25 auth password
            user "{box.name}" password "{box.password}"
            ssl sslproto "TLS1.2+" sslcertck sslcertfile "{box.server.certificate}"
            {"keep" if box.keep else "no keep"} fetchall no rewrite
            mda "cat > $(mktemp {mail}/new/XXXXXXXXXX)"
        """,
    )
    desk.run("sh", "-c", f"fetchmail -f {config} || test $? = {NO_MAIL}")
    return _letters(mail)


def mpop(desk: Desk, box: Mailbox) -> list[bytes]:
    """Pipelines all that it wants."""
    mail = _new_maildir(desk)
    config = desk.file(
        "mpoprc",
        f"""
        account default
        host 127.0.0.1
        port {box.server.ports["pop3s"]}
        tls on
        tls_starttls off
        tls_trust_file {box.server.certificate}
        auth user
        user {box.name}
        password {box.password}
        keep {"on" if box.keep else "off"}
        received_header off
        uidls_file {mail}.uidls
        delivery maildir {mail}
        timeout 25
        """,
    )
    desk.run("mpop", "-C", config)
    return _letters(mail)


def getmail(desk: Desk, box: Mailbox) -> list[bytes]:
    """Without its own maildir, for it writes none for root."""
    mail = _new_maildir(desk)
    (state := mail.with_suffix(".state")).mkdir()
    agent = desk.file("agent", 'exec cat > "$(mktemp "$1/XXXXXXXXXX")"\n')
    config = desk.file(
        "getmailrc",
        "[retriever]\n"
        "type = SimplePOP3SSLRetriever\n"
        "server = 127.0.0.1\n"
        f"port = {box.server.ports['pop3s']}\n"
        f"username = {box.name}\n"
        f"password = {box.password}\n"
        f"ca_certs = {box.server.certificate}\n"
        "timeout = 25\n"
        "[destination]\n"
        "type = MDA_external\n"
        "path = /bin/sh\n"
        f"arguments = ('{agent}', '{mail / 'new'}')\n"
        "allow_root_commands = true\n"
        "[options]\n"
        f"delete = {str(not box.keep).lower()}\n"
        "delivered_to = false\n"
        "received = false\n",
    )
    desk.run("getmail", f"--getmaildir={state}", f"--rcfile={config}")
    return _letters(mail)


def curl(desk: Desk, box: Mailbox) -> list[bytes]:
    """One session for each message, since curl asks for one thing: so the last comes first."""

    def ask(*arguments: str) -> bytes:
        *options, path = arguments
        login = ("--user", f"{box.name}:{box.password}", "--cacert", str(box.server.certificate))
        url = f"pop3s://127.0.0.1:{box.server.ports['pop3s']}/{path}"
        return desk.run("curl", "--silent", "--show-error", "--max-time", "25", *login, *options, url).out

    found = []
    listed = [line for line in ask("").splitlines() if b" " in line]  # of nothing, it shows the last dot
    for number in range(len(listed), 0, -1):
        found.append(text(split_trace(ask(str(number)))[1]))
        if not box.keep:
            ask("--request", "DELE", "--head", str(number))
    return sorted(found)


FETCHERS: dict[str, Callable[[Desk, Mailbox], list[bytes]]] = {
    "fetchmail": fetchmail,
    "mpop": mpop,
    "getmail": getmail,
    "curl": curl,
}

each_fetcher = pytest.mark.parametrize(
    "fetch",
    [
        pytest.param(
            fetch,
            id=name,
            marks=pytest.mark.skipif(
                shutil.which(name, path=SEARCH_PATH) is None, reason=f"{name} is missing"
            ),
        )
        for name, fetch in FETCHERS.items()
    ],
)


def _new_maildir(desk: Desk) -> Path:
    return desk.maildir(f"mail-{next(_CALLS)}")


def text(letter: bytes) -> bytes:
    """A letter without line ends at its end: some programs add one."""
    return letter.rstrip(b"\r\n")


def _letters(mail: Path) -> list[bytes]:
    """Without the trace fields of the server."""
    return sorted(text(split_trace(crlf(message))[1]) for message in arrived(mail))
