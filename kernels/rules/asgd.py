from ..rule import rule


def coefficients(t, eta, lr, lambd, alpha, t0):
    if t == 1.0:
        eta = lr
    following = lr / (1.0 + lambd * lr * t) ** alpha
    before, mu = 1.0 / max(1.0, t - 2.0 - t0), 1.0 / max(1.0, t - 1.0 - t0)
    return (lambd, eta, 1.0 - before, before, 1.0 - mu, mu), (following,)


@rule(
    "asgd",
    title="ASGD",
    lr=1e-2,
    lambd=1e-4,
    alpha=0.75,
    t0=1e6,
    average=False,
    coefficients=coefficients,
    carry={"eta": "lr"},
    own_step=True,
    ranges={"alpha": "[0, inf)"},
    paper="Polyak & Juditsky (1992), Acceleration of stochastic approximation by averaging",
    family="averaging",
    elsewhere={"torch": "ASGD"},
    defaults_from="torch",
)
def asgd(p, g, c):
    """SGD with a rate that falls by itself and, on request, the average of the weights.

    p <- p - eta_t * (g + lambd * p)                    eta_1 = lr
    eta_(t+1) = lr / (1 + lambd * lr * t)^alpha         mu_(t+1) = 1 / max(1, t - t0)
    average: a <- a + mu_t * (p - a), which is what is evaluated

    Elsewhere: as in torch, where a change of lr acts a step later.  torch computes a and never uses
    it; average=True makes it the weights to evaluate.  a is not p from step t0 + 3 on.
    """
    lambd, eta, _, _, _, _ = c
    return (eta * (g + lambd * p),)


def point(p, a, c):
    _, _, _, _, kept, new = c
    return kept * a + new * p


@asgd.variant("average", point=point)
def averaged(p, g, a, c):
    lambd, eta, kept, new, _, _ = c
    return eta * (g + lambd * p), kept * a + new * p
