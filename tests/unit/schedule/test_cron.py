"""Cron expressions: they are parsed as cronsim does, or refused with what is wrong and what is expected."""

import re
import time
from datetime import UTC, datetime, timedelta
from itertools import islice

import pytest
from cronsim import CronSim, CronSimError
from hypothesis import given
from hypothesis import strategies as st

from cavecron.schedule import ScheduleError, next_slot, parse, previous_slot
from tests.support.expressions import NO_DEADLINE, expressions
from tests.support.oracle import ALIASES, UTC_ZONE

_START = datetime(2026, 11, 23, 7, tzinfo=UTC)


def reason_of_refusal(expression: str) -> str:
    """Return the message with which an expression is refused."""
    with pytest.raises(ScheduleError) as raised:
        parse(expression, UTC_ZONE)
    return str(raised.value)


@NO_DEADLINE
@given(expressions(), st.timedeltas(timedelta(days=-9999), timedelta(days=9999)))
def test_an_expression_means_what_it_means_to_cronsim(expression: str, later: timedelta) -> None:
    """In a zone without clock changes, the slots in both directions are the same."""
    schedule, slot = parse(expression, UTC_ZONE), _START + later
    cronsim_slots = list(islice(CronSim(expression, slot), 5))
    for expected in cronsim_slots:
        following = next_slot(schedule, slot)
        assert following == expected
        slot = following
    for expected in islice(CronSim(expression, slot, reverse=True), 5):
        preceding = previous_slot(schedule, slot - timedelta.resolution)
        assert preceding == expected
        slot = preceding


#: Parts of the messages for what cronsim accepts and we refuse: seconds, steps without effect, dates that
#: never come, and what croniter cannot express.
_STRICTER = (
    *("de secondes) sont attendus, pas 6", "un pas demande une plage", "un pas de ", "n'arrive jamais"),
    *("W n'est pas connu", "ne se mêle pas à des jours simples", "demande * comme jour du mois"),
)


@NO_DEADLINE
@given(expressions(), st.integers(0, 40), st.text("0123456789*/-,#LWmonja ?H", max_size=2), st.booleans())
def test_an_expression_that_cronsim_refuses_is_refused(
    expression: str, position: int, typo: str, replaces: bool
) -> None:
    """After a typing error anywhere, both agree, except where cavecron is stricter on purpose."""
    mistyped = expression[:position] + typo + expression[position + replaces :]
    try:
        CronSim(mistyped, _START)
    except CronSimError:
        assert reason_of_refusal(mistyped)
        return
    try:
        parse(mistyped, UTC_ZONE)
    except ScheduleError as error:
        stepped_end = re.search(r"(?i)(^| |,)lw?/", mistyped)
        assert stepped_end or any(part in str(error) for part in _STRICTER)  # noqa: PT017 - both are right


@pytest.mark.parametrize(("alias", "meaning"), ALIASES.items())
def test_an_alias_stands_for_five_fields(alias: str, meaning: str) -> None:
    """The aliases are those of crontab(5), in upper or lower case."""
    expected = next_slot(parse(meaning, UTC_ZONE), _START)
    assert (
        next_slot(parse(alias, UTC_ZONE), _START)
        == next_slot(parse(alias.upper(), UTC_ZONE), _START)
        == expected
    )


_BAD = (
    *("", "x", "-1", "1-", "-", "1-2-3", "1,", ",1", "99", "1/0", "*/", "*/0", "*/-1", "/5", "1/2/3", "1.5"),
    *(
        "*-5",
        "H",
        "R",
        "?",
        "15W",
        "h(1-5)",
        "**",
        "1 - 5",
        "0x5",
        "1_0",
        "mon#",
        "#1",
        "jan#1",
        "L/2",
        "lw/2",
    ),
)


@pytest.mark.parametrize("position", range(5))
@pytest.mark.parametrize("bad", _BAD)
def test_a_bad_value_is_refused_in_every_field(bad: str, position: int) -> None:
    """The message says what is expected; values that only croniter knows (hashed, random) are refused too."""
    fields = ["*"] * 5
    fields[position] = bad
    message = reason_of_refusal(" ".join(fields))
    assert "attendu" in message or "demande" in message or "sont" in message


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("75 * * * *", "une minute de 0 à 59 est attendue, pas '75'"),
        ("* 24 * * *", "une heure de 0 à 23 est attendue, pas '24'"),
        ("* * 0 * *", "un jour du mois de 1 à 31 (ou L) est attendu, pas '0'"),
        ("* * * janvier *", "un mois de 1 à 12 (ou jan à dec) est attendu, pas 'janvier'"),
        ("* * * * 8", "un jour de semaine de 0 à 7 (ou sun à sat, mon#1, 5L) est attendu, pas '8'"),
        ("* * * * fri#6", "du premier (#1) au cinquième (#5) du mois, pas 'fri#6'"),
        ("*/0 * * * *", "un pas d'au moins 1 est attendu, pas '*/0'"),
        ("5-1 * * * *", "une plage va du plus petit au plus grand, pas '5-1'"),
        ("* * * * fri-sun", "pas 'fri-sun' (dimanche qui finit une plage s'écrit 7)"),
        ("5-5/2 * * * *", "un pas demande une plage de plusieurs valeurs, pas '5-5/2'"),
        ("0 0 8 * * mon", "pas de secondes) sont attendus, pas 6"),
        ("0 8 * * mon 2026 x", "sont attendus, pas 7"),
        ("", "sont attendus, pas 0"),
        ("@reboot", "@reboot n'a pas d'heure"),
        ("@every 5m", "un alias parmi @hourly, "),
        ("0 0 31 2 *", "cette date n'arrive jamais"),
        ("0 0 31 4,6,9,11 *", "cette date n'arrive jamais"),
        ("0 0 */15 2 mon#5", "cette date n'arrive jamais"),
        ("*/90 * * * *", "un pas de 59 au plus est attendu, pas '*/90', qui ne vaut que 0 : écrire 0, ou un"),
        ("*/60 * * * *", "un pas de 59 au plus est attendu, pas '*/60'"),
        ("0 */24 * * *", "un pas de 23 au plus est attendu, pas '*/24', qui ne vaut que 0 : écrire 0, ou un"),
        ("0 8 */31 * *", "un pas de 30 au plus est attendu, pas '*/31', qui ne vaut que 1 : écrire 1, ou un"),
        (
            "5-7/3 * * * *",
            "un pas de 2 au plus est attendu, pas '5-7/3', qui ne vaut que 5 : écrire 5, ou un",
        ),
        ("50/15 * * * *", "un pas de 9 au plus est attendu, pas '50/15', qui ne vaut que 50 : écrire 50, ou"),
        ("59/2 * * * *", "un pas demande une plage de plusieurs valeurs, pas '59/2' : écrire 59"),
        (
            "0 0 lw * *",
            "LW n'est pas connu ; un jour de 1 à 31 et L (le dernier jour du mois) le sont, et 5L dans",
        ),
        ("0 0 L-3 * *", "L-3 n'est pas connu ; un jour de 1 à 31 et L (le dernier jour du mois) le sont"),
        ("0 0 15W * *", "15W n'est pas connu"),
        ("0 0 ? * mon", "? n'est pas connu"),
        ("0 0 * * fri-mon", "du plus petit au plus grand, pas 'fri-mon' (écrire fri,sat,sun,mon)"),
        ("0 22-2 * * *", "du plus petit au plus grand, pas '22-2' (écrire 22,23,0,1,2)"),
        ("0 0 * nov-feb *", "du plus petit au plus grand, pas 'nov-feb' (écrire nov,dec,jan,feb)"),
        ("0 3 * * sun # dimanche", "sont attendus, pas 7 ; sans commentaire (#)"),
        ("0 0 1,LW * *", "LW n'est pas connu"),
        (
            "0 0 * * 1#2,3",
            "un jour tel que mon#1 ou 5L ne se mêle pas à des jours simples, pas '1#2,3' : deux",
        ),
        ("0 0 * * *,5L", "ne se mêle pas à des jours simples, pas '*,5L'"),
        ("0 0 13 * fri#2", "'fri#2' demande * comme jour du mois, pas '13' : deux jobs font les deux"),
        ("0 0 L * 5L", "'5L' demande * comme jour du mois, pas 'L'"),
        ("٣ * * * *", "une expression cron est attendue, pas '٣ * * * *' : '\\u0663' n'est pas une lettre"),
        ("* * * * ſun", "une expression cron est attendue"),
    ],
)
def test_a_refusal_says_what_is_wrong_and_wanted(expression: str, message: str) -> None:
    """The message is French, because it is shown as a problem of the setting."""
    assert message in reason_of_refusal(expression)


@pytest.mark.parametrize(
    "hostile",
    [
        "1" * 10_000,
        "*," * 5_000 + " * * * *",
        "9" * 900 + " * * * *",
        "9" * 5_000 + " * * * *",
        "* " * 5_000,
        "@" * 10_000,
        "*/" + "9" * 990,
        "*/" + "9" * 390 + " * * * *",
    ],
    ids=lambda text: text[:6],
)
def test_a_hostile_expression_is_refused_at_once(hostile: str) -> None:
    """The check takes less than 0.1 seconds, and the message is short."""
    started = time.perf_counter()
    assert len(reason_of_refusal(hostile)) < 200
    assert time.perf_counter() - started < 0.1


@NO_DEADLINE
@given(st.text(max_size=30) | st.lists(st.text(max_size=4), min_size=5, max_size=5).map(" ".join))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No other exception than a ScheduleError is raised."""
    try:
        assert next_slot(parse(text, UTC_ZONE), _START)
    except ScheduleError as error:
        assert str(error)  # noqa: PT017 - either outcome is right, a third is not
