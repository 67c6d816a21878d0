"""What notices say to people, in English.

Another language is a module beside this one, with a Texts of its own, and has its place in dsn_languages.py.
``{domain}``,
``{postmaster}`` and the like are filled in; nothing that a stranger said is ever a template.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import attrs

from mailsuite.delivery.dsn_reasons import Reason


@attrs.frozen
class Advice:
    """What is said of one recipient."""

    what: str
    """What happened."""
    todo: str
    """What the reader can do now."""


@attrs.frozen
class Texts:
    """All that notices say, in one language."""

    tag: str
    """Of the language (RFC 5646)."""
    daemon: str
    """Who writes: the name in From."""
    moment: Callable[[float], str]
    """Seconds since the epoch as a date and a time that people read."""
    span: Callable[[float], str]
    """Seconds as a duration that people say: ``5 days``."""
    others: Callable[[int], str]
    """``and 2 others``."""
    failed_subject: str
    delayed_subject: str
    delivered_subject: str
    passed_on_subject: str
    lost_subject: str
    copy_subject: str
    failed_one: str
    failed: str
    delayed: str
    delivered: str
    passed_on: str
    lost: str
    """To the postmaster: nobody else can be told."""
    copy: str
    """To the postmaster, who only looks on."""
    subject_line: str
    arrived_line: str
    reference_line: str
    sender_line: str
    said: str
    """In front of the words of another server."""
    noted: str
    """In front of our own."""
    todo: str
    expired: str
    retry_until: str
    retry: str
    in_mailbox: str
    handed_over: str
    expanded: str
    returned_whole: str
    returned_header: str
    returned_nothing: str
    more: str
    """Recipients beyond those that are told of in words."""
    signature: str
    digest_subject: str
    digest: str
    digest_more: str
    to: str
    advice: Mapping[Reason, Advice]


_MONTHS = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)


def _moment(seconds: float) -> str:
    at = datetime.fromtimestamp(seconds, UTC)
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}, {at:%H:%M} UTC"


def _span(seconds: float) -> str:
    number, unit = rounded(seconds)
    return f"{number} {unit}" + ("" if number == 1 else "s")


def _others(count: int) -> str:
    return "and one other" if count == 1 else f"and {count} others"


def rounded(seconds: float) -> tuple[int, str]:
    """A duration in the largest unit of which there are two, at least one minute: ``(5, "day")``."""
    for unit, length in (("day", 86_400), ("hour", 3600)):
        if seconds >= 2 * length:
            return round(seconds / length), unit
    return max(1, round(seconds / 60)), "minute"


_ASK = "If it is right, ask the person by other means which address is in use now."
_FORWARD = "forward this notice to {postmaster}, who can find out more."

ENGLISH = Texts(
    tag="en",
    daemon="Mail Delivery System",
    moment=_moment,
    span=_span,
    others=_others,
    failed_subject="Not delivered: your message to {names}",
    delayed_subject="Delayed, still trying: your message to {names}",
    delivered_subject="Delivered: your message to {names}",
    passed_on_subject="Passed on: your message to {names}",
    lost_subject="Nobody could be told: a message to {names} failed",
    copy_subject="Copy: a message from {sender} to {names}",
    failed_one="Your message could not be delivered. Why not, and what you can do, is said below.",
    failed="Your message could not be delivered to everybody it was meant for. Whom it did not reach, why, "
    "and what you can do, is said below.",
    delayed="Your message is on its way, but has not arrived everywhere yet. You need not do anything, and "
    "need not send it again: this server goes on trying by itself.",
    delivered="You asked to be told: your message has arrived.",
    passed_on="You asked to be told: your message was handed to the next mail server, which does not send "
    "notices of delivery. You will hear no more of it unless something goes wrong.",
    lost="A message could not be delivered, and its sender cannot be told: it has no return address, as "
    "notices have none, or the return address does not work. You get it as the postmaster of this server, "
    "so that it is not lost unseen. Often it is a notice to somebody whose address was forged, and there "
    "is nothing to do. Where it names an address of yours it may show a mistake in the configuration.",
    copy="This is a copy of a notice that went to the sender of the message. You get it because this "
    "server is set to send the postmaster copies.",
    subject_line="Subject:    ",
    arrived_line="Came in:    ",
    reference_line="Reference:  ",
    sender_line="Sender:     ",
    said="{host} said:",
    noted="This server noted:",
    todo="What you can do: ",
    expired="This server has tried for {span}, and has given up. The last attempt ended so:",
    retry_until="It will be tried again until {moment}. If it does not work until then, you will be told.",
    retry="It will be tried again. If it does not work in the end, you will be told.",
    in_mailbox="It is in the mailbox. Whether anybody has read it is not known.",
    handed_over="It was handed to {host}.",
    expanded="The address stands for several people, and the message is on its way to them. If it does not "
    "reach one of them, you will be told.",
    returned_whole="The message is attached.",
    returned_header="The header of the message is attached; its text is not.",
    returned_nothing="The message cannot be attached, because it could not be read any more.",
    more="{count} more addresses are named in the attached report.",
    signature="The mail server {hostname} wrote this by itself. The attached report says the same to "
    "programs and administrators. Questions: {postmaster}",
    digest_subject="Mail that could not be forwarded: {count}",
    digest="Mail that came in from elsewhere could not be forwarded. Those who sent it are not told, "
    "because nobody knows whether the return address is theirs: a notice might go to somebody whose "
    "address was forged. If a forward fails again and again, look at the alias or the account that leads "
    "there.",
    digest_more="{count} more are in the log, under the event notice.withheld.",
    to="to",
    advice={
        Reason.UNKNOWN_MAILBOX: Advice(
            "There is no mailbox of that name at {domain}.",
            "check the address for typing mistakes, and send the message again to the right one. " + _ASK,
        ),
        Reason.BAD_ADDRESS: Advice(
            "The mail server of {domain} does not take this for an address.",
            "check the address for typing mistakes, for example a character too many or too few. " + _ASK,
        ),
        Reason.MOVED: Advice(
            "The person has another address now.",
            "see whether the answer below names it. If it does not, ask the person by other means.",
        ),
        Reason.MAILBOX_OFF: Advice(
            "There is such a mailbox, but it takes no mail.",
            "ask the person by other means. Perhaps the account was closed, and there is another address.",
        ),
        Reason.MAILBOX_FULL: Advice(
            "The mailbox is full.",
            "tell the person by other means that the mailbox is full, and send the message again when "
            "there is room.",
        ),
        Reason.UNKNOWN_DOMAIN: Advice(
            "There is no mail domain named {domain}.",
            "check what stands behind the @ for typing mistakes, and send the message again to the right "
            "address. " + _ASK,
        ),
        Reason.NO_MAIL_DOMAIN: Advice(
            "{domain} takes no mail at all; it says so itself.",
            "check what stands behind the @ for typing mistakes. " + _ASK,
        ),
        Reason.TOO_LARGE: Advice(
            "The message is larger than the mail server of {domain} takes.",
            "send it again with smaller attachments, or in parts, or put the files where they can be "
            "fetched and send the link.",
        ),
        Reason.BLOCKED: Advice(
            "The mail server of {domain} refused the message by its own rules. That happens to mail that "
            "looks like spam to it, and to mail from servers that it does not trust.",
            "read its words below; often they say what is wrong, or name a page that does. To send the "
            "same message again will hardly help. If the words tell you nothing, " + _FORWARD,
        ),
        Reason.RELAYING: Advice(
            "The server that was asked says that mail for {domain} is none of its business.",
            "check what stands behind the @ for typing mistakes. If it is right, the mistake is with those "
            "who run the servers: " + _FORWARD,
        ),
        Reason.NOT_ALLOWED: Advice(
            "You may not send to this address. Mailing lists that take mail from their members alone say so.",
            "ask whoever runs the address or the list how to write to it, and from which of your addresses.",
        ),
        Reason.SENDER_REFUSED: Advice(
            "The mail server of {domain} does not believe that the message comes from your address, or "
            "takes nothing from it.",
            "this is for those who run your mail domain to mend: " + _FORWARD,
        ),
        Reason.LOGIN: Advice(
            "The next mail server wanted a login, and did not take ours.",
            "this is for those who run this server to mend: " + _FORWARD,
        ),
        Reason.TLS: Advice(
            "The message must travel encrypted, and there was no safe way to do that to the mail server of "
            "{domain}.",
            "if you asked for encryption yourself, send the message again without asking, provided that is "
            "good enough. Else " + _FORWARD,
        ),
        Reason.LOOP: Advice(
            "The message went in a circle from server to server.",
            "this is for those who run the servers to mend: " + _FORWARD,
        ),
        Reason.DNS: Advice(
            "The domain name system gives no answer about {domain}.",
            "check what stands behind the @ for typing mistakes. If it is right, send the message again "
            "later: such trouble often passes.",
        ),
        Reason.UNREACHABLE: Advice(
            "No mail server of {domain} could be reached.",
            "check what stands behind the @ for typing mistakes. If it is right, send the message again "
            "later, or tell the person by other means.",
        ),
        Reason.UNICODE: Advice(
            "The message has an address or a header with letters that the mail server of {domain} cannot "
            "take.",
            "send it again with addresses of plain letters (a to z) alone. Ask the person for such an "
            "address if you do not have one.",
        ),
        Reason.CONTENT: Advice(
            "The mail server of {domain} cannot take a message of this kind.",
            "read its words below. It may help to leave out attachments, or to send plain text.",
        ),
        Reason.BUSY: Advice(
            "The mail server of {domain} did not take the message just then.",
            "send it again later, or tell the person by other means. If it goes on, " + _FORWARD,
        ),
        Reason.REFUSED: Advice(
            "The mail server of {domain} did not take the message.",
            "read its words below. Check the address for typing mistakes. If you cannot make sense of it, "
            + _FORWARD,
        ),
        Reason.OURS: Advice(
            "This server could not send the message.",
            "if the words below do not help you, " + _FORWARD,
        ),
    },
)
