"""The router that a configuration asks for."""

from __future__ import annotations

from pathlib import Path

from mailsuite.accounts.vault import Vault
from mailsuite.concurrent.now import run_now
from mailsuite.config.load import load
from mailsuite.delivery.router import Router
from mailsuite.delivery.routing import configured_router
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.file_accounts import file_directory
from mailsuite.keys import inline_passwords, inline_vault
from mailsuite.model.address import Address
from mailsuite.model.facts import RouteKind
from mailsuite.state import State

CONFIG = r"""
[server]
name = "mail.example.net"
admin = "joe@example.net"
[smtp]
recipient_delimiter = "-"
[delivery]
unknown_user = "catchall:ann@example.net"
catch_all_rate = "1/1h"
[[domain]]
name = "example.net"
aliases = { sales = ["joe", "ann"], bin = ":discard" }
alias_patterns = { 'team-(.+)' = '\1' }
[[domain]]
name = "example.org"
same_as = "example.net"
catch_all = "none"
[[account]]
address = "joe@example.net"
[[account]]
address = "ann@example.net"
"""


def router(folder: Path, text: str = CONFIG, **more: bool) -> Router:
    (folder / "mailsuite.toml").write_text(text)
    (folder / "state").mkdir(exist_ok=True)
    config = load(folder / "mailsuite.toml", {}).accepted()
    vault: Vault = inline_vault(State(folder / "state"))
    directory = run_now(file_directory(config, inline_passwords(), vault))
    return configured_router(config, directory, CatchAllLimits(lambda: 0.0), **more)


def reached(router: Router, recipient: str) -> list[str]:
    route = run_now(router.route(Address.parse(recipient)))
    return [str(copy.recipient) for copy in route.copies] or [route.kind.value]


def test_what_stands_in_the_file_is_obeyed(tmp_path: Path) -> None:
    found = router(tmp_path)
    joe, ann = "joe@example.net", "ann@example.net"
    assert reached(found, "sales@example.net") == [joe, ann]
    assert reached(found, "sales@example.org") == [joe, ann]
    assert reached(found, "joe-x@example.net") == ["joe-x@example.net"]
    assert reached(found, "team-ann@example.net") == [ann]
    assert reached(found, "abuse@example.org") == [joe]
    assert reached(found, "bin@example.net") == ["local"]
    assert reached(found, "joe+x@example.net") == [ann]
    assert reached(found, "gone@example.net") == ["limited"]


def test_who_sends_is_said_apart(tmp_path: Path) -> None:
    assert not router(tmp_path).rules.sends
    far = run_now(router(tmp_path, sends=True).route(Address("x", "far.example")))
    assert (far.kind, far.remotes) == (RouteKind.REMOTE, (Address("x", "far.example"),))


def test_senders_are_rewritten_unless_somebody_says_no(tmp_path: Path) -> None:
    assert router(tmp_path).rules.rewrites
    off = CONFIG.replace("[delivery]", "[delivery]\nrewrite_forwarded_senders = false")
    assert not router(tmp_path, off).rules.rewrites
