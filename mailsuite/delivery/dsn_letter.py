"""The part of a notice that people read: what happened, who said so, what to do now. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import attrs

from mailsuite.delivery.dsn_fields import MAX_HOST_CHARACTERS, MAX_REPLY_CHARACTERS, reply_lines
from mailsuite.delivery.dsn_reasons import reason_of
from mailsuite.delivery.dsn_report import Action, Reader, Report, has_expired
from mailsuite.delivery.dsn_safe import readable
from mailsuite.delivery.dsn_texts import Texts
from mailsuite.model.envelope import NotifyOn
from mailsuite.model.outbound import Outcome, QueuedRecipient

WIDTH = 76
MAX_TOLD = 50
"""Recipients who are told of in words; the report names all."""
_INDENT = "  "
_QUOTE = "  > "
"""In front of each line that another server has said: nobody is to take it for ours."""


@attrs.frozen
class Enclosed:
    """What a person is told of the message, and of what is attached of it."""

    subject: str = ""
    returned: str = ""
    """A sentence."""


def subject_of(report: Report) -> str:
    """The Subject, unfolded and not encoded."""
    texts, owed = report.texts, report.owed
    first, others = str(owed.recipients[0].recipient.address), len(owed.recipients) - 1
    names = f"{first} {texts.others(others)}" if others else first
    if report.reader is Reader.POSTMASTER:
        return texts.lost_subject.format(names=names)
    if report.reader is Reader.ONLOOKER:
        return texts.copy_subject.format(sender=report.message.sender, names=names)
    if owed.kind is NotifyOn.FAILURE:
        return texts.failed_subject.format(names=names)
    if owed.kind is NotifyOn.DELAY:
        return texts.delayed_subject.format(names=names)
    relayed = all(report.action(each) is Action.RELAYED for each in owed.recipients)
    return (texts.passed_on_subject if relayed else texts.delivered_subject).format(names=names)


def explanation(report: Report, enclosed: Enclosed) -> str:
    """The text, with LF at the end of each line."""
    texts, recipients = report.texts, report.owed.recipients
    lines = [*wrapped(_opening(report)), "", *_about(report, enclosed), ""]
    for told, addresses in _by_what_is_told(report).items():
        lines += [*addresses, *told, ""]
    if len(recipients) > MAX_TOLD:
        lines += [*wrapped(texts.more.format(count=len(recipients) - MAX_TOLD)), ""]
    if enclosed.returned:
        lines += [*wrapped(enclosed.returned), ""]
    lines += wrapped(texts.signature.format(hostname=report.hostname, postmaster=report.contact))
    return "".join(f"{line}\n" for line in lines)


def _opening(report: Report) -> str:
    texts, owed = report.texts, report.owed
    if report.reader is Reader.POSTMASTER:
        return texts.lost
    if report.reader is Reader.ONLOOKER:
        return texts.copy
    if owed.kind is NotifyOn.FAILURE:
        return texts.failed if len(owed.recipients) > 1 else texts.failed_one
    if owed.kind is NotifyOn.DELAY:
        return texts.delayed
    relayed = all(report.action(each) is Action.RELAYED for each in owed.recipients)
    return texts.passed_on if relayed else texts.delivered


def _about(report: Report, enclosed: Enclosed) -> Iterator[str]:
    """Which message it is."""
    texts, message = report.texts, report.message
    if report.reader is not Reader.SENDER:
        yield f"{_INDENT}{texts.sender_line}{'<>' if message.sender is None else message.sender}"
    if enclosed.subject:
        yield f"{_INDENT}{texts.subject_line}{enclosed.subject}"
    if message.arrived:
        yield f"{_INDENT}{texts.arrived_line}{texts.moment(message.arrived)}"
    yield f"{_INDENT}{texts.reference_line}{message.id}"


def _by_what_is_told(report: Report) -> dict[tuple[str, ...], list[str]]:
    """Lines, and the addresses of whom they are true: what is the same of many is said once."""
    found: dict[tuple[str, ...], list[str]] = {}
    for each in report.owed.recipients[:MAX_TOLD]:
        found.setdefault(tuple(_told(report, each)), []).append(str(each.recipient.address))
    return found


def _told(report: Report, recipient: QueuedRecipient) -> Iterator[str]:
    """What is said of one recipient."""
    texts, action = report.texts, report.action(recipient)
    if action is Action.DELIVERED:
        yield from wrapped(texts.in_mailbox, _INDENT)
    elif action is Action.EXPANDED:
        yield from wrapped(texts.expanded, _INDENT)
    elif action is Action.RELAYED:
        yield from wrapped(texts.handed_over.format(host=_host(recipient)), _INDENT)
    else:
        yield from _trouble(report, recipient, action)


def _trouble(report: Report, recipient: QueuedRecipient, action: Action) -> Iterator[str]:
    texts, last = report.texts, recipient.last
    address = recipient.recipient.address
    advice = texts.advice[reason_of(last)]
    if last is not None and has_expired(last) and last.at > report.message.arrived:
        span = texts.span(last.at - report.message.arrived)
        yield from wrapped(texts.expired.format(span=span), _INDENT)
    yield from wrapped(advice.what.format(domain=_domain(address.domain)), _INDENT)
    if action is Action.DELAYED:
        until = report.retry_until(recipient)
        promise = texts.retry_until.format(moment=texts.moment(until)) if until else texts.retry
        yield from wrapped(promise, _INDENT)
    elif report.reader is Reader.SENDER:
        todo = advice.todo.format(domain=_domain(address.domain), postmaster=report.contact)
        yield from wrapped(texts.todo + todo, _INDENT)
    if last is not None:
        yield ""
        yield from _words(texts, recipient, last)


def _words(texts: Texts, recipient: QueuedRecipient, last: Outcome) -> Iterator[str]:
    """The very words of whoever said no, apart from ours."""
    heading = texts.said.format(host=_host(recipient)) if last.host else texts.noted
    yield from wrapped(heading, _INDENT)
    for line in reply_lines(last.reply):
        yield from quoted(last.reply.code, line)


def _host(recipient: QueuedRecipient) -> str:
    return readable(recipient.last.host, MAX_HOST_CHARACTERS) if recipient.last is not None else ""


def _domain(domain: str) -> str:
    return domain or "localhost"


def wrapped(text: str, indent: str = "") -> list[str]:
    """A paragraph, in lines."""
    return textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def quoted(code: int, line: str) -> list[str]:
    """One line of a reply, as the words of somebody else."""
    spoken = readable(f"{code} {line}", MAX_REPLY_CHARACTERS)
    return textwrap.wrap(
        spoken, WIDTH, initial_indent=_QUOTE, subsequent_indent=_QUOTE, break_on_hyphens=False
    )
