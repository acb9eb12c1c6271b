"""What mkdocs does beside reading pages: it adds the generated ones and puts every page into the navigation."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from notebooks import as_markdown
from reference import reference_pages
from verbs import verb_pages

GITHUB = "https://github.com/clbench/clbench/blob/main/"


def generated() -> dict[str, str]:
    """Return the path of every page that is made and not written -> its Markdown."""
    notebooks = Path(__file__).parents[1] / "notebooks"
    made = {f"notebooks/{path.stem}.md": as_markdown(path) for path in sorted(notebooks.glob("*.ipynb"))}
    return verb_pages() | reference_pages() | made


def on_files(files: Any, config: Any) -> Any:
    """Add the generated pages."""
    from mkdocs.structure.files import File

    for path, text in generated().items():
        files.append(File.generated(config, path, content=text))
    return files


def on_config(config: Any) -> Any:
    """Put a page for each verb into the navigation, and at its end the pages that it does not name."""
    docs = Path(config.docs_dir)
    named = set(re.findall(r"[\w/-]+\.md", repr(config.nav)))
    for item in config.nav:
        if "Commands" in item:
            item["Commands"] = list(verb_pages())
    more = [path.name for path in sorted(docs.glob("*.md")) if path.name not in named]
    config.nav += [{"More": more}] if more else []
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Let links that leave the documentation lead to the repository."""
    return re.sub(r"\]\(\.\./((?:README|CONTRIBUTING|CHANGELOG|benchmarks|strategies|scenarios|results)[^)]*)\)",
                  rf"]({GITHUB}\1)", markdown) if "/" not in page.file.src_uri else markdown  # fmt: skip
