"""Checks of who may send to other servers: nobody relays for the world by accident (features row S-I09)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network, IPv6Network, collapse_addresses
from typing import Final

from mailsuite.config.kinds_next_hops import Matches
from mailsuite.config.look import Look
from mailsuite.config.problems import Problem
from mailsuite.config.schema import Smtp, Submission
from mailsuite.model.access import unmapped_network
from mailsuite.model.device import IPNetwork

WIDEST_IPV4: Final = 8
"""The shortest prefix that one network can have: the largest that were ever given to one holder, and
10.0.0.0/8."""
WIDEST_IPV6: Final = 32
"""What a provider gets for all its customers at first (RFC 7020; the registries' /32)."""

SWITCH: Final = "i_know_this_is_an_open_relay"


def relaying_relations(look: Look) -> Iterator[Problem]:
    """All that opens a relay, or that does not do what it looks like."""
    for table, settings in _tables(look):
        yield from _networks(look, table, settings)
        if isinstance(settings, Smtp):
            yield from _mode(look, table, settings)
            yield from _domains(look, table, settings)
            yield from _recipients(look, table, settings)
            yield from _probing(look, table, settings)
            yield from _lists(look, table, settings)
        else:
            yield from _names(look, table, settings)


def _tables(look: Look) -> Iterator[tuple[str, Smtp | Submission]]:
    """``[smtp]``, ``[submission]``, and the open listeners that say something of their own."""
    config = look.config
    yield "smtp", config.smtp
    yield "submission", config.submission
    for listener in config.listeners:
        settings = listener.settings
        if listener.enabled and isinstance(settings, Smtp | Submission):
            general = config.smtp if isinstance(settings, Smtp) else config.submission
            if settings != general:
                yield f"listener.{listener.name}", settings


def _keys(table: str, name: str, settings: Smtp | Submission) -> tuple[str, ...]:
    """Where a value may have been written: in the block, else in the section of the service."""
    return f"{table}.{name}", f"{'smtp' if isinstance(settings, Smtp) else 'submission'}.{name}"


def _mode(look: Look, table: str, settings: Smtp) -> Iterator[Problem]:
    relay, networks = _keys(table, "relay", settings), _keys(table, "relay_networks", settings)
    if not look.sound(*relay, *networks):
        return
    if settings.relay == "anyone":
        text = 'relay = "anyone" lets the whole world send through this server'
        if settings.i_know_this_is_an_open_relay:
            yield look.warning(f"{text}; it will be listed as an open relay, and blocked", *relay)
        else:
            yield look.error(
                f'{text}; write relay = "addresses" and relay_networks, or {SWITCH} = true', *relay
            )
    elif settings.relay == "addresses" and not settings.relay_networks:
        text = 'relay = "addresses" and no relay_networks: nobody may send to other servers here'
        yield look.warning(text, *relay)
    elif settings.relay == "nobody" and settings.relay_networks:
        yield look.warning('relay_networks is not used: for that, write relay = "addresses"', *networks)
    if (
        settings.i_know_this_is_an_open_relay
        and settings.relay != "anyone"
        and not too_wide(settings.relay_networks)
    ):
        switch = _keys(table, SWITCH, settings)
        yield look.warning(f"{SWITCH} is for nothing here; take it out before it is for something", *switch)


def _domains(look: Look, table: str, settings: Smtp) -> Iterator[Problem]:
    """What is ours is never passed on, and what never leaves is nobody's."""
    keys = _keys(table, "relay_domains", settings)
    if not settings.relay_domains.patterns or not look.sound(*keys):
        return
    if look.config.queue.outgoing == "local-only" and look.sound("queue.outgoing"):
        text = 'relay_domains and queue.outgoing = "local-only": no mail leaves for them; write "allow"'
        yield look.error(text, *keys, "queue.outgoing")
    if settings.relay == "anyone":
        yield look.warning('relay_domains is not used: relay = "anyone" takes mail for all', *keys)
    ours = {domain.name for domain in look.config.domains}
    for pattern in settings.relay_domains.patterns:
        if pattern in ours:
            text = f"relay_domains: {pattern} is a domain of ours, whose mail stays here"
            yield look.warning(text, *keys)
        elif pattern == look.config.server.name:
            text = f"relay_domains: {pattern} is this server itself, and its mail is passed on to nobody"
            yield look.warning(text, *keys)


def _recipients(look: Look, table: str, settings: Smtp) -> Iterator[Problem]:
    """Entries outside of all domains, and domains that nobody has an entry in."""
    keys = _keys(table, "relay_recipients", settings)
    domains, entries = settings.relay_domains, settings.relay_recipients
    files = _keys(table, "relay_recipient_files", settings)
    if settings.relay_recipient_files and not domains.patterns and look.sound(*files):
        yield look.warning("relay_recipient_files is not used: it is for relay_domains", *files)
    if not entries or not look.sound(*keys, *_keys(table, "relay_domains", settings)):
        return
    named = [Matches((f"*.{entry.domain}" if entry.below else entry.domain,)) for entry in entries]
    listed = [Matches((pattern,)) for pattern in domains.patterns]
    for entry, name in zip(entries, named, strict=True):
        if not any(_meet(name, each) for each in listed):
            text = f"relay_recipients: {entry.text} is in none of relay_domains, and not used"
            yield look.warning(text, *keys)
    for each in listed if not settings.relay_recipient_files else ():
        if not any(_meet(name, each) for name in named):
            text = f"relay_recipients has nobody in {each}: only its postmaster gets mail"
            yield look.warning(text, *keys)


def _meet(one: Matches, other: Matches) -> bool:
    """Whether a domain can be one of both."""
    return bool(one.takes_from(other) or other.takes_from(one))


def _networks(look: Look, table: str, settings: Smtp | Submission) -> Iterator[Problem]:
    keys = _keys(table, "relay_networks", settings)
    wide = too_wide(settings.relay_networks)
    if not wide or not look.sound(*keys):
        return
    together = (
        "" if wide in map(unmapped_network, settings.relay_networks) else ", which these make together,"
    )
    text = f"relay_networks: {wide}{together} is so large that this is nearly an open relay"
    if settings.i_know_this_is_an_open_relay:
        yield look.warning(text, *keys)
    else:
        yield look.error(f"{text}; name the networks that are yours, or write {SWITCH} = true", *keys)


def too_wide(networks: Iterable[IPNetwork]) -> IPNetwork | None:
    """The first network beyond what anybody has, those that touch taken together; in whatever clothes: an
    IPv4-mapped network is one of IPv4, and two halves are a whole."""
    plain = [unmapped_network(network) for network in networks]
    four = collapse_addresses(one for one in plain if isinstance(one, IPv4Network))
    six = collapse_addresses(one for one in plain if isinstance(one, IPv6Network))
    too_wide_four = (one for one in four if one.prefixlen < WIDEST_IPV4)
    too_wide_six = (one for one in six if one.prefixlen < WIDEST_IPV6)
    return next(too_wide_four, None) or next(too_wide_six, None)


def _probing(look: Look, table: str, settings: Smtp) -> Iterator[Problem]:
    """A session that is ended is not slowed down afterwards."""
    names = ("unknown_recipients_delay", "unknown_recipients_close")
    keys = [key for name in names for key in _keys(table, name, settings)]
    delay, close = settings.unknown_recipients_delay, settings.unknown_recipients_close
    if delay and close and close <= delay and look.sound(*keys):
        text = f"unknown_recipients_delay = {delay} comes to nothing: the session ends after {close}"
        yield look.warning(text, *keys)


def _lists(look: Look, table: str, settings: Smtp) -> Iterator[Problem]:
    blocked = settings.block_senders or settings.block_sender_files
    for name in ("accept_senders", "accept_sender_files"):
        keys = _keys(table, name, settings)
        if getattr(settings, name) and not blocked and look.sound(*keys):
            yield look.warning(
                f"{name} is not used: it is for senders that block_senders would refuse", *keys
            )


def _names(look: Look, table: str, settings: Submission) -> Iterator[Problem]:
    keys = _keys(table, "sender_must_match", settings)
    if settings.sender_must_match == "off" and look.sound(*keys):
        yield look.warning(
            'sender_must_match = "off": each of your users can write in the name of any other', *keys
        )
