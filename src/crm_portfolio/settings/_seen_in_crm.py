"""What does a CRM show of the settings it needs? It is only read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, Final

from crm_portfolio._managed import FIELDS
from crm_portfolio.protocols import Connector, Describing, Org, VendorField
from crm_portfolio.schema import TABLES, TableName
from crm_portfolio.settings._settings import LAYERS
from crm_portfolio.settings._template import Seen

__all__ = ["proposed", "seen_in_crm"]

_ALIKE: Final = 0.86
_LISTED: Final = 40
_PROPOSALS: Final = (
    "Proposals stand below, commented out: fields that are called like a column that "
    "nothing fills yet. Take the # away where one is right."
)
# Fields of ours are not a person's to map.
_OURS: Final = re.compile(r"portfolio_", re.I)
# What a column is called in CRMs, beside its own name.
_ALSO: Final[Mapping[str, tuple[str, ...]]] = {
    "account_turnover": ("annual revenue", "turnover"),
    "competitor": ("main competitor", "competitor name", "lost to"),
    "discount_share": ("discount", "discount percent"),
    "do_not_contact_on": ("do not contact", "opted out on"),
    "kind": ("type", "deal kind", "opportunity kind"),
    "loss_reason": ("lost reason", "closed lost reason"),
    "loss_reason_by": ("lost by", "who decided"),
    "product_id": ("product", "product code"),
    "refused_on": ("refused", "refusal date", "no further contact"),
    "segment": ("industry", "customer segment"),
}


def seen_in_crm(crm: Connector) -> Seen:
    """Its currency, zone, stages, and fields of its own that may fill our columns."""
    org = crm.org()
    tables = crm.tables()
    notes: dict[tuple[str, ...], tuple[str, ...]] = {
        ("pipeline",): tuple(_stages(crm)) if "stage" in tables else ()
    }
    proposals: dict[tuple[str, ...], tuple[Any, str]] = {}
    if isinstance(crm, Describing) and crm.name in LAYERS:
        for table, columns in tables.items():
            at = (crm.name, "fields", table)
            offered = [f for f in crm.fields(table) if not _OURS.match(f.name)]
            for column, field in proposed(table, columns, offered).items():
                proposals[*at, column] = field.name, _described(field)
            notes[at] = tuple(_others(offered))
        notes[crm.name,] = (_PROPOSALS,)
    return Seen(str(org), _values(crm.name, org), notes, proposals)


def _values(name: str, org: Org) -> dict[tuple[str, ...], Any]:
    values: dict[tuple[str, ...], Any] = {("time_zone",): org.time_zone}
    if org.currency:
        values["currency",] = org.currency
    return values | {("sync", "crm"): name, ("sync", "org_id"): org.org_id}


def _stages(crm: Connector) -> Iterator[str]:
    """Each pipeline, its stages in order, and what each is."""
    pipelines: dict[str, list[str]] = {}
    for batch in crm.pull("stage"):
        rows = batch.rows.to_pylist()
        for row in sorted(rows, key=lambda row: (row["pipeline"], row["position"])):
            named = f"{row['stage']} ({row['status']})"
            pipelines.setdefault(row["pipeline"], []).append(named)
    for pipeline, stages in pipelines.items():
        yield f"Stages of the pipeline {pipeline}: {', '.join(stages)}."


def proposed(
    table: TableName, columns: Sequence[str], offered: Sequence[VendorField]
) -> dict[str, VendorField]:
    """For columns that nothing fills, the custom field that is called most alike."""
    model = TABLES[table]
    free = [f for f in offered if f.is_custom and not f.column]
    found: dict[str, VendorField] = {}
    for column in model.columns:
        is_ours = column.name in FIELDS or column.is_derived
        if column.name in columns or column.name in model.key or is_ours:
            continue
        words = (column.name, *_ALSO.get(column.name, ()))
        alike = {field: max(_alike(word, field) for word in words) for field in free}
        best = max(alike, key=alike.__getitem__, default=None)
        if best is not None and alike[best] >= _ALIKE:
            found[column.name] = best
    return found


def _alike(word: str, field: VendorField) -> float:
    """How much a field is called like this, by its name or its label: 1 is the same."""
    said = _bare(word)
    return max(
        SequenceMatcher(None, said, _bare(name)).ratio()
        for name in (field.name, field.label)
    )


def _bare(name: str) -> str:
    return re.sub(r"[\W_]", "", re.sub(r"(?<=.)__c$", "", name).lower())


def _others(offered: Sequence[VendorField]) -> Iterator[str]:
    """The org's own fields that nothing is read from."""
    names = [f.name for f in offered if f.is_custom and not f.column]
    if names:
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        yield f"Fields of your own: {', '.join(names[:_LISTED])}{more}."


def _described(field: VendorField) -> str:
    label = f'"{field.label}", ' if field.label else ""
    return f"{label}{field.type}"
