"""Our stream beside Dovecot's IMAP IDLE (RFC 2177), in the same run: one message at a time by LMTP, and the
time from the 250 to the notice. The servers take turns."""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

import attrs

from bench.notice_ears import opened
from bench.notice_mail import greeted, hand_in
from bench.notice_server import IN_CLEAR, NOTIFY, WITHOUT_LIMITS, accounts_of
from bench.peers import Dovecot, free_port
from bench.whole import Client
from tests.system.harness import LISTENERS, Server

PATIENCE = 60.0
PAUSE = 0.02
"""Seconds between the notice of one message and the next message."""
LMTP = """
[[listener]]
name    = "lmtp"
service = "lmtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
"""
IDLE = """
protocols = imap lmtp
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = 0
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {lmtp}
  }}
}}
"""
_EXISTS = re.compile(rb"\* (\d+) EXISTS\r\n")


@attrs.define
class Waiting:
    """Somebody who is told by a server, and the door where mail comes in."""

    name: str
    mail: Client
    recipient: str
    told: socket.socket
    heard: Callable[[bytes], bool]
    times: list[float] = attrs.field(factory=list)

    def once(self, number: int) -> None:
        """One message."""
        handed = hand_in(self.mail, self.recipient, number)
        said, deadline = b"", time.monotonic() + PATIENCE
        while not self.heard(said):
            if not select.select([self.told], [], [], deadline - time.monotonic())[0]:
                raise TimeoutError(f"{self.name} tells nothing of message {number}: {said!r}")
            said += self.told.recv(65_536)
        self.times.append(time.monotonic() - handed.answered)
        time.sleep(PAUSE)


def ours(folder: Path, stack: ExitStack) -> Waiting:
    (account,) = accounts_of(1)
    server = stack.enter_context(
        Server(folder, WITHOUT_LIMITS, LISTENERS + NOTIFY + IN_CLEAR + LMTP, (account,))
    )
    told = opened(server.ports["in-clear"], account, None)
    mail = greeted(server.ports["lmtp"], b"LHLO load.example\r\n")
    return Waiting("mailsuite, stream", mail, account, told, lambda said: said.endswith(b"\n\n\r\n"))


def dovecots(folder: Path, program: Path, stack: ExitStack) -> Waiting:
    ports = {"imap": free_port(), "lmtp": free_port()}
    dovecot = Dovecot("Dovecot, IDLE", folder, program, IDLE.format(**ports))
    dovecot.greets_at = ports["imap"]
    dovecot.start()
    stack.callback(dovecot.close)
    imap = Client(ports["imap"])
    imap.socket.settimeout(PATIENCE)
    imap.line()
    for tag, command in (
        (b"a", f'LOGIN user "{dovecot.password("user")}"'.encode()),
        (b"b", b"SELECT INBOX"),
    ):
        imap.socket.sendall(tag + b" " + command + b"\r\n")
        while not (line := imap.line()).startswith(tag):
            pass
        if not line.startswith(tag + b" OK"):
            raise ConnectionError(repr(line))
    imap.socket.sendall(b"c IDLE\r\n")
    while not imap.line().startswith(b"+"):
        pass
    mail = greeted(ports["lmtp"], b"LHLO load.example\r\n")
    return Waiting(dovecot.name, mail, "user", imap.socket, lambda said: _EXISTS.search(said) is not None)


def measure_idle(folder: Callable[[], Path], program: Path | None, messages: int) -> None:
    print(f"\n{'LMTP 250 to the notice':<24}{'p50 ms':>10}{'p99 ms':>10}{'worst':>10}")
    with ExitStack() as stack:
        waiting = [ours(folder(), stack)]
        if program is not None and (program.parents[1] / "lib/dovecot/lmtp").exists():
            waiting.append(dovecots(folder(), program, stack))
        for number in range(messages):
            for each in waiting:
                each.once(number)
        for each in waiting:
            p99 = quantiles(each.times, n=100, method="inclusive")[98]
            figures = (median(each.times), p99, max(each.times))
            print(f"{each.name:<24}" + "".join(f"{figure * 1000:>10.2f}" for figure in figures))
