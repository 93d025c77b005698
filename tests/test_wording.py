from __future__ import annotations

import ast
import json
import pickle
import re
from datetime import date
from functools import cache
from pathlib import Path

import pytest

import crm_portfolio
from crm_portfolio._wording import (
    CODES,
    LANGS,
    Lang,
    Reason,
    number,
    placeholders,
    read_po,
    sentence,
)

SOURCE = Path(crm_portfolio.__file__).parent


def said(text: str) -> str:
    """With plain blanks, to be read in a test."""
    return text.replace("\N{NO-BREAK SPACE}", " ")


def example(code: str) -> Reason:
    """Some value for each placeholder, of the kind it is shown as."""
    values: dict[str, object] = {"currency": "EUR"}
    for lang in LANGS:
        for each in placeholders(code, lang):
            name, _, how = each.partition(":")
            kinds = {
                "day": date(2026, 3, 12),
                "name": "001A",
                "money": 1.5,
                "share": 0.5,
            }
            values[name] = kinds.get(how, 0.25 if how == "limit" else 2)
            if how.startswith("label_"):
                values[name] = "F3"
    return Reason(code, values)  # type: ignore[arg-type]


@cache
def parsed() -> list[ast.Module]:
    """Every module of the source."""
    return [ast.parse(file.read_text("utf-8")) for file in sorted(SOURCE.rglob("*.py"))]


def constants() -> set[str]:
    """Every text in the source, the catalogues aside."""
    nodes = [node for tree in parsed() for node in ast.walk(tree)]
    return {
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def codes_in_calls() -> set[str]:
    """The codes that calls of Reason spell out."""
    calls = [
        node.args[0]
        for tree in parsed()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and node.func.id == "Reason"
        and node.args
    ]
    parts = [
        each
        for call in calls
        for each in (
            [call.body, call.orelse] if isinstance(call, ast.IfExp) else [call]
        )
    ]
    return {part.value for part in parts if isinstance(part, ast.Constant)}


@pytest.mark.parametrize("lang", LANGS)
@pytest.mark.parametrize("code", sorted(CODES))
def test_every_code_makes_a_sentence_in_every_language(code: str, lang: Lang):
    text = sentence(example(code), lang)
    assert text
    assert not re.search(r"[{}]", text)
    assert "  " not in text


def test_no_code_lacks_a_language():
    for lang in LANGS:
        file = SOURCE / "locales" / f"{lang}.po"
        assert set(read_po(file.read_text("utf-8"))) == set(CODES), lang


@pytest.mark.parametrize("code", sorted(CODES))
def test_both_languages_show_the_same_values(code: str):
    names = [
        {each.partition(":")[0] for each in placeholders(code, lang)} for lang in LANGS
    ]
    assert names[0] == names[1]
    shown = [
        {
            each
            for each in placeholders(code, lang)
            if not each.endswith((":plural", ":"))
        }
        for lang in LANGS
    ]
    assert shown[0] == shown[1]


@pytest.mark.parametrize(
    ("lang", "said"),
    [("en", "end the relationship"), ("fr", "mettre fin à la relation")],
)
def test_a_code_within_a_sentence_is_told_in_words(lang: Lang, said: str):
    assert said in sentence(Reason("exit_tried", {"action": "phase_out"}), lang)


def test_a_code_without_a_word_stands_as_it_is():
    told = sentence(Reason("exit_tried", {"action": "no_such_step"}))
    assert told == "Tried or refused before: no_such_step."


def test_every_code_of_the_catalogue_is_used():
    assert sorted(CODES - constants()) == []


def test_every_code_that_is_used_is_in_the_catalogue():
    used = codes_in_calls()
    assert used
    assert sorted(used - CODES) == []


def test_money_shares_and_days_are_written_as_each_language_does():
    reason = Reason(
        "tier_next",
        {"better": "A", "edge_above": 150_000.0, "gap": 1_234.5, "currency": "EUR"},
    )
    assert said(sentence(reason)) == "Tier A begins at 150,000 EUR: 1,234.50 EUR to go."
    assert said(sentence(reason, "fr")) == (
        "La tranche A commence à 150 000 € : il lui manque 1 234,50 €."
    )


@pytest.mark.parametrize(
    ("day", "english", "french"),
    [
        (date(2026, 3, 12), "12 March 2026", "12 mars 2026"),
        (date(2026, 8, 1), "1 August 2026", "1er août 2026"),
        ("2026-02-28", "28 February 2026", "28 février 2026"),
    ],
)
def test_days_are_written_out_also_when_they_come_from_a_file(day, english, french):
    reason = Reason("tier_since", {"tier": "B", "since_on": day})
    assert sentence(reason) == f"In tier B since {english}."
    assert sentence(reason, "fr") == f"Dans la tranche B depuis le {french}."


def slice_of(share: float) -> Reason:
    values = {
        "tier": "B",
        "revenue": 1.0,
        "share": share,
        "slices": 4,
        "currency": "EUR",
    }
    return Reason("tier_slice", values)


@pytest.mark.parametrize(
    ("share", "english", "french"),
    [
        (0.04, "4.0 %", "4,0 %"),
        (0.0001, "less than 0.1 %", "moins de 0,1 %"),
        (0.0, "0.0 %", "0,0 %"),
        (-0.0001, "0.0 %", "0,0 %"),
        (-0.123, "−12.3 %", "−12,3 %"),
    ],
)
def test_shares_are_in_per_cent_with_one_decimal(share, english, french):
    assert f" {english} of the revenue in tiers" in said(sentence(slice_of(share)))
    assert f" {french} du chiffre" in said(sentence(slice_of(share), "fr"))


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.2004, "20.04 %"), (0.33, "33.0 %"), (0.20000001, "20.000001 %")],
)
def test_a_share_just_above_its_limit_is_not_rounded_onto_it(share, shown):
    values = {"group_id": "P", "share": share, "threshold": 0.2}
    text = said(sentence(Reason("dependence_dependent", values)))
    assert f"{shown} of revenue, more than 20 %." in text


@pytest.mark.parametrize(
    ("rank", "english", "french"),
    [(1, "1st", "1er"), (2, "2nd", "2e"), (11, "11th", "11e"), (23, "23rd", "23e")],
)
def test_ranks_are_ordinals(rank, english, french):
    values = {
        "n": 30,
        "revenue": 1.0,
        "share": 0.5,
        "cum_share": 0.5,
        "currency": "EUR",
    }
    reason = Reason("rank", values | {"rank": rank})
    assert sentence(reason).startswith(f"Ranked {english} of 30 accounts")
    assert sentence(reason, "fr").startswith(f"{french} sur 30 comptes")


@pytest.mark.parametrize(("places", "english"), [(1, "1 place:"), (2, "2 places:")])
def test_words_agree_with_their_number(places, english):
    reason = Reason("rank_up", {"places": places, "rank_previous": 9})
    assert sentence(reason).startswith(f"Up {english}")


@pytest.mark.parametrize(
    ("n", "english", "french"),
    [
        (1, "whether it is new", "comptée comme nouvelle."),
        (2, "whether they are new", "comptées comme nouvelles."),
    ],
)
def test_one_sale_of_unknown_kind_is_told_as_one(n: int, english, french) -> None:
    reason = Reason("loss_kind_unknown", {"n": n})
    assert english in sentence(reason, "en")
    assert sentence(reason, "fr").endswith(french)


def test_nothing_is_plural_in_english_and_singular_in_french():
    reason = Reason("empty_tier", {"tier_count": 0, "tiers": ""})
    assert "tiers" in sentence(reason)
    assert "la tranche" in sentence(reason, "fr")


def test_what_is_unknown_is_said_to_be_unknown():
    reason = Reason("tier_pinned", {"tier": "A", "tier_raw": "B", "by": None})
    assert "(by unknown)" in sentence(reason)
    assert "(par inconnu)" in sentence(reason, "fr")


def test_an_account_has_its_name_only_where_names_are_given():
    reason = Reason("dependence_unknown", {"group_id": "001A"})
    assert "Dependence on 001A is" in sentence(reason)
    assert "on Acme (001A) is" in sentence(reason, names={"001A": "Acme"})


def test_a_name_with_braces_is_only_a_name():
    reason = Reason("dependence_unknown", {"group_id": "{0.__class__}"})
    assert "{0.__class__}" in sentence(reason)


def test_other_currencies_keep_their_code_in_french():
    reason = Reason("tier_none", {"revenue": -5.25, "currency": "CHF"})
    assert said(sentence(reason, "fr")).endswith("−5,25 CHF.")


def test_a_dinar_has_three_digits():
    reason = Reason("tier_none", {"revenue": 5.125, "currency": "KWD"})
    assert said(sentence(reason)).endswith("5.125 KWD.")


def test_numbers_have_their_thousands_separated():
    assert number(1234567) == "1,234,567"
    assert (number(-0.4), number(-0.04, digits=1), number(-0.6)) == ("0", "0.0", "−1")
    assert said(number(-1234.5, "fr", digits=1)) == "−1 234,5"


def test_a_reason_travels_between_processes_and_through_json():
    reason = Reason("tier_since", {"tier": "B", "since_on": date(2026, 3, 12)})
    assert pickle.loads(pickle.dumps(reason)) == reason
    kept = json.loads(json.dumps(reason.to_dict()))
    assert sentence(Reason(**kept)) == sentence(reason)


@pytest.mark.parametrize(
    "text",
    [
        'msgid "a"\nmsgid "b"\nmsgstr "c"',
        'msgid "a"\nmsgstr "b"\nmsgid "a"\nmsgstr "c"',
        'msgid "a"\nmsgstr ""',
        'msgid_plural "a"',
        '"a"',
        'msgid "a"',
        'msgid "a" "b"',
    ],
)
def test_a_catalogue_that_is_not_plain_is_refused(text: str):
    with pytest.raises(ValueError, match="catalogue"):
        read_po(text)


def test_a_catalogue_may_continue_its_lines():
    assert read_po('msgid "a"\nmsgstr ""\n"one "\n"\\"two\\""') == {"a": 'one "two"'}


@pytest.mark.parametrize(
    ("index", "english", "french"),
    [
        *((0.05, "0.05", "0,05"), (5.0, "5", "5"), (2, "2", "2"), (7.5, "7.5", "7,5")),
        *((0.080603, "0.0806", "0,0806"), (0.00001, "0.0000", "0,0000")),
    ],
)
def test_an_index_has_the_decimals_it_needs_up_to_four(index, english, french):
    reason = Reason("risk_silence", {"on": date(2026, 3, 12), "threshold": index})
    assert sentence(reason).endswith(f"(silence index under {english}).")
    assert sentence(reason, "fr").endswith(f"(indice de silence sous {french}).")


# Set phrases, in which a client is no account.
_FIXED = re.compile("créances clients|valeur vie client|service client", re.IGNORECASE)
# Of whom we depend: a group, or an account alone, whom English only names.
_CLIENT_IN_FRENCH = {"dependence_dependent"}


def test_french_tells_accounts_clients_and_opportunities_apart_as_english_does():
    english, french = (
        read_po((SOURCE / "locales" / f"{lang}.po").read_text("utf-8"))
        for lang in LANGS
    )
    client = re.compile(r"\bclients?\b", re.IGNORECASE)
    mixed = {
        code
        for code, told in french.items()
        if client.search(_FIXED.sub("", told)) and not client.search(english[code])
    }
    assert mixed == _CLIENT_IN_FRENCH
    assert [
        code for code, told in french.items() if "opportunité" in told.lower()
    ] == []
