"""What holds of a row because it holds of one that stands above it?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from crm_portfolio._methods._cuts import Groups

__all__ = ["least_above"]


def least_above(values: npt.NDArray[np.int64], above: Groups) -> Groups:
    """Where the least value stands among each row and all rows above it.

    The nearest of equal ones. Rows may stand above each other in a loop.

    Args:
        above: The place of the row above each; −1 where there is none.
    """
    who: Groups = np.arange(values.size, dtype=np.int64)
    up = np.append(above, -1).astype(np.int64)
    # Each round looks twice as far up; a loop only meets itself again.
    for _ in range(values.size.bit_length()):
        other = np.append(who, -1)[up[:-1]]
        is_less = (other >= 0) & (values[other] < values[who])
        who = np.where(is_less, other, who)
        up = up[up]
    return who
