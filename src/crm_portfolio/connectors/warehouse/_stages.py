"""What are pipelines and stages called, and what does a stage make of a deal?"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio._frames import nw, to_arrow
from crm_portfolio.connectors.warehouse._conditions import todays
from crm_portfolio.connectors.warehouse._layouts import Layout
from crm_portfolio.connectors.warehouse._place import Place
from crm_portfolio.connectors.warehouse._values import typed
from crm_portfolio.connectors.warehouse._vendors import LOST, STAGE, WON

__all__ = ["COLUMNS", "has_stages", "known_stages", "stage_rows", "staged"]

COLUMNS: Final = ("pipeline", "stage", "position", "status", "default_probability")
_BESIDE: Final = "\n"


def has_stages(place: Place, layout: Layout) -> bool:
    """Whether the replica names its stages."""
    there = {name.lower() for name in place.tables}
    stages = layout.stages
    return stages is not None and {stages.pipelines, stages.stages} <= there


def known_stages(place: Place, layout: Layout) -> pa.Table:
    """Every stage that ever was: where it stands, its names, and what it says of a deal.

    ``here`` is the pipeline's id and the stage's; there are few, so they are all held.
    """
    laid = layout.stages
    assert laid is not None
    lines = _whole(place, laid.pipelines, layout)
    stages = _whole(place, laid.stages, layout)
    row = _text(lines, laid.pipeline_row or laid.pipeline_id)
    if (
        layout.valid_to in lines.column_names
    ):  # the stages of a pipeline of the past are too
        stages = stages.filter(pc.is_in(_text(stages, laid.pipeline_of), value_set=row))
    at = pc.index_in(_text(stages, laid.pipeline_of), value_set=row)
    pipeline = pc.take(_text(lines, laid.pipeline_id), at)
    stage = _text(stages, laid.stage_id)
    chance = _number(stages, laid.probability)
    is_won, is_closed = _outcome(stages, chance, layout)
    status = pc.if_else(is_won, "won", pc.if_else(is_closed, "lost", "open"))
    is_gone = [_flag(stages, name) for name in layout.deleted]
    there = pc.invert(pc.fill_null(is_gone[0], False))  # noqa: FBT003
    for flag in is_gone[1:]:
        there = pc.and_(there, pc.invert(pc.fill_null(flag, False)))  # noqa: FBT003
    return pa.table(
        {
            "here": pc.binary_join_element_wise(pipeline, stage, _BESIDE),
            "pipeline": pc.coalesce(pc.take(_text(lines, "label"), at), pipeline),
            "stage": pc.coalesce(_text(stages, "label"), stage),
            "position": _number(stages, "display_order").cast(pa.int64()),
            "status": status,
            "default_probability": chance,
            "is_there": there,
        }
    )


def stage_rows(known: pa.Table) -> pa.Table:
    """The rows of the table ``stage``: those that are there, each name once."""
    rows = known.filter(known["is_there"]).select(list(COLUMNS))
    order = [
        ("pipeline", "ascending"),
        ("position", "ascending"),
        ("stage", "ascending"),
    ]
    return rows.sort_by(order)


def staged(raw: dict[str, pa.Array], known: pa.Table) -> dict[str, pa.Array]:
    """Names in the place of ids; won and lost where only the stage tells."""
    told = dict(raw)
    if not set(STAGE) <= set(raw):
        return told
    here = pc.binary_join_element_wise(*(raw[name] for name in STAGE), _BESIDE)
    at = pc.index_in(here, value_set=known["here"].combine_chunks())
    for name, part in zip(STAGE, ("pipeline", "stage"), strict=True):
        told[name] = pc.coalesce(pc.take(known[part].combine_chunks(), at), raw[name])
    status = pc.take(known["status"].combine_chunks(), at)
    for name, said in ((WON, "won"), (LOST, "lost")):
        by_stage = pc.equal(status, said)
        told[name] = pc.coalesce(raw[name], by_stage) if name in raw else by_stage
    return told


def _outcome(stages: pa.Table, chance: pa.Array, layout: Layout) -> tuple[Any, Any]:
    """Whether a stage is won, and whether it is closed."""
    laid = layout.stages
    assert laid is not None
    certain = pc.fill_null(pc.equal(chance, 1.0), False)  # noqa: FBT003
    hopeless = pc.fill_null(pc.equal(chance, 0.0), False)  # noqa: FBT003
    closed = pc.coalesce(_flag(stages, laid.is_closed), pc.or_(certain, hopeless))
    won = pc.coalesce(_flag(stages, laid.is_won), pc.and_(closed, certain))
    return won, closed


def _whole(place: Place, table: str, layout: Layout) -> pa.Table:
    there = {name.lower(): name for name in place.tables}
    frame = todays(place.frame(there[table]), layout, table)
    rows = to_arrow(nw.to_native(frame)).combine_chunks()
    return rows.rename_columns([name.lower() for name in rows.column_names])


def _text(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.string())
    return _one(rows[name].cast(pa.string()))


def _number(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.float64())
    return _one(rows[name].cast(pa.float64()))


def _flag(rows: pa.Table, name: str) -> pa.Array:
    if name not in rows.column_names:
        return pa.nulls(len(rows), pa.bool_())
    return typed(_one(rows[name]), "boolean", f"stage.{name}")


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
