"""What the files with secrets of accounts, devices, relays and channels hold, read while the configuration is
loaded."""

from __future__ import annotations

from pathlib import Path

import attrs

from mailsuite.config.kinds import BadValue
from mailsuite.config.look import Look
from mailsuite.config.names import PasswordHash
from mailsuite.config.next_hops import RelayBlock
from mailsuite.config.notify import Notify
from mailsuite.config.people import AccountBlock, DeviceBlock
from mailsuite.config.reading import Reading
from mailsuite.config.secret import Secret, is_open_to_others, read_secret
from mailsuite.model.hashes.stored import looks_hashed, read_hash
from mailsuite.model.hashes.values import HashRefused

MIN_DEVICE_PASSWORD_CHARACTERS = 16
"""A device password is checked by one fast hash, so that it must hold more than can be guessed: 80 bits in
five bits a character, as we make them ourselves."""


def with_passwords(account: AccountBlock, look: Look, reading: Reading) -> AccountBlock:
    """The account with what its password files hold."""
    account = _with_own(account, look, reading)
    if not account.devices:
        return account
    block = f"account.{account.address}.device"
    devices = tuple(
        _with_device_password(one, f"{block}.{one.name}", look, reading) for one in account.devices
    )
    _tell_twins(devices, block, look, reading)
    return attrs.evolve(account, devices=devices)


def with_relay_password(relay: RelayBlock, look: Look, reading: Reading) -> RelayBlock:
    """The block with what its password file holds; of one that is not used it is not read."""
    if relay.password_file is None or not relay.enabled:
        return relay
    key = f"relay.{relay.match}.password_file"
    return attrs.evolve(relay, password=Secret(_read(relay.password_file, key, look, reading, "a password")))


def with_tokens(notify: Notify, look: Look, reading: Reading) -> Notify:
    """The settings with the token of Pushover; where that is not used it is not read."""
    pushover = notify.pushover
    if pushover.token_file is None or not (notify.enabled and pushover.enabled):
        return notify
    line = _read(pushover.token_file, "notify.pushover.token_file", look, reading, "a token")
    return attrs.evolve(notify, pushover=attrs.evolve(pushover, token=Secret(line)))


def _with_own(account: AccountBlock, look: Look, reading: Reading) -> AccountBlock:
    file = account.password_file
    if file is None or account.password_hash:
        return account
    key = f"account.{account.address}.password_file"
    line = _read(file, key, look, reading, "a hash or a password")
    if not looks_hashed(line):
        return attrs.evolve(account, password=Secret(line)) if line else account
    try:
        read_hash(line)
    except HashRefused as error:
        text = f"password_file: {file} holds what looks like a hash and cannot be used: {error}; "
        text += f"expected {PasswordHash().expects}"
        reading.problems.append(look.error(text, key))
        return account
    return attrs.evolve(account, password_hash=line)


def _with_device_password(device: DeviceBlock, block: str, look: Look, reading: Reading) -> DeviceBlock:
    key = f"{block}.password_file"
    line = _read(device.password_file, key, look, reading, "a password")
    if looks_hashed(line):
        text = (
            f"password_file: {device.password_file} holds what looks like a hash; "
            "here the device password itself is needed"
        )
        reading.problems.append(look.error(text, key))
    elif line and len(line) < MIN_DEVICE_PASSWORD_CHARACTERS:
        text = (
            f"password_file: {device.password_file} holds less than {MIN_DEVICE_PASSWORD_CHARACTERS} "
            "characters; a device password is checked by a fast hash, so let a program make it, "
            "for example openssl rand -base64 15"
        )
        reading.problems.append(look.error(text, key))
    return attrs.evolve(device, password=Secret(line))


def _read(file: Path, key: str, look: Look, reading: Reading, what: str) -> str:
    """The line in a file, empty where there is none, which is told."""
    name = key.rpartition(".")[2]
    try:
        line = read_secret(file, what)
    except BadValue as error:
        reading.problems.append(look.error(f"{name}: {error}", key))
        return ""
    if is_open_to_others(file):
        text = f"{name}: others can read {file}; chmod 600 {file}"
        reading.problems.append(look.warning(text, key))
    return line


def _tell_twins(devices: tuple[DeviceBlock, ...], block: str, look: Look, reading: Reading) -> None:
    """Two devices with one password: a login cannot be told from the other's."""
    first: dict[str, str] = {}
    for device in devices:
        password = device.password.reveal()
        other = first.setdefault(password, device.name)
        if password and other != device.name:
            text = f"password_file: {device.name!r} has the password of {other!r}; each needs its own"
            reading.problems.append(look.error(text, f"{block}.{device.name}.password_file"))
