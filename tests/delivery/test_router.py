"""Where each recipient goes."""

from __future__ import annotations

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.router import Router
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, AccountState, Domain
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.alias import MAX_NESTING
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")
HOST = "mail.example.net"
UNKNOWN = Route(RouteKind.UNKNOWN)


def remote(local_part: str, domain: str) -> Route:
    return Route(RouteKind.REMOTE, remotes=(Address(local_part, domain),))


def local(*accounts: Address) -> Route:
    return Route(RouteKind.LOCAL, tuple(Copy(account, account) for account in accounts))


def forwarding(address: Address, to: Address | None, keep_copy: bool = False) -> Account:
    return Account(address, state=AccountState.FORWARD, forward=to, keep_copy=keep_copy)


class RouterTests(SynchronousTestCase):
    admin: Address | None = JOE

    def setUp(self) -> None:
        self.directory = MemoryDirectory([Account(JOE), Account(ANN)], [Domain("example.com")])

    def route(self, local_part: str, domain: str) -> Route:
        router = Router(self.directory, HOST, self.admin)
        return self.successResultOf(Deferred.fromCoroutine(router.route(Address(local_part, domain))))

    def add(self, address: Address) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.directory.add_account(Account(address))))

    def test_an_account_is_local_in_any_letter_case(self) -> None:
        self.assertEqual(self.route("joe", "example.net"), local(JOE))
        self.assertEqual(self.route("JOE", "example.net"), local(JOE))

    def test_a_stranger_in_our_domain_is_unknown(self) -> None:
        self.assertEqual(self.route("ann", "example.net"), UNKNOWN)
        self.assertEqual(self.route("joe", "example.com"), UNKNOWN)

    def test_other_domains_are_remote(self) -> None:
        for domain in ("example.edu", "mail.example.net", "net", "xn--exmple-cua.net"):
            self.assertEqual(self.route("joe", domain), remote("joe", domain))
            self.assertEqual(self.route("postmaster", domain), remote("postmaster", domain))

    def test_address_literals_are_remote(self) -> None:
        for domain in ("[127.0.0.1]", "[IPv6:::1]"):
            self.assertEqual(self.route("joe", domain), remote("joe", domain))
            self.assertEqual(self.route("postmaster", domain), remote("postmaster", domain))

    def test_address_literals_are_remote_even_where_the_directory_holds_one(self) -> None:
        self.add(Address("joe", "[127.0.0.1]"))
        self.assertEqual(self.route("joe", "[127.0.0.1]"), remote("joe", "[127.0.0.1]"))

    def test_roles_without_an_account_go_to_the_admin(self) -> None:
        self.assertEqual(self.route("Postmaster", "example.org"), local(JOE))
        self.assertEqual(self.route("abuse", "example.com"), local(JOE))
        self.assertEqual(self.route("webmaster", "example.org"), UNKNOWN)

    def test_an_account_of_that_very_name_gets_its_own_mail(self) -> None:
        own = Address("postmaster", "example.org")
        self.add(own)
        self.assertEqual(self.route("POSTMASTER", "example.org"), local(own))
        self.assertEqual(self.route("postmaster", "example.com"), local(JOE))

    def test_the_bare_postmaster(self) -> None:
        self.assertEqual(self.route(POSTMASTER.local, POSTMASTER.domain), local(JOE))
        self.assertEqual(self.route("PostMaster", ""), local(JOE))
        own = Address("postmaster", HOST)
        self.add(own)
        self.assertEqual(self.route("postmaster", ""), local(own))

    def test_no_other_name_goes_bare(self) -> None:
        self.assertEqual(self.route("joe", ""), UNKNOWN)
        self.assertEqual(self.route("abuse", ""), UNKNOWN)

    def test_fails_as_the_directory_does(self) -> None:
        self.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        asked = Deferred.fromCoroutine(Router(self.directory, HOST).route(JOE))
        self.failureResultOf(asked, TemporaryFailure)


class AdminTests(RouterTests):
    """The same with an admin address in another letter case."""

    admin = Address("Joe", "example.net")


@pytest.mark.parametrize("admin", [None, Address("admin", "example.net"), Address("admin", "example.edu")])
@pytest.mark.parametrize("domain", ["", "example.net"])
def test_without_a_local_admin_roles_are_unknown(admin: Address | None, domain: str) -> None:
    router = Router(MemoryDirectory([Account(JOE)]), HOST, admin)
    with pytest.raises(StopIteration) as ended:
        router.route(Address("postmaster", domain)).send(None)
    assert ended.value.value == UNKNOWN


LEN = Address("len", "example.net")
SUE = Address("sue", "example.net")
OFF = Address("off", "example.net")
NOBODY = Address("nobody", "example.net")
ELSEWHERE = Address("joe", "example.edu")
LITERAL = Address("joe", "[127.0.0.1]")


class ForwardTests(SynchronousTestCase):
    """Who gets the mail of an account that is off, or has its mail forwarded."""

    def route(self, *accounts: Account, to: Address = JOE, admin: Address | None = None) -> Route:
        present = {account.address: account for account in (Account(ANN), Account(LITERAL), *accounts)}
        off = Account(OFF, state=AccountState.OFF)
        router = Router(MemoryDirectory([off, *present.values()]), HOST, admin)
        return self.successResultOf(Deferred.fromCoroutine(router.route(to)))

    def test_who_is_off_gets_nothing(self) -> None:
        self.assertEqual(self.route(to=OFF), Route(RouteKind.OFF))
        self.assertEqual(self.route(Account(JOE, state=AccountState.OFF, forward=ANN)), Route(RouteKind.OFF))

    def test_who_does_not_forward_keeps_their_mail_whatever_address_is_there(self) -> None:
        self.assertEqual(self.route(Account(JOE, forward=ANN, keep_copy=True)), local(JOE))

    def test_forwarded_mail_goes_to_the_other_alone(self) -> None:
        self.assertEqual(self.route(forwarding(JOE, ANN)), local(ANN))
        self.assertEqual(self.route(forwarding(JOE, Address("ANN", ANN.domain))), local(ANN))

    def test_a_copy_is_kept_where_that_is_wanted(self) -> None:
        self.assertEqual(self.route(forwarding(JOE, ANN, True)), local(JOE, ANN))

    def test_forwarded_mail_may_be_forwarded(self) -> None:
        self.assertEqual(self.route(forwarding(JOE, LEN), forwarding(LEN, ANN)), local(ANN))
        self.assertEqual(self.route(forwarding(JOE, LEN), forwarding(LEN, ANN, True)), local(LEN, ANN))
        both = self.route(forwarding(JOE, LEN, True), forwarding(LEN, ANN, True))
        self.assertEqual(both, local(JOE, LEN, ANN))

    def test_two_who_keep_copies_for_each_other_get_one_each(self) -> None:
        pair = forwarding(JOE, LEN, True), forwarding(LEN, JOE, True)
        self.assertEqual(self.route(*pair), local(JOE, LEN))
        self.assertEqual(self.route(*pair, to=LEN), local(LEN, JOE))

    def test_in_a_circle_whoever_keeps_a_copy_has_it(self) -> None:
        pair = forwarding(JOE, LEN), forwarding(LEN, JOE, True)
        self.assertEqual(self.route(*pair), local(LEN))
        self.assertEqual(self.route(*pair, to=LEN), local(LEN))
        self.assertEqual(self.route(forwarding(JOE, JOE, True)), local(JOE))

    def test_a_circle_in_which_nobody_keeps_it(self) -> None:
        self.assertEqual(self.route(forwarding(JOE, JOE)), Route(RouteKind.LOOP, dead_end=JOE))
        pair = forwarding(JOE, LEN), forwarding(LEN, JOE)
        self.assertEqual(self.route(*pair), Route(RouteKind.LOOP, dead_end=LEN))
        entered = self.route(forwarding(SUE, JOE), *pair, to=SUE)
        self.assertEqual(entered, Route(RouteKind.LOOP, dead_end=LEN))

    def test_a_way_has_a_longest_length(self) -> None:
        def chain(length: int, keeps: int = -1) -> list[Account]:
            names = [JOE, *(Address(f"user{number}", "example.net") for number in range(1, length))]
            steps = zip(names, [*names[1:], ANN], strict=True)
            return [forwarding(name, to, number == keeps) for number, (name, to) in enumerate(steps)]

        self.assertEqual(self.route(*chain(MAX_NESTING)), local(ANN))
        last = Address(f"user{MAX_NESTING}", "example.net")
        self.assertEqual(self.route(*chain(MAX_NESTING + 1)), Route(RouteKind.LOOP, dead_end=last))
        kept = self.route(*chain(MAX_NESTING + 1, keeps=2))
        self.assertEqual(kept, attrs.evolve(local(Address("user2", "example.net")), dead_end=last))

    def test_where_nobody_of_ours_takes_it_the_sender_keeps_it(self) -> None:
        for target in (None, NOBODY, OFF, ELSEWHERE, LITERAL, Address("postmaster", "")):
            stranded = Route(RouteKind.STRANDED, dead_end=JOE)
            self.assertEqual(self.route(forwarding(JOE, target)), stranded, target)
            further = self.route(forwarding(LEN, JOE), forwarding(JOE, target), to=LEN)
            self.assertEqual(further, stranded, target)

    def test_where_nobody_of_ours_takes_it_a_copy_is_enough(self) -> None:
        for target in (None, NOBODY, OFF, ELSEWHERE, LITERAL):
            kept = attrs.evolve(local(JOE), dead_end=JOE)
            self.assertEqual(self.route(forwarding(JOE, target, True)), kept, target)
            further = self.route(forwarding(JOE, LEN, True), forwarding(LEN, target))
            self.assertEqual(further, attrs.evolve(local(JOE), dead_end=LEN), target)

    def test_mail_may_be_forwarded_to_a_role(self) -> None:
        to_role = forwarding(JOE, Address("Postmaster", "example.net"))
        self.assertEqual(self.route(to_role, admin=ANN), local(ANN))
        self.assertEqual(self.route(to_role), Route(RouteKind.STRANDED, dead_end=JOE))
        self.assertEqual(self.route(to_role, admin=JOE), Route(RouteKind.LOOP, dead_end=JOE))
        elsewhere = forwarding(JOE, Address("postmaster", "example.edu"))
        self.assertEqual(self.route(elsewhere, admin=ANN), Route(RouteKind.STRANDED, dead_end=JOE))

    def test_roles_follow_the_admin(self) -> None:
        role = Address("abuse", "example.net")
        self.assertEqual(self.route(forwarding(JOE, ANN, True), to=role, admin=JOE), local(JOE, ANN))
        self.assertEqual(self.route(to=role, admin=OFF), Route(RouteKind.OFF))
