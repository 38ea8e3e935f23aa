"""Table, summary and plot of `benchmarks.tractability`."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.peers import versions
from benchmarks.report import write

Record = dict[str, Any]
OURS, BIGM, DESCENT = "icnn", "HiGHS, big-M", "descent"
RIVALS = (BIGM, "gurobi-machinelearning", "OMLT + HiGHS", "PySCIPOpt-ML")
LIMIT = 60.0
PICTURE = Path(__file__).parents[1] / "docs" / "tractability.png"
# Okabe & Ito's palette, told apart by colour-blind readers; a marker each besides.
LOOK = {
    OURS: ("#0072B2", "o", "input-convex: icnn.minimize, certified"),
    BIGM: ("#D55E00", "s", "unconstrained: big-M, HiGHS"),
    "gurobi-machinelearning": ("#009E73", "^", "unconstrained: gurobi-machinelearning"),
    "OMLT + HiGHS": ("#CC79A7", "D", "unconstrained: OMLT + HiGHS"),
    "PySCIPOpt-ML": ("#E69F00", "v", "unconstrained: PySCIPOpt-ML"),
}
CLAIM = (
    "Goal: at the largest size where the mixed-integer program of an unconstrained ReLU network "
    f"still finishes within {LIMIT:.0f} s, the input-convex network of equal size, fitted to the "
    "same rows, is minimised with proof at least 1,000 times faster."
)


def of(records: list[Record], **wanted: Any) -> list[Record]:
    """The records with these entries."""
    return [r for r in records if all(r[name] == value for name, value in wanted.items())]


def ratio(record: Record) -> float:
    """Seconds of a rival over those of `minimize` just before it."""
    return float(record["seconds"] / np.median(record["ours"][OURS]))


def span(values: list[float], form: str) -> str:
    """The median, and the ends where there are several."""
    middle = f"{np.median(values):{form}}"
    ends = f" ({min(values):{form}} to {max(values):{form}})" if len(values) > 1 else ""
    return middle + ends


def cell(part: list[Record]) -> str:
    """Seconds of a rival over the seeds, or how it failed."""
    if not part:
        return ""
    done = [r["seconds"] for r in part if r["finished"]]
    if len(done) == len(part):
        return span(done, ".2g")
    if "seconds" not in part[0]:
        return str(part[0]["status"])  # not installed, or refused in the tool's words
    gaps = [r["gap"] for r in part if not r["finished"] and "gap" in r]
    gap = f", gap {span(gaps, '.0%')}" if gaps else ", no point"
    missed = f"{len(part) - len(done)} of {len(part)} not in {LIMIT:.0f} s{gap}"
    return f"{span(done, '.2g')}; {missed}" if done else missed


def sizes(records: list[Record]) -> list[tuple[int, int]]:
    """(depth, width), in order."""
    return sorted({(r["depth"], r["width"]) for r in records})


def times(records: list[Record]) -> list[list[str]]:
    """One row a size."""
    rows = []
    for depth, width in sizes(records):
        here = of(records, depth=depth, width=width)
        ours = of(here, method=OURS)
        cells = [span([1e3 * r["seconds"] for r in ours], ".1f")]
        cells += [f"{max(r['gap'] for r in ours):.0e}"]
        cells += [f"{sum(r['finished'] for r in ours)} of {len(ours)}"]
        rows.append([f"{width}x{depth}", *cells, *(cell(of(here, method=m)) for m in RIVALS)])
    return rows


def summary(records: list[Record]) -> list[list[str]]:
    """For each rival and depth: where it still finishes, the ratios there, where it no longer does.

    A size counts as finished if all of its seeds are.
    """
    rows = []
    for method in RIVALS:
        for depth in sorted({r["depth"] for r in records}):
            mine = of(records, method=method, depth=depth)
            missed = sorted({r["width"] for r in mine if not r["finished"]})
            done = [w for w in sorted({r["width"] for r in mine}) if w not in missed]
            if not done:
                rows.append([method, str(depth), "none", "", "", "", _missed(mine, missed, 0)])
                continue
            here, own = of(mine, width=done[-1]), _own_largest(mine)
            cells = [str(done[-1]), span([r["seconds"] for r in here], ".3g")]
            cells += [span([ratio(r) for r in here], ",.0f"), span([ratio(r) for r in own], ",.0f")]
            rows.append([method, str(depth), *cells, _missed(mine, missed, done[-1])])
    return rows


def _own_largest(records: list[Record]) -> list[Record]:
    """For each seed the largest width that was finished on it."""
    done = of(records, finished=True)
    seeds = sorted({r["seed"] for r in done})
    return [max(of(done, seed=seed), key=lambda r: r["width"]) for seed in seeds]


def _missed(records: list[Record], missed: list[int], done: int) -> str:
    """The least width missed above `done`, those below it, and a refusal in the tool's words."""
    above, below = [w for w in missed if w > done], [str(w) for w in missed if w < done]
    text = str(above[0]) if above else "not reached"
    reason = of(records, width=above[0], finished=False)[0] if above else {"seconds": 0.0}
    text += "" if "seconds" in reason else f" ({reason['status']})"
    return text + (f"; missed at {', '.join(below)} too" if below else "")


def finding(records: list[Record]) -> str:
    """In how many of the rows of the summary the goal is met, by both ways of counting."""
    done = [r for r in records if r["method"] in RIVALS and r["finished"]]
    groups = {(r["method"], r["depth"]) for r in done}
    strict, own = [], []
    for method, depth in groups:
        mine = of(records, method=method, depth=depth)
        missed = {r["width"] for r in mine if not r["finished"]}
        last = max((r["width"] for r in mine if r["width"] not in missed), default=None)
        strict += [np.median([ratio(r) for r in of(mine, width=last)])] if last else [0.0]
        own.append(np.median([ratio(r) for r in _own_largest(mine)]))
    first, second = (
        f"{sum(r >= 1000 for r in part)} of {len(groups)} (least {min(part):,.0f} times)"
        for part in (strict, own)
    )
    return (
        f"Found, over pairs of rival and depth: met in {first} at the largest size finished on "
        f"every seed, and in {second} at each seed's own largest."
    )


def regrets(records: list[Record]) -> list[list[str]]:
    """What each decision costs on the generating function, and what each network explains."""
    rows = []
    for depth, width in sizes(records):
        here = of(records, depth=depth, width=width)
        local = of(here, method=DESCENT)
        if not local:
            continue
        ours, proved, above = of(here, method=OURS), [], []
        for r in local:
            exact = [q for q in of(here, seed=r["seed"]) if q["method"] in RIVALS and q["finished"]]
            if exact:
                proved.append(exact[0]["regret"])
                above.append(r["value"] - min(q["value"] for q in exact))
        cells = [span([r["r2"] for r in part], ".3f") for part in (ours, local)]
        cells += [span([r["regret"] for r in part], ".2f") for part in (ours, local)]
        cells += [span(proved, ".2f") if proved else "not known"]
        cells += [f"{max(above):.1e}" if above else "not known"]
        cells += [span([r["seconds"] for r in local], ".2f")]
        rows.append([f"{width}x{depth}", *cells])
    return rows


def markdown(header: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def draw(records: list[Record], path: Path = PICTURE) -> None:
    """Processor seconds against units, a panel a depth."""
    depths = sorted({r["depth"] for r in records})
    figure = Figure(figsize=(10.5, 4.3), layout="constrained")
    panels = figure.subplots(1, len(depths), sharey=True)
    for axes, depth in zip(panels, depths, strict=True):
        for method in LOOK:
            _line(axes, of(records, method=method, depth=depth), method)
        axes.axhline(LIMIT, color="#767676", linewidth=1, linestyle=(0, (5, 3)))
        axes.set_title(f"{depth} hidden layer{'s' if depth > 1 else ''}", fontsize=10.5)
        axes.set_xscale("log", base=2)
        axes.set_yscale("log")
        ticks = [8, 16, 32, 64, 128, 256, 512]
        axes.set_xticks(ticks, [str(t) for t in ticks])
        axes.minorticks_off()
        axes.set_xlabel("units a layer")
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="#e6e6e6", linewidth=0.7)
        axes.set_axisbelow(True)
    panels[0].set_ylabel("seconds to a proven minimum")
    note: dict[str, Any] = {"fontsize": 8, "color": "#555555", "ha": "right"}
    panels[-1].text(1.0, LIMIT * 1.15, f"limit {LIMIT:.0f} s; hollow: not finished", **note)
    panels[-1].texts[0].set_transform(panels[-1].get_yaxis_transform())
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, fontsize=8.5, frameon=False)
    figure.savefig(path, dpi=150)


def _line(axes: Axes, records: list[Record], method: str) -> None:
    """Medians joined, every run a dot, and hollow at the limit where a median has no end."""
    colour, marker, label = LOOK[method]
    timed = [r for r in records if "seconds" in r]
    widths = sorted({r["width"] for r in timed})
    value = {w: float(np.median([_shown(r) for r in of(timed, width=w)])) for w in widths}
    wide = 2.4 if method == OURS else 1.3
    style: dict[str, Any] = {"color": colour, "marker": marker, "markersize": 5}
    axes.plot(widths, list(value.values()), linewidth=wide, label=label, **style)
    seen = [r["width"] for r in timed], [_shown(r) for r in timed]
    axes.plot(*seen, ".", color=colour, markersize=4, alpha=0.5)
    missed = [w for w in widths if value[w] >= LIMIT]
    hollow: dict[str, Any] = {"markerfacecolor": "white", "zorder": 3, "linestyle": "none"}
    axes.plot(missed, [LIMIT] * len(missed), **(style | hollow))


def _shown(record: Record) -> float:
    return min(record["seconds"], LIMIT) if record["finished"] else LIMIT


def main(records: list[Record]) -> None:
    """Write table, summary and plot."""
    head = ["rival", "depth", "largest width finished on every seed", "seconds", "times ours"]
    head += ["times ours, each seed's own largest", "no longer at"]
    more = ["units", "R², ICNN", "R², free", "regret, ICNN", "regret, descent"]
    more += ["regret, proven", "descent above the minimum, at most", "descent, s"]
    peers = ", ".join(f"{name} {version}" for name, version in versions().items())
    notes = NOTES + "\n\n" + markdown(head, summary(records)) + "\n\n" + REGRET
    notes += "\n\n" + markdown(more, regrets(records)) + f"\n\nPeers (the extra `peers`): {peers}."
    header = ["units", "ICNN: ms", "largest gap", "proved", *(f"{m}: s" for m in RIVALS)]
    draw(records)
    write(
        "solve-tractability", f"{CLAIM} {finding(records)}", header, times(records), records, notes
    )


NOTES = "\n\n".join(
    [
        "Data: 2,000 rows of a convex function of 10 columns with known minimiser "
        '(`benchmarks.truths`, "mixed") on [-2, 2]^10, noise of 0.05 standard deviations. Both '
        "networks have the same hidden units and the same 1,500 steps of Adam; the ICNN has skip "
        "connections besides, which the other tools cannot load. Three seeds (function, rows, "
        "fits) for the ICNN, the big-M and the descent, the first of them for the other tools; "
        "median (least to largest).",
        "Seconds are processor seconds of one thread, so that a busy machine does not "
        "count, and the limit is in them too. Ours: the median of three whole calls of "
        "`minimize` (building, HiGHS, certificate). Theirs: the search alone, without building the "
        "model; for the big-M with its bounds of the units. Before each rival's run ours is "
        "timed again; "
        '"times ours" uses that figure. A method that misses the limit is not '
        "tried at larger widths of that depth and seed.",
        "Big-M: HiGHS on arrays, the same library as ours, bounds of every unit from intervals, "
        "from linear bounds carried to the box and from two LPs, and the best point of the "
        "descent as a start. The other tools run as they come, with one thread and tolerances "
        "of 1e-9. Finished: proved, and value (by the network itself in float64) and bound agree "
        "to 1e-6 of the range of f. Ours: `Decision.success`, the same tolerance, by its "
        "own certificate. Gaps are relative to that range.",
        "Where each still finishes; ratios are medians (least to largest) over seeds:",
    ]
)
REGRET = (
    "What the decision costs: the generating function at the decision above its least value, in "
    "its standard deviations. Descent: projected Adam from 100 uniform starts on the free network, "
    "the best end; it proves nothing. Proven: the global minimum of the free network, where a "
    "rival finished; only there is it known how far the descent is above it. The truth is convex, "
    "which the ICNN knows and the free network does not: that is why the former fits better."
)
