"""The same study on threads, processes and a cluster; workers that die."""

import itertools
import os
import signal
import threading
import time

import joblib
import pytest

import minitrain as mt
from minitrain.lab import engine, execution, plan

POSIX_ALONE = pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")


def small(**changes):
    options = {"seeds": 4, "epochs": 3, "trials": 2, "layers": (8,), "arms": ["learning_rate"]}
    return mt.lab.Study(["iris", own_data()], ["sgd", "adam"], **{**options, **changes})


def own_data():
    made = mt.datasets.blobs(n=90, seed=3)
    return mt.datasets.Dataset("own", made.X, made.y)


def bits(result):
    """Everything but the seconds."""
    names = [n for n in mt.lab.Run.__dataclass_fields__ if n not in ("seconds", "curves")]
    return [str([getattr(run, n) for n in names] + [run.curves.tolist()]) for run in result.runs]


@pytest.fixture(scope="module")
def expected():
    return bits(small().run())


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(execution, "_SECONDS_PER_FAR_BATCH", 0.001)


@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_the_same_bits_on_other_backends(backend, expected, tmp_path):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert bits(small().run(out=tmp_path)) == expected
    assert bits(mt.lab.Result.load(tmp_path)) == expected


def test_a_backend_is_used_only_where_one_was_chosen():
    assert not execution._has_backend()
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert execution._has_backend()
    assert not execution._has_backend()


def test_batches_cut_tasks_in_order():
    pieces = plan.batches(list(range(10)), lambda task: 0.3, 1.0)
    assert list(pieces) == [[0, 1, 2], [3, 4, 5], [6, 7, 8], [9]]
    assert list(plan.batches([1, 2], lambda task: 5.0, 1.0)) == [[1], [2]]
    assert list(plan.batches([], lambda task: 5.0, 1.0)) == []


def test_the_last_batches_are_short():
    """So that no worker waits long for another at the end."""
    pieces = list(plan.batches(range(100), lambda task: 0.1, 1.0, workers=2, left=10.0))
    assert [task for piece in pieces for task in piece] == list(range(100))
    sizes = [len(piece) for piece in pieces]
    assert sizes[:6] == [10] * 6
    assert sizes[-1] == 1
    assert all(later <= earlier for earlier, later in itertools.pairwise(sizes))
    free = [0.0, 0.0]  # when each is ready for the next piece
    for size in sizes:
        free[free.index(min(free))] += size
    assert max(free) - min(free) <= 1


@POSIX_ALONE
def test_a_poisonous_training_is_set_aside_and_named(monkeypatch):
    """It kills its process whenever it is tried; everything else comes out."""
    monkeypatch.setattr(engine, "_ATTEMPTS", 1)  # each takes a pool with it, and seconds

    def deadly(step, total):
        os.kill(os.getpid(), signal.SIGKILL)

    study = mt.lab.Study(
        ["iris"], ["sgd"], trials=0, seeds=2, epochs=2, layers=(8,),
        schedules={"constant": "constant", "deadly": deadly},
    )  # fmt: skip
    with joblib.parallel_config(backend="loky", n_jobs=2):
        result = study.run()
    assert [(r.schedule, r.failed, r.reason[:28]) for r in result.runs] == [
        ("constant", False, ""), ("constant", False, ""),
        ("deadly", True, "crash: its worker died 1 tim"),
        ("deadly", True, "crash: its worker died 1 tim"),
    ]  # fmt: skip


@pytest.fixture(scope="module")
def cluster():
    distributed = pytest.importorskip_or_fail("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield cluster, client


@pytest.mark.filterwarnings("ignore")  # Dask's own, when a worker is killed
def test_a_cluster_gives_the_same_bits_also_when_a_worker_is_killed(cluster, expected, tmp_path):
    cluster, client = cluster
    with joblib.parallel_config(backend="dask"):
        assert bits(small().run()) == expected

    pids = client.run(os.getpid)
    killed = []

    def kill_one(done, total, message):
        if not killed and done > 5:
            killed.append(pids.popitem()[1])
            os.kill(killed[0], signal.SIGKILL)

    with joblib.parallel_config(backend="dask"):
        result = small().run(out=tmp_path, progress=kill_one)
    assert killed
    assert bits(result) == expected
    assert bits(mt.lab.Result.load(tmp_path)) == expected


@pytest.mark.filterwarnings("ignore")
def test_data_of_ones_own_are_sent_once_and_not_with_every_task(cluster, monkeypatch):
    made = mt.datasets.blobs(n=120, seed=99)  # no worker has it yet
    study = mt.lab.Study(
        [mt.datasets.Dataset("new", made.X, made.y)], ["sgd", "adam"], seeds=30, epochs=2,
        trials=0, layers=(8,),
    )  # fmt: skip
    here = bits(study.run())
    monkeypatch.setattr(execution, "_SECONDS_PER_FAR_BATCH", 1e-6)
    sent, batches = [], []
    parcel = engine._Post.parcel

    def counting(self):
        batches.append(found := parcel(self))
        sent.extend(found)
        return found

    monkeypatch.setattr(engine._Post, "parcel", counting)
    with joblib.parallel_config(backend="dask"):
        assert bits(study.run()) == here
    assert len(batches) >= 60  # each of one training
    assert 1 <= len(sent) <= 8  # a worker or two, and what was on its way before each had answered


@pytest.mark.filterwarnings("ignore")
def test_the_command_runs_on_a_cluster(cluster, capsys):
    from minitrain import cli

    address = cluster[0].scheduler_address
    options = ["--trials", "0", "--seeds", "2", "--epochs", "1", "--json"]
    assert cli.main(["compare", "iris", *options, "--dask", address]) == 0
    assert '"sentence"' in capsys.readouterr().out


def test_a_cluster_that_is_not_there_is_named(capsys, monkeypatch):
    from minitrain import cli

    distributed = pytest.importorskip_or_fail("distributed")

    def refuse(address, timeout):
        raise OSError("Timed out trying to connect")

    monkeypatch.setattr(distributed, "Client", refuse)
    monkeypatch.setattr("dask.distributed.Client", refuse)
    assert cli.main(["compare", "iris", "--dask", "tcp://nowhere:8786"]) == 2
    assert "--dask: no scheduler at 'tcp://nowhere:8786'" in capsys.readouterr().err


def test_ctrl_c_is_heard_in_the_middle_of_a_long_training():
    """A training of many minutes stops within a few calls of compiled code."""
    study = mt.lab.Study(["digits"], ["sgd"], trials=0, seeds=2, epochs=2)
    study.run()  # compiled
    study = mt.lab.Study(["digits"], ["sgd"], trials=0, seeds=2, epochs=200_000)
    timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
    began = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        study.run()
    assert time.monotonic() - began < 30


def test_many_runs_do_not_keep_their_curves(monkeypatch):
    result = small(trials=8).run()
    assert all(run.curves.size == 0 for run in result.runs if run.stage == "tuning")
