"""The registry over a memory directory: plain values, clear errors, no password anywhere."""

from __future__ import annotations

import json
from collections.abc import Coroutine
from ipaddress import ip_address
from typing import Any, TypeVar

import attrs
import pytest

from mailsuite.accounts.passwords import PasswordRefused, Passwords
from mailsuite.accounts.registry import Registry, RegistryError
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.directory.sightings import MemorySightings
from mailsuite.model.account import Account, Domain, NotifyPreference, NotifyState, Origin
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

T = TypeVar("T")

CANARY = "canary-of-the-registry-1"


@attrs.frozen
class PlainHasher:
    """Quick, and shows what was hashed."""

    def hash(self, password: bytes) -> str:
        return f"hash of {password.decode()}"

    def verify(self, hash: str, password: bytes) -> bool:
        return hash == self.hash(password)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Nothing here ever waits."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    raise AssertionError("it waited")


@pytest.fixture
def database() -> MemoryDirectory:
    return MemoryDirectory()


@pytest.fixture
def sightings() -> MemorySightings:
    return MemorySightings()


@pytest.fixture
def registry(database: MemoryDirectory, sightings: MemorySightings) -> Registry:
    file = MemoryDirectory(
        [Account(Address("filed", "file.test"), "Filed", "a hash")], [Domain("empty.test")], Origin.FILE
    )
    passwords = Passwords(Inline(), hasher=PlainHasher())
    return Registry(LayeredDirectory(file, database), passwords, sightings)


def refusal(coroutine: Coroutine[Any, Any, Any]) -> tuple[str, str]:
    with pytest.raises(RegistryError) as caught:
        run(coroutine)
    assert str(caught.value) == caught.value.text
    return caught.value.kind, caught.value.text


def test_add_account_answers_the_account_as_it_stands(registry: Registry, database: MemoryDirectory) -> None:
    account, generated = run(
        registry.add_account("Joe@Example.TEST", "Joe Doe", CANARY, {"state": "last-ip"})
    )
    assert account == {
        "address": "joe@example.test",
        "name": "Joe Doe",
        "origin": "database",
        "password": True,
        "notifymail": {"state": "last-ip", "address": None, "port": 79},
    }
    assert generated is None
    assert run(registry.account("JOE@example.test")) == account
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert stored.password_hash == f"hash of {CANARY}"


def test_a_password_is_generated_where_none_is_given(registry: Registry, database: MemoryDirectory) -> None:
    _, generated = run(registry.add_account("joe@example.test", "", None))
    assert generated is not None
    assert len(generated) >= 8
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert stored.password_hash == f"hash of {generated}"
    _, another = run(registry.set_password("joe@example.test", None))
    assert another not in {None, generated}


def test_set_password_keeps_the_rest(registry: Registry, database: MemoryDirectory) -> None:
    before, _ = run(registry.add_account("joe@example.test", "Joe", None, {"state": "off", "port": 7979}))
    after, generated = run(registry.set_password("Joe@example.test", CANARY))
    assert (after, generated) == (before, None)
    stored = run(database.account(Address("joe", "example.test")))
    assert stored is not None
    assert stored.password_hash == f"hash of {CANARY}"
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
        ("file", True),
    ]


def test_domains_count_their_accounts(registry: Registry) -> None:
    run(registry.add_account("joe@example.test", "", None))
    run(registry.add_account("ann@example.test", "", None))
    assert run(registry.add_domain("Grün.TEST")) == {
        "name": "xn--grn-ioa.test",
        "origin": "database",
        "accounts": 0,
    }
    assert run(registry.domains()) == [
        {"name": "empty.test", "origin": "file", "accounts": 0},
        {"name": "example.test", "origin": "database", "accounts": 2},
        {"name": "file.test", "origin": "file", "accounts": 1},
        {"name": "xn--grn-ioa.test", "origin": "database", "accounts": 0},
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
        ("jöe@example.test", "not ASCII"),
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
        registry.change_account("filed@file.test", name, None),
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
    changed = run(registry.change_account("joe@example.test", None, {"port": 7979}))
    assert changed["name"] == "Joe"
    assert changed["notifymail"] == {"state": "static", "address": "192.0.2.7", "port": 7979}
    changed = run(registry.change_account("joe@example.test", "J", {"state": None, "address": None}))
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
    assert refusal(registry.change_account("nobody@example.test", "x", None)) == words
    assert refusal(registry.remove_account("nobody@example.test")) == words


def test_what_stands_in_the_file_is_changed_there(registry: Registry) -> None:
    words = "filed@file.test: this stands in the configuration file; change it there"
    assert refusal(registry.remove_account("filed@file.test")) == ("read-only", words)
    assert refusal(registry.set_password("filed@file.test", CANARY)) == ("read-only", words)
    assert refusal(registry.change_account("filed@file.test", "x", None)) == ("read-only", words)


def test_nobody_is_taken_for_who_had_the_address_before(
    registry: Registry, sightings: MemorySightings
) -> None:
    joe, home = Address("joe", "example.test"), ip_address("192.0.2.1")
    run(registry.add_account(str(joe), "", CANARY))
    run(sightings.record(joe, home, 1.0))
    run(registry.remove_account(str(joe)))
    assert run(sightings.last(joe, 0.0)) is None
    run(sightings.record(joe, home, 2.0))  # a session that was just ending
    run(registry.add_account(str(joe), "", CANARY))
    assert run(sightings.last(joe, 0.0)) is None


def test_a_removal_is_told_and_harmed_by_nothing(registry: Registry, sightings: MemorySightings) -> None:
    told: list[Address] = []
    registry = attrs.evolve(registry, removed=told.append)
    assert refusal(registry.remove_account("joe@example.test"))[0] == "not-found"
    run(registry.add_account("joe@example.test", "", CANARY))
    sightings.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    run(registry.remove_account("joe@example.test"))
    assert told == [Address("joe", "example.test")]
    assert refusal(registry.add_account("joe@example.test", "", CANARY))[0] == "unavailable"


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
