"""save and load: one file of tensors and a JSON header, never pickle.

The file is a zip archive of `.npy` members (numpy's own format) with a `header` that holds format,
version and everything that is not a number array.
"""

from __future__ import annotations

import json
import os
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from icnn.atoms import (
    ELU,
    AbstractAtom,
    Huber,
    LogSumExp,
    Max,
    Norm,
    PiecewiseLinear,
    Softplus,
    SumSquares,
)
from icnn.errors import BadData, NotSupported
from icnn.learn.additive import Additive
from icnn.learn.context import ContextEncoder
from icnn.learn.ficnn import FICNN
from icnn.learn.groupmax import GroupMax
from icnn.learn.history import History
from icnn.learn.hypericnn import HyperICNN
from icnn.learn.level import Level
from icnn.learn.maxaffine import LogSumExp as SoftMaxAffine
from icnn.learn.maxaffine import MaxAffine
from icnn.learn.model import AbstractConvexModel
from icnn.learn.normterm import NormTerm
from icnn.learn.picnn import PICNN
from icnn.learn.quadratic import Quadratic
from icnn.learn.relusum import ReLUSum
from icnn.learn.sum import Sum
from icnn.learn.surrogate import Surrogate
from icnn.network import Layer, Network

FORMAT, VERSION = "icnn", 3  # 2: weights of the terms of a Sum; 3: context_activation, held_out
_PLAIN = (Additive, FICNN, ReLUSum, MaxAffine, SoftMaxAffine, Quadratic, NormTerm, GroupMax)
MODELS: dict[str, type[AbstractConvexModel]] = {
    m.__name__: m for m in (*_PLAIN, PICNN, HyperICNN, Level, Sum)
}
ATOMS: dict[str, type[AbstractAtom]] = {
    a.__name__: a for a in (PiecewiseLinear, Max, Softplus, LogSumExp, Norm, SumSquares, Huber, ELU)
}
ARRAYS = ("lower", "upper", "x_mean", "x_scale")
CURVES = ("step", "train", "validation")
_UNREADABLE = (  # RuntimeError and NotImplementedError: an encrypted or a foreign kind of archive
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    zlib.error,
)


def save(value: Surrogate | Network, path: str | os.PathLike[str]) -> None:
    """Write a surrogate or a network to one file; an interrupted save leaves an old file whole.

    Raises:
        NotSupported: another kind of object; sums of surrogates are saved term by term.
    """
    if isinstance(value, Surrogate):
        header, arrays = _surrogate_parts(value)
    elif isinstance(value, Network):
        header, arrays = _network_parts(value)
    else:
        raise NotSupported(f"save takes a Surrogate or a Network, not a {type(value).__name__}")
    header |= {"format": FORMAT, "version": VERSION}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    target = Path(path)
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as stream:
            np.savez(stream, **arrays)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def load(path: str | os.PathLike[str]) -> Any:
    """The surrogate or network in a file that `save` wrote.

    Raises:
        BadData: the file is truncated or not ours.
        NotSupported: a newer version wrote it.
    """
    header, arrays = _read(Path(path))
    if header["version"] > VERSION:
        raise NotSupported(
            f"{path} has file version {header['version']}, but this icnn reads up to {VERSION}; "
            "upgrade icnn"
        )
    try:
        if header["kind"] == "surrogate":
            return _surrogate(header, arrays)
        return _network(header, arrays)
    except BadData:
        raise
    except (KeyError, TypeError, ValueError, RuntimeError, IndexError, AttributeError) as error:
        raise BadData(f"{path} is damaged: {error}") from error


def _read(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and arrays of a file, or why it is not one of ours."""
    if not path.is_file():
        raise BadData(f"{path} does not exist or is not a file")
    foreign = f"{path} is not an icnn file"
    try:
        with path.open("rb") as stream:
            if stream.read(2) != b"PK":
                raise BadData(foreign)
            stream.seek(0)
            with np.load(stream, allow_pickle=False) as archive:
                arrays = {name: archive[name] for name in archive.files}
        header = json.loads(arrays.pop("header").tobytes())
        if header["format"] != FORMAT or type(header["version"]) is not int:
            raise BadData(foreign)
        return header, arrays
    except BadData:
        raise
    except zipfile.BadZipFile as error:
        raise BadData(f"{foreign}, or it is truncated ({error})") from error
    except _UNREADABLE as error:
        raise BadData(f"{foreign}, or it is damaged ({error})") from error


def _surrogate_parts(s: Surrogate) -> tuple[dict[str, Any], dict[str, Any]]:
    arrays = {f"model/{name}": v.numpy() for name, v in s.model.state_dict().items()}
    arrays |= {name: getattr(s, name) for name in ARRAYS}
    header: dict[str, Any] = {
        "kind": "surrogate",
        "model": type(s.model).__name__,
        "config": s.model.config,
        "columns": list(s.columns),
        "y": [s.y_mean, s.y_scale],
        "concave": s.concave,
    }
    if s.encoder is not None:
        known = [list(c) if c else None for c in s.encoder.categories]
        header["context"] = {"columns": list(s.encoder.columns), "categories": known}
        arrays |= {"context/mean": s.encoder.mean, "context/scale": s.encoder.scale}
    if s.history is not None:
        arrays |= {f"history/{name}": getattr(s.history, name) for name in CURVES}
        rest = asdict(s.history)
        header["history"] = {name: rest[name] for name in rest if name not in CURVES}
    return header, arrays


def _surrogate(header: dict[str, Any], arrays: dict[str, Any]) -> Surrogate:
    model = build(header["model"], header["config"]).double()
    model.load_state_dict(
        {k.removeprefix("model/"): torch.from_numpy(v) for k, v in arrays.items() if "model/" in k}
    )
    model.requires_grad_(False)
    history = None
    if "history" in header:
        curves = {name: arrays[f"history/{name}"] for name in CURVES}
        history = History(**curves, **header["history"])
    return Surrogate(
        model,
        tuple(header["columns"]),
        y_mean=header["y"][0],
        y_scale=header["y"][1],
        concave=header["concave"],
        encoder=_encoder(header, arrays),
        history=history,
        **{name: arrays[name] for name in ARRAYS},
    )


def build(name: str, config: dict[str, Any]) -> AbstractConvexModel:
    """A model of this class and configuration, with its initial values."""
    if name not in MODELS:
        raise BadData(f"the file holds a {name}, which this icnn does not know")
    if name == Sum.__name__:
        terms = (build(term["model"], term["config"]) for term in config["terms"])
        return Sum(*terms, weights=config.get("weights"))
    return MODELS[name](**config)


def _encoder(header: dict[str, Any], arrays: dict[str, Any]) -> ContextEncoder | None:
    if "context" not in header:
        return None
    known = tuple(tuple(c) if c else None for c in header["context"]["categories"])
    columns = tuple(header["context"]["columns"])
    return ContextEncoder(columns, known, arrays["context/mean"], arrays["context/scale"])


def _network_parts(f: Network) -> tuple[dict[str, Any], dict[str, Any]]:
    layers: list[dict[str, Any]] = []
    arrays: dict[str, Any] = {}
    for k, layer in enumerate(f.layers):
        layers.append(
            {
                "atom": type(layer.atom).__name__,
                "config": vars(layer.atom),
                "W": [j for j, _ in layer.W],
            }
        )
        arrays |= {f"{k}/V": layer.V.detach().numpy(), f"{k}/b": layer.b.detach().numpy()}
        arrays |= {f"{k}/W{j}": W.detach().numpy() for j, (_, W) in enumerate(layer.W)}
    return {"kind": "network", "layers": layers}, arrays


def _network(header: dict[str, Any], arrays: dict[str, Any]) -> Network:
    layers = []
    for k, line in enumerate(header["layers"]):
        atom = ATOMS[line["atom"]](**line["config"])
        W = tuple((source, arrays[f"{k}/W{j}"]) for j, source in enumerate(line["W"]))
        layers.append(Layer(atom, arrays[f"{k}/V"], arrays[f"{k}/b"], W))
    return Network(tuple(layers))
