"""Mail for other servers is taken by the ways in which the tests of its further way hand it in."""

from __future__ import annotations

from tests.system.harness import Server
from tests.system.load import Letter
from tests.system.outgoing import HandIn, hand_in, submit, to_others
from tests.zones import Net


def test_it_is_taken(own_server: Server) -> None:
    with Net() as net:
        net.trouble("", "servfail")
        to_others(own_server, net, 25).start()
        letters = [Letter(f"n{number}", ("a@there.example", "b@other.example")) for number in range(50)]
        done = HandIn(own_server, letters).run()
        assert sorted(letter.name for letter in done.acknowledged) == sorted(
            letter.name for letter in letters
        )
        assert done.in_flight == []
        hand_in(own_server, b"Subject: x\r\n\r\n.\r\n", "a@there.example", mail=("RET=HDRS",))
        submit(own_server, b"From: joe@example.test\r\nSubject: x\r\n\r\n.\r\n", "a@there.example")
        own_server.kill()
        assert HandIn(own_server, letters).run().acknowledged == []
