"""What the SMTP client core costs alone, without sockets: CPU time of a message on a session that goes on.

.venv/bin/python -m bench.client_core
"""

from __future__ import annotations

import time
from statistics import median

from mailsuite.model.address import Address
from mailsuite.model.envelope import OutboundRecipient
from mailsuite.wire.smtp.client.letter import Letter
from mailsuite.wire.smtp.client.session import ClientSession, ClientSettings

PIECE_OCTETS = 256 * 1024
"""As the courier reads a message from the disk."""
TEXT = b"".join(
    b"A line of seventy-two octets, like those that most people's programs wri%02d\r\n" % n for n in range(64)
)
DOTTED = TEXT.replace(b"\r\nA", b"\r\n.")
SENDER, RECIPIENT = Address.parse("ann@example.org"), OutboundRecipient(Address.parse("joe@example.net"))
ENVELOPE = b"250 2.1.0 Sender OK\r\n250 2.1.5 Recipient OK\r\n"
TAKEN = b"250 2.0.0 262144 octets are here\r\n"
ACCEPTED = b"250 2.0.0 OK, queued as 0123456789abcdef\r\n"


def session(*keywords: bytes) -> ClientSession:
    """After EHLO."""
    client = ClientSession(ClientSettings("client.example"))
    client.receive(b"220 mx.example.net ESMTP\r\n")
    client.hello()
    client.receive(
        b"".join(b"250-%s\r\n" % each for each in (b"mx.example.net", *keywords)) + b"250 8BITMIME\r\n"
    )
    drain(client)
    return client


def drain(client: ClientSession) -> None:
    while client.next_event() is not None:
        pass
    client.bytes_to_send()


def send(client: ClientSession, content: bytes, go_ahead: bytes) -> None:
    """One message to one recipient."""
    client.send(Letter(SENDER, (RECIPIENT,), size=len(content)))
    client.bytes_to_send()
    client.receive(ENVELOPE + go_ahead)
    drain(client)
    for at in range(0, len(content), PIECE_OCTETS):
        client.body(content[at : at + PIECE_OCTETS])
        if client.bytes_to_send().startswith(b"BDAT"):
            client.receive(TAKEN)
    client.end_body()
    client.bytes_to_send()
    client.receive(ACCEPTED)
    drain(client)


def main() -> None:
    for name, octets, count in (("4 KiB", 4096, 2000), ("1 MiB", 1 << 20, 100)):
        for kind, lines in (("text", TEXT), ("every line with a dot", DOTTED)):
            content = (lines * (octets // len(lines) + 1))[:octets]
            for way, keyword, go_ahead in (("DATA", b"DSN", b"354 Go\r\n"), ("BDAT", b"CHUNKING", b"")):
                client = session(b"PIPELINING", b"SIZE 0", keyword)
                rounds = []
                for _ in range(6):
                    began = time.process_time()
                    for _ in range(count):
                        send(client, content, go_ahead)
                    rounds.append((time.process_time() - began) / count)
                cpu = median(rounds[1:])
                print(f"{name}, {way}, {kind}: {cpu * 1e6:.0f} us, {octets / cpu / 1e6:.0f} MB/s")


if __name__ == "__main__":
    main()
