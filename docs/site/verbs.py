"""A page for each verb of the command line, from the help that the command itself prints."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click
from tables import code, table, words

from clbench.cli.group import EXIT_CODES, PROGRAM, command


def verb_pages() -> dict[str, str]:
    """Return the path of every verb's page -> its Markdown, in the order of the help page."""
    context = click.Context(command, info_name=PROGRAM)
    names = command.list_commands(context)
    pages = {f"commands/{name}.md": _page(command.get_command(context, name), name, context) for name in names}
    titles = {name: _text(command.get_command(context, name)).partition("\n")[0] for name in names}
    rows = [[f"[{name}]({name}.md)", words(title)] for name, title in titles.items()]
    codes = [line.split(None, 1) for line in EXIT_CODES.splitlines() if line[:2] == "  "]
    index = [
        "# Commands\n",
        "`clbench --help` lists the verbs, `clbench VERB --help` says what is on the pages below.\n",
        table(["verb", ""], rows),
        "## Exit codes\n",
        table(["code", ""], codes),
    ]
    return {"commands/index.md": "\n".join(index)} | pages


def _page(verb: click.Command | None, name: str, above: click.Context) -> str:
    assert verb is not None
    return "\n".join(_section(verb, name, above, level=1))


def _section(verb: click.Command, name: str, above: click.Context, *, level: int) -> Iterator[str]:
    context = click.Context(verb, info_name=name, parent=above)
    yield f"{'#' * level} {context.command_path}\n"
    yield f"```text\n{context.command_path} {' '.join(verb.collect_usage_pieces(context))}\n```\n"
    yield from _prose(_text(verb))
    records = [item.get_help_record(context) for item in verb.get_params(context)]
    rows = [record for record in records if record and record[1]]
    if rows:
        yield table(["option", "meaning"], ([code(option), words(text)] for option, text in rows))
    if isinstance(verb, click.Group):
        for inner in verb.list_commands(context):
            below = verb.get_command(context, inner)
            assert below is not None
            yield from _section(below, inner, context, level=level + 1)


def _text(verb: click.Command | None) -> str:
    return inspect.cleandoc((verb.help if verb else "") or "")


def _prose(text: str) -> Iterator[str]:
    """Yield the paragraphs of a help text; those that keep their lines (click marks them so) as code."""
    for paragraph in text.split("\n\n"):
        kept = paragraph.startswith("\b")
        lines = paragraph.removeprefix("\b").strip("\n").splitlines()
        if kept and lines and lines[0].rstrip().endswith(":"):
            yield f"{words(lines.pop(0))}\n"
        body = inspect.cleandoc("\n".join(lines))
        yield f"```sh\n{body}\n```\n" if kept else f"{words(body)}\n"
