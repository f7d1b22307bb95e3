"""The loss of a network on a plane through its parameters.

Source: Li, Xu, Taylor, Studer & Goldstein (2018), Visualizing the loss landscape of neural nets,
arXiv 1712.09913.
"""

from ._jit import jit
from .evaluation import mean_loss


@jit
def plane(out, theta, origin, u, v, a, b, work, data, team):
    """out[j, i] = (mean loss, share of right rows) at origin + a[i] u + b[j] v.

    out (len(b), len(a), 2); ``theta`` (P,) is room for the parameters of one place, as are
    ``origin``, ``u`` and ``v``.
    """
    for j in range(b.size):
        for i in range(a.size):
            x, y = theta.dtype.type(a[i]), theta.dtype.type(b[j])
            for k in range(theta.size):
                theta[k] = origin[k] + x * u[k] + y * v[k]
            out[j, i, 0], out[j, i, 1] = mean_loss(theta, work, data, team)
