"""A picture of how a fit went: loss, validation score, learning rate."""

from typing import Any

from sklearn.utils.validation import check_is_fitted


class TrainingCurveDisplay:
    """Curves over the epochs of an estimator's last fit, in matplotlib axes below each other.

    Attributes
    ----------
    figure_, axes_
        matplotlib's; ``axes_`` has one entry per panel.
    """

    def __init__(self, history: dict[str, list], name: str = "") -> None:
        self.history, self.name = history, name

    @classmethod
    def from_estimator(
        cls, estimator: Any, *, axes: Any = None, name: str | None = None
    ) -> "TrainingCurveDisplay":
        """Draw a fitted ``MLPClassifier`` or ``MLPRegressor``; into given axes if there are any."""
        check_is_fitted(estimator, "history_")
        name = type(estimator).__name__ if name is None else name
        return cls(estimator.history_, name).plot(axes=axes)

    def plot(self, axes: Any = None) -> "TrainingCurveDisplay":
        """One panel for the losses, and one for the scores and the rate each, if there are any."""
        try:
            import matplotlib.pyplot as plt
        except ImportError:
            raise ImportError(
                "matplotlib is missing, which figures need: pip install 'minitrain[lab]'"
            ) from None
        panels = [
            panel
            for panel in (
                ("loss", {"loss": "training", "validation_loss": "validation"}),
                ("validation score", {"validation_score": ""}),
                ("learning rate", {"learning_rate": ""}),
            )
            if any(self.history.get(column) for column in panel[1])
        ]
        if axes is None:
            size = (6, 2.2 * len(panels) + 0.8)
            self.figure_, axes = plt.subplots(
                len(panels), 1, sharex=True, squeeze=False, figsize=size, layout="constrained"
            )
            axes = axes[:, 0]
        elif len(axes) < len(panels):
            raise ValueError(f"axes: {len(axes)}; accepted: one for each of {len(panels)} panels")
        self.axes_ = list(axes)[: len(panels)]
        self.figure_ = self.axes_[0].figure
        for ax, (title, columns) in zip(self.axes_, panels, strict=True):
            for column, label in columns.items():
                values = self.history.get(column)
                if values:
                    ax.plot(range(1, len(values) + 1), values, label=label)
            if title == "loss" and _spans_decades(ax):
                ax.set_yscale("log")
            ax.set_ylabel(title)
            ax.grid(alpha=0.3)
            if len(ax.lines) > 1:
                ax.legend()
        self.axes_[0].set_title(self.name)
        # L-BFGS has no rate, and its iterations see all rows.
        self.axes_[-1].set_xlabel("epoch" if "learning_rate" in self.history else "iteration")
        return self


def _spans_decades(ax: Any) -> bool:
    """Whether the curves differ by more than a factor of 10: less is hard to read in logarithms."""
    values = [value for line in ax.lines for value in line.get_ydata()]
    return bool(min(values) > 0 and max(values) > 10 * min(values))
