"""The reference pages, each made from what the code itself reads: types, defaults, docstrings, tables."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any, get_type_hints

from tables import attribute_docs, code, default_text, field_rows, kind_text, struct_table, table, words

import clbench.nn
from clbench import metrics
from clbench.cli.source import checks
from clbench.data.datasets.registry import DATASETS
from clbench.many.sweep_file import SweepSpec
from clbench.nn.heads.by_name import HEADS, head_options
from clbench.plan import catalog
from clbench.plan.load_strategy import load_strategy
from clbench.records import schema
from clbench.records.rows import MARKS, meaning
from clbench.spec.scenario import LabelsSpec, PinsSpec, ScenarioSpec, StandInSpec, TrainSpec, ValidationSpec
from clbench.tune.search_file import SearchSpec
from clbench.tune.space import Range

FIELDS = ["key", "value", "default", "meaning"]


def reference_pages() -> dict[str, str]:
    """Return the path of every generated reference page -> its Markdown."""
    return {
        "reference/scenario.md": scenario_page(),
        "reference/recipe.md": recipe_page(),
        "reference/strategies.md": strategies_page(),
        "reference/heads.md": heads_page(),
        "reference/data.md": data_page(),
        "reference/sweep-and-search.md": sweep_page(),
        "reference/marks.md": marks_page(),
        "reference/metrics.md": metrics_page(),
        "reference/record.md": record_page(),
        "reference/checks.md": checks_page(),
        "reference/python.md": python_page(),
    }


def scenario_page() -> str:
    """Every key of a scenario file."""
    parts: dict[str, tuple[str, type]] = {
        "labels": ("Which labels take part and how they are dealt", LabelsSpec),
        "validation": ("Images cut from train", ValidationSpec),
        "pins": ("What the built stream must be", PinsSpec),
        "stand_in": ("What runs where the data set is not there", StandInSpec),
    }
    inner = "\n".join(f"## `{key}`\n\n{title}.\n\n{struct_table(kind)}" for key, (title, kind) in parts.items())
    return (
        "# Scenario keys\n\nA scenario is one YAML file; its name is that of the file. What the words mean is on the\n"
        "page [The protocol](../protocol.md). Other keys and values of another kind are refused.\n\n"
        f"{struct_table(ScenarioSpec)}\n{inner}\n"
        "The keys of `train` and of `stand_in.train` are those of [the recipe](recipe.md).\n"
    )


def recipe_page() -> str:
    """Every value of the recipe."""
    return (
        "# The recipe: `train.*`\n\nWhat all strategies of a scenario share. `--set train.epochs=1` changes a value,\n"
        "`train:` in a scenario file sets it; either way the value belongs to the row's configuration, and a row\n"
        "whose recipe differs from the scenario's is marked `changed-train`.\n\n" + struct_table(TrainSpec)
    )


def strategies_page() -> str:
    """Every strategy that clbench ships, with its fields."""
    sections = [
        "# Strategies\n",
        "Every strategy also has the fields `head` and `head_options`: see [Heads](heads.md).\n",
    ]
    for entry in catalog.strategies():
        if entry.origin != "shipped":
            continue
        kind = load_strategy(entry)
        types = {k: v for k, v in kind.fields_of().items() if k not in ("head", "head_options")}
        sections.append(f"## {entry.name}\n")
        sections.append(words(inspect.cleandoc(kind.__doc__ or "")) + "\n")
        if types:
            rows = field_rows(types, kind.defaults(), attribute_docs(kind))
            sections.append(table(["field", *FIELDS[1:]], rows))
        if kind.defaults()["head"] != "linear":
            sections.append(f"Its head is `{kind.defaults()['head']}` unless another is named.\n")
    return "\n".join(sections)


def heads_page() -> str:
    """Every head with its options."""
    sections = ["# Heads\n", "`--set head=queries` takes a head, `--set head_options.d=128` sets an option of it.\n"]
    for name, kind in HEADS.items():
        options = head_options(name)
        hints = get_type_hints(kind.__init__)
        sections.append(f"## {name}\n")
        sections.append(words(inspect.cleandoc(kind.__doc__ or "")) + "\n")
        rows = [[code(option), kind_text(hints[option]), default_text(default)] for option, default in options.items()]
        sections.append(table(["option", *FIELDS[1:3]], rows) if rows else "It has no options.\n")
    return "\n".join(sections)


def data_page() -> str:
    """Every known data set with the options of its reader."""
    sections = [
        "# Data sets\n",
        "`clbench data get NAME` fetches one, `options:` in a scenario file chooses how it is read.\n",
    ]
    for known in DATASETS.values():
        sections.append(f"## {known.name}\n")
        sections.append(f"{words(known.title)}\n")
        if known.options:
            rows = [
                [code(o.name), words(", ".join(o.allowed) or o.kind), code(o.default) or "empty", words(o.help)]
                for o in known.options
            ]
            sections.append(table(["option", *FIELDS[1:]], rows))
    return "\n".join(sections)


def sweep_page() -> str:
    """Every key of sweep and search files."""
    return (
        f"# Sweep and search files\n\n## `clbench sweep FILE`\n\n{struct_table(SweepSpec)}\n"
        f"## `clbench search FILE`\n\n{struct_table(SearchSpec)}\n"
        f"A range of `space` has these keys:\n\n{struct_table(Range)}"
    )


def marks_page() -> str:
    """Every mark that can stand beside a row."""
    rows = [[code(mark), words(meaning(mark))] for mark in [*MARKS, "world-N"]]
    return (
        "# Marks\n\nWhat to know before believing a row stands beside it. Any other word is named by the strategy.\n\n"
        + table(["mark", "meaning"], rows)
    )


def metrics_page() -> str:
    """Every metric: its definition, and the function that computes it."""
    rows = [
        [code(m.name), m.title, code(m.formula), words(m.doc), "up" if m.higher_is_better else "down"]
        for m in metrics.NAMES.values()
    ]
    functions = sorted(n for n in metrics.__all__ if inspect.isroutine(getattr(metrics, n)))
    return (
        "# Metrics\n\nFractions from 0 to 1 in records and in Python, per cent or points in tables. The reasons are\n"
        "on the page [The protocol](../protocol.md). In examples `np` is NumPy and `metrics` is `clbench.metrics`.\n\n"
        + table(["name", "column", "formula", "remarks", "better"], rows)
        + "\n## Functions\n\n"
        + "\n".join(f"::: clbench.metrics.{name}\n    options: {{heading_level: 3}}\n" for name in functions)
    )


def record_page() -> str:
    """Every field of a record."""
    parts = [
        kind
        for name, kind in vars(schema).items()
        if inspect.isclass(kind) and name.endswith(("Part", "Times")) and not name.startswith("_")
    ]
    holds: dict[Any, list[str]] = {}
    for kind in [schema.Record, *parts]:
        for name, hint in get_type_hints(kind).items():
            for part in parts:
                if part.__name__ in repr(hint):
                    holds.setdefault(part, []).append(name)
    sections = [f"# The record\n\n{words(inspect.cleandoc(schema.Record.__doc__ or ''))}\n"]
    sections.append("The same as a JSON Schema: [record.schema.json](../record.schema.json).\n")
    sections.append(struct_table(schema.Record))
    for part in parts:
        names = ", ".join(f"`{name}`" for name in dict.fromkeys(holds.get(part, [])))
        sections.append(f"## {names}\n\n{words(part.__doc__ or '')}\n\n{struct_table(part)}")
    return "\n".join(sections)


def checks_page() -> str:
    """Every check of the battery."""
    rows = [[code(name), words(text)] for name, text in checks().items()]
    return f"# Checks\n\nWhat `clbench check STRATEGY` holds a strategy to.\n\n{table(['check', 'promise'], rows)}"


def python_page() -> str:
    """The public names of Python, and what strategies may import of the networks."""
    names = [name for name in clbench.__all__ if name[0] != "_" and name != "PROTOCOL"]
    sections = [
        "# Python\n",
        "`import clbench` is quick: a name is loaded when it is first used. Errors are subclasses of\n"
        "`clbench.errors.ClbenchError`, whose `exit_code` is that of the command line.\n",
    ]
    sections += [f"::: clbench.{name}\n    options: {{heading_level: 2}}\n" for name in sorted(names, key=str.lower)]
    sections.append("## What strategies import of `clbench.nn`\n")
    rows = []
    for module, inner in clbench.nn.PUBLIC.items():
        for name in inner:
            found = getattr(import_module(f"clbench.nn.{module}"), name)
            text = (
                (inspect.getdoc(found) or "").partition("\n")[0]
                if inspect.isroutine(found) or inspect.isclass(found)
                else ""
            )
            rows.append([code(f"clbench.nn.{module}"), code(name), words(text)])
    sections.append(table(["module", "name", ""], rows))
    return "\n".join(sections)
