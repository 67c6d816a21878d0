"""Which rule would decide about a login: in words, for those who look after accounts."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailsuite.accounts.attempt import LoginRules
from mailsuite.accounts.offers import offers, rules_of
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.retention import DAY, Retention
from tests.accounts.offices import FILED, JOE, World, now, refusal

POP3 = '[[listener]]\nname = "pop3s"\nservice = "pop3"\nport = 995\n'
SUBMISSION = '[[listener]]\nname = "submission"\nservice = "submission"\nport = 465\n'
APOP = '[pop3]\napop = "offer"\n'
REQUIRED = '[pop3]\napop = "require"\n[[domain]]\nname = "x.test"\n'
ALL = f'{POP3}{SUBMISSION}[pop3]\napop = "offer"\nauth = ["plain", "scram-sha-256", "cram-md5", "ntlm"]\n'
CANARY = "canary-of-the-rehearsal"


@pytest.fixture
def world(tmp_path: Path) -> World:
    world = World(tmp_path, ALL)
    world.add_joe(CANARY)
    return world


def judge(world: World, password: str, mechanism: str = "", service: str = "pop3", peer: str = "") -> Any:
    verdict = now(world.office.rehearsal.judge(str(JOE), password, service, mechanism, peer))
    assert password not in str(verdict)
    return verdict


def test_the_whole_answer(world: World) -> None:
    assert judge(world, CANARY) == {
        "accepted": True,
        "rule": "accepted",
        "text": "USER with the account's own password, under TLS, at pop3s",
        "cure": None,
        "device": None,
        "box": "",
    }


@pytest.mark.parametrize(
    ("service", "mechanism", "words"),
    [
        ("pop3", "", "USER with the account's own password, under TLS"),
        ("pop3", "plain", "PLAIN with the account's own password, under TLS"),
        ("pop3", "scram-sha-256", "SCRAM-SHA-256 with the account's own password, at"),
        ("submission", "", "PLAIN with the account's own password, under TLS, at submission"),
        ("submission", "LOGIN", "LOGIN with"),
    ],
)
def test_the_own_password_is_accepted(world: World, service: str, mechanism: str, words: str) -> None:
    verdict = judge(world, CANARY, mechanism, service)
    assert verdict["accepted"]
    assert verdict["text"].startswith(words)


@pytest.mark.parametrize("mechanism", ["", "APOP", "PLAIN", "SCRAM-SHA-256", "CRAM-MD5", "NTLM"])
def test_a_device_can_do_what_it_was_made_for(world: World, mechanism: str) -> None:
    _, password = world.add_device("Eudora", mechanisms=["apop", "cram-md5", "ntlm"])
    verdict = judge(world, password, mechanism)
    assert (verdict["accepted"], verdict["device"]) == (True, "Eudora")
    assert 'with the device password "Eudora"' in verdict["text"]


@pytest.mark.parametrize("mechanism", ["APOP", "CRAM-MD5", "NTLM"])
@pytest.mark.parametrize("password", [CANARY, "any other"])
def test_what_needs_a_device_says_so(world: World, mechanism: str, password: str) -> None:
    option = mechanism.lower()
    world.add_device("Thunderbird")
    assert judge(world, password, mechanism) == {
        "accepted": False,
        "rule": "mechanism-impossible",
        "text": f"this account has a password hash only, and {mechanism} needs a device password made with "
        f"--{option}",
        "cure": f"mailsuite device add joe@example.test NAME --{option}",
        "device": None,
        "box": "",
    }


def test_a_device_of_another_kind_is_named(world: World) -> None:
    _, password = world.add_device("Thunderbird")
    verdict = judge(world, password, "APOP")
    assert (verdict["rule"], verdict["device"]) == ("mechanism-impossible", "Thunderbird")
    assert verdict["text"].startswith('the device "Thunderbird" cannot, and APOP needs')


@pytest.mark.parametrize("mechanism", ["", "SCRAM-SHA-256", "APOP"])
def test_a_wrong_password_is_a_wrong_password(world: World, mechanism: str) -> None:
    world.add_device("Eudora", mechanisms=["apop"])
    assert judge(world, "something else", mechanism)["rule"] == "wrong-password"


def test_an_account_without_a_password(world: World) -> None:
    rehearsal = world.office.rehearsal
    assert now(rehearsal.judge(str(FILED), "any"))["rule"] == "wrong-password"
    assert "no password of its own" in now(rehearsal.judge(str(FILED), "any", "pop3", "APOP"))["text"]


@pytest.mark.parametrize("mechanism", ["", "SCRAM-SHA-256", "APOP", "NTLM"])
def test_a_name_may_say_which_box(world: World, mechanism: str) -> None:
    _, password = world.add_device("Eudora", mechanisms=["apop", "ntlm"])
    for name, box, words in (
        ("joe@example.test", "", "at pop3s"),
        ("JOE+trash@example.test", "trash", "; it opens what was deleted"),
        ("joe+trash+restore@example.test", "trash+restore", "and brings back what is retrieved"),
    ):
        verdict = now(world.office.rehearsal.judge(name, password, "pop3", mechanism))
        assert (verdict["accepted"], verdict["box"]) == (True, box)
        assert verdict["text"].endswith(words)
        assert now(world.office.rehearsal.judge(name, "wrong", "pop3", mechanism))["box"] == box


def test_a_box_is_of_pop3_alone(world: World) -> None:
    verdict = now(world.office.rehearsal.judge("joe+trash@example.test", CANARY, "submission"))
    assert (verdict["accepted"], verdict["rule"], verdict["box"]) == (False, "unknown-account", "")
    assert verdict["text"] == "there is no account joe+trash@example.test"


def test_an_unknown_account_is_told(world: World) -> None:
    verdict = now(world.office.rehearsal.judge("nobody@example.test", "any"))
    assert (verdict["accepted"], verdict["rule"]) == (False, "unknown-account")


def test_verifiers_that_are_not_there_yet(world: World) -> None:
    now(world.directory.keep_verifiers(JOE, b""))
    verdict = judge(world, CANARY, "SCRAM-SHA-256")
    assert (verdict["accepted"], verdict["rule"]) == (False, "no-verifiers")


def test_secrets_that_no_key_opens_leave_it_open_whether_it_is_right(world: World) -> None:
    _, password = world.add_device("Eudora", mechanisms=["apop"])
    [device] = now(world.directory.devices(JOE))
    now(world.directory.change_device(JOE, attrs.evolve(device, sealed=device.sealed[:-1] + b"x")))
    now(world.directory.keep_verifiers(JOE, b"broken"))
    for mechanism in ("", "APOP", "SCRAM-SHA-256"):
        verdict = judge(world, password, mechanism)
        assert verdict["rule"] == "seal-broken"
    assert "SCRAM proves the account's own password" in verdict["text"]
    assert 'the device "Eudora" does not open' in judge(world, password)["text"]
    assert judge(world, CANARY, "SCRAM-SHA-256")["rule"] == "seal-broken"
    assert judge(world, CANARY)["accepted"], "it proves itself without them"
    assert judge(world, CANARY, "CRAM-MD5")["rule"] == "mechanism-impossible", "Eudora has none"


@pytest.mark.parametrize(
    ("fields", "service", "rule", "cure"),
    [
        ({"state": "off"}, "pop3", "account-off", "mailsuite account enable joe@example.test"),
        ({"state": "off"}, "submission", "account-off", "mailsuite account enable joe@example.test"),
        ({"pop3": "deny"}, "pop3", "pop3-denied", "mailsuite account change joe@example.test --pop3 allow"),
        ({"pop3": "deny"}, "submission", "accepted", None),
    ],
)
def test_the_state_of_the_account_decides(
    world: World, fields: dict[str, object], service: str, rule: str, cure: str | None
) -> None:
    now(world.office.registry.change_account(str(JOE), fields))
    verdict = judge(world, CANARY, service=service)
    assert (verdict["rule"], verdict["cure"]) == (rule, cure)


def test_the_limits_of_a_device_decide(world: World) -> None:
    _, narrow = world.add_device("narrow", scopes=["submission"], networks=["198.51.100.0/24"])
    verdict = judge(world, narrow)
    assert (verdict["rule"], verdict["device"]) == ("device-scope", "narrow")
    assert verdict["text"] == 'the password is that of the device "narrow", which is not for pop3'
    assert judge(world, narrow, service="submission", peer="192.0.2.7")["rule"] == "device-network"
    assert judge(world, narrow, service="submission", peer="198.51.100.7")["accepted"]
    unnamed = judge(world, narrow, service="submission")
    assert (unnamed["accepted"], "from 198.51.100.0/24" in unnamed["text"]) == (True, True)
    _, brief = world.add_device("brief", expires="2026-11-19")
    world.clock += 86400
    assert judge(world, brief)["rule"] == "device-expired"


def test_apop_that_is_required_leaves_no_room(world: World) -> None:
    world.settings = f'{POP3}[pop3]\napop = "require"\n'
    verdict = judge(world, CANARY)
    assert (verdict["rule"], "(setting pop3.apop)" in verdict["text"]) == ("not-offered", True)
    assert judge(world, CANARY, "PLAIN")["rule"] == "not-offered"
    assert judge(world, CANARY, "SCRAM-SHA-256")["accepted"]


def test_apop_that_a_domain_requires_decides_too(world: World) -> None:
    world.settings = f'{POP3}[[domain]]\nname = "example.test"\napop = "require"\n'
    _, password = world.add_device("Eudora", mechanisms=["apop"])
    assert judge(world, CANARY)["rule"] == "apop-required"
    assert judge(world, password, "APOP")["accepted"]


def test_apop_that_a_domain_forbids(world: World) -> None:
    world.settings = f'{POP3}{APOP}[[domain]]\nname = "example.test"\napop = "off"\n'
    _, password = world.add_device("Eudora", mechanisms=["apop"])
    assert judge(world, password, "APOP")["rule"] == "apop-off"


def test_what_is_not_offered_is_not_accepted(world: World) -> None:
    world.settings = POP3
    verdict = judge(world, CANARY, "NTLM")
    assert verdict["rule"] == "not-offered"
    assert verdict["text"] == (
        "no listener of pop3 offers NTLM (setting pop3.auth); there is: PLAIN, SCRAM-SHA-256, USER"
    )
    world.settings = SUBMISSION
    assert judge(world, CANARY)["text"] == "no listener of pop3 is open"


def test_a_listener_where_it_is_possible_is_enough(world: World) -> None:
    world.settings = f'{POP3}apop = "require"\n[[listener]]\nname = "old"\nservice = "pop3"\nport = 110\n'
    assert judge(world, CANARY)["text"].endswith("at old")


@pytest.mark.parametrize(
    ("service", "mechanism", "peer", "words"),
    [
        ("smtp", "", "", "service: 'smtp' cannot be logged in to"),
        ("pop3", "GSSAPI", "", "mechanism: 'GSSAPI' is none of pop3"),
        ("submission", "APOP", "", "mechanism: 'APOP' is none of submission"),
        ("pop3", "", "here", "peer: 'here' is no IP address"),
    ],
)
def test_a_bad_question_is_refused(world: World, service: str, mechanism: str, peer: str, words: str) -> None:
    kind, text = refusal(world.office.rehearsal.judge(str(JOE), CANARY, service, mechanism, peer))
    assert (kind, text.startswith(words)) == ("bad-request", True)


@attrs.frozen
class Elsewhere:
    """An outside source."""

    right: str
    away: bool = False

    def serves(self, address: object) -> bool:
        return address == FILED

    async def check(self, address: object, password: str) -> bool:
        if self.away:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE)
        return password == self.right


def test_a_password_that_is_kept_elsewhere(world: World) -> None:
    sources: Any = Elsewhere(CANARY)
    rehearsal = attrs.evolve(world.office.rehearsal, sources=sources)
    accepted = now(rehearsal.judge(str(FILED), CANARY))
    assert accepted["text"].startswith("USER with the password that an outside source knows")
    assert now(rehearsal.judge(str(FILED), "wrong"))["rule"] == "wrong-password"
    verdict = now(rehearsal.judge(str(FILED), CANARY, "pop3", "SCRAM-SHA-256"))
    assert (verdict["rule"], "kept here" in verdict["text"]) == ("mechanism-impossible", True)
    sources = Elsewhere(CANARY, away=True)
    away = attrs.evolve(world.office.rehearsal, sources=sources)
    assert refusal(away.judge(str(FILED), CANARY))[0] == "unavailable"
    assert now(away.judge(str(JOE), CANARY))["accepted"]


def test_it_is_bounded_as_a_login_is(world: World) -> None:
    class Busy:
        async def verify(self, *arguments: object) -> bool:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE)

    busy: Any = Busy()
    rehearsal = attrs.evolve(world.office.rehearsal, passwords=busy)
    assert refusal(rehearsal.judge(str(JOE), CANARY))[0] == "unavailable"


def test_it_counts_as_no_login(world: World) -> None:
    judge(world, CANARY)
    judge(world, "another one")
    assert now(world.logins.since(0.0)) == ()


@pytest.mark.parametrize(
    ("settings", "service", "offered"),
    [
        ("", "pop3", {"USER", "PLAIN", "SCRAM-SHA-256"}),
        ('[pop3]\napop = "offer"\n', "pop3", {"USER", "APOP", "PLAIN", "SCRAM-SHA-256"}),
        ('[pop3]\napop = "require"\n', "pop3", {"APOP", "SCRAM-SHA-256"}),
        (f'{REQUIRED}apop = "require"\n', "pop3", {"APOP", "SCRAM-SHA-256"}),
        (f'{REQUIRED}apop = "offer"\n', "pop3", {"USER", "APOP", "PLAIN", "SCRAM-SHA-256"}),
        (f'{REQUIRED}apop = "off"\n', "pop3", {"USER", "APOP", "PLAIN", "SCRAM-SHA-256"}),
        (f"{REQUIRED}", "pop3", {"APOP", "SCRAM-SHA-256"}),
        ('[[domain]]\nname = "x.test"\napop = "offer"\n', "pop3", {"USER", "APOP", "PLAIN", "SCRAM-SHA-256"}),
        ('[[domain]]\nname = "x.test"\napop = "off"\n', "pop3", {"USER", "PLAIN", "SCRAM-SHA-256"}),
        ("[pop3]\nauth = []\n", "pop3", {"USER"}),
        ("", "submission", {"PLAIN", "LOGIN", "SCRAM-SHA-256"}),
        ("", "smtp", set()),
    ],
)
def test_what_is_offered(world: World, settings: str, service: str, offered: set[str]) -> None:
    mx = '[[listener]]\nname = "smtp"\nservice = "smtp"\nport = 25\n'
    world.settings = POP3 + SUBMISSION + mx + settings
    [offer] = offers(world.load().accepted(), service)
    assert offer.mechanisms == offered


def test_what_is_offered_without_tls(world: World) -> None:
    clear = '[[listener]]\nname = "clear"\nservice = "pop3"\nport = 110\ntls = "off"\n'
    auth = 'auth = ["plain", "scram-sha-256", "scram-sha-256-plus"]\n'
    trusted = f'[pop3]\ntrusted_networks = ["192.0.2.0/24"]\n{auth}'
    world.settings = clear + trusted
    [offer] = offers(world.load().accepted(), "pop3")
    assert offer.mechanisms == {"USER", "PLAIN", "SCRAM-SHA-256"}
    assert offer.allows("PLAIN", ip_address("192.0.2.1"))
    assert not offer.allows("PLAIN", ip_address("198.51.100.1"))
    assert offer.allows("SCRAM-SHA-256", ip_address("198.51.100.1"))
    world.settings = f"{clear}[pop3]\n{auth}"
    [offer] = offers(world.load().accepted(), "pop3")
    assert offer.mechanisms == {"SCRAM-SHA-256"}


CLEAR = '[[listener]]\nname = "clear"\nservice = "pop3"\nport = 110\ntls = "off"\n'
TRUSTING = f'{CLEAR}trusted_networks = ["192.0.2.0/24"]\n'


@pytest.mark.parametrize(
    ("settings", "mechanism", "peer", "text"),
    [
        (CLEAR, "", "", "(clear has no TLS); there is: SCRAM-SHA-256"),
        (CLEAR, "PLAIN", "127.0.0.1", "(clear has no TLS)"),
        (f'{TRUSTING}auth = ["plain"]\n', "", "198.51.100.1", "trusted_networks); there is: nothing"),
        (TRUSTING, "", "198.51.100.1", "(clear has no TLS, and 198.51.100.1 is not in its trusted_networks)"),
        (TRUSTING, "LOGIN", "192.0.2.1", "(setting pop3.auth)"),
        (f'{TRUSTING}apop = "require"\n', "PLAIN", "192.0.2.1", "(setting pop3.apop); there is: APOP, SCRAM"),
        (f'{POP3}auth = ["cram-md5"]\n{CLEAR}', "PLAIN", "", "(setting pop3.auth; clear has no TLS)"),
    ],
)
def test_why_a_mechanism_is_not_offered(
    world: World, settings: str, mechanism: str, peer: str, text: str
) -> None:
    world.settings = settings
    verdict = judge(world, CANARY, mechanism, peer=peer)
    assert verdict["rule"] == "not-offered"
    assert text in verdict["text"]


@pytest.mark.parametrize(
    ("settings", "mechanism", "peer", "text"),
    [
        (TRUSTING, "", "192.0.2.1", ", without TLS, at clear"),
        (TRUSTING, "PLAIN", "", ", without TLS from 192.0.2.0/24, at clear"),
        (TRUSTING, "SCRAM-SHA-256", "", "own password, at clear"),
        (POP3 + TRUSTING, "", "", ", under TLS, at pop3s; or, without TLS from 192.0.2.0/24, at clear"),
        (POP3 + TRUSTING, "", "198.51.100.1", ", under TLS, at pop3s"),
    ],
)
def test_where_it_is_offered(world: World, settings: str, mechanism: str, peer: str, text: str) -> None:
    world.settings = settings
    verdict = judge(world, CANARY, mechanism, peer=peer)
    assert verdict["accepted"]
    assert verdict["text"].endswith(text)


def test_the_networks_of_a_device_and_of_a_listener_must_meet(world: World) -> None:
    world.settings = TRUSTING
    _, inside = world.add_device("inside", networks=["192.0.2.128/25"])
    _, around = world.add_device("around", networks=["198.51.100.0/24", "192.0.0.0/16"])
    _, outside = world.add_device("outside", networks=["198.51.100.0/24"])
    for password in (inside, around):
        assert judge(world, password)["accepted"]
    assert judge(world, outside)["rule"] == "device-network"
    assert judge(world, outside, "SCRAM-SHA-256")["accepted"]


@pytest.mark.parametrize("mechanism", ["", "PLAIN"])
def test_submission_without_tls_takes_no_password(world: World, mechanism: str) -> None:
    world.settings = f'{SUBMISSION}tls = "off"\n'
    verdict = judge(world, CANARY, mechanism, "submission")
    assert "(submission has no TLS); there is: SCRAM-SHA-256" in verdict["text"]
    assert judge(world, CANARY, "SCRAM-SHA-256", "submission")["accepted"]


def test_a_listener_s_rules(world: World) -> None:
    domains = (
        '[[domain]]\nname = "x.test"\napop = "off"\nlogin_delay = "5m"\n'
        '[[domain]]\nname = "y.test"\ndelete_after = "retrieval"\n'
    )
    world.settings = (
        POP3 + f'default_domain = "y.test"\n{SUBMISSION}[pop3]\nalternate_at = "%"\napop = "offer"\n'
        'login_delay = "1m"\ndelete_after = "30d"\ntakeover = true\nmax_connections_per_account = 3\n'
        f'[submission]\nalternate_at = "#"\n{domains}'
    )
    config = world.load().accepted()
    [pop3] = offers(config, "pop3")
    assert pop3.rules == LoginRules(
        "y.test",
        "%",
        "offer",
        {"x.test": "off"},
        login_delay=60.0,
        domain_login_delay={"x.test": 300.0},
        retention=Retention(30 * DAY),
        domain_retention={"y.test": Retention(0.0)},
        max_sessions=3,
        takeover=True,
    )
    [submission] = offers(config, "submission")
    assert submission.rules == LoginRules("x.test", "#")
    assert rules_of(config.smtp, config.domains) == LoginRules()
