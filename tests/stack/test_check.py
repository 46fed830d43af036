"""`check` names every fault of a folder at once, offline."""

import json

from flow import EVENT, MAPPED
from worker import lockgate

SOUND = """\
id: {id}
sources:
  - topic: events
    envelope: none
    key: string
    value: {{ avro: event }}
steps:
  - name: live
    keep: event.sequence >= 0
  - name: shape
    schema: mapped
    from: event
    set:
      doubled: event.amount * 2
routes:
  - name: out
    when: out.doubled > 0
    kafka: {{ topic: mapped, key: event.key }}
unmatched: drop
dead_letter: {{ topic: events.dlq }}
"""

#: What is planted, and a word that the fault must contain.
FAULTS = {
    "wrong-key": ("envelope: none", "envelop: none", "envelop"),
    "wrong-word": ("envelope: none", "envelope: nope", "nope"),
    "no-schema": ("{ avro: event }", "{ avro: evnt }", "evnt"),
    "no-field": ("event.amount * 2", "event.amuont * 2", "amuont"),
    "wrong-type": ("event.sequence >= 0", "event.key >= 0", "string"),
    "not-bool": ("when: out.doubled > 0", "when: out.doubled", "condition"),
    "syntax": ("event.amount * 2", "event.amount * * 2", "*"),
    "nullable": ("event.amount * 2", "event.filler.size()", "null"),
    "no-dead-letter": ("dead_letter: {{ topic: events.dlq }}\n", "", "dead_letter"),
    "no-output-field": ("doubled: event.amount * 2", "tripled: event.amount * 3", "tripled"),
}


def test_ten_planted_faults_are_all_named_in_one_run_offline(tmp_path):
    (tmp_path / "avro").mkdir()
    (tmp_path / "avro" / "event.avsc").write_text(json.dumps(EVENT))
    (tmp_path / "avro" / "mapped.avsc").write_text(json.dumps(MAPPED))
    topologies = tmp_path / "topologies"
    topologies.mkdir()
    (topologies / "sound.yaml").write_text(SOUND.format(id="sound"))
    for name, (right, wrong, _) in FAULTS.items():
        right = right.replace("{ avro", "{{ avro").replace(" }", " }}") if "avro" in right else right
        wrong = wrong.replace("{ avro", "{{ avro").replace(" }", " }}") if "avro" in wrong else wrong
        assert right in SOUND, name
        (topologies / f"{name}.yaml").write_text(SOUND.replace(right, wrong, 1).format(id=name))
    # No broker, no registry: nothing answers where these point.
    nowhere = {"LOCKGATE__KAFKA__BROKERS": "127.0.0.1:1", "LOCKGATE__REGISTRY__URL": "http://127.0.0.1:1"}
    done = lockgate("check", topologies, "--avro", tmp_path / "avro", "--json", env=nowhere)
    assert done.code == 64, (done.code, done.out, done.err)
    faults = done.json()["faults"]
    for name, (_, _, word) in FAULTS.items():
        found = [fault for fault in faults if fault["file"].endswith(f"{name}.yaml")]
        assert any(word in fault["message"] + (fault["help"] or "") for fault in found), f"{name}: {found}"
        assert all(fault["line"] >= 1 and fault["column"] >= 1 for fault in found)
    assert not [fault for fault in faults if fault["file"].endswith("sound.yaml")]
    people = lockgate("check", topologies, "--avro", tmp_path / "avro", env=nowhere)
    assert people.code == 64
    assert all(f"{name}.yaml:" in people.out + people.err for name in FAULTS)
