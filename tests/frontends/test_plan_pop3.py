"""The settings of POP3 that came with issue 4, and what a client sees of each."""

from __future__ import annotations

import pytest

from mailsuite.accounts.attempt import PasswordAttempt
from mailsuite.config.load import load
from mailsuite.model.account import Account
from mailsuite.model.address import Address
from mailsuite.model.retention import DAY, Retention
from tests.frontends.planned import Make, Talk, World

IMPLICIT = 'tls = "implicit"'
LONG = "NOOP " + "x" * 600
PLAIN = b"Subject: hello\r\n\r\nA\0B\r\n"
UTF8 = "Subject: Gr\u00fc\u00dfe\r\n\r\nhello\r\n".encode()
IN = ("USER joe", "PASS secret")


def inside(world: Make, section: str = "", *messages: bytes, more: str = "") -> tuple[World, Talk]:
    """Under TLS, at a listener where everybody gets in."""
    built = world("pop3", section, IMPLICIT, more)
    built.fill(*messages)
    talk = built.connect("pop3", tls=True)
    talk.read()
    return built, talk


def capabilities(talk: Talk) -> list[str]:
    return talk.say("CAPA").split("\r\n")


class TestLines:
    @pytest.mark.parametrize(
        ("section", "closes", "banned"),
        [
            ("", True, True),
            ('on_overlong_command = "ban"', True, True),
            ('on_overlong_command = "close"', True, False),
            ('on_overlong_command = "error"', False, False),
        ],
    )
    def test_what_a_long_one_leads_to(self, world: Make, section: str, closes: bool, banned: bool) -> None:
        built = world("pop3", section)
        talk = built.connect("pop3")
        assert "-ERR" in talk.say(LONG)
        assert talk.wire.disconnecting is closes
        assert [str(ban.network) for ban in built.premises.bans.list()] == ["192.0.2.1/32"] * banned
        assert (built.connect_or_none("pop3") is None) is banned
        assert built.connect_or_none("pop3", peer="192.0.2.2") is not None

    def test_the_words_of_a_ban(self, world: Make) -> None:
        built = world("pop3")
        built.connect("pop3").say(LONG)
        [line] = [line for line in built.lines if " guard.banned " in line]
        assert "service=pop3 listener=pop3 port=4000 reason=oversize-command" in line

    def test_who_is_never_banned(self, world: Make) -> None:
        guard = '[guard]\nnever_ban = ["192.0.2.0/24"]\n'
        built = world("pop3", "", 'tls = "starttls"', guard)
        built.connect("pop3").say(LONG)
        assert built.premises.bans.list() == ()

    def test_a_bare_line_feed(self, world: Make) -> None:
        for section, answer in (("", "+OK"), ("strict_crlf = true", "-ERR")):
            talk = world("pop3", section).connect("pop3")
            talk.read()
            talk.session.dataReceived(b"CAPA\n")
            assert talk.read().startswith(answer), section


class TestTime:
    def test_who_does_not_log_in(self, world: Make) -> None:
        built = world("pop3", 'login_timeout = "2m"')
        talk = built.connect("pop3")
        built.clock.advance(60)
        talk.say("CAPA")
        built.clock.advance(59)
        assert not talk.wire.disconnecting
        built.clock.advance(1)
        assert talk.wire.disconnecting

    def test_who_has_logged_in_stays(self, world: Make) -> None:
        built, talk = inside(world, 'login_timeout = "2m"')
        assert "+OK" in talk.say(*IN)
        built.clock.advance(599)
        assert not talk.wire.disconnecting


class TestRules:
    def test_they_come_with_each_attempt(self, world: Make) -> None:
        section = 'max_connections_per_account = 3\ntakeover = true\nlogin_delay = "2m"\ndelete_after = "30d"'
        domain = '[[domain]]\nname = "other.test"\nlogin_delay = "1h"\ndelete_after = "retrieval"\n'
        built, talk = inside(world, section, more=domain)
        talk.say(*IN)
        [attempt] = built.logins.attempts
        assert isinstance(attempt, PasswordAttempt)
        rules = attempt.rules
        assert (rules.max_sessions, rules.takeover) == (3, True)
        assert (rules.login_delay_of("example.test"), rules.login_delay_of("other.test")) == (120.0, 3600.0)
        assert rules.retention_of("example.test").read == 30 * DAY
        assert rules.retention_of("other.test").read == 0

    def test_defaults(self, world: Make) -> None:
        built, talk = inside(world)
        talk.say(*IN)
        rules = built.logins.attempts[0].rules
        assert (rules.max_sessions, rules.takeover, rules.login_delay) == (10, False, 0.0)
        assert rules.retention == Retention()


class TestCapabilities:
    def test_defaults(self, world: Make) -> None:
        _, talk = inside(world)
        before = capabilities(talk)
        assert {"EXPIRE NEVER", "UTF8 USER"} <= set(before)
        talk.say(*IN)
        lines = [line.split()[0] for line in capabilities(talk) if line]
        assert not {"LOGIN-DELAY", "IMPLEMENTATION", "STLS"} & set(lines)

    def test_the_implementation_is_for_those_who_are_in(self, world: Make) -> None:
        _, talk = inside(world, 'implementation = "Mail 2"')
        assert "IMPLEMENTATION Mail 2" not in capabilities(talk)
        talk.say(*IN)
        assert "IMPLEMENTATION Mail 2" in capabilities(talk)

    def test_terms(self, world: Make) -> None:
        _, talk = inside(world, 'login_delay = "2m"\ndelete_after = "30d"')
        assert {"EXPIRE 30", "LOGIN-DELAY 120"} <= set(capabilities(talk))

    def test_terms_that_vary(self, world: Make) -> None:
        """The shortest stay and the longest wait of anybody; after the login, one's own (RFC 2449)."""
        domain = '[[domain]]\nname = "other.test"\nlogin_delay = "1h"\ndelete_after = "7d"\n'
        _, talk = inside(world, 'login_delay = "2m"\ndelete_after = "30d"', more=domain)
        assert {"EXPIRE 7 USER", "LOGIN-DELAY 3600 USER"} <= set(capabilities(talk))
        talk.say(*IN)
        assert {"EXPIRE 30", "LOGIN-DELAY 120"} <= set(capabilities(talk))

    def test_an_account_s_own_word_is_announced_from_the_next_connection_on(self, world: Make) -> None:
        built, talk = inside(world)
        assert "EXPIRE NEVER" in capabilities(talk)
        ann = Account(Address("ann", "example.test"), retention=Retention(read=3 * DAY, unread=9 * DAY))
        built.premises.own_retentions.note(ann)
        for peer in ("192.0.2.1", "198.51.100.1"):
            assert "EXPIRE 3 USER" in capabilities(built.connect("pop3", tls=True, peer=peer))
        built.premises.own_retentions.forget(ann.address)
        assert "EXPIRE NEVER" in capabilities(built.connect("pop3", tls=True))

    def test_retrieval_ends_the_stay(self, world: Make) -> None:
        built, talk = inside(world, 'delete_after = "retrieval"', PLAIN, PLAIN)
        assert "EXPIRE 0" in capabilities(talk)
        talk.say(*IN, "RETR 1", "QUIT")
        later = built.connect("pop3", tls=True)
        assert later.say(*IN, "STAT").endswith(f"+OK 1 {len(PLAIN)}\r\n")

    def test_no_utf8(self, world: Make) -> None:
        _, talk = inside(world, "utf8 = false")
        assert "UTF8 USER" not in capabilities(talk)
        assert talk.say("UTF8").startswith("-ERR")

    @pytest.mark.parametrize(("section", "answer"), [("", "-ERR"), ("last = true", "+OK 1")])
    def test_last(self, world: Make, section: str, answer: str) -> None:
        _, talk = inside(world, section, PLAIN)
        talk.say(*IN, "RETR 1")
        assert talk.say("LAST").startswith(answer)


class TestUtf8Mail:
    def test_as_it_is(self, world: Make) -> None:
        _, talk = inside(world, 'utf8_mail = "as-is"', UTF8)
        assert "Subject: Gr\u00fc\u00dfe\r\n" in talk.say(*IN, "RETR 1")

    def test_downgraded(self, world: Make) -> None:
        _, talk = inside(world, "", UTF8)
        said = talk.say(*IN, "RETR 1")
        assert said.isascii()
        assert "Subject: =?utf-8?" in said.lower().replace("subject", "Subject")

    def test_refused(self, world: Make) -> None:
        _, talk = inside(world, 'utf8_mail = "refuse"', UTF8)
        assert talk.say(*IN, "RETR 1").splitlines()[-1].startswith("-ERR [UTF8]")

    @pytest.mark.parametrize("policy", ["downgrade", "refuse", "as-is"])
    def test_who_has_said_utf8_gets_what_was_sent(self, world: Make, policy: str) -> None:
        _, talk = inside(world, f'utf8_mail = "{policy}"', UTF8)
        assert "Subject: Gr\u00fc\u00dfe\r\n" in talk.say("UTF8", *IN, "RETR 1")


class TestQuirks:
    def test_nuls(self, world: Make) -> None:
        for section, text in (("", b"A\0B\r\n"), ('quirks = ["outlook-no-nuls"]', b"A\x80B\r\n")):
            _, talk = inside(world, section, PLAIN)
            talk.wire.clear()
            talk.session.dataReceived(b"USER joe\r\nPASS x\r\nRETR 1\r\n")
            assert text in talk.wire.value()

    def test_auth_without_a_mechanism(self, world: Make) -> None:
        _, talk = inside(world, 'auth = []\nquirks = ["auth-list"]')
        assert talk.say("AUTH") == "+OK Mechanisms follow\r\n.\r\n"
        _, talk = inside(world, "auth = []")
        assert talk.say("AUTH").startswith("-ERR")

    def test_a_message_that_is_all_header(self, world: Make) -> None:
        for section, end in (("", "A: 1\r\n.\r\n"), ('quirks = ["oe-ns-eoh"]', "A: 1\r\n\r\n.\r\n")):
            _, talk = inside(world, section, b"A: 1\r\n")
            assert talk.say(*IN, "RETR 1").endswith(end)


class TestProtocolLog:
    @pytest.mark.parametrize(
        ("level", "shown", "hidden"),
        [
            ("off", (), ("pop3.session", "pop3.login", "pop3.command")),
            ("sessions", ("pop3.session", "pop3.login"), ("pop3.command",)),
            ("commands", ("pop3.session", "pop3.login", "pop3.command"), ()),
        ],
    )
    def test_how_much_is_told(
        self, world: Make, level: str, shown: tuple[str, ...], hidden: tuple[str, ...]
    ) -> None:
        built, talk = inside(world, f'protocol_log = "{level}"')
        talk.say(*IN, "QUIT")
        talk.lose()
        events = {line.split()[2] for line in built.lines}
        assert set(shown) <= events
        assert not set(hidden) & events
        assert "secret" not in "\n".join(built.lines)


class TestByListener:
    def test_a_door_s_own_word_wins(self, world: Make) -> None:
        built = world("pop3", "last = false\nutf8 = true", IMPLICIT + "\nlast = true\nutf8 = false")
        built.fill(PLAIN)
        talk = built.connect("pop3", tls=True)
        assert "UTF8 USER" not in capabilities(talk)
        assert talk.say(*IN, "LAST").endswith("+OK 0\r\n")

    def test_what_a_reload_changes_holds_for_those_who_come(self, world: Make) -> None:
        """Offers for new sessions; rules about logins at once."""
        built, talk = inside(world)
        file = built.directory / "mailsuite.toml"
        file.write_text(file.read_text().replace("[pop3]\n", '[pop3]\nlast = true\nlogin_delay = "2m"\n'))
        built.plan(load(file, {}).accepted())
        assert "LOGIN-DELAY 120" in capabilities(built.connect("pop3", tls=True))
        assert "LOGIN-DELAY 120" not in capabilities(talk)
        talk.say(*IN)
        assert built.logins.attempts[0].rules.login_delay == 120.0
        assert talk.say("LAST").startswith("-ERR")
        talk.say("QUIT")
        later = built.connect("pop3", tls=True)
        assert later.say(*IN, "LAST").endswith("+OK 0\r\n")
