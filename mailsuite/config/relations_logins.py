"""Checks between the settings by which people log in: mechanisms, APOP, and alternates for the @."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from mailsuite.config.look import Look
from mailsuite.config.mechanisms import PLAINTEXT, SaslName
from mailsuite.config.problems import Problem
from mailsuite.config.schema import AccountBlock, DeviceBlock, Listener, Pop3, Submission
from mailsuite.model.account import AccountState
from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.device import Scope

MAX_NAMED = 3
"""Accounts that a warning names; of more it tells the number."""

_WEAK: Final[dict[SaslName, str]] = {
    "ntlm": (
        "ntlm proves a password by MD4 and MD5, which are broken, and whoever listens can guess at it fast"
    ),
    "cram-md5": "cram-md5 lets whoever listens guess at the password fast",
}
_BETTER: Final = (
    "; it works only with device passwords that name it, which are kept recoverable; "
    "scram-sha-256 hides the password better and needs none of that"
)


def login_relations(look: Look) -> Iterator[Problem]:
    """All that is wrong with the ways in."""
    yield from _weak_mechanisms(look)
    yield from _only_apop(look)
    yield from _domains_that_take_passwords(look)
    yield from _devices(look)
    yield from _locked_out(look)
    yield from _same_login_name(look)


def _pop3_listeners(look: Look) -> Iterator[tuple[Listener, Pop3]]:
    """The open ones."""
    for listener in look.config.listeners:
        if listener.enabled and isinstance(listener.settings, Pop3):
            yield listener, listener.settings


def _weak_mechanisms(look: Look) -> Iterator[Problem]:
    named = [("pop3.auth", look.config.pop3.auth), ("submission.auth", look.config.submission.auth)]
    named += [
        (f"listener.{one.name}.auth", one.settings.auth)
        for one in look.config.listeners
        if isinstance(one.settings, Pop3 | Submission)
    ]
    for key, mechanisms in named:
        for name in mechanisms:
            if name in _WEAK and look.is_given(key):
                yield look.warning(f"auth: {_WEAK[name]}{_BETTER}", key)


def _only_apop(look: Look) -> Iterator[Problem]:
    """Where APOP is required and nothing else is left."""
    text = (
        'apop = "require" and auth names nothing that hides the password: APOP alone is left, and '
        "only device passwords can do that; add scram-sha-256 to auth for the others"
    )
    poor: list[bool] = []
    for listener, settings in _pop3_listeners(look):
        tables = (f"listener.{listener.name}", "pop3")
        keys = [f"{table}.{name}" for table in tables for name in ("apop", "auth")]
        poor.append(PLAINTEXT.issuperset(settings.auth) and look.sound(*keys))
        if poor[-1] and settings.apop == "require":
            yield look.warning(text, *keys)
    for domain in look.config.domains:
        if poor and all(poor) and domain.apop == "require":
            yield look.warning(text, f"domain.{domain.name}.apop")


def _domains_that_take_passwords(look: Look) -> Iterator[Problem]:
    """Where a domain says otherwise than a listener that requires APOP, the listener cannot refuse passwords
    before it knows whose they are."""
    requiring = [one.name for one, settings in _pop3_listeners(look) if settings.apop == "require"]
    for domain in look.config.domains:
        if requiring and domain.apop in {"off", "offer"}:
            text = (
                f'apop = "{domain.apop}" for {domain.name}: listener {requiring[0]!r}, which requires APOP, '
                "takes passwords for these accounts again, and offers everybody to show one"
            )
            yield look.warning(text, f"domain.{domain.name}.apop")


def _devices(look: Look) -> Iterator[Problem]:
    """Devices that are refused whatever is done, or that cannot do what they are kept recoverable for."""
    for account in look.config.accounts:
        for device in account.devices:
            block = f"account.{account.address}.device.{device.name}"
            if not look.sound(f"{block}.mechanisms", f"{block}.scopes", f"{block}.expires"):
                continue
            if "apop" in device.mechanisms and Scope.POP3 not in device.scopes:
                text = 'mechanisms has "apop", which is for POP3, and scopes has no "pop3": change either'
                yield look.error(text, f"{block}.scopes", f"{block}.mechanisms")
            if _has_expired(device, look):
                text = f"expires = {device.expires} has come: this device password is refused"
                yield look.warning(text, f"{block}.expires")


def _has_expired(device: DeviceBlock, look: Look) -> bool:
    return device.expires is not None and device.expires <= look.today


def _locked_out(look: Look) -> Iterator[Problem]:
    """Accounts of this file that have no device for APOP where it is required. Those of the database are
    not known here; ``mailsuite config check --what-if`` looks at them."""
    own = {domain.name: domain.apop for domain in look.config.domains}
    unable = [account for account in look.config.accounts if not _can_apop(account, look)]
    doors = [("pop3.apop", look.config.pop3.apop)]
    doors += [(f"listener.{one.name}.apop", settings.apop) for one, settings in _pop3_listeners(look)]
    for key, apop in doors:
        if apop == "require" and look.is_given(key):
            others = [one for one in unable if not own.get(one.address.domain)]
            yield from _warn_of(look, key, others)
    for name, said in own.items():
        if said == "require":
            key = f"domain.{name}.apop"
            yield from _warn_of(look, key, [one for one in unable if one.address.domain == name])


def _can_apop(account: AccountBlock, look: Look) -> bool:
    """Also where it is not to log in by POP3 at all."""
    if account.state is not AccountState.ENABLED or account.pop3 == "deny":
        return True
    return any(
        "apop" in device.mechanisms and Scope.POP3 in device.scopes and not _has_expired(device, look)
        for device in account.devices
    )


def _warn_of(look: Look, key: str, accounts: list[AccountBlock]) -> Iterator[Problem]:
    if not accounts:
        return
    names = ", ".join(str(account.address) for account in accounts[:MAX_NAMED])
    more = f" and {len(accounts) - MAX_NAMED} more" if len(accounts) > MAX_NAMED else ""
    yield look.warning(
        f'apop = "require", and {names}{more} of this file cannot use it: no [[account.device]] has apop '
        "in mechanisms; mailsuite config check --what-if pop3.apop=require tells who would be locked out",
        key,
    )


def _same_login_name(look: Look) -> Iterator[Problem]:
    """Accounts whose own name looks like another's with an alternate for its @ (features row S-M02)."""
    rules = {
        (settings.default_domain, settings.alternate_at)
        for settings in (
            look.config.pop3,
            look.config.submission,
            *(listener.settings for listener in look.config.listeners if listener.enabled),
        )
        if isinstance(settings, Pop3 | Submission) and settings.alternate_at
    }
    if not rules:
        return
    accounts = {account.address for account in look.config.accounts}
    for default_domain, alternate_at in sorted(rules):
        for address in sorted(accounts):
            other = _other(address.local, alternate_at) if address.domain == default_domain else None
            if other in accounts:
                text = (
                    f"{address.local} logs in to this account, never to {other}, "
                    f'though alternate_at = "{alternate_at}" would take it for that'
                )
                yield look.warning(text, f"account.{address}.address")


def _other(name: str, alternate_at: str) -> Address | None:
    """Whose name this is where the last alternate stands for the @."""
    at = max(map(name.rfind, alternate_at))
    try:
        return Address.of(name[:at], name[at + 1 :]).canonical if at >= 0 else None
    except AddressSyntaxError:
        return None
