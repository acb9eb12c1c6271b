"""A headless browser for the tests of the page, and pages to look at."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import page_records
import pytest
from record_factory import B0, B40, METHODS, TINY, make_record

from clbench.records.record import Record
from clbench.report.page.document import write_page
from clbench.report.page.model import page_model

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
)  # fmt: skip
NAMES = ("chromium", "chromium-browser", "google-chrome")

Open = Callable[..., Any]


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """A browser that is on this machine; nothing is downloaded."""
    api = pytest.importorskip("playwright.sync_api", reason="the Python package playwright is not installed")
    path = os.environ.get("CLBENCH_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip("no Chromium on this machine: apt-get install chromium, or name one in CLBENCH_CHROMIUM")
    with api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield found
        found.close()


@pytest.fixture(scope="session")
def profile(browser: Any, page_file: Path) -> Iterator[Any]:
    """A profile of the browser that tests share one after the other: a new one each costs half of most tests."""
    context = browser.new_context()
    context.new_page().goto(page_file.as_uri())  # as long as it is open, no page starts a process
    yield context
    context.close()


@pytest.fixture
def visit(browser: Any, profile: Any) -> Iterator[Open]:
    """A function that opens a page; the test fails if it complains or asks any other host for anything.

    `allow` is the beginning of addresses it may ask, `strict=False` is for tests that make it try. What the page keeps
    for its reader is forgotten after the test; a second page, or one with options, has a profile of its own.
    """
    complaints: list[str] = []
    contexts: list[Any] = []
    pages: list[Any] = []

    def opened(
        address: str | Path,
        *,
        width: int = 1440,
        height: int = 900,
        allow: str = "",
        strict: bool = True,
        **options: Any,
    ) -> Any:
        where = address.as_uri() if isinstance(address, Path) else address
        if pages or options or not strict:
            contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
            page = contexts[-1].new_page()
        else:
            page = profile.new_page()
            page.set_viewport_size({"width": width, "height": height})
            pages.append(page)
        page.set_default_timeout(90_000)  # machines that run tests may be busy

        def asked(request: Any) -> None:
            if strict and not request.url.startswith(("file:", "data:", "blob:", *([allow] if allow else []))):
                complaints.append(f"request to {request.url}")

        def said(message: Any) -> None:
            if strict:
                complaints.append(f"console: {message.text}")

        page.on("request", asked)
        page.on("console", said)
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("dialog", lambda dialog: complaints.append(f"dialog: {dialog.message}"))
        page.goto(where)
        return page

    yield opened
    for page in pages:
        page.evaluate("localStorage.clear()")
        page.close()
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture(scope="session")
def records() -> list[Record]:
    """Two COCO scenarios with eight methods and three seeds that share ranks, and rows with marks."""
    found = [page_records.spread(record) for record in page_records.records(scenarios=(B40, B0), seeds=3)]
    found += [make_record(METHODS[4], TINY, seed=seed) for seed in (0, 1)]
    return found


@pytest.fixture(scope="session")
def trust(records: list[Record]) -> dict[str, str]:
    return {record.content: "consistent" for record in records}


@pytest.fixture(scope="session")
def page_file(records: list[Record], trust: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(page_model(records, trust=trust), tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="session")
def thousand() -> list[Record]:
    """50 strategies, 4 scenarios, 5 seeds; the seeds of a strategy differ in nothing but their number."""
    made = page_records.records(strategies=50, scenarios=page_records.SCENARIOS, seeds=1)
    return [msgspec.structs.replace(record, seed=seed) for record in made for seed in range(5)]
