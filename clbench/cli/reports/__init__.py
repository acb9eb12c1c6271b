"""Verbs below `clbench report` that have a file of their own; `clbench.cli.verbs.report` adds them."""
