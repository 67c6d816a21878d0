"""``/v1/notices`` and ``/v1/accounts/ADDRESS/notices``, octet for octet, over an office in memory."""

from __future__ import annotations

from typing import Any

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Site

from mailsuite.admin.control import control_site
from mailsuite.admin.notices import Notices, notices_resource, owners_notices_resource
from mailsuite.admin.notices_trial import result
from mailsuite.admin.resources import BoundedRequest, Desk, Missing
from mailsuite.concurrent.now import run_now
from mailsuite.concurrent.tasks import Tasks
from mailsuite.model.account import NotifyState
from mailsuite.model.address import Address
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE
from mailsuite.model.subscription import Attempt, Cursor, DeadLetter, SubscriptionState, preference_id
from mailsuite.notify.office import Caller
from mailsuite.observe.log import Log
from tests.admin.asking import Asked
from tests.admin.test_api import ApiCase
from tests.notify.fakes import account
from tests.notify.test_office import ANN, HOOK, JOE, NOON, House
from tests.notify.test_office import Desk as DispatcherDouble
from tests.notify.test_own_knocks import Doorstep

PHONE = Caller(JOE, "phone")
SECRET = "S3CRET"
OWNERS = "/joe"
ADMINS = "/notices"


class Ill(DispatcherDouble):
    """One who cannot tell just now."""

    async def tell_now(self, id: str) -> Attempt:
        raise TemporaryFailure(DIRECTORY_UNAVAILABLE, "not for others")


class NoticesCase(SynchronousTestCase):
    def setUp(self) -> None:
        self.house = House()
        self.lines: list[str] = []
        log = Log(lambda line, level: self.lines.append(line))
        self.tasks = Tasks(lambda failure: log.failure("tasks.failed", failure))
        desk = Desk(log, self.tasks)
        self.step, self.key = Doorstep(), "BPublicKey"
        self.step.seen()
        self.step.channel.at_once = "answered"
        self.accounts = {JOE, ANN}
        notices = Notices(self.house.office, self.step.knocks, lambda: self.key, self.exists)
        root = Missing()
        root.putChild(b"notices", notices_resource(desk, notices))
        root.putChild(b"joe", owners_notices_resource(desk, notices, str(JOE)))
        root.putChild(b"nobody", owners_notices_resource(desk, notices, "nobody@example.net"))
        self.site = Site(root, BoundedRequest, reactor=Clock())

    async def exists(self, account: Address) -> bool:
        return account in self.accounts

    def ask(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        return Asked(self.site, method, path, body).answer

    def refused(self, path: str, method: str = "GET", body: object = None) -> tuple[int, str]:
        status, document = self.ask(path, method, body)
        return status, document["error"]

    def made(self, account: Address = JOE, **fields: object) -> str:
        """The id of one that an administrator made, and that is active."""
        body = {**HOOK, "account": str(account), "verified": True, **fields}
        status, document = self.ask(ADMINS, "POST", body)
        self.assertEqual(status, 201, document)
        return str(document["subscription"]["id"])

    def state(self, id: str) -> str:
        return str(self.house.state(id).value)

    def tearDown(self) -> None:
        self.assertEqual(len(self.tasks), 0)
        self.assertNotIn(SECRET, "\n".join(self.lines + self.house.lines))


class ListTests(NoticesCase):
    def listed(self, question: str = "") -> list[str]:
        status, document = self.ask(f"{ADMINS}{question}")
        self.assertEqual(status, 200, document)
        return [each["id"] for each in document["subscriptions"]]

    def test_nothing_yet(self) -> None:
        nothing = {"subscriptions": [], "total": 0, "after": None}
        self.assertEqual(self.ask(ADMINS), (200, nothing))
        self.assertEqual(self.ask(f"{ADMINS}/"), (200, nothing))

    def test_whose_they_are_and_how_it_went(self) -> None:
        id = self.made(name="the shop", level="subject")
        (shown,) = self.ask(ADMINS)[1]["subscriptions"]
        self.assertEqual(
            {name: shown[name] for name in ("id", "account", "channel", "host", "name", "state", "told")},
            {
                "id": id,
                "account": str(JOE),
                "channel": "hook",
                "host": "a.example:443",
                "name": "the shop",
                "state": "active",
                "told": "sender",
            },
        )
        self.assertEqual(shown["health"]["sent"], 0)
        self.assertNotIn(SECRET, str(shown))

    def test_filters(self) -> None:
        ours, anns = self.made(), self.made(ANN, channel="quick")
        paused = self.made()
        self.ask(f"{ADMINS}/subscriptions/{paused}", "PATCH", {"state": "paused"})
        for question, expected in (
            ("", {ours, anns, paused}),
            ("?account=ann@EXAMPLE.net", {anns}),
            ("?channel=hook", {ours, paused}),
            ("?state=paused", {paused}),
            ("?state=active&channel=hook", {ours}),
            ("?account=nobody@example.net", set()),
        ):
            self.assertEqual(set(self.listed(question)), expected, question)

    def test_pages(self) -> None:
        made = {self.made() for _ in range(3)} | {self.made(ANN) for _ in range(2)}
        status, first = self.ask(f"{ADMINS}?count=2")
        self.assertEqual((status, first["total"]), (200, 5))
        self.assertEqual({each["account"] for each in first["subscriptions"]}, {str(ANN)})
        seen, after = [each["id"] for each in first["subscriptions"]], first["after"]
        while after is not None:
            page = self.ask(f"{ADMINS}?count=2&after={after.replace(' ', '+')}")[1]
            seen += [each["id"] for each in page["subscriptions"]]
            after = page["after"]
        self.assertEqual((len(seen), set(seen)), (5, made))

    def test_what_is_wrong_with_a_question(self) -> None:
        for question, words in (
            ("?state=asleep", "state is none of unverified, active, paused, suspended, dead"),
            ("?account=joe", "'joe' is no address: there is no @ in it"),
            ("?who=joe", "nothing here is called 'who'"),
            ("?count=0", "count is no number from 1 to 1000"),
        ):
            self.assertEqual(self.refused(f"{ADMINS}{question}"), (400, words))
        self.assertEqual(self.refused(f"{OWNERS}?account=ann@example.net")[0], 400)
        self.assertEqual(self.refused(ADMINS, "DELETE")[0], 405)

    def test_one_that_goes_while_the_page_is_made(self) -> None:
        stays, goes = sorted([self.made(), self.made()])
        waiting: Deferred[None] = Deferred()
        cap, asked = self.house.most, []

        async def slow(account: Address) -> Any:
            asked.append(account)
            if len(asked) == 1:
                await waiting
            return await cap(account)

        self.house.office.cap = slow
        listing = Asked(self.site, "GET", ADMINS)
        run_now(self.house.book.remove(goes))
        waiting.callback(None)
        status, document = listing.answer
        self.assertEqual((status, [each["id"] for each in document["subscriptions"]]), (200, [stays]))

    def test_the_directory_is_ill(self) -> None:
        self.made()

        async def ill(account: Address) -> Any:
            raise TemporaryFailure(DIRECTORY_UNAVAILABLE, "the disk is ill")

        self.house.office.cap = ill
        self.assertEqual(self.ask(ADMINS)[0], 503)


class MakingTests(NoticesCase):
    def test_a_target_has_to_show_that_it_wants_it_also_where_an_administrator_asks(self) -> None:
        status, document = self.ask(ADMINS, "POST", {**HOOK, "account": str(JOE)})
        self.assertEqual((status, document["subscription"]["state"]), (201, "unverified"))
        id, code = document["subscription"]["id"], self.house.hook.sent[0]
        wrong = self.refused(f"{ADMINS}/subscriptions/{id}/confirm", "POST", {"code": "0" * 32})
        self.assertEqual((wrong[0], "4 more" in wrong[1]), (400, True))
        status, document = self.ask(f"{ADMINS}/subscriptions/{id}/confirm", "POST", {"code": code})
        self.assertEqual((status, document["subscription"]["state"]), (200, "active"))

    def test_an_administrator_may_vouch_for_a_target_and_an_owner_may_not(self) -> None:
        self.assertEqual(self.state(self.made()), "active")
        self.assertEqual(self.house.hook.sent, [])
        status, words = self.refused(OWNERS, "POST", {**HOOK, "verified": True})
        self.assertEqual((status, "verified" in words), (400, True))
        self.assertEqual(len(self.house.book.all()), 1)

    def test_an_owner_has_a_limit_and_an_administrator_has_none(self) -> None:
        for _ in range(10):
            status, document = self.ask(OWNERS, "POST", HOOK)
            self.assertEqual(status, 201)
            self.ask(f"{OWNERS}/subscriptions/{document['subscription']['id']}", "DELETE")
        self.assertEqual(self.refused(OWNERS, "POST", HOOK)[0], 429)
        self.made()

    def test_a_new_code(self) -> None:
        id = self.ask(OWNERS, "POST", HOOK)[1]["subscription"]["id"]
        self.assertEqual(self.ask(f"{OWNERS}/subscriptions/{id}/code", "POST")[0], 200)
        first, second = self.house.hook.sent
        path = f"{OWNERS}/subscriptions/{id}/confirm"
        self.assertEqual(self.ask(path, "POST", {"code": first})[0], 400)
        self.assertEqual(self.ask(path, "POST", {"code": second})[0], 200)
        self.assertEqual(self.ask(f"{OWNERS}/subscriptions/{id}/code", "POST")[0], 409)

    def test_a_secret_that_was_made_here_is_told_once(self) -> None:
        self.house.hook.name = "webhook"
        self.house.office.channels = {"webhook": self.house.hook}
        status, document = self.ask(ADMINS, "POST", {**HOOK, "channel": "webhook", "account": str(JOE)})
        self.assertEqual((status, document["secret"][:6]), (201, "whsec_"))
        shown = self.ask(f"{ADMINS}/subscriptions/{document['subscription']['id']}")[1]
        self.assertNotIn("whsec_", str(shown))
        self.house.hook.name = "hook"
        self.house.office.channels = {"hook": self.house.hook}
        self.assertIsNone(self.ask(ADMINS, "POST", {**HOOK, "account": str(JOE)})[1]["secret"])

    def test_what_is_wrong_with_a_wish(self) -> None:
        whose = {"account": str(JOE)}
        for body, status, words in (
            ({}, 400, "account is missing"),
            ({"account": 3}, 400, "account is no text"),
            ({"account": "joe"}, 400, "there is no @ in it"),
            ({"account": "nobody@example.net"}, 404, "there is no account nobody@example.net"),
            (whose, 400, "channel is missing"),
            ({**whose, "channel": "pigeon"}, 400, "'pigeon' is not offered here; there are: hook, quick"),
            ({**whose, **HOOK, "verified": "yes"}, 400, "verified is neither true nor false"),
            ({**whose, **HOOK, "level": "all"}, 400, "level: "),
            ({**whose, **HOOK, "target": f"http://{SECRET}"}, 400, "target: expected a URL"),
        ):
            answer = self.refused(ADMINS, "POST", body)
            self.assertEqual((answer[0], words in answer[1]), (status, True), answer)
        self.assertEqual(self.refused("/nobody", "POST", HOOK)[0], 404)
        self.assertEqual(self.house.book.all(), ())


class OneTests(NoticesCase):
    def path(self, id: str, verb: str = "", whose: str = ADMINS) -> str:
        return f"{whose}/subscriptions/{id}{verb and '/'}{verb}"

    def test_it_is_shown_changed_and_removed(self) -> None:
        id = self.made()
        self.assertEqual(self.ask(self.path(id))[1]["subscription"]["level"], "count")
        changed = self.ask(self.path(id), "PATCH", {"level": "sender", "name": "x", "window": "30s"})
        self.assertEqual((changed[0], changed[1]["subscription"]["level"]), (200, "sender"))
        back = self.ask(self.path(id), "PATCH", {"level": None})
        self.assertEqual(back[1]["subscription"]["level"], "count")
        self.assertEqual(self.refused(self.path(id), "PATCH", {"target": "https://b.example/"})[0], 400)
        self.assertEqual(self.ask(self.path(id), "DELETE")[1]["subscription"]["id"], id)
        self.assertEqual(self.refused(self.path(id))[0], 404)
        self.assertEqual(self.house.book.all(), ())

    def test_pause_and_resume(self) -> None:
        id = self.made()
        for state in ("paused", "active"):
            status, document = self.ask(self.path(id), "PATCH", {"state": state})
            self.assertEqual((status, document["subscription"]["state"], self.state(id)), (200, state, state))

    def test_nobody_reaches_what_is_somebody_elses(self) -> None:
        anns = self.made(ANN)
        asked = (
            ("GET", "", None),
            ("PATCH", "", {"state": "paused"}),
            ("DELETE", "", None),
            ("GET", "deliveries", None),
            ("POST", "test", None),
            ("POST", "confirm", {"code": "x"}),
            ("POST", "code", None),
            ("POST", "replay", {"seq": 1}),
        )
        for method, verb, body in asked:
            answer = self.refused(self.path(anns, verb, OWNERS), method, body)
            self.assertEqual(answer, (404, f"there is no subscription {anns!r}"))
            self.assertEqual(self.refused(self.path("sub_none", verb), method, body)[0], 404)
        self.assertEqual((self.state(anns), self.house.desk.told), ("active", []))

    def test_an_owner_has_what_his_devices_made(self) -> None:
        id = self.house.active(PHONE)
        self.assertEqual(self.ask(self.path(id, whose=OWNERS))[1]["subscription"]["device"], "phone")

    def test_a_trial(self) -> None:
        id = self.made()
        attempt = {"subscription": id, "seq": 0, "at": NOON, "ms": 38.0, "result": "ok", "code": 200}
        self.assertEqual(self.ask(self.path(id, "test"), "POST"), (200, {"attempt": attempt}))
        self.assertEqual(self.house.desk.told, [(id, 0)])

    def test_how_it_went_and_what_was_given_up(self) -> None:
        id = self.made()
        house = self.house
        cursors = [house.book.find(id).cursor]  # type: ignore[union-attr]
        run_now(house.kept.record(cursors, [Attempt(id, 3, NOON, 0.2, "http 503", 503)]))
        run_now(house.kept.bury(DeadLetter(id, 2, 3, NOON, "http 503", 503)))
        document = self.ask(self.path(id, "deliveries"))[1]
        self.assertEqual([each["result"] for each in document["attempts"]], ["http 503"])
        self.assertEqual([(each["first"], each["seq"]) for each in document["given_up"]], [(2, 3)])
        answer = self.ask(self.path(id, "replay"), "POST", {"seq": 3})
        self.assertEqual((answer[0], answer[1]["attempt"]["result"]), (200, "ok"))
        self.assertEqual(house.desk.told, [(id, 3)])
        self.assertEqual(self.refused(self.path(id, "replay"), "POST", {"seq": 2})[0], 404)
        for body, words in (
            ({}, "seq is missing"),
            ({"seq": "3"}, "no number"),
            ({"seq": True}, "no number"),
        ):
            answer = self.refused(self.path(id, "replay"), "POST", body)
            self.assertEqual((answer[0], words in answer[1]), (400, True))

    def test_no_other_paths(self) -> None:
        id = self.made()
        for path in (f"{ADMINS}/subscriptions", f"{ADMINS}/subscriptions/", self.path(id, "x"), "/joe/key"):
            self.assertEqual(self.ask(path)[0], 404, path)
        self.assertEqual(self.ask(f"{ADMINS}/test", "POST")[0], 404)
        self.assertEqual(self.ask(self.path(id, "test"))[0], 405)

    def test_the_key_of_web_push(self) -> None:
        self.assertEqual(self.ask(f"{ADMINS}/key"), (200, {"key": "BPublicKey"}))
        self.key = ""
        self.assertEqual(self.refused(f"{ADMINS}/key"), (404, "Web Push is off: notify.webpush.enabled"))


class PlacesTests(ApiCase):
    """Where they are in the whole API."""

    def test_none_where_nobody_is_told(self) -> None:
        self.assertEqual(self.ask("GET", "/v1/notices").status, 404)
        self.assertEqual(self.ask("GET", f"/v1/accounts/{JOE}/notices").status, 404)

    def test_for_administrators_and_below_each_account(self) -> None:
        async def exists(account: Address) -> bool:
            return True

        notices = Notices(House().office, Doorstep().knocks, str, exists)
        operations = attrs.evolve(self.operations, notices=notices)
        desk = Desk(Log(lambda line, level: None), self.tasks)
        site = control_site(self.clock, desk, self.world.office, operations)
        made = Asked(site, "POST", "/v1/notices", {**HOOK, "account": str(JOE)}).answer
        listed = Asked(site, "GET", f"/v1/accounts/{JOE}/notices").answer
        self.assertEqual((made[0], listed[0]), (201, 200))
        self.assertEqual(listed[1]["subscriptions"], [made[1]["subscription"]])


class OwnersTests(NoticesCase):
    def test_all_that_tells_an_account(self) -> None:
        mine = self.made()
        self.made(ANN)
        status, document = self.ask(OWNERS)
        self.assertEqual(status, 200)
        self.assertEqual(document["account"], str(JOE))
        self.assertEqual(
            document["notifymail"],
            {
                "enabled": True,
                "state": "last-ip",
                "target": "198.41.0.4:79",
                "untold": None,
                "suspended_until": None,
                "last_ok": None,
                "last_try": None,
                "last_result": "",
                "last_login": None,
                "fails": 0,
                "sent": 0,
                "useful": 0,
            },
        )
        self.assertEqual([each["id"] for each in document["subscriptions"]], [mine])
        self.assertEqual(self.ask(f"{OWNERS}/"), (status, document))
        self.assertEqual(self.refused("/nobody"), (404, "there is no account nobody@example.net"))

    def test_how_notifymail_went(self) -> None:
        cursor = Cursor(preference_id(JOE), last_ok=NOON, last_try=NOON, last_result="sent", sent=2, useful=1)
        self.step.book.keep(cursor)
        shown = self.ask(OWNERS)[1]["notifymail"]
        self.assertEqual((shown["last_ok"], shown["last_result"]), (NOON, "sent"))
        self.assertEqual((shown["sent"], shown["useful"]), (2, 1))
        run_now(self.step.sightings.forget(JOE))
        shown = self.ask(OWNERS)[1]["notifymail"]
        self.assertEqual((shown["target"], shown["untold"]), (None, "no login from anywhere in time"))
        (knock,) = self.ask(f"{OWNERS}/test", "POST")[1]["results"]
        self.assertEqual(knock, result("notifymail", "", "no login from anywhere in time"))

    def test_one_by_every_way(self) -> None:
        first = self.made(name="the shop")
        self.house.now += 1
        new = self.ask(OWNERS, "POST", HOOK)[1]["subscription"]["id"]
        status, document = self.ask(f"{OWNERS}/test", "POST")
        self.assertEqual(status, 200)
        self.assertEqual(
            document["results"],
            [
                result("notifymail", "198.41.0.4:79", "answered", ms=0.0),
                result("hook", "a.example:443", "ok", id=first, name="the shop", code=200, ms=38.0),
                result("hook", "a.example:443", "unverified", id=new),
            ],
        )
        self.assertEqual(self.house.desk.told, [(first, 0)])

    def test_ways_that_are_dead_or_nobody_asked_for(self) -> None:
        id = self.made()
        gone = self.house.book.find(id)
        assert gone is not None
        dead = attrs.evolve(gone.subscription, state=SubscriptionState.DEAD)
        run_now(self.house.book.change(dead))
        self.step.accounts.put(account(state=NotifyState.OFF))
        (only,) = self.ask(f"{OWNERS}/test", "POST")[1]["results"]
        self.assertEqual((only["id"], only["result"], self.house.desk.told), (id, "dead", []))

    def test_a_slow_way_keeps_no_other_one_waiting(self) -> None:
        id = self.made()
        self.step.channel.at_once = None
        asked = Asked(self.site, "POST", f"{OWNERS}/test")
        self.assertEqual((asked.is_answered, self.house.desk.told), (False, [(id, 0)]))
        self.step.channel.knocks[0].refused()
        self.assertEqual([each["result"] for each in asked.answer[1]["results"]], ["refused", "ok"])

    def test_trouble_of_our_own_stands_in_the_place_of_the_result(self) -> None:
        self.made()
        self.step.sightings.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE, "not for others")

        self.house.office.desk = Ill()
        knock, hook = self.ask(f"{OWNERS}/test", "POST")[1]["results"]
        self.assertEqual((knock["result"], knock["ms"]), (" ".join(DIRECTORY_UNAVAILABLE.text), None))
        self.assertTrue(hook["result"].startswith("the test: "), hook)
        self.assertNotIn("not for others", str((knock, hook)))
