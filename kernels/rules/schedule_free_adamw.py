import math

import numpy as np

from ..rule import rule


def coefficients(t, lr_max, weights, lr, beta1, beta2, eps, r, weight_lr_power):
    lr_max = max(lr, lr_max)
    weight = t**r * lr_max**weight_lr_power
    weights = weights + weight
    ck = weight / weights if weights > 0.0 else 0.0
    correct_v = 1.0 / math.sqrt(1.0 - beta2**t)
    lr_y = lr * (1.0 - beta1 * (1.0 - ck))
    return (ck, lr, lr_y, beta2, 1.0 - beta2, correct_v, eps, 1.0 - 1.0 / beta1), (lr_max, weights)


def point(p, z, v, c):
    _, _, _, _, _, _, _, to_x = c
    return p + to_x * (z - p)


@rule(
    "schedule_free_adamw",
    title="ScheduleFreeAdamW",
    lr=2.5e-3,
    beta1=0.9,
    beta2=0.999,
    eps=1e-8,
    r=0.0,
    weight_lr_power=2.0,
    decoupled_weight_decay=True,
    coefficients=coefficients,
    carry={"lr_max": 0.0, "weights": 0.0},
    start={"z": "p"},
    ranges={"beta1": "(0, 1)"},
    point=point,
    own_step=True,
    own_decay=True,
    rates=(1e-4, 1.0),
    paper="Defazio et al. (2024), The road less scheduled, arXiv 2405.15682",
    family="averaging",
    elsewhere={
        "optax": "contrib.schedule_free_adamw",
        "Keras": "ScheduleFreeAdamW",
    },
    defaults_from="the authors' code",
)
def schedule_free_adamw(p, g, z, v, c):
    """AdamW without a schedule: steps on z, gradients at y, and the average x is evaluated.

    w_t = t^r * (max lr so far)^weight_lr_power         c = w_t / (w_1 + … + w_t)
    v <- beta2 * v + (1 - beta2) * g²                   v^ = v / (1 - beta2^t)
    z <- z - lr * (g / (sqrt(v^) + eps) + weight_decay * y)
    x <- (1 - c) * x + c * z                            y = (1 - beta1) * z + beta1 * x

    p is y; predictions and validation use x without being told.

    Elsewhere: as the authors' code, where train() and eval() switch between y and x, and whose
    warmup_steps is a schedule here: w_t takes it into account.
    """
    ck, lr, lr_y, beta2, fresh_v, correct_v, eps, _, decay = c
    v = beta2 * v + fresh_v * (g * g)
    step = g / (correct_v * np.sqrt(v) + eps) + decay * p
    return ck * (p - z) + lr_y * step, z - lr * step, v
