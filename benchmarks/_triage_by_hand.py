"""What would somebody who knows DuckDB and the rules write, for this one book?

The tables are those of the portfolio, so that amounts, moments and days are typed; whatever
this book does not have (answers on the record, accounts of enquiries) is left out.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

__all__ = ["by_hand"]


def by_hand(connection: Any, zone: str = "Europe/Paris") -> pa.Table:
    """The ten classes, how many are in each, and their amount in minor units.

    Args:
        connection: With the tables by their names.
        zone: Where the days of the book begin.
    """
    for statement in (_CALENDAR, _RECORDS, _CONTACTS, _MEASURES, _BY_STAGE):
        connection.execute(statement.replace("Europe/Paris", zone))
    return connection.sql(_TRIAGE.replace("Europe/Paris", zone)).to_arrow_table()


# Working seconds before each local day, nine to five from Monday to Friday.
_CALENDAR: Final = """
CREATE OR REPLACE TEMP TABLE calendar AS
SELECT day, 28800 * (sum(works) OVER (ORDER BY day) - works) AS before, works
FROM (
    SELECT t::DATE AS day, (isodow(t) < 6)::BIGINT AS works
    FROM generate_series(TIMESTAMP '2015-01-01', TIMESTAMP '2026-07-02',
                         INTERVAL 1 DAY) AS s(t)
);
CREATE OR REPLACE MACRO worked(before, works, local) AS
    before + works * greatest(0, least(28800,
        epoch_us(local::TIME) // 1000000 - 32400));
CREATE OR REPLACE MACRO here(s) AS
    timezone('Europe/Paris', make_timestamptz(s * 1000000));
CREATE OR REPLACE MACRO midnight_after(day) AS
    epoch_us(timezone('Europe/Paris', (day + 1)::TIMESTAMP)) // 1000000;
"""

# What was won and lost in the year, and each loss that did not last.
_RECORDS: Final = """
CREATE OR REPLACE TEMP TABLE turn AS
SELECT opportunity_id, epoch_us(changed_at) // 1000000 AS at_s, "new" = 'Lost' AS is_loss
FROM opportunity_change
WHERE field = 'stage'
  AND (coalesce("old", '') = 'Lost') <> (coalesce("new", '') = 'Lost');

CREATE OR REPLACE TEMP TABLE record AS
WITH ends AS (
    SELECT DISTINCT closed_on, midnight_after(closed_on) AS ends_s
    FROM opportunity WHERE closed_on IS NOT NULL
), closed AS (
    SELECT o.*, ends_s
    FROM opportunity o JOIN ends USING (closed_on)
    WHERE status IN ('won', 'lost')
      AND closed_on >= DATE '2025-07-01' AND closed_on < DATE '2026-07-01'
), last_opened AS (
    SELECT opportunity_id, max(at_s) AS starts_s
    FROM turn JOIN closed USING (opportunity_id)
    WHERE NOT is_loss AND at_s < ends_s
    GROUP BY 1
), loss AS (
    SELECT l.opportunity_id, l.at_s AS lost_s,
           max(o.at_s) FILTER (WHERE o.at_s <= l.at_s) AS from_s,
           1 + count(*) FILTER (WHERE o.at_s <= l.at_s) AS number
    FROM turn l JOIN turn o USING (opportunity_id)
    WHERE l.is_loss AND NOT o.is_loss
    GROUP BY ALL
    HAVING count(*) FILTER (WHERE o.at_s > l.at_s) > 0
)
SELECT opportunity_id AS record_id, opportunity_id, status, false AS is_episode,
       account_id, owner_id, pipeline, stage, kind,
       round(amount * 100)::BIGINT AS minor,
       epoch_us(created_at) // 1000000 AS created_s,
       coalesce(starts_s, -(2::BIGINT ** 40)::BIGINT) AS starts_s, ends_s,
       closed_on AS closed_day, coalesce(next_step, '') = '' AS has_no_step,
       coalesce(expected_close_on < closed_on, false) AS is_overdue,
       loss_reason, loss_reason_by, competitor, refused_on
FROM closed LEFT JOIN last_opened USING (opportunity_id)
UNION ALL
SELECT opportunity_id || '#' || number, opportunity_id, 'lost', true,
       account_id, owner_id, pipeline, stage, kind, NULL,
       epoch_us(created_at) // 1000000,
       coalesce(from_s, -(2::BIGINT ** 40)::BIGINT), lost_s + 1,
       here(lost_s)::DATE, false, false,
       NULL, NULL, NULL, NULL
FROM opportunity JOIN loss USING (opportunity_id)
WHERE here(lost_s)::DATE >= DATE '2025-07-01' AND here(lost_s)::DATE < DATE '2026-07-01';
"""

_CONTACTS: Final = """
CREATE OR REPLACE TEMP VIEW contact AS
SELECT opportunity_id, epoch_us(occurred_at) // 1000000 AS at_s,
       kind = 'meeting' OR direction = 'in' AS is_in,
       kind = 'meeting' OR coalesce(direction, 'out') <> 'in' AS is_out
FROM activity
WHERE opportunity_id IS NOT NULL AND coalesce(status, 'held') = 'held'
  AND coalesce(kind, '') <> 'automatic reply';

CREATE OR REPLACE TEMP TABLE pursuit AS
SELECT record_id, count(*) AS touches,
       count(*) FILTER (WHERE is_out) AS out_count,
       count(*) FILTER (WHERE is_in) AS in_count,
       min(at_s) AS first_s, max(at_s) AS last_s,
       min(at_s) FILTER (WHERE is_out) AS answered_s,
       max(at_s) FILTER (WHERE is_in) AS last_in_s
FROM contact JOIN record USING (opportunity_id)
WHERE at_s >= starts_s AND at_s < ends_s
GROUP BY 1;
"""

_MEASURES: Final = """
CREATE OR REPLACE TEMP TABLE won AS
SELECT opportunity_id, owner_id, coalesce(touches, 0) AS touches,
       CASE WHEN touches > 1
            THEN (last_s - first_s) // (touches - 1) // 3600 END AS gap_hours
FROM record LEFT JOIN pursuit USING (record_id) WHERE status = 'won';

CREATE OR REPLACE TEMP TABLE measure AS
SELECT quantile_cont(touches, 0.25) AS few, quantile_cont(touches, 0.5) AS enough,
       greatest(30, quantile_cont(gap_hours, 0.5) * 2 / 24) AS silent_days,
       avg((touches > 0)::INT) >= 0.5 AS is_captured,
       (SELECT quantile_disc(minor, 0.5) FROM record WHERE NOT is_episode) AS value
FROM won;

CREATE OR REPLACE TEMP TABLE capture AS
SELECT owner_id, avg((touches > 0)::INT) >= 0.5 AS is_captured
FROM won WHERE owner_id IS NOT NULL GROUP BY 1 HAVING count(*) >= 5;

CREATE OR REPLACE TEMP TABLE median AS
SELECT pipeline, stage, quantile_disc(minor, 0.5) AS stage_minor
FROM record WHERE status = 'lost' AND NOT is_episode GROUP BY ALL;
"""

_BY_STAGE: Final = """
CREATE OR REPLACE TEMP TABLE by_stage AS
WITH move AS (
    SELECT w.opportunity_id, r.pipeline, r.ends_s,
           epoch_us(changed_at) // 1000000 AS at_s,
           CASE WHEN s.status = 'open' THEN s.position ELSE 99 END AS arrived
    FROM won w JOIN record r ON r.record_id = w.opportunity_id
    JOIN opportunity_change c ON c.opportunity_id = w.opportunity_id
    JOIN stage s ON s.pipeline = r.pipeline AND s.stage = c."new"
    WHERE c.field = 'stage'
), exit AS (
    SELECT m.opportunity_id, m.pipeline, s.position,
           least(max(m.ends_s), min(at_s) FILTER (WHERE arrived > s.position)) AS exit_s
    FROM move m JOIN stage s ON s.pipeline = m.pipeline AND s.status = 'open'
    GROUP BY ALL
), counted AS (
    SELECT e.pipeline, e.position, count(at_s) AS touches
    FROM exit e LEFT JOIN contact c
      ON c.opportunity_id = e.opportunity_id AND c.at_s < e.exit_s
    GROUP BY e.opportunity_id, e.pipeline, e.position
)
SELECT pipeline, position, quantile_cont(touches, 0.25) AS few,
       quantile_cont(touches, 0.5) AS enough
FROM counted GROUP BY ALL HAVING count(*) >= 5;
"""

_TRIAGE: Final = """
WITH lost AS (
    SELECT r.*, coalesce(touches, 0) AS touches, coalesce(out_count, 0) AS out_count,
           coalesce(in_count, 0) AS in_count, last_s, answered_s, last_in_s,
           here(created_s) AS created_at, here(answered_s) AS answered_at,
           coalesce(last_s, created_s) AS quiet_s
    FROM record r LEFT JOIN pursuit USING (record_id) WHERE status = 'lost'
), before AS (
    SELECT record_id, arg_min_null("old", changed_at) AS owner_then
    FROM lost JOIN opportunity_change c USING (opportunity_id)
    WHERE field = 'owner_id' AND epoch_us(changed_at) // 1000000 > quiet_s
    GROUP BY 1
), passed AS (
    SELECT record_id, pipeline, unnest([c."old", c."new"]) AS stage
    FROM lost JOIN opportunity_change c USING (opportunity_id)
    WHERE field = 'stage' AND epoch_us(changed_at) // 1000000 >= starts_s
      AND epoch_us(changed_at) // 1000000 < ends_s
), reached AS (
    SELECT record_id, max(position) AS position, max(is_proposal) AS had_offer
    FROM passed JOIN stage s USING (pipeline, stage)
    WHERE s.status = 'open' GROUP BY 1
), again AS (
    SELECT DISTINCT l.record_id
    FROM lost l JOIN opportunity w USING (account_id)
    WHERE NOT l.is_episode AND w.status = 'won'
      AND abs(here(l.created_s)::DATE - timezone('Europe/Paris', w.created_at)::DATE) <= 7
      AND greatest(abs(l.minor), abs(w.amount)) > 0
      AND abs(l.minor - round(w.amount * 100)::BIGINT)
        <= 0.05 * greatest(abs(l.minor), abs(round(w.amount * 100)::BIGINT))
), told AS (
    SELECT l.*, coalesce(l.minor, stage_minor) AS valued,
           coalesce(had_offer, false) AS had_offer,
           coalesce(b.few, m.few) AS few, coalesce(b.enough, m.enough) AS enough_there,
           m.enough, m.value, m.silent_days AS silence,
           coalesce(c.is_captured, m.is_captured) AS is_captured,
           closed_day - here(last_s)::DATE AS silent_days,
           CASE WHEN answered_s > created_s
                THEN worked(w2.before, w2.works, answered_at)
                   - worked(w1.before, w1.works, l.created_at) ELSE 0 END AS response_s,
           in_count > 0 AND out_count > 0 AS two_way,
           coalesce(loss_reason_by, 'seller') <> 'client' AS by_us,
           lower(replace(loss_reason, '_', ' ')) AS reason
    FROM lost l CROSS JOIN measure m
    LEFT JOIN before USING (record_id) LEFT JOIN reached USING (record_id)
    LEFT JOIN median d ON d.pipeline = l.pipeline AND d.stage = l.stage
                      AND NOT l.is_episode
    LEFT JOIN by_stage b ON b.pipeline = l.pipeline AND b.position = reached.position
    LEFT JOIN capture c ON c.owner_id = coalesce(owner_then, l.owner_id)
    LEFT JOIN calendar w1 ON w1.day = l.created_at::DATE
    LEFT JOIN calendar w2 ON w2.day = l.answered_at::DATE
    WHERE l.record_id NOT IN (SELECT record_id FROM again)
), decided AS (
    SELECT *, competitor IS NULL AND refused_on IS NULL AND (reason IS NULL OR reason IN (
               'no decision', 'no response', 'budget frozen', 'project cancelled',
               'project canceled', 'postponed', 'timing', 'on hold', 'did nothing',
               'other', 'unknown', 'none')) AS nobody_chose
    FROM told
), judged AS (
    SELECT CASE
        WHEN NOT is_captured THEN 'data_insufficient'
        WHEN created_at::DATE = closed_day AND touches = 0 THEN 'data_insufficient'
        WHEN by_us AND NOT had_offer AND two_way
             AND reason IN ('not a fit', 'no budget', 'ethics') THEN 'disqualified'
        WHEN by_us AND reason = 'duplicate' THEN 'disqualified'
        WHEN kind = 'renewal' THEN 'lost_client'
        WHEN answered_s IS NULL THEN 'missed_unseen'
        WHEN response_s > 86400 AND NOT coalesce(last_in_s > answered_s, false)
             THEN 'missed_late'
        WHEN two_way AND silent_days >= silence AND (has_no_step OR is_overdue)
             THEN 'missed_neglected'
        WHEN valued >= value AND touches < few AND NOT had_offer
             THEN 'missed_underinvested'
        WHEN (had_offer OR touches >= enough) AND NOT nobody_chose
             AND NOT (by_us AND competitor IS NULL
                      AND coalesce(reason IN ('not a fit', 'no budget', 'ethics'), false))
             THEN 'pursued_lost'
        WHEN (had_offer OR touches >= enough_there) AND nobody_chose THEN 'no_decision'
        ELSE 'unclassified' END AS class, valued AS minor
    FROM decided
), asked AS (
    SELECT opportunity_id, first_response_at, here(epoch_us(created_at) // 1000000) AS came,
           here(epoch_us(first_response_at) // 1000000) AS answered
    FROM enquiry
    WHERE created_at >= timezone('Europe/Paris', TIMESTAMP '2025-07-01')
      AND created_at < timezone('Europe/Paris', TIMESTAMP '2026-07-01')
), kept AS (
    SELECT coalesce(avg((answered IS NOT NULL)::INT) >= 0.5, false) AS is_kept
    FROM asked WHERE opportunity_id IS NOT NULL
), waited AS (
    SELECT CASE
        WHEN NOT is_kept THEN 'data_insufficient'
        WHEN answered IS NULL AND (SELECT before FROM calendar WHERE day = '2026-07-01')
             - worked(c.before, c.works, came) > 86400 THEN 'missed_unseen'
        WHEN worked(d.before, d.works, answered) - worked(c.before, c.works, came) > 86400
             THEN 'missed_late' END AS class, NULL::BIGINT AS minor
    FROM asked CROSS JOIN kept
    JOIN calendar c ON c.day = came::DATE LEFT JOIN calendar d ON d.day = answered::DATE
    WHERE opportunity_id IS NULL
)
SELECT class, count(*) AS n, coalesce(sum(minor), 0)::BIGINT AS minor
FROM (FROM judged UNION ALL FROM waited) WHERE class IS NOT NULL
GROUP BY class ORDER BY class
"""
