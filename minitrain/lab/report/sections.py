"""The report as text: its parts in their order, for a terminal and for Markdown."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ...console import percent
from .. import words
from ..result import Column, Result
from . import tables


@dataclass(frozen=True)
class Section:
    """A part of the report as text: what it shows, a table, the kind of figures that belong to it
    and the CSV file that has all of it."""

    title: str
    words: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    figures: str = ""
    file: str = ""


def sections(result: Result) -> list[Section]:
    """All that the page shows, in its order, for a terminal and for Markdown."""
    main = column_name(result.main)
    ranking = result.ranking()
    n = len(ranking["datasets"])
    found = []
    if len(result.optimizers) > 1:
        found.append(
            Section(
                f"Ranking over {n} data set{'s' * (n != 1)}",
                f"{main[0].upper()}{main[1:]}. Average ranks, 1 is best; by a clock: of the time "
                f"to the target. Friedman's test of “all are alike”: p = "
                f"{text(ranking['friedman_p'])}. Critical difference "
                f"{text(ranking['critical_difference'])}: {_groups(ranking)}. p: signed-rank test "
                f"against {ranking['baseline']}, Holm's correction.",
                *_table(tables.rankings(result)),
                figures="critical-difference",
                file="ranking",
            )
        )
    for column in result.columns:
        cells = [[shown for shown, _ in tables.summary_cells(r)] for r in result.summary(*column)]
        name = column_name(column)
        found.append(Section(f"Test accuracy: {name}", "", tables.SUMMARY, cells, file="summary"))
    found += [
        Section("Learning curves", f"Validation loss of the final runs: {main}.",
                figures="curves", file="curves"),
        Section("Sensitivity to the learning rate",
                "How many decades of learning rates are good: they lose at most a tenth of what "
                "the best gains; \"from\" and \"to\" are the outermost of them.",
                *_table(tables.widths(result)), figures="sensitivity", file="sensitivity"),
        Section("Expected best against budget",
                "Expected validation loss of the best of so many trials.",
                figures="budget", file="expected_best"),
        Section("Time to target", targets_from(result), *_table(_times(result)),
                figures="profile", file="time_to_target"),
        Section("Failures", f"{len(result.failures)} of {result.trainings} trainings diverged or "
                "crashed, tuning included.", *_table(tables.failures(result)), file="failures"),
        Section("Configurations of the final runs", "", *_table(_configured(result)),
                file="configurations"),
        Section("Environment", "", ("", ""),
                [(str(k), str(v)) for k, v in result.environment.items()]),
    ]  # fmt: skip
    return [s for s in found if s.rows or s.figures or s.words]


def targets_from(result: Result) -> str:
    """Whose runs say what is to be reached."""
    who = (
        f"the baseline {result.study['baseline']}" if result.study.get("declared")
        else "the best optimizer"
    )  # fmt: skip
    return (
        f"The target is the validation accuracy that {who} reaches in half of its runs. Medians "
        'over the seeds; "missed": most runs never get there.'
    )


def _groups(ranking: dict[str, Any]) -> str:
    groups = [words.join(group) for group in ranking["cliques"]]
    if not groups:
        return "all are apart"
    return f"not told apart are {'; '.join(groups)}"


def _table(rows: tables.Rows) -> tuple[Sequence[str], list[list[str]]]:
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[text(row.get(name)) for name in names] for row in rows]


def _times(result: Result) -> tables.Rows:
    return [
        {
            "data set": r["dataset"],
            "optimizer": r["optimizer"],
            "target": percent(r["target"]),
            "epochs": r["epochs"],
            "gradient evaluations": r["gradient_evaluations"],
            "seconds": r["seconds"],
            "runs that reach it": percent(r["reached"]),
        }
        for r in result.times_to_target()
    ]


def _configured(result: Result) -> tables.Rows:
    fixed = ("arm", "schedule", "dataset", "optimizer", "lr", "extensions")
    return [
        {
            **{name: row[name] for name in fixed},
            "others": ", ".join(f"{k} {text(v)}" for k, v in row.items() if k not in fixed),
        }
        for row in tables.configurations(result)
    ]


def text(value: Any) -> str:
    """Of a cell: three digits, a dash for what there is not, "missed" for what was not reached."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return "missed" if math.isinf(value) else f"{value:.3g}"
    return str(value)


def column_name(column: Column) -> str:
    """Such as "learning rate tuned, constant rate"."""
    arm, schedule = column
    tuned = {
        "defaults": "published defaults",
        "learning_rate": "learning rate tuned",
        "everything": "everything tuned",
    }[arm]
    return f"{tuned}, {schedule} rate" if schedule == "constant" else f"{tuned}, {schedule}"


def markdown(result: Result, pictures: dict[str, dict[str, str]] | None = None) -> str:
    """All that the page shows: sentences, tables, and the figures where they were written."""
    parts = ["# Which optimizer, here?", result.sentence(), result.limits()]
    for section in sections(result):
        parts.append(f"## {section.title}")
        parts += [section.words] if section.words else []
        for name in (pictures or {}).get(section.figures, ()):
            parts.append(f"![{name}](figures/{quote(name)}.svg)")
        if section.rows:
            parts.append(markdown_table(section.columns, section.rows))
        if section.file and pictures is not None:
            parts.append(f"All of it: [tables/{section.file}.csv](tables/{section.file}.csv)")
    parts += ["## Do it again", f"    {result.study['command']}"]
    return "\n\n".join(parts) + "\n"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(columns)} |", f"|{'---|' * len(columns)}"]
    lines += [f"| {' | '.join(str(c).replace('|', '/') for c in row)} |" for row in rows]
    return "\n".join(lines)
