"""What did each run intend, and what came of it?

An archive is a folder, of this machine or in a store. Each run has its own: the plan as it was applied, and a journal of
numbered segments that are written once, before and after each call to the CRM, and hold
the digest of the one before. Beside them are an index of the runs, whose lines hold each
other too, and the locks on the orgs. Ids, managed values and codes stand in an archive,
never names.
"""

from __future__ import annotations

from crm_portfolio.archive._address import address_of, is_address
from crm_portfolio.archive._archive import Archive
from crm_portfolio.archive._entries import ChangeState, Entry, Key, Ref, key_of
from crm_portfolio.archive._failed import PERMANENT, Mended, read_mended
from crm_portfolio.archive._file import read_file, write_file
from crm_portfolio.archive._heard import Heard
from crm_portfolio.archive._index import IndexedRun
from crm_portfolio.archive._journal import CANARY, Journal
from crm_portfolio.archive._lease import Lease
from crm_portfolio.archive._read_again import ReadAgain
from crm_portfolio.archive._segments import Segment, SegmentKind
from crm_portfolio.archive._spool import Lines, Spool
from crm_portfolio.archive._standing import Standing
from crm_portfolio.archive._told import Told
from crm_portfolio.archive._verify import Verification, VerifiedRun

__all__ = [
    "CANARY",
    "PERMANENT",
    "Archive",
    "ChangeState",
    "Entry",
    "Heard",
    "IndexedRun",
    "Journal",
    "Key",
    "Lease",
    "Lines",
    "Mended",
    "ReadAgain",
    "Ref",
    "Segment",
    "SegmentKind",
    "Spool",
    "Standing",
    "Told",
    "Verification",
    "VerifiedRun",
    "address_of",
    "is_address",
    "key_of",
    "read_file",
    "read_mended",
    "write_file",
]
