#!/usr/bin/env bash
# torch.distributed.TCPStore.set does not wait for an answer: another client that looks right afterwards may find nothing.
# A `get` of the same key by the client that set it is answered after the value has arrived.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python=$("$here/with.sh" "$folder" torch==2.14.1)
"$python" - <<'PY'
import sys
from datetime import timedelta

import torch
from torch.distributed import TCPStore

host = TCPStore("127.0.0.1", 0, None, True, timedelta(seconds=30), wait_for_workers=False)
one, other = (TCPStore("127.0.0.1", host.port, None, False, timedelta(seconds=30)) for _ in range(2))
unseen = {"set": 0, "set, get": 0}
for how in unseen:
    for number in range(20_000):
        key = f"{how} {number}"
        one.set(key, "1")
        if "get" in how:
            one.get(key)
        unseen[how] += not other.check([key])
print(f"torch {torch.__version__}: of 20,000 keys the other client did not see {unseen}")
sys.exit(not unseen["set"] or unseen["set, get"])
PY
