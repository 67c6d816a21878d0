"""The commented example, made from the schema: ``mailsuite config example`` and etc/mailsuite.toml."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Any, Final

from mailsuite.config.declare import Blocks, Section, Setting, declarations
from mailsuite.config.kinds import toml_text
from mailsuite.config.schema import Config

_WIDTH: Final = 96

_HEAD: Final = """\
# mailsuite.toml: everything you decide about this server.
# The server never rewrites this file. Files in conf.d/ beside it are read after it, by name; then come
# environment variables such as MAILSUITE_POP3__IDLE_TIMEOUT, then --set on the command line.
# `mailsuite config show --origin` prints where each value came from, `mailsuite config explain KEY` more
# about each. A setting that is left out has its default.
# Times: "30s" "10m" "2h" "5d".  Sizes: "64KiB" "25MiB" "2GiB".
# A line that begins with # and no blank is a setting with an example value, to be used without the #.

"""

_BLOCK_NOTES: Final = {
    "listener": (
        "One block for each door. Any key of the service's own section (banner, idle_timeout, auth, "
        "trusted_networks ...) may stand in a listener block too, and wins there. Without any block the "
        "server listens on high ports of 127.0.0.1 only: 2525, 2587, 2465, 2110, 2995 and 8443."
    ),
    "certificate": (
        "One block for each further certificate. A client that names one of its host names gets it, on every "
        "listener; all others get the one of the listener, or of [tls]."
    ),
    "relay": (
        "Mail for some domains, or for all, goes to another server than the one in the DNS, or is treated "
        "otherwise. The first block that matches is used; where none does, mail goes straight to the "
        "domain's own servers (MX)."
    ),
    "notify.command": (
        "One block for each program. It runs as the server's user, with nothing of its environment; a "
        "subscription with the channel exec names it."
    ),
    "domain": "The domains whose mail is ours. `mailsuite domain add` makes more, without this file.",
    "account": (
        "Accounts may stand here, for tests, images and configuration management, or be made with "
        "`mailsuite account add`; both kinds work together. A password itself never stands in this file."
    ),
    "account.device": (
        "Device passwords: one for each mail program, so that each can be taken away alone. They follow the "
        "[[account]] they belong to; `mailsuite device add` makes more, also for accounts of this file."
    ),
    "source": (
        "Other places that know passwords: a passwd-file, PAM, a web server, LDAP, or any Twisted checker. "
        "They are asked, in this order, about accounts that exist here and have no password of their own. "
        "Each type reads some of these settings; the others stay out."
    ),
}

_FURTHER_LISTENERS: Final = (
    {"name": "mx", "service": "smtp", "port": 25, "tls": "starttls"},
    {"name": "submission", "service": "submission", "port": 587, "tls": "required-starttls"},
    {"name": "submissions", "service": "submission", "port": 465, "tls": "implicit"},
    {"name": "lmtp", "service": "lmtp", "socket": "/run/mailsuite/lmtp.sock", "enabled": False},
    {"name": "pop3", "service": "pop3", "port": 110, "tls": "starttls"},
    {"name": "pop3-alternate", "service": "pop3", "port": 2110, "tls": "starttls", "enabled": False},
    {"name": "notify", "service": "notify", "port": 8443, "tls": "implicit"},
)

_COMMENTED_OUT: Final = frozenset({"account", "certificate", "notify.command", "relay", "source"})
"""Blocks that would give somebody access, or need files, if they were copied as they stand."""


def example() -> str:
    """The whole example. It loads without an error as it is."""
    return "\n".join([_HEAD, *_table(Config, "")]) + "\n"


def example_value(declared: Setting) -> str:
    """The value that the example gives to a setting, in TOML form."""
    return toml_text(declared.default if declared.example is None else declared.example)


def _table(settings: type[Any], prefix: str, mark: str = "") -> Iterator[str]:
    known = declarations(settings)
    for declared in known.values():
        if isinstance(declared, Setting):
            yield from _setting(declared, mark)
    for name, declared in known.items():
        if isinstance(declared, Section):
            yield from _heading(declared.meaning)
            yield f"{mark}[{prefix}{name}]"
            yield from _table(declared.settings, f"{prefix}{name}.", mark)
        elif isinstance(declared, Blocks):
            yield from _heading(declared.meaning)
            table = prefix + name
            yield from _blocks(declared, table, "#" if table in _COMMENTED_OUT else "")


def _heading(title: str) -> list[str]:
    return ["", f"# {'-' * (_WIDTH - 3 - len(title))} {title}"]


def _setting(declared: Setting, mark: str = "", prefix: str = "") -> Iterator[str]:
    derived = f" Default: {declared.derived}." if declared.derived else ""
    yield from _comment(declared.meaning + derived)
    out = mark or ("" if declared.shown else "#")
    yield f"{out}{prefix}{declared.name} = {example_value(declared)}"


def _comment(text: str) -> list[str]:
    return textwrap.wrap(
        text,
        _WIDTH,
        initial_indent="# ",
        subsequent_indent="# ",
        break_on_hyphens=False,
        break_long_words=False,
    )


def _blocks(declared: Blocks, name: str, mark: str) -> Iterator[str]:
    """One block, and below it one of each kind that may stand within it."""
    yield from _comment(_BLOCK_NOTES[name])
    yield ""
    yield f"{mark}[[{name}]]"
    known = declarations(declared.settings).values()
    for one in known:
        if isinstance(one, Setting):
            yield from _setting(one, mark)
        elif isinstance(one, Section):
            for inner in declarations(one.settings).values():
                if isinstance(inner, Setting):
                    yield from _setting(inner, mark, f"{one.name}.")
    for one in known:
        if isinstance(one, Blocks):
            yield ""
            yield from _blocks(one, f"{name}.{one.name}", mark)
    if name == "listener":
        for further in _FURTHER_LISTENERS:
            yield from (
                "",
                "[[listener]]",
                *(f"{key} = {toml_text(value)}" for key, value in further.items()),
            )
