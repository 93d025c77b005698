"""What does a person do when a store refuses?

What a store's client says is not repeated: it quotes requests, and with them keys and
signatures. The status, the store's own code and our address are enough to act on.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crm_portfolio.errors import (
    CrmPortfolioError,
    MissingExtraError,
    RightMissingError,
    SettingsError,
    TransientError,
)

__all__ = ["EXTRA", "needs_extra", "problem_of", "translated"]

EXTRA: Final = "remote"
OUT_OF_REACH: Final = "archive_out_of_reach"
_STATUS: Final = re.compile(r"status code: (\d{3})")
_CODE: Final = re.compile(r"<Code>(\w{1,40})</Code>")
# Where the clients look for a login when the environment holds none.
_ASKED_THE_MACHINE: Final = re.compile(
    r"/latest/(?:api/token|meta-data)|computeMetadata|/metadata/identity"
)
_REFUSED: Final = frozenset({"401", "403"})
_LATER: Final = frozenset({"408", "409", "425", "429"})


@contextmanager
def needs_extra() -> Iterator[None]:
    """A package that only stores need."""
    try:
        yield
    except ImportError as error:
        raise MissingExtraError(error.name or "obstore", EXTRA) from error


@contextmanager
def translated() -> Iterator[None]:
    """What an object store's client raises, as an `OSError` that holds no secret."""
    from obstore import exceptions as theirs

    try:
        yield
    except FileNotFoundError as error:
        if "NoSuchBucket" in str(error):
            raise OSError(errno.ENODEV, "there is no such bucket") from None
        raise FileNotFoundError(errno.ENOENT, "there is no such file") from None
    except (theirs.AlreadyExistsError, theirs.PreconditionError):
        raise FileExistsError(errno.EEXIST, "another one was quicker") from None
    except theirs.NotSupportedError:
        raise OSError(errno.ENOTSUP, "the store cannot do this") from None
    except theirs.BaseError as error:
        raise _told(str(error)) from None


def _told(text: str) -> OSError:
    status = found[1] if (found := _STATUS.search(text)) else ""
    code = found[1] if (found := _CODE.search(text)) else ""
    answer = " ".join(filter(None, (status, code)))
    if code == "NoSuchBucket":
        return OSError(errno.ENODEV, "there is no such bucket")
    if _ASKED_THE_MACHINE.search(text):
        return PermissionError(errno.EACCES, "there is no login in the environment")
    if "BadScheme" in text:
        insecure = "it is reached without TLS, which AWS_ALLOW_HTTP=true would allow"
        return OSError(errno.EPROTO, insecure)
    if status in _REFUSED:
        return PermissionError(errno.EACCES, f"it answered {answer}")
    if status and status[0] in "34" and status not in _LATER:
        return OSError(errno.EIO, f"it answered {answer}")
    return ConnectionError(errno.ECONNABORTED, f"it answered {answer or 'nothing'}")


def problem_of(address: str, error: OSError) -> CrmPortfolioError:
    """What a store refused, with what a person can do about it."""
    said = error.strerror or type(error).__name__
    if isinstance(error, PermissionError):
        return RightMissingError(
            address,
            f"the store refuses this login: {said}. The login is in the environment; it "
            "needs the rights to list, read, put and delete under this address",
        )
    if isinstance(error, ConnectionError | TimeoutError):
        return TransientError(
            address, f"the store cannot be used now: {said}", OUT_OF_REACH
        )
    return SettingsError(
        f"the archive {address!r} cannot be used: {said}. Mend the address, or what the "
        "environment says of the store; then do the same again."
    )
