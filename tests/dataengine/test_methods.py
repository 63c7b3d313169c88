"""The table of methods."""

import pytest

from dataengine.errors import LayoutError
from dataengine.methods import _CANONICAL, METHODS, canonical, named_by_user


def test_every_known_pair_of_dataset_and_name_has_a_method_with_evidence() -> None:
    for (dataset, raw_method), name in _CANONICAL.items():
        assert canonical(dataset, raw_method) is METHODS[name]
        assert METHODS[name].evidence


def test_a_name_is_canonical_only_for_the_dataset_it_was_shown_for() -> None:
    with pytest.raises(LayoutError, match="celeb-df has no method 'FaceSwap'"):
        canonical("celeb-df", "FaceSwap")


def test_one_name_in_two_datasets_is_one_method_only_where_its_authors_code_made_both() -> None:
    assert canonical("fakeavceleb", "fsgan") is canonical("forgerynet", "FS-GAN")
    assert canonical("forgerynet", "DeepFakes") is not canonical("ff++", "Deepfakes")
    assert canonical("forgerynet", "FaceShifter") is not canonical("ff++", "FaceShifter")
    assert canonical("fakeavceleb", "faceswap") is not canonical("ff++", "FaceSwap")


def test_a_class_folder_of_an_unknown_name_is_a_method_of_that_name_never_real() -> None:
    method = named_by_user("faceswap")
    assert (method.name, method.category) == ("faceswap", "unknown")
