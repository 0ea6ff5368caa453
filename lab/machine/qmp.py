# SPDX-License-Identifier: BSD-2-Clause
"""QEMU's monitor for code that is not asynchronous: commands that return, events that are kept.

``qemu.qmp`` speaks the protocol, in asyncio. Its event loop runs in a thread of its own here, so
that an event is noticed when it happens and not when the next command is sent.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn, cast

from qemu.qmp import EventListener, ExecuteError, Message, QMPClient, QMPError, Runstate

from lab.errors import Status, die


@dataclass(frozen=True)
class Event:
    """Something QEMU told on its own account, as ``GUEST_PANICKED``."""

    name: str
    data: Mapping[str, object]
    seconds: float
    """When it arrived, on the clock of ``time.monotonic``."""


class Qmp:
    """One monitor connection over a connected socket, which it owns from now on.

    ``log`` gets every event as a line of JSON, written when it comes.
    """

    def __init__(self, connection: socket.socket, log: Path | None = None) -> None:
        self._connection = connection
        self._client = QMPClient()
        self._loop: asyncio.AbstractEventLoop | None = None  # not None: commands are taken
        self._stop: asyncio.Event | None = None
        self._failure = ""
        self._connected = threading.Event()
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._log = log
        self._thread = threading.Thread(target=self._run, name="qmp", daemon=True)

    def connect(self, timeout: float) -> None:
        """Greet QEMU. Dies with ``LOST`` if it hangs up or says nothing for ``timeout`` seconds."""
        self._thread.start()
        if not self._connected.wait(timeout):
            self.close()
            _lost(f"QEMU's monitor said nothing for {timeout:g} s.")
        if self._failure:
            _lost(f"QEMU closed its monitor at once: {self._failure}.")

    def execute(
        self,
        command: str,
        arguments: Mapping[str, object] | None = None,
        timeout: float = 10.0,
    ) -> object:
        """Send a command and return its answer; any thread may call this at any time.

        Dies with ``FAILED`` if QEMU refuses the command and with ``LOST`` if it is gone or does
        not answer in time.
        """
        with self._changed:  # keeps the loop from ending between the look and the use
            if self._loop is None:
                _lost(f"QEMU's monitor is closed; {command} was not sent.")
            answer = asyncio.run_coroutine_threadsafe(
                self._client.execute(command, arguments), self._loop
            )
        try:
            return answer.result(timeout)
        except ExecuteError as error:
            die(
                f"QEMU refused {command}: {error}.",
                "see the QMP reference for this QEMU's commands",
                status=Status.FAILED,
            )
        except concurrent.futures.TimeoutError:
            answer.cancel()
            _lost(f"QEMU did not answer {command} within {timeout:g} s.")
        except (QMPError, concurrent.futures.CancelledError):
            _lost(f"QEMU ended before it answered {command}.")

    @property
    def events(self) -> tuple[Event, ...]:
        """All events so far, oldest first; they stay readable after the end of QEMU."""
        with self._changed:
            return tuple(self._events)

    def seen(self, name: str) -> Event | None:
        """Return the first event of that name, if there was one."""
        return next((event for event in self.events if event.name == name), None)

    def wait_event(self, name: str, timeout: float) -> Event | None:
        """Wait for an event of that name, which may have come already; ``None`` if it does not."""
        return self.wait_for(lambda event: event.name == name, timeout)

    def wait_for(
        self, wanted: Callable[[Event], bool], timeout: float, since: int = 0
    ) -> Event | None:
        """Wait for an event that is ``wanted``; ``None`` if it does not come.

        The first ``since`` events are not looked at, those that have come after them are. Returns
        at once if the connection has ended and can bring no more events.
        """

        def found() -> Event | None:
            return next(filter(wanted, self._events[since:]), None)

        with self._changed:
            self._changed.wait_for(lambda: self._loop is None or found() is not None, timeout)
            return found()

    def close(self, timeout: float = 2.0) -> None:
        """Hang up. Harmless when QEMU is gone, and when called twice."""
        with self._changed:
            if self._loop is not None and self._stop is not None:
                self._loop.call_soon_threadsafe(self._stop.set)
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._connection.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._session())
        except (QMPError, EOFError, OSError) as error:
            self._failure = str(error) or type(error).__name__
        except asyncio.CancelledError:
            self._failure = "the lab hung up"
        finally:
            self._connected.set()

    async def _session(self) -> None:
        # The filter runs while a message is taken in, before anything later is looked at: an event
        # is in the list before the answer or the end that followed it is seen.
        self._client.register_listener(EventListener(event_filter=self._note))
        self._stop = asyncio.Event()
        stopping = asyncio.create_task(self._stop.wait())
        with self._changed:
            self._loop = asyncio.get_running_loop()
        try:
            await self._connect(stopping)
            self._connected.set()
            while self._client.runstate is Runstate.RUNNING and not stopping.done():
                change = asyncio.create_task(self._client.runstate_changed())
                await asyncio.wait({change, stopping}, return_when=asyncio.FIRST_COMPLETED)
                change.cancel()
        finally:
            with self._changed:
                self._loop = None
                self._changed.notify_all()
            stopping.cancel()
            if self._client.runstate is not Runstate.IDLE:
                # QEMU may have hung up first: that is how most machines end.
                with contextlib.suppress(QMPError, EOFError, OSError):
                    await self._client.disconnect()

    async def _connect(self, stopping: asyncio.Task[bool]) -> None:
        """Greet QEMU, unless ``close`` is called meanwhile; then raise ``CancelledError``."""
        greeting = asyncio.create_task(self._client.connect(self._connection))
        await asyncio.wait({greeting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not greeting.done():
            greeting.cancel()
        await greeting

    def _note(self, message: Message) -> bool:
        event = Event(
            str(message.get("event", "")),
            cast(Mapping[str, object], message.get("data") or {}),
            time.monotonic(),
        )
        with self._changed:
            self._events.append(event)
            self._changed.notify_all()
        if self._log is not None:
            # A full disk must not take the monitor down; the list above has the event.
            with contextlib.suppress(OSError), self._log.open("a") as log:
                log.write(_json_line(event))
        return False


def _json_line(event: Event) -> str:
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    return json.dumps({"time": now, "event": event.name, "data": event.data}) + "\n"


def _lost(message: str) -> NoReturn:
    die(message, "run it again; the run directory has QEMU's messages", status=Status.LOST)
