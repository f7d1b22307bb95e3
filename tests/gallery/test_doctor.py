"""The doctor: healthy data passes, and each illness is found by its own check."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

import minitrain as mt
from minitrain import cli
from minitrain.gallery import doctor


def by_name(data, **options):
    return {check.name: check for check in doctor.examine(data, **options)}


@pytest.fixture(scope="module")
def healthy():
    return by_name(mt.datasets.load("wine"), hidden=(16,))


def test_healthy_data_passes(healthy):
    assert [c.verdict for c in healthy.values()] == ["good"] * 9, healthy
    for check in healthy.values():
        assert check.measured
        assert check.normal
        assert not check.advice
    assert healthy["initial loss"].numbers["chance"] == pytest.approx(math.log(3))
    assert healthy["gradient"].numbers["median"] < 1e-6


def changed(data, X=None, y=None):
    return replace(data, **({} if X is None else {"X": X}), **({} if y is None else {"y": y}))


@pytest.fixture
def wine():
    return mt.datasets.load("wine")


def patient(data, hidden=(16,), activation="relu", optimizer="adam", **rate):
    train = data.split(seed=0)[0]
    mover = mt.optimizers.get(optimizer, **rate)
    return doctor.Patient(data, train, hidden, activation, mover, 32, 0)


def test_imbalance():
    data = mt.datasets.load("imbalanced")
    check = doctor.class_balance(patient(data))
    counts = np.bincount(data.y)
    assert check.numbers["ratio"] == pytest.approx(counts.max() / counts.min())
    assert check.verdict != "good"
    assert "--balanced" in check.advice


def test_outlier(wine):
    assert doctor.feature_scale(patient(wine)).verdict == "good"
    verdicts = []
    for row in range(0, 60, 10):  # 3 in 5 rows are in the training part
        X = wine.X.copy()
        X[row, 3] = 1e6
        check = doctor.feature_scale(patient(changed(wine, X)))
        verdicts.append(check.verdict)
        assert (check.verdict == "look") == ("logarithm" in check.advice)
        assert (check.verdict == "look") == (repr(wine.feature_names[3]) in check.advice)
    assert "look" in verdicts


def test_contradicting_rows_cannot_be_learnt(wine):
    X = np.ones_like(wine.X)
    X[:, 0] = np.arange(len(X)) % 2
    check = doctor.overfit_few(patient(changed(wine, X)))
    assert check.verdict == "bad"
    assert "different classes" in check.advice


def test_features_that_never_change(wine):
    """The cause is named once, and no other check sends the user after its symptoms."""
    checks = by_name(changed(wine, np.ones_like(wine.X)), hidden=(16,))
    assert checks["scale of features"].verdict == "bad"
    assert "all 13 features have one value" in checks["scale of features"].measured
    for check in checks.values():
        if check.name not in ("scale of features", "learning-rate range"):
            assert "--lr" not in check.advice
    assert "scale of features" in checks["dead units"].advice


def test_noise_holds_nowhere_else(wine):
    rng = np.random.default_rng(0)
    noise = changed(wine, rng.normal(size=wine.X.shape).astype(wine.X.dtype))
    check = doctor.held_out(patient(noise))
    assert check.verdict == "look"
    assert check.numbers["loss"] > 0.95 * check.numbers["guess"]
    shares = np.bincount(wine.y) / len(wine.y)
    assert check.numbers["guess"] == pytest.approx(-(shares * np.log(shares)).sum(), abs=0.02)


def test_wrong_gradient_is_found(wine, monkeypatch):
    true = mt.MLP.loss_and_gradient

    def wrong(self, X, y):
        loss, g = true(self, X, y)
        return loss, 1.01 * g

    monkeypatch.setattr(mt.MLP, "loss_and_gradient", wrong)
    assert doctor.gradient(patient(wine)).verdict == "bad"


def test_rates(wine):
    small = doctor.short_training(patient(wine, lr=1e-7))
    assert (small.verdict, "larger" in small.advice) == ("look", True)
    huge = doctor.short_training(patient(wine, optimizer="sgd", lr=1e6))
    assert huge.verdict == "bad"
    assert "smaller" in huge.advice
    wild = patient(wine, (64, 64), optimizer="sgd", lr=3.0)
    assert doctor.dead_units(wild).verdict in ("look", "bad")
    check = doctor.learning_rate_range(patient(wine, lr=1e-9))
    assert check.verdict == "look"
    assert 1e-4 < check.numbers["suggested"] < 1
    assert "find-lr" in check.advice
    fitting = doctor.learning_rate_range(patient(wine, lr=check.numbers["suggested"]))
    assert fitting.verdict == "good"


def test_hopeless_data(wine):
    """Every row the same and every class as frequent: there is nothing to learn."""
    found = doctor.learning_rate_range(patient(changed(wine, np.ones_like(wine.X))))
    assert found.verdict in ("bad", "look")


def test_command(capsys, tmp_path):
    assert cli.main(["doctor", "iris", "--layers", "8", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [c["name"] for c in found][:2] == ["class balance", "scale of features"]
    rng = np.random.default_rng(0)
    rows = [f"{rng.normal():.3f},{rng.normal() + 3 * (i % 2):.3f},{'ab'[i % 2]}" for i in range(60)]
    (tmp_path / "own.csv").write_text("\n".join(["u,v,kind", *rows]) + "\n")
    assert cli.main(["doctor", str(tmp_path / "own.csv"), "--target", "kind"]) == 0
    out = capsys.readouterr().out
    assert f"Then train:  minitrain train {tmp_path / 'own.csv'} --target kind --report" in out
    for part in ("measured:", "normal:", "overfitting 20 rows", "held-out rows"):
        assert part in out
    for wrong, said in (
        (["doctor", "diabetes"], "classes"),
        (["doctor", "iris", "--optimizer", "adm"], "did you mean adam"),
        (["doctor", "iriss"], "iris"),
    ):
        assert cli.main(wrong) == 2
        assert said in capsys.readouterr().err
