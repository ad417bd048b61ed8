"""Who writes a life: where it stands, and when things happen in it, mostly around slots."""

import random
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial

from cavecron.schedule import next_slot
from tests.model.world import World

#: Expressions by their pace, and how many seconds pass between two events, roughly.
PACES: dict[str, tuple[tuple[str, ...], float]] = {
    "yearly": (("0 8 1 */3 *", "30 2 29 2 *", "0 3 * 3,10 sun#1"), 200 * 86400),
    "monthly": (("0 8 1 * *", "30 2 * * 0#1", "0 0 * * mon"), 40 * 86400),
    "weekly": (("0 8 * * mon", "0 3 * * sun", "30 2 * * sun", "15 12 * * wed,sat"), 12 * 86400),
    "daily": (("0 8 * * *", "30 2 * * *", "0 */12 * * *"), 2 * 86400),
    "hourly": (("0 * * * *", "30 */2 * * *", "59 1-3,12-20 * * *"), 3 * 3600),
    "minutes": (("*/10 * * * *", "*/30 * * * *", "0,50 * * * *"), 2400),
}
#: After so long without any event everything has to be accounted for.
QUIET = timedelta(minutes=11)
#: Where around a slot things happen, in seconds.
NEAR_A_SLOT = (
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


class Author:
    """Writes the life of one seed, event by event."""

    def __init__(self, dice: random.Random, world: World, start: datetime) -> None:
        self.dice, self.world, self.time = dice, world, start
        self.ahead = timedelta()
        (self.pace,) = dice.choices(tuple(PACES), (3, 4, 4, 2, 1, 1))
        self.names = [f"job{number}" for number in range(dice.choice((1, 1, 2, 3)))]
        #: Schedulers that are meant to run; without any, another scheduler calls `run --due` now and then.
        self.instances = dice.choice((0, 1, 1, 1, 1, 2, 2))
        self.jobs = {name: self.new_job() for name in self.names}

    def new_job(self) -> dict[str, str]:
        """Return how a job is configured."""
        dice = self.dice
        return {
            "CRON": dice.choice(PACES[self.pace][0]),
            "ENABLED": "0" if dice.random() < 0.1 else "1",
            "TIMEOUT": dice.choice(("600", "3600", "86400")),
        }

    def environ(self) -> dict[str, str]:
        """Return the present configuration."""
        return {
            f"SCHEDULER_{name.upper()}_{key}": value
            for name, job in self.jobs.items()
            for key, value in job.items()
        }

    def move(self) -> None:
        """Go on: mostly to somewhere near a slot."""
        dice = self.dice
        rest = dice.expovariate(1 / PACES[self.pace][1]) if dice.random() < 0.6 else dice.uniform(0, 90)
        self.time += timedelta(seconds=rest)
        job = self.world.settings.jobs[dice.choice(self.names)]
        slot = next_slot(job.schedule, self.time + self.ahead)
        if slot and dice.random() < 0.7:
            near = (
                slot
                - self.ahead
                + timedelta(seconds=dice.choice(NEAR_A_SLOT) + dice.choice((0, 0, dice.random())))
            )
            self.time = max(self.time, near)

    def span(self) -> timedelta:
        """Return how long something lasts."""
        span = timedelta(seconds=self.dice.choice(SPANS) + self.dice.choice((0.0, 0.0, self.dice.random())))
        return min(span, timedelta(seconds=20 * PACES[self.pace][1]))

    def happens(self, name: str, action: Callable[[], object], *, interrupts: bool = False) -> None:
        """Have something happen now."""
        self.world.machine.at(self.time, partial(_event, self.world, name, action), interrupts=interrupts)


def _event(world: World, name: str, action: Callable[[], object]) -> None:
    """Let the oracle see the world before and after something happens, and complain where it was quiet."""
    world.trace(f"-- {name}")
    world.see()
    with world.judging():
        if world.machine.true() - world.quiet_since >= QUIET and world.watched():
            world.complain()
        action()
    world.see()
    world.quiet_since = world.machine.true()
