"""Every metric of a table, for any number of resamples at once."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from trainers.evaluation.calibration import calibration_error, tempered
from trainers.metrics.counts import accuracy, balanced_accuracy, macro_f1, matrices
from trainers.metrics.names import RANK_METRICS, metrics_of
from trainers.metrics.ranks import rank_metrics, ranking
from trainers.metrics.rows import Floats, Ints, Scored, fake_probability, scored
from trainers.taxonomy import Taxonomy

Score = dict[str, float | int | None]


def score(
    predictions: pa.Table, taxonomy: Taxonomy, *, threshold: float | None, temperature: float | None = None
) -> Score:
    """Every metric of a prediction table, of frames or of clips; None where one is undefined.

    Detection (all rows, methods unseen in training too): `detection_auc`, `detection_eer`, `detection_ap` and
    `detection_tpr_at_fpr_*` (`ranks.rank_metrics`; undefined with one label); `detection_balanced_accuracy`,
    `detection_accuracy` and `detection_macro_f1` at p(fake) >= `threshold` (undefined without one; all but accuracy
    also with one label); `detection_accuracy_at_half` at p(fake) >= 0.5; `detection_ece`, and with the `temperature`
    `detection_ece_scaled`, of the two-class answer (`calibration.calibration_error`); `detection_threshold`,
    `temperature`, `num`.

    Attribution (rows of methods seen in training, `attribution_num` of them): `attribution_balanced_accuracy`
    (mean recall) and `attribution_macro_f1` over the classes present in the truth, `attribution_accuracy`,
    `attribution_ece` and `attribution_ece_scaled`; undefined where fewer than two classes are present, since naming
    the one there is tells no method from another. `unseen_num` rows of `unseen_methods` methods count neither as right
    nor as wrong.
    """
    rows = scored(predictions, taxonomy, threshold=threshold, temperature=temperature)
    once = np.ones((1, len(rows.group_names)), dtype=np.int64)
    values = {name: float(value[0]) for name, value in measured(rows, metrics_of(taxonomy.task), once).items()}
    result: Score = {"num": len(rows.labels), "detection_threshold": threshold, "temperature": temperature}
    result |= {name: None if np.isnan(value) else value for name, value in values.items()}
    if taxonomy.task == "attribution":
        unseen = ~rows.seen
        result |= {
            "attribution_num": int(rows.seen.sum()),
            "unseen_num": int(unseen.sum()),
            "unseen_methods": len(np.unique(rows.methods[unseen])),
        }
    return result


def measured(rows: Scored, names: Iterable[str], weights: Ints) -> dict[str, Floats]:
    """The metrics called `names` where the rows of group g count `weights[r, g]` times: (R, G) -> (R,) each, nan where
    one is undefined.
    """
    wanted = set(names)
    found: dict[str, Floats] = {}
    if wanted & set(RANK_METRICS) and len(rows.labels):
        found |= rank_metrics(ranking(rows.p_fake, rows.labels, rows.groups), weights)
    factors = weights.astype(np.float64)
    if any(name.startswith("detection") for name in wanted - set(RANK_METRICS)):
        found |= _detection(rows, factors)
    if any(name.startswith("attribution") for name in wanted):
        found |= _attribution(rows, factors)
    undefined = np.full(len(weights), np.nan)
    return {name: found.get(name, undefined) for name in names}


def _detection(rows: Scored, weights: Floats) -> dict[str, Floats]:
    def called(threshold: float) -> Floats:
        return matrices(rows.labels, (rows.p_fake >= threshold).astype(np.int64), rows.groups, weights, 2)

    def error(p_fake: Floats) -> Floats:
        right = (p_fake >= 0.5) == (rows.labels == 1)
        return calibration_error(np.maximum(p_fake, 1.0 - p_fake), right, rows.groups, weights)

    found = {"detection_accuracy_at_half": accuracy(called(0.5)), "detection_ece": error(rows.p_fake)}
    if rows.threshold is not None:
        matrix = called(rows.threshold)
        found["detection_balanced_accuracy"] = balanced_accuracy(matrix)
        found["detection_accuracy"] = accuracy(matrix)
        found["detection_macro_f1"] = macro_f1(matrix)
    if rows.temperature is not None:
        found["detection_ece_scaled"] = error(fake_probability(tempered(rows.p, rows.temperature)))
    return found


def _attribution(rows: Scored, weights: Floats) -> dict[str, Floats]:
    seen = rows.seen
    truth, predicted, groups = rows.truth[seen], rows.predicted[seen], rows.groups[seen]
    matrix = matrices(truth, predicted, groups, weights, rows.p.shape[1])
    right = truth == predicted

    def error(p: Floats) -> Floats:
        return calibration_error(p[seen].max(axis=1, initial=0.0), right, groups, weights)

    found = {
        "attribution_balanced_accuracy": balanced_accuracy(matrix),
        "attribution_accuracy": accuracy(matrix),
        "attribution_macro_f1": macro_f1(matrix),
        "attribution_ece": error(rows.p),
    }
    if rows.temperature is not None:
        found["attribution_ece_scaled"] = error(tempered(rows.p, rows.temperature))
    several: npt.NDArray[np.bool_] = (matrix.sum(axis=2) > 0).sum(axis=1) >= 2
    return {name: np.where(several, value, np.nan) for name, value in found.items()}
