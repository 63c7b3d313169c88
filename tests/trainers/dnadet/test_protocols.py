"""The paper's test sets, and predictions whose methods count as trained classes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError
from dataengine.refs import parse_ref
from trainers.dnadet.protocols import ARCHITECTURES, PROTOCOLS, parse_counts_as, relabel
from trainers.metrics import confusion, score
from trainers.taxonomy import Taxonomy

TAXONOMY = Taxonomy(task="attribution", classes=("real", "InfoMaxGAN", "MMDGAN", "ProGAN", "SNGAN"))


def predictions(answers: list[tuple[str, str]]) -> pa.Table:
    """A table of (method, answered class), each answer given with 0.9."""
    p = np.full((len(answers), len(TAXONOMY.classes)), 0.025, dtype=np.float32)
    for row, (_, answer) in enumerate(answers):
        p[row, TAXONOMY.classes.index(answer)] = 0.9
    names = [str(i) for i in range(len(answers))]
    table = {
        "key": pa.array(names),
        "clip": pa.array(names),
        "group": pa.array(names),
        "label": pa.array([int(method != "real") for method, _ in answers], pa.int8()),
        "method": pa.array([method for method, _ in answers]),
        "valid": pa.array([True] * len(answers)),
        **{f"p_{name}": pa.array(p[:, i]) for i, name in enumerate(TAXONOMY.classes)},
    }
    return pa.table(table).replace_schema_metadata({"dfx": "{}"})


def test_cross_loss_is_scored_as_attribution_once_its_methods_count_as_their_architectures() -> None:
    table = predictions(
        [("CramerGAN", "MMDGAN"), ("CramerGAN", "SNGAN"), ("SSGAN", "InfoMaxGAN"), ("SSGAN", "InfoMaxGAN")]
    )
    assert score(table, TAXONOMY, threshold=0.5)["attribution_num"] == 0
    counted = relabel(table, PROTOCOLS["cross-loss"].counts_as)
    result = score(counted, TAXONOMY, threshold=0.5)
    assert (result["attribution_num"], result["attribution_accuracy"], result["unseen_num"]) == (4, 0.75, 0)
    assert confusion(counted, TAXONOMY).rows == ("InfoMaxGAN", "MMDGAN")


def test_all_but_the_method_stays_as_it_was() -> None:
    table = predictions([("CramerGAN", "MMDGAN"), ("real", "real"), ("Other", "SNGAN")])
    counted = relabel(table, {"CramerGAN": "MMDGAN"})
    assert counted["method"].to_pylist() == ["MMDGAN", "real", "Other"]
    assert counted.drop_columns("method").equals(table.drop_columns("method"))
    assert counted.column_names == table.column_names
    assert counted.schema.equals(table.schema, check_metadata=True)


def test_names_are_exchanged_at_once_not_one_after_the_other() -> None:
    table = predictions([("ProGAN", "SNGAN"), ("SNGAN", "ProGAN")])
    counted = relabel(table, {"ProGAN": "SNGAN", "SNGAN": "ProGAN"})
    assert counted["method"].to_pylist() == ["SNGAN", "ProGAN"]


@pytest.mark.parametrize(
    ("counts_as", "says"),
    [
        ({"CramerGan": "MMDGAN"}, "unknown method 'CramerGan'; did you mean CramerGAN"),
        ({"CramerGAN": "MMD"}, "unknown class 'MMD'; did you mean MMDGAN"),
        ({"CramerGAN": "real"}, "cannot count as real"),
        ({"real": "MMDGAN"}, "real cannot count as MMDGAN"),
    ],
)
def test_a_mapping_that_fits_neither_side_is_refused(counts_as: dict[str, str], says: str) -> None:
    with pytest.raises(DfxError, match=says):
        relabel(predictions([("CramerGAN", "MMDGAN"), ("real", "real")]), counts_as)


@given(st.dictionaries(st.text("abcXYZ019-_", min_size=1, max_size=8), st.sampled_from(ARCHITECTURES), max_size=5))
def test_a_mapping_written_as_options_is_read_back(counts_as: dict[str, str]) -> None:
    assert parse_counts_as([f"{method}={counted}" for method, counted in counts_as.items()]) == counts_as


@pytest.mark.parametrize("option", ["CramerGAN", "CramerGAN=", "=MMDGAN", ""])
def test_an_option_that_says_nothing_is_refused(option: str) -> None:
    with pytest.raises(DfxError, match="write METHOD=CLASS"):
        parse_counts_as([option])


def test_a_method_counts_as_one_class() -> None:
    with pytest.raises(DfxError, match="SSGAN counts as A and as B"):
        parse_counts_as(["SSGAN=A", "SSGAN=B"])


@pytest.mark.parametrize("name", sorted(PROTOCOLS))
def test_each_set_is_a_selection_whose_methods_all_count_as_a_trained_class(name: str) -> None:
    protocol = PROTOCOLS[name]
    assert dict(parse_ref(f"store{protocol.selection}").where)["method"] == tuple(sorted(protocol.methods))
    assert {protocol.counts_as.get(method, method) for method in protocol.methods} <= set(TAXONOMY.classes)
    assert parse_counts_as(protocol.options) == dict(protocol.counts_as)
