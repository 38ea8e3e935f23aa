"""`python -m benchmarks GROUP NAME` runs one benchmark; without arguments it lists them."""

import importlib
import sys

BENCHMARKS = {
    ("fit", "tables"): "benchmarks.tables",
    ("fit", "cvxreg"): "benchmarks.convex_regression",
