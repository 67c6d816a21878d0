"""Any checker that Twisted's plugin mechanism finds, by the string that twistd's --auth takes."""

from __future__ import annotations

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword
from twisted.cred.strcred import InvalidAuthType, findCheckerFactories, makeChecker

from mailsuite.accounts.sources.trust import SourceError


def plugin_checker(description: str) -> ICredentialsChecker:
    """The checker that *description* names. Raises SourceError, which never quotes its arguments."""
    kind = description.partition(":")[0]
    try:
        checker: ICredentialsChecker = makeChecker(description)
    except InvalidAuthType:
        known = ", ".join(sorted({str(factory.authType) for factory in findCheckerFactories()}))
        raise SourceError(f"checker: nothing here is called {kind!r}; there is {known}") from None
    except Exception as error:  # whatever somebody else's factory raises for arguments that it does not like
        text = f"checker: {kind!r} cannot be made with these arguments: {type(error).__name__}"
        raise SourceError(text) from None
    if not any(one.isOrExtends(IUsernamePassword) for one in checker.credentialInterfaces):
        raise SourceError(f"checker: {kind!r} does not check names and passwords")
    return checker
