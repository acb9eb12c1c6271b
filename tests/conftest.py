"""Guards and fixtures shared by all tests: no network but this machine, real data only where it is named."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

# how fast a machine is, or how busy, says nothing about the code
settings.register_profile("clbench", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("clbench")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Of several processes none shall begin a long file when the others have ended: files with slow tests first."""
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(autouse=True)
def interrupts_reach_what_tests_start() -> None:
    """Children inherit an ignored SIGINT: of the shell that runs the tests in the background, or of a library."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def network_is_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: object) -> None:
        host = address[0] if isinstance(address, tuple) else "localhost"
        if host not in {"127.0.0.1", "localhost", "::1"}:
            raise AssertionError(f"a test tried to reach {host}")
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture(autouse=True)
def user_folders_are_private(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """No test reads or writes the caches, data folders or roots of the person who runs it."""
    monkeypatch.setenv("CLBENCH_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))
    monkeypatch.delenv("CLBENCH_DATA", raising=False)
    monkeypatch.delenv("CLBENCH_PATH", raising=False)
    yield


@pytest.fixture(scope="session")
def realdata() -> Path:
    """The folder of real data, where one is named."""
    folder = os.environ.get("CLBENCH_REALDATA", "")
    if not folder or not Path(folder).is_dir():
        pytest.skip("CLBENCH_REALDATA names no folder of real data")
    return Path(folder)
