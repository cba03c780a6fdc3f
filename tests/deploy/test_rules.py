"""Rules of Prometheus: each alert fires when it should and only then, and the runbook says what to do about it."""

import itertools
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.ran import ran

from .listening import listening

PROMETHEUS = ROOT / "deploy" / "prometheus"
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))
CASES = sorted((ROOT / "deploy" / "prometheus" / "tests").glob("*.yml"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def rules(kind: str) -> list[dict[str, Any]]:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"] if kind in rule]


ALERTS = {rule["alert"]: rule for rule in rules("alert")}


def test_prometheus_takes_the_rules(promtool: str) -> None:
    """Rules are valid, and none of them is there twice."""
    checked = ran(promtool, "check", "rules", "--lint=all", "--lint-fatal", *RULES)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    counts = [int(count) for count in re.findall(r"SUCCESS: (\d+) rules found", checked.stdout)]
    assert sum(counts) == len(rules("alert")) + len(rules("record"))


def test_prometheus_takes_the_configuration(promtool: str) -> None:
    checked = ran(promtool, "check", "config", ROOT / "deploy" / "prometheus" / "prometheus.yml")
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.ci
@pytest.mark.slow
def test_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    """Every case of deploy/prometheus/tests, each on series made for it."""
    tested = ran(promtool, "test", "rules", *CASES)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert tested.stdout.count("SUCCESS") == len(CASES)


def test_each_alert_has_a_case_that_fires_and_one_that_does_not() -> None:
    files = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in CASES]
    cases = itertools.chain.from_iterable(test.get("alert_rule_test", ()) for file in files for test in file["tests"])
    found = {(case["alertname"], bool(case["exp_alerts"])) for case in cases}
    assert found == set(itertools.product(ALERTS, (True, False)))


def test_the_runbook_has_a_section_for_each_alert_and_no_other() -> None:
    """A section says what the alert means, where to look and what to do."""
    title, *sections = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)
    assert title.startswith("# Runbook")
    assert {section.partition("\n")[0] for section in sections} == set(ALERTS)
    for section in sections:
        assert re.findall(r"^\*\*(Means|Look at|Do)\*\*", section, re.MULTILINE) == ["Means", "Look at", "Do"], section


@pytest.mark.parametrize("name", ALERTS)
def test_an_alert_says_how_bad_what_and_where_to_read_on(name: str) -> None:
    """An alert is named for the service, with a known severity, a wait, and a link to its own section."""
    alert = ALERTS[name]
    assert name.startswith("Bothends")
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["for"]
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"] == f"{{{{ $externalURL }}}}/consoles/runbook.html#{name.lower()}"


def test_the_page_is_the_runbook(tmp_path: Path) -> None:
    subprocess.run([sys.executable, PROMETHEUS / "runbook.py", tmp_path / "runbook.html"], check=True)
    assert (tmp_path / "runbook.html").read_bytes() == (PROMETHEUS / "consoles" / "runbook.html").read_bytes()


def test_an_alerts_link_leads_to_its_section(prometheus: str, tmp_path: Path) -> None:
    """Prometheus, with the stack's flags, answers with a page that has an anchor for each alert."""
    stack = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    command = stack["services"]["prometheus"]["command"]
    assert "--web.console.templates=/etc/prometheus/consoles" in command
    (tmp_path / "prometheus.yml").write_text("{}")
    flags = ["--config.file=prometheus.yml", f"--web.console.templates={PROMETHEUS / 'consoles'}"]
    with listening([prometheus, *flags], tmp_path) as http:
        page = http.get("/consoles/runbook.html").raise_for_status().text
    assert set(re.findall(r'<h2 id="(\w+)">', page)) == {name.lower() for name in ALERTS}
