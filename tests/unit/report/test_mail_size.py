"""The size of a mail: small for a household, bounded for any cellar; items that are left out are counted."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from cavecron.report.model import WeeklyReport
from tests.support.parsed_message import content, parsed_message
from tests.support.report_factories import (
    COMMENT,
    a_report,
    commented,
    composed,
    many_cellars,
    visible_text,
    with_cellars,
)


def test_a_household_of_three_cellars_and_ten_bottles_costs_less_than_24_kb() -> None:
    """The limit is for the whole message, with three movements each way and a long note for each bottle."""
    assert len(bytes(composed(a_report(moves=3)))) < 24_000


#: Functions, because some reports are large and should be built only when they are needed.
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
def test_no_cellar_makes_a_mail_that_gmail_cuts(make: Callable[[], WeeklyReport]) -> None:
    """Gmail cuts mails after 102 kB, and then the line on how to unsubscribe is not shown."""
    assert len(bytes(composed(make()))) < 102_000


def test_cellars_that_are_left_out_are_counted() -> None:
    """Each of 300 cellars is either listed, or counted with its bottles and places in the last line."""
    mail = parsed_message(composed(with_cellars(a_report(), many_cellars(300))))
    text = content(next(iter(mail.iter_parts())))
    words = " ".join(text.split())
    totals = re.search(
        r"… et (\d+) autres caves, dont (\d+) trop pleines : ([\d ]+) bouteilles pour ([\d ]+) places", words
    )
    assert totals
    hidden = int(totals[1])
    assert hidden + words.count("Cave n°") == 300
    assert int(totals[2]) == hidden
    assert [int(number.replace(" ", "")) for number in totals.groups()[2:]] == [50 * hidden, 40 * hidden]


def test_comments_are_complete_whenever_there_is_room() -> None:
    """Twenty comments of 600 characters fit into a mail."""
    mail = parsed_message(composed(commented(a_report(moves=20), COMMENT)))
    text, page = map(content, mail.iter_parts())
    comment = "".join(COMMENT.split())
    assert "".join(text.split()).count(comment) == 20
    assert "".join(visible_text(page).split()).count(comment) == 20
