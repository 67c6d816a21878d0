"""A maildir that belongs to somebody else (features row L-01): a temporary answer, and everybody else is
served."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.boxes import ANN, JOE, Way
from tests.system.harness import Server

SENDER = "sender@elsewhere.example"


@pytest.fixture
def ordinary() -> Iterator[Server]:
    """A server that is not root: permissions hold for it."""
    folder = Path(tempfile.mkdtemp(prefix="ms-owner-"))
    folder.chmod(0o755)
    server = Server(folder, user="nobody" if os.geteuid() == 0 else "")
    try:
        yield server.start()
    finally:
        server.close()
        shutil.rmtree(folder)


def take_from_the_server(path: Path) -> None:
    """Another owner's, or nobody's."""
    if os.geteuid() == 0:
        os.chown(path, 0, 0)
        path.chmod(0o700)
    else:
        path.chmod(0)


def give_back(path: Path, owner: os.stat_result) -> None:
    path.chmod(0o700)
    if os.geteuid() == 0:
        os.chown(path, owner.st_uid, owner.st_gid)


def told(server: Server, account: str) -> str:
    """The last answer of a transaction: ``250 2.0.0``."""
    with server.smtp() as client:
        client.ehlo()
        client.mail(SENDER)
        code, text = client.rcpt(account)
        if code == 250:
            code, text = client.data(b"Subject: x\r\n\r\nx\r\n")
    return f"{code} {text.decode().split()[0]}"


@pytest.mark.parametrize("part", ["", "tmp", "new"])
def test_another_owners_maildir_is_a_temporary_failure(ordinary: Server, part: str) -> None:
    assert [told(ordinary, account) for account in (JOE, ANN)] == ["250 2.0.0"] * 2
    place = ordinary.maildir(JOE) / part
    owner = place.stat()
    take_from_the_server(place)
    assert [told(ordinary, JOE), told(ordinary, ANN)] == ["451 4.3.0", "250 2.0.0"]
    if part != "tmp":
        assert Way(ordinary).answer().startswith(b"-ERR [SYS/TEMP]")
    give_back(place, owner)
    assert told(ordinary, JOE) == "250 2.0.0"
    assert len(Way(ordinary).names()) == 2
    assert "Traceback" not in ordinary.logged()
