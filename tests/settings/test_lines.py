"""Is every key found on the line where it stands?"""

from __future__ import annotations

from crm_portfolio.settings._lines import line_of, lines_of

TEXT = '''# a comment
currency = "EUR"

[limits]   # what one plan may touch
max_share = 0.2
max_share_by_field = { tier = 0.1 }

[salesforce]
tables = [
  "account",   # [not a table]
  "owner",
]
[salesforce.fields."my table"]
"odd key" = """
[not.a.table]
x = 1
"""
last.one = 3
'''


def test_they_are_found_through_comments_lists_and_texts_of_several_lines() -> None:
    lines = lines_of(TEXT)
    assert lines["currency",] == 2
    assert lines["limits",] == 4
    assert lines["limits", "max_share"] == 5
    assert lines["limits", "max_share_by_field", "tier"] == 6
    assert lines["salesforce", "tables"] == 9
    assert lines["salesforce", "fields", "my table", "odd key"] == 14
    assert lines["salesforce", "fields", "my table", "last", "one"] == 18
    assert not any("not" in path for path in lines)


def test_what_is_not_there_is_where_its_table_is() -> None:
    lines = lines_of(TEXT)
    assert line_of(("limits", "max_age_hours"), lines) == 4
    assert line_of(("tiers", "count"), lines) is None
