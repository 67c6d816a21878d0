from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.address import Address
from mailsuite.model.envelope import BodyType, MailParameters
from mailsuite.model.failure import PermanentFailure
from mailsuite.model.reply import (
    ARGUMENT_MISSING,
    BAD_PARAMETER,
    BAD_RECIPIENT,
    BAD_SENDER,
    BROKEN_LINE_END,
    COMMAND_TOO_LONG,
    CONTROL_CHARACTER,
    FOREIGN_PROTOCOL,
    HELLO_SYNTAX,
    MAIL_SYNTAX,
    NON_ASCII_ADDRESS,
    RECIPIENT_SYNTAX,
    SMTPUTF8_NEEDED,
    UNKNOWN_PARAMETER,
    Reply,
)
from mailsuite.wire.smtp.commands import (
    HTTP_VERBS,
    Command,
    check_verify,
    parse_hello,
    parse_line,
    parse_mail,
    parse_recipient,
)
from mailsuite.wire.smtp.events import Mail, Recipient

ALL = ("SIZE", "8BITMIME", "AUTH")
UTF8 = (*ALL, "SMTPUTF8")
JOE = Address("joe", "example.net")


def refusal(parse, *arguments) -> Reply:
    with pytest.raises(PermanentFailure) as refused:
        parse(*arguments)
    return refused.value.reply


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (b"NOOP\r\n", Command("NOOP", "")),
        (b"noop\r\n", Command("NOOP", "")),
        (b"NoOp  \t \r\n", Command("NOOP", "")),
        (b"EHLO mx.example.net\r\n", Command("EHLO", "mx.example.net")),
        (b"EHLO   mx  \r\n", Command("EHLO", "mx")),
        (b"MAIL FROM:<> SIZE=1\r\n", Command("MAIL", "FROM:<> SIZE=1")),
        (b"\r\n", Command("", "")),
        (b" NOOP\r\n", Command("", "NOOP")),
        (b"\xff\xfe x\r\n", Command("\udcff\udcfe", "x")),
        (b"NOOP " + b"x" * 505 + b"\r\n", Command("NOOP", "x" * 505)),
        (b"rcpt " + b"x" * 2041 + b"\r\n", Command("RCPT", "x" * 2041)),
        (b"auth PLAIN " + b"x" * 9000 + b"\r\n", Command("AUTH", "PLAIN " + "x" * 9000)),
    ],
)
def test_lines(line: bytes, command: Command) -> None:
    assert parse_line(line) == command


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        (b"NOOP\n", BROKEN_LINE_END),
        (b"\n", BROKEN_LINE_END),
        (b"NOOP\r\r\n", BROKEN_LINE_END),
        (b"NO\rOP\r\n", BROKEN_LINE_END),
        (b"MAIL FROM:<joe\r@example.net>\r\n", BROKEN_LINE_END),
        (b"NOOP\0\r\n", CONTROL_CHARACTER),
        (b"\0NOOP\r\n", CONTROL_CHARACTER),
        (b"EHLO a\tb\r\n", CONTROL_CHARACTER),
        (b"EHLO a\x7f\r\n", CONTROL_CHARACTER),
        (b"MAIL FROM:<joe\x1b@example.net>\r\n", CONTROL_CHARACTER),
        (b"NOOP " + b"x" * 506 + b"\r\n", COMMAND_TOO_LONG),
        (b"NOOP" + b" " * 507 + b"\r\n", COMMAND_TOO_LONG),
        (b"RCPT " + b"x" * 2042 + b"\r\n", COMMAND_TOO_LONG),
        (b"GET / HTTP/1.1\r\n", FOREIGN_PROTOCOL),
        (b"post / HTTP/1.0\n", FOREIGN_PROTOCOL),
        *[(f"{verb} /".encode() + b"\r\n", FOREIGN_PROTOCOL) for verb in sorted(HTTP_VERBS)],
    ],
)
def test_refused_lines(line: bytes, reply: Reply) -> None:
    assert refusal(parse_line, line) == reply


@pytest.mark.parametrize(
    "name",
    [
        "mx.example.net",
        "localhost",
        "my_host",
        "[192.0.2.1]",
        "[IPv6:2001:db8::1]",
        "192.0.2.1",
        "x" * 255,
        "-",
    ],
)
def test_names_in_hello(name: str) -> None:
    assert parse_hello(name) == name


@pytest.mark.parametrize(
    "name",
    ["a b", "a(b)", "<a>", "a;b", "a,b", 'a"b', "a\\b", "a@b", "x" * 256, "müller", "a\udcff"],
)
def test_refused_names_in_hello(name: str) -> None:
    assert refusal(parse_hello, name) == HELLO_SYNTAX


def test_hello_needs_a_name() -> None:
    assert refusal(parse_hello, "") == ARGUMENT_MISSING


@pytest.mark.parametrize(
    ("argument", "arguments"),
    [
        ("FROM:<joe@example.net>", Mail(JOE)),
        ("from:<joe@example.net>", Mail(JOE)),
        ("FROM: <joe@example.net>", Mail(JOE)),
        ("FROM:<>", Mail(None)),
        ("FROM:<> SIZE=0", Mail(None, MailParameters(size=0))),
        ("FROM:<> size=1234 body=8bitmime", Mail(None, MailParameters(BodyType.EIGHT_BIT, 1234))),
        ("FROM:<>   BODY=7BIT  ", Mail(None)),
        ("FROM:<> SIZE=99999999999999999999", Mail(None, MailParameters(size=99999999999999999999))),
        ("FROM:<> AUTH=<>", Mail(None)),
        ("FROM:<> AUTH=joe+40example.net", Mail(None)),
    ],
)
def test_mail(argument: str, arguments: Mail) -> None:
    assert parse_mail(argument, ALL) == arguments


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", MAIL_SYNTAX),
        ("FROM", MAIL_SYNTAX),
        ("FROM:", MAIL_SYNTAX),
        ("FROM :<>", MAIL_SYNTAX),
        ("TO:<>", MAIL_SYNTAX),
        ("FORM:<>", MAIL_SYNTAX),
        ("<>", MAIL_SYNTAX),
        ("FROM:joe@example.net", MAIL_SYNTAX),
        ("FROM:<joe@example.net", MAIL_SYNTAX),
        ("FROM:<joe@example.net>>", MAIL_SYNTAX),
        ("FROM:<joe@example.net>SIZE=1", MAIL_SYNTAX),
        ("FROM:<joe>", BAD_SENDER),
        ("FROM:< >", BAD_SENDER),
        ("FROM:<j\udcc3\udcb6e@example.net>", NON_ASCII_ADDRESS),
        ("FROM:<> SIZE", BAD_PARAMETER),
        ("FROM:<> SIZE=", BAD_PARAMETER),
        ("FROM:<> SIZE=-1", BAD_PARAMETER),
        ("FROM:<> SIZE=1e3", BAD_PARAMETER),
        ("FROM:<> SIZE=100000000000000000000", BAD_PARAMETER),
        ("FROM:<> SIZE=1 size=1", BAD_PARAMETER),
        ("FROM:<> BODY", BAD_PARAMETER),
        ("FROM:<> BODY=BINARYMIME", BAD_PARAMETER),
        ("FROM:<> AUTH", BAD_PARAMETER),
        ("FROM:<> AUTH=a+zz", BAD_PARAMETER),
        ("FROM:<> =1", BAD_PARAMETER),
        ("FROM:<> SIZE=1=1", BAD_PARAMETER),
        ("FROM:<> SIZE=1\udcff", BAD_PARAMETER),
        ("FROM:<> -X=1", BAD_PARAMETER),
        ("FROM:<> FOO=BAR", UNKNOWN_PARAMETER),
        ("FROM:<> FOO", UNKNOWN_PARAMETER),
        ("FROM:<> SMTPUTF8", UNKNOWN_PARAMETER),
        ("FROM:<> RET=HDRS", UNKNOWN_PARAMETER),
    ],
)
def test_refused_mail(argument: str, reply: Reply) -> None:
    assert refusal(parse_mail, argument, ALL) == reply


@pytest.mark.parametrize("parameter", ["SIZE=1", "BODY=8BITMIME", "AUTH=<>"])
def test_parameters_of_extensions_that_were_not_offered(parameter: str) -> None:
    assert refusal(parse_mail, f"FROM:<> {parameter}", ()) == UNKNOWN_PARAMETER


@pytest.mark.parametrize("argument", ["TO:<joe@example.net>", "to: <@a.example:joe@example.net>"])
def test_recipients(argument: str) -> None:
    assert parse_recipient(argument, ()) == Recipient(JOE)


@pytest.mark.parametrize(
    ("argument", "reply"),
    [
        ("", RECIPIENT_SYNTAX),
        ("FROM:<joe@example.net>", RECIPIENT_SYNTAX),
        ("TO:joe@example.net", RECIPIENT_SYNTAX),
        ("TO:<>", BAD_RECIPIENT),
        ("TO:<joe>", BAD_RECIPIENT),
        ("TO:<joe@example.net> NOTIFY=NEVER", UNKNOWN_PARAMETER),
        ("TO:<joe@example.net> SIZE=1", UNKNOWN_PARAMETER),
        ("TO:<joe@example.net> =", BAD_PARAMETER),
    ],
)
def test_refused_recipients(argument: str, reply: Reply) -> None:
    assert refusal(parse_recipient, argument, ()) == reply


@given(st.binary(max_size=80).map(lambda octets: octets.replace(b"\n", b"") + b"\r\n"))
def test_any_line_is_a_command_or_refused(line: bytes) -> None:
    try:
        command = parse_line(line)
    except PermanentFailure:
        return
    parse_hello_, mail, recipient = parse_hello, f"FROM:{command.argument}", f"TO:{command.argument}"
    for attempt in (
        lambda: parse_hello_(command.argument),
        lambda: parse_mail(command.argument, UTF8),
        lambda: parse_mail(mail, UTF8, True),
        lambda: parse_recipient(recipient, UTF8, True, True),
        lambda: check_verify(command.argument, UTF8),
    ):
        with suppress(PermanentFailure):
            attempt()


def test_only_ascii_makes_a_verb() -> None:
    """The capital of U+0131 is an I, and that of U+017F an S."""
    assert parse_line("ma\u0131l FROM:<>\r\n".encode()).verb == "ma\u0131l"
    assert parse_line("\u017ftarttls\r\n".encode()).verb == "\u017ftarttls"
    assert refusal(parse_mail, "FROM:<> BODY=8B\u0131TMIME", ALL) == BAD_PARAMETER


J_DOT = "j\u00f6e"
ADDRESS = f"{J_DOT}@b\u00fccher.example"


def test_addresses_beyond_ascii_need_the_parameter() -> None:
    assert refusal(parse_mail, f"FROM:<{ADDRESS}>", ALL) == NON_ASCII_ADDRESS
    assert refusal(parse_mail, f"FROM:<{ADDRESS}>", UTF8) == SMTPUTF8_NEEDED
    assert refusal(parse_mail, f"FROM:<{ADDRESS}> SMTPUTF8", ALL) == UNKNOWN_PARAMETER
    mail = parse_mail(f"FROM:<{ADDRESS}> smtputf8", UTF8)
    assert mail == Mail(Address(J_DOT, "xn--bcher-kva.example"), MailParameters(smtputf8=True))
    assert refusal(parse_mail, "FROM:<> SMTPUTF8=1", UTF8) == BAD_PARAMETER
    assert refusal(parse_mail, "FROM:<j\udcffe@example.net> SMTPUTF8", UTF8) == BAD_SENDER
    assert refusal(parse_mail, "FROM:<j\u0085e@example.net> SMTPUTF8", UTF8) == BAD_SENDER


def test_recipients_beyond_ascii_need_it_in_mail() -> None:
    assert refusal(parse_recipient, f"TO:<{ADDRESS}>", ALL) == NON_ASCII_ADDRESS
    assert refusal(parse_recipient, f"TO:<{ADDRESS}>", UTF8) == SMTPUTF8_NEEDED
    assert refusal(parse_recipient, f"TO:<{ADDRESS}> SMTPUTF8", UTF8, True) == UNKNOWN_PARAMETER
    assert parse_recipient(f"TO:<{ADDRESS}>", UTF8, True).address == Address(J_DOT, "xn--bcher-kva.example")
    assert refusal(parse_recipient, "TO:<j\udcffe@example.net>", UTF8, True) == BAD_RECIPIENT


def test_addresses_are_composed() -> None:
    decomposed = "TO:<jo\u0308e@example.net>"
    assert parse_recipient(decomposed, UTF8, True).address.local == J_DOT


@pytest.mark.parametrize(
    "argument", ["joe", "joe SMTPUTF8", "j\u00f6e smtputf8", "SMTPUTF8", "joe \u017fmtputf"]
)
def test_verify_takes(argument: str) -> None:
    if "\u017f" in argument:
        assert refusal(check_verify, argument, UTF8) == SMTPUTF8_NEEDED
    else:
        check_verify(argument, UTF8)


def test_verify_beyond_ascii() -> None:
    assert refusal(check_verify, J_DOT, ALL) == NON_ASCII_ADDRESS
    assert refusal(check_verify, J_DOT, UTF8) == SMTPUTF8_NEEDED
    assert refusal(check_verify, "joe SMTPUTF8", ALL) == UNKNOWN_PARAMETER
    assert refusal(check_verify, "j\udcffe SMTPUTF8", UTF8) == BAD_RECIPIENT


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("FROM:joe@example.net", Mail(JOE)),
        ("FROM: joe@example.net", Mail(JOE)),
        ("FROM:<joe@example.net>", Mail(JOE)),
        ("FROM:joe@example.net SIZE=5", Mail(JOE, MailParameters(size=5))),
        ('FROM:"a b"@example.net  SIZE=5', Mail(Address("a b", "example.net"), MailParameters(size=5))),
        ("FROM:<>", Mail(None)),
    ],
)
def test_bare_paths(argument: str, expected: Mail) -> None:
    assert parse_mail(argument, ALL, bare_paths=True) == expected


@pytest.mark.parametrize(
    "argument", ["FROM:", "FROM: SIZE=5", "FROM:joe@example.net>", "FROM:<joe@example.net"]
)
def test_what_is_no_bare_path(argument: str) -> None:
    assert refusal(parse_mail, argument, ALL, True) in (MAIL_SYNTAX, BAD_SENDER)


def test_bare_paths_are_an_exception() -> None:
    assert refusal(parse_recipient, "TO:joe@example.net", ALL) == RECIPIENT_SYNTAX
    assert parse_recipient("TO:joe@example.net", ALL, bare_paths=True) == Recipient(JOE)
