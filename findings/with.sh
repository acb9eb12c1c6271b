#!/usr/bin/env bash
# with.sh FOLDER PACKAGE==VERSION...: print an interpreter that has these packages; what python3 lacks goes into FOLDER.
set -euo pipefail
folder=$1; shift
if python3 - "$@" <<'PY'
import sys
from importlib.metadata import PackageNotFoundError, version
try:
    sys.exit(any(version(name) != wanted for name, wanted in (pin.split("==") for pin in sys.argv[1:])))
except PackageNotFoundError:
    sys.exit(1)
PY
then
    command -v python3
else
    python3 -m venv "$folder/env"
    "$folder/env/bin/pip" install --quiet --disable-pip-version-check "$@" >&2
    echo "$folder/env/bin/python"
fi
