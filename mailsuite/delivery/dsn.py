"""Delivery status notifications: from a report to a message (RFC 3461 section 6, RFC 3464, RFC 6522).

Pure: values in, octets out. A notice is written so that it reaches whoever can be reached: in seven bits,
with SMTPUTF8 only where the address of its reader needs that. What of the message comes back with it:

- all of it only where the sender has asked for it (RET=FULL), where it failed, and up to MAX_RETURNED octets;
  to the postmaster, also where nobody asked, since nobody else has it. RFC 6522 section 3 would return all
  where nothing is said; but most senders have kept the message, and a notice that carries any text to any
  address is abused.
- message/rfc822 must not be encoded (RFC 2046 section 5.2.1). What has eight bits comes back whole where
  every server on the way is ours; else as its header, which may be encoded (RFC 6522 section 4).
- What had to go by TLS alone (REQUIRETLS) comes back as its header, by TLS alone (RFC 8689 section 5).
- A header in UTF-8 makes it message/global or message/global-headers, which may be encoded too (RFC 6532
  section 3.7, RFC 6533 section 4.5).
"""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import attrs

from mailsuite.delivery.dsn_fields import is_global, status_part
from mailsuite.delivery.dsn_letter import Enclosed, explanation, subject_of
from mailsuite.delivery.dsn_mime import Part, boundary_for, is_plain, joined, quoted_printable, text_part
from mailsuite.delivery.dsn_original import Original
from mailsuite.delivery.dsn_report import Reader, Report
from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, MailParameters, NotifyOn, Returned
from mailsuite.wire.pop3.downgrade import is_internationalized
from mailsuite.wire.pop3.encoded_words import encoded, folded, words_of


@attrs.frozen
class Notice:
    """A message that is ready to be sent, from the null reverse-path."""

    id: str
    to: Address
    content: bytes
    parameters: MailParameters


def compose(report: Report, original: Original | None, eight_bit: bool) -> Notice:
    """Write the notice. *original*: None where it cannot be read any more. *eight_bit*: all servers on the
    way take what has eight bits."""
    returned = _returned(report, original, eight_bit)
    enclosed = Enclosed(
        subject=original.subject if original is not None else "",
        returned=_what_is_returned(report, returned),
    )
    language = report.texts.tag
    text = explanation(report, enclosed).replace("\n", "\r\n")
    parts = [
        text_part(f"text/plain; charset={'us-ascii' if text.isascii() else 'utf-8'}", text, language),
        _status(report),
    ]
    if returned is not None:
        parts.append(returned)
    bodies = [part.octets() for part in parts]
    boundary = boundary_for(bodies, report.id)
    has_eight = any(part.encoding == "8bit" for part in parts)
    head = _header(report, original, boundary, "8bit" if has_eight else "7bit")
    parameters = MailParameters(
        body=BodyType.EIGHT_BIT if has_eight or not head.isascii() else BodyType.SEVEN_BIT,
        smtputf8=not head.isascii(),
        require_tls=report.message.parameters.require_tls,
    )
    return Notice(report.id, report.to, head + joined(bodies, boundary), parameters)


def _status(report: Report) -> Part:
    octets = status_part(report).encode("utf-8")
    if is_global(report):
        return Part("message/global-delivery-status", "8bit", octets)
    return Part("message/delivery-status", "7bit", octets)


def _header(report: Report, original: Original | None, boundary: str, encoding: str) -> bytes:
    fields = [
        f"Date: {format_datetime(datetime.fromtimestamp(report.now, UTC))}",
        folded("From", [report.texts.daemon, f"<{report.contact}>"]),
        folded("To", [f"<{report.to}>"]),
        folded("Subject", encoded(words_of(subject_of(report)))),
        f"Message-ID: <{report.id}@{report.hostname}>",
    ]
    message_id = original.message_id if original is not None else ""
    if message_id:
        fields += [folded("In-Reply-To", [message_id]), folded("References", [message_id])]
    fields += [
        "Auto-Submitted: auto-replied",
        "MIME-Version: 1.0",
        f'Content-Type: multipart/report; report-type=delivery-status;\r\n\tboundary="{boundary}"',
        f"Content-Transfer-Encoding: {encoding}",
        "",
        "",
    ]
    return "\r\n".join(fields).encode("utf-8", "replace")


def _returned(report: Report, original: Original | None, eight_bit: bool) -> Part | None:
    """The third part."""
    if original is None:
        return None
    is_utf8 = is_internationalized(original.header)
    content = original.content if _is_whole_wanted(report) else None
    if content is not None:
        plain = is_plain(content)
        encoding = "7bit" if content.isascii() else "8bit"
        if plain and (encoding == "7bit" or eight_bit):
            return Part(f"message/{'global' if is_utf8 else 'rfc822'}", encoding, content)
        if is_utf8:
            return Part("message/global", "quoted-printable", quoted_printable(content))
    header = original.header
    type = "message/global-headers" if is_utf8 else "text/rfc822-headers"
    if header.isascii() and is_plain(header):
        return Part(type, "7bit", header)
    return Part(type, "quoted-printable", quoted_printable(header))


def _is_whole_wanted(report: Report) -> bool:
    if report.message.parameters.require_tls:  # whatever RET says (RFC 8689 section 5)
        return False
    if report.owed.kind is not NotifyOn.FAILURE or report.reader is Reader.ONLOOKER:
        return False
    return report.reader is Reader.POSTMASTER or report.message.parameters.returned is Returned.FULL


def _what_is_returned(report: Report, returned: Part | None) -> str:
    texts = report.texts
    if returned is None:
        return texts.returned_nothing
    whole = returned.type in ("message/rfc822", "message/global")
    return texts.returned_whole if whole else texts.returned_header
