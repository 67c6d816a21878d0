"""AUTH from the client's side (RFC 4954 section 4): lines of base64 until 235, or a refusal."""

from __future__ import annotations

import binascii
from collections.abc import Collection, Sequence
from typing import cast

import attrs

from mailsuite.model.reply import NEXT_HOP_LACKS_MECHANISM
from mailsuite.wire.sasl.client import ClientMechanism, Credentials, Derive, DerivingMechanism, Surrender
from mailsuite.wire.sasl.client_mechanisms import choose
from mailsuite.wire.sasl.exchange import decode_base64
from mailsuite.wire.smtp.client.awaited import Awaited
from mailsuite.wire.smtp.client.events import UNPROVEN_SERVER, Authenticated, AuthenticationFailed
from mailsuite.wire.smtp.client.exchange import Exchange
from mailsuite.wire.smtp.client.replies import Answer
from mailsuite.wire.smtp.client.settings import ClientSettings
from mailsuite.wire.smtp.commands import MAX_COMMAND_OCTETS

_GOES_ON = 3
"""The first digit of 334."""


@attrs.define(eq=False)
class Login:
    """One exchange at a time."""

    _exchange: Exchange
    _settings: ClientSettings
    _name: str = attrs.field(default="", init=False)
    _mechanism: ClientMechanism | None = attrs.field(default=None, init=False, repr=False)
    _initial: bytes | None = attrs.field(default=None, init=False, repr=False)
    """An initial response that is too long to stand behind AUTH."""

    def start(
        self, credentials: Credentials, wanted: Sequence[str], offered: Collection[str], tls_active: bool
    ) -> None:
        """Begin, or say that there is nothing to begin with."""
        plaintext = tls_active or self._settings.plaintext_auth
        chosen = choose(credentials, wanted, offered, plaintext, self._settings.octets)
        if chosen is None:
            self._exchange.tell(AuthenticationFailed(NEXT_HOP_LACKS_MECHANISM, ""))
            return
        self._name, self._mechanism = chosen
        self._initial = self._mechanism.start()
        line = f"AUTH {self._name}"
        if self._initial is not None:
            whole = f"{line} {_base64(self._initial)}"
            if len(whole) + 2 <= MAX_COMMAND_OCTETS:  # else it comes after 334 (RFC 4954 section 4)
                line, self._initial = whole, None
        self._say(line)

    def derived(self, salted_password: bytes) -> None:
        """To Derive."""
        deriving = cast(DerivingMechanism, self._mechanism)  # nobody else asks
        self._say(_base64(deriving.derived(salted_password)))

    def _say(self, line: str) -> None:
        self._exchange.say(line, Awaited.LOGIN, self._answered, (2, _GOES_ON))

    def _answered(self, answer: Answer) -> None:
        if answer.kind == _GOES_ON:
            self._respond(answer.lines[-1])
            return
        mechanism, self._mechanism = self._mechanism, None
        if answer.refuses:
            self._exchange.tell(AuthenticationFailed(answer.reply, self._name))
        elif mechanism is not None and mechanism.proven:
            self._exchange.tell(Authenticated(answer.reply))
        else:
            self._exchange.violate(UNPROVEN_SERVER, "a login accepted by who has not proved to know us")

    def _respond(self, line: bytes) -> None:
        match self._step(line):
            case bytes() as response:
                self._say(_base64(response))
            case Derive() as question:
                self._exchange.tell(question)
            case Surrender.IMPOSTOR:
                self._exchange.violate(UNPROVEN_SERVER, "a wrong proof of the server's")
            case _:
                self._exchange.say("*", Awaited.LOGIN, self._answered, ())

    def _step(self, line: bytes) -> bytes | Derive | Surrender:
        challenge = decode_base64(line)
        if challenge is None or self._mechanism is None:
            return Surrender.MALFORMED
        if self._initial is not None:
            response, self._initial = self._initial, None
            return response if not challenge else Surrender.MALFORMED
        return self._mechanism.respond(challenge)


def _base64(octets: bytes) -> str:
    """As it stands behind AUTH, an empty response too."""
    return binascii.b2a_base64(octets, newline=False).decode("ascii")
