"""The waist: a convex function as a flat, frozen program of convex atoms.

    z_k = atom_k( Σ_j W_kj z_j + V_k x + b_k ),   every W_kj ≥ 0,   f(x) = z_last

Every model is lowered to a `Network`, and every solver, bound and file reads only that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final, overload

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from icnn.atoms import IDENTITY, RELU, AbstractAtom, PiecewiseLinear
from icnn.errors import BadData, NotConvex
from icnn.limit import Limit, limit

# (index of an earlier layer, weights (rows, units of that layer)); while a model trains also
# (index, weights, gate), with a gate (*context, units) >= 0 on those units
Edge = tuple[Any, ...]
LARGEST = 1e200  # size of a weight or a price: sums of products with x would overflow


@final
@dataclass(frozen=True, eq=False)
class Layer:
    """One line of the program: z = atom(Σ W z_source + V x + b)."""

    atom: AbstractAtom
    V: Any  # (*context, rows, n)
    b: Any  # (*context, rows)
    W: tuple[Edge, ...] = ()
    h: Any = None  # (*context, n), a factor on x while a model trains; a Network folds it into V

    @property
    def units(self) -> int:
        return int(self.b.shape[-1]) // self.atom.group


@final
@dataclass(frozen=True, eq=False)
class Network:
    """A convex function of x (n,), in float64, convex by construction.

    `f(x)` evaluates a point (n,) or a batch (N, n). `f + g`, `2.0 * f`, `f + icnn.affine(c, c0)`
    and `f.compose_affine(A, d)` give networks again.

    Raises:
        NotConvex: a negative weight between layers, or an atom that may not follow a convex one.
        BadData: NaN, infinities, weights beyond 1e200 or shapes that do not fit.
    """

    layers: tuple[Layer, ...]

    __array_ufunc__ = None  # np.float64(2.0) * f comes here instead of making an object array

    def __post_init__(self) -> None:
        object.__setattr__(self, "layers", tuple(_checked(tuple(self.layers))))

    @classmethod
    def _unchecked(cls, layers: tuple[Layer, ...]) -> Network:
        """For training only: keeps dtype and gradients, and trusts the weights."""
        network = object.__new__(cls)
        object.__setattr__(network, "layers", layers)
        return network

    @property
    def n(self) -> int:
        """Number of inputs."""
        return int(self.layers[0].V.shape[-1])

    @overload
    def __call__(self, x: Tensor) -> Tensor: ...
    @overload
    def __call__(self, x: ArrayLike) -> NDArray[np.float64]: ...
    def __call__(self, x: Any) -> Any:
        if isinstance(x, Tensor):
            return self.preactivations(self._fit(x))[-1].squeeze(-1)
        point = self._fit(torch.from_numpy(np.array(x, dtype=np.float64)))
        with torch.no_grad():
            return self.preactivations(point)[-1].squeeze(-1).numpy()[()]

    def subgradient(self, x: ArrayLike) -> NDArray[np.float64]:
        """One subgradient of f at each x: (n,) or (N, n) in, the same shape out."""
        point = self._fit(torch.from_numpy(np.array(x, dtype=np.float64))).requires_grad_()
        with torch.enable_grad():
            return torch.autograd.grad(self(point).sum(), point)[0].numpy()

    def _fit(self, x: Tensor) -> Tensor:
        if x.ndim == 0 or x.shape[-1] != self.n:
            raise BadData(f"x has shape {tuple(x.shape)}, but f takes ({self.n},) or (N, {self.n})")
        return x.to(self.layers[0].b.dtype)

    def preactivations(self, x: Tensor) -> list[Tensor]:
        """The argument of each layer's atom, and f(x) (..., 1) as a last entry."""
        arguments: list[Tensor] = []
        z: list[Tensor] = []
        for layer in self.layers:
            a = _plus(layer.b, layer.V, x if layer.h is None else layer.h * x)
            for source, W, *gate in layer.W:
                a = _plus(a, W, gate[0] * z[source] if gate else z[source])
            arguments.append(a)
            z.append(layer.atom.value(a))
        return [*arguments, z[-1]]

    def compose_affine(self, A: ArrayLike, d: ArrayLike | None = None) -> Network:
        """x ↦ f(A x + d), with A (n, m) and d (n,)."""
        A, d = _tensor(A), torch.zeros(self.n).double() if d is None else _tensor(d)
        if A.ndim != 2 or A.shape[0] != self.n or d.shape != (self.n,):
            raise BadData(
                f"A {tuple(A.shape)} and d {tuple(d.shape)} must be ({self.n}, m) and ({self.n},)"
            )
        return Network(tuple(Layer(k.atom, k.V @ A, k.b + k.V @ d, k.W) for k in self.layers))

    def __add__(self, other: Network | float) -> Network:
        if isinstance(other, int | float | np.number):
            other = affine(np.zeros(self.n), float(other))
        if not isinstance(other, Network):
            return NotImplemented
        if other.n != self.n:
            raise BadData(f"cannot add a function of {other.n} inputs to one of {self.n}")
        (*first, f), (*second, g) = with_output(self), with_output(other)
        moved = [Layer(k.atom, k.V, k.b, shifted(k.W, len(first))) for k in second]
        total = Layer(IDENTITY, f.V + g.V, f.b + g.b, f.W + shifted(g.W, len(first)))
        return Network((*first, *moved, total))

    __radd__ = __add__

    def __mul__(self, factor: float) -> Network:
        if not isinstance(factor, int | float | np.number):
            return NotImplemented
        *rest, out = with_output(self)
        if not factor >= 0 and out.W:
            raise NotConvex(f"{factor} * f is not convex; to maximise, fit with concave=True")
        W = tuple((source, factor * weight) for source, weight in out.W)
        return Network((*rest, Layer(IDENTITY, factor * out.V, factor * out.b, W)))

    __rmul__ = __mul__

    def __truediv__(self, divisor: float) -> Network:
        return self * (1 / divisor)

    def __neg__(self) -> Network:
        return -1.0 * self

    def __sub__(self, other: Network | float) -> Network:
        return self + (-other)

    def __rsub__(self, other: float) -> Network:
        return -self + other

    def __le__(self, rhs: float) -> Limit:
        return limit(self, "<=", rhs, concave=False)

    def __ge__(self, rhs: float) -> Limit:
        return limit(self, ">=", rhs, concave=False)

    def __eq__(self, other: object) -> bool:
        if isinstance(other, int | float | np.number):
            limit(self, "==", other, concave=False)  # says why not
        return self is other

    __hash__ = object.__hash__

    def __repr__(self) -> str:
        shape = " → ".join(str(layer.units) for layer in self.layers)
        return f"Network({self.n} inputs → {shape})"


def affine(c: ArrayLike, c0: float = 0.0) -> Network:
    """The function c @ x + c0 as a `Network`, with c (n,)."""
    return Network(
        (Layer(IDENTITY, np.atleast_2d(np.asarray(c, dtype=np.float64)), np.array([c0])),)
    )


def relu_network(V: Sequence[ArrayLike], b: Sequence[ArrayLike], W: Sequence[ArrayLike]) -> Network:
    """A ReLU network with skip connections from plain arrays (Amos et al. 2017, eq. 2).

    Args:
        V: one array a layer, (units, n); the last is the scalar output, (1, n).
        b: one array a layer, (units,); the last is (1,).
        W: `W[l]` (units of layer l + 1, units of layer l), non-negative; `len(W) == len(V) - 1`.

    Raises:
        NotConvex: an entry of W is negative; the message names layer, row and column.
        BadData: lengths or shapes do not fit, or an entry is not finite.
    """
    if not len(V) == len(b) == len(W) + 1:
        raise BadData(
            f"V, b and W have {len(V)}, {len(b)} and {len(W)} arrays; expected L, L and L - 1"
        )
    atoms = [RELU] * (len(V) - 1) + [IDENTITY]
    edges: list[tuple[Edge, ...]] = [()] + [((k, weight),) for k, weight in enumerate(W)]
    return Network(tuple(Layer(*parts) for parts in zip(atoms, V, b, edges, strict=True)))


def _plus(a: Tensor, W: Tensor, z: Tensor) -> Tensor:
    """a + W z; a bias goes into the product, and a sum into its memory."""
    if W.ndim > 2:
        return a + torch.einsum("...ij,...j->...i", W, z)  # 83 µs, W @ z[..., None] 631 µs
    product = F.linear(z, W, a if a.ndim == 1 else None)
    return product if a.ndim == 1 else product.add_(a) if product.shape == a.shape else product + a


def _tensor(value: Any) -> Tensor:
    if isinstance(value, Tensor):  # a copy, so that nobody can change a checked weight
        return value.detach().to("cpu", torch.float64, copy=True)
    return torch.from_numpy(np.array(value, dtype=np.float64))


def shifted(edges: tuple[Edge, ...], by: int) -> tuple[Edge, ...]:
    """The edges of layers that come to stand `by` places later."""
    return tuple((source + by, *parts) for source, *parts in edges)


def with_output(f: Network) -> tuple[Layer, ...]:
    """The layers of f, closed by an affine one if the last is something else."""
    last = f.layers[-1]
    if last.atom == IDENTITY:
        return f.layers
    edge = (len(f.layers) - 1, torch.ones(1, 1).double())
    return (
        *f.layers,
        Layer(IDENTITY, torch.zeros(1, f.n).double(), torch.zeros(1).double(), (edge,)),
    )


def _checked(layers: tuple[Layer, ...]) -> list[Layer]:
    """The same layers in float64, if shapes, signs and the composition rule allow them."""
    if not layers:
        raise BadData("a Network needs at least one layer")
    done: list[Layer] = []
    is_affine: list[bool] = []
    for k, raw in enumerate(layers):
        W = tuple((int(source), _folded(k, *parts)) for source, *parts in raw.W)
        layer = Layer(raw.atom, _folded(k, raw.V, raw.h), _tensor(raw.b), W)
        _check_shapes(k, layer, done)
        _check_values(k, layer)
        argument_affine = all(is_affine[source] for source, _ in W)
        if not (argument_affine or layer.atom.nondecreasing):
            raise NotConvex(
                f"layer {k}: {layer.atom} may decrease, so it cannot follow a convex layer"
            )
        is_affine.append(
            argument_affine and isinstance(layer.atom, PiecewiseLinear) and layer.atom.is_affine
        )
        done.append(layer)
    if done[-1].units != 1:
        raise BadData(f"the last layer has {done[-1].units} units; a function has one")
    return done


def _folded(k: int, weight: Any, gate: Any = None) -> Tensor:
    """The weights with the gate of one context multiplied into their columns."""
    matrix = _tensor(weight)
    if gate is None:
        return matrix
    factor, units = _tensor(gate), tuple(matrix.shape[-1:])
    if factor.shape != units:
        place = f"layer {k}: a gate {tuple(factor.shape)} must be {units}"
        raise BadData(f"{place}; a Network holds one context")
    return torch.mul(matrix, factor)


def _check_shapes(k: int, layer: Layer, done: list[Layer]) -> None:
    n = done[0].V.shape[-1] if done else layer.V.shape[-1] if layer.V.ndim else 0
    rows = layer.b.shape[-1] if layer.b.ndim == 1 else 0
    if rows == 0 or n == 0 or layer.V.shape != (rows, n) or rows % layer.atom.group:
        shapes = f"V {tuple(layer.V.shape)} and b {tuple(layer.b.shape)}"
        raise BadData(f"layer {k}: {shapes} must be (rows, {n or 'n'}) and (rows,)")
    for source, W in layer.W:
        if not 0 <= source < k:
            raise BadData(f"layer {k} reads layer {source}, which does not come before it")
        if W.shape != (rows, done[source].units):
            raise BadData(
                f"layer {k}: W from layer {source} has shape {tuple(W.shape)}, "
                f"expected ({rows}, {done[source].units})"
            )


def _check_values(k: int, layer: Layer) -> None:
    for name, values in [("V", layer.V), ("b", layer.b), *[("W", W) for _, W in layer.W]]:
        if not (fine := values.abs() <= LARGEST).all():
            place = torch.nonzero(~fine)[0].tolist()
            entry = f"layer {k}: {name}{place} is {values[tuple(place)].item()}"
            raise BadData(f"{entry}; weights must be finite and at most {LARGEST:g} in size")
    for source, W in layer.W:
        if not (W >= 0).all():
            row, column = torch.nonzero(~(W >= 0))[0].tolist()
            raise NotConvex(
                f"layer {k}, row {row}, column {column}: the weight from layer {source} is "
                f"{W[row, column].item()}; weights between layers must be non-negative"
            )
