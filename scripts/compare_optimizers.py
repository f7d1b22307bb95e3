"""Which optimizer, here?  A study in Python: ``python scripts/compare_optimizers.py``.

Three optimizers and one of our own, on one real and one generated data set.  What makes the
comparison fair is explained in docs/comparing.md.
"""

import numpy as np

import minitrain as mt


# An optimizer of our own: momentum that follows only the sign of its velocity (Signum).
# `v` is state, one number per parameter; `c` are the hyperparameters.
@mt.rule("my_signum", lr=1e-3, beta=0.9)
def my_signum(p, g, v, c):
    (beta,) = c
    v = beta * v + g
    return np.sign(v), v


study = mt.lab.Study(
    datasets=["digits", mt.datasets.spirals(n=600, noise=0.05)],
    optimizers={
        "sgd": "sgd",
        "momentum": "momentum",
        "adam": "adam",
        "signum": my_signum,
    },
    arms="learning_rate",  # tune that alone; "defaults" and "everything" are the others
    trials=8,  # learning rates tried for each
    seeds=30,  # paired runs for each, on other seeds
    epochs=30,
)
result = study.run()
print(f"{result.trainings} trainings in {result.seconds:.1f} s\n")

for row in result.summary():
    print(
        "{dataset:8}  {optimizer:18}  lr {lr:8.2g}  accuracy {accuracy:.3f} "
        "[{low:.3f}, {high:.3f}]".format(**row)
    )
print()
print(result.sentence())
print(result.limits())

# One pair in detail: how often does Adam beat SGD when both see the same data and weights?
for verdict in result.verdicts():
    if (verdict["a"], verdict["b"]) == ("adam", "sgd"):
        print("P(adam beats sgd) on {dataset}: {p:.2f} [{low:.2f}, {high:.2f}]".format(**verdict))
