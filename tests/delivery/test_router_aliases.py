"""Aliases, tags, patterns, catch-alls and domains that stand for others: who gets the mail, and why."""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs
import pytest
from twisted.internet.task import Clock

from mailsuite.concurrent.now import run_now
from mailsuite.delivery.router import Router, RoutingRules
from mailsuite.delivery.routing_limits import CatchAllLimits
from mailsuite.delivery.routing_words import MAX_STEPS
from mailsuite.directory.memory import MemoryDirectory
from mailsuite.model.account import Account, AccountState, Domain
from mailsuite.model.address import Address
from mailsuite.model.alias import MAX_EXPANSION, MAX_NESTING, Alias, AliasPattern
from mailsuite.model.facts import Copy, Route, RouteKind
from mailsuite.model.failure import TemporaryFailure
from mailsuite.model.rate import Rate
from mailsuite.model.reply import DIRECTORY_UNAVAILABLE, EXPANSION_TOO_LONG
from mailsuite.model.tags import MAX_SPLITS
from mailsuite.model.turns import STEPS_IN_A_ROW

HERE, THERE, AWAY = "example.net", "example.org", "elsewhere.example"
UNKNOWN = Route(RouteKind.UNKNOWN)
DISCARDED = Route(RouteKind.LOCAL)
SENDS = RoutingRules(sends=True)


def of(text: str) -> Address:
    """``joe`` is in example.net."""
    return Address.parse(text if "@" in text else f"{text}@{HERE}")


def alias(name: str, *targets: str) -> Alias:
    return Alias(of(name), tuple(map(of, targets)))


def forwarding(name: str, to: str, keep_copy: bool = False) -> Account:
    return Account(of(name), state=AccountState.FORWARD, forward=of(to), keep_copy=keep_copy)


ACCOUNTS = (
    *(Account(of(name)) for name in ("joe", "ann", "bob")),
    Account(of("off"), state=AccountState.OFF),
)


def router(
    *aliases: Alias,
    accounts: Iterable[Account] = (),
    domains: Iterable[Domain] = (),
    rules: RoutingRules | None = None,
    admin: str = "",
) -> Router:
    directory = MemoryDirectory(
        [*ACCOUNTS, *accounts], [Domain(THERE), *domains], initial_aliases=list(aliases)
    )
    return Router(directory, HERE, of(admin) if admin else None, rules or RoutingRules())


def routed(router: Router, recipient: str) -> Route:
    """The same whether it is explained or not."""
    route = run_now(router.route(of(recipient)))
    explained = run_now(router.explain(of(recipient)))
    assert attrs.evolve(explained, steps=()) == route
    assert explained.steps
    return route


def local(*copies: str, remotes: Iterable[str] = (), dead_end: str = "") -> Route:
    """``joe+tag`` is a copy for joe."""
    made = tuple(Copy(of(re.sub(r"[+].*(?=@)|[+][^@]*$", "", copy)), of(copy)) for copy in copies)
    return Route(RouteKind.LOCAL, made, tuple(map(of, remotes)), of(dead_end) if dead_end else None)


def ended(kind: RouteKind, dead_end: str) -> Route:
    return Route(kind, dead_end=of(dead_end))


STRANDED, LOOP = RouteKind.STRANDED, RouteKind.LOOP


class TestAliases:
    def test_one_name_for_many(self) -> None:
        sales = alias("sales", "joe", "ann")
        assert routed(router(sales), "sales") == local("joe", "ann")
        assert routed(router(sales), "SALES") == local("joe", "ann")

    def test_an_account_of_that_name_comes_first(self) -> None:
        assert routed(router(alias("joe", "ann")), "joe") == local("joe")

    def test_aliases_of_aliases_and_lists_of_other_domains(self) -> None:
        found = router(alias("all", f"team@{THERE}", "bob"), alias(f"team@{THERE}", "joe", "sales"),
                       alias("sales", "joe", "ann"))  # fmt: skip
        assert routed(found, "all") == local("bob", "joe", "ann")

    def test_nobody_gets_two_copies(self) -> None:
        found = router(
            alias("all", "joe", "left", "right"), alias("left", "joe", "ann"), alias("right", "ann", "joe")
        )
        assert routed(found, "all") == local("joe", "ann")

    def test_an_alias_in_itself_goes_to_the_others(self) -> None:
        assert routed(router(alias("sales", "sales", "joe")), "sales") == local("joe")
        pair = alias("a", "b", "joe"), alias("b", "a", "ann")
        assert routed(router(*pair), "a") == local("joe", "ann")

    def test_aliases_that_lead_to_one_another_alone(self) -> None:
        assert routed(router(alias("a", "a")), "a") == ended(LOOP, "a")
        assert routed(router(alias("a", "b"), alias("b", "a")), "a") == ended(LOOP, "b")

    def test_the_guard_of_nesting(self) -> None:
        """Features row L-03: depth 20."""

        def chain(length: int) -> Router:
            return router(*(alias(f"a{number}", f"a{number + 1}") for number in range(length - 1)),
                          alias(f"a{length - 1}", "joe"))  # fmt: skip

        assert routed(chain(MAX_NESTING), "a0") == local("joe")
        assert routed(chain(MAX_NESTING + 1), "a0") == ended(LOOP, f"a{MAX_NESTING}")

    def test_a_long_way_does_not_take_what_a_short_one_gives(self) -> None:
        """Where the long way was walked first, depth would cut off whom the short one reaches."""
        long = [alias(f"a{number}", f"a{number + 1}") for number in range(MAX_NESTING - 1)]
        found = router(alias("all", "a0", "near"), *long, alias(f"a{MAX_NESTING - 1}", "near"),
                       alias("near", "one"), alias("one", "joe"))  # fmt: skip
        assert routed(found, "all").copies == local("joe").copies

    def test_thrown_away(self) -> None:
        nothing = alias("nothing")
        assert routed(router(nothing), "nothing") == DISCARDED
        assert routed(router(alias("both", "nothing", "joe"), nothing), "both") == local("joe")
        gone = router(alias("both", "nothing", "gone"), nothing)
        assert routed(gone, "both") == ended(STRANDED, "both"), "somebody may have been meant"

    def test_a_dead_end_among_others(self) -> None:
        for gone in ("gone", "off", f"joe@{AWAY}", "joe@elsewhere.example"):
            assert routed(router(alias("sales", "joe", gone)), "sales") == local("joe", dead_end="sales")

    def test_only_dead_ends(self) -> None:
        for gone in ("gone", "off", f"joe@{AWAY}"):
            assert routed(router(alias("sales", gone)), "sales") == ended(STRANDED, "sales")
        inner = router(alias("sales", "inner"), alias("inner", "gone"))
        assert routed(inner, "sales") == ended(STRANDED, "inner")

    def test_to_whom_mail_is_forwarded(self) -> None:
        found = router(alias("sales", "sue", "ann"), accounts=[forwarding("sue", "team", True)])
        assert routed(found, "sales") == local("sue", "ann", dead_end="sue")
        found = router(
            alias("sales", "sue"), alias("team", "bob", "sales"), accounts=[forwarding("sue", "team")]
        )
        assert routed(found, "sales") == local("bob")

    def test_elsewhere_where_somebody_sends(self) -> None:
        far = f"Joe@{AWAY}"
        found = router(alias("sales", far, "joe", far), accounts=[forwarding("sue", far)], rules=SENDS)
        assert routed(found, "sales") == local("joe", remotes=[far])
        assert routed(found, "sue") == local(remotes=[far])
        found = router(alias("sales", far), rules=SENDS)
        assert routed(found, "sales") == local(remotes=[far])

    def test_a_list_has_a_largest_size(self) -> None:
        names = [f"x{number}" for number in range(MAX_EXPANSION)]
        accounts = [Account(of(name)) for name in names]
        found = router(alias("all", *names), alias("more", "all"), accounts=accounts)
        assert len(routed(found, "all").copies) == MAX_EXPANSION
        turns: list[None] = []

        async def turn() -> None:
            turns.append(None)

        run_now(attrs.evolve(found, turn=turn).route(of("all")))
        assert len(turns) == MAX_EXPANSION // STEPS_IN_A_ROW, "all others are served meanwhile"
        with pytest.raises(TemporaryFailure, match="more than 10000") as failure:
            run_now(found.route(of("more")))
        assert failure.value.reply == EXPANSION_TOO_LONG
        explained = run_now(found.explain(of("more")))
        assert (explained.kind, explained.dead_end) == (LOOP, of("more"))
        assert "more than 10000 addresses" in explained.steps[-1]

    def test_the_directory_s_failures_are_ours(self) -> None:
        found = router()
        assert isinstance(found.directory, MemoryDirectory)
        found.directory.refuse_with = TemporaryFailure(DIRECTORY_UNAVAILABLE)
        for asking in (found.route, found.explain):
            with pytest.raises(TemporaryFailure):
                run_now(asking(of("joe")))


class TestTags:
    def test_a_tag_is_seen_and_stands_in_nobody_s_way(self) -> None:
        """Features row L-04."""
        assert routed(router(), "joe+Shop") == local("joe+Shop")
        assert routed(router(), "JOE+") == local("joe+")
        assert routed(router(), "joe+a+b") == local("joe+a+b")

    def test_an_exact_address_comes_first(self) -> None:
        exact = router(alias("joe+shop", "ann"), accounts=[Account(of("joe+bank"))])
        assert routed(exact, "joe+shop") == local("ann")
        assert routed(exact, "joe+bank").accounts == (of("joe+bank"),)
        assert routed(exact, "joe+bank+x") == Route(
            RouteKind.LOCAL, (Copy(of("joe+bank"), of("joe+bank+x")),)
        )

    def test_no_name_is_before_a_tag(self) -> None:
        assert routed(router(), "+joe") == UNKNOWN
        assert routed(router(), "gone+x") == UNKNOWN

    @pytest.mark.parametrize(("delimiters", "reached"), [(None, "+"), ("", ""), ("-", "-"), ("+-_", "+-_")])
    def test_delimiters_of_a_domain(self, delimiters: str | None, reached: str) -> None:
        found = router(domains=[Domain(HERE, delimiters=delimiters)])
        for one in "+-_.":
            route = routed(found, f"joe{one}x")
            assert route.accounts == ((of("joe"),) if one in reached else ()), one

    def test_delimiters_of_the_server(self) -> None:
        domains = Domain(HERE), Domain(THERE, delimiters="+")
        sue = Account(of(f"sue@{THERE}"))
        found = router(rules=RoutingRules(delimiters="_"), domains=domains, accounts=[sue])
        assert routed(found, "joe_x").accounts == (of("joe"),)
        assert routed(found, "joe+x") == UNKNOWN
        assert routed(found, f"sue+x@{THERE}").accounts == (of(f"sue@{THERE}"),)

    def test_the_longest_name_wins(self) -> None:
        found = router(accounts=[Account(of("joe-doe"))], domains=[Domain(HERE, delimiters="+-")])
        assert routed(found, "joe-doe+x").accounts == (of("joe-doe"),)
        assert routed(found, "joe-x+doe").accounts == (of("joe"),)

    def test_strangers_do_not_choose_how_often_the_directory_is_asked(self) -> None:
        asked: list[Address] = []
        found = router()

        class Counting(MemoryDirectory):
            async def account(self, address: Address) -> Account | None:
                asked.append(address)
                return await super().account(address)

        found = attrs.evolve(found, directory=Counting(ACCOUNTS))
        assert run_now(found.route(of("gone" + "+" * 50 + "x"))) == UNKNOWN
        assert len(asked) == MAX_SPLITS + 1
        assert run_now(found.route(of("joe" + "+" * 50 + "x"))).accounts == (of("joe"),)

    def test_a_tag_goes_through_aliases_and_no_further(self) -> None:
        names = alias("joe.doe", "joe"), alias("sales", "joe.doe", "ann+lists", "sue")
        found = router(*names, accounts=[forwarding("sue", "bob")])
        assert routed(found, "joe.doe+shop") == local("joe+shop")
        assert set(routed(found, "sales+x").copies) == set(local("joe+x", "ann+lists", "bob").copies)

    def test_a_tag_that_makes_it_too_long_is_left_out(self) -> None:
        tag = "x" * 59
        found = router(alias("js", "joe-" + "s" * 10), accounts=[Account(of("joe-" + "s" * 10))])
        assert routed(found, f"js+{tag}") == local("joe-" + "s" * 10)

    def test_roles_have_tags(self) -> None:
        assert routed(router(admin="joe"), "postmaster+x") == local("joe")


class TestRoles:
    def test_an_alias_of_that_very_name_comes_before_the_admin(self) -> None:
        found = router(alias("postmaster", "ann"), admin="joe")
        assert routed(found, "postmaster") == local("ann")
        assert routed(found, "abuse") == local("joe")
        bare = run_now(found.route(Address("PostMaster", "")))
        assert bare == local("ann")

    def test_the_admin_may_be_an_alias_or_have_a_tag(self) -> None:
        assert routed(router(alias("staff", "joe", "ann"), admin="staff"), "abuse") == local("joe", "ann")
        assert routed(router(admin="joe+role"), "abuse") == local("joe+role")

    def test_an_admin_who_is_nobody_is_asked_of_the_catch_all(self) -> None:
        boxed = [Domain(HERE, catch_all=(of("bob"),))]
        for admin in ("gone", "gone+x", f"joe@{AWAY}", "postmaster", "postmaster+x"):
            assert routed(router(admin=admin), "postmaster") == UNKNOWN, admin
            assert routed(router(admin=admin, domains=boxed), "postmaster") == local("bob"), admin

    def test_the_admin_may_be_in_a_domain_that_stands_for_another(self) -> None:
        domains = [Domain(THERE, same_as=HERE)]
        for name in ("joe", "joe+role"):
            found = router(admin=f"{name}@{THERE}", domains=domains)
            for role in ("postmaster", f"abuse@{THERE}", "postmaster+x"):
                assert routed(found, role).accounts == (of("joe"),), (name, role)
        for name in ("gone", "gone+x", "postmaster", "postmaster+x"):
            for role in ("postmaster", f"abuse@{THERE}", "postmaster+x"):
                assert routed(router(admin=f"{name}@{THERE}", domains=domains), role) == UNKNOWN, (name, role)
        for to in (AWAY, THERE):
            found = router(admin=f"joe@{THERE}", domains=[Domain(THERE, same_as=to)], rules=SENDS)
            assert routed(found, "postmaster") == UNKNOWN, to

    def test_an_admin_elsewhere(self) -> None:
        far = f"joe@{AWAY}"
        assert routed(router(admin=far, rules=SENDS), "abuse") == local(remotes=[far])
        literal = attrs.evolve(router(rules=SENDS), admin=Address("joe", "[127.0.0.1]"))
        assert run_now(literal.route(of("abuse"))).remotes == (Address("joe", "[127.0.0.1]"),)

    def test_a_bare_postmaster_of_a_host_that_is_no_domain_of_ours(self) -> None:
        found = attrs.evolve(router(admin="joe"), hostname="mail.example.com")
        assert run_now(found.route(Address("postmaster", ""))) == local("joe")
        assert run_now(attrs.evolve(found, admin=None).route(Address("postmaster", ""))) == UNKNOWN


class TestSameAs:
    def same(self, *aliases: Alias, to: str = HERE, **more: object) -> Router:
        return router(*aliases, domains=[Domain(THERE, same_as=to)], **more)  # type: ignore[arg-type]

    def test_the_addresses_of_another_domain(self) -> None:
        found = self.same(alias("sales", "joe", "ann"), admin="bob")
        assert routed(found, f"JOE@{THERE}") == local("joe")
        assert routed(found, f"joe+x@{THERE}") == local("joe+x")
        assert routed(found, f"sales@{THERE}") == local("joe", "ann")
        assert routed(found, f"postmaster@{THERE}") == local("bob")
        assert routed(found, f"gone@{THERE}") == UNKNOWN
        assert routed(found, f"off@{THERE}") == Route(RouteKind.OFF)

    def test_its_own_addresses_come_first(self) -> None:
        found = self.same(alias(f"joe@{THERE}", "ann"))
        assert routed(found, f"joe@{THERE}") == local("ann")

    def test_in_a_list_it_is_the_same_person(self) -> None:
        assert routed(self.same(alias("all", "joe", f"joe@{THERE}")), "all") == local("joe")
        gone = self.same(alias("all", f"gone@{THERE}"))
        assert routed(gone, "all") == ended(STRANDED, "all")

    def test_a_domain_that_is_not_ours_opens_no_relay(self) -> None:
        for rules in (RoutingRules(), SENDS):
            assert routed(self.same(to=AWAY, rules=rules), f"joe@{THERE}") == UNKNOWN

    def test_domains_that_stand_for_one_another(self) -> None:
        found = router(domains=[Domain(HERE, same_as=THERE), Domain(THERE, same_as=HERE)])
        assert routed(found, "joe") == local("joe")
        assert routed(found, "gone") == ended(LOOP, "gone")

    def test_a_long_row_of_domains(self) -> None:
        row = [Domain(f"d{number}.example", same_as=f"d{number + 1}.example") for number in range(25)]
        found = router(domains=[*row, Domain("d25.example")])
        end = f"x@d{MAX_NESTING}.example"
        assert routed(found, "x@d0.example") == ended(LOOP, end)


class TestPatterns:
    PATTERNS = (
        AliasPattern(r"list-(.+)", (r"lists+\1", f"archive@{THERE}")),
        AliasPattern(r"x(.+)", (r"\1", "ann")),
        AliasPattern(r"quiet-.+", ()),
        AliasPattern(r"deep(.+)", (r"deep\1\1",)),
    )

    def found(self, *aliases: Alias) -> Router:
        return router(
            *aliases,
            accounts=[Account(of("lists"))],
            domains=[Domain(HERE, patterns=self.PATTERNS), Domain(THERE)],
        )

    def test_many_names_for_others(self) -> None:
        assert routed(self.found(), "List-Cats") == local("lists+cats", dead_end="list-cats")
        assert set(routed(self.found(), "xjoe").accounts) == {of("joe"), of("ann")}
        assert routed(self.found(), "quiet-please") == DISCARDED

    def test_names_that_are_there_come_first(self) -> None:
        assert routed(self.found(alias("list-cats", "bob")), "list-cats") == local("bob")

    def test_a_target_that_is_no_address(self) -> None:
        assert routed(self.found(), "deep" + "x" * 40) == ended(STRANDED, "deep" + "x" * 40)

    def test_patterns_that_match_what_they_make_come_to_an_end(self) -> None:
        growing = router(domains=[Domain(HERE, patterns=(AliasPattern("(.+)", (r"a\1", r"b\1")),))])
        with pytest.raises(TemporaryFailure):
            run_now(growing.route(of("x")))

    def test_a_quoted_name_chooses_no_other_domain(self) -> None:
        found = router(domains=[Domain(HERE, patterns=(AliasPattern("(.+)", (r"\1",)),))], rules=SENDS)
        route = run_now(found.route(Address(f"victim@{AWAY}", HERE)))
        assert route.remotes == ()
        assert route.kind is LOOP


class TestCatchAll:
    def found(self, *targets: str, clock: Clock | None = None, count: int = 2, **more: object) -> Router:
        domain = Domain(HERE, catch_all=tuple(map(of, targets)), catch_all_except=frozenset({"root", "a.b"}))
        rules = RoutingRules(catch_all_rate=Rate(count, 60.0))
        found = router(alias("team", "joe", "ann"), domains=[domain], rules=rules)
        return attrs.evolve(found, limits=None if clock is None else CatchAllLimits(clock.seconds))

    def test_names_that_do_not_exist(self) -> None:
        """Features rows L-05, S-A23."""
        assert routed(self.found("bob"), "gone") == local("bob")
        assert routed(self.found("team", "bob"), "gone+x") == local("bob", "joe", "ann")
        assert routed(self.found("bob"), "joe") == local("joe")
        assert routed(self.found("bob"), "off") == Route(RouteKind.OFF)

    def test_exempt_names(self) -> None:
        for name in ("root", "ROOT", "root+x", "a.b"):
            assert routed(self.found("bob"), name) == UNKNOWN
        assert routed(self.found("bob"), "rooty") == local("bob")

    def test_what_the_server_says_for_all_domains(self) -> None:
        rules = RoutingRules(catch_all=(of("bob"),))
        found = router(domains=[Domain(THERE, catch_all=())], rules=rules)
        assert routed(found, "gone") == local("bob")
        assert routed(found, f"gone@{THERE}") == UNKNOWN

    def test_nobody_takes_what_is_for_nobody(self) -> None:
        assert routed(self.found("gone"), "other") == ended(LOOP, "gone")
        assert routed(self.found("root"), "other") == ended(STRANDED, "other")
        assert routed(self.found("off"), "other") == ended(STRANDED, "other")

    def test_there_is_a_rate(self) -> None:
        clock = Clock()
        found = self.found("bob", clock=clock)

        def ask(name: str) -> Route:
            return run_now(found.route(of(name)))

        assert [ask(name) for name in ("x", "joe", "y")] == [local("bob"), local("joe"), local("bob")]
        assert ask("z") == Route(RouteKind.LIMITED)
        assert run_now(found.explain(of("z"))).kind is RouteKind.LOCAL, "who explains counts nothing"
        clock.advance(59.0)
        assert ask("z") == Route(RouteKind.LIMITED)
        clock.advance(1.0)
        assert [ask("z").kind, ask("z").kind, ask("z").kind] == [
            RouteKind.LOCAL,
            RouteKind.LOCAL,
            RouteKind.LIMITED,
        ]

    def test_each_domain_has_its_own(self) -> None:
        clock = Clock()
        found = self.found("bob", clock=clock, count=1)
        other = Domain(THERE, catch_all=(of("ann"),))
        assert isinstance(found.directory, MemoryDirectory)
        run_now(found.directory.change_domain(other))
        assert run_now(found.route(of("x"))) == local("bob")
        assert run_now(found.route(of(f"x@{THERE}"))) == local("ann")
        assert run_now(found.route(of("x"))).kind is RouteKind.LIMITED

    def test_an_alias_that_leads_there(self) -> None:
        found = self.found("bob", clock=Clock(), count=1)
        assert isinstance(found.directory, MemoryDirectory)
        run_now(found.directory.add_alias(alias("old", "gone")))
        assert run_now(found.route(of("old"))) == local("bob")
        assert run_now(found.route(of("old"))) == ended(RouteKind.LIMITED, "old")


class TestWords:
    def steps(self, found: Router, recipient: str) -> list[str]:
        return list(run_now(found.explain(of(recipient))).steps)

    def test_each_rule_is_told(self) -> None:
        domain = Domain(HERE, patterns=TestPatterns.PATTERNS, catch_all=(of("bob"),))
        found = router(
            alias("sales", "joe", "sue", f"x@{AWAY}"),
            alias("nothing"),
            alias("many", *(f"n{number}" for number in range(12))),
            accounts=[forwarding("sue", "ann", True), attrs.evolve(forwarding("len", "x"), forward=None)],
            domains=[domain, Domain(THERE, same_as=HERE)],
            admin="joe",
        )
        assert self.steps(found, f"sales+x@{THERE}") == [
            f"sales+x@{THERE}: the domain {THERE} has the addresses of another: sales+x@{HERE}",
            f"sales+x@{HERE}: without its tag '+x' an alias, sales@{HERE}, "
            f"for joe@{HERE}, sue@{HERE}, x@{AWAY}",
            f"joe@{HERE}: an account, joe@{HERE}, kept in the database: delivered to its maildrop",
            f"sue@{HERE}: an account, sue@{HERE}, kept in the database, "
            f"which forwards to ann@{HERE} and keeps a copy",
            f"x@{AWAY}: its domain is not ours",
            f"sales@{HERE}: leads to somebody who takes no mail: a dead end",
            f"ann@{HERE}: an account, ann@{HERE}, kept in the database: delivered to its maildrop",
        ]
        for recipient, first in (
            ("abuse", f"every domain has to read this; here that is server.admin: joe@{HERE}"),
            ("nothing", f"an alias, nothing@{HERE}, that throws away"),
            ("quiet-x", "the pattern quiet-.+, that throws away"),
            ("list-x", rf"the pattern list-(.+), for lists+x@{HERE}, archive@{THERE}"),
            ("gone", f"nobody, so the catch-all of {HERE}, for bob@{HERE}"),
            ("off", f"an account, off@{HERE}, kept in the database, which is off and takes no mail"),
            ("len", f"an account, len@{HERE}, kept in the database, which forwards to nobody"),
            ("many", f"an alias, many@{HERE}, for {', '.join(f'n{n}@{HERE}' for n in range(10))} and 2 more"),
        ):
            assert self.steps(found, recipient)[0] == f"{recipient}@{HERE}: {first}"
        assert "no address" in self.steps(found, "deep" + "x" * 40)[0]

    def test_ends_are_told(self) -> None:
        assert self.steps(router(), "gone") == [f"gone@{HERE}: there is nobody of that name"]
        circle = self.steps(router(alias("a", "a")), "a")
        assert circle[1:] == [
            f"a@{HERE}: an alias, a@{HERE}, for a@{HERE}",
            f"a@{HERE}: was here before, and gets nothing twice",
        ]

    def test_a_long_way_is_cut(self) -> None:
        names = [f"x{number}" for number in range(MAX_STEPS + 5)]
        steps = self.steps(router(alias("all", *names, "joe")), "all")
        assert len(steps) == MAX_STEPS + 1
        assert steps[-1] == f"... and {2 * (MAX_STEPS + 5) + 2 - MAX_STEPS} steps more"


FAR = f"far@{AWAY}"


@pytest.mark.parametrize(
    ("aliases", "accounts", "forwarders"),
    [
        ((alias("team", "fay"),), (forwarding("fay", FAR),), {FAR: ("fay",)}),
        ((alias("team", "fay"),), (forwarding("fay", FAR, keep_copy=True),), {FAR: ("fay",)}),
        ((alias("team", "fay"),), (forwarding("fay", "joe"),), {"joe": ("fay",)}),
        ((alias("team", "fay"),), (forwarding("fay", "guy"), forwarding("guy", FAR)), {FAR: ("fay", "guy")}),
        (
            (alias("team", "fay"), alias("more", FAR, "joe")),
            (forwarding("fay", "more"),),
            {FAR: ("fay",), "joe": ("fay",)},
        ),
        ((alias("team", "joe", "ann"),), (), {}),
        ((alias("team", "fay", FAR),), (forwarding("fay", FAR),), {}),
        ((alias("team", "fay", "joe"),), (forwarding("fay", "joe"),), {}),
        (
            (alias("team", "fay", "hal"),),
            (forwarding("fay", "guy"), forwarding("hal", "guy"), forwarding("guy", FAR)),
            {FAR: ("guy",)},
        ),
        (
            (alias("team", "fay", "hal"), alias("more", FAR)),
            (forwarding("fay", "more"), forwarding("hal", "more")),
            {},
        ),
    ],
)
def test_who_forwards_is_known_where_nobody_else_leads_there(
    aliases: tuple[Alias, ...], accounts: tuple[Account, ...], forwarders: dict[str, tuple[str, ...]]
) -> None:
    route = run_now(router(*aliases, accounts=accounts, rules=SENDS).route(of("team")))
    assert route.forwarders == {of(name): tuple(map(of, by)) for name, by in forwarders.items()}
