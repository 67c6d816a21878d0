"""Aliases and routes of the running server, or of the store itself where no server runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

import attrs

from mailsuite.cli.context import CommandFailed, Context
from mailsuite.cli.control import Control, Document, resource
from mailsuite.cli.directory import Directory, OfServer, OfStore, asked
from mailsuite.cli.terminal import clean

if TYPE_CHECKING:
    from mailsuite.accounts.aliases import AliasRegistry, AliasResult, ImportedAlias

PATIENCE = 120.0
"""Seconds for one request."""


class AliasDesk(Protocol):
    """What the commands do with aliases. Every method raises CommandFailed."""

    def aliases(self, target: str | None) -> list[Document]: ...

    def alias(self, address: str) -> Document: ...

    def add(self, address: str, targets: Sequence[str]) -> tuple[Document, bool]: ...

    def remove(self, address: str, targets: Sequence[str]) -> Document: ...

    def take(
        self, aliases: Sequence[ImportedAlias], *, overwrite: bool, dry_run: bool
    ) -> list[AliasResult]: ...

    def route(self, address: str, client: str = "", listener: str = "") -> Document: ...


@attrs.frozen
class AliasesOfServer:
    """The running server does it, so that it takes effect at once."""

    control: Control

    def aliases(self, target: str | None) -> list[Document]:
        question = "" if target is None else f"?target={quote(target, errors='surrogateescape')}"
        return list(self.control.get(resource("aliases") + question)["aliases"])

    def alias(self, address: str) -> Document:
        return self.control.get(resource("aliases", address))

    def add(self, address: str, targets: Sequence[str]) -> tuple[Document, bool]:
        done = self.control.post(resource("aliases"), {"address": address, "targets": list(targets)})
        return done, done["made"]

    def remove(self, address: str, targets: Sequence[str]) -> Document:
        where = resource("aliases", address)
        return self.control.patch(where, {"remove": list(targets)}) if targets else self.control.delete(where)

    def take(self, aliases: Sequence[ImportedAlias], *, overwrite: bool, dry_run: bool) -> list[AliasResult]:
        from mailsuite.accounts.aliases import AliasResult, alias_to_json  # noqa: PLC0415 - keeps --help fast

        control = attrs.evolve(self.control, timeout=PATIENCE)
        body = {"aliases": list(map(alias_to_json, aliases)), "overwrite": overwrite, "dry_run": dry_run}
        return [AliasResult(**one) for one in control.post(resource("aliases", "import"), body)["results"]]

    def route(self, address: str, client: str = "", listener: str = "") -> Document:
        asked_for = {"address": address, "client": client, "listener": listener}
        return self.control.post(resource("route"), {name: text for name, text in asked_for.items() if text})


@attrs.frozen
class AliasesOfStore:
    """The same over the store itself, whose lock is held meanwhile."""

    registry: AliasRegistry
    context: Context

    def aliases(self, target: str | None) -> list[Document]:
        return asked(self.registry.aliases(target))

    def alias(self, address: str) -> Document:
        return asked(self.registry.alias(address))

    def add(self, address: str, targets: Sequence[str]) -> tuple[Document, bool]:
        return asked(self.registry.add(address, targets))

    def remove(self, address: str, targets: Sequence[str]) -> Document:
        return asked(self.registry.remove(address, targets))

    def take(self, aliases: Sequence[ImportedAlias], *, overwrite: bool, dry_run: bool) -> list[AliasResult]:
        return asked(self.registry.take(aliases, overwrite=overwrite, dry_run=dry_run))

    def route(self, address: str, client: str = "", listener: str = "") -> Document:
        from mailsuite.admin.hearings import HearingError, hearing_document  # noqa: PLC0415
        from mailsuite.delivery.route_report import route_document  # noqa: PLC0415 - keeps --help fast
        from mailsuite.delivery.routing import configured_router  # noqa: PLC0415
        from mailsuite.model.address import Address, AddressSyntaxError  # noqa: PLC0415
        from mailsuite.policy.configured import all_sender_rules  # noqa: PLC0415
        from mailsuite.policy.hearing import Question  # noqa: PLC0415
        from mailsuite.policy.sender_files import SenderListError, prepared  # noqa: PLC0415

        try:
            wanted = Address.parse(address) if "@" in address else Address(address, "")
        except AddressSyntaxError as error:
            raise CommandFailed(f"{clean(address)!r} is no address: {error}") from error
        config = self.context.config
        router = configured_router(config, self.registry.directory, None, sends=config.queue.takes)
        found = asked(router.explain(wanted))
        document = route_document(wanted, found)
        if client:
            try:
                lists = prepared(all_sender_rules(config))
                question = Question(wanted, found, router.rules.sends, config.server.name, lists)
                heard = asked(hearing_document(config, question, client, listener))
            except (HearingError, SenderListError) as error:
                raise CommandFailed(clean(str(error))) from error
            document["hearing"] = heard
        return document


def alias_desk(context: Context, directory: Directory) -> AliasDesk:
    """Of the one that open_directory() gave."""
    if isinstance(directory, OfServer):
        return AliasesOfServer(directory.control)
    assert isinstance(directory, OfStore)  # noqa: S101 - there is no third
    from mailsuite.accounts.aliases import AliasRegistry  # noqa: PLC0415 - keeps --help fast

    registry = AliasRegistry(directory.office.registry.directory, lambda: context.config.queue.takes)
    return AliasesOfStore(registry, context)


def route_reason(document: dict[str, Any]) -> str:
    """What becomes of the mail, in a sentence."""
    copies = [str(copy["account"]) for copy in document["copies"]]
    if document["kind"] in _ENDS:
        return _ENDS[document["kind"]]
    return f"goes to {', '.join([*copies, *document['remotes']])}"


_ENDS = {
    "discarded": "is taken and thrown away",
    "remote": "is not for us: its domain is not ours",
    "unknown": "is refused: there is nobody of that name",
    "off": "is refused: the account is off",
    "loop": "is refused for now: it leads round, and to nobody who keeps it",
    "stranded": "is refused for now: it leads to nobody who takes it",
    "limited": "is refused for now: the catch-all has had as many as it may have",
}
