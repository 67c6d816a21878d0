"""What strangers have written, made safe to show."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailsuite.model.display_text import LONG, MAX_MARKS, SHORT, one_line, with_address

FAMILY = "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"
HEART_ON_FIRE = "\u2764\ufe0f\u200d\U0001f525"
REDHEAD = "\U0001f9d1\U0001f3fb\u200d\U0001f9b0"
SHAKING = "\U0001f642\u200d\u2194\ufe0f"
GERMANY, FRANCE = "\U0001f1e9\U0001f1ea", "\U0001f1eb\U0001f1f7"
KEYCAP = "1\ufe0f\u20e3"
KSHA = "\u0915\u094d\u0937"
KSHA_APART = "\u0915\u094d\u200c\u0937"
KSHA_JOINED = "\u0915\u094d\u200d\u0937"
MI_KHAHAM = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645"
OLD_HANGUL = "\u1112\u119e\u11ab"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", ""),
        ("Your parcel", "Your parcel"),
        ("  Your \t parcel\r\n is\u00a0here\u2028now ", "Your parcel is here now"),
        ("a\x85b\x1cc\x0bd", "a b c d"),
        ("\x1b[31mred\x07\x00\x9b", "[31mred"),
        ("invoice\u202excod.exe", "invoicexcod.exe"),
        ("\u2066a\u2069\u200e\u200f\u061cb", "ab"),
        ("pay\u200bpal\ufeff \u2060x\u00ad", "paypal x"),
        ("a \u202e b", "a b"),
        ("a\udc80b", "ab"),
        ("a\ufffeb\ufdd0c\U0001ffffd", "abcd"),
        ("\u3164\u115f\u2800\uffa0", ""),
        ("x\u3164y", "x y"),
        ("\u0323x \u0323\u0331y", "x y"),
        ("Gru\u0308\u00dfe", "Gr\u00fc\u00dfe"),
        ("u\u200d\u0308", "\u00fc"),
        ("\u212b", "\u00c5"),
        ("\ue000\U0001fae8", "\ue000\U0001fae8"),
        (FAMILY, FAMILY),
        (HEART_ON_FIRE, HEART_ON_FIRE),
        (REDHEAD, REDHEAD),
        (SHAKING, SHAKING),
        (KEYCAP, KEYCAP),
        (GERMANY, GERMANY),
        (KSHA, KSHA),
        (KSHA_APART, KSHA_APART),
        (KSHA_JOINED, KSHA_JOINED),
        (MI_KHAHAM, MI_KHAHAM),
        ("\U0001f3f4\U000e0067\U000e0062\U000e007f", "\U0001f3f4"),
        ("a\u200db\u200cc", "abc"),
        ("\u200d\U0001f525\u200d", "\U0001f525"),
        ("\U0001f525\u200d\u200d\U0001f525", "\U0001f525\u200d\U0001f525"),
        ("\U0001f525\u200cx", "\U0001f525x"),
        ("\u0645\u200c\u200c\u062e", "\u0645\u200c\u062e"),
        ("\u0645\u200cx", "\u0645x"),
        ("\u0915\u094d\u200d", "\u0915\u094d"),
        ("\u0915\u094d\u200d!", "\u0915\u094d!"),
        ("q" + "\u0323" * 50 + "r", "q" + "\u0323" * MAX_MARKS + "r"),
        ("q" + "\u0323\u200b" * 50 + "r", "q" + "\u0323" * MAX_MARKS + "r"),
    ],
)
def test_what_is_shown(text: str, line: str) -> None:
    assert one_line(text, LONG) == line


@pytest.mark.parametrize(
    ("text", "limit", "line"),
    [
        ("abcdef", 6, "abcdef"),
        ("abcdefg", 6, "abcde…"),
        ("abcd efg", 6, "abcd…"),
        ("abcdq\u0323\u0331fgh", 6, "abcd…"),
        ("abcdq\u0323\u0331fgh", 8, "abcdq\u0323\u0331…"),
        (f"ab{FAMILY}c", 9, "ab…"),
        (f"ab{FAMILY}cd", 10, f"ab{FAMILY}…"),
        (f"{HEART_ON_FIRE}{HEART_ON_FIRE}", 7, f"{HEART_ON_FIRE}…"),
        (f"x{REDHEAD}", 3, "x…"),
        (f"{GERMANY}{FRANCE}{GERMANY}", 4, f"{GERMANY}…"),
        (f"{GERMANY}{FRANCE}{GERMANY}", 5, f"{GERMANY}{FRANCE}…"),
        (f"x{GERMANY}{FRANCE}", 3, "x…"),
        (f"x{GERMANY}{FRANCE}", 4, f"x{GERMANY}…"),
        (f"{KEYCAP}{KEYCAP}", 5, f"{KEYCAP}…"),
        (f"ab{KSHA}c", 5, "ab…"),
        (f"ab{KSHA_APART}cd", 5, "ab…"),
        (f"ab{OLD_HANGUL}c", 5, "ab…"),
        ("ab\uff76\uff9ecd", 4, "ab…"),
        ("漢字仮名交", 4, "漢字仮…"),
        ("q" + "\u0323" * 8 + "r", 4, "q\u0323\u0323…"),
        (FAMILY, 3, "\U0001f468…"),
    ],
)
def test_where_it_is_cut(text: str, limit: int, line: str) -> None:
    assert one_line(text, limit) == line
    assert len(line) <= limit


@pytest.mark.parametrize(
    ("name", "address", "shown"),
    [
        ("Eve", "eve@example.org", "Eve"),
        ("", "eve@example.org", "eve@example.org"),
        ("\u200b", "eve@example.org", "eve@example.org"),
        ("Eve", "", "Eve"),
        ("service@bank.example", "", "service@bank.example"),
        ("", "", ""),
        ("service@bank.example", "eve@example.org", "service@bank.example <eve@example.org>"),
        ("service\uff20bank.example", "eve@example.org", "service\uff20bank.example <eve@example.org>"),
        ("service\ufe6bbank.example", "eve@example.org", "service\ufe6bbank.example <eve@example.org>"),
        ("Eve@Example.org", "eve@example.org", "eve@example.org"),
        ("a@b \u202e", "eve\u202e@example.org", "a@b <eve@example.org>"),
        ("a@b", "x" * 64 + "@example.org", "x" * 64 + "@example.org"),
        ("x" * 70 + "@b", "eve@example.org", "x" * 61 + "… <eve@example.org>"),
        ("x" * 90 + "@b", "eve@example.org", "x" * 61 + "… <eve@example.org>"),
        (
            "a@b",
            "service@bank.example." + "x" * 60 + ".example.org",
            "…" + ("bank.example." + "x" * 60 + ".example.org")[-79:],
        ),
        ("a@b", "x" * 40 + "q\u0323\u0332" + "y" * 77, "…" + "y" * 77),
        ("a@b", "x" + "\u0323" * 3000, "a@b"),
    ],
)
def test_senders(name: str, address: str, shown: str) -> None:
    assert with_address(name, address) == shown
    assert len(shown) <= SHORT


STRANGE = st.sampled_from(
    "\u202e\u2066\x1b\x07\n\t \u00a0\u200b\u200c\u200d\ufe0f\u0323\u094d\u0915\u0645\u0644\u3164\ufeff"
    "\U0001f1e9\U0001f1ea\U0001f468\U0001f3fb\u1112\u119e\uac00@\U000e0067a"
)
TEXTS = st.text() | st.text(STRANGE, max_size=60) | st.text(st.characters() | STRANGE)


def check(line: str, limit: int) -> None:
    assert len(line) <= limit
    assert unicodedata.is_normalized("NFC", line)
    assert "  " not in line
    assert line == line.strip()
    line.encode("utf-8")
    for each in line:
        assert each in "\u200c\u200d" or unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert not each.isspace() or each == " "
    assert not line or unicodedata.category(line[-1]) != "Cf"


@given(TEXTS, st.integers(2, 90))
def test_any_text(text: str, limit: int) -> None:
    check(one_line(text, limit), limit)


@given(TEXTS, TEXTS)
def test_any_sender(name: str, address: str) -> None:
    check(with_address(name, address), SHORT)


@given(st.text(STRANGE, max_size=60), st.integers(2, 30))
def test_nothing_is_cut_in_two(text: str, limit: int) -> None:
    """What is left before the mark stands in the whole line, and what comes next there is no part of it."""
    whole, line = one_line(text, 1000), one_line(text, limit)
    if line == whole or len(line) < 2:
        return
    start = line.removesuffix("…")
    assert whole.startswith(start)
    behind = whole[len(start)]
    if len(start) > MAX_MARKS + 1:
        assert unicodedata.category(behind)[0] != "M"
        assert behind not in "\u200c\u200d\U0001f3fb\u119e"


@pytest.mark.parametrize(
    "piece", ["x", "\u0323", "\u200d", "\U0001f1e9", "\u202e", " ", "\U0001f468\u200d", "漢"]
)
def test_ten_kilobytes_are_nothing(piece: str) -> None:
    began = time.process_time()
    for _ in range(10):
        one_line(piece * 10_000, LONG)
        with_address(piece * 10_000 + "@", piece * 10_000, SHORT)
    assert time.process_time() - began < 1
