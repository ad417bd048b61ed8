"""Recording in one transaction what several workers have to record at about the same time.

It knows no database, only that recording several results costs as much as recording one.
"""

from collections.abc import Callable, Sequence
from threading import Condition
from time import monotonic

from cavecron.mail.delivery.limits import BatchWindow
from cavecron.mail.models import DeliveryLog, DeliveryResult, OutgoingMail


class _Batch:
    """Results and starts that are recorded together; `size` is how many workers they come from."""

    def __init__(self) -> None:
        self.finished: list[DeliveryResult] = []
        self.started: list[OutgoingMail] = []
        self.size = 0
        self.is_recorded = False
        self.error: BaseException | None = None


class BatchingLog:
    """A DeliveryLog in which the first worker waits for the others, as long as recording usually takes.

    Without that, two workers that get their answers alternately would need a transaction for each mail.
    `expected` returns how many workers will record something soon.
    """

    def __init__(self, log: DeliveryLog, expected: Callable[[], int]) -> None:
        self._log, self._expected = log, expected
        self._window = BatchWindow()
        self._changed = Condition()
        self._open: _Batch | None = None
        self._is_recording = False

    def record(self, finished: Sequence[DeliveryResult], started: Sequence[OutgoingMail]) -> None:
        """Record together with other workers; return once it is done, or raise the error of all."""
        if not self._window.is_worth_it:
            batch = _Batch()
            batch.finished.extend(finished)
            batch.started.extend(started)
            self._record(batch)
            return
        with self._changed:
            is_first = self._open is None
            batch = self._open = self._open or _Batch()
            batch.finished.extend(finished)
            batch.started.extend(started)
            batch.size += 1
            self._changed.notify_all()
            if is_first:
                self._gather(batch)
            else:
                self._changed.wait_for(lambda: batch.is_recorded)
        if is_first:
            self._record(batch)
        if batch.error is not None:
            raise batch.error

    def _gather(self, batch: _Batch) -> None:
        """Wait until the batch before is recorded, then for other workers, and close the batch."""
        self._changed.wait_for(lambda: not self._is_recording)
        expected = self._expected()
        self._changed.wait_for(lambda: batch.size >= expected, self._window.seconds)
        self._open, self._is_recording = None, True

    def _record(self, batch: _Batch) -> None:
        began = monotonic()
        try:
            self._log.record(batch.finished, batch.started)
        except BaseException as error:  # raised in each worker of the batch
            batch.error = error
            raise
        finally:
            with self._changed:
                self._window.add_duration(monotonic() - began)
                batch.is_recorded = True
                self._is_recording = False
                self._changed.notify_all()
