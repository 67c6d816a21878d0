"""A web server of yours that knows whether a password is right.

It is sent ``POST`` with ``{"username": "joe@example.net", "password": "..."}`` as application/json, and
answers 200 with ``{"ok": true}`` or ``{"ok": false}``, perhaps with more in it. 401 and 403 mean no; but a
401 that asks for a bearer token (RFC 6750 section 3) refuses ours, and so says nothing about the password.
"""

from __future__ import annotations

import json
from io import BytesIO
from typing import Any, ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.error import UnauthorizedLogin
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    Agent,
    FileBodyProducer,
    RequestTransmissionFailed,
    ResponseDone,
    ResponseFailed,
    ResponseNeverReceived,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import IResponse
from zope.interface import Interface, implementer

from mailsuite.accounts.sources.question import AvatarId
from mailsuite.accounts.sources.trust import NOT_TRUSTED, tls_reason
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

MAX_ANSWER_OCTETS = 16 << 10
"""Of the body of an answer; what it says takes twelve."""

REFUSED = "the hook says no"


@implementer(ICredentialsChecker)
@attrs.frozen(eq=False)
class HookChecker:
    """Asks over HTTP/1.1, keeping connections for the next question.

    Raises TemporaryFailure where the hook is not reached, its certificate is not trusted, or its answer is
    none of the above.
    """

    url: str
    kept: Agent
    fresh: Agent
    """For a question whose kept connection turned out to be closed."""
    token: str = attrs.field(default="", repr=False)
    """By which we show who we are; empty: by nothing."""

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> AvatarId:
        try:
            question = {
                "username": credentials.username.decode("utf-8"),
                "password": credentials.password.decode("utf-8"),
            }
        except UnicodeDecodeError:
            raise UnauthorizedLogin("the password cannot be written in JSON") from None
        try:
            response = await self._post(json.dumps(question).encode("ascii"))
            body = await _body(response)
        except (RequestTransmissionFailed, ResponseFailed) as error:
            raise _unavailable(_reason(error)) from None
        except NOT_TRUSTED as error:
            raise _unavailable(tls_reason(error)) from None
        if response.code == 401 and _asks_for_token(response):
            raise _unavailable("status 401: the hook does not take our token")
        if response.code in {401, 403}:
            raise UnauthorizedLogin(REFUSED)
        if response.code != 200:
            raise _unavailable(f"status {response.code}")
        if not _verdict(body):
            raise UnauthorizedLogin(REFUSED)
        return credentials.username

    async def _post(self, body: bytes) -> IResponse:
        """A kept connection may have been closed by the other side just now. Twisted repeats a GET then but
        never a POST; to ask twice whether a password is right does no harm."""
        try:
            return await self._request(self.kept, body)
        except (ResponseNeverReceived, RequestTransmissionFailed) as error:
            if _is_final(error):
                raise
            return await self._request(self.fresh, body)

    def _request(self, agent: Agent, body: bytes) -> Deferred[IResponse]:
        headers = Headers({b"content-type": [b"application/json"], b"accept": [b"application/json"]})
        headers.setRawHeaders(b"user-agent", [b"mailsuite"])
        if self.token:
            headers.setRawHeaders(b"authorization", [b"Bearer " + self.token.encode("utf-8")])
        producer = FileBodyProducer(BytesIO(body))
        asking: Deferred[IResponse] = agent.request(b"POST", self.url.encode("ascii"), headers, producer)
        return asking


def _unavailable(reason: str) -> TemporaryFailure:
    return TemporaryFailure(DIRECTORY_UNAVAILABLE, reason)


def _verdict(body: bytes) -> bool:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        raise _unavailable("the answer is no JSON") from None
    verdict = answer.get("ok") if isinstance(answer, dict) else None
    if not isinstance(verdict, bool):
        raise _unavailable('the answer says neither {"ok": true} nor {"ok": false}')
    return verdict


def _asks_for_token(response: IResponse) -> bool:
    values: list[bytes] = response.headers.getRawHeaders(b"www-authenticate", [])
    return any(value.strip().lower().startswith(b"bearer") for value in values)


def _is_final(error: Exception) -> bool:
    """Whether another connection would end alike: the certificate is wrong, or nobody waits any more."""
    reasons = getattr(error, "reasons", ())
    return any(isinstance(reason.value, (*NOT_TRUSTED, CancelledError)) for reason in reasons)


def _reason(error: Exception) -> str:
    """What is behind Twisted's list of reasons; a name, or what OpenSSL says."""
    for reason in getattr(error, "reasons", ()):
        if isinstance(reason.value, NOT_TRUSTED):
            return tls_reason(reason.value)
        if isinstance(reason.value, TemporaryFailure):
            return reason.value.detail
        return f"no whole answer: {type(reason.value).__name__}"
    return f"no whole answer: {type(error).__name__}"


# The body


def _body(response: IResponse) -> Deferred[bytes]:
    """The whole body; fails where it is too long, and then closes the connection."""
    body = _Body()
    response.deliverBody(body)
    return body.whole


class _Body(Protocol):
    """Collects up to MAX_ANSWER_OCTETS."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.length = 0
        self.whole: Deferred[bytes] = Deferred(self._stop)

    def dataReceived(self, data: bytes) -> None:
        self.length += len(data)
        if self.length <= MAX_ANSWER_OCTETS:
            self.parts.append(data)
        elif not self.whole.called:
            self._stop(self.whole)
            self.whole.errback(_unavailable(f"the answer has more than {MAX_ANSWER_OCTETS} octets"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):  # the latter: no length, ended by closing
            self.whole.callback(b"".join(self.parts))
        else:
            self.whole.errback(reason)

    def _stop(self, _: Deferred[bytes]) -> None:
        transport: Any = self.transport
        if transport is not None:
            getattr(transport, "abortConnection", transport.loseConnection)()
