"""The router that a configuration asks for."""

from __future__ import annotations

from mailsuite.config.schema import Config
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.srs import SenderRewriting
from mailsuite.interfaces import IAccountDirectory
from mailsuite.model.turns import Turn, go_on


def configured_router(
    config: Config,
    directory: IAccountDirectory,
    limits: CatchAllLimits | None,
    *,
    sends: bool = False,
    turn: Turn = go_on,
    rewriting: SenderRewriting | None = None,
) -> Router:
    """*limits* outlive the configuration. *sends*: somebody takes mail for other servers. Without
    *rewriting* senders stay as they are."""
    rules = RoutingRules(
        delimiters=config.smtp.recipient_delimiter,
        catch_all=config.delivery.unknown_user,
        catch_all_rate=config.delivery.catch_all_rate,
        rewrites=config.delivery.rewrite_forwarded_senders,
        sends=sends,
    )
    return Router(directory, config.server.name, config.server.admin, rules, limits, turn, rewriting)
