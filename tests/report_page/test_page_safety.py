"""Strangers write names, docstrings and labels; the page shows them and obeys none of them."""

from __future__ import annotations

import http.server
import threading
from pathlib import Path
from typing import Any

import pytest
from page_poison import MARKER, poisoned
from page_tools import Visit, saved
from record_factory import B40, METHODS, make_record

from clbench.report.page.document import write_page
from clbench.report.page.model import page_model

pytestmark = pytest.mark.slow


def test_no_text_of_a_record_can_become_markup_or_run(visit: Visit, tmp_path: Path):
    made = [make_record(METHODS[number], B40, seed=seed) for number in (0, 4, 7) for seed in (0, 1)]
    bad = [poisoned(record) for record in made]
    path = write_page(
        page_model(
            bad,
            galleries={bad[0].content: [{"source": "data:,", "caption": MARKER, "seed": 0}]},
            methods={record.strategy.sha256: {"paper": MARKER, MARKER: "said"} for record in bad},
        ),
        tmp_path / "bad.html",
    )
    page = visit(path)
    for name in page.locator("#board-table button.name").all():
        name.click()
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()
    for header_ in page.locator("#board-table thead th").all():
        header_.hover()
    for mark in page.locator("#board-table .mark").all():
        mark.hover()
    page.click("#label-controls >> text=Next")
    for label in page.locator("#heat button.name").all()[:3]:
        label.click()
    page.locator("#panels svg[tabindex] >> nth=0").focus()
    page.keyboard.press("ArrowRight")
    saved(page, "#board-tools >> text=CSV")
    page.reload()
    assert page.evaluate("window.hit") is None
    assert page.locator("script").count() == 2
    assert page.locator("img").count() <= 2  # the gallery's own
    assert page.locator("iframe, object, embed, base, [onerror], [onclick], [onload]").count() == 0
    assert page.locator(".behind").count() == 1
    # the texts are there, as texts
    assert MARKER in page.locator("#board-table").inner_text()
    assert MARKER in page.locator(".behind").first.inner_text()
    assert MARKER in page.locator("#heat").inner_text()
    assert MARKER in page.locator("#legend").inner_text()


def test_the_page_could_not_fetch_anything_if_it_tried(visit: Visit, page_file: Path):
    asked: list[str] = []

    class Counting(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Counting) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}"
        page = visit(page_file, strict=False)
        outcome = page.evaluate(
            """async (address) => {
              const refused = [];
              addEventListener("securitypolicyviolation", (event) => refused.push(event.effectiveDirective));
              try { await fetch(`${address}/fetch`, { mode: "no-cors" }); } catch {}
              const picture = new Image();
              const answered = new Promise((done) => { picture.onload = picture.onerror = done; });
              picture.src = `${address}/picture`;
              await answered;
              const script = document.createElement("script");
              script.src = `${address}/script`;
              const gone = new Promise((done) => { script.onload = script.onerror = done; });
              document.head.append(script);
              await gone;
              return refused.sort();
            }""",
            address,
        )
        server.shutdown()
    assert asked == []
    assert outcome == ["connect-src", "img-src", "script-src-elem"]
