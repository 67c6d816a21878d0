"""Who would be locked out by pop3.apop: told by what people did, not by what they could have done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mailsuite.accounts.what_if import DAY, DAYS
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.login import LoginRecord
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.offices import JOE, NOW, World, login, now, refusal

REQUIRE = ("pop3.apop", "require")
NO_APOP = "no-apop-device"
ANN = Address("ann", "other.test")


@pytest.fixture
def world(tmp_path: Path) -> World:
    """JOE and ANN; the account of the file may not log in by POP3, so it is never told of."""
    world = World(tmp_path)
    world.add_joe()
    now(world.office.registry.add_account(str(ANN), "Ann", None))
    file: Any = world.directory._file
    file._accounts.clear()
    return world


def ask(world: World, *logins: LoginRecord, setting: str = "pop3.apop", value: str = "require") -> Any:
    for one in logins:
        now(world.logins.record(one))
    return now(world.office.what_if.ask(setting, value))


def locked_out(document: Any) -> dict[str, tuple[str, list[tuple[str | None, str, str]]]]:
    return {
        entry["account"]: (
            entry["reason"],
            [(client["device"], client["peer"], client["mechanism"]) for client in entry["clients"]],
        )
        for entry in document["locked_out"]
    }


def not_seen(document: Any) -> list[str]:
    return [entry["account"] for entry in document["not_seen"]]


def test_the_whole_answer(world: World) -> None:
    device, _ = world.add_device("Eudora", mechanisms=["apop"])
    document = ask(world, login(device=device["id"], mechanism="USER", at=NOW - 120))
    assert document == {
        "setting": "pop3.apop",
        "value": "require",
        "days": 30,
        "locked_out": [
            {
                "account": "joe@example.test",
                "apop_devices": ["Eudora"],
                "reason": "apop-not-used",
                "clients": [
                    {
                        "at": NOW - 120,
                        "peer": "192.0.2.9",
                        "service": "pop3",
                        "mechanism": "USER",
                        "device": "Eudora",
                    }
                ],
            }
        ],
        "not_seen": [{"account": "ann@other.test", "apop_devices": [], "another_way": True}],
        "unaffected": 0,
        "notes": [],
    }


@pytest.mark.parametrize("mechanism", ["USER", "PLAIN", "LOGIN"])
def test_whoever_shows_the_password_is_locked_out(world: World, mechanism: str) -> None:
    document = ask(world, login(mechanism=mechanism))
    assert locked_out(document) == {str(JOE): (NO_APOP, [(None, "192.0.2.9", mechanism)])}


@pytest.mark.parametrize(
    "mechanism", ["APOP", "SCRAM-SHA-256", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "CRAM-MD5", "NTLM"]
)
def test_whoever_hides_the_password_is_not(world: World, mechanism: str) -> None:
    document = ask(world, login(mechanism=mechanism))
    assert locked_out(document) == {}
    assert (not_seen(document), document["unaffected"]) == ([str(ANN)], 1)


def test_each_client_is_told_of_alone(world: World) -> None:
    device, _ = world.add_device("Thunderbird")
    document = ask(
        world,
        login(peer="192.0.2.1", at=NOW - 30),
        login(peer="192.0.2.2", mechanism="SCRAM-SHA-256", at=NOW - 20),
        login(device=device["id"], peer="192.0.2.3", mechanism="PLAIN", at=NOW - 10),
    )
    clients = [("Thunderbird", "192.0.2.3", "PLAIN"), (None, "192.0.2.1", "USER")]
    assert locked_out(document) == {str(JOE): (NO_APOP, clients)}


def test_a_client_that_has_changed_its_way_counts_by_the_newest(world: World) -> None:
    document = ask(
        world, login(mechanism="USER", at=NOW - 86400), login(mechanism="SCRAM-SHA-256", at=NOW - 60)
    )
    assert locked_out(document) == {}
    again = ask(world, login(mechanism="USER", at=NOW - 30))
    assert list(locked_out(again)) == [str(JOE)]


def test_a_program_beside_one_that_uses_apop_is_told_of_as_such(world: World) -> None:
    device, _ = world.add_device("Eudora", mechanisms=["apop"])
    document = ask(
        world,
        login(device=device["id"], mechanism="APOP", at=NOW - 10),
        login(peer="192.0.2.7", at=NOW - 20),
    )
    assert locked_out(document) == {str(JOE): ("shows-password", [(None, "192.0.2.7", "USER")])}
    another = ask(world, login(mechanism="SCRAM-SHA-256", at=NOW - 5), login(peer="192.0.2.7", at=NOW - 1))
    assert locked_out(another)[str(JOE)][0] == "shows-password"


@pytest.mark.parametrize("mechanism", ["APOP", "SCRAM-SHA-256", "CRAM-MD5"])
def test_a_program_that_has_another_password_now_does_not_stay_on_the_list(
    world: World, mechanism: str
) -> None:
    device, _ = world.add_device("Eudora", mechanisms=["apop", "cram-md5"])
    old = login(at=NOW - DAY - 60)
    document = ask(world, old, login(device=device["id"], mechanism=mechanism, at=NOW - 60))
    assert (locked_out(document), document["unaffected"]) == ({}, 1)
    assert document["notes"] == [
        "joe@example.test came from 192.0.2.9 by USER with its own password last on 2026-11-17, and by other "
        "ways since: taken for a program that was changed"
    ]


@pytest.mark.parametrize(
    ("peer", "later"), [("192.0.2.9", DAY - 1), ("192.0.2.9", -DAY), ("192.0.2.10", 2 * DAY)]
)
def test_another_program_does_not_take_one_off_the_list(world: World, peer: str, later: float) -> None:
    """One that came within a day may come again, and so may one from somewhere else."""
    device, _ = world.add_device("Eudora", mechanisms=["apop"])
    at = NOW - 3 * DAY
    document = ask(
        world, login(at=at), login(device=device["id"], mechanism="APOP", peer=peer, at=at + later)
    )
    assert list(locked_out(document)) == [str(JOE)]
    assert document["notes"] == []


def test_a_device_that_was_replaced_is_named(world: World) -> None:
    old, _ = world.add_device("Old Mac")
    document = ask(
        world,
        login(device=old["id"], mechanism="PLAIN", at=NOW - 3 * DAY),
        login(mechanism="SCRAM-SHA-256", at=NOW - 60),
    )
    assert 'by PLAIN with "Old Mac" last on' in document["notes"][0]


def test_submission_is_not_pop3(world: World) -> None:
    document = ask(world, login(mechanism="PLAIN", service="submission"))
    assert (locked_out(document), not_seen(document)) == ({}, [str(JOE), str(ANN)])


def test_who_was_not_seen_for_long_is_listed_apart(world: World) -> None:
    document = ask(world, login(at=NOW - DAYS * DAY - 1), login(ANN, at=NOW - DAYS * DAY + 1))
    assert (list(locked_out(document)), not_seen(document)) == ([str(ANN)], [str(JOE)])


@pytest.mark.parametrize("fields", [{"state": "off"}, {"pop3": "deny"}])
def test_who_may_not_log_in_anyway_is_not_told_of(world: World, fields: dict[str, object]) -> None:
    now(world.office.registry.change_account(str(JOE), fields))
    document = ask(world, login())
    assert (locked_out(document), not_seen(document), document["unaffected"]) == ({}, [str(ANN)], 0)


@pytest.mark.parametrize(
    ("fields", "able"),
    [
        ({"mechanisms": ["apop"]}, ["Eudora"]),
        ({"mechanisms": ["apop"], "expires": "2026-11-19"}, []),
        ({"mechanisms": ["cram-md5"]}, []),
        ({}, []),
    ],
)
def test_only_a_device_that_can_do_apop_then_is_able(
    world: World, fields: dict[str, object], able: list[str]
) -> None:
    world.add_device("Eudora", **fields)
    world.clock += 2 * DAY
    entries = ask(world)["not_seen"]
    assert entries[0] == {"account": str(JOE), "apop_devices": able, "another_way": True}


def test_a_domain_that_decides_itself_is_not_concerned(world: World) -> None:
    world.settings = '[[domain]]\nname = "example.test"\napop = "offer"\n'
    document = ask(world, login(), login(ANN))
    assert list(locked_out(document)) == [str(ANN)]
    assert document["unaffected"] == 1
    assert document["notes"] == ['domain example.test has apop = "offer": its accounts are not concerned']


def test_a_domain_that_says_the_same_is(world: World) -> None:
    world.settings = (
        '[[listener]]\nname = "pop3s"\nservice = "pop3"\nport = 995\napop = "offer"\n'
        '[[domain]]\nname = "example.test"\napop = "require"\n'
    )
    document = ask(world, login(), login(ANN))
    assert list(locked_out(document)) == [str(JOE)]
    assert document["notes"] == []


def test_a_listener_that_says_otherwise_is_noted(world: World) -> None:
    world.settings = (
        '[[listener]]\nname = "new"\nservice = "pop3"\nport = 995\n'
        '[[listener]]\nname = "old"\nservice = "pop3"\nport = 110\napop = "offer"\n'
        '[[listener]]\nname = "shut"\nservice = "pop3"\nport = 2110\napop = "off"\nenabled = false\n'
    )
    document = ask(world, login())
    assert list(locked_out(document)) == [str(JOE)], "nobody knows at which listener it was"
    assert document["notes"] == ['listener old has apop = "offer": who connects there is not concerned']


def test_a_setting_that_would_hold_nowhere_locks_nobody_out(world: World) -> None:
    world.settings = '[[listener]]\nname = "old"\nservice = "pop3"\nport = 110\napop = "offer"\n'
    document = ask(world, login())
    assert (locked_out(document), not_seen(document), document["unaffected"]) == ({}, [], 2)
    assert 'pop3.apop = "require" would hold nowhere' in document["notes"][-1]


def test_without_apop_its_users_are_locked_out(world: World) -> None:
    device, _ = world.add_device("Eudora", mechanisms=["apop"])
    document = ask(world, login(device=device["id"], mechanism="APOP"), login(ANN), value="off")
    assert locked_out(document) == {str(JOE): ("uses-apop", [("Eudora", "192.0.2.9", "APOP")])}
    assert (not_seen(document), document["unaffected"]) == ([], 1)


def test_without_apop_who_could_have_used_it_is_listed_apart(world: World) -> None:
    world.add_device("Eudora", mechanisms=["apop"])
    document = ask(world, value="off")
    assert (not_seen(document), document["unaffected"]) == ([str(JOE)], 1)


def test_to_offer_apop_locks_nobody_out(world: World) -> None:
    document = ask(world, login(), login(ANN, mechanism="APOP"), value="offer")
    assert (locked_out(document), not_seen(document), document["unaffected"]) == ({}, [], 2)


def test_what_cannot_be_asked(world: World) -> None:
    what_if = world.office.what_if
    words = "no what-if for 'pop3.auth' yet; there is: pop3.apop"
    assert refusal(what_if.ask("pop3.auth", "plain")) == ("bad-request", words)
    kind, text = refusal(what_if.ask("pop3.apop", "maybe"))
    assert (kind, text.startswith("pop3.apop: ")) == ("bad-request", True)
    world.settings = "x = 1\n"
    kind, text = refusal(what_if.ask(*REQUIRE))
    assert (kind, "unknown setting 'x'" in text) == ("bad-request", True)


def test_a_store_that_is_away_is_unavailable(world: World) -> None:
    world.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    assert refusal(world.office.what_if.ask(*REQUIRE))[0] == "unavailable"


NO_SCRAM = '[pop3]\nauth = ["plain"]\n'


def without_keys(world: World) -> None:
    """As an account whose hash was imported, or that sources are asked about: there is nothing for SCRAM."""
    for account in (JOE, ANN):
        now(world.directory.keep_verifiers(account, b""))


@pytest.mark.parametrize(
    ("settings", "device", "left"),
    [
        ("", None, False),
        ("", {}, True),
        ("", {"scopes": ["submission"]}, False),
        ("", {"expires": "2026-11-19"}, False),
        (NO_SCRAM, {}, False),
        (NO_SCRAM, {"mechanisms": ["apop"]}, True),
        ('[[domain]]\nname = "other.test"\napop = "off"\n', None, False),
        ('[[listener]]\nname = "p"\nservice = "pop3"\nport = 995\napop = "offer"\n', None, True),
        (
            '[[listener]]\nname = "p"\nservice = "pop3"\nport = 995\napop = "offer"\n'
            '[[domain]]\nname = "example.test"\napop = "require"\n',
            None,
            False,
        ),
    ],
)
def test_whether_another_way_is_left(
    world: World, settings: str, device: dict[str, object] | None, left: bool
) -> None:
    if "[[listener]]" in settings:
        settings += '[[listener]]\nname = "q"\nservice = "pop3"\nport = 110\n'
    world.settings = settings
    without_keys(world)
    if device is not None:
        world.add_device("Eudora", **device)
        world.clock += 2 * DAY
    entry = ask(world)["not_seen"][0]
    assert (entry["account"], entry["another_way"]) == (str(JOE), left)


def test_a_key_for_scram_is_another_way_where_scram_is_offered(world: World) -> None:
    assert [entry["another_way"] for entry in ask(world)["not_seen"]] == [True, True]
    world.settings = NO_SCRAM
    assert [entry["another_way"] for entry in ask(world)["not_seen"]] == [False, False]


def test_without_apop_a_password_is_a_way(world: World) -> None:
    world.add_device("Eudora", mechanisms=["apop"])
    without_keys(world)
    [entry] = ask(world, value="off")["not_seen"]
    assert entry["another_way"]
