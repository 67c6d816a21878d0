"""What went wrong on the way to the server, in words that say what to do."""

from __future__ import annotations

from collections.abc import Iterator

from OpenSSL import SSL
from service_identity import CertificateError, VerificationError
from twisted.internet import error as net
from twisted.internet.defer import TimeoutError as TookTooLong

from mailsuite.client.pop3 import LoginRefused, TryLater
from mailsuite.client.pop3_replies import NotPop3
from mailsuite.client.stream import StreamBroken, StreamMissing
from mailsuite.model.display_text import LONG, one_line

_WORDS: tuple[tuple[tuple[type[BaseException], ...], str], ...] = (
    ((net.ConnectionRefusedError, ConnectionRefusedError), "nothing listens there"),
    ((net.DNSLookupError,), "its name is not known"),
    ((net.NoRouteError,), "there is no way to it"),
    ((net.TimeoutError, TookTooLong, TimeoutError), "it does not answer"),
    ((CertificateError, VerificationError), "its certificate is for another name"),
    ((net.ConnectionClosed, EOFError), "it cut the connection"),
)


def in_words(error: BaseException) -> str:
    """One line, safe to show."""
    causes = list(_causes(error))
    for cause in causes:
        if isinstance(cause, LoginRefused | TryLater | NotPop3 | StreamMissing | StreamBroken):
            return one_line(str(cause), LONG)
    for cause in causes:
        if isinstance(cause, SSL.Error) and "certificate verify failed" in str(cause):
            return "its certificate is signed by nobody that this computer trusts"
        if isinstance(cause, SSL.Error):
            return "no TLS could be agreed on"
        for kinds, words in _WORDS:
            if isinstance(cause, kinds):
                return words
    return one_line(f"{type(error).__name__}: {error}", LONG)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what Twisted's HTTP client has wrapped in it."""
    yield error
    for reason in getattr(error, "reasons", None) or ():
        yield from _causes(reason.value)
