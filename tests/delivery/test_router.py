"""Where each recipient goes."""

from __future__ import annotations

import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from mailsuite.delivery.router import Router
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, Domain
from mailsuite.model.address import POSTMASTER, Address
from mailsuite.model.facts import Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE

JOE = Address("joe", "example.net")
ANN = Address("ann", "example.org")
HOST = "mail.example.net"
UNKNOWN = Route(RouteKind.UNKNOWN)
REMOTE = Route(RouteKind.REMOTE)


def local(account: Address) -> Route:
    return Route(RouteKind.LOCAL, account)


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
            self.assertEqual(self.route("joe", domain), REMOTE)
            self.assertEqual(self.route("postmaster", domain), REMOTE)

    def test_address_literals_are_remote(self) -> None:
        for domain in ("[127.0.0.1]", "[IPv6:::1]"):
            self.assertEqual(self.route("joe", domain), REMOTE)
            self.assertEqual(self.route("postmaster", domain), REMOTE)

    def test_address_literals_are_remote_even_where_the_directory_holds_one(self) -> None:
        self.add(Address("joe", "[127.0.0.1]"))
        self.assertEqual(self.route("joe", "[127.0.0.1]"), REMOTE)

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
