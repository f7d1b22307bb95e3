import numpy as np

from ..rule import rule


def coefficients(t, base_lr, eta_minus, eta_plus, step_size_min, step_size_max):
    first = 1.0 if t == 1.0 else 0.0  # the step starts at 1, in units of lr
    return first, eta_minus, eta_plus, step_size_min / base_lr, step_size_max / base_lr, 0.0


def check(step_size_min, step_size_max, **_):
    if step_size_min > step_size_max:
        return f"step_size_min: {step_size_min:g} is above step_size_max: {step_size_max:g}"


@rule(
    "rprop",
    title="Rprop",
    lr=1e-2,
    eta_minus=0.5,
    eta_plus=1.2,
    step_size_min=1e-6,
    step_size_max=50.0,
    coefficients=coefficients,
    check=check,
    ranges={"lr": "(0, inf)", "eta_minus": "(0, 1)", "eta_plus": "(1, inf)"},
    paper="Riedmiller & Braun (1993), A direct adaptive method for faster backpropagation learning",
    family="sign",
    elsewhere={"torch": "Rprop", "optax": "rprop"},
    defaults_from="torch",
)
def rprop(p, g, before, step, c):
    """A step per parameter that grows while its gradient keeps its sign; for full batches.

    s = g * g_before            step starts at lr
    step <- step * (eta_plus where s > 0, eta_minus where s < 0, 1 elsewhere)
    step <- min(max(step, step_size_min), step_size_max)
    g <- 0 where s < 0
    p <- p - lr * sign(g) * (step / lr)

    Elsewhere: torch and optax keep the step itself, so that lr is where it starts and nothing
    else; here it is kept in units of lr, so that a schedule of the rate acts on it.  At a constant
    rate that is the same but for rounding.  optax makes a step only after the next gradient, and
    leaves it out where that has another sign.
    """
    first, eta_minus, eta_plus, least, most, zero = c
    s = g * before
    step = step + first
    step = np.where(s > zero, eta_plus * step, np.where(s < zero, eta_minus * step, step))
    step = np.minimum(np.maximum(step, least), most)
    g = np.where(s < zero, zero, g)
    return np.sign(g) * step, g, step
