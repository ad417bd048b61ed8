"""One seed, one life of the scheduler: what is configured, and what happens to it, when."""

import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

from cavecron.cli import log
from cavecron.schedule import next_slot
from cavecron.simulation.machine import SimulatedMachine, loop_of
from tests.model.living import Living
from tests.model.world import QUIET, World

#: Expressions by their pace, and how many seconds pass between two events, roughly.
PACES: dict[str, tuple[tuple[str, ...], float]] = {
    "yearly": (("0 8 1 */3 *", "30 2 29 2 *", "0 3 * 3,10 sun#1"), 200 * 86400),
    "monthly": (("0 8 1 * *", "30 2 * * 0#1", "0 0 * * mon"), 40 * 86400),
    "weekly": (("0 8 * * mon", "0 3 * * sun", "30 2 * * sun", "15 12 * * wed,sat"), 12 * 86400),
    "daily": (("0 8 * * *", "30 2 * * *", "0 */12 * * *"), 2 * 86400),
    "hourly": (("0 * * * *", "30 */2 * * *", "59 1-3,12-20 * * *"), 3 * 3600),
    "minutes": (("*/10 * * * *", "*/30 * * * *", "0,50 * * * *"), 2400),
}
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
EVENTS = 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """What came of a seed: how long it was, in seconds, and what was broken."""

    seconds: float
    broken: list[BaseException]


class _Author:
    """Writes the life of one seed, event by event."""

    def __init__(self, dice: random.Random, world: World, start: datetime) -> None:
        self.dice, self.world, self.time = dice, world, start
        self.ahead = timedelta()
        (self.pace,) = dice.choices(tuple(PACES), (3, 4, 4, 2, 1, 1))
        self.names = [f"job{number}" for number in range(dice.choice((1, 1, 2, 3)))]
        #: Schedulers that are meant to run; without any, another scheduler calls `run --due` now and then.
        self.instances = dice.choice((0, 1, 1, 1, 1, 2, 2))
        self.jobs = {name: self._job() for name in self.names}

    def _job(self) -> dict[str, str]:
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

    def write(self) -> datetime:
        """Write it all; return when it ends."""
        self.happens("begin", self.world.start_daemon if self.instances else self.world.run_due)
        kinds = tuple(_HAPPENINGS)
        weights = [weight for weight, _ in _HAPPENINGS.values()]
        for _number in range(EVENTS):
            self.move()
            (kind,) = self.dice.choices(kinds, weights)
            often_due = not self.instances and self.dice.random() < 0.5
            _HAPPENINGS["due" if often_due else kind][1](self)
        self.time += timedelta(seconds=90)
        self.happens("last start", lambda: _last_start(self.world))
        self.time += timedelta(hours=5)
        self.happens("end", self.world.complain)
        return self.time


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


def _last_start(world: World) -> None:
    for living in world.living.values():
        living.process.kill_at_statement(-1)
    _at_least(world, 1)


def _at_least(world: World, daemons: int) -> None:
    while len(world.daemons()) < daemons:
        world.start_daemon()


def _start(author: _Author) -> None:
    author.happens("start", lambda: _at_least(author.world, author.instances))


def _stop(author: _Author) -> None:
    author.happens("stop", lambda: _each(author, Living.stop))


def _kill(author: _Author) -> None:
    author.happens("kill", lambda: _each(author, lambda living: living.process.kill()))


def _each(author: _Author, act: Callable[[Living], None]) -> None:
    for living in list(author.world.living.values()):
        act(living)


def _kill_one(author: _Author) -> None:
    chance = author.dice.random()

    def kill() -> None:
        living = list(author.world.living.values())
        if living:
            living[int(chance * len(living))].process.kill()

    author.happens("kill one", kill)


def _kill_at_statement(author: _Author) -> None:
    number, chance = author.dice.randrange(40), author.dice.random()

    def doom() -> None:
        living = list(author.world.living.values())
        if living:
            living[int(chance * len(living))].process.kill_at_statement(number)

    author.happens(f"kill at statement {number}", doom)


def _restart(author: _Author) -> None:
    _kill(author) if author.dice.random() < 0.5 else _stop(author)
    author.time += author.span()
    _start(author)


def _suspend(author: _Author) -> None:
    author.happens("sleep", author.world.sleep, interrupts=True)
    author.time += author.span()
    author.happens("wake", author.world.wake, interrupts=True)


def _set_clock(author: _Author) -> None:
    by = author.span() * author.dice.choice((-1, 1))
    author.happens(f"clock {by}", partial(author.world.machine.set_clock, by), interrupts=True)
    author.ahead += by
    if author.dice.random() < 0.3:  # somebody corrects it
        author.move()
        author.happens(f"clock {-by}", partial(author.world.machine.set_clock, -by), interrupts=True)
        author.ahead -= by


def _lose_clock(author: _Author) -> None:
    """Empty the battery: it is 1970 until somebody sets the clock."""
    by = datetime(1970, 1, 1, 1, tzinfo=UTC) - author.time - author.ahead
    author.happens("clock lost", partial(author.world.machine.set_clock, by), interrupts=True)
    author.time += min(author.span(), timedelta(hours=3))
    author.happens("clock found", partial(author.world.machine.set_clock, -by), interrupts=True)


def _configure(author: _Author) -> None:
    """All schedulers are restarted with another configuration, some time later."""
    _kill(author) if author.dice.random() < 0.5 else _stop(author)
    author.time += timedelta(seconds=15) + author.span() * author.dice.choice((0, 1))
    name = author.dice.choice(author.names)
    author.jobs[name] = author._job()
    environ = author.environ()
    author.happens(f"configure {environ}", partial(author.world.configure, environ, author.names))
    author.world.configure(environ, author.names)  # for `move`
    _start(author)


def _by_hand(author: _Author) -> None:
    name, resume = author.dice.choice(author.names), author.dice.random() < 0.3
    author.happens("by hand", partial(author.world.run_by_hand, name, resume=resume))


def _due(author: _Author) -> None:
    author.happens("due", author.world.run_due)


def _weather(author: _Author) -> None:
    weather, kind = author.world.weather, author.dice.choice(("away", "locked", "slow"))
    value: object = author.dice.choice((0.5, 5.0, 29.0)) if kind == "slow" else True
    author.happens(f"database {kind}", partial(setattr, weather, kind, value))
    author.time += min(author.span(), timedelta(hours=3))
    author.happens(f"database not {kind}", partial(setattr, weather, kind, type(value)()))


_HAPPENINGS: dict[str, tuple[int, Callable[[_Author], None]]] = {
    "start": (4, _start),
    "stop": (1, _stop),
    "kill": (1, _kill),
    "kill one": (2, _kill_one),
    "kill at statement": (5, _kill_at_statement),
    "restart": (5, _restart),
    "suspend": (5, _suspend),
    "clock": (4, _set_clock),
    "clock lost": (1, _lose_clock),
    "configure": (2, _configure),
    "by hand": (2, _by_hand),
    "due": (2, _due),
    "weather": (2, _weather),
}


def live(seed: int, trace: Callable[[str], None] | None = None) -> Life:
    """Live the life of a seed."""
    dice = random.Random(f"cavecron {seed}")
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(
        days=dice.randrange(3000), seconds=dice.randrange(86400)
    )
    machine = SimulatedMachine(start)
    with tempfile.TemporaryDirectory(dir=_folder()) as folder, log.silence(), loop_of(machine) as loop:
        world = World(dice, machine, Path(folder) / "wine.db")
        if trace:
            world.trace = lambda text: trace(
                f"{machine.true():%Y-%m-%d %H:%M:%S.%f} {machine.now():%m-%d %H:%M:%S.%f} {text}"
            )
        author = _Author(dice, world, start)
        world.configure(author.environ(), author.names)
        first = world.settings
        end = author.write()
        world.begin(loop)
        world._settings = first
        machine.end_at(end)
        loop.run_forever()
        broken = [*world.broken, *machine.errors]
        if trace and broken:
            for row in world.rows():
                trace(str(row))
        return Life(seconds=(machine.true() - start).total_seconds(), broken=broken)


def _folder() -> str | None:
    return "/dev/shm" if Path("/dev/shm").is_dir() else None
