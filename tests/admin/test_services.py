"""``/v1/services``, octet for octet, over real services."""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock
from twisted.web.server import Site

from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.admin.services import AllServices
from mailsuite.concurrent.tasks import Tasks
from mailsuite.config.load import load
from tests.admin.asking import Asked
from tests.services.case import ServicesCase

CONFIG = """
[server]
name = "mail.example.test"
admin = "joe@example.test"
state = "{state}"
[pop3]
max_connections = 7
"""


class ServicesApiTests(ServicesCase):
    def setUp(self) -> None:
        super().setUp()
        file = self.folder / "mailsuite.toml"
        file.write_text(CONFIG.format(state=self.folder / "state"))
        config = load(file, {}).accepted()
        tasks = Tasks(lambda failure: self.log.failure("tasks.failed", failure))
        root = Missing()
        root.putChild(b"services", AllServices(Desk(self.log, tasks), self.services, lambda: config))
        self.site = Site(root, BoundedRequest, reactor=Clock())

    def ask(self, method: str, name: str, body: object = None) -> Asked:
        asked = Asked(self.site, method, f"/services/{name}", body)
        self.reactor.advance(0)
        return asked

    def act(self, action: str, name: str = "pop3", **more: object) -> tuple[int, Any]:
        return self.ask("POST", name, {"action": action, **more}).answer

    def test_all(self) -> None:
        status, document = self.ask("GET", "").answer
        self.assertEqual(status, 200)
        shown = {each["service"]: (each["state"], each["limit"]) for each in document["services"]}
        self.assertEqual(shown["pop3"], ("running", 7))
        self.assertEqual(list(shown), ["smtp", "submission", "lmtp", "pop3", "notify"])
        self.assertEqual(Asked(self.site, "GET", "/services").answer[0], 200)

    def test_one(self) -> None:
        status, document = self.ask("GET", "pop3").answer
        self.assertEqual(status, 200)
        self.assertEqual(
            document["service"]["listeners"],
            [
                {"name": "pop", "addresses": ["127.0.0.1:110"], "tls": "off"},
                {"name": "pops", "addresses": ["127.0.0.1:995"], "tls": "off"},
            ],
        )

    def test_a_stop_is_answered_when_nobody_comes_in_any_more(self) -> None:
        _, wire = self.enter(110)
        status, document = self.act("stop")
        self.assertEqual((status, document["sessions_before"]), (200, 1))
        self.assertEqual((document["service"]["state"], document["service"]["listeners"]), ("draining", []))
        self.assertEqual((self.at(), wire.value()), (["127.0.0.1 25"], b"hello\n"))
        self.assertEqual(self.act("stop", now=True)[1]["sessions_before"], 1)
        self.assertTrue(wire.value().endswith(b"going\n"))

    def test_a_start(self) -> None:
        self.act("stop")
        status, document = self.act("start")
        self.assertEqual((status, document["service"]["state"]), (200, "running"))

    def test_a_restart_is_answered_when_it_runs_again(self) -> None:
        session, _ = self.enter(110)
        asked = self.ask("POST", "pop3", {"action": "restart"})
        self.assertFalse(asked.is_answered)
        self.leave(session)
        status, document = asked.answer
        self.assertEqual((status, document["sessions_before"]), (200, 1))
        self.assertEqual(document["service"]["state"], "running")

    def test_what_cannot_be(self) -> None:
        words = "there is no service 'imap'; there are smtp, submission, lmtp, pop3, notify"
        self.assertEqual(self.ask("GET", "imap").answer, (404, {"error": words}))
        self.assertEqual(self.act("stop", "imap"), (404, {"error": words}))
        self.assertEqual(self.act("explode"), (400, {"error": "action is none of start, stop, restart"}))
        self.assertEqual(self.ask("POST", "pop3", {}).answer, (400, {"error": "action is missing"}))
        self.assertEqual(self.act("stop", now="yes"), (400, {"error": "now is neither true nor false"}))
        self.assertEqual(self.ask("DELETE", "pop3").answer[0], 405)
        self.assertEqual(self.ask("GET", "pop3/x").answer[0], 404)
        self.assertEqual(len(self.at()), 3)

    def test_a_busy_port_is_a_conflict(self) -> None:
        self.act("stop")
        self.reactor.listenTCP(110, None, interface="127.0.0.1")
        status, document = self.act("start")
        self.assertEqual(status, 409)
        self.assertIn("listener pop: cannot listen on 127.0.0.1 port 110", document["error"])

    def test_a_server_that_stops(self) -> None:
        self.services.end()
        self.assertEqual(self.act("stop"), (503, {"error": "the server is stopping"}))
