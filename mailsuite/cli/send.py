"""``mailsuite send``: a message of one's own, handed over by SMTP."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Any, Final

import attrs
import click

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Document, resource
from mailsuite.cli.options import json_option, quiet_option
from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.peer import Peer, Scheme, parse_peer, peer_failures, tls_context
from mailsuite.cli.smtp import Login, Outcome, Submission, TlsUse, submit, wire_form
from mailsuite.cli.terminal import clean, note, print_json
from mailsuite.model.address import Address, AddressSyntaxError

SCHEMES: Final = {
    "smtp": Scheme(25),
    "smtps": Scheme(465, implicit_tls=True),
    "submission": Scheme(587),
    "submissions": Scheme(465, implicit_tls=True),
}
_EVERYWHERE: Final = {"*": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - not bound here
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
"""How a message begins (RFC 5322 section 2.2)."""


class AddressType(click.ParamType[Address]):
    """A mail address in ASCII."""

    name = "address"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Address:
        try:
            address = value if isinstance(value, Address) else Address.parse(value)
        except AddressSyntaxError as error:
            self.fail(f"{value!r} is no mail address: {error}", param, ctx)
        if not address.is_ascii:
            self.fail(f"{value!r}: SMTPUTF8, which such a name needs, is not spoken here", param, ctx)
        return address


@attrs.frozen
class Letter:
    """What the person wants to be sent."""

    sender: Address | None
    recipients: tuple[Address, ...]
    subject: str | None
    text: str | None
    file: str | None

    def octets(self) -> bytes:
        """The whole message in wire form. Raises CommandFailed."""
        return self._given(self.file) if self.file is not None else self._written()

    def _given(self, file: str) -> bytes:
        try:
            message = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        except OSError as error:
            raise CommandFailed(f"{clean(file)}: {error.strerror}") from error
        if not _FIELD.match(message):
            raise CommandFailed(f"{clean(file)}: this is no message with a header; --text sends a plain text")
        return wire_form(message)

    def _written(self) -> bytes:
        try:
            return wire_form(self._composed().as_bytes())
        except ValueError as error:  # a line end in the subject, or octets that were no UTF-8
            raise click.UsageError(f"no message can be made of this subject and text: {error}") from error

    def _composed(self) -> EmailMessage:
        message = EmailMessage(SMTP)
        message["From"] = str(self.sender or "postmaster@localhost")
        message["To"] = ", ".join(map(str, self.recipients))
        message["Subject"] = "A message from mailsuite send" if self.subject is None else self.subject
        message["Date"] = formatdate(localtime=True)
        message["Message-ID"] = make_msgid(domain=(self.sender or self.recipients[0]).domain)
        text = "If you read this, it works." if self.text is None else self.text
        message.set_content(text, cte="quoted-printable")
        return message


def _message_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.argument("file", required=False),
        click.option("--text", help="The text of the message."),
        click.option("--subject", help="The subject."),
        click.option("--null-sender", is_flag=True, help="Send from <>, as a bounce does."),
        click.option(
            "--from", "sender", type=AddressType(), help="The sender; else --user, else the first --to."
        ),
        click.option(
            "--to", "recipients", type=AddressType(), multiple=True, required=True, help="A recipient."
        ),
    ):
        command = option(command)
    return command


def _session_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--transcript", is_flag=True, help="Show the dialogue on stderr, without the password."),
        click.option("--insecure", is_flag=True, help="Take any certificate."),
        click.option(
            "--tls",
            "use",
            type=click.Choice(("off", "starttls", "required")),
            help="Whether to use STARTTLS: never, where it is offered (smtp://), or else not at all "
            "(submission://, and wherever a password is sent).",
        ),
        click.option("--user", default="", help="Log in as this user."),
        click.option(
            "--server",
            metavar="URL",
            help="smtp://HOST[:PORT], smtps://, submission://USER@HOST or submissions://; else the running "
            "server on this machine.",
        ),
    ):
        command = option(command)
    return command


@click.command("send")
@_session_options
@_message_options
@password_options()
@json_option
@quiet_option
@click.pass_obj
def send(
    context: Context,
    *,
    recipients: tuple[Address, ...],
    sender: Address | None,
    null_sender: bool,
    subject: str | None,
    text: str | None,
    file: str | None,
    server: str | None,
    user: str,
    password: PasswordSource,
    use: TlsUse | None,
    insecure: bool,
    transcript: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    """Send a message: a text, or FILE ("-": stdin), which is a whole message with its header.

    Certificates are checked, but for servers on this machine.
    """
    if file is not None and (text is not None or subject is not None):
        raise click.UsageError("FILE is a whole message: --text and --subject have no place in it")
    if file == "-" and password.stdin:
        raise click.UsageError("stdin cannot be both the message and the password")
    peer = parse_peer(server, SCHEMES) if server else own_server(context, bool(user))
    if peer.implicit_tls and use == "off":
        raise click.UsageError(f"{peer} speaks TLS from the first octet; --tls off cannot be")
    user = user or peer.user
    login = _login(peer, user, password)
    origin = None if null_sender else sender or _own_address(user) or recipients[0]
    letter = Letter(origin, recipients, subject, text, file)
    submission = Submission(letter.sender, recipients, letter.octets())
    if use is None:
        use = "required" if login is not None or peer.scheme == "submission" else "starttls"
    with peer_failures(peer):
        outcome = submit(
            peer,
            submission,
            use,
            tls_context(peer, insecure),
            login=login,
            listener=note if transcript else _nobody,
        )
    _tell(peer, submission, outcome, as_json, quiet)
    if outcome.refused:
        raise SystemExit(CommandFailed.exit_code)


def _nobody(line: str) -> None:
    """Listens to nothing."""


def _login(peer: Peer, user: str, password: PasswordSource) -> Login | None:
    if not user:
        if password.named:
            raise click.UsageError("a password needs a user: --user, or submission://USER@HOST")
        return None
    return Login(user, reveal(password.read(f"Password of {clean(user)} at {peer}")) or "")


def _own_address(user: str) -> Address | None:
    try:
        address = Address.parse(user)
    except AddressSyntaxError:
        return None
    return address if address.is_ascii else None


def own_server(context: Context, with_login: bool) -> Peer:
    """The running server's door for mail, or for submission where somebody logs in."""
    wanted = "submission" if with_login else "smtp"
    for service in context.control.get(resource("status"))["services"]:
        for listener in service["listeners"] if service["service"] == wanted else ():
            if listener["addresses"]:
                return _listening(wanted, listener)
    raise CommandFailed(f"the running server has no open {wanted} listener; name one with --server")


def _listening(scheme: str, listener: Document) -> Peer:
    host, _, port = listener["addresses"][0].rpartition(":")
    host = host.strip("[]")
    return Peer(scheme, _EVERYWHERE.get(host, host), int(port), listener["tls"] == "implicit")


def _tell(peer: Peer, submission: Submission, outcome: Outcome, as_json: bool, quiet: bool) -> None:
    refused = dict(outcome.refused)
    if as_json:
        print_json(
            {
                "server": str(peer),
                "tls": outcome.tls,
                "accepted": [str(one) for one in submission.recipients if one not in refused],
                "refused": [{"address": str(one), "reply": str(why)} for one, why in outcome.refused],
                "reply": str(outcome.answer),
                "queue_id": outcome.queue_id,
                "seconds": round(outcome.seconds, 6),
            }
        )
        return
    for recipient, why in outcome.refused:
        note(f"refused   {clean(str(recipient))}: {why}")
    if not quiet:
        click.echo(f"accepted  {outcome.answer}")
        click.echo(f"          by {peer}, {outcome.tls}, in {outcome.seconds * 1000:.0f} ms")
