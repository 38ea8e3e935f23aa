"""A file gives back what was saved, bit for bit, and anything else gives a clear error."""

import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest

import icnn
from icnn.models import FICNN, Quadratic, Sum

SHORT = icnn.Budget(steps=20, restarts=2, polish=5)
X = np.random.default_rng(0).uniform(size=(40, 2))
MODELS = [icnn.FICNN(2, hidden=(5, 4)), icnn.ReLUSum(2, 6), icnn.MaxAffine(2, 5)]


@pytest.fixture
def surrogate():
    return icnn.fit(MODELS[0], X, np.square(X).sum(1), budget=SHORT)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("concave", [False, True])
def test_round_trip_is_bit_identical(model, concave, tmp_path):
    saved = icnn.fit(model, X, np.abs(X).sum(1), concave=concave, columns=["a", "b"], budget=SHORT)
    icnn.save(saved, tmp_path / "m.icnn")
    loaded = icnn.load(tmp_path / "m.icnn")
    assert np.array_equal(loaded.predict(X), saved.predict(X))
    assert (loaded.columns, loaded.concave) == (saved.columns, saved.concave)
    assert np.array_equal([loaded.lower, loaded.upper], [saved.lower, saved.upper])
    assert loaded.model.config == saved.model.config
    assert np.array_equal(loaded.history.validation, saved.history.validation)
    assert loaded.history.held_out == saved.history.held_out


def test_a_fresh_process_predicts_the_same(surrogate, tmp_path):
    icnn.save(surrogate, tmp_path / "m.icnn")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import icnn, numpy, sys; f = icnn.load(sys.argv[1] + '/m.icnn');"
        "print(f.predict(numpy.load(sys.argv[1] + '/x.npy')).tobytes().hex())"
    )
    out = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == surrogate.predict(X).tobytes().hex()


def test_networks_are_kept_too(surrogate, tmp_path):
    f = surrogate.at() + icnn.affine([1.0, 2.0], 3.0)
    icnn.save(f, tmp_path / "f.icnn")
    assert np.array_equal(icnn.load(tmp_path / "f.icnn")(X), f(X))


def test_every_model_and_atom_of_the_package_is_in_the_tables():
    from icnn import atoms, store
    from icnn.learn.model import AbstractConvexModel

    def final(base):
        return {sub for child in base.__subclasses__() for sub in (final(child) or {child})}

    ours = {m for m in final(AbstractConvexModel) if m.__module__.startswith("icnn.")}
    assert ours == set(store.MODELS.values())
    assert final(atoms.AbstractAtom) == set(store.ATOMS.values())


@pytest.mark.parametrize("keep", [0, 3, 100, 0.5, 0.99])
def test_a_truncated_file_is_refused(surrogate, tmp_path, keep):
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if keep < 1 else keep])
    with pytest.raises(icnn.BadData, match=r"m\.icnn is not an icnn file"):
        icnn.load(path)


def test_a_flipped_byte_is_noticed(surrogate, tmp_path):
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 3] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(icnn.BadData, match=r"is damaged|is truncated"):
        icnn.load(path)


@pytest.mark.parametrize("content", [b"hello", b"PK\x03\x04 not a zip", b"a,b\n1,2\n"])
def test_a_foreign_file_is_refused(tmp_path, content):
    path = tmp_path / "other.icnn"
    path.write_bytes(content)
    with pytest.raises(icnn.BadData, match="is not an icnn file"):
        icnn.load(path)


def test_a_foreign_archive_and_a_pickle_are_refused(tmp_path):
    np.savez(tmp_path / "other.npz", a=np.zeros(3))
    with pytest.raises(icnn.BadData, match="is not an icnn file"):
        icnn.load(tmp_path / "other.npz")
    np.savez(tmp_path / "evil.npz", header=np.array([{"format": "icnn"}], dtype=object))
    with pytest.raises(icnn.BadData, match="is not an icnn file"):
        icnn.load(tmp_path / "evil.npz")


def _with_header(path, **changes):
    """Rewrite the file with some entries of its header changed or, where None, left out."""
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays.pop("header").tobytes()) | changes
    header = {name: entry for name, entry in header.items() if entry is not None}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), dtype=np.uint8)
    with path.open("wb") as stream:
        np.savez(stream, **arrays)


def test_a_file_of_version_1_has_no_weights_of_a_sum(tmp_path):
    X = np.random.default_rng(0).uniform(-1, 1, (20, 2))
    model = Sum(FICNN(2, (3,)), Quadratic(2))
    budget = icnn.Budget(restarts=1, steps=5, polish=0)
    s, path = icnn.fit(model, X, X[:, 0] ** 2, budget=budget), tmp_path / "m.icnn"
    icnn.save(s, path)
    config = {name: part for name, part in s.model.config.items() if name != "weights"}
    _with_header(path, version=1, config=config)
    np.testing.assert_array_equal(icnn.load(path).predict(X), s.predict(X))


def test_a_file_of_version_2_has_a_silu_path_and_no_final_figure(tmp_path):
    budget = icnn.Budget(restarts=1, steps=5, polish=0)
    model, path = icnn.PICNN(1, 1, (3,), (4,)), tmp_path / "m.icnn"
    s = icnn.fit(model, X[:, :1], X[:, 0] ** 2, context=X[:, 1:], budget=budget)
    icnn.save(s, path)
    assert icnn.load(path).model.config["context_activation"] == "silu"
    config = {k: part for k, part in s.model.config.items() if k != "context_activation"}
    history = {"chosen": 0, "polish_steps": 0, "seconds": 1.0}
    _with_header(path, version=2, config=config, history=history)
    assert np.isnan(icnn.load(path).history.held_out)
    given = dict(context=X[:, 1:])
    np.testing.assert_array_equal(
        icnn.load(path).predict(X[:, :1], **given), s.predict(X[:, :1], **given)
    )


def test_a_relu_path_is_kept(tmp_path):
    budget = icnn.Budget(restarts=1, steps=5, polish=0)
    model, path = icnn.PICNN(1, 1, (3,), (4,), context_activation="relu"), tmp_path / "m.icnn"
    s = icnn.fit(model, X[:, :1], X[:, 0] ** 2, context=X[:, 1:], budget=budget)
    icnn.save(s, path)
    given = dict(context=X[:, 1:])
    np.testing.assert_array_equal(
        icnn.load(path).predict(X[:, :1], **given), s.predict(X[:, :1], **given)
    )


def test_a_newer_file_asks_for_an_upgrade(surrogate, tmp_path):
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    _with_header(path, version=99)
    with pytest.raises(icnn.NotSupported, match=r"file version 99.*upgrade icnn"):
        icnn.load(path)


@pytest.mark.parametrize(
    "changes",
    [{"config": {"n_inputs": 2, "hidden": [9, 9]}}, {"model": "Nonsense"}, {"columns": None}],
)
def test_a_header_that_does_not_fit_is_refused(surrogate, tmp_path, changes):
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    _with_header(path, **changes)
    with pytest.raises(icnn.BadData, match=r"damaged|does not know"):
        icnn.load(path)


def test_an_interrupted_save_leaves_the_old_file_whole(surrogate, tmp_path, monkeypatch):
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    before = path.read_bytes()

    def interrupted(stream, **arrays):
        stream.write(b"PK\x03\x04 half")
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez", interrupted)
    with pytest.raises(KeyboardInterrupt):
        icnn.save(surrogate, path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_no_member_is_a_pickle(surrogate, tmp_path):
    icnn.save(surrogate, tmp_path / "m.icnn")
    with zipfile.ZipFile(tmp_path / "m.icnn") as archive:
        assert all(archive.read(name)[:6] == b"\x93NUMPY" for name in archive.namelist())


def test_what_cannot_be_saved_or_found(tmp_path):
    with pytest.raises(icnn.NotSupported, match="not a int"):
        icnn.save(3, tmp_path / "x.icnn")
    with pytest.raises(icnn.BadData, match="does not exist"):
        icnn.load(tmp_path / "nowhere.icnn")


@pytest.mark.parametrize("flag", [1, 8, 64])
def test_an_archive_of_another_kind_is_refused(surrogate, tmp_path, flag):
    """A flipped bit says 'encrypted' or names a compression that is not ours."""
    path = tmp_path / "m.icnn"
    icnn.save(surrogate, path)
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02")  # the last entry of the directory
    raw[at + (8 if flag == 1 else 10)] ^= flag
    path.write_bytes(raw)
    with pytest.raises(icnn.BadData, match=r"m\.icnn"):
        icnn.load(path)
