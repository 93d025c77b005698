"""Text from a CRM can only be read."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_portfolio._inert import inert, inert_cell


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Müller & Söhne", "Müller & Söhne"),
        ("\x1b[31mred", "␛[31mred"),
        ("one\r\ntwo\tthree", "one␍␊two␉three"),
        ("\x00\x7f", "␀␡"),
        ("\x9b31m", "⟨009B⟩31m"),
        ("gpj.\u202eexe", "gpj.⟨202E⟩exe"),
        ("\u2066a\u2069", "⟨2066⟩a⟨2069⟩"),
        ("line\u2028break", "line⟨2028⟩break"),
        ("\ufeffbom", "⟨FEFF⟩bom"),
        ("\ud800", "⟨D800⟩"),
        ("\U000e0041", "⟨E0041⟩"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("=1+1", "=1+1"),
    ],
)
def test_what_could_act_is_made_visible(text: str, shown: str) -> None:
    assert inert(text) == shown


@given(st.text())
@settings(deadline=None)
def test_nothing_that_acts_is_left(text: str) -> None:
    shown = inert(text)
    left = {unicodedata.category(c) for c in shown if c not in "\u200c\u200d"}
    assert not left & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert len(shown.splitlines()) <= 1
    shown.encode()
    assert inert(shown) == shown


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("A | B", r"A \| B"),
        ("[x](javascript:0)", r"\[x\](javascript:0)"),
        ("<script>", r"\<script\>"),
        ("a\\|b", r"a\\\|b"),
        ("`*_~&lt;", r"\`\*\_\~\&lt;"),
        ("a\nb", "a␊b"),
    ],
)
def test_a_cell_of_markdown_holds_no_markup(text: str, cell: str) -> None:
    assert inert_cell(text) == cell
