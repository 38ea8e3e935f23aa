"""One thread and a generator of its own for every test."""

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def pytest_collection_modifyitems(config, items):
    """Long sweeps run only when asked for: -m slow."""
    if "slow" not in config.getoption("-m"):
        skip = pytest.mark.skip(reason="run with -m slow")
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(skip)
