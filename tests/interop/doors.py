"""A server that offers every way to log in on some doors and few on others, and who came in how."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from typing import Final

import attrs

from tests.system.clients import connect
from tests.system.harness import DEVICE, LIMITS, LISTENERS, PASSWORDS, Server

JOE, ANN, BOB = "joe@example.test", "ann@example.test", "bob@example.test"
PRINTER = "scanner in the hall"
"""A device of joe's and ann's beside the one that logs in: each proof is held against several secrets."""

SHOWN: Final = ("PLAIN", "LOGIN")
SCRAM: Final = ("SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS")
OLD: Final = ("CRAM-MD5", "NTLM")
SASL: Final = (*SHOWN, *SCRAM, *OLD)

_ALL = "[" + ", ".join(f'"{name.lower()}"' for name in SASL) + "]"
_SETTINGS = LIMITS.replace("[submission]\n", f"[submission]\nauth = {_ALL}\n").replace(
    "[pop3]\n", f'[pop3]\nauth = {_ALL}\napop = "offer"\n'
)


def _door(name: str, service: str, *lines: str) -> str:
    block = ("[[listener]]", f'name = "{name}"', f'service = "{service}"', 'bind = ["127.0.0.1"]')
    return "\n".join((*block, "port = 0", 'tls = "implicit"', *lines)) + "\n"


_DOORS = "\n".join(
    (
        LISTENERS,
        _door("pop3-shown", "pop3", 'auth = ["plain"]', 'apop = "off"'),
        _door("pop3-hidden", "pop3", 'auth = ["plain", "scram-sha-256"]', 'apop = "require"'),
        _door("submission-shown", "submission", 'auth = ["plain"]'),
        _door("submission-hidden", "submission", 'auth = ["scram-sha-256"]'),
    )
)


LOGIN: Final = re.compile(r" (pop3|submission)\.login ")
REFUSED: Final = " login.refused "
_FIELD: Final = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')


@attrs.frozen
class Entry:
    """One login that was let in."""

    service: str
    account: str
    mechanism: str
    device: str

    @classmethod
    def read(cls, line: str) -> Entry:
        """From the log."""
        service = LOGIN.search(line)
        assert service, line
        fields = {name: quoted or bare for name, quoted, bare in _FIELD.findall(line)}
        return cls(service[1], fields["account"], fields["mechanism"], fields.get("device", ""))


@attrs.frozen
class Doors:
    """The server, and the secrets that open it. pop3s, submissions and their siblings offer everything;
    those called -shown offer PLAIN alone, those called -hidden nothing that shows the password."""

    server: Server
    devices: dict[str, str]
    """The password of each account's device."""

    def secret(self, account: str, mechanism: str) -> str:
        """What logs in by this mechanism: the account's own password where that is possible."""
        own = mechanism not in {"APOP", *OLD}
        return PASSWORDS[account] if own else self.devices[account]

    def refusing(self, service: str, mechanism: str) -> int:
        """The port of a listener under TLS that does not offer *mechanism*."""
        return self.server.ports[f"{service}-{'hidden' if mechanism in {'USER', *SHOWN} else 'shown'}"]

    @contextlib.contextmanager
    def lets_in(self, service: str, account: str, mechanism: str) -> Iterator[None]:
        """What happens meanwhile is this one login, and no refusal."""
        device = "old" if mechanism in {"APOP", *OLD} else ""
        with self._watched() as seen:
            yield
        assert [Entry.read(line) for line in seen if LOGIN.search(line)] == [
            Entry(service, account, mechanism, device)
        ]
        assert not [line for line in seen if REFUSED in line]

    @contextlib.contextmanager
    def refuses(self, reason: str) -> Iterator[None]:
        """What happens meanwhile is refused for this reason, however often it is tried."""
        with self._watched() as seen:
            yield
        refused = [line for line in seen if REFUSED in line]
        assert refused
        assert not [line for line in refused if not line.endswith(f" reason={reason}")]
        assert not [line for line in seen if LOGIN.search(line)]

    @contextlib.contextmanager
    def hears_nothing(self) -> Iterator[None]:
        """Meanwhile nobody so much as tries a password: the mechanism is not there."""
        with self._watched() as seen:
            yield
        assert not [line for line in seen if REFUSED in line or LOGIN.search(line)]

    @contextlib.contextmanager
    def _watched(self) -> Iterator[list[str]]:
        """What is logged meanwhile, line by line, at the end."""
        seen: list[str] = []
        before = self._written()
        yield seen
        with self.server.log.open("rb") as log:
            log.seek(before)
            seen += log.read(self._written() - before).decode("utf-8", "replace").splitlines()

    def _written(self) -> int:
        """The size of the log when all lines up to now are in it: a warning is written at once, and this is
        one."""
        with connect(self.server, "mx") as client:
            client.send(b"GET / HTTP/1.1\r\n\r\n")
            client.rest()
        return self.server.log.stat().st_size


@contextlib.contextmanager
def doors_of(server: Server) -> Iterator[Doors]:
    """Start *server* as one of these. Joe's device stands in the file, ann's in the database."""
    server.extra, server.listeners = _SETTINGS, _DOORS
    old = ("apop", "cram-md5", "ntlm")
    server.settings = {JOE: server.device("old", f"mechanisms = {list(old)}".replace("'", '"'))}
    with server:
        devices = {JOE: DEVICE, ANN: server.add_device(ANN, "old", *old)}
        for account in devices:
            server.add_device(account, PRINTER, *old)
        yield Doors(server, devices)
