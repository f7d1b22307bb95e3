"""One contender of bench_epoch.py in a process of its own, so that thread pools do not meet.

    python scripts/_contenders.py minitrain|scikit-learn|torch|JAX THREADS

It reads commands from stdin and answers on stdout, a line of JSON each:

    {"open": FILE}                       the task, an .npz          -> {"variants": {name: …}}
    {"train": name, "epochs": n}         from the initial weights   -> {"seconds": s, "loss": l}
    {"make": FILE, …}, {"limits": n}     minitrain alone: a new task, the machine's limits

A task holds data, initial weights and the order of the rows in each epoch, so the work is the same
for all.  The order comes free for the peers; minitrain draws it in its own time.  The loss at the
end is computed by one NumPy function for all, in float64, from the weights alone.
"""

import json
import os
import sys
import time
from itertools import pairwise

import numpy as np

ORDERS = 4  # epochs with an order of their own; then they come again
JUDGED = 512  # rows that the loss at the end is computed from


class Task:
    def __init__(self, path, lr):
        self.lr = lr
        with np.load(path) as file:
            self.X, self.y, self.orders = file["X"], file["y"], file["orders"]
            self.flat, self.sizes = file["weights"], file["sizes"].tolist()
            self.batch = int(file["batch"])
        self.steps = len(self.X) // self.batch

    def batches(self):
        """(orders, steps, batch) row numbers."""
        return self.orders.reshape(len(self.orders), self.steps, self.batch)

    def layers(self, flat=None):
        """[(W, b), …] as views of the flat initial weights, or of others."""
        flat, start, layers = self.flat if flat is None else flat, 0, []
        for i, o in pairwise(self.sizes):
            middle, stop = start + i * o, start + i * o + o
            layers.append((flat[start:middle].reshape(i, o), flat[middle:stop]))
            start = stop
        return layers

    def loss(self, layers):
        """Mean softmax cross-entropy, of a network with ReLU."""
        x = self.X[:JUDGED].astype(float)
        for W, b in layers[:-1]:
            x = np.maximum(x @ np.asarray(W, float) + np.asarray(b, float), 0)
        z = x @ np.asarray(layers[-1][0], float) + np.asarray(layers[-1][1], float)
        z -= z.max(axis=1, keepdims=True)
        right = z[np.arange(len(z)), self.y[:JUDGED]]
        return float(np.mean(np.log(np.exp(z).sum(axis=1)) - right))


# A contender is made from (task, threads) and has ``variants``: name -> (reset, train(epochs),
# layers()).  ``reset`` is not timed and undoes all training; ``train`` returns when it is done.


class Minitrain:
    def __init__(self, task, threads):
        import minitrain as mt
        from minitrain.crew import choose_threads

        self.mt, self.task, self.limits = mt, task, {}
        self.loader = mt.MiniBatchLoader(task.X, task.y, task.batch, seed=0)
        self.model = mt.MLP(task.sizes, "relu", dtype="float32")
        flops = 6 * self.model.n_parameters * task.batch  # as the trainer counts them
        self.choice = {"auto": choose_threads(None, flops), "flops": flops}
        counts = {"1": 1, str(threads): threads, "auto": None}
        self.variants = {name: self._variant(count) for name, count in counts.items()}

    def _variant(self, threads):
        def reset():
            self.model.parameters[:] = self.task.flat

        def train(epochs):
            optimizer = self.mt.optimizers.Adam(lr=self.task.lr)
            trainer = self.mt.Trainer(self.model, optimizer, threads=threads)
            trainer.fit(self.loader, epochs)

        return reset, train, lambda: self.task.layers(self.model.parameters)


class ScikitLearn:
    def __init__(self, task, threads):
        from sklearn.neural_network import MLPClassifier, _multilayer_perceptron
        from threadpoolctl import threadpool_limits

        threadpool_limits(threads)
        self.task, self.epoch = task, None
        # So that the rows come in the order of the task; it has no argument for that.
        _multilayer_perceptron.shuffle = self._order
        self.model = MLPClassifier(
            task.sizes[1:-1], solver="adam", alpha=0.0, batch_size=task.batch,
            learning_rate_init=task.lr,
        )  # fmt: skip
        classes = np.arange(task.sizes[-1])
        self.model.partial_fit(task.X[: task.batch], task.y[: task.batch], classes=classes)
        self.variants = {"": (self._reset, self._train, self._layers)}

    def _order(self, rows, random_state):
        if self.epoch is None:  # the call that makes the weights
            return rows
        self.epoch += 1
        return self.task.orders[(self.epoch - 1) % len(self.task.orders)]

    def _reset(self):
        for own_W, own_b, (W, b) in zip(
            self.model.coefs_, self.model.intercepts_, self.task.layers(), strict=True
        ):
            own_W[:], own_b[:] = W, b
        del self.model._optimizer
        self.epoch = 0

    def _train(self, epochs):
        for _ in range(epochs):
            self.model.partial_fit(self.task.X, self.task.y)

    def _layers(self):
        return list(zip(self.model.coefs_, self.model.intercepts_, strict=True))


class Torch:
    OPTIONS = {
        "eager": {"foreach": False, "fused": False},
        "foreach": {"foreach": True},
        "fused": {"fused": True},
        "compile + fused": {"fused": True},
    }

    def __init__(self, task, threads):
        import torch

        torch.set_num_threads(threads)
        torch.compiler.reset()  # or it counts the networks before as failures to generalize
        self.torch, self.task = torch, task
        self.X, self.y = torch.from_numpy(task.X), torch.from_numpy(task.y)
        self.batches = [list(torch.from_numpy(epoch)) for epoch in task.batches()]
        self.variants = {name: self._variant(name) for name in self.OPTIONS}

    def _variant(self, name):
        torch = self.torch
        nn = torch.nn
        dense = [nn.Linear(i, o) for i, o in pairwise(self.task.sizes)]
        parts = [part for layer in dense for part in (layer, nn.ReLU())][:-1]
        model = nn.Sequential(*parts)
        optimizer = None

        def batch_loss(x, y):
            return nn.functional.cross_entropy(model(x), y)

        if name.startswith("compile"):
            batch_loss = torch.compile(batch_loss, fullgraph=True, dynamic=False)

        def reset():
            nonlocal optimizer
            with torch.no_grad():
                for layer, (W, b) in zip(dense, self.task.layers(), strict=True):
                    layer.weight.copy_(torch.from_numpy(W).T)
                    layer.bias.copy_(torch.from_numpy(b))
            optimizer = torch.optim.Adam(model.parameters(), lr=self.task.lr, **self.OPTIONS[name])

        def train(epochs):
            for epoch in range(epochs):
                for rows in self.batches[epoch % len(self.batches)]:
                    optimizer.zero_grad()
                    batch_loss(self.X[rows], self.y[rows]).backward()
                    optimizer.step()

        def layers():
            return [(d.weight.detach().numpy().T, d.bias.detach().numpy()) for d in dense]

        return reset, train, layers


class Jax:
    def __init__(self, task, threads):
        if threads == 1 and hasattr(os, "sched_setaffinity"):
            # XLA has no setting for the size of its pool but the cores that it sees.
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        import jax
        import jax.numpy as jnp
        import optax

        self.jnp, self.task = jnp, task
        self.optimizer = optimizer = optax.adam(task.lr)
        self.X, self.y = jnp.asarray(task.X), jnp.asarray(task.y)

        def loss(layers, x, y):
            for W, b in layers[:-1]:
                x = jax.nn.relu(x @ W + b)
            z = x @ layers[-1][0] + layers[-1][1]
            return optax.softmax_cross_entropy_with_integer_labels(z, y).mean()

        def step(carry, X, y, rows):
            layers, state = carry
            gradient = jax.grad(loss)(layers, X[rows], y[rows])
            updates, state = optimizer.update(gradient, state)
            return optax.apply_updates(layers, updates), state

        def epoch(carry, X, y, batches):
            return jax.lax.scan(lambda c, rows: (step(c, X, y, rows), None), carry, batches)[0]

        self._epochs = [jnp.asarray(epoch, jnp.int32) for epoch in task.batches()]
        self._batches = [list(epoch) for epoch in self._epochs]
        self._step, self._epoch = (jax.jit(f, donate_argnums=0) for f in (step, epoch))
        self.variants = {
            "jit": (self._reset, self._train_jit, self._layers),
            "scan": (self._reset, self._train_scan, self._layers),
        }

    def _layers(self):
        return self.carry[0]

    def _reset(self):
        layers = [(self.jnp.array(W), self.jnp.array(b)) for W, b in self.task.layers()]
        self.carry = (layers, self.optimizer.init(layers))
        self._wait()

    def _wait(self):
        for W, b in self.carry[0]:
            W.block_until_ready()
            b.block_until_ready()

    def _train_jit(self, epochs):
        carry, step, X, y = self.carry, self._step, self.X, self.y
        for epoch in range(epochs):
            for rows in self._batches[epoch % len(self._batches)]:
                carry = step(carry, X, y, rows)
        self.carry = carry
        self._wait()

    def _train_scan(self, epochs):
        for epoch in range(epochs):
            batches = self._epochs[epoch % len(self._epochs)]
            self.carry = self._epoch(self.carry, self.X, self.y, batches)
        self._wait()


CONTENDERS = {
    "minitrain": Minitrain,
    "scikit-learn": ScikitLearn,
    "torch": Torch,
    "JAX": Jax,
}


class Server:
    def __init__(self, name, threads):
        self.name, self.threads = name, threads
        self.task = self.contender = None

    def answer(self, command):
        for verb in ("open", "train", "make", "limits"):
            if verb in command:
                return getattr(self, verb)(**command)
        raise ValueError(f"no verb in {command}")

    def open(self, open, check, lr, only=None):
        """Make all variants; each warms up (compiles) by the training whose loss is compared."""
        self.contender, self.task = None, Task(open, lr)
        try:
            self.contender = CONTENDERS[self.name](self.task, self.threads)
        except ImportError as error:
            return {"missing": f"not installed: {error}"}
        found = {}
        for name in only or self.contender.variants:
            try:
                self.train(name, check)
                found[name] = self.train(name, check)
            except Exception as error:  # e.g. torch.compile without a C++ compiler
                found[name] = {"missing": f"{type(error).__name__}: {str(error).strip()[:200]}"}
        own = {} if self.name != "minitrain" else self.contender.choice
        return {"variants": found, **own}

    def train(self, train, epochs):
        reset, run, layers = self.contender.variants[train]
        reset()
        began = time.perf_counter()
        run(epochs)
        seconds = time.perf_counter() - began
        return {"seconds": seconds, "loss": self.task.loss(layers())}

    def make(self, make, sizes, batch, steps):
        """Data that can be learned in part (a linear teacher, one label in ten wrong)."""
        import minitrain as mt

        random = np.random.default_rng(0)
        n = batch * steps
        X = random.standard_normal((n, sizes[0]), np.float32)
        teacher = random.standard_normal((sizes[0], sizes[-1]), np.float32)
        wrong = random.random(n) < 0.1
        y = np.where(wrong, random.integers(0, sizes[-1], n), (X @ teacher).argmax(axis=1))
        loader = mt.MiniBatchLoader(X, y, batch, seed=0)
        np.savez(
            make, X=X, y=y, orders=np.stack([loader.order(e) for e in range(ORDERS)]),
            weights=mt.MLP(sizes, "relu", seed=0).parameters, sizes=sizes, batch=batch,
        )  # fmt: skip
        return {}

    def limits(self, limits):
        """Parts of the floor of a step on so many cores, in seconds."""
        from _roof import Limits

        task = self.task
        if limits not in self.contender.limits:
            self.contender.limits[limits] = Limits(task.sizes, task.batch, task.X, limits)
        return self.contender.limits[limits].measure()


def main():
    # What a library prints must not come between the answers.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    server = Server(sys.argv[1], int(sys.argv[2]))
    for line in sys.stdin:
        print(json.dumps(server.answer(json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
