from .adam import adam

adam.derive(
    "adamw",
    title="AdamW",
    weight_decay=1e-2,
    decoupled_weight_decay=True,
    paper="Loshchilov & Hutter (2019), Decoupled weight decay regularization, arXiv 1711.05101",
    elsewhere={"torch": "AdamW", "optax": "adamw", "Keras": "AdamW"},
    defaults_from="torch",
    doc="""Adam whose weight decay acts on the parameters and not through the gradient.

    p <- p - lr * (m^ / (sqrt(v^) + eps) + weight_decay * p)

    Elsewhere: torch multiplies p by 1 - lr * weight_decay first, a factor that float32 rounds to 1
    below lr * weight_decay = 3e-8; here decay and step are one rounded update.  weight_decay is
    1e-2 as in torch (1e-4 in optax, 4e-3 in Keras).
    """,
)
