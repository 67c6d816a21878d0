"""``mailsuite-notify``: the program on the user's computer."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from mailsuite import __version__, garbage
from mailsuite.cli.context import CommandFailed, ProblemsFound
from mailsuite.cli.notify import handed_over, listen
from mailsuite.cli.options import json_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.terminal import clean, note, print_json, print_table
from mailsuite.client.files import Places, places
from mailsuite.client.popups.freedesktop import find_session
from mailsuite.client.table import SettingsProblem

if TYPE_CHECKING:
    from mailsuite.client.doctor import Finding
    from mailsuite.client.passwords import Passwords
    from mailsuite.client.settings import Account, Preferences

keyring_option = click.option(
    "--no-keyring", is_flag=True, help="Keep the password in a file of mode 0600 instead of the keyring."
)


@click.group(
    "mailsuite-notify", context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.version_option(__version__, message="mailsuite-notify %(version)s")
def client() -> None:
    """Tells you on your own computer that mail has come.

    Exit status: 0 done, 1 failed, 2 wrong usage, 4 a check found problems, 77 the password is refused.
    """


client.add_command(listen)


@client.command()
@click.argument("address")
@click.option("--server", metavar="HOST", help="Default: mail. and the domain of ADDRESS.")
@click.option("--user", default="", metavar="NAME", help="The login name, where it is not ADDRESS.")
@click.option(
    "--transport",
    type=click.Choice(["auto", "stream", "listener", "poll"]),
    default="auto",
    show_default=True,
    help="How to hear of new mail.",
)
@click.option("--stream-port", type=click.IntRange(1, 65535), help="Of the stream (HTTPS).  [default: 8443]")
@click.option("--pop3-port", type=click.IntRange(1, 65535), help="Of POP3 over TLS.  [default: 995]")
@click.option(
    "--ca-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path, resolve_path=True),
    help="Certificates (PEM) to believe instead of the system's authorities.",
)
@click.option(
    "--level",
    type=click.Choice(["knock", "count", "sender", "subject", "preview"]),
    default="subject",
    show_default=True,
    help="How much the stream may tell; the server may allow less.",
)
@click.option("--knock-from", multiple=True, metavar="NETWORK", help="May knock, beside the server itself.")
@keyring_option
@password_options()
def enrol(
    *,
    address: str,
    server: str | None,
    user: str,
    transport: str,
    stream_port: int | None,
    pop3_port: int | None,
    ca_file: Path | None,
    level: str,
    knock_from: tuple[str, ...],
    no_keyring: bool,
    password: PasswordSource,
) -> None:
    """Follow the account ADDRESS from now on.

    Asks for the password once. Where the server makes device passwords one is kept, good for nothing but
    this; else what was typed, so give a device password that you made.
    """
    from mailsuite.client.enrolment import Enrolment, EnrolmentFailed  # noqa: PLC0415 - keeps --help fast
    from mailsuite.client.follower import Transport  # noqa: PLC0415
    from mailsuite.client.settings import POP3S_PORT, STREAM_PORT, Account, Preferences  # noqa: PLC0415
    from mailsuite.client.trust import NoTrust  # noqa: PLC0415
    from mailsuite.model.access import parse_network  # noqa: PLC0415
    from mailsuite.model.address import Address, AddressSyntaxError  # noqa: PLC0415
    from mailsuite.model.notice import Level  # noqa: PLC0415

    try:
        parsed = Address.parse(address)
        networks = tuple(map(parse_network, knock_from))
    except AddressSyntaxError as error:
        raise click.UsageError(f"{clean(address)}: {error}") from error
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    account = Account(
        str(parsed),
        server or f"mail.{parsed.domain}",
        user,
        Transport(transport),
        stream_port or STREAM_PORT,
        pop3_port or POP3S_PORT,
        ca_file=str(ca_file or ""),
        level=Level.of(level),
        knock_from=networks,
    )
    preferences = Preferences.read(_places().settings)
    secret = reveal(password.read(f"Password of {account.login_name} at {account.server}")) or ""

    async def main(reactor: Any) -> None:
        kept = _passwords(not no_keyring)
        enrolment = Enrolment(reactor, _places(), kept, click.echo, time.monotonic, preferences.port)
        try:
            await enrolment.enrol(account, secret)
        except (EnrolmentFailed, NoTrust) as error:
            raise SystemExit(_failed(str(error))) from error

    _react(main)


@client.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Where knocks come to, instead of the settings'.")
@json_option
def run(*, port: int | None, as_json: bool) -> None:
    """Follow all enrolled accounts until stopped.

    Listening sockets that systemd hands over are used for knocks; else a port is opened when it is needed.
    """
    inherited = handed_over(os.environ)
    from mailsuite.client.running import RunProgram, Wishes  # noqa: PLC0415 - keeps --help fast
    from mailsuite.client.trust import NoTrust  # noqa: PLC0415

    preferences, known = _settings()
    if port is not None:
        preferences = attrs.evolve(preferences, port=port)
    passwords = _found(known, _passwords())
    if not passwords:
        raise CommandFailed("there is no account to follow: mailsuite-notify enrol ADDRESS")
    wishes = Wishes(passwords, preferences, _places(), as_json, inherited)

    async def main(reactor: Any) -> None:
        from twisted.internet.task import deferLater  # noqa: PLC0415

        await deferLater(reactor, 0)  # from here on signals end the program in order
        try:
            await RunProgram(reactor, wishes, click.echo, note, _now).run()
        except NoTrust as error:
            raise SystemExit(_failed(str(error))) from error

    _react(main)


@client.command("test")
def try_out() -> None:
    """Show a test notice here, and have each server send one."""
    from mailsuite.client.tryout import TryOut  # noqa: PLC0415 - keeps --help fast

    preferences, known = _settings()
    passwords = _found(known, _passwords())

    async def main(reactor: Any) -> None:
        await TryOut(reactor, preferences, click.echo, note, time.monotonic).run(passwords)

    _react(main)


@client.command()
@json_option
def doctor(*, as_json: bool) -> None:
    """Look for what could keep notices from coming."""
    from mailsuite.client.doctor import Doctor, State  # noqa: PLC0415 - keeps --help fast
    from mailsuite.client.pop3 import Login  # noqa: PLC0415
    from mailsuite.client.threads import InThread  # noqa: PLC0415

    preferences, known = _settings()
    passwords = _found(known, _passwords())
    findings: list[tuple[str, Finding]] = []

    async def main(reactor: Any) -> None:
        inspector = Doctor(reactor, _places(), preferences, InThread(reactor), time.time)
        findings.extend(("here", each) for each in await inspector.examine_here())
        for account in known:
            password = passwords.get(account)
            login = None if password is None else Login(account.login_name, password)
            findings.extend((account.address, each) for each in await inspector.examine(account, login))

    def told() -> None:
        _tell(findings, as_json)
        if not known:
            note("no account is enrolled: mailsuite-notify enrol ADDRESS")
        wrong = sum(each.state is State.WRONG for _, each in findings)
        if wrong:
            raise ProblemsFound(f"{wrong} of these would keep notices from coming")

    _react(main, told)


def _tell(findings: list[tuple[str, Finding]], as_json: bool) -> None:
    if as_json:
        rows = [
            {"of": of, "state": each.state.value, "what": each.what, "said": each.said}
            for of, each in findings
        ]
        print_json({"findings": rows})
    else:
        print_table(
            ("", "OF", "WHAT", "FOUND"),
            [(each.state.value, of, each.what, each.said) for of, each in findings],
        )


@client.command()
@click.argument("address")
def forget(*, address: str) -> None:
    """Follow ADDRESS no longer: its settings, password and what is kept of it are removed here.

    The device password stays at the server until it is removed there.
    """
    home = _places()
    file = home.account(address)
    if not file.exists():
        raise CommandFailed(f"{clean(address)} is not enrolled here")
    _passwords().forget(address)
    home.kept(address).unlink(missing_ok=True)
    file.unlink()
    click.echo(f"{clean(address)} is forgotten here; remove its device password at the server too")


def main() -> None:
    """The console script."""
    find_session()
    try:
        with garbage.of_a_program():
            client(prog_name="mailsuite-notify")
    except SettingsProblem as problem:
        raise SystemExit(_failed(str(problem))) from problem
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        raise SystemExit(_failed(f"{file}{error.strerror or error}")) from error


def _failed(words: str) -> int:
    note(f"mailsuite-notify: {clean(words)}")
    return CommandFailed.exit_code


def _places() -> Places:
    return places(os.environ)


def _passwords(use_keyring: bool = True) -> Passwords:
    from mailsuite.client.passwords import Passwords  # noqa: PLC0415 - keeps --help fast

    return Passwords(_places(), use_keyring)


def _settings() -> tuple[Preferences, tuple[Account, ...]]:
    from mailsuite.client.settings import Preferences, accounts  # noqa: PLC0415 - keeps --help fast

    home = _places()
    return Preferences.read(home.settings), accounts(home)


def _found(known: tuple[Account, ...], passwords: Passwords) -> dict[Account, str]:
    """Of those accounts whose password is there; of the others it is told why not."""
    from mailsuite.client.passwords import NoPassword  # noqa: PLC0415

    found = {}
    for account in known:
        try:
            found[account] = passwords.find(account.address)
        except NoPassword as error:
            note(clean(str(error)))
    return found


def _react(main: Callable[[Any], Coroutine[Any, Any, None]], then: Callable[[], None] = lambda: None) -> None:
    """Run *main* with the reactor, then *then*, then end with what was raised."""
    from twisted.internet.task import react  # noqa: PLC0415

    try:
        react(main)
    except SystemExit as end:
        if end.code:
            raise
    then()


def _now() -> datetime:
    return datetime.now().astimezone()
