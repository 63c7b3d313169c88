from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from dataengine.errors import StateError
from tests.trainers.report.synthetic_runs import fingerprint, write_run, write_trials
from trainers.report.page import build_report, shade


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two seeds of one model on ff++, and one on lab."""
    root = tmp_path_factory.mktemp("runs")
    return [
        write_run(root / "ff-0", seed=0),
        write_run(root / "ff-1", seed=1),
        write_run(root / "lab-0", source="lab", skill={"lab": 3.0, "ff++": 1.0, "celeb-df": 0.5}),
    ]


@pytest.fixture(scope="module")
def page(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("page")
    trials = write_trials(out / "trials.parquet", runs)
    return build_report(runs, out / "deep" / "report.html", trials=trials, title="Shards & people").read_text()


class _Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.addresses: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data")]
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_fetches_nothing(page: str) -> None:
    tags = _Tags(page)
    assert tags.addresses
    assert all(address.startswith("data:image/svg+xml;base64,") for address in tags.addresses)
    assert not re.search(r"https?://|@import|url\(|<script|<link", page)


def test_every_tag_is_closed_in_order(page: str) -> None:
    assert _Tags(page).open == []


def test_the_title_is_escaped(page: str) -> None:
    assert "<h1>Shards &amp; people</h1>" in page


def test_a_target_of_unseen_methods_says_so_and_has_a_detectors_number(page: str) -> None:
    naming, detecting = (page.index(f"<h3>{title}") for title in ("Naming the method", "Real or fake: AUC"))
    assert ">unseen</span>" in page[naming:detecting]
    assert "celeb-synthesis" in page[naming:detecting]
    assert ">unseen</span>" not in page[detecting : page.index("What is taken for what")]


def test_the_answer_names_intervals_chance_and_the_unseen_method(page: str) -> None:
    answer = page[page.index('class="answer"') : page.index("<main>")]
    assert re.search(r"0\.\d{3} \[0\.\d{3}, [01]\.\d{3}\] on its own dataset ff\+\+", answer)
    assert "above chance (0.167)" in answer
    assert "celeb-df (celeb-synthesis)" in answer


def test_the_settings_and_fingerprints_are_there(page: str) -> None:
    for store in ("ff++", "lab", "celeb-df"):
        assert fingerprint(store) in page
    for name in ("ff-0", "ff-1", "lab-0", "loss_weight"):
        assert name in page


def test_seeds_are_one_row_with_their_range(page: str) -> None:
    assert re.search(r"2 seeds: 0\.\d{3}–[01]\.\d{3}", page)


def test_nothing_is_an_oracle_unless_a_run_says_so(runs: list[Path], page: str, tmp_path: Path) -> None:
    assert "Nothing on this page was chosen with a look at a target" in page
    marked = write_run(tmp_path / "marked")
    config = json.loads((marked / "config.json").read_text())
    (marked / "config.json").write_text(json.dumps({**config, "oracle": True}))
    told = build_report([marked], tmp_path / "report.html").read_text()
    assert "Nothing on this page was chosen" not in told
    assert told.count('<span class="tag oracle">oracle</span>') > 1


def test_the_same_runs_give_the_same_bytes(runs: list[Path], page: str, tmp_path: Path) -> None:
    first, again = (build_report(runs, tmp_path / name) for name in ("a.html", "b.html"))
    assert first.read_bytes() == again.read_bytes()


def test_without_trials_there_is_no_table_of_them(runs: list[Path], page: str, tmp_path: Path) -> None:
    assert "The best trials" in page
    assert "The best trials" not in build_report(runs[:1], tmp_path / "report.html").read_text()


def test_the_table_of_trials_names_a_target_once_over_its_columns_and_only_an_unusual_status(page: str) -> None:
    table = page.partition('<table class="trials">')[2].partition("</table>")[0]
    heads, _, body = table.partition("<tbody>")
    assert re.findall(r'<th class="store" colspan="(\d)">([^<]+)</th>', heads)
    assert "target/" not in heads
    assert body.count("stopped") == 1
    assert "done" not in body


def test_few_identities_are_said_to_be_too_few(tmp_path: Path) -> None:
    run = write_run(tmp_path / "few", groups=5)
    text = build_report([run], tmp_path / "report.html").read_text()
    assert "fewer than 10 identity groups" in text
    assert "no interval: 5 groups" in text


def test_a_detector_has_a_page_without_methods(tmp_path: Path) -> None:
    run = write_run(tmp_path / "detector", classes=("real", "fake"), skill={"ff++": 2.0, "lab": 0.5})
    text = build_report([run], tmp_path / "report.html").read_text()
    assert "Naming the method" not in text
    assert "Real or fake: balanced accuracy" in text
    assert "tells real from fake" in text


def test_a_run_that_was_evaluated_on_nothing_is_named_with_the_remedy(tmp_path: Path) -> None:
    run = write_run(tmp_path / "alone")
    for file in run.glob("predictions/*-test.parquet"):
        file.unlink()
    with pytest.raises(StateError, match=r"alone.*dfx eval"):
        build_report([run], tmp_path / "report.html")


def test_a_folder_that_is_no_run_leaves_no_page(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="nothing"):
        build_report([tmp_path / "nothing"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize("value", [0.0, 0.3, 0.5, 0.75, 1.0])
def test_dark_text_is_readable_on_every_shade(value: float) -> None:
    def luminance(colour: tuple[int, ...]) -> float:
        parts = [c / 255 for c in colour]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    back = tuple(int(part) for part in re.findall(r"\d+", shade(value)))
    assert (luminance(back) + 0.05) / (luminance((0x14, 0x18, 0x1C)) + 0.05) >= 4.5


def test_a_dollar_in_a_name_is_no_formula(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", model="cost_$x^{$", train={"lr": 1e-3})
    assert "cost_$x^{$" in build_report([run], tmp_path / "report.html").read_text()
