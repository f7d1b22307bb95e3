"""scikit-learn 1.9's callback protocol (``set_callbacks``), where scikit-learn has it."""

from typing import Any

try:
    from sklearn.callback import CallbackSupportMixin
except ImportError:  # before 1.9: no set_callbacks; the parameter `callbacks` works everywhere

    class CallbackSupportMixin:  # type: ignore[no-redef,unused-ignore]
        pass


class Hooks:
    """Calls the hooks of ``set_callbacks`` around a fit and each of its epochs."""

    def __init__(self, estimator: Any, X: Any, y: Any, sample_weight: Any, epochs: int) -> None:
        self._estimator = estimator
        self.active = bool(
            getattr(estimator, "_skl_callbacks", None) or hasattr(estimator, "_parent_callback_ctx")
        )
        if not self.active:
            return
        metadata = {} if sample_weight is None else {"sample_weight": sample_weight}
        self._known = {"estimator": estimator, "X": X, "y": y, "metadata": metadata}
        self._context = estimator._init_callback_context(max_subtasks=epochs)
        self._context.call_on_fit_task_begin(**self._known)
        self._epoch: Any = None

    def begin_epoch(self) -> None:
        if self.active:
            self._epoch = self._context.subcontext(task_name="epoch")
            self._epoch.call_on_fit_task_begin(**self._known)

    def end_epoch(self) -> bool:
        """True if a callback wants the fit to end."""
        if not self.active:
            return False
        return bool(
            self._epoch.call_on_fit_task_end(
                **self._known, reconstruction_attributes=self._estimator._fitted_attributes
            )
        )

    def end(self) -> None:
        if self.active:
            self._context.call_on_fit_task_end(**self._known, reconstruction_attributes={})
