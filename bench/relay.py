"""Mail that is passed on, beside Postfix, in the same run: ``python -m bench.relay`` from the checkout, as
root.

smtp-source hands in, the server sends on to smtp-sink, all on this machine; a round ends when the sink has
all of it. Both servers have everything on disk before they answer. Source and sink share the cores with the
servers: read the CPU columns (all processes of a server, ended ones included), and the rates as a floor.
Rounds of the servers take turns.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

import attrs

from bench.measure import compare
from bench.peers import SEARCH_PATH
from tests.interop.postfix import Postfix
from tests.ports import free_port
from tests.system.harness import LIMITS, LISTENERS, Server

WIDTH = 16
"""Connections at once."""
PATIENCE = 120.0
"""Seconds until the last message of a round is at the sink."""
RECIPIENT = "somebody@there.example"
MORE = """
in_flow_delay = 0
message_size_limit = 52428800
virtual_mailbox_domains =
relayhost = [127.0.0.1]:{port}
"""
"""Without the pause of a second by which Postfix slows a client that is faster than its deliveries."""
DOOR = """
[[listener]]
name    = "relay"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
relay   = "addresses"
relay_networks = ["127.0.0.1/32"]
"""
RELAY = """
[queue]
outgoing = "allow"
[[relay]]
match = ["*"]
host  = "127.0.0.1"
port  = {port}
tls   = "off"
"""
_COUNTED = re.compile(rb"mesg=(\d+)")


class Sink:
    """smtp-sink, which takes everything and keeps nothing, as long as it is entered."""

    def __init__(self) -> None:
        self.port = free_port()
        self._taken = 0
        self._changed = threading.Condition()

    def __enter__(self) -> Sink:
        user = ("-u", "root") if os.geteuid() == 0 else ()
        command = ["smtp-sink", "-c", *user, f"127.0.0.1:{self.port}", "256"]
        environment = {"PATH": SEARCH_PATH}
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0, env=environment)
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)

    def _read(self) -> None:
        """It says how much it has taken whenever that changes."""
        assert self._process.stdout is not None
        rest = b""
        with self._process.stdout as said:
            while data := said.read(1 << 16):
                whole, _, rest = (rest + data).rpartition(b"\r")
                if counts := _COUNTED.findall(whole):
                    with self._changed:
                        self._taken = int(counts[-1])
                        self._changed.notify_all()

    @property
    def taken(self) -> int:
        return self._taken

    def until(self, count: int) -> None:
        """Return when so many have come. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._taken >= count, PATIENCE):
                raise TimeoutError(f"{self._taken} of {count} messages have arrived")


@attrs.frozen
class Running:
    """A server that runs."""

    name: str
    port: int
    pid: int
    sink: Sink


@attrs.frozen
class Scenario:
    name: str
    octets: int
    count: int
    arguments: Sequence[str] = ()
    """Of smtp-source."""

    def work(self, server: Running) -> int:
        before = server.sink.taken
        command = ("smtp-source", "-s", str(WIDTH), "-m", str(self.count), "-l", str(self.octets))
        envelope = ("-f", "load@elsewhere.example", "-t", RECIPIENT)
        subprocess.run(
            [*command, *envelope, *self.arguments, f"127.0.0.1:{server.port}"],
            check=True,
            timeout=PATIENCE,
            env={"PATH": SEARCH_PATH},
        )
        server.sink.until(before + self.count)
        return self.octets * self.count


def scenarios(messages: int) -> Sequence[Scenario]:
    return (
        Scenario("4 KiB, new session each", 4096, messages),
        Scenario("4 KiB, as many a session as may be", 4096, messages, ("-d",)),
        Scenario("64 KiB, as many a session as may be", 65536, messages // 2, ("-d",)),
        Scenario("1 MiB, new session each", 1 << 20, max(messages // 20, WIDTH)),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=1000, help="small messages in a round")
    parser.add_argument("--directory", type=Path, help="where the servers keep their mail")
    parser.add_argument("--only", choices=("mailsuite", "Postfix"), help="measure one of them")
    options = parser.parse_args()
    with ExitStack() as stack:

        def folder() -> Path:
            made = tempfile.TemporaryDirectory(dir=options.directory, prefix="ms-bench-")
            path = Path(stack.enter_context(made))
            path.chmod(0o755)
            return path

        servers = []
        if options.only != "Postfix":
            sink = stack.enter_context(Sink())
            extra = LIMITS + RELAY.format(port=sink.port)
            ours = stack.enter_context(Server(folder(), extra=extra, listeners=LISTENERS + DOOR))
            assert ours.process is not None
            servers.append(Running("mailsuite", ours.ports["relay"], ours.process.pid, sink))
        if options.only != "mailsuite" and os.geteuid() == 0 and shutil.which("postfix", path=SEARCH_PATH):
            sink = stack.enter_context(Sink())
            postfix = stack.enter_context(Postfix(folder(), more=MORE.format(port=sink.port)))
            servers.append(Running("Postfix", postfix.port, postfix.pid, sink))
        compare(servers, scenarios(options.messages), options.rounds)


if __name__ == "__main__":
    main()
