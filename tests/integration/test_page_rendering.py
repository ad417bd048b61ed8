"""The pages of `status` and `simulate` in a real browser: accessible, no wider than the screen, and dark."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cavecron.cli.main import main
from cavecron.status.html import page
from tests.support.axe import axe_script
from tests.support.browser import CHROMIUM, ask
from tests.support.status_facts import hostile_facts, rich_facts

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine to show pages in"),
]
TELEPHONE, TABLET, DESKTOP = 375, 800, 1280
_AXE = """async (page, window) => {
    page.querySelectorAll("details").forEach(details => details.open = true);
    const result = await window.axe.run(page, {resultTypes: ["violations"]});
    return {
        checked: result.passes.map(rule => rule.id),
        violations: result.violations.map(rule => `${rule.id}: ${rule.nodes.map(node => node.html)}`),
    };
}"""
_MEASURES = """page => {
    page.querySelectorAll("details").forEach(details => details.open = true);
    const box = element => element.getBoundingClientRect();
    const seen = [...page.querySelectorAll("body *:not(defs *)")].filter(element => box(element).width);
    return {
        width: page.documentElement.scrollWidth,
        furthest: Math.max(...seen.map(element => box(element).right)),
        ground: page.defaultView.getComputedStyle(page.body).backgroundColor,
        marks: [...page.querySelectorAll(".months use")].map(use => box(use).width),
    };
}"""


@cache
def status_page(name: str) -> str:
    """Return the page of `status` for the facts of this name."""
    return page(rich_facts(1) if name == "status" else hostile_facts("W" * 10_000))


def simulation_page(folder: Path) -> str:
    """Return the page of a simulation with a downtime, a suspended machine and a clock change."""
    file = folder / "simulated.html"
    options = (
        "--down",
        "2026-10-25 02:40/2026-10-25 03:20",
        "--suspend",
        "2026-10-26 02:00/2026-10-26 10:00",
    )
    clock = ("--clock", "2026-10-28 13:00 +2h")
    assert main(["simulate", "--from", "2026-10-24", *options, *clock, "--html", "-o", str(file)], {}) == 0
    return file.read_text(encoding="utf-8")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", ["status", "simulate"])
def test_axe_finds_nothing(name: str, tmp_path: Path, *, dark: bool) -> None:
    """The accessibility checker finds nothing in roles, names, headings, tables and contrasts."""
    script = axe_script()
    if script is None:
        pytest.skip("axe-core cannot be had from the registry of pip")
    page = status_page(name) if name == "status" else simulation_page(tmp_path)
    allowed = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    assert allowed != page
    inlined = script.replace("</script", "<\\/script")
    with_axe = allowed.replace("</body>", f"<script>{inlined}</script></body>")
    result = ask(with_axe, _AXE, tmp_path, width=TELEPHONE, dark=dark)
    assert result["violations"] == []
    assert {"color-contrast", "heading-order", "svg-img-alt", "html-has-lang"} <= set(result["checked"])


def measures(page: str, folder: Path, width: int, *, dark: bool = False) -> Any:
    """Return the measures of a page on a screen of `width` pixels."""
    return ask(page, _MEASURES, folder, width=width, dark=dark)


@pytest.mark.parametrize("width", [TELEPHONE, TABLET, DESKTOP])
@pytest.mark.parametrize("name", ["status", "hostile", "simulate"])
def test_the_page_is_not_wider_than_the_screen(name: str, width: int, tmp_path: Path) -> None:
    """With any names and all tables unfolded, the page is not wider than the screen."""
    page = simulation_page(tmp_path) if name == "simulate" else status_page(name)
    result = measures(page, tmp_path, width)
    assert result["width"] == width
    assert result["furthest"] <= width


def test_marks_are_drawn(tmp_path: Path) -> None:
    """A reference to a drawing that does not exist would show nothing without an error."""
    assert min(measures(status_page("status"), tmp_path, DESKTOP)["marks"]) > 12


def test_dark_mode_is_dark(tmp_path: Path) -> None:
    """The colours follow the system's setting without a script."""
    assert measures(status_page("status"), tmp_path, TELEPHONE)["ground"] == "rgb(244, 238, 236)"
    assert measures(status_page("status"), tmp_path, TELEPHONE, dark=True)["ground"] == "rgb(23, 18, 20)"
