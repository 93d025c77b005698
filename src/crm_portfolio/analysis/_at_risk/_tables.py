"""What may each account, and each client, cost us within a year?"""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from crm_portfolio._methods._cuts import Groups
from crm_portfolio._methods._indices import Amounts
from crm_portfolio._methods._loss import scaled
from crm_portfolio._methods._ranking import Flags
from crm_portfolio._places import told_at
from crm_portfolio.analysis._at_risk._clients import Clients
from crm_portfolio.analysis._at_risk._odds import GONE
from crm_portfolio.analysis._at_risk._settings import RevenueAtRiskSettings
from crm_portfolio.analysis._facts import in_words

__all__ = ["account_table", "client_table", "order_of"]


def account_table(clients: Clients, settings: RevenueAtRiskSettings) -> pa.Table:
    """By place in the facts."""
    facts, of = clients.facts, clients.facts.by_account
    is_gone = clients.own.is_gone
    has_loss = (clients.losses > 0)[clients.client_of] & ~is_gone
    loss = np.where(has_loss, scaled(of.revenue, settings.lost_share), 0)
    odds = clients.odds[clients.client_of]
    expected = np.rint(np.where(has_loss, loss * odds, 0.0)) / 10**facts.digits
    columns = {"account_id": of.ids} | facts.names(of.ids)
    columns |= {
        "tier": in_words(clients.own.tier),
        "revenue": pa.array(facts.money(of.revenue), mask=~of.is_known),
        "share": shares(clients, of.revenue, ~of.is_known),
        "odds": pa.array(clients.own.odds, mask=~clients.own.is_known | ~has_loss),
        "odds_source": in_words(np.where(has_loss | is_gone, clients.own.source, "")),
        "left_on": pa.array(clients.own.left_on),
        "loss": pa.array(facts.money(loss), mask=~of.is_known),
        "expected_loss": pa.array(expected, mask=~of.is_known | np.isnan(expected)),
        "line_count": pa.array(of.lines),
        "known_line_count": pa.array(of.known_lines),
    }
    client = told_at(client_table(clients), clients.client_of)
    columns["client_id"] = client["client_id"]
    columns |= {f"client_{name}": client[name] for name in _OF_CLIENT}
    columns["is_excluded"] = client["is_excluded"]
    return pa.table(columns)


_OF_CLIENT = ("member_count", "revenue", "odds", "odds_source")


def client_table(clients: Clients) -> pa.Table:
    """By place of the clients."""
    facts, of = clients.facts, clients.of
    expected = np.rint(clients.expected) / 10**facts.digits
    unknown, unrated = ~of.is_known, np.isnan(clients.odds)
    own = clients.odds * (1 - clients.odds) * clients.losses.astype(np.float64) ** 2
    has_loss = clients.losses > 0
    whole = float(own[clients.is_drawn].sum())
    columns = {"client_id": of.ids} | facts.names(of.ids)
    columns |= {
        "member_count": pa.array(clients.member_counts),
        "revenue": pa.array(facts.money(of.revenue), mask=unknown),
        "share": shares(clients, of.revenue, unknown),
        "odds": pa.array(clients.odds, mask=unrated | ~has_loss),
        "odds_source": in_words(
            np.where(has_loss | (clients.source == GONE), clients.source, "")
        ),
        "loss": pa.array(facts.money(clients.losses), mask=unknown),
        "expected_loss": pa.array(expected, mask=unknown | np.isnan(expected)),
        "variance_share": pa.array(own / (whole or 1.0), mask=~clients.is_drawn),
        "is_excluded": pa.array(clients.is_excluded),
    }
    return pa.table(columns)


def order_of(table: pa.Table) -> Groups:
    """The largest loss to expect first, then the unknown; ties by revenue, then by id."""
    by_loss, by_revenue = (
        table[name].fill_null(0.0).to_numpy() for name in ("expected_loss", "revenue")
    )
    is_unknown = table["expected_loss"].is_null().to_numpy()
    return np.lexsort((-by_revenue, -by_loss, is_unknown))


def shares(clients: Clients, minor: Amounts, mask: Flags) -> pa.Array:
    total = clients.facts.total
    if total is None or total <= 0:
        return pa.nulls(minor.size, pa.float64())
    return pa.array(minor / total, mask=mask)
