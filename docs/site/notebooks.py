"""A notebook as a page: its text and its code, and no outputs, since the file has none."""

from __future__ import annotations

import json
from pathlib import Path


def as_markdown(path: Path) -> str:
    """Return the cells of a notebook as Markdown."""
    parts = []
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    parts.append(f"The notebook: [{path.name}]({path.name}).")
    return "\n\n".join(parts) + "\n"
