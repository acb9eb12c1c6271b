"""Where a strategy comes from and what it needs, read from its file without running it."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path
from typing import Any

from clbench.files.yaml_text import read_yaml
from clbench.plan.catalog import Entry, strategies

KEYS = ("paper", "equations", "upstream", "deviations", "keeps", "freezes", "cost")
AGREEMENT = "agreement"
"""What was seen when the public code ran beside this, as `agreements.yaml` has it; no file says it of itself."""
"""What a strategy may say: its sources, the public code its description was read from, where it differs, what it keeps
from one session to the next beside its network, which parameters stop training, what it costs beyond plain training."""


@cache
def _listed(name: str) -> dict[str, Any]:
    """Return what a file beside this one says of shipped strategies, whose own files stay as their rows found them."""
    file = Path(__file__).with_name(name)
    found: dict[str, Any] = read_yaml(file.read_bytes(), source=file.name)
    return found


def provenance(entry: Entry) -> dict[str, str]:
    """Return what the class of a strategy's file says under the name `provenance`, by key; empty where it says nothing.

    A literal mapping of text to text is read; anything else counts as nothing. With a shipped one goes what was seen
    when public code ran beside it.
    """
    said = _said(entry)
    seen = _listed("agreements.yaml").get(entry.name, "") if entry.origin == "shipped" else ""
    return said | {AGREEMENT: seen} if seen else said


def _said(entry: Entry) -> dict[str, str]:
    try:
        tree = ast.parse(entry.path.read_bytes())
    except (OSError, ValueError, SyntaxError):
        return {}
    for node in (part for kind in tree.body if isinstance(kind, ast.ClassDef) for part in kind.body):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "provenance":
            try:
                found = ast.literal_eval(node.value) if node.value else {}
            except ValueError:
                return {}
            return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}
    return dict(_listed("provenance.yaml").get(entry.name, {})) if entry.origin == "shipped" else {}


def provenance_by_digest() -> dict[str, dict[str, str]]:
    """Return what the strategies that are found here say of themselves, by the sha256 of their file."""
    return {entry.sha256(): said for entry in strategies() if (said := provenance(entry))}


def methods_table(entries: list[Entry]) -> str:
    """Return one line per strategy as a Markdown table: idea, what is kept, what freezes, cost, source, deviations."""
    heads = ["strategy", "idea", "keeps", "freezes", "cost", "source", "deviations", "beside the release"]
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for entry in entries:
        said = provenance(entry)
        source = "; ".join(said[key] for key in ("paper", "equations", "upstream") if said.get(key))
        told = (entry.title, *(said.get(key, "") for key in ("keeps", "freezes", "cost")), source)
        cells = [
            " ".join(cell.split()).replace("|", r"\|")
            for cell in (*told, said.get("deviations", ""), said.get(AGREEMENT, ""))
        ]
        lines.append(f"| `{entry.name}` | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"
