"""Metrics of the confusion matrix: accuracy, balanced accuracy, macro-F1."""

from __future__ import annotations

import numpy as np

from trainers.metrics.rows import Floats, Ints


def matrices(truth: Ints, predicted: Ints, groups: Ints, weights: Floats, num_classes: int) -> Floats:
    """Confusion matrices of rows that count `weights[r, group]` times: (R, G) -> (R, C, C), truth by prediction."""
    num, cells = weights.shape[1], num_classes**2
    places = (groups * num_classes + truth) * num_classes + predicted
    each = np.bincount(places, minlength=num * cells).reshape(num, cells).astype(np.float64)
    return (weights @ each).reshape(-1, num_classes, num_classes)


def accuracy(matrix: Floats) -> Floats:
    """(R, C, C) -> (R,): the share of rows given their own class; nan without a row."""
    return share(np.trace(matrix, axis1=1, axis2=2), matrix.sum(axis=(1, 2)))


def balanced_accuracy(matrix: Floats) -> Floats:
    """(R, C, C) -> (R,): the mean recall of the classes present; nan with fewer than two, since recall of the one class
    there is says nothing.
    """
    return _mean_of_present(share(_right(matrix), matrix.sum(axis=2)), matrix)


def macro_f1(matrix: Floats) -> Floats:
    """(R, C, C) -> (R,): the mean F1 of the classes present in the truth; nan with fewer than two."""
    return _mean_of_present(share(2 * _right(matrix), matrix.sum(axis=2) + matrix.sum(axis=1)), matrix)


def share(part: Floats, whole: Floats) -> Floats:
    """`part / whole`, nan where `whole` is 0."""
    found: Floats = np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0)
    return found


def _right(matrix: Floats) -> Floats:
    return np.diagonal(matrix, axis1=1, axis2=2)


def _mean_of_present(per_class: Floats, matrix: Floats) -> Floats:
    present = matrix.sum(axis=2) > 0
    num = present.sum(axis=1)
    mean = share(np.where(present, per_class, 0.0).sum(axis=1), num.astype(np.float64))
    return np.where(num >= 2, mean, np.nan)
