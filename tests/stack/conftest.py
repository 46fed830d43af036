"""What the scenarios share: the running stack, a cluster seen from outside, names that no other test uses."""

import os
import signal
import sys
from pathlib import Path
from zlib import crc32

import pytest

sys.path.insert(0, str(Path(__file__).parent / "lib"))

from kafka import Cluster  # noqa: E402
from secure import SecureBroker  # noqa: E402
from shop import start_debezium  # noqa: E402
from stack import Stack  # noqa: E402


def pytest_addoption(parser):
    parser.addoption("--long", action="store_true", help="the long runs: a million events over minutes")


@pytest.fixture(scope="session")
def long_run(request) -> bool:
    return request.config.getoption("--long")


@pytest.fixture(scope="session")
def stack():
    """All parts, running."""
    # SIGTERM as Ctrl-C, so that everything is taken down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with Stack() as running:
        running.up("kafka", "registry", "postgres", "prometheus")
        yield running
        keep = os.environ.get("STACK_LOGS")
        if keep:
            Path(keep).mkdir(parents=True, exist_ok=True)
            for log in running.dir.glob("*.log"):
                (Path(keep) / log.name).write_bytes(log.read_bytes())


@pytest.fixture(scope="session")
def cluster(stack) -> Cluster:
    return Cluster(stack.brokers, stack.registry_url)


@pytest.fixture(scope="session")
def secure(stack) -> SecureBroker:
    """A second broker, with logins and access rules."""
    return SecureBroker(stack)


@pytest.fixture(scope="session")
def debezium(stack, cluster):
    """Debezium, capturing the shop's tables and those of `types.sql`."""
    stack.psql((Path(__file__).parent / "types.sql").read_text())
    start_debezium(stack, cluster)


@pytest.fixture
def name(request) -> str:
    """A prefix for topics, groups and subjects that no other test uses."""
    whole = request.node.name.removeprefix("test_").replace("_", "-").replace("[", ".").rstrip("]")
    # Cut where a test says much: its parameters would be what is lost.
    return whole if len(whole) <= 60 else f"{whole[:50].strip('-')}-{crc32(whole.encode()):08x}"


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter):
    """The line that `run` ends with."""
    count = {kind: len(terminalreporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    failed = count["failed"] + count["error"]
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    terminalreporter.ensure_newline()
    terminalreporter.write_line(f"{count['passed']} passed, {failed} failed{skipped}")
