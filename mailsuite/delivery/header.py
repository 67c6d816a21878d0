"""What happens to the header of a message between the wire and the store, piece by piece as it comes in.

Sans-IO: octets in, octets out. Of what others wrote, three things go: Return-Path, which final delivery
writes (RFC 5321 section 4.4), Authentication-Results under our own name (RFC 8601 section 5), and in a
submission Bcc. The rest of the header stays octet for octet, and so does the body, whatever it is: once the
header is through, pieces are handed on untouched and unseen.
"""

from __future__ import annotations

import attrs

from mailsuite.delivery.header_addresses import read_authors
from mailsuite.delivery.header_fields import Header, read_header
from mailsuite.delivery.header_results import OwnResults
from mailsuite.delivery.letterhead import Letterhead, from_field, sender_field
from mailsuite.delivery.passed import Passed
from mailsuite.model.address import Address
from mailsuite.model.facts import HeaderFacts
from mailsuite.model.reply import BARE_NEWLINE, HEADER_TOO_BIG, MAIL_LOOP, Reply

CRLF = b"\r\n"
HEADER_END = b"\r\n\r\n"


@attrs.frozen
class HeaderLimits:
    """How much of a header is taken."""

    octets: int = 256 * 1024
    """Up to the empty line. sendmail takes 32 KiB, Exim 1 MiB; Postfix cuts single fields at 100 KiB."""
    fields: int = 2000
    """Our own limit; mail that came by many lists and filters has 200."""
    results: int = 32 * 1024
    """Octets of Authentication-Results, each of which is read for whose it is; our own limit, 8 times what
    mail has."""
    hops: int = 100
    """Received fields (RFC 5321 section 6.3)."""


@attrs.define(eq=False)
class HeaderFilter:
    """Takes one message from its first octet to its last: feed() each piece, then finish().

    What comes out, joined, depends on the octets that went in and not on how they were cut. One that
    ``holds`` gives nothing out from the end of the header on, and keeps what is fed: while it is
    ``pending`` its caller asks the rules, feeds as little more as it can, and then calls release(),
    replace_from() or replace_sender().

    With ``defect`` set the message must not be delivered; whatever is fed then is thrown away.
    """

    _own: OwnResults
    _limits: HeaderLimits = HeaderLimits()
    _letterhead: Letterhead | None = None
    """What a submission gets where it has none of it; None: the message is no submission of ours."""
    _holds: bool = False

    facts: HeaderFacts | None = attrs.field(default=None, init=False)
    """Set as soon as the header is complete, and at the latest by finish(); never with a defect."""
    tls_may_fail: bool = attrs.field(default=False, init=False)
    """The header says ``TLS-Required: no`` (RFC 8689 section 3)."""
    defect: Reply | None = attrs.field(default=None, init=False)
    _passed: Passed = attrs.field(factory=Passed, init=False)
    _gathered: bytearray = attrs.field(factory=bytearray, init=False)
    """What came so far, while the header is not complete; then, while pending, what stands behind it."""
    _header: Header | None = attrs.field(default=None, init=False)
    """The one that is pending."""
    _passing: bool = attrs.field(default=False, init=False)

    @property
    def pending(self) -> bool:
        """Whether it waits for release(), or what changes something before."""
        return self._header is not None

    def feed(self, data: bytes) -> bytes:
        """Take the next octets of the message; answer what goes on of all that came."""
        if self._passing:
            return data
        if self.defect is not None:
            return b""
        known = len(self._gathered)
        self._gathered += data
        if self.pending:
            return b""
        if self._gathered.startswith(CRLF):
            return self._complete(b"", CRLF + self._gathered)
        most = self._limits.octets
        end = self._gathered.find(HEADER_END, max(0, known - 3), most + 2)
        if end >= 0:
            return self._complete(bytes(self._gathered[:end]), bytes(self._gathered[end:]))
        return self._cut() if len(self._gathered) >= most + 2 else b""

    def finish(self) -> bytes:
        """The message has ended. Answers what goes on at last; nothing where it is pending."""
        if self._passing or self.pending or self.defect is not None:
            return b""
        if len(self._gathered) > self._limits.octets:
            return self._cut()
        block = bytes(self._gathered.removesuffix(CRLF))
        return self._complete(block, bytes(self._gathered[len(block) :]) if block else CRLF)

    def release(self) -> bytes:
        """Let go on what is pending."""
        header, self._header = self._header, None
        if header is None:
            return b""
        self._passing = True
        behind, self._gathered = self._gathered, bytearray()
        return header.octets(behind)

    def replace_from(self, author: Address, name: str = "") -> bytes:
        """Let go on what is pending, with this author instead of all that From and Sender say."""
        if self._header is not None:
            self._header.leave_out(b"from")
            self._header.leave_out(b"sender")
            self._header.add(b"from", from_field(author, name))
        return self.release()

    def replace_sender(self, sender: Address) -> bytes:
        """Let go on what is pending, with this Sender instead of any other (RFC 6409 section 8.1)."""
        if self._header is not None:
            self._header.leave_out(b"sender")
            self._header.add(b"sender", sender_field(sender))
        return self.release()

    def has_been_at(self, address: Address) -> bool:
        """Whether a Delivered-To field names that address: the message goes in a circle (RFC 9228)."""
        return self._passed.has_been_at(address)

    def _cut(self) -> bytes:
        """The limit is reached without an empty line: it is no header, or one that is too long."""
        most = self._limits.octets
        header = read_header(bytes(self._gathered[:most]), self._limits.fields)
        if not header.rest or (header.fields and len(header.rest) == 1):  # the last of it is cut in two
            return self._refuse(HEADER_TOO_BIG)
        return self._judge(header, bytes(self._gathered[most:]))

    def _complete(self, block: bytes, behind: bytes) -> bytes:
        """The lines up to the empty line; and what follows, the CRLF of the last line included."""
        return self._judge(read_header(block, self._limits.fields), behind)

    def _judge(self, header: Header, behind: bytes) -> bytes:
        """Look at it once, change it, hand it on or hold it."""
        defect = self._wrong_with(header)
        if defect is not None:
            return self._refuse(defect)
        self._note(header)
        self._change(header)
        self._header = header
        self._gathered = bytearray(behind)
        return b"" if self._holds else self.release()

    def _refuse(self, defect: Reply) -> bytes:
        self.defect = defect
        self._gathered = bytearray()
        return b""

    def _wrong_with(self, header: Header) -> Reply | None:
        results = sum(map(len, header.values(b"authentication-results")))
        if len(header.fields) > self._limits.fields or results > self._limits.results:
            return HEADER_TOO_BIG
        if header.count(b"received") > self._limits.hops:
            return MAIL_LOOP
        # Only BINARYMIME lets one come so far, and others would read it as the end of a field.
        return BARE_NEWLINE if header.has_bare_newline else None

    def _note(self, header: Header) -> None:
        """What the rules and the delivery ask for."""
        authors, senders = read_authors(header.values(b"from")), read_authors(header.values(b"sender"))
        addresses = authors.addresses
        author = self._letterhead.author if self._letterhead is not None else None
        if author is not None and not header.has(b"from"):
            addresses = (author,)
        self.facts = HeaderFacts(addresses, senders.addresses, authors.broken or senders.broken)
        self.tls_may_fail = [value.strip().lower() for value in header.values(b"tls-required")] == [b"no"]
        self._passed = Passed.of(header)

    def _change(self, header: Header) -> None:
        header.leave_out(b"return-path")
        for index, value in enumerate(header.values(b"authentication-results")):
            if self._own.claimed_by(value):
                header.leave_out_one(b"authentication-results", index)
        if self._letterhead is not None:
            self._letterhead.complete(header)
