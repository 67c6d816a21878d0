"""The settings of the program: what the user prefers, and the accounts that are enrolled."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from mailsuite.client.files import Places, write_private
from mailsuite.client.follower import Transport
from mailsuite.client.popups.choice import WAYS
from mailsuite.client.quiet import QuietHours, read_span
from mailsuite.client.stream import Server
from mailsuite.client.table import SettingsProblem, Table
from mailsuite.client.trust import Trust
from mailsuite.client.verifier import POLL_SECONDS
from mailsuite.model.access import parse_network
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.device import IPNetwork
from mailsuite.model.notice import Level
from mailsuite.model.subscription import QuietSpan

LISTENER_PORT: Final = 10079
"""Where nobody hands port 79 over, which is the administrator's."""
STREAM_PORT: Final = 8443
"""Of a listener whose service is "notify", in the example of the server's configuration."""
POP3S_PORT: Final = 995
"""RFC 8314 section 3.1."""
COMMAND_SECONDS: Final = 60
LEAST_POLL: Final = 60
"""Seconds; the server may ask for more by LOGIN-DELAY."""
MOST_SECONDS: Final = 86_400


@attrs.frozen
class Preferences:
    """``config.toml``: what holds for all accounts. The file need not be there."""

    popup: str = "auto"
    """One of WAYS."""
    command: tuple[str, ...] = ()
    """Program and arguments, run without a shell, the news as a line of JSON on its standard input."""
    command_seconds: int = COMMAND_SECONDS
    """After so many it is ended."""
    fetch: tuple[str, ...] = ()
    """What fetches the mail; it may take as long as it likes, and runs in quiet hours too."""
    port: int = LISTENER_PORT
    bind: str = ""
    """An address of this machine; empty: all, of IPv4 and IPv6."""
    quiet: QuietHours | None = None

    @classmethod
    def read(cls, path: Path) -> Preferences:
        """Raises SettingsProblem."""
        if not path.exists():
            return cls()
        table = Table.read(path)
        listener, quiet = table.table("listener"), table.table("quiet")
        popup = table.text("popup", "auto")
        if popup not in WAYS:
            raise table.wrong("popup", f"is one of {', '.join(WAYS)}")
        found = cls(
            popup,
            table.words("command"),
            table.number("command_seconds", COMMAND_SECONDS, 1, MOST_SECONDS),
            table.words("fetch"),
            listener.number("port", LISTENER_PORT, 1, 65_535),
            listener.text("bind"),
            _quiet(quiet),
        )
        for each in (listener, quiet, table):
            each.finish()
        return found


def _quiet(table: Table) -> QuietHours | None:
    zone, hours = table.text("zone"), table.words("hours")
    if not hours:
        return None
    try:
        spans = tuple(_span(text) for text in hours)
    except ValueError as error:
        raise table.wrong("hours", f"says {error}") from error
    try:
        return QuietHours(ZoneInfo(zone), spans)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise table.wrong(
            "zone", f"is the name of a time zone, such as Europe/Berlin, not {zone!r}"
        ) from error


def _span(text: str) -> QuietSpan:
    days, _, times = text.rpartition(" ")
    begin, _, end = times.partition("-")
    return read_span(days.strip(), begin, end)


@attrs.frozen
class Account:
    """``accounts/ADDRESS.toml``: one that is enrolled. The password is elsewhere."""

    address: str
    server: str
    user: str = ""
    """The login name where it is not the address."""
    transport: Transport = Transport.AUTO
    stream_port: int = STREAM_PORT
    pop3_port: int = POP3S_PORT
    poll_seconds: int = int(POLL_SECONDS)
    ca_file: str = ""
    """Certificates in PEM form to believe instead of the system's authorities."""
    level: Level = Level.SUBJECT
    """How much the stream may tell; the server may allow less."""
    knock_from: tuple[IPNetwork, ...] = ()
    """Networks that may knock, beside the addresses of the server."""

    @property
    def login_name(self) -> str:
        return self.user or self.address

    @property
    def trust(self) -> Trust:
        return Trust(Path(self.ca_file) if self.ca_file else None)

    @classmethod
    def read(cls, path: Path) -> Account:
        """Raises SettingsProblem."""
        table = Table.read(path)
        address, transport = table.text("address"), table.text("transport", Transport.AUTO.value)
        levels = ", ".join(each.word for each in Level)
        try:
            level = Level.of(table.text("level", Level.SUBJECT.word))
        except KeyError as error:
            raise table.wrong("level", f"is one of {levels}") from error
        try:
            Address.parse(address)
            by = Transport(transport)
            networks = tuple(parse_network(word) for word in table.words("knock_from"))
        except AddressSyntaxError as error:
            raise table.wrong("address", f"is no mail address: {address!r}") from error
        except ValueError as error:
            raise SettingsProblem(f"{path}: {error}") from error
        found = cls(
            address,
            table.text("server"),
            table.text("user"),
            by,
            table.number("stream_port", STREAM_PORT, 1, 65_535),
            table.number("pop3_port", POP3S_PORT, 1, 65_535),
            table.number("poll_seconds", int(POLL_SECONDS), LEAST_POLL, MOST_SECONDS),
            table.text("ca_file"),
            level,
            networks,
        )
        if not found.server:
            raise table.wrong("server", "is missing")
        table.finish()
        return found

    def write(self, path: Path) -> None:
        """Raises OSError."""
        lines = [
            f"address = {_quoted(self.address)}",
            f"server = {_quoted(self.server)}",
            f"user = {_quoted(self.user)}",
            f"transport = {_quoted(self.transport.value)}   # auto, stream, listener or poll",
            f"stream_port = {self.stream_port}",
            f"pop3_port = {self.pop3_port}",
            f"poll_seconds = {self.poll_seconds}",
            f"ca_file = {_quoted(self.ca_file)}",
            f"level = {_quoted(self.level.word)}   # knock, count, sender, subject or preview",
            f"knock_from = [{', '.join(_quoted(str(each)) for each in self.knock_from)}]",
        ]
        write_private(path, "\n".join(lines) + "\n")


def server_of(reactor: Any, account: Account) -> Server:
    """Where its stream is, and the rest of the HTTP interface. Raises NoTrust."""
    endpoint = account.trust.endpoint(reactor, account.server, account.stream_port)
    return Server(account.server, account.stream_port, endpoint)


def _quoted(text: str) -> str:
    """A basic string of TOML, which escapes as JSON does."""
    return json.dumps(text, ensure_ascii=False)


def accounts(places: Places) -> tuple[Account, ...]:
    """All that are enrolled, by the names of their files. Raises SettingsProblem."""
    if not places.accounts.is_dir():
        return ()
    return tuple(Account.read(path) for path in sorted(places.accounts.glob("*.toml")))
