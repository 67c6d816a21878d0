"""``mailsuite password-hash``: what stands in the configuration file instead of a password."""

from __future__ import annotations

import click

from mailsuite.cli.passwords import PasswordSource, password_options, reveal
from mailsuite.cli.terminal import note


@click.command("password-hash")
@password_options(generate=True)
def password_hash(password: PasswordSource) -> None:
    """Print the argon2id hash of a password, for password_hash under [[account]].

    With --generate the password goes to stderr and the hash to stdout.
    """
    secret = password.read(confirm=True)
    from mailsuite.accounts.generate import generate_password  # noqa: PLC0415 - keeps the prompt fast
    from mailsuite.accounts.passwords import PasswordRefused, Passwords  # noqa: PLC0415
    from mailsuite.concurrent.now import run_now  # noqa: PLC0415
    from mailsuite.concurrent.threads import Inline  # noqa: PLC0415

    text = reveal(secret) or generate_password()
    try:
        click.echo(run_now(Passwords(Inline()).hash(text)))
    except PasswordRefused as error:
        raise click.UsageError(str(error)) from error
    if secret is None:
        note(f"Password, shown once:  {text}")
