"""The servers of others do what peers.py says; else what is sent to them would prove nothing."""

from __future__ import annotations

import contextlib
import smtplib
import ssl
from collections.abc import Iterator

import pytest

from tests.accounts.sources.certificates import Authority
from tests.interop.exim import Exim, unpacked_exim
from tests.interop.lineup import NAMES, WITHOUT, Lineup
from tests.interop.peers import ANN, JOE, LATER, NAME, NOBODY, SIZE, folder, needs_root
from tests.interop.postfix import needs_postfix
from tests.interop.programs import PATIENCE
from tests.system.clients import within

KNOWN = {"postfix": set(WITHOUT), "opensmtpd": {"dsn"}, "exim": {"chunking", "dsn", "smtputf8", "pipelining"}}
KNOWN_TO_ALL = {"8bitmime", "size"}
LETTER = b"""From: a@x.example
Date: Sat, 21 Nov 2026 10:00:00 +0000
Message-ID: <one@x.example>
Subject: x

.dot
..
""".replace(b"\n", b"\r\n")


@contextlib.contextmanager
def client(port: int, authority: Authority | None) -> Iterator[smtplib.SMTP]:
    """Under TLS, where there is an *authority*."""
    with smtplib.SMTP("127.0.0.1", port, "client.example", PATIENCE) as running:
        if authority:
            running._host = NAME  # type: ignore[attr-defined]
            running.starttls(context=ssl.create_default_context(cafile=str(authority.file)))
        running.ehlo()
        yield running


@pytest.mark.parametrize("name", NAMES)
def test_what_a_peer_does(lineup: Lineup, name: str) -> None:
    peer = lineup.peer(name)
    before = {local: len(peer.messages(local)) for local in ("joe", "ann")}
    with client(peer.port, lineup.authority) as running:
        assert int(running.esmtp_features["size"]) == SIZE
        known = set(running.esmtp_features) & (KNOWN_TO_ALL | set(WITHOUT))
        assert known == (KNOWN_TO_ALL | KNOWN[name]) - {"starttls"}
        running.mail("a@x.example")
        codes = [running.rcpt(each)[0] for each in (JOE, ANN, LATER, NOBODY)]
        assert codes[:2] == [250, 250]
        assert codes[2] in {450, 451}
        assert codes[3] == 550
        assert running.data(LETTER)[0] == 250
        running.mail("a@x.example")
        running.rcpt(JOE)
        large = LETTER + (b"x" * 78 + b"\r\n") * (SIZE // 60)
        assert running.data(large)[0] in {552, 554}

    def arrived(local: str) -> bytes:
        [message] = peer.messages(local)[before[local] :]
        return message

    for local in before:
        message = within(PATIENCE, lambda local=local: arrived(local), ValueError)  # type: ignore[misc]
        assert message.endswith(LETTER.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize("word", [pytest.param(word, marks=needs_postfix) for word in WITHOUT])
def test_postfix_without_an_extension(lineup: Lineup, word: str) -> None:
    with client(lineup.postfix().ports_without[word], None) as running:
        assert set(WITHOUT) - set(running.esmtp_features) == {word}


@needs_root
def test_they_end() -> None:
    """With all their processes, and more than once."""
    with folder() as base, Exim(base, unpacked_exim(), Authority(base)) as running:
        running.stop()
        running.stop()
        with pytest.raises(ConnectionRefusedError):
            smtplib.SMTP("127.0.0.1", running.port, "client.example", PATIENCE)
