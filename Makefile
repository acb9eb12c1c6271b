# What is typed often. Each target needs an environment with requirements.lock installed; `check` makes its own, and
# `lock` needs uv beside it.
.PHONY: check fast slow docs lock faults benchmarks

check:  ## everything that has to hold before a change is taken
	.ci/run

fast:  ## the tests of a few minutes
	OMP_NUM_THREADS=1 python -m pytest -m "not slow and not alone and not exhaustive" -n auto --dist loadfile

slow:  ## those that start processes, and those that want the machine for themselves
	OMP_NUM_THREADS=1 python -m pytest -m "slow and not alone and not exhaustive" -n auto --dist loadfile
	OMP_NUM_THREADS=1 python -m pytest -m "alone and not exhaustive"

# measures that this machine once took from score files would stand in some cells, and nobody else's
docs: export CLBENCH_CACHE = build/cache
docs:  ## what is made from code and records: the schema, tables, figures, and the site, where a warning is an error
	python -c "from pathlib import Path; from clbench.records.schema import json_schema; Path('docs/record.schema.json').write_bytes(json_schema())"
	for page in README.md docs/rows.md docs/claim.md docs/evidence.md; do python -m clbench report readme $$page || exit; done
	python -m clbench report heads coco_b40c10 --results results/reference --format csv \
	    --figure docs/figures/stand_in_heads.png > docs/figures/stand_in_heads.csv
	python -m clbench report curves coco_b40c10 --results results/reference --out build --format png
	for kind in png csv; do cp build/figures/coco_b40c10.v1.scenes/cost.$$kind docs/figures/stand_in_cost.$$kind; done
	NO_MKDOCS_2_WARNING=1 python -m mkdocs build --strict

lock:  ## the locks again, for what pyproject.toml asks for; UPGRADE=--upgrade takes the newest of everything
	uv pip compile --quiet --universal --python-version 3.10 --all-extras --no-annotate $(UPGRADE) \
	    --custom-compile-command "make lock" pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --python-version 3.10 --no-annotate --constraint requirements.lock \
	    --custom-compile-command "make lock" pyproject.toml --output-file requirements-run.lock

faults:  ## deliberate faults, each of which the tests must notice
	python benchmarks/faults/inject.py

benchmarks:  ## every benchmark at its smallest, to see that it still runs
	python benchmarks/smallest.py
