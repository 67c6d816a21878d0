"""Checks of what is said about mail that leaves: no password in the clear, no circle, nothing for nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Final

from mailsuite.config.kinds import toml_text
from mailsuite.config.look import Look
from mailsuite.config.measures import duration_text, size_text
from mailsuite.config.next_hops import RelayBlock, port_of, retry_times, verifies
from mailsuite.config.problems import Problem
from mailsuite.config.queue import RetryTimes
from mailsuite.config.secret import unreadable
from mailsuite.config.sources import is_loopback

_OF_A_SERVER: Final = (
    *("host", "mx", "port", "fallback", "tls", "verify", "ca_file", "username", "password_file"),
    *("first_retry", "max_retry", "retry_fixed", "warn_sender", "give_up", "per_destination"),
)
"""What is said of a server, and says nothing where mail goes to none."""
_MAIL_SERVICES: Final = frozenset({"smtp", "submission", "lmtp"})


def queue_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong with ``[queue]`` and ``[[relay]]``."""
    queue = look.config.queue
    yield from _times(look, "queue", retry_times(queue))
    keys = ("queue.per_destination", "queue.concurrency")
    if queue.per_destination > queue.concurrency and look.sound(*keys):
        text = (
            f"per_destination = {queue.per_destination} is never reached: concurrency = {queue.concurrency}"
        )
        yield look.warning(text, *keys)
    keys = ("queue.per_source", "queue.concurrency")
    if queue.per_source is not None and queue.per_source > queue.concurrency and look.sound(*keys):
        text = f"per_source = {queue.per_source} is never reached: concurrency = {queue.concurrency}"
        yield look.warning(text, *keys)
    largest = look.config.submission.max_message
    keys = ("queue.max_outbound", "submission.max_message")
    if queue.max_outbound is not None and queue.max_outbound > largest and look.sound(*keys):
        text = f"max_outbound comes to nothing: nobody can hand in more than {size_text(largest)}"
        yield look.warning(text, *keys)
    yield from _sources(look)
    used = [relay for relay in look.config.relays if relay.enabled]
    for index, relay in enumerate(used):
        yield from _relay(look, relay)
        yield from _turn(look, relay, used[:index])


def _times(look: Look, table: str, times: RetryTimes) -> Iterator[Problem]:
    def keys(*names: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(f"{where}.{name}" for name in names for where in (table, "queue")))

    everything = keys("first_retry", "max_retry", "retry_fixed", "warn_sender", "give_up")
    if not look.sound(*everything):
        return
    fixed = times.fixed is not None
    name, first = ("first_retry", times.first) if times.fixed is None else ("retry_fixed", times.fixed)
    given = keys("first_retry", "max_retry")
    if fixed and any(look.is_given(key) for key in given if key.startswith(f"{table}.")):
        text = "first_retry and max_retry are not used: retry_fixed says when mail is tried again"
        yield look.warning(text, *given)
    if not fixed and times.longest < times.first:
        text = f"max_retry = {_said(times.longest)} is shorter than first_retry = {_said(times.first)}"
        yield look.error(f"{text}, where it begins", *keys("max_retry", "first_retry"))
    if times.give_up < first:
        text = f"give_up = {_said(times.give_up)} is before the first retry, {name} = {_said(first)}"
        yield look.error(text, *keys("give_up", name))
    late = [age for age in times.warn if age >= times.give_up]
    if late:
        text = (
            f"warn_sender = {_said(late[0])} comes to nothing: give_up = {_said(times.give_up)} is before it"
        )
        yield look.warning(text, *keys("warn_sender", "give_up"))


def _said(seconds: float) -> str:
    return toml_text(duration_text(seconds))


def _sources(look: Look) -> Iterator[Problem]:
    """A source address of one version of IP where only the other one is used."""
    queue = look.config.queue
    said = [("queue", queue.source_address, queue.ip_version)]
    said += [
        (f"domain.{one.name}", one.source_address or (), one.ip_version or queue.ip_version)
        for one in look.config.domains
    ]
    for table, addresses, version in said:
        keys = (f"{table}.source_address", f"{table}.ip_version", "queue.ip_version")
        idle = [str(one) for one in addresses if version not in {"any", str(one.version)}]
        if idle and look.sound(*keys):
            yield look.warning(
                f"source_address {idle[0]} is not used: ip_version = {toml_text(version)}", *keys
            )


def _relay(look: Look, relay: RelayBlock) -> Iterator[Problem]:
    block = f"relay.{relay.match}"
    ours = {domain.name for domain in look.config.domains}
    for pattern in relay.match.patterns:
        if pattern in ours and look.sound(f"{block}.match"):
            text = f"match: {pattern} is a domain of ours, whose mail stays here"
            yield look.warning(text, f"{block}.match")
    if not look.sound(f"{block}.transport"):
        return
    if relay.transport.kind in {"discard", "error"}:
        for name in _OF_A_SERVER:
            if look.is_given(f"{block}.{name}"):
                text = f'{name} says nothing for transport = "{relay.transport.kind}"'
                yield look.error(text, f"{block}.{name}")
        return
    yield from _times(look, block, retry_times(look.config.queue, relay))
    yield from _host(look, relay, block)
    yield from _login(look, relay, block)
    yield from _tls(look, relay, block)
    yield from _circle(look, relay, block)


def _host(look: Look, relay: RelayBlock, block: str) -> Iterator[Problem]:
    if not look.sound(f"{block}.host"):
        return
    lmtp = relay.transport.kind == "lmtp"
    if lmtp and relay.host is None:
        text = 'transport = "lmtp" needs a host: only one that knows the mailboxes speaks LMTP'
        yield look.error(text, f"{block}.host", f"{block}.transport")
    if relay.mx and relay.host is None:
        text = "mx = true needs host, the domain whose servers are looked up"
        yield look.error(text, f"{block}.mx")
    elif relay.mx and lmtp:
        yield look.error('mx says nothing for transport = "lmtp"', f"{block}.mx")
    elif relay.mx and relay.host is not None and _is_address(relay.host):
        yield look.error(f"mx = true: {relay.host} is an address, and has no mail servers", f"{block}.mx")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _login(look: Look, relay: RelayBlock, block: str) -> Iterator[Problem]:
    if not look.sound(f"{block}.username", f"{block}.password_file"):
        return
    if bool(relay.username) != bool(relay.password_file):
        there, lacking = ("username", "password_file") if relay.username else ("password_file", "username")
        yield look.error(f"{there} without {lacking}: both, or neither", f"{block}.{there}")
    if not relay.username or not look.sound(f"{block}.host", f"{block}.tls", f"{block}.verify"):
        return
    keys = (f"{block}.username", f"{block}.password_file")
    if relay.host is None or relay.mx:
        text = "the password would be told to whoever the DNS names; name the server in host, without mx"
        yield look.error(f"username: {text}", *keys)
    elif not _is_here(relay):
        if relay.tls in {"off", "starttls"}:
            text = f'tls = "{relay.tls}" can send the password in the clear; write "required-starttls"'
            yield look.error(text, f"{block}.tls")
        elif relay.verify is False:
            text = "verify = false: whoever stands between can take the password"
            yield look.warning(text, f"{block}.verify")


def _is_here(relay: RelayBlock) -> bool:
    """Whether it goes to this machine alone."""
    hosts = [relay.host or "", *(place.host for place in relay.fallback)]
    return all(map(is_loopback, hosts))


def _tls(look: Look, relay: RelayBlock, block: str) -> Iterator[Problem]:
    if not look.sound(f"{block}.tls", f"{block}.verify"):
        return
    if relay.tls == "implicit" and (relay.host is None or relay.mx) and look.sound(f"{block}.host"):
        text = 'tls = "implicit" needs host: the servers of a domain (MX) begin in the clear'
        yield look.error(text, f"{block}.tls")
    if relay.verify and relay.tls in {"off", "starttls"}:
        text = f'verify = true and tls = "{relay.tls}": write tls = "required-starttls" or "implicit"'
        yield look.error(text, f"{block}.verify", f"{block}.tls")
    elif relay.ca_file is not None and not verifies(look.config.queue.tls.default, relay):
        text = "ca_file is not used: for that, write verify = true"
        yield look.warning(text, f"{block}.ca_file")


def _circle(look: Look, relay: RelayBlock, block: str) -> Iterator[Problem]:
    """A next server that is this one."""
    if relay.host is None or relay.mx or not look.sound(f"{block}.host", f"{block}.port", "server.name"):
        return
    port = port_of(relay, look.config.queue.port)
    for listener in look.config.listeners:
        if not listener.enabled or listener.service not in _MAIL_SERVICES or listener.port != port:
            continue
        here = {*listener.bind, look.config.server.name}
        if relay.host in here or ("*" in here and is_loopback(relay.host)):
            text = f"host: {relay.host} with port {port} is this server (listener {listener.name!r})"
            yield look.error(f"{text}: mail would go in a circle", f"{block}.host")
            return


def _turn(look: Look, relay: RelayBlock, before: list[RelayBlock]) -> Iterator[Problem]:
    """Patterns whose domains an earlier block has."""
    for earlier in before:
        key = f"relay.{relay.match}.match"
        if taken := earlier.match.takes_from(relay.match):
            where = look.place(f"relay.{earlier.match}.match")
            yield look.warning(f"match: {taken[0]} never comes to its turn; the block at {where} has it", key)
            return


def relay_files(look: Look) -> Iterator[Problem]:
    """What is not there that a block needs; its password is read elsewhere."""
    for relay in look.config.relays:
        if relay.enabled and relay.ca_file is not None and (reason := unreadable(relay.ca_file)):
            text = f"ca_file: {relay.ca_file} {reason}"
            yield look.error(text, f"relay.{relay.match}.ca_file")
