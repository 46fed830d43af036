"""The real stack on loopback, without a container engine: Apache Kafka, a schema registry, PostgreSQL, Kafka Connect with
Debezium, Prometheus. Every part is a process of its own that can be killed, frozen, thawed and started again on its data.

`python3 lib/stack.py up` starts everything and waits for Ctrl-C: a stack to try things on by hand.

Environment: STACK_CACHE (downloaded parts, default ~/.cache/lockgate-stack), STACK_BASE (added to every port, default 0, at most
13000: above lies the ephemeral range of ports, where a broker now and then fails to come back).
"""

import glob
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

CACHE = Path(os.environ.get("STACK_CACHE", Path.home() / ".cache" / "lockgate-stack"))
BASE = int(os.environ.get("STACK_BASE", "0"))
HOST = "127.0.0.1"
JAVA = ["java", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
# Any 16 bytes do; a fixed one lets a broker start again on its data.
CLUSTER_ID = "AAAAAAAAQACAAAAAAAAAAA"


def port(number: int) -> int:
    return number + BASE


def is_open(number: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((HOST, number)) == 0


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as reply:
            return reply.status == 200
    except (OSError, urllib.error.URLError):
        return False


def wait_until(what: str, condition: Callable[[], object], seconds: float, pause: float = 0.1):
    """Waits for `condition` to be true and returns its value; an error that names `what` otherwise."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise TimeoutError(f"not within {seconds:g} s: {what}")
        time.sleep(pause)


@dataclass
class Part:
    """One process of the stack."""

    name: str
    command: list[str]
    log: Path
    ready: Callable[[], bool]
    ready_seconds: float = 90.0
    stop_signal: int = signal.SIGTERM
    env: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    def is_alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def spawn(self):
        """Starts the process. Must run in the main thread: the kernel signals a child when the *thread* that made it ends."""
        assert not self.is_alive(), f"{self.name} runs already"
        if self.ready():
            raise RuntimeError(f"something else answers where {self.name} should: end it, or set STACK_BASE")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                # When the tests die, however, the part dies too.
                ["setpriv", "--pdeathsig", "KILL", *self.command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
                env={**os.environ, **self.env},
            )

    def wait_ready(self):
        def check():
            if not self.is_alive():
                raise RuntimeError(f"{self.name} ended while it started:\n{self.tail()}")
            return self.ready()

        try:
            wait_until(f"{self.name} answers", check, self.ready_seconds)
        except TimeoutError as error:
            raise TimeoutError(f"{error}\n{self.tail()}") from None

    def start(self):
        self.spawn()
        self.wait_ready()

    def kill(self):
        """SIGKILL, as a crash would."""
        if self.is_alive():
            self.process.kill()
            self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self):
        self.process.send_signal(signal.SIGCONT)

    def stop(self, seconds: float = 10.0):
        """Asks the process to end, and ends it if it does not."""
        if not self.is_alive():
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(self.stop_signal)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def tail(self, lines: int = 25) -> str:
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def write_properties(path: Path, values: dict[str, object]):
    path.write_text("".join(f"{key}={value}\n" for key, value in values.items()))


class Stack:
    """All parts, their addresses, and the folder that holds their data. `with Stack() as stack:` leaves nothing behind."""

    def __init__(self):
        if BASE > 13000:
            raise SystemExit(f"STACK_BASE is {BASE}: at most 13000, above lies the ephemeral range of ports")
        self.dir = Path(tempfile.mkdtemp(prefix="lockgate-stack-"))
        # PostgreSQL runs as another user and must reach its folder.
        self.dir.chmod(0o711)
        self.brokers = f"{HOST}:{port(19092)}"
        self.registry_url = f"http://{HOST}:{port(18081)}/apis/ccompat/v7"
        self.connect_url = f"http://{HOST}:{port(18083)}"
        self.prometheus_url = f"http://{HOST}:{port(19090)}"
        self.parts: dict[str, Part] = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.down()

    def down(self):
        # In the opposite order of their start: Connect before the broker it talks to.
        for part in reversed(self.parts.values()):
            if part.is_alive():
                part.process.send_signal(signal.SIGCONT)
                part.process.send_signal(part.stop_signal)
        for part in reversed(self.parts.values()):
            part.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def up(self, *names: str):
        """Makes and starts the parts of these names, side by side, and waits until each answers."""
        made = [self._make(name) for name in names if name not in self.parts]
        for part in made:
            self.parts[part.name] = part
            part.spawn()
        for part in made:
            part.wait_ready()
        if "postgres" in names:
            self._make_database()

    def _make(self, name: str) -> Part:
        return {
            "kafka": self._kafka,
            "registry": self._registry,
            "postgres": self._postgres,
            "connect": self._connect,
            "prometheus": self._prometheus,
        }[name]()

    def _part(self, name: str, command: list[str], ready: Callable[[], bool], **more) -> Part:
        return Part(name, command, self.dir / f"{name}.log", ready, **more)

    # === Apache Kafka ===

    def kafka_command(self, name: str, properties: dict[str, object], format_arguments: list[str] = ()) -> list[str]:
        """Writes a broker's properties, formats its data folder, and returns the command that runs it."""
        file = self.dir / f"{name}.properties"
        write_properties(file, {"log.dirs": self.dir / name, **properties})
        subprocess.run(
            [*JAVA, "-cp", f"{CACHE}/kafka/*", "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(file), *format_arguments],
            check=True,
            capture_output=True,
        )
        return [*JAVA, "-Xmx512m", "-cp", f"{CACHE}/kafka/*", f"-Dlog4j2.configurationFile={self._log4j()}", "kafka.Kafka", str(file)]

    def kafka_tool(self, name: str, *words: str):
        """Runs one of Kafka's own command line tools, by the name of its class."""
        done = subprocess.run([*JAVA, "-cp", f"{CACHE}/kafka/*", name, *words], capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: {done.stdout}{done.stderr}")

    def broker_defaults(self, node_port: int) -> dict[str, object]:
        """One broker that is its own controller, with everything replicated once."""
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@{HOST}:{node_port + 1}",
            "controller.listener.names": "CONTROLLER",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 8,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.num.partitions": 8,
            "transaction.state.log.min.isr": 1,
            "share.coordinator.state.topic.replication.factor": 1,
            "share.coordinator.state.topic.min.isr": 1,
            "default.replication.factor": 1,
            "min.insync.replicas": 1,
            "group.initial.rebalance.delay.ms": 0,
            "auto.create.topics.enable": "false",
        }

    def _kafka(self) -> Part:
        node = port(19092)
        properties = {
            **self.broker_defaults(node),
            "listeners": f"PLAINTEXT://{HOST}:{node},CONTROLLER://{HOST}:{node + 1}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{node}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        }
        return self._part("kafka", self.kafka_command("kafka", properties), lambda: is_open(node))

    def _log4j(self) -> Path:
        file = self.dir / "log4j2.yaml"
        file.write_text(
            'Configuration: {status: warn, Appenders: {Console: {name: out, PatternLayout: {pattern: "%d %p %c{1} %m%n"}}},'
            " Loggers: {Root: {level: warn, AppenderRef: {ref: out}}}}\n"
        )
        return file

    # === the schema registry ===

    def _registry(self) -> Part:
        jar = next((CACHE / "registry").glob("apicurio-registry-app-*-runner.jar"))
        number = port(18081)
        command = [
            *JAVA,
            "-Xmx400m",
            f"-Dquarkus.http.port={number}",
            f"-Dquarkus.http.host={HOST}",
            # In a file, so that the schemas survive a kill.
            f"-Dquarkus.datasource.jdbc.url=jdbc:h2:file:{self.dir}/registry;DB_CLOSE_ON_EXIT=FALSE",
            "-jar",
            str(jar),
        ]
        return self._part("registry", command, lambda: answers(f"{self.registry_url}/subjects"))

    # === PostgreSQL ===

    def _postgres(self) -> Part:
        folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
        if not folders:
            raise SystemExit("no PostgreSQL server is installed: apt-get install postgresql")
        programs, data, number = folders[-1], self.dir / "postgres", port(15432)
        data.mkdir()
        # PostgreSQL refuses to run as root.
        other_user = []
        if os.geteuid() == 0:
            shutil.chown(data, "postgres")
            other_user = ["setpriv", "--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "KILL"]
        subprocess.run(
            [*other_user, f"{programs}/initdb", "-D", str(data), "-U", "shop", "--auth=trust", "-E", "UTF8"],
            check=True,
            capture_output=True,
            cwd="/",
        )
        command = [*other_user, f"{programs}/postgres", "-D", str(data), "-p", str(number), "-k", str(data), "-h", HOST]
        command += ["-c", "wal_level=logical", "-c", "max_replication_slots=8", "-c", "fsync=off"]
        ready = [f"{programs}/pg_isready", "-q", "-h", HOST, "-p", str(number)]
        return self._part(
            "postgres", command, lambda: subprocess.run(ready).returncode == 0, stop_signal=signal.SIGINT, ready_seconds=30.0
        )

    def _make_database(self):
        self.psql("create database shop", database="postgres")
        self.psql((Path(__file__).parent.parent / "shop.sql").read_text())

    def psql(self, sql: str, database: str = "shop") -> str:
        """Runs SQL with the `psql` program; unaligned rows, columns apart by `|`."""
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", HOST, "-p", str(port(15432)), "-U", "shop", "-d", database]
        done = subprocess.run(command, input=sql, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"psql: {done.stderr.strip()}\n{sql}")
        return done.stdout.rstrip("\n")

    # === Kafka Connect with Debezium ===

    def _connect(self) -> Part:
        file = self.dir / "connect.properties"
        values: dict[str, object] = {
            "bootstrap.servers": self.brokers,
            "listeners": f"http://{HOST}:{port(18083)}",
            "group.id": "stack-connect",
            "offset.storage.partitions": 1,
            "status.storage.partitions": 1,
            "offset.flush.interval.ms": 1000,
            "plugin.path": CACHE / "plugins",
            "plugin.discovery": "hybrid_warn",
        }
        for topic in ("config", "offset", "status"):
            values[f"{topic}.storage.topic"] = f"stack-connect-{topic}"
            values[f"{topic}.storage.replication.factor"] = 1
        for side in ("key", "value"):
            values[f"{side}.converter"] = "io.apicurio.registry.utils.converter.AvroConverter"
            values[f"{side}.converter.schemas.enable"] = "false"
            settings = {
                "url": f"http://{HOST}:{port(18081)}/apis/registry/v2",
                "auto-register": "true",
                "as-confluent": "true",
                "use-id": "contentId",
                # Without these two the schema id travels in a header and the value has no five-byte frame.
                "headers.enabled": "false",
                "id-handler": "io.apicurio.registry.serde.Legacy4ByteIdHandler",
            }
            for name, value in settings.items():
                values[f"{side}.converter.apicurio.registry.{name}"] = value
        write_properties(file, values)
        command = [*JAVA, "-Xmx700m", "-cp", f"{CACHE}/kafka/*", f"-Dlog4j2.configurationFile={self._log4j()}"]
        command += ["org.apache.kafka.connect.cli.ConnectDistributed", str(file)]
        return self._part("connect", command, lambda: answers(f"{self.connect_url}/connectors"), ready_seconds=120.0)

    # === Prometheus ===

    def _prometheus(self) -> Part:
        folder = self.dir / "prometheus"
        folder.mkdir()
        (folder / "targets.json").write_text("[]")
        (folder / "rules").mkdir()
        file = folder / "prometheus.yml"
        # Seconds instead of the usual quarters of a minute: the tests wait for what it sees.
        file.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{folder}/rules/*.yml']\n"
            "scrape_configs:\n"
            f"- {{job_name: lockgate, file_sd_configs: [{{files: ['{folder}/targets.json'], refresh_interval: 1s}}]}}\n"
        )
        command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder}/data", "--web.enable-lifecycle"]
        command += [f"--web.listen-address={HOST}:{port(19090)}", "--log.level=warn"]
        return self._part("prometheus", command, lambda: answers(f"{self.prometheus_url}/-/ready"), ready_seconds=30.0)


if __name__ == "__main__":
    if sys.argv[1:] != ["up"]:
        raise SystemExit(__doc__)
    # SIGTERM as Ctrl-C, so that `with` takes everything down.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with Stack() as stack:
        stack.up("kafka", "registry", "postgres")
        stack.up("connect", "prometheus")
        print(f"brokers {stack.brokers}\nregistry {stack.registry_url}\nconnect {stack.connect_url}")
        print(f"prometheus {stack.prometheus_url}\npostgres {HOST}:{port(15432)} user shop, database shop\ndata {stack.dir}", flush=True)
        try:
            signal.pause()
        except KeyboardInterrupt:
            pass
