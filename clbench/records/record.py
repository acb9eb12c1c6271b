"""Records as files: written whole with their digests, one text for the same values, read with errors that say what."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec

from clbench.errors import ResultsError
from clbench.files.given import LARGEST_ANY, open_given
from clbench.files.whole_file import in_place_of
from clbench.files.yaml_text import digest
from clbench.plan.identity import configuration_digest
from clbench.records.json_paths import join, path_at
from clbench.records.migrations import MIGRATIONS, migrated
from clbench.records.schema import SCHEMA, Record

__all__ = [
    "MIGRATIONS",
    "Record",
    "RecordError",
    "as_rows",
    "configuration_digest",
    "parse_record",
    "read_record",
    "seal",
    "to_plain",
    "to_text",
    "tuning_of",
    "write_record",
]

OUTSIDE_CONTENT = ("schema", "times", "content")
"""Sections that the content leaves out: how it is written, what differs between two equal runs, and itself."""
LARGEST = 64 << 20
"""Bytes that a record may have; a 100-session stream of 1,000 labels takes a tenth of it."""


class RecordError(ResultsError):
    """A record's text that cannot be understood: `field` is where and `problem` what."""

    def __init__(self, source: str, *, field: str, problem: str, hint: str = "") -> None:
        super().__init__(f"{source}: {field or 'the file'}: {problem}.", hint=hint)
        self.field = field or "the file"
        self.problem = problem


RESTORE = "Restore the file from version control, or delete it and run that seed again."

_MAY_BE_NULL = ("ap.", "summary")
_DECODER = msgspec.json.Decoder(Record)


def tuning_of(record: Record) -> dict[str, Any] | None:
    """Return a record's `tuning` as plain values, None where it has none."""
    plain: dict[str, Any] | None = None if record.tuning is msgspec.UNSET else msgspec.to_builtins(record.tuning)
    return plain


def as_rows(matrix: Iterable[Iterable[float]]) -> list[list[float | None]]:
    """Return a matrix as a record holds it: plain floats, null where it is NaN."""
    return [[None if math.isnan(value) else float(value) for value in row] for row in matrix]


def to_plain(record: Record) -> dict[str, Any]:
    """Return the record as plain JSON values, keys in the order of the schema."""
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(record))
    return plain


def content_hash(plain: dict[str, Any]) -> str:
    """Return the digest of everything that the run decided."""
    # as the first schema wrote it, so that a record written anew in another schema keeps its content
    return digest({"schema": 1} | {key: value for key, value in plain.items() if key not in OUTSIDE_CONTENT})


def times_hash(times: dict[str, Any]) -> str:
    """Return the digest of the part `times`, but for that digest itself."""
    return digest({key: value for key, value in times.items() if key != "digest"})


def changed_parts(plain: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (path, what is wrong) for each digest that is not the one of the record as it stands."""
    found = []
    if plain.get("content") != content_hash(plain):
        found.append(("content", "is not the digest of the record: something but `times` was changed"))
    if plain["times"].get("digest") != times_hash(plain["times"]):
        found.append(("times.digest", "is not the digest of `times`"))
    return found


def seal(record: Record) -> Record:
    """Return the record, checked against the schema, with its digests; raises ResultsError naming a field that is not.

    NaN becomes null where a number may be missing and is refused elsewhere. The error is a RecordError.
    """
    _refuse_odd_numbers(msgspec.structs.asdict(record))
    try:
        plain = to_plain(record)
        plain["times"]["digest"], plain["content"] = times_hash(plain["times"]), content_hash(plain)
        return msgspec.convert(plain, Record)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        where, what = explain(error)
        raise RecordError(
            f"record of seed {record.seed}",
            field=where or "some field",
            problem=what,
            hint="Records hold plain JSON values; see docs/record.schema.json.",
        ) from error


def check_section(name: str, value: Any) -> None:
    """Raise RecordError naming the field where a record's section `name` cannot hold `value`."""
    _refuse_odd_numbers(value, name)
    if value is msgspec.UNSET:
        return
    kind = next(field.type for field in msgspec.structs.fields(Record) if field.name == name)
    try:
        plain = msgspec.json.decode(msgspec.json.encode({name: value}))
        msgspec.convert(plain, msgspec.defstruct("Section", [(name, kind)]))
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        where, what = explain(error)
        raise RecordError("record", field=where or name, problem=what) from error


def to_text(record: Record) -> bytes:
    """Return the bytes of a sealed record's file."""
    return layout(to_plain(record))


def write_record(record: Record, path: Path) -> Record:
    """Write a record with its digests so that the file is either whole or absent; return what was written.

    The text goes to a temporary file in the same folder, which is flushed to disk and renamed; then the folder is
    flushed. Raises ResultsError when a field does not fit the schema or the file cannot be written.
    """
    sealed = seal(record)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with in_place_of(path) as stream:
            stream.write(to_text(sealed))
    except OSError as error:
        raise ResultsError(
            f"{path}: the record cannot be written ({error.strerror}).",
            hint="Make room or write access there, or name another folder with --results.",
        ) from error
    return sealed


def read_record(path: Path) -> Record:
    """Return the record in a file, of whatever schema; raises ResultsError naming file, field and next step."""
    return parse_record(read_bytes(path), source=str(path))


def read_bytes(path: Path) -> bytes:
    """Return the bytes of a record's file; raises ResultsError when it is not readable or absurdly large."""
    try:
        with open_given(path, largest=LARGEST_ANY) as stream:
            text = stream.read(LARGEST + 1)
    except OSError as error:
        raise ResultsError(
            f"{path}: the record cannot be read ({error.strerror}).", hint="See what there is: clbench status"
        ) from error
    if len(text) > LARGEST:
        raise ResultsError(f"{path}: more than {LARGEST:,} bytes; no record is that large.")
    return text


def parse_record(text: bytes, *, source: str) -> Record:
    """Return the record that `text` holds; `source` names it in messages. Raises ResultsError."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        return _parse_other(text, source=source, error=error)


def parse_both(text: bytes, *, source: str = "record") -> tuple[dict[str, Any], Record]:
    """Return a record's text as plain values, of whatever schema, and as a record. Raises RecordError."""
    try:
        plain = msgspec.json.decode(text)
        record = msgspec.convert(plain, Record)
        if "schema" not in plain:  # it has a default, so that nobody who makes a record need name it
            raise RecordError(source, field="schema", problem="missing", hint=RESTORE)
        return plain, record
    except (msgspec.DecodeError, RecursionError, ValueError) as error:
        record = _parse_other(text, source=source, error=error)
        return msgspec.json.decode(text), record


def _parse_other(text: bytes, *, source: str, error: Exception) -> Record:
    """Read what is not of the present schema, or say why it cannot be read."""
    try:
        plain = msgspec.json.decode(text)
        schema = plain.get("schema") if isinstance(plain, dict) else None
        if isinstance(plain, dict) and type(schema) is int and schema != SCHEMA:
            if schema not in MIGRATIONS:
                known = ", ".join(map(str, MIGRATIONS))
                raise RecordError(
                    source,
                    field="schema",
                    problem=f"{schema} is not one that this clbench reads (it reads {known})",
                    hint="Install a newer clbench: git pull in its checkout, or pip install -U clbench",
                )
            return msgspec.convert(migrated(plain), Record)
    except KeyError as inner:
        raise RecordError(source, field=str(inner.args[0]), problem="missing", hint=RESTORE) from inner
    except (msgspec.DecodeError, RecursionError, ValueError, TypeError) as inner:
        error = inner
    where, what = explain(error, text=text)
    raise RecordError(source, field=where, problem=what, hint=RESTORE) from error


def explain(error: Exception, *, text: bytes = b"") -> tuple[str, str]:
    """Return (field, what is wrong with it) for an error met while reading or writing a record."""
    message = str(error) or type(error).__name__
    if "(byte " in message:
        what, _, rest = message.rpartition(" (byte ")
        return path_at(text, int(rest.split(")")[0])), what[:1].lower() + what[1:]
    what, _, where = message.partition(" - at ")
    # msgspec writes `$.ap.fixed[...]`, and `key` in `$.notes` for a mapping's keys
    where = where.replace("`key` in `$.", "a key of ").replace("[...]", "[]").strip("`").removeprefix("$").lstrip(".")
    if "unknown field" in what or "missing required field" in what:
        return join(where, what.split("`")[1]), "not a field of a record" if "unknown" in what else "missing"
    return where, what[:1].lower() + what[1:]


def _refuse_odd_numbers(value: Any, path: str = "") -> None:
    if isinstance(value, float) and not math.isfinite(value):
        if not (math.isnan(value) and path.startswith(_MAY_BE_NULL)):
            raise ResultsError(f"record: {path}: {value} cannot be written; JSON has no such number.")
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            _refuse_odd_numbers(getattr(value, name), join(path, name))
    elif isinstance(value, dict):
        for key, child in value.items():
            _refuse_odd_numbers(child, join(path, str(key)))
    elif isinstance(value, (list, tuple)):
        for index, child in enumerate(value):
            _refuse_odd_numbers(child, join(path, index))


def layout(plain: dict[str, Any]) -> bytes:
    """Return the one JSON text (UTF-8, final newline) of a plain record, keys in the order they have."""
    return ("\n".join(_lines(plain, indent="", before="", after="")) + "\n").encode()


def _lines(value: Any, *, indent: str, before: str, after: str) -> Iterator[str]:
    if _on_one_line(value, in_list=not before):
        yield f"{indent}{before}{_inline(value)}{after}"
        return
    mapping = isinstance(value, dict)
    yield f"{indent}{before}{'{' if mapping else '['}"
    items = value.items() if mapping else enumerate(value)
    for number, (key, child) in enumerate(items, start=1):
        name = f"{_scalar(key)}: " if mapping else ""
        yield from _lines(child, indent=indent + "  ", before=name, after="," if number < len(value) else "")
    yield f"{indent}{'}' if mapping else ']'}{after}"


def _on_one_line(value: Any, *, in_list: bool) -> bool:
    """Scalars, empty containers, lists of scalars, and in lists also mappings of scalars take one line."""
    if isinstance(value, list):
        return not value or not isinstance(value[0], (dict, list))
    if isinstance(value, dict):
        return not value or (in_list and not any(isinstance(child, (dict, list)) for child in value.values()))
    return True


def _inline(value: Any) -> str:
    if isinstance(value, list) and not any(isinstance(child, (str, dict)) for child in value):
        return _scalar(value)  # numbers are most of a record's bytes
    if isinstance(value, (dict, list)):
        return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
    return _scalar(value)


def _scalar(value: Any) -> str:
    return msgspec.json.encode(value).decode()
