"""What do a company's own books tell: what was earned, billed, spent and judged?"""

from __future__ import annotations

from functools import partial

from crm_portfolio.schema._vocabulary import Column, Table

__all__ = [
    "CAPACITY",
    "CONTRACT",
    "COST",
    "DECISION",
    "EFFORT",
    "EVENT",
    "EXCHANGE_RATE",
    "INVOICE",
    "PRODUCT",
    "PROJECT",
    "RATING",
    "REVENUE_LINE",
]


# Written once, with its row.
_fixed = partial(Column, when="at_creation")

_AMOUNT = _fixed(
    "amount",
    "money",
    "Signed value, rounded half-even to the minor unit.",
    required=True,
    unit="currency",
)
_ORIGINAL = _fixed(
    "original_amount",
    "number",
    "The value as the source said it; kept where `amount` differs.",
    unit="the row's own currency",
)
_CURRENCY = _fixed("currency", "code", "ISO 4217 code of `original_amount`.")
_ACCOUNT = _fixed("account_id", "id", "Whose it is.", refers_to="account")
_ITS_ACCOUNT = _fixed(
    "account_id", "id", "Whose it is.", required=True, refers_to="account"
)
_PRODUCT = _fixed("product_id", "id", "What was sold.", refers_to="product")

REVENUE_LINE = Table(
    "revenue_line",
    ("line_id",),
    "Signed lines of our revenue, without tax: what accounts really brought.",
    (
        _fixed("line_id", "id", "Names the line.", required=True),
        _ITS_ACCOUNT,
        _fixed("booked_on", "day", "The day it counts for.", required=True),
        _AMOUNT,
        _ORIGINAL,
        _CURRENCY,
        _fixed(
            "kind",
            "code",
            "What the line is; concessions are negative.",
            choices=(
                "invoice",
                "recurring",
                "discount",
                "credit_note",
                "refund",
                "goodwill",
                "rebate",
            ),
        ),
        _PRODUCT,
        _fixed("quantity", "number", "How many units.", unit="units"),
        _fixed(
            "list_price",
            "number",
            "Price of one unit before any discount.",
            unit="currency a unit",
        ),
        _fixed("cost", "money", "What delivering the line cost us.", unit="currency"),
        _fixed("reason", "code", "Why a concession was made."),
        _fixed("granted_by", "id", "Who granted it.", refers_to="owner"),
        _fixed(
            "origin_line_id", "id", "The line it corrects.", refers_to="revenue_line"
        ),
    ),
    born="booked_on",
    rate_day="booked_on",
)

INVOICE = Table(
    "invoice",
    ("invoice_id",),
    "Bills, tax included: what was due when, and when it was paid.",
    (
        _fixed("invoice_id", "id", "Names the invoice.", required=True),
        _ITS_ACCOUNT,
        _fixed(
            "payer_id",
            "id",
            "Who pays, where it is another account.",
            refers_to="account",
        ),
        _fixed("issued_on", "day", "When it was sent.", required=True),
        _fixed("due_on", "day", "When it was to be paid."),
        Column(
            "paid_on",
            "day",
            "When it was paid in full; null while it is not.",
            when="dated_by",
            dated_by="paid_on",
        ),
        _AMOUNT,
        _ORIGINAL,
        _CURRENCY,
        Column(
            "open_amount",
            "money",
            "What is still to be paid.",
            unit="currency",
            when="dated_by",
            dated_by="paid_on",
        ),
        _fixed("kind", "code", "Invoice or credit note, as the books sort."),
        _fixed(
            "origin_invoice_id", "id", "The invoice it corrects.", refers_to="invoice"
        ),
        Column("is_disputed", "boolean", "Whether the account contests it."),
        Column("is_cancelled", "boolean", "Whether it was withdrawn."),
    ),
    born="issued_on",
    closes="paid_on",
    rate_day="issued_on",
)

CONTRACT = Table(
    "contract",
    ("contract_id",),
    "Agreements that run for a time. The day of signature is not known, so a contract "
    "that starts later is kept.",
    (
        _fixed("contract_id", "id", "Names the contract.", required=True),
        _ITS_ACCOUNT,
        _fixed("starts_on", "day", "Its first day.", required=True),
        Column(
            "ends_on",
            "day",
            "Its last day; null: open-ended.",
            when="dated_by",
            dated_by="ends_on",
        ),
        Column(
            "amount_per_year",
            "money",
            "What it brings in a year.",
            unit="currency a year",
        ),
        Column(
            "notice_days",
            "integer",
            "How long before the end notice must be given.",
            unit="days",
        ),
        Column("auto_renews", "boolean", "Whether it goes on unless someone ends it."),
    ),
    begins="starts_on",
)

EFFORT = Table(
    "effort",
    (),
    "Hours worked for accounts.",
    (
        _ITS_ACCOUNT,
        _fixed("worked_on", "day", "When.", required=True),
        _fixed("minutes", "number", "How long.", required=True, unit="minutes"),
        _fixed("kind", "code", "What was done."),
        _fixed("role", "code", "In which role."),
        _fixed("opportunity_id", "id", "For which sale.", refers_to="opportunity"),
        _fixed("project_id", "id", "In which project.", refers_to="project"),
        _PRODUCT,
    ),
    born="worked_on",
)

COST = Table(
    "cost",
    ("cost_id",),
    "Money spent.",
    (
        _fixed("cost_id", "id", "Names the cost.", required=True),
        _fixed("booked_on", "day", "The day it counts for.", required=True),
        _AMOUNT,
        _ORIGINAL,
        _CURRENCY,
        _fixed(
            "kind",
            "code",
            "What it was spent on.",
            required=True,
            choices=("delivery", "acquisition", "service", "overhead", "exceptional"),
        ),
        _ACCOUNT,
        _fixed("is_avoidable", "boolean", "Whether it ends with the account."),
        _fixed("label", "text", "What the books call it."),
    ),
    born="booked_on",
    rate_day="booked_on",
)

CAPACITY = Table(
    "capacity",
    ("role", "from_on"),
    "Hours our people can give, by role.",
    (
        _fixed("role", "code", "Which role.", required=True),
        _fixed("from_on", "day", "First day of the span.", required=True),
        _fixed("to_on", "day", "Last day of the span.", required=True),
        _fixed(
            "hours",
            "number",
            "Practical hours in the span.",
            required=True,
            unit="hours",
        ),
        _fixed(
            "cost_per_hour",
            "number",
            "What an hour of the role costs us.",
            unit="currency an hour",
        ),
    ),
    begins="from_on",
)

PRODUCT = Table(
    "product",
    ("product_id",),
    "What we sell.",
    (
        _fixed("product_id", "id", "Names the product.", required=True),
        # How we sort what we sell, which is no news of any day.
        _fixed("name", "text", "What it is called."),
        _fixed("line", "code", "The family it belongs to."),
        _fixed("is_core", "boolean", "Whether it is our core business."),
        Column(
            "list_price",
            "number",
            "Price of one unit before any discount.",
            unit="currency a unit",
        ),
    ),
)

PROJECT = Table(
    "project",
    ("project_id",),
    "Work with a beginning and an end.",
    (
        _fixed("project_id", "id", "Names the project.", required=True),
        _ACCOUNT,
        Column("name", "text", "What it is called."),
        Column("kind", "code", "What sort of work."),
        Column("status", "code", "How far it has come; `parked` where it rests."),
        Column("role", "code", "The role it mostly needs."),
        Column("hours_spent", "number", "Hours put in so far.", unit="hours"),
        Column("hours_to_finish", "number", "Hours still needed.", unit="hours"),
        Column(
            "expected_contribution",
            "money",
            "What finishing it would bring.",
            unit="currency",
        ),
        Column("is_core", "boolean", "Whether it is our core business."),
        _fixed("started_on", "day", "Its first day."),
        Column("deadline_on", "day", "The day it must be done."),
        Column("stalled_by", "code", "What holds it up."),
    ),
    begins="started_on",
)

RATING = Table(
    "rating",
    (),
    "What people judge of an account.",
    (
        _ITS_ACCOUNT,
        _fixed("criterion", "code", "What was judged.", required=True),
        _fixed(
            "value",
            "number",
            "The judgement, from 0 (worst) to 10.",
            required=True,
            unit="0 to 10",
            bounds=(0.0, 10.0),
        ),
        _fixed("rated_by", "id", "Who judged.", refers_to="owner"),
        _fixed("rated_on", "day", "When."),
        _fixed("comment", "text", "Why."),
    ),
    born="rated_on",
)

EVENT = Table(
    "event",
    ("event_id",),
    "Dated shocks and exceptional items in our own story; they may lie ahead.",
    (
        _fixed("event_id", "id", "Names the event.", required=True),
        _fixed("from_on", "day", "Its first day.", required=True),
        Column(
            "to_on",
            "day",
            "Its last day; null: one day.",
            when="dated_by",
            dated_by="to_on",
        ),
        _fixed("label", "text", "What it was.", required=True),
        Column(
            "amount",
            "money",
            "What it brought; less than zero: what it cost.",
            unit="currency",
            when="dated_by",
            dated_by="to_on",
        ),
        _fixed("kind", "code", "What sort of event."),
        _ACCOUNT,
        _fixed("owner_id", "id", "Whom of us it concerns.", refers_to="owner"),
    ),
    begins="from_on",
)

DECISION = Table(
    "decision",
    (),
    "What people decided about an account.",
    (
        _ITS_ACCOUNT,
        _fixed("action", "code", "What was decided.", required=True),
        _fixed("decided_by", "id", "Who decided.", required=True, refers_to="owner"),
        _fixed("decided_on", "day", "When.", required=True),
        _fixed("reason", "text", "Why.", required=True),
        _fixed("review_on", "day", "When to look again."),
    ),
    born="decided_on",
)

EXCHANGE_RATE = Table(
    "exchange_rate",
    ("currency", "base", "from_on"),
    "What currencies were worth: 1 `currency` = `rate` `base`, from that day on.",
    (
        _fixed(
            "currency", "code", "ISO 4217 code of what is converted.", required=True
        ),
        _fixed("base", "code", "ISO 4217 code of what it becomes.", required=True),
        _fixed("from_on", "day", "First day of the rate.", required=True),
        _fixed(
            "rate",
            "number",
            "How much of `base` one `currency` is.",
            required=True,
            bounds=(1e-9, 1e9),
            unit="base for one currency",
        ),
    ),
    born="from_on",
)
