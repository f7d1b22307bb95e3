"""Optimizers of whole matrices and L-BFGS: against torch, official formulas, and in a training."""

import pickle
import re

import numpy as np
import pytest

import minitrain as mt
from minitrain import optimizers
from minitrain.kernels.matrices.muon import orthogonalized
from minitrain.model import Block

RANDOM = np.random.RandomState(5)
I, O = 5, 3
BLOCKS = [Block("W", 0, I * O, (I, O)), Block("b", I * O, I * O + O, (O,))]
START = RANDOM.standard_normal(I * O + O)
GRADIENTS = RANDOM.standard_normal((40, I * O + O)) * np.logspace(-1, 1, I * O + O)
MATRIX = [name for name in optimizers.matrix_names() if name != "lbfgs"]


def run(optimizer, steps=40, dtype="float64"):
    theta = START.astype(dtype)
    state = optimizer.init(theta, BLOCKS)
    for gradient in GRADIENTS[:steps].astype(dtype):
        optimizer.step(theta, gradient, state)
    return theta[: I * O].reshape(I, O), theta[I * O :]


def close(got, expected, tolerance=1e-12):
    assert np.linalg.norm(got - expected) <= tolerance * np.linalg.norm(expected)


def parts(number):
    return GRADIENTS[number][: I * O].reshape(I, O), GRADIENTS[number][I * O :]


def weights():
    return START[: I * O].reshape(I, O).copy(), START[I * O :].copy()


# ---- Muon ----


def torch_muon(momentum=0.95, nesterov=True, lr=1e-3, decay=0.1, match=False):
    """torch.optim.Muon's steps on its own layout (outputs, inputs), in float64."""
    W = weights()[0].T
    buffer = np.zeros_like(W)
    for number in range(40):
        g = parts(number)[0].T
        buffer = buffer + (1 - momentum) * (g - buffer)
        u = g + momentum * (buffer - g) if nesterov else buffer
        X = u.T if u.shape[0] > u.shape[1] else u
        X = X / max(np.linalg.norm(X), 1e-7)
        for _ in range(5):
            gram = X @ X.T
            X = 3.4445 * X + (-4.7750 * gram + 2.0315 * gram @ gram) @ X
        X = X.T if u.shape[0] > u.shape[1] else X
        rows, columns = W.shape
        ratio = 0.2 * np.sqrt(max(rows, columns)) if match else np.sqrt(max(1, rows / columns))
        W = W * (1 - lr * decay) - lr * ratio * X
    return W.T


@pytest.mark.parametrize(
    "given, theirs",
    [
        ({}, {}),
        ({"nesterov": False, "momentum": 0.8}, {"nesterov": False, "momentum": 0.8}),
        ({"match_rms_adamw": True, "lr": 0.02}, {"match": True, "lr": 0.02}),
        ({"weight_decay": 0.0}, {"decay": 0.0}),
    ],
    ids=str,
)
def test_muon_restated(given, theirs):
    close(run(optimizers.Muon(**given))[0], torch_muon(**theirs))


def test_muon_moves_every_direction():
    """Singular values end between 0.68 and 1.15 for a matrix that is not too lopsided."""
    u = np.random.RandomState(0).standard_normal((30, 12))
    values = np.linalg.svd(orthogonalized(u, 5), compute_uv=False)
    assert values.min() > 0.6
    assert values.max() < 1.2
    np.testing.assert_allclose(orthogonalized(u.T, 5), orthogonalized(u, 5).T, rtol=1e-12)


def test_muon_of_nothing():
    assert not orthogonalized(np.zeros((3, 2)), 5).any()


def test_live_muon():
    """torch iterates in bfloat16: 5 % of the whole way that the weights went."""
    torch = pytest.importorskip("torch")
    W = torch.nn.Parameter(torch.from_numpy(weights()[0].T.copy()))
    muon = torch.optim.Muon([W], lr=0.02)
    for number in range(40):
        W.grad = torch.from_numpy(parts(number)[0].T.copy())
        muon.step()
    got = run(optimizers.Muon(lr=0.02))[0]
    way = np.linalg.norm(got - weights()[0])
    assert np.linalg.norm(W.detach().numpy().T - got) <= 0.05 * way


# ---- Adafactor ----


@pytest.mark.parametrize(
    "given", [{}, {"lr": 0.5, "weight_decay": 0.1}, {"beta2_decay": -0.5, "d": 2.0}], ids=str
)
def test_live_adafactor(given):
    torch = pytest.importorskip("torch")
    W, b = weights()
    # Row and column means are the same two for a transposed matrix.
    theirs = [torch.nn.Parameter(torch.from_numpy(p)) for p in (W.T.copy(), b)]
    adafactor = torch.optim.Adafactor(theirs, foreach=False, **given)
    for number in range(40):
        for p, g in zip(theirs, parts(number), strict=True):
            p.grad = torch.from_numpy(g.T.copy())
        adafactor.step()
    got = run(optimizers.Adafactor(**given))
    close(got[0], theirs[0].detach().numpy().T)
    close(got[1], theirs[1].detach().numpy())


def adafactor(p, gradients, lr=1e-2, beta2_decay=-0.8, decay=0.0, d=1.0):
    """torch.optim.Adafactor, restated for a matrix or a vector in float64."""
    eps = np.finfo(float).eps
    r = c = v = 0.0
    for t, g in enumerate(gradients, 1):
        w, rho = t**beta2_decay, min(lr, 1 / np.sqrt(t))
        alpha = max(1e-3, np.sqrt((p**2).mean())) * rho
        p = p * (1 - lr * decay)
        if p.ndim == 2:
            r = r + w * ((g**2).mean(axis=1, keepdims=True) - r)
            c = c + w * ((g**2).mean(axis=0, keepdims=True) - c)
            V = r * c / max(r.mean(), eps)
        else:
            V = v = v + w * (g**2 - v)
        u = g / np.sqrt(np.maximum(V, eps**2))
        p = p - alpha / max(1, np.sqrt((u**2).mean()) / d) * u
    return p


@pytest.mark.parametrize("given", [{}, {"lr": 0.5, "d": 2.0}, {"beta2_decay": -0.5}], ids=str)
def test_adafactor_restated(given):
    W, b = weights()
    got = run(optimizers.Adafactor(**given))
    close(got[0], adafactor(W, [parts(n)[0] for n in range(40)], **given))
    close(got[1], adafactor(b, [parts(n)[1] for n in range(40)], **given))


# ---- Shampoo ----


def test_shampoo_restated():
    """Algorithm 1, with roots by another way: the singular value decomposition."""

    def root(A, power):
        U, values, _ = np.linalg.svd(A)
        return U @ np.diag(values ** (-1 / power)) @ U.T

    W, b = weights()
    L, R, H = 1e-4 * np.eye(I), 1e-4 * np.eye(O), 1e-4 * np.eye(O)
    for number in range(40):
        g, h = parts(number)
        L, R, H = L + g @ g.T, R + g.T @ g, H + np.outer(h, h)
        W = W - 0.1 * root(L, 4) @ g @ root(R, 4)
        b = b - 0.1 * root(H, 2) @ h
    got = run(optimizers.Shampoo())
    close(got[0], W, 1e-9)
    close(got[1], b, 1e-9)


def test_shampoo_whitens_the_first_gradient():
    """L = R = g g' up to eps: L^(-1/4) g R^(-1/4) has singular values 1."""
    theta = np.zeros(6)
    shampoo = optimizers.Shampoo(lr=1.0, eps=1e-12)
    state = shampoo.init(theta, [Block("W", 0, 6, (2, 3))])
    shampoo.step(theta, RANDOM.standard_normal(6), state)
    values = np.linalg.svd(theta.reshape(2, 3), compute_uv=False)
    np.testing.assert_allclose(values, 1.0, rtol=1e-3)


# ---- SOAP ----


def soap(W, gradients, lr=3e-3, b1=0.95, b2=0.95, eps=1e-8, decay=0.01, every=10):
    """The authors' soap.py for a matrix: m lives in the eigenbasis and moves when that turns."""

    def qr_step(GG, Q, exp_avg_sq, axis):
        estimate = np.diag(Q.T @ GG @ Q)
        order = np.argsort(-estimate, kind="stable")
        exp_avg_sq = np.take(exp_avg_sq, order, axis=axis)
        return np.linalg.qr(GG @ Q[:, order])[0], exp_avg_sq

    m, v = np.zeros_like(W), np.zeros_like(W)
    left, right = np.zeros((len(W),) * 2), np.zeros((W.shape[1],) * 2)
    QL = QR = None
    for step, g in enumerate(gradients):
        if step:
            turned = QL.T @ g @ QR
            m, v = b1 * m + (1 - b1) * turned, b2 * v + (1 - b2) * turned**2
            size = lr * np.sqrt(1 - b2**step) / (1 - b1**step)
            W_old = W
            W = W - size * (QL @ (m / (np.sqrt(v) + eps)) @ QR.T)
            W = W - lr * decay * W_old
        left, right = left + (1 - b2) * (g @ g.T - left), right + (1 - b2) * (g.T @ g - right)
        if QL is None:
            QL, QR = (np.flip(np.linalg.eigh(A)[1], 1) for A in (left, right))
        if step and step % every == 0:
            home = QL @ m @ QR.T
            QL, v = qr_step(left, QL, v, 0)
            QR, v = qr_step(right, QR, v, 1)
            m = QL.T @ home @ QR
    return W


@pytest.mark.parametrize("given", [{}, {"precondition_frequency": 3, "lr": 0.05}], ids=str)
def test_soap_restated(given):
    theirs = {"every" if k == "precondition_frequency" else k: v for k, v in given.items()}
    # A square matrix: eigenvectors of g g' are known only where g has as many columns as rows.
    gradients = GRADIENTS[:, : O * O]
    expected = soap(START[: O * O].reshape(O, O), gradients.reshape(-1, O, O), **theirs)
    optimizer, theta = optimizers.SOAP(**given), START[: O * O].copy()
    state = optimizer.init(theta, [Block("W", 0, O * O, (O, O))])
    for gradient in gradients.copy():
        optimizer.step(theta, gradient, state)
    close(theta.reshape(O, O), expected, 1e-10)


def test_soap_in_one_dimension_is_adam():
    """A 1 × 1 matrix has nothing to turn: Adam from the second gradient on."""
    theta, other = np.ones(1), np.ones(1)
    state_of = optimizers.SOAP(weight_decay=0.0)
    state = state_of.init(theta, [Block("W", 0, 1, (1, 1))])
    adam = optimizers.Adam(lr=3e-3, betas=(0.95, 0.95), eps=0.0)
    theirs = adam.init(other)
    for number, g in enumerate(GRADIENTS[:, :1].copy()):
        state_of.step(theta, g, state)
        if number:
            adam.step(other, g, theirs)
    close(theta, other, 1e-6)  # eps is 1e-8 of one, and 0 of the other


def test_soap_steps_with_vectors_from_the_first_gradient_on():
    """The authors' code makes no first step at all; here that is so of matrices alone."""
    W, b = run(optimizers.SOAP(weight_decay=0.0), 1)
    np.testing.assert_array_equal(W, weights()[0])
    np.testing.assert_allclose(b, weights()[1] - 3e-3 * np.sign(parts(0)[1]), rtol=1e-6)


# ---- all of them ----


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_they_train(name, dtype):
    train, valid, _ = mt.datasets.load("iris").split(seed=0)
    model = mt.MLP([4, 8, 3], dtype=dtype, seed=0)
    before = model.evaluate(valid.X, valid.y)[0]
    optimizer = optimizers.get(name, lr=0.02)
    history = mt.Trainer(model, optimizer, 16).fit(train, 10, validation=valid)
    assert model.parameters.dtype == dtype
    assert history.loss[-1] < history.loss[0]
    loss, accuracy = model.evaluate(valid.X, valid.y)
    assert loss < before
    assert history.validation_loss[-1] == pytest.approx(loss)
    assert history.validation_accuracy[-1] == accuracy


def test_the_loop_in_python_is_the_compiled_one():
    """With SGD's direction as a matrix rule: the same weights and history, to rounding."""
    from minitrain.kernels import matrix

    made = matrix.matrix_rule(
        "plain", title="Plain", lr=0.1, of_vector=lambda p, g, state, t, h: g
    )(lambda W, g, state, t, h: g)
    try:
        X, y = RANDOM.standard_normal((37, 4)), RANDOM.randint(0, 3, 37)
        found = []
        for optimizer in (
            optimizers.get(made, weight_decay=0.1),
            optimizers.SGD(lr=0.1, weight_decay=0.1, decoupled_weight_decay=True),
        ):
            model = mt.MLP([4, 6, 3], "tanh", dtype="float64", seed=0)
            history = mt.Trainer(model, optimizer, 8, accumulate=2, seed=1).fit(
                (X, y), 4, validation=(X[:9], y[:9])
            )
            found.append((model.parameters, history.to_dict()))
        (one, history), (other, also) = found
        close(one, other, 1e-14)
        for column in set(history) - {"seconds"}:
            np.testing.assert_allclose(history[column], also[column], rtol=1e-12)
    finally:
        del matrix._registry["plain"]


@pytest.mark.parametrize("name", MATRIX)
def test_not_finite_is_reported(name):
    X = np.full((4, 2), 1e200)
    model = mt.MLP([2, 2], loss="squared_error", dtype="float64", seed=0)
    start = model.parameters.copy()
    with pytest.raises(mt.DivergenceError):
        mt.Trainer(model, optimizers.get(name)).fit((X, X), 2)
    np.testing.assert_array_equal(model.parameters, start)


@pytest.mark.parametrize("name", MATRIX)
def test_modifiers_of_the_gradient_are_for_them_too(name):
    clipped = optimizers.get(name, clip_global_norm=1e-3, layer_lr=[0.5])
    assert not np.array_equal(run(clipped)[0], run(optimizers.get(name))[0])


def averages(weights, kind):
    """Of the weights after each step, as Modifiers says it."""
    a, counted = None, 0
    for t, w in enumerate(weights, 1):
        if kind == "ema":
            a = w if a is None else 0.9 * a + 0.1 * w
        elif t >= 3 and (t - 3) % 2 == 0:
            counted += 1
            a = w if counted == 1 else a + (w - a) / counted
        yield w if a is None else a


@pytest.mark.parametrize("name", MATRIX)
@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_averages_of_whole_matrices(name, kind):
    given = {"ema": 0.9} if kind == "ema" else {"swa_start": 3, "swa_every": 2}
    optimizer, theta = optimizers.get(name, **given), START.copy()
    state, weights, seen = optimizer.init(theta, BLOCKS), [], []
    for gradient in GRADIENTS[:9]:
        optimizer.step(theta, gradient, state)
        weights.append(theta.copy())
        seen.append(optimizer.evaluated(theta, state))
    np.testing.assert_allclose(seen, list(averages(weights, kind)), rtol=1e-12)
    np.testing.assert_array_equal(
        theta, np.concatenate([x.ravel() for x in run(optimizers.get(name), 9)])
    )


def test_muon_is_cautious():
    """No step where direction and gradient disagree, longer ones elsewhere."""
    plain, careful = (run(optimizers.Muon(weight_decay=0.0, cautious=c), 1) for c in (False, True))
    for start, gradient, ours, theirs in zip(weights(), parts(0), careful, plain, strict=True):
        agrees = (start - theirs) * gradient > 0
        expected = (start - theirs) * agrees / agrees.mean()
        np.testing.assert_allclose(start - ours, expected, rtol=1e-9, atol=1e-15)


def test_muon_looks_ahead():
    muon, theta = optimizers.Muon(lookahead=2, lookahead_alpha=0.25), START.copy()
    state, slow = muon.init(theta, BLOCKS), START.copy()
    fast = optimizers.Muon()
    other, twin = fast.init(START, BLOCKS), START.copy()
    for number, gradient in enumerate(GRADIENTS[:6]):
        muon.step(theta, gradient, state)
        fast.step(twin, gradient, other)
        if number % 2:
            slow = slow + 0.25 * (twin - slow)
            twin[:] = slow
        np.testing.assert_allclose(theta, twin, rtol=1e-14)
        np.testing.assert_allclose(muon.evaluated(theta, state), slow, rtol=1e-14)


def test_sam_is_for_them_too():
    with pytest.raises(ValueError, match=r"^sam: needs a second gradient"):
        run(optimizers.Muon(sam=0.05), 1)


def test_they_need_shapes():
    with pytest.raises(ValueError, match=r"^muon: needs blocks=… to know the matrices"):
        optimizers.Muon().init(np.zeros(3))


@pytest.mark.parametrize("name", MATRIX)
def test_they_are_like_other_optimizers(name):
    optimizer = optimizers.get(name, lr=0.25)
    assert isinstance(optimizer, mt.Optimizer)
    sent = pickle.loads(pickle.dumps(optimizer))
    assert sent.rule is optimizer.rule
    assert sent.hyperparameters == optimizer.hyperparameters
    assert repr(optimizer) == f"{optimizer.rule.title}(lr=0.25)"
    assert optimizer.replace(lr=0.5).lr == 0.5
    assert getattr(optimizers, optimizer.rule.title)().rule is optimizer.rule
    with pytest.raises(ValueError, match=re.escape(f"{name}: unknown hyperparameter 'learning'")):
        optimizers.get(name, learning=1)
    with pytest.raises(ValueError, match=f"^{name}: lr: -1 is out of range"):
        optimizers.get(name, lr=-1)


# ---- L-BFGS ----


def convex_problem():
    """Multinomial regression with decay: one minimum."""
    random = np.random.RandomState(4)  # its own: the test must not depend on those before it
    X, y = random.standard_normal((60, 4)), random.randint(0, 3, 60)
    return X, y, mt.MLP([4, 3], dtype="float64", seed=0)


def test_lbfgs_finds_the_minimum():
    """That of scikit-learn's logistic regression with the same penalty (C = 1 / (n · decay))."""
    from sklearn.linear_model import LogisticRegression

    X, y, model = convex_problem()
    lbfgs = optimizers.LBFGS(
        weight_decay=0.01, decay_biases=False, tolerance_change=0.0, tolerance_grad=1e-9
    )
    history = mt.Trainer(model, lbfgs).fit((X, y), 300)
    assert history.stop_reason == "converged"
    theirs = LogisticRegression(C=1 / (60 * 0.01), tol=1e-10, max_iter=10_000).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), theirs.predict_proba(X), atol=1e-6)
    assert (np.diff(history.loss[:3]) < 0).all()  # the penalty, not in it, may rise first


def test_lbfgs_makes_the_iterations_of_scipy():
    from scipy.optimize import minimize

    X, y, model = convex_problem()
    twin = mt.MLP([4, 3], dtype="float64", seed=0)

    def loss_and_gradient(theta):
        twin.parameters[:] = theta
        return twin.loss_and_gradient(X, y)

    start, losses = model.parameters.copy(), []
    options = {"maxcor": 100, "maxiter": 12, "ftol": 0.0, "gtol": 0.0}
    found = minimize(
        loss_and_gradient, start, jac=True, method="L-BFGS-B", options=options,
        callback=lambda theta: losses.append(loss_and_gradient(theta)[0]),
    )  # fmt: skip
    lbfgs = optimizers.LBFGS(history_size=100, tolerance_change=0.0, tolerance_grad=0.0)
    history = mt.Trainer(model, lbfgs).fit((X, y), 12)
    np.testing.assert_allclose(history.loss, losses, rtol=1e-12)
    np.testing.assert_allclose(model.parameters, found.x, rtol=1e-9)


def test_lbfgs_is_full_batch():
    X, y, model = convex_problem()
    history = mt.Trainer(model, optimizers.LBFGS(), batch_size=7).fit((X, y), 5, (X, y))
    assert len(history) == 5
    assert history.steps_per_epoch == 1
    assert history.stop_reason == "all epochs done"
    np.testing.assert_allclose(history.loss, history.validation_loss, rtol=1e-12)
    loss, gradient = model.loss_and_gradient(X, y)
    assert history.loss[-1] == pytest.approx(loss, rel=1e-12)
    assert history.gradient_norm[-1] == pytest.approx(np.linalg.norm(gradient), rel=1e-9)


def test_lbfgs_stops_early_and_by_callback():
    train, valid, _ = mt.datasets.load("iris").split(seed=0)
    model = mt.MLP([4, 16, 3], seed=0)
    history = mt.Trainer(model, optimizers.LBFGS()).fit(train, 200, valid, early_stopping=5)
    assert history.stop_reason == "no better validation_loss for 5 epochs"
    best = history.validation_loss.min()
    assert history.validation_loss[history.best_epoch - 1] == best
    assert model.evaluate(valid.X, valid.y)[0] == pytest.approx(best)
    seen = []
    trainer = mt.Trainer(model, optimizers.LBFGS(), callbacks=[lambda h: seen.append(1) or True])
    assert trainer.fit(train, 9).stop_reason == "stopped by a callback"
    assert len(seen) == 1


@pytest.mark.parametrize(
    "option", [{"l1": 0.1}, {"clip_norm": 1.0}, {"ema": 0.9}, {"lookahead": 5}]
)
def test_lbfgs_refuses_what_is_of_single_steps(option):
    ((name, value),) = option.items()
    with pytest.raises(
        ValueError, match=rf"^lbfgs: {name}={value} changes .* Accepted: .*weight_d"
    ):
        optimizers.LBFGS(**option)


def test_lbfgs_refuses():
    with pytest.raises(ValueError, match=r"^lbfgs: unknown hyperparameter 'lr': a line search "):
        optimizers.LBFGS(lr=0.1)
    with pytest.raises(
        ValueError, match=r"^lbfgs: tolerance_grad: -1 is out of range; accepted: finite"
    ):
        optimizers.LBFGS(tolerance_grad=-1)
    with pytest.raises(ValueError, match=r"^lbfgs: evaluates the loss several times"):
        optimizers.LBFGS().init(np.zeros(3))
    assert repr(pickle.loads(pickle.dumps(optimizers.LBFGS(history_size=7)))) == (
        "LBFGS(history_size=7)"
    )


def test_lbfgs_has_no_rate_that_a_schedule_could_change():
    X, y, model = convex_problem()
    trainer = mt.Trainer(model, optimizers.LBFGS(), schedule="cosine")
    with pytest.raises(ValueError, match=r"^schedule: cosine\(\); accepted with lbfgs: constant, "):
        trainer.fit((X, y), 3)


@pytest.mark.parametrize("name", MATRIX)
def test_l1_adds_the_signs_of_weights_but_not_of_biases(name):
    def end(gradients, **given):
        optimizer, theta = optimizers.get(name, lr=0.1, **given), START.copy()
        theta[1] = 0.0  # where the gradient of |w| is 0
        state = optimizer.init(theta, BLOCKS)
        for gradient in GRADIENTS[:5]:
            optimizer.step(theta, gradients(gradient, theta), state)
        return theta

    def with_signs(gradient, theta):
        return gradient + np.where(np.arange(theta.size) < I * O, 0.25 * np.sign(theta), 0.0)

    got = end(lambda gradient, theta: gradient, l1=0.25)
    np.testing.assert_array_equal(got, end(with_signs))
    assert (got != end(lambda gradient, theta: gradient))[: I * O].all()
