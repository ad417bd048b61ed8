"""The builder of a scenario: which jobs it has, and when its events occur, mostly around slots."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from cavecron.schedule import next_slot
from tests.model.simulation import Simulation

#: Expressions by their frequency, and about how many seconds pass between two events.
FREQUENCIES: dict[str, tuple[tuple[str, ...], float]] = {
    "yearly": (("0 8 1 */3 *", "30 2 29 2 *", "0 3 * 3,10 sun#1"), 200 * 86400),
    "monthly": (("0 8 1 * *", "30 2 * * 0#1", "0 0 * * mon"), 40 * 86400),
    "weekly": (("0 8 * * mon", "0 3 * * sun", "30 2 * * sun", "15 12 * * wed,sat"), 12 * 86400),
    "daily": (("0 8 * * *", "30 2 * * *", "0 */12 * * *"), 2 * 86400),
    "hourly": (("0 * * * *", "30 */2 * * *", "59 1-3,12-20 * * *"), 3 * 3600),
    "minutes": (("*/10 * * * *", "*/30 * * * *", "0,50 * * * *"), 2400),
}
#: The time without an event after which every slot has to be accounted for.
QUIET = timedelta(minutes=11)
#: Seconds between a slot and an event near it.
SECONDS_FROM_A_SLOT = (
    -61,
    -31,
    -30,
    -15,
    -1,
    0,
    1,
    15,
    30,
    31,
    45,
    61,
    75,
    600,
    3540,
    3570,
    3599,
    3600,
    3601,
    3660,
    7100,
)
SPANS = (1, 5, 20, 31, 45, 59, 61, 90, 600, 1800, 3590, 3600, 3610, 5400, 7200, 86400, 5 * 86400, 30 * 86400)


class ScenarioBuilder:
    """Builds the scenario of one seed, event by event."""

    def __init__(self, generator: random.Random, simulation: Simulation, start: datetime) -> None:
        self.generator, self.simulation, self.time = generator, simulation, start
        self.ahead = timedelta()
        (self.frequency,) = generator.choices(tuple(FREQUENCIES), (3, 4, 4, 2, 1, 1))
        self.names = [f"job{number}" for number in range(generator.choice((1, 1, 2, 3)))]
        #: How many schedulers run; without any, another scheduler calls `run --due` at times.
        self.scheduler_count = generator.choice((0, 1, 1, 1, 1, 2, 2))
        self.jobs = {name: self.new_job() for name in self.names}

    def new_job(self) -> dict[str, str]:
        """Return the configuration of a job."""
        generator = self.generator
        return {
            "CRON": generator.choice(FREQUENCIES[self.frequency][0]),
            "ENABLED": "0" if generator.random() < 0.1 else "1",
            "TIMEOUT": generator.choice(("600", "3600", "86400")),
        }

    def environ(self) -> dict[str, str]:
        """Return the present configuration."""
        return {
            f"SCHEDULER_{name.upper()}_{key}": value
            for name, job in self.jobs.items()
            for key, value in job.items()
        }

    def move(self) -> None:
        """Advance the time, in most cases to an instant near a slot."""
        generator = self.generator
        interval = (
            generator.expovariate(1 / FREQUENCIES[self.frequency][1])
            if generator.random() < 0.6
            else generator.uniform(0, 90)
        )
        self.time += timedelta(seconds=interval)
        job = self.simulation.settings.jobs[generator.choice(self.names)]
        slot = next_slot(job.schedule, self.time + self.ahead)
        if slot and generator.random() < 0.7:
            instant = (
                slot
                - self.ahead
                + timedelta(
                    seconds=generator.choice(SECONDS_FROM_A_SLOT)
                    + generator.choice((0, 0, generator.random()))
                )
            )
            self.time = max(self.time, instant)

    def span(self) -> timedelta:
        """Return the duration of an event."""
        span = timedelta(
            seconds=self.generator.choice(SPANS) + self.generator.choice((0.0, 0.0, self.generator.random()))
        )
        return min(span, timedelta(seconds=20 * FREQUENCIES[self.frequency][1]))

    def add_event(self, name: str, action: Callable[[], object], *, interrupts: bool = False) -> None:
        """Add an event at the present time of the builder."""
        self.simulation.machine.at(
            self.time, partial(_event, self.simulation, name, action), interrupts=interrupts
        )


def _event(simulation: Simulation, name: str, action: Callable[[], object]) -> None:
    """Execute an event; the oracle observes the time around it, and checks the ledger after a quiet time."""
    simulation.trace(f"-- {name}")
    simulation.observe()
    with simulation.judging():
        if simulation.machine.true() - simulation.quiet_since >= QUIET and simulation.is_observed():
            simulation.check_complete()
        action()
    simulation.observe()
    simulation.quiet_since = simulation.machine.true()
