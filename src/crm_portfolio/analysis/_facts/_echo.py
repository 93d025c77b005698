"""What was it made from, so that it can be made again?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol
from weakref import WeakKeyDictionary

import attrs
import pyarrow as pa

from crm_portfolio.analysis._facts._revenue import RevenueFacts
from crm_portfolio.errors import SettingsError
from crm_portfolio.portfolio import Period, Portfolio
from crm_portfolio.results import Json, Result

__all__ = ["echo", "echoed", "made_by", "of_accounts", "of_same"]


class _Made(Protocol):
    @property
    def params(self) -> Mapping[str, Json]: ...


_ROWS: WeakKeyDictionary[Result, tuple[pa.Array, pa.Array]] = WeakKeyDictionary()
"""Where the rows of a result stand for these accounts: many ask, and ids take long."""


def echo(
    portfolio: Portfolio,
    facts: RevenueFacts,
    settings: attrs.AttrsInstance,
    *,
    population: str = "all",
) -> dict[str, Json]:
    """All it takes to compute the same again; ``population`` says who is counted."""
    return echoed(
        portfolio, facts.period, settings, measure=facts.measure, population=population
    )


def echoed(
    portfolio: Portfolio,
    period: Period,
    settings: attrs.AttrsInstance,
    *,
    measure: str,
    population: str,
) -> dict[str, Json]:
    """`echo` of an analysis that looks at no revenue."""
    assert period.start is not None
    assert period.end is not None
    return {
        "portfolio": portfolio.id,
        "as_of": portfolio.as_of.isoformat(),
        "org": portfolio.org,
        "currency": portfolio.currency,
        "measure": measure,
        "population": population,
        "period": {
            "name": period.name,
            "start": period.start.isoformat(),
            "end": period.end.isoformat(),
            "last_day": period.last_day.isoformat(),
        },
        "settings": _plain(
            attrs.asdict(settings, recurse=False, filter=_is_not_echoed_elsewhere)
        ),
    }


def made_by(found: _Made) -> dict[str, Json]:
    """What a result was made with that another one is made from."""
    return {key: found.params[key] for key in ("measure", "period", "settings")}


def of_accounts(result: Result, ids: pa.Array, *names: str) -> dict[str, pa.Array]:
    """Those of these columns that a result has, in the order of these accounts."""
    known = _ROWS.get(result)
    if known is None or not (known[0] is ids or known[0].equals(ids)):
        known = _ROWS[result] = ids, result.rows_of(ids)
    return result.columns_at(known[1], *names)


def of_same(portfolio: Portfolio, found: Result | None) -> None:
    """Refuse a result that was made of another portfolio."""
    if found is not None and found.params["portfolio"] != portfolio.id:
        raise SettingsError(f"the result of {found.name} is of another portfolio")


def _is_not_echoed_elsewhere(field: Any, _: object) -> bool:
    return field.name not in {"period", "measure", "population"}


def _plain(value: Any) -> Json:
    if attrs.has(type(value)):
        return {
            "kind": type(value).__name__,
            **_as_mapping(_plain(attrs.asdict(value))),
        }
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    plain: Json = value
    return plain


def _as_mapping(value: Json) -> Mapping[str, Json]:
    assert isinstance(value, Mapping)
    return value
