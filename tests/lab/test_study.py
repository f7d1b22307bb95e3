"""Studies: the protocol, its honesty, the same numbers for any number of workers."""

import csv
import json

import numpy as np
import pytest

import minitrain as mt
from minitrain.lab import study as study_module


def small(**changes):
    options = {"seeds": 4, "epochs": 3, "trials": 2, "layers": (8,), "seed": 0}
    return mt.lab.Study(["iris", "wine"], ["sgd", "adam"], **{**options, **changes})


def without_times(result):
    return [
        (r.stage, r.dataset, r.optimizer, r.lr, r.seed, r.validation_loss, r.test_accuracy)
        for r in result.runs
        if not np.isnan(r.test_accuracy)
    ]


def test_counts_and_shape_of_the_result():
    study = small()
    result = study.run()
    assert len(result.runs) == study.trainings == 2 * 2 * (2 * study_module.TUNING_SEEDS + 4)
    assert [(r["dataset"], r["optimizer"]) for r in result.summary()] == [
        (d, o) for d in ("iris", "wine") for o in ("sgd", "adam")
    ]
    assert {v["verdict"] for v in result.verdicts()} <= {"better", "not separable", "worse"}
    assert len(result.verdicts()) == 2 * 2


@pytest.mark.parametrize("workers", [1, 2, 4])
def test_same_study_same_numbers_for_any_number_of_workers(workers):
    assert without_times(small().run(workers=workers)) == without_times(small().run())


def test_another_seed_gives_other_numbers():
    assert without_times(small().run()) != without_times(small(seed=1).run())


def test_runs_are_paired():
    """The same split, weights and order per seed: one optimizer under two names gives ties."""
    twins = {"a": mt.optimizers.Adam(), "b": mt.optimizers.Adam()}
    result = mt.lab.Study(["iris"], twins, seeds=5, epochs=3, trials=0, layers=(8,)).run()
    np.testing.assert_array_equal(result.scores("iris", "a"), result.scores("iris", "b"))
    assert [v["verdict"] for v in result.verdicts()] == ["not separable"] * 2
    assert "no optimizer can be told from another" in result.sentence()


def test_a_crippled_optimizer_comes_out_worse():
    contenders = {
        "adam": mt.optimizers.Adam(lr=1e-2),
        "crippled": mt.optimizers.Adam(lr=1e-5),
    }
    result = mt.lab.Study(["iris", "digits"], contenders, seeds=10, epochs=10, trials=0).run()
    assert {(v["dataset"], v["verdict"]) for v in result.verdicts() if v["a"] == "crippled"} == {
        ("iris", "worse"),
        ("digits", "worse"),
    }
    assert "on iris and digits crippled falls behind adam" in result.sentence()


def test_tuning_uses_other_seeds_and_never_the_test_part():
    runs = small().run().runs
    tuning = [r for r in runs if r.stage == "tuning"]
    final = [r for r in runs if r.stage == "final"]
    assert not {r.seed for r in tuning} & {r.seed for r in final}
    assert all(np.isnan(r.test_accuracy) for r in tuning)


def test_choice_does_not_depend_on_the_test_part(monkeypatch):
    """Leak test: with the test part's labels scrambled, the same learning rates are chosen."""
    honest = small().run().chosen
    split = mt.datasets.Dataset.split

    def scrambled(self, *args, **kwargs):
        train, valid, test = split(self, *args, **kwargs)
        rolled = np.roll(test.y, 1)
        return (
            train,
            valid,
            mt.datasets.Dataset(test.name, test.X, rolled, test.feature_names, test.class_names),
        )

    monkeypatch.setattr(mt.datasets.Dataset, "split", scrambled)
    assert small().run().chosen == honest


def test_the_chosen_rate_has_the_least_mean_validation_loss():
    result = small(trials=4).run()
    for (dataset, label), rate in result.chosen.items():
        losses = {}
        for r in result.runs:
            if (r.stage, r.dataset, r.optimizer) == ("tuning", dataset, label):
                losses.setdefault(r.lr, []).append(r.validation_loss)
        means = {lr: np.mean(values) for lr, values in losses.items()}
        assert len(means) == 4
        assert means[rate] == min(means.values())


def test_without_trials_the_published_rate_is_used():
    assert small(trials=0).run().chosen["iris", "adam"] == 1e-3


def test_rates_are_the_same_for_all_rules_of_a_range_and_lie_in_it():
    study = small(trials=8)
    adam, rmsprop = mt.optimizers.Adam(), mt.optimizers.RMSprop()
    np.testing.assert_array_equal(study.rates(adam), study.rates(rmsprop))
    for optimizer in (adam, mt.optimizers.SGD()):
        rates = study.rates(optimizer)
        low, high = optimizer.rule.rates
        assert len(set(rates)) == 8
        assert rates.min() >= low and rates.max() <= high  # noqa: PT018
        # Sobol points: one in each eighth of the logarithmic range.
        places = np.floor(8 * np.log(rates / low) / np.log(high / low))
        assert sorted(places) == list(range(8))


def test_a_diverging_optimizer_is_a_result_and_not_a_crash():
    contenders = {"fine": mt.optimizers.SGD(lr=0.1), "wild": mt.optimizers.SGD(lr=1e30)}
    result = mt.lab.Study(["iris"], contenders, seeds=30, epochs=2, trials=0, layers=(8,)).run()
    rows = {r["optimizer"]: r for r in result.summary()}
    assert rows["wild"]["failed"] == 30
    assert np.isnan(rows["wild"]["accuracy"])
    assert rows["fine"]["failed"] == 0
    assert "wild falls behind fine" in result.sentence()


def test_files_hold_every_run_and_the_result(tmp_path):
    result = small().run(out=tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    with (folder / "runs.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == result.trainings
    assert float(rows[-1]["test_accuracy"]) == result.runs[-1].test_accuracy
    written = json.loads((folder / "result.json").read_text())
    assert written["sentence"] == result.sentence()
    assert written["study"]["datasets"]["iris"] == mt.datasets.load("iris").checksum
    assert sorted(p.name for p in folder.iterdir()) == ["result.json", "runs.csv"]


def test_ctrl_c_keeps_what_is_finished(tmp_path):
    def interrupt(done, total, message):
        if done == 15:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small().run(out=tmp_path, progress=interrupt)
    with (tmp_path / "runs.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 15
    assert json.loads((tmp_path / "result.json").read_text())["trainings"] == 15


def test_progress_counts_every_training():
    seen = []
    study = small()
    study.run(progress=lambda done, total, message: seen.append((done, total)))
    assert seen == [(i + 1, study.trainings) for i in range(study.trainings)]


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"datasets": ["digitz"]}, ValueError, "digits"),
        ({"datasets": ["diabetes"]}, ValueError, "not classes"),
        ({"datasets": ["iris", "iris"]}, ValueError, "iris is named twice"),
        ({"datasets": []}, ValueError, "at least one"),
        ({"optimizers": ["adma"]}, ValueError, "did you mean 'adam'"),
        ({"optimizers": ["adam", mt.optimizers.Adam(lr=1.0)]}, ValueError, "named twice"),
        ({"seeds": 1}, ValueError, "seeds: 1"),
        ({"epochs": 0}, ValueError, "epochs: 0"),
        ({"trials": -1}, ValueError, "trials: -1"),
        ({"layers": (0,)}, ValueError, "layers: 0"),
        ({"batch_size": 2.5}, TypeError, "batch_size: 2.5"),
    ],
)
def test_bad_input_is_named(changes, error, message):
    options = {"datasets": ["iris"], "optimizers": ["sgd"], **changes}
    with pytest.raises(error, match=message):
        mt.lab.Study(options.pop("datasets"), options.pop("optimizers"), **options)
