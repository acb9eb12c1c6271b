"""Every strategy file as a module of one package, wherever the file lies: `clbench.strategies.<stem>`."""

from __future__ import annotations

from clbench.files.roots import strategy_folders as _folders

# Python looks for submodules here, so pickling, relative imports and tracebacks need nothing of ours. The module holds
# nothing else: importing a submodule sets an attribute on its parent, and a file may have any name.
__path__ = [str(folder) for folder in _folders()]
