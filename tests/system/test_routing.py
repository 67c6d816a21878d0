"""What the server says of all domains: its delimiters, its catch-all and the rate of that; over sockets."""

from __future__ import annotations

from tests.system.harness import LIMITS, PASSWORDS, Server
from tests.system.test_aliases import BOB, JOE, OK, UNKNOWN, delivered, rcpt

RULES = LIMITS.replace("[smtp]\n", '[smtp]\nrecipient_delimiter = "-"\n')
CATCHING = f'[delivery]\nunknown_user = "catchall:{BOB}"\ncatch_all_rate = "2/1h"\n'


def test_delimiters_of_the_server(own_server: Server) -> None:
    own_server.extra = RULES
    own_server.start()
    assert rcpt(own_server, "joe-x@example.test", "joe+x@example.test") == [OK, UNKNOWN]
    own_server.extra = LIMITS
    own_server.reload()
    assert rcpt(own_server, "joe-x@example.test", "joe+x@example.test") == [UNKNOWN, OK]


def test_a_catch_all_of_all_domains_has_a_rate(own_server: Server) -> None:
    """Features rows L-05, S-A23; a reload does not give the guesser a new allowance."""
    own_server.extra = LIMITS + CATCHING
    own_server.start()
    assert delivered(own_server, "caught", "whoever@example.test") == {BOB: 1}
    assert rcpt(own_server, "x@example.test", "y@example.test", JOE) == [OK, b"450 4.7.1", OK]
    own_server.extra = LIMITS + CATCHING + "keep_deleted = '1h'\n"
    own_server.reload()
    assert rcpt(own_server, "z@example.test", *PASSWORDS) == [b"450 4.7.1", OK, OK, OK]


def test_no_catch_all_is_without_a_rate(own_server: Server) -> None:
    own_server.start()
    own_server.extra = LIMITS + CATCHING.replace("2/1h", "0")
    own_server.write_config()
    assert "without one a guesser of names fills the maildrop" in own_server.cli("config", "check", status=4)


def test_mail_that_is_thrown_away_is_taken(own_server: Server) -> None:
    own_server.domain = 'aliases = { bin = ":discard", half = ["joe", "bin"] }'
    own_server.start()
    assert delivered(own_server, "to nobody", "bin@example.test") == {}
    assert delivered(own_server, "to one", "bin@example.test", "half@example.test") == {JOE: 1}
