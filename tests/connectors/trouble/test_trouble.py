"""Which trouble can a CRM make, and which tests show that we outlast it?"""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

import attrs
import pytest

from crm_portfolio.simulator._faults import KINDS

# By which CRM a test is tried, as its arguments tell.
BOTH: Final = frozenset(
    {"org", "reading", "every_reading", "csv_reading", "by_cursor", "writing"}
)
SALESFORCE: Final = frozenset(
    {"salesforce", "salesforce_reading", "salesforce_writing", "bulk_reading", "ingest"}
)
HUBSPOT: Final = frozenset(
    {"hubspot", "hubspot_reading", "hubspot_writing", "export", "dated"}
)


@attrs.frozen
class Row:
    """A kind of trouble and the tests of it; ``salesforce`` and ``hubspot`` say why not."""

    trouble: str
    tests: tuple[str, ...]
    salesforce: str = ""
    hubspot: str = ""


ROWS: Final = (
    Row(
        "401 once; 401 for ever",
        (
            "test_a_session_that_ends_at_any_call_of_a_pull_is_renewed_once",
            "test_every_session_may_end_while_pages_come",
            "test_a_session_refused_for_ever_is_a_log_in_error_at_any_call",
            "test_a_token_that_cannot_be_renewed_is_refused_once",
            "test_a_log_in_that_is_refused_is_not_tried_for_ever",
            "test_a_session_that_ends_at_any_call_of_a_write_is_renewed_once",
            "test_a_session_refused_for_ever_at_a_write_leaves_all_as_it_was",
        ),
    ),
    Row(
        "the day's quota is spent at call n",
        (
            "test_a_spent_day_ends_a_pull_at_once_and_the_next_one_goes_on",
            "test_what_was_read_before_the_day_was_spent_is_not_read_again",
            "test_a_spent_day_ends_a_write_and_tells_exactly_what_is_written",
            "test_a_pull_to_a_folder_that_met_the_end_of_the_day_goes_on",
            "test_a_share_of_the_day_is_left_for_everyone_else",
        ),
    ),
    Row(
        "429 of each limit, with and without Retry-After",
        (
            "test_hubspot_s_window_is_waited_for_and_no_longer",
            "test_hubspot_s_day_is_not_waited_for",
            "test_hubspot_s_other_waits_are_kept",
            "test_a_move_that_takes_a_day_is_not_sat_out",
            "test_salesforce_s_crowd_is_outwaited",
            "test_salesforce_s_crowd_makes_every_thread_wait",
            "test_salesforce_s_retry_after_is_waited_for",
            "test_a_crowd_that_stays_is_a_transient_error",
        ),
    ),
    Row(
        "500, 502, 503, 504 at call n; reset before and after a write took effect",
        (
            "test_one_page_that_fails_is_asked_for_once_more",
            "test_whatever_stands_in_the_place_of_a_page_is_no_page",
            "test_any_call_of_a_pull_may_fail_once",
            "test_a_page_that_fails_for_ever_ends_in_a_transient_error_and_no_row_is_lost",
            "test_a_write_whose_answer_is_none_is_sent_again",
            "test_one_lost_answer_to_any_call_of_a_write_costs_nothing",
            "test_answers_that_stay_lost_leave_unknown_what_may_be_written",
        ),
    ),
    Row(
        "a body cut amid JSON or CSV",
        (
            "test_a_wire_that_breaks_at_any_reply_costs_one_call",
            "test_a_write_whose_wire_breaks_is_written_once_and_told",
            "test_a_file_that_arrives_broken_is_fetched_again",
            "test_a_file_may_be_cut_anywhere",
            "test_a_file_that_stays_broken_ends_and_the_next_process_goes_on",
        ),
    ),
    Row(
        "CSV with BOM, CRLF, null bytes, without charset; odd names",
        (
            "test_a_csv_in_another_dress_says_the_same",
            "test_names_come_to_the_letter",
            "test_names_come_to_the_letter_in_csv",
            "test_what_came_of_a_job_is_read_however_it_is_written",
        ),
    ),
    Row(
        "a page with fewer rows than asked for; an empty page with a next link",
        (
            "test_a_page_with_fewer_rows_than_asked_for_is_not_the_last",
            "test_every_page_may_be_short",
            "test_an_empty_page_that_leads_to_a_next_one_is_not_the_last",
            "test_pages_that_stay_empty_end_in_an_error_not_in_a_circle",
        ),
    ),
    Row(
        "more changes of one moment than a page holds",
        ("test_more_changes_of_one_moment_than_a_page_all_come_and_end",),
    ),
    Row(
        "a row changes while pages come",
        (
            "test_a_row_that_is_changed_while_pages_come_is_there_once_and_then_anew",
            "test_a_row_that_is_deleted_while_pages_come_is_told_gone_at_last",
        ),
    ),
    Row(
        "a record deleted or merged between pull and write",
        ("test_who_is_deleted_or_merged_between_pull_and_write_is_gone",),
    ),
    Row(
        "locks for the first r attempts",
        (
            "test_a_record_locked_for_so_many_writes_is_written_by_the_next",
            "test_a_record_locked_longer_than_our_patience_is_rejected_alone",
            "test_a_locked_portal_is_written_when_it_opens",
        ),
    ),
    Row(
        "a job of writes that failed with rows unprocessed",
        (
            "test_of_a_job_that_fails_every_record_is_accounted_for",
            # It has no jobs that write; what it has is a batch that is done in part.
            "test_of_a_batch_that_is_done_in_part_every_record_is_accounted_for",
        ),
    ),
    Row(
        "a job that never completes",
        (
            "test_a_query_job_that_never_ends_is_given_up_with_a_word",
            "test_a_job_of_writes_that_never_ends_is_stopped_and_accounted_for",
            "test_an_export_that_never_ends_or_fails_is_replaced_by_pages",
            "test_exports_that_are_used_up_are_replaced_by_pages",
        ),
    ),
    Row(
        "an address beyond 8 KB (HubSpot) or 16 KB (Salesforce)",
        (
            "test_more_columns_than_an_address_holds_come_in_parts",
            "test_as_many_ids_as_a_plan_has_are_read_by_post",
        ),
    ),
    Row(
        "a locator that is dead; 409 on another version",
        (
            "test_a_dead_cursor_costs_a_call_and_no_row",
            "test_a_cursor_that_is_dead_in_the_next_process_is_gone_on_from",
            "test_a_job_of_another_version_is_read_with_its_own",
            "test_a_cursor_is_plain_text_for_another_process",
        ),
    ),
    Row(
        "a field hidden, a choice taken away, a number's scale or type changed",
        (
            "test_a_field_hidden_since_setup_is_named_before_anything_is_sent",
            "test_a_field_hidden_while_we_write_is_named_in_each_rejection",
            "test_a_choice_that_was_taken_away_is_rejected_and_its_field_named",
            "test_a_number_that_lost_its_decimals_is_named_before_anything_is_sent",
            "test_a_number_that_became_too_narrow_is_rejected_and_named",
            "test_a_property_that_became_another_type_is_rejected_and_named",
        ),
    ),
    Row(
        "a property that 2026-09 requires under a condition",
        ("test_a_property_that_2026_09_requires_is_named",),
        salesforce="it has no paths of 2026-09; its required fields are in describe",
    ),
    Row(
        "a slow CRM",
        (
            "test_four_tables_of_a_slow_crm_take_about_the_time_of_the_longest",
            "test_a_slow_call_is_given_up_and_made_again",
            "test_patience_longer_than_the_crm_is_slow_costs_no_call",
            "test_a_reply_that_never_comes_is_given_up_after_the_timeout",
            "test_a_crm_that_never_replies_is_a_transient_error_in_bounded_time",
        ),
    ),
)


def modules() -> list[ast.Module]:
    """Those of this folder but this one."""
    files = Path(__file__).parent.glob("test_*.py")
    others = [file for file in files if file.name != Path(__file__).name]
    return [ast.parse(file.read_text("utf-8")) for file in others]


def written_tests() -> dict[str, frozenset[str]]:
    """Each test, and its arguments."""
    return {
        node.name: frozenset(arg.arg for arg in node.args.args)
        for module in modules()
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def named_kinds() -> set[str]:
    """Every text that is a kind of fault."""
    return {
        str(node.value)
        for module in modules()
        for node in ast.walk(module)
        if isinstance(node, ast.Constant) and node.value in KINDS
    }


def test_no_row_is_without_a_test_and_no_test_without_a_row() -> None:
    listed = [name for row in ROWS for name in row.tests]
    assert all(row.tests for row in ROWS)
    assert sorted(listed) == sorted(written_tests())
    assert len(ROWS) == 18


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.trouble)
def test_a_row_is_tried_in_both_crms_or_says_why_not(row: Row) -> None:
    tests = written_tests()
    given = frozenset().union(*(tests[name] for name in row.tests))
    for crm, reason in ((SALESFORCE, row.salesforce), (HUBSPOT, row.hubspot)):
        is_tried = bool(given & (BOTH | crm))
        assert is_tried is not bool(reason)


def test_every_kind_of_fault_is_used() -> None:
    # Where a link or a redirect leads is a matter of hosts, and has tests of its own.
    assert set(KINDS) - named_kinds() == {"elsewhere", "links_elsewhere"}
