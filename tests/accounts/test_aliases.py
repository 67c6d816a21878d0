"""Aliases as those see them who look after accounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailsuite.accounts.aliases import (
    MAX_TARGET_OCTETS,
    MAX_TARGETS,
    AliasRegistry,
    ImportedAlias,
    alias_from_json,
    alias_to_json,
)
from mailsuite.directory.layered import LayeredDirectory
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import Alias
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.offices import JOE as OFFICE_JOE
from tests.accounts.offices import World, now, refusal

SALES, INFO = "sales@example.net", "info@example.net"
JOE, ANN = "joe@example.net", "ann@example.net"


@pytest.fixture
def directory() -> LayeredDirectory:
    file = MemoryDirectory(
        initial_domains=[Domain("file.example")],
        origin=Origin.FILE,
        initial_aliases=[Alias(Address("info", "file.example"), (Address("joe", "example.net"),))],
    )
    people = [Account(Address.parse(JOE)), Account(Address.parse(ANN))]
    return LayeredDirectory(file, MemoryDirectory(people))


@pytest.fixture
def registry(directory: LayeredDirectory) -> AliasRegistry:
    return AliasRegistry(directory)


def targets(registry: AliasRegistry, address: str = SALES) -> list[str]:
    return list(now(registry.alias(address))["alias"]["targets"])


def test_an_alias_is_made_and_grows(registry: AliasRegistry) -> None:
    done, made = now(registry.add("Sales@EXAMPLE.net", ["Joe", "joe@example.net", "gone"]))
    assert made
    assert done == {
        "alias": {
            "address": SALES,
            "targets": [JOE, "gone@example.net"],
            "discards": False,
            "origin": "database",
        },
        "nobody": ["gone@example.net"],
    }
    done, made = now(registry.add(SALES, [ANN, JOE]))
    assert not made
    assert targets(registry) == [JOE, "gone@example.net", ANN]


def test_one_is_shown(registry: AliasRegistry) -> None:
    now(registry.add(SALES, [JOE]))
    now(registry.add(INFO, [SALES, "gone"]))
    shown = now(registry.alias(SALES))
    assert (shown["aliases"], shown["nobody"]) == ([INFO], [])
    assert now(registry.alias(INFO))["nobody"] == ["gone@example.net"]
    assert refusal(registry.alias(JOE)) == ("not-found", f"{JOE}: there is no alias of that name")


def test_all_are_listed_and_those_that_lead_somewhere(registry: AliasRegistry) -> None:
    now(registry.add(SALES, [JOE, ANN]))
    assert [one["address"] for one in now(registry.aliases())] == [SALES, "info@file.example"]
    assert [one["origin"] for one in now(registry.aliases())] == ["database", "file"]
    assert [one["address"] for one in now(registry.aliases("Ann@example.net"))] == [SALES]
    assert now(registry.aliases(INFO)) == []


def test_mail_is_thrown_away(registry: AliasRegistry) -> None:
    done, _ = now(registry.add(SALES, ["/dev/null"]))
    assert (done["alias"]["discards"], done["alias"]["targets"]) == (True, [])
    assert refusal(registry.add(SALES, [JOE]))[1].endswith(
        "throws mail away; to send it to somebody, remove it first"
    )
    now(registry.add(INFO, [JOE]))
    assert "leads to somebody" in refusal(registry.add(INFO, [":discard"]))[1]
    assert "stands alone" in refusal(registry.add(INFO, [":discard", ANN]))[1]


def test_targets_and_aliases_are_removed(registry: AliasRegistry) -> None:
    now(registry.add(SALES, [JOE, ANN]))
    left = now(registry.remove(SALES, ["ann"]))["alias"]
    assert left["targets"] == targets(registry) == [JOE]
    assert refusal(registry.remove(SALES, ["ann"])) == ("bad-request", f"{SALES} does not lead to {ANN}")
    assert "would lead to nobody" in refusal(registry.remove(SALES, [JOE]))[1]
    assert now(registry.remove(SALES)) == {"alias": None}
    assert refusal(registry.remove(SALES))[0] == "not-found"


@pytest.mark.parametrize(
    ("address", "to", "kind", "why"),
    [
        ("sales", [JOE], "bad-request", "'sales' is no address"),
        ("sales@far.example", [JOE], "bad-request", "far.example is no domain of ours"),
        (JOE, [ANN], "exists", f"{JOE} is an account"),
        (SALES, [], "bad-request", "needs somebody to lead to"),
        (SALES, ["a b"], "bad-request", "'a b' is no target of an alias"),
        (SALES, ["|cat"], "bad-request", "mail is not given to programs here"),
        (SALES, ["/var/mail/x"], "bad-request", "mail is not written to files here"),
        (SALES, [":include:/x"], "bad-request", "only :discard is known here"),
        (SALES, ["joe@far.example"], "bad-request", "joe@far.example is elsewhere"),
        (SALES, [JOE, "Sales"], "bad-request", f"{SALES} leads back to {SALES}"),
        ("info@file.example", [ANN], "read-only", "stands in the configuration file"),
        (SALES, [f"u{number}" for number in range(MAX_TARGETS + 1)], "bad-request", "too many targets"),
        (SALES, [f"{'u' * 58}{n}" for n in range(MAX_TARGET_OCTETS // 70)], "bad-request", "too many"),
    ],
)  # fmt: skip
def test_what_is_refused(registry: AliasRegistry, address: str, to: list[str], kind: str, why: str) -> None:
    found, text = refusal(registry.add(address, to))
    assert (found, why in text) == (kind, True), text
    assert [one["address"] for one in now(registry.aliases())] == ["info@file.example"]


def test_a_circle_is_refused_by_whoever_closes_it(registry: AliasRegistry) -> None:
    now(registry.add(SALES, [INFO, JOE]))
    now(registry.add(INFO, ["third", ANN]))
    assert (
        refusal(registry.add("third@example.net", [SALES]))[1] == f"{SALES} leads back to third@example.net"
    )


def test_elsewhere_where_somebody_sends(directory: LayeredDirectory) -> None:
    sending = AliasRegistry(directory, sends=lambda: True)
    done, _ = now(sending.add(SALES, ["joe@far.example"]))
    assert (done["alias"]["targets"], done["nobody"]) == (["joe@far.example"], [])


def test_what_the_directory_cannot_answer(registry: AliasRegistry, directory: LayeredDirectory) -> None:
    assert isinstance(directory.database, MemoryDirectory)
    directory.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    for asking in (
        registry.aliases(),
        registry.alias(SALES),
        registry.add(SALES, [JOE]),
        registry.remove(SALES),
    ):
        assert refusal(asking)[0] == "unavailable"


class TestImport:
    FILE = (
        ImportedAlias(1, SALES, ("joe", "ann")),
        ImportedAlias(2, INFO, (SALES,)),
        ImportedAlias(3, JOE, ("ann",)),
    )

    def taken(self, registry: AliasRegistry, *, overwrite: bool = False, dry_run: bool = False) -> list[str]:
        results = now(registry.take(self.FILE, overwrite=overwrite, dry_run=dry_run))
        assert [result.line for result in results] == [1, 2, 3]
        assert "is an account" in results[2].reason
        return [result.outcome for result in results]

    def test_a_second_time_changes_nothing(self, registry: AliasRegistry) -> None:
        assert self.taken(registry, dry_run=True) == ["made", "made", "refused"]
        assert now(registry.aliases(JOE))[0]["origin"] == "file"
        assert self.taken(registry) == ["made", "made", "refused"]
        assert targets(registry) == [JOE, ANN]
        assert self.taken(registry, overwrite=True) == ["unchanged", "unchanged", "refused"]

    def test_what_is_there_stays_unless_it_is_to_change(self, registry: AliasRegistry) -> None:
        now(registry.add(SALES, ["gone"]))
        assert self.taken(registry) == ["unchanged", "made", "refused"]
        assert self.taken(registry, overwrite=True, dry_run=True)[0] == "changed"
        assert targets(registry) == ["gone@example.net"]
        assert self.taken(registry, overwrite=True)[0] == "changed"
        assert targets(registry) == [JOE, ANN]


def test_what_a_request_has() -> None:
    alias = ImportedAlias(7, SALES, (JOE, ANN))
    assert alias_from_json({**alias_to_json(alias), "targets": [JOE, ANN]}) == alias


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"line": "1", "address": SALES, "targets": []},
        {"line": 1, "address": SALES, "targets": [1]},
    ],
)
def test_what_a_request_must_not_have(document: object) -> None:
    async def read() -> object:
        return alias_from_json(document)

    assert refusal(read())[0] == "bad-request"


class TestAccounts:
    """What accounts have to do with it."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> World:
        world = World(tmp_path)
        now(world.office.registry.add_account(str(OFFICE_JOE), "", None))
        now(AliasRegistry(world.office.registry.directory).add("sales@example.test", ["joe"]))
        return world

    def test_no_account_hides_an_alias(self, world: World) -> None:
        kind, text = refusal(world.office.registry.add_account("sales@example.test", "", None))
        assert (kind, text) == ("exists", "sales@example.test is an alias; remove that first")

    def test_mail_is_forwarded_to_an_alias(self, world: World) -> None:
        registry = world.office.registry
        now(registry.add_account("ann@example.test", "", None))
        changed = now(
            registry.change_account("ann@example.test", {"state": "forward", "forward": "sales@example.test"})
        )
        assert changed["forward"] == "sales@example.test"
