"""One optimizer step by minitrain and by its peers, each at its best setting, as functions."""

import numpy as np

from minitrain.kernels.memory import aligned_zeros

NEAR = 1e-4  # of the norm: what float32 may differ by after a few steps


def aligned(array):
    """A copy that begins at a cache line, as a network's parameters and torch's tensors do."""
    copy = aligned_zeros(array.size, array.dtype)
    copy[:] = array
    return copy


def ours(optimizer, which, start, gradient):
    """``step`` or ``step_reference``; also the parameters that it changes."""
    params, state = aligned(start), optimizer.init(start)
    step = getattr(optimizer, which)
    return (lambda: step(params, gradient, state)), params


def call_of(said, module):
    """What "contrib.adopt" or "SGD(momentum=0.9)" names in a module, and its arguments."""
    name, _, arguments = said.partition("(")
    made = module
    for part in name.split("."):
        made = getattr(made, part)
    return made, eval(f"dict({arguments.removesuffix(')')})") if arguments else {}


def torch_steps(torch, rule, start, gradient):
    """(name, step, tensor) of torch's loop over tensors, its foreach, and its fused kernel.

    Each has a gradient of its own: foreach's Nesterov writes into the one that it is given.
    """
    if torch is None or "torch" not in rule.elsewhere:
        return
    make, given = call_of(rule.elsewhere["torch"], torch.optim)
    settings = {
        "torch loop": {"foreach": False},
        "torch foreach": {"foreach": True},
        "torch fused": {"fused": True},
    }
    for name, how in settings.items():
        theta = torch.from_numpy(start).clone()
        theta.grad = torch.from_numpy(gradient).clone()
        try:
            step = make([theta], **given, **how).step
        except TypeError:
            continue  # this one has no fused kernel
        yield name, step, theta


def optax_steps(optax, rule, start, gradient):
    """optax under jit, its state and parameters donated; at its own defaults."""
    if optax is None or "optax" not in rule.elsewhere:
        return
    import jax

    make, given = call_of(rule.elsewhere["optax"], optax)
    transformation = make(learning_rate=rule.defaults["lr"], **given)

    def one(gradient, params, state):
        updates, state = transformation.update(gradient, state, params)
        return optax.apply_updates(params, updates), state

    compiled = jax.jit(one, donate_argnums=(1, 2))
    given_gradient = jax.numpy.asarray(gradient)
    params = jax.numpy.array(start)
    # Some states hold the parameters themselves, which cannot be donated twice.
    state = jax.tree.map(lambda leaf: jax.numpy.array(leaf, copy=True), transformation.init(params))
    held = [params, state]

    def step():
        held[:] = compiled(given_gradient, *held)
        jax.block_until_ready(held[0])

    yield "optax jit", step, None


def check_same_work(optimizer, start, gradient, torch):
    """A timing counts only if the fused step has NumPy's bits, and torch's numbers."""
    (fused, params), (unfused, expected) = (
        ours(optimizer, which, start, gradient) for which in ("step", "step_reference")
    )
    for _ in range(3):
        fused()
        unfused()
    assert np.array_equal(params, expected), f"{optimizer}: fused and unfused differ"
    for name, step, theta in torch_steps(torch, optimizer.rule, start, gradient):
        for _ in range(3):
            theta.grad.copy_(torch.from_numpy(gradient))
            step()
        apart = np.linalg.norm(theta.numpy() - params) / np.linalg.norm(params)
        assert apart < NEAR, f"{optimizer}: {name} is {apart:.1e} away"
