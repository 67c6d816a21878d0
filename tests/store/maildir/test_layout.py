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
    (tmp_path / "odd [x]* name" / "example.net" / "lost+found.").mkdir()
    (tmp_path / "odd [x]* name" / "lost+found" / "joe").mkdir(parents=True)
    (tmp_path / "odd [x]* name" / "example.net" / "readme").touch()
    assert set(wanted) < set(layout.existing())
    assert layout.owners() == [Address(local, "example.net") for local in ("[joe]", "ann", "lost+found.")]


@pytest.mark.parametrize(
    "template", ["/srv/{domain}/{local}", "/srv/{local}@{domain}/Maildir", "/srv.d/{domain}/{local}/{local}"]
)
@pytest.mark.parametrize(
    "address",
    [Address("joe", "example.net"), Address("jörg +a", "xn--bcher-kva.example"), Address("[*", "a")],
)
def test_whose_a_directory_is(template, address):
    layout = Layout(template)
    assert layout.owner(layout.directory(address)) == address
    assert layout.owner(layout.directory(address) + "/cur") is None


@pytest.mark.parametrize(
    "directory",
    ["/srv/x.test/joe/ann", "/srv/lost+found/joe/joe", "/srv/A.test/joe/joe", "/srv/x.test/.a/.a", "/srvx"],
)
def test_nobody_s_directory(directory):
    assert Layout("/srv/{domain}/{local}/{local}").owner(directory) is None
