"""What can be said of each optimizer, read from its rule: for the command line and the docs."""

import inspect
from pathlib import Path
from typing import Any

from . import lbfgs
from .kernels import matrices as _matrices  # noqa: F401 - registers the built-in ones
from .kernels import matrix
from .kernels.functions import slots_left, slots_read
from .kernels.matrix import MatrixRule
from .kernels.rule import Rule, Variant, get
from .kernels.rule import names as fused_names

_ROOMS = (Path(matrix.__file__).parent, Path(lbfgs.__file__).parent)


def names() -> list[str]:
    """Of all optimizers: the fused ones, those of whole matrices, and L-BFGS."""
    return [*fused_names(), *matrix.names(), lbfgs.ABOUT.name]


def rule_of(name: str) -> Rule | MatrixRule:
    """The rule registered under ``name``, of whichever kind."""
    if name == lbfgs.ABOUT.name:
        return lbfgs.ABOUT
    return matrix.get(name) if name in matrix.names() else get(name)


def describe(name: str) -> dict[str, Any]:
    """All about the optimizer ``name``, as JSON-ready values."""
    rule = rule_of(name)
    if isinstance(rule, MatrixRule):
        return _describe_matrices(rule)
    standard = rule.choose(rule.defaults)
    return {
        "name": name,
        "title": rule.title,
        "summary": rule.doc.partition("\n")[0],
        "family": rule.family or "your own",
        "year": rule.year,
        "lr": rule.defaults["lr"],
        "slots": list(standard.slots),
        "bytes_per_parameter": bytes_moved(standard),
        "elsewhere": dict(rule.elsewhere),
        "defaults": dict(rule.defaults),
        "defaults_from": rule.defaults_from,
        "ranges": {n: accepted(rule, n) for n in rule.defaults},
        "variants": [
            {
                "flags": sorted(flags),
                "default": variant is standard,
                "slots": list(variant.slots),
                "bytes_per_parameter": bytes_moved(variant),
            }
            for flags, variant in rule.variants.items()
        ],
        "lr_range": list(rule.rates),
        "paper": rule.paper,
        "doc": rule.doc,
        "deviations": deviations(rule),
        "derived_from": origin(rule),
        "file": source_file(rule),
    }


def _describe_matrices(rule: MatrixRule) -> dict[str, Any]:
    """The same of one that works on whole matrices: what it moves is no matter of a parameter."""
    slots = [slot for names in rule.state for slot in names.split(", ")]
    return {
        "name": rule.name,
        "title": rule.title,
        "summary": rule.doc.partition("\n")[0],
        "family": rule.family,
        "year": rule.year,
        "lr": rule.defaults.get("lr"),
        "slots": slots,
        "bytes_per_parameter": None,
        "elsewhere": dict(rule.elsewhere),
        "defaults": dict(rule.defaults),
        "defaults_from": rule.defaults_from,
        "ranges": {n: accepted(rule, n) for n in rule.defaults},
        "variants": [
            {
                "flags": [],
                "default": True,
                "slots": [f"{slot} {shape}" for slot, shape in rule.state.items()],
                "bytes_per_parameter": None,
            }
        ],
        "lr_range": list(rule.rates) if "lr" in rule.defaults else None,
        "paper": rule.paper,
        "doc": rule.doc,
        "deviations": deviations(rule),
        "derived_from": None,
        "file": source_file(rule),
    }


def bytes_moved(variant: Variant) -> int:
    """Bytes that a fused step moves per float32 parameter: p and the slots are read and written, g
    is read, but for slots that are not used, or stay; where sums are needed first, what they are of
    is read before."""
    slots = len(variant.slots)
    read, left = slots_read(variant.update, slots), slots_left(variant.update)
    moved = 3 + read.bit_count() + slots - left.bit_count()
    if variant.terms:
        moved += 2 + slots_read(variant.terms, slots).bit_count()
    return 4 * moved


def accepted(rule: Rule | MatrixRule, name: str) -> str:
    """What a hyperparameter may be."""
    return "True or False" if isinstance(rule.defaults[name], bool) else rule.range_of(name).text


def deviations(rule: Rule | MatrixRule) -> str:
    """How other libraries differ: the paragraph of its docstring that begins with "Elsewhere:"."""
    paragraphs = (" ".join(p.split()) for p in rule.doc.split("\n\n"))
    found = (p.removeprefix("Elsewhere: ") for p in paragraphs if p.startswith("Elsewhere: "))
    return next(found, "")


def origin(rule: Rule) -> str | None:
    """The rule whose code this one shares, where that is another."""
    own = rule.variants[frozenset()].update
    first = next(n for n in fused_names() if get(n).variants[frozenset()].update is own)
    return None if first == rule.name else first


def source_file(rule: Rule | MatrixRule) -> str:
    """Where its code is; "" if in no file, as in a notebook that was closed."""
    if isinstance(rule, MatrixRule):
        main = rule.of_matrix
    else:
        main = rule.variants[frozenset()].update
    found = inspect.getsourcefile(main) or ""
    return found if Path(found).is_file() else ""


def shown_path(file: str) -> str:
    """A file of the library from its room on, kernels/rules/adam.py; of any other the name."""
    path = Path(file)
    room = next((room for room in _ROOMS if path.is_relative_to(room)), None)
    return path.relative_to(room.parent).as_posix() if room else path.name


def source_code(rule: Rule | MatrixRule) -> str:
    """The code of the rule: its whole file for one of the library, else its functions."""
    path = source_file(rule)
    if path and rule.family and any(Path(path).is_relative_to(room) for room in _ROOMS):
        return Path(path).read_text("utf-8").rstrip()
    if isinstance(rule, MatrixRule):
        functions = [rule.of_vector, rule.of_matrix]
    else:
        functions = [v.update for v in rule.variants.values()]
        if rule.coefficients.__module__ == functions[0].__module__:
            functions.insert(0, rule.coefficients)
    try:
        return "\n\n".join(inspect.cleandoc("\n" + inspect.getsource(f)) for f in functions)
    except OSError:
        return ""
