"""What is read out of other servers' files, and what is refused, line by line."""

from __future__ import annotations

import pytest

from mailsuite.accounts.import_file import (
    MAX_LINE_CHARACTERS,
    FileRefused,
    ImportedAccount,
    Result,
    in_order,
    without_circles,
    without_forwards_within,
)
from mailsuite.accounts.import_formats import detect, read_file

SSHA = "{SSHA}3j81PdzjVgkGxt/4Qbvmk4YmXoZ2aXZpZHNhbA=="
CRYPT = "$1$Zq8mT1xw$uTujqmAbkQkDo7d2eJbVq0"
DES = "k9lc5WfPHTzec"
CANARY = "canary-swordfish"


def only(text: str, format: str | None = None) -> ImportedAccount | Result:
    accounts, unusable = read_file(text, "example.net", format)
    (found,) = [*accounts, *unusable]
    return found


@pytest.mark.parametrize(
    ("text", "format"),
    [
        (f"joe:{SSHA}\n", "passwd-file"),
        (f"joe:{SSHA}:1000:1000::/home/joe::userdb_quota=1\n", "passwd-file"),
        (f"# comment\n\njoe@example.net:{CRYPT}::::::", "passwd-file"),
        (f"joe:{CRYPT}:19000:0:99999:7:::\nbin:*:19000:0:99999:7:::\n", "shadow"),
        (f"joe:{CRYPT}:19000:0:99999:7:::\nann:{CRYPT}\n", "passwd-file"),
        ("address,password\n", "csv"),
        ('"Address";"Name"\n', "csv"),
        ("name\taddress\n", "csv"),
    ],
)
def test_formats_are_told_apart(text: str, format: str) -> None:
    assert detect(text) == format


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "nothing in it"),
        ("\n# nobody\n", "nothing in it"),
        ("hunter2-canary\n", "--format"),
        ("user,password\njoe,hunter2-canary\n", "--format"),
        ("address,shoe\njoe@example.net,hunter2-canary\n", "--format"),
    ],
)
def test_what_is_no_such_file(text: str, words: str) -> None:
    with pytest.raises(FileRefused, match=words) as refused:
        read_file(text, "example.net")
    assert "canary" not in str(refused.value)


def test_a_format_can_be_insisted_on() -> None:
    with pytest.raises(FileRefused, match="known are address, name"):
        read_file("mail,password\n", "example.net", "csv")
    with pytest.raises(FileRefused, match="nine fields"):
        read_file(f"joe:{CRYPT}\n", "example.net", "shadow")


@pytest.mark.parametrize(
    ("line", "account"),
    [
        (f"joe:{SSHA}", ImportedAccount(1, "joe@example.net", SSHA)),
        (f"Joe@Example.COM:{CRYPT}\r", ImportedAccount(1, "joe@example.com", CRYPT)),
        (f"joe:{DES}:::", ImportedAccount(1, "joe@example.net", f"{{CRYPT}}{DES}")),
        ("joe:{PLAIN}copper", ImportedAccount(1, "joe@example.net", password="copper")),
        ("joe:", ImportedAccount(1, "joe@example.net")),
        ("joe:!", ImportedAccount(1, "joe@example.net")),
        (
            f"joe:{CRYPT}:1:1:Joe Doe,Room 7:/h:/bin/sh:userdb_mail=x:y",
            ImportedAccount(1, "joe@example.net", CRYPT, fields={"name": "Joe Doe"}),
        ),
        ("joe@b\u00fccher.example:", ImportedAccount(1, "joe@xn--bcher-kva.example")),
    ],
)
def test_lines_of_a_passwd_file(line: str, account: ImportedAccount) -> None:
    assert only(f"{line}\n") == account


@pytest.mark.parametrize(
    ("line", "shown", "words"),
    [
        (CANARY, "", "no colon"),
        (f"joe:{CANARY}", "joe@example.net", "{PLAIN}"),
        ("joe:x:1000:1000", "joe@example.net", "/etc/shadow"),
        (f"joe:{{NTLM}}{CANARY}", "joe@example.net", "not taken"),
        (f"joe:{{PLAIN}}{1025 * 'x'}", "joe@example.net", "longer than 1024"),
        (f"joe:{SSHA}:1:1::/h::nologin=y", "joe@example.net", "restricted by nologin"),
        (f"joe:{SSHA}:1:1::/h::a=b allow_nets=::1/128", "joe@example.net", "restricted by allow_nets"),
        (f"joe doe:{CANARY}", "", "no name of an account"),
        (f"{{{CANARY}}}:x", "", "no name of an account here"),
        (f"joe/{CANARY}:{SSHA}", "", "no name of an account"),
        (f"joe@exa_mple:{SSHA}", "", "no host name"),
        (f"jo\udce9:{SSHA}", "", "not UTF-8"),
        (f"joe:{SSHA}\udce9", "joe@example.net", "not UTF-8"),
        (f"joe:{'x' * MAX_LINE_CHARACTERS}", "joe@example.net", "longer than 8192"),
    ],
)
def test_lines_that_are_refused(line: str, shown: str, words: str) -> None:
    result = only(f"{line}\n", "passwd-file")
    assert isinstance(result, Result)
    assert (result.line, result.address, result.outcome) == (1, shown, "refused")
    assert words in result.reason
    assert CANARY not in result.reason


def test_bad_lines_do_not_stop_the_others_and_the_first_of_two_holds() -> None:
    text = f"# mine\njoe:{SSHA}\nnothing\n\nJOE@example.net:{CRYPT}\nann:{CRYPT}"
    accounts, unusable = read_file(text, "example.net")
    assert [(each.line, each.address) for each in accounts] == [
        (2, "joe@example.net"),
        (6, "ann@example.net"),
    ]
    assert [(each.line, each.address, each.outcome) for each in unusable] == [
        (3, "", "refused"),
        (5, "joe@example.net", "refused"),
    ]
    assert "line 2" in unusable[1].reason


@pytest.mark.parametrize("stored", ["", "*", "!", "!!", f"!{CRYPT}", "!*"])
def test_who_has_no_password_in_a_shadow_file_is_skipped(stored: str) -> None:
    result = only(f"daemon:{stored}:19000:0:99999:7:::\n")
    assert isinstance(result, Result)
    assert (result.address, result.outcome) == ("daemon@example.net", "skipped")


def test_who_has_no_password_may_be_called_anything() -> None:
    """Debian's own daemons: _apt is no name that an account can have."""
    text = f"_apt:*:19000:0:99999:7:::\nsystemd-network:!*:19000::::::\njoe:{CRYPT}:19000:0:99999:7:::\n"
    accounts, results = read_file(text, "example.net")
    assert [account.address for account in accounts] == ["joe@example.net"]
    assert [(result.address, result.outcome) for result in results] == [
        ("", "skipped"),
        ("systemd-network@example.net", "skipped"),
    ]
    refused = only(f"_apt:{CRYPT}:19000:0:99999:7:::\n")
    assert isinstance(refused, Result)
    assert (refused.outcome, "no name of an account" in refused.reason) == ("refused", True)


def test_lines_of_a_shadow_file() -> None:
    assert only(f"joe:{CRYPT}:19000:0:99999:7:::\n") == ImportedAccount(1, "joe@example.net", CRYPT)
    expired = only(f"joe:{CRYPT}:19000:0:99999:7::19500:\n")
    assert isinstance(expired, Result)
    assert "expires" in expired.reason


HEAD = (
    "address,name,password,password_hash,state,forward,keep_copy,pop3,notifymail,notifymail_address,"
    "notifymail_port\n"
)


@pytest.mark.parametrize(
    ("row", "account"),
    [
        ("joe@example.com,,,,,,,,,,", ImportedAccount(2, "joe@example.com")),
        ('joe,"Doe, ""Joe""",copper:;lantern,,,,,,,,', None),
        (f"joe,,,{SSHA},,,,,,,", ImportedAccount(2, "joe@example.net", SSHA)),
        (
            f" joe ,Joe,,{DES},forward,Ann@Example.net,yes,deny,static,192.0.2.7,7979\r",
            ImportedAccount(
                2,
                "joe@example.net",
                f"{{CRYPT}}{DES}",
                fields={
                    "name": "Joe",
                    "state": "forward",
                    "forward": "ann@example.net",
                    "keep_copy": True,
                    "pop3": "deny",
                    "notifymail": {"state": "static", "address": "192.0.2.7", "port": 7979},
                },
            ),
        ),
        ("joe,,,,off,,0,allow,off,,", None),
    ],
)
def test_rows_of_a_table(row: str, account: ImportedAccount | None) -> None:
    found = only(HEAD + row + "\n")
    if account is not None:
        assert found == account
    elif "off" in row:
        assert isinstance(found, ImportedAccount)
        wanted = {"state": "off", "keep_copy": False, "pop3": "allow", "notifymail": {"state": "off"}}
        assert found.fields == wanted
    else:
        wanted_account = ImportedAccount(
            2, "joe@example.net", password="copper:;lantern", fields={"name": 'Doe, "Joe"'}
        )
        assert found == wanted_account


@pytest.mark.parametrize(
    ("row", "shown", "words"),
    [
        (f"joe,{CANARY}", "", "2 cells for 11 columns"),
        (f'joe,"{CANARY},,,,,,,,,', "", "quotes"),
        (f"joe,,{CANARY},{SSHA},,,,,,,", "joe@example.net", "both"),
        (f"joe,,{SSHA},,,,,,,,", "joe@example.net", "password_hash"),
        (f"joe,,$6${CANARY},,,,,,,,", "joe@example.net", "password_hash"),
        (f"joe,,,{CANARY},,,,,,,", "joe@example.net", "no hash"),
        (f"joe,,,,{CANARY},,,,,,", "joe@example.net", "state must be one of"),
        (f"joe,,,,,{CANARY},,,,,", "joe@example.net", "forward must be a mail address"),
        (f"joe,,,,,,{CANARY},,,,", "joe@example.net", "keep_copy must be one of"),
        (f"joe,,,,,,,{CANARY},,,", "joe@example.net", "pop3 must be one of"),
        (f"joe,,,,,,,,{CANARY},,", "joe@example.net", "notifymail must be one of"),
        (f"joe,,,,,,,,,{CANARY},", "joe@example.net", "notifymail_address must be an IP address"),
        (f"joe,,,,,,,,,,{CANARY}", "joe@example.net", "notifymail_port must be"),
        ("joe,,,,,,,,,,0", "joe@example.net", "notifymail_port must be"),
        ("joe,,,,,,,,,,1234567", "joe@example.net", "notifymail_port must be"),
        (f"joe,{'x' * 201},,,,,,,,,", "joe@example.net", "longer than 200"),
        (",,,,,,,,,,", "", "no name of an account"),
        ("joe,\udcff,,,,,,,,,", "joe@example.net", "not UTF-8"),
    ],
)
def test_rows_that_are_refused(row: str, shown: str, words: str) -> None:
    result = only(HEAD + row + "\n")
    assert isinstance(result, Result)
    assert (result.line, result.address, result.outcome) == (2, shown, "refused")
    assert words in result.reason
    assert CANARY not in result.reason


def test_a_quote_without_an_end_takes_no_other_row_with_it() -> None:
    accounts, unusable = read_file('address,name\njoe,"Joe\nann,"Ann"\n', "example.net")
    assert [each.address for each in accounts] == ["ann@example.net"]
    assert [each.line for each in unusable] == [2]


def test_nothing_read_shows_its_secret() -> None:
    for text in (f"joe:{{PLAIN}}{CANARY}\n", f"address,password\njoe,{CANARY}\n", f"joe:{SSHA}\n"):
        shown = repr(only(text))
        assert CANARY not in shown
        assert SSHA not in shown


def forwarding(address: str, to: str = "") -> ImportedAccount:
    fields = {"state": "forward", "forward": f"{to}@example.net"} if to else {}
    return ImportedAccount(1, f"{address}@example.net", fields=fields)


def test_accounts_come_after_those_that_they_forward_to() -> None:
    file = [
        forwarding("a", "b"),
        forwarding("b", "c"),
        forwarding("c"),
        forwarding("d", "z"),
        forwarding("e", "a"),
    ]
    assert [each.address[0] for each in in_order(file)] == ["c", "b", "a", "d", "e"]
    circle = [forwarding("a", "b"), forwarding("b", "a")]
    assert sorted(each.address[0] for each in in_order(circle)) == ["a", "b"]


def test_mail_that_would_go_round_within_the_file_is_refused() -> None:
    file = [
        forwarding("a", "b"),
        forwarding("b", "a"),
        forwarding("c", "c"),
        forwarding("d", "a"),
        forwarding("e", "z"),
        forwarding("f"),
    ]
    taken, refused = without_circles(file)
    assert [each.address[0] for each in taken] == ["d", "e", "f"]
    assert [(each.address[0], each.outcome) for each in refused] == [(name, "refused") for name in "abc"]
    assert refused[0].reason.endswith("come back: a@example.net -> b@example.net -> a@example.net")


def test_a_rehearsal_does_not_miss_what_is_not_made() -> None:
    copy = ImportedAccount(1, "d@example.net", fields={"forward": "b@example.net", "name": "D"})
    file = [forwarding("a", "b"), forwarding("b"), forwarding("c", "z"), copy]
    fields = [each.fields for each in without_forwards_within(file)]
    assert fields == [{}, {}, {"state": "forward", "forward": "z@example.net"}, {"name": "D"}]


def test_limits_of_a_table() -> None:
    text = (
        'address,quota,max_message,language\njoe@example.net,"1GiB,500",10MiB,de\n'
        "ann@example.net,,,\nbob@example.net,0,,\n"
    )
    accounts, unusable = read_file(text, "example.net")
    assert [account.fields for account in accounts] == [
        {"quota": "1GiB,500", "max_message": "10MiB", "language": "de"},
        {},
        {"quota": "0"},
    ]
    assert unusable == []
    accounts, unusable = read_file(f"address,quota\njoe@example.net,{CANARY}\n", "example.net")
    assert accounts == []
    assert unusable[0].reason.startswith("quota must be a size")
    assert CANARY not in unusable[0].reason
