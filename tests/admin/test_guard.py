"""Bans and access lists by the control API."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from twisted.web.server import Site

from mailsuite.admin.access import Access
from mailsuite.admin.bans import BanList
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.threads import Inline
from mailsuite.concurrent.watch import FileWatch
from mailsuite.directory.bans import MemoryBans
from mailsuite.model.access import parse_entry, parse_network
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.observe.log import Log
from mailsuite.policy.access import AccessRules
from mailsuite.policy.access_files import AccessLists
from mailsuite.policy.bans import BanRules, Bans
from tests.admin.test_api import ApiCase

BAD = "198.51.100.7"


class GuardCase(ApiCase):
    def setUp(self) -> None:
        super().setUp()
        log = Log(lambda line, level: self.lines.append(line))
        self.store = MemoryBans()
        rules = BanRules(900.0, 86400.0, (parse_network("192.0.2.0/24"),))
        self.bans = Bans(self.store, lambda: 1000.0 + self.clock.seconds(), log, rules)
        self.lists = AccessLists(Inline(), FileWatch(Inline(), self.clock, log), log)
        entries = tuple(map(parse_entry, ("203.0.113.0/24", "deny 2001:db8::/32")))
        wanted = {"pop3s": AccessRules("pop3.access", entries=entries), "mx": AccessRules("smtp.access")}
        self.lists.turn(run_now(self.lists.prepare(wanted)))
        self.services = {"pop3s": "pop3", "mx": "smtp", "figures": "metrics"}
        desk, version, root = Desk(log, self.tasks), Missing(), Missing()
        version.putChild(b"bans", BanList(desk, self.bans))
        version.putChild(b"access", Access(desk, self.lists, self.bans, lambda: self.services))
        root.putChild(b"v1", version)
        self.site = Site(root, BoundedRequest, timeout=60.0, reactor=self.clock)
        self.site.displayTracebacks = False
        self.site.log = lambda request: None  # type: ignore[method-assign]
        self.wire = self.connect()

    def refused(self, method: str, path: str, body: object = None) -> tuple[int, str]:
        answer = self.ask(method, path, body)
        return answer.status, answer.document["error"]


class BansByHand(GuardCase):
    def listed(self) -> list[dict[str, Any]]:
        answer = self.ask("GET", "/v1/bans")
        self.assertEqual(answer.status, 200)
        bans: list[dict[str, Any]] = answer.document["bans"]
        return bans

    def test_the_life_of_a_ban(self) -> None:
        self.assertEqual(self.listed(), [])
        asked = {"network": "198.51.100.0/24", "for": "2h", "detail": "a noisy neighbour"}
        added = self.ask("POST", "/v1/bans", asked)
        ban = {
            "network": "198.51.100.0/24",
            "reason": "by-hand",
            "since": 1000.0,
            "until": 8200.0,
            "times": 1,
            "detail": "a noisy neighbour",
        }
        self.assertEqual((added.status, added.document), (201, {"ban": ban}))
        self.assertEqual((self.listed(), self.ask("GET", "/v1/bans/").document), ([ban], {"bans": [ban]}))
        self.assertTrue(self.bans.is_banned(ip_address(BAD)))
        lifted = self.ask("DELETE", "/v1/bans/198.51.100.0%2F24")
        self.assertEqual((lifted.status, lifted.document), (200, {"ban": ban}))
        self.assertEqual(self.listed(), [])
        events = [line.split()[2] for line in self.lines]
        self.assertEqual(events, ["guard.banned", "guard.lifted"])

    def test_a_day_unless_it_is_said(self) -> None:
        self.ask("POST", "/v1/bans", {"network": BAD})
        self.ask("POST", "/v1/bans", {"network": "2001:db8::7", "for": "until-restart"})
        self.assertEqual(
            {ban["network"]: ban["until"] for ban in self.listed()}, {BAD: 87400.0, "2001:db8::7": None}
        )

    def test_one_that_was_made_by_itself_is_lifted_by_the_address(self) -> None:
        self.bans.reporter("pop3", "pop3s")(ip_address("2001:db8::7"), 4711, "oversize-command", 513, b"A")
        (ban,) = self.listed()
        self.assertEqual((ban["network"], ban["reason"]), ("2001:db8::/64", "oversize-command"))
        self.assertEqual(self.ask("DELETE", "/v1/bans/2001:db8::9").status, 200)
        self.assertEqual(self.listed(), [])

    def test_what_is_not_banned_is_told_apart(self) -> None:
        self.assertEqual(self.refused("DELETE", f"/v1/bans/{BAD}"), (404, f"{BAD} is not banned"))
        self.bans.add(parse_network("198.51.100.0/24"), 60.0)
        words = f"{BAD} is banned with all of 198.51.100.0/24, which can be lifted as a whole only"
        self.assertEqual(self.refused("DELETE", f"/v1/bans/{BAD}"), (404, words))
        words = "198.51.0.0/16 is not banned"
        self.assertEqual(self.refused("DELETE", "/v1/bans/198.51.0.0%2F16"), (404, words))
        self.assertEqual(len(self.listed()), 1)

    def test_what_is_wrong_with_a_request(self) -> None:
        for body, words in (
            ({}, "network is missing"),
            ({"network": "mail.example.net"}, "'mail.example.net' is no IP address"),
            ({"network": "198.51.100.7/24"}, "has host bits set"),
            ({"network": BAD, "for": "soon"}, 'for example "30s", "10m" or "2h", or "until-restart"'),
            ({"network": BAD, "for": "0s"}, "out of range"),
            ({"network": BAD, "for": 3}, "for is no text"),
            ({"network": BAD, "detail": "x\n"}, "detail: "),
            ({"network": BAD, "detail": "x" * 201}, "too long"),
        ):
            status, error = self.refused("POST", "/v1/bans", body)
            self.assertEqual((status, words in error), (400, True), error)
        self.assertEqual(self.refused("DELETE", "/v1/bans/x")[0], 400)
        self.assertEqual(self.ask("PUT", "/v1/bans").status, 405)
        self.assertEqual(self.ask("GET", f"/v1/bans/{BAD}").status, 405)
        self.assertEqual(self.listed(), [])

    def test_who_is_never_banned(self) -> None:
        status, error = self.refused("POST", "/v1/bans", {"network": "192.0.2.7"})
        self.assertEqual((status, "is never banned" in error), (409, True))

    def test_a_store_that_cannot_forget(self) -> None:
        self.bans.add(parse_network(BAD), 60.0)
        self.store.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "disk full")
        self.assertEqual(self.ask("DELETE", f"/v1/bans/{BAD}").status, 503)
        self.assertEqual(len(self.listed()), 1)


class WouldItGetIn(GuardCase):
    def judge(self, question: str) -> dict[str, Any]:
        answer = self.ask("GET", f"/v1/access?{question}")
        self.assertEqual(answer.status, 200, answer.content)
        document: dict[str, Any] = answer.document
        return document

    def test_every_listener_is_asked(self) -> None:
        self.assertEqual(
            self.judge("address=203.0.113.9"),
            {
                "address": "203.0.113.9",
                "allowed": False,
                "ban": None,
                "listeners": [
                    {
                        "listener": "pop3s",
                        "service": "pop3",
                        "verdict": "denied",
                        "entry": "203.0.113.0/24",
                        "place": "pop3.access.list, entry 1",
                    },
                    {
                        "listener": "mx",
                        "service": "smtp",
                        "verdict": "allowed",
                        "entry": None,
                        "place": 'smtp.access.policy = "allow-all-except"',
                    },
                ],
            },
        )

    def test_one_listener_alone(self) -> None:
        document = self.judge("address=203.0.113.9&listener=mx")
        self.assertEqual((document["allowed"], len(document["listeners"])), (True, 1))

    def test_every_spelling_of_an_address(self) -> None:
        for spelling in ("2001:db8::7", "%5B2001%3Adb8%3A%3A7%5D", "2001:DB8:0:0::7"):
            document = self.judge(f"address={spelling}")
            self.assertEqual((document["address"], document["allowed"]), ("2001:db8::7", False))
        self.assertEqual(self.judge("address=::ffff:203.0.113.9")["address"], "203.0.113.9")

    def test_who_is_banned_gets_in_nowhere(self) -> None:
        self.bans.ban(ip_address(BAD), "oversize-command")
        document = self.judge(f"address={BAD}")
        self.assertEqual([each["verdict"] for each in document["listeners"]], ["banned", "banned"])
        self.assertEqual((document["allowed"], document["ban"]["reason"]), (False, "oversize-command"))
        self.assertIsNone(document["listeners"][0]["entry"])

    def test_what_is_wrong_with_a_question(self) -> None:
        for question, status, words in (
            ("", 400, "address: '' is no IP address"),
            ("address=mail.example.net", 400, "address: 'mail.example.net' is no IP address"),
            ("address=203.0.113.0/24", 400, "address: 203.0.113.0/24 is a network; ask about one address"),
            (
                "address=203.0.113.9&listener=figures",
                404,
                "there is no open listener 'figures'; there are: pop3s, mx",
            ),
        ):
            self.assertEqual(self.refused("GET", f"/v1/access?{question}"), (status, words))
        self.services = {}
        refused = self.refused("GET", "/v1/access?address=203.0.113.9&listener=mx")
        self.assertEqual(refused, (404, "there is no open listener 'mx'; there are: none"))
        self.assertEqual(self.ask("POST", "/v1/access").status, 405)
        self.assertEqual(self.ask("GET", "/v1/access/x").status, 404)
