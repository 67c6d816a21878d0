"""Each setting of services and listeners, and what a client sees of it."""

from __future__ import annotations

import base64
import re
from ipaddress import ip_network
from pathlib import Path

import attrs
import pytest

from mailsuite import __version__
from mailsuite.accounts.attempt import PasswordAttempt
from mailsuite.frontends.factory import Refusal
from mailsuite.frontends.listener import Place
from mailsuite.frontends.plan import pair_of, places
from mailsuite.wire.sasl.steps import ScramQuestion
from tests.frontends.issuing import issue
from tests.frontends.planned import DOMAIN, DOOR, Make, World
from tests.wire.proofs import ScramClient


class TestPop3:
    def test_greeting(self, world: Make) -> None:
        assert world("pop3").connect("pop3").read() == "+OK mail.example.test POP3 ready\r\n"
        talk = world("pop3", 'response_name = "pop.example.test"\nbanner = "Hello {version}"').connect("pop3")
        assert talk.read() == f"+OK pop.example.test Hello {__version__}\r\n"

    @pytest.mark.parametrize(
        ("tls", "peer", "stls", "user"),
        [
            ("off", "192.0.2.1", False, False),
            ("off", "198.51.100.1", False, True),
            ("starttls", "192.0.2.1", True, False),
            ("starttls", "198.51.100.1", True, True),
            ("required-starttls", "192.0.2.1", True, False),
            ("required-starttls", "198.51.100.1", True, False),
            ("implicit", "192.0.2.1", False, True),
        ],
    )
    def test_tls_and_trusted_networks(self, world: Make, tls: str, peer: str, stls: bool, user: bool) -> None:
        trusted = 'trusted_networks = ["198.51.100.0/24"]'
        talk = world("pop3", trusted, f'tls = "{tls}"').connect("pop3", tls == "implicit", peer)
        capabilities = talk.say("CAPA").split("\r\n")
        assert ("STLS" in capabilities, "USER" in capabilities) == (stls, user)
        assert talk.say("USER joe").startswith("+OK" if user else "-ERR")
        if stls:
            talk.start_tls("STLS")
            capabilities = talk.say("CAPA").split("\r\n")
            assert ("STLS" in capabilities, "USER" in capabilities) == (False, True)

    @pytest.mark.parametrize(
        ("section", "name", "domain"),
        [("", "joe", "example.test"), ('default_domain = "other.test"', "joe", "other.test")],
    )
    def test_who_logs_in(self, world: Make, section: str, name: str, domain: str) -> None:
        built = world("pop3", section, 'tls = "implicit"')
        talk = built.connect("pop3", tls=True)
        assert talk.say(f"USER {name}", "PASS secret").endswith("-ERR [AUTH] Name or password is wrong\r\n")
        [attempt] = built.logins.attempts
        assert isinstance(attempt, PasswordAttempt)
        assert (attempt.name, attempt.password, attempt.rules.default_domain) == (name, b"secret", domain)
        assert (attempt.facts.service, attempt.facts.listener) == ("pop3", "pop3")

    def test_alternate_at(self, world: Make) -> None:
        built = world("pop3", 'alternate_at = "#%"', 'tls = "implicit"')
        built.connect("pop3", tls=True).say("USER joe", "PASS secret")
        assert built.logins.attempts[0].rules.alternate_at == "#%"

    def test_sasl(self, world: Make) -> None:
        talk = world("pop3").connect("pop3")
        assert "SASL SCRAM-SHA-256\r\n" in talk.say("CAPA")
        talk.start_tls("STLS")
        assert "SASL PLAIN SCRAM-SHA-256\r\n" in talk.say("CAPA")
        talk = world("pop3", "auth = []", 'tls = "implicit"').connect("pop3", tls=True)
        assert "SASL" not in talk.say("CAPA")

    def test_who_asks(self, world: Make) -> None:
        built = world("pop3", 'alternate_at = "#"')
        first = base64.b64encode(ScramClient().first()).decode()
        talks = [built.connect("pop3"), built.connect("pop3")]
        challenges = [talk.say(f"AUTH SCRAM-SHA-256 {first}") for talk in talks]
        assert all(challenge.startswith("+ ") for challenge in challenges)
        assert challenges[0] != challenges[1], "nonces are new each time"
        question, rules, facts = built.logins.questions[0]
        assert question == ScramQuestion("joe", "sha256")
        assert (rules.alternate_at, facts.service) == ("#", "pop3")

    def test_binding(self, world: Make) -> None:
        plus = 'auth = ["scram-sha-256", "scram-sha-256-plus"]'
        built = world("pop3", plus, 'tls = "implicit"')
        talk = built.connect("pop3", tls=True)
        assert "SASL SCRAM-SHA-256 SCRAM-SHA-256-PLUS\r\n" in talk.say("CAPA")
        assert set(talk.session.bindings) == {"tls-exporter"}
        assert world("pop3", "", 'tls = "implicit"').connect("pop3", tls=True).session.bindings == {}

    def test_apop_off(self, world: Make) -> None:
        talk = world("pop3").connect("pop3")
        assert "<" not in talk.read()
        assert talk.say("APOP joe " + "0" * 32).startswith("-ERR APOP")

    def test_apop_offered(self, world: Make) -> None:
        built = world("pop3", 'apop = "offer"', 'tls = "implicit"')
        talks = [built.connect("pop3", tls=True), built.connect("pop3", tls=True)]
        stamps = [talk.read().split()[-1] for talk in talks]
        assert len(set(stamps)) == 2
        assert re.fullmatch(r"<[0-9a-f]{32}\.[0-9]+@mail\.example\.test>", stamps[0])
        assert "\r\nUSER\r\n" in talks[0].say("CAPA")
        assert talks[0].say("APOP joe " + "0" * 32).startswith("-ERR [AUTH]")
        [attempt] = built.logins.attempts
        assert (attempt.name, attempt.mechanism, attempt.rules.apop) == ("joe", "APOP", "offer")

    def test_apop_required(self, world: Make) -> None:
        built = world("pop3", 'apop = "require"', 'tls = "implicit"')
        talk = built.connect("pop3", tls=True)
        assert talk.read().endswith(">\r\n")
        capabilities = talk.say("CAPA").split("\r\n")
        assert "USER" not in capabilities
        assert "SASL SCRAM-SHA-256" in capabilities
        assert talk.say("USER joe").startswith("-ERR [AUTH]")

    def test_apop_by_listener(self, world: Make) -> None:
        talk = world("pop3", 'apop = "require"', 'tls = "implicit"\napop = "off"').connect("pop3", tls=True)
        assert "<" not in talk.read()
        assert "\r\nUSER\r\n" in talk.say("CAPA")

    def test_max_command(self, world: Make) -> None:
        """Beyond 255 octets a command is refused (RFC 2449 section 4), beyond this it is the last."""
        line = "NOOP " + "x" * 300
        for section, closes in (("", False), ("max_command = 255", True)):
            talk = world("pop3", section).connect("pop3")
            assert "too long" in talk.say(line)
            assert talk.wire.disconnecting is closes

    def test_idle_timeout(self, world: Make) -> None:
        built = world("pop3", 'idle_timeout = "11m"\nlogin_timeout = "20m"')
        talk = built.connect("pop3")
        built.clock.advance(659)
        assert not talk.wire.disconnecting
        built.clock.advance(1)
        assert talk.wire.disconnecting

    def test_max_connections(self, world: Make) -> None:
        built = world("pop3", "max_connections = 2\nmax_connections_per_address = 1")
        talks = [built.connect("pop3", peer=f"192.0.2.{last}") for last in (1, 1, 2, 3)]
        refused = [isinstance(talk.session, Refusal) for talk in talks]
        assert refused == [False, True, False, True]
        assert talks[1].read().startswith("-ERR [SYS/TEMP] Too many connections")


class TestSmtp:
    def test_greeting(self, world: Make) -> None:
        assert world("smtp").connect("smtp").read() == "220 mail.example.test ESMTP\r\n"
        talk = world("smtp", 'banner = "ESMTP {version} here"').connect("smtp")
        assert talk.read() == f"220 mail.example.test ESMTP {__version__} here\r\n"

    @pytest.mark.parametrize(
        ("tls", "inside", "offered", "mail"),
        [
            ("off", False, False, "250"),
            ("starttls", False, True, "250"),
            ("required-starttls", False, True, "530"),
            ("implicit", True, False, "250"),
        ],
    )
    def test_tls(self, world: Make, tls: str, inside: bool, offered: bool, mail: str) -> None:
        talk = world("smtp", "", f'tls = "{tls}"').connect("smtp", inside)
        answer = talk.say("EHLO x.example")
        assert ("STARTTLS" in answer) is offered
        assert "AUTH" not in answer, "who brings mail from elsewhere has no account here"
        assert talk.say("MAIL FROM:<>").startswith(mail)
        if offered:
            talk.say("RSET")
            talk.start_tls("STARTTLS")
            assert "STARTTLS" not in talk.say("EHLO x.example")
            assert talk.say("MAIL FROM:<>").startswith("250")

    def test_max_message(self, world: Make) -> None:
        talk = world("smtp", 'max_message = "100KiB"').connect("smtp")
        assert "SIZE 102400\r\n" in talk.say("EHLO x.example")
        assert talk.say("MAIL FROM:<> SIZE=102401").startswith("552")

    def test_max_recipients(self, world: Make) -> None:
        talk = world("smtp", "max_recipients = 2").connect("smtp")
        answers = talk.say("EHLO x.example", "MAIL FROM:<>", *["RCPT TO:<joe@example.test>"] * 3).splitlines()
        assert [answer[:3] for answer in answers[-3:]] == ["250", "250", "452"]

    def test_idle_timeout(self, world: Make) -> None:
        built = world("smtp", 'idle_timeout = "6m"')
        talk = built.connect("smtp")
        talk.say("EHLO x.example")
        built.clock.advance(359)
        assert not talk.wire.disconnecting
        built.clock.advance(1)
        assert "421 4.4.2 " in talk.read()
        assert talk.wire.disconnecting

    @pytest.mark.parametrize("service", ["smtp", "submission"])
    @pytest.mark.parametrize(
        ("section", "closes", "banned"),
        [
            ("", True, True),
            ('on_overlong_command = "ban"', True, True),
            ('on_overlong_command = "close"', True, False),
            ('on_overlong_command = "error"', False, False),
        ],
    )
    def test_what_a_long_command_leads_to(
        self, world: Make, service: str, section: str, closes: bool, banned: bool
    ) -> None:
        built = world(service, section)
        talk = built.connect(service)
        talk.read()
        assert talk.say("x" * 511).startswith("500 5.5.2")
        assert talk.wire.disconnecting is closes
        assert [str(ban.network) for ban in built.premises.bans.list()] == ["192.0.2.1/32"] * banned
        assert (built.connect_or_none(service) is None) is banned

    def test_the_words_of_a_ban(self, world: Make) -> None:
        built = world("smtp")
        built.connect("smtp").say("RSET".ljust(512))
        [line] = [line for line in built.lines if " guard.banned " in line]
        assert "service=smtp listener=smtp port=4000 reason=oversize-command octets=514" in line
        assert f'first="RSET{" " * 28}"' in line

    def test_a_refusal(self, world: Make) -> None:
        built = world("smtp", "max_connections = 1")
        built.connect("smtp")
        assert built.connect("smtp").read().startswith("421 4.3.2 ")


class TestRulesInForce:
    def test_a_session_from_before_a_reload_is_held_to_what_was_decided_since(self, world: Make) -> None:
        before = world("pop3", "", 'tls = "implicit"')
        talk = before.connect("pop3", tls=True)
        before.config = world("pop3", 'apop = "require"').config
        talk.say("USER joe", "PASS secret")
        before.config = world("submission").config  # a listener that is gone says what it said last
        talk.say("USER joe", "PASS secret")
        assert [attempt.rules.apop for attempt in before.logins.attempts] == ["require", "require"]


class TestRequiredTls:
    def test_nobody_logs_in_by_pop3_before_it(self, world: Make) -> None:
        section = 'apop = "offer"\nauth = ["plain", "scram-sha-256", "cram-md5"]'
        talk = world("pop3", section, 'tls = "required-starttls"').connect("pop3")
        assert "SASL" not in talk.say("CAPA")
        for line in ("USER joe", "APOP joe " + "0" * 32, "AUTH CRAM-MD5"):
            assert talk.say(line).startswith("-ERR [SYS/PERM] Nobody logs in here before TLS")
        talk.start_tls("STLS")
        assert "SASL PLAIN SCRAM-SHA-256 CRAM-MD5" in talk.say("CAPA")


class TestSubmission:
    @pytest.mark.parametrize(
        ("section", "offered"),
        [
            ("", "AUTH PLAIN LOGIN SCRAM-SHA-256"),
            ('auth = ["plain"]', "AUTH PLAIN"),
            ('auth = ["login"]', "AUTH LOGIN"),
            ('auth = ["cram-md5", "scram-sha-256-plus"]', "AUTH CRAM-MD5 SCRAM-SHA-256-PLUS"),
        ],
    )
    def test_auth_inside_of_tls_and_nowhere_else(self, world: Make, section: str, offered: str) -> None:
        talk = world("submission", section, 'tls = "required-starttls"').connect("submission")
        assert "AUTH" not in talk.say("EHLO x.example")
        talk.start_tls("STARTTLS")
        lines = [line[4:] for line in talk.say("EHLO x.example").splitlines()]
        assert offered in lines

    @pytest.mark.parametrize("tls", ["starttls", "required-starttls", "off"])
    def test_no_mail_in_clear_and_none_without_a_login(self, world: Make, tls: str) -> None:
        talk = world("submission", "", f'tls = "{tls}"').connect("submission")
        talk.say("EHLO x.example")
        assert talk.say("MAIL FROM:<joe@example.test>").startswith("530")

    def test_none_without_a_login_inside(self, world: Make) -> None:
        talk = world("submission", "", 'tls = "implicit"').connect("submission", tls=True)
        talk.say("EHLO x.example")
        assert talk.say("MAIL FROM:<joe@example.test>").startswith("530 5.7.0")

    @pytest.mark.parametrize(
        ("section", "domain"), [("", "example.test"), ('default_domain = "other.test"', "other.test")]
    )
    def test_who_logs_in(self, world: Make, section: str, domain: str) -> None:
        built = world("submission", section, 'tls = "implicit"')
        talk = built.connect("submission", tls=True)
        claim = base64.b64encode(b"\0joe\0secret").decode()
        assert "535" in talk.say("EHLO x.example", f"AUTH PLAIN {claim}")
        [attempt] = built.logins.attempts
        assert isinstance(attempt, PasswordAttempt)
        assert (attempt.name, attempt.password, attempt.rules.default_domain) == ("joe", b"secret", domain)
        assert attempt.facts.service == "submission"

    def test_who_asks(self, world: Make) -> None:
        built = world("submission", 'alternate_at = "#"', 'tls = "implicit"')
        first = base64.b64encode(ScramClient().first()).decode()
        said = built.connect("submission", tls=True).say("EHLO x.example", f"AUTH SCRAM-SHA-256 {first}")
        assert "\r\n334 " in said
        [(question, rules, facts)] = built.logins.questions
        assert question == ScramQuestion("joe", "sha256")
        assert (rules.alternate_at, facts.service) == ("#", "submission")


class TestListeners:
    def test_a_block_s_own_key_wins_for_this_door_alone(self, world: Make) -> None:
        second = DOOR.format(service="pop3").replace('"pop3"', '"second"', 1) + 'tls = "starttls"\n'
        built = world("pop3", 'banner = "general"', 'tls = "starttls"\nbanner = "own"', second)
        assert built.connect("pop3").read() == "+OK mail.example.test own\r\n"
        assert built.connect("second").read() == "+OK mail.example.test general\r\n"

    def test_disabled(self, world: Make) -> None:
        built = world("pop3", "", 'tls = "starttls"\nenabled = false')
        assert "pop3" not in built.listeners
        assert "pop3" not in places(built.config)

    @pytest.mark.parametrize(
        ("keys", "expected"),
        [
            ('bind = ["*"]\nport = 110', (Place("*", 110),)),
            ('bind = ["::", "0.0.0.0"]\nport = 110', (Place("*", 110),)),
            ('bind = ["127.0.0.1", "::1"]\nport = 110', (Place("127.0.0.1", 110), Place("::1", 110))),
            ('bind = ["127.0.0.1"]\nport = 0', (Place("127.0.0.1", 0, name="pop3"),)),
            ('endpoint = "tcp:110"', (Place("", 0, endpoint="tcp:110"),)),
        ],
    )
    def test_places(self, tmp_path: Path, keys: str, expected: tuple[Place, ...]) -> None:
        text = f'[[listener]]\nname = "pop3"\nservice = "pop3"\ntls = "starttls"\n{keys}\n{DOMAIN}'
        built = World(tmp_path, text)
        assert built.listeners["pop3"].places == places(built.config)["pop3"] == expected

    def test_certificates(self, world: Make) -> None:
        built = world("pop3", "", 'tls = "implicit"')
        own = issue("pop.example.test").save(built.directory, "own")
        [block] = built.config.listeners
        assert pair_of(block) is None
        general = built.listeners["pop3"].implicit_tls
        named = attrs.evolve(block, certificate=own[0], key=own[1])
        built.plan(attrs.evolve(built.config, listeners=(named,)))
        assert built.listeners["pop3"].implicit_tls is built.certificates.tls_for(own) is not general
        built.plan(attrs.evolve(built.config, listeners=(attrs.evolve(block, tls="off"),)))
        assert built.listeners["pop3"].implicit_tls is None

    def test_the_counts_stay_exact_over_reloads(self, world: Make) -> None:
        """A listener's own limits, its service's, and both after a reload that changes them."""
        built = world("pop3", "max_connections = 4", 'tls = "starttls"\nmax_connections = 2')

        def is_refused() -> bool:
            return isinstance(built.connect("pop3").session, Refusal)

        assert [is_refused() for _ in range(3)] == [False, False, True]
        built.plan(built.config)
        assert is_refused(), "those of before count"
        [block] = built.config.listeners
        wider = attrs.evolve(block, settings=attrs.evolve(block.settings, max_connections=10))
        built.plan(attrs.evolve(built.config, listeners=(wider,)))
        assert [is_refused() for _ in range(3)] == [False, False, True], "the service's limit is 4"

    def test_a_trusted_network_is_a_network(self, world: Make) -> None:
        config = world("pop3", 'trusted_networks = ["2001:db8::/32"]').config
        assert config.pop3.trusted_networks == (ip_network("2001:db8::/32"),)
        talk = world("pop3", 'trusted_networks = ["2001:db8::/32"]').connect("pop3")
        assert "USER" not in talk.say("CAPA").split("\r\n")


def test_a_greeting_that_no_client_could_be_given_is_refused_before_the_doors_open(tmp_path: Path) -> None:
    built = World(tmp_path, DOOR.format(service="pop3") + DOMAIN)
    [block] = built.config.listeners
    broken = attrs.evolve(block, settings=attrs.evolve(block.settings, banner="<stamp>"))
    with pytest.raises(ValueError, match="greeting"):
        built.plan(attrs.evolve(built.config, listeners=(broken,)))
