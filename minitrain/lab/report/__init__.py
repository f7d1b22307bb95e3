"""How a study is shown: one HTML file, and the same as Markdown and CSV."""

import json
import math
from pathlib import Path
from typing import Any

from ... import console
from ..records import write_whole
from ..result import Result
from . import figures, svg, tables

_MOST_IN_MATRIX = 16  # optimizers whose pairs still fit on a page


def write_report(result: Result, path: Path) -> Path:
    """Write ``path`` (HTML); ``report.md``, ``tables/*.csv`` and ``figures/*.svg`` beside it."""
    panels = _panels(result)
    page = render(result, panels)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)
    write_whole(path.with_suffix(".md"), markdown(result))
    folder = path.parent / "tables"
    folder.mkdir(exist_ok=True)
    for name, rows in tables.all_tables(result).items():
        write_whole(folder / f"{name}.csv", tables.to_csv(rows))
    folder = path.parent / "figures"
    folder.mkdir(exist_ok=True)
    style = (Path(__file__).parent / "figure.css").read_text("utf-8")
    for name, row in panels.items():
        for panel in row:
            label = f"{name}-{panel['dataset']}".replace(" ", "-").replace("/", "-")
            write_whole(folder / f"{label}.svg", _standalone(panel["svg"], style))
    return path


def render(result: Result, panels: dict[str, list[figures.Panel]]) -> str:
    """The page: no request leaves it."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise ImportError("a report needs jinja2: pip install 'minitrain[lab]'") from error
    environment = Environment(
        loader=PackageLoader("minitrain.lab.report", "."), autoescape=True,
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    here = Path(__file__).parent
    ranking = result.ranking()
    return environment.get_template("report.html").render(
        result=result,
        style=(here / "figure.css").read_text("utf-8") + (here / "report.css").read_text("utf-8"),
        script=(here / "report.js").read_text("utf-8"),
        title=f"{', '.join(result.optimizers[:4])}{' …' * (len(result.optimizers) > 4)} on "
        f"{', '.join(result.datasets)}",
        summaries=[
            (_column_name(column), [tables.summary_cells(r) for r in result.summary(*column)])
            for column in result.columns
        ],
        summary_columns=tables.SUMMARY,
        ranking=ranking,
        rank_rows=tables.rankings(result),
        diagram=svg.critical_difference(
            ranking["ranks"], ranking["critical_difference"], ranking["cliques"]
        ),
        matrices=_matrices(result),
        panels=panels,
        charts=json.dumps([p["data"] for p in panels["curves"]]).replace("<", "\\u003c"),
        widths=figures.widths(result),
        times=result.times_to_target(),
        failures=_failure_table(result),
        configurations=tables.configurations(result),
        main=_column_name(result.main),
        text=_text,
        percent=console.percent,
        duration=console.duration,
        pairs="paired" if result.study["paired"] else "independent",
    )


def markdown(result: Result) -> str:
    """Sentences and tables."""
    parts = ["# Which optimizer, here?", result.sentence(), result.limits()]
    rows = tables.rankings(result)
    ranking = result.ranking()
    if len(result.optimizers) > 1:
        parts += [
            f"## Average ranks ({_column_name(result.main)})",
            tables.markdown_table(list(rows[0]), [[_text(v) for v in r.values()] for r in rows]),
            f"Friedman p {_text(ranking['friedman_p'])}; critical difference "
            f"{_text(ranking['critical_difference'])} over {len(ranking['datasets'])} data sets.",
        ]
    for column in result.columns:
        cells = [[text for text, _ in tables.summary_cells(r)] for r in result.summary(*column)]
        parts += [f"## {_column_name(column)}", tables.markdown_table(tables.SUMMARY, cells)]
    parts.append(f"{result.trainings} trainings; command: `{result.study.get('command', '')}`")
    return "\n\n".join(parts) + "\n"


def _panels(result: Result) -> dict[str, list[figures.Panel]]:
    return {
        "curves": figures.learning_curves(result),
        "sensitivity": figures.sensitivities(result),
        "budget": figures.budgets(result),
        "profile": figures.profiles(result),
    }


def _matrices(result: Result) -> list[dict[str, Any]]:
    """Per data set: P(row beats column), its interval and verdict for every pair."""
    if not 2 <= len(result.optimizers) <= _MOST_IN_MATRIX:
        return []
    verdicts = result.verdicts(*result.main)
    found = []
    for dataset in result.datasets:
        cells = {(v["a"], v["b"]): v for v in verdicts if v["dataset"] == dataset}
        if cells:
            found.append({"dataset": dataset, "cells": cells})
    return found


def _failure_table(result: Result) -> dict[tuple[str, str], tuple[int, int]]:
    """(failed, all) trainings of each data set and optimizer."""
    found = {(d, o): [0, 0] for d in result.datasets for o in result.optimizers}
    for run in result.runs:
        count = found[run.dataset, run.optimizer]
        count[0] += run.failed
        count[1] += 1
    return {key: (failed, runs) for key, (failed, runs) in found.items()}


def _column_name(column: tuple[str, str]) -> str:
    arm, schedule = column
    tuned = {
        "defaults": "published defaults",
        "learning_rate": "learning rate tuned",
        "everything": "everything tuned",
    }[arm]
    return f"{tuned}, {schedule} rate" if schedule == "constant" else f"{tuned}, {schedule}"


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "–"
    if isinstance(value, float):
        return "missed" if math.isinf(value) else f"{value:.3g}"
    return str(value)


def _standalone(picture: str, style: str) -> str:
    start = '<svg xmlns="http://www.w3.org/2000/svg"'
    return picture.replace("<svg", start, 1).replace(">", f"><style>{style}</style>", 1)


__all__ = ["markdown", "render", "write_report"]
