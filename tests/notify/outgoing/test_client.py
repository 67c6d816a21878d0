"""Posting over real loopback sockets: what is sent, what is taken for an answer, where nothing ever goes."""

from __future__ import annotations

import gzip
from ipaddress import ip_address, ip_network

import attrs
from twisted.internet import reactor
from twisted.internet.defer import CancelledError, Deferred, gatherResults

from mailsuite.notify.outgoing import client as module
from mailsuite.notify.outgoing.addresses import AddressRules
from mailsuite.notify.outgoing.causes import Cause, NotAllowed, Unreached
from mailsuite.notify.outgoing.targets import UrlRules, web_target
from mailsuite.wire.http_client import MAX_BODY
from tests.notify.outgoing.web_servers import ELSEWHERE, HERE, LAST, OK, WebCase, WebServer, nothing
from tests.zones import has_ipv6


class ClientCase(WebCase):
    async def unreached(self, target, **more):
        """Why there is no answer."""
        try:
            response = await self.post(target, **more)
        except (Unreached, NotAllowed) as failure:
            self.assertTrue(failure.detail.startswith(f"{failure.cause.value}: "), failure.detail)
            self.assertNotIn("s3cret", failure.detail)
            return failure
        raise AssertionError(f"there is an answer: {response}")

    async def cause(self, target, **more):
        return (await self.unreached(target, **more)).cause

    def spawn(self, target, **more):
        return Deferred.fromCoroutine(self.post(target, **more))


class TestRequests(ClientCase):
    async def test_what_is_sent(self):
        server = await self.listen(WebServer())
        response = await self.post(self.target(server), b'{"a":1}')
        self.assertEqual((response.status, response.retry_after, response.body), (200, 0.0, b"ok"))
        ((head, body),) = server.requests
        self.assertEqual(body, b'{"a":1}')
        self.assertEqual(
            head.decode().split("\r\n"),
            [
                "POST /hook?key=s3cret HTTP/1.1",
                f"Host: 127.0.0.1:{server.port}",
                "User-Agent: mailsuite",
                "Accept: */*",
                "Accept-Encoding: identity",
                "Content-Type: application/json",
                "Content-Length: 7",
            ],
        )

    async def test_fields_of_its_own(self):
        server = await self.listen(WebServer())
        await self.client.post(self.target(server), {"user-agent": "x", "TTL": "60"}, b"")
        ((head, _),) = server.requests
        self.assertIn(b"\r\nuser-agent: x\r\nTTL: 60\r\n", head)
        self.assertNotIn(b"mailsuite", head)

    async def test_a_field_that_hides_another(self):
        server = await self.listen(WebServer())
        with self.assertRaises(ValueError):
            await self.client.post(self.target(server), {"a": "b\r\nHost: c"}, b"")
        self.assertEqual(server.connections, 0)

    async def test_over_ipv6(self):
        if not has_ipv6():
            raise self.skipTest("no IPv6 here")
        server = await self.listen(WebServer(), at="::1")
        self.assertEqual((await self.post(self.target(server, "::1"))).status, 200)
        self.assertIn(f"Host: [::1]:{server.port}".encode(), server.requests[0][0])

    async def test_the_environment_names_no_proxy(self):
        proxy = await self.listen(WebServer())
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            self.patch_environment(name, f"http://{HERE}:{proxy.port}")
        server = await self.listen(WebServer())
        await self.post(self.target(server))
        self.assertEqual((proxy.connections, server.connections), (0, 1))

    def patch_environment(self, name, value):
        import os

        before = os.environ.get(name)
        os.environ[name] = value
        self.addCleanup(os.environ.pop if before is None else os.environ.__setitem__, name, before)


class TestAnswers(ClientCase):
    async def answered(self, octets, **more):
        """The response to these octets, and the server's side."""

        def answer(session):
            session.transport.write(octets)

        server = await self.listen(WebServer(answer))
        return await self.post(self.target(server), **more), server

    async def test_a_redirect_is_an_answer(self):
        inside = await self.listen(WebServer(), at=ELSEWHERE)
        for status in (301, 302, 303, 307, 308):
            octets = (
                f"HTTP/1.1 {status} Over there\r\nLocation: http://{ELSEWHERE}:{inside.port}/\r\n"
                "Content-Length: 0\r\n\r\n"
            )
            response, _ = await self.answered(octets.encode())
            self.assertEqual(response.status, status)
        self.assertEqual(inside.connections, 0)

    async def test_retry_after(self):
        octets = b"HTTP/1.1 503 No\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n"
        response, _ = await self.answered(octets)
        self.assertEqual((response.status, response.retry_after), (503, 120.0))

    async def test_ten_megabytes(self):
        """The first 4 KiB are read, and the connection is ended before most of it has gone."""
        size = 10 << 20
        gone = Deferred()

        def answer(session):
            session.transport.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)

        server = await self.listen(WebServer(answer, lost=gone.callback))
        response = await self.post(self.target(server))
        self.assertEqual(response.body, b"x" * MAX_BODY)
        await gone

    async def test_endless_body(self):
        def answer(session):
            session.transport.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            session.transport.registerProducer(Endless(session.transport, b"1\r\nx\r\n" * 100), False)

        server = await self.listen(WebServer(answer))
        response = await self.post(self.target(server))
        self.assertEqual((response.status, response.body), (200, b"x" * MAX_BODY))

    async def test_a_compressed_body_stays_as_it_is(self):
        bomb = gzip.compress(b"\0" * (10 << 20))[:MAX_BODY]
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(bomb)
        response, _ = await self.answered(head + bomb)
        self.assertEqual(response.body, bomb)

    async def test_endless_head(self):
        def answer(session):
            session.transport.write(b"HTTP/1.1 200 OK\r\n")
            session.transport.registerProducer(Endless(session.transport, b"X: y\r\n" * 100), False)

        server = await self.listen(WebServer(answer))
        failure = await self.unreached(self.target(server))
        self.assertEqual(failure.cause, Cause.PROTOCOL)
        self.assertIn("the head of the answer is too long", failure.detail)

    async def test_a_flood_of_informational_answers(self):
        def answer(session):
            session.transport.registerProducer(
                Endless(session.transport, b"HTTP/1.1 100 Go on\r\n\r\n" * 100), False
            )

        server = await self.listen(WebServer(answer))
        self.assertEqual(await self.cause(self.target(server)), Cause.PROTOCOL)
        self.assertEqual(self.lines, [])

    async def test_no_http(self):
        with self.assertRaises(Unreached) as raised:
            await self.answered(b"-ERR s3cret of an internal server\r\n")
        self.assertEqual(raised.exception.cause, Cause.PROTOCOL)
        self.assertNotIn("s3cret", raised.exception.detail)

    async def test_an_answer_octet_by_octet_has_no_more_time(self):
        """A slow one in the head fails, and one in the body is cut."""
        server = await self.listen(Trickling(b"HTTP/1.1 200 "))
        self.assertEqual(await self.cause(self.target(server), patience=0.1), Cause.TIMED_OUT)
        server = await self.listen(Trickling(b"HTTP/1.1 200 OK\r\n\r\nx"))
        response = await self.post(self.target(server), patience=0.3)
        self.assertEqual((response.status, set(response.body)), (200, set(b"x")))

    async def test_no_answer_at_all(self):
        server = await self.listen(WebServer(nothing))
        self.assertEqual(await self.cause(self.target(server), patience=0.1), Cause.TIMED_OUT)

    async def test_a_reset(self):
        server = await self.listen(WebServer(lambda session: session.transport.abortConnection()))
        self.assertEqual(await self.cause(self.target(server)), Cause.LOST)
        self.assertEqual(server.connections, 1)  # it was no kept connection: nothing is sent twice

    async def test_closed_amid_the_head(self):
        def answer(session):
            session.transport.write(b"HTTP/1.1 200 OK\r\nX: y")
            session.transport.loseConnection()

        server = await self.listen(WebServer(answer))
        self.assertEqual(await self.cause(self.target(server)), Cause.LOST)

    async def test_nobody_listens(self):
        server = await self.listen(WebServer())
        port, server.port = server.port, 1
        self.assertEqual(await self.cause(self.target(server)), Cause.REFUSED)
        server.port = port


class Trickling(WebServer):
    """Says something, and then an octet now and then."""

    def __init__(self, first):
        super().__init__(lambda session: self.say(session, first), lost=lambda session: session.next.cancel())

    def say(self, session, octets):
        session.transport.write(octets)
        session.next = reactor.callLater(0.005, self.say, session, b"x")


@attrs.define(eq=False)
class Endless:
    """A producer that never stops by itself."""

    transport: object
    octets: bytes

    def resumeProducing(self):
        self.transport.write(self.octets)

    def stopProducing(self):
        """The transport is going."""


class TestAddresses(ClientCase):
    """Whatever a name leads to, nothing connects to where notices may not go."""

    async def asserts_refused(self, host, *words, server=None):
        server = server or await self.listen(WebServer(), at=ELSEWHERE)
        failure = await self.unreached(self.target(server, host))
        self.assertEqual((type(failure), failure.cause), (NotAllowed, Cause.NOT_ALLOWED))
        for word in words:
            self.assertIn(word, failure.detail)
        self.assertEqual(server.connections, 0)

    async def test_a_name(self):
        self.zone.host("a.test", HERE)
        server = await self.listen(WebServer())
        self.assertEqual((await self.post(self.target(server, "a.test"))).status, 200)

    async def test_a_name_that_leads_inside(self):
        self.rules = UrlRules(AddressRules())
        for number, address in enumerate(
            ["127.0.0.1", "10.0.0.1", "169.254.169.254", "0.0.0.0", "::1", "fe80::1", "fd00::1", "::",
             "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::7f00:1", "2002:7f00:1::",
             "::ffff:0:127.0.0.1", "224.0.0.1", "255.255.255.255", "100.64.0.1", "fec0::1"]
        ):  # fmt: skip
            self.zone.host(f"n{number}.test", address)
            target = web_target(f"https://n{number}.test/", self.rules)
            failure = await self.unreached(target)
            self.assertEqual(failure.cause, Cause.NOT_ALLOWED, address)

    async def test_in_words(self):
        self.rules = UrlRules(AddressRules())
        self.zone.host("a.test", "10.0.0.1")
        failure = await self.unreached(web_target("https://a.test/", self.rules))
        self.assertEqual(
            failure.detail,
            "not-allowed: 10.0.0.1 is local; for notices to go there, add its network to "
            "notify.allow_networks",
        )

    async def test_in_the_clear_no_address_outside(self):
        self.zone.host("a.test", "192.0.43.8")
        await self.asserts_refused("a.test", "192.0.43.8 is in none of notify.allow_networks")

    async def test_literals(self):
        await self.asserts_refused(ELSEWHERE, ELSEWHERE)

    async def test_localhost(self):
        self.rules = UrlRules(AddressRules())
        server = await self.listen(WebServer())
        for name in ("localhost", "a.localhost"):
            target = self.target(server, name, "https")
            self.assertEqual(await self.cause(target), Cause.NOT_ALLOWED)
        self.assertEqual(server.connections, 0)

    async def test_forms_of_addresses_that_are_none(self):
        """They are refused in URLs; and where one came here all the same, it is a name that nobody has."""
        server = await self.listen(WebServer())
        self.zone.host("a.test", HERE)
        for form in ("127.1", "0x7f.1", "2130706433", "0x7f000001", "0177.0.0.1"):
            self.assertEqual(await self.cause(self.target(server, form)), Cause.NO_HOST)
        self.assertEqual(server.connections, 0)

    async def test_a_name_server_that_says_something_else_the_second_time(self):
        inside, server = WebServer(), WebServer(lambda session: session.transport.write(LAST))
        await self.listen_both(inside, server)
        self.zone.host("a.test", HERE)
        self.assertEqual((await self.post(self.target(server, "a.test"))).status, 200)
        self.zone.forget("a.test")
        self.zone.host("a.test", ELSEWHERE)
        await self.asserts_refused("a.test", server=inside)
        self.assertEqual(server.connections, 1)

    async def test_a_mixed_answer(self):
        inside, server = WebServer(), WebServer()
        await self.listen_both(inside, server)
        self.zone.host("a.test", ELSEWHERE, HERE, "127.0.0.3", "::ffff:127.0.0.4")
        self.assertEqual((await self.post(self.target(server, "a.test"))).status, 200)
        self.assertEqual((server.connections, inside.connections), (1, 0))

    async def test_a_chain_of_aliases(self):
        self.zone.add("a.test", "CNAME", "b.test.")
        self.zone.add("b.test", "CNAME", "c.test.")
        self.zone.host("c.test", ELSEWHERE)
        await self.asserts_refused("a.test")

    async def test_a_mapped_address_is_the_ipv4_address(self):
        self.zone.host("a.test", f"::ffff:{HERE}")
        server = await self.listen(WebServer())
        self.assertEqual((await self.post(self.target(server, "a.test"))).status, 200)
        self.zone.host("b.test", f"::ffff:{ELSEWHERE}")
        await self.asserts_refused("b.test", ELSEWHERE)

    async def test_the_next_address_is_tried(self):
        server = await self.listen(WebServer())
        self.rules = UrlRules(AddressRules((ip_network("127.0.0.0/8"),)))
        self.zone.host("a.test", ELSEWHERE, HERE)
        self.assertEqual((await self.post(self.target(server, "a.test"))).status, 200)

    async def test_no_such_name(self):
        server = await self.listen(WebServer())
        self.zone.add("there.test", "TXT", '"x"')
        self.zone.faults["trouble.test"] = "servfail"
        for name, cause, words in (
            ("a.test", Cause.NO_HOST, "a.test does not exist"),
            ("there.test", Cause.NO_HOST, "there.test has no address"),
            ("trouble.test", Cause.UNRESOLVED, "trouble.test cannot be looked up now"),
        ):
            failure = await self.unreached(self.target(server, name))
            self.assertEqual(failure.cause, cause)
            self.assertIn(words, failure.detail)

    async def test_a_silent_name_server(self):
        server = await self.listen(WebServer())
        self.zone.faults["a.test"] = "silent"
        failure = await self.unreached(self.target(server, "a.test"), patience=0.1)
        self.assertEqual(failure.detail, "timed-out: the domain name system is silent")

    async def test_a_kept_connection_is_judged_by_the_rules_of_now(self):
        server = await self.listen(WebServer())
        target = self.target(server)
        await self.post(target)
        self.rules = UrlRules(AddressRules())
        self.assertEqual(await self.cause(target), Cause.NOT_ALLOWED)
        self.assertEqual(len(server.requests), 1)

    async def test_a_thousand_names_of_one_address(self):
        """Its owner is connected to no oftener than others."""
        server = await self.listen(WebServer(lambda session: session.transport.write(LAST)))
        self.client.dialler.sites.burst = 5
        self.client.places.per_host = 1000
        posts = []
        for number in range(20):
            self.zone.host(f"n{number}.test", HERE)
            posts.append(Deferred.fromCoroutine(self.unless_busy(self.target(server, f"n{number}.test"))))
        outcomes = await gatherResults(posts)
        self.assertEqual(sum(outcomes), server.connections)
        self.assertTrue(5 <= server.connections <= 8)

    async def unless_busy(self, target):
        try:
            await self.post(target)
        except Unreached as failure:
            self.assertEqual(failure.cause, Cause.BUSY)
            return False
        return True


class TestTls(ClientCase):
    async def secure(self, *names, **more):
        self.zone.host("a.test", HERE)
        return await self.listen(WebServer(), pair=self.authority.sign(*names, **more))

    async def test_a_right_certificate(self):
        server = await self.secure("a.test")
        target = self.target(server, "a.test", "https")
        self.assertEqual((await self.post(target)).status, 200)
        self.assertEqual((await self.post(target)).status, 200)
        self.assertEqual(server.connections, 1)
        self.assertIn(f"Host: a.test:{server.port}".encode(), server.requests[0][0])

    async def test_a_certificate_for_an_address(self):
        server = await self.secure(HERE)
        self.assertEqual((await self.post(self.target(server, HERE, "https"))).status, 200)

    async def test_another_s_certificate(self):
        server = await self.secure("b.test")
        failure = await self.unreached(self.target(server, "a.test", "https"))
        self.assertEqual(failure.detail, "tls: the certificate is not for a.test")
        self.assertEqual(server.requests, [])

    async def test_an_old_certificate(self):
        server = await self.secure("a.test", expired=True)
        failure = await self.unreached(self.target(server, "a.test", "https"))
        self.assertEqual(failure.detail, "tls: the certificate has expired")

    async def test_an_authority_that_nobody_knows(self):
        server = await self.secure("a.test")
        contexts = self.client.dialler.contexts
        self.client.dialler = attrs.evolve(self.client.dialler, ca_file=None, contexts=contexts)
        failure = await self.unreached(self.target(server, "a.test", "https"))
        self.assertIn("not trusted", failure.detail)

    async def test_no_authorities(self):
        server = await self.secure("a.test")
        nowhere = self.authority.folder / "nowhere.pem"
        self.client.dialler = attrs.evolve(self.client.dialler, ca_file=nowhere)
        failure = await self.unreached(self.target(server, "a.test", "https"))
        self.assertEqual(failure.cause, Cause.TLS)

    async def test_no_tls(self):
        self.zone.host("a.test", HERE)
        for octets in (b"HTTP/1.1 400 s3cret\r\n\r\n", b"220 mail.test ESMTP\r\n", b""):
            server = await self.listen(
                WebServer(connected=lambda session, o=octets: answer_and_close(session, o))
            )
            self.assertEqual(await self.cause(self.target(server, "a.test", "https")), Cause.TLS)

    async def test_a_handshake_that_never_ends(self):
        server = await self.listen(WebServer())
        target = self.target(server, HERE, "https")
        self.assertEqual(await self.cause(target, patience=0.1), Cause.TIMED_OUT)

    async def test_cancelled_amid_the_handshake(self):
        connected = Deferred()
        server = await self.listen(WebServer(connected=connected.callback))
        posting = self.spawn(self.target(server, HERE, "https"))
        await connected
        posting.cancel()
        with self.assertRaises(CancelledError):
            await posting


def answer_and_close(session, octets):
    session.transport.write(octets)
    session.transport.loseConnection()


class TestConnections(ClientCase):
    async def test_they_are_kept(self):
        server = await self.listen(WebServer())
        for _ in range(10):
            await self.post(self.target(server))
        self.assertEqual((server.connections, len(server.requests)), (1, 10))

    async def test_they_are_not_shared_with_another_client(self):
        server, other = await self.listen(WebServer()), self.made()
        await self.post(self.target(server))
        self.client = other
        await self.post(self.target(server))
        self.assertEqual(server.connections, 2)

    async def test_one_that_wants_to_close_is_not_kept(self):
        server = await self.listen(WebServer(lambda session: session.transport.write(LAST)))
        for _ in range(3):
            await self.post(self.target(server))
            self.assertEqual(len(self.client._kept), 0)
        self.assertEqual(server.connections, 3)

    async def test_an_answer_before_the_question(self):
        """What is said out of turn answers nothing."""
        forged = OK.replace(b"200 OK", b"201 No")

        def answer(session):
            session.transport.write(OK + (forged if len(server.requests) == 1 else b""))

        server = await self.listen(WebServer(answer))
        self.assertEqual((await self.post(self.target(server))).status, 200)
        self.assertEqual((await self.post(self.target(server))).status, 200)
        self.assertEqual(server.connections, 2)

    async def test_one_that_was_closed_meanwhile(self):
        """The server closes a kept connection when the next request comes; it is sent anew."""

        def answer(session):
            if len(server.requests) == 2:
                session.transport.loseConnection()
            else:
                session.transport.write(OK)

        server = await self.listen(WebServer(answer))
        for _ in range(2):
            self.assertEqual((await self.post(self.target(server))).status, 200)
        self.assertEqual((server.connections, len(server.requests)), (2, 3))

    async def test_one_that_the_server_closes_is_forgotten(self):
        server = await self.listen(WebServer())
        await self.post(self.target(server))
        (connection,) = self.client._kept
        server.sessions[0].transport.loseConnection()
        await connection.gone
        self.assertEqual((len(self.client._kept), len(self.client._open)), (0, 0))

    async def test_a_few_to_one_host_at_a_time(self):
        waiting = []
        server = await self.listen(WebServer(waiting.append))
        posts = [self.spawn(self.target(server)) for _ in range(10)]
        most = answered = 0
        while answered < 10:
            await self.until(lambda: len(waiting) == min(4, 10 - answered))  # noqa: B023
            most = max(most, len(waiting))
            waiting.pop().transport.write(OK)
            answered += 1
        self.assertEqual([response.status for response in await gatherResults(posts)], [200] * 10)
        self.assertEqual((most, server.connections), (4, 4))

    async def test_so_many_are_kept(self):
        self.patch(module, "MAX_KEPT", 2)
        servers = [await self.listen(WebServer()) for _ in range(4)]
        for server in servers:
            await self.post(self.target(server))
        await self.until(lambda: len(self.client._kept) == 2)
        for server in servers:
            await self.post(self.target(server))
        self.assertEqual([server.connections for server in servers][:2], [2, 2])

    async def test_forget(self):
        server = await self.listen(WebServer())
        await self.post(self.target(server))
        self.client.forget()
        await self.post(self.target(server))
        self.assertEqual(server.connections, 2)

    async def test_cancelled_amid_an_exchange(self):
        asked = Deferred()
        server = await self.listen(WebServer(asked.callback))
        posting = self.spawn(self.target(server))
        await asked
        posting.cancel()
        with self.assertRaises(CancelledError):
            await posting
        await self.until(lambda: not server.sessions)
        server.asked = lambda session: session.transport.write(OK)
        self.assertEqual((await self.post(self.target(server))).status, 200)

    async def test_the_end(self):
        asked = Deferred()
        silent = await self.listen(WebServer(asked.callback))
        server = await self.listen(WebServer())
        self.zone.faults["a.test"] = "silent"
        await self.post(self.target(server))
        posts = [self.spawn(self.target(silent)), self.spawn(self.target(server, "a.test"))]
        await asked
        await self.client.stop()
        for posting in posts:
            with self.assertRaises(CancelledError):
                await posting
        self.assertEqual((len(self.client._open), len(self.client._kept)), (0, 0))
        await self.until(lambda: not server.sessions and not silent.sessions)

    async def test_nothing_is_logged(self):
        server = await self.listen(WebServer())
        await self.post(self.target(server), b"s3cret")
        self.assertEqual(self.lines, [])
        self.assertNotIn("ok", repr(await self.post(self.target(server))))
        self.assertEqual(ip_address(HERE), next(iter(self.client._kept)).peer)
