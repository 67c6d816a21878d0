"""What a courier makes of letters beyond ASCII, for servers that take none (features row Q-10)."""

from __future__ import annotations

import attrs

from mailsuite.model.envelope import BodyType, MailParameters
from mailsuite.relay.seven_bit import MAX_OCTETS
from tests.sinks.offer import Offer
from tests.system.courier_case import EVE, JOE, MAX, CourierCase

TEXT = "Grüße\r\n".encode()
HEADER = b"Subject: Hello\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
LETTER = HEADER + b"Content-Transfer-Encoding: 8bit\r\n\r\n" + TEXT
SIGNED = (
    b"Subject: Hello\r\nMIME-Version: 1.0\r\nContent-Type: multipart/signed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n" + TEXT + b"--b\r\n\r\nX\r\n--b--\r\n"
)
OCTETS = (
    b"Subject: Hello\r\nMIME-Version: 1.0\r\nContent-Type: image/png\r\n"
    b"Content-Transfer-Encoding: binary\r\n\r\n\x00\r\n\n"
)


class SevenBit(CourierCase):
    def setUp(self) -> None:
        super().setUp()
        self.sink.offer = attrs.evolve(self.sink.offer, extensions=("PIPELINING", "SIZE 999999"))

    async def test_text_is_encoded_where_nobody_knows_8bitmime(self) -> None:
        self.begin()
        await self.put(EVE, MAX, content=LETTER)
        await self.empty()
        (message,) = self.sink.record.messages
        encoded = HEADER + b"Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
        self.assertEqual(message.body, encoded)
        self.assertNotIn("BODY", message.parameters)
        self.assertIn(f"SIZE={len(encoded)}", message.parameters)
        self.assertEqual(len(self.events("relay.encoded")), 1)
        self.assertEqual(self.letters_of(JOE), ())

    async def test_it_goes_as_it_is_to_who_does(self) -> None:
        self.sink.offer = Offer()
        self.begin()
        await self.put(EVE, content=LETTER)
        await self.empty()
        self.assertEqual(self.sink.record.messages[0].body, LETTER)
        self.assertEqual(self.events("relay.encoded"), [])

    async def test_octets_become_lines_where_nobody_knows_binarymime(self) -> None:
        self.begin()
        await self.put(EVE, content=OCTETS, parameters=MailParameters(body=BodyType.BINARY))
        await self.empty()
        (message,) = self.sink.record.messages
        self.assertIn(b"Content-Transfer-Encoding: base64\r\n\r\nAA0KCg==\r\n", message.body)
        self.assertNotIn("BODY=BINARYMIME", message.parameters)
        self.assertEqual(len(self.events("relay.encoded")), 1)

    async def test_octets_go_as_they_are_to_who_does(self) -> None:
        extensions = ("PIPELINING", "CHUNKING", "BINARYMIME", "8BITMIME")
        self.sink.offer = attrs.evolve(self.sink.offer, extensions=extensions)
        self.begin()
        await self.put(EVE, content=OCTETS, parameters=MailParameters(body=BodyType.BINARY))
        await self.empty()
        (message,) = self.sink.record.messages
        self.assertEqual(message.body, OCTETS)
        self.assertIn("BODY=BINARYMIME", message.parameters)

    async def test_what_may_not_be_changed_comes_back(self) -> None:
        self.begin()
        for number, content in enumerate((SIGNED, LETTER + TEXT * (MAX_OCTETS // len(TEXT)))):
            await self.put(EVE, id=f"id{number}", content=content)
        await self.empty()
        self.assertEqual(self.sink.record.messages, ())
        notices = self.letters_of(JOE)
        self.assertEqual(len(notices), 2)
        for notice in notices:
            self.assertIn(b"Status: 5.6.1\r\n", notice)
