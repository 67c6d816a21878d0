"""Which directory is whose."""

import pytest

from mailsuite.model.address import Address
from mailsuite.model.failure import PermanentFailure
from mailsuite.store.maildir.layout import Layout


def test_places():
    layout = Layout("/srv/{domain}/x/{local}/Maildir")
    assert layout.directory(Address("joe", "example.net")) == "/srv/example.net/x/joe/Maildir"
    assert layout.base == "/srv"
    assert (
        Layout.below("/srv/mail").directory(Address("jörg+a", "example.net"))
        == "/srv/mail/example.net/jörg+a"
    )


def test_a_local_part_that_looks_like_a_placeholder():
    layout = Layout.below("/srv")
    assert layout.directory(Address("{domain}", "example.net")) == "/srv/example.net/{domain}"


@pytest.mark.parametrize("template", ["mail/{domain}/{local}", "/mail/{local}", "/mail/{domain}", "/mail"])
def test_templates_that_cannot_be(template):
    with pytest.raises(ValueError, match="absolute"):
        Layout(template)


@pytest.mark.parametrize("half", ["", ".", "..", ".x", "a/b", "a\nb", "\x00", "\x7f", "\x9f", "\ud800"])
def test_halves_that_would_leave_the_tree(half):
    for address in (Address(half, "example.net"), Address("joe", half)):
        with pytest.raises(PermanentFailure):
            Layout.below("/srv").directory(address)


def test_existing(tmp_path):
    layout = Layout.below(tmp_path / "odd [x]* name")
    assert layout.existing() == []
    wanted = [layout.directory(Address(local, "example.net")) for local in ("ann", "[joe]")]
    for directory in wanted:
        (tmp_path / directory).mkdir(parents=True)
    assert sorted(layout.existing()) == sorted(wanted)
