"""The program under test as a process: started, watched over its admin endpoint, signalled, waited for."""

import json
import os
import re
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from stack import BASE, HOST, wait_until

ROOT = Path(__file__).resolve().parents[3]
BINARY = Path(os.environ.get("LOCKGATE_BIN", ROOT / "target" / "release" / "lockgate"))

# A dead member is noticed after 6 s instead of 45 s: the tests wait for it. 6 s is the broker's least.
QUICK_SESSION = "session.timeout.ms=6000;heartbeat.interval.ms=1500"


@dataclass
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self):
        """The last line of standard output as JSON."""
        return json.loads(self.out.strip().splitlines()[-1])


def lockgate(*words: str, env: dict[str, str] | None = None, seconds: float = 60.0, cwd: Path | None = None) -> Done:
    """Runs a command of the program to its end."""
    done = subprocess.run(
        [str(BINARY), *map(str, words)],
        capture_output=True,
        text=True,
        timeout=seconds,
        env={**clean_environment(), **(env or {})},
        cwd=cwd or tempfile.gettempdir(),
    )
    return Done(done.returncode, done.stdout, done.stderr)


def clean_environment() -> dict[str, str]:
    """The environment without settings of the program: the tests say all of them."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LOCKGATE_")} | {"NO_COLOR": "1"}


class Worker:
    """One `lockgate run`. Use as a context; leaving it ends the process if it still runs."""

    next_port = 19400 + BASE

    def __init__(self, stack, *paths: Path, name: str = "worker", env: dict[str, str] | None = None, arguments: list[str] = ()):
        self.name = name
        self.admin = f"{HOST}:{Worker.next_port}"
        Worker.next_port += 1
        self.log = stack.dir / f"{name}-{self.admin.rsplit(':', 1)[1]}.log"
        self.command = [str(BINARY), "run", *map(str, paths), *arguments]
        self.env = {
            "LOCKGATE__KAFKA__BROKERS": stack.brokers,
            "LOCKGATE__KAFKA__PROPERTIES": QUICK_SESSION,
            "LOCKGATE__REGISTRY__URL": stack.registry_url,
            "LOCKGATE__REGISTRY__REGISTER": "true",
            "LOCKGATE__ADMIN__LISTEN": self.admin,
            **(env or {}),
        }
        self.process: subprocess.Popen | None = None
        self.started_at = 0.0

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        if self.is_alive():
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print(f"--- log of {self.name} ({self.admin})\n{self.tail(60)}")

    def start(self):
        self.started_at = time.time()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                env={**clean_environment(), **self.env},
                cwd=tempfile.gettempdir(),
            )
        return self

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """SIGKILL."""
        self.process.kill()
        self.process.wait()

    def terminate(self, seconds: float = 30.0) -> int:
        """SIGTERM; returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    # === what it says of itself ===

    def get(self, path: str) -> tuple[int, str]:
        """Status and body of a GET on the admin endpoint; status 0 if nothing answers."""
        try:
            with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=5) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def is_ready(self) -> bool:
        return self.get("/ready")[0] == 200

    def wait_ready(self, seconds: float = 40.0):
        def check():
            if not self.is_alive():
                raise RuntimeError(f"{self.name} ended with {self.process.returncode}:\n{self.tail()}")
            return self.is_ready()

        try:
            wait_until(f"{self.name} is ready", check, seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}: {self.get('/ready')}\n{self.tail()}") from None
        return self

    def status(self) -> dict:
        code, body = self.get("/status")
        return json.loads(body) if code == 200 else {"topologies": []}

    def partitions(self) -> list[dict]:
        return [partition for topology in self.status()["topologies"] for partition in topology["partitions"]]

    def metrics(self) -> list[tuple[str, dict[str, str], float]]:
        return parse_metrics(self.get("/metrics")[1])

    def sum(self, name: str, /, **labels: str) -> float:
        """The sum of a metric over all series with these labels."""
        return sum(value for series, has, value in self.metrics() if series == name and labels.items() <= has.items())

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def log_text(self) -> str:
        return self.log.read_text(errors="replace")


SERIES = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text: str) -> list[tuple[str, dict[str, str], float]]:
    """Prometheus' text format as (name, labels, value)."""
    rows = []
    for line in text.splitlines():
        found = SERIES.match(line)
        if found and not line.startswith("#"):
            rows.append((found[1], dict(LABEL.findall(found[2] or "")), float(found[3])))
    return rows
