"""The benchmarks: that their checks check and their figures are plausible; not how fast we are."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minitrain import cli
from minitrain.cli import bench

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "scripts"


@pytest.fixture(autouse=True)
def on_this_python(monkeypatch):
    monkeypatch.setenv("MINITRAIN_SETUP", "skip")
    monkeypatch.syspath_prepend(str(SCRIPTS))


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_script(name, *arguments):
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, encoding="utf-8")


# A training step


@pytest.fixture(scope="module")
def epoch_result(tmp_path_factory):
    """What a tiny run of bench_epoch.py writes and says; minitrain and scikit-learn alone."""
    file = tmp_path_factory.mktemp("bench") / "epoch.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINITRAIN_SETUP", "skip")
        patch.setenv("OPENBLAS_CORETYPE", "Haswell")
        few = ("--nets", 0, "--rounds", 2, "--seconds", 0.002, "--peers", "scikit-learn")
        done = run_script("bench_epoch", *few, "--json", file)
    assert done.returncode == 0, done.stderr
    return json.loads(file.read_text("utf-8")), done.stdout


def test_epoch_benchmark_tells_who_where_and_when(epoch_result):
    result, said = epoch_result
    for fact in ("machine", "cores", "date", "commit", "versions"):
        assert result[fact]
    (row,) = result["rows"]
    assert row["best_peer"].startswith("scikit-learn")
    assert row["ratio"].keys() == {"scikit-learn"}
    for name in ("minitrain 1", "minitrain auto", "scikit-learn 1", "limit", "against best peer"):
        assert name in said


def test_epoch_benchmark_has_trained_everyone_alike(epoch_result):
    (row,) = epoch_result[0]["rows"]
    loss = row["loss"]
    assert loss["minitrain 1"] == loss["minitrain auto"]
    # The first network is small: scikit-learn's other epsilon hardly shows.
    assert abs(loss["scikit-learn 1"] - loss["minitrain 1"]) < 1e-4
    assert row["out"] == {}


def test_limits_are_plausible(epoch_result):
    (row,) = epoch_result[0]["rows"]
    limit = row["limits"]["1"]
    # A core does 1 to 100 fma of 16 lanes in a nanosecond at best; an empty loop would do more.
    assert 1e9 < limit["flops_per_second"] < 3.2e12
    assert limit["step"] == pytest.approx(limit["products"] + limit["optimizer"] + limit["gather"])
    assert 0 < row["share_of_limit_1"] < 1


def test_who_does_other_work_is_out():
    race = script("_race")
    with race.Race(["scikit-learn"], lr=1.1e-3) as one:
        outcome = one.run((8, 16, 3), 16, rounds=1, seconds=1e-3, steps=32)
    assert all("other work" in why for why in outcome.out.values())
    assert len(outcome.out) == len(one._others)
    assert outcome.best() is None


def test_who_is_not_installed_is_named(monkeypatch, capsys):
    contenders, race = script("_contenders"), script("_race")
    monkeypatch.setitem(sys.modules, "optax", None)
    monkeypatch.setitem(sys.modules, "jax", None)
    monkeypatch.delattr(os, "sched_setaffinity", raising=False)
    monkeypatch.setattr(contenders, "Task", lambda path, lr: None)
    answer = contenders.Server("JAX", 1).answer({"open": "", "check": 1, "lr": 1e-3})
    assert answer["missing"].startswith("not installed")
    assert race.steps_for((784, 1024, 1024, 10), 256) == 4


def test_step_flops():
    roof = script("_roof")
    # By hand: forward 2·(4·16 + 16·3), dW the same, dx of the second layer alone: 2·16·3.
    assert roof.step_flops((4, 16, 3), 10) == 10 * (4 * (64 + 48) + 96)


@pytest.mark.compiled
def test_loops_do_what_they_say():
    roof = script("_roof")
    x = np.arange(256, dtype=np.float32)
    roof._fma_loop(x, 3)
    assert np.array_equal(x, np.arange(256, dtype=np.float32) / 8 + 1.75)
    g, p, m, v = (np.full(5, value, np.float32) for value in (1, 2, 3, 4))
    roof._stream_loop(g, p, m, v, 2)
    assert [a[0] for a in (g, p, m, v)] == [1, 4, 5, 6]


# A start


def test_start_benchmark(tmp_path):
    bench_start = script("bench_start")
    bench_start.write_digits(tmp_path / "digits.npz")
    run = bench_start.start("scikit-learn", None, tmp_path / "digits.npz", tmp_path)
    assert run["accuracy"] > bench_start.LEAST_ACCURACY
    assert run["total"] == pytest.approx(sum(run[stage] for stage in bench_start.STAGES))
    own = bench_start.start("arrays", None, tmp_path / "digits.npz", tmp_path)
    assert own["accuracy"] > bench_start.LEAST_ACCURACY
    row = bench_start.summary("scikit-learn", [run])
    assert len({len(line) for line in bench_start.table([row])}) == 1


# The command


def test_bench_hands_everything_on(capfd):
    assert cli.main(["bench", "epoch", "--help"]) == 0
    out, _ = capfd.readouterr()
    assert "usage: bench_epoch.py" in out
    assert "--grid" in out


def test_bench_returns_the_exit_code_of_the_script(capfd):
    assert cli.main(["bench", "epoch", "--nets", "99"]) == 2
    assert "--nets" in capfd.readouterr().err


@pytest.mark.parametrize("arguments", [["bench"], ["bench", "epochs"]])
def test_bench_names_the_benchmarks(capsys, arguments):
    assert cli.main(arguments) == 2
    assert "epoch, kernels, start" in capsys.readouterr().err


@pytest.mark.parametrize("name", bench.BENCHMARKS)
def test_bench_has_a_script(name):
    assert bench.find_script(f"bench_{name}.py").is_file()


def test_bench_without_a_source_tree(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "__file__", str(tmp_path / "minitrain" / "cli" / "bench.py"))
    assert cli.main(["bench", "epoch"]) == 2
    err = capsys.readouterr().err
    assert "not part of the installed package" in err
    assert "python3 scripts/bench_epoch.py" in err


# The warm-up


def test_warmup_leaves_nothing_to_compile(capsys):
    assert cli.main(["warmup"]) == 0
    capsys.readouterr()
    assert cli.main(["warmup", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["compiled"] == 0
    train = ["train", "iris", "--epochs", "1", "--dtype", "float64", "--optimizer", "nadam"]
    done = subprocess.run(
        [sys.executable, "-m", "minitrain", *train, "--balanced"], capture_output=True, text=True
    )
    assert done.returncode == 0
    assert "compiling" not in done.stderr
    done = subprocess.run([sys.executable, "-c", FITS], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


# Fits of documented configurations; prints what they compile.
FITS = """
import warnings
import numpy as np
import minitrain as mt
from minitrain.kernels import _jit
warnings.simplefilter("ignore")
_jit.on_compile = print
X, y = np.random.RandomState(0).standard_normal((40, 5)), np.arange(40) % 3
for dtype in ("float32", "float64"):
    for options in ({}, {"solver": "sgd", "momentum": 0.0}, {"solver": "lbfgs"}, {"dropout": 0.2},
                    {"normalization": "layer", "activation": "gelu"}, {"normalization": "batch"},
                    {"label_smoothing": 0.1}, {"l1": 1e-3}, {"clip_global_norm": 1.0, "ema": 0.9},
                    {"early_stopping": True, "scoring": "loss"}, {"solver": "adamw"}):
        for labels in (y, y > 0):
            fit = mt.MLPClassifier(max_iter=2, **options).fit(X.astype(dtype), labels)
            fit.predict(X[:1].astype(dtype))
    mt.MLPRegressor("poisson", max_iter=2).fit(X.astype(dtype), y).predict(X)
    for given in ({"sam": 0.05}, {"lookahead": 5}, {"cautious": True}, {"swa_start": 2}):
        model = mt.MLP([5, 8, 3], dtype=dtype, normalization="layer")
        mt.Trainer(model, mt.optimizers.Adam(**given)).fit((X, y), 2, validation=(X, y))
"""


# The README


def test_readme_shows_the_figures_that_are_committed():
    update = script("update_readme")
    readme = update.README.read_text("utf-8")
    assert update.updated(readme, update.read_figures(update.FIGURES)) == readme, (
        "README.md is stale: python3 scripts/update_readme.py"
    )


def test_the_page_of_all_optimizers_shows_the_figures_that_are_committed():
    """It is there if and only if its figures are."""
    update = script("update_readme")
    figures = update.read_figures(update.FIGURES)
    shown = update.SPEED_PAGE.read_text("utf-8") if update.SPEED_PAGE.is_file() else None
    expected = update.speed_page(figures["kernels"]) if "kernels" in figures else None
    assert shown == expected, "docs/kernels-speed.md is stale: python3 scripts/update_readme.py"


def test_readme_gets_a_table_of_every_benchmark(epoch_result):
    update = script("update_readme")
    readme = "A\n<!-- bench:epoch -->\nold\n<!-- /bench:epoch -->\nB\n"
    figures = {"epoch": epoch_result[0]}
    after = update.updated(readme, figures)
    assert "| 4-16-3, 16 | **" in after
    assert "old" not in after
    assert after.startswith("A\n")
    assert after.endswith("\nB\n")
    assert update.updated(after, figures) == after
    figures["epoch"]["rows"][0]["ratio_to_best_peer"] = 1e9
    assert update.updated(after, figures) != after


@pytest.mark.parametrize(
    ("readme", "names"),
    [("", ["epoch"]), ("<!-- bench:epoch --> <!-- /bench:epoch -->", []),
     ("<!-- bench:epoch -->", ["epoch"])],
)  # fmt: skip
def test_readme_and_figures_belong_together(readme, names):
    update = script("update_readme")
    with pytest.raises(SystemExit, match=r"README\.md"):
        update.updated(readme, {name: {"rows": [], "machine": "x"} for name in names})


def test_kernels_benchmark(tmp_path):
    """NumPy and the limit, and torch and optax where they are installed."""
    file = tmp_path / "kernels.json"
    few = ("--sizes", 500, "--pairs", 2, "--seconds", 1e-4, "--rules", "sgd", "adadelta", "aggmo")
    done = run_script("bench_kernels", *few, "--json", file)
    assert done.returncode == 0, done.stderr
    result = json.loads(file.read_text("utf-8"))
    for fact in ("machine", "cores", "date", "commit", "versions"):
        assert result[fact]
    peers = {f"{name}" for name in ("torch", "optax") if importlib.util.find_spec(name)}
    for row, slots, torch in zip(result["rows"], (0, 2, 2), (True, True, False), strict=True):
        assert row["seconds"]["fused"] > 0
        moved = (3 + 2 * slots) * 4 * row["size"]
        rate = moved / row["seconds"]["fused"] / 1e9
        assert row["gigabytes_per_second"] == pytest.approx(rate)
        expected = {"numpy"}
        if torch and "torch" in peers:
            expected |= {"torch", "torch loop", "torch foreach"}
        if torch and "optax" in peers:
            expected |= {"optax jit"}
        assert set(row["ratios"]) - {"torch fused"} == expected
        assert row["rule"] in done.stdout
    assert "Bars that are missed" in done.stdout or "All bars are cleared" in done.stdout
    more = (*few[:-1], "qhm", "--no-peers", "--json", file)
    again = run_script("bench_kernels", *more, "--resume")
    assert again.returncode == 0, again.stderr
    resumed = json.loads(file.read_text("utf-8"))["rows"]
    assert {row["rule"] for row in resumed} == {"sgd", "adadelta", "aggmo", "qhm"}
    assert all(row in resumed for row in result["rows"])  # they are kept, not measured again
    file.write_text(json.dumps({**result, "commit": "another"}), "utf-8")
    refused = run_script("bench_kernels", *more, "--resume")
    assert refused.returncode != 0
    assert "figures of commit 'another'" in refused.stderr


def test_kernels_benchmark_says_which_bars_are_missed(capsys):
    bench_kernels = script("bench_kernels")
    fine = {
        "rule": "adam",
        "size": 1000,
        "ratios": {"torch": 10.5, "numpy": 3},
        "share_of_limit": 0,
    }
    slow = {
        "rule": "sgd",
        "size": 10**5,
        "ratios": {"torch": 2.5, "numpy": 0.9},
        "share_of_limit": 0,
    }
    large = {"rule": "lion", "size": 5 * 10**7, "ratios": {}, "share_of_limit": 0.85}
    assert bench_kernels.report_bars([fine]) == 0
    assert bench_kernels.report_bars([fine, slow, large]) == 3
    said = capsys.readouterr().out
    for line in (
        "sgd at 100000: 2.50 × torch, not 3.0",
        "0.90 × numpy, not 0.97",
        "lion at 50000000: 85%",
    ):
        assert line in said


def test_a_peer_is_called_as_the_catalogue_says():
    steps = script("_steps")
    for said, value in (("decimal.Decimal", 0), ("types.SimpleNamespace(a=1, b=0.5)", None)):
        module = __import__(said.partition(".")[0])
        made, given = steps.call_of(said.partition(".")[2], module)
        assert given == ({} if value == 0 else {"a": 1, "b": 0.5})
        assert made is getattr(module, said.partition(".")[2].partition("(")[0])


def test_the_limit_moves_memory_of_its_own():
    """Zeros that were never written are read from the cache."""
    limits = script("_limits")
    assert limits.written(5, "float32").tolist() == [1] * 5
    for threads in (1, 3):
        limits.stream(4, 0, 1000, "float64", threads)(2)
        limits.stream(3, 1, 1000, "float64", threads)(2)
    assert limits.traffic(2, 0, 10, "float32") == 280  # g once, p and two slots twice
    assert limits.traffic(3, 1, 10, "float32") == 320  # and one that is only read


def test_pages_of_the_optimizers():
    update = script("update_readme")
    rows = [
        {"rule": rule, "size": size, "seconds": {"fused": 1.5e-6}, "gigabytes_per_second": 80.0,
         "share_of_limit": 0.5, "ratios": {"numpy": 8.1, **ratios}}
        for rule, ratios in (
            ("adam", {"torch": 12.34, "optax jit": 3.0}), ("lion", {"optax jit": 5.04}),
            ("aggmo", {}),
        )
        for size in (10**3, 5 * 10**7)
    ]  # fmt: skip
    result = {"machine": "M", "cores": 2, "dtype": "float64", "rows": rows}
    text = "\n".join(update.kernels(result))
    assert "| adam | 12 × | 50 % |" in text
    assert "| lion | 5 × (optax) | 50 % |" in text
    assert "speed at 5·10⁷ |" in text
    assert "aggmo" not in text  # the README shows the well-known ones alone ...
    page = update.speed_page(result)
    assert "## aggmo" in page  # ... and the page all
    assert "| 5·10⁷ | 1.50 | 80 | 50 % | 8.1 × | 12 × | 3 × |" in page
    assert "float64" in page


def test_figures_of_the_optimizers_become_pages(tmp_path, monkeypatch, capsys):
    """Written, then up to date, then stale: by the script as it is called."""
    update = script("update_readme")
    row = {"rule": "sgd", "size": 10**3, "seconds": {"fused": 1e-6}, "gigabytes_per_second": 1.0,
           "share_of_limit": 0.9, "ratios": {"numpy": 2.0, "torch": 20.0}}  # fmt: skip
    figures = {"machine": "M", "rows": [row]}
    monkeypatch.setattr(update, "README", tmp_path / "README.md")
    monkeypatch.setattr(update, "SPEED_PAGE", tmp_path / "speed.md")
    monkeypatch.setattr(update, "FIGURES", tmp_path)
    update.README.write_text("<!-- bench:kernels -->\n<!-- /bench:kernels -->\n", "utf-8")
    file = tmp_path / "kernels.json"
    for ratio, check, code in ((20.0, [], 0), (20.0, ["--check"], 0), (30.0, ["--check"], 1)):
        row["ratios"]["torch"] = ratio
        file.write_text(json.dumps(figures), "utf-8")
        monkeypatch.setattr(sys, "argv", ["update_readme.py", *check])
        assert update.main() == code
    assert "speed.md is stale" in capsys.readouterr().out
    assert "| sgd | 20 × | 90 % |" in update.README.read_text("utf-8")


def test_readme_table_of_start():
    update = script("update_readme")
    row = {"name": "scikit-learn", "total": 1.5, "import": 1, "data": 0.1, "training": 0.4}
    text = "\n".join(update.start({"machine": "M", "cores": 2, "date": "D", "rows": [row]}))
    assert "| scikit-learn | **1.50** | 1.00 | 0.10 | 0.40 |" in text
    assert "M, 2 cores, D" in text


def test_comparing_shows_the_figures_that_are_committed():
    update = script("update_comparing")
    page = update.PAGE.read_text("utf-8")
    assert update.updated(page, update.read_figures()) == page, (
        "docs/comparing.md is stale: python3 scripts/update_comparing.py"
    )


def test_comparing_gets_its_tables():
    update = script("update_comparing")
    row = {"contender": "minitrain", "rate": 250.0, "accuracy": 0.97, "cold": 1.0, "ratio": 1.0}
    bars = {"the best peer": {"measured": 4.5, "bar": 4}}
    about = {"machine": "M", "cores": 2, "date": "D", "commit": "C"}
    study = {**about, "epochs": 20, "load": 0.5, "rows": [row], "bars": bars}
    false = {"dataset": "wine", "false": 1, "rate": 0.005, "low": 0.0, "high": 0.0275}
    honesty = {
        **about, "studies": 200, "seeds": 30, "stated": 0.05, "rows": [false],
        "crippled": {"wine": "worse", "iris": "better"},
    }  # fmt: skip
    page = "".join(f"<!-- bench:{n} -->\n<!-- /bench:{n} -->\n" for n in ("study", "honesty"))
    text = update.updated(page, {"study": study, "honesty": honesty})
    for part in (
        "| **minitrain** | 250 | 4.0 s | 97.0 % | 1.0 | 1.0 s |",
        "The best peer: 4.50 × (wanted: 4)",
        "| wine | 1 of 200 | 0.5 % | 0.0 to 2.8 % |",
        "on 1 of 2 data sets",
        "M, 2 cores, D, commit C",
    ):
        assert part in text
    assert update.updated(text, {"study": study, "honesty": honesty}) == text
    with pytest.raises(SystemExit, match=r"comparing\.md"):
        update.updated("", {"study": study})


def test_readme_table_of_the_estimators():
    update = script("update_readme")
    score = {"ours": 0.98, "theirs": 0.97, "p": 0.5}
    figures = {"fit iris batch 32, float64": {"ratio": 12.34}, "predict iris": {"ratio": 10.06},
               "score iris": score}  # fmt: skip
    text = "\n".join(update.estimator({"machine": "M", "figures": figures}))
    assert "|  | iris |" in text
    assert "| fit, batch 32, float64 | 12.3 × |" in text
    assert "| predict one row | 10.1 × |" in text
    assert "| score, and scikit-learn's | 0.980, 0.970 (p 0.50) |" in text
