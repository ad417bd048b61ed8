"""Modules that are loaded on first use."""

import sys
from pathlib import Path
from threading import Barrier, Thread

import pytest

from cavecron.lazy import lazy_module


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of a module that can be imported as `seldom_used`."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "seldom_used", raising=False)
    return tmp_path / "seldom_used.py"


def test_a_module_is_loaded_when_it_is_used(source: Path) -> None:
    """The module is loaded on first use and not before, and it is the one that other imports get."""
    source.write_text("VALUE = object()", encoding="utf-8")
    lazy = lazy_module("seldom_used")
    assert "seldom_used" not in sys.modules
    assert lazy.VALUE is lazy.VALUE is sys.modules["seldom_used"].VALUE


def test_threads_that_use_it_first_together_get_one_module(source: Path) -> None:
    """Eight threads that use the module at the same time get the same loaded module."""
    source.write_text("import time\ntime.sleep(0.05)\nVALUE = object()", encoding="utf-8")
    lazy, together, values = lazy_module("seldom_used"), Barrier(8), []

    def use() -> None:
        together.wait()
        values.append(lazy.VALUE)

    threads = [Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(values) == 8
    assert len(set(values)) == 1


def test_a_missing_module_or_name_fails_as_an_import_does(source: Path) -> None:
    """A missing package and a missing name raise the usual errors; a package installed later is found."""
    lazy = lazy_module("seldom_used")
    with pytest.raises(ModuleNotFoundError, match="seldom_used"):
        _ = lazy.VALUE
    source.write_text("", encoding="utf-8")
    with pytest.raises(AttributeError, match="VALUE"):
        _ = lazy.VALUE
