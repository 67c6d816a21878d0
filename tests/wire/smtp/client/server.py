"""A server that says what it is told, around one ClientSession."""

from __future__ import annotations

from typing import Any

import attrs

from mailsuite.model.address import Address
from mailsuite.model.envelope import NOTHING_SAID_OF_RECIPIENT, OutboundRecipient, RecipientParameters
from mailsuite.wire.smtp.client.events import Event
from mailsuite.wire.smtp.client.letter import Letter
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings

ANN, JOE, MIA, TIM = (Address.parse(f"{name}@example.net") for name in ("ann", "joe", "mia", "tim"))
ALL = ("PIPELINING", "SIZE 1000000", "8BITMIME", "SMTPUTF8", "DSN", "ENHANCEDSTATUSCODES")
"""What most servers offer."""


def to(address: Address, parameters: RecipientParameters = NOTHING_SAID_OF_RECIPIENT) -> OutboundRecipient:
    return OutboundRecipient(address, parameters)


def letter(*recipients: Address | OutboundRecipient, **differences: Any) -> Letter:
    """From Ann to Joe, if nothing else is said."""
    those = tuple(each if isinstance(each, OutboundRecipient) else to(each) for each in recipients or (JOE,))
    return Letter(**{"sender": ANN, "recipients": those, "size": 100} | differences)


@attrs.define
class Dialogue:
    """Says lines to a session; keeps what it said, and what it told."""

    session: ClientSession
    events: list[Event] = attrs.field(factory=list)
    sent: bytes = b""

    def hear(self, *lines: str | bytes) -> list[Event]:
        """Let the server say *lines*, at once; answers the events that they lead to."""
        octets = [line if isinstance(line, bytes) else f"{line}\r\n".encode() for line in lines]
        return self.hear_octets(b"".join(octets))

    def hear_octets(self, octets: bytes) -> list[Event]:
        self.session.receive(octets)
        return self.told()

    def told(self) -> list[Event]:
        events: list[Event] = []
        while (event := self.session.next_event()) is not None:
            events.append(event)
        self.events += events
        return events

    def said(self) -> list[str]:
        """The lines that the session has said since."""
        octets = self.session.bytes_to_send()
        self.sent += octets
        assert octets == b"" or octets.endswith(b"\r\n")
        return octets.decode().split("\r\n")[:-1]


def met(**settings: Any) -> Dialogue:
    """After the greeting."""
    tls_active = settings.pop("tls_active", False)
    world = {"hello": "client.example", "octets": lambda count: b"7" * count}
    dialogue = Dialogue(ClientSession(ClientSettings(**(world | settings)), tls_active))
    dialogue.hear("220 mx.example.net ESMTP")
    return dialogue


def ready(*keywords: str, **settings: Any) -> Dialogue:
    """After an answer to EHLO that offers *keywords*."""
    dialogue = met(**settings)
    dialogue.session.hello()
    dialogue.said()
    lines = ("mx.example.net", *keywords)
    dialogue.hear(*(f"250-{line}" for line in lines[:-1]), f"250 {lines[-1]}")
    assert dialogue.session.idle
    dialogue.events.clear()
    return dialogue
