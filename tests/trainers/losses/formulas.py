"""The papers' formulas, sum by sum, in float64 and plain numpy."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]
Ids = npt.NDArray[np.int64]


def softmax(row: Rows) -> Rows:
    e = np.exp(row - row.max())
    return e / e.sum()


def cross_entropies(logits: Rows, labels: Ids, smoothing: float = 0.0) -> Rows:
    classes = logits.shape[1]
    losses = []
    for row, y in zip(logits, labels, strict=True):
        target = np.full(classes, smoothing / classes)
        target[y] += 1 - smoothing
        losses.append(-sum(target[c] * math.log(softmax(row)[c]) for c in range(classes)))
    return np.array(losses)


def focal(logits: Rows, labels: Ids, gamma: float) -> Rows:
    p = [softmax(row)[y] for row, y in zip(logits, labels, strict=True)]
    return np.array([-((1 - q) ** gamma) * math.log(q) for q in p])


def squared_errors_of_the_sigmoid(z: Rows, labels: Ids) -> Rows:
    """Of two classes: z is the logit of class 0."""
    p = 1 / (1 + np.exp(-z))
    return np.array([(q - (y == 0)) ** 2 for q, y in zip(p, labels, strict=True)])


def squared_errors(logits: Rows, labels: Ids) -> Rows:
    classes = range(logits.shape[1])
    return np.array(
        [0.5 * sum((softmax(row)[c] - (c == y)) ** 2 for c in classes) for row, y in zip(logits, labels, strict=True)]
    )


def double_softmax(logits: Rows, labels: Ids) -> Rows:
    return np.array([-math.log(softmax(softmax(row))[y]) for row, y in zip(logits, labels, strict=True)])


def unit(rows: Rows) -> Rows:
    return rows / np.sqrt((rows**2).sum(1, keepdims=True))


def _positives(ids: Ids, a: int) -> list[int]:
    return [i for i in range(len(ids)) if ids[i] == ids[a] and i != a]


def _negatives(ids: Ids, a: int) -> list[int]:
    return [i for i in range(len(ids)) if ids[i] != ids[a]]


def supcon(rows: Rows, ids: Ids, temperature: float) -> float:
    z, losses = unit(rows), []
    for a in range(len(z)):
        everything = sum(math.exp(z[a] @ z[q] / temperature) for q in range(len(z)) if q != a)
        positives = _positives(ids, a)
        if positives:
            terms = [math.log(math.exp(z[a] @ z[p] / temperature) / everything) for p in positives]
            losses.append(-sum(terms) / len(positives))
    return float(np.mean(losses))


def ntxent(rows: Rows, temperature: float) -> float:
    """Of two views of N / 2 images: row i and row i + N / 2 are of one image."""
    z, half, total = unit(rows), len(rows) // 2, 0.0
    for a in range(len(z)):
        everything = sum(math.exp(z[a] @ z[q] / temperature) for q in range(len(z)) if q != a)
        total -= math.log(math.exp(z[a] @ z[(a + half) % len(z)] / temperature) / everything)
    return total / len(z)


def triplet(rows: Rows, ids: Ids, margin: float) -> float:
    z, losses = unit(rows), []
    for a in range(len(z)):
        near = [float(np.linalg.norm(z[a] - z[p])) for p in _positives(ids, a)]
        far = [float(np.linalg.norm(z[a] - z[n])) for n in _negatives(ids, a)]
        if near and far:
            losses.append(max(0.0, margin + max(near) - min(far)))
    return float(np.mean(losses))


def npair(rows: Rows, ids: Ids, l2: float) -> float:
    """Rows are not of unit length. The j-th pairs of all classes are one batch of the paper."""
    pairs: dict[int, list[tuple[int, int]]] = {}
    for c in sorted(set(ids.tolist())):
        members = np.flatnonzero(ids == c).tolist()
        for j in range(len(members) // 2):
            pairs.setdefault(j, []).append((members[2 * j], members[2 * j + 1]))
    losses, norms = [], []
    for batch in pairs.values():
        for i, (anchor, positive) in enumerate(batch):
            right = rows[anchor] @ rows[positive]
            wrong = sum(math.exp(rows[anchor] @ rows[p] - right) for j, (_, p) in enumerate(batch) if j != i)
            losses.append(math.log(1 + wrong))
            norms += [rows[anchor] @ rows[anchor], rows[positive] @ rows[positive]]
    return float(np.mean(losses) + 0.5 * l2 * np.mean(norms))


def multisimilarity(rows: Rows, ids: Ids, base: float) -> float:
    alpha, beta, epsilon = 2.0, 50.0, 0.1
    s, total = unit(rows) @ unit(rows).T, 0.0
    for a in range(len(s)):
        positives, negatives = _positives(ids, a), _negatives(ids, a)
        if positives and negatives:
            hardest = max(s[a, n] for n in negatives), min(s[a, p] for p in positives)
            mined_p = [p for p in positives if s[a, p] < hardest[0] + epsilon]
            mined_n = [n for n in negatives if s[a, n] > hardest[1] - epsilon]
            total += math.log(1 + sum(math.exp(-alpha * (s[a, p] - base)) for p in mined_p)) / alpha
            total += math.log(1 + sum(math.exp(beta * (s[a, n] - base)) for n in mined_n)) / beta
    return total / len(s)


def circle(rows: Rows, ids: Ids, margin: float, scale: float) -> float:
    s, losses = unit(rows) @ unit(rows).T, []
    for a in range(len(s)):
        positives, negatives = _positives(ids, a), _negatives(ids, a)
        if positives and negatives:
            like = [max(0.0, 1 + margin - s[a, p]) * (s[a, p] - (1 - margin)) for p in positives]
            unlike = [max(0.0, s[a, n] + margin) * (s[a, n] - margin) for n in negatives]
            product = sum(math.exp(scale * t) for t in unlike) * sum(math.exp(-scale * t) for t in like)
            losses.append(math.log(1 + product))
    return float(np.mean(losses))


def arcface(rows: Rows, ids: Ids, weights: Rows, margin: float, scale: float) -> float:
    """`weights` (C, d). Beyond pi - margin the cosine goes on falling on a straight line, as in the authors' code."""
    cosines, losses = unit(rows) @ unit(weights).T, []
    for cosine, y in zip(cosines, ids, strict=True):
        angle = math.acos(cosine[y])
        logits = scale * cosine
        far = angle > math.pi - margin
        logits[y] = scale * (cosine[y] - margin * math.sin(margin) if far else math.cos(angle + margin))
        losses.append(-math.log(softmax(logits)[y]))
    return float(np.mean(losses))


def proxyanchor(rows: Rows, ids: Ids, proxies: Rows, margin: float, scale: float) -> float:
    s, present = unit(rows) @ unit(proxies).T, set(ids.tolist())
    pull = sum(
        math.log(1 + sum(math.exp(-scale * (s[i, c] - margin)) for i in range(len(s)) if ids[i] == c)) for c in present
    )
    push = sum(
        math.log(1 + sum(math.exp(scale * (s[i, c] + margin)) for i in range(len(s)) if ids[i] != c))
        for c in range(len(proxies))
    )
    return pull / len(present) + push / len(proxies)


def centre(rows: Rows, ids: Ids, centres: Rows) -> float:
    return float(np.mean([0.5 * ((row - centres[y]) ** 2).sum() for row, y in zip(rows, ids, strict=True)]))


def moved_centres(rows: Rows, ids: Ids, centres: Rows, rate: float) -> Rows:
    moved = centres.copy()
    for c in range(len(centres)):
        members = rows[ids == c]
        moved[c] -= rate * sum((centres[c] - x for x in members), np.zeros(rows.shape[1])) / (1 + len(members))
    return moved
