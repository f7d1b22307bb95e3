from .sgd import sgd

sgd.derive(
    "nesterov",
    title="Nesterov",
    momentum=0.9,
    nesterov=True,
    paper="Nesterov (1983); in this form Sutskever et al. (2013), On the importance of "
    "initialization and momentum in deep learning",
    elsewhere={
        "torch": "SGD(momentum=0.9, nesterov=True)",
        "optax": "sgd(momentum=0.9, nesterov=True)",
        "Keras": "SGD(momentum=0.9, nesterov=True)",
        "scikit-learn": "solver='sgd'",
    },
    defaults_from="torch",
    doc="""Momentum that looks ahead: the gradient counts as if the velocity had already acted.

    v <- mu * v + g
    p <- p - lr * (g + mu * v)

    Elsewhere: Keras and scikit-learn keep lr inside v, which differs where the rate changes.
    """,
)
