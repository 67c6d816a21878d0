"""Whether telling users makes SMTP wait: mail at a steady rate into servers that tell nobody, one whose
targets answer, and one whose every target takes connections and says nothing, or does not even take them."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from bench.apart import Apart
from bench.measure import cpu_seconds
from bench.notice_ears import Listeners, Receiver
from bench.notice_mail import Mail
from bench.notice_server import (
    IN_CLEAR,
    NOTIFY,
    SETTINGS,
    WITHOUT_LIMITS,
    accounts_of,
    everywhere,
    subscribe,
)
from tests.system.harness import LISTENERS, Server

ACCOUNTS = accounts_of(40)
NETWORKS = 20
"""Addresses over which the targets are spread."""
OFF = "enabled = false\n"
NOBODY = "nobody is told"
Figures = tuple[float, float, float]


def full(listener: socket.socket) -> list[socket.socket]:
    """Connections that fill what the listener takes without anybody accepting: the next one hears nothing."""
    fill = []
    for _ in range(3):
        client = socket.socket()
        client.setblocking(False)
        client.connect_ex(("127.0.0.1", listener.getsockname()[1]))
        fill.append(client)
    return fill


def measure_delays(folder: Callable[[], Path], rate: float, seconds: float, rounds: int) -> None:
    """Rounds of the servers take turns, and each begins another one."""
    count = int(rate * seconds)
    with ExitStack() as stack:
        deaf, mute = stack.enter_context(everywhere(0)), stack.enter_context(everywhere())
        for client in full(deaf):
            stack.callback(client.close)
        doors, hooks = stack.enter_context(everywhere()), stack.enter_context(everywhere())
        stack.enter_context(Apart(Listeners(doors)))
        stack.enter_context(Apart(Receiver(hooks)))
        targets = {NOBODY: None, "nobody is told, again": None, "all answer": (doors, hooks, hooks)}
        servers = {
            name: stack.enter_context(started(folder(), listeners))
            for name, listeners in {**targets, "all are silent": (deaf, deaf, mute)}.items()
        }
        found: dict[str, list[Figures]] = {name: [] for name in servers}
        names = list(servers)
        for number in range(rounds + 1):
            for name in (*names[number % len(names) :], *names[: number % len(names)]):
                figures = one_round(servers[name], count, rate)
                if number:  # the first one warms up
                    found[name].append(figures)
    show(found)


def show(found: Mapping[str, Sequence[Figures]]) -> None:
    """Medians; the last two are medians of what each round is by that of NOBODY."""
    columns = "".join(f"{column:>12}" for column in ("p50 ms", "p99 ms", "CPU s/1000", "p50 by first", "p99"))
    print(f"\n{'SMTP, final dot to 250':<24}{columns}")
    for name, figures in found.items():
        p50, p99, cpu = (median(column) for column in zip(*figures, strict=True))
        line = f"{name:<24}{p50 * 1000:>12.2f}{p99 * 1000:>12.2f}{cpu:>12.2f}"
        for column in (0, 1):
            line += (
                f"{median(a[column] / b[column] for a, b in zip(figures, found[NOBODY], strict=True)):>12.3f}"
            )
        print(line)


def started(folder: Path, targets: Sequence[socket.socket] | None) -> Server:
    """Each account is knocked at the first of the *targets*, and has a webhook at each other; None: the
    notifier is off."""
    ports = [each.getsockname()[1] for each in targets or ()] or [79, 443]
    switch = OFF if targets is None else ""
    extra = (
        WITHOUT_LIMITS
        + switch
        + SETTINGS.format(knock=ports[0], hooks=sorted({*ports[1:]}), coalesce="0s", more="")
    )
    server = Server(folder, extra, LISTENERS + NOTIFY + IN_CLEAR, ACCOUNTS)
    hosts = {account: f"127.100.{number % NETWORKS}.1" for number, account in enumerate(ACCOUNTS)}
    for account, host in hosts.items():
        where = f'address = "{host}", port = {ports[0]}'
        server.settings[account] = f'notifymail = {{ state = "static", {where} }}' if targets else ""
    server.start()
    for account, host in hosts.items() if targets else ():
        for port in ports[1:]:
            subscribe(server, account, f"http://{host}:{port}/")
    return server


def one_round(server: Server, count: int, rate: float) -> Figures:
    """Median and 99th percentile, in seconds, and CPU seconds per 1,000 mails."""
    assert server.process is not None
    before = cpu_seconds(server.process.pid)
    with Apart(Mail(server.ports["mx"], ACCOUNTS, count, rate)) as mail:
        times = [each.answered - each.dot for each in mail.result()]
    cpu = (cpu_seconds(server.process.pid) - before) / count * 1000
    return median(times), quantiles(times, n=100, method="inclusive")[98], cpu
