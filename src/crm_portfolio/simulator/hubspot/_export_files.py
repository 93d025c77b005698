"""What stands in an export's file?

vendor docs: labels, unless internal names and values are asked for; all quoted; zipped when
large, and in several files beyond a million rows. unverified: the header of the record id
and of linked records with internal names, and how moments are written.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import attrs

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.hubspot._kinds import Kind
from crm_portfolio.simulator.hubspot._portal import LIVE, STAMPS, Portal
from crm_portfolio.simulator.hubspot._time import sql_iso
from crm_portfolio.simulator.hubspot._values import choices

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._definitions import Property
    from crm_portfolio.simulator.hubspot._filters import Where

__all__ = ["Wish", "write"]

_MOST_LINKED: Final = 1_000  # vendor docs: of one row, by default


@attrs.frozen
class Wish:
    """What of which records an export is to show."""

    kind: Kind
    names: Sequence[str]
    linked: Sequence[Kind]
    where: Where
    has_names: bool
    has_values: bool
    has_labels: bool
    has_all_links: bool
    title: str


def write(
    portal: Portal, wish: Wish, folder: Path, *, zip_above: int, split_rows: int
) -> Path:
    """The export's file: one CSV, or a zip of it or of several."""
    count = _choose(portal, wish)
    starts = range(0, max(count, 1), split_rows)
    parts = []
    for at, start in enumerate(starts, start=1):
        name = wish.title if len(starts) == 1 else f"{wish.title}-{at}"
        parts.append(folder / f"{name}.csv")
        _copy(portal, wish, parts[-1], start, split_rows)
    portal.store.rows('DROP TABLE "$exported"')
    if len(parts) == 1 and parts[0].stat().st_size <= zip_above:
        return parts[0]
    packed = folder / f"{wish.title}.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in parts:
            archive.write(part, part.name)
    return packed


def _choose(portal: Portal, wish: Wish) -> int:
    """Fix which records are shown, in the order of their ids."""
    portal.store.rows(
        f"""CREATE OR REPLACE TEMP TABLE "$exported" AS
        SELECT row_number() OVER (ORDER BY "$id") - 1 AS place, "$id" AS id
        FROM {quoted(wish.kind.name)} WHERE {LIVE} AND {wish.where.sql}""",  # noqa: S608
        list(wish.where.parameters),
    )
    ((count,),) = portal.store.rows('SELECT count(*) FROM "$exported"')
    return int(count)


def _copy(portal: Portal, wish: Wish, path: Path, start: int, rows: int) -> None:
    columns = ", ".join(
        f"{sql} AS {quoted(header)}" for header, sql in _columns(portal, wish)
    )
    joins = " ".join(_links(portal, wish, other) for other in wish.linked)
    place = str(path).replace("'", "''")
    portal.store.rows(
        f"""COPY (SELECT {columns} FROM "$exported" x
        JOIN {quoted(wish.kind.name)} t ON t."$id" = x.id {joins}
        WHERE x.place >= {start} AND x.place < {start + rows} ORDER BY x.place)
        TO '{place}' (FORMAT csv, HEADER, QUOTE '"', FORCE_QUOTE *, NULLSTR '')"""  # noqa: S608
    )


def _columns(portal: Portal, wish: Wish) -> Iterator[tuple[str, str]]:
    """Header and SQL of each column, no header twice."""
    known = portal.properties(wish.kind.name)
    taken = {"hs_object_id"}
    yield ("hs_object_id" if wish.has_names else "Record ID"), 't."$id"::VARCHAR'
    for name in wish.names:
        if name in known and name not in taken:
            taken.add(name)
            prop = known[name]
            header = name if wish.has_names else prop.label
            yield header, _value(portal, wish, prop)
    for other in wish.linked:
        alias = quoted(f"of {other.name}")
        title = other.label.capitalize().replace("_", " ")
        yield f"Associated {title} IDs", f"{alias}.ids"
        if wish.has_labels:
            yield f"Associated {title} IDs (Primary)", f"{alias}.primary_ids"


def _value(portal: Portal, wish: Wish, prop: Property) -> str:
    own = STAMPS.get(prop.name)
    if own is not None:
        text = 't."$id"::VARCHAR' if own == "$id" else sql_iso(f"t.{quoted(own)}")
    else:
        text = f"t.{quoted(prop.name)}"
    if prop.type == "datetime" and _says_minutes(portal, wish):
        moment = f"try_cast(replace({text}, 'Z', '') AS TIMESTAMP)"
        zone = portal.time_zone.replace("'", "''")
        local = f"timezone('{zone}', timezone('UTC', {moment}))"
        return f"strftime({local}, '%Y-%m-%d %H:%M')"
    labels = choices(portal, wish.kind.name, prop)
    if wish.has_values or not labels or prop.is_multiple:
        return text
    values = ", ".join(_text(option.value) for option in labels)
    names = ", ".join(_text(option.label) for option in labels)
    return (
        f"coalesce(list_extract([{names}], list_position([{values}], {text})), {text})"
    )


def _says_minutes(portal: Portal, wish: Wish) -> bool:
    """With labels a moment is minutes of the portal's zone; with values perhaps too."""
    return not wish.has_values or portal.assumptions.exported_moments == "local"


def _links(portal: Portal, wish: Wish, other: Kind) -> str:
    links = portal.links
    table, alias = quoted(links.table(wish.kind.name, other.name)), f"of {other.name}"
    first = [t.type_id for t in links.types(wish.kind.name, other.name) if t.is_primary]
    is_primary = f"bool_or(type_id IN ({', '.join(map(str, first or [0]))}))"
    most = "" if wish.has_all_links else f"[1:{_MOST_LINKED}]"
    return f"""LEFT JOIN (SELECT from_id,
        array_to_string(list(to_id::VARCHAR ORDER BY to_id){most}, ';') AS ids,
        array_to_string(list(to_id::VARCHAR ORDER BY to_id) FILTER (is_first), ';')
            AS primary_ids
        FROM (SELECT from_id, to_id, {is_primary} AS is_first FROM {table} l
            JOIN "$exported" e ON e.id = l.from_id
            GROUP BY from_id, to_id) GROUP BY from_id) {quoted(alias)}
        ON {quoted(alias)}.from_id = x.id"""  # noqa: S608


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
