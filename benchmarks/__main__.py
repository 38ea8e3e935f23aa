"""`python -m benchmarks GROUP NAME` runs one benchmark; without arguments it lists them."""

import importlib
import sys

BENCHMARKS = {
    ("fit", "tables"): "benchmarks.tables",
    ("fit", "cvxreg"): "benchmarks.convex_regression",
    ("fit", "trials"): "benchmarks.trials",
    ("fit", "soc"): "benchmarks.soc_fit",
    ("fit", "hycnn"): "benchmarks.fit_hycnn",
    ("fit", "speed"): "benchmarks.fit_speed",
    ("fit", "lpcf"): "benchmarks.fit_lpcf",
    ("solve", "bundle"): "benchmarks.bundle",
    ("solve", "batch"): "benchmarks.batch",
    ("solve", "crossover"): "benchmarks.crossover",
    ("solve", "grid"): "benchmarks.grid",
    ("solve", "torch"): "benchmarks.primal_dual",
    ("solve", "prepared"): "benchmarks.prepared",
    ("solve", "overhead"): "benchmarks.overhead",
    ("solve", "resolve"): "benchmarks.resolve",
    ("solve", "tractability"): "benchmarks.tractability",
    ("decide", "activations"): "benchmarks.activations",
    ("decide", "simulators"): "benchmarks.decide_simulators",
    ("decide", "soc"): "benchmarks.soc",
    ("decide", "kim"): "benchmarks.decide_kim",
    ("study", "pictures"): "benchmarks.nonneg_study",
    ("theory", "activations"): "benchmarks.activation_table",
    ("theory", "expansion"): "benchmarks.expansion",
    ("theory", "floor"): "benchmarks.relu_floor",
}


def main() -> int:
    name = tuple(sys.argv[1:3])
    if name not in BENCHMARKS:
        for group, which in BENCHMARKS:
            print(f"python -m benchmarks {group} {which}")
        return 2
    try:
        benchmark = importlib.import_module(BENCHMARKS[name])
    except ModuleNotFoundError as error:
        if str(error.name).split(".")[0] in ("icnn", "benchmarks"):
            raise
        extras = 'pip install -c constraints.txt -e ".[bench,peers]"'
        print(f"{' '.join(name)} needs {error.name}: {extras}", file=sys.stderr)
        return 2
    benchmark.main()
    return 0


if __name__ == "__main__":
    sys.exit(main())
