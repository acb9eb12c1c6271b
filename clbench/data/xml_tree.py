"""XML of unknown origin, read without entities and without growing beyond what was sent."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, TreeBuilder
from xml.parsers import expat

from clbench.errors import DataError
from clbench.files.given import LARGEST_TABLE, open_given, read_given


def read_xml(path: Path, *, root: str) -> Element:
    """Return the root element of an XML file.

    Raises DataError for a file that is not well-formed, declares an entity, or whose outermost tag is not `root`.
    """
    builder, parser = TreeBuilder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.EntityDeclHandler = _refuse
    try:
        parser.Parse(read_given(path, largest=LARGEST_TABLE), True)
        tree = builder.close()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}).") from error
    # an encoding nobody knows is a LookupError
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise DataError(f"{path} is not XML that can be read: {error}.", hint="Export it again.") from error
    if tree.tag != root:
        raise DataError(f"{path}: the outermost tag is <{tree.tag}>, expected <{root}>.", hint="Is it another form?")
    return tree


def outermost(path: Path) -> str:
    """Return the name of the outermost tag, "" where there is none in the first kilobytes."""
    found: list[str] = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, _: found.append(tag)
    try:
        with open_given(path, largest=LARGEST_TABLE) as file:
            parser.Parse(file.read(4096), False)
    except (OSError, expat.ExpatError, ValueError, LookupError):
        pass
    return found[0] if found else ""


def _refuse(*_: object) -> None:
    raise ValueError("it declares an entity")
