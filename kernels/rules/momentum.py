from .sgd import sgd

sgd.derive(
    "momentum",
    title="Momentum",
    momentum=0.9,
    paper="Polyak (1964), Some methods of speeding up the convergence of iteration methods",
    doc="""SGD with a velocity: steps add up where gradients agree and cancel where they alternate.

    v <- mu * v + (1 - dampening) * g        (the first step: v <- g)
    p <- p - lr * v

    As in torch, lr stands outside the velocity (Keras and scikit-learn keep lr * g inside; the
    two differ when the rate changes) and dampening starts with the second step.
    """,
)
