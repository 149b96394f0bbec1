"""The summary and the journal of a run, as they may be found."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hierseg.errors import UserError
from hierseg.jobs.image_policy import ImagePolicy
from hierseg.jobs.job import Job
from hierseg.jobs.run_settings import RunSettings
from hierseg.jobs.summary import FILE, JOURNAL, Summary
from hierseg.pages.records import ImageRecord, Panel

WANTED = {"weights": "0" * 16, "scales": [1.0]}


def _record(name: str, **changes: Any) -> ImageRecord:
    panel = Panel("image", "image", f"page/{name}_image.jpg")
    values: dict[str, Any] = {
        "source": f"/in/{name}.png", "bytes": 5, "modified": 6, "name": name, "height": 40,
        "width": 60, "confidence": 0.5, "shares": {"red": 1.0}, "seconds": 0.1,
        "files": [f"{name}_labels.png", panel.file], "panels": [panel],
    }  # fmt: skip
    return ImageRecord(**{**values, **changes})


def _begin(out: Path, *names: str, overwrite: bool = False) -> Summary:
    summary = Summary.open(out, WANTED, overwrite)
    summary.begin(out)
    for name in names:
        summary.claim([f"{name}_labels.png", f"{name}_ids.png"], f"/in/{name}.png")
        summary.add(_record(name))
    return summary


def test_a_killed_run_is_read_from_its_journal(tmp_path: Path) -> None:
    _begin(tmp_path, "a", "b").claim(["c_labels.png"], "/in/c.png")
    assert not (tmp_path / FILE).exists()
    found = Summary.open(tmp_path, WANTED)
    assert found.taken_up
    assert list(found.records.values()) == [_record("a"), _record("b")]
    assert found.others == {"c_labels.png"}  # begun, and not done
    assert "a_labels.png" in found.files


@pytest.mark.parametrize("torn", [b'{"image": {"sou', b"\0\0\0\0", b"\xff\xfe\n{", b"[1]\n3\nnull"])
def test_a_last_line_that_was_cut_off_says_nothing(tmp_path: Path, torn: bytes) -> None:
    _begin(tmp_path, "a")
    with (tmp_path / JOURNAL).open("ab") as file:
        file.write(torn)
    assert list(Summary.open(tmp_path, WANTED).records) == ["/in/a.png"]
    _begin(tmp_path, "b")  # goes on in a line of its own
    assert list(Summary.open(tmp_path, WANTED).records) == ["/in/a.png", "/in/b.png"]


def test_the_journal_is_newer_than_the_summary(tmp_path: Path) -> None:
    _begin(tmp_path, "a", "b").finish(tmp_path)
    assert not (tmp_path / JOURNAL).exists()
    summary = _begin(tmp_path, "c")
    summary.add(_record("a", height=80))
    found = Summary.open(tmp_path, WANTED)
    assert {name: record.height for name, record in found.records.items()} == {
        "/in/a.png": 80,
        "/in/b.png": 40,
        "/in/c.png": 40,
    }


def test_a_run_that_began_anew_forgets_what_was(tmp_path: Path) -> None:
    _begin(tmp_path, "a", "b").finish(tmp_path)
    other = {**WANTED, "scales": [2.0]}
    summary = Summary.open(tmp_path, other, overwrite=True)
    summary.begin(tmp_path)
    summary.add(_record("b"))
    assert list(Summary.open(tmp_path, other).records) == ["/in/b.png"]
    with pytest.raises(UserError, match=r"scales \(2 then, 1 now\)"):
        Summary.open(tmp_path, WANTED)


def test_numbers_and_places_that_cannot_be_are_refused(tmp_path: Path) -> None:
    _begin(tmp_path, "a").finish(tmp_path)
    good = json.loads((tmp_path / FILE).read_text())
    for change in (
        {"height": 10**400}, {"bytes": -(10**30)}, {"seconds": float("inf")}, {"modified": 2**63},
        {"confidence": ""}, {"source": "/in/\0"}, {"source": "/in/\ud800"}, {"name": "\ud800"},
        {"files": ["\0"]}, {"files": {"a": 1}}, {"unwritten": [1]}, {"unwritten": {"a": 3}},
        {"shares": [3]}, {"facts": "ab"},
    ):  # fmt: skip
        (tmp_path / FILE).write_text(json.dumps(good | {"images": [good["images"][0] | change]}))
        with pytest.raises(UserError, match="is not a summary that hierseg wrote"):
            Summary.open(tmp_path, WANTED)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["image", "files", "source", "panels", "settings", "images", "shares"])
            | st.text(max_size=4),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
_FIELDS = st.dictionaries(
    st.sampled_from([*_record("a").__dict__, "kind", "file"]), _JSON, max_size=4
)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(fields=_FIELDS, whole=_JSON, noise=st.binary(max_size=40))
def test_whatever_lies_there_is_a_run_or_a_sentence(
    tmp_path_factory: pytest.TempPathFactory, fields: dict[str, Any], whole: Any, noise: bytes
) -> None:
    out = tmp_path_factory.mktemp("run")
    _begin(out, "a").finish(out)
    good = json.loads((out / FILE).read_text())
    changed = good["images"][0] | fields
    lines = [{"hierseg": "0", "settings": WANTED}, {"image": changed}, whole, {"files": whole}]
    for journal in (None, "\n".join(map(json.dumps, lines)).encode() + noise, noise):
        for summary in (good | {"images": [changed]}, good | {"other_files": whole}, whole):
            (out / FILE).write_text(json.dumps(summary))
            (out / JOURNAL).unlink(missing_ok=True)
            if journal is not None:
                (out / JOURNAL).write_bytes(journal)
            try:
                found = Summary.open(out, WANTED)
            except UserError:
                continue
            job = Job(ImagePolicy(out, RunSettings(), {}, found), found, out)
            for record in found.records.values():
                job.is_current(record)
            found.finish(out)


def test_the_journals_of_all_processes_are_taken_up_and_then_gone(tmp_path: Path) -> None:
    """Of a run of three processes that were killed; the next has one."""
    _begin(tmp_path, "a")
    for rank, name in ((1, "b"), (2, "c")):
        share = Summary.begin_share(tmp_path, WANTED, rank)
        share.claim([f"{name}_labels.png"], f"/in/{name}.png")
        share.add(_record(name))
    found = Summary.open(tmp_path, WANTED)
    assert list(found.records.values()) == [_record("a"), _record("b"), _record("c")]
    found.begin(tmp_path)
    assert [path.name for path in tmp_path.glob(".hierseg-journal*")] == [JOURNAL]
    again = Summary.open(tmp_path, WANTED)  # killed at once: the summary has what the parts had
    assert set(again.records) == set(found.records)
    _begin(tmp_path, overwrite=True)
    assert not Summary.open(tmp_path, WANTED).records


def test_shares_are_taken_over_and_written_down(tmp_path: Path) -> None:
    summary = _begin(tmp_path, "a", "b")
    share = Summary.begin_share(tmp_path, WANTED, 1)
    share.claim(["d_labels.png"], "/in/d.png")
    share.add(_record("c"))
    share.skip("/in/b.png", "it is no image")
    share.end_share()
    summary.take_over([share.share()], tmp_path)
    assert not list(tmp_path.glob(".hierseg-journal.*.jsonl"))
    content = json.loads((tmp_path / FILE).read_text())
    assert [image["name"] for image in content["images"]] == ["a", "c"]
    assert content["skipped"] == [{"source": "/in/b.png", "reason": "it is no image"}]
    assert "d_labels.png" in content["other_files"]
