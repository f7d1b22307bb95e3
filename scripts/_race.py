"""Contenders in processes of their own that train in turn: A B C, A B C, …"""

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from _machine import cores, without_handicaps

LEARNING_RATE = 1e-3  # Adam's others: betas 0.9 and 0.999, eps 1e-8
# Same work: the losses after an epoch differ by less than this.  Measured on the five networks:
# rounding (it may turn a ReLU on or off) and the epsilon of scikit-learn's Adam, which is added
# before the correction, move them by up to 5e-4; a learning rate 10 % off, by 1.6e-2 and more.
TOLERANCE = 2e-3
# Seconds in which the threads of the contender before stop spinning: OpenBLAS's wait some 20 ms
# for more work, and whoever trains then with two threads shares a core with them.
_SETTLE = 0.1


class Process:
    """A contender's process; ``ask`` is a question and its answer."""

    def __init__(self, name, threads):
        environment = {**without_handicaps(), "OMP_NUM_THREADS": str(threads)}
        script = Path(__file__).with_name("_contenders.py")
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - until close()
        self._process = subprocess.Popen(
            [sys.executable, str(script), name, str(threads)], env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, encoding="utf-8",
        )  # fmt: skip
        self._name = f"{name} with {threads} threads"

    def ask(self, **command):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(json.dumps(command) + "\n")
            self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._errors.seek(0)
            said = self._errors.read().decode(errors="replace").strip()
            raise RuntimeError(f"{self._name} died of {command}:\n{said[-2000:]}")
        return json.loads(answer)

    def close(self):
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._errors.close()


class Race:
    """minitrain and some peers, each with one thread and with all cores.

    ``only`` says which variants of a peer start, e.g. {"torch": ["fused"]}; others are all.
    """

    def __init__(self, peers, only=None, lr=LEARNING_RATE):
        self.counts = sorted({1, cores()})
        self.peers, self._only, self._lr = list(peers), only or {}, lr
        self._own = Process("minitrain", max(self.counts))
        self._others = {(p, n): Process(p, n) for p in peers for n in self.counts}
        handle, self._file = tempfile.mkstemp(suffix=".npz")
        os.close(handle)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in [self._own, *self._others.values()]:
            process.close()
        os.unlink(self._file)

    def run(self, sizes, batch, rounds, seconds, steps=None, check=1, within=None):
        """Train each contender for some ``seconds`` in each of the ``rounds``.

        An epoch has so many ``steps``; ``check`` epochs are trained by each first, and whose loss
        differs then is out of the race; so is, without a word, who is slower than the fastest peer
        by a factor of more than ``within``.
        """
        steps = steps or steps_for(sizes, batch)
        self._own.ask(make=self._file, sizes=list(sizes), batch=batch, steps=steps)
        entries, out = {}, {}
        own = self._own.ask(open=self._file, check=check, lr=LEARNING_RATE, only=None)
        loss = own["variants"]["1"]["loss"]
        for variant, found in own["variants"].items():
            assert found["loss"] == loss, f"minitrain: other bits with {variant} threads"
            entries[f"minitrain {variant}"] = Entry(self._own, variant, found, check)
        for (peer, count), process in self._others.items():
            try:
                only = self._only.get(peer)
                opened = process.ask(open=self._file, check=check, lr=self._lr, only=only)
            except RuntimeError as error:
                opened = {"missing": str(error)}
            if "missing" in opened:
                out[f"{peer} {count}"] = opened["missing"]
                continue
            for variant, found in opened["variants"].items():
                name = " ".join(filter(None, (peer, variant, str(count))))
                if "missing" in found:
                    out[name] = f"fails: {found['missing']}"
                elif not abs(found["loss"] - loss) <= TOLERANCE:
                    out[name] = f"other work: its loss is {found['loss']:.6g}, ours {loss:.6g}"
                else:
                    entries[name] = Entry(process, variant, found, check)

        peers = {n: e for n, e in entries.items() if not n.startswith("minitrain")}
        if within and peers:
            fastest = min(entry.estimate for entry in peers.values())
            for name, entry in peers.items():
                if entry.estimate > within * fastest:
                    del entries[name]
        limits = {count: [] for count in self.counts}
        for entry in entries.values():
            entry.fill(seconds, steps)
        for number in range(rounds):
            for count, found in limits.items():
                found.append(self._own.ask(limits=count))
            # Another one begins each time, so that nobody always follows the same one.
            names = list(entries)
            for name in names[number % len(names) :] + names[: number % len(names)]:
                time.sleep(_SETTLE)
                entries[name].train()
        times = {name: [s / steps for s in entry.times] for name, entry in entries.items()}
        return Outcome(sizes, batch, steps, own, times, entries, out, limits)


class Entry:
    """A variant of a contender, and how long an epoch took it in each round."""

    def __init__(self, process, variant, found, epochs):
        self._process, self._variant = process, variant
        self.loss, self.estimate = found["loss"], found["seconds"] / epochs
        self.epochs, self.times = 1, []

    def fill(self, seconds, steps):
        """Train as many epochs at a time as take some ``seconds``, and at least 32 steps.

        What is allocated for a training is touched for the first time in its first step.
        """
        self.epochs = max(1, round(seconds / self.estimate), -(-32 // steps))

    def train(self):
        answer = self._process.ask(train=self._variant, epochs=self.epochs)
        self.times.append(answer["seconds"] / self.epochs)


class Outcome:
    """What a race says about one network; times are seconds of a step, a list of rounds."""

    def __init__(self, sizes, batch, steps, own, times, entries, out, limits):
        self.sizes, self.batch, self.steps, self.out = sizes, batch, steps, out
        self.threads, self.flops = own["auto"], own["flops"]
        self.times, self._entries, self._limits = times, entries, limits
        self.median = {name: statistics.median(t) for name, t in times.items()}

    def best(self, peer=None):
        """The fastest contender of a peer, or of all peers; None if there is none."""
        names = [
            n for n in self.times if n.startswith(peer or "") and not n.startswith("minitrain")
        ]
        return min(names, key=self.median.get, default=None)

    def ratio(self, other, own="minitrain auto"):
        """How many times faster we are: the median over the rounds."""
        pairs = zip(self.times[other], self.times[own], strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    def share_of_limit(self, own="minitrain auto", threads=None):
        found = self._limits[threads or self.threads]
        pairs = zip(found, self.times[own], strict=True)
        return statistics.median(limit["step"] / ours for limit, ours in pairs)

    def as_dict(self, peers):
        best = {peer: self.best(peer) for peer in peers}
        return {
            "sizes": list(self.sizes),
            "batch": self.batch,
            "steps_per_epoch": self.steps,
            "flops": self.flops,
            "threads": self.threads,
            "microseconds": {name: 1e6 * t for name, t in self.median.items()},
            "least_microseconds": {name: 1e6 * min(t) for name, t in self.times.items()},
            "epochs_at_a_time": {name: entry.epochs for name, entry in self._entries.items()},
            "loss": {name: entry.loss for name, entry in self._entries.items()},
            "out": self.out,
            "best_peer": self.best(),
            "best": best,
            "ratio_to_best_peer": self.ratio(self.best()) if self.best() else None,
            "ratio": {peer: name and self.ratio(name) for peer, name in best.items()},
            "share_of_limit": self.share_of_limit(),
            "share_of_limit_1": self.share_of_limit("minitrain 1", 1),
            "limits": {
                str(count): {key: statistics.median(f[key] for f in found) for key in found[0]}
                for count, found in self._limits.items()
            },
        }


def steps_for(sizes, batch):
    """Mini-batches of an epoch: about as many as a data set of that kind has."""
    work = batch * sum(i * o for i, o in pairwise(sizes))
    return int(min(256, max(4, 6e8 // work)))
