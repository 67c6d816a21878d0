"""The registry over a memory directory: plain values, clear errors, no password anywhere."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import attrs
import pytest
from argon2 import PasswordHasher
from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from mailsuite.accounts.import_file import ImportedAccount
from mailsuite.accounts.importing import Importer
from mailsuite.accounts.passwords import PasswordRefused
from mailsuite.accounts.registry import Registry, RegistryError
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import MAX_FORWARDS, Account, AccountState, NotifyPreference, NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.retention import DAY, Retention
from tests.accounts.offices import JOE, PEER, World, login, refusal
from tests.accounts.offices import now as run
from tests.concurrent.held import HeldThreads

CANARY = "canary-of-the-registry-1"
IMPORTED = "$1$Zq8mT1xw$uTujqmAbkQkDo7d2eJbVq0"
AWAY = TemporaryFailure(DIRECTORY_UNAVAILABLE)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def database(world: World) -> MemoryDirectory:
    return world.database


@pytest.fixture
def sightings(world: World) -> MemorySightings:
    return world.sightings


@pytest.fixture
def registry(world: World) -> Registry:
    return world.office.registry


def is_of(stored_hash: str, password: str) -> bool:
    return PasswordHasher().verify(stored_hash, password)


def test_add_account_answers_the_account_as_it_stands(registry: Registry, database: MemoryDirectory) -> None:
    account, generated = run(
        registry.add_account("Joe@Example.TEST", "Joe Doe", CANARY, {"state": "last-ip"})
    )
    assert account == {
        "address": "joe@example.test",
        "name": "Joe Doe",
        "origin": "database",
        "password": True,
        "state": "enabled",
        "forward": None,
        "keep_copy": False,
        "pop3": "allow",
        "delete_after": None,
        "delete_unread_after": None,
        "quota": {"octets": None, "messages": None},
        "max_message": None,
        "block_senders": [],
        "accept_senders": [],
        "language": None,
        "notifymail": {"state": "last-ip", "address": None, "port": 79},
    }
    assert generated is None
    assert run(registry.account("JOE@example.test")) == account
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert is_of(stored.password_hash, CANARY)


def test_a_password_is_generated_where_none_is_given(registry: Registry, database: MemoryDirectory) -> None:
    _, generated = run(registry.add_account("joe@example.test", "", None))
    assert generated is not None
    assert len(generated) >= 8
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert is_of(stored.password_hash, generated)
    _, another = run(registry.set_password("joe@example.test", None))
    assert another not in {None, generated}


def test_set_password_keeps_the_rest(registry: Registry, database: MemoryDirectory) -> None:
    before, _ = run(registry.add_account("joe@example.test", "Joe", None, {"state": "off", "port": 7979}))
    after, generated = run(registry.set_password("Joe@example.test", CANARY))
    assert (after, generated) == (before, None)
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert is_of(stored.password_hash, CANARY)
    assert stored.notify == NotifyPreference(NotifyState.OFF, None, 7979)


def test_values_are_plain_json(registry: Registry) -> None:
    run(
        registry.add_account("joe@example.test", "Jöe", CANARY, {"state": "static", "address": "2001:DB8::7"})
    )
    document = [run(registry.accounts()), run(registry.domains())]
    assert json.loads(json.dumps(document)) == document
    assert CANARY not in json.dumps(document)
    assert [account["address"] for account in document[0]] == ["joe@example.test", "filed@file.test"]
    assert document[0][0]["notifymail"]["address"] == "2001:db8::7"
    assert [(account["origin"], account["password"]) for account in document[0]] == [
        ("database", True),
        ("file", False),
    ]


def test_domains_count_their_accounts(registry: Registry) -> None:
    run(registry.add_account("joe@example.test", "", None))
    run(registry.add_account("ann@example.test", "", None))
    nothing = {"octets": None, "messages": None}
    lists: dict[str, object] = {"max_message": None, "block_senders": [], "accept_senders": []}
    lists |= {"language": None, "notify": "allow", "notify_max_level": None}
    unsaid = {"quota": nothing, "total_quota": nothing, **lists}
    assert run(registry.add_domain("Grün.TEST")) == {
        "name": "xn--grn-ioa.test",
        "origin": "database",
        "accounts": 0,
        **unsaid,
    }
    assert run(registry.domains()) == [
        {"name": "empty.test", "origin": "file", "accounts": 0, **unsaid},
        {"name": "example.test", "origin": "database", "accounts": 2, **unsaid},
        {"name": "file.test", "origin": "file", "accounts": 1, **unsaid},
        {"name": "xn--grn-ioa.test", "origin": "database", "accounts": 0, **unsaid},
    ]


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("joe", "there is no @"),
        ("", "there is no @"),
        ("@example.test", "before the @"),
        ("joe@", "the domain is empty"),
        (".joe@example.test", "before the @"),
        ("joe.@example.test", "before the @"),
        ("j..oe@example.test", "before the @"),
        ("../joe@example.test", "before the @"),
        ("a/b@example.test", "before the @"),
        ("joe doe@example.test", "before the @"),
        ("joe\n@example.test", "before the @"),
        ("jöe@example.test", "letters and digits"),
        ("-joe@example.test", "letters and digits"),
        ("joe+@example.test", "letters and digits"),
        ("o'neil@example.test", "letters and digits"),
        ("joe@[192.0.2.1]", "address literal"),
        ("joe@exa_mple.test", "no host name"),
        ("x" * 65 + "@example.test", "longer than 64 octets"),
        ("x" * 400 + "@example.test", "longer than 320 octets"),
    ],
)
def test_a_bad_address_is_refused_with_the_reason(registry: Registry, address: str, reason: str) -> None:
    kind, text = refusal(registry.add_account(address, "", CANARY))
    assert kind == "bad-request"
    assert reason in text
    assert text.isprintable()
    assert run(registry.accounts()) == [run(registry.account("filed@file.test"))]


@pytest.mark.parametrize("local", ["j", "joe.doe", "joe_doe", "joe-doe", "joe+tag", "4711", "j-_.x"])
def test_a_good_name_is_taken(registry: Registry, local: str) -> None:
    account, _ = run(registry.add_account(f"{local}@example.test", "", CANARY))
    assert account["address"] == f"{local}@example.test"


@pytest.mark.parametrize(
    ("name", "reason"), [("x" * 201, "longer than 200"), ("Joe\x1b[31m", "control"), ("Joe\nDoe", "control")]
)
def test_a_bad_name_is_refused(registry: Registry, name: str, reason: str) -> None:
    for attempt in (
        registry.add_account("joe@example.test", name, CANARY),
        registry.change_account("filed@file.test", {"name": name}),
    ):
        kind, text = refusal(attempt)
        assert (kind, reason in text) == ("bad-request", True)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "always"}, "notifymail.state"),
        ({"state": 1}, "notifymail.state"),
        ({"address": "nowhere"}, "notifymail.address"),
        ({"address": "224.0.0.1"}, "notifymail.address"),
        ({"port": 0}, "notifymail.port"),
        ({"port": "79"}, "notifymail.port"),
        ({"port": None}, "notifymail.port"),
        ({"prot": 79}, "'prot'"),
    ],
)
def test_a_bad_preference_is_refused(registry: Registry, fields: dict[str, object], reason: str) -> None:
    kind, text = refusal(registry.add_account("joe@example.test", "", CANARY, fields))
    assert (kind, reason in text) == ("bad-request", True)


def test_a_change_touches_only_what_is_given(registry: Registry) -> None:
    run(registry.add_account("joe@example.test", "Joe", CANARY, {"state": "static", "address": "192.0.2.7"}))
    changed = run(registry.change_account(str(JOE), {"notifymail": {"port": 7979}}))
    assert changed["name"] == "Joe"
    assert changed["notifymail"] == {"state": "static", "address": "192.0.2.7", "port": 7979}
    changed = run(
        registry.change_account(str(JOE), {"name": "J", "notifymail": {"state": None, "address": None}})
    )
    assert (changed["name"], changed["notifymail"]) == ("J", {"state": None, "address": None, "port": 7979})
    assert run(registry.account("joe@example.test")) == changed


@pytest.mark.parametrize("password", ["", "short", "1234567"])
def test_a_short_password_is_refused_and_not_repeated(registry: Registry, password: str) -> None:
    assert refusal(registry.add_account("joe@example.test", "", password)) == (
        "bad-request",
        "the password is shorter than 8 characters",
    )


def test_what_the_hasher_refuses_is_told(registry: Registry) -> None:
    kind, text = refusal(registry.add_account("joe@example.test", "", CANARY * 100))
    assert (kind, text) == ("bad-request", "the password is longer than 1024 octets")
    assert CANARY not in text
    assert issubclass(PasswordRefused, ValueError)


def test_what_exists_is_not_made_again(registry: Registry) -> None:
    run(registry.add_account("joe@example.test", "", CANARY))
    words = "joe@example.test: there is one of that name already"
    assert refusal(registry.add_account("JOE@example.test", "", CANARY)) == ("exists", words)
    assert refusal(registry.add_account("joe@example.test", "", None)) == ("exists", words)
    assert refusal(registry.add_account("filed@file.test", "", CANARY))[0] == "exists"
    assert refusal(registry.add_domain("Example.test"))[0] == "exists"


def test_what_is_missing_is_not_found(registry: Registry) -> None:
    words = ("not-found", "nobody@example.test: there is no account of that name")
    assert refusal(registry.account("nobody@example.test")) == words
    assert refusal(registry.set_password("nobody@example.test", CANARY)) == words
    assert refusal(registry.set_password("nobody@example.test", None)) == words
    assert refusal(registry.change_account("nobody@example.test", {"name": "x"})) == words
    assert refusal(registry.remove_account("nobody@example.test")) == words


def test_what_stands_in_the_file_is_changed_there(registry: Registry) -> None:
    words = "filed@file.test: this stands in the configuration file; change it there"
    assert refusal(registry.remove_account("filed@file.test")) == ("read-only", words)
    assert refusal(registry.set_password("filed@file.test", CANARY)) == ("read-only", words)
    assert refusal(registry.change_account("filed@file.test", {"name": "x"})) == ("read-only", words)


def test_nobody_is_taken_for_who_had_the_address_before(
    registry: Registry, sightings: MemorySightings
) -> None:
    joe, home = JOE, PEER
    run(registry.add_account(str(joe), "", CANARY))
    run(sightings.record(joe, home, 1.0))
    run(registry.remove_account(str(joe)))
    assert run(sightings.last(joe, 0.0)) is None
    run(sightings.record(joe, home, 2.0))  # a session that was just ending
    run(registry.add_account(str(joe), "", CANARY))
    assert run(sightings.last(joe, 0.0)) is None


def test_how_somebody_logged_in_is_forgotten_with_the_account(registry: Registry, world: World) -> None:
    run(registry.add_account(str(JOE), "", CANARY))
    run(world.logins.record(login()))
    run(registry.remove_account(str(JOE)))
    assert run(world.logins.since(0.0)) == ()
    run(world.logins.record(login()))  # a session that was just ending
    run(registry.add_account(str(JOE), "", CANARY))
    assert run(world.logins.since(0.0)) == ()
    assert run(world.directory.devices(JOE)) == ()


def test_a_removal_is_told_and_harmed_by_nothing(registry: Registry, world: World) -> None:
    assert refusal(registry.remove_account(str(JOE)))[0] == "not-found"
    run(registry.add_account(str(JOE), "", CANARY))
    world.sightings.refuse_with = AWAY
    run(registry.remove_account(str(JOE)))
    assert world.ended == [(JOE, None, "the account was removed")]
    assert world.forgotten == [JOE]
    assert refusal(registry.add_account(str(JOE), "", CANARY))[0] == "unavailable"


def test_a_removed_account_is_followed_by_nobody(registry: Registry, world: World) -> None:
    run(registry.add_account(str(JOE), "", CANARY))
    assert world.erased == [(JOE, None)], "whoever had the address before"
    run(registry.remove_account(str(JOE)))
    assert world.erased == [(JOE, None)] * 2


def test_where_that_is_not_to_be_had_nobody_gets_the_address(registry: Registry, world: World) -> None:
    run(registry.add_account(str(JOE), "", CANARY))
    world.unerasable = AWAY
    run(registry.remove_account(str(JOE)))
    assert world.ended == [(JOE, None, "the account was removed")]
    assert refusal(registry.add_account(str(JOE), "", CANARY))[0] == "unavailable"
    world.unerasable = None
    run(registry.add_account(str(JOE), "", CANARY))
    assert world.erased[-1] == (JOE, None)


def test_a_removed_account_is_gone_and_its_domain_stays(registry: Registry) -> None:
    run(registry.add_account("joe@example.test", "", CANARY))
    run(registry.remove_account("Joe@example.test"))
    assert refusal(registry.account("joe@example.test"))[0] == "not-found"
    assert "example.test" in [domain["name"] for domain in run(registry.domains())]


@pytest.mark.parametrize(
    "name", ["", "exa mple.test", "-x.test", "[192.0.2.1]", "a..test", "x" * 64 + ".test"]
)
def test_a_bad_domain_is_refused(registry: Registry, name: str) -> None:
    assert refusal(registry.add_domain(name))[0] == "bad-request"


def test_a_store_that_is_away_is_unavailable(registry: Registry, database: MemoryDirectory) -> None:
    database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk says EIO")
    for attempt in (
        registry.accounts(),
        registry.account("joe@example.test"),
        registry.add_account("joe@example.test", "", CANARY),
        registry.domains(),
        registry.add_domain("new.test"),
    ):
        kind, text = refusal(attempt)
        assert kind == "unavailable"
        assert "not available" in text
        assert "EIO" not in text


# Verifiers


def verifiers(world: World) -> object:
    """What can be proved by SCRAM with the account's own password; None: nothing."""
    account = run(world.directory.account(JOE))
    assert account is not None
    sealed = run(world.directory.verifiers(JOE))
    return world.vault.open_verifiers(JOE, sealed, account.password_hash)


def test_a_new_password_has_its_verifiers_at_once(registry: Registry, world: World) -> None:
    run(registry.add_account(str(JOE), "", CANARY))
    first = verifiers(world)
    assert first
    run(registry.set_password(str(JOE), "another-password"))
    second = verifiers(world)
    assert second
    assert second != first
    assert world.forgotten == [JOE]


def test_verifiers_of_the_password_before_are_worth_nothing(registry: Registry, world: World) -> None:
    """As where we are killed between the hash and its verifiers."""
    run(registry.add_account(str(JOE), "", CANARY))
    before = run(world.directory.verifiers(JOE))
    run(registry.set_password(str(JOE), "another-password"))
    run(world.directory.keep_verifiers(JOE, before))
    assert verifiers(world) is None


def test_the_hash_is_stored_before_its_verifiers(registry: Registry, world: World) -> None:
    run(registry.add_account(str(JOE), "", CANARY))
    order: list[str] = []

    class Watched(MemoryDirectory):
        async def change_account(self, account: object) -> None:
            order.append("hash")

        async def keep_verifiers(self, account: Address, sealed: bytes, elsewhere: bool = False) -> None:
            order.append("verifiers")
            raise AWAY

    known = run(world.database.account(JOE))
    assert known is not None
    run(attrs.evolve(registry, directory=Watched([known])).set_password(str(JOE), CANARY))
    assert order == ["hash", "verifiers"], "and what is missing then is made at the next login"


class SlowDirectory(MemoryDirectory):
    """Changes an account when the test says so."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.waiting: list[Deferred[None]] = []

    async def change_account(self, account: Account) -> None:
        self.waiting.append(Deferred())
        await self.waiting[-1]
        await super().change_account(account)


def test_changes_at_the_same_time_are_made_one_after_the_other(registry: Registry, world: World) -> None:
    directory = SlowDirectory([Account(JOE, "Joe")])
    told = attrs.evolve(registry, disabled=lambda account, reason: None)
    office = [attrs.evolve(each, directory=directory) for each in (registry, told)]
    going = [
        Deferred.fromCoroutine(office[0].set_password(str(JOE), CANARY)),
        Deferred.fromCoroutine(office[1].change_account(str(JOE), {"name": "Joseph"})),
        Deferred.fromCoroutine(office[0].change_account(str(JOE), {"pop3": "deny"})),
        Deferred.fromCoroutine(office[1].set_password(str(JOE), "another-password")),
        Deferred.fromCoroutine(office[1].remove_account(str(JOE))),
    ]
    for number in range(4):
        assert len(directory.waiting) == number + 1
        account = run(directory.account(JOE))
        directory.waiting[number].callback(None)
    assert account is not None
    assert (account.name, account.pop3, is_of(account.password_hash, CANARY)) == ("Joseph", False, True)
    results: list[object] = []
    for each in going:
        each.addBoth(results.append)
    assert [isinstance(result, Failure) for result in results] == [False] * 5
    assert run(directory.account(JOE)) is None


def test_a_change_that_fails_or_is_given_up_gives_its_turn_back(registry: Registry) -> None:
    directory = SlowDirectory([Account(JOE, "Joe")])
    slow = attrs.evolve(registry, directory=directory)
    given_up = Deferred.fromCoroutine(slow.change_account(str(JOE), {"name": "one"}))
    waiting = Deferred.fromCoroutine(slow.change_account(str(JOE), {"name": "two"}))
    for each in (waiting, given_up):
        each.addErrback(lambda failure: failure.trap(CancelledError))
        each.cancel()
    with pytest.raises(RegistryError):
        run(slow.change_account(str(JOE), {"name": 3}))
    last = Deferred.fromCoroutine(slow.change_account(str(JOE), {"name": "four"}))
    directory.waiting[-1].callback(None)
    assert last.called
    account = run(directory.account(JOE))
    assert account is not None
    assert account.name == "four"


def test_an_imported_hash_and_another_change_are_both_kept(registry: Registry) -> None:
    directory = SlowDirectory([Account(JOE, "Joe", password_hash="old")])
    slow = attrs.evolve(registry, directory=directory)
    imported = [ImportedAccount(1, str(JOE), password_hash=IMPORTED)]
    going = [
        Deferred.fromCoroutine(slow.change_account(str(JOE), {"state": "off"})),
        Deferred.fromCoroutine(Importer(slow, overwrite=True).take(imported)),
        Deferred.fromCoroutine(slow.change_account(str(JOE), {"name": "Joseph"})),
    ]
    for number in range(3):
        assert len(directory.waiting) == number + 1
        directory.waiting[number].callback(None)
    assert all(each.called for each in going)
    account = run(directory.account(JOE))
    assert account is not None
    assert (account.state, account.password_hash) == (AccountState.OFF, IMPORTED)
    assert account.name == "Joseph"


def test_nobody_waits_for_the_hashing_of_somebody_else(registry: Registry, world: World) -> None:
    world.add_joe(CANARY)
    threads = HeldThreads()
    busy = attrs.evolve(registry, passwords=attrs.evolve(registry.passwords, threads=threads))
    hashing = Deferred.fromCoroutine(busy.set_password(str(JOE), "another-password"))
    assert run(busy.change_account(str(JOE), {"state": "off"}))["state"] == "off"
    threads.release()
    assert hashing.called
    account = run(world.directory.account(JOE))
    assert account is not None
    assert is_of(account.password_hash, "another-password")
    assert account.state is AccountState.OFF, "what was changed meanwhile stays"


@pytest.mark.parametrize("dropped", [False, True])
def test_a_rotation_meanwhile_leaves_no_verifiers_that_do_not_open(
    registry: Registry, world: World, dropped: bool
) -> None:
    world.add_joe()
    path = world.folder / "keys" / "seal.key"
    assert registry.turn.acquire().called
    going = Deferred.fromCoroutine(registry.set_password(str(JOE), CANARY))
    ring = world.vault.keyring.with_new_key(path)
    world.vault.use(ring.drop_old_keys(path) if dropped else ring)
    registry.turn.release()
    assert going.called
    sealed = run(world.directory.verifiers(JOE))
    assert sealed == b"" if dropped else world.vault.keyring.is_current(sealed)


def test_without_a_vault_there_are_no_verifiers(registry: Registry, world: World) -> None:
    run(attrs.evolve(registry, vault=None, logins=None).add_account(str(JOE), "", CANARY))
    assert run(world.directory.verifiers(JOE)) == b""


# States


@pytest.fixture
def people(registry: Registry) -> None:
    for name in ("joe", "ann", "eve"):
        run(registry.add_account(f"{name}@example.test", "", CANARY))


@pytest.mark.usefixtures("people")
def test_a_disabled_account_is_logged_out(registry: Registry, world: World) -> None:
    off = run(registry.change_account(str(JOE), {"state": "off"}))
    assert (off["state"], off["pop3"]) == ("off", "allow")
    assert world.ended == [(JOE, None, "the account was switched off")]
    assert world.forgotten == [JOE]
    assert run(registry.change_account(str(JOE), {"state": "off", "name": "J"}))["name"] == "J"
    assert run(registry.change_account(str(JOE), {"state": "enabled"}))["state"] == "enabled"
    assert len(world.ended) == 1, "once"
    stored = run(world.directory.account(JOE))
    assert stored is not None
    assert stored.state is AccountState.ENABLED
    assert stored.password_hash


@pytest.mark.usefixtures("people")
def test_pop3_can_be_denied(registry: Registry, world: World) -> None:
    assert run(registry.change_account(str(JOE), {"pop3": "deny"}))["pop3"] == "deny"
    assert world.ended == [(JOE, None, "POP3 was closed to the account")]
    run(registry.change_account(str(JOE), {"pop3": "allow"}))
    assert len(world.ended) == 1


@pytest.mark.parametrize(
    ("before", "fields", "after"),
    [
        (None, {"delete_after": "30d"}, Retention(30 * DAY)),
        (None, {"delete_after": "retrieval"}, Retention(0.0)),
        (None, {"delete_unread_after": "120d"}, Retention(None, 120 * DAY)),
        (None, {"delete_after": "90d", "delete_unread_after": "120d"}, Retention(90 * DAY, 120 * DAY)),
        (None, {"delete_after": "never"}, Retention()),
        (Retention(DAY, DAY), {"delete_after": "never"}, Retention(None, DAY)),
        (Retention(0.0, DAY), {"delete_unread_after": "never"}, Retention(0.0)),
        (Retention(DAY, DAY), {"name": "J"}, Retention(DAY, DAY)),
        (Retention(DAY), {"delete_after": "default"}, None),
        (Retention(DAY), {"delete_after": "default", "delete_unread_after": "default"}, None),
        (None, {"delete_unread_after": "default"}, None),
    ],
)
@pytest.mark.usefixtures("people")
def test_an_account_has_its_own_word_on_how_long_mail_stays(
    registry: Registry,
    world: World,
    before: Retention | None,
    fields: dict[str, object],
    after: Retention | None,
) -> None:
    told: list[Account] = []
    joe = run(world.directory.account(JOE))
    assert joe is not None
    run(world.directory.change_account(attrs.evolve(joe, retention=before)))
    document = run(attrs.evolve(registry, retained=told.append).change_account(str(JOE), fields))
    stored = run(world.directory.account(JOE))
    assert stored is not None
    assert stored.retention == after
    assert told == ([stored] if before != after else [])
    names = ("delete_after", "delete_unread_after")
    shown = {name: document[name] or "default" for name in names}
    assert all(shown[name] == fields[name] for name in names if name in fields)
    run(registry.change_account(str(JOE), shown))
    assert run(world.directory.account(JOE)) == stored, "what is shown can be said"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"delete_after": "soon"}, "delete_after: "),
        ({"delete_after": "5m"}, "delete_after: "),
        ({"delete_after": 30}, "delete_after: "),
        ({"delete_after": []}, "delete_after: "),
        ({"delete_unread_after": "retrieval"}, "delete_unread_after: "),
        (
            {"delete_after": "default", "delete_unread_after": "30d"},
            "delete_after: the domain has its say about both",
        ),
    ],
)
@pytest.mark.usefixtures("people")
def test_how_long_mail_stays_is_said_in_days_and_words(
    registry: Registry, fields: dict[str, object], words: str
) -> None:
    kind, text = refusal(registry.change_account(str(JOE), fields))
    assert (kind, text.startswith(words)) == ("bad-request", True)


@pytest.mark.usefixtures("people")
def test_mail_can_be_forwarded_to_another_account(registry: Registry, world: World) -> None:
    wish = {"state": "forward", "forward": "Ann@Example.TEST", "keep_copy": True}
    changed = run(registry.change_account(str(JOE), wish))
    assert (changed["state"], changed["forward"], changed["keep_copy"]) == (
        "forward",
        "ann@example.test",
        True,
    )
    stored = run(world.directory.account(JOE))
    assert stored is not None
    assert (stored.forward, stored.keep_copy) == (Address("ann", "example.test"), True)
    assert world.ended == [], "who forwards may still log in"
    run(registry.change_account(str(JOE), {"state": "enabled"}))
    again = run(registry.change_account(str(JOE), {"state": "forward", "keep_copy": False}))
    assert (again["forward"], again["keep_copy"]) == ("ann@example.test", False)


@pytest.mark.usefixtures("people")
def test_mail_is_forwarded_elsewhere_where_somebody_sends_it(registry: Registry) -> None:
    sending = attrs.evolve(registry, sends=lambda: True)
    fields = {"state": "forward", "forward": "joe@elsewhere.test"}
    assert run(sending.change_account(str(JOE), fields))["forward"] == "joe@elsewhere.test"
    kind, text = refusal(sending.change_account(str(JOE), {"forward": "nobody@example.test"}))
    assert (kind, text) == ("bad-request", "forward: there is no account nobody@example.test")


@pytest.mark.usefixtures("people")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"state": "asleep"}, "state: "),
        ({"state": None}, "state: "),
        ({"state": "forward"}, "name the address"),
        ({"forward": "nobody"}, "forward: "),
        ({"forward": "joe@example.test"}, "come back: joe@example.test -> joe@example.test"),
        ({"forward": "joe@elsewhere.test"}, "joe@elsewhere.test is elsewhere"),
        ({"forward": "nobody@example.test"}, "there is no account nobody@example.test"),
        ({"keep_copy": "yes"}, "keep_copy: "),
        ({"pop3": True}, "pop3: "),
        ({"pop3": "maybe"}, "pop3: "),
        ({"name": 3}, "name is no text"),
        ({"notifymail": "off"}, "notifymail is no object"),
        ({"password": "x"}, "'password' of an account cannot be changed; these can: name, notifymail, state"),
    ],
)
def test_a_bad_change_is_refused_and_changes_nothing(
    registry: Registry, fields: dict[str, object], reason: str
) -> None:
    before = run(registry.account(str(JOE)))
    kind, text = refusal(registry.change_account(str(JOE), fields))
    assert kind == "bad-request"
    assert reason in text
    assert run(registry.account(str(JOE))) == before


@pytest.mark.usefixtures("people")
def test_mail_never_goes_round(registry: Registry) -> None:
    run(registry.change_account("ann@example.test", {"state": "forward", "forward": "eve@example.test"}))
    run(registry.change_account("eve@example.test", {"state": "forward", "forward": "joe@example.test"}))
    kind, text = refusal(
        registry.change_account(str(JOE), {"state": "forward", "forward": "ann@example.test"})
    )
    assert kind == "bad-request"
    assert text.endswith("joe@example.test -> ann@example.test -> eve@example.test -> joe@example.test")
    run(registry.change_account("eve@example.test", {"state": "enabled"}))
    run(registry.change_account(str(JOE), {"state": "forward", "forward": "ann@example.test"}))
    assert refusal(registry.change_account("eve@example.test", {"state": "forward"}))[0] == "bad-request"


@pytest.mark.usefixtures("people")
def test_mail_is_not_forwarded_to_an_account_that_is_off(registry: Registry) -> None:
    run(registry.change_account("eve@example.test", {"state": "off"}))
    off = "forward: eve@example.test is off, and takes no mail"
    direct = registry.change_account(str(JOE), {"state": "forward", "forward": "eve@example.test"})
    assert refusal(direct) == ("bad-request", off)
    run(registry.change_account("eve@example.test", {"state": "enabled"}))
    run(registry.change_account("ann@example.test", {"state": "forward", "forward": "eve@example.test"}))
    run(registry.change_account("eve@example.test", {"state": "off"}))
    by_another = registry.change_account(str(JOE), {"state": "forward", "forward": "ann@example.test"})
    assert refusal(by_another) == ("bad-request", off)
    assert run(registry.forwarders("Eve@example.test")) == ["ann@example.test"]
    assert run(registry.forwarders("ann@example.test")) == []


def test_an_account_without_a_password(registry: Registry, world: World) -> None:
    made, generated = run(registry.add_account(str(JOE), "Joe", None, without_password=True))
    assert (made["password"], generated) == (False, None)
    account = run(world.directory.account(JOE))
    assert account is not None
    assert account.password_hash == run(world.directory.verifiers(JOE)).decode() == ""
    kind, text = refusal(registry.add_account("a@example.test", "", CANARY, without_password=True))
    assert (kind, "one of them" in text) == ("bad-request", True)


def test_mail_is_not_forwarded_for_ever(registry: Registry) -> None:
    for number in range(MAX_FORWARDS + 2):
        run(registry.add_account(f"n{number}@example.test", "", CANARY))
        if number:
            wish = {"state": "forward", "forward": f"n{number - 1}@example.test"}
            change = registry.change_account(f"n{number}@example.test", wish)
            if number <= MAX_FORWARDS:
                run(change)
            else:
                assert "more than 8 times" in refusal(change)[1]


@pytest.mark.usefixtures("people")
def test_a_forward_that_has_lost_its_aim_hinders_no_other_change(registry: Registry) -> None:
    run(registry.change_account(str(JOE), {"state": "forward", "forward": "ann@example.test"}))
    run(registry.remove_account("ann@example.test"))
    assert run(registry.change_account(str(JOE), {"pop3": "deny"}))["pop3"] == "deny"
    assert "no account" in refusal(registry.change_account(str(JOE), {"state": "forward"}))[1]
