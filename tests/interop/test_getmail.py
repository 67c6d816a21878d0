"""getmail6: over TLS, with and without deletion."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.letters import crlf, numbered, split_trace
from tests.interop.programs import Desk, Done, needs
from tests.system.harness import PASSWORDS, Server

pytestmark = needs("getmail", "getmail6")

JOE = "joe@example.test"


def settings(desk: Desk, server: Server, *, delete: bool, password: str = PASSWORDS[JOE]) -> Path:
    """getmail writes no maildir for root, and tests may be root's: so a delivery agent writes the files."""
    (desk.home / "mail").mkdir()
    (desk.home / "state").mkdir()
    agent = desk.file("agent", 'exec cat > "$(mktemp "$1/XXXXXXXXXX")"\n')
    return desk.file(
        "getmailrc",
        "[retriever]\n"
        "type = SimplePOP3SSLRetriever\n"
        "server = 127.0.0.1\n"
        f"port = {server.ports['pop3s']}\n"
        f"username = {JOE}\n"
        f"password = {password}\n"
        f"ca_certs = {server.certificate}\n"
        "timeout = 25\n"
        "[destination]\n"
        "type = MDA_external\n"
        "path = /bin/sh\n"
        f"arguments = ('{agent}', '{desk.home / 'mail'}')\n"
        "allow_root_commands = true\n"
        "[options]\n"
        "read_all = false\n"
        f"delete = {str(delete).lower()}\n"
        "delivered_to = false\n"
        "received = false\n"
        "verbose = 2\n",
    )


def getmail(desk: Desk, config: Path, status: int = 0) -> Done:
    return desk.run("getmail", f"--getmaildir={desk.home / 'state'}", f"--rcfile={config}", status=status)


def letters(desk: Desk) -> list[bytes]:
    """What came; getmail puts an empty line at the end."""
    files = (desk.home / "mail").iterdir()
    return sorted(split_trace(crlf(file.read_bytes()))[1].removesuffix(b"\r\n") for file in files)


def sent(count: int) -> list[bytes]:
    return [numbered(number).removesuffix(b"\r\n") for number in range(count)]


def test_keep(server: Server, desk: Desk) -> None:
    config = settings(desk, server, delete=False)
    for number in range(3):
        server.deliver(numbered(number))
    assert "3 messages" in getmail(desk, config).said
    assert letters(desk) == sent(3)

    said = getmail(desk, config).said
    assert "0 messages (0 bytes) retrieved, 3 skipped" in said
    assert len(letters(desk)) == 3, "nothing is downloaded twice"

    server.deliver(numbered(3))
    assert "1 messages" in getmail(desk, config).said
    assert letters(desk) == sent(4)
    assert len(server.messages()) == 4


def test_delete(server: Server, desk: Desk) -> None:
    config = settings(desk, server, delete=True)
    for number in range(3):
        server.deliver(numbered(number))
    getmail(desk, config)
    assert letters(desk) == sent(3)
    assert server.messages() == []
    assert "0 messages" in getmail(desk, config).said


@pytest.mark.parametrize("password", ["wrong"])
def test_a_wrong_password(server: Server, desk: Desk, password: str) -> None:
    config = settings(desk, server, delete=True, password=password)
    server.deliver(numbered(0))
    getmail(desk, config, status=127)
    assert letters(desk) == []
    assert len(server.messages()) == 1
