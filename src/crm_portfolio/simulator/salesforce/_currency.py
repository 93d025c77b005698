"""What is an amount in the org's own currency?

vendor docs: with dated rates an opportunity counts at the rate of its close date, all else
at the static rate of its currency.
"""

from __future__ import annotations

import attrs

from crm_portfolio.simulator.salesforce._scope import Found, Scope

__all__ = ["converted"]


def converted(scope: Scope, found: Found, at: int) -> Found:
    """The field in the org's currency, which is the running user's too."""
    alias, name = scope.table(found.chain)
    fields = scope.world.visible(name) or {}
    if found.field.type != "currency" or "currencyisocode" not in fields:
        text = f"convertCurrency is not allowed on the field '{found.field.name}'"
        raise scope.refused("INVALID_FIELD", at, text)
    code = f'{alias}."CurrencyIsoCode"'
    static = 'SELECT any_value("ConversionRate") FROM "CurrencyType"'
    rate = f'({static} WHERE "IsoCode" = {code})'
    if name == "Opportunity" and scope.world.find("DatedConversionRate"):
        day = f'{alias}."CloseDate"'
        dated = (
            'SELECT any_value("ConversionRate") FROM "DatedConversionRate" '  # noqa: S608
            f'WHERE "IsoCode" = {code} AND "StartDate" <= {day} AND {day} < "NextStartDate"'
        )
        rate = f"coalesce(({dated}), {rate})"
    # unverified: the direction of the rate.
    is_foreign = scope.world.assumptions.conversion_rate == "foreign_per_corporate"
    sign = "/" if is_foreign else "*"
    return attrs.evolve(found, sql=f"({found.sql} {sign} {rate})")
