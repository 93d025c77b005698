"""Which of the texts that occur are meant, however the CRM spells them?"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from crm_portfolio._frames import nw
from crm_portfolio.analysis._facts import collected, once_per_portfolio
from crm_portfolio.portfolio import Portfolio
from crm_portfolio.schema import TableName

__all__ = ["occurring", "spelled"]


@once_per_portfolio
def occurring(portfolio: Portfolio, table: TableName, column: str) -> Sequence[str]:
    """The codes that occur, such as reasons; they are few."""
    frame = nw.from_native(portfolio[table]).lazy()
    if column not in frame.collect_schema().names():
        return []
    told = frame.filter(~nw.col(column).is_null()).select(
        nw.col(column), n=nw.lit(1, dtype=nw.Int64)
    )
    found = collected(told.group_by(column).agg(nw.col("n").sum()))
    return sorted(found[column].to_pylist())


def spelled(reasons: Sequence[str], meant: Collection[str]) -> tuple[str, ...]:
    """Those of the reasons that are meant, however the CRM spells them."""
    plain = {_plain(each) for each in meant}
    return tuple(each for each in reasons if _plain(each) in plain)


def _plain(reason: str) -> str:
    return " ".join(reason.replace("_", " ").replace("-", " ").casefold().split())
