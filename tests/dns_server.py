"""A name server for tests: what it knows and what it does wrong is told to it by name.

Zone is the pure part, octets in and octets out; DnsServer puts it on UDP and TCP on loopback, in threads.
"""

from __future__ import annotations

import socketserver
import threading
from types import TracebackType
from typing import Literal

import attrs
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset

Via = Literal["udp", "tcp"]
Fault = Literal[
    "servfail",
    "refused",
    "silent",
    "truncate",
    "huge",
    "wrong-id",
    "flood",
    "stray-first",
    "wrong-name",
    "wrong-type",
    "lower-case",
    "garbage",
    "no-edns",
    "referral",
    "no-soa",
    "unfinished",
    "closes",
]
"""What is done to a question for a name: the words say it. "unfinished": of a chain of aliases just the
first comes; "flood": nothing but responses to other questions."""

SOA = "ns.test. admin.test. 1 3600 600 86400 {minimum}"
MAX_CHAIN = 16


@attrs.define(slots=False)
class Zone:
    """Answers for every name there is, as a recursive server would; all else is NXDOMAIN."""

    ttl: int = 300
    minimum: int = 60
    """Seconds that "there is none" holds."""
    authentic: bool = False
    faults: dict[str, Fault] = attrs.field(factory=dict)
    """By name; "" is for all."""
    questions: list[tuple[str, str, Via]] = attrs.field(factory=list)
    """Name, type and transport of each, the latest last."""
    queries: list[bytes] = attrs.field(factory=list)
    _records: dict[str, dict[str, list[str]]] = attrs.field(factory=dict)

    def add(self, name: str, kind: str, *values: str) -> None:
        """Records in the form of a zone file; the names in them are whole ones, with their last dot."""
        self._records.setdefault(name.lower(), {}).setdefault(kind, []).extend(values)

    def forget(self, name: str) -> None:
        """There is no such name any more."""
        self._records.pop(name.lower(), None)

    def host(self, name: str, *addresses: str) -> None:
        """A host with its addresses; each has the name in turn."""
        for address in addresses:
            self.add(name, "AAAA" if ":" in address else "A", address)
            self.add(str(dns.reversename.from_address(address)).removesuffix("."), "PTR", f"{name}.")

    def pointer(self, address: str, *names: str) -> None:
        """What an address claims to be called."""
        reverse = str(dns.reversename.from_address(address)).removesuffix(".")
        self.add(reverse, "PTR", *(f"{name}." for name in names))

    def asked(self, name: str) -> int:
        """How many questions there were for a name."""
        return sum(question[0] == name for question in self.questions)

    def respond(self, wire: bytes, via: Via) -> list[bytes]:
        """What is sent back for a query: usually one message."""
        query = dns.message.from_wire(wire)
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True).lower()
        self.queries.append(wire)
        self.questions.append((name, dns.rdatatype.to_text(question.rdtype), via))
        fault = self.faults.get(name) or self.faults.get("")
        if fault is None:
            return [self._answer(query, name).to_wire(max_size=65535, want_shuffle=False)]
        return self._faulty(fault, query, name, via)

    def _faulty(self, fault: Fault, query: dns.message.Message, name: str, via: Via) -> list[bytes]:
        answer = self._answer(query, name, unfinished=fault == "unfinished")
        if fault in {"truncate", "huge"} and via == "udp":
            answer.flags |= dns.flags.TC
        if fault == "referral":
            answer.flags &= ~(dns.flags.RA | dns.flags.AA)
            answer.set_rcode(dns.rcode.NOERROR)
        if fault in {"truncate", "referral"} and via == "udp":
            answer.answer = []
        if fault in {"no-soa", "referral"}:
            answer.authority = []
        right = answer.to_wire(max_size=65535, want_shuffle=False)
        match fault:
            case "servfail" | "refused":
                return [self._code(query, fault.upper())]
            case "no-edns" if query.edns >= 0:
                return [self._code(query, "FORMERR")]
            case "silent" | "closes":
                return []
            case "huge" if via == "udp":
                return [right[:-20]]
            case "garbage":
                return [right[:12] + b"\xff" * 30]
            case "lower-case":
                end = 12 + len(name) + 1
                return [right[:12] + right[12:end].lower() + right[end:]]
        return _strays(fault, query, right, via)

    def _code(self, query: dns.message.Message, code: str) -> bytes:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA
        answer.set_rcode(dns.rcode.from_text(code))
        if code == "FORMERR":
            answer.use_edns(False)
            answer.question = []
        return answer.to_wire(max_size=65535, want_shuffle=False)

    def _answer(
        self, query: dns.message.Message, name: str, *, unfinished: bool = False
    ) -> dns.message.Message:
        answer = dns.message.make_response(query)
        answer.flags |= dns.flags.RA | (dns.flags.AD if self.authentic else 0)
        kind = dns.rdatatype.to_text(query.question[0].rdtype)
        owner = query.question[0].name
        for _ in range(MAX_CHAIN):
            known = self._records.get(name, {})
            if kind in known or "CNAME" not in known:
                break
            answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", "CNAME", *known["CNAME"]))
            owner = dns.name.from_text(known["CNAME"][0])
            name = owner.to_text(omit_final_dot=True).lower()
            if unfinished:
                return answer
        if kind in known:
            answer.answer.append(dns.rrset.from_text(owner, self.ttl, "IN", kind, *known[kind]))
        elif "CNAME" not in known:
            soa = SOA.format(minimum=self.minimum)
            answer.authority.append(dns.rrset.from_text(dns.name.root, self.ttl, "IN", "SOA", soa))
            if not known and not any(other.endswith(f".{name}") for other in self._records):
                answer.set_rcode(dns.rcode.NXDOMAIN)
        return answer


def _strays(fault: Fault, query: dns.message.Message, right: bytes, via: Via) -> list[bytes]:
    """Responses to other questions, before the right one or in its place."""
    match fault:
        case "wrong-id":
            return [_other_id(right)]
        case "stray-first":
            no_response = right[:2] + b"\0\0" + right[4:]
            return [b"", right[:2] + b"\x80" * 3, no_response, _other_id(right), right]
        case "flood" if via == "udp":
            return [_other_id(right)] * 20
        case "wrong-name" | "wrong-type":
            other = dns.message.make_response(query)
            asked = query.question[0]
            name = dns.name.from_text("other.test.") if fault == "wrong-name" else asked.name
            kind = dns.rdatatype.TXT if fault == "wrong-type" else asked.rdtype
            other.question = [dns.rrset.RRset(name, dns.rdataclass.IN, kind)]
            return [other.to_wire(max_size=65535, want_shuffle=False)]
    return [right]


def _other_id(message: bytes) -> bytes:
    return bytes([message[0] ^ 1]) + message[1:]


class _Datagrams(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        data, sock = self.request
        for each in self.server.zone.respond(data, "udp"):
            sock.sendto(each, self.client_address)


class _Streams(socketserver.StreamRequestHandler):
    timeout = 10.0

    def handle(self) -> None:
        try:
            length = int.from_bytes(self.rfile.read(2))
            query = self.rfile.read(length)
            for each in self.server.zone.respond(query, "tcp") if length else ():
                self.wfile.write(len(each).to_bytes(2) + each)
        except OSError:  # the client has gone: it has what it wanted, or never will
            pass


class _Udp(socketserver.ThreadingUDPServer):
    daemon_threads = True
    zone: Zone


class _Tcp(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    zone: Zone


@attrs.define(eq=False)
class DnsServer:
    """A zone on the same UDP and TCP port of 127.0.0.1; a context manager."""

    zone: Zone = attrs.field(factory=Zone)
    port: int = 0
    _servers: tuple[socketserver.BaseServer, ...] = ()
    _threads: list[threading.Thread] = attrs.field(factory=list)

    def __enter__(self) -> DnsServer:
        udp, tcp = _pair()
        udp.zone = tcp.zone = self.zone
        self.port = udp.server_address[1]
        self._servers = (udp, tcp)
        for each in self._servers:
            thread = threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.02})
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each in self._servers:
            each.shutdown()
            each.server_close()
        for thread in self._threads:
            thread.join()

    @property
    def setting(self) -> str:
        """For ``[resolver] servers``."""
        return f'["127.0.0.1:{self.port}"]'


def _pair() -> tuple[_Udp, _Tcp]:
    """Servers of both kinds on one port that the kernel chose; the other kind may have it taken."""
    for _ in range(50):
        udp = _Udp(("127.0.0.1", 0), _Datagrams)
        try:
            return udp, _Tcp(udp.server_address, _Streams)
        except OSError:
            udp.server_close()
    raise OSError("no port is free for both UDP and TCP")
