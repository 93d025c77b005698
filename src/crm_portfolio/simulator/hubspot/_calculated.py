"""Which properties does HubSpot calculate, and what from?

One set of SQL for loading and for every later change, over the records that it concerns.
vendor docs: counts and last dates of activities roll up by association; the amount in the
home currency stands still once a deal is closed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import attrs
import pyarrow as pa

from crm_portfolio.simulator._store import quoted
from crm_portfolio.simulator.hubspot._load_service import ENGAGEMENTS

if TYPE_CHECKING:
    from crm_portfolio.simulator.hubspot._portal import Portal

__all__ = ["FEEDS", "Base", "Calculator"]

Changed = Mapping[str, Iterable[int]]

# vendor docs: calls, e-mails and meetings are contacts; notes and tasks are not.
_CONTACTS: Final = frozenset({"calls", "emails", "meetings"})


@attrs.frozen(eq=False)
class Base:
    """By kind: activities counted, and the last of them, where none are listed."""

    tables: Mapping[str, pa.Table]


def _iso(column: str) -> str:
    return f"replace(strftime({column}, '%Y-%m-%dT%H:%M:%S.%gZ'), '.000Z', 'Z')"


def _moment(column: str) -> str:
    return f"try_cast(replace({column}, 'Z', '') AS TIMESTAMP)"


def _plain(decimal: str) -> str:
    """A decimal as text, without noughts that say nothing."""
    return f"rtrim(rtrim(({decimal})::VARCHAR, '0'), '.')"


def _live(alias: str) -> str:
    return f'{alias}."$archived" IS NOT TRUE AND {alias}."$merged_into" IS NULL'


_AMOUNT: Final = "try_cast(d.amount AS DECIMAL(20, 6))"
_ODDS: Final = "coalesce(try_cast(d.hs_deal_stage_probability AS DOUBLE), 0)"
_WON: Final = "coalesce(s.is_won, FALSE)"
# recorded: "6000.000000000000333…": the product of a decimal and a binary fraction
_WEIGHTED: Final = (
    f"coalesce(CASE WHEN s.stage IS NULL THEN '0' ELSE "
    f"rtrim(rtrim(printf('%.6f', {_AMOUNT}::DOUBLE * {_ODDS}), '0'), '.') END, '0')"
)
_NO_NOTES: Final = (
    "SELECT NULL::BIGINT AS id, NULL::TIMESTAMP AS happened, FALSE AS is_contact "
    "WHERE FALSE"
)
_NOTES: Final = {
    "num_notes": "(coalesce(b.count, 0) + coalesce(n.held, 0))::VARCHAR",
    "num_contacted_notes": (
        "nullif(coalesce(b.count, 0) + coalesce(n.contacted, 0), 0)::VARCHAR"
    ),
    "notes_last_contacted": f"coalesce({_iso('n.last_contacted')}, b.last)",
    "notes_last_updated": f"coalesce({_iso('n.last_held')}, b.last)",
    "notes_next_activity_date": _iso("n.next_at"),
}
_DEALS: Final = {
    "hs_is_closed": "s.is_closed::VARCHAR",
    "hs_is_closed_won": f"({_WON})::VARCHAR",
    "hs_is_closed_lost": "coalesce(s.is_closed AND NOT s.is_won, FALSE)::VARCHAR",
    "hs_is_closed_count": "s.is_closed::INTEGER::VARCHAR",
    "hs_is_open_count": "(NOT s.is_closed)::INTEGER::VARCHAR",
    "hs_closed_won_count": f"({_WON})::INTEGER::VARCHAR",
    "hs_exchange_rate": "m.rate_text",
    "amount_in_home_currency": (
        f"CASE WHEN m.is_home THEN d.amount ELSE {_plain(f'{_AMOUNT} * m.rate')} END"
    ),
    "hs_forecast_amount": "d.amount",
    "hs_projected_amount": _WEIGHTED,
    "hs_closed_amount": f"CASE WHEN {_WON} THEN coalesce(d.amount, '0') ELSE '0' END",
    "hs_deal_stage_probability_shadow": "coalesce(d.hs_deal_stage_probability, '0')",
    "days_to_close": (
        'greatest(coalesce(floor(epoch(m.closes - d."$created") / 86400), 0), 0)'
        "::BIGINT::VARCHAR"
    ),
    "hs_primary_associated_company": "p.company::VARCHAR",
    **_NOTES,
}
_COMPANIES: Final = {
    "num_associated_deals": "nullif(v.deals, 0)::VARCHAR",
    "hs_num_open_deals": "coalesce(v.open_deals, 0)::VARCHAR",
    "total_revenue": _plain("v.revenue"),
    "recent_deal_amount": "v.recent_amount",
    "recent_deal_close_date": "v.recent_close",
    "first_deal_created_date": _iso("v.first_made"),
    "hs_parent_company_id": "f.parent::VARCHAR",
    "hs_num_child_companies": "coalesce(f.children, 0)::VARCHAR",
    "hs_task_label": "coalesce(d.name, d.domain)",
    **_NOTES,
}


# By kind, the properties that something is calculated from, where not from any change.
FEEDS: Final[Mapping[str, frozenset[str]]] = {
    "companies": frozenset({"domain", "name"}),
    "deals": frozenset(
        {"$created", "amount", "closedate", "deal_currency_code", "dealstage",
         "hs_deal_stage_probability", "pipeline"}
    ),
}  # fmt: skip


class Calculator:
    """Renews what one portal calculates."""

    def __init__(self, portal: Portal) -> None:
        self._portal, self._store = portal, portal.store

    def begin(self, base: Base) -> None:
        """Calculate everything, once all records and links stand."""
        self._put_aside(base)
        for kind in ("deals", "companies"):
            if self._store.rows(f"SELECT 1 FROM {kind} LIMIT 1"):  # noqa: S608
                values = self._calculated(kind, None)
                self._rebuild(quoted(kind), values)
                self._forget()

    def _put_aside(self, base: Base) -> None:
        nothing = pa.table(
            {"id": pa.array([], pa.int64()), "count": pa.array([], pa.int64()),
             "last": pa.array([], pa.string())}
        )  # fmt: skip
        for kind in ("deals", "companies"):
            name = f"{kind}$base"
            self._store.create(
                name, {"id": "BIGINT", "count": "BIGINT", "last": "VARCHAR"}
            )
            self._store.insert(name, base.tables.get(kind, nothing))
        rows = [
            (rate.code, rate.at.replace("Z", ""), str(rate.rate))
            for rate in self._portal.currencies.get("rates", ())
        ]
        columns = [list(column) for column in zip(*rows, strict=True)] or [[], [], []]
        self._store.rows(
            """CREATE TABLE "$rates" AS SELECT unnest(?::VARCHAR[]) AS code,
            unnest(?::VARCHAR[])::TIMESTAMP AS since,
            unnest(?::VARCHAR[])::DECIMAL(18, 10) AS rate""",
            columns,
        )

    def renew(
        self,
        portal: Portal,
        kind: str,
        ids: Sequence[int] | None,
        written: frozenset[str] | None = None,
    ) -> Changed:
        """Calculate anew what a change of these records can have changed.

        Args:
            written: Nothing but properties of ``FEEDS`` has changed.

        Returns:
            By kind, the records of which some value is another now.
        """
        del portal
        if not ids:
            return {}
        own = list(ids)
        if kind == "companies" and written:
            return self._labelled(own)
        deals, companies = set[int](), set[int]()
        if kind == "tickets":
            self._store.rows('UPDATE tickets SET hs_ticket_id = "$id"::VARCHAR')
        if kind == "deals":
            deals |= set(own)
            companies |= self._linked(kind, own, "companies")
        elif kind == "companies":
            companies |= set(own) | self._linked(kind, own, "companies")
            deals |= self._linked(kind, own, "deals")
        elif kind in ENGAGEMENTS:
            deals |= self._linked(kind, own, "deals")
            companies |= self._linked(kind, own, "companies")
        return {
            changed: renewed
            for changed, concerned in (("deals", deals), ("companies", companies))
            if concerned and (renewed := self._renewed(changed, sorted(concerned)))
        }

    def _labelled(self, ids: list[int]) -> Changed:
        """What a company is called feeds its label and nothing else."""
        changed = self._store.rows(
            """UPDATE companies SET hs_task_label = coalesce(name, domain)
            WHERE "$id" IN (SELECT unnest(?::BIGINT[]))
            AND hs_task_label IS DISTINCT FROM coalesce(name, domain) RETURNING "$id" """,
            [ids],
        )
        return {"companies": [row[0] for row in changed]} if changed else {}

    def _linked(self, one: str, ids: Sequence[int], other: str) -> set[int]:
        table = quoted(self._portal.links.table(one, other))
        found = self._store.rows(
            f"SELECT DISTINCT to_id FROM {table} "  # noqa: S608
            "WHERE from_id IN (SELECT unnest(?::BIGINT[]))",
            [list(ids)],
        )
        return {row[0] for row in found}

    def _renewed(self, kind: str, ids: Sequence[int]) -> list[int]:
        table, values = quoted(kind), self._calculated(kind, ids)
        changed = self._differing(table, values)
        settings = ", ".join(f"{quoted(name)} = n.{quoted(name)}" for name in values)
        if changed:
            self._store.rows(
                f'UPDATE {table} SET {settings} FROM "$new" n WHERE "$id" = n.id'  # noqa: S608
            )
        self._forget()
        return changed

    def _rebuild(self, table: str, values: Iterable[str]) -> None:
        """Put all records anew: far less memory than to change every one of them."""
        made = quoted("$made")
        chosen = ", ".join(f"n.{quoted(name)} AS {quoted(name)}" for name in values)
        self._store.rows(
            f"""CREATE TABLE {made} AS SELECT t.* REPLACE ({chosen}) FROM {table} t
            JOIN "$new" n ON n.id = t."$id" ORDER BY t."$id" """  # noqa: S608
        )
        self._store.rows(f"DROP TABLE {table}")
        self._store.rows(f"ALTER TABLE {made} RENAME TO {table}")

    def _calculated(self, kind: str, ids: Sequence[int] | None) -> Iterable[str]:
        """Calculate into ``$new``; the names of what it holds."""
        values = _DEALS if kind == "deals" else _COMPANIES
        known = set(self._portal.stored(kind))
        values = {name: sql for name, sql in values.items() if name in known}
        self._ask(kind, ids)
        self._count_activities(kind)
        joined = self._deal_joins() if kind == "deals" else self._company_joins()
        chosen = ", ".join(f"{sql} AS {quoted(name)}" for name, sql in values.items())
        self._store.rows(
            f"""CREATE OR REPLACE TEMP TABLE "$new" AS SELECT d."$id" AS id, {chosen}
            FROM {quoted(kind)} d JOIN "$asked" a ON a.id = d."$id"
            LEFT JOIN "$notes" n ON n.id = d."$id"
            LEFT JOIN {quoted(f"{kind}$base")} b ON b.id = d."$id" {joined}"""  # noqa: S608
        )
        return tuple(values)

    def _forget(self) -> None:
        for made in ("$new", "$asked", "$notes"):
            self._store.rows(f"DROP TABLE {quoted(made)}")

    def _differing(self, table: str, names: Iterable[str]) -> list[int]:
        """Which records a renewal changes; it keeps only those in hand."""
        same = " AND ".join(
            f"t.{quoted(name)} IS NOT DISTINCT FROM n.{quoted(name)}" for name in names
        )
        self._store.rows(
            f'DELETE FROM "$new" n USING {table} t WHERE t."$id" = n.id AND {same}'  # noqa: S608
        )
        return [row[0] for row in self._store.rows('SELECT id FROM "$new"')]

    def _ask(self, kind: str, ids: Sequence[int] | None) -> None:
        chosen = f'SELECT "$id" AS id FROM {quoted(kind)}'  # noqa: S608
        if ids is not None:
            chosen = "SELECT unnest(?::BIGINT[]) AS id"
        given = [] if ids is None else [list(ids)]
        self._store.rows(f'CREATE OR REPLACE TEMP TABLE "$asked" AS {chosen}', given)

    def _count_activities(self, kind: str) -> None:
        links = self._portal.links
        each = " UNION ALL ".join(
            f"""SELECT DISTINCT l.from_id AS id, l.to_id, {name in _CONTACTS} AS is_contact,
            {_moment("e.hs_timestamp")} AS happened FROM {quoted(links.table(kind, name))} l
            JOIN "$asked" ON "$asked".id = l.from_id
            JOIN {name} e ON e."$id" = l.to_id AND {_live("e")}"""  # noqa: S608
            for name in ENGAGEMENTS
            if links.are_there(kind, name)
        )
        now = "TIMESTAMP '" + self._portal.clock.stored.isoformat(sep=" ") + "'"
        self._store.rows(
            f"""CREATE OR REPLACE TEMP TABLE "$notes" AS SELECT id,
            count(*) FILTER (happened <= {now}) AS held,
            count(*) FILTER (happened <= {now} AND is_contact) AS contacted,
            max(happened) FILTER (happened <= {now}) AS last_held,
            max(happened) FILTER (happened <= {now} AND is_contact) AS last_contacted,
            min(happened) FILTER (happened > {now}) AS next_at FROM ({each or _NO_NOTES}) GROUP BY id"""  # noqa: S608
        )

    def _deal_joins(self) -> str:
        stages = [
            (line["id"], each["id"], each["metadata"])
            for line in self._portal.pipelines.get("deals", [])
            for each in line["stages"]
        ]
        self._store.rows(
            """CREATE OR REPLACE TEMP TABLE "$stages" AS SELECT unnest(?::VARCHAR[]) AS line,
            unnest(?::VARCHAR[]) AS stage, unnest(?::BOOLEAN[]) AS is_closed,
            unnest(?::BOOLEAN[]) AS is_won""",
            [
                [line for line, _, _ in stages],
                [stage for _, stage, _ in stages],
                [told["isClosed"] == "true" for *_, told in stages],
                [
                    told["isClosed"] == "true" and float(told["probability"]) == 1
                    for *_, told in stages
                ],
            ],
        )
        self._price_deals()
        to_companies = quoted(self._portal.links.table("deals", "companies"))
        return f"""LEFT JOIN "$stages" s ON s.stage = d.dealstage AND s.line = d.pipeline
            JOIN "$money" m ON m.id = d."$id"
            LEFT JOIN (SELECT from_id, min(to_id) AS company FROM {to_companies} l
                JOIN "$asked" ON "$asked".id = l.from_id
                JOIN companies c ON c."$id" = l.to_id AND {_live("c")}
                WHERE type_id = 5 GROUP BY from_id) p ON p.from_id = d."$id" """  # noqa: S608

    def _price_deals(self) -> None:
        """Each deal's rate: today's while it is open, that of its closing afterwards."""
        home, now = self._portal.currency, self._portal.clock.stored
        self._store.rows(
            f"""CREATE OR REPLACE TEMP TABLE "$money" AS
            WITH dated AS (SELECT d."$id" AS id, {_moment("d.closedate")} AS closes,
                coalesce(d.deal_currency_code, $home) AS code,
                CASE WHEN s.is_closed THEN least(coalesce({_moment("d.closedate")}, $now), $now)
                    ELSE $now END AS moment,
                CASE WHEN s.is_closed AND d.hs_is_closed = 'true'
                    THEN d.hs_exchange_rate END AS frozen
                FROM deals d JOIN "$asked" a ON a.id = d."$id"
                LEFT JOIN "$stages" s ON s.stage = d.dealstage AND s.line = d.pipeline),
            priced AS (SELECT dated.*, coalesce(try_cast(frozen AS DECIMAL(18, 10)), r.rate,
                    f.rate) AS rate, dated.code = $home AS is_home FROM dated
                ASOF LEFT JOIN "$rates" r ON r.code = dated.code AND dated.moment >= r.since
                LEFT JOIN (SELECT code, arg_min(rate, since) AS rate FROM "$rates" GROUP BY code)
                    f ON f.code = dated.code)
            SELECT *, CASE WHEN NOT is_home THEN {_plain("rate")} END AS rate_text
            FROM priced""".replace("$home", "?").replace("$now", "?"),  # noqa: S608
            [home, now, now, now, home],
        )

    def _company_joins(self) -> str:
        links = self._portal.links
        to_deals = quoted(links.table("companies", "deals"))
        family = quoted(links.table("companies", "companies"))
        return f"""LEFT JOIN (SELECT from_id, count(*) AS deals,
                count(*) FILTER (hs_is_closed IS DISTINCT FROM 'true') AS open_deals,
                sum(try_cast(amount_in_home_currency AS DECIMAL(20, 6)))
                    FILTER (hs_is_closed_won = 'true') AS revenue,
                arg_max(amount, closedate) FILTER (hs_is_closed_won = 'true')
                    AS recent_amount,
                max(closedate) FILTER (hs_is_closed_won = 'true') AS recent_close,
                min(x."$created") AS first_made
                FROM (SELECT DISTINCT from_id, to_id FROM {to_deals} l
                    JOIN "$asked" ON "$asked".id = l.from_id)
                JOIN deals x ON x."$id" = to_id AND {_live("x")} GROUP BY from_id) v
            ON v.from_id = d."$id"
            LEFT JOIN (SELECT from_id, count(*) FILTER (type_id = 13) AS children,
                max(to_id) FILTER (type_id = 14) AS parent FROM {family} l
                JOIN "$asked" ON "$asked".id = l.from_id
                JOIN companies c ON c."$id" = l.to_id AND {_live("c")} GROUP BY from_id) f
            ON f.from_id = d."$id" """  # noqa: S608
