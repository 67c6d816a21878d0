"""Whether a header is UTF-8, however it comes."""

from __future__ import annotations

import pytest
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.store.maildir.header import MAX_HEADER_OCTETS, HeaderProbe
from mailsuite.store.maildir.names import parse
from tests.store.maildirs import MaildirCase

UTF8 = "Subject: Grüße\r\nFrom: x@example.test\r\n\r\nbody\r\n".encode()
LATIN = "Subject: Grüße\r\n\r\nbody\r\n".encode("latin-1")
BODY_ALONE = "Subject: x\r\n\r\nGrüße\r\n".encode()


@pytest.mark.parametrize(
    ("message", "is_utf8"),
    [
        (UTF8, True),
        (UTF8.partition(b"\r\n\r\n")[0] + b"\r\n", True),
        (LATIN, False),
        (BODY_ALONE, False),
        (b"\r\n" + UTF8, False),
        (b"", False),
    ],
)
@pytest.mark.parametrize("step", [1, 2, 3, 5, 1000])
def test_whole_and_in_pieces(message: bytes, is_utf8: bool, step: int) -> None:
    probe = HeaderProbe()
    for at in range(0, len(message), step):
        if not probe.complete:
            probe.feed(message[at : at + step])
    assert probe.is_utf8 is is_utf8


def test_nothing_is_kept_beyond_the_header() -> None:
    probe = HeaderProbe()
    probe.feed(UTF8)
    assert (probe.complete, probe._kept) == (True, bytearray())


def test_a_header_without_an_end() -> None:
    probe = HeaderProbe()
    while not probe.complete:
        probe.feed("ü".encode() * 10_000)
        assert len(probe._kept) <= MAX_HEADER_OCTETS + 20_000
    assert not probe.is_utf8


class InNames(MaildirCase, SynchronousTestCase):
    """The file of a message says in its name what its header is, so that no listing has to look."""

    def test_a_delivery_says_so_and_says_nothing_else(self) -> None:
        store = self.maildir_store()
        for content, ending in ((UTF8, ",U=1"), (LATIN, ",D=0"), (UTF8 + b"x" * 400_000 + b"\r\n", ",U=1")):
            [stored] = self.deliver(store, self.written(store, content))
            [name] = [path.name for path in self.visible() if path.name.startswith(stored.uidl)]
            self.assertTrue(name.endswith(ending), name)
            self.assertEqual(parse(name).wire, len(content))
