"""What does nobody know, who could say it, and how much would the answer matter?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._digits import twelve_digits
from crm_portfolio._methods._indices import Floats
from crm_portfolio._places import places_of
from crm_portfolio._wording import Lang, Reason, sentence
from crm_portfolio.analysis._exit._criteria import CODES, CRITERIA, Code, source
from crm_portfolio.analysis._exit._measures import Measures

__all__ = ["BEST", "QUESTIONS", "ROLES", "WORST", "nearness", "question_table"]

QUESTIONS: Final[Mapping[Code, str]] = {
    "F1": "ask_f1",
    "F2": "ask_f2",
    "F3": "ask_f3",
    "F4": "ask_f4",
    "F5": "ask_f5",
    "F6": "ask_f6",
    "F7": "ask_f7",
    "F8": "ask_f8",
    "F9": "ask_f9",
    "F10": "ask_f10",
    "F11": "ask_f11",
    "F12": "ask_f12",
    "F13": "ask_f13",
}
WORST: Final[Mapping[Code, str]] = {
    "F1": "ask_worst_f1",
    "F2": "ask_worst_f2",
    "F3": "ask_worst_f3",
    "F4": "ask_worst_f4",
    "F5": "ask_worst_f5",
    "F6": "ask_worst_f6",
    "F7": "ask_worst_f7",
    "F8": "ask_worst_f8",
    "F9": "ask_worst_f9",
    "F10": "ask_worst_f10",
    "F11": "ask_worst_f11",
    "F12": "ask_worst_f12",
    "F13": "ask_worst_f13",
}
BEST: Final[Mapping[Code, str]] = {
    "F1": "ask_best_f1",
    "F2": "ask_best_f2",
    "F3": "ask_best_f3",
    "F4": "ask_best_f4",
    "F5": "ask_best_f5",
    "F6": "ask_best_f6",
    "F7": "ask_best_f7",
    "F8": "ask_best_f8",
    "F9": "ask_best_f9",
    "F10": "ask_best_f10",
    "F11": "ask_best_f11",
    "F12": "ask_best_f12",
    "F13": "ask_best_f13",
}
"""What 0 and what 10 mean, in words."""
_OF_ALL: Final[Mapping[Code, str]] = {
    "F1": "ask_data_f1",
    "F2": "ask_data_f2",
    "F3": "ask_data_f3",
    "F4": "ask_data_f4",
    "F7": "ask_data_f7",
    "F9": "ask_data_f9",
    "F11": "ask_data_f11",
    "F12": "ask_data_f12",
    "F13": "ask_data_f13",
}
"""Of the measured ones: what would answer for all accounts at once."""
ROLES: Final = {
    "owner": "ask_role_owner",
    "finance": "ask_role_finance",
    "delivery": "ask_role_delivery",
    "service": "ask_role_service",
    "sales": "ask_role_sales",
}
_UNSEEN: Final = 0.5


def nearness(
    score: Floats, low: Floats, high: Floats, edges: Iterable[float]
) -> Floats:
    """How near each account is to an edge that answers could carry it over; 0 to 1.

    0 where no answer could: its score stays on one side whatever is missing. Of whom
    nothing is known, a half.
    """
    found = np.zeros(score.size)
    for edge in edges:
        is_open = (low < edge) & (edge <= high)
        near = np.where(np.isnan(score), _UNSEEN, 1 - np.abs(score - edge))
        found = np.maximum(found, np.where(is_open, near, 0.0))
    return twelve_digits(found)


def question_table(
    measures: Measures, weights: Floats, near: Floats, *, lang: Lang = "en"
) -> pa.Table:
    """One row a question: those about all accounts, and those about one; what matters first.

    ``answer`` says whether a ``table`` would tell it of all, or a ``rating`` of one.
    ``matter`` is the weight of the criterion by how near the accounts it is about are to
    a decision: of one account for a rating, summed for a table. Equal ones: the larger
    account first, then by id.

    Args:
        weights: Of each criterion; those that weigh nothing are not asked for.
        near: As `nearness` has it.
    """
    single, share = _of_each(measures, weights, near, lang)
    shared = pa.Table.from_pylist(
        [*_of_all(measures, weights, near, lang)], schema=single.schema
    )
    table = pa.concat_tables([shared, single])
    # What is about all accounts is about the largest too.
    share = np.concatenate([np.full(shared.num_rows, np.inf), share])
    order = np.lexsort((np.arange(share.size), -share, -table["matter"].to_numpy()))
    places = pa.array(np.arange(1, share.size + 1))
    table = table.take(pa.array(order)).add_column(0, "place", places)
    facts = measures.facts
    names = facts.names(facts.by_account.ids)
    if names:
        at = places_of(table["account_id"], facts.by_account.ids)
        named = names["name"].take(at)
        table = table.add_column(_AFTER_ID, "name", named)
    return table.combine_chunks()


def _of_each(
    measures: Measures, weights: Floats, near: Floats, lang: Lang
) -> tuple[pa.Table, Floats]:
    """A question for each account and criterion that nothing says, and its share."""
    row, column = np.nonzero(~measures.is_known & (weights > 0))
    of = measures.of
    criteria = [CRITERIA[code] for code in CODES]
    said = [sentence(Reason(QUESTIONS[code]), lang) for code in CODES]
    ids = measures.facts.by_account.ids
    owner = pa.array(of.owner_id, pa.string())
    each = pa.array(column)
    table = pa.table(
        {
            "criterion": pa.array(CODES, pa.string()).take(each),
            "account_id": ids.take(pa.array(row)),
            "rated_as": pa.array([one.name for one in criteria]).take(each),
            "question": pa.array(said, pa.string()).take(each),
            "answer": pa.array(["rating"] * row.size, pa.string()),
            "table": pa.array(["rating"] * row.size, pa.string()),
            "ask": pa.array([one.ask for one in criteria]).take(each),
            "owner_id": owner.take(pa.array(row)),
            "account_count": pa.array(np.ones(row.size, dtype=np.int64)),
            "weight": pa.array(twelve_digits(weights)[column]),
            "matter": pa.array(twelve_digits(weights[column] * near[row])),
        }
    )
    return table, np.nan_to_num(of.group_share)[row]


def _of_all(
    measures: Measures, weights: Floats, near: Floats, lang: Lang
) -> Iterator[dict[str, Any]]:
    """What a table would say of all accounts, where it says nothing of any."""
    is_measured = measures.is_known & (measures.sources != source("rating"))
    for at, code in enumerate(CODES):
        if code not in _OF_ALL or is_measured[:, at].any() or not weights[at] > 0:
            continue
        one, is_open = CRITERIA[code], ~measures.is_known[:, at]
        yield _shared(
            {
                "criterion": code,
                "rated_as": one.name,
                "question": sentence(Reason(_asked_of_all(code, measures)), lang),
                "table": one.source_table,
                "ask": one.ask,
                "weight": float(twelve_digits(weights)[at]),
            },
            near[is_open],
        )
    if not measures.knows_contracts:
        told = {
            "table": "contract",
            "ask": "finance",
            "weight": float(twelve_digits(weights).max()),
        }
        said = sentence(Reason("ask_data_contract"), lang)
        yield _shared(told | {"question": said}, near)


def _asked_of_all(code: Code, measures: Measures) -> str:
    """Of the potential, what is missing once the size of the accounts is known."""
    columns = measures.facts.account.column_names
    has_size = {"account_turnover", "employee_count"} & {*columns}
    return "ask_data_f13_more" if code == "F13" and has_size else _OF_ALL[code]


def _shared(told: dict[str, Any], near: Floats) -> dict[str, Any]:
    return told | {
        "answer": "table",
        "account_count": int(near.size),
        "matter": float(twelve_digits(np.array([told["weight"] * near.sum()]))[0]),
    }


_AFTER_ID: Final = 3
