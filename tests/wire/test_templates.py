"""Texts of users: what a template says, what is none, and that nobody gets out of their place."""

from __future__ import annotations

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.display_text import LONG, one_line
from mailsuite.wire.templates import MAX_FIELDS, MAX_TEMPLATE, BadTemplate, Template

VALUES = {"count": "3", "name": 'Eve "E" & Söhne', "subject": "a{count}b\\", "empty": ""}
NAMES = tuple(VALUES)


def rendered(text: str, limit: int = 4096, escape: str = "") -> str:
    return Template.parse(text, NAMES, limit, escape).render(VALUES)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("", ""),
        ("nothing in it", "nothing in it"),
        ("{count} new messages\nfrom {name}", '3 new messages\nfrom Eve "E" & Söhne'),
        ("{count}{count}", "33"),
        ("{empty}", ""),
        ("{{count}}", "{count}"),
        ("{{{count}}}", "{3}"),
        ("{{{{}}}}", "{{}}"),
        ("{subject}", "a{count}b\\"),
        ("{subject|json}", "a{count}b\\\\"),
        ("{name|json}", 'Eve \\"E\\" & Söhne'),
        ("{name|url}", "Eve%20%22E%22%20%26%20S%C3%B6hne"),
        ("|json", "|json"),
        ("Grüße 📨\t{count}\r\n", "Grüße 📨\t3\r\n"),
    ],
)
def test_what_a_template_says(text: str, result: str) -> None:
    assert rendered(text) == result


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("{", "at character 1: a single {"),
        ("ab}", "at character 3: a single }; to have one in the text, write }}"),
        ("{count", "a single {"),
        ("{{count}", "a single }"),
        ("{{{count}}", "a single }"),
        ("{co{count}unt}", "at character 1: a single {"),
        ("{}", "there is no field ''; there are: count, empty, name, subject"),
        ("{0}", "there is no field '0'"),
        ("{Count}", "there is no field 'Count'"),
        ("{ count }", "there is no field ' count '"),
        ("{count.__class__}", "there is no field 'count.__class__'"),
        ("{count[0]}", "there is no field"),
        ("{count!r}", "there is no field"),
        ("{count:>999999999}", "there is no field"),
        ("{" + "x" * 1000 + "}", "there is no field '" + "x" * 40 + "'"),
        ("{count|}", "after | comes json or url, not ''"),
        ("{count|html}", "not 'html'"),
        ("{count|json|url}", "not 'json|url'"),
        ("{count|" + "x" * 1000 + "}", "not '" + "x" * 40 + "'"),
        ("a\0b", "no control characters"),
        ("a\x1bb", "no control characters"),
        ("a\ud800b", "no control characters"),
        ("x" * (MAX_TEMPLATE + 1), "at most 2000 characters"),
        ("{count}" * (MAX_FIELDS + 1), "at most 32 fields"),
        ("é" * 51, "more than 100 octets already"),
    ],
)
def test_what_is_no_template(text: str, why: str) -> None:
    with pytest.raises(BadTemplate) as caught:
        Template.parse(text, NAMES, 100)
    assert why in str(caught.value)
    assert len(str(caught.value)) < 200


def test_the_greatest_of_all() -> None:
    assert rendered("x" * MAX_TEMPLATE) == "x" * MAX_TEMPLATE
    assert rendered("{count}" * MAX_FIELDS) == "3" * MAX_FIELDS
    assert rendered("é" * 50, 100) == "é" * 50


def test_a_text_that_is_json_escapes_by_itself() -> None:
    text = '{{"text":"{name}","more":"{subject|json}","link":"https://mail.example/?q={name|url}"}}'
    found = json.loads(rendered(text, escape="json"))
    assert found["text"] == VALUES["name"]
    assert found["more"] == VALUES["subject"]
    assert parse_qs(urlsplit(found["link"]).query) == {"q": [VALUES["name"]]}


def test_a_text_that_is_a_url_escapes_by_itself() -> None:
    found = urlsplit(rendered("https://mail.example/{subject}?q={name}&n={count}", escape="url"))
    assert found.path == "/a%7Bcount%7Db%5C"
    assert parse_qs(found.query) == {"q": [VALUES["name"]], "n": ["3"]}


def test_values_are_safe_to_show() -> None:
    template = Template.parse("[{name}]", ["name"], 4096)
    assert template.render({"name": "a\r\nX-Header: b\x1b\u202e\udc80"}) == "[a X-Header: b]"
    assert template.render({"name": "x" * 5000}) == "[" + "x" * 199 + "…]"


@pytest.mark.parametrize(
    ("limit", "length"), [(700, 200), (428, 200), (427, 100), (227, 50), (127, 25), (77, 0), (4, 0)]
)
def test_where_there_is_little_room_all_are_cut_alike(limit: int, length: int) -> None:
    template = Template.parse("<{a}|{b}|{c}>", ["a", "b", "c"], limit)
    text = template.render({"a": "a" * 300, "b": "b" * 300, "c": "c" * 20})
    parts = text[1:-1].split("|")
    whole = length and one_line("a" * 300, length)
    assert parts[0] == (whole or "")
    assert parts[2] == ("c" * 20 if length else "")
    assert len(text.encode()) <= limit


TEMPLATES = st.text() | st.text("{}|abjsonurl .\u202e", max_size=40)


@given(TEMPLATES, st.sampled_from(["", "json", "url"]), st.integers(0, 300))
def test_any_text_is_a_template_or_is_told_why_not(text: str, escape: str, limit: int) -> None:
    try:
        template = Template.parse(text, ["a", "b"], limit, escape)
    except BadTemplate:
        return
    assert len(template.render({"a": "é" * 300, "b": '"' * 300}).encode("utf-8")) <= limit


@given(st.text(), st.text(), st.integers(20, 4096))
def test_nobody_gets_out_of_their_place(name: str, subject: str, limit: int) -> None:
    template = Template.parse('{{"a":"{name}","b":"{subject}"}}', ["name", "subject"], limit, "json")
    text = template.render({"name": name, "subject": subject})
    found = json.loads(text)
    assert set(found) == {"a", "b"}
    if len(text) < limit // 6:
        assert found == {"a": one_line(name, LONG), "b": one_line(subject, LONG)}
    link = Template.parse("https://mail.example/?a={name}&b={subject}", ["name", "subject"], 10_000, "url")
    url = link.render({"name": name, "subject": subject})
    assert url.isascii()
    query = parse_qs(urlsplit(url).query, keep_blank_values=True)
    assert query == {"a": [one_line(name, LONG)], "b": [one_line(subject, LONG)]}


@given(st.text(st.characters(exclude_categories=["Cc", "Cs"])))
def test_braces_that_are_doubled_are_braces(text: str) -> None:
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert Template.parse(doubled, [], 10_000).render({}) == text
