"""``mailsuite bench``: a source and a sink of mail, to see what a server bears (as smtp-source(1) and
smtp-sink(1) of Postfix)."""

from __future__ import annotations

import ipaddress
import random
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import attrs
import click

from mailsuite.cli.bench_report import tell_sink, tell_source
from mailsuite.cli.context import CommandFailed, Context, NotReachable
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.peer import Peer, Scheme, parse_peer
from mailsuite.cli.queue_filters import SecondsType
from mailsuite.cli.send import AddressType, own_server
from mailsuite.cli.terminal import clean, count_text, note

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from mailsuite.cli.bench_sink import Sink
    from mailsuite.model.address import Address

SCHEMES: Final = {"smtp": Scheme(25)}
MAX_SESSIONS: Final = 1000
MAX_MESSAGES: Final = 10_000_000
MAX_SIZE: Final = 64 << 20
"""Octets: each session holds a message of its own."""


class _SizeType(click.ParamType[int]):
    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        from mailsuite.config.kinds import BadValue  # noqa: PLC0415 - keeps --help fast
        from mailsuite.config.measures import Size  # noqa: PLC0415

        if isinstance(value, int):
            return value
        try:
            return Size(1, MAX_SIZE).parse(value, Path())
        except BadValue as error:
            self.fail(str(error), param, ctx)


@click.group("bench")
def bench_group() -> None:
    """A source and a sink of mail, to see what a server bears."""


# Source


@bench_group.command("source")
@click.option(
    "--to",
    "recipients",
    type=AddressType(),
    multiple=True,
    required=True,
    help="A recipient of each message.",
)
@click.option("--from", "sender", type=AddressType(), help="The sender; else the first --to.")
@click.option("--server", metavar="URL", help="smtp://HOST[:PORT]; else the running server on this machine.")
@click.option("--messages", type=click.IntRange(1, MAX_MESSAGES), default=1000, show_default=True)
@click.option(
    "--sessions",
    type=click.IntRange(1, MAX_SESSIONS),
    default=10,
    show_default=True,
    help="At the same time.",
)
@click.option("--size", type=_SizeType(), default="4KiB", show_default=True, help="Of each message.")
@click.option(
    "--i-own-the-target",
    "owned",
    is_flag=True,
    help="Send to an address that is neither loopback nor private. It must be yours.",
)
@json_option
@quiet_option
@click.pass_obj
def source(
    context: Context,
    *,
    recipients: tuple[Address, ...],
    sender: Address | None,
    server: str | None,
    messages: int,
    sessions: int,
    size: int,
    owned: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Send many messages at once, and tell how fast they were taken. Ctrl-C ends it early.

    What the server does with them is its business: name recipients whose mail may be thrown away. There is
    no TLS and no login.
    """
    peer = parse_peer(server, SCHEMES) if server else own_server(context, with_login=False)
    host = _resolved(peer, owned)

    from twisted.internet import reactor  # noqa: PLC0415 - an entry point

    from mailsuite.cli.bench_source import Load, Source  # noqa: PLC0415 - keeps --help fast

    load = Load(messages, sessions, size, sender or recipients[0], recipients)
    running = Source(reactor, host, peer.port, load)
    _run(reactor, running.run, running.stop)
    tell_source(running.result, messages, as_json=as_json, quiet=quiet)


def _resolved(peer: Peer, owned: bool) -> str:
    """The address to connect to. Raises NotReachable, CommandFailed."""
    try:
        found = socket.getaddrinfo(peer.host, peer.port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise NotReachable(f"{peer}: {clean(error.strerror or str(error))}") from error
    host = str(found[0][4][0]).partition("%")[0]
    if not owned and not ipaddress.ip_address(host).is_private:
        raise CommandFailed(
            f"{peer} is neither on this machine nor in a private network; a load on somebody else's server "
            "is an attack. --i-own-the-target goes on where it is yours"
        )
    return host


# Sink


@attrs.frozen
class _Place:
    host: str
    port: int


class _PlaceType(click.ParamType[_Place]):
    name = "address:port"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Place:
        if isinstance(value, _Place):
            return value
        host, _, port = str(value).rpartition(":")
        host = host.strip("[]")
        try:
            ipaddress.ip_address(host)
            if not (port.isascii() and port.isdecimal() and int(port) < 1 << 16):
                raise ValueError
        except ValueError:
            self.fail(f"{value!r} is no IP address with a port, such as 127.0.0.1:2526", param, ctx)
        return _Place(host, int(port))


_SHARE: Final = click.FloatRange(0.0, 1.0)


@bench_group.command("sink")
@click.option(
    "--listen",
    "place",
    type=_PlaceType(),
    default="127.0.0.1:2526",
    show_default=True,
    help="Where; port 0 is any that is free.",
)
@click.option("--delay", type=SecondsType(), metavar="TIME", help="Answer each message so late: 1s, 2m.")
@click.option("--defer", type=_SHARE, default=0.0, metavar="SHARE", help="Put off so many messages: 0.1.")
@click.option("--reject", type=_SHARE, default=0.0, metavar="SHARE", help="Refuse so many for good.")
@click.option("--messages", type=click.IntRange(min=1), help="End when so many have been answered.")
@json_option
@quiet_option
def sink(
    place: _Place,
    *,
    delay: float | None,
    defer: float,
    reject: float,
    messages: int | None,
    as_json: bool,
    quiet: bool,
) -> None:
    """Take all mail and throw it away, and count it: each second, and at the end. Ctrl-C ends it."""
    if defer + reject > 1:
        raise click.UsageError("--defer and --reject are more than all messages together")

    from twisted.internet import reactor  # noqa: PLC0415 - an entry point
    from twisted.internet.defer import Deferred  # noqa: PLC0415

    from mailsuite.cli.bench_sink import Manner, Sink  # noqa: PLC0415 - keeps --help fast

    over: Deferred[None] = Deferred()
    running: Sink

    def stop() -> None:
        if not over.called:
            over.callback(None)

    def told() -> None:
        count = running.count
        if messages is not None and count.messages + count.deferred + count.rejected >= messages:
            stop()

    running = Sink(reactor, Manner(delay or 0.0, defer, reject), random.SystemRandom().random, told)

    async def serve() -> None:
        await _serve(reactor, running, place, over, tells=not quiet and not as_json)

    _run(reactor, serve, stop)
    tell_sink(running, as_json=as_json)


async def _serve(reactor: Any, sink: Sink, place: _Place, over: Deferred[None], *, tells: bool) -> None:
    """Listen until *over*. Raises CommandFailed."""
    from twisted.internet.error import CannotListenError  # noqa: PLC0415 - keeps --help fast
    from twisted.internet.task import LoopingCall  # noqa: PLC0415

    try:
        port = reactor.listenTCP(place.port, sink, interface=place.host)
    except CannotListenError as error:
        raise CommandFailed(f"{place.host} port {place.port}: {error.socketError}") from error
    where = f"[{place.host}]" if ":" in place.host else place.host
    note(f"listening on {where}:{port.getHost().port}")
    before = 0

    def tell() -> None:
        nonlocal before
        now, before = sink.count.messages - before, sink.count.messages
        if now:
            click.echo(f"{now:>9} a second, {count_text(before, 'message')} so far")

    telling = LoopingCall(tell)
    telling.clock = reactor
    if tells:
        telling.start(1.0, now=False)
    await over
    if telling.running:
        telling.stop()
    await port.stopListening()
    await sink.drained()


def _run(reactor: Any, work: Callable[[], Coroutine[Any, Any, object]], stop: Callable[[], None]) -> None:
    """Run the reactor until *work* is over; SIGINT and SIGTERM call *stop*, and wait for it. What it raises,
    this raises."""
    from twisted.internet.defer import Deferred  # noqa: PLC0415 - keeps --help fast
    from twisted.python.failure import Failure  # noqa: PLC0415

    failures: list[Failure] = []
    over: Deferred[None] = Deferred()

    def ended(result: object) -> None:
        if isinstance(result, Failure):
            failures.append(result)
        over.callback(None)
        if not stopping:
            reactor.stop()

    stopping: list[bool] = []

    def shut_down() -> Deferred[None]:
        stopping.append(True)
        stop()
        return over

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(work()).addBoth(ended))
    reactor.addSystemEventTrigger("before", "shutdown", shut_down)
    reactor.run()
    if failures:
        failures[0].raiseException()
