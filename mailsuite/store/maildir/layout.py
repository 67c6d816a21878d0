"""Which directory is whose maildrop."""

from __future__ import annotations

import glob
import os
import re

import attrs

from mailsuite.model.address import Address, AddressSyntaxError
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import NO_SUCH_ACCOUNT

SUBDIRECTORIES = ("tmp", "new", "cur")

_PLACEHOLDER = re.compile(r"\{(domain|local)\}")
_UNSAFE = re.compile(r"\A\.|[/\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What leads elsewhere, or hides; controls, and surrogates, which stand for octets that are no text."""


@attrs.frozen
class Layout:
    """A path with ``{domain}`` and ``{local}`` in it, as ``delivery.path`` says."""

    template: str = attrs.field()

    @template.validator
    def _check(self, attribute: object, value: str) -> None:
        if not os.path.isabs(value) or set(_PLACEHOLDER.findall(value)) != {"domain", "local"}:
            raise ValueError("the path is not absolute, or lacks {domain} or {local}")

    @classmethod
    def below(cls, root: str | os.PathLike[str]) -> Layout:
        """``<root>/<domain>/<local>``."""
        return cls(os.path.join(root, "{domain}", "{local}"))

    @property
    def base(self) -> str:
        """The directory under which all maildirs are."""
        return os.path.dirname(_PLACEHOLDER.split(self.template)[0])

    def directory(self, account: Address) -> str:
        """The maildir of an account.

        Raises PermanentFailure(NO_SUCH_ACCOUNT) for an address that would leave its place in the tree.
        """
        halves = {"domain": _component(account.domain), "local": _component(account.local)}
        return _PLACEHOLDER.sub(lambda match: halves[match[1]], self.template)

    def owner(self, directory: str) -> Address | None:
        """Whose maildir this is; None where nobody's can be called so."""
        seen = set[str]()
        pattern = ""
        for part in _PLACEHOLDER.split(self.template):
            if part not in {"domain", "local"}:
                pattern += re.escape(part)
            else:
                pattern += f"(?P={part})" if part in seen else f"(?P<{part}>[^/]+)"
                seen.add(part)
        found = re.fullmatch(pattern, directory)
        if found is None:
            return None
        try:
            address = Address.of(found["local"], found["domain"])
            return address if self.directory(address) == directory else None
        except (AddressSyntaxError, PermanentFailure):
            return None

    def existing(self) -> list[str]:
        """All maildirs that there are. Blocks: for a thread."""
        pattern = "".join(
            "*" if part in {"domain", "local"} else glob.escape(part)
            for part in _PLACEHOLDER.split(self.template)
        )
        return glob.glob(pattern)

    def owners(self) -> list[Address]:
        """Those of all maildirs that there are, sorted. Blocks: for a thread."""
        directories = filter(os.path.isdir, self.existing())
        return sorted(owner for directory in directories if (owner := self.owner(directory)))


def _component(text: str) -> str:
    if not text or _UNSAFE.search(text):
        raise PermanentFailure(NO_SUCH_ACCOUNT, f"no directory may be called {text!a}")
    return text
