"""Does what accounts paid agree with what they were said to have bought?"""

from __future__ import annotations

import pyarrow as pa

from crm_portfolio._frames import NativeFrame, nw
from crm_portfolio.analysis._facts._lines import completed
from crm_portfolio.analysis._facts._two_periods import Span, summed, whole

__all__ = ["booked_until", "paid_until"]

_TEXT, _DAY, _NUMBER = pa.string(), pa.date32(), pa.float64()


def paid_until(frame: NativeFrame, span: Span) -> pa.Table:
    """By account that pays: invoices paid before the end of this period."""
    kinds = {"payer_id": _TEXT, "account_id": _TEXT, "paid_on": _DAY}
    kinds |= {"amount": _NUMBER, "is_cancelled": pa.bool_()}
    lines = (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter(
            (nw.col("paid_on") < span.now.end)
            & ~nw.col("is_cancelled").fill_null(value=False)
        )
        .with_columns(account_id=nw.coalesce(nw.col("payer_id"), nw.col("account_id")))
    )
    paid = whole(nw.col("amount") * float(10**span.digits)).fill_null(0)
    return summed(lines, ("account_id",), {"paid": paid})


def booked_until(frame: NativeFrame, span: Span) -> pa.Table:
    """By account: opportunities won before the end of this period."""
    kinds = {"account_id": _TEXT, "closed_on": _DAY, "amount": _NUMBER}
    lines = (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .filter(
            (nw.col("status") == "won")
            & (nw.col("closed_on") < span.now.end)
            & ~nw.col("account_id").is_null()
        )
    )
    booked = whole(nw.col("amount") * float(10**span.digits)).fill_null(0)
    return summed(lines, ("account_id",), {"booked": booked})
