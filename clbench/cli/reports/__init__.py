"""The verbs below `clbench report`, which `clbench.cli.verbs.report` adds."""
