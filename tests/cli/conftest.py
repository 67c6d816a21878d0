"""What the tests of the command line share: a configuration, a control socket, and a way to run commands."""

from __future__ import annotations

import datetime
import ssl
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest
from click.testing import CliRunner, Result

from mailsuite.cli.main import cli
from mailsuite.frontends.certificates import self_signed
from tests.accounts.offices import World
from tests.cli.control_double import ControlDouble, Conversation, UnixServer


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory whose name is short enough for a Unix socket in it."""
    with tempfile.TemporaryDirectory(prefix="ms-") as name:
        yield Path(name)


@pytest.fixture
def config(place: Path) -> Path:
    file = place / "mailsuite.toml"
    file.write_text(f'[server]\nname = "mail.example.test"\nstate = "{place}/state"\n', "utf-8")
    return file


@pytest.fixture
def control(place: Path) -> Iterator[ControlDouble]:
    """The double, listening where the configuration says."""
    path = place / "state" / "control.sock"
    path.parent.mkdir()
    double = ControlDouble(path, World(path.parent))
    handler = type("Bound", (Conversation,), {"double": double})
    with UnixServer(str(path), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield double
        finally:
            server.shutdown()
            thread.join()


Run = Callable[..., Result]


@pytest.fixture
def run(config: Path) -> Run:
    """Run ``mailsuite`` with the configuration of the test; an exception that escapes fails the test."""

    def call(*arguments: str, input: str | bytes | IO[bytes] | None = None) -> Result:
        result = CliRunner().invoke(cli, ["--config", str(config), *arguments], input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return call


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for mail.example.test and this machine, with its key beside it."""
    now = datetime.datetime.now(datetime.UTC)
    path, _ = self_signed("mail.example.test", tmp_path_factory.mktemp("tls"), now)
    return Path(path)


@pytest.fixture(scope="session")
def server_tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context
