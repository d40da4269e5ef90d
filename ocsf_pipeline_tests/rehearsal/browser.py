"""Dagster's pages in headless Chromium, as a person uses them: the graph, an hour, a backfill.

Belongs here: clicks, and pictures of what was seen. Does not belong here: whether runs succeed
(`views` asks Dagster).
"""

from __future__ import annotations

import io
import os
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image

from ocsf_pipeline_tests.rehearsal import views
from ocsf_pipeline_tests.rehearsal.supervise import TooSlowError
from ocsf_pipeline_tests.rehearsal.traffic import PAST_HOURS

MISSING = "Chromium is not installed; on Debian: apt-get install chromium"
_STAGES = ("schema", "knowledge", "logs", "classify", "events", "tables")
_SIZE = {"width": 1280, "height": 800}
_PATIENCE_MS = 90_000
_COLOURS = 128


def find_browser() -> str | None:
    """Return Chromium's program, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "chrome"))), None)


class Visit:
    """One visit to Dagster's UI; pictures go to `folder`."""

    def __init__(self, page: Any, folder: Path) -> None:
        self._page, self._folder = page, folder

    def see_graph(self) -> None:
        """Open the asset graph and find every stage in it."""
        self._page.goto(f"{views.UI}/asset-groups")
        for stage in _STAGES:
            self._page.get_by_text(stage, exact=True).first.wait_for()
        self._page.wait_for_timeout(3_000)
        self._take("asset-graph")

    def materialize_hour(self) -> None:
        """Choose one hour and launch its run."""
        self._choose(_name_hour(PAST_HOURS[0]))
        self._launch("Launch 1 run")

    def start_backfill(self) -> None:
        """Choose two hours and launch their backfill."""
        self._choose(f"[{_name_hour(PAST_HOURS[1])}...{_name_hour(PAST_HOURS[2])}]")
        self._page.get_by_text(re.compile("^2 partitions$")).first.wait_for()
        self._take("backfill")
        self._launch("Launch backfill")

    def see_runs(self) -> None:
        """Open the list of runs."""
        self._page.goto(f"{views.UI}/runs")
        self._page.get_by_text("hour_job").first.wait_for()
        self._page.wait_for_timeout(1_500)
        self._take("runs")

    def see_hour(self) -> None:
        """Open an hour of the events: what it held, as its metadata says."""
        self._page.goto(
            f"{views.UI}/assets/classified_events?view=partitions&partition={_name_hour(PAST_HOURS[0])}"
        )
        self._page.get_by_text("was_up_to_date").first.wait_for()
        self._page.wait_for_timeout(1_500)
        self._take("hour")

    def _choose(self, partitions: str) -> None:
        self._page.goto(f"{views.UI}/locations/ocsf_pipeline/jobs/hour_job")
        self._page.get_by_role("button", name="Materialize all").first.click()
        self._page.get_by_role("button", name="Custom").click()
        field = self._page.locator("input[type=text]").last
        field.fill(partitions)
        field.press("Enter")

    def _launch(self, label: str) -> None:
        """Press the button and wait until the dialog is gone: leaving before would cancel it."""
        self._page.get_by_role("button", name=label).click()
        self._page.get_by_text("Launch runs to materialize").wait_for(state="detached")

    def _take(self, name: str) -> None:
        """Write a picture, of few colours: it is looked at, not measured."""
        picture = Image.open(io.BytesIO(self._page.screenshot()))
        self._folder.mkdir(parents=True, exist_ok=True)
        picture.convert("RGB").quantize(_COLOURS).save(self._folder / f"{name}.png", optimize=True)


def visit(folder: Path) -> None:
    """Walk through the pages. Raises TooSlowError where one does not show what it must."""
    from playwright.sync_api import Error, sync_playwright

    # Chromium's own sandbox does not start as root.
    arguments = ["--disable-gpu", *(["--no-sandbox"] if os.getuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser(), args=arguments)
        page = browser.new_page(viewport=_SIZE)
        page.set_default_timeout(_PATIENCE_MS)
        steps = Visit(page, folder)
        try:
            for step in (
                steps.see_graph, steps.materialize_hour, steps.start_backfill,
                steps.see_runs, steps.see_hour,
            ):  # fmt: skip
                step()
        except Error as error:
            page.screenshot(path=folder / "failed.png")
            raise TooSlowError(f"{step.__name__}: {error.message}") from error
        finally:
            browser.close()


def _name_hour(hours_ago: int) -> str:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return (now - timedelta(hours=hours_ago)).strftime("%Y-%m-%d-%H:00")
