"""What are the figures, and the tables, of the two periods as a whole?"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa

from crm_portfolio.analysis._half_year._given import NO_CONCESSIONS, NO_STEPS
from crm_portfolio.analysis._half_year._halves import Halves
from crm_portfolio.analysis._half_year._prices import no_items
from crm_portfolio.analysis._half_year._slope import NO_SLOPE
from crm_portfolio.analysis._half_year._tables import account_counts, bars_table
from crm_portfolio.results import Json, significant

__all__ = ["summary_of", "tables_of"]


def summary_of(halves: Halves) -> dict[str, Json]:
    """Each key is one part of the review."""
    return {
        "bridge": _bridge(halves),
        "price_mix": _price_mix(halves),
        "gross_to_net": _gross_to_net(halves),
        "retention": _retention(halves),
        "operating": _operating(halves),
        "rates": halves.moves.told_rates(),
        "slope": halves.slope.told() if halves.slope else None,
        "timeline": halves.timeline.told(),
    }


def tables_of(halves: Halves) -> dict[str, pa.Table]:
    """The tables beside the frame, by the names of `ReviewResult.further`.

    One that nobody can fill has its columns and no rows: DuckDB has no table without one.
    """
    moves, prices, given = halves.moves, halves.prices, halves.given
    unknown = int((moves.lines - moves.known_lines).sum())
    unknown += int((moves.lines_before - moves.known_lines_before).sum())
    is_known = halves.is_known
    return {
        "bridge": bars_table(
            moves.bridge.bars if is_known else None,
            moves,
            counts=account_counts(moves),
            unknown_lines=unknown,
        ),
        "price_mix": bars_table(
            prices.bars if prices and is_known else None,
            moves,
            counts={},
            unknown_lines=unknown,
        ),
        "products": prices.items
        if prices
        else no_items(halves.days.span, halves.settings),
        "gross_to_net": given.steps_table((moves.total(), moves.total(before=True)))
        if given
        else NO_STEPS,
        "concessions": given.who_and_why() if given else NO_CONCESSIONS,
        "exceptional": halves.beside.table(),
        "slope": halves.slope.table() if halves.slope else NO_SLOPE,
        "timeline": halves.timeline.months_table(),
        "events": halves.timeline.events_table(),
    }


def _bridge(halves: Halves) -> dict[str, Json]:
    """From the one revenue to the other, and what is left of those who were there."""
    moves, has_before = halves.moves, halves.days.has_before
    bridge, kept = moves.bridge, moves.bridge.kept
    before, is_known = moves.total(before=True), halves.is_known
    shares = {
        "like_for_like_share": bridge.like_for_like,
        "net_retention_share": kept.net,
        "gross_retention_share": kept.gross,
        "logo_retention_share": kept.logo,
    }
    told: dict[str, Json] = {
        "revenue_before": _money(halves, before if has_before else None),
        "revenue": _money(halves, moves.total()),
        "change": _money(halves, bridge.change if is_known else None),
        "bars": _bars(halves, bridge.bars),
        "account_counts": dict(account_counts(moves)) if has_before else None,
    }
    return told | {
        name: significant(share) if is_known else None for name, share in shares.items()
    }


def _price_mix(halves: Halves) -> dict[str, Json] | None:
    return _bars(halves, halves.prices.bars) if halves.prices else None


def _bars(halves: Halves, bars: Mapping[str, int | None]) -> dict[str, Json]:
    return {
        name: _money(halves, each if halves.is_known else None)
        for name, each in bars.items()
    }


def _gross_to_net(halves: Halves) -> dict[str, Json] | None:
    given = halves.given
    if given is None:
        return None
    has_before = halves.days.has_before
    return {
        "now": given.told(given.dating),
        "before": given.told(given.dating, before=True) if has_before else None,
        "priced_line_share": significant(given.priced_share),
    }


def _retention(halves: Halves) -> dict[str, Json] | None:
    if halves.given is None or not halves.days.has_before:
        return None
    return halves.given.retention(halves.moves, is_known=halves.days.is_later_known)


def _operating(halves: Halves) -> dict[str, Json]:
    given = halves.given
    nets: tuple[int | None, int | None] = (None, None)
    if given is not None:
        now, before = given.sheet("as_issued"), given.sheet("as_issued", before=True)
        nets = now["net"], before["net"]
    return halves.beside.told(nets, halves.moves.line_costs)


def _money(halves: Halves, minor: int | None) -> float | None:
    return None if minor is None else halves.facts.amount(minor)
