"""What the owner of a subscription is told by mail when it is left alone. Pure: values in, octets out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from types import MappingProxyType

import attrs

from mailsuite.delivery import trace
from mailsuite.model.display_text import SHORT, one_line
from mailsuite.model.subscription import Subscription
from mailsuite.wire.pop3.encoded_words import encoded, folded, words_of

Lines = tuple[str, ...]


@attrs.frozen
class SuspensionTexts:
    """All of it, in one language. Lines are as long as they are sent; names in braces are filled in."""

    tag: str
    """Of the language (RFC 5646)."""
    writer: str
    subject: str
    what: Lines
    name: str
    channel: str
    host: str
    reason: str
    id: str
    advice: Lines
    end: Lines


ENGLISH = SuspensionTexts(
    tag="en",
    writer="Mail server",
    subject="You are not told of new mail any more by {channel}",
    what=(
        "You are not told of new mail any more by this subscription, for all tries to",
        "reach its target have failed. Your mail is not touched: it arrives as ever.",
    ),
    name="subscription: {name}",
    channel="channel:      {channel}",
    host="target:       {host}",
    reason="last failure: {reason}",
    id="id:           {id}",
    advice=(
        "When the target can be reached again, resume the subscription where you made it,",
        "or have somebody do it who looks after the mail server:",
        "mailsuite notify resume {id}. Then you are told of what came meanwhile.",
    ),
    end=("The mail server wrote this by itself, once; an answer is read by nobody.",),
)

GERMAN = SuspensionTexts(
    tag="de",
    writer="Mailserver",
    subject="Von neuer Post erfahren Sie nicht mehr durch {channel}",
    what=(
        "Durch dieses Abonnement erfahren Sie nicht mehr von neuer Post, denn alle Versuche,",
        "sein Ziel zu erreichen, sind gescheitert. Ihre Post selbst kommt an wie immer.",
    ),
    name="Abonnement:       {name}",
    channel="Weg:              {channel}",
    host="Ziel:             {host}",
    reason="letzter Fehler:   {reason}",
    id="Kennung:          {id}",
    advice=(
        "Ist das Ziel wieder zu erreichen, setzen Sie das Abonnement dort fort, wo Sie es",
        "eingerichtet haben, oder lassen Sie es jemanden tun, der den Mailserver betreut:",
        "mailsuite notify resume {id}. Dann erfahren Sie, was inzwischen gekommen ist.",
    ),
    end=("Der Mailserver hat das von selbst geschrieben, einmal; eine Antwort liest niemand.",),
)

TEXTS: Mapping[str, SuspensionTexts] = MappingProxyType({texts.tag: texts for texts in (ENGLISH, GERMAN)})
"""By their tags."""


def letter(
    subscription: Subscription, reason: str, texts: SuspensionTexts, *, hostname: str, id: str, seconds: float
) -> bytes:
    """The whole message with its trace fields, CRLF line ends.

    *id*: of the message, an RFC 5322 atom. *seconds*: since the epoch. An answer to it is no use: nobody asks
    for one (RFC 3834 section 5), and the reverse-path is empty.
    """
    values = {
        "name": one_line(subscription.name, SHORT) or "-",
        "channel": subscription.channel,
        "host": one_line(subscription.target_key, SHORT) or "-",
        "reason": one_line(reason, SHORT),
        "id": subscription.id,
    }
    facts = (texts.name, texts.channel, texts.host, texts.reason, texts.id)
    lines = (*texts.what, "", *(f"  {line}" for line in facts), "", *texts.advice, "", *texts.end)
    header = (
        f"Date: {format_datetime(datetime.fromtimestamp(seconds, UTC))}",
        f"From: {texts.writer} <postmaster@{hostname}>",
        f"To: <{subscription.account}>",
        folded("Subject", encoded(words_of(texts.subject.format(**values)))),
        f"Message-ID: <{id}@{hostname}>",
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "Content-Transfer-Encoding: 8bit",
        f"Content-Language: {texts.tag}",
    )
    body = (line.format(**values) for line in lines)
    text = "\r\n".join((*header, "", *body, "")).encode("utf-8", "replace")
    account = subscription.account
    return trace.return_path(None) + trace.delivered_to(account) + text
