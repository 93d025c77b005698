"""What is told of each class, and of each record that is asked for?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import collected
from crm_portfolio.analysis._lost._rules import (
    CLASS_OF,
    CLASSES,
    DUPLICATE,
    MISSED,
    STANCES,
    TIMINGS,
    named_rules,
)

__all__ = [
    "assigned_table",
    "class_table",
    "record_table",
    "sale_table",
    "totals",
]

_BY: Final = ("record", "rule", "missed", "apart", "is_imputed", "has_stage", "person")
_SUMS: Final = ("n", "minor", "priced")
_JUDGED: Final = tuple(
    n for n in CLASSES if n not in {"data_insufficient", "unclassified"}
)


def totals(labelled: Any) -> pa.Table:
    """How many of each rule, and their amounts in minor units; a few rows.

    ``class`` is what the rule gives; `DUPLICATE` for those set apart; null for the
    enquiries that are in no class.
    """
    minor = nw.col("minor")
    found = _found(
        labelled.select(
            *(nw.col(name) for name in _BY if name not in {"person", "has_stage"}),
            has_stage=nw.when(nw.col("offers").is_null()).then(0).otherwise(1),
            person=nw.col("person").fill_null(""),
            n=nw.lit(1, dtype=nw.Int64),
            minor=minor.fill_null(0),
            priced=nw.when(minor.is_null()).then(0).otherwise(1),
        )
        .group_by(*_BY)
        .agg(nw.col(*_SUMS).sum())
    )
    for name in (*_SUMS, "missed", "apart", "is_imputed", "has_stage"):
        at = found.column_names.index(name)
        found = found.set_column(at, name, found[name].cast(pa.int64()))
    found = found.sort_by([(name, "ascending") for name in _BY])
    found = found.append_column("class", _classes(found))
    return found.append_column("is_addressable", _addressable(found)).combine_chunks()


def _found(labelled: Any) -> pa.Table:
    """The rows, with the names of their rules."""
    table = collected(labelled)
    at = table.column_names.index("rule")
    return table.set_column(at, "rule", named_rules(table["rule"]))


def _classes(table: pa.Table) -> pa.Array:
    """The class of each row, from its record, its rule and whether it is set apart."""
    found = pa.nulls(len(table), pa.string())
    said = table["rule"].combine_chunks()
    for record, given in CLASS_OF.items():
        rules = pa.array(list(given))
        values = pa.array(list(given.values()))
        at = pc.index_in(said, rules)
        mine = pc.equal(table["record"].combine_chunks(), record)
        found = pc.if_else(mine, values.take(at), found)
    return pc.if_else(pc.equal(table["apart"].combine_chunks(), 1), DUPLICATE, found)


def _addressable(table: pa.Table) -> pa.Array:
    """Whether we could have acted; unknown where nothing could be judged.

    A client who left could have been kept if any rule finds the renewal missed.
    """
    name = table["class"].combine_chunks()
    is_missed = pc.is_in(name, pa.array(MISSED))
    left = pc.and_(
        pc.equal(name, "lost_client"), pc.equal(table["missed"].combine_chunks(), 1)
    )
    is_judged = pc.is_in(name, pa.array(_JUDGED))
    return pc.if_else(is_judged, pc.or_(is_missed, left), None)


def class_table(found: pa.Table, digits: int) -> pa.Table:
    """One row per class, in the order of the rules."""
    name = found["class"]
    is_lost = pc.equal(found["record"], "opportunity")
    could = pc.fill_null(found["is_addressable"], False)  # noqa: FBT003 - Arrow's own
    unsure = pc.is_null(found["is_addressable"])
    is_judged = pc.less(
        _sum(found, "n", unsure), pc.max_element_wise(_sum(found, "n"), 1)
    )
    by_person = pc.not_equal(found["person"], "")
    imputed = pc.equal(found["is_imputed"], 1)
    told = pc.is_in(name, pa.array(CLASSES))
    columns = {
        "class": pa.array(CLASSES),
        "count": _sum(found, "n"),
        "opportunity_count": _sum(found, "n", is_lost),
        "episode_count": _sum(found, "n", pc.equal(found["record"], "episode")),
        "enquiry_count": _sum(found, "n", pc.equal(found["record"], "enquiry")),
        "count_share": _share(_sum(found, "n"), found, "n", told),
        "amount": _money(found, digits),
        "amount_share": _share(_sum(found, "minor"), found, "minor", told),
        "priced_count": _sum(found, "priced"),
        "imputed_count": _sum(found, "n", imputed),
        "imputed_amount": _money(found, digits, imputed),
        "addressable_count": _if(is_judged, _sum(found, "n", could)),
        "addressable_amount": _if(is_judged, _money(found, digits, could)),
        "person_count": _sum(found, "n", by_person),
        "timing": pa.array([TIMINGS.get(each) for each in CLASSES], pa.string()),
        "stance": pa.array([STANCES.get(each) for each in CLASSES], pa.string()),
    }
    return pa.table(columns)


def _if(flags: pa.Array, values: pa.Array) -> pa.Array:
    """Null where it is not so."""
    return pc.if_else(flags, values, None)


def _sum(found: pa.Table, column: str, where: Any = None) -> pa.Array:
    rows = found if where is None else found.filter(where)
    at = pc.index_in(rows["class"].combine_chunks(), pa.array(CLASSES))
    sums = np.zeros(len(CLASSES), dtype=np.int64)
    is_one = np.asarray(at.is_valid())
    np.add.at(
        sums,
        at.drop_null().to_numpy(),
        rows[column].to_numpy()[is_one],
    )
    return pa.array(sums)


def _money(found: pa.Table, digits: int, where: Any = None) -> pa.Array:
    """In the currency; unknown where there are such and no amount is known."""
    minor, count, priced = (
        _sum(found, name, where).to_numpy() for name in ("minor", "n", "priced")
    )
    return pa.array(minor / 10**digits, mask=(count > 0) & (priced == 0))


def _share(sums: pa.Array, found: pa.Table, column: str, told: Any) -> pa.Array:
    total = pc.sum(found.filter(told)[column]).as_py() or 0
    if total <= 0:
        return pa.nulls(len(sums), pa.float64())
    return pa.array(sums.to_numpy() / total)


def record_table(labelled: Any, digits: int) -> pa.Table:
    """The records asked for, sorted by id, with what each class stands on."""
    found = _found(labelled).sort_by("record_id").combine_chunks()
    found = found.append_column("class", _classes(found))
    found = found.append_column("is_addressable", _addressable(found))
    found = found.filter(pc.is_valid(found["class"]))
    texts = {n: found[n].cast(pa.string()) for n in _PLAIN}
    return pa.table(
        {
            "record_id": texts["record_id"],
            "record": texts["record"],
            "account_id": texts["account_id"],
            "owner_id": texts["owner_id"],
            "class": found["class"],
            "rule": texts["rule"],
            "class_by_person": texts["person"],
            "is_addressable": found["is_addressable"],
            "timing": _said_of(found["class"], TIMINGS),
            "stance": _said_of(found["class"], STANCES),
            "minor": found["minor"],
            "amount": pc.divide(found["minor"].cast(pa.float64()), float(10**digits)),
            "is_imputed": _is(found, "is_imputed"),
            "created_on": _day(found["created_day"]),
            "closed_on": _closed_on(found),
            **{n: texts[n] for n in ("kind", "source", "pipeline", "stage")},
            **{n: texts[n] for n in ("loss_reason", "loss_reason_by", "competitor")},
            "refused_on": _day(found["refused_day"]),
            **{n: found[n] for n in ("touches", "out_count", "in_count")},
            "few_touches": found["few_by_then"],
            "response_hours": pc.divide(found["response_s"].cast(pa.float64()), 3600.0),
            "last_contact_on": _day(found["last_day"]),
            "silent_days": found["silent_days"],
            "stage_position": found["position"],
            "has_had_proposal": _is(found, "offers"),
            "has_next_step": _is(found, "has_next_step"),
            "is_overdue": _is(found, "is_overdue"),
        }
    )


def assigned_table(labelled: Any) -> pa.Table:
    """The class of each opportunity that was lost for good: a person's, else the rule's."""
    last = labelled.filter(nw.col("record") == "opportunity")
    names = ("record_id", "record", "rule", "apart", "person")
    found = _found(last.select(*names)).sort_by("record_id").combine_chunks()
    person = found["person"].combine_chunks().cast(pa.string())
    return pa.table(
        {
            "opportunity_id": found["record_id"].cast(pa.string()),
            "lost_class": pc.coalesce(person, _classes(found)),
        }
    )


def sale_table(lost: Any) -> pa.Table:
    """What another try asks of what was lost for good, in no order."""
    found = _found(lost.select(*_OF_SALES)).combine_chunks()
    names = {"person": "class_by_person"}
    return pa.table(
        {
            "class": _classes(found),
            "is_imputed": _is(found, "is_imputed"),
            "closed_on": _day(found["closed_day"]),
            "refused_on": _day(found["refused_day"]),
            "minor": found["minor"],
            "ordinal": found["ordinal"].cast(pa.int32()),
            **{names.get(n, n): found[n].cast(pa.string()) for n in _SAID},
        }
    )


_SAID: Final = (
    *("record_id", "record", "account_id", "owner_now", "person"),
    *("loss_reason", "loss_reason_by", "competitor"),
)
_OF_SALES: Final = (
    *_SAID,
    *("rule", "apart", "minor", "is_imputed", "closed_day", "refused_day", "ordinal"),
)
_PLAIN: Final = (
    *("record_id", "record", "account_id", "owner_id", "rule", "person", "kind"),
    *("source", "pipeline", "stage", "loss_reason", "loss_reason_by", "competitor"),
)


def _said_of(classes: pa.ChunkedArray, said: Mapping[str, str]) -> pa.ChunkedArray:
    at = pc.index_in(classes, pa.array([*said], pa.string()))
    return pa.chunked_array([pa.array([*said.values()], pa.string())]).take(at)


def _is(table: pa.Table, column: str) -> pa.ChunkedArray:
    return pc.equal(table[column], 1)


def _day(days: pa.ChunkedArray) -> pa.ChunkedArray:
    return days.cast(pa.int32()).cast(pa.date32())


def _closed_on(table: pa.Table) -> pa.ChunkedArray:
    """An enquiry has no such day."""
    is_lost = pc.not_equal(table["record"], "enquiry")
    return pc.if_else(is_lost, _day(table["closed_day"]), None)
