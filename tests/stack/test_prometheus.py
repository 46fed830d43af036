"""A real Prometheus scrapes the worker and loads the shipped rules; the stall alert fires while the endpoint answers, and ends."""

import json
import re
import subprocess
import urllib.parse
import urllib.request

import pytest

from flow import Flow
from stack import wait_until
from worker import ROOT, Worker

STALL = "LockgateStalled"
RULES = sorted((ROOT / "deploy" / "prometheus").glob("*.rules.yml"))


def get(stack, path: str) -> dict:
    with urllib.request.urlopen(f"{stack.prometheus_url}{path}", timeout=10) as reply:
        return json.load(reply)["data"]


def query(stack, expression: str) -> list[dict]:
    return get(stack, f"/api/v1/query?query={urllib.parse.quote(expression)}")["result"]


def firing(stack) -> set[str]:
    return {alert["labels"]["alertname"] for alert in get(stack, "/api/v1/alerts")["alerts"] if alert["state"] == "firing"}


def quick(rules: str) -> str:
    """The rules with seconds for minutes, so that a test sees them fire and end."""
    rules = re.sub(r"(\bfor: *)(\d+)m", lambda found: f"{found[1]}{max(2, int(found[2]) // 2)}s", rules)
    return re.sub(r"\[(\d+)m\]", lambda found: f"[{max(5, int(found[1]))}s]", rules)


@pytest.fixture
def watched(stack):
    folder = stack.dir / "prometheus"
    for file in RULES:
        (folder / "rules" / file.name).write_text(quick(file.read_text()))
    done = subprocess.run(["promtool", "check", "rules", *map(str, RULES)], capture_output=True, text=True)
    assert RULES and done.returncode == 0, done.stdout + done.stderr
    urllib.request.urlopen(urllib.request.Request(f"{stack.prometheus_url}/-/reload", method="POST"), timeout=10).close()
    wait_until("Prometheus has loaded the rules", lambda: get(stack, "/api/v1/rules")["groups"], 10)
    return lambda *workers: (folder / "targets.json").write_text(json.dumps([{"targets": [worker.admin for worker in workers]}]))


def test_prometheus_scrapes_and_the_stall_alert_fires_while_the_endpoint_answers_and_ends(stack, cluster, tmp_path, name, watched):
    flow = Flow(cluster, tmp_path, name)
    with Worker(stack, flow.topology, name="watched", arguments=flow.arguments()) as worker:
        watched(worker)
        production = flow.produce(count=200_000, rate=500)
        production.start()
        topology = f'{{topology="{flow.name}"}}'

        def consumed() -> float:
            return sum(float(row["value"][1]) for row in query(stack, f"lockgate_consumed_records_total{topology}"))

        wait_until("Prometheus sees records", lambda: consumed() > 1_000, 40)
        wait_until("the balance is scraped", lambda: query(stack, f"lockgate_balance_records{topology}"), 20)
        assert STALL not in firing(stack)

        # Every partition waits for a schema that the registry, which is away, cannot give.
        newer = flow.register_newer()
        stack.parts["registry"].kill()
        flow.schema_id, flow.event = newer
        wait_until("the stall alert fires", lambda: STALL in firing(stack), 90, pause=0.5)
        assert worker.get("/metrics")[0] == 200 and worker.get("/live")[0] == 200
        stack.parts["registry"].start()
        wait_until("the stall alert ends", lambda: STALL not in firing(stack), 90, pause=0.5)
        production.stop()
        production.finish(60)
        flow.wait_drained(60)
        verdict = flow.verdict()
        assert verdict.is_sound, verdict
        assert all(float(row["value"][1]) == 0 for row in query(stack, f"lockgate_balance_records{topology}"))
        assert worker.terminate() == 0
    watched()
