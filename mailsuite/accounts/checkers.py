"""Who somebody is: the twisted.cred checkers for passwords, digests and SCRAM's proofs.

All of them answer the account's canonical address in UTF-8, and leave in ``Attempt.granted`` by what it was
proved. All raise UnauthorizedLogin(REFUSED) for whoever is refused, after the same work whatever the reason.
What keeps us from judging raises TemporaryFailure (RFC 3206 section 4, RFC 4954 section 6).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

import attrs
from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernameHashedPassword, IUsernamePassword
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from mailsuite.accounts.attempt import Attempt, Granted, IScramProof, octets
from mailsuite.accounts.gate import Claimant, Gate, SecretsUnreadable
from mailsuite.accounts.keyring import SealBroken
from mailsuite.accounts.password_cache import PasswordCache
from mailsuite.accounts.passwords import Passwords
from mailsuite.accounts.renewal import Renewal
from mailsuite.accounts.sources.chain import Sources
from mailsuite.accounts.sources.question import AvatarId
from mailsuite.accounts.vault import ScramKeys
from mailsuite.model.account import Account
from mailsuite.model.device import Device
from mailsuite.model.failure import TemporaryFailure

_WRONG, _NONE = "wrong-password", "no-password"


@attrs.frozen
class _Verdict:
    """What came of a check; nothing in *granted*: refused."""

    granted: Granted | None = None
    reason: str = ""
    """Why not, in a word for the log."""
    device: Device | None = None
    """The one whose password it was, where that was not enough."""
    unreadable: bool = False
    """Nothing proved it, and something that might have does not open."""

    @property
    def by_own_password(self) -> bool:
        return self.granted is not None and self.granted.device is None


@implementer(ICredentialsChecker)
@attrs.frozen
class PasswordChecker:
    """Checks a name and a password: PasswordAttempt, and Twisted's own UsernamePassword.

    A device password that is let in costs a few HMACs. Whatever else it is costs one argon2 verification,
    unless it was the account's own and right a short time ago, or *sources* say that it is right. Twisted's
    own credentials tell no service and no peer, so device passwords are refused with them.
    """

    gate: Gate
    passwords: Passwords
    cache: PasswordCache
    renewal: Renewal
    sources: Sources = attrs.field(factory=Sources)

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernamePassword,)

    def requestAvatarId(self, credentials: IUsernamePassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernamePassword) -> AvatarId:
        attempt = credentials if isinstance(credentials, Attempt) else None
        claimant = await self.gate.claimant(attempt, _text(credentials.username))
        password = _text(credentials.password)
        verdict = await self._judge(claimant, attempt, password)
        avatar_id = await _conclude(self.gate, attempt, claimant, verdict)
        account, under_tls = claimant.account, attempt is not None and attempt.facts.tls
        if account is not None and account.password_hash and verdict.by_own_password and under_tls:
            self.renewal.begin(account, password)
        return avatar_id

    async def _judge(self, claimant: Claimant, attempt: Attempt | None, password: str) -> _Verdict:
        account = claimant.account
        known = account is not None and self.cache.knows(account.address, claimant.stored, password)
        if account is not None and known and not self.gate.objection(account, None, attempt):
            return _Verdict(Granted(account.address))
        tries = self.gate.tries(claimant)
        matching = [device for device, secrets in tries.secrets if secrets.matches(password) and device]
        by_device = _first_admitted(
            self.gate, claimant, attempt, (Granted(claimant.address, device) for device in matching)
        )
        if by_device.granted is not None:
            return by_device
        own = await self._own(claimant, attempt, password)
        if own.granted is not None or own.reason not in {_WRONG, _NONE}:
            return own
        return by_device if matching else attrs.evolve(own, unreadable=tries.broken)

    async def _own(self, claimant: Claimant, attempt: Attempt | None, password: str) -> _Verdict:
        """The account's own password: kept elsewhere, or verified now."""
        account = claimant.account
        if account is not None and not account.password_hash and self.sources.serves(account.address):
            return await self._elsewhere(account, attempt, password)
        valid = await self.passwords.verify(claimant.stored, password, claimant.address)
        if account is None:
            return _Verdict(reason=claimant.why_unknown)
        if not valid:
            return _Verdict(reason=_WRONG if account.password_hash else _NONE)
        self.cache.remember(account.address, account.password_hash, password)
        reason = self.gate.objection(account, None, attempt)
        return _Verdict(reason=reason) if reason else _Verdict(Granted(account.address))

    async def _elsewhere(self, account: Account, attempt: Attempt | None, password: str) -> _Verdict:
        if await self.sources.check(account.address, password):
            reason = self.gate.objection(account, None, attempt)
            if not reason:
                return _Verdict(Granted(account.address))
        else:
            reason = _WRONG
        await self.passwords.verify("", password)
        return _Verdict(reason=reason)


@implementer(ICredentialsChecker)
@attrs.frozen
class SecretChecker:
    """Checks digests made with a secret (APOP, CRAM-MD5, NTLM) against the device passwords that were made
    for that mechanism. An account's own password is never among them: nobody has it.

    Credentials that are no Attempt do not tell how they were made, and are refused.
    """

    gate: Gate

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IUsernameHashedPassword,)

    def requestAvatarId(self, credentials: IUsernameHashedPassword) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IUsernameHashedPassword) -> AvatarId:
        if not isinstance(credentials, Attempt):
            raise self.gate.refuse(None, Claimant(), "unknown-mechanism")
        claimant = await self.gate.claimant(credentials, _text(credentials.username))
        return await _conclude(self.gate, credentials, claimant, self._judge(claimant, credentials))

    def _judge(self, claimant: Claimant, attempt: Attempt) -> _Verdict:
        shown = IUsernameHashedPassword(attempt)
        tries = self.gate.tries(claimant, attempt.mechanism.lower())
        matching = [
            device
            for device, secrets in tries.secrets
            if shown.checkPassword(octets(secrets.password or "")) and secrets.password and device
        ]
        possible = tries.broken or any(device for device, _ in tries.secrets)
        verdict = _Verdict(reason="wrong-digest" if possible else "no-secret", unreadable=tries.broken)
        grants = (Granted(claimant.address, device) for device in matching)
        return _first_admitted(self.gate, claimant, attempt, grants, verdict)


@implementer(ICredentialsChecker)
@attrs.frozen
class ScramChecker:
    """Checks proofs of SCRAM (RFC 5802 section 3) against the stored keys of the account's own password,
    then of each device. They share salt and iterations, so any may be what the proof was made with."""

    gate: Gate

    credentialInterfaces: ClassVar[tuple[type[Interface], ...]] = (IScramProof,)

    def requestAvatarId(self, credentials: IScramProof) -> Deferred[AvatarId]:
        return Deferred.fromCoroutine(self._avatar_id(credentials))

    async def _avatar_id(self, credentials: IScramProof) -> AvatarId:
        attempt = credentials if isinstance(credentials, Attempt) else None
        claimant = await self.gate.claimant(attempt, _text(credentials.username))
        sealed, failure = b"", None
        try:
            sealed = await self.gate.verifiers(claimant)
        except TemporaryFailure as error:  # a device of the configuration file may prove it all the same
            failure = error
        verdict = self._judge(claimant, attempt, credentials, sealed)
        if failure is not None and verdict.granted is None:
            raise failure
        return await _conclude(self.gate, attempt, claimant, verdict)

    def _judge(
        self, claimant: Claimant, attempt: Attempt | None, credentials: IScramProof, sealed: bytes
    ) -> _Verdict:
        decoys = self.gate.vault.open_decoy_verifiers()
        own, broken = self._own_keys(claimant, sealed)
        tries = self.gate.tries(claimant)
        candidates: list[tuple[Device | None, ScramKeys | None]] = [(None, own)]
        candidates += [(device, secrets.scram if device else None) for device, secrets in tries.secrets]
        grants = []
        for device, keys in candidates:
            key = (keys or decoys)[credentials.hash]
            signature = credentials.server_signature(key.stored_key, key.server_key)
            if keys and signature is not None:
                grants.append(Granted(claimant.address, device, signature))
        unreadable = broken or tries.broken
        possible = unreadable or any(keys for _, keys in candidates)
        verdict = _Verdict(reason="wrong-proof" if possible else "no-verifiers", unreadable=unreadable)
        return _first_admitted(self.gate, claimant, attempt, grants, verdict)

    def _own_keys(self, claimant: Claimant, sealed: bytes) -> tuple[ScramKeys | None, bool]:
        """Those of the account's own password, if there are any; and whether what there is is broken."""
        vault = self.gate.vault
        if not claimant.stored or not sealed:
            vault.open_decoy_verifiers()
            return None, False
        try:
            return vault.open_verifiers(claimant.address, sealed, claimant.stored), False
        except SealBroken as error:
            self.gate.broken(claimant.address, error)
            return None, True


def _first_admitted(
    gate: Gate,
    claimant: Claimant,
    attempt: Attempt | None,
    grants: Iterable[Granted],
    otherwise: _Verdict = _Verdict(),
) -> _Verdict:
    """The first of *grants* that nothing speaks against; else what speaks against the last of them;
    *otherwise* where there is none."""
    if claimant.account is None:
        return _Verdict(reason=claimant.why_unknown)
    verdict = otherwise
    for granted in grants:
        reason = gate.objection(claimant.account, granted.device, attempt)
        if not reason:
            return _Verdict(granted)
        verdict = _Verdict(reason=reason, device=granted.device)
    return verdict


async def _conclude(gate: Gate, attempt: Attempt | None, claimant: Claimant, verdict: _Verdict) -> AvatarId:
    if verdict.granted is None:
        refusal = gate.refuse(attempt, claimant, verdict.reason, verdict.device)
        raise SecretsUnreadable() if verdict.unreadable else refusal
    await gate.look_again(verdict.granted, attempt, claimant.stored)
    if attempt is not None:
        attempt.granted, attempt.stored = verdict.granted, claimant.stored
    return str(verdict.granted.account).encode("utf-8")


def _text(name_or_password: bytes) -> str:
    return name_or_password.decode("utf-8", "surrogateescape")
