"""Train a network to read handwritten digits: the whole path, from the data to the test.

    python3 scripts/train_demo.py

Everything here is what your own programs would use, too: `import minitrain as mt` and no more.
"""

from _environment import ensure

ensure()  # where minitrain is not installed, put it into .venv; your own scripts need no such line

import minitrain as mt

# 1797 small pictures: X holds 64 grey levels for each, y the digit, 0 to 9.
data = mt.datasets.load("digits")

# The network learns from the first part.  The second shows during the training whether it also
# works on pictures it never saw.  The third is for the very end: a figure that guided any choice
# is no longer an honest one.
train, validation, test = data.split(seed=0)
print(f"{len(train)} pictures to learn from, {len(validation)} to watch, {len(test)} to test\n")

# 64 numbers go in, pass two hidden layers of 64 units, and come out as 10 scores, one per digit.
model = mt.MLP([64, 64, 64, 10], activation="relu", seed=0)
print(f"{model}\n")

# Learning means: change all these parameters a little, in the direction in which the loss falls.
# The loss says how wrong the network is (about ln 10 = 2.30 for mere guessing); its gradient says
# for every parameter how the loss changes with it, by formulas written out by hand.  Are they
# right?  Move one parameter up and down and look.  This is the difference of two nearly equal
# numbers, so it is done in float64.
exact = mt.MLP([64, 64, 64, 10], seed=0, dtype="float64")
X, y = train.X[:32], train.y[:32]  # one mini-batch
loss, gradient = exact.loss_and_gradient(X, y)

number, h = 8000, 1e-6  # any parameter; a small step
exact.parameters[number] += h
above, _ = exact.loss_and_gradient(X, y)
exact.parameters[number] -= 2 * h
below, _ = exact.loss_and_gradient(X, y)
print(f"Loss before any learning: {loss:.2f}")
print(f"How it changes with parameter {number}: {(above - below) / (2 * h):+.8f} by trying")
print(f"                                    {gradient[number]:+.8f} by the formula\n")

# The optimizer turns gradients into steps: `minitrain optimizers adam` shows how this one does.
optimizer = mt.optimizers.Adam(lr=1e-3)

# A step takes the gradient of 32 pictures only: noisier than that of all, but 30 times cheaper.
# The loader draws them in a new order in every epoch, that is, every pass over all pictures.
loader = mt.MiniBatchLoader(train.X, train.y, batch_size=32, seed=0)

# All of it at once: for each mini-batch the loss, its gradient, a step; then validation.
history = mt.Trainer(model, optimizer).fit(loader, epochs=20, validation=validation)

print("epoch   loss   validation accuracy")
for epoch in (1, 2, 5, 10, 20):
    i = epoch - 1
    print(f"{epoch:5}  {history.loss[i]:5.3f}   {history.validation_accuracy[i]:.3f}")

loss, accuracy = model.evaluate(test.X, test.y)
print(f"\nTest accuracy {accuracy:.3f} after {history.seconds[-1]:.2f} seconds of training.")

# What it says to a single picture: one probability per digit.
(probabilities,) = model.predict_proba(test.X[:1])
guess = probabilities.argmax()
print(f"The first test picture is a {guess}, it thinks (and is {probabilities[guess]:.1%} sure);")
print(f"it is a {test.y[0]}.")
