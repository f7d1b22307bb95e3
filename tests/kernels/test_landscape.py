import numpy as np

import minitrain as mt
from minitrain.kernels import landscape, minibatch


def test_plane_is_the_mean_loss_of_each_place():
    rng = np.random.default_rng(0)
    model = mt.MLP([3, 4, 2], "tanh", seed=0, dtype="float64")
    X, y = rng.normal(size=(11, 3)), rng.integers(0, 2, 11)
    u, v = rng.normal(size=(2, model.n_parameters))
    a, b = np.array([-0.5, 0.0, 0.5]), np.array([0.0, 1.0])
    origin, out = model.parameters.copy(), np.empty((2, 3, 2))
    data, team = model.as_data((X, y)), minibatch.team()[0]
    theta = np.empty_like(origin)
    landscape.plane(out, theta, origin, u, v, a, b, model.workspace(4), data, team)
    for j in range(2):
        for i in range(3):
            model.parameters[:] = origin + a[i] * u + b[j] * v
            np.testing.assert_allclose(out[j, i], model.evaluate(X, y), rtol=1e-10)
