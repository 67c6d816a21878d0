"""How soon users are told, and what that costs: ``python -m bench.notify`` from the checkout.

From the final dot, and from the SMTP 250, to the octets on the subscriber's socket, on this machine. Load and
subscribers are processes of their own, on the cores that the server has: read the figures as ceilings.
"""

from __future__ import annotations

import argparse
import ssl
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median, quantiles

from bench.apart import Apart
from bench.measure import anonymous_octets, cpu_seconds
from bench.notice_delays import measure_delays
from bench.notice_ears import Heard, Listeners, Receiver, Streams, address_of
from bench.notice_idle import measure_idle
from bench.notice_mail import Handed, Mail
from bench.notice_server import (
    IN_CLEAR,
    NOTIFY,
    SETTINGS,
    WITHOUT_LIMITS,
    accounts_of,
    everywhere,
    subscribe,
)
from bench.peers import find_dovecot, unverified
from mailsuite.notify.outgoing.knocks import LISTENER_BURST
from tests.accounts.sources.certificates import Authority
from tests.system.harness import LISTENERS, Server

HOOKS = 25
"""Addresses of each kind of web server: what one may get in a second is limited."""
KINDS = 4
"""Each account has a stream; a quarter of them nothing else, the others a knock, a webhook, or one by TLS."""
Times = list[tuple[float, float]]
"""Seconds from the final dot, and from the 250."""


def measure_soon(folder: Path, streams: int, rate: float, seconds: float, rounds: int) -> None:
    """Every account has a stream in clear, and a quarter each has one of the other ways."""
    accounts = accounts_of(streams)
    authority = Authority(folder)
    hooks = [f"127.200.0.{number + 1}" for number in range(HOOKS)]
    pair = authority.sign(*hooks)
    with everywhere() as knocks, everywhere() as plain, everywhere() as secure:
        ports = [each.getsockname()[1] for each in (knocks, plain, secure)]
        extra = WITHOUT_LIMITS + SETTINGS.format(
            knock=ports[0], hooks=ports[1:], coalesce="0s", more=f'ca_file = "{authority.file}"'
        )
        server = Server(folder / "server", extra, LISTENERS + NOTIFY + IN_CLEAR, accounts)
        server.directory.mkdir()
        for number, account in enumerate(accounts):
            if number % KINDS == 1:
                where = f'address = "{address_of(number)}", port = {ports[0]}'
                server.settings[account] = f'notifymail = {{ state = "static", {where} }}'
        with ExitStack() as stack:
            stack.enter_context(server)
            for number, account in enumerate(accounts):
                host = hooks[number // KINDS % HOOKS]
                if number % KINDS == 2:
                    subscribe(server, account, f"http://{host}:{ports[1]}/")
                elif number % KINDS == 3:
                    subscribe(server, account, f"https://{host}:{ports[2]}/")
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(pair.certificate, pair.key)
            crowd = stack.enter_context(Apart(Streams(server.ports["in-clear"], accounts)))
            doors = stack.enter_context(Apart(Listeners(knocks)))
            receivers = [stack.enter_context(Apart(Receiver(plain)))]
            receivers += [stack.enter_context(Apart(Receiver(secure, context)))]
            count = int(rate * seconds)
            assert server.process is not None
            handed, cpu = list[Handed](), list[float]()
            for number in range(rounds):
                before = cpu_seconds(server.process.pid)
                with Apart(Mail(server.ports["mx"], accounts, count, rate, first=number * count)) as mail:
                    handed += mail.result()
                cpu.append((cpu_seconds(server.process.pid) - before) / count * 1000)
            show_soon(handed, crowd.result(), doors.result(), [each.result() for each in receivers], accounts)
            print(f"server, all told: {median(cpu):.2f} CPU s/1000 mails, of {rounds} rounds of {count}")


def show_soon(
    handed: Sequence[Handed],
    crowd: Sequence[Heard],
    doors: Sequence[Heard],
    hooks: Sequence[Sequence[Heard]],
    accounts: Sequence[str],
) -> None:
    by_number = {each.number: each for each in handed}
    columns = ("p50", "p99", "worst", "p50", "p99", "worst")
    print(f"{'ms':<24}{'told':>8}{'from the final dot':>24}{'from the 250':>24}")
    print(" " * 32 + "".join(f"{column:>8}" for column in columns))
    show_line("stream", crowd, by_number, len(handed))
    show_line("webhook", hooks[0], by_number, sum(each.number % KINDS == 2 for each in handed))
    show_line("webhook, TLS", hooks[1], by_number, sum(each.number % KINDS == 3 for each in handed))
    # Beyond the first two a listener is knocked at each ten seconds at most: that is no delay.
    first = LISTENER_BURST * len(accounts)
    knocked = [each for each in handed if each.number % KINDS == 1]
    told = [each for each in told_by_knocks(knocked, doors, len(accounts)) if each[0] < first]
    wanted = sum(each.number < first for each in knocked)
    show_line("NotifyMail (RFC 4146)", told, by_number, wanted)


def told_by_knocks(handed: Sequence[Handed], doors: Sequence[Heard], accounts: int) -> list[Heard]:
    """A knock tells of the newest mail that was on its way then."""
    mail: dict[int, list[Handed]] = {}
    for each in sorted(handed, key=lambda each: each.dot):
        mail.setdefault(each.number % accounts, []).append(each)
    told: dict[int, float] = {}
    for number, at in sorted(doors):
        place = bisect_right(mail.get(number, []), at, key=lambda each: each.dot)
        if place:
            told.setdefault(mail[number][place - 1].number, at)
    return list(told.items())


def show_line(name: str, heard: Sequence[Heard], handed: dict[int, Handed], wanted: int) -> None:
    times: Times = [(at - handed[number].dot, at - handed[number].answered) for number, at in heard]
    told = f"{len({number for number, _ in heard}) / wanted:.1%}"
    print(f"{name:<24}{told:>8}" + "".join(spread([each[column] for each in times]) for column in (0, 1)))


def spread(times: Sequence[float]) -> str:
    """Median, 99th percentile and the worst, in milliseconds."""
    if len(times) < 2:
        return f"{'-':>8}" * 3
    found = (median(times), quantiles(times, n=100, method="inclusive")[98], max(times))
    return "".join(f"{each * 1000:>8.2f}" for each in found)


def measure_memory(folder: Callable[[], Path], counts: Sequence[int]) -> None:
    """Of a fresh server: how its memory grows with streams that wait."""
    print(f"\n{'memory of a stream':<24}{'streams':>8}{'MiB':>8}{'KiB each':>10}")
    for name, listener, tls in (("in clear", "in-clear", None), ("TLS", "notify", unverified)):
        accounts = accounts_of(max(counts) // 500 + 1)
        with Server(folder(), WITHOUT_LIMITS, LISTENERS + NOTIFY + IN_CLEAR, accounts) as server:
            assert server.process is not None
            pid, port = server.process.pid, server.ports[listener]
            with Apart(Streams(port, accounts * 2, tls)):  # what the first ones cost is no stream's
                before = anonymous_octets(pid)
            with ExitStack() as stack:
                opened = 0
                for count in sorted(counts):
                    names = [accounts[number % len(accounts)] for number in range(opened, count)]
                    stack.enter_context(Apart(Streams(port, names, tls)))
                    opened, grown = count, anonymous_octets(pid) - before
                    mebibytes, each = grown / (1 << 20), grown / count / 1024
                    print(f"{name:<24}{count:>8}{mebibytes:>8.1f}{each:>10.1f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rate", type=float, default=200.0, help="mails a second")
    parser.add_argument("--seconds", type=float, default=10.0, help="of each round")
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--directory", type=Path, help="where the servers keep their mail")
    parser.add_argument("--dovecot", type=Path, help="folder that -core, -imapd and -lmtpd are unpacked in")
    parser.add_argument("--only", choices=("soon", "memory", "delays", "idle"), action="append")
    options = parser.parse_args()
    wanted = options.only or ["soon", "memory", "delays", "idle"]
    with ExitStack() as stack:

        def folder() -> Path:
            made = tempfile.TemporaryDirectory(dir=options.directory, prefix="ms-bench-")
            return Path(stack.enter_context(made))

        if "soon" in wanted:
            measure_soon(folder(), options.streams, options.rate, options.seconds, options.rounds)
        if "memory" in wanted:
            measure_memory(folder, (options.streams, options.streams * 4))
        if "delays" in wanted:
            measure_delays(folder, options.rate / 2, options.seconds, options.rounds)
        if "idle" in wanted:
            measure_idle(folder, find_dovecot(options.dovecot), options.rounds * 10)


if __name__ == "__main__":
    main()
