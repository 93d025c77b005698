"""What is written only where somebody asks for it?"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, get_args

import attrs

from crm_portfolio.errors import SettingsError, did_you_mean
from crm_portfolio.schema import OptIn

__all__ = ["WriteSettings", "must_be_opt_ins"]


def must_be_opt_ins(also: Collection[str]) -> None:
    """Check that each is the name of something that is written on request only.

    Raises:
        SettingsError: It names the first that is none.
    """
    known = get_args(OptIn)
    if isinstance(also, str):
        raise SettingsError(f"write.also is a list, such as [{also!r}]")
    for name in also:
        if name not in known:
            raise SettingsError(
                f"write.also names {name!r}, which is none of {', '.join(known)}"
                + did_you_mean(name, known)
            )


def _listed(value: Any) -> Any:
    return value if isinstance(value, str) else tuple(value)


def _are_opt_ins(_: object, __: attrs.Attribute[Any], value: tuple[str, ...]) -> None:
    must_be_opt_ins(value)


@attrs.frozen
class WriteSettings:
    """What is written besides what always is; `setup` makes the fields of it.

    Attributes:
        also: ``decision``: what a person decided of an account, on which day, and when
            to look at it again. ``lost_class``: of opportunities, how one that was lost
            was pursued. ``win_back``: of opportunities, the place among the losses that
            deserve another try, and the day before which the client is left in peace.
    """

    also: tuple[OptIn, ...] = attrs.field(
        default=(), converter=_listed, validator=_are_opt_ins
    )
