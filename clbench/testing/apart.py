"""A function in a process of its own: what it changes there nobody else has, and what it leaves is read as data."""

from __future__ import annotations

import multiprocessing
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any, TypeVar

import msgspec
import torch

from clbench.testing.holdings import freeze
from clbench.testing.outcome import Broken, NotRun

T = TypeVar("T")
Tell = Callable[[Any], None]
"""Hands something on at once; it cannot be taken back."""


def apart(function: Callable[[Tell], Any], *, kind: type[T]) -> tuple[T, list[Any]]:
    """Return what `function` returns, as a `kind`, and all that it told on the way, in order.

    It is called in a fork of this process, which holds what this one holds and hands back JSON alone. Where the system
    cannot fork, it is called here. Raises Broken and NotRun as the function does, and Broken where its process ends.
    """
    if "fork" not in multiprocessing.get_all_start_methods():
        told: list[Any] = []
        return msgspec.convert(function(told.append), kind), told
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_child, args=(there, function), daemon=False)
    with warnings.catch_warnings():
        # Python 3.12 warns of the threads of NumPy's BLAS, which it stops before a fork
        warnings.simplefilter("ignore", DeprecationWarning)
        process.start()
    there.close()
    messages = []
    try:
        while True:
            messages.append(msgspec.json.decode(here.recv_bytes()))
            if "told" not in messages[-1]:
                break
    except EOFError:
        process.join()
        raise Broken(
            ("EndedError",),
            f"its process ended by itself (exit code {process.exitcode})",
            mend="A strategy raises what goes wrong; it ends no process.",
        ) from None
    finally:
        here.close()
        if process.is_alive():
            process.join(5)
            process.kill()
        process.join()
    *notes, last = messages
    if "broken" in last:
        raise msgspec.convert(last["broken"], Broken.Told).error()
    if "not run" in last:
        raise NotRun(last["not run"])
    return msgspec.convert(last["result"], kind), [note["told"] for note in notes]


def _child(connection: Connection, function: Callable[[Tell], Any]) -> None:
    torch.set_num_threads(1)  # the threads of the parent are not here
    freeze()  # what is found among all objects from here on was made here

    def send(**message: Any) -> None:
        connection.send_bytes(msgspec.json.encode(message))

    try:
        send(result=function(lambda told: send(told=told)))
    except NotRun as obstacle:
        send(**{"not run": str(obstacle)})
    except Broken as broken:
        send(broken=broken.told())
    except BaseException as error:
        traceback.print_exc()
        send(broken=Broken.of(error).told())
