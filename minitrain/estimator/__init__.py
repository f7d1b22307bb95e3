"""scikit-learn's ``MLPClassifier`` and ``MLPRegressor``, on minitrain's engine."""

from .classifier import MLPClassifier
from .display import TrainingCurveDisplay
from .files import load
from .regressor import MLPRegressor

__all__ = ["MLPClassifier", "MLPRegressor", "TrainingCurveDisplay", "load"]
