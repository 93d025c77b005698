"""What did an opportunity say before, as the org remembers it?

vendor docs: OpportunityHistory has a row for each change of stage, amount, close date or
probability, and one for the beginning; OpportunityFieldHistory has one for each change of
each tracked field. A change of a link is told twice there, by names and by ids, under the
name of the record it leads to.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.errors import DataError
from crm_portfolio.simulator._store import computed
from crm_portfolio.simulator.salesforce._arriving import USER_ID, Arriving
from crm_portfolio.simulator.salesforce._ids import LOADED, new_ids
from crm_portfolio.simulator.salesforce._metadata import Field
from crm_portfolio.simulator.salesforce._sales import KINDS
from crm_portfolio.simulator.salesforce._stages import Stages

__all__ = ["data_type", "field_changes", "field_name", "snapshots", "told_changes"]

_FIELDS: Final[Mapping[str, str]] = {
    "stage": "StageName",
    "amount": "Amount",
    "original_amount": "Amount",
    "expected_close_on": "CloseDate",
    "closed_on": "CloseDate",
    "probability": "Probability",
    "owner_id": "OwnerId",
    "account_id": "AccountId",
    "name": "Name",
    "next_step": "NextStep",
    "kind": "Type",
    "source": "LeadSource",
}
_FOLLOWS: Final = ("status",)  # what the stage says
_LINKS: Final = {"OwnerId": "owner", "AccountId": "account"}
_DATA_TYPES: Final = {
    "currency": "Currency", "double": "Double", "int": "Double", "percent": "Percent",
    "date": "DateOnly", "datetime": "DateTime", "boolean": "Boolean",
    "picklist": "DynamicEnum", "reference": "EntityId", "textarea": "MultiLineText",
    "email": "Email", "phone": "Phone", "url": "Url",
}  # fmt: skip
# Two columns may tell of one field: the amount as written, the day once it is past.
_ONE_OF_EACH: Final = """
SELECT id, moment, name, old, new FROM told WHERE name <> 'CloseDate' OR new IS NOT NULL
QUALIFY row_number() OVER (
    PARTITION BY id, moment, name ORDER BY "column" NOT IN ('original_amount', 'closed_on')
) = 1 ORDER BY id, moment, name
"""
# What stood at each moment: the last word before it, else the first after, else today's.
_SNAPSHOTS: Final = """
WITH told AS (SELECT * FROM changes WHERE name IN ('StageName', 'Amount', 'CloseDate', 'Probability')),
moments AS (
    SELECT DISTINCT id, moment FROM told
    UNION SELECT deals."Id", least("CreatedDate", first_at) FROM deals
    LEFT JOIN (SELECT id, min(moment) - INTERVAL 1 SECOND AS first_at FROM told GROUP BY id) AS f
    ON f.id = deals."Id"
),
said AS (
    SELECT m.id, m.moment,
        max(new) FILTER (name = 'StageName') AS stage, max(old) FILTER (name = 'StageName') AS stage_was,
        max(coalesce(new, '')) FILTER (name = 'Amount') AS amount,
        max(coalesce(old, '')) FILTER (name = 'Amount') AS amount_was,
        max(new) FILTER (name = 'CloseDate') AS day, max(old) FILTER (name = 'CloseDate') AS day_was,
        max(new) FILTER (name = 'Probability') AS odds, max(old) FILTER (name = 'Probability') AS odds_was
    FROM moments AS m LEFT JOIN told AS t ON t.id = m.id AND t.moment = m.moment GROUP BY m.id, m.moment
),
stood AS (
    SELECT s.id, s.moment, {filled} FROM said AS s
    WINDOW past AS (PARTITION BY s.id ORDER BY s.moment ROWS UNBOUNDED PRECEDING),
           ahead AS (PARTITION BY s.id ORDER BY s.moment ROWS BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING)
)
SELECT s.id AS "OpportunityId", s.moment AS "CreatedDate",
    coalesce(s.stage, d."StageName") AS "StageName",
    CASE WHEN s.amount IS NULL THEN d."Amount" ELSE TRY_CAST(nullif(s.amount, '') AS DOUBLE) END AS "Amount",
    coalesce(CAST(s.day AS DATE), d."CloseDate") AS "CloseDate",
    coalesce(CAST(s.odds AS DOUBLE),
        CASE WHEN coalesce(s.stage, d."StageName") = d."StageName" THEN d."Probability" END,
        g.odds, d."Probability") AS "Probability",
    coalesce(g.forecast, d."ForecastCategory") AS "ForecastCategory"{code}
FROM stood AS s JOIN deals AS d ON d."Id" = s.id
LEFT JOIN stages AS g ON g.stage = coalesce(s.stage, d."StageName")
ORDER BY 1, 2
"""
_FINISHED: Final = """
SELECT *, "Amount" * "Probability" / 100 AS "ExpectedRevenue",
    lag("Amount") OVER w AS "PrevAmount", lag("CloseDate") OVER w AS "PrevCloseDate"
FROM shot WINDOW w AS (PARTITION BY "OpportunityId" ORDER BY "CreatedDate") ORDER BY 1, 2
"""


def data_type(field: Field) -> str:
    """What the history calls the field's type."""
    return _DATA_TYPES.get(field.type, "Text")


def field_name(field: Field) -> str:
    """What the history calls the field: a standard link by the record it leads to."""
    is_link = field.type == "reference" and not field.is_custom
    return field.name.removesuffix("Id") if is_link else field.name


def told_changes(arriving: Arriving) -> pa.Table:
    """id, moment, name, old, new: the caller's changes by record ids and API names."""
    given = arriving.given["opportunity_change"]
    names, custom = dict(_FIELDS), {field.label.lower().replace(" ", "_"): field.name
                                    for of, field in arriving.fields if of == "Opportunity"}  # fmt: skip
    names |= {column: name for column, name in custom.items() if column not in names}
    field = given.get("field")
    api = pa.array(list(names.values()), pa.string()).take(
        pc.index_in(field, value_set=pa.array(list(names), pa.string()))
    )
    unknown = pc.unique(field.filter(pc.is_null(api))).to_pylist()
    if strange := sorted(set(unknown) - set(_FOLLOWS)):
        raise DataError(f"opportunity_change.field: opportunity has no {strange[0]!r}")
    told = pa.table(
        {
            "id": arriving.keys["opportunity"].of(given.get("opportunity_id")),
            "moment": arriving.stored(given.get("changed_at")),
            "name": api,
            "column": field,
            "old": _value(arriving, field, given.get("old")),
            "new": _value(arriving, field, given.get("new")),
        }
    )
    told = told.filter(pc.and_(pc.is_valid(told["id"]), pc.is_valid(told["name"])))
    if not len(told):
        return told.drop_columns(["column"])
    return computed(_ONE_OF_EACH, told=told)


def _value(arriving: Arriving, field: pa.Array, text: pa.Array) -> pa.Array:
    """The value as text, in Salesforce's words."""
    texts = text
    for column, table in (("owner_id", "owner"), ("account_id", "account")):
        is_it = pc.equal(field, column)
        texts = pc.if_else(is_it, arriving.keys[table].of(text), texts)
    kinds = pa.array(list(KINDS.values())).take(
        pc.index_in(text, value_set=pa.array(list(KINDS)))
    )
    texts = pc.if_else(pc.equal(field, "kind"), kinds, texts)
    is_odds = pc.equal(field, "probability")
    odds = pc.if_else(is_odds, text, pa.scalar(None, pa.string())).cast(pa.float64())
    percent = pc.round(pc.multiply(odds, 100.0), ndigits=10).cast(pa.string())
    return pc.if_else(is_odds, percent, texts)


def snapshots(changes: pa.Table, deals: pa.Table, stages: Stages) -> pa.Table:
    """The rows of OpportunityHistory."""
    if not len(changes):
        return pa.table({})
    filled = ", ".join(
        f"coalesce(last_value({name} IGNORE NULLS) OVER past, "
        f"first_value({name}_was IGNORE NULLS) OVER ahead) AS {name}"
        for name in ("stage", "amount", "day", "odds")
    )
    has_code = "CurrencyIsoCode" in deals.column_names
    sql = _SNAPSHOTS.format(
        filled=filled, code=', d."CurrencyIsoCode"' if has_code else ""
    )
    shot = computed(sql, changes=changes, deals=deals, stages=stages.odds())
    rows = computed(_FINISHED, shot=shot)
    count = len(rows)
    return _kept(rows, "008", count).append_column(
        "SystemModstamp", rows["CreatedDate"]
    )


def field_changes(
    changes: pa.Table, fields: Mapping[str, Field], names: Mapping[str, pa.Table]
) -> pa.Table:
    """The rows of OpportunityFieldHistory.

    Args:
        fields: Those of Opportunity, by name.
        names: Id and name of the records that links lead to, by the field.
    """
    if not len(changes):
        return pa.table({})
    shapes = pa.table(
        {
            "name": list(fields),
            "shown": [field_name(field) for field in fields.values()],
            "type": [data_type(field) for field in fields.values()],
        }
    )
    known = [names[name] for name in _LINKS if name in names]
    called = pa.concat_tables(known) if known else pa.table({"Id": [""], "Name": [""]})
    rows = computed(
            """
            WITH named AS (SELECT c.*, s.shown, s.type FROM changes AS c JOIN shapes AS s USING (name))
            SELECT id AS "OpportunityId", moment AS "CreatedDate", shown AS "Field", type AS "DataType",
                old AS "OldValue", new AS "NewValue", 1 AS "order" FROM named
            UNION ALL
            SELECT n.id, n.moment, n.shown, 'Text', o."Name", w."Name", 0 FROM named AS n
            LEFT JOIN called AS o ON o."Id" = n.old LEFT JOIN called AS w ON w."Id" = n.new
            WHERE n.type = 'EntityId'
            ORDER BY 2, 1, 3, 7
            """,
            changes=changes, shapes=shapes, called=called,
        )  # fmt: skip
    return _kept(rows.drop_columns(["order"]), "017", len(rows))


def _kept(rows: pa.Table, prefix: str, count: int) -> pa.Table:
    more: dict[str, Any] = {
        "Id": new_ids(prefix, LOADED, first=1, count=count),
        "CreatedById": pa.repeat(USER_ID, count),
        "IsDeleted": pa.repeat(pa.scalar(False), count),  # noqa: FBT003
    }
    for name, array in more.items():
        rows = rows.append_column(name, array)
    return rows
