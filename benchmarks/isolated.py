"""A solver in a process of its own, so that a limit on processor time holds for every one alike."""

import multiprocessing as mp
import os
import signal
import time
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

Array = np.ndarray
Read = Callable[[Any], tuple[Array | None, dict[str, Any]]]  # the point, and facts for the record
Method = Callable[[Any], tuple[Callable[[Array], Any], Read]]  # what is timed, how it is read
SETUP, ROUNDS, CHEAP = 40, 3, 0.3
PASSED = "time limit"


def rows_of(method: Method, case: Any, prices: Sequence[Array], limit: int) -> list[dict[str, Any]]:
    """A record for each price but the first, which warms up; what fails says why in `reason`.

    Processor seconds of all threads, the least of some rounds through the prices where they are
    cheap. A solve that passes `limit` ends the process, and the prices after it count as failed.
    """
    context = mp.get_context("fork")
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_work, args=(there, method, case, prices))
    process.start()
    there.close()
    found: dict[int, dict[str, Any]] = {}
    reason = _listen(here, process.pid or 0, found, limit)
    process.join()
    if process.exitcode and reason is None:
        reason = f"exit code {process.exitcode}"
    return [found.get(k, {"reason": reason}) for k in range(1, len(prices))]


def _listen(pipe: Connection, pid: int, found: dict[int, dict[str, Any]], limit: int) -> str | None:
    """Records until the process ends; why it ended, if not for having done all."""
    allowed = SETUP
    while True:
        try:
            if not pipe.poll(0.2):
                if used(pid) > allowed:
                    os.killpg(pid, signal.SIGKILL)
                    return PASSED
                continue
            at, record = pipe.recv()
        except EOFError:
            return None
        if at is None:
            return str(record["reason"])
        allowed = used(pid) + limit
        if at not in found or record["seconds"] < found[at]["seconds"]:
            found[at] = record


def used(pid: int) -> float:
    """Processor seconds of a process and of those that it started.

    Read from outside: a limit of the system's own (RLIMIT_CPU) makes the clocks inside coarse.
    """
    total = 0.0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parts = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has just ended
            continue
        if int(parts[2]) == pid:  # its group
            total += (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")
    return total


def _work(pipe: Connection, method: Method, case: Any, prices: Sequence[Array]) -> None:
    os.setsid()
    try:
        run, read = method(case)
        total = 0.0
        for turn in range(ROUNDS):
            for k, c in enumerate(prices):
                if k == 0 and turn:
                    continue
                record = _once(run, read, c)
                total += record["seconds"]
                pipe.send((k, record))
            if total > CHEAP:
                break
    except Exception as error:  # a rival's failure is a result
        pipe.send((None, {"reason": f"{type(error).__name__}: {error}"[:200]}))
    pipe.close()


def _once(run: Callable[[Array], Any], read: Read, c: Array) -> dict[str, Any]:
    began = time.process_time()
    out = run(c)
    seconds = time.process_time() - began
    x, facts = read(out)
    seconds = facts.pop("seconds", seconds)  # of a process further down
    return {"seconds": seconds, "x": None if x is None else np.asarray(x, dtype=float), **facts}
