"""Packages that become real when something touches them: their own code runs at the first name that is asked for.

`importlib.util.LazyLoader` does this for modules without submodules. A package here can be walked through, so that one
submodule is imported without what its package imports beside it, and names that are known to lie in one submodule are
found there. Whoever asks for another name, lists the package or imports another of its submodules runs the package's
own `__init__` first, in the same module object: who holds it sees it filled.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import Any

Place = str | Callable[..., Any]
"""The module that defines a name, relative to its package (`.ewc`), or what stands for it until the package is real."""
Places = Mapping[str, Mapping[str, Place]]
"""Package -> name in it -> place."""

_ASKED_OF_EVERYTHING = {"__wrapped__", "__warningregistry__", "__test__"}
"""What inspect, unittest and doctest ask of every module they meet: a package that nobody uses has none."""

_lock = threading.RLock()


class _Here(threading.local):
    walking = False
    """Whether submodules are imported past their packages' own code, which then never runs."""


_here = _Here()


@contextlib.contextmanager
def _walking(really: bool) -> Iterator[None]:
    before, _here.walking = _here.walking, really
    try:
        yield
    finally:
        _here.walking = before


class _Deferred(ModuleType):
    """A package whose `__init__` has not run; afterwards it is a plain module again."""

    def __getattr__(self, name: str) -> Any:
        if name in _ASKED_OF_EVERYTHING:
            raise AttributeError(f"module '{self.__name__}' has no attribute '{name}'")
        with _lock:
            loader = self.__loader__
            if not isinstance(loader, _DeferringLoader) or loader.running:
                return object.__getattribute__(self, name)  # meanwhile there, or asked for by its own code
            setattr(self, name, loader.find(self, name)) if name in loader.places else loader.run(self)
        return getattr(self, name)

    def __dir__(self) -> list[str]:
        _make_real(self)
        return sorted(vars(self))


def _make_real(package: ModuleType) -> None:
    with _lock:
        loader = package.__loader__
        if isinstance(loader, _DeferringLoader) and not loader.running:
            loader.run(package)


class _DeferringLoader(Loader):
    def __init__(self, loader: Loader, places: Mapping[str, Place]) -> None:
        self.loader = loader
        self.places = places
        self.running = False

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__class__ = _Deferred

    def find(self, package: ModuleType, name: str) -> Any:
        place = self.places[name]
        if not isinstance(place, str):
            return place
        try:
            with _walking(True):
                found = importlib.import_module(place, package.__name__)
            return getattr(found, name)
        except (ImportError, AttributeError):
            if _here.walking:
                raise  # whoever began to walk takes the other road
            self.run(package)
            return getattr(package, name)

    def run(self, module: ModuleType) -> None:
        """Run the package's own code; where that fails, the next one who asks tries again."""
        if _here.walking:
            raise AttributeError(f"no place is known in '{module.__name__}' for what was asked of it")
        parent = module.__name__.rpartition(".")[0]
        if parent:
            _make_real(sys.modules[parent])
            if module.__loader__ is not self:
                return  # the parent's own code asked for it
        self.running = True
        try:
            self.loader.exec_module(module)
        finally:
            self.running = False
        module.__class__ = ModuleType
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)  # get_source, get_data, is_package: the file is the same


class _Finder(MetaPathFinder):
    """Defers packages while they are walked through; makes a package real before another submodule is imported."""

    def __init__(self) -> None:
        self.places: dict[str, Mapping[str, Place]] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if _here.walking:
            places = self.places.get(fullname)
            spec = PathFinder.find_spec(fullname, path, target) if places is not None else None
            if spec is not None and spec.loader is not None and places is not None:
                spec.loader = _DeferringLoader(spec.loader, places)
            return spec
        parent = sys.modules.get(fullname.rpartition(".")[0])
        if type(parent) is _Deferred:
            _make_real(parent)
            if fullname in sys.modules:  # its own code imports this submodule too
                return _AlreadyThere(sys.modules[fullname]).spec
        return None


class _AlreadyThere(Loader):
    """Hands out a module that was imported while it was looked for; Python would import it once more."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.own = module, module.__spec__
        # Python takes the spec that such a module has for the one that was found
        self.spec = module.__spec__ = ModuleSpec(module.__name__, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.own


_finder = _Finder()


@contextlib.contextmanager
def _standing_in(classes: Mapping[str, Sequence[str]]) -> Iterator[None]:
    """Have modules that nobody has imported yet hold empty classes of these names, and forget them afterwards."""
    absent = [name for name in classes if name not in sys.modules]
    for name in absent:
        sys.modules[name] = ModuleType(name)
        vars(sys.modules[name]).update({kind: type(kind, (), {}) for kind in classes[name]})
    try:
        yield
    finally:
        for name in absent:
            del sys.modules[name]


def defer(places: Places, *, needed: Sequence[str], named: Mapping[str, Sequence[str]] | None = None) -> bool:
    """Import the modules `needed` without the own code of the packages in `places`, and return whether that worked.

    `named` are modules, and classes in them, that what is imported names in types alone: empty ones do for that.
    Where it does not, as with another version of a package, nothing is left of it: they are imported as they are
    written when somebody does so. Packages that were imported before stay as they are.
    """
    _finder.places.update(places)
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    before = set(sys.modules)
    try:
        with _walking(True), _standing_in(named or {}):
            for name in needed:
                importlib.import_module(name)
    except (ImportError, AttributeError):
        tops = {name.partition(".")[0] for name in places}
        for name in set(sys.modules) - before:
            if name.partition(".")[0] in tops:
                del sys.modules[name]
        return False
    return True


def is_deferred(package: str) -> bool:
    """Return whether the package is known and its own code has not run yet."""
    return type(sys.modules.get(package)) is _Deferred
