"""Secrets are planted wherever one is configured, and everything that can be seen is searched for them: logs in full detail, the admin
endpoint, what commands print, every byte of the output and dead letter topics, and the errors of logins that fail."""

import base64
import hashlib
import hmac
import json

import pytest
from confluent_kafka import Producer

from canaries import Canary, Places
from flow import Flow
from gate import Gate
from kafka import encode
from secure import KEY_PASSPHRASE, MTLS_USER, PASSWORD, USER, Rule, rules_of
from stack import HOST, wait_until
from worker import QUICK_SESSION, Worker, lockgate

REGISTRY_USER, REGISTRY_PASSWORD = "reader", "canary:registry?Xq7/vT9"
TOKEN_KEY = "canary:token-key=4f1c88d2b6e3a790"
CANARIES = (
    Canary("SASL password", PASSWORD),
    Canary("passphrase of the key", KEY_PASSPHRASE),
    Canary("registry password", REGISTRY_PASSWORD),
    Canary("key of tokens", TOKEN_KEY),
)
# What does not let in must not be repeated either.
WRONG = Canary("wrong secret", "canary-wrong-8d13f0a6")


def topology(flow: Flow) -> str:
    return f"""\
id: {flow.name}
vars:
  token_key: {{ type: secret }}
sources:
  - topic: {flow.source}
    envelope: none
    key: string
    value: {{ avro: {flow.source}-value }}
steps:
  - name: sane
    require: event.sequence < 100
  - name: shape
    schema: {flow.output}-value
    from: event
    except: [filler]
    set:
      doubled: event.amount * 2
      filler: tokenize(vars.token_key, event.key) + hex.encode(hash.hmac_sha256(vars.token_key, event.key))
routes:
  - name: out
    kafka: {{ connection: sink, topic: {flow.output}, key: event.key }}
dead_letter: {{ connection: sink, topic: {flow.dead} }}
"""


def environment(secure, gate: Gate) -> dict[str, str]:
    """One secret in a file, one behind a file of another connection, one in the environment, one written out."""

    def properties(of: dict[str, str], **more: str) -> str:
        return ";".join(f"{name}={value}" for name, value in {**of, **more}.items())

    # `all`, `conf` and `security` are refused, as they may write secrets.
    debug = "generic,broker,topic,metadata,protocol,cgrp,admin,eos,consumer"
    return {
        "LOCKGATE__KAFKA__BROKERS": f"{HOST}:{secure.scram}",
        "LOCKGATE__KAFKA__PROPERTIES": f"{QUICK_SESSION};{properties(secure.scram_properties(), debug=debug)}",
        "LOCKGATE__KAFKA__CONNECTIONS__SINK__BROKERS": f"{HOST}:{secure.mtls}",
        "LOCKGATE__KAFKA__CONNECTIONS__SINK__PROPERTIES": properties(secure.mtls_properties(), debug=debug),
        "LOCKGATE__REGISTRY__URL": gate.url,
        "LOCKGATE__REGISTRY__USERNAME": REGISTRY_USER,
        "LOCKGATE__REGISTRY__PASSWORD": REGISTRY_PASSWORD,
        "LOCKGATE__REGISTRY__REGISTER": "true",
        "LOCKGATE__VARS__TOKEN_KEY": "env:TOKEN_KEY",
        "TOKEN_KEY": TOKEN_KEY,
        "LOCKGATE__LOG__FILTER": "trace",
        "LOCKGATE__LOG__PAYLOADS": "true",
    }


@pytest.fixture
def gate(stack):
    with Gate(stack.registry_url, REGISTRY_USER, REGISTRY_PASSWORD) as gate:
        yield gate


@pytest.fixture
def flow(secure, tmp_path, name) -> Flow:
    flow = Flow(secure.cluster, tmp_path, name)
    flow.topology.write_text(topology(flow))
    done = lockgate("describe", str(flow.topology), *flow.arguments(), "--json")
    acls = done.json()["acls"]
    assert acls.keys() == {"main", "sink"}, done
    secure.allow(USER, *rules_of(acls["main"]))
    # Looking at dead letters takes more than writing them.
    secure.allow(MTLS_USER, *rules_of(acls["sink"]), Rule("TOPIC", flow.dead, "READ"))
    return flow


def token_of(key: str) -> str:
    """As `tokenize` and the HMAC of the topology have it, if they use the secret."""
    digest = hmac.new(TOKEN_KEY.encode(), key.encode(), hashlib.sha256)
    return digest.hexdigest()


def write(flow: Flow, note: str):
    """Ten good records, one that breaks a rule, one that is no Avro but a note."""
    producer = Producer(flow.cluster.properties)
    for sequence in [*range(10), 100]:
        value = {"key": "k", "sequence": sequence, "amount": 1, "filler": None}
        producer.produce(flow.source, encode(flow.schema_id, flow.event, value), b"k")
    producer.produce(flow.source, note.encode(), b"poison", headers={"note": note})
    assert producer.flush(20) == 0


def test_secrets_are_nowhere_to_be_seen_and_what_is_planted_on_purpose_is_found_everywhere(stack, secure, gate, flow, tmp_path, name):
    env = environment(secure, gate)
    note = "canary-planted-on-purpose-5b2e"
    write(flow, note)
    places = Places()
    with Worker(stack, flow.topology, name="secrets", arguments=flow.arguments(), env=env) as worker:
        flow.wait_drained(60)
        worker.wait_ready()
        for path in ("/metrics", "/status", "/", "/live", "/ready", "/nowhere"):
            places.add(path, worker.get(path)[1])
        assert worker.terminate() == 0
        places.add("log", worker.log_text())
    # The secrets were in use.
    outputs = secure.cluster.read(flow.output)
    assert len(outputs) == 10 and gate.refused == 0
    for record in outputs:
        assert secure.cluster.decode(record.value)["filler"].endswith(token_of("k"))
    for place, topic in (("outputs", flow.output), ("dead letters", flow.dead)):
        for record in secure.cluster.read(topic):
            headers = [part for header, value in record.headers for part in (header, value)]
            places.add(place, record.key, record.value, *headers)

    (tmp_path / "event.json").write_text(json.dumps({"key": "k", "sequence": 1, "amount": 1, "filler": None}))
    (tmp_path / f"{name}.test.yaml").write_text(
        "cases:\n- {name: one, key: k, value: {key: k, sequence: 1, amount: 1, filler: null}, expect: {deliveries: [{route: wrong}]}}\n"
    )
    paths = (str(flow.topology), *flow.arguments())
    on_sink = ("--topic", flow.dead, "--connection", "sink")
    commands = [
        ("config",),
        ("config", "--json"),
        *(("config", "--client", client, "--connection", at) for client in ("consumer", "producer", "admin", "tool") for at in ("main", "sink")),
        ("config", "--client", "producer", "--connection", "sink", "--json"),
        ("check", *paths),
        ("check", *paths, "--json"),
        *(("describe", *paths, "--format", form) for form in ("text", "mermaid", "json", "markdown")),
        ("test", *paths),
        ("trace", *paths, "--event", str(tmp_path / "event.json"), "--key", '"k"'),
        ("trace", *paths, "--event", str(tmp_path / "event.json"), "--key", '"k"', "--json"),
        ("dlq", "list", *on_sink),
        ("dlq", "list", *on_sink, "--json"),
        ("dlq", "show", *on_sink, "0:0", "0:1"),
        ("dlq", "show", *on_sink, "0:0", "0:1", "--json"),
        ("dlq", "redrive", *paths, "--dry-run"),
        ("dlq", "redrive", *paths, "--json"),
        ("tail", "--topic", flow.source, "--from", "earliest", "--count", "12"),
        ("tail", *on_sink, "--from", "earliest", "--count", "2", "--json"),
    ]
    for words in commands:
        done = lockgate(*words, env={**env, "LOCKGATE__OUTPUTS__CORRELATION_HEADER": note})
        # `test` has a case that fails, so that it shows the event; the dead letters fail again.
        assert done.code == (words[0] == "test" or "redrive" in words), (words, done)
        shown = " ".join(word for word in words if not word.startswith("/"))
        places.add(f"lockgate {shown}", done.out, done.err)

    assert not places.search(*CANARIES)
    # The search finds what is there: in each place something that belongs there.
    planted = [
        Canary("the topology's id", flow.name),
        Canary("the note of a record", note),
        Canary("the key's file", "client.encrypted.key"),
        Canary("the user", USER),
        Canary("the page's title", "<title>Lockgate</title>"),
        Canary("an answer of a probe", "live\n"),
        Canary("an answer of a probe", "ready\n"),
        Canary("what there is", "there are /, /live"),
        Canary("the summary of a check", "1 topology"),
        Canary("no faults", '"faults":[]'),
        Canary("a mapped field", "doubled"),
        Canary("a case", "one"),
        Canary("an account", "redriven"),
        Canary("the brokers", f"{HOST}:{secure.scram}"),
        Canary("the brokers", f"{HOST}:{secure.mtls}"),
    ]
    found = places.search(*planted)
    assert found.keys() == places.seen.keys(), places.seen.keys() - found.keys()
    for place in ("log", "dead letters", "lockgate config", f"lockgate dlq show --topic {flow.dead} --connection sink 0:0 0:1"):
        assert any("the note" in what for what in found[place]), place


@pytest.mark.parametrize(
    "broken, named",
    [
        # What is changed in the environment, and what the error must speak of.
        ({"sasl.password": WRONG.text}, "authentication"),
        ({"LOCKGATE__REGISTRY__PASSWORD": WRONG.text}, "401"),
        ({"ssl.key.password": WRONG.text}, "ssl.key"),
        ({"LOCKGATE__VARS__TOKEN_KEY": WRONG.text}, "token_key"),
    ],
    ids=["sasl", "registry", "passphrase", "inline-key"],
)
def test_the_error_of_a_login_that_fails_repeats_no_secret(stack, secure, gate, flow, broken, named):
    env = environment(secure, gate)
    for key, value in broken.items():
        if key.startswith("LOCKGATE__"):
            env[key] = value
            continue
        for variable, text in env.items():
            if f"{key}=" in text:
                before, after = text.split(f"{key}=")
                env[variable] = before + f"{key}={value}" + after[after.index(";") :]
    write(flow, "note")
    places = Places()
    with Worker(stack, flow.topology, name="refused", arguments=flow.arguments(), env=env) as worker:

        def is_told():
            return named in (worker.log_text() + worker.get("/status")[1]).lower()

        wait_until(f"the worker says {named}", is_told, 30)
        for path in ("/metrics", "/status", "/ready"):
            places.add(path, worker.get(path)[1])
        if worker.is_alive():
            worker.terminate()
        places.add("log", worker.log_text())
    for words in (
        ("tail", "--topic", flow.source, "--from", "earliest", "--count", "1"),
        ("dlq", "list", "--topic", flow.dead, "--connection", "sink"),
        ("dlq", "redrive", str(flow.topology), *flow.arguments()),
        ("config",),
    ):
        done = lockgate(*words, env=env, seconds=120)
        places.add(" ".join(words), done.out, done.err)
    assert not places.search(*CANARIES, WRONG)
    assert places.search(Canary("the topology's id", flow.name))["log"]


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"abc", b"reader:"])
def test_a_secret_is_found_in_every_form(before):
    secret = Canary("secret", "canary:registry?Xq7/vT9")
    raw = secret.text.encode()
    forms = [raw, raw.hex().encode(), raw.hex().upper().encode(), b"canary%3Aregistry%3FXq7%2FvT9"]
    forms += [encode(before + raw + b"after") for encode in (base64.b64encode, base64.urlsafe_b64encode)]
    for form in forms:
        places = Places()
        places.add("log", b"before " + before + form + b" after")
        assert places.search(secret), form
        places.seen["log"] = [places.seen["log"][0].replace(form[3:-3], b"")]
        assert not places.search(secret), form
