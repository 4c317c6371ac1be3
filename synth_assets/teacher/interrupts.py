"""Ctrl-C and termination while an event loop runs: the work is cancelled, cleanly, and KeyboardInterrupt goes up.

A handler that raises wherever the loop happens to be, as Dagster's does, may raise inside a transport's callback, where asyncio logs it
and goes on: seen, a stopped run ran to its end. So the loop has the signals while it works, and gives them back afterwards.
"""

import asyncio
import signal
import threading
from collections.abc import Coroutine

__all__ = ["stoppable"]

SIGNALS = (signal.SIGINT, signal.SIGTERM)


async def stoppable(work: Coroutine[None, None, None]) -> None:
    """Await `work`; a signal cancels it and raises KeyboardInterrupt. Off the main thread signals do not arrive, and nothing is done."""
    if threading.current_thread() is not threading.main_thread():
        await work
        return
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    stopped: list[int] = []

    def stop(number: int) -> None:
        stopped.append(number)
        task.cancel()

    before = {number: signal.getsignal(number) for number in SIGNALS}
    for number in SIGNALS:
        loop.add_signal_handler(number, stop, number)
    try:
        await task
    except asyncio.CancelledError:
        if stopped:
            raise KeyboardInterrupt from None
        raise
    finally:
        for number, handler in before.items():
            loop.remove_signal_handler(number)
            signal.signal(number, handler)
