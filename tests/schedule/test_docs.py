"""docs/schedules.md: complete, up to date, and its examples run."""

import dataclasses
import inspect
import re
from pathlib import Path

import pytest

from minitrain import schedule

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "schedules.md").read_text("utf-8")


@pytest.mark.parametrize("name", schedule.names())
def test_every_schedule_stands_there_with_its_arguments(name):
    kind = type(schedule.get(name))
    (row,) = [r for r in PAGE.splitlines() if re.match(rf"\| `{name}[(`]", r)]
    signature, summary, _ = (cell.strip() for cell in row.strip("|").split("|"))
    assert summary == inspect.getdoc(kind).partition("\n")[0].replace("``", "`")
    # Three digits of a default are enough there.
    written = schedule.get(signature.strip("`"))
    assert type(written) is kind
    for field in dataclasses.fields(kind):
        assert f"{field.name}=" in signature
        value = getattr(written, field.name)
        if isinstance(value, float):
            assert value == pytest.approx(field.default, rel=5e-3)
        else:
            assert value == field.default


def test_table_names_no_other():
    table = PAGE.split("<!-- schedules -->")[1].split("<!-- /schedules -->")[0]
    assert re.findall(r"^\| `(\w+)", table, re.MULTILINE) == schedule.names()


def test_every_schedule_is_drawn():
    picture = (DOCS / "schedules.svg").read_text("utf-8")
    for name in schedule.names():
        assert f">{name}</text>" in picture


# What "differs from torch" on the page: how a sentence begins, and the tests that pin it.
DIFFERENCES = {
    "`cosine` stays at its end": ("test_parity::test_where_torch_differs",),
    "`reduce_on_plateau` has no `eps`": (
        "test_parity::test_where_torch_differs", "test_schedules::test_plateau_of_a_negative_loss",
    ),
    "The restarts of `cosine_restarts`": ("test_schedules::test_restarts_are_at_the_exact_steps",),
    "Sequences and products are of factors": (
        "test_parity::test_golden", "test_schedules::test_then_starts_anew",
        "test_schedules::test_product",
    ),
}  # fmt: skip


def test_what_differs_is_tested():
    section = PAGE.partition("## What differs from torch")[2].partition("\n## ")[0]
    sentences = re.findall(r"^- (.*)", section, re.MULTILINE)
    assert len(sentences) == len(DIFFERENCES)
    for sentence, (begins, tests) in zip(sentences, DIFFERENCES.items(), strict=True):
        assert sentence.startswith(begins)
        for test in tests:
            file, _, function = test.partition("::")
            assert f"\ndef {function}(" in (Path(__file__).parent / f"{file}.py").read_text("utf-8")


def test_what_is_equal_elsewhere_is_a_schedule():
    values = {"eta_min": 0.01, "lr": 0.1, "base_lr": 0.01, "n": 5, "step_size": 5, "gamma": 0.5}
    for name in schedule.names():
        _, equals, ours = type(schedule.get(name)).torch.partition(" = ")
        if not equals:
            continue
        values |= {"T_0": 5, "T_mult": 2, "pct_start": 0.3, "power": 2.0, "start": 0.5, "end": 1.0}
        values |= {"f": 0.5, "m": 3, "start_factor": 0.5, "end_factor": 1.0}
        made = eval(ours.replace("…", ""), vars(schedule) | values)
        assert made.name == name


def test_examples_run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert len(blocks) == 3
    namespace = {}
    for block in blocks:
        exec(block.replace("epochs=30", "epochs=2"), namespace)
    assert (tmp_path / "curve.png").exists()
    assert 0.03 < namespace["found"].suggestion < 0.5
