"""Runs in a temporary file: in order, each once, equal to what was put in, and not in memory."""

import copy
import pickle
import tracemalloc

import numpy as np
import pytest

import minitrain as mt
from minitrain.lab import execution
from minitrain.lab.records import CURVES, Run
from minitrain.lab.runs import Runs

NAN = float("nan")


def run(**changes):
    values = {
        "stage": "final", "dataset": "iris", "optimizer": "adam", "arm": "defaults",
        "schedule": "constant", "extension": 0, "trial": -1, "seed": 3, "lr": 0.001,
        "hyperparameters": {"lr": 0.001, "decay_biases": True}, "steps": 30,
        "gradient_evaluations": 30, "steps_per_epoch": 3, "seconds": 0.1, "initial_loss": 1.1,
        "validation_loss": 0.3, "validation_accuracy": 0.9, "test_loss": 0.1 + 0.2,
        "test_accuracy": 0.95, "failed": False, "reason": "",
        "curves": np.arange(10.0).reshape(2, len(CURVES)) / 3,
    }  # fmt: skip
    return Run(**{**values, **changes})


def text(runs):
    return [r.to_line() for r in runs]


@pytest.fixture
def many():
    """In the order that they are to have."""
    found = [
        run(stage="tuning", trial=t, seed=s, test_loss=NAN) for t in (0, 2, 10) for s in (0, 1)
    ]
    found = [r.without_curves() for r in found]
    found += [run(dataset=d, seed=s) for d in ("Iris", "iris", "ärger") for s in (9, 10, 100)]
    return [*found[:-1], run(dataset="ärger", seed=100, failed=True, reason="diverged")]


def test_they_come_back_as_they_were_in_the_order_of_their_keys(many):
    shuffled = [many[i] for i in np.random.default_rng(0).permutation(len(many))]
    runs = Runs(shuffled)
    assert text(runs) == text(many)
    assert [type(v) for v in map(runs[0].__getattribute__, ("failed", "lr", "seed"))] == [
        bool, float, int,
    ]  # fmt: skip
    assert runs[-1].curves.flags.writeable


def test_they_are_a_sequence(many):
    runs = Runs(many)
    assert len(runs) == len(many)
    assert text([runs[0], runs[-1], *runs[2:9:3]]) == text([many[0], many[-1], *many[2:9:3]])
    with pytest.raises(IndexError):
        runs[len(many)]
    assert text(reversed(runs)) == text(many[::-1])
    assert not Runs()
    runs.add(run(dataset="ö"))
    assert runs[-1].dataset == "ö"
    assert repr(runs.where(dataset="ö")) == "<1 runs>"


def test_some_of_them(many):
    runs = Runs(many)
    assert text(runs.where(dataset="iris", stage="final")) == text(many[9:12])
    assert text(runs.where(stage="final").where(seed=range(10, 100))) == text(many[7::3])
    assert text(runs.where(failed=True)) == text(many[-1:])
    assert text(runs.where(failed=True)[:]) == text(many[-1:])
    assert list(runs.where(stage="tuning").values("trial", "test_loss"))[2:4] == [(2, None)] * 2
    losses, seeds = runs.columns("test_loss", "seed")
    np.testing.assert_array_equal(losses, [r.test_loss for r in many])
    assert seeds.tolist() == [r.seed for r in many]


def test_of_two_with_one_key_the_first_stays_unless_it_crashed():
    runs = Runs([run(seconds=1.0)])
    assert not runs.add(run(seconds=2.0))
    assert [r.seconds for r in runs] == [1.0]
    assert runs.add(run(seed=4, reason="crash: MemoryError", failed=True, curves=np.empty((0, 5))))
    assert not runs.add(run(seed=4))
    assert text(runs) == text([run(seconds=1.0), run(seed=4)])


def test_copies_and_pickles_are_of_their_own(many):
    runs = Runs(many)
    for other in (pickle.loads(pickle.dumps(runs)), copy.deepcopy(runs)):
        assert text(other) == text(many)
        other.add(run(dataset="ö"))
    assert len(runs) == len(many)


def test_a_full_disk_is_an_error_of_the_system(monkeypatch):
    class Small(Runs):
        def __init__(self, runs=()):
            super().__init__()
            self._database.execute("PRAGMA max_page_count = 4")
            for one in runs:
                self.add(one)

    with pytest.raises(OSError, match=r"temporary file of runs cannot be written: .*full"):
        Small(run(seed=seed) for seed in range(1000))
    monkeypatch.setattr(execution, "Runs", Small)
    with pytest.raises(OSError, match="full"):
        mt.lab.Study(["iris"], ["sgd"], trials=0, seeds=30, epochs=5, layers=(8,)).run()


def test_runs_do_not_stay_in_memory():
    """4000 more in a study's bookkeeping take less than 20 bytes each; as objects it is 1 kB."""

    def used(seeds):
        runs = Runs(run(seed=seed) for seed in range(seeds))
        for found in (runs, runs.where(failed=True)):
            assert sum(1 for _ in found) in (0, seeds)
        return tracemalloc.get_traced_memory()

    tracemalloc.start()
    try:
        used(100)
        tracemalloc.reset_peak()
        few = used(100)[1]
        tracemalloc.reset_peak()
        many = used(4100)[1]
    finally:
        tracemalloc.stop()
    assert many - few < 20 * 4000
