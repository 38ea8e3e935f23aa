"""table: every activation of torch.nn, judged, as Markdown."""

from __future__ import annotations

from torch import nn
from torch.nn.modules import activation

from icnn.theory.activations import ActivationReport, activation_report
from icnn.theory.formulas import SEVERAL

OPTIONS: dict[str, list[nn.Module]] = {  # where defaults are missing, or options change the answer
    "CELU": [nn.CELU(), nn.CELU(0.5), nn.CELU(2.0)],
    "ELU": [nn.ELU(), nn.ELU(0.5), nn.ELU(1.5)],
    "GELU": [nn.GELU(), nn.GELU("tanh")],
    "Hardshrink": [nn.Hardshrink(), nn.Hardshrink(0.0)],
    "Hardtanh": [nn.Hardtanh(), nn.Hardtanh(0.0, float("inf"))],
    "LeakyReLU": [nn.LeakyReLU(), nn.LeakyReLU(-1.0), nn.LeakyReLU(1.5)],
    "Softplus": [nn.Softplus(), nn.Softplus(beta=5.0), nn.Softplus(threshold=1.0)],
    "Softshrink": [nn.Softshrink(), nn.Softshrink(0.0)],
    "Threshold": [nn.Threshold(0.0, 0.0), nn.Threshold(1.0, 1.0), nn.Threshold(1.0, 0.0)],
}
HEADER = (
    "| activation | convex | non-decreasing | s'' on one point | s(x) | why | how |",
    "|---|---|---|---|---|---|---|",
)


def activation_table() -> str:
    """A row for every name in torch.nn.modules.activation, more where options matter."""
    several = {kind.__name__ for kind in SEVERAL}
    rows = []
    for name in sorted(activation.__all__, key=str.lower):
        if name in several:
            rows.append(f"| {name} | – | – | – | | takes several numbers at once | |")
        else:
            modules = OPTIONS.get(name) or [getattr(nn, name)()]
            rows += [_row(activation_report(module)) for module in modules]
    return "\n".join([*HEADER, *rows])


def _row(report: ActivationReport) -> str:
    words = {True: "yes", False: "no"}
    answers = [words[v] for v in (report.convex, report.nondecreasing, report.one_kink)]
    note = next((r for r in report.reasons if r.startswith("note")), "")
    why = report.reasons[0].split(": ", 1)[1] + (f"; {note}" if note else "")
    cells = [f"`{report.name}`", *answers, _form(report), why, report.proof]
    return "| " + " | ".join(cells) + " |"


def _form(report: ActivationReport) -> str:
    if report.form is None:
        return ""
    a0, a1, b0, b1, b2 = (f"{v:.4g}" for v in report.form)
    return f"{b0} + {b1} x + {b2} max(0, {a0} + {a1} x)"
