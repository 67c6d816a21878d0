"""A rotation of keys loses nothing, wherever it is interrupted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from mailsuite.accounts import key_rotation
from mailsuite.accounts.key_rotation import KeyRotation
from mailsuite.accounts.keyring import Keyring, KeyringError, SealBroken
from mailsuite.accounts.refusal import RegistryError
from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.threads import Inline
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.origin import Origin
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from tests.accounts.offices import FILED, JOE, World, now, refusal


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def passwords(world: World) -> tuple[str, list[str]]:
    """Of the account, and of two devices."""
    own = world.add_joe()
    return own, [world.add_device("a", mechanisms=["apop"])[1], world.add_device("b")[1]]


def key_file(world: World) -> Path:
    return world.folder / "keys" / "seal.key"


def on_disk(world: World) -> Vault:
    """What a server that starts now would open secrets with."""
    return Vault(Keyring.load_or_create(key_file(world)), Inline())


def all_open(world: World, vault: Vault, passwords: tuple[str, list[str]]) -> bool:
    devices = now(world.directory.devices(JOE))
    account = now(world.directory.account(JOE))
    assert account is not None
    sealed = now(world.directory.verifiers(JOE))
    opened = [vault.open_device(JOE, device) for device in devices]
    matching = [secrets.matches(password) for secrets, password in zip(opened, passwords[1], strict=True)]
    return all(matching) and bool(vault.open_verifiers(JOE, sealed, account.password_hash))


def test_everything_is_sealed_anew_and_the_old_key_is_gone(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    before = now(world.directory.devices(JOE))
    old = world.vault.keyring
    done = now(world.office.keys.rotate())
    assert done == {"devices": 2, "verifiers": 1, "subscriptions": 0, "unreadable": 0, "dropped": True}
    assert all_open(world, world.vault, passwords)
    assert all_open(world, on_disk(world), passwords)
    with pytest.raises(SealBroken):
        world.vault.open_device(JOE, before[0])
    with pytest.raises(SealBroken):
        Vault(old, Inline()).open_device(JOE, now(world.directory.devices(JOE))[0])
    assert len(world.vault.keyring) == 1
    assert world.file_resealed == 1


def test_a_rotation_can_be_repeated(world: World, passwords: tuple[str, list[str]]) -> None:
    for _ in range(3):
        assert now(world.office.keys.rotate())["devices"] == 2
        assert all_open(world, on_disk(world), passwords)


def test_a_rotation_of_nothing(world: World) -> None:
    assert now(world.office.keys.rotate()) == {
        "devices": 0,
        "verifiers": 0,
        "subscriptions": 0,
        "unreadable": 0,
        "dropped": True,
    }


class Killed(BaseException):
    """The power is off."""


@attrs.define
class Mortal:
    """Passes calls through, and dies at the one with this number."""

    inner: Any
    left: int

    def __getattr__(self, name: str) -> Any:
        method: Callable[..., Any] = getattr(self.inner, name)

        async def call(*arguments: Any) -> Any:
            if not self.left:
                raise Killed
            self.left -= 1
            return await method(*arguments)

        return call


def test_killed_at_any_point_it_has_lost_nothing(world: World, passwords: tuple[str, list[str]]) -> None:
    """At each call to the directory and to the thread that writes the key file."""
    steps = 0
    while True:
        directory: Any = Mortal(world.database, steps)
        rotation = KeyRotation(directory, on_disk(world), key_file(world), Inline(), world._reseal_file)
        try:
            now(rotation.rotate())
            break
        except Killed:
            steps += 1
        assert all_open(world, on_disk(world), passwords), steps
    assert steps > 6
    assert all_open(world, on_disk(world), passwords)
    assert len(on_disk(world).keyring) == 1, "those of the interrupted ones are gone too"


@pytest.mark.parametrize("step", [0, 1])
def test_killed_before_or_after_the_key_file_is_written(
    world: World, passwords: tuple[str, list[str]], step: int
) -> None:
    threads: Any = Mortal(Inline(), step)
    rotation = KeyRotation(world.database, on_disk(world), key_file(world), threads, world._reseal_file)
    with pytest.raises(Killed):
        now(rotation.rotate())
    assert all_open(world, on_disk(world), passwords)


def test_rotations_that_fail_leave_two_keys_at_most(world: World, passwords: tuple[str, list[str]]) -> None:
    """Each new key in the file beside all before would be one too many for it some day."""
    world.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    for _ in range(5):
        assert refusal(world.office.keys.rotate())[0] == "unavailable"
    world.database.refuse_with = None
    assert len(world.vault.keyring) == len(on_disk(world).keyring) == 2
    left = [on_disk(world).keyring, world.vault.keyring]
    assert now(world.office.keys.rotate())["dropped"] is True
    assert all_open(world, on_disk(world), passwords)
    [device, _] = now(world.directory.devices(JOE))
    for ring in left:
        with pytest.raises(SealBroken):
            Vault(ring, Inline()).open_device(JOE, device)


def test_what_an_interrupted_rotation_left_goes_before_another_key_comes(
    world: World, passwords: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    world.vault.use(world.vault.keyring.with_new_key(key_file(world)))
    monkeypatch.setattr(key_rotation, "MAX_ROUNDS", 1)
    assert now(world.office.keys.rotate())["dropped"] is False
    assert len(on_disk(world).keyring) == 2
    assert all_open(world, on_disk(world), passwords)


def test_what_comes_in_meanwhile_is_sealed_too(world: World, passwords: tuple[str, list[str]]) -> None:
    """A device whose password was sealed before the rotation, and stored while it ran."""
    [late, _] = now(world.directory.devices(JOE))
    now(world.directory.remove_device(JOE, late.id))

    class Late:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.database, name)

        async def all_verifiers(self) -> Any:
            if late.id not in {device.id for device in await world.directory.devices(JOE)}:
                await world.directory.add_device(JOE, late)
            return await world.directory.all_verifiers()

    directory: Any = Late()
    rotation = KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file)
    assert now(rotation.rotate()) == {
        "devices": 2,
        "verifiers": 1,
        "subscriptions": 0,
        "unreadable": 0,
        "dropped": True,
    }
    assert all_open(world, on_disk(world), passwords)


@pytest.mark.parametrize("questions", range(5))
def test_what_is_stored_some_questions_later_is_sealed_too(
    world: World, passwords: tuple[str, list[str]], questions: int
) -> None:
    """As long as it comes before the last question of two walks that find nothing."""
    now(world.office.keys.rotate())
    sealed = now(world.directory.verifiers(JOE))
    now(world.directory.keep_verifiers(JOE, b""))

    class Late:
        asked = 0

        def __getattr__(self, name: str) -> Any:
            self.asked += 1
            if self.asked == questions + 1:
                now(world.directory.keep_verifiers(JOE, sealed))
            return getattr(world.database, name)

    directory: Any = Late()
    for device in now(world.directory.devices(JOE)):
        now(world.directory.remove_device(JOE, device.id))
    rotation = KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file)
    assert now(rotation.rotate())["verifiers"] == (questions < 4)


def test_what_the_configuration_covers_is_sealed_too(tmp_path: Path) -> None:
    """A device and verifiers of the database that come to light when the file has them no more."""
    world = World(tmp_path)
    account = now(world.directory.account(FILED))
    assert account is not None
    device = world.office.devices
    _, password = now(device.add_device(str(FILED), {"name": "Phone"}))
    now(world.directory.keep_verifiers(FILED, now(world.vault.seal_verifiers(FILED, "own", "a hash"))))
    covering = MemoryDirectory(
        [account],
        origin=Origin.FILE,
        initial_devices={FILED: [Device("f", "phone", b"sealed elsewhere")]},
        initial_verifiers={FILED: b"sealed elsewhere"},
    )
    world.directory.replace_file(covering)
    done = now(world.office.keys.rotate())
    assert done == {"devices": 1, "verifiers": 1, "subscriptions": 0, "unreadable": 0, "dropped": True}
    world.directory.replace_file(MemoryDirectory([account], origin=Origin.FILE))
    [uncovered] = now(world.directory.devices(FILED))
    assert on_disk(world).open_device(FILED, uncovered).matches(password)
    assert on_disk(world).open_verifiers(FILED, now(world.directory.verifiers(FILED)), "a hash")


def test_a_device_that_is_removed_meanwhile_stays_removed(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    devices = now(world.directory.all_devices())
    now(world.directory.remove_device(JOE, devices[0][1].id))

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.database, name)

        first = True

        async def all_devices(self) -> Any:
            if self.first:
                self.first = False
                return devices
            return await world.directory.all_devices()

    directory: Any = Slow()
    rotation = KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file)
    assert now(rotation.rotate())["devices"] == 1
    assert [device.id for device in now(world.directory.devices(JOE))] == [devices[1][1].id]


def test_verifiers_of_a_new_password_are_not_overwritten(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    before = now(world.directory.all_verifiers())

    class Slow:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.database, name)

        async def all_verifiers(self) -> Any:
            nonlocal before
            if before:
                was, before = before, ()
                await world.office.registry.set_password(str(JOE), "another-password")
                return was
            return await world.directory.all_verifiers()

    directory: Any = Slow()
    now(KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file).rotate())
    assert all_open(world, on_disk(world), passwords)


def test_an_account_that_is_removed_meanwhile_stays_removed(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    class Gone:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.database, name)

        async def replace_verifiers(self, *arguments: Any) -> bool:
            await world.directory.remove_account(JOE)
            return await world.database.replace_verifiers(*arguments)

    directory: Any = Gone()
    rotation = KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file)
    assert now(rotation.rotate()) == {
        "devices": 2,
        "verifiers": 0,
        "subscriptions": 0,
        "unreadable": 0,
        "dropped": True,
    }
    assert now(world.directory.all_devices()) == ()


def test_where_secrets_never_settle_the_old_keys_stay(world: World, passwords: tuple[str, list[str]]) -> None:
    class Restless:
        def __getattr__(self, name: str) -> Any:
            return getattr(world.database, name)

        async def change_device(self, *arguments: Any) -> None:
            """It takes no hold: as if somebody else wrote the old one back each time."""

    directory: Any = Restless()
    rotation = KeyRotation(directory, world.vault, key_file(world), Inline(), world._reseal_file)
    assert now(rotation.rotate())["dropped"] is False
    assert len(on_disk(world).keyring) == 2
    assert all_open(world, on_disk(world), passwords)


def test_what_no_key_opens_is_counted_and_keeps_no_key(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    device = now(world.directory.devices(JOE))[0]
    broken = attrs.evolve(device, sealed=device.sealed[:-1] + bytes([device.sealed[-1] ^ 1]))
    now(world.directory.change_device(JOE, broken))
    now(world.directory.keep_verifiers(JOE, b"not sealed by anybody"))
    done = now(world.office.keys.rotate())
    assert done == {"devices": 1, "verifiers": 0, "subscriptions": 0, "unreadable": 2, "dropped": True}


def test_a_key_file_that_cannot_be_written_changes_nothing(
    world: World, passwords: tuple[str, list[str]]
) -> None:
    class Full:
        async def run(self, work: object) -> object:
            raise KeyringError("seal.key: No space left on device")

    threads: Any = Full()
    rotation = KeyRotation(world.database, world.vault, key_file(world), threads, world._reseal_file)
    assert refusal(rotation.rotate()) == ("unavailable", "seal.key: No space left on device")
    assert len(world.vault.keyring) == 1
    assert all_open(world, on_disk(world), passwords)
    assert refusal(rotation.rotate())[0] == "unavailable", "the turn was given back"


def test_a_directory_that_is_away_ends_the_rotation(world: World, passwords: tuple[str, list[str]]) -> None:
    world.database.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
    assert refusal(world.office.keys.rotate())[0] == "unavailable"
    world.database.refuse_with = None
    assert all_open(world, on_disk(world), passwords)
    assert now(world.office.keys.rotate())["dropped"] is True
    assert len(on_disk(world).keyring) == 1


def test_subscriptions_are_sealed_anew_too_and_count_as_work(world: World) -> None:
    """The walk that finds nothing under an old key is the last but one."""
    done = [(3, 1), (1, 1), (0, 1), (0, 1)]
    rounds: list[tuple[int, int]] = []

    async def reseal() -> tuple[int, int]:
        rounds.append(done[len(rounds)])
        return rounds[-1]

    rotation = KeyRotation(world.database, world.vault, key_file(world), Inline(), world._reseal_file, reseal)
    document = now(rotation.rotate())
    assert document == {
        "devices": 0,
        "verifiers": 0,
        "subscriptions": 4,
        "unreadable": 1,
        "dropped": True,
    }
    assert len(rounds) == 4


def test_the_old_keys_stay_while_subscriptions_cannot_be_sealed(world: World) -> None:
    async def reseal() -> tuple[int, int]:
        raise TemporaryFailure(DIRECTORY_UNAVAILABLE)

    rotation = KeyRotation(world.database, world.vault, key_file(world), Inline(), world._reseal_file, reseal)
    with pytest.raises(RegistryError):
        now(rotation.rotate())
    assert len(on_disk(world).keyring) == 2
