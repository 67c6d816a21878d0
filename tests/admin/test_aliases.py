"""``/v1/aliases`` and ``/v1/route``, octet for octet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import Clock

from mailsuite.admin.aliases import MAX_IMPORTED
from mailsuite.admin.control import control_site
from mailsuite.admin.resources import Desk, Document
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.account import IPAddress
from mailsuite.observe.log import Log
from tests.accounts.offices import World, now
from tests.admin.asking import Asked
from tests.admin.operations import operations_of

SALES, JOE = "sales@example.test", "joe@example.test"


class Api:
    def __init__(self, folder: Path) -> None:
        self.lines: list[str] = []
        log = Log(lambda line, urgent: self.lines.append(line))
        self.world = World(folder)
        clock = Clock()
        operations = operations_of(clock, log, folder, self._nothing, self._reload)
        desk = Desk(log, Tasks(lambda failure: failure.raiseException()))
        self.site = control_site(clock, desk, self.world.office, operations)
        now(self.world.office.registry.add_account(JOE, "", None))
        self.lines.clear()

    async def _nothing(self) -> Document:
        return {}

    async def _reload(self, caller: IPAddress | None, force: bool) -> tuple[int, Document]:
        return 200, {}

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        return Asked(self.site, method, f"/v1/{path}", body).answer


@pytest.fixture
def api(tmp_path: Path) -> Api:
    return Api(tmp_path)


ALIAS = {"address": SALES, "targets": [JOE], "discards": False, "origin": "database"}


def test_an_alias_from_its_beginning_to_its_end(api: Api) -> None:
    added = api.ask("POST", "aliases", {"address": SALES, "targets": ["joe"]})
    assert added == (201, {"alias": ALIAS, "nobody": [], "made": True})
    status, changed = api.ask("POST", "aliases/", {"address": SALES, "targets": ["gone"]})
    assert (status, changed["made"], changed["nobody"]) == (200, False, ["gone@example.test"])
    assert api.ask("GET", "aliases") == (200, {"aliases": [changed["alias"]]})
    assert api.ask("GET", f"aliases?target={JOE}") == (200, {"aliases": [changed["alias"]]})
    assert api.ask("GET", "aliases?target=x@example.test") == (200, {"aliases": []})
    assert api.ask("PATCH", f"aliases/{SALES}", {"remove": ["gone"]}) == (200, {"alias": ALIAS})
    assert api.ask("GET", f"aliases/{SALES}") == (200, {"alias": ALIAS, "aliases": [], "nobody": []})
    assert api.ask("DELETE", f"aliases/{SALES}") == (200, {"alias": None})
    assert api.ask("GET", f"aliases/{SALES}")[0] == 404
    assert [line.partition("alias.")[2].split()[0] for line in api.lines] == [
        "added",
        "changed",
        "changed",
        "removed",
    ]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "aliases", {"targets": []}, 400),
        ("POST", "aliases", {"address": SALES}, 400),
        ("POST", "aliases", {"address": SALES, "targets": [1]}, 400),
        ("POST", "aliases", {"address": JOE, "targets": ["x"]}, 409),
        ("PATCH", f"aliases/{SALES}", {"remove": []}, 400),
        ("PATCH", f"aliases/{SALES}", {"remove": [JOE]}, 404),
        ("DELETE", f"aliases/{SALES}", None, 404),
        ("PUT", "aliases", {}, 405),
        ("POST", "aliases/import", {}, 400),
        ("POST", "aliases/import", {"aliases": [{}] * (MAX_IMPORTED + 1)}, 400),
        ("POST", "aliases/import", {"aliases": [{}]}, 400),
        ("POST", "aliases/import", {"aliases": [], "dry_run": 1}, 400),
        ("POST", "route", {}, 400),
        ("POST", "route", {"address": "a b@example.test"}, 400),
        ("GET", "route", None, 405),
        ("POST", "route", {"address": JOE, "client": "192.0.2.0/24"}, 400),
        ("POST", "route", {"address": JOE, "client": 7}, 400),
        ("POST", "route", {"address": JOE, "client": "192.0.2.7", "listener": "pop3s"}, 400),
    ],
)
def test_what_is_refused(api: Api, method: str, path: str, body: object, status: int) -> None:
    answered, document = api.ask(method, path, body)
    assert (answered, set(document)) == (status, {"error"})
    assert not any("alias." in line for line in api.lines)


def test_aliases_are_imported(api: Api) -> None:
    aliases = [
        {"line": 1, "address": SALES, "targets": ["joe"]},
        {"line": 2, "address": JOE, "targets": ["x"]},
    ]
    for dry_run, logged in ((True, 0), (False, 1)):
        status, document = api.ask("POST", "aliases/import", {"aliases": aliases, "dry_run": dry_run})
        assert status == 200
        assert [one["outcome"] for one in document["results"]] == ["made", "refused"]
        assert len(api.lines) == logged
    assert "alias.imported" in api.lines[0]


def test_a_route_is_explained(api: Api) -> None:
    api.ask("POST", "aliases", {"address": SALES, "targets": ["joe"]})
    status, document = api.ask("POST", "route", {"address": "sales+x@example.test"})
    assert status == 200
    assert document == {
        "address": "sales+x@example.test",
        "kind": "local",
        "copies": [{"account": JOE, "as": "joe+x@example.test"}],
        "remotes": [],
        "dead_end": None,
        "steps": [
            f"sales+x@example.test: without its tag '+x' an alias, {SALES}, for {JOE}",
            f"{JOE}: an account, {JOE}, kept in the database: delivered to its maildrop",
        ],
    }
    assert api.ask("POST", "route", {"address": "postmaster"})[1]["copies"] == [{"account": JOE, "as": JOE}]


def test_mail_leaves_where_the_configuration_sends(api: Api) -> None:
    api.ask("POST", "aliases", {"address": SALES, "targets": ["eve@far.example"]})
    assert api.ask("POST", "route", {"address": SALES})[1]["remotes"] == ["eve@far.example"]


def test_what_a_client_hears(api: Api) -> None:
    asked = {"address": "eve@far.example", "client": "[::ffff:192.0.2.7]"}
    status, document = api.ask("POST", "route", asked)
    assert (status, document["kind"]) == (200, "remote")
    assert document["hearing"]["client"] == "192.0.2.7"
    assert not document["hearing"]["taken"]
    rows = {
        (each["service"], each["verdict"], each["reply"][:9]) for each in document["hearing"]["listeners"]
    }
    assert rows == {("smtp", "refused", "550 5.7.1"), ("submission", "login", "530 5.7.0")}
    assert "hearing" not in api.ask("POST", "route", {"address": "eve@far.example"})[1]
