"""The command ``minitrain``, as people and programs meet it."""

import ast
import csv
import inspect
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import warnings
from argparse import ArgumentParser
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

import minitrain as mt
from minitrain import catalogue, cli, console
from minitrain.cli.scores import score_classes, score_numbers, wilson_interval
from minitrain.kernels import _jit, activations

ON_WINDOWS = os.name == "nt"
# As the installed command does it, also where the surroundings ignore Ctrl-C (sh: `pytest &`).
LAUNCH = (
    "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "from minitrain.cli import main; sys.exit(main())"
)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(capsys):
    """run("train", "iris") -> (exit code, stdout, stderr)."""

    def call(*arguments):
        code = cli.main([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.fixture
def refused(run):
    """refused("train", "iriss") -> its one line on stderr; exit code 2 and nothing on stdout."""

    def call(*arguments, code=2):
        got, out, err = run(*arguments)
        assert (got, out) == (code, "")
        assert err.startswith("minitrain: ")
        assert err.count("\n") == 1
        return err

    return call


@pytest.fixture
def flowers(tmp_path):
    """A file of one's own: numbers, a colour, and a target in text."""
    rng = np.random.RandomState(0)
    rows = [
        f"{4 + 3 * (i % 2) + rng.randn():.3f},{rng.randn():.3f},{['red', 'blue'][i % 3 > 1]},"
        f"{['rose', '한국 꽃'][i % 2]}"
        for i in range(60)
    ]
    path = tmp_path / "my flowers.csv"
    path.write_text("\n".join(["length,width,colour,kind", *rows]) + "\n", "utf-8")
    return path


def start(*arguments, **options):
    environment = {**os.environ, "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-c", LAUNCH, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
    )


# The front door


def test_without_arguments_it_says_what_to_type(run):
    code, out, err = run()
    assert (code, err) == (0, "")
    for text in ("minitrain train digits", "--target", *cli.COMMANDS):
        assert text in out
    assert max(map(len, out.splitlines())) < 90
    assert run("--help") == run("-h") == run("help") == (0, out, "")


def test_version(run):
    assert run("--version") == run("-V") == (0, f"minitrain {mt.__version__}\n", "")


@pytest.mark.parametrize("command", cli.COMMANDS)
def test_help_of_each_command(run, command):
    code, out, err = run(command, "--help")
    assert (code, err) == (0, "")
    assert f"minitrain {command}" in out
    assert "--json" in out


def test_every_example_that_it_shows_is_understood():
    shown = [line.strip().split("  ")[0] for line in cli.WELCOME.splitlines()]
    examples = [line.split()[1:] for line in shown if line.startswith("minitrain ")]
    examples = [words for words in examples if words[0] in cli.COMMANDS]
    assert len(examples) == 4
    for name, *rest in examples:
        parser = ArgumentParser(exit_on_error=False)
        import_module(f"minitrain.cli.{name}").add_arguments(parser)
        parser.parse_args(rest)


def test_front_door_imports_nothing_that_is_not_needed():
    code = (
        "import sys\nfrom minitrain.cli import main\nmain([])\n"
        "print({'sklearn', 'scipy.stats', 'rich', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.splitlines()[-1] == "set()", done.stderr


def test_command_works_without_rich(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "rich", None)
    assert run("optimizers")[0] == 0


# Train


def test_train(run):
    code, out, err = run("train", "iris", "--epochs", 40)
    assert code == 0
    assert "iris: 150 rows, 4 features, 3 classes" in out
    assert "90 rows to train, 30 to validate, 30 to test" in out
    assert "4 → 64 → 64 → 3, relu, 4675 parameters, float32" in out
    assert "Adam(lr=0.001), batches of 32, seed 0" in out
    assert "test accuracy" in out
    assert "95 % interval" in out
    assert "without learning  33.3 %" in out
    assert "steps a second" in out
    assert "versicolor" in out
    assert out.rstrip().endswith("minitrain compare iris")
    lines = [line for line in err.splitlines() if line.startswith("epoch")]
    assert len(lines) == 9
    assert lines[0].startswith("epoch  1/40  loss 1.")
    assert "validation accuracy" in lines[-1]


def test_train_as_json(run):
    code, out, err = run("train", "iris", "--epochs", 40, "--json")
    assert (code, err) == (0, "")
    report = json.loads(out)
    assert report["rows"] == {"train": 90, "validation": 30, "test": 30}
    assert report["test"]["accuracy"] >= 0.9
    assert report["test"]["low"] < report["test"]["accuracy"] < report["test"]["high"]
    assert len(report["history"]["loss"]) == report["epochs"] == 40
    assert report["steps_per_second"] > 0
    assert report["hyperparameters"]["lr"] == 1e-3


def test_train_is_the_public_api(run):
    report = json.loads(run("train", "wine", "--epochs", 3, "--seed", 5, "--json")[1])
    train, valid, test = mt.datasets.load("wine").split(seed=5)
    model = mt.MLP([13, 64, 64, 3], seed=5)
    history = mt.Trainer(model, mt.optimizers.Adam(), seed=5).fit(train, 3, validation=valid)
    assert report["history"]["validation_loss"] == history.validation_loss.tolist()
    loss, accuracy = model.evaluate(test.X, test.y)
    assert (report["test"]["loss"], report["test"]["accuracy"]) == (loss, accuracy)


def test_train_takes_every_option(run):
    code, out, _ = run(
        "train", "imbalanced", "--layers", "8,4", "--activation", "tanh", "--optimizer", "SGD",
        "--lr", "0.05", "--set", "momentum=0.9", "--set", "nesterov=true", "--set",
        "weight_decay=1e-4", "--epochs", "300", "--batch-size", "50", "--seed", "7", "--patience",
        "2", "--balanced", "--dtype", "float64", "--json",
    )  # fmt: skip
    report = json.loads(out)
    assert code == 0
    assert report["sizes"] == [20, 8, 4, 3]
    assert (report["activation"], report["dtype"], report["optimizer"]) == (
        "tanh",
        "float64",
        "sgd",
    )
    given = {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4}
    assert given.items() <= report["hyperparameters"].items()
    assert (report["batch_size"], report["seed"], report["balanced"]) == (50, 7, True)
    assert report["epochs"] < 300
    assert report["best_epoch"] == report["epochs"] - 2
    assert "no better validation_loss" in report["stop_reason"]


def test_train_says_when_it_stopped_early(run):
    out = run("train", "iris", "--epochs", "500", "--patience", "2", "--lr", "0.03")[1]
    assert "no better validation_loss for 2 epochs; the weights are those of epoch" in out


def test_several_values_of_a_hyperparameter(run):
    out = run("train", "iris", "--epochs", 1, "--set", "betas=0.8,0.99", "--json")[1]
    assert {"beta1": 0.8, "beta2": 0.99}.items() <= json.loads(out)["hyperparameters"].items()


def test_linear_model(run):
    code, out, _ = run("train", "iris", "--epochs", 1, "--layers", "none")
    assert code == 0
    assert "4 → 3, linear, 15 parameters" in out


def test_train_on_a_file_of_ones_own(run, flowers):
    code, out, _ = run("train", flowers, "--target", "kind", "--drop", "width", "--epochs", 30)
    assert code == 0
    assert "60 rows, 3 features, 2 classes" in out
    assert "한국 꽃" in out
    assert out.rstrip().endswith(f"minitrain compare '{flowers}' --target kind --drop width")


def test_many_classes_are_cut_to_the_worst(run, tmp_path):
    path = tmp_path / "letters.csv"
    lines = [f"{i % 17},{i % 5},c{i % 17:02}" for i in range(340)]
    path.write_text("\n".join(["a,b,class", *lines]), "utf-8")
    _, out, _ = run("train", path, "--epochs", 5)
    assert "The 10 of 17 classes with the least recall:" in out
    assert len([line for line in out.splitlines() if line.startswith("c") and "%" in line]) == 10


def test_no_better_than_guessing_is_said(run):
    _, out, _ = run("train", "digits", "--epochs", 1, "--lr", 0)
    assert "no better than without learning. Try --epochs 10" in out


def test_train_on_numbers(run):
    code, out, err = run("train", "diabetes", "--epochs", 30)
    assert code == 0
    assert "a number to predict" in out
    assert "test R²" in out
    assert "without learning" in out
    assert "--patience" in out
    assert "validation loss" in err
    test = json.loads(run("train", "diabetes", "--epochs", 30, "--json")[1])["test"]
    assert 0.3 < test["r2"] < 0.7
    assert test["rmse"] < test["baseline_rmse"]


def test_divergence_ends_with_advice(run):
    code, out, err = run("train", "digits", "--optimizer", "sgd", "--lr", "1e30", "--json")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "training diverged" in err
    assert "epoch 1 of 20, step 2, with SGD(lr=1e+30)" in err
    assert "--lr 0.001" in err


# Scores


def test_wilson_interval():
    low, high = wilson_interval(0.5, 100)  # Wilson (1927); by scipy.stats.binomtest: 0.404, 0.596
    assert (round(low, 4), round(high, 4)) == (0.4038, 0.5962)
    low, high = wilson_interval(1.0, 30)
    assert (round(low, 4), round(high, 4)) == (0.8865, 1.0)


def test_scores_of_classes():
    scores = score_classes(
        np.array([0, 1, 1, 0]), np.array([0, 0, 1, 0]), np.array([1, 1, 0]), ("no", "yes", "never")
    )
    assert scores["accuracy"] == 0.75
    assert (scores["baseline"], scores["baseline_class"]) == (0.25, "yes")
    no, yes, never = scores["classes"]
    assert no == {"name": "no", "rows": 3, "recall": 2 / 3, "taken_for": {"yes": 1}}
    assert yes == {"name": "yes", "rows": 1, "recall": 1.0, "taken_for": {}}
    assert math.isnan(never["recall"])


def test_scores_of_numbers():
    rng = np.random.RandomState(0)
    wanted = rng.randn(4000)
    samples = [
        score_numbers(w + 0.5 * rng.randn(400), w, 0.0) for w in np.split(wanted, 10)
    ]  # fmt: skip
    r2 = [s["r2"] for s in samples]
    assert np.mean(r2) == pytest.approx(0.75, abs=0.02)
    assert 0.3 < np.std(r2) / np.mean([s["r2_standard_error"] for s in samples]) < 3
    assert samples[0]["rmse"] == pytest.approx(0.5, abs=0.06)
    assert math.isnan(score_numbers(np.ones(3), np.ones(3), 1.0)["r2"])


# Compare

QUICK = (
    "--seeds", 3, "--trials", 1, "--epochs", 2, "--optimizers", "sgd,adam",
    "--arms", "learning_rate",
)  # fmt: skip


def test_compare(run, tmp_path):
    folder = tmp_path / "runs" / "first"
    code, out, err = run("compare", "iris", "moons", *QUICK, "--out", folder)
    assert code == 0
    assert "sgd, adam on iris, moons: 24 trainings of 2 epochs" in out
    assert "data set  optimizer" in out
    assert "With 3 paired seeds" in out
    assert re.search(r"\d+ trainings in", out)  # more than 24 if a range had to be extended
    assert f"Report: {folder / 'report.html'}" in out
    assert (folder / "runs.csv").exists()
    assert (folder / "result.json").exists()
    assert re.search("final: (sgd|adam) leads on (iris|moons), ", err.splitlines()[-1])
    assert len(err.splitlines()) <= 20


def test_compare_again_computes_nothing_and_report_needs_the_records_alone(run, tmp_path):
    folder = tmp_path / "study"
    first = run("compare", "iris", *QUICK, "--out", folder, "--json")[1]
    code, again, err = run("compare", "--resume", folder, "--json")
    assert (code, err) == (0, "")
    assert json.loads(again)["summary"] == json.loads(first)["summary"]
    for path in [p for p in folder.iterdir() if p.name not in ("runs", "study.json")]:
        path.unlink() if path.is_file() else shutil.rmtree(path)
    code, out, _ = run("report", folder)
    assert code == 0
    assert json.loads(first)["sentence"] in out
    assert "Report of " in out
    assert (folder / "report.html").exists()
    assert (
        json.loads(run("report", folder, "--json")[1])["verdicts"] == json.loads(first)["verdicts"]
    )


def test_compare_from_a_toml_file(run, tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(
        'datasets = ["iris"]\noptimizers = ["sgd", "adam"]\nseeds = 9\nepochs = 1\ntrials = 0\n'
    )
    code, out, _ = run("compare", "--config", path, "--seeds", 3)
    assert code == 0
    assert "6 trainings of 1 epochs (published defaults; 3 paired seeds)" in out


def test_compare_as_json(run, flowers):
    code, out, err = run("compare", flowers, "iris", "--target", "kind", *QUICK, "--json")
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert [row["optimizer"] for row in result["summary"]] == ["sgd", "adam"] * 2
    assert result["sentence"]


def test_compare_all_optimizers(run):
    arguments = ("iris", "--optimizers", "all", "--seeds", 2, "--trials", 0, "--epochs", 1)
    result = json.loads(run("compare", *arguments, "--json")[1])
    assert [row["optimizer"] for row in result["summary"]] == mt.optimizers.names()


def test_compare_leaves_the_defaults_to_the_study():
    parser = ArgumentParser()
    compare = import_module("minitrain.cli.compare")
    compare.add_arguments(parser)
    options = vars(parser.parse_args([]))
    arguments = set(inspect.signature(mt.lab.Study).parameters)
    assert set(compare._STUDY) == arguments - {"datasets", "paired"}
    assert {options[name] for name in compare._STUDY} == {None}


def test_compare_a_class_with_too_few_rows(refused, tmp_path, capsys):
    path = tmp_path / "rare.csv"
    path.write_text("a,y\n" + "".join(f"{i},{'x' if i else 'rare'}\n" for i in range(9)), "utf-8")
    assert "class 'rare' has only 1 row" in refused("train", path)
    code = cli.main(["compare", str(path), *map(str, QUICK), "--json"])
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert "class 'rare' has only 1 row" in captured.err


# Optimizers and data sets


def test_optimizers(run):
    code, out, err = run("optimizers")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    head = "name family year lr state bytes also in what it does"
    assert lines[0].split() == head.split()
    assert [line.split()[0] for line in lines[1 : 1 + len(catalogue.names())]] == catalogue.names()
    assert set(catalogue.names()) == {*mt.optimizers.names(), *mt.optimizers.matrix_names()}


def test_bytes_per_parameter(run):
    moved = {
        d["name"]: d["bytes_per_parameter"] for d in json.loads(run("optimizers", "--json")[1])
    }
    assert (moved["sgd"], moved["momentum"], moved["adam"]) == (12, 20, 28)
    # DoG reads p, g and x0 to sum up, and then p and g; MADGRAD does not write x0.
    assert (moved["dog"], moved["madgrad"]) == (12 + 12, 32)


@pytest.mark.parametrize("name", catalogue.names())
def test_each_optimizer_can_be_read(run, name):
    code, out, err = run("optimizers", name)
    described = json.loads(run("optimizers", name, "--json")[1])
    assert (code, err) == (0, "")
    source = Path(described["file"]).read_text("utf-8")
    assert any(sign in source for sign in ("def coefficients", "@rule", "@matrix_rule", "LBFGS"))
    for text in (described["title"], described["doc"], described["paper"], source.rstrip()):
        assert text in out
    for hyperparameter in described["defaults"]:
        assert hyperparameter in out
    assert [v["default"] for v in described["variants"]].count(True) == 1
    assert f"--optimizer {name}" in out


def test_what_is_said_of_an_optimizer(run):
    adam = json.loads(run("optimizers", "adam", "--json")[1])
    assert (adam["family"], adam["year"], adam["defaults_from"]) == ("Adam", 2015, "torch")
    assert adam["elsewhere"]["scikit-learn"] == "solver='adam'"
    assert adam["ranges"]["beta1"] == "[0, 1)"
    assert adam["deviations"].startswith("eps is added after the correction in the paper's")
    out = run("optimizers", "lion")[1]
    for line in (
        "Family: sign, 2023",
        "Also in: optax lion, Keras Lion",
        "Elsewhere: optax decays",
    ):
        assert line in out


def test_what_is_said_of_a_matrix_optimizer(run):
    muon = json.loads(run("optimizers", "muon", "--json")[1])
    assert (muon["family"], muon["year"], muon["bytes_per_parameter"]) == ("matrix", 2024, None)
    assert muon["slots"] == ["m"]
    out = run("optimizers", "muon")[1]
    for line in ("m (inputs, outputs)", "Also in: torch Muon", "kernels/matrices/muon.py:"):
        assert line in out
    out = run("optimizers", "lbfgs")[1]
    for line in ("history_size", "[1, inf)", "lbfgs.py:", "--optimizer lbfgs\n"):
        assert line in out


@pytest.mark.parametrize("name", mt.optimizers.matrix_names())
def test_train_with_whole_matrices(run, name):
    found = json.loads(run("train", "iris", "--optimizer", name, "--epochs", 2, "--json")[1])
    assert (found["optimizer"], found["epochs"]) == (name, 2)
    assert found["history"]["loss"][1] < found["history"]["loss"][0]


SETTINGS = [
    "clip_value=0.5", "clip_norm=1", "noise=0.01", "noise_seed=3", "centralize=true",
    "cautious=true", "lookahead=5", "lookahead_alpha=0.8", "ema=0.9", "layer_lr=1,0.5,0.1",
    "decay_biases=false", "weight_decay=0.1",
]  # fmt: skip


def test_train_with_everything_that_any_optimizer_does(run):
    """Whole numbers stay whole: a seed and a number of steps are refused as 3.0."""
    options = [part for text in SETTINGS for part in ("--set", text)]
    schedule = ("--schedule", "cosine(warmup=0.1)", "--accumulate", 2)
    code, out, err = run("train", "iris", "--epochs", 2, "--json", *options, *schedule)
    assert (code, err) == (0, "")
    found = json.loads(out)
    given = {**found["hyperparameters"], **found["modifiers"]}
    for text in SETTINGS:
        name, _, value = text.partition("=")
        expected = [float(v) for v in value.split(",")] if "," in value else json.loads(value)
        assert given[name] == expected, name
    assert found["accumulate"] == 2


def test_derived_optimizer_says_from_what(run):
    out = run("optimizers", "nesterov")[1]
    assert "nesterov is sgd with other defaults: momentum=0.9, nesterov=True." in out
    assert "kernels/rules/sgd.py" in out


def test_variants_of_adam(run):
    variants = json.loads(run("optimizers", "ADAM", "--json")[1])["variants"]
    assert {
        "flags": ["amsgrad"],
        "default": False,
        "slots": ["m", "v", "v_max"],
        "bytes_per_parameter": 36,
    } in variants


def test_datasets(run):
    code, out, err = run("datasets")
    assert (code, err) == (0, "")
    names = list(mt.datasets.names())
    assert [line.split()[0] for line in out.splitlines()[1 : 1 + len(names)]] == names
    described = json.loads(run("datasets", "--json")[1])
    assert [d["name"] for d in described] == names
    assert described[0]["rows"] == 150


# Bad input: one line that names the argument, the value and what is accepted; exit code 2


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("trian digits", ["'trian'", "did you mean train?", "train, compare, report"]),
        ("digits", ["'digits'", "did you mean: minitrain train digits?"]),
        ("--foo", ["unknown option '--foo'"]),
        ("train", ["DATASET|FILE.csv", "required", "minitrain train --help"]),
        ("train digitz", ["'digitz'", "did you mean 'digits'?", "iris, wine"]),
        ("train nofile.csv", ["nofile.csv: no such file"]),
        ("train digits wine", ["'wine' is one argument too many"]),
        ("train digits --target x", ["--target: only for a CSV file"]),
        ("train digits --batch-size 0", ["--batch-size: 0", "whole numbers from 1"]),
        ("train digits --batch-size many", ["--batch-size: 'many'", "whole numbers from 1"]),
        ("train digits --epochs 0", ["--epochs: 0", "whole numbers from 1"]),
        ("train digits --patience 0", ["--patience: 0", "whole numbers from 1"]),
        ("train digits --seed -1", ["--seed: -1", "whole numbers from 0 to 4294967295"]),
        ("train digits --seed 4294967296", ["--seed: 4294967296 is too large"]),
        ("train digits --lr -1", ["--lr: '-1'", "numbers from 0"]),
        ("train digits --lr nan", ["--lr: 'nan'", "numbers from 0"]),
        ("train digits --lr fast", ["--lr: 'fast'", "numbers from 0"]),
        ("train digits --lr", ["--lr: expected one argument"]),
        ("train digits --lr 1 --set lr=1", ["lr is given twice"]),
        ("train digits --optimizer adm", ["--optimizer", "'adm'", "did you mean adam?", "nadam"]),
        (
            "train digits --activation rleu",
            ["--activation", "'rleu'", "did you mean relu?", "silu"],
        ),
        ("train digits --dtype float16", ["--dtype: 'float16'", "float32, float64"]),
        ("train digits --layers 64,x", ["--layers: '64,x'", "such as 64,64, or none"]),
        ("train digits --layers 0", ["--layers: '0'"]),
        ("train digits --set weigth_decay=1", ["'weigth_decay'", "did you mean 'weight_decay'?"]),
        ("train digits --set beta1=1.5", ["beta1: 1.5", "accepted: [0, 1)"]),
        ("train digits --set beta1=x", ["beta1: 'x' is not a number"]),
        ("train digits --set amsgrad=maybe", ["amsgrad: 'maybe'", "True or False"]),
        ("train digits --set beta1", ["--set: 'beta1'", "NAME=VALUE"]),
        ("train digits --epoch 3", ["unknown option --epoch (did you mean --epochs?)", "--lr"]),
        ("train diabetes --balanced", ["--balanced: only for classes"]),
        ("compare digits --optimizers adam,adm", ["--optimizers", "'adm'", "did you mean adam?"]),
        ("compare digits --optimizers adam", ["--optimizers: 'adam'", "at least two of"]),
        ("compare digits --optimizers adam,all", ["--optimizers: 'adam,all'", "accepted: all, or"]),
        ("compare digits --optimizers ,", ["--optimizers"]),
        ("compare digits --optimizers adam,adam", ["'adam' is named twice"]),
        ("compare digits digits", ["digits is named twice"]),
        ("compare diabetes", ["diabetes", "not classes"]),
        ("compare digits --seeds 1", ["--seeds: 1", "whole numbers from 2"]),
        ("compare --preset fast", ["--preset", "'fast'", "quick, standard, full"]),
        ("compare iris --arms lr", ["arms", "'lr'", "learning_rate"]),
        ("compare iris --schedules linaer", ["linaer"]),
        ("compare iris --epochs 1 --seconds 1", ["epochs and seconds"]),
        ("compare --resume nowhere", ["nowhere", "no study there"]),
        ("compare --resume nowhere --epochs 3", ["--resume", "leave out epochs"]),
        ("compare --config nowhere.toml", ["--config", "nowhere.toml"]),
        ("compare iris --baseline adma", ["baseline", "'adma'", "momentum"]),
        ("report nowhere", ["nowhere", "no study there"]),
        ("compare digits --trials -1", ["--trials: -1", "whole numbers from 0"]),
        ("optimizers adm", ["'adm'", "did you mean adam?"]),
        ("train iris --optimizer moun", ["'moun'", "did you mean muon?"]),
        ("train iris --optimizer lbfgs --set histry_size=3", ["did you mean 'history_size'?"]),
        (
            "train iris --optimizer lbfgs --set history_size=0.5",
            ["history_size: 0.5", "at least 1"],
        ),
        ("train iris --set lookahead=2.5", ["lookahead: 2.5 is not a whole number"]),
        ("train iris --accumulate 0", ["--accumulate: 0 is too small"]),
        ("find-lr iris --optimizer lbfgs", ["lbfgs has no learning rate to find"]),
        ("optimizers adam x", ["'x' is one argument too many"]),
        ("datasets --jsno", ["--jsno (did you mean --json?)"]),
    ],
)
def test_bad_input(refused, monkeypatch, tmp_path, command, expected):
    monkeypatch.chdir(tmp_path)
    line = refused(*command.split())
    for text in expected:
        assert text in line


def test_bad_files(refused, monkeypatch, tmp_path, flowers):
    monkeypatch.chdir(tmp_path)
    text = flowers.read_text("utf-8")
    Path("holes.csv").write_text(text.replace(",red,", ",,", 1), "utf-8")
    assert "did you mean: minitrain train 'my flowers.csv'?" in refused("my flowers.csv")
    line = refused("train", "my flowers.csv")
    assert "--target NAME" in line
    assert "length, width, colour, kind" in line
    assert "did you mean 'kind'?" in refused("train", "my flowers.csv", "--target", "knd")
    line = refused("train", "holes.csv", "--target", "kind")
    assert "'colour'" in line
    assert "line 2" in line
    assert "--drop colour" in line
    assert "folder" in refused("train", ".")


def test_out_that_cannot_be_written_is_found_before_the_training(refused, tmp_path):
    (tmp_path / "file").write_text("", "utf-8")
    line = refused("compare", "iris", *QUICK, "--out", tmp_path / "file" / "runs")
    assert "--out" in line
    assert "cannot be written" in line


def test_network_that_is_too_large(refused):
    line = refused("train", "iris", "--layers", "99999999,99999999", "--json", code=1)
    assert "not enough memory" in line


# Ctrl-C, readers that leave, disks that are full


def interrupt_at(monkeypatch, epoch):
    def update(self, done, total, message):
        if done == epoch:
            raise KeyboardInterrupt

    monkeypatch.setattr(console.Progress, "update", update)


def test_ctrl_c_in_a_training_says_what_was_learned(monkeypatch, run):
    interrupt_at(monkeypatch, 9)
    code, out, err = run("train", "iris", "--epochs", 100)
    assert code == 130
    assert "test accuracy" not in out
    assert err.startswith("minitrain: interrupted after 9 of 100 epochs with a test accuracy of ")
    assert err.endswith("%; nothing was written\n")
    code, out, _ = run("train", "iris", "--epochs", 100, "--json")
    assert code == 130
    assert json.loads(out)["stop_reason"] == "interrupted"


@pytest.mark.parametrize("out", [True, False])
def test_ctrl_c_in_a_study_says_what_was_written(monkeypatch, run, tmp_path, out):
    interrupt_at(monkeypatch, 1)
    options = ("--out", tmp_path) if out else ()
    code, _, err = run("compare", "iris", *QUICK, *options)
    assert code == 130
    said = re.match(r"minitrain: interrupted after (\d+) of 12 trainings; ", err)
    assert said
    assert 1 <= int(said[1]) < 12  # those that were under way with it are kept, too
    assert (f"minitrain compare --resume {tmp_path}" in err) == out
    assert (tmp_path / "runs.csv").exists() == out
    if out:
        with open(tmp_path / "runs.csv", encoding="utf-8", newline="") as file:
            assert len(list(csv.reader(file))) == 1 + int(said[1])
        monkeypatch.undo()
        assert run("compare", "--resume", tmp_path)[0] == 0


def test_ctrl_c_before_anything_was_learned(monkeypatch, refused):
    def load(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(mt.datasets, "load", load)
    assert refused("train", "iris", code=130) == "minitrain: interrupted; nothing was written\n"


@pytest.mark.skipif(ON_WINDOWS, reason="Windows sends Ctrl-C to whole groups of processes")
def test_ctrl_c_for_real():
    with start("train", "digits", "--epochs", 100_000) as process:
        line = b" "
        while line and b"loss" not in line:
            line = process.stderr.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert err.decode().splitlines()[-1].startswith("minitrain: interrupted after ")
    assert b"Traceback" not in err


def test_reader_that_leaves():
    with start("optimizers", "adam") as process:
        process.stdout.close()
        err = process.stderr.read()
        process.wait(timeout=30)
    assert (process.returncode, err) == (141, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is full")
def test_disk_that_is_full():
    with open("/dev/full", "wb") as full:
        command = [sys.executable, "-c", LAUNCH, "optimizers"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE)
    assert done.returncode == 1
    assert done.stderr.decode().startswith("minitrain: the output cannot be written: ")
    assert done.stderr.count(b"\n") == 1


def test_streams_that_are_closed(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    try:
        assert cli.main(["optimizers"]) == 0
        assert cli.main(["optimizer"]) == 2
    finally:
        sys.stdout.close()
        sys.stderr.close()


def test_characters_that_the_output_does_not_know():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-c", LAUNCH, "train", "iris", "--epochs", "1"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert "4 ? 64 ? 64 ? 3" in done.stdout


# What is said beside the results


def compile_twice(monkeypatch):
    def pretend(options):
        _jit.on_compile("epoch.train")
        _jit.on_compile("epoch.evaluate")
        warnings.warn("minitrain: no writable cache folder", RuntimeWarning, stacklevel=2)
        return 0

    monkeypatch.setattr(import_module("minitrain.cli.datasets"), "run", pretend)


@pytest.mark.filterwarnings("default")
def test_compilation_is_said_once_and_a_warning_in_one_line(monkeypatch, run):
    compile_twice(monkeypatch)
    before = _jit.on_compile
    assert run("datasets") == (
        0,
        "",
        "compiling kernels (first run only) …\nminitrain: warning: no writable cache folder\n",
    )
    assert _jit.on_compile is before
    assert "compiling" not in run("datasets", "--json")[2]


def test_activations_in_the_help_are_those_that_there_are(run):
    out = " ".join(run("train", "--help")[1].split())
    assert f"of the hidden layers: {', '.join(activations.NAMES)} (default: relu)" in out


@pytest.mark.skipif(ON_WINDOWS, reason="Windows has no pseudo-terminals")
@pytest.mark.parametrize("no_color", [False, True])
def test_in_a_terminal(no_color):
    shown = in_a_terminal(["train", "iris", "--epochs", "40"], no_color)
    assert "test accuracy" in shown
    assert "━" in shown  # a bar
    assert "\x1b[2K" in shown  # ... that is wiped out
    assert ("\x1b[38;5" in shown or "\x1b[3" in shown) == (not no_color)
    assert "Traceback" not in shown


def in_a_terminal(arguments, no_color):
    """What a terminal of 100 columns is sent."""
    import pty

    outer, inner = pty.openpty()
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100", "LINES": "40"}
    environment |= {"NO_COLOR": "1"} if no_color else {}
    command = [sys.executable, "-c", LAUNCH, *arguments]
    process = subprocess.Popen(
        command, stdin=inner, stdout=inner, stderr=inner, env=environment, close_fds=True
    )
    os.close(inner)
    shown = b""
    while True:
        try:
            piece = os.read(outer, 4096)
        except OSError:  # Linux: the other end is closed
            break
        if not piece:
            break
        shown += piece
    os.close(outer)
    assert process.wait(timeout=30) == 0
    return shown.decode()


# The tutorial


def test_train_demo():
    path = ROOT / "scripts" / "train_demo.py"
    environment = {**os.environ, "MINITRAIN_SETUP": "skip"}
    done = subprocess.run(
        [sys.executable, str(path)], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr
    tried, formula = map(float, re.findall(r"([+-]\d\.\d+) by ", done.stdout))
    assert tried == pytest.approx(formula, abs=2e-8)
    accuracy = next(line for line in done.stdout.splitlines() if line.startswith("Test accuracy"))
    assert float(accuracy.split()[2]) > 0.95


def test_train_demo_is_short_and_uses_the_public_api_alone():
    source = (ROOT / "scripts" / "train_demo.py").read_text("utf-8")
    assert len(source.splitlines()) <= 70
    assert max(map(len, source.splitlines())) <= 100
    used = {
        node.attr
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "mt"
    }
    assert used <= set(mt.__all__)


# Schedules


def test_train_with_a_schedule(run):
    code, out, _ = run("train", "iris", "--epochs", 4, "--schedule", "step(every=epochs(2))")
    assert code == 0
    assert "rate: step(every=epochs(2))" in out
    report = json.loads(run("train", "iris", "--epochs", 4, "--schedule", "linear", "--json")[1])
    assert report["schedule"] == "linear()"
    np.testing.assert_allclose(
        report["history"]["learning_rate"], 1e-3 * np.array([10, 7, 4, 1]) / 12
    )
    assert "rate:" not in run("train", "iris", "--epochs", 1)[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("train", "iris", "--schedule", "cosin"), "unknown 'cosin'; did you mean 'cosine'?"),
        (("train", "iris", "--schedule", "step(every=5)"), "or epochs(5) or steps(5)"),
        (("train", "iris", "--schedule", "one_cycle(momentum=(0.8, 0.9))", "--optimizer",
          "adagrad"), "moves the momentum, and Adagrad(lr=0.01) has none"),
        (("schedules", "cosin"), "unknown 'cosin'; did you mean 'cosine'?"),
        (("schedules", "cosine("), "'cosine(' is not understood"),
        (("find-lr", "iris", "--optimizer", "adm"), "unknown 'adm' (did you mean adam?)"),
        (("find-lr", "iris", "--low", "1", "--high", "0.1"), "accepted: rates with 0 < low < high"),
        (("find-lr", "iris", "--steps", "3"), "3 is too small; accepted: whole numbers from 10"),
        (("find-lr", "iris", "--plot", "no/where.png"), "cannot be written"),
        (("find-lr", "iris", "--plot", "curve.xyz"), "cannot be written"),
        (("find-lr", "iris", "--lr", "0.1"), "unknown option --lr"),
    ],
)  # fmt: skip
def test_wrong_schedules_and_rates(run, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, _, err = run(*arguments)
    assert code == 2
    assert message in err
    assert len(err.splitlines()) <= 2  # the error, and perhaps that kernels are compiled


def test_schedules(run):
    code, out, err = run("schedules")
    assert (code, err) == (0, "")
    for name in mt.schedule.names():
        assert f"\n{name} " in out
    assert "█" in out
    assert "``" not in out
    listed = json.loads(run("schedules", "--json")[1])
    assert [d["name"] for d in listed] == mt.schedule.names()
    assert all(len(d["factors"]) == 200 for d in listed)


@pytest.mark.parametrize("name", mt.schedule.names())
def test_schedule(run, name):
    code, out, err = run("schedules", name)
    assert (code, err) == (0, "")
    assert f"--schedule {name}" in out or f'--schedule "{name}()"' in out
    assert "⠀" in out or name == "constant"


def test_schedule_with_arguments(run):
    out = run("schedules", "warmup(epochs(2)) * step(every=epochs(5))")[1]
    assert out.startswith("warmup(duration=epochs(2)) * step(every=epochs(5))\n")
    assert "Here what it watches" in run("schedules", "reduce_on_plateau")[1]
    described = json.loads(run("schedules", "cosine(0.5)", "--json")[1])
    assert described["arguments"] == {"warmup": 0.5, "end": 0.0, "duration": 1.0}


# Find a learning rate


def test_find_lr(run, tmp_path):
    path = tmp_path / "curve.png"
    code, out, _ = run("find-lr", "iris", "--optimizer", "SGD", "--layers", 8, "--plot", path)
    assert code == 0
    assert "range test  SGD, 3 × 300 steps, rates from 1e-05 to 10" in out
    assert "1e-5" in out
    rate = out.split("suggested rate")[1].split()[0]
    assert out.rstrip().endswith(f"minitrain train iris --layers 8 --optimizer sgd --lr {rate}")
    assert path.read_bytes().startswith(b"\x89PNG")


def test_find_lr_as_json_is_the_public_api(run):
    found = json.loads(run("find-lr", "digits", "--steps", 40, "--runs", 2, "--json")[1])
    train = mt.datasets.load("digits").split(seed=0)[0]
    model = mt.MLP([64, 64, 64, 10], seed=0)
    wanted = mt.find_learning_rate(model, train, steps=40, runs=2)
    assert found["suggestion"] == wanted.suggestion
    assert found["losses"][0][:5] == wanted.losses[0][:5].tolist()
    assert found["dataset"] == "digits"


def test_find_lr_says_when_there_is_nothing_to_find(run):
    code, out, _ = run("find-lr", "iris", "--low", 100, "--high", 1e4, "--steps", 50)
    assert code == 0
    assert "The loss did not fall at any rate" in out
    assert "Use it" not in out


def test_find_lr_on_a_file_and_on_numbers(run, flowers):
    out = run("find-lr", flowers, "--target", "kind", "--steps", 50, "--set", "beta1=0.8")[1]
    assert "--target kind" in out
    assert "--set beta1=0.8 --lr" in out
    assert run("find-lr", "diabetes", "--steps", 50)[0] == 0
