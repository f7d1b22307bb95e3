"""What can be said of each optimizer, read from its rule: for the command line and the docs."""

import inspect
from pathlib import Path
from typing import Any

from .kernels.rule import Rule, Variant, get, names


def describe(name: str) -> dict[str, Any]:
    """All about the optimizer ``name``, as JSON-ready values."""
    rule = get(name)
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


def bytes_moved(variant: Variant) -> int:
    """Bytes that a fused step moves per float32 parameter: p and each slot are read and written,
    g is read; where sums are needed first, all of them are read twice."""
    slots = len(variant.slots)
    return 4 * (2 + 1 + 2 * slots + (2 + slots if variant.terms else 0))


def accepted(rule: Rule, name: str) -> str:
    """What a hyperparameter may be."""
    return "True or False" if isinstance(rule.defaults[name], bool) else rule.range_of(name).text


def deviations(rule: Rule) -> str:
    """How other libraries differ: the paragraph of its docstring that begins with "Elsewhere:"."""
    paragraphs = (" ".join(p.split()) for p in rule.doc.split("\n\n"))
    found = (p.removeprefix("Elsewhere: ") for p in paragraphs if p.startswith("Elsewhere: "))
    return next(found, "")


def origin(rule: Rule) -> str | None:
    """The rule whose code this one shares, where that is another."""
    own = rule.variants[frozenset()].update
    first = next(n for n in names() if get(n).variants[frozenset()].update is own)
    return None if first == rule.name else first


def source_file(rule: Rule) -> str:
    """Where its code is; "" if in no file, as in a notebook that was closed."""
    found = inspect.getsourcefile(rule.variants[frozenset()].update) or ""
    return found if Path(found).is_file() else ""


def source_code(rule: Rule) -> str:
    """The code of the rule: its whole file for one of the library, else its functions."""
    path = source_file(rule)
    if path and Path(path).parent.name == "rules" and rule.family:
        return Path(path).read_text("utf-8").rstrip()
    functions = [v.update for v in rule.variants.values()]
    if rule.coefficients.__module__ == functions[0].__module__:
        functions.insert(0, rule.coefficients)
    try:
        return "\n\n".join(inspect.cleandoc("\n" + inspect.getsource(f)) for f in functions)
    except OSError:
        return ""
