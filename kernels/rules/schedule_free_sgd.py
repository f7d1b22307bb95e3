from ..rule import rule


def coefficients(t, lr_max, weights, lr, momentum, r, weight_lr_power):
    lr_max = max(lr, lr_max)
    weight = t**r * lr_max**weight_lr_power
    weights = weights + weight
    ck = weight / weights if weights > 0.0 else 0.0
    to_x = 1.0 - 1.0 / momentum
    return (ck, lr, lr * (1.0 - momentum * (1.0 - ck)), to_x), (lr_max, weights)


def point(p, z, c):
    _, _, _, to_x = c
    return p + to_x * (z - p)


@rule(
    "schedule_free_sgd",
    title="ScheduleFreeSGD",
    lr=1.0,
    momentum=0.9,
    r=0.0,
    weight_lr_power=2.0,
    coefficients=coefficients,
    carry={"lr_max": 0.0, "weights": 0.0},
    start={"z": "p"},
    ranges={"momentum": "(0, 1)"},
    point=point,
    own_step=True,
    own_decay=True,
    rates=(1e-3, 100.0),
    paper="Defazio et al. (2024), The road less scheduled, arXiv 2405.15682",
    family="averaging",
    elsewhere={"optax": "contrib.schedule_free_sgd"},
    defaults_from="the authors' code",
)
def schedule_free_sgd(p, g, z, c):
    """SGD on z, gradients at y between z and the average x of all z; x is what is evaluated.

    w_t = t^r * (max lr so far)^weight_lr_power         c = w_t / (w_1 + … + w_t)
    z <- z - lr * (g + weight_decay * y)
    x <- (1 - c) * x + c * z                            y = (1 - mu) * z + mu * x

    p is y; predictions and validation use x without being told.

    Elsewhere: as the authors' code, where train() and eval() switch between y and x, and whose
    warmup_steps is a schedule here: w_t takes it into account.
    """
    ck, lr, lr_y, _, decay = c
    step = g + decay * p
    return ck * (p - z) + lr_y * step, z - lr * step
