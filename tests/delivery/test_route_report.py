"""A route as JSON has it."""

from __future__ import annotations

from mailsuite.delivery.route_report import route_document
from mailsuite.model.address import Address
from mailsuite.model.facts import Copy, Route, RouteKind

JOE, TAGGED, FAR = Address("joe", "a.example"), Address("joe+x", "a.example"), Address("z", "far.example")


def test_where_it_goes() -> None:
    route = Route(RouteKind.LOCAL, (Copy(JOE, TAGGED),), (FAR,), JOE, ("one", "two"))
    assert route_document(TAGGED, route) == {
        "address": "joe+x@a.example",
        "kind": "local",
        "copies": [{"account": "joe@a.example", "as": "joe+x@a.example"}],
        "remotes": ["z@far.example"],
        "dead_end": "joe@a.example",
        "steps": ["one", "two"],
    }


def test_nowhere() -> None:
    assert route_document(JOE, Route(RouteKind.OFF))["kind"] == "off"
    assert route_document(JOE, Route(RouteKind.LOCAL))["kind"] == "discarded"
    assert route_document(JOE, Route(RouteKind.LOCAL, remotes=(FAR,)))["kind"] == "local"
    assert route_document(JOE, Route(RouteKind.OFF))["dead_end"] is None
