#!/usr/bin/env bash
# The wheel of qpsolvers 4.13.0 has the extra `open-source-solvers`. Who asks for `qpsolvers[open_source_solvers]`, as
# avalanche-lib 0.6.0 does, gets from pip 23.2.1 the warning that there is none, and no solver. Both spellings are one name.
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/env"
pip=$folder/env/bin/pip
"$pip" install --quiet --disable-pip-version-check pip==23.2.1
"$pip" --version | cut -d' ' -f1-2
"$pip" download --quiet --disable-pip-version-check --no-deps --dest "$folder" qpsolvers==4.13.0
python3 - "$folder"/qpsolvers-4.13.0-*.whl <<'PY'
import sys, zipfile
wheel = zipfile.ZipFile(sys.argv[1])
metadata = wheel.read("qpsolvers-4.13.0.dist-info/METADATA").decode()
extra = [line for line in metadata.splitlines() if line.startswith("Provides-Extra: open")]
print(extra)
assert extra == ["Provides-Extra: open-source-solvers"]
PY
"$pip" install --dry-run --disable-pip-version-check 'qpsolvers[open_source_solvers]==4.13.0' > "$folder/said" 2>&1
grep -F "qpsolvers 4.13.0 does not provide the extra 'open_source_solvers'" "$folder/said"
grep -F "Would install" "$folder/said"
! grep "Would install" "$folder/said" | grep -qi "clarabel"
