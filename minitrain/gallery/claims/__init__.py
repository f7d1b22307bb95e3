"""What introductions say of optimizers, each claim as an experiment with a verdict.

>>> for finding in mt.gallery.claims.run(seeds=10):
...     print(finding.claim[0], [part.verdict for part in finding.parts])
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module

from .finding import CONFIRMED, CONTRADICTED, NOT_SEPARABLE, Finding, Part

# key: the module with the experiment of this name.  The first seven are the claims in the order in
# which they are taught; the others are what introductions say besides.
_EXPERIMENTS = {
    "mini_batches": "on_batches",
    "saddle": "on_momentum",
    "overshoot": "on_momentum",
    "adagrad": "on_adaptive",
    "rmsprop": "on_adaptive",
    "adam": "on_adam",
    "defaults": "on_defaults",
    "rates": "on_rates",
    "ravine": "on_ravine",
    "adamw": "on_variants",
    "nadam": "on_variants",
}

__all__ = ["CONFIRMED", "CONTRADICTED", "NOT_SEPARABLE", "Finding", "Part", "names", "run"]


def names() -> list[str]:
    """Keys of the claims."""
    return list(_EXPERIMENTS)


def run(seeds: int = 10, keys: list[str] | None = None) -> Iterator[Finding]:
    """The findings, one after the other as they are ready.

    Raises
    ------
    ValueError
        For fewer than two seeds, which show no uncertainty, or an unknown key.
    """
    if seeds < 2:
        raise ValueError(f"seeds: {seeds}; accepted: at least 2, or there is no uncertainty")
    unknown = [key for key in keys or [] if key not in _EXPERIMENTS]
    if unknown:
        raise ValueError(f"claim: unknown {unknown[0]!r}; accepted: {', '.join(names())}")
    for key in keys or names():
        experiment: Callable[[int], Finding] = getattr(
            import_module(f".{_EXPERIMENTS[key]}", __name__), key
        )
        yield replace(experiment(seeds), number=1 + names().index(key))
