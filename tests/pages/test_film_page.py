"""The page on which one steps through clips."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

from hierseg.pages import FilmFrame, FilmPage, Section, Strip, render_table, write_film_page

EVIL = "</script><script>alert(1)</script>"


def test_it_holds_the_frames_in_order_and_escapes_what_it_is_given(tmp_path: Path) -> None:
    frames = [
        FilmFrame(f"step {n}", EVIL, {"real <b>": f"page/{n} #.jpg", "made": f"page/m{n}.jpg"})
        for n in range(3)
    ]
    strips = [Strip(EVIL, frames, 1), Strip("two", frames)]
    table = Section("Why", render_table(("frame", "why"), [(EVIL, "gone")]))
    page = FilmPage(EVIL, [EVIL], [EVIL], strips, [table])
    html = write_film_page(page, tmp_path).read_text()
    assert html.count("<script") == 2
    assert "<script>alert" not in html
    known = re.search(r'id="known">(.*?)</script>', html, re.DOTALL)
    assert known is not None
    content = json.loads(known[1])
    assert content[0]["name"] == EVIL
    assert content[0]["first"] == 1
    assert [f["pictures"] for f in content[1]["frames"]][2] == ["page/2%20%23.jpg", "page/m2.jpg"]
    assert "real &lt;b&gt;" in html
    script = re.findall(r"<script>(.*?)</script>", html, re.DOTALL)[0]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in html
