"""Is there in the folder, or in the CRM, what the settings name?"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

import attrs
import pyarrow.compute as pc

from crm_portfolio.errors import CrmPortfolioError, did_you_mean
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.protocols import Inspectable
from crm_portfolio.settings._check import Look, RemarkState
from crm_portfolio.settings._lines import Path as Keys
from crm_portfolio.settings._settings import LAYERS, Settings

__all__ = ["against_crm", "against_folder"]

_SHOWN: Final = 10
_LOOKED_AT: Final = ("table ", "column ", "loss reason")


@attrs.frozen
class _Named:
    """A setting that names what must stand in a column of some table.

    Attributes:
        columns: ``table.column``; any of them will do.
        state: Of what is not there.
    """

    key: str
    columns: tuple[str, ...]
    state: RemarkState = "odd"


def _scenario(table: str) -> Iterator[_Named]:
    at = f"{table}.scenario"
    yield _Named(f"{at}.accounts", ("account.account_id",), "fault")
    yield _Named(f"{at}.owner_id", ("account.owner_id",), "fault")
    yield _Named(f"{at}.segment_code", ("account.segment",), "fault")


_KINDS: Final = ("effort.kind", "project.kind")
_NAMED: Final = (
    *_scenario("loss_scenario"),
    *_scenario("freed_capacity"),
    _Named("review.perimeter_accounts", ("account.account_id",), "fault"),
    _Named("review.perimeter_segments", ("account.segment",)),
    _Named("tiers.potential.core_segments", ("account.segment",)),
    _Named("tiers.potential.wallet_criterion", ("rating.criterion",)),
    _Named("receivables.no_claim_segments", ("account.segment",)),
    _Named("profitability.rates", ("effort.role", "capacity.role")),
    _Named("profitability.internal_kinds", ("effort.kind",)),
    _Named("profitability.delivered_kinds", ("effort.kind",)),
    _Named("profitability.unit_times", ("activity.kind",)),
    _Named("profitability.channels", ("cost.label",)),
    _Named("freed_capacity.hours_per_sale", ("effort.role", "capacity.role")),
    _Named("risk.relationship_criteria", ("rating.criterion",)),
    _Named("risk.veto_criteria", ("rating.criterion",)),
    _Named("focus.innovation_kinds", _KINDS),
    _Named("focus.review_kinds", ("effort.kind",)),
    _Named("focus.finished_statuses", ("project.status",)),
    _Named("focus.dropped_statuses", ("project.status",)),
    _Named("focus.parked_statuses", ("project.status",)),
    _Named("focus.not_for", ("product.line",)),
    _Named("lost_opportunities.disqualifying_reasons", ("opportunity.loss_reason",)),
    _Named("lost_opportunities.no_decision_reasons", ("opportunity.loss_reason",)),
    _Named("lost_opportunities.two_way_kinds", ("activity.kind",)),
    _Named("win_back.price_reasons", ("opportunity.loss_reason",)),
    _Named("win_back.roles", ("effort.role", "capacity.role")),
    _Named("files.stages", ("stage.stage", "opportunity.stage")),
)


def against_folder(portfolio: Portfolio) -> Look:
    """Ask for accounts, owners, segments, kinds and stages that a person has named."""

    def look(settings: Settings) -> Iterator[tuple[RemarkState, Keys, str]]:
        for named in _NAMED:
            if not any(
                key == named.key or key.startswith(f"{named.key}.")
                for key in settings.chosen
            ):
                continue
            known = _known(portfolio, named.columns)
            where = " nor in ".join(named.columns)
            for each in _names(_at(settings, named.key)):
                if known is not None and each.casefold() not in known:
                    hint = did_you_mean(each, known.values())
                    keys = tuple(named.key.split("."))
                    yield (
                        named.state,
                        keys,
                        f"{named.key}: {each!r} is not in {where}{hint}",
                    )
        yield from _currency(settings, portfolio)
        yield from _to_come(settings, portfolio)

    return look


def _currency(
    settings: Settings, portfolio: Portfolio
) -> Iterator[tuple[RemarkState, Keys, str]]:
    if settings.currency not in (None, portfolio.currency):
        said = f"currency: the folder is in {portfolio.currency}, pulled as it was"
        yield "odd", ("currency",), f"{said}; pull it anew for {settings.currency}"


def _to_come(
    settings: Settings, portfolio: Portfolio
) -> Iterator[tuple[RemarkState, Keys, str]]:
    """Periods that end after the last day the folder knows: analyses refuse them."""
    found = {}
    for name in LAYERS:
        period = getattr(getattr(settings, name), "period", None)
        if period is None or name == "review":  # which tells how much is to come
            continue
        if (end := period.at(portfolio.as_of).last_day) > portfolio.as_of:
            is_own = settings.origin(f"{name}.period").kind != "period"
            found[(name, "period") if is_own else ("period",)] = end
    for keys, end in found.items():
        said = f"{'.'.join(keys)}: it ends on {end}, and the folder knows nothing after"
        yield "fault", keys, f"{said} {portfolio.as_of}"


def _at(settings: Settings, key: str) -> Any:
    found: Any = settings
    for name in key.split("."):
        found = getattr(found, name, None)
    return found


def _names(value: Any) -> Iterable[str]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _known(portfolio: Portfolio, columns: Iterable[str]) -> dict[str, str] | None:
    """What stands in these columns; None where the folder has none of them."""
    found: dict[str, str] | None = None
    for each in columns:
        name, _, column = each.partition(".")
        for table in portfolio.tables:
            if table == name and column in portfolio.arrow(table).column_names:
                words = (
                    pc.unique(portfolio.arrow(table)[column]).drop_null().to_pylist()
                )
                found = (found or {}) | {word.casefold(): word for word in words}
    return found


def against_crm(name: str) -> Look:
    """Ask a CRM for the tables and fields that the settings map; it is only read."""

    def look(settings: Settings) -> Iterator[tuple[RemarkState, Keys, str]]:
        from crm_portfolio.connectors import connect

        try:
            crm = connect(name, settings=settings.of_connector(name))
            findings = tuple(crm.inspect()) if isinstance(crm, Inspectable) else ()
            if not findings:
                crm.tables()
        except CrmPortfolioError as error:
            yield "fault", (name,), f"{name}: {error}"
            return
        for each in findings:
            if each.state == "missing" and each.what.startswith(_LOOKED_AT):
                keys = _keys(name, each.what, settings)
                yield "fault", keys, f"{name} lacks {each.what}. {each.mend}".strip()
        own, told = settings.currency, crm.org().currency
        if own and told and own != told:
            said = f"currency: the org's is {told}; amounts become {own} by its rates"
            yield "odd", ("currency",), said

    return look


def _keys(name: str, what: str, settings: Settings) -> Keys:
    """Where the setting stands that asks for what is not there."""
    vendor = what.rpartition(" ")[2].rpartition(".")[2]
    fields = getattr(settings.of_connector(name), "fields", {})
    for table, columns in fields.items():
        for column, said in columns.items():
            if said == vendor or (
                not isinstance(said, str) and vendor in said.values()
            ):
                return (name, "fields", table, column)
    return (name, "loss_reason") if what.startswith("loss reason") else (name, "tables")
