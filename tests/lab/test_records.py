"""Files of runs: whole or not there, damage named, nothing computed twice, two processes."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest

import minitrain as mt
from minitrain.lab import execution, index, records, training

OPTIONS = {"seeds": 4, "epochs": 3, "trials": 2, "layers": (8,), "arms": ["learning_rate"]}


def small(**changes):
    return mt.lab.Study(["iris", "wine"], ["sgd", "adam"], **{**OPTIONS, **changes})


@pytest.fixture(autouse=True)
def small_batches(monkeypatch):
    monkeypatch.setattr(execution, "_SECONDS_PER_BATCH", 0.0002)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("finished") / "study"
    return folder, small().run(out=folder)


@pytest.fixture
def folder(finished, tmp_path):
    shutil.copytree(finished[0], tmp_path / "study")
    return tmp_path / "study"


@pytest.fixture
def count(monkeypatch):
    """How many trainings were computed since."""
    computed = []
    train = training.train

    def counting(workload, task, *rest):
        computed.append(task)
        return train(workload, task, *rest)

    monkeypatch.setattr(training, "train", counting)
    return lambda: len([t for t in computed if workload_of_study(t)])


def workload_of_study(task):
    return not (task.stage == "final" and task.seed == 0 and task.config.arm == "defaults")


def lines(result):
    return [drop_time(run.to_line()) for run in result.runs]


def drop_time(line):
    return {k: v for k, v in json.loads(line).items() if k != "seconds"}


def test_a_run_comes_back_from_its_line_bit_for_bit(finished):
    for run in finished[1].runs:
        assert mt.lab.Run.from_line(run.to_line()).to_line() == run.to_line()


def test_any_tool_can_read_a_file(folder):
    path = sorted((folder / "runs").iterdir())[0]
    head, *rest = [json.loads(line) for line in path.read_text().splitlines()]
    assert head["runs"] == len(rest)
    assert head["environment"]["numpy"] == np.__version__
    assert set(rest[0]["curves"]) == set(records.CURVES)
    assert len(rest[0]["curves"]["loss"]) == 3


def test_what_is_there_is_not_computed_again(folder, finished, count):
    again = small().run(out=folder)
    assert count() == 0
    assert lines(again) == lines(finished[1])


def test_resume_from_the_folder_alone(folder, finished, count):
    for path in sorted((folder / "runs").iterdir())[::2]:
        path.unlink()
    again = mt.lab.Study.resume(folder).run(out=folder)
    assert 0 < count() < again.trainings
    assert lines(again) == lines(finished[1])


def test_the_time_of_a_study_is_that_of_all_its_sessions(folder, finished):
    path = folder / "result.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps({**written, "seconds": 1000.0}))
    again = small().run(out=folder)
    assert 1000.0 <= again.seconds < 1001.0
    assert mt.lab.Result.load(folder).seconds == again.seconds


def test_more_seeds_belong_to_the_same_study(folder, count):
    small(seeds=6).run(out=folder)
    assert count() == 2 * 2 * 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "garbage"])
def test_a_damaged_file_is_named_set_aside_and_computed_again(folder, finished, damage, count):
    path = sorted((folder / "runs").iterdir())[0]
    raw = bytearray(path.read_bytes())
    if damage == "flipped":
        raw[-40] ^= 1
    path.write_bytes(
        {"cut": raw[: len(raw) // 2], "flipped": raw, "empty": b"", "garbage": b"\xff\x00{"}[damage]
    )
    loaded = mt.lab.Result.load(folder)
    assert loaded.damaged
    assert path.name in loaded.damaged[0]
    assert path.exists()  # who only reads changes nothing
    again = small().run(out=folder)
    assert path.name in again.damaged[0]
    assert path.with_name(path.name + ".damaged").exists()
    assert count() > 0
    assert lines(again) == lines(finished[1])
    assert not mt.lab.Result.load(folder).damaged


def test_every_flipped_bit_of_a_file_is_found(folder):
    path = min((folder / "runs").iterdir(), key=lambda p: p.stat().st_size)
    raw = path.read_bytes()
    mark = json.loads((folder / "study.json").read_text())["fingerprint"]
    body = raw.index(b"\n") + 1
    for place in range(body, len(raw), 97):
        changed = bytearray(raw)
        changed[place] ^= 1 << place % 8
        path.write_bytes(changed)
        with pytest.raises(mt.lab.DamagedFile, match=path.name):
            records.read_batch(path, mark)


def test_another_study_is_refused(folder):
    with pytest.raises(mt.lab.StudyFolderError, match=r"another study \(other budget"):
        small(epochs=4).run(out=folder)
    with pytest.raises(mt.lab.StudyFolderError, match="no study there"):
        mt.lab.Study.resume(folder / "runs")


def test_a_disk_that_is_full_keeps_what_was_written(tmp_path, monkeypatch, finished):
    write = records.write_whole
    written = []

    def full(path, text):
        if path.parent.name == "runs":
            written.append(path)
            if len(written) > 3:
                raise OSError(28, "No space left on device", str(path))
        write(path, text)

    monkeypatch.setattr(records, "write_whole", full)
    with pytest.raises(OSError, match="No space left"):
        small().run(out=tmp_path / "s")
    monkeypatch.setattr(records, "write_whole", write)
    assert len(list((tmp_path / "s" / "runs").iterdir())) == 3
    assert lines(small().run(out=tmp_path / "s")) == lines(finished[1])


@pytest.mark.parametrize("moment", [1, 7, 20])
def test_ctrl_c_leaves_a_study_that_can_be_resumed(tmp_path, finished, moment):
    def interrupt(done, total, message):
        if done == moment:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        small().run(out=tmp_path, progress=interrupt)
    kept = mt.lab.Result.load(tmp_path)
    assert kept.trainings >= moment
    assert lines(mt.lab.Study.resume(tmp_path).run(out=tmp_path)) == lines(finished[1])


def test_a_crash_is_recorded_as_a_crash_and_computed_again(tmp_path, monkeypatch, finished):
    train = training.train

    def crashing(workload, task, *rest):
        if task.config.dataset == "wine" and task.stage == "final" and task.seed == 4:
            raise MemoryError("no more room")
        return train(workload, task, *rest)

    monkeypatch.setattr(training, "train", crashing)
    result = small().run(out=tmp_path)
    crashes = [r.reason for r in result.failures if r.is_crash]
    assert crashes == ["crash: MemoryError: no more room"] * 2
    monkeypatch.setattr(training, "train", train)
    assert lines(small().run(out=tmp_path)) == lines(finished[1])
    assert not any(r.is_crash for r in mt.lab.Result.load(tmp_path).failures)


def test_two_processes_share_a_folder(tmp_path, finished):
    script = (
        "import minitrain as mt\nfrom minitrain.lab import execution\n"
        "execution._SECONDS_PER_BATCH = 2e-4\n"
        f"mt.lab.Study(['iris', 'wine'], ['sgd', 'adam'], **{OPTIONS!r}).run(out={str(tmp_path)!r})"
    )
    both = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(2)]
    assert [process.wait(timeout=120) for process in both] == [0, 0]
    assert lines(mt.lab.Result.load(tmp_path)) == lines(finished[1])


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL on Windows")
def test_killed_at_any_moment_nothing_is_lost(tmp_path, finished):
    script = (
        "import minitrain as mt\nfrom minitrain.lab import execution\n"
        "execution._SECONDS_PER_BATCH = 1e-6\n"
        f"mt.lab.Study(['iris', 'wine'], ['sgd', 'adam'], **{OPTIONS!r}).run(out={str(tmp_path)!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", script])
    while not list(tmp_path.glob("runs/*.jsonl")):
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    process.wait()
    assert not mt.lab.Result.load(tmp_path).damaged
    assert lines(small().run(out=tmp_path)) == lines(finished[1])


def test_the_index_can_be_rebuilt_from_the_files(folder, finished):
    (folder / "index.sqlite3").unlink()
    index.write_index(folder, mt.lab.Result.load(folder).runs)
    database = sqlite3.connect(folder / "index.sqlite3")
    (number,) = database.execute("SELECT count(*) FROM runs").fetchone()
    (best,) = database.execute(
        "SELECT max(test_accuracy) FROM runs WHERE dataset = 'wine' AND optimizer = 'adam'"
    ).fetchone()
    database.close()
    assert number == finished[1].trainings
    assert best == np.nanmax(finished[1].scores("wine", "adam"))


def test_records_load_as_a_data_frame(folder, finished):
    frame = mt.lab.read_runs(folder)
    assert len(frame) == finished[1].trainings
    final = frame[(frame.stage == "final") & (frame.dataset == "wine") & (frame.optimizer == "sgd")]
    scores = final.sort_values("seed").test_accuracy.to_numpy()
    np.testing.assert_array_equal(scores, finished[1].scores("wine", "sgd"))
    assert frame["hyper.beta1"].notna().sum() == (frame.optimizer == "adam").sum()
    assert len(frame["curve.validation_loss"].iloc[0]) == 3
    assert len(finished[1].to_frame()) == len(frame)


def test_a_data_set_of_ones_own_travels_with_the_folder(tmp_path):
    own = mt.datasets.blobs(n=120, seed=5)
    own = mt.datasets.Dataset("mine", own.X, own.y)
    study = mt.lab.Study([own], ["sgd", "adam"], trials=0, seeds=2, epochs=2, layers=(8,))
    result = study.run(out=tmp_path)
    again = mt.lab.Study.resume(tmp_path)
    assert again.datasets["mine"].checksum == own.checksum
    assert lines(again.run(out=tmp_path)) == lines(result)


def test_a_study_from_a_toml_file(tmp_path):
    (tmp_path / "mine.csv").write_text(
        "a,b,y\n" + "".join(f"{i},{i * i % 7},{'uv'[i % 2]}\n" for i in range(30))
    )
    path = tmp_path / "study.toml"
    path.write_text(
        'datasets = ["iris", {file = "mine.csv", target = "y"}]\nseeds = 5\nepochs = 2\n'
        'arms = ["defaults"]\n[optimizers]\nadam = "adam"\n'
        'fast = {rule = "adam", lr = 0.01, beta1 = 0.8}\n'
    )
    study = mt.lab.Study.from_toml(path, seed=3)
    assert list(study.datasets) == ["iris", "mine"]
    assert repr(study.optimizers["fast"]) == "Adam(lr=0.01, beta1=0.8)"
    assert (study.seeds, study.seed, study.budget.amount) == (5, 3, 2)
    for text, message in [
        ("seedz = 3", "unknown key 'seedz'; accepted: datasets"),
        ("seeds = ", "not TOML"),
        ("[optimizers]\nx = {lr = 1}", "optimizers.x: no rule"),
    ]:
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            mt.lab.Study.from_toml(path)


def test_a_schedule_of_ones_own_is_resumed_from_python_alone(tmp_path, count):
    def halves(steps, total):
        return np.where(steps < total / 2, 1.0, 0.5)

    options = {
        "trials": 0,
        "seeds": 2,
        "epochs": 2,
        "layers": (8,),
        "schedules": {"halves": halves},
    }
    mt.lab.Study(["iris"], ["sgd"], **options).run(out=tmp_path)
    before = count()
    mt.lab.Study(["iris"], ["sgd"], **options).run(out=tmp_path)
    assert count() == before
    with pytest.raises(mt.lab.StudyFolderError, match="resume from Python"):
        mt.lab.Study.resume(tmp_path)


def test_matrix_rules_and_modifiers_are_resumed_too(tmp_path, count):
    contenders = {
        "muon": mt.optimizers.get("muon"),
        "clipped": modified(),
    }
    study = mt.lab.Study(["iris"], contenders, trials=0, seeds=2, epochs=2, layers=(8,))
    result = study.run(out=tmp_path)
    assert not result.failures
    before = count()
    again = mt.lab.Study.resume(tmp_path)
    assert {k: repr(o) for k, o in again.optimizers.items()} == {
        k: repr(o) for k, o in contenders.items()
    }
    assert lines(again.run(out=tmp_path)) == lines(result)
    assert count() == before


def modified():
    """Adam with one of the modifiers that any optimizer takes."""
    return mt.optimizers.get("adam", clip_norm=0.5)


def test_an_optimizer_without_mini_batches_is_refused():
    with pytest.raises(ValueError, match="'lbfgs' does not train by mini-batches"):
        mt.lab.Study(["iris"], ["lbfgs", "adam"])


def test_the_command_says_what_to_do_when_the_disk_is_full(tmp_path, monkeypatch, capsys):
    """Neither the records nor the index find room: no traceback, and what was kept stays."""
    from minitrain import cli

    write = records.write_whole

    def full(path, text):
        if path.name != "study.json" and list(tmp_path.glob("s/runs/*.jsonl")):
            raise OSError(28, "No space left on device", str(path))
        write(path, text)

    def no_room(folder, runs):
        raise OSError("index.sqlite3: database or disk is full")

    monkeypatch.setattr(records, "write_whole", full)
    monkeypatch.setattr(execution, "write_index", no_room)
    options = ["iris", "--optimizers", "sgd,adam", "--trials", "0", "--seeds", "9", "--epochs", "1"]
    assert cli.main(["compare", *options, "--out", str(tmp_path / "s")]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert "cannot be written (No space left on device); what was finished before is kept" in said
    assert said.endswith(f"minitrain compare --resume {tmp_path / 's'}")
    assert mt.lab.Result.load(tmp_path / "s").trainings > 0
