"""How a study is shown: one HTML file, and the same as Markdown and CSV."""

import json
from pathlib import Path
from typing import Any

from ... import console
from ..result import Result
from ..whole import write_whole
from . import figures, svg, tables
from .sections import column_name, markdown, targets_from, text

_MOST_IN_MATRIX = 16  # optimizers whose pairs still fit on a page


def write_report(result: Result, path: Path) -> Path:
    """Write ``path`` (HTML); ``report.md``, ``tables/*.csv`` and ``figures/*.svg`` beside it."""
    panels = _panels(result)
    page = render(result, panels)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, page)
    folder = path.parent / "tables"
    folder.mkdir(exist_ok=True)
    for name, rows in tables.ALL.items():
        write_whole(folder / f"{name}.csv", tables.to_csv(rows(result)))
    pictures = _pictures(result, panels)
    folder = path.parent / "figures"
    folder.mkdir(exist_ok=True)
    style = (Path(__file__).parent / "figure.css").read_text("utf-8")
    for row in pictures.values():
        for name, picture in row.items():
            write_whole(folder / f"{name}.svg", _standalone(picture, style))
    write_whole(path.with_suffix(".md"), markdown(result, pictures))
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
            (column_name(column), [tables.summary_cells(r) for r in result.summary(*column)])
            for column in result.columns
        ],
        summary_columns=tables.SUMMARY,
        ranking=ranking,
        rank_rows=tables.rankings(result),
        diagram=_diagram(result),
        matrices=_matrices(result),
        panels=panels,
        charts=json.dumps([p["data"] for p in panels["curves"]]).replace("<", "\\u003c"),
        widths=tables.widths(result),
        targets=targets_from(result),
        times=result.times_to_target(),
        failures=_failure_table(result),
        configurations=tables.configurations(result),
        main=column_name(result.main),
        text=text,
        percent=console.percent,
        duration=console.duration,
        pairs="paired" if result.study["paired"] else "independent",
    )


def _pictures(result: Result, panels: dict[str, list[figures.Panel]]) -> dict[str, dict[str, str]]:
    """SVG by the kind of figure and the name of its file."""
    found = {
        kind: {
            f"{kind}-{panel['dataset']}".replace(" ", "-").replace("/", "-"): panel["svg"]
            for panel in row
        }
        for kind, row in panels.items()
    }
    diagram = _diagram(result)
    return {
        **({"critical-difference": {"critical-difference": diagram}} if diagram else {}),
        **found,
    }


def _diagram(result: Result) -> str:
    ranking = result.ranking()
    return svg.critical_difference(
        ranking["ranks"], ranking["critical_difference"], ranking["cliques"]
    )


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
    for dataset, optimizer, failed in result.runs.values("dataset", "optimizer", "failed"):
        count = found[dataset, optimizer]
        count[0] += failed
        count[1] += 1
    return {key: (failed, runs) for key, (failed, runs) in found.items()}


def _standalone(picture: str, style: str) -> str:
    start = '<svg xmlns="http://www.w3.org/2000/svg"'
    return picture.replace("<svg", start, 1).replace(">", f"><style>{style}</style>", 1)


__all__ = ["markdown", "render", "write_report"]
