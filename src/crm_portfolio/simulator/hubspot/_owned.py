"""Who owns the records, and in which currencies does the portal count?"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio.simulator._given import Given
from crm_portfolio.simulator.hubspot._keys import Keys
from crm_portfolio.simulator.hubspot._text import midnights, moments_text

__all__ = ["Rate", "known_currencies", "owners", "rates"]

_BORN: Final = "2000-01-01T12:00:00Z"


@attrs.frozen
class Rate:
    """From a moment on, one unit of ``code`` is ``rate`` of the portal's currency."""

    code: str
    at: str
    rate: float


def owners(given: Given, keys: Keys) -> tuple[Mapping[str, Any], ...]:
    """recorded: an owner as the API shows it. Who left is archived."""
    names = dict(
        zip(given.keys().to_pylist(), given.get("name").to_pylist(), strict=True)
    )
    active = dict(
        zip(given.keys().to_pylist(), given.get("is_active").to_pylist(), strict=True)
    )
    return tuple(
        _owner(
            number, names.get(model) or model, is_active=active.get(model) is not False
        )
        for model, number in keys.as_dict().items()
    )


def _owner(number: str, name: str, *, is_active: bool) -> Mapping[str, Any]:
    first, _, last = name.partition(" ")
    user = int(number) + 5_000_000
    return {
        "id": number,
        "email": f"owner{number}@simulated.example",
        "type": "PERSON",
        "firstName": first,
        "lastName": last,
        # vendor docs: an owner who left has no user any more
        **({"userId": user} if is_active else {}),
        "userIdIncludingInactive": user,
        "createdAt": _BORN,
        "updatedAt": _BORN,
        "archived": not is_active,
    }


def rates(table: pa.Table | None, currency: str, time_zone: str) -> tuple[Rate, ...]:
    """The dated rates to the portal's currency, in the order of their moments."""
    given = Given("exchange_rate", table)
    rows = zip(
        given.get("currency").to_pylist(),
        given.get("base").to_pylist(),
        moments_text(midnights(given.get("from_on"), time_zone)).to_pylist(),
        given.get("rate").to_pylist(),
        strict=True,
    )
    found = (Rate(*_towards(currency, row)) for row in rows if currency in row[:2])
    return tuple(sorted(found, key=lambda rate: (rate.code, rate.at)))


def _towards(currency: str, row: tuple[str, str, str, float]) -> tuple[str, str, float]:
    code, base, at, rate = row
    return (code, at, rate) if base == currency else (base, at, 1 / rate)


def known_currencies(
    currency: str, said: Iterable[str], known: tuple[Rate, ...]
) -> dict[str, Any]:
    """The portal's own, all that it knows, and their rates."""
    codes = (currency, *said, *(rate.code for rate in known))
    return {
        "company": currency,
        "known": list(dict.fromkeys(codes)),
        "rates": list(known),
    }
