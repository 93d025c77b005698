"""What do credit notes leave of each invoice, and what of that is still owed?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

import attrs
import pyarrow as pa

from crm_portfolio._frames import Backend, NativeFrame, backend_of, nw
from crm_portfolio.analysis._facts._lines import completed, day_number, minor_of

__all__ = ["as_bills"]

_TEXT, _DAY, _NUMBER, _FLAG = pa.string(), pa.date32(), pa.float64(), pa.bool_()
_KINDS: Final[Mapping[str, pa.DataType]] = {
    "payer_id": _TEXT,
    "due_on": _DAY,
    "paid_on": _DAY,
    "open_amount": _NUMBER,
    "origin_invoice_id": _TEXT,
    "is_disputed": _FLAG,
    "is_cancelled": _FLAG,
}
_RETURNED: Final = dict.fromkeys(("credit", "credit_left", "unsaid"), pa.int64())


def as_bills(
    frame: NativeFrame,
    as_of: date,
    digits: int,
    *,
    is_past: bool = False,
    with_credits: bool = False,
) -> Any:
    """Invoices less the credit notes that name them, and what of each is still owed.

    Args:
        frame: Or its `bills`, of the same day.
        with_credits: Credit notes that name no invoice here come too, below 0.
    """
    if isinstance(frame, nw.LazyFrame):
        return frame if with_credits else frame.filter(nw.col("minor") > 0)
    corrects = "origin_invoice_id" in nw.from_native(frame).collect_schema().names()
    # Where no note can name an invoice, there is nothing to look up.
    kinds = _KINDS if corrects else {**_KINDS, **_RETURNED}
    known = (
        nw.from_native(completed(frame, kinds))
        .lazy()
        .with_columns(minor=minor_of("amount", digits))
        .filter((nw.col("issued_on") <= as_of) & ~nw.col("minor").is_null())
    )
    own = known.filter(~nw.col("is_cancelled").fill_null(value=False))
    if corrects:
        own = own.join(_returned(own, digits), on="invoice_id", how="left")
    if corrects and with_credits:
        named = known.filter(nw.col("minor") > 0).select(
            origin_invoice_id=nw.col("invoice_id"), named=nw.lit(1, dtype=nw.Int64)
        )
        own = own.join(named, on="origin_invoice_id", how="left").filter(
            (nw.col("minor") > 0) | nw.col("named").is_null()
        )
    elif not with_credits:
        own = own.filter(nw.col("minor") > 0)
    told = _Told(with_credits=with_credits, corrects=corrects, is_past=is_past)
    return _still_owed(own, as_of, digits, backend_of(frame), told)


def _returned(valid: Any, digits: int) -> Any:
    """By invoice: what the credit notes that name it say."""
    return (
        valid.filter((nw.col("minor") < 0) & ~nw.col("origin_invoice_id").is_null())
        .select(
            invoice_id=nw.col("origin_invoice_id"),
            credit=nw.col("minor"),
            credit_left=minor_of("open_amount", digits).fill_null(0),
            unsaid=nw.col("open_amount").is_null().cast(nw.Int64),
        )
        .group_by("invoice_id")
        .agg(nw.col(*_RETURNED).sum())
        # A sum of DuckDB's is wider, and what is reckoned with it several times as slow.
        .with_columns(nw.col(*_RETURNED).cast(nw.Int64))
    )


@attrs.frozen
class _Told:
    """What need not be asked of each invoice, since it is so of all or of none.

    Attributes:
        with_credits: Some may be credit notes, which owe the other way round.
        corrects: Some may be reduced by a credit note.
        is_past: What was open then nobody noted.
    """

    with_credits: bool
    corrects: bool
    is_past: bool

    def either(self, of_invoice: Any, of_credit: Any) -> Any:
        """The one or the other, by what it is."""
        if not self.with_credits:
            return of_invoice
        return nw.when(nw.col("minor") > 0).then(of_invoice).otherwise(of_credit)

    @property
    def net(self) -> Any:
        """What credit notes leave of it."""
        minor = nw.col("minor")
        if not self.corrects:
            return minor
        return self.either(minor + nw.col("credit").fill_null(0), minor)

    @property
    def still(self) -> Any:
        """Whether what is said to be open counts."""
        return nw.lit(value=False) if self.is_past else nw.col("minor") != 0

    def surplus(self, is_done: Any) -> Any:
        """What credit notes are above the invoice they name, below 0; 0 elsewhere.

        No more than is said to be open of them; and of an invoice that is done just that.
        """
        if not self.corrects:
            return nw.lit(0, dtype=nw.Int64)
        net, left = nw.col("net"), nw.col("credit_left")
        above = nw.when((nw.col("minor") > 0) & (net < 0)).then(net).otherwise(0)
        if self.is_past:
            return above
        is_said = (nw.col("unsaid") == 0) & (left <= 0)
        is_all = is_said.fill_null(value=False) & (is_done | (left > above))
        return nw.when(is_all).then(left).otherwise(above)


def _still_owed(
    bills: Any, as_of: date, digits: int, backend: Backend, told: _Told
) -> Any:
    paid_on = nw.col("paid_on")
    is_paid = ~paid_on.is_null() & (paid_on <= as_of).fill_null(value=False)
    until = nw.when(is_paid).then(paid_on).otherwise(nw.lit(as_of))
    net, still, left = nw.col("net"), nw.col("still"), nw.col("left")
    is_less = told.either(still < net, still > net)
    # Settled on a day nobody noted: nobody knows that it was open on another one either.
    is_settled = (nw.col("open_amount") == 0).fill_null(value=False) & paid_on.is_null()
    is_done = nw.col("is_paid") | is_settled
    return (
        bills.with_columns(
            payer_id=nw.coalesce(nw.col("payer_id"), nw.col("account_id")),
            is_disputed=nw.col("is_disputed").fill_null(value=False),
            is_paid=is_paid,
            net=told.net,
            still=nw.when(told.still).then(minor_of("open_amount", digits)),
            due_number=day_number(nw.col("due_on"), backend),
            last_number=day_number(until, backend),
        )
        .with_columns(
            left=nw.when(~still.is_null() & is_less).then(still).otherwise(net),
            days=nw.col("last_number") - nw.col("due_number"),
        )
        .with_columns(
            owed=nw.when(is_done | told.either(left < 0, left > 0))
            .then(told.surplus(is_done))
            .otherwise(left)
        )
    )
