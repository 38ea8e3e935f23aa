"""Dataset: a table with the names, units and origin that its numbers need."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, final

if TYPE_CHECKING:
    import pandas as pd


@final
@dataclass(frozen=True, eq=False)
class Dataset:
    """A table and what its columns are for.

    ``units`` names every column of ``frame``. Each loader reads a fresh frame, so changing it
    changes nothing else.
    """

    name: str
    frame: pd.DataFrame
    decisions: tuple[str, ...]
    context: tuple[str, ...]
    targets: tuple[str, ...]
    units: dict[str, str]
    source: str
    licence: str
    question: str

    def __repr__(self) -> str:
        """Say in a few lines what the table holds."""
        lines = [f"Dataset {self.name}: {len(self.frame)} rows. {self.question}"]
        for role in ("decisions", "context", "targets"):
            columns = ", ".join(f"{c} [{self.units[c]}]" for c in getattr(self, role))
            lines.append(f"  {role + ':':<11}{columns or 'none'}")
        lines.append(f"  {'source:':<11}{self.source} ({self.licence})")
        return "\n".join(lines)


def read(file: str) -> pd.DataFrame:
    """Read one CSV file of the package."""
    import pandas as pd

    with resources.files("icnn.datasets").joinpath("data", file).open("rb") as stream:
        return pd.read_csv(stream)
