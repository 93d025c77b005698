"""Which rights does each log-in at Salesforce need, and none besides?"""

from __future__ import annotations

from typing import Final

from crm_portfolio.connectors._rights import Right

__all__ = ["IDENTITY", "RIGHTS", "SETUP_RIGHT", "to_read"]

SETUP_RIGHT: Final = "View Setup and Configuration"
IDENTITY: Final = "Access the identity URL service"
# Of these no profile grants Read one by one.
_SETUP_OBJECTS: Final = frozenset(
    {
        *("FieldPermissions", "PermissionSet", "PermissionSetAssignment"),
        *("Organization", "OpportunityStage", "User", "CurrencyType"),
        "DatedConversionRate",
    }
)

RIGHTS: Final[tuple[Right, ...]] = (
    Right("API Enabled", "every call, Bulk jobs included", "reading"),
    Right("Read on Account", "the table `account`", "reading"),
    Right("Read on Opportunity", "the table `opportunity`", "reading"),
    Right(
        "View All on Account",
        "all accounts: without it, those that are shared with nobody are not seen",
        "reading",
        is_told_by_doctor=True,
    ),
    Right(
        "View All on Opportunity",
        "all opportunities, likewise",
        "reading",
        is_told_by_doctor=True,
    ),
    Right(
        SETUP_RIGHT,
        "the org's id, time zone and currency; users and stages",
        "reading",
    ),
    Right("Edit on Account", "writing back", "writing"),
    Right(
        IDENTITY,
        "scope `openid` or `id`: telling edits of others from our own in the field "
        "history; without it the history takes more calls",
        "writing",
        is_told_by_doctor=True,
    ),
    Right("Edit on Opportunity", "writing back on opportunities", "on_request"),
    Right("Read on Task", "`activity`", "table"),
    Right("Read on Event", "`activity`", "table"),
    Right("Read on Case", "`ticket`", "table"),
    Right("Read on Lead", "`enquiry`", "table"),
    Right("Read on Contract", "`contract`", "table"),
    Right("API Enabled", "looking at what is there", "setup"),
    Right("Read on Account", "looking at what is there", "setup"),
    Right("Customize Application", "creating the fields", "setup"),
    Right(
        "Manage Profiles and Permission Sets",
        "creating the permission sets, and showing the fields to them",
        "setup",
    ),
    Right(
        "Assign Permission Sets",
        "giving Portfolio_Nightly to the user of this log-in",
        "setup",
    ),
    Right(IDENTITY, "scope `openid` or `id`: knowing who this user is", "setup"),
    Right("Read on Opportunity", "looking at what is there", "setup_on_request"),
)


def to_read(sobject: str) -> str:
    """The right without which an object is not there."""
    return SETUP_RIGHT if sobject in _SETUP_OBJECTS else f"Read on {sobject}"
