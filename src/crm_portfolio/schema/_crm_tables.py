"""What does a CRM tell: who the accounts are, and what was sold, said and asked?"""

from __future__ import annotations

from functools import partial

from crm_portfolio.schema._fields import FIELD_COLUMNS
from crm_portfolio.schema._vocabulary import Column, Table

__all__ = [
    "ACCOUNT",
    "ACTIVITY",
    "ENQUIRY",
    "OPPORTUNITY",
    "OPPORTUNITY_CHANGE",
    "OWNER",
    "STAGE",
    "TICKET",
]

# Written once, with its row.
_fixed = partial(Column, when="at_creation")
# Known since the opportunity was decided.
_at_close = partial(Column, when="dated_by", dated_by="closed_on")
# It changes while the opportunity is open; who kept no changes knows how it ended.
_in_play = partial(Column, when="from_changes", settled_by="closed_on")
# It changes at any time, as when a person leaves.
_at_any_time = partial(Column, when="from_changes")
# Known since the opportunity it turned into was born.
_converted = partial(Column, when="dated_by", dated_by="opportunity_id")

_STATUS = ("open", "won", "lost")

ACCOUNT = Table(
    "account",
    ("account_id",),
    "The customer companies.",
    (
        _fixed("account_id", "id", "Names the account.", required=True),
        Column("name", "text", "What the account is called."),
        Column(
            "parent_id", "id", "The account that owns this one.", refers_to="account"
        ),
        Column(
            "ultimate_parent_id",
            "id",
            "The top of the account's group; itself where it has no parent.",
            refers_to="account",
            is_derived=True,
        ),
        Column("owner_id", "id", "Who looks after it.", refers_to="owner"),
        Column(
            "segment", "code", "The trade or kind of customer, as the CRM groups it."
        ),
        Column("country", "code", "Where it is billed, as the CRM writes it."),
        Column("domain", "code", "The host of its web site, in lower case."),
        Column(
            "account_turnover",
            "money",
            "The account's own yearly revenue; never what it pays us.",
            unit="currency a year",
        ),
        Column(
            "employee_count", "integer", "How many people work there.", unit="people"
        ),
        _fixed("created_on", "day", "When the record was made."),
        Column("is_customer", "boolean", "Whether the CRM calls it a customer."),
        _fixed("is_person", "boolean", "Whether it is a private person; then unnamed."),
        Column(
            "last_activity_on",
            "day",
            "The last call, meeting or mail the CRM counts.",
            is_volatile=True,
        ),
        Column(
            "activity_count",
            "integer",
            "Activities over its whole life, by the CRM's own rule; not comparable "
            "between CRMs.",
            unit="activities",
            is_volatile=True,
        ),
        Column(
            "contact_count",
            "integer",
            "How many contacts it has; who they are is never read.",
            unit="contacts",
            is_volatile=True,
        ),
        Column(
            "do_not_contact_on",
            "day",
            "Since when it has asked to be left in peace.",
            when="dated_by",
            dated_by="do_not_contact_on",
        ),
        Column(
            "refused_on",
            "day",
            "When it, or one that owns it, last said no in an opportunity that is not "
            "told here, as of a parent that was cut away.",
            when="dated_by",
            dated_by="refused_on",
        ),
        *FIELD_COLUMNS["account"],
    ),
    born="created_on",
)

OPPORTUNITY = Table(
    "opportunity",
    ("opportunity_id",),
    "The sales in play, won or lost. A won amount is a booking, not revenue.",
    (
        _fixed("opportunity_id", "id", "Names the opportunity.", required=True),
        _fixed("account_id", "id", "Whose it is.", refers_to="account"),
        _at_any_time("name", "text", "What it is called."),
        _at_any_time("owner_id", "id", "Who works on it.", refers_to="owner"),
        _in_play("pipeline", "code", "The line of stages it runs through."),
        _in_play("stage", "code", "How far it has come."),
        _at_close(
            "status",
            "code",
            "Whether it is still in play.",
            required=True,
            choices=_STATUS,
        ),
        _in_play(
            "amount",
            "money",
            "Its value, rounded half-even to the minor unit; null where nobody said.",
            unit="currency",
        ),
        _in_play(
            "original_amount",
            "number",
            "Its value as the source said it; kept where `amount` differs.",
            unit="the row's own currency",
        ),
        _fixed("currency", "code", "ISO 4217 code of `original_amount`."),
        Column(
            "home_amount",
            "number",
            "Its value as the CRM itself converted it; kept only to check `amount`.",
            unit="the org's own currency",
        ),
        _fixed("created_at", "moment", "When it was entered."),
        _at_close(
            "closed_on", "day", "When it was won or lost; null while it is open."
        ),
        _in_play(
            "expected_close_on",
            "day",
            "When its owner expects the decision.",
        ),
        _in_play(
            "probability",
            "share",
            "The odds of winning, as the CRM or its owner puts them.",
            unit="0 to 1",
            bounds=(0.0, 1.0),
        ),
        _in_play(
            "kind",
            "code",
            "Whether it is a first sale, the same again, or more of it.",
            choices=("new", "renewal", "expansion"),
        ),
        _fixed("source", "code", "Where it came from."),
        _in_play("product_id", "id", "What is mainly sold.", refers_to="product"),
        _at_close("loss_reason", "code", "Why it was lost."),
        Column(
            "loss_reason_by",
            "code",
            "Who gave that reason.",
            choices=("client", "seller"),
            when="dated_by",
            dated_by="closed_on",
        ),
        _at_close("competitor", "code", "Who won it instead."),
        _at_any_time("next_step", "text", "What its owner means to do next."),
        Column(
            "refused_on",
            "day",
            "When the client said no and asked not to be asked again.",
            when="dated_by",
            dated_by="refused_on",
        ),
        _at_close(
            "is_auto_closed", "boolean", "Whether a rule closed it, not a person."
        ),
        _in_play(
            "discount_share",
            "share",
            "The discount offered, as a part of the list price.",
            unit="0 to 1",
        ),
        Column(
            "contact_count",
            "integer",
            "How many contacts have a part in it.",
            unit="contacts",
            is_volatile=True,
        ),
        Column(
            "last_activity_on",
            "day",
            "The last activity the CRM counts on it.",
            is_volatile=True,
        ),
        Column(
            "activity_count",
            "integer",
            "Activities on it, by the CRM's own rule.",
            unit="activities",
            is_volatile=True,
        ),
        Column(
            "first_response_at",
            "moment",
            "When we first answered.",
            when="dated_by",
            dated_by="first_response_at",
        ),
        *FIELD_COLUMNS["opportunity"],
    ),
    born="created_at",
    closes="closed_on",
    rate_day="closed_on",
)

OPPORTUNITY_CHANGE = Table(
    "opportunity_change",
    (),
    "What an opportunity's fields said before, and since when they say otherwise.",
    (
        _fixed(
            "opportunity_id",
            "id",
            "Whose field changed.",
            required=True,
            refers_to="opportunity",
        ),
        _fixed("changed_at", "moment", "When.", required=True),
        _fixed("field", "code", "Which column of `opportunity`.", required=True),
        _fixed("old", "text", "The value before, as text."),
        _fixed("new", "text", "The value after, as text."),
        Column(
            "until_at",
            "moment",
            "When the next change of that field came; null while it stands.",
            is_derived=True,
            when="dated_by",
            dated_by="until_at",
        ),
    ),
    born="changed_at",
)

STAGE = Table(
    "stage",
    ("pipeline", "stage"),
    "The stages of each pipeline, in order.",
    (
        # How stages are read, which is no news of any day; but the odds may be hindsight.
        _fixed("pipeline", "code", "The pipeline it belongs to.", required=True),
        _fixed("stage", "code", "Names the stage, as opportunities do.", required=True),
        _fixed("position", "integer", "Its place in the order.", required=True),
        _fixed(
            "status",
            "code",
            "What an opportunity in this stage is.",
            required=True,
            choices=_STATUS,
        ),
        _fixed("is_proposal", "boolean", "Whether an offer has been made by then."),
        Column(
            "default_probability",
            "share",
            "The odds the CRM gives to this stage.",
            unit="0 to 1",
            bounds=(0.0, 1.0),
        ),
    ),
)

ENQUIRY = Table(
    "enquiry",
    ("enquiry_id",),
    "Interest that is not yet an opportunity; never a person.",
    (
        _fixed("enquiry_id", "id", "Names the enquiry.", required=True),
        _fixed("created_at", "moment", "When it arrived.", required=True),
        _converted(
            "account_id", "id", "Whose it turned out to be.", refers_to="account"
        ),
        _converted(
            "opportunity_id", "id", "What it turned into.", refers_to="opportunity"
        ),
        Column("owner_id", "id", "Who was to answer.", refers_to="owner"),
        Column("segment", "code", "The trade it named."),
        _fixed("source", "code", "Where it came from."),
        Column("status", "code", "How far it has come, in the CRM's own words."),
        Column(
            "first_response_at",
            "moment",
            "When we first answered.",
            when="dated_by",
            dated_by="first_response_at",
        ),
    ),
    born="created_at",
)

ACTIVITY = Table(
    "activity",
    ("activity_id",),
    "Calls, meetings and mails: when, which way, how long; never what was said.",
    (
        _fixed("activity_id", "id", "Names the activity.", required=True),
        _fixed("occurred_at", "moment", "When it took place.", required=True),
        _fixed("account_id", "id", "With whom.", refers_to="account"),
        _fixed("opportunity_id", "id", "About what.", refers_to="opportunity"),
        _fixed("kind", "code", "Call, meeting, mail, as the CRM sorts."),
        Column(
            "direction",
            "code",
            "Whether they came to us or we went to them.",
            choices=("in", "out"),
            when="at_creation",
        ),
        Column(
            "status",
            "code",
            "Whether it took place.",
            choices=("held", "cancelled", "open"),
            when="at_creation",
        ),
        _fixed("minutes", "number", "How long it took.", unit="minutes"),
        _fixed("owner_id", "id", "Who of us.", refers_to="owner"),
    ),
    born="occurred_at",
)

TICKET = Table(
    "ticket",
    ("ticket_id",),
    "Requests for service.",
    (
        _fixed("ticket_id", "id", "Names the ticket.", required=True),
        _fixed("opened_at", "moment", "When it came in.", required=True),
        _fixed("account_id", "id", "Whose it is.", refers_to="account"),
        Column(
            "closed_at",
            "moment",
            "When it was settled; null while it is open.",
            when="dated_by",
            dated_by="closed_at",
        ),
        Column("priority", "code", "How urgent, in the CRM's own words."),
        Column("is_escalated", "boolean", "Whether it was passed upwards."),
        Column(
            "satisfaction",
            "number",
            "What the account said of the service, on the source's own scale.",
            when="dated_by",
            dated_by="closed_at",
        ),
        Column(
            "first_response_at",
            "moment",
            "When we first answered.",
            when="dated_by",
            dated_by="first_response_at",
        ),
    ),
    born="opened_at",
    closes="closed_at",
)

OWNER = Table(
    "owner",
    ("owner_id",),
    "Our own people who look after accounts.",
    (
        _fixed("owner_id", "id", "Names the person in the CRM.", required=True),
        Column("name", "text", "What the person is called."),
        Column("is_active", "boolean", "Whether the person still works in the CRM."),
    ),
)
