"""Which scopes does each token at HubSpot need, and none besides?"""

from __future__ import annotations

from typing import Final

from crm_portfolio.connectors._rights import Right

__all__ = ["RIGHTS"]

RIGHTS: Final[tuple[Right, ...]] = (
    Right("crm.objects.companies.read", "the table `account`", "reading"),
    Right("crm.schemas.companies.read", "the properties of `account`", "reading"),
    Right("crm.objects.deals.read", "the table `opportunity`", "reading"),
    Right(
        "crm.schemas.deals.read",
        "the properties of `opportunity`, and the table `stage`",
        "reading",
    ),
    Right("crm.objects.owners.read", "the table `owner`", "reading"),
    Right(
        "crm.objects.companies.write",
        "writing back; to read only, leave it out",
        "writing",
    ),
    Right("crm.objects.deals.write", "writing back on opportunities", "on_request"),
    Right(
        "settings.currencies.read",
        "`exchange_rate`, where the portal has several currencies",
        "table",
    ),
    Right("tickets", "`ticket`", "table"),
    Right("crm.objects.leads.read", "`enquiry`", "table"),
    Right("crm.objects.invoices.read", "`invoice`", "table"),
    Right(
        "crm.objects.contacts.read",
        "`activity`: calls and meetings, which have no scope of their own. No contact is "
        "read",
        "table",
    ),
    Right(
        "sales-email-read",
        "`activity`: emails. Their time and direction are read, and no word of them",
        "table",
    ),
    Right("crm.objects.custom.read", "a custom object that feeds a table", "table"),
    Right(
        "crm.export",
        "a first load of 200,000 records or more by an export; without it, pages give "
        "the same",
        "table",
        is_told_by_doctor=True,
    ),
    Right("crm.schemas.companies.read", "looking at what is there", "setup"),
    Right(
        "crm.schemas.companies.write",
        "creating the group *Portfolio* and the properties in it",
        "setup",
    ),
    Right("crm.schemas.deals.read", "looking at what is there", "setup_on_request"),
    Right(
        "crm.schemas.deals.write",
        "creating the same group and properties of deals",
        "setup_on_request",
    ),
)
