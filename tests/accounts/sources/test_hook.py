"""The HTTP hook over real loopback sockets: what is sent, what counts as an answer, whom we trust."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import UsernamePassword
from twisted.internet import endpoints, reactor
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.python import log as twisted_log
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site
from zope.interface.verify import verifyObject

from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.hook import MAX_ANSWER_OCTETS
from mailsuite.accounts.sources.opening import open_sources
from mailsuite.concurrent.threads import Inline
from mailsuite.config.sources import SourceBlock
from mailsuite.frontends.tls import ServerTLS, load_context
from mailsuite.model.failure import TemporaryFailure
from mailsuite.observe.log import Log
from tests.accounts.sources.certificates import Authority
from tests.accounts.sources.fakes import JOE, SECRET

YES, NO = b'{"ok": true}', b'{"ok": false}'


class Hook(Resource):
    """Answers as the test says, and keeps what it was sent."""

    isLeaf = True

    def __init__(self):
        super().__init__()
        self.status, self.body, self.headers = 200, YES, {}
        self.sent, self.requests, self.peers = [], [], set()
        self.gone = Deferred()

    def render_POST(self, request):
        self.sent.append(request.content.read())
        self.requests.append(request.requestHeaders)
        self.peers.add(request.getClientAddress().port)
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name, value)
        if self.body is None:
            request.notifyFinish().addBoth(lambda _: self.gone.callback(None))
            return NOT_DONE_YET
        return self.body


class HookCase(TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="ms-")
        self.addCleanup(temporary.cleanup)
        self.folder = Path(temporary.name)
        self.hook = Hook()
        self.lines = []
        self.sources = None

    async def listen(self, factory=None, pair=None):
        """Where it listens: in the clear, or with the certificate of *pair*."""
        endpoint = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
        if pair is not None:
            tls = ServerTLS(load_context(pair.certificate, pair.key, "1.2"))
            endpoint = endpoints.SSL4ServerEndpoint(reactor, 0, tls, interface="127.0.0.1")
        self.site = Site(self.hook)
        port = await endpoint.listen(factory or self.site)
        self.addCleanup(port.stopListening)
        scheme = "http" if pair is None else "https"
        self.use(url=f"{scheme}://127.0.0.1:{port.getHost().port}/check")
        return port

    def use(self, **keys):
        block = SourceBlock(name="hook", type="http", cache=0.0, cache_refused=0.0, **keys)
        if self.sources is not None:
            block = attrs.evolve(self.block, **keys)
        self.block = block
        log = Log(lambda line, level: self.lines.append(line))
        before, self.sources = (
            self.sources,
            open_sources([block], reactor, threads=Inline(), passwords=Passwords(Inline()), log=log),
        )
        self.addCleanup(self.sources.stop)
        return before

    async def says(self, password=SECRET):
        return await self.sources.check(JOE, password)

    async def is_down(self, words, password=SECRET):
        try:
            answer = await self.says(password)
        except TemporaryFailure as failure:
            self.assertIn(words, failure.detail)
            self.assertNotIn("canary", failure.detail)
        else:
            self.fail(f"{answer} instead of a failure with {words!r}")


class AnswerTests(HookCase):
    async def test_what_is_sent(self):
        await self.listen()
        self.assertTrue(await self.says())
        self.assertEqual(json.loads(self.hook.sent[0]), {"username": "joe@example.net", "password": SECRET})
        headers = self.hook.requests[0]
        self.assertEqual(headers.getRawHeaders("content-type"), ["application/json"])
        self.assertIsNone(headers.getRawHeaders("authorization"))

    async def test_any_text_is_one_value(self):
        await self.listen()
        for password in ('"}', '", "username": "admin', "grün\u2028\U0001f600", "\\", "\n\r\t", "\x7f"):
            self.assertTrue(await self.says(password))
            self.assertEqual(json.loads(self.hook.sent[-1])["password"], password)

    async def test_octets_that_are_no_text_are_nobodys_password(self):
        await self.listen()
        self.assertFalse(await self.says(b"gr\xfcn".decode("utf-8", "surrogateescape")))
        self.assertEqual(self.hook.sent, [])

    async def test_the_token_is_shown(self):
        token = self.folder / "token"
        token.write_text("canary-token\n")
        await self.listen()
        self.use(token_file=token)
        self.assertTrue(await self.says())
        self.assertEqual(self.hook.requests[0].getRawHeaders("authorization"), ["Bearer canary-token"])
        self.assertNotIn("canary", repr(self.sources))

    async def test_yes_and_no(self):
        await self.listen()
        for body, verdict in ((YES, True), (NO, False), (b' {"ok":true,"more":[1]}\n', True)):
            self.hook.body = body
            self.assertIs(await self.says(), verdict)
        self.hook.body = b"whatever"
        for self.hook.status in (401, 403):
            self.assertFalse(await self.says())

    async def test_what_is_no_answer(self):
        await self.listen()
        for body in (
            b"",
            b"true",
            b'"ok"',
            b"{}",
            b'{"ok": 1}',
            b'{"ok": "true"}',
            b'{"OK": true}',
            b"[" * 5000,
        ):
            self.hook.body = body
            await self.is_down("the answer")
        self.hook.body = YES
        for self.hook.status in (201, 204, 301, 302, 307, 400, 404, 407, 429, 500, 502, 503):
            await self.is_down(f"status {self.hook.status}")

    async def test_a_redirection_is_not_followed(self):
        await self.listen()
        self.hook.status, self.hook.headers = 307, {b"location": self.block.url.encode()}
        await self.is_down("status 307")
        self.assertEqual(len(self.hook.sent), 1)

    async def test_a_token_that_is_not_taken_is_no_wrong_password(self):
        await self.listen()
        self.hook.status, self.hook.headers = 401, {b"www-authenticate": b"Bearer error=invalid_token"}
        await self.is_down("does not take our token")
        self.hook.headers = {b"www-authenticate": b'Basic realm="x"'}
        self.assertFalse(await self.says())

    async def test_an_answer_that_is_too_long(self):
        await self.listen()
        self.hook.body = YES + b" " * (MAX_ANSWER_OCTETS - len(YES))
        self.assertTrue(await self.says())
        self.hook.body = YES + b" " * (64 << 20)
        await self.is_down(f"more than {MAX_ANSWER_OCTETS} octets")
        self.hook.body = YES
        self.assertTrue(await self.says())

    async def test_a_slow_hook(self):
        await self.listen()
        self.use(timeout=0.3)
        self.hook.body = None
        begins = reactor.seconds()
        await self.is_down("no answer within 0.3 seconds")
        await self.hook.gone  # our side has closed the connection
        self.assertEqual(len(self.hook.sent), 1)
        self.assertLess(reactor.seconds() - begins, 5)

    async def test_the_clock_of_five_seconds(self):
        await self.listen()
        self.hook.body = None
        begins = reactor.seconds()
        await self.is_down("no answer within 5 seconds")
        await self.hook.gone
        self.assertGreaterEqual(reactor.seconds() - begins, 4.9)
        self.assertLess(reactor.seconds() - begins, 15)

    async def test_connections_are_kept_and_one_that_was_closed_costs_no_login(self):
        await self.listen()
        for _ in range(3):
            self.assertTrue(await self.says())
        self.assertEqual(len(self.hook.peers), 1)
        for connection in self.connections():
            connection.abortConnection()
        self.assertTrue(await self.says())
        self.assertEqual(len(self.hook.peers), 2)
        self.assertEqual(self.lines, [])

    def connections(self):
        """Those that the site has accepted."""
        protocols = [(one, getattr(one, "protocol", None)) for one in reactor.getReaders()]
        return [one for one, protocol in protocols if getattr(protocol, "factory", None) is self.site]


class Raw(Protocol):
    def connectionMade(self):
        self.factory.peers.append(self)

    def dataReceived(self, data):
        self.transport.write(self.factory.octets)
        if self.factory.closes:
            self.transport.loseConnection()


class NonsenseTests(HookCase):
    async def raw(self, octets, closes=True):
        factory = Factory.forProtocol(Raw)
        factory.octets, factory.closes, factory.peers = octets, closes, []
        await self.listen(factory)
        return factory

    async def test_what_is_not_http(self):
        await self.raw(b"+OK POP3 ready\r\n\r\n")
        await self.is_down("no whole answer")

    async def test_a_connection_that_says_nothing(self):
        await self.raw(b"")
        await self.is_down("no whole answer")

    async def test_half_an_answer(self):
        await self.raw(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n" + YES[:6])
        await self.is_down("no whole answer")

    async def test_an_answer_that_ends_with_the_connection(self):
        await self.raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + YES)
        self.assertTrue(await self.says())

    async def test_nobody_there(self):
        port = await self.listen()
        await port.stopListening()
        await self.is_down("refused")


class TrustTests(HookCase):
    async def test_a_certificate_of_our_authority(self):
        authority = Authority(self.folder)
        await self.listen(pair=authority.sign("127.0.0.1"))
        self.use(ca_file=authority.file)
        self.assertTrue(await self.says())

    async def test_others(self):
        authority = Authority(self.folder)
        stranger = Authority(self.folder, "stranger")
        for pair, trusted, words in (
            (authority.sign("127.0.0.1"), None, "verify failed"),
            (stranger.sign("127.0.0.1"), authority.file, "verify failed"),
            (authority.sign("127.0.0.1", expired=True), authority.file, "verify failed"),
            (authority.sign("elsewhere.example"), authority.file, "the certificate is for another name"),
        ):
            await self.listen(pair=pair)
            self.use(ca_file=trusted)
            await self.is_down(words)
        self.assertEqual(self.hook.sent, [])
        self.flushLoggedErrors()

    async def test_it_is_a_checker_like_others(self):
        await self.listen()
        checker = self.sources.sources[0].checker
        verifyObject(ICredentialsChecker, checker)
        self.assertEqual(await checker.requestAvatarId(UsernamePassword(b"joe", b"x")), b"joe")

    async def test_nothing_of_a_password_is_logged(self):
        seen = []
        twisted_log.addObserver(seen.append)
        self.addCleanup(twisted_log.removeObserver, seen.append)
        await self.listen()
        self.hook.status = 500
        await self.is_down("status 500")
        self.assertNotIn("canary", repr(seen) + "".join(self.lines))
        self.assertIn('source.down source=hook reason="status 500"', "".join(self.lines))
