"""What an administrator, or the owner of an account, does to the outbound queue by the control API."""

from __future__ import annotations

from mailsuite.admin.queue_changes import IDS_IN_A_LINE, VERBS
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.outbound import QueueFilter
from mailsuite.model.reply import STORE_UNAVAILABLE
from tests.admin.queues import ANN, BUSY, MAX, NOW, QueueApiCase

ALL = {"all": True}


def named(*ids: str, **rest: object) -> dict[str, object]:
    return {"filter": {"ids": list(ids)}, **rest}


class ChangeTests(QueueApiCase):
    def states(self, id: str) -> list[str]:
        (entry,) = self.answer(self.outbound.queue.find(QueueFilter(ids=frozenset({id})), NOW))
        return [state.value for state in entry.states]

    def test_hold_and_release(self) -> None:
        self.put("m1")
        self.put("m2")
        answer = self.ask("/hold", named("m1", "x"))
        self.assertEqual(answer, (200, {"matched": 1, "changed": 1, "dry_run": False}))
        self.assertEqual((self.states("m1"), self.states("m2")), (["held"], ["ready"]))
        again = self.ask("/hold", named("m1"))
        self.assertEqual(again[1], {"matched": 1, "changed": 0, "dry_run": False})
        self.assertEqual(self.ask("/release", {"filter": {"state": "held"}})[1]["changed"], 1)
        self.assertEqual(self.states("m1"), ["ready"])

    def test_retry(self) -> None:
        self.put("m1")
        self.record({0: BUSY})
        self.assertEqual(self.states("m1"), ["waiting"])
        self.ask("/retry", {"all": True, "dry_run": True})
        self.assertEqual(self.woken, 0)
        self.assertEqual(self.ask("/retry", {"filter": {"error": "rate limited"}})[1]["changed"], 1)
        self.assertEqual(self.states("m1"), ["ready"])
        self.assertEqual(self.woken, 1)

    def test_remove(self) -> None:
        self.put("m1")
        self.put("m2", MAX)
        self.assertEqual(self.ask("/remove", {"filter": {"domain": "example.org"}})[1]["changed"], 1)
        self.assertEqual(self.ids(), ["m2"])
        self.assertEqual(self.ask("/remove", ALL)[1]["changed"], 1)
        self.assertEqual(self.ids(), [])

    def test_bounce(self) -> None:
        self.put("m1")
        self.put("m2", MAX)
        self.assertEqual(self.ask("/bounce", named("m1"))[1]["changed"], 1)
        self.assertEqual(self.ask("/bounce", named("m2", reason="Sent twice"))[1]["changed"], 1)
        said = [str(each["recipients"][0]["last"]["said"]) for each in self.ask()[1]["messages"]]
        usual = "The administrator of this server has given it up"
        self.assertEqual(said, [f"554 5.0.0 {usual}", "554 5.0.0 Sent twice"])
        self.assertEqual(len(self.answer(self.queue.owed(10))), 2)
        self.assertIn('reason="Sent twice"', self.lines[-1])

    def test_redirect(self) -> None:
        self.put("m1")
        self.assertEqual(self.ask("/redirect", named("m1", to="max@example.com"))[1]["changed"], 1)
        (message,) = self.ask()[1]["messages"]
        self.assertEqual([each["address"] for each in message["recipients"]], [str(MAX)])
        self.assertIn(f"to={MAX}", self.lines[-1])

    def test_a_dry_run_changes_nothing(self) -> None:
        self.put("m1")
        self.put("m2", MAX)
        for verb in VERBS:
            body = {**ALL, "dry_run": True, **({"to": "a@example.com"} if verb == "redirect" else {})}
            answer = self.ask(f"/{verb}", body)
            self.assertEqual(answer, (200, {"matched": 2, "changed": 0, "dry_run": True}), verb)
        self.assertEqual(self.states("m1"), ["ready"])
        self.assertEqual(self.lines, [])

    def test_nothing_is_changed_by_a_slip(self) -> None:
        self.put("m1")
        requests: list[tuple[str, object]] = [
            ("remove", {}),
            ("remove", {"filter": {}}),
            ("remove", {"all": False}),
            ("remove", {"all": "yes"}),
            ("remove", named("m1", all=True)),
            ("remove", named()),
            ("remove", {"filter": {"ids": "m1"}}),
            ("remove", {"filter": {"ids": [1]}}),
            ("remove", {"filter": {"ids": [""]}}),
            ("remove", {"filter": ["m1"]}),
            ("remove", {"filter": {"sender": ""}}),
            ("remove", {"filter": {"sender": "@example.net", "reciepient": "@example.org"}}),
            ("remove", {"filter": {"older_than": True}}),
            ("remove", {"filter": {"older_than": None}}),
            ("remove", {"filter": {"state": ["held"]}}),
            ("remove", named("m1", dryrun=True)),
            ("remove", named("m1", dry_run="no")),
            ("remove", named("m1", reason="x")),
            ("bounce", named("m1", reason="")),
            ("bounce", named("m1", reason="two\r\nlines")),
            ("bounce", named("m1", reason="ü")),
            ("bounce", named("m1", reason=5)),
            ("redirect", named("m1")),
            ("redirect", named("m1", to="max")),
            ("redirect", named("m1", to="@example.com")),
        ]
        for verb, body in requests:
            status, document = self.ask(f"/{verb}", body)
            self.assertEqual((status, list(document)), (400, ["error"]), body)
        self.assertEqual(self.ask("/remove")[0], 405)
        self.assertEqual(self.ids(), ["m1"])
        self.assertEqual(self.lines, [])

    def test_each_change_is_in_the_log(self) -> None:
        for number in range(IDS_IN_A_LINE + 1):
            self.put(f"m{number:016d}")
        self.ask("/hold", {"filter": {"sender": "@example.net", "older_than": -1}})
        first, second, last = self.lines
        ids = " ".join(f"m{number:016d}" for number in range(IDS_IN_A_LINE))
        self.assertEqual(first, f'info    queue.changed user=None done=held ids="{ids}"')
        self.assertEqual(second, f"info    queue.changed user=None done=held ids=m{IDS_IN_A_LINE:016d}")
        self.assertEqual(
            last,
            'info    queue.change_ended user=None done=held which="sender @example.net, older_than -1"'
            f" messages={IDS_IN_A_LINE + 1}",
        )
        self.lines.clear()
        self.ask("/release", ALL)
        self.assertIn(f" done=released which=all messages={IDS_IN_A_LINE + 1}", self.lines[-1])

    def test_a_change_that_fails_is_in_the_log_too(self) -> None:
        self.put("m1")
        desk = self.outbound.queue
        failing = TemporaryFailure(STORE_UNAVAILABLE, "bad disk")

        async def hold(which: object, now: float, changed: object) -> int:
            changed(["m1"])  # type: ignore[operator]
            raise failing

        self.patch(type(desk), "hold", lambda self, *rest, **more: hold(*rest, **more))
        self.assertEqual(self.ask("/hold", ALL)[0], 503)
        self.assertEqual(
            self.lines[:2],
            [
                "info    queue.changed user=None done=held ids=m1",
                "info    queue.change_ended user=None done=held which=all messages=1",
            ],
        )


class OwnerTests(QueueApiCase):
    def test_mail_that_waits_for_its_time_is_cancelled_by_its_sender(self) -> None:
        self.put("m1", release=NOW + 60)
        self.put("m2", release=NOW + 60, account=ANN)
        self.put("m3")
        for body in (named("m1", "m2", "m3"), ALL):
            answer = self.ask("/remove", {**body, "dry_run": True}, owner=True)
            self.assertEqual(answer, (200, {"matched": 1, "changed": 0, "dry_run": True}))
        self.assertEqual(self.ask("/remove", named("m1", "m2", "m3"), owner=True)[1]["changed"], 1)
        self.assertEqual(self.ids(), ["m2", "m3"])

    def test_or_sent_at_once(self) -> None:
        self.put("m1", release=NOW + 60)
        self.assertEqual(self.ask("/release", ALL, owner=True)[1]["changed"], 1)
        self.assertEqual(self.ids("state=ready"), ["m1"])

    def test_what_an_administrator_holds_stays_held(self) -> None:
        self.put("m1", release=NOW + 60)
        self.ask("/hold", ALL)
        for verb in ("release", "remove"):
            self.assertEqual(self.ask(f"/{verb}", ALL, owner=True)[1], _nothing())
        self.assertEqual(self.ids("state=held"), ["m1"])

    def test_nothing_else_is_possible(self) -> None:
        self.put("m1", release=NOW + 60)
        for verb in ("hold", "retry", "bounce", "redirect"):
            self.assertEqual(self.ask(f"/{verb}", ALL, owner=True)[0], 404)
        for fields in ({"account": "ann@example.net"}, {"account": "joe@example.net"}, {"state": "held"}):
            self.assertEqual(self.ask("/remove", {"filter": fields}, owner=True)[0], 400)
        self.assertEqual(self.ids(), ["m1"])


def _nothing() -> dict[str, object]:
    return {"matched": 0, "changed": 0, "dry_run": False}
