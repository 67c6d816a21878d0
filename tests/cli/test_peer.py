"""How servers are named, and which certificates are believed."""

from __future__ import annotations

import socket
import ssl

import click
import pytest

from mailsuite.cli.context import CommandFailed, NotReachable
from mailsuite.cli.peer import Peer, Scheme, parse_peer, peer_failures, tls_context, tls_text

SCHEMES = {"pop3": Scheme(110), "pop3s": Scheme(995, implicit_tls=True)}
CANARY = "canary-4-of-the-command-line"


@pytest.mark.parametrize(
    ("text", "peer"),
    [
        ("pop3://mail.example.test", Peer("pop3", "mail.example.test", 110, False)),
        ("POP3S://Mail.Example.test/", Peer("pop3s", "mail.example.test", 995, True)),
        ("pop3://joe@h:1", Peer("pop3", "h", 1, False, "joe")),
        ("pop3://joe@example.test@h:1", Peer("pop3", "h", 1, False, "joe@example.test")),
        ("pop3://joe%40example.test@h", Peer("pop3", "h", 110, False, "joe@example.test")),
        ("pop3://j%25o@h", Peer("pop3", "h", 110, False, "j%o")),
        ("pop3://[::1]:40110", Peer("pop3", "::1", 40110, False)),
        ("pop3://joe@192.0.2.7:0", Peer("pop3", "192.0.2.7", 0, False, "joe")),
        ("pop3://grün.test", Peer("pop3", "xn--grn-ioa.test", 110, False)),
    ],
)
def test_a_server(text: str, peer: Peer) -> None:
    assert parse_peer(text, SCHEMES) == peer


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mail.example.test",
        "imap://mail.example.test",
        "pop3://",
        "pop3://joe@",
        "pop3://h:port",
        "pop3://h:99999",
        "pop3://h/inbox",
        "pop3://h?x",
        "pop3://h#x",
        "pop3://[::1",
        "pop3://.h",
        "pop3://h\x1b",
        "pop3://jo%0D%0ADELE 1@h",
        f"pop3://joe:{CANARY}@h",
        f"pop3://joe@x:{CANARY}@h",
    ],
)
def test_no_server(text: str) -> None:
    with pytest.raises(click.UsageError) as caught:
        parse_peer(text, SCHEMES)
    assert caught.value.message.isprintable()
    assert CANARY not in caught.value.message


@pytest.mark.parametrize(
    ("host", "is_loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("192.0.2.1", False),
        ("localhost.example.test", False),
        ("127.0.0.1.example.test", False),
    ],
)
def test_certificates_are_checked_but_on_this_machine(host: str, is_loopback: bool) -> None:
    peer = parse_peer(f"pop3://[{host}]" if ":" in host else f"pop3://{host}", SCHEMES)
    assert peer.is_loopback is is_loopback
    context = tls_context(peer, insecure=False)
    assert (context.verify_mode == ssl.CERT_NONE) is is_loopback
    assert context.check_hostname is not is_loopback
    assert tls_context(peer, insecure=True).verify_mode == ssl.CERT_NONE


def test_how_a_server_is_shown() -> None:
    assert str(Peer("pop3", "::1", 110, False)) == "[::1]:110"
    assert str(Peer("pop3", "h", 110, False, "joe")) == "h:110"
    assert tls_text(None) == "without TLS"


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), CommandFailed, "no TLS"),
        (ssl.SSLCertVerificationError(1, "x"), CommandFailed, "certificate is not good"),
        (socket.gaierror(-2, "Name or service not known"), NotReachable, "Name or service not known"),
        (TimeoutError(), NotReachable, "no answer in time"),
        (ConnectionRefusedError(), NotReachable, "nothing listens there"),
        (ConnectionResetError(104, "Connection reset by peer"), NotReachable, "reset by peer"),
        (EOFError("cut\x1b"), NotReachable, r"cut\x1b"),
        (OSError(), NotReachable, "the connection was cut"),
    ],
)
def test_failures_in_words(error: Exception, kind: type[CommandFailed], words: str) -> None:
    if isinstance(error, ssl.SSLCertVerificationError):
        error.verify_message = "self-signed certificate"
    with (
        pytest.raises(kind, match=words.replace("\\", r"\\")) as caught,
        peer_failures(Peer("pop3", "h", 1, False)),
    ):
        raise error
    assert caught.value.message.startswith("h:1: ")
    assert caught.value.message.isprintable()
