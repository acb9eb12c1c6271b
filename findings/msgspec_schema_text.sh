#!/usr/bin/env bash
# msgspec.json.schema: the description of a class is its docstring, with its indentation before 0.23.0 and without since.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
cat > "$folder/show.py" <<'PY'
import sys
import msgspec

class Point(msgspec.Struct):
    """A place.

    In metres.
    """

    x: float

text = msgspec.json.schema(Point)["$defs"]["Point"]["description"]
print(f"msgspec {msgspec.__version__}: {text!r}")
sys.exit(text != sys.argv[1])
PY
for case in '0.22.0|A place.\n\n    In metres.' '0.23.0|A place.\n\nIn metres.'; do
    version=${case%%|*}
    mkdir -p "$folder/$version"
    python=$("$here/with.sh" "$folder/$version" "msgspec==$version")
    "$python" "$folder/show.py" "$(printf '%b' "${case#*|}")"
done
