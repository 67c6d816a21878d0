"""A connection to an LDAP server on which one question is asked at a time (RFC 4511).

ldaptor gives the codec; its own client takes the global reactor, and reads answers of any length.
"""

from __future__ import annotations

from typing import Any, Final

from ldaptor.protocols import pureber, pureldap  # type: ignore[import-untyped]
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from mailsuite.accounts.sources.trust import NOT_TRUSTED, tls_reason
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

MAX_OCTETS = 64 << 10
"""All that a server may send on one connection: the answers of a login take a few hundred."""

SUCCESS = 0
_DECODER: Final[Any] = pureldap.LDAPBERDecoderContext_TopLevel(
    inherit=pureldap.LDAPBERDecoderContext_LDAPMessage(
        fallback=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
        inherit=pureldap.LDAPBERDecoderContext(fallback=pureber.BERDecoderContext()),
    )
)
_ENDS: Final[tuple[type[Any], ...]] = (
    pureldap.LDAPBindResponse,
    pureldap.LDAPSearchResultDone,
    pureldap.LDAPExtendedResponse,
)


def unavailable(reason: str) -> TemporaryFailure:
    return TemporaryFailure(DIRECTORY_UNAVAILABLE, reason)


class LdapSession(Protocol):
    """Every method raises TemporaryFailure where the connection ends, or what comes is no answer."""

    def __init__(self) -> None:
        self._buffer = b""
        self._octets = 0
        self._number = 0
        self._asked: Deferred[list[Any]] | None = None
        self._answers: list[Any] = []
        self._over: TemporaryFailure | None = None

    async def start_tls(self, options: Any) -> None:
        """RFC 4511 section 4.14. Whatever is said next is under TLS, or not at all."""
        answer = await self._ask(pureldap.LDAPStartTLSRequest(), pureldap.LDAPExtendedResponse)
        if answer[-1].resultCode != SUCCESS:
            raise unavailable(f"the server does not begin TLS: result {answer[-1].resultCode}")
        if self._buffer:
            raise unavailable("the server said something in the clear behind its consent to TLS")
        transport: Any = self.transport
        transport.startTLS(options)

    async def bind(self, name: bytes, password: bytes) -> int:
        """The result code of a simple bind. Both must be there: without either it would prove nothing, and
        succeed (RFC 4513 sections 5.1.1 and 5.1.2)."""
        if not name or not password:
            raise ValueError("a bind without a name or a password")
        request = pureldap.LDAPBindRequest(version=3, dn=name, auth=password)
        answer = await self._ask(request, pureldap.LDAPBindResponse)
        return int(answer[-1].resultCode)

    async def search(self, base: bytes, filter: Any, most: int, seconds: int) -> tuple[int, list[bytes]]:
        """The result code, and the names of the entries below *base* that fit."""
        request = pureldap.LDAPSearchRequest(
            baseObject=base,
            scope=pureldap.LDAP_SCOPE_wholeSubtree,
            derefAliases=pureldap.LDAP_DEREF_neverDerefAliases,
            sizeLimit=most,
            timeLimit=seconds,
            typesOnly=1,
            filter=filter,
            attributes=[b"1.1"],  # none: RFC 4511 section 4.5.1.8
        )
        answers = await self._ask(request, pureldap.LDAPSearchResultDone)
        entries = [one for one in answers if isinstance(one, pureldap.LDAPSearchResultEntry)]
        return int(answers[-1].resultCode), [bytes(entry.objectName) for entry in entries]

    def leave(self) -> None:
        """Say goodbye, and close."""
        if self.connected and self.transport is not None:
            self.transport.write(
                pureldap.LDAPMessage(pureldap.LDAPUnbindRequest(), id=self._number + 1).toWire()
            )
            self.transport.loseConnection()

    def abort(self) -> None:
        """Close without a word."""
        transport: Any = self.transport
        if self.connected and transport is not None:
            transport.abortConnection()

    async def _ask(self, request: Any, answer: type[Any]) -> list[Any]:
        """All that comes up to the answer that ends it, which is of the type *answer*."""
        if self._over is not None:
            raise self._over
        assert self._asked is None and self.transport is not None  # noqa: S101, PT018
        self._number += 1
        self._answers = []
        asked: Deferred[list[Any]] = Deferred()
        self._asked = asked
        self.transport.write(pureldap.LDAPMessage(request, id=self._number).toWire())
        answers = await asked
        if not isinstance(answers[-1], answer):
            raise self._fail("the server answers something else than it was asked")
        return answers

    def dataReceived(self, data: bytes) -> None:
        if self._over is not None:
            return
        self._octets += len(data)
        if self._octets > MAX_OCTETS:
            self._fail(f"the server sends more than {MAX_OCTETS} octets")
            return
        self._buffer += data
        try:
            self._decode()
        except pureber.BERExceptionInsufficientData:
            return
        except Exception:  # the codec asserts, and looks up what is not there
            self._fail("the server does not speak LDAP")

    def _decode(self) -> None:
        while self._buffer and self._over is None:
            message, length = pureber.berDecodeObject(_DECODER, self._buffer)
            self._buffer = self._buffer[length:]
            if message is None or not isinstance(message.value, pureldap.LDAPProtocolResponse):
                self._fail("the server does not speak LDAP")
            elif message.id == 0:  # Notice of Disconnection (RFC 4511 section 4.4.1)
                self._fail("the server wants to end the connection")
            elif self._asked is None or message.id != self._number:
                self._fail("the server answers what it was not asked")
            else:
                self._take(message.value)

    def _take(self, answer: Any) -> None:
        self._answers.append(answer)
        if isinstance(answer, _ENDS) and self._asked is not None:
            asked, self._asked = self._asked, None
            asked.callback(self._answers)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        error = reason.value
        if isinstance(error, NOT_TRUSTED):
            self._fail(tls_reason(error))
        else:
            self._fail(f"the connection was closed: {type(error).__name__}")

    def _fail(self, reason: str) -> TemporaryFailure:
        """Nothing more is asked or heard here."""
        if self._over is None:
            self._over = unavailable(reason)
            self.abort()
            asked, self._asked = self._asked, None
            if asked is not None and not asked.called:
                asked.errback(self._over)
        return self._over
