"""The trainer: history, early stopping, callbacks, Ctrl-C, divergence, and what it refuses."""

import json
import signal
import subprocess
import sys
import textwrap
from types import SimpleNamespace

import numpy as np
import pytest

import minitrain as mt
from minitrain import schedule, training

X = np.random.RandomState(0).standard_normal((50, 3))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)
VALIDATION = X[::2] + 0.1, Y[::2]


def make_model(sizes=(3, 8, 2), **options):
    return mt.MLP(list(sizes), "tanh", **{"dtype": "float64", **options})


def make_trainer(model=None, optimizer=None, **options):
    model = make_model() if model is None else model
    return mt.Trainer(model, optimizer or mt.optimizers.Adam(lr=0.05), **options)


class TestHistory:
    def test_columns(self):
        history = make_trainer(batch_size=8).fit((X, Y), 12, VALIDATION)
        assert len(history) == 12
        assert history.steps_per_epoch == 7
        assert history.stop_reason == "all epochs done"
        assert history.best_epoch is None
        columns = history.to_dict()
        assert set(columns) == {
            "loss", "accuracy", "gradient_norm", "validation_loss", "validation_accuracy",
            "learning_rate", "seconds",
        }  # fmt: skip
        assert json.loads(json.dumps(columns)) == columns
        for values in columns.values():
            assert len(values) == 12
            assert np.isfinite(values).all()
        assert history.loss[-1] < history.loss[0]
        assert history.accuracy[-1] > history.accuracy[0]
        assert history.seconds[0] > 0
        assert (np.diff(history.seconds) > 0).all()

    def test_seconds_are_those_of_the_clock(self, monkeypatch):
        """A clock that only the compiled calls are between: a second each."""
        ticks = iter(np.arange(1000.0))
        monkeypatch.setattr(training, "_paces", {})
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: next(ticks)))
        history = make_trainer(batch_size=50, callbacks=[lambda h: False]).fit((X, Y), 4)
        np.testing.assert_array_equal(history.seconds, [2, 4, 6, 8])

    def test_means_are_over_rows_also_of_the_last_short_batch(self):
        """At a rate of 0 the mean over batches of 8, …, 8, 2 rows is the loss of the data."""
        for loss, y in [
            ("softmax_cross_entropy", Y),
            ("binary_cross_entropy", np.eye(2)[Y]),
            ("squared_error", X[:, :2]),
        ]:
            model = make_model(loss=loss)
            frozen = mt.optimizers.SGD(lr=0.0)
            history = mt.Trainer(model, frozen, batch_size=8).fit((X, y), 2, (X, y))
            mean, accuracy = model.evaluate(X, y)
            np.testing.assert_allclose(history.loss, mean, rtol=1e-13)
            np.testing.assert_allclose(history.validation_loss, mean, rtol=1e-13)
            for column in (history.accuracy, history.validation_accuracy):
                if loss == "squared_error":
                    assert np.isnan(column).all()
                else:
                    np.testing.assert_allclose(column, accuracy, rtol=1e-13)

    def test_rows_that_are_left_out_do_not_count(self):
        loader = mt.MiniBatchLoader(X, Y, 8, shuffle=False, drop_last=True)
        model = make_model()
        history = mt.Trainer(model, mt.optimizers.SGD(lr=0.0)).fit(loader, 1)
        loss, accuracy = model.evaluate(X[:48], Y[:48])
        assert history.loss[0] == pytest.approx(loss, rel=1e-13)
        assert history.accuracy[0] == accuracy

    def test_gradient_norm_is_that_of_the_last_mini_batch(self):
        loader = mt.MiniBatchLoader(X, Y, 8, seed=2)
        model = make_model()
        history = mt.Trainer(model, mt.optimizers.SGD(lr=0.0)).fit(loader, 3)
        for number in range(3):
            rows = loader.order(number)[48:]
            _, gradient = model.loss_and_gradient(X[rows], Y[rows])
            assert history.gradient_norm[number] == pytest.approx(np.linalg.norm(gradient))

    def test_without_validation(self):
        history = make_trainer().fit((X, Y), 2)
        assert np.isnan(history.validation_loss).all()
        assert np.isnan(history.validation_accuracy).all()

    def test_learning_rate_is_that_of_the_last_step(self):
        history = make_trainer(batch_size=8, schedule=schedule.cosine(0.25)).fit((X, Y), 4)
        factors = schedule.cosine(0.25)(np.arange(28), 28)
        np.testing.assert_array_equal(history.learning_rate, 0.05 * factors[6::7])
        assert len(set(history.learning_rate)) == 4

    def test_callbacks_see_the_epochs_so_far(self):
        seen = []
        trainer = make_trainer(callbacks=[lambda h: seen.append((len(h), h.loss[-1]))])
        history = trainer.fit((X, Y), 3)
        assert seen == list(zip([1, 2, 3], history.loss, strict=True))


class TestData:
    def test_dataset_pair_and_loader_train_alike(self):
        train, valid, _ = mt.datasets.load("iris").split(seed=0)
        loader = mt.MiniBatchLoader(train.X, train.y, batch_size=16, seed=3)
        found = []
        for data in (train, (train.X, train.y), [train.X, train.y], loader):
            model = mt.MLP([4, 8, 3])
            mt.Trainer(model, mt.optimizers.Adam(), 16, seed=3).fit(data, 3, validation=valid)
            found.append(model.parameters)
        for parameters in found[1:]:
            np.testing.assert_array_equal(parameters, found[0])

    def test_a_loader_brings_its_own_batches(self):
        loader = mt.MiniBatchLoader(X, Y, batch_size=5)
        assert make_trainer(batch_size=8).fit(loader, 1).steps_per_epoch == 10

    def test_a_loader_that_was_iterated_starts_at_its_first_epoch(self):
        loader = mt.MiniBatchLoader(X, Y, batch_size=5)
        one = make_trainer().fit(loader, 2).loss
        list(loader)
        np.testing.assert_array_equal(make_trainer().fit(loader, 2).loss, one)

    def test_a_batch_larger_than_the_data(self):
        assert make_trainer(batch_size=1000).fit((X, Y), 2).steps_per_epoch == 1

    def test_one_row(self):
        assert len(make_trainer().fit((X[:1], Y[:1]), 2, (X[:1], Y[:1]))) == 2

    def test_fits_start_afresh_from_the_weights_there_are(self):
        """The optimizer's state belongs to a fit: two of 3 epochs are not one of 6."""
        model = make_model()
        one = make_trainer(model)
        one.fit((X, Y), 3)
        between = model.parameters.copy()
        one.fit((X, Y), 3)
        again = make_model()
        again.parameters[:] = between
        make_trainer(again).fit((X, Y), 3)
        np.testing.assert_array_equal(again.parameters, model.parameters)


class TestEarlyStopping:
    @pytest.fixture
    def run(self, monkeypatch):
        """run(values, …): a training whose monitored column is replaced by these values."""

        def start(values, patience, min_delta=0.0, monitor="validation_loss"):
            measure = training.Training.history

            def history(run):
                result = measure(run)
                setattr(result, monitor, np.array(values[: len(result)], float))
                return result

            monkeypatch.setattr(training.Training, "history", history)
            model, kept = make_model(), []
            stopping = mt.EarlyStopping(patience, min_delta, monitor)
            result = make_trainer(
                model, callbacks=[lambda h: kept.append(model.parameters.copy())]
            ).fit((X, Y), len(values), VALIDATION, stopping)
            return result, model.parameters, kept

        return start

    def check(self, found, epochs, best):
        history, parameters, kept = found
        assert len(history) == len(kept) == epochs  # callbacks see the last epoch too
        assert history.best_epoch == best
        np.testing.assert_array_equal(parameters, kept[best - 1])
        assert not np.array_equal(kept[best - 1], kept[best % len(kept)])

    def test_patience(self, run):
        """Best in epoch 3; the third epoch without a better one is the sixth."""
        found = run([5, 4, 3, 3.5, 3, 3.2, 1, 1], patience=3)
        self.check(found, epochs=6, best=3)
        assert found[0].stop_reason == "no better validation_loss for 3 epochs"

    def test_patience_of_one(self, run):
        self.check(run([5, 4, 4.1, 1, 1], patience=1), epochs=3, best=2)

    def test_a_better_epoch_starts_the_count_again(self, run):
        self.check(run([5, 6, 4, 5, 3, 4, 5], patience=2), epochs=7, best=5)

    def test_an_equal_value_is_not_better(self, run):
        self.check(run([2, 2, 2, 2], patience=2), epochs=3, best=1)

    def test_min_delta(self, run):
        self.check(run([5, 4.95, 4.91, 4.85, 4.86, 4.8, 4], 2, 0.1), epochs=3, best=1)
        self.check(run([5, 4.85, 4.8, 4.7, 4.65], 2, 0.1), epochs=5, best=4)

    def test_more_accuracy_is_better(self, run):
        found = run([0.5, 0.7, 0.6, 0.7, 0.9], patience=2, monitor="validation_accuracy")
        self.check(found, epochs=4, best=2)

    def test_the_best_weights_are_restored_when_all_epochs_are_done(self, run):
        found = run([5, 1, 4, 3], patience=10)
        self.check(found, epochs=4, best=2)
        assert found[0].stop_reason == "all epochs done"

    def test_nan_is_never_better(self, run):
        nan = np.nan
        self.check(run([nan, nan, 5, nan, 4, nan, nan, nan, 1], 3), epochs=8, best=5)
        self.check(run([nan] * 5, 2), epochs=3, best=1)

    def test_end_to_end(self):
        """Few rows, many weights: it overfits, and the restored weights are those of the best."""
        train, valid = (X[:20], Y[:20]), (X[20:], 1 - Y[20:])  # the opposite of what it learns
        model = make_model((3, 32, 2))
        history = make_trainer(model).fit(train, 200, valid, early_stopping=5)
        assert len(history) == history.best_epoch + 5 < 200
        assert history.best_epoch == 1 + np.argmin(history.validation_loss)
        loss, accuracy = model.evaluate(*valid)
        assert loss == pytest.approx(history.validation_loss.min(), rel=1e-13)
        assert accuracy == history.validation_accuracy[history.best_epoch - 1]

    @pytest.mark.parametrize("patience", [4, np.int64(4)])
    def test_a_number_is_the_patience(self, patience):
        found = [make_trainer() for _ in range(2)]
        one = found[0].fit((X, Y), 30, VALIDATION, early_stopping=patience)
        other = found[1].fit((X, Y), 30, VALIDATION, mt.EarlyStopping(patience=4))
        assert one.loss.tolist() == other.loss.tolist()

    @pytest.mark.parametrize(
        "arguments, error, message",
        [
            ({"patience": 0}, ValueError, "patience: 0 is too small; accepted: whole numbers from"),
            ({"patience": 1.5}, TypeError, "patience: 1.5 is not a whole number"),
            ({"min_delta": -1}, ValueError, "min_delta: -1; accepted: finite, at least 0"),
            ({"min_delta": np.nan}, ValueError, "min_delta: nan; accepted: finite, at least 0"),
            ({"monitor": "loss"}, ValueError, "monitor: unknown 'loss'; accepted: validation_loss"),
        ],
    )
    def test_wrong_arguments(self, arguments, error, message):
        with pytest.raises(error, match=message):
            mt.EarlyStopping(**arguments)

    def test_needs_validation(self):
        with pytest.raises(ValueError, match="early_stopping: needs validation=…"):
            make_trainer().fit((X, Y), 2, early_stopping=3)

    @pytest.mark.parametrize(
        "wrong, error, message",
        [
            (True, TypeError, "patience: True is not a whole number"),
            (0, ValueError, "patience: 0 is too small"),
            ("10", TypeError, "early_stopping: '10'; accepted: an EarlyStopping or its patience"),
            (2.0, TypeError, "early_stopping: 2.0; accepted: an EarlyStopping or its patience"),
        ],
    )
    def test_wrong_stopping(self, wrong, error, message):
        with pytest.raises(error, match=message):
            make_trainer().fit((X, Y), 2, VALIDATION, wrong)

    def test_squared_error_has_no_accuracy_to_watch(self):
        stopping = mt.EarlyStopping(monitor="validation_accuracy")
        with pytest.raises(ValueError, match="monitor: squared_error has no validation_accuracy"):
            make_trainer(make_model(loss="squared_error")).fit(
                (X, X[:, :2]), 2, (X, X[:, :2]), stopping
            )


class TestCallbacks:
    def test_a_true_value_stops(self):
        model, kept = make_model(), []

        def stop(history):
            kept.append(model.parameters.copy())
            return len(history) == 3

        history = make_trainer(model, callbacks=[stop]).fit((X, Y), 10)
        assert len(history) == 3
        assert history.stop_reason == "stopped by a callback"
        np.testing.assert_array_equal(model.parameters, kept[-1])

    def test_all_are_called_whoever_stops(self):
        seen = []
        callbacks = [lambda h: True, lambda h: seen.append(len(h))]
        make_trainer(callbacks=callbacks).fit((X, Y), 10)
        assert seen == [1]

    def test_an_error_passes_through(self):
        def fail(history):
            raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            make_trainer(callbacks=[fail]).fit((X, Y), 10)


class TestInterrupt:
    def test_from_a_callback(self):
        model, kept = make_model(), []

        def interrupt(history):
            kept.append(model.parameters.copy())
            if len(history) == 4:
                signal.raise_signal(signal.SIGINT)

        history = make_trainer(model, callbacks=[interrupt]).fit((X, Y), 10)
        assert history.stop_reason == "interrupted"
        assert len(history) == 4
        np.testing.assert_array_equal(model.parameters, kept[-1])

    def test_with_early_stopping_the_best_weights_stay(self):
        model, kept = make_model(), []

        def interrupt(history):
            kept.append(model.parameters.copy())
            if len(history) == 6:
                signal.raise_signal(signal.SIGINT)

        trainer = make_trainer(model, mt.optimizers.SGD(lr=0.1), callbacks=[interrupt])
        history = trainer.fit((X, Y), 10, VALIDATION, early_stopping=10)
        assert history.stop_reason == "interrupted"
        assert history.best_epoch == 1 + np.argmin(history.validation_loss)
        np.testing.assert_array_equal(model.parameters, kept[history.best_epoch - 1])

    @pytest.mark.parametrize(
        "step, validation", [(1e-5, 0), (1e-5, 0.02), (1e-3, 0.002), (0.03, 0)]
    )
    def test_no_call_lasts_long_and_few_are_short(self, step, validation, monkeypatch):
        """In seconds of a made-up clock; an epoch is 3 steps and a validation."""
        now, lasted = [0.0], []

        def call(run, count, threads):
            epochs = (run.step + count) // 3 - run.step // 3
            lasted.append(count * step + epochs * validation)
            now[0] += lasted[-1]
            return run.step + count

        monkeypatch.setattr(training, "_paces", {})
        monkeypatch.setattr(training, "time", SimpleNamespace(perf_counter=lambda: now[0]))
        monkeypatch.setattr(training.Training, "_call", call)
        make_trainer(batch_size=20).fit((X, Y), 20_000)
        assert max(lasted) < 0.12
        assert len(lasted) < 30 + 2 * sum(lasted) / 0.03
        # The next one knows the pace: no call to find it out, none that only compiles.
        lasted.clear()
        make_trainer(batch_size=20).fit((X, Y), 20_000)
        assert lasted[0] > min(0.02, step + validation)
        assert max(lasted) < 0.12
        assert len(lasted) < 30 + 2 * sum(lasted) / 0.03

    @pytest.mark.compiled
    def test_during_a_long_training(self):
        """SIGINT 1 s into a training without end: it is over soon, with what it learned."""
        script = textwrap.dedent("""
            import signal, threading, time
            import numpy as np
            import minitrain as mt

            random = np.random.RandomState(0)
            X = random.standard_normal((2000, 20))
            y = (X[:, 0] > 0).astype(int)
            model = mt.MLP([20, 64, 2])
            before = model.parameters.copy()
            mt.Trainer(model, mt.optimizers.Adam()).fit((X, y), 1)  # compiled
            model.parameters[:] = before
            raised = []

            def interrupt():
                raised.append(time.perf_counter())
                signal.raise_signal(signal.SIGINT)

            # In the main thread the process's signals are handled, whichever thread raised them.
            threading.Timer(1.0, interrupt).start()
            history = mt.Trainer(model, mt.optimizers.Adam()).fit((X, y), 100_000, (X, y))
            print(time.perf_counter() - raised[0], len(history), history.stop_reason)
            print(model.evaluate(X, y)[1], np.isfinite(model.parameters).all())
        """)
        for _ in range(3):  # a machine that is busy with other things gets another chance
            done = subprocess.run(
                [sys.executable, "-P", "-W", "error", "-c", script],
                capture_output=True, text=True, timeout=100,
            )  # fmt: skip
            assert done.returncode == 0, done.stderr
            seconds, epochs, reason, accuracy, finite = done.stdout.split()
            if float(seconds) < 0.2:
                break
        assert float(seconds) < 0.2
        assert reason == "interrupted"
        assert int(epochs) >= 5
        assert float(accuracy) > 0.9
        assert finite == "True"


class TestDivergence:
    def test_first_epoch(self):
        """Squared error at a rate of 1e200: the second step's loss is not finite."""
        model = make_model(loss="squared_error")
        start = model.parameters.copy()
        optimizer = mt.optimizers.SGD(lr=1e200)
        with pytest.raises(mt.DivergenceError) as caught:
            mt.Trainer(model, optimizer, batch_size=8).fit((X, X[:, :2]), 5)
        error = caught.value
        assert (error.epoch, error.step) == (1, 2)
        assert error.optimizer is optimizer
        assert len(error.history) == 0
        np.testing.assert_array_equal(model.parameters, start)
        assert "not finite in epoch 1, step 2, with SGD(lr=1e+200)" in str(error)
        assert "Try a smaller lr" in str(error)
        assert isinstance(error, ArithmeticError)

    @pytest.mark.parametrize("watched", [False, True], ids=["in one call", "epoch by epoch"])
    @pytest.mark.parametrize("batch", range(7))
    @pytest.mark.parametrize(
        "dtype, size", [("float32", 1e30), ("float32", 1e60), ("float64", 1e300)]
    )
    def test_a_later_epoch_keeps_what_came_before(self, dtype, size, batch, watched, monkeypatch):
        """At one of the 7 steps of epoch 4 the rate is huge: whichever it is, the model gets the
        weights of the end of epoch 3.  1e30 leaves weights that float32 can hold, but not their
        loss; 1e60 does not leave such weights."""
        if not watched:
            monkeypatch.setattr(training, "_SECONDS_PER_CALL", 1e6)

        def fit(epochs, factor):
            model = make_model(loss="squared_error", dtype=dtype)
            running = mt.Trainer(
                model, mt.optimizers.SGD(lr=0.1), 8, schedule=factor,
                callbacks=[lambda h: False] if watched else [],
            )  # fmt: skip
            try:
                return model, running.fit((X, X[:, :2]), epochs)
            except mt.DivergenceError as error:
                return model, error

        good, history = fit(3, schedule.constant)
        jump = 3 * 7 + batch
        model, error = fit(9, lambda step, total: np.where(step == jump, size, 1.0))
        assert isinstance(error, mt.DivergenceError)
        assert error.epoch == 4
        assert error.step in (jump + 1, jump + 2)  # counted from 1
        np.testing.assert_array_equal(model.parameters, good.parameters)
        assert error.history.loss.tolist() == history.loss.tolist()

    @pytest.mark.parametrize("watched", [False, True], ids=["in one call", "epoch by epoch"])
    def test_the_very_last_step(self, watched):
        model, kept = make_model(loss="squared_error"), []
        running = mt.Trainer(
            model, mt.optimizers.SGD(lr=0.1), 8,
            schedule=lambda step, total: np.where(step == total - 1, np.finfo(float).max, 1.0),
            callbacks=[lambda h: kept.append(model.parameters.copy())] if watched else [],
        )  # fmt: skip
        with pytest.raises(mt.DivergenceError, match="in epoch 3, step 21, "):
            running.fit((X, 1e3 * X[:, :2]), 3)
        assert np.isfinite(model.evaluate(X, X[:, :2])[0])
        if watched:
            np.testing.assert_array_equal(model.parameters, kept[1])

    def test_one_step_per_epoch(self):
        """The weights of the start of an epoch whose only loss is infinite are not good ones."""
        model = make_model((3, 2), loss="squared_error", dtype="float32")
        with pytest.raises(mt.DivergenceError) as caught:
            mt.Trainer(model, mt.optimizers.SGD(lr=1e12), 100).fit((X, X[:, :2]), 50)
        assert caught.value.step == caught.value.epoch
        assert len(caught.value.history) == caught.value.epoch - 1
        assert np.isfinite(model.evaluate(X, X[:, :2])[0])

    def test_weights_that_were_bad_from_the_start(self):
        model = make_model()
        model.parameters[3] = np.nan
        with pytest.raises(mt.DivergenceError, match="in epoch 1, step 1, "):
            make_trainer(model).fit((X, Y), 2)


@pytest.mark.parametrize(
    "arguments, error, message",
    [
        ({"batch_size": 0}, ValueError, "batch_size: 0 is too small; accepted: whole"),
        ({"batch_size": True}, TypeError, "batch_size: True is not a whole number"),
        ({"batch_size": "3"}, TypeError, "batch_size: '3' is not a whole number"),
        ({"batch_size": 3.0}, TypeError, "batch_size: 3.0 is not a whole number"),
        ({"seed": -1}, ValueError, "seed: -1 is too small; accepted: whole numbers from 0"),
        ({"seed": "0"}, TypeError, "seed: '0' is not a whole number"),
    ],
)  # fmt: skip
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        make_trainer(**arguments)


def test_wrong_model_and_optimizer():
    with pytest.raises(TypeError, match="model: list; accepted: an MLP"):
        make_trainer([3, 2])
    with pytest.raises(TypeError, match="optimizer: 'adam'; accepted: an Optimizer such as mt"):
        mt.Trainer(make_model(), "adam")


@pytest.mark.parametrize(
    "epochs, error, message",
    [
        (0, ValueError, "epochs: 0 is too small; accepted: whole numbers from 1"),
        (-1, ValueError, "epochs: -1 is too small"),
        (2.5, TypeError, "epochs: 2.5 is not a whole number"),
        ("3", TypeError, "epochs: '3' is not a whole number"),
        (True, TypeError, "epochs: True is not a whole number"),
    ],
)
def test_wrong_epochs(epochs, error, message):
    with pytest.raises(error, match=message):
        make_trainer().fit((X, Y), epochs)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda step, total: 1.0,
        lambda step, total: np.ones(total + 1),
        lambda step, total: np.full(total, np.nan),
        lambda step, total: np.full(total, np.inf),
        lambda step, total: -np.ones(total),
    ],
)
def test_wrong_schedule(wrong):
    with pytest.raises(ValueError, match="schedule: accepted: one finite factor of at least 0"):
        make_trainer(schedule=wrong).fit((X, Y), 2)


def test_wrong_arguments_change_nothing():
    model = make_model()
    before = model.parameters.copy()
    for data, validation in [((X, Y + 1), None), ((X[:, :2], Y), None), ((X, Y), (X, Y[1:]))]:
        with pytest.raises(ValueError, match=r"X|y"):
            make_trainer(model).fit(data, 2, validation)
    np.testing.assert_array_equal(model.parameters, before)


@pytest.mark.parametrize("own", [0.0, 0.9])
def test_the_update_ratio_of_a_momentum_that_a_schedule_brings(own):
    """SGD may have none of its own: its state, and so its next step, have the schedule's."""
    train, _, _ = mt.datasets.load("iris").split(seed=0)
    model, ratios = mt.MLP([4, 8, 3], seed=0), []
    trainer = mt.Trainer(
        model, mt.optimizers.SGD(lr=0.1, momentum=own),
        schedule="one_cycle(momentum=(0.85, 0.95))",
        callbacks=[lambda history: ratios.append(trainer.update_ratio()) and False],
    )  # fmt: skip
    trainer.fit(train, 3)
    assert min(ratios) > 0
    assert len(ratios) == 3
