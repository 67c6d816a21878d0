"""Who may send to other servers, by a running server: the four combinations of logins and listed hosts, and
what an account, a printer and a stranger may do (features rows S-A13, S-I09, U-03, U-10, U-07)."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest

from tests.system.clients import within
from tests.system.harness import DEVICE, LIMITS, Server
from tests.system.test_relay import LISTED, UNLISTED, session

LISTENERS = """
[[listener]]
name    = "mx"
service = "smtp"
bind    = ["127.0.0.1"]
port    = 0
{smtp}

[[listener]]
name    = "pop3s"
service = "pop3"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
"""

SUBMISSION = """
[[listener]]
name    = "submissions"
service = "submission"
bind    = ["127.0.0.1"]
port    = 0
tls     = "implicit"
{submission}
"""

RELAY = 'relay = "addresses"\nrelay_networks = ["127.0.0.0/30"]\n'
NETWORKS = 'relay_networks = ["127.0.0.0/30"]\n'
LOCAL, REMOTE = b"<ann@example.test>", b"<eve@elsewhere.example>"
TAKEN, MAY, DENIED = b"250 2.1.5 ", b"550 5.7.1 This server does not send", b"550 5.7.1 Relaying denied"
LOGIN = b"530 5.7.0 "


def listeners(logins: bool, listing: bool) -> str:
    text = LISTENERS.format(smtp=RELAY if listing else "")
    return text + SUBMISSION.format(submission=NETWORKS if listing else "") if logins else text


def asked(server: Server, listener: str, peer: str, login: bool) -> tuple[bytes, bytes]:
    """What is said to a local and to a remote recipient, or to MAIL before them."""
    with session(server, listener, peer, login) as client:
        sender = client.say(b"MAIL FROM:<joe@example.test>")
        if not sender.startswith(b"250"):
            return sender, sender
        return client.say(b"RCPT TO:" + LOCAL), client.say(b"RCPT TO:" + REMOTE)


def test_the_table(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("table"), listeners=listeners(False, False))
    with server:
        for logins in (False, True):
            for listing in (False, True):
                server.listeners = listeners(logins, listing)
                server.reload()
                for peer in (LISTED, UNLISTED):
                    listed = listing and peer == LISTED
                    expected = [(TAKEN, MAY if listed else DENIED)]
                    found = [asked(server, "mx", peer, False)]
                    if logins:
                        expected += [(TAKEN, MAY) if listed else (LOGIN, LOGIN), (TAKEN, MAY)]
                        found += [asked(server, "submissions", peer, login) for login in (False, True)]
                    else:
                        assert "submissions" not in server.ports
                    for wanted, said in zip(expected, found, strict=True):
                        where = (logins, listing, peer, said)
                        assert all(each.startswith(word) for each, word in zip(said, wanted, strict=True)), (
                            where
                        )
        assert not list(server.state.glob("mail/*/*/new/*"))


def test_domains_that_anybody_brings_mail_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Row Q-11: on port 25, and nowhere else."""
    rules = 'relay_domains = ["backup.example"]\nrelay_recipients = ["joe@backup.example"]\n'
    extra = LIMITS.replace("[smtp]\n", f"[smtp]\n{rules}")
    extra += '[queue]\noutgoing = "hold"\n'
    with Server(tmp_path_factory.mktemp("backup"), extra, listeners(True, False)) as server:
        with session(server, "mx", UNLISTED, False) as client:
            client.say(b"MAIL FROM:<eve@elsewhere.example>", b"250")
            client.say(b"RCPT TO:<joe@backup.example>", b"250 2.1.5")
            client.say(b"RCPT TO:<ann@backup.example>", b"550 5.1.1")
            client.say(b"RCPT TO:<joe%elsewhere.example@backup.example>", b"550 5.7.1")
            client.say(b"RCPT TO:<joe@sub.backup.example>", b"550 5.7.1 Relaying denied")
            client.say(b"RCPT TO:" + REMOTE, b"550 5.7.1 Relaying denied")
        assert asked(server, "mx", UNLISTED, False)[1].startswith(DENIED)
        with session(server, "submissions", UNLISTED, False) as client:
            client.say(b"MAIL FROM:<eve@elsewhere.example>", LOGIN.strip())


RULES = LIMITS.replace(
    "[smtp]", '[smtp]\nblock_sender_files = ["kill.list"]\nunknown_recipients_close = 3'
).replace("[submission]", '[submission]\nrate_per_account = "4/1h"')


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "kill.list").write_text("# nobody yet\nevil.example\n")
    server = Server(folder, extra=RULES, listeners=listeners(True, False))
    server.settings["joe@example.test"] = 'send_as = ["*@shop.example"]\n' + server.device(
        "printer", 'sender = "joe+printer@example.test"', 'recipients = ["ann@example.test"]'
    )
    with server:
        assert blocked(server, b"x@evil.example")
        assert not blocked(server, b"x@worse.example")
        (folder / "kill.list").write_text("evil.example\nworse.example\n")  # for the last test
        yield server


def blocked(server: Server, sender: bytes) -> bool:
    with session(server, "mx", UNLISTED, False) as client:
        client.say(b"MAIL FROM:<" + sender + b">", b"250")
        return client.say(b"RCPT TO:<ann@example.test>").startswith(b"550 5.7.1")


@pytest.mark.parametrize(
    ("sender", "reply"),
    [
        (b"joe@example.test", b"250"),
        (b"Joe+news@example.test", b"250"),
        (b"anybody@shop.example", b"250"),
        (b"", b"250"),
        (b"ann@example.test", b"550 5.7.1"),
        (b"joe@example.org", b"550 5.7.1"),
    ],
)
def test_in_whose_name(server: Server, sender: bytes, reply: bytes) -> None:
    with session(server, "submissions", UNLISTED, True) as client:
        client.say(b"MAIL FROM:<" + sender + b">", reply)


def test_a_printer(server: Server) -> None:
    with session(server, "submissions", UNLISTED, False) as client:
        client.say(b"AUTH PLAIN " + base64.b64encode(f"\0joe@example.test\0{DEVICE}".encode()), b"235")
        client.say(b"MAIL FROM:<joe@example.test>", b"550 5.7.1")
        client.say(b"MAIL FROM:<joe+printer@example.test>", b"250")
        client.say(b"RCPT TO:<bob@example.test>", b"550 5.7.1")
        client.say(b"RCPT TO:<ann@example.test>", b"250")


def test_so_many_and_no_more(server: Server) -> None:
    for _ in range(2):
        with session(server, "submissions", UNLISTED, True) as client:
            client.say(b"MAIL FROM:<joe@example.test>", b"250")
            said = [client.say(b"RCPT TO:<ann+%d@example.test>" % number)[:9] for number in range(6)]
        assert said[-1] == b"450 4.7.1"
    assert server.logged().count("submission.rate_exceeded") == 1


def test_names_are_tried_in_vain(server: Server) -> None:
    with session(server, "mx", UNLISTED, False) as client:
        client.say(b"MAIL FROM:<>", b"250")
        for number in range(3):
            client.say(b"RCPT TO:<nobody%d@example.test>" % number, b"550 5.1.1")
        client.say(b"RCPT TO:<nobody@example.test>", b"421 4.7.1")
        assert client.rest() == b""


def test_an_open_relay_does_not_start(tmp_path_factory: pytest.TempPathFactory) -> None:
    server = Server(tmp_path_factory.mktemp("open"), extra='[smtp]\nrelay = "anyone"\n')
    try:
        with pytest.raises(AssertionError, match="lets the whole world send through this server"):
            server.start()
        server.extra = '[smtp]\nrelay = "anyone"\ni_know_this_is_an_open_relay = true\n'
        server.start()
        assert asked(server, "mx", UNLISTED, False)[1].startswith(MAY)
    finally:
        server.close()


def test_a_kill_list_that_grows(server: Server) -> None:
    """It was written to before the first test: a file is read when it stands still between two looks."""

    def refused() -> None:
        assert blocked(server, b"x@worse.example")

    within(30.0, refused, AssertionError)
