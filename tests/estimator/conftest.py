import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True, scope="package")
def one_thread_for_blas():
    """scikit-learn's small products are slower on two busy cores than on one."""
    with threadpool_limits(1):
        yield


@pytest.fixture(autouse=True)
def not_converged():
    """Most fits here are cut short on purpose."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@pytest.fixture
def classes():
    """(X, y): 90 rows of 5 features in three classes."""
    random = np.random.RandomState(0)
    X = random.standard_normal((90, 5))
    return X, (X @ random.standard_normal((5, 3))).argmax(axis=1)


@pytest.fixture
def numbers():
    """(X, y): 90 rows of 5 features and a number for each."""
    random = np.random.RandomState(1)
    X = random.standard_normal((90, 5))
    return X, X[:, 0] ** 2 + X[:, 1] + 0.1 * random.standard_normal(90)
