"""How long a mail is: short for a household, never too long, and what is left out then is counted."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from cavecron.report.model import WeeklyReport
from tests.support.received import content, received
from tests.support.report_factories import (
    COMMENT,
    a_report,
    commented,
    composed,
    many_cellars,
    shown,
    with_cellars,
)


def test_a_household_of_three_cellars_and_ten_bottles_costs_less_than_24_kb() -> None:
    """The whole message as it is sent, with three movements each way and a long note on each bottle."""
    assert len(bytes(composed(a_report(moves=3)))) < 24_000


#: Made when they are needed: some are large.
GIGANTIC: dict[str, Callable[[], WeeklyReport]] = {
    "names": lambda: a_report(name="x" * 5000, moves=500),
    "names of bottles": lambda: a_report(name="\U0001f377" * 5000, moves=500),
    "comments": lambda: commented(a_report(moves=500), "Très bon. " * 1000),
    "comments of bottles": lambda: commented(a_report(moves=20), "\U0001f377" * 100_000),
    "comments of tags": lambda: commented(a_report(moves=20), "<&>" * 100_000),
    "cellars": lambda: with_cellars(a_report(), many_cellars(300)),
    "cellars with names of bottles": lambda: with_cellars(
        a_report(), tuple(replace(cellar, name="\U0001f377" * 500) for cellar in many_cellars(10_000))
    ),
}


@pytest.mark.parametrize("make", GIGANTIC.values(), ids=GIGANTIC.keys())
def test_no_cellar_makes_a_gigantic_mail(make: Callable[[], WeeklyReport]) -> None:
    """Gmail cuts off what is longer than 102 kB, and with it the line on how to get no more of them."""
    assert len(bytes(composed(make()))) < 102_000


def test_what_is_left_out_of_a_gigantic_mail_is_counted_in_it() -> None:
    """Each of three hundred cellars is either shown or among the others, with its bottles and places."""
    mail = received(composed(with_cellars(a_report(), many_cellars(300))))
    text = content(next(iter(mail.iter_parts())))
    words = " ".join(text.split())
    told = re.search(
        r"… et (\d+) autres caves, dont (\d+) trop pleines : ([\d ]+) bouteilles pour ([\d ]+) places", words
    )
    assert told
    hidden = int(told[1])
    assert hidden + words.count("Cave n°") == 300
    assert int(told[2]) == hidden
    assert [int(number.replace(" ", "")) for number in told.groups()[2:]] == [50 * hidden, 40 * hidden]


def test_comments_are_told_in_full_whenever_there_is_room() -> None:
    """Twenty of 600 characters each: a household that writes much about what it drinks."""
    mail = received(composed(commented(a_report(moves=20), COMMENT)))
    text, page = map(content, mail.iter_parts())
    told = "".join(COMMENT.split())
    assert "".join(text.split()).count(told) == 20
    assert "".join(shown(page).split()).count(told) == 20
