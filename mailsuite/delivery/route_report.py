"""A route as JSON has it; the shape is part of the control API."""

from __future__ import annotations

from typing import Any

from mailsuite.model.address import Address
from mailsuite.model.facts import Route, RouteKind


def route_document(recipient: Address, route: Route) -> dict[str, Any]:
    """Where mail for *recipient* goes, and by which steps."""
    discards = route.kind is RouteKind.LOCAL and not (route.copies or route.remotes)
    return {
        "address": str(recipient),
        "kind": "discarded" if discards else route.kind.value,
        "copies": [{"account": str(copy.account), "as": str(copy.recipient)} for copy in route.copies],
        "remotes": [str(remote) for remote in route.remotes],
        "dead_end": None if route.dead_end is None else str(route.dead_end),
        "steps": list(route.steps),
    }
