"""What do the benchmarks read? An opportunity table of any size with 20 columns."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

__all__ = ["book", "opportunities"]

_STAGES = ("Prospecting", "Proposal", "Closed Won", "Closed Lost")
_CUSTOM = 8  # together with the model's own columns, 20 in the CRM


def book(records: int) -> dict[str, pa.Table]:
    """Accounts, a hundredth as many as opportunities, and the opportunities."""
    accounts = max(records // 100, 1)
    owners = pa.table(
        {
            "owner_id": [f"W{n}" for n in range(10)],
            "name": [f"Owner {n}" for n in range(10)],
        }
    )
    account = pa.table(
        {
            "account_id": _named("A", np.arange(accounts)),
            "name": _named("Account ", np.arange(accounts)),
            "owner_id": _named("W", np.arange(accounts) % 10),
        }
    )
    return {
        "account": account,
        "owner": owners,
        "opportunity": opportunities(records, accounts),
    }


def opportunities(records: int, accounts: int) -> pa.Table:
    chance = np.random.default_rng(20)
    places = np.arange(records)
    state = chance.integers(0, 4, records)
    status = np.array(["open", "open", "won", "lost"])[state]
    created = np.datetime64("2020-01-01T08:00:00") + chance.integers(
        0, 1500, records
    ).astype("timedelta64[D]")
    closed = created.astype("datetime64[D]") + chance.integers(1, 200, records).astype(
        "timedelta64[D]"
    )
    is_open = status == "open"
    columns = {
        "opportunity_id": _named("O", places),
        "account_id": _named("A", places % accounts),
        "name": _named('Deal "with, quotes" no. ', places),
        "owner_id": _named("W", places % 10),
        "stage": np.array(_STAGES)[state],
        "status": status,
        "amount": (chance.integers(100, 10_000_000, records) / 100).round(2),
        "created_at": pa.array(
            created.astype("datetime64[us]"), pa.timestamp("us", "UTC")
        ),
        "closed_on": pa.array(closed, pa.date32(), mask=is_open),
        "expected_close_on": pa.array(closed, pa.date32(), mask=~is_open),
        "source": np.array(["Web", "Partner", "Phone", None])[places % 4],
        "next_step": _named("Call back on line ", places % 1000),
    }
    for number in range(_CUSTOM):
        columns[f"note_{number}"] = _named(
            f"Field {number}, value ", places % (97 + number)
        )
    return pa.table(columns)


def _named(prefix: str, numbers: np.ndarray) -> pa.Array:
    text = pa.array(numbers).cast(pa.string())
    return pa.compute.binary_join_element_wise(prefix, text, "")
