"""The Bradley-Terry model of comparisons, fitted by Newton's method: deterministic, and done in milliseconds for a few dozen features.

Signs can be demanded of the weights, so that an accident of the training pairs cannot teach that a virtue is a fault. Invariant: no weight has
the wrong sign.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Floats", "bradley_terry"]

Floats = NDArray[np.float64]


def bradley_terry(differences: Floats, signs: Sequence[int], l2: float = 1.0, counts: Floats | None = None) -> Floats:
    """Weights under which the first of two answers is likely to win: P(win) = sigmoid(difference . weights) (Bradley and Terry 1952).

    L2-regularised maximum likelihood by Newton's method, deterministic. Weights whose sign is not the one demanded are set to zero, the largest
    first, and the others fitted again: what a corruption does by the way must not teach that content is a fault.

    Args:
        differences: Features of the better answer minus those of the worse, shape (pairs, features), standardised.
        signs: Per feature 1, -1, or 0 where the weight is free.
        l2: Strength of the regularisation, above 0.
        counts: How often each pair counts, shape (pairs,); once where it is None.
    """
    often = np.ones(len(differences)) if counts is None else counts
    allowed = list(range(differences.shape[1]))
    weights = np.zeros(differences.shape[1])
    while allowed:
        fitted = _newton(differences[:, allowed], often, l2)
        wrong = [(abs(w), column) for w, column in zip(fitted.tolist(), allowed, strict=True) if w * signs[column] < 0]
        if not wrong:
            weights[allowed] = fitted
            break
        allowed.remove(max(wrong)[1])
    return weights


def _newton(differences: Floats, often: Floats, l2: float) -> Floats:
    weights = np.zeros(differences.shape[1])
    loss = _loss(differences, often, weights, l2)
    for _ in range(100):
        losing = _sigmoid(-(differences @ weights))
        gradient = l2 * weights - differences.T @ (often * losing)
        hessian = (differences * (often * losing * (1 - losing))[:, None]).T @ differences + l2 * np.eye(len(weights))
        step = np.linalg.solve(hessian, gradient)
        # Far from the optimum a full step can overshoot; the loss is convex, so that some fraction of it always helps.
        while (new := _loss(differences, often, weights - step, l2)) > loss and np.abs(step).max() > 1e-12:
            step /= 2
        weights, loss = weights - step, min(new, loss)
        if np.abs(step).max() < 1e-10:
            break
    return weights


def _loss(differences: Floats, often: Floats, weights: Floats, l2: float) -> float:
    return float((often * np.logaddexp(0, -(differences @ weights))).sum() + l2 / 2 * weights @ weights)


def _sigmoid(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(x / 2)), np.float64)
