"""What scikit-learn's MLP has not."""

import _thread
import threading
import time

import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.utils.class_weight import compute_sample_weight

import minitrain as mt
from minitrain import schedule
from minitrain.crew import Pace
from minitrain.estimator import engine, stochastic


def make(**options):
    return mt.MLPClassifier(
        (8,), **{"max_iter": 25, "random_state": 0, "n_iter_no_change": 50, **options}
    )


def same(one, other):
    assert one.loss_curve_ == other.loss_curve_
    for W, V in zip(one.coefs_, other.coefs_, strict=True):
        np.testing.assert_array_equal(W, V)


@pytest.mark.parametrize("name", [n for n in mt.optimizers.names() if n != "sgd"])
def test_every_optimizer_by_name_and_as_it_is(name, classes):
    X, y = classes
    by_name = make(solver=name, learning_rate_init=0.003, max_iter=5).fit(X, y)
    assert np.isfinite(by_name.loss_)
    if name != "adam":  # scikit-learn's
        given = make(solver=mt.optimizers.get(name, lr=0.003), max_iter=5).fit(X, y)
        same(by_name, given)


def test_unknown_solvers_are_named(classes):
    with pytest.raises(ValueError, match=r"'solver' parameter of MLPClassifier must be .*adamw"):
        make(solver="adamm").fit(*classes)
    with pytest.raises(ValueError, match="'max_time' parameter"):
        make(max_time=-1).fit(*classes)


def test_penalty_and_the_optimizers_own_decay_add(classes):
    """alpha of n in one batch of n rows is a coupled weight decay of 1, without the biases."""
    X, y = classes
    decay = mt.optimizers.SGD(lr=0.1, weight_decay=0.25, decay_biases=False)
    one = make(solver=decay, alpha=0.75 * 90).fit(X, y)
    other = make(
        solver=mt.optimizers.SGD(lr=0.1, weight_decay=1.0, decay_biases=False), alpha=0.0
    ).fit(X, y)
    np.testing.assert_allclose(one.coefs_[0], other.coefs_[0], rtol=1e-10)
    assert one.loss_curve_[0] > other.loss_curve_[0]


def test_class_weight(classes):
    X, y = classes
    y = np.where(np.arange(90) % 5, y, 2)
    weights = compute_sample_weight("balanced", y)
    same(make(class_weight="balanced").fit(X, y), make().fit(X, y, weights))
    same(
        make(class_weight={0: 2.0, 1: 1.0, 2: 0.5}).fit(X, y, np.full(90, 3.0)),
        make().fit(X, y, 3 * np.array([2.0, 1.0, 0.5])[y]),
    )
    with pytest.raises(ValueError, match="class_weight: 'balanced' needs all of y"):
        make(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


def test_own_validation_data(classes):
    X, y = classes
    fit = make().fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])
    same(fit, make().fit(X[:60], y[:60]))
    assert fit.validation_scores_[-1] == fit.score(X[60:], y[60:])
    assert fit.history_["validation_loss"][-1] == pytest.approx(
        log_loss(y[60:], fit.predict_proba(X[60:])), rel=1e-12
    )
    weights = np.random.RandomState(0).uniform(0, 2, 30)
    fit = make().fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:], sample_weight_val=weights)
    assert fit.validation_scores_[-1] == pytest.approx(fit.score(X[60:], y[60:], weights))
    assert fit.history_["validation_loss"][-1] == pytest.approx(
        log_loss(y[60:], fit.predict_proba(X[60:]), sample_weight=weights), rel=1e-12
    )
    with pytest.raises(ValueError, match="X_val, y_val: accepted: both or neither"):
        make().fit(X, y, X_val=X)
    with pytest.raises(ValueError, match=r"y_val: classes \[7\]"):
        make().fit(X, y, X_val=X[:1], y_val=[7])
    with pytest.raises(ValueError, match="X has 3 features"):
        make().fit(X, y, X_val=X[:, :3], y_val=y)


@pytest.mark.parametrize("scoring", [None, "loss", "neg_log_loss", "balanced_accuracy"])
def test_early_stopping_on_any_score_restores_the_best(classes, scoring):
    X, y = classes
    fit = make(
        early_stopping=True, scoring=scoring, n_iter_no_change=3, max_iter=400,
        learning_rate_init=0.3, tol=0.0,
    ).fit(X[:60], y[:60], X_val=X[60:], y_val=y[60:])  # fmt: skip
    assert fit.n_iter_ < 400
    assert "Validation score did not improve" in fit.stop_reason_
    assert fit.best_validation_score_ == max(fit.validation_scores_)
    p = fit.predict_proba(X[60:])
    if scoring in ("loss", "neg_log_loss"):
        assert -log_loss(y[60:], p) == pytest.approx(fit.best_validation_score_, rel=1e-9)
    if scoring is None:
        assert fit.score(X[60:], y[60:]) == fit.best_validation_score_


def test_history_and_reasons(classes):
    X, y = classes
    fit = make(batch_size=30).fit(X, y)
    history = fit.history_
    assert {len(values) for values in history.values()} == {25}
    assert history["loss"] == fit.loss_curve_
    assert set(history["learning_rate"]) == {0.001}
    assert min(history["gradient_norm"]) > 0
    assert (np.diff(history["seconds"]) > 0).all()
    assert fit.stop_reason_ == "max_iter=25 epochs are over"
    assert make(solver="lbfgs", max_iter=500, alpha=1.0).fit(X, y).stop_reason_.startswith("conv")
    assert make().partial_fit(X, y, classes=[0, 1, 2]).stop_reason_.startswith("one epoch")


def test_max_time(classes):
    X, y = classes
    make(max_iter=1).fit(X, y)
    begun = time.perf_counter()
    fit = make(max_time=0.2, max_iter=10**6, n_iter_no_change=np.inf).fit(X, y)
    assert fit.stop_reason_ == "max_time=0.2 seconds are over"
    assert 0.2 <= time.perf_counter() - begun < 20
    assert fit.n_iter_ > 5


def test_callables_are_called_with_the_estimator(classes):
    X, y = classes
    seen = []

    def look(estimator):
        seen.append((estimator.n_iter_, estimator.loss_, estimator.score(X, y)))
        return len(seen) == 7

    fit = make(callbacks=[look]).fit(X, y)
    assert fit.n_iter_ == 7
    assert fit.stop_reason_ == "stopped by a callback"
    assert [loss for _, loss, _ in seen] == fit.loss_curve_
    assert seen[-1][2] == fit.score(X, y)
    same(make(max_iter=7).fit(X, y), fit)
    with pytest.raises(TypeError, match="callbacks: 3 cannot be called"):
        make(callbacks=[3]).fit(X, y)


def test_callbacks_of_scikit_learn(classes, capsys):
    callbacks = pytest.importorskip("sklearn.callback")
    X, y = classes
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    fit = make(max_iter=4).set_callbacks(monitor).fit(X, y)
    same(make(max_iter=4).fit(X, y), fit)
    make(max_iter=4).set_callbacks(callbacks.ProgressBar()).fit(X, y)

    class Stop:
        begun = ended = 0

        def setup(self, estimator, context): ...

        def teardown(self, estimator, context): ...

        def on_fit_task_begin(self, estimator, context):
            self.begun += 1

        def on_fit_task_end(self, estimator, context, *, fitted_estimator):
            self.ended += 1
            if self.ended < 4:
                assert fitted_estimator.predict(X).shape == y.shape
            return self.ended == 3

    stop = Stop()
    fit = make().set_callbacks(stop).fit(X, y)
    assert fit.n_iter_ == 3
    assert (stop.begun, stop.ended) == (4, 4)  # three epochs, and the fit itself


def test_schedules(classes):
    X, y = classes
    fit = make(schedule=schedule.cosine(end=0.1)).fit(X, y)
    rates = fit.history_["learning_rate"]
    assert rates[-1] < 0.2 * rates[0]
    assert (np.diff(rates) < 0).all()
    same(fit, make(schedule="cosine(end=0.1)").fit(X, y))
    half = make(schedule=lambda steps, total: np.full(len(steps), 0.5)).fit(X, y)
    same(half, make(learning_rate_init=0.0005).fit(X, y))
    plateau = make(
        schedule=schedule.reduce_on_plateau(patience=1, monitor="loss"),
        learning_rate_init=1.0, max_iter=40,
    ).fit(X, y)  # fmt: skip
    assert plateau.history_["learning_rate"][-1] < 1.0


def test_keep_optimizer_makes_two_fits_one(classes):
    X, y = classes
    random = np.random.RandomState(0)
    whole = make(random_state=np.random.RandomState(0), max_iter=20, n_iter_no_change=99).fit(X, y)
    parts = make(
        random_state=random, max_iter=10, n_iter_no_change=99, warm_start=True,
        keep_optimizer=True, shuffle=True,
    ).fit(X, y)  # fmt: skip
    parts.fit(X, y)
    # The order starts anew with the second fit, which changes nothing in a single batch but the
    # order of a sum.
    np.testing.assert_allclose(parts.loss_curve_, whole.loss_curve_, rtol=1e-9)


def test_ctrl_c_keeps_what_was_learned(classes):
    X, y = classes
    make(max_iter=1).fit(X, y)
    threading.Timer(1.0, _thread.interrupt_main).start()
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        fit = make(max_iter=10**9, n_iter_no_change=np.inf).fit(X, y)
    assert fit.stop_reason_ == "interrupted"
    assert fit.n_iter_ == len(fit.loss_curve_) == len(fit.history_["seconds"]) > 0
    assert fit.score(X, y) > 0.5


def test_threads_do_not_change_the_result(classes):
    X, y = np.tile(classes[0], (20, 1)), np.tile(classes[1], 20)
    fits = [
        mt.MLPClassifier((100,), max_iter=3, random_state=0, threads=n).fit(X, y) for n in (1, 2)
    ]
    same(*fits)


def test_threads_lose_patience_together(classes):
    def fit(threads):
        estimator = mt.MLPClassifier(
            (60,), tol=0.05, n_iter_no_change=3, random_state=0, threads=threads
        )
        return estimator.fit(*classes)

    one, two = fit(1), fit(2)
    assert one.stop_reason_.startswith("converged")
    assert one.n_iter_ == two.n_iter_ < 100
    same(one, two)


@pytest.mark.parametrize("n_jobs, most", [(1, 1), (2, 2), (-1, 4), (None, 4)])
def test_n_jobs_is_a_limit(n_jobs, most, classes, monkeypatch):
    asked = []
    monkeypatch.setattr(stochastic, "effective_n_jobs", lambda n: 4 if n < 0 else n)
    monkeypatch.setattr(engine, "choose_threads", lambda threads, flops: threads or 4)
    monkeypatch.setattr(engine, "Pace", lambda n, fixed: asked.append((n, fixed)) or Pace(1, True))
    make(max_iter=1, n_jobs=n_jobs).fit(*classes)
    assert asked == [(most, False)]


def test_n_jobs_beside_threads(classes):
    make(max_iter=1, n_jobs=1, threads=1).fit(*classes)
    with pytest.raises(ValueError, match="n_jobs: 2; accepted with threads=1: None, 1"):
        make(n_jobs=2, threads=1).fit(*classes)
    with pytest.raises(ValueError, match="The 'n_jobs' parameter"):
        make(n_jobs=0).fit(*classes)


@pytest.mark.parametrize("options", [{}, {"solver": "lbfgs"}, {"batch_size": 1000}], ids=str)
def test_warnings_name_the_line_that_called_fit(options, classes):
    search = GridSearchCV(make(max_iter=1, **options), {"alpha": [1.0]}, cv=2)
    with pytest.warns() as seen:
        search.fit(*classes)
    assert {warning.filename for warning in seen} == {__file__}


def test_optimizers_of_whole_matrices_are_refused(classes):
    with pytest.raises(ValueError, match=r"solver: Muon\(.* works on whole matrices"):
        make(solver=mt.optimizers.get("muon")).fit(*classes)


def test_divergence_is_scikit_learns_error(numbers):
    X, y = numbers
    with pytest.raises(ValueError, match="Solver produced non-finite parameter weights"):
        mt.MLPRegressor(solver="sgd", learning_rate_init=1e6, random_state=0).fit(X, y)


def test_poisson_takes_no_negative_numbers(numbers):
    X, y = numbers
    with pytest.raises(ValueError, match=r"y: -.*; accepted with loss='poisson'"):
        mt.MLPRegressor("poisson").fit(X, y - 10)
    fit = mt.MLPRegressor("poisson", random_state=0).fit(X, np.abs(y))
    assert (fit.predict(X) > 0).all()


def test_metadata_routing(classes):
    import sklearn
    from sklearn.model_selection import cross_validate

    X, y = classes
    with sklearn.config_context(enable_metadata_routing=True):
        estimator = make().set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        cross_validate(estimator, X, y, params={"sample_weight": np.ones(90)}, cv=2)


def test_layers_of_half_units_are_named(classes):
    with pytest.raises(TypeError, match=r"hidden_layer_sizes: \[3.5\]; accepted: whole numbers"):
        mt.MLPClassifier((3.5,)).fit(*classes)
