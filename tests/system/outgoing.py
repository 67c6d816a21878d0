"""Mail that leaves: a server whose mail for others goes to sinks on loopback, and ways to hand it in."""

from __future__ import annotations

import contextlib
import email
import email.message
import itertools
import smtplib
import subprocess
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence

import attrs

from tests.ports import free_port
from tests.sinks.offer import Offer
from tests.sinks.record import Record, Transaction
from tests.sinks.script import Plan, Point, Script
from tests.sinks.sink import Sink
from tests.system.clients import Client, Refused, smtp
from tests.system.harness import LIMITS, LISTENERS, PASSWORDS, PATIENCE, Server
from tests.system.load import Letter
from tests.system.sockets import letters
from tests.zones import Exchanger, Net

JOE, ANN = "joe@example.test", "ann@example.test"
SENDER = "sender@elsewhere.example"
DOOR = "relay"
"""The listener that takes mail for anybody, from this machine, without a login."""
IN_A_GROUP = 10
"""Letters that are sent before an answer is waited for."""

_DOOR = f"""
[[listener]]
name    = "{DOOR}"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
tls     = "off"
relay   = "addresses"
relay_networks = ["127.0.0.1/32"]
max_recipients = 1000
"""
_QUEUE = """
[queue]
port = {port}
connect_timeout = "2s"
ignore_target_hosts = []
{more}
[queue.tls]
default = "{tls}"
"""
SOON = 'retry_fixed = "1s"'
"""The shortest wait there is between two attempts."""


def to_others(
    server: Server,
    net: Net,
    port: int,
    *queue: str,
    tls: str = "may",
    relays: str = "",
    accounts: Sequence[str] = tuple(PASSWORDS),
) -> Server:
    """Set it up, not started: names are asked for in *net*, and other servers have this *port*. *queue* are
    lines of ``[queue]``, *relays* blocks ``[[relay]]``."""
    more = "\n".join(queue or (SOON,))
    server.listeners = LISTENERS + _DOOR
    server.accounts = tuple(accounts)
    server.extra = LIMITS + net.settings + _QUEUE.format(port=port, more=more, tls=tls) + relays
    return server


@attrs.frozen
class Place:
    """A domain with one mail server."""

    domain: str
    sink: Sink
    record: Record

    def at(self, local: str = "a") -> str:
        """An address there."""
        return f"{local}@{self.domain}"


@attrs.define(eq=False)
class Shore:
    """A running server, and the hosts that it sends to: all have one port, each an address of its own."""

    server: Server
    net: Net
    port: int = attrs.field(factory=free_port)
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1), init=False)

    def address(self) -> str:
        """Of this machine; nobody else has had it."""
        high, low = divmod(next(self._numbers), 250)
        return f"127.0.{1 + high}.{1 + low}"

    @contextlib.contextmanager
    def place(
        self,
        table: Mapping[Point, Plan] | Script | None = None,
        offer: Offer | None = None,
        *,
        domain: str = "",
        below: str = "there.example",
    ) -> Iterator[Place]:
        """A new domain, and a sink that is its only mail server."""
        address = self.address()
        domain = domain or f"d{address.replace('.', '-')}.{below}"
        with Sink(table or {}, offer or Offer(), (address,), port=self.port) as sink:
            self.net.domain(domain, Exchanger(10, f"mx.{domain}", (address,)))
            yield Place(domain, sink, sink.record)


@attrs.define
class HandIn:
    """Letters that go in over several connections at once; what became of them when the server died amid."""

    server: Server
    letters: Iterable[Letter]
    connections: int = 4
    sender: str = SENDER
    acknowledged: list[Letter] = attrs.field(factory=list, init=False)
    """Those that got their 250."""
    in_flight: list[Letter] = attrs.field(factory=list, init=False)
    """Those that were sent, and not answered."""
    _failures: list[BaseException] = attrs.field(factory=list, init=False)
    _threads: list[threading.Thread] = attrs.field(factory=list, init=False)
    _guard: threading.Lock = attrs.field(factory=threading.Lock, init=False)

    def start(self) -> HandIn:
        waiting = iter(self.letters)
        for _ in range(self.connections):
            thread = threading.Thread(target=self._work, args=(waiting,))
            self._threads.append(thread)
            thread.start()
        return self

    def join(self) -> HandIn:
        """When no client is left. Raises what the server has refused; that it died is no failure."""
        for thread in self._threads:
            thread.join()
        if self._failures:
            raise self._failures[0]
        return self

    def run(self) -> HandIn:
        return self.start().join()

    def _work(self, waiting: Iterator[Letter]) -> None:
        try:
            with contextlib.suppress(OSError), smtp(self.server, DOOR) as client:
                while True:
                    with self._guard:
                        group = [*itertools.islice(waiting, IN_A_GROUP)]
                    if not group:
                        client.say(b"QUIT", b"221")
                        return
                    self._hand_in(client, group)
        except Refused as refusal:
            if self._server_runs():
                self._failures.append(refusal)

    def _server_runs(self) -> bool:
        """It may be about to end: its connections are closed before."""
        process = self.server.process
        if process is None:
            return False
        with self._guard:  # it is to be waited for by one at a time
            try:
                process.wait(1)
            except subprocess.TimeoutExpired:
                return True
        return False

    def _hand_in(self, client: Client, group: Sequence[Letter]) -> None:
        self.in_flight += group
        client.send(b"".join(map(self._whole, group)))
        for letter in group:
            answers = [client.reply() for _ in range(2 + len(letter.recipients))]
            if not answers[-1].startswith(b"250 2.0.0 ") or not client.ended_a_line:
                raise Refused(f"{letter.name}: {answers}")
            with self._guard:
                self.in_flight.remove(letter)
                self.acknowledged.append(letter)

    def _whole(self, letter: Letter) -> bytes:
        """In chunks, where nobody has to wait (RFC 3030 section 4.2)."""
        mail = f"MAIL FROM:<{self.sender}>\r\n"
        recipients = "".join(f"RCPT TO:<{each}>\r\n" for each in letter.recipients)
        return f"{mail}{recipients}BDAT {len(letter.text)} LAST\r\n".encode() + letter.text


def hand_in(
    server: Server,
    message: bytes,
    *recipients: str,
    sender: str = SENDER,
    mail: Sequence[str] = (),
    rcpt: Sequence[str] = (),
) -> None:
    """One message as it stands, with these parameters."""
    with smtplib.SMTP("127.0.0.1", server.ports[DOOR], "client.example", PATIENCE) as client:
        client.ehlo()
        assert client.sendmail(sender, recipients, message, mail, rcpt) == {}


def submit(
    server: Server,
    message: bytes,
    *recipients: str,
    sender: str = JOE,
    mail: Sequence[str] = (),
    rcpt: Sequence[str] = (),
) -> None:
    """One message, as a user does it: under TLS, logged in."""
    context = server.tls()
    place = ("127.0.0.1", server.ports["submissions"])
    with smtplib.SMTP_SSL(*place, "client.example", timeout=PATIENCE, context=context) as client:
        client.login(sender, PASSWORDS[sender])
        assert client.sendmail(sender, recipients, message, mail, rcpt) == {}


def as_sent(transaction: Transaction, message: bytes) -> bytes:
    """What was put in front of the message, which is in it octet for octet: fields of the trace, no more."""
    assert transaction.body.endswith(message), transaction.body[:2000]
    trace = transaction.body.removesuffix(message)
    fields = [line for line in trace.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert fields.pop() == b"", trace
    names = [field.partition(b":")[0] for field in fields]
    assert names in ([b"Received"], [b"Authentication-Results", b"Received"]), trace
    return trace


def reports(server: Server, account: str = JOE) -> list[email.message.Message]:
    """The notices in a maildrop: multipart/report, from nobody."""
    return [
        email.message_from_bytes(letter)
        for letter in letters(server, account)
        if b"report-type=delivery-status" in letter.lower().replace(b'"', b"")
    ]


def told(report: email.message.Message) -> dict[str, dict[str, str]]:
    """What a notice says, field by field, of each recipient."""
    [status] = [part for part in report.walk() if part.get_content_type() == "message/delivery-status"]
    groups = status.get_payload()
    assert isinstance(groups, list)
    found = {}
    for group in groups[1:]:
        assert isinstance(group, email.message.Message)
        fields = {name.lower(): str(value) for name, value in group.items()}
        found[fields["final-recipient"].partition(";")[2].strip()] = fields
    return found


def forget_letters(server: Server, account: str = JOE) -> None:
    """Whatever is in the maildrop is gone."""
    for letter in (server.maildir(account) / "new").glob("*"):
        letter.unlink()
