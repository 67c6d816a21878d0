"""From the blocks of the configuration to sources that can be asked."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable
from functools import partial
from typing import Any, TypeVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.ssl import optionsForClientTLS
from twisted.web.client import Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool

from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.sources.detached import Detached
from mailsuite.accounts.sources.health import Health
from mailsuite.accounts.sources.hook import HookChecker
from mailsuite.accounts.sources.libpam import LibPam
from mailsuite.accounts.sources.pam import PAM_THREADS, PamChecker
from mailsuite.accounts.sources.passwd_file import PasswdFileChecker
from mailsuite.accounts.sources.plugin import plugin_checker
from mailsuite.accounts.sources.source import Source
from mailsuite.accounts.sources.trust import SourceError, trust_root
from mailsuite.accounts.sources.verdicts import Verdicts
from mailsuite.config.kinds import BadValue
from mailsuite.config.sources import SourceBlock, is_loopback, read_token
from mailsuite.interfaces import IThreads
from mailsuite.observe.log import Log

IDLE_CONNECTIONS = 4
IDLE_SECONDS = 60


def open_sources(
    blocks: Iterable[SourceBlock],
    reactor: Any,
    *,
    threads: IThreads,
    passwords: Passwords,
    log: Log,
) -> Sources:
    """Those that are enabled, in order. *threads* read files.

    Nothing is connected before somebody is asked. Raises SourceError where one can never work: a library
    or a file is missing, a checker is unknown, a filter is none.
    """
    opener = _Opener(reactor, threads, passwords, log)
    return Sources([opener.source(block) for block in blocks if block.enabled])


@attrs.frozen
class _Opener:
    reactor: Any
    threads: IThreads
    passwords: Passwords
    log: Log

    def source(self, block: SourceBlock) -> Source:
        try:
            return self._source(block)
        except (SourceError, BadValue) as error:
            raise SourceError(f"source {block.name}: {error}") from error

    def _source(self, block: SourceBlock) -> Source:
        ask = partial(
            Source,
            name=block.name,
            clock=self.reactor,
            health=Health(block.name, self.log),
            verdicts=Verdicts(self.reactor.seconds, block.cache, block.cache_refused),
            timeout=block.timeout,
            domains=frozenset(block.domains),
            username=block.username,
        )
        match block.type:
            case "passwd-file":
                # It remembers by itself, together with the hash, and limits its reading by itself.
                nothing = Verdicts(self.reactor.seconds, 0.0, 0.0)
                return ask(checker=self._passwd_file(block), verdicts=nothing, timeout=None)
            case "pam":
                return ask(checker=self._pam(block))
            case "http":
                pool = HTTPConnectionPool(self.reactor)
                pool.maxPersistentPerHost = IDLE_CONNECTIONS
                pool.cachedConnectionTimeout = IDLE_SECONDS
                return ask(checker=self._hook(block, pool), close=pool.closeCachedConnections)
            case "ldap":
                return ask(checker=self._ldap(block))
            case "plugin":
                return ask(checker=plugin_checker(block.checker))

    def _passwd_file(self, block: SourceBlock) -> ICredentialsChecker:
        return PasswdFileChecker(
            file=_needed(block.file, "file"),
            passwords=self.passwords,
            cache=PasswordCache(self.reactor.seconds, block.cache),
            threads=self.threads,
            clock=self.reactor,
            timeout=block.timeout,
            log=self.log.bind(source=block.name),
        )

    def _pam(self, block: SourceBlock) -> ICredentialsChecker:
        return PamChecker(
            pam_library(), block.service, Detached(self.reactor, f"pam {block.name}", PAM_THREADS)
        )

    def _hook(self, block: SourceBlock, pool: HTTPConnectionPool) -> ICredentialsChecker:
        policy = BrowserLikePolicyForHTTPS(trust_root(block.ca_file))
        return HookChecker(
            url=_needed(block.url, "url"),
            kept=Agent(self.reactor, policy, connectTimeout=block.timeout, pool=pool),
            fresh=Agent(self.reactor, policy, connectTimeout=block.timeout),
            token=read_token(block.token_file) if block.token_file else "",
        )

    def _ldap(self, block: SourceBlock) -> ICredentialsChecker:
        try:
            # An extra: whoever asks no LDAP server need not have it.
            from mailsuite.accounts.sources import ldap  # noqa: PLC0415
        except ImportError as error:
            raise SourceError("ldap needs a library: pip install mailsuite[ldap]") from error
        entry: ldap.ByName | ldap.BySearch = ldap.ByName(block.bind_dn)
        if not block.bind_dn:
            check_filter(block.filter)
            password = read_token(block.search_password_file) if block.search_password_file else ""
            entry = ldap.BySearch(block.base, block.filter, block.search_dn, password)
        url = urllib.parse.urlsplit(_needed(block.url, "url"))
        host = url.hostname or ""
        port = url.port or (636 if url.scheme == "ldaps" else 389)
        endpoint = HostnameEndpoint(self.reactor, host, port, timeout=block.timeout)
        if url.scheme == "ldap" and not block.starttls:
            if not is_loopback(host):
                raise SourceError("passwords would leave this machine in the clear")
            return ldap.LdapChecker(endpoint, entry, block.timeout)
        options = optionsForClientTLS(host, trust_root(block.ca_file))
        if url.scheme == "ldaps":
            return ldap.LdapChecker(wrapClientTLS(options, endpoint), entry, block.timeout)
        return ldap.LdapChecker(endpoint, entry, block.timeout, start_tls=options)


def pam_library() -> LibPam:
    """PAM. Raises SourceError where there is none."""
    try:
        return LibPam.load()
    except (OSError, AttributeError) as error:
        raise SourceError(f"there is no PAM on this machine: {error}") from error


def check_filter(filter: str) -> None:
    """Raises SourceError where that is no filter of LDAP, and ImportError where the extra is missing."""
    from mailsuite.accounts.sources import ldap_text  # noqa: PLC0415

    try:
        ldap_text.parse_filter(ldap_text.filled(filter, "a@b", "a", "b"))
    except ldap_text.FilterError as error:
        raise SourceError(f"filter: {error}") from error


T = TypeVar("T")


def _needed(value: T | None, key: str) -> T:
    if not value:
        raise SourceError(f"{key} is missing")
    return value
