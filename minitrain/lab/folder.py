"""A study's folder: ``study.json``, and data that no other place has; TOML files."""

import hashlib
import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import datasets as _datasets
from .. import optimizers as _optimizers
from ..kernels.rule import code_hash
from ..optimizer import Optimizer
from ..schedule import Schedule
from ..schedule import get as get_schedule
from . import again
from .machine import environment
from .plan import Budget, Config, Task, given
from .training import Source, Workload, run_batch
from .whole import write_whole

if TYPE_CHECKING:
    from .study import Study

_ARGUMENTS = (
    "preset", "arms", "seeds", "layers", "batch_size", "paired", "baseline", "declared", "seed",
)  # fmt: skip
_NOT_IDENTITY = ("seeds", "baseline", "declared", "preset")  # more seeds belong to the same study
_TOML_KEYS = (
    "datasets", "optimizers", "preset", "arms", "schedules", "seeds", "epochs",
    "gradient_evaluations", "seconds", "trials", "layers", "batch_size", "paired", "baseline",
    "seed",
)  # fmt: skip


class StudyFolderError(ValueError):
    """A folder that does not hold the study which was asked for; the message says why."""


def describe(study: "Study") -> dict[str, Any]:
    """Everything that a study is, as JSON-ready values."""
    return {
        "datasets": {name: data.checksum for name, data in study.datasets.items()},
        "optimizers": {
            label: {
                "rule": o.rule.name,
                "shown": repr(o),
                "hyperparameters": given(o),
                "code": _code(o),
            }
            for label, o in study.optimizers.items()
        },
        **{name: _plain(getattr(study, name)) for name in _ARGUMENTS},
        "trials": dict(study.trials),
        "schedules": {label: _schedule_text(v) for label, v in study.schedules.items()},
        "budget": {"unit": study.budget.unit, "amount": study.budget.amount},
        "paces": [[*key, value] for key, value in study._paces.items()],
    }


def fingerprint(description: dict[str, Any]) -> str:
    """SHA-256 of what decides the numbers of the runs."""
    decisive = {k: v for k, v in description.items() if k not in _NOT_IDENTITY and k != "paces"}
    decisive["minitrain"] = environment()["minitrain"]
    return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


def open_study(folder: Path, study: "Study") -> str:
    """Make the folder this study's, or see that it is; return the study's fingerprint."""
    description = describe(study)
    mark = fingerprint(description)
    path = folder / "study.json"
    if path.exists():
        there = read_description(folder)
        if there.get("fingerprint") != mark:
            raise StudyFolderError(
                f"{folder}: holds another study ({_differences(there, description)}); "
                "accepted: a new folder, or the one of this study"
            )
        if not study._paces:
            study._paces.update({(d, o): s for d, o, s in there["paces"]})
        description = describe(study)
    folder.mkdir(parents=True, exist_ok=True)
    sources = {name: _source(folder, data) for name, data in study.datasets.items()}
    whole = {
        "format": "minitrain study", "version": 1, "fingerprint": mark, **description,
        "sources": sources, "command": again.command(study), "environment": environment(),
    }  # fmt: skip
    write_whole(path, json.dumps(whole, indent=1) + "\n")
    return mark


def read_description(folder: Path) -> dict[str, Any]:
    """``study.json`` of a folder; a StudyFolderError says what is wrong with it."""
    path = folder / "study.json"
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != "minitrain study":
            raise ValueError(f"format {found['format']!r}")
    except FileNotFoundError:
        raise StudyFolderError(
            f"{folder}: no study there (study.json is missing); accepted: the folder of a study, "
            "as minitrain compare --out makes it"
        ) from None
    except (ValueError, KeyError, TypeError) as error:
        raise StudyFolderError(f"{path}: damaged ({error})") from None
    return dict(found)


def read_study(folder: Path) -> dict[str, Any]:
    """The arguments of ``Study`` that make the study of this folder again."""
    found = read_description(folder)
    arguments: dict[str, Any] = {name: found[name] for name in _ARGUMENTS if name != "declared"}
    if not found["declared"]:
        arguments["baseline"] = None
    tuned = [n for n in found["trials"].values() if n]
    trials = tuned[0] if len(set(tuned)) == 1 else None
    datasets = [_load(folder, name, source) for name, source in found["sources"].items()]
    for data in datasets:
        if data.checksum != found["datasets"][data.name]:
            raise StudyFolderError(f"{folder}: {data.name} is not the data set of that study")
    optimizers = {}
    for label, it in found["optimizers"].items():
        try:
            optimizers[label] = _optimizers.get(it["rule"], **it["hyperparameters"])
        except ValueError as error:
            raise StudyFolderError(
                f"{folder}: {label}: {error}; a rule of your own must be registered first, so "
                "resume from Python: make the same Study and call run(out=…)"
            ) from None
    for text in found["schedules"].values():
        try:
            get_schedule(text)
        except ValueError as error:
            raise StudyFolderError(
                f"{folder}: {error}; with a function of your own as schedule resume from Python: "
                "make the same Study and call run(out=…)"
            ) from None
    return {
        **arguments,
        "datasets": datasets,
        "optimizers": optimizers,
        "schedules": found["schedules"],
        "trials": trials,
        found["budget"]["unit"]: found["budget"]["amount"],
    }


def read_toml(path: Path) -> dict[str, Any]:
    """The arguments of ``Study`` from a TOML file."""
    import tomllib

    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ValueError(f"{path}: not TOML ({error})") from None
    for key in found:
        if key not in _TOML_KEYS:
            raise ValueError(f"{path}: unknown key {key!r}; accepted: {', '.join(_TOML_KEYS)}")
    if isinstance(found.get("optimizers"), dict):
        found["optimizers"] = {
            label: _optimizers.get(it) if isinstance(it, str) else _from_table(path, label, it)
            for label, it in found["optimizers"].items()
        }
    if isinstance(found.get("datasets"), list):
        # Files are named as seen from the TOML file.
        found["datasets"] = [
            _datasets.load(d)
            if d in _datasets.names()
            else _datasets.load(path.parent / d)
            if isinstance(d, str)
            else _datasets.load(path.parent / d.pop("file"), **d)
            for d in found["datasets"]
        ]
    return found


def _from_table(path: Path, label: str, table: dict[str, Any]) -> Optimizer:
    if "rule" not in table:
        raise ValueError(f"{path}: optimizers.{label}: no rule; accepted: such as rule = 'adam'")
    return _optimizers.get(table["rule"], **{k: v for k, v in table.items() if k != "rule"})


def measure_paces(study: "Study", sources: dict[str, Source]) -> dict[tuple[str, str], float]:
    """Seconds per gradient evaluation of each optimizer on each data set: the best of three."""
    pilot = Workload(
        sources, study.layers, study.batch_size, Budget("epochs", 2), study.schedules, {}
    )
    schedule = next(iter(study.schedules))
    paces = {}
    for dataset in study.datasets:
        for label, optimizer in study.optimizers.items():
            task = Task("tuning", Config(dataset, label, "defaults", schedule, 0, -1, optimizer), 0)
            runs = [run for _ in range(3) for run in run_batch(pilot, [task])]
            paces[dataset, label] = min(run.seconds / max(run.steps, 1) for run in runs)
    return paces


def _source(folder: Path, data: Any) -> dict[str, Any]:
    """How a data set can be had again: by its name, or from a copy in the folder."""
    if Source.of(data).data is None:
        return {"name": data.name}
    copy = folder / "data" / f"{data.checksum[:16]}.npz"
    if not copy.exists():
        copy.parent.mkdir(exist_ok=True)
        temporary = copy.with_name(f".{time.time_ns()}.npz")
        np.savez(
            temporary, X=data.X, y=data.y, feature_names=np.array(data.feature_names, "U"),
            class_names=np.array(data.class_names, "U"),
        )  # fmt: skip
        temporary.replace(copy)
    about = {"source": data.source, "licence": data.licence}
    return {"name": data.name, "file": f"data/{copy.name}", **about}


def _load(folder: Path, name: str, source: dict[str, Any]) -> Any:
    if "file" not in source:
        return _datasets.load(name)
    with np.load(folder / "data" / Path(source["file"]).name, allow_pickle=False) as file:
        return _datasets.Dataset(
            name, file["X"], file["y"], tuple(file["feature_names"].tolist()),
            tuple(file["class_names"].tolist()), source["source"], source["licence"],
        )  # fmt: skip


def _code(optimizer: Optimizer) -> str:
    """A hash of all that the optimizer computes, so that a rule which was changed is another."""
    rule, variant = optimizer.rule, getattr(optimizer, "variant", None)
    parts = [
        *(getattr(rule, name, None) for name in ("coefficients", "of_matrix", "of_vector")),
        *(getattr(variant, name, None) for name in ("update", "terms", "point")),
        getattr(getattr(rule, "sums", None), "factors", None),
    ]
    return "".join(code_hash(part)[:12] for part in parts if part is not None)


def _differences(there: dict[str, Any], here: dict[str, Any]) -> str:
    names = [
        name for name in here
        if name not in _NOT_IDENTITY and name != "paces" and there.get(name) != here[name]
    ]  # fmt: skip
    return f"other {', '.join(names)}" if names else "of another version of minitrain"


def _schedule_text(given: Any) -> str:
    """What makes the schedule again; of a function, what tells it from others."""
    if isinstance(given, (str, Schedule)):
        return str(given)
    name = getattr(given, "__qualname__", type(given).__name__)
    return f"{name} {code_hash(given)[:12]}" if hasattr(given, "__code__") else repr(given)


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
