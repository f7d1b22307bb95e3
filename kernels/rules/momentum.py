from .sgd import sgd

sgd.derive(
    "momentum",
    title="Momentum",
    momentum=0.9,
    paper="Polyak (1964), Some methods of speeding up the convergence of iteration methods",
    elsewhere={
        "torch": "SGD(momentum=0.9)",
        "optax": "sgd(momentum=0.9)",
        "Keras": "SGD(momentum=0.9)",
        "scikit-learn": "solver='sgd', nesterovs_momentum=False",
    },
    defaults_from="torch",
    doc="""SGD with a velocity: steps add up where gradients agree and cancel where they alternate.

    v <- mu * v + (1 - dampening) * g        (the first step: v <- g)
    p <- p - lr * v

    Elsewhere: lr stands outside the velocity in torch, optax and here; Keras and scikit-learn keep
    lr * g inside, which differs where the rate changes.  Dampening starts with the second step, as
    in torch.
    """,
)
