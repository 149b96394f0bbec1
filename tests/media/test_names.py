from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from hierseg.media.names import assign_names


def _assign(*images: str, taken: dict[str, str] | None = None) -> dict[str, str]:
    before = {Path(image): name for image, name in (taken or {}).items()}
    names = assign_names([Path(image) for image in images], before)
    return {image.as_posix(): name for image, name in names.items()}


def test_a_name_is_the_stem_where_nothing_clashes() -> None:
    assert _assign("/x/a.jpg", "/y/b.tar.png") == {"/x/a.jpg": "a", "/y/b.tar.png": "b.tar"}


def test_suffix_then_folder_keep_names_apart() -> None:
    assert _assign("/x/a.jpg", "/x/a.png") == {"/x/a.jpg": "a_jpg", "/x/a.png": "a_png"}
    assert _assign("/x/left/a.jpg", "/x/right/a.jpg") == {
        "/x/left/a.jpg": "left_a",
        "/x/right/a.jpg": "right_a",
    }


def test_letter_case_does_not_tell_names_apart() -> None:
    names = _assign("/x/A.jpg", "/y/a.jpg").values()
    assert len({name.casefold() for name in names}) == 2


def test_names_from_before_are_kept_and_given_to_no_other() -> None:
    names = _assign("/x/a.jpg", "/x/a.png", taken={"/x/a.png": "a"})
    assert names == {"/x/a.png": "a", "/x/a.jpg": "a_jpg"}


def test_the_only_thing_left_is_to_count() -> None:
    assert _assign("/a.jpg", taken={"/x": "a", "/y": "A_jpg"})["/a.jpg"] == "a_2"


def test_long_names_leave_room_for_suffixes_and_keep_their_end() -> None:
    name = _assign("/" + "ä" * 100 + "0001.png")[("/" + "ä" * 100 + "0001.png")]
    assert len(name.encode()) <= 180
    assert name.endswith("ä0001")


_PARTS = st.sampled_from(["a", "A", "b", "a_png", "x"])
_PATHS = st.builds(
    lambda folders, stem, suffix: Path("/", *folders, stem + suffix),
    st.lists(_PARTS, max_size=3),
    _PARTS,
    st.sampled_from([".png", ".jpg", ".PNG", ""]),
)


@given(st.lists(_PATHS, unique=True, max_size=12))
def test_every_image_has_a_name_of_its_own(images: list[Path]) -> None:
    names = assign_names(images)
    assert set(names) == set(images)
    assert len({name.casefold() for name in names.values()}) == len(images)
