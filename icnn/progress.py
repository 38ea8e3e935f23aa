"""Progress bars: the one user of tqdm."""

from typing import Any

from tqdm import tqdm


def bar(what: str, total: int, progress: bool | None) -> Any:
    """A bar with tqdm's `update`, `set_postfix` and `close`.

    Args:
        what: stands before the bar.
        total: where it ends.
        progress: whether it shows; None hides it where nobody looks (no terminal).
    """
    hidden = None if progress is None else not progress
    return tqdm(total=total, desc=what, disable=hidden, leave=False)
