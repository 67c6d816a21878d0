"""What keeps a source from ever being asked, found before a server finds it at its start.

By the same code that opens sources, so that both judge alike. Nobody is connected to, and nobody asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from mailsuite.accounts.sources.opening import check_filter, pam_library
from mailsuite.accounts.sources.plugin import plugin_checker
from mailsuite.accounts.sources.trust import SourceError, trust_root
from mailsuite.config.kinds import BadValue
from mailsuite.config.sources import SourceBlock, read_token


def source_objections(block: SourceBlock) -> Iterator[tuple[str, str]]:
    """Each as the setting that it is about, and words for a person. What loading finds is not told again:
    *block* stands in a configuration that could be loaded."""
    if not block.enabled:
        return
    for key, attempt in _attempts(block):
        try:
            attempt()
        except (SourceError, BadValue) as error:
            yield key, str(error).removeprefix(f"{key}: ")


def _attempts(block: SourceBlock) -> Iterator[tuple[str, Callable[[], object]]]:
    if block.type == "pam":
        yield "type", pam_library
    if block.type == "plugin":
        yield "checker", partial(plugin_checker, block.checker)
    if block.type in {"http", "ldap"}:
        yield "ca_file", partial(trust_root, block.ca_file)
        for key, file in (
            ("token_file", block.token_file),
            ("search_password_file", block.search_password_file),
        ):
            if file is not None:
                yield key, partial(read_token, file)
        if block.filter:
            yield "filter", partial(check_filter, block.filter)
