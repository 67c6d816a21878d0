"""Troubles in words."""

from __future__ import annotations

import pytest
from OpenSSL import SSL
from twisted.internet import defer, error
from twisted.python.failure import Failure
from twisted.web.client import ResponseNeverReceived

from mailsuite.client.pop3 import LoginRefused, TryLater
from mailsuite.client.stream import StreamBroken, StreamMissing
from mailsuite.client.trouble import in_words


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (error.ConnectionRefusedError(), "nothing listens there"),
        (error.DNSLookupError(), "its name is not known"),
        (error.NoRouteError(), "there is no way to it"),
        (error.TimeoutError(), "it does not answer"),
        (defer.TimeoutError(), "it does not answer"),
        (error.ConnectionLost(), "it cut the connection"),
        (SSL.Error([("SSL routines", "", "certificate verify failed")]), "signed by nobody"),
        (SSL.Error([("SSL routines", "", "wrong version number")]), "no TLS could be agreed on"),
        (ResponseNeverReceived([Failure(error.ConnectionLost())]), "it cut the connection"),
        (LoginRefused("refused"), "refused"),
        (TryLater("later\x1b"), "later"),
        (StreamBroken("broken"), "broken"),
        (StreamMissing("missing"), "missing"),
        (ZeroDivisionError("x"), "ZeroDivisionError: x"),
    ],
)
def test_words(trouble: Exception, words: str) -> None:
    said = in_words(trouble)
    assert words in said
    assert said.isprintable()
