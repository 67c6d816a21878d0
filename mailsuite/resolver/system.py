"""What the system says of name servers and hosts: /etc/resolv.conf and /etc/hosts, read again when they
change (resolv.conf(5), hosts(5))."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from types import MappingProxyType
from typing import Final

import attrs

from mailsuite.concurrent.watch import FileWatch, Stamp, stamps
from mailsuite.interfaces import IThreads
from mailsuite.model.account import IPAddress
from mailsuite.model.dns import NameServer
from mailsuite.model.failure import MailFailure
from mailsuite.observe.log import Log
from mailsuite.resolver.question import plain
from mailsuite.resolver.servers import Upstream

RESOLV_CONF: Final = Path("/etc/resolv.conf")
HOSTS: Final = Path("/etc/hosts")
MAX_FILE_OCTETS: Final = 4 << 20
"""Our own limit; hosts files against advertisements are the largest, and have some hundred thousand lines."""
MAX_SERVERS: Final = 3
"""Of resolv.conf, as the C library has it (MAXNS)."""
_THIS_MACHINE: Final = Upstream((NameServer(IPv4Address("127.0.0.1")),))
"""resolv.conf(5): without any, the one on this machine."""


@attrs.frozen
class Hosts:
    """The hosts file."""

    addresses: Mapping[str, tuple[IPAddress, ...]] = MappingProxyType({})
    names: Mapping[IPAddress, tuple[str, ...]] = MappingProxyType({})
    """Of each address those of its first line, the first one being its proper name."""


@attrs.frozen
class System:
    """Both files."""

    upstream: Upstream = _THIS_MACHINE
    hosts: Hosts = Hosts()


def read_resolv_conf(text: str) -> Upstream:
    """The name servers, and whether they are trusted to validate (``options trust-ad``). What cannot be read
    is passed over, and search lists do not concern us."""
    servers: dict[NameServer, None] = {}
    trust = False
    for line in text.split("\n"):
        words = line.split()
        if words[:1] == ["nameserver"] and len(words) > 1:
            address = _address(words[1])
            if address is not None:
                servers[NameServer(address)] = None
        elif words[:1] == ["options"]:
            trust = trust or "trust-ad" in words
    return Upstream(tuple(servers)[:MAX_SERVERS] or _THIS_MACHINE.servers, trust)


def read_hosts(text: str) -> Hosts:
    """What can be read of it."""
    addresses: dict[str, tuple[IPAddress, ...]] = {}
    names: dict[IPAddress, tuple[str, ...]] = {}
    for line in text.split("\n"):
        words = line.partition("#")[0].split()
        address = _address(words[0]) if words else None
        if address is None:
            continue
        found = tuple(_names(words[1:]))
        if found:
            names.setdefault(address, found)
        for name in found:
            others = addresses.get(name, ())
            if address not in others:
                addresses[name] = tuple(sorted((*others, address), key=lambda each: -each.version))
    return Hosts(addresses, names)


def _names(words: list[str]) -> Iterator[str]:
    return (name for name in map(plain, words) if name is not None)


def _address(word: str) -> IPAddress | None:
    try:
        return ip_address(word)
    except ValueError:
        return None


def read_system(resolv_conf: Path, hosts: Path) -> tuple[System, list[str]]:
    """Both files as they are, and what is wrong with them; one that cannot be read says nothing. Blocks."""
    complaints: list[str] = []
    texts = [_text(path, complaints) for path in (resolv_conf, hosts)]
    return System(read_resolv_conf(texts[0]), read_hosts(texts[1])), complaints


def _text(path: Path, complaints: list[str]) -> str:
    try:
        if path.exists() and not path.is_file():  # a pipe would keep the thread for ever
            complaints.append(f"{path} is no regular file")
            return ""
        with path.open("rb") as file:
            octets = file.read(MAX_FILE_OCTETS + 1)
    except OSError as error:
        complaints.append(f"{path} cannot be read: {error.strerror}")
        return ""
    if len(octets) > MAX_FILE_OCTETS:
        complaints.append(f"{path} has more than {MAX_FILE_OCTETS} octets, and is not used")
        return ""
    return octets.decode("utf-8", "replace")


@attrs.define(eq=False)
class SystemFiles:
    """Both files, as they are now. open() reads them, start() watches them."""

    threads: IThreads
    watch: FileWatch
    log: Log
    changed: Callable[[System], None]
    """Called with what they say, by open() and whenever that changes."""
    resolv_conf: Path = RESOLV_CONF
    hosts: Path = HOSTS
    now: System = attrs.field(factory=System, init=False)
    _seen: Mapping[Path, Stamp | None] = attrs.field(factory=dict, init=False)

    def open(self) -> None:
        """Read both. Blocks: for the time before the reactor runs."""
        self._seen = stamps(self._paths)
        self._take(read_system(*self._paths))

    def start(self) -> None:
        """Read both again whenever one changes."""
        self.watch.watch("resolver", self._paths, self._read_again, self._seen)

    @property
    def _paths(self) -> tuple[Path, Path]:
        return self.resolv_conf, self.hosts

    async def _read_again(self) -> None:
        try:
            self._take(await self.threads.run(partial(read_system, *self._paths)))
        except MailFailure as failure:
            self.log.warning("dns.files_delayed", reason=failure.reason)

    def _take(self, read: tuple[System, list[str]]) -> None:
        found, complaints = read
        for complaint in complaints:
            self.log.warning("dns.file_unreadable", reason=complaint)
        self.now = found
        self.changed(found)
