"""How dependent are we?"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from crm_portfolio._report._given import Given
from crm_portfolio._report._grid import Column, Grid
from crm_portfolio._report._section import Section, Tile

__all__ = ["dependence"]

_MADE_OF: Final = ("concentration", "loss_scenario", "revenue_at_risk")
_NAMED: Final = 3
_MAJORS: Final = (
    Column("ultimate_parent_id", "client", "account"),
    Column("revenue", "revenue", "money"),
    Column("share", "share", "share"),
    Column("share_year_before", "share_before", "share"),
    Column("share_last_year", "share_last", "share"),
    Column("dependence", "dependence", "label"),
    Column("years_of_relationship", "years", "decimal"),
)


def dependence(given: Given) -> Section:
    """Whom the revenue hangs on, and what it would do if they left."""
    words = given.words
    return Section(
        "dependence",
        words.say("question_dependence"),
        lead=tuple(_lead(given)),
        notes=tuple(given.lacks(*_MADE_OF)),
        tiles=tuple(_tiles(given)) if given.of("concentration") else (),
        pictures=(
            *given.drawn("concentration", "plot"),
            *given.drawn("loss_scenario", "plot"),
            *given.drawn("revenue_at_risk", "plot"),
        ),
        behind=(
            Grid(
                words.say("report_majors", share=_setting(given, "major_share")),
                _MAJORS,
                given.figure("concentration", "majors") or (),
            ),
        ),
        remarks=given.warned(*_MADE_OF),
    )


def _tiles(given: Given) -> Iterator[Tile]:
    yield Tile("revenue", "money", given.figure("concentration", "by_account/total"))
    yield Tile("largest_share", "share", _largest(given).get("share"))
    for term, kind, path in (
        ("top_fifth", "share", "by_account/share_of_top_20pct"),
        ("n_for_80", "count", "by_account/n_for_80"),
        ("effective_number", "decimal", "by_group/effective_number"),
    ):
        value = given.figure("concentration", path)
        if term == "effective_number" and value is not None:
            value = round(value, 1)
        yield Tile(term, kind, value)  # type: ignore[arg-type]
    for term, figure in (("expected_loss", "mean"), ("var_95", "var_95")):
        path = f"common_factor/{figure}"
        yield Tile(term, "money", given.figure("revenue_at_risk", path))
    safety = given.figure("loss_scenario", "after/margin_of_safety")
    yield Tile("safety_after", "share", safety)


def _largest(given: Given) -> dict[str, Any]:
    """The client that holds most: the first of the groups."""
    result = given.of("concentration")
    if result is None:
        return {}
    groups = result.to_dict()["groups"][:1]
    return {} if not groups or groups[0]["share"] is None else dict(groups[0])


def _lead(given: Given) -> Iterator[str]:
    words, largest = given.words, _largest(given)
    figures = given.figure("concentration", "by_account") or {}
    if not largest:
        if figures.get("n") and (total := figures["total"]) is not None:
            yield words.say("report_lead_no_shares", total=total)
        else:
            yield words.say("report_lead_no_revenue")
        return
    if figures["n_for_80"] is not None:
        yield words.say(
            "report_lead_largest",
            client=words.called(largest["ultimate_parent_id"]),
            share=largest["share"],
            n=figures["n_for_80"],
            all=figures["n"],
        )
    threshold = _setting(given, "dependent_share")
    majors = given.figure("concentration", "majors") or ()
    ids = [e["ultimate_parent_id"] for e in majors if e["dependence"] == "dependent"]
    if ids:
        named = _named(given, ids)
        yield words.say(
            "report_lead_dependent", clients=named, n=len(ids), threshold=threshold
        )
    else:
        yield words.say("report_lead_independent", threshold=threshold)
    yield from _loss(given)


def _setting(given: Given, name: str) -> float | None:
    result = given.of("concentration")
    if result is None:
        return None
    settings: Any = result.params["settings"]
    share: float = settings[name]
    return share


def _loss(given: Given) -> Iterator[str]:
    loss = given.figure("loss_scenario", "loss")
    if not loss or not loss["account_count"] or loss["share"] is None:
        return
    rows = given.rows("loss_scenario", ("account_id", "is_lost"))
    ids = [row["account_id"] for row in rows if row["is_lost"]]
    yield given.words.say(
        "report_lead_scenario",
        clients=_named(given, ids),
        amount=loss["full_year"],
        share=loss["share"],
    )


def _named(given: Given, ids: list[str]) -> str:
    words = given.words
    said = [words.called(each) for each in ids[:_NAMED]]
    if len(ids) > _NAMED:
        said.append(words.say("report_more_clients", n=len(ids) - _NAMED))
    return words.listed(said)
