"""One training as the options say: parts of the data, model, optimizer, and what came of it."""

import argparse
import sys
from typing import Any

from .. import console
from .arguments import CommandError, choose, input_errors


class Training:
    """The parts of the data, the model and its trainer, made as the options say."""

    def __init__(self, data: Any, options: argparse.Namespace) -> None:
        from .. import optimizers
        from ..catalogue import names
        from ..kernels import activations
        from ..loader import MiniBatchLoader
        from ..model import MLP
        from ..trainer import Trainer

        self.data, self.options = data, options
        self.is_classes = bool(data.class_names)
        if options.balanced and not self.is_classes:
            raise CommandError(f"--balanced: only for classes; {data.name} has numbers to predict")
        name = choose("--optimizer", options.optimizer.casefold(), names())
        activation = choose("--activation", options.activation, activations.NAMES)
        with input_errors():
            self.optimizer = optimizers.get(name, **_hyperparameters(options))
            self.parts = data.split(seed=options.seed)
            self.pairs = [(part.X, part.y) for part in self.parts]
            if not self.is_classes:  # numbers are learned in units of their own deviation
                wanted = self.parts[0].y
                self.centre, self.scale = wanted.mean(), wanted.std() or 1.0
                self.pairs = [(X, (y - self.centre) / self.scale) for X, y in self.pairs]
            self.model = MLP(
                [data.n_features, *options.layers, data.n_classes or 1],
                activation,
                loss="softmax_cross_entropy" if self.is_classes else "squared_error",
                seed=options.seed,
                dtype=options.dtype,
            )
            self.trainer = Trainer(
                self.model, self.optimizer, schedule=options.schedule, callbacks=[self._show],
                accumulate=options.accumulate,
            )  # fmt: skip
            if options.live or options.report:
                from ..gallery.training_page import Watch

                self.watch = Watch(self.model, self.trainer)
                self.trainer.callbacks = (self.watch, *self.trainer.callbacks)
            self.loader = MiniBatchLoader(
                *self.pairs[0], options.batch_size, seed=options.seed, balanced=options.balanced
            )

    def print_plan(self) -> None:
        """What will be trained on what, and how."""
        self.print_network()
        batches = f"{'balanced ' if self.options.balanced else ''}batches of "
        if self.optimizer.name == "lbfgs":
            batches = "full batches instead of "
        batches += f"{self.loader.batch_size}, "
        if self.trainer.accumulate > 1:
            batches += f"{self.trainer.accumulate} to a step, "
        batches += f"seed {self.options.seed}"
        scheduled = self.trainer.schedule
        console.print_facts(
            [
                ["training", f"{self.optimizer!r}, {batches}"],
                *([["", f"rate: {scheduled!r}"]] if scheduled.name != "constant" else []),
            ]
        )
        print(flush=True)

    def print_network(self) -> None:
        """The data, its parts, and the network."""
        data, model = self.data, self.model
        kind = f"{data.n_classes} classes" if self.is_classes else "a number to predict"
        rows = [str(part.n_rows) for part in self.parts]
        console.print_facts(
            [
                ["data", f"{data.name}: {data.n_rows} rows, {data.n_features} features, {kind}"],
                ["", f"{rows[0]} rows to train, {rows[1]} to validate, {rows[2]} to test"],
                ["network", f"{' → '.join(map(str, model.sizes))}, {_activation(model)}"
                 f"{model.n_parameters} parameters, {model.dtype}"],
            ]
        )  # fmt: skip

    def fit(self) -> Any:
        quiet = self.options.json and not console.is_terminal(sys.stderr)
        progress: Any = console.Progress("epoch", keep=True, quiet=quiet)
        if self.options.live and not quiet:
            from .train_live import Live

            progress = Live.on(sys.stderr) or progress
        with input_errors(), progress as self.progress:
            return self.trainer.fit(
                self.loader,
                self.options.epochs,
                validation=self.pairs[1],
                early_stopping=self.options.patience,
            )

    def _show(self, history: Any) -> None:
        found = f"loss {history.loss[-1]:<8.4g}  validation "
        found += (
            f"accuracy {console.percent(history.validation_accuracy[-1])}"
            if self.is_classes
            else f"loss {history.validation_loss[-1]:.4g}"
        )
        if self.options.live:
            found += f"  lr {history.learning_rate[-1]:.3g}  update {self.watch.ratios[-1]:.1e}"
            draw = getattr(self.progress, "draw", None)
            if draw:  # a terminal; elsewhere the lines say it
                draw(history, self.watch.ratios, self.options.epochs)
                return
        self.progress.update(len(history), self.options.epochs, found)

    def report(self, history: Any) -> dict[str, Any]:
        """Everything that is known of the training, as JSON-ready values."""
        from .scores import score_classes, score_numbers

        data, options, model = self.data, self.options, self.model
        train, validation, test = self.parts
        X, wanted = self.pairs[2]
        if self.is_classes:
            scores = score_classes(model.predict(X), test.y, train.y, data.class_names)
        else:
            predicted = model.predict(X) * self.scale + self.centre
            scores = score_numbers(predicted, test.y, self.centre)
        seconds = float(history.seconds[-1]) if len(history) else 0.0
        steps = history.steps_per_epoch * len(history)
        return {
            "dataset": data.name,
            "kind": data.kind,
            "rows": {"train": len(train), "validation": len(validation), "test": len(test)},
            "sizes": list(model.sizes),
            "activation": options.activation,
            "dtype": str(model.dtype),
            "parameters": model.n_parameters,
            "optimizer": self.optimizer.name,
            "hyperparameters": self.optimizer.hyperparameters,
            "modifiers": self.optimizer.modifiers.given(),
            "schedule": repr(self.trainer.schedule),
            "batch_size": self.loader.batch_size,
            "accumulate": options.accumulate,
            "balanced": options.balanced,
            "seed": options.seed,
            "epochs": len(history),
            "best_epoch": history.best_epoch,
            "stop_reason": history.stop_reason,
            "seconds": seconds,
            "steps_per_second": steps / seconds if seconds else None,
            "test": {"loss": model.evaluate(X, wanted)[0], **scores},
            "history": history.to_dict(),
        }


def _hyperparameters(options: argparse.Namespace) -> dict[str, Any]:
    given = [*options.set, *([("lr", options.lr)] if options.lr is not None else [])]
    hyperparameters = dict(given)
    if len(hyperparameters) < len(given):
        twice = next(name for name, _ in given if [n for n, _ in given].count(name) > 1)
        raise CommandError(f"--set: {twice} is given twice")
    return hyperparameters


def _activation(model: Any) -> str:
    return f"{model.activation[0]}, " if model.activation else "linear, "
