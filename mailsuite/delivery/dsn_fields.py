"""The part of a notice that programs read (RFC 3464).

It is message/delivery-status, which all programs know, and addresses beyond ASCII are escaped in it; a reader
whose own address is beyond ASCII gets message/global-delivery-status (RFC 6533 section 4.1), with addresses
as they are.

Pure. Whatever another server has said, a field stays one field, of printable ASCII.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

from mailsuite.delivery.dsn_report import Action, Report
from mailsuite.delivery.dsn_safe import plain, readable
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Outcome, QueuedRecipient
from mailsuite.model.reply import Reply

CRLF = "\r\n"
MAX_LINE = 78
"""Characters of a line where there are blanks to fold at (RFC 5322 section 2.1.1)."""
MAX_REPLY_LINES = 20
"""Of a reply are kept; our own limit, more than any server says that wants to be understood."""
MAX_REPLY_CHARACTERS = 500
"""Of each line; a reply line has 512 octets (RFC 5321 section 4.5.3.1.5)."""
MAX_HOST_CHARACTERS = 255
MAX_ADDRESS_CHARACTERS = 600
"""More than ORCPT can have (RFC 3461 section 5.4)."""

_STATUS = re.compile(r"[245]\.(?:0|[1-9][0-9]{0,2})\.(?:0|[1-9][0-9]{0,2})")
"""Without leading zeros (RFC 3464 section 2.3.4)."""
_CLASSES = {NotifyOn.DELAY: "4", NotifyOn.SUCCESS: "2"}
_TIME_IS_OVER = "4.4.7"
"""RFC 3463 section 3.5, which prefers the code of what was found at the last attempt."""
_TO_ESCAPE = re.compile(r"[^!-*,-<>-\[\]-~]")
"""What is no QCHAR (RFC 6533 section 3)."""
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._:\[\]\-]")


def is_global(report: Report) -> bool:
    """Whether the part has characters beyond ASCII: those of an address, and its reader has such a one."""
    return not report.to.is_ascii and not all(
        str(each.recipient.address).isascii() and each.recipient.parameters.original.isascii()
        for each in report.owed.recipients
    )


def status_part(report: Report) -> str:
    """The fields, with CRLF at the end of each line; ASCII unless is_global()."""
    groups = [_of_message(report), *(_of_recipient(report, each) for each in report.owed.recipients)]
    return CRLF.join("".join(f"{line}{CRLF}" for line in group) for group in groups)


def _of_message(report: Report) -> Iterator[str]:
    envelope_id = report.message.parameters.envelope_id
    if envelope_id:
        yield f"Original-Envelope-Id: {envelope_id}"  # letter by letter (RFC 3464 section 2.2.1)
    yield f"Reporting-MTA: dns; {report.hostname}"
    if report.message.arrived:
        yield f"Arrival-Date: {_date(report.message.arrived)}"
    said = report.message.parameters
    if said.hold_for:  # as it was said (RFC 4865)
        yield f"Future-Release-Request: for;{said.hold_for}"
    elif said.hold_until:
        yield f"Future-Release-Request: until;{said.hold_until}"


def _of_recipient(report: Report, recipient: QueuedRecipient) -> Iterator[str]:
    original, last = recipient.recipient.parameters.original, recipient.last
    if original:
        kind, _, address = original.partition(";")
        yield f"Original-Recipient: {_typed(report, kind, readable(address, MAX_ADDRESS_CHARACTERS))}"
    final = str(recipient.recipient.address)
    yield f"Final-Recipient: {_typed(report, 'rfc822' if final.isascii() else 'utf-8', final)}"
    action = report.action(recipient)
    yield f"Action: {action.value}"
    yield f"Status: {status_of(report.owed.kind, last)}"
    if last is not None:
        if last.host:
            yield f"Remote-MTA: dns; {host_name(last.host)}"
        if last.host or action in (Action.FAILED, Action.DELAYED):
            yield from diagnostic(last.reply)
        if last.at:
            yield f"Last-Attempt-Date: {_date(last.at)}"
    until = report.retry_until(recipient) if action is Action.DELAYED else 0.0
    if until:
        yield f"Will-Retry-Until: {_date(until)}"


def _typed(report: Report, kind: str, address: str) -> str:
    if kind == "utf-8" and not is_global(report):
        address = _TO_ESCAPE.sub(lambda found: f"\\x{{{ord(found[0]):X}}}", address)
    return f"{kind}; {address}"


def status_of(kind: NotifyOn, outcome: Outcome | None) -> str:
    """The status code (RFC 3463): the one that was given, where it fits; else one that says as little as we
    know.

    What failed for good only because the time is over keeps the class of a temporary failure (RFC 3464
    section 2.3.3).
    """
    wanted = _CLASSES.get(kind) or ("4" if outcome is not None and outcome.reply.is_temporary else "5")
    given = outcome.reply.enhanced if outcome is not None else ""
    if given[:1] == wanted and _STATUS.fullmatch(given):
        return given
    if kind is NotifyOn.FAILURE and wanted == "4":
        return _TIME_IS_OVER
    return f"{wanted}.0.0"


def diagnostic(reply: Reply) -> Iterator[str]:
    """The Diagnostic-Code field, folded; the reply as it was, line by line (RFC 3461 section 9.2)."""
    lines = reply_lines(reply)
    last = len(lines) - 1
    spoken = (
        plain(f"{reply.code}{' ' if index == last else '-'}{line}", MAX_REPLY_CHARACTERS + 4)
        for index, line in enumerate(lines)
    )
    for index, line in enumerate(spoken):
        yield from _folded("Diagnostic-Code: smtp; " + line if index == 0 else " " + line)


def reply_lines(reply: Reply) -> list[str]:
    """What was said, with the enhanced code in front of each line."""
    prefix = f"{reply.enhanced} " if reply.enhanced else ""
    return [prefix + readable(line, MAX_REPLY_CHARACTERS) for line in reply.text[:MAX_REPLY_LINES] or ("",)]


def host_name(host: str) -> str:
    """The name out of ``mx.example.org [192.0.2.1]``; what is not of a name becomes ``?``."""
    name, *_ = host.split() or [""]
    return _NOT_IN_NAME.sub("?", name[:MAX_HOST_CHARACTERS]) or "?"


def _folded(line: str) -> Iterator[str]:
    """The line, broken at its blanks where it is too long. No piece is empty."""
    while len(line) > MAX_LINE:
        place = line.rfind(" ", 2, MAX_LINE + 1)
        if place < 0:
            place = line.find(" ", MAX_LINE)
        if place < 0:
            break
        yield line[:place]
        line = line[place:]
    yield line


def _date(seconds: float) -> str:
    return format_datetime(datetime.fromtimestamp(seconds, UTC))
