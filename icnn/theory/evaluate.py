"""evaluate: a function of one variable, given as anything callable, at an array of points."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import numpy as np
import torch
from numpy.typing import NDArray

from icnn.errors import BadData
from icnn.network import Network

Array = NDArray[np.float64]
LARGEST = 1e200  # sizes of values beyond which differences of them overflow


@final
@dataclass(frozen=True, eq=False)
class Scalar:
    """f at arrays of points; `eps` is the spacing of the numbers that it computes with."""

    call: Callable[[Array], Any]
    eps: float = 2.0**-52

    def __call__(self, x: Array) -> Array:
        """f at each x (N,).

        Raises:
            BadData: a value is not a finite number below 1e200 in size; the message says where.
        """
        with np.errstate(all="ignore"):
            y = np.array(self.call(x.copy()), dtype=np.float64).reshape(x.shape)
        bad = np.flatnonzero(~(np.abs(y) < LARGEST))
        if bad.size:
            at, value = float(x[bad[0]]), float(y[bad[0]])
            what = "f must be finite and below 1e200 in size on the whole interval"
            raise BadData(f"f({at!r}) is {value}; {what}")
        return y


def scalar(f: Any, probe: Array) -> Scalar:
    """`f` as a function of arrays: a Network, a torch module, vectorised or of one number.

    Args:
        f: the callable.
        probe: at least two points where it is tried.

    Raises:
        BadData: f cannot be called, gives something else than a number a point, or not always the
            same one.
    """
    if isinstance(f, Network):
        if f.n != 1:
            raise BadData(f"f has {f.n} inputs; a function of one variable is asked for")
        return Scalar(lambda x: f(x[:, None]))
    if not callable(f):
        raise BadData(f"f is {f!r}; it must be callable, such as math.exp")
    if isinstance(f, torch.nn.Module):
        dtype = next((p.dtype for p in f.parameters()), torch.float64)
        still = copy.deepcopy(f).eval()  # training would drop units, and move running means
        forms = [_through_torch(still, dtype), _through_torch(still, dtype, column=True)]
    else:
        forms = [f, _through_torch(f, torch.float64)]
    for call in forms:
        try:
            with np.errstate(all="ignore"):
                y = np.array(call(probe.copy()))
                known = (
                    y.shape == probe.shape and y.dtype.kind in "iuf" and _repeats(call, probe, y)
                )
            if known:
                return Scalar(call, float(np.finfo(y.dtype).eps) if y.dtype.kind == "f" else 2**-52)
        except Exception:
            continue  # not vectorised in this way
    if isinstance(f, torch.nn.Module):
        raise BadData(
            f"{type(f).__name__} does not take a tensor (N,) or (N, 1) to one of its shape"
        )
    call = _one_by_one(f)
    if not _repeats(call, probe, call(probe)):
        raise BadData("f gives different values for the same number; it must be a function of x")
    return Scalar(call)


def _repeats(call: Callable[[Array], Any], x: Array, y: Array) -> bool:
    """Whether some of the points x alone, in another order, have the values y that all had.

    Softmax, sort and a mean over the points take arrays, but are no functions of one number.
    """
    some = [2 * len(x) // 3, len(x) // 3, len(x) // 5]
    again = np.asarray(call(x[some].copy()))
    if again.shape != (3,):
        return False
    eps = float(np.finfo(y.dtype).eps) if y.dtype.kind == "f" else 0.0
    size = float(np.abs(y[np.isfinite(y)]).max(initial=0.0))
    return np.allclose(again, y[some], rtol=0, atol=eps**0.5 * size, equal_nan=True)


def _through_torch(
    f: Callable[[Any], Any], dtype: torch.dtype, column: bool = False
) -> Callable[[Array], Any]:
    def call(x: Array) -> Any:
        with torch.no_grad():
            values = f(torch.tensor(x[:, None] if column else x, dtype=dtype)).numpy()
        return values.reshape(x.shape) if column and values.shape == (*x.shape, 1) else values

    return call


def _one_by_one(f: Callable[[Any], Any]) -> Callable[[Array], Any]:
    def value(x: float) -> float:
        try:
            found = np.asarray(f(x))
            return float(found.reshape(()) if found.size == 1 else f(x))
        except OverflowError:
            return float("inf")
        except Exception as error:
            raise BadData(f"f({x!r}) failed: {type(error).__name__}: {error}") from error

    return lambda x: np.array([value(float(t)) for t in x])
