"""`lockgate schema` and a real registry: what is listed, registered, refused and compared."""

import json
import urllib.request

from flow import EVENT, MAPPED
from worker import lockgate

TOPOLOGY = """\
id: {name}
sources:
  - topic: {name}
    envelope: none
    key: string
    value: {{ avro: event, subject: {name}-value }}
steps:
  - name: shape
    schema: mapped
    from: event
    subject: {name}.out-value
    set:
      doubled: event.amount * 2
routes:
  - name: out
    kafka: {{ topic: {name}.out, key: event.key }}
dead_letter: {{ topic: {name}.dlq }}
"""


def set_level(stack, subject: str, level: str):
    """Sets the compatibility level of a subject, by plain HTTP."""
    request = urllib.request.Request(
        f"{stack.registry_url}/config/{subject}",
        data=json.dumps({"compatibility": level}).encode(),
        method="PUT",
        headers={"Content-Type": "application/vnd.schemaregistry.v1+json"},
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def without(schema: dict, name: str) -> dict:
    return {**schema, "fields": [field for field in schema["fields"] if field["name"] != name]}


def test_an_operator_lists_registers_and_compares(stack, cluster, name, tmp_path):
    (tmp_path / "avro").mkdir()
    (tmp_path / "avro" / "event.avsc").write_text(json.dumps(EVENT))
    (tmp_path / "avro" / "mapped.avsc").write_text(json.dumps(MAPPED))
    (tmp_path / "flow.yaml").write_text(TOPOLOGY.format(name=name))

    def run(*words, register=False):
        env = {"LOCKGATE__REGISTRY__URL": stack.registry_url, "LOCKGATE__REGISTRY__REGISTER": str(register).lower()}
        return lockgate("schema", *words, env=env, cwd=tmp_path)

    def compare(**more):
        done = run("compare", "flow.yaml", "--json", **more)
        found = done.json()["schemas"]
        return done.code, [(one["role"], one["state"], one["trouble"] is None) for one in found], found

    # Nothing is there.
    assert compare()[:2] == (1, [("value", "missing", False), ("output", "missing", False)])
    # Somebody else's client writes the source's schema, the operator the output's.
    cluster.register(f"{name}-value", EVENT)
    assert compare(register=True)[:2] == (0, [("value", "same", True), ("output", "missing", True)])
    dry = run("register", f"{name}.out-value", "avro/mapped.avsc", "--dry-run")
    assert dry.code == 0 and "would be its first version" in dry.out, dry
    assert not cluster.has_subject(f"{name}.out-value")
    done = run("register", f"{name}.out-value", "avro/mapped.avsc", "--json")
    assert done.code == 0 and done.json()["outcome"] == "registered" and done.json()["version"] == 1, done
    assert done.json()["id"] == cluster.register(f"{name}.out-value", MAPPED)
    again = run("register", f"{name}.out-value", "avro/mapped.avsc", "--json")
    assert again.json() == {**done.json(), "outcome": "known"}
    assert compare()[:2] == (0, [("value", "same", True), ("output", "same", True)])

    # The lists.
    set_level(stack, f"{name}.out-value", "FULL")
    listed = {one["subject"]: one for one in run("list", "--json").json()["subjects"]}
    assert listed[f"{name}.out-value"]["versions"] == [1]
    assert listed[f"{name}.out-value"]["id"] == done.json()["id"]
    assert listed[f"{name}.out-value"]["compatibility"] == "FULL"
    assert listed[f"{name}-value"]["compatibility"] is not None
    one = run("list", "--subject", f"{name}-value").out
    assert one.startswith(f"{name}-value: compatibility "), one
    assert run("list", "--subject", f"{name}-valeu").code == 1

    # The registry refuses, asked or told; Apicurio gives no reasons in its verdict.
    narrower = without(MAPPED, "doubled")
    (tmp_path / "narrower.avsc").write_text(json.dumps(narrower))
    dry = run("register", f"{name}.out-value", "narrower.avsc", "--dry-run", "--json")
    assert dry.code == 1 and dry.json()["outcome"] == "would_be_refused", dry
    refused = run("register", f"{name}.out-value", "narrower.avsc")
    assert refused.code == 1 and "409" in refused.err, refused
    assert run("list", "--subject", f"{name}.out-value", "--json").json()["versions"] == [
        {"version": 1, "id": done.json()["id"], "type": "AVRO"}
    ]

    # The producer's schema loses a field that the topology reads: a worker would stop.
    set_level(stack, f"{name}-value", "NONE")
    cluster.register(f"{name}-value", without(EVENT, "amount"))
    code, states, found = compare()
    assert (code, states) == (1, [("value", "differs", False), ("output", "same", True)])
    assert found[0]["difference"] == ["field amount removed"] and found[0]["version"] == 2, found[0]
