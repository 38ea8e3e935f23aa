"""How fast sums of max(0, x - t) follow convex functions, against the best there is."""

import math
import time

import numpy as np

from benchmarks.report import write
from icnn.theory import expansion_error, relu_expansion

PIECES = (8, 32, 128, 512)
CURVED = {  # name: function, interval, ∫ √f''
    "x²": (lambda x: x * x, (-1.0, 2.0), 3 * math.sqrt(2)),
    "eˣ": (np.exp, (-1.0, 2.0), 2 * (math.exp(1) - math.exp(-0.5))),
    "log(eˣ + e⁻ˣ)": (lambda x: np.logaddexp(x, -x), (-3.0, 3.0), 2 * math.atan(math.sinh(3))),
    "log(1 + eˣ)": (lambda x: np.logaddexp(0, x), (-6.0, 6.0), 2 * math.atan(math.sinh(3))),
    "Huber": (lambda x: np.where(abs(x) <= 1, x * x / 2, abs(x) - 0.5), (-3.0, 3.0), 2.0),
}
CLAIM = (
    "Claim: with K pieces the guaranteed error of `relu_expansion` is (∫ √f'')² / (16 K²) times at "
    "most 1.05 from K = 128 on; that is the constant of the best continuous piecewise linear "
    "functions (half of the equal gaps f'' h² / 8 under K chords)."
)


def main() -> None:
    """Error times 16 K² / (∫ √f'')² for each function and K."""
    rows, records = [], []
    for name, (f, interval, root) in CURVED.items():
        cells = []
        for pieces in PIECES:
            began = time.perf_counter()
            g = relu_expansion(f, interval, units=pieces - 1)
            seconds = time.perf_counter() - began
            bound = expansion_error(g, f, interval)
            ratio = bound * 16 * pieces**2 / root**2
            cells.append(f"{bound:.3e} ({ratio:.4f})")
            records.append(
                {"f": name, "pieces": pieces, "bound": bound, "ratio": ratio, "s": seconds}
            )
            assert pieces < 128 or 0.999 <= ratio <= 1.05, f"the claim does not hold: {ratio}"
        rows.append([name, f"[{interval[0]:g}, {interval[1]:g}]", *cells])
    header = ["f", "interval", *(f"K = {pieces}" for pieces in PIECES)]
    notes = "Guaranteed error, and in parentheses its ratio to the asymptotic optimum."
    write("theory-expansion", CLAIM, header, rows, records, notes)


if __name__ == "__main__":
    main()
