"""Is an opportunity open, won or lost, and since when?"""

from __future__ import annotations

from collections.abc import Mapping

import attrs
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._inert import inert
from crm_portfolio.connectors.files._headers import Lexicon, fold
from crm_portfolio.connectors.files._settings import Status

__all__ = ["Told", "closings", "own_stage", "statuses"]

_FLAGS = ("is_closed", "is_won", "is_lost")
_NOTHING = pa.scalar(None, pa.string())
_SHOWN = 12


@attrs.frozen(eq=False)
class Told:
    """A table with what was worked out, what was noted, and what a person must settle."""

    table: pa.Table
    notes: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()


def own_stage(opportunities: pa.Table) -> pa.Table:
    """The stage without the pipeline that an export appends: ``Closed won (Sales)``."""
    if not {"stage", "pipeline"} <= set(opportunities.column_names):
        return opportunities
    stage, pipeline = opportunities["stage"], opportunities["pipeline"]
    found = pc.extract_regex(
        stage.combine_chunks(), r"(?s)^(?P<stage>.*) \((?P<pipeline>.*)\)$"
    )
    said = pc.struct_field(found, "pipeline")
    is_appended = pc.equal(said, pipeline.combine_chunks()).fill_null(fill_value=False)
    bare = pc.if_else(
        is_appended, pc.struct_field(found, "stage"), stage.combine_chunks()
    )
    return replaced(opportunities, "stage", bare)


def replaced(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with this column new or instead of the one it has."""
    if name in table.column_names:
        return table.set_column(table.column_names.index(name), name, values)
    return table.append_column(name, values)


def statuses(
    opportunities: pa.Table, words: Lexicon, stages: Mapping[str, Status]
) -> Told:
    """The column ``status``: from the flags of the file, else from its stages."""
    if "status" in opportunities.column_names:
        return Told(opportunities)
    by_flag = _by_flags(opportunities)
    if "stage" not in opportunities.column_names:
        table = replaced(opportunities, "status", by_flag)
        question = (
            "opportunity.status: nothing says which were won or lost; add the columns "
            "Closed and Won, or the stage, to the export"
        )
        return Told(table, questions=(question,) if by_flag.null_count else ())
    stage = opportunities["stage"].combine_chunks()
    by_stage, unknown = _by_stages(stage.filter(by_flag.is_null()), words, stages)
    values = pc.replace_with_mask(by_flag, by_flag.is_null(), by_stage)
    from_stages = len(by_stage) - by_stage.null_count
    note = f"{from_stages} row(s) have their status from the names of their stages"
    return Told(
        replaced(opportunities, "status", values),
        (note,) if from_stages else (),
        _asked(unknown),
    )


def _by_flags(opportunities: pa.Table) -> pa.Array:
    closed, won, lost = (_flag(opportunities, name) for name in _FLAGS)
    no, both = pc.invert, pc.and_kleene
    steps = (
        (won, "won"),
        (pc.or_kleene(lost, both(closed, no(won))), "lost"),
        (pc.or_kleene(no(closed), both(no(won), no(lost))), "open"),
    )
    values = pa.nulls(opportunities.num_rows, pa.string())
    for is_so, status in steps:
        is_new = pc.and_(is_so.fill_null(fill_value=False), values.is_null())
        values = pc.if_else(is_new, status, values)
    return values


def _flag(table: pa.Table, name: str) -> pa.Array:
    if name not in table.column_names:
        return pa.nulls(table.num_rows, pa.bool_())
    return table[name].combine_chunks()


def _by_stages(
    stage: pa.Array, words: Lexicon, stages: Mapping[str, Status]
) -> tuple[pa.Array, list[str]]:
    """The status of each stage by its name, and the names that tell nothing."""
    known = {**words.stages, **{fold(name): status for name, status in stages.items()}}
    names = [name for name in pc.unique(stage).to_pylist() if name is not None]
    found = {name: known.get(fold(name)) for name in names}
    place = pc.index_in(stage, pa.array(names, pa.string()))
    values = pa.array([found[name] for name in names], pa.string()).take(place)
    return values, [name for name in names if found[name] is None]


def _asked(unknown: list[str]) -> tuple[str, ...]:
    if not unknown:
        return ()
    shown = ", ".join(f'"{inert(name)}": …' for name in unknown[:_SHOWN])
    more = f" and {len(unknown) - _SHOWN} more" if len(unknown) > _SHOWN else ""
    question = (
        "opportunity.status: no column says which opportunities were won or lost, and "
        f"{len(unknown)} stage(s) are not known; say for each whether it is open, won or "
        f"lost: stages={{{shown}}}{more}"
    )
    return (question,)


def closings(opportunities: pa.Table) -> pa.Table:
    """One close date as two columns: when it was closed, when it is expected to be."""
    if "close_date" not in opportunities.column_names:
        return opportunities
    day = opportunities["close_date"].combine_chunks()
    is_open = pc.equal(opportunities["status"].combine_chunks(), "open").fill_null(
        fill_value=False
    )
    nothing = pa.scalar(None, day.type)
    for name, values in (
        ("closed_on", pc.if_else(is_open, nothing, day)),
        ("expected_close_on", pc.if_else(is_open, day, nothing)),
    ):
        if name not in opportunities.column_names:
            opportunities = opportunities.append_column(name, values)
    return opportunities
