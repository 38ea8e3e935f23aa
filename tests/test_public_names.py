"""The menu: what `import icnn` offers, pinned, and that it stays light."""

import subprocess
import sys

import icnn

NAMES = """
FICNN PICNN BadData Budget Decision ICNNError LogSumExp MaxAffine Network
NotConvex ReLUSum Sum Surrogate affine atoms datasets
fit from_keras load maximize minimize minimize_batch models prepare relu_network save
sets solvers theory to_cvxpy
"""


def test_names_are_these():
    assert sorted(icnn.__all__) == sorted(NAMES.split())
    assert len(icnn.__all__) <= 30


def test_every_name_is_there_and_documented():
    for name in icnn.__all__:
        assert getattr(icnn, name).__doc__


def test_errors_are_also_builtin_ones():
    pairs = [(icnn.BadData, ValueError), (icnn.NotConvex, ValueError)]
    pairs += [(icnn.NotSupported, NotImplementedError), (icnn.NotSolved, RuntimeError)]
    for error, builtin in pairs:
        assert issubclass(error, builtin)
        assert issubclass(error, icnn.ICNNError)
    assert {e.__name__ for e in icnn.NotSolved.__subclasses__()} == {
        "Infeasible",
        "Unbounded",
        "TimeLimit",
        "Inaccurate",
    }


def test_import_touches_no_seed_dtype_or_thread():
    code = (
        "import torch, numpy; torch.manual_seed(3); a = torch.get_rng_state();"
        "n = torch.get_num_threads();"
        "import icnn; assert torch.equal(a, torch.get_rng_state());"
        "assert torch.get_default_dtype() == torch.float32; assert n == torch.get_num_threads()"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
