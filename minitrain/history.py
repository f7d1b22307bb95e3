"""What a training leaves behind: one row per finished epoch."""

from dataclasses import dataclass

import numpy as np

from .kernels.epoch import COLUMNS


@dataclass
class History:
    """Measurements per epoch, each (epochs,).

    ``loss`` and ``accuracy`` are means over the mini-batches as they were seen during the epoch;
    ``validation_*`` are taken after it (nan without validation data; accuracies are nan for
    squared error).  ``gradient_norm`` is that of the epoch's last mini-batch, ``learning_rate``
    that of its last step, ``seconds`` the time since the start.
    """

    loss: np.ndarray
    accuracy: np.ndarray
    gradient_norm: np.ndarray
    validation_loss: np.ndarray
    validation_accuracy: np.ndarray
    learning_rate: np.ndarray
    seconds: np.ndarray
    steps_per_epoch: int
    stop_reason: str = "all epochs done"
    best_epoch: int | None = None

    def __len__(self) -> int:
        return len(self.loss)

    def to_dict(self) -> dict[str, list]:
        """The columns as lists, for JSON or a data frame."""
        names = (*COLUMNS, "learning_rate", "seconds")
        return {name: getattr(self, name).tolist() for name in names}
