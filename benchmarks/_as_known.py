"""The sales as they were known at the end of each of two years' months, for one book.

By hand a moment is told by its place among the days asked about, a stage by its number:
both are several times as fast as the moments and the names themselves. The changes of this
book are of stages and owners, each with what was there before, and its sales are all in one
currency: by hand nobody asks for more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

__all__ = ["known", "known_by_hand"]

_STAGES: Final = (
    "Discovery",
    "Qualification",
    "Proposal",
    "Negotiation",
    "Won",
    "Lost",
)
_OPEN: Final = 4  # of them, the first
# The ends of 24 months and today, which is the last of them in this book.
_DAYS: Final = (
    *(f"{2024 + at // 12}-{at % 12 + 1:02}-01" for at in range(6, 31)),
    "2026-07-01",
)
_TEXTS: Final = ("pipeline", "part", "stage", "said")
_COLUMNS: Final = (
    *("pipeline", "part", "place", "stage", "said", "one", "other"),
    *("count", "unpriced", "minor", "age"),
)


def known(book: Any) -> Any:
    """All that `as_known` tells, in one table."""
    from crm_portfolio.analysis._ahead import PipelineSettings, Stages, grid_of
    from crm_portfolio.analysis._facts import as_known, changed, noted

    grid, _ = grid_of(book, PipelineSettings(), Stages.of(book))
    tables = book["opportunity"], book["opportunity_change"], book["activity"]
    found = as_known(*tables, grid, changed=changed(book), log=noted(book))
    flags = {"one": "is_overdue", "other": "is_quiet"}
    parts = {
        "open": {"said": "owner_id"} | flags,
        "due": {"said": "due", "other": "is_quiet"},
        "created": {},
        "closed": {"said": "status", "one": "days"},
        "cohorts": {"said": "status", "one": "place", "place": "born_at"},
        "visits": {"said": "status", "place": "first", "one": "end"},
    }
    each = (_shaped(getattr(found, part), part, of) for part, of in parts.items())
    return pa.concat_tables(each)


def _shaped(found: pa.Table, part: str, named: dict[str, str]) -> pa.Table:
    """With the columns of all parts; what one does not tell is 0, or empty."""
    columns = {}
    for name in _COLUMNS:
        kind = pa.string() if name in _TEXTS else pa.int64()
        own = named.get(name, name)
        if own in found.column_names:
            columns[name] = found[own].cast(kind)
        else:
            value = part if name == "part" else "" if name in _TEXTS else 0
            columns[name] = pa.array([value] * found.num_rows, kind)
    return pa.table(columns)


def _among(what: str, edges: Sequence[str], before: int = 0) -> str:
    """How many of the edges it has reached, by few comparisons."""
    if not edges:
        return str(before)
    middle = len(edges) // 2
    later = _among(what, edges[middle + 1 :], before + middle + 1)
    earlier = _among(what, edges[:middle], before)
    return f"CASE WHEN {what} >= {edges[middle]} THEN {later} ELSE {earlier} END"


_MIDNIGHTS: Final = [f"timezone('Europe/Berlin', TIMESTAMP '{day}')" for day in _DAYS]
_QUIET: Final = [
    f"timezone('Europe/Berlin', TIMESTAMP '{day}' - INTERVAL 90 DAYS)" for day in _DAYS
]
_DATES: Final = [f"DATE '{day}'" for day in _DAYS]


def _moment(name: str) -> str:
    return f"({_among(name, _MIDNIGHTS)})::TINYINT"


def _until(name: str) -> str:
    return f"CASE WHEN {name} IS NULL THEN 26 ELSE {_moment(name)} END::TINYINT"


def _number(name: str) -> str:
    cases = " ".join(f"WHEN '{each}' THEN {at}" for at, each in enumerate(_STAGES))
    return f"CASE {name} {cases} END::TINYINT"


_CHANGES: Final = f"""
WITH told AS MATERIALIZED (
  SELECT opportunity_id, epoch_us(changed_at) AS at_us,
    {_number("old")} AS was, {_number("new")} AS now,
    {_moment("changed_at")} AS first, {_until("until_at")} AS until,
    now >= {_OPEN} AS closes, (was >= {_OPEN}) <> closes AS is_turn
  FROM opportunity_change WHERE field = 'stage'
), course AS MATERIALIZED (
  SELECT opportunity_id, min(first) AS since, min(at_us * 8 + was) % 8 AS stage,
    max(first) FILTER (WHERE is_turn) AS turned_at,
    {
    ", ".join(
        f"min(first) FILTER (WHERE was = {at} OR now = {at}) AS seen_{at}"
        for at in range(_OPEN)
    )
},
    (max(at_us * 8 + now) FILTER (WHERE is_turn) % 8)::TINYINT AS outcome
  FROM told GROUP BY ALL
)"""
_SALES: Final = f"""
, night AS (
  SELECT closed_on, {_among("closed_on", _DATES)} AS closed_at,
    epoch_us(timezone('Europe/Berlin', closed_on::TIMESTAMP)) // 1000000 + 86399 AS ends_s
  FROM (SELECT DISTINCT closed_on FROM opportunity WHERE closed_on IS NOT NULL)
), sale AS MATERIALIZED (
  SELECT opportunity_id, pipeline, owner_id, status, expected_close_on AS due,
    CASE WHEN status = 'open' THEN {_number("o.stage")} END AS stage,
    (amount IS NULL)::TINYINT AS unpriced,
    round(coalesce(amount, 0) * 100)::BIGINT AS minor,
    outcome, turned_at, since, epoch_us(created_at) // 1000000 AS born_s,
    CASE WHEN turned_at IS NULL THEN greatest(0, (ends_s - born_s) // 86400) END AS days,
    {_moment("created_at")} AS born_at,
    ({_among("created_at", _QUIET)})::TINYINT AS quiet_from,
    coalesce(closed_at, 26)::TINYINT AS closed_at
  FROM opportunity o LEFT JOIN course USING (opportunity_id) LEFT JOIN night USING (closed_on)
)"""
# From which place to before which each was open, and what it was.
_OPENED: Final = f"""
, span AS (
  SELECT opportunity_id, now AS stage, first, until FROM told
  WHERE NOT closes AND first < until
  UNION ALL SELECT opportunity_id, stage, 0, since FROM course WHERE since > 0
), owned AS (
  SELECT opportunity_id, new AS owner_id, {_moment("changed_at")} AS first,
    {_until("until_at")} AS until
  FROM opportunity_change WHERE field = 'owner_id'
  UNION ALL
  SELECT opportunity_id, arg_min(old, changed_at), 0, {_moment("min(changed_at)")}
  FROM opportunity_change WHERE field = 'owner_id' GROUP BY opportunity_id
), staged AS (
  SELECT s.* EXCLUDE (stage), p.stage, greatest(born_at, first, 1) AS first,
    least(until, CASE WHEN turned_at IS NULL THEN closed_at ELSE 26 END) AS until
  FROM sale s JOIN span p USING (opportunity_id)
  UNION ALL
  SELECT * EXCLUDE (stage), stage, greatest(born_at, 1), closed_at FROM sale
  WHERE since IS NULL
), stood AS MATERIALIZED (
  SELECT opportunity_id, pipeline, stage, due, unpriced, minor, born_s, quiet_from,
    coalesce(o.owner_id, s.owner_id, '') AS owner_id, {_among("due", _DATES)} AS overdue_from,
    greatest(s.first, o.first) AS first, least(s.until, o.until) AS until
  FROM (FROM staged WHERE first < until) s LEFT JOIN owned o USING (opportunity_id)
  WHERE greatest(s.first, o.first) < least(s.until, o.until)
)"""
# The places at which an activity was not too long ago, as the bits of a number.
_KNOWN: Final = f"""
, seen AS (
  SELECT opportunity_id, bit_or((1 << {_among("occurred_at", _QUIET)})
    - (1 << {_among("occurred_at", _MIDNIGHTS)})) AS near
  FROM activity SEMI JOIN (FROM stood WHERE quiet_from < until) USING (opportunity_id)
  WHERE coalesce(status, 'held') = 'held'
    AND occurred_at >= {_QUIET[1]} AND occurred_at < {_MIDNIGHTS[-1]}
  GROUP BY opportunity_id
), place AS (
  SELECT first, until, place, epoch_us(edge) // 1000000 AS edge_s
  FROM (SELECT f.range::INT AS first, u.range::INT AS until,
      unnest(range(f.range, u.range))::INT AS place FROM range(26) f, range(27) u)
  JOIN (VALUES {", ".join(f"({at}, {edge})" for at, edge in enumerate(_MIDNIGHTS))})
    AS edges(place, edge) USING (place)
), known AS MATERIALIZED (
  SELECT place, pipeline, stage, owner_id, place >= overdue_from AS is_overdue,
    place >= quiet_from AND coalesce(near >> place & 1, 0) = 0 AS is_quiet,
    CASE WHEN place = 25 THEN due END AS due, count(*) AS count,
    sum(unpriced) AS unpriced, sum(minor) AS minor, sum((edge_s - born_s) // 86400) AS age
  FROM stood LEFT JOIN seen USING (opportunity_id) JOIN place USING (first, until)
  GROUP BY ALL
)"""
_CLOSED: Final = f"""
, alike AS MATERIALIZED (
  SELECT pipeline, born_at, closed_at, status, turned_at, outcome, days, count(*) AS count
  FROM sale GROUP BY ALL
), closing AS (
  SELECT closed_at AS place, status, days, count FROM alike
  WHERE turned_at IS NULL AND status <> 'open' AND closed_at >= born_at
  UNION ALL
  SELECT first, CASE now WHEN 4 THEN 'won' ELSE 'lost' END,
    greatest(0, (at_us // 1000000 - born_s) // 86400), count(*)
  FROM told JOIN sale USING (opportunity_id) WHERE closes AND is_turn GROUP BY ALL
), ended AS (
  SELECT opportunity_id, CASE now WHEN 4 THEN 'won' ELSE 'lost' END AS status, first, until
  FROM told WHERE closes AND first < until
  UNION ALL
  SELECT opportunity_id, status, closed_at, 26 FROM sale
  WHERE since IS NOT NULL AND turned_at IS NULL AND status <> 'open'
    AND closed_at >= born_at AND closed_at < 26
), visited AS MATERIALIZED (
  SELECT status, first, until, {
    ", ".join(
        f"count(*) FILTER (WHERE seen_{at} <= first) AS n_{at}" for at in range(_OPEN)
    )
} FROM course JOIN ended USING (opportunity_id) GROUP BY ALL
)"""
_TOLD: Final = f"""
SELECT pipeline, 'open' AS part, place,
  coalesce(['{"', '".join(_STAGES)}'][stage + 1], '') AS stage, owner_id AS said,
  is_overdue::INT AS one, is_quiet::INT AS other, sum(count)::BIGINT AS count,
  sum(unpriced)::BIGINT AS unpriced, sum(minor)::BIGINT AS minor, sum(age)::BIGINT AS age
FROM known GROUP BY ALL
UNION ALL
SELECT pipeline, 'due', 0, coalesce(['{"', '".join(_STAGES)}'][stage + 1], '') AS stage,
  coalesce(due::VARCHAR, ''), 0, is_quiet::INT, sum(count), sum(unpriced), sum(minor),
  sum(age) FROM known WHERE place = 25 GROUP BY ALL
UNION ALL
SELECT '', 'created', born_at, '', '', 0, 0, sum(count), 0, 0, 0 FROM alike GROUP BY ALL
UNION ALL
SELECT '', 'closed', place, '', status, days, 0, sum(count), 0, 0, 0 FROM closing
WHERE place > 0 AND place < 26 GROUP BY ALL
UNION ALL
SELECT '', 'cohorts', born_at, '',
  CASE WHEN turned_at IS NULL THEN CASE WHEN closed_at < 26 THEN status ELSE 'open' END
    WHEN outcome < {_OPEN} THEN 'open' WHEN outcome = 4 THEN 'won' ELSE 'lost' END AS said,
  CASE WHEN turned_at IS NULL THEN closed_at WHEN outcome < {_OPEN} THEN 26
    ELSE turned_at END AS one, 0, sum(count), 0, 0, 0
FROM alike WHERE born_at > 0 AND born_at < 26
  AND (turned_at IS NOT NULL OR closed_at >= born_at) GROUP BY ALL
""" + "".join(
    f"""UNION ALL
SELECT '', 'visits', first, '{stage}', status, until, 0, n_{at}, 0, 0, 0
FROM visited WHERE n_{at} > 0
"""
    for at, stage in enumerate(_STAGES[:_OPEN])
)

known_by_hand: Final = _CHANGES + _SALES + _OPENED + _KNOWN + _CLOSED + _TOLD
