import matplotlib
import numpy as np
import pytest

import minitrain as mt

matplotlib.use("Agg")


def test_training_curves(classes):
    X, y = classes
    plain = mt.MLPClassifier((8,), max_iter=5).fit(X, y)
    display = mt.TrainingCurveDisplay.from_estimator(plain)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "learning rate"]
    np.testing.assert_array_equal(display.axes_[0].lines[0].get_ydata(), plain.loss_curve_)
    scored = mt.MLPClassifier((8,), max_iter=5).fit(X, y, X_val=X, y_val=y)
    display = mt.TrainingCurveDisplay.from_estimator(scored, name="mine")
    assert len(display.axes_) == 3
    assert len(display.axes_[0].lines) == 2
    assert display.axes_[0].get_title() == "mine"
    np.testing.assert_array_equal(display.axes_[1].lines[0].get_ydata(), scored.validation_scores_)
    with pytest.raises(ValueError, match="axes: 1; accepted: one for each of 3 panels"):
        mt.TrainingCurveDisplay.from_estimator(scored, axes=display.axes_[:1])
    matplotlib.pyplot.close("all")


def test_scales_and_labels_say_what_is_seen(classes):
    X, y = classes
    short = mt.MLPClassifier((8,), max_iter=5).fit(X, y, X_val=X, y_val=y)
    display = mt.TrainingCurveDisplay.from_estimator(short)
    labels = [ax.get_ylabel() for ax in display.axes_]
    assert labels == ["loss", "validation score", "learning rate"]
    assert display.axes_[0].get_yscale() == "linear"
    assert display.axes_[-1].get_xlabel() == "epoch"
    steep = mt.MLPClassifier((8,), solver="lbfgs", alpha=0, max_iter=50).fit(X, y)
    display = mt.TrainingCurveDisplay.from_estimator(steep)
    assert display.axes_[0].get_yscale() == "log"
    assert display.axes_[-1].get_xlabel() == "iteration"
    matplotlib.pyplot.close("all")


def test_decision_boundary_of_scikit_learn(classes):
    from sklearn.inspection import DecisionBoundaryDisplay

    X, y = classes
    estimator = mt.MLPClassifier((8,), max_iter=5).fit(X[:, :2], y)
    DecisionBoundaryDisplay.from_estimator(estimator, X[:, :2], response_method="predict")
    matplotlib.pyplot.close("all")
