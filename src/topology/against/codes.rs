//! The kinds of changes, in a table: what each breaks for whom, and what to do. `docs/ERRORS.md` is made from it.

/// Whether a change breaks somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Somebody must do something, or loses something. Exit 1.
    Break,
    /// Worth knowing.
    Change,
}

impl Severity {
    /// The name in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Break => "break",
            Severity::Change => "change",
        }
    }
}

/// A kind of change.
#[derive(Debug)]
pub struct Code {
    /// Stable code.
    pub code: &'static str,
    /// Whether it breaks somebody.
    pub severity: Severity,
    /// What it breaks, for whom.
    pub consequence: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn breaks(code: &'static str, consequence: &'static str, remedy: &'static str) -> Code {
    Code {
        code,
        severity: Severity::Break,
        consequence,
        remedy,
    }
}

const fn changes(code: &'static str, consequence: &'static str, remedy: &'static str) -> Code {
    Code {
        code,
        severity: Severity::Change,
        consequence,
        remedy,
    }
}

/// All kinds.
pub static FINDINGS: &[Code] = &[
    breaks(
        "id_renamed",
        "The id is the consumer group: the positions stay with the old one, and the new one begins at `start_from`. Everything is sent \
         again, or what came in between is skipped.",
        "Keep the id; or give the new group the old one's offsets before the start (`kafka-consumer-groups --reset-offsets`).",
    ),
    breaks(
        "topology_removed",
        "Consumers of its outputs get nothing more.",
        "Tell them; delete the consumer group when it is over.",
    ),
    changes(
        "topology_added",
        "It begins at `start_from` of its sources.",
        "Create its topics; `lockgate describe` lists them and the ACLs.",
    ),
    breaks(
        "source_removed",
        "Records of the topic are not processed any more: their events are missing downstream.",
        "Make sure that another topology processes them.",
    ),
    changes(
        "source_added",
        "The group has no position in the topic: its records are processed from `start_from` on.",
        "Choose `start_from` for the topic.",
    ),
    breaks(
        "source_changed",
        "Records that the earlier version understood are read otherwise, or dead-lettered.",
        "Make sure that the topic holds no records of the other kind when the new version starts.",
    ),
    changes(
        "start_from_changed",
        "It counts for a group without positions only: for a running one, nothing changes.",
        "Nothing, unless the group is new.",
    ),
    breaks(
        "delivery_changed",
        "The promise about repetition is another one: consumers may see records twice that they saw once.",
        "Make sure that consumers bear it.",
    ),
    breaks(
        "ordering_weakened",
        "Records may overtake each other that kept their order so far.",
        "Make sure that no consumer relies on the order.",
    ),
    changes(
        "ordering_strengthened",
        "Nobody is broken; throughput may be lower.",
        "Watch the lag.",
    ),
    breaks(
        "dead_letter_changed",
        "New dead letters go to another topic: alerts and redrives on the old one see nothing.",
        "Move alerts and habits to the new topic; redrive what is left in the old one.",
    ),
    breaks(
        "connection_changed",
        "Records are read from, or sent to, another cluster.",
        "Positions do not move with it: see that the group has its offsets there, and that consumers read there.",
    ),
    breaks(
        "replica_identity_changed",
        "What `event.before` holds is promised by the table's REPLICA IDENTITY: where the table does not keep the promise, columns are \
         read as zeros and blanks.",
        "Change the table first (`ALTER TABLE … REPLICA IDENTITY …`), and let older records drain.",
    ),
    breaks(
        "filter_changed",
        "Consumers get records that were filtered or dead-lettered before, or miss some that they got.",
        "Make sure that this is meant, and tell consumers.",
    ),
    breaks(
        "route_removed",
        "Consumers of its topic get nothing more from it.",
        "Tell them; keep the route until they have moved.",
    ),
    changes(
        "route_added",
        "There is one more output.",
        "Create the topic; `lockgate describe` lists the ACLs.",
    ),
    breaks(
        "topic_changed",
        "Consumers of the old topic get nothing more, those of the new one begin in the middle.",
        "Let both routes run until consumers have moved.",
    ),
    breaks(
        "key_changed",
        "Records of one thing lie in another partition than before: their order breaks at the change, and compaction does not replace \
         those under the old key.",
        "Write to a new topic, or drain consumers before the change and rebuild what compacts.",
    ),
    breaks(
        "cleared",
        "Data that was kept from the topic may go there now: personal data, where it is cleared for it.",
        "Make sure that everybody who reads the topic may see it.",
    ),
    breaks(
        "output_schema_changed",
        "Values carry a schema of another subject: consumers that expect the old record cannot read them.",
        "Write to a new topic.",
    ),
    breaks(
        "output_unreadable",
        "Consumers that read with the earlier schema fail on the new values.",
        "Add what they need (a default, an alias), or move them to the new schema first.",
    ),
    breaks(
        "field_removed",
        "Consumers that use the field get their schema's default, or fail.",
        "Keep the field until nobody uses it.",
    ),
    changes(
        "field_added",
        "Consumers see it when they take the new schema.",
        "Nothing.",
    ),
    changes(
        "field_type_changed",
        "Consumers that read with the earlier schema can read the new values.",
        "Tell those that compile the schema in.",
    ),
    changes(
        "field_origin_changed",
        "The field has the same name and type, and another value.",
        "Make sure that this is meant: no schema tells consumers.",
    ),
    breaks(
        "header_removed",
        "Consumers that use the header miss it.",
        "Keep it until nobody uses it.",
    ),
    changes(
        "header_changed",
        "The header has another value.",
        "Make sure that this is meant.",
    ),
    changes("header_added", "There is one more header.", "Nothing."),
    breaks(
        "schema_incompatible",
        "Whoever has the one version cannot read data of the other.",
        "Give new fields a default, keep what others need, widen types only; or write to a new topic.",
    ),
    breaks(
        "schema_meaning_changed",
        "Avro reads it without complaint, and the values mean something else: another scale, another unit, another kind of time.",
        "Add a field of the new meaning beside the old one.",
    ),
    changes(
        "schema_removed",
        "Its versions stay in the registry; nothing here checks them any more.",
        "Nothing, if no topology or consumer uses it.",
    ),
    changes(
        "schema_added",
        "It has no earlier version to break.",
        "Nothing.",
    ),
    breaks(
        "not_compared",
        "This version of the program refuses the file, so that what changed in it is not known: it may break anybody.",
        "Mend what the message says, in a copy of the earlier version if need be, and compare with that; or review it by eye.",
    ),
];
