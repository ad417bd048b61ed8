"""The mail in a real browser: it fits on a telephone, and bars have the right length."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from cavecron.report.model import WeeklyReport
from tests.support.browser import CHROMIUM, ask
from tests.support.report_factories import a_report, a_report_of_all_urgencies, an_empty_report, html_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to show the mail in"),
]
TELEPHONE, DESKTOP, PAGE = 375, 800, 600

_MEASURES = """page => {
    const box = element => element.getBoundingClientRect();
    const bars = [...page.querySelectorAll("td.calm, td.urgent:not(.left)")];
    const sheet = page.querySelector(".page");
    return {
        width: page.documentElement.scrollWidth,
        furthest: Math.max(...[...page.querySelectorAll("body *")].map(element => box(element).right)),
        sheet: [box(sheet).left, box(sheet).right],
        bars: bars.map(bar => 100 * box(bar).width / box(bar.closest("table")).width),
        heights: bars.map(bar => box(bar).height),
        ground: page.defaultView.getComputedStyle(sheet).backgroundColor,
    };
}"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measures:
    """The measures of a mail in pixels; bars in percent of their table."""

    width: float
    furthest: float
    sheet: tuple[float, float]
    bars: list[float]
    heights: list[float]
    ground: str


def measure(report: WeeklyReport, folder: Path, width: int, *, dark: bool = False) -> Measures:
    """Return the measures of a report on a screen of `width` pixels."""
    return Measures(**ask(html_of(report), _MEASURES, folder, width=width, dark=dark))


def huge() -> WeeklyReport:
    """Return a report with very long names and very large numbers."""
    report = a_report(name="W" * 200, moves=25)
    user = replace(report.user, username="Maximilien-François" * 9)
    statistics = replace(report.statistics, bottles=1234567.5)
    return replace(report, user=user, statistics=statistics)


@pytest.mark.parametrize("width", [TELEPHONE, DESKTOP])
@pytest.mark.parametrize(
    "report",
    [a_report(moves=25), huge(), an_empty_report()],
    ids=["rich", "huge names", "empty"],
)
def test_the_mail_is_not_wider_than_the_screen(report: WeeklyReport, width: int, tmp_path: Path) -> None:
    """The mail is not wider than the screen, on a telephone and on a desktop."""
    measures = measure(report, tmp_path, width)
    assert measures.width == width
    assert measures.furthest <= width


def test_the_page_is_narrow_and_in_the_middle_of_a_wide_screen(tmp_path: Path) -> None:
    """Lines as wide as a screen are hard to read."""
    left, right = measure(a_report(), tmp_path, DESKTOP).sheet
    assert right - left == PAGE
    assert left == DESKTOP - right


@pytest.mark.parametrize("width", [TELEPHONE, DESKTOP])
def test_bars_have_the_length_of_their_value(width: int, tmp_path: Path) -> None:
    """Bars have the right length within two percent, and they are thin."""
    measures = measure(a_report_of_all_urgencies(), tmp_path, width)
    assert measures.bars == pytest.approx([62, 100], abs=2)
    assert set(measures.heights) == {8}


def test_dark_mode_is_dark(tmp_path: Path) -> None:
    """The browser uses the colours for which other tests check the contrast."""
    assert measure(a_report(), tmp_path, TELEPHONE).ground == "rgb(255, 255, 255)"
    assert measure(a_report(), tmp_path, TELEPHONE, dark=True).ground == "rgb(36, 27, 31)"
