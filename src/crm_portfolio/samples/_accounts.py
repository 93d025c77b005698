"""Who are the accounts, and who looks after them?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from crm_portfolio.samples import _columns, _deals, _names
from crm_portfolio.samples._deals import tenth

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["accounts", "owners"]


def owners(count: int) -> pa.Table:
    """Our people; one in six has left."""
    numbers = np.arange(count)
    firsts, lasts = _names.FIRST_NAMES, _names.LAST_NAMES
    first = _columns.pick(firsts, numbers * 7 % len(firsts))
    last = _columns.pick(lasts, (numbers + numbers // len(firsts)) % len(lasts))
    return pa.table(
        {
            "owner_id": _columns.ids("U", numbers),
            "name": pc.binary_join_element_wise(first, last, " "),
            "is_active": pa.array(numbers % 6 != 5),
        }
    )


def accounts(chance: np.random.Generator, count: int, owner: pa.Table) -> pa.Table:
    """Accounts of all sizes, the planted ones first."""
    numbers = np.arange(count)
    name, domain = _account_names(chance, count)
    people = np.maximum(chance.lognormal(4.5, 1.3, count), 1).astype(np.int64)
    created = chance.integers(-4_500, -800, size=count)
    created[_deals.NEW] = tenth(9)
    return pa.table(
        {
            "account_id": _columns.ids("A", numbers),
            "name": name,
            "parent_id": _columns.ids("A", _parents(chance, count)),
            "owner_id": _columns.draw(chance, owner["owner_id"].to_pylist(), count),
            "segment": _columns.draw(chance, _names.SEGMENTS, count),
            "country": _columns.draw(chance, _names.COUNTRIES, count),
            "domain": domain,
            "account_turnover": pa.array(
                (people * chance.integers(80, 260, size=count) * 1_000).astype(
                    np.float64
                ),
                mask=chance.random(count) < 0.1,
            ),
            "employee_count": pa.array(people, mask=chance.random(count) < 0.1),
            "created_on": _columns.days(created),
        }
    )


def _parents(chance: np.random.Generator, count: int) -> NDArray[np.int64]:
    """One account in twelve has an older parent; the group and the loop are planted."""
    numbers = np.arange(count)
    older = _deals.FIRST_ORDINARY + (
        chance.random(count) * (numbers - _deals.FIRST_ORDINARY)
    ).astype(np.int64)
    may = (numbers > _deals.FIRST_ORDINARY) & (chance.random(count) < 1 / 12)
    parents = np.where(may, older, -1)
    for member, parent in _deals.GROUP.items():
        parents[member] = -1 if parent is None else parent
    parents[list(_deals.LOOP)] = _deals.LOOP[::-1]
    return parents


def _account_names(
    chance: np.random.Generator, count: int
) -> tuple[pa.Array, pa.Array]:
    """Names and domains. A name may come twice; a domain never does."""
    stem, ending = (
        _columns.draw(chance, w, count) for w in (_names.STEMS, _names.ENDINGS)
    )
    place = pc.binary_join_element_wise(stem, ending, "")
    trade, form = (
        _columns.draw(chance, w, count) for w in (_names.TRADES, _names.FORMS)
    )
    name = pc.binary_join_element_wise(place, trade, form, " ")
    number = pa.array(np.arange(count)).cast(pa.string())
    domain = pc.binary_join_element_wise(pc.utf8_lower(place), number, ".example", "")
    foreign = np.flatnonzero(chance.random(count) < 0.04)
    foreign = foreign[foreign >= _deals.FIRST_ORDINARY]
    special = {
        int(i): _names.FOREIGN[n % len(_names.FOREIGN)] for n, i in enumerate(foreign)
    }
    special |= dict(zip(_deals.HOSTILE, _names.HOSTILE, strict=True))
    special |= dict.fromkeys(_deals.TWINS, "Twin Rivers Foods Ltd")
    is_special = np.isin(np.arange(count), list(special))
    spoken = pa.array([special[i] for i in sorted(special)])
    has_domain = pa.array(~is_special | np.isin(np.arange(count), _deals.TWINS))
    name = pc.replace_with_mask(name, pa.array(is_special), spoken)
    return name, pc.if_else(has_domain, domain, pa.scalar(None, pa.string()))
