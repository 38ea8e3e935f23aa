"""Flow chemistry: 66 real experiments on the waste of one reaction."""

from __future__ import annotations

from icnn.datasets.dataset import Dataset, read


def snar() -> Dataset:
    """Return 66 experiments with a nucleophilic aromatic substitution in a flow reactor.

    ``e_factor`` is the mass of waste per mass of product; 0.24 is the least measured. An
    optimiser chose the experiments, so half of the rows lie at the limits 0.5 mol/L and 140 °C,
    and no truth is known between them. The ranges explored are residence time 0.5 to 2 min, 1 to
    5 equivalents, 0.1 to 0.5 mol/L and 60 to 140 °C.
    """
    return Dataset(
        name="snar",
        frame=read("snar.csv"),
        decisions=("residence_time", "equivalents", "concentration", "temperature"),
        context=(),
        targets=("e_factor",),
        units={
            "residence_time": "min",
            "equivalents": "mol morpholine per mol substrate",
            "concentration": "mol/L",
            "temperature": "°C",
            "e_factor": "kg waste per kg product",
        },
        source="Schweidtmann et al. 2018, Chem. Eng. J. 352, 277-282, by way of Olympus",
        licence="MIT, Aspuru-Guzik group",
        question="Which reaction conditions make the least waste?",
    )
