"""A finished store: references, selections, and what is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataengine.errors import DfxError, StoreError
from dataengine.selection import select
from dataengine.store import Store, StoreRef, fingerprint, open_store, parse_ref


@pytest.fixture
def copy(mini_store: Store, tmp_path: Path) -> Path:
    return Path(shutil.copytree(mini_store.root, tmp_path / "copy"))


def test_a_reference_is_a_path_and_a_selection() -> None:
    ref = parse_ref("shards/ff++@split=train@method=real,Face2Face")
    assert ref == StoreRef("shards/ff++", (("method", ("Face2Face", "real")), ("split", ("train",))))


@given(
    where=st.dictionaries(
        st.sampled_from(["method", "split", "quality", "clip"]),
        st.lists(st.from_regex(r"[a-z0-9+/_-]+", fullmatch=True), min_size=1, max_size=3, unique=True),
    )
)
def test_the_text_of_a_reference_reads_back_as_itself(where: dict[str, list[str]]) -> None:
    ref = StoreRef("shards/x", tuple(sorted((column, tuple(sorted(values))) for column, values in where.items())))
    assert parse_ref(str(ref)) == ref


def test_an_unknown_column_names_the_nearest() -> None:
    with pytest.raises(DfxError, match="did you mean method"):
        parse_ref("shards/x@metod=real")
    with pytest.raises(DfxError, match=r"unknown column in a store reference 'foo'; known: .*, method, .*split"):
        parse_ref("shards/x@foo=foo")


@pytest.mark.parametrize("path", ["/data/at@home/t", "at@lr=3/t", "a@b"])
def test_a_path_may_hold_an_at_sign(path: str) -> None:
    assert parse_ref(path) == StoreRef(path)
    assert parse_ref(f"{path}@method=real").path == path


def test_a_selection_without_values_is_refused() -> None:
    with pytest.raises(StoreError, match="write PATH@column=value"):
        parse_ref("shards/x@method=")


def test_a_selection_keeps_the_rows_with_its_values(mini_store: Store) -> None:
    rows = select([f"{mini_store.root}@method=real,FaceSwap@split=train"])
    assert set(rows.strings("method")) == {"real", "FaceSwap"}
    assert set(rows.strings("split")) == {"train"}


def test_the_split_none_is_in_no_default_selection(mini_store: Store) -> None:
    assert "none" in mini_store.index().column("split").to_pylist()
    assert "none" not in select([str(mini_store.root)]).strings("split")
    assert set(select([f"{mini_store.root}@split=none"]).strings("split")) == {"none"}


@pytest.mark.parametrize("methods", ["Deepfake", "real,Deepfake"])
def test_a_mistyped_value_is_never_left_out_in_silence(mini_store: Store, methods: str) -> None:
    with pytest.raises(DfxError, match="unknown method 'Deepfake'; did you mean Deepfakes"):
        select([f"{mini_store.root}@method={methods}"])


def test_a_selection_that_leaves_nothing_says_so(mini_store: Store) -> None:
    none = next(row for row in mini_store.index().to_pylist() if row["split"] == "none")
    with pytest.raises(StoreError, match="holds no sample: none has"):
        select([f"{mini_store.root}@clip={none['clip']}@split=train"])


def test_samples_of_one_store_cannot_be_selected_twice(mini_store: Store) -> None:
    with pytest.raises(StoreError, match="hold samples in common; select disjoint parts"):
        select([f"{mini_store.root}@method=real,FaceSwap", f"{mini_store.root}@method=real"])


def test_stores_that_hold_the_same_clip_are_refused(mini_store: Store, copy: Path) -> None:
    with pytest.raises(StoreError, match=r"both hold the clip .*; leave one out, or convert it under another --name"):
        select([str(mini_store.root), str(copy)])
    meta = (copy / "dataset.json").read_text()
    (copy / "dataset.json").write_text(meta.replace('"layout": "folder"', '"layout": "ff++"'))
    with pytest.raises(StoreError, match=r"both hold the clip .*; leave one out$"):
        select([str(mini_store.root), str(copy)])


def test_a_title_shows_a_url_without_its_options() -> None:
    text = "s3://bucket/ff++?endpoint_override=http://127.0.0.1:9&scheme=http@split=train"
    assert parse_ref(text).shown == "s3://bucket/ff++@split=train"
    assert str(parse_ref(text)) == text
    assert parse_ref("shards/what?@split=train").shown == "shards/what?@split=train"


def test_damaged_metadata_name_what_they_lack(copy: Path) -> None:
    (copy / "dataset.json").write_text('{"format": 1}')
    with pytest.raises(StoreError, match=r"dataset\.json is damaged: it has no layout"):
        open_store(copy)


def test_rows_of_two_references_stand_one_after_the_other(mini_store: Store) -> None:
    rows = select([f"{mini_store.root}@method=real", f"{mini_store.root}@method=FaceSwap"])
    assert rows.column("store").tolist() == sorted(rows.column("store").tolist())
    for number in range(len(rows)):
        row = rows.table.slice(number, 1).to_pylist()[0]
        assert rows.shard_files[row["shard_file"]].name == row["shard"]


def test_a_selection_given_twice_is_refused(mini_store: Store) -> None:
    with pytest.raises(StoreError, match="given twice"):
        select([str(mini_store.root), str(mini_store.root)])


def test_a_folder_that_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no store at"):
        open_store(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="is no store"):
        open_store(tmp_path)


def test_an_unfinished_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".parts").mkdir()
    with pytest.raises(StoreError, match=r"is not finished; run its `dfx shard` .* command again"):
        open_store(tmp_path)


def test_a_missing_tar_is_named(copy: Path) -> None:
    (copy / "train-000000.tar").unlink()
    with pytest.raises(StoreError, match=r"train-000000\.tar is missing; run"):
        open_store(copy)


def test_a_cut_tar_is_named(copy: Path) -> None:
    path = copy / "train-000000.tar"
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(StoreError, match=r"train-000000\.tar is damaged"):
        open_store(copy)


def test_a_damaged_index_is_named(copy: Path) -> None:
    (copy / "index.parquet").write_bytes(b"PAR1 no")
    with pytest.raises(StoreError, match=r"index\.parquet is damaged"):
        select([str(copy)])


@pytest.mark.parametrize(
    ("found", "message"),
    [
        (99, "has store format 99, and this version of dfx reads format 1; upgrade dfx"),
        (0, "has store format 0, older than the format 1 .*; convert the dataset again, or read it with the version"),
        ("1", "dataset.json is damaged: its format is '1'"),
        (None, "dataset.json is damaged: its format is None"),
    ],
)
def test_another_format_is_refused_with_what_to_do(copy: Path, found: object, message: str) -> None:
    meta = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps({**meta, "format": found}))
    with pytest.raises(StoreError, match=message):
        open_store(copy)


def test_metadata_that_are_nested_without_end_are_refused(copy: Path) -> None:
    (copy / "dataset.json").write_text('{"notes": ' + "[" * 10_000 + "]" * 10_000 + "}")
    with pytest.raises(StoreError, match=r"dataset\.json is damaged: it is nested too deeply"):
        open_store(copy)


def test_metadata_of_two_gigabytes_are_refused_before_they_are_parsed(copy: Path) -> None:
    with (copy / "dataset.json").open("wb") as stream:
        stream.truncate(2 << 30)  # no byte of it is on the disk
    with pytest.raises(StoreError, match=r"dataset\.json is damaged: it has more than 256 MiB"):
        open_store(copy)


@pytest.mark.parametrize("tables", [None, [], {}, {"index.parquet": {"bytes": 3}}])
def test_metadata_that_do_not_say_what_the_tables_hold_are_refused(copy: Path, tables: object) -> None:
    meta = json.loads((copy / "dataset.json").read_text())
    (copy / "dataset.json").write_text(json.dumps({**meta, "tables": tables}))
    with pytest.raises(StoreError, match=r"dataset\.json is damaged: 'tables' does not say"):
        open_store(copy)


def test_the_rows_of_each_shard_are_counted_and_stand_together(mini_store: Store) -> None:
    rows = select([f"{mini_store.root}@method=real", f"{mini_store.root}@method=FaceSwap"])
    shards = rows.column("shard_file")
    assert rows.shard_sizes().tolist() == [int((shards == i).sum()) for i in range(len(rows.shard_files))]
    assert shards.tolist() == sorted(shards.tolist())


SYNTHETIC = {
    "key": ["a/0/000000", "a/1/000000", "b/ü/000001"],
    "xxh3": pa.array([1, 2**64 - 1, 77], pa.uint64()),
    "label": pa.array([0, 1, 1], pa.int8()),
    "method": ["real", "Deepfakes", "FaceSwap"],
    "split": ["train", "val", "none"],
}


def test_the_fingerprint_of_a_synthetic_index_never_changes() -> None:
    assert fingerprint(pa.table(SYNTHETIC)) == "a2f62100b2db50cbd5892bef3622e2460e88790b3cd8a71e93ba97e646e6c4ab"


@given(order=st.permutations([0, 1, 2]))
def test_the_fingerprint_does_not_depend_on_the_order_of_rows(order: list[int]) -> None:
    assert fingerprint(pa.table(SYNTHETIC).take(order)) == fingerprint(pa.table(SYNTHETIC))


@pytest.mark.parametrize(("column", "value"), [("key", "z"), ("label", 1), ("method", "real2"), ("split", "test")])
def test_the_fingerprint_changes_with_what_it_stands_for(column: str, value: object) -> None:
    table = pa.table(SYNTHETIC)
    changed = pa.array([value, *table.column(column).to_pylist()[1:]], table.schema.field(column).type)
    other = table.set_column(table.column_names.index(column), column, changed)
    assert fingerprint(other) != fingerprint(table)


def test_rows_of_some_columns_are_the_same_rows(mini_store: Store) -> None:
    whole = select([f"{mini_store.root}@method=real@split=train"])
    few = select([f"{mini_store.root}@method=real@split=train"], columns=["offset"])
    assert few.column("offset").tolist() == whole.column("offset").tolist()
    assert few.shard_files == whole.shard_files
    assert set(few.table.column_names) == {"offset", "shard", "split", "method", "store", "shard_file"}


def test_codes_name_what_the_rows_hold_and_no_more(mini_store: Store) -> None:
    rows = select([f"{mini_store.root}@method=FaceSwap"])
    codes, names = rows.codes("method")
    assert (names, set(codes.tolist())) == (["FaceSwap"], {0})
    shown = [rows.codes("clip")[1][code] for code in rows.codes("clip")[0]]
    assert shown == rows.strings("clip")


def test_facts_have_the_types_of_the_index(mini_store: Store) -> None:
    facts = select([str(mini_store.root)]).facts(["key", "method", "label"])
    assert facts.schema == pa.schema([("key", pa.string()), ("method", pa.string()), ("label", pa.int8())])
