"""Reads delivery status notifications by the letter of RFC 3464, RFC 6522, RFC 6533, RFC 2045 and RFC 2046.

Nothing of the product is used, and nothing is forgiven: whatever a rule does not allow raises NotADsn.
"""

from __future__ import annotations

import base64
import re
from datetime import datetime
from email.utils import parsedate_to_datetime

import attrs


class NotADsn(AssertionError):
    """Says which rule was broken."""


@attrs.frozen
class Field:
    name: str
    value: str
    """Unfolded, without the blanks at its ends."""


@attrs.frozen
class Body:
    """A body part."""

    fields: tuple[Field, ...]
    octets: bytes
    """Decoded."""

    @property
    def type(self) -> str:
        return one(self.fields, "Content-Type").partition(";")[0].strip().lower()


@attrs.frozen
class Dsn:
    fields: tuple[Field, ...]
    text: str
    message: dict[str, str]
    """The per-message fields."""
    recipients: tuple[dict[str, str], ...]
    status: Body
    returned: Body | None


_NAME = re.compile(r"[!-9;-~]+")
_PER_MESSAGE = (
    "Original-Envelope-Id",
    "Reporting-MTA",
    "DSN-Gateway",
    "Received-From-MTA",
    "Arrival-Date",
    "Future-Release-Request",
)
_PER_RECIPIENT = (
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Final-Log-ID",
    "Will-Retry-Until",
)
_TYPED = re.compile(r"([!#$%&'*+\-/0-9=?A-Z^_`a-z{|}~]+) ?; ?(.+)")
_STATUS = re.compile(r"[245]\.(0|[1-9]\d{0,2})\.(0|[1-9]\d{0,2})")
_SMTP = re.compile(r"(\d{3}-.*? (?=\d{3}))*\d{3}( .*)?")
_DATE = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4}"
    r" \d{2}:\d{2}:\d{2} [+-]\d{4}"
)
_BOUNDARY = re.compile(r'boundary="([0-9A-Za-z\'()+_,./:=? -]{0,69}[0-9A-Za-z\'()+_,./:=?-])"')
_RETURNED = {
    "message/rfc822": {"7bit", "8bit"},
    "message/global": {"7bit", "8bit", "quoted-printable", "base64"},
    "text/rfc822-headers": {"7bit", "quoted-printable"},
    "message/global-headers": {"7bit", "8bit", "quoted-printable", "base64"},
}
_STATUS_TYPES = {
    "message/delivery-status": {"7bit"},
    "message/global-delivery-status": {"7bit", "8bit", "quoted-printable", "base64"},
}


def check(right: object, rule: str) -> None:
    if not right:
        raise NotADsn(rule)


def one(fields: tuple[Field, ...], name: str) -> str:
    found = [field.value for field in fields if field.name.lower() == name.lower()]
    check(len(found) == 1, f"{name} is there {len(found)} times")
    return found[0]


def read_dsn(octets: bytes, utf8_header: bool = False) -> Dsn:
    """Read a whole message."""
    lines = octets.split(b"\r\n")
    check(octets.endswith(b"\r\n"), "the last line has an end")
    check(not any(b"\r" in line or b"\n" in line for line in lines), "CR and LF are together")
    check(all(len(line) <= 998 for line in lines), "no line is longer than 998 octets (RFC 5322 2.1.1)")
    check(b"\0" not in octets, "no NUL (RFC 2045 2.7)")
    head, _, body = octets.partition(b"\r\n\r\n")
    check(utf8_header or head.isascii(), "the header is ASCII")
    fields = read_fields(head.decode("utf-8") + "\r\n")
    for name in ("Date", "From", "To", "Subject", "Message-ID", "MIME-Version", "Auto-Submitted"):
        one(fields, name)
    check(one(fields, "Auto-Submitted") == "auto-replied", "RFC 3834 5.2")
    check(_DATE.fullmatch(one(fields, "Date")), "RFC 5322 3.3")
    kind = one(fields, "Content-Type")
    check(kind.startswith("multipart/report;"), "RFC 6522 3")
    check("report-type=delivery-status" in kind, "RFC 3464 2")
    found = _BOUNDARY.search(kind)
    check(found, "a boundary (RFC 2046 5.1.1)")
    assert found is not None
    encoding = one(fields, "Content-Transfer-Encoding")
    check(encoding in {"7bit", "8bit"}, "RFC 2045 6.4")
    check(encoding == "8bit" or body.isascii(), "7bit is ASCII")
    parts = [read_part(part) for part in split(body, found[1].encode())]
    check(len(parts) in {2, 3}, "two or three parts (RFC 6522 3)")
    text, status, *rest = parts
    check(text.type == "text/plain", "a text first")
    check(status.type in _STATUS_TYPES, "the status second")
    check(transfer(status) in _STATUS_TYPES[status.type], "RFC 3464 2.1, RFC 6533 4.4")
    if rest:
        check(rest[0].type in _RETURNED, "what comes back third")
        check(transfer(rest[0]) in _RETURNED[rest[0].type], "RFC 2046 5.2.1, RFC 6532 3.7, RFC 6522 4")
    is_global = status.type == "message/global-delivery-status"
    message, recipients = read_status(status.octets, is_global)
    return Dsn(fields, text.octets.decode("utf-8"), message, recipients, status, rest[0] if rest else None)


def split(body: bytes, boundary: bytes) -> list[bytes]:
    """The parts of a multipart, whatever else looks like a boundary being a broken rule."""
    line = b"--" + boundary
    pieces = (b"\r\n" + body).split(b"\r\n" + line)
    check(pieces[0] == b"", "no preamble")
    check(pieces[-1] == b"--\r\n", "the last boundary, and nothing behind it")
    for piece in pieces[1:-1]:
        check(piece.startswith(b"\r\n"), "a boundary has a line of its own")
        check(line not in piece, "the boundary is nowhere in a part")
    return [piece[2:] for piece in pieces[1:-1]]


def read_part(part: bytes) -> Body:
    head, _, body = part.partition(b"\r\n\r\n")
    fields = read_fields(head.decode("ascii") + "\r\n")
    encoding = one(fields, "Content-Transfer-Encoding")
    if encoding == "7bit":
        check(body.isascii(), "7bit is ASCII")
    if encoding == "quoted-printable":
        check(all(len(line) <= 76 for line in body.split(b"\r\n")), "RFC 2045 6.7 (5)")
        check(re.fullmatch(rb"(?:[\t\r\n -<>-~]|=[0-9A-F]{2}|=\r\n)*", body), "RFC 2045 6.7")
        check(not re.search(rb"[ \t]\r\n|[ \t]\Z", body), "RFC 2045 6.7 (3)")
        body = re.sub(
            rb"=([0-9A-F]{2})", lambda found: bytes([int(found[1], 16)]), body.replace(b"=\r\n", b"")
        )
    if encoding == "base64":
        body = base64.b64decode(body, validate=True)
    return Body(fields, body)


def transfer(body: Body) -> str:
    return one(body.fields, "Content-Transfer-Encoding")


def read_fields(text: str) -> tuple[Field, ...]:
    """Header fields (RFC 5322 section 2.2), each line with its CRLF."""
    found: list[Field] = []
    lines = text.split("\r\n")
    check(lines.pop() == "", "the last line has an end")
    for line in lines:
        check(line.strip(), "no line of blanks alone, and no empty one")
        if line[0] in " \t":
            check(found, "a continuation continues something")
            found[-1] = Field(found[-1].name, f"{found[-1].value} {line.strip()}")
            continue
        name, colon, value = line.partition(":")
        check(colon and _NAME.fullmatch(name), f"a field: {line!r}")
        found.append(Field(name, value.strip()))
    return tuple(found)


def read_status(octets: bytes, is_global: bool) -> tuple[dict[str, str], tuple[dict[str, str], ...]]:
    """``delivery-status-content`` (RFC 3464 section 2.1)."""
    text = octets.decode("utf-8")
    check(is_global or text.isascii(), "message/delivery-status is ASCII")
    check(
        "\r\n\r\n\r\n" not in text and not text.startswith("\r\n"), "groups have one blank line between them"
    )
    first, *groups = text.removesuffix("\r\n").split("\r\n\r\n")
    check(groups, "a group for each recipient")
    message = group(first, _PER_MESSAGE, {"Reporting-MTA"})
    typed(message["Reporting-MTA"], {"dns"})
    recipients = tuple(
        group(each, _PER_RECIPIENT, {"Final-Recipient", "Action", "Status"}) for each in groups
    )
    for each in recipients:
        check_recipient(each, is_global)
    if "Arrival-Date" in message:
        date(message["Arrival-Date"])
    return message, recipients


def check_recipient(fields: dict[str, str], is_global: bool) -> None:
    kind, address = typed(fields["Final-Recipient"], {"rfc822", "utf-8"})
    check(kind == "utf-8" or address.isascii(), "an rfc822 address is ASCII (RFC 3461 9.1)")
    if "Original-Recipient" in fields:
        typed(fields["Original-Recipient"], None)
    action = fields["Action"]
    check(action in {"failed", "delayed", "delivered", "relayed", "expanded"}, "RFC 3464 2.3.3")
    check(_STATUS.fullmatch(fields["Status"]), "RFC 3464 2.3.4")
    classes = {"failed": "45", "delayed": "4"}.get(action, "2")
    check(fields["Status"][0] in classes, "the class fits the action")
    if "Remote-MTA" in fields:
        _, name = typed(fields["Remote-MTA"], {"dns"})
        check(re.fullmatch(r"[A-Za-z0-9._:\[\]?-]+", name), "a name")
    if "Diagnostic-Code" in fields:
        _, said = typed(fields["Diagnostic-Code"], {"smtp"})
        check(said.isascii() and said.isprintable(), "text-fixed without controls (RFC 6533 4.1)")
        check(_SMTP.fullmatch(said), f"RFC 3461 9.2: {said}")
    for name in ("Last-Attempt-Date", "Will-Retry-Until"):
        if name in fields:
            date(fields[name])
    check(action == "delayed" or "Will-Retry-Until" not in fields, "RFC 3464 2.3.9")


def group(text: str, names: tuple[str, ...], needed: set[str]) -> dict[str, str]:
    """Fields in the order of the grammar, each once."""
    fields = read_fields(text + "\r\n")
    places = []
    for field in fields:
        check(field.name in names, f"a field of the grammar: {field.name}")
        places.append(names.index(field.name))
    check(places == sorted(set(places)), "in their order, and once")
    found = {field.name: field.value for field in fields}
    check(needed <= set(found), f"all of {needed}")
    return found


def typed(value: str, kinds: set[str] | None) -> tuple[str, str]:
    """``type; text``"""
    found = _TYPED.fullmatch(value)
    check(found, f"type; text: {value!r}")
    assert found is not None
    check(kinds is None or found[1] in kinds, f"type {found[1]}")
    return found[1], found[2]


def date(value: str) -> datetime:
    check(_DATE.fullmatch(value), f"a date: {value}")
    return parsedate_to_datetime(value)
