//! Every code that an operator can meet, in tables: faults of `check`, reasons of dead letters, reasons of pauses.
//! `docs/ERRORS.md` is made from them.

/// A fault that `lockgate check` and `lockgate test` report.
#[derive(Debug)]
pub struct FaultCode {
    /// The code.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

/// A reason why a record was dead-lettered.
#[derive(Debug)]
pub struct ReasonCode {
    /// The code: header `lockgate.dlq.reason`, label `reason`.
    pub code: &'static str,
    /// What it means.
    pub meaning: &'static str,
    /// What to do before the record is redriven.
    pub remedy: &'static str,
    /// Whether a rule of the topology judged it: such records do not count for the poison share.
    pub declared: bool,
}

/// A reason why a partition waits. Nothing is lost, and nothing of it is dead-lettered.
#[derive(Debug)]
pub struct PauseCode {
    /// The code: label `reason` of `lockgate_paused`, `paused` of `/status`.
    pub code: &'static str,
    /// What it means, and by what it ends.
    pub meaning: &'static str,
    /// What to do.
    pub remedy: &'static str,
}

const fn fault(code: &'static str, meaning: &'static str, remedy: &'static str) -> FaultCode {
    FaultCode {
        code,
        meaning,
        remedy,
    }
}

const fn reason(code: &'static str, meaning: &'static str, remedy: &'static str) -> ReasonCode {
    ReasonCode {
        code,
        meaning,
        remedy,
        declared: false,
    }
}

const fn rule(code: &'static str, meaning: &'static str, remedy: &'static str) -> ReasonCode {
    ReasonCode {
        code,
        meaning,
        remedy,
        declared: true,
    }
}

const fn pause(code: &'static str, meaning: &'static str, remedy: &'static str) -> PauseCode {
    PauseCode {
        code,
        meaning,
        remedy,
    }
}

/// Faults of topology files, test cases and expressions.
pub static FAULTS: &[FaultCode] = &[
    fault(
        "file_unreadable",
        "A file could not be read, or is not UTF-8.",
        "Check the path and its permissions; save it as UTF-8.",
    ),
    fault(
        "no_topology",
        "A folder holds no topology.",
        "Topologies are files named `*.yaml`; `*.test.yaml` are test cases.",
    ),
    fault(
        "yaml_syntax",
        "The text is not YAML.",
        "Check the indentation, and quote values that hold `: ` or ` #`.",
    ),
    fault(
        "yaml_quote",
        "YAML does not read an expression as one value: it begins with a quote, or holds `: ` or a brace.",
        "Quote the whole expression, as the help shows.",
    ),
    fault(
        "yaml_tag",
        "A value begins with `!`, which YAML reads as a tag.",
        "Quote the whole expression, as the help shows.",
    ),
    fault(
        "yaml_limit",
        "The file is too large, too deep, or its aliases multiply.",
        "Make several files of it; write values out. A topology has at most 1 MiB and 50 000 values, a file of test cases or of a table 16 MiB and 2 000 000.",
    ),
    fault(
        "yaml_documents",
        "The file holds no YAML document, or more than one.",
        "One topology per file.",
    ),
    fault(
        "unknown_key",
        "A key that does not exist here.",
        "Correct the spelling; the help names the nearest key.",
    ),
    fault(
        "duplicate_key",
        "A key stands twice in one mapping.",
        "Remove one of them.",
    ),
    fault(
        "missing_key",
        "A key that must be there is not.",
        "Add it, as the help shows.",
    ),
    fault(
        "conflicting_keys",
        "Keys that exclude each other, or a key without the one that it belongs to.",
        "Remove one, or make two steps of it.",
    ),
    fault(
        "wrong_type",
        "A list, a mapping or a single value stands where another of them belongs.",
        "Write it as the help shows.",
    ),
    fault(
        "wrong_value",
        "A word that this key does not have.",
        "Write one of the words that the message lists.",
    ),
    fault(
        "bad_name",
        "A name with characters that it cannot have, or one that is reserved.",
        "Letters, digits, `_`, `-` and `.`, beginning with a letter or digit.",
    ),
    fault(
        "not_available",
        "Something that this version does not have.",
        "Use what the help names.",
    ),
    fault(
        "var_missing",
        "A variable has neither a default nor a value in the configuration.",
        "Add a `default`, or set `vars.NAME` in the configuration.",
    ),
    fault(
        "var_type",
        "The value of a variable is not of its type.",
        "Correct the value, in the topology or in the configuration.",
    ),
    fault(
        "not_constant",
        "A text that must be the same for all records depends on the record.",
        "Write `${vars.NAME}` or the text itself.",
    ),
    fault(
        "bad_topic",
        "Not a name that Kafka allows for a topic.",
        "Letters, digits, `.`, `_` and `-`, at most 249.",
    ),
    fault(
        "schema_missing",
        "No file of that name in the folder of Avro schemas.",
        "Correct the name, add `NAME.avsc`, or name the folder with `--avro`.",
    ),
    fault(
        "schema_invalid",
        "The schema file is not a valid Avro schema.",
        "Mend the schema.",
    ),
    fault(
        "schema_not_record",
        "A mapping needs a record, the schema is something else.",
        "Name the schema of a record.",
    ),
    fault(
        "envelope_mismatch",
        "`envelope: debezium`, but the schema is no such envelope.",
        "Name the schema of the envelope, or write `envelope: none` for flattened events.",
    ),
    fault(
        "duplicate_id",
        "Two topologies have the same `id`, hence the same consumer group.",
        "Give each its own.",
    ),
    fault(
        "duplicate_name",
        "Two steps, two routes or two test cases have the same name, or a step has the name of a built-in one.",
        "Choose another name.",
    ),
    fault(
        "duplicate_source",
        "A topic stands twice under `sources`.",
        "Remove one of them.",
    ),
    fault(
        "topic_loop",
        "A route writes to a topic that the same topology reads.",
        "Write to another topic.",
    ),
    fault(
        "topic_ring",
        "Topologies feed each other in a ring: what one writes comes back to it, over others. A warning.",
        "Write to another topic, or make sure that a condition ends the ring.",
    ),
    fault(
        "dead_letter_topic",
        "The dead letter topic is also a source, or the target of a route.",
        "Give the dead letters a topic of their own.",
    ),
    fault(
        "unreachable_route",
        "Nothing takes a route: with `match: first` it stands behind one without a condition (an error), or the schema and the conditions before decide that no event gets there (a warning).",
        "Put it first, write `match: all`, or correct the condition.",
    ),
    fault(
        "too_many_routes",
        "More routes than a record's deliveries are numbered for.",
        "Split the topology.",
    ),
    fault(
        "topics_missing",
        "The topic depends on the event, and no `topics` lists what it can be.",
        "Add `topics`.",
    ),
    fault(
        "tombstone_route",
        "`tombstones: forward`, but every route needs the event.",
        "Give one route a key from `meta.key` and no condition on the event, or write `tombstones: drop`.",
    ),
    fault(
        "unknown_field",
        "A field that the schema does not have.",
        "Correct the name; the help names the nearest one.",
    ),
    fault(
        "from_unknown",
        "`from` is not a record of this event.",
        "Write one of the records that the help lists.",
    ),
    fault(
        "field_missing",
        "A field of the output gets no value and has no default.",
        "Add it under `set`, or give it a default in the schema.",
    ),
    fault(
        "may_be_null",
        "Something that can be null goes into a field that cannot.",
        "Test it for null, keep only events where it is not null, or make the field nullable.",
    ),
    fault(
        "left_out",
        "Under `unavailable: optional`, a column that Debezium leaves out of updates which do not touch it is used as data, as a part of its row, or compared with null.",
        "Say what stands for it: `x.orValue(…)`; or ask whether it is there: `x.hasValue()`, `has(x)`.",
    ),
    fault(
        "wrong_field_type",
        "A value does not fit the type of its field.",
        "Convert it, or change the schema.",
    ),
    fault(
        "can_fail",
        "A part of an expression fails for some values of the right types; the record is then dead-lettered with the reason named. A warning; with `strict: true` an error.",
        "Guard it, as the help shows; the proof understands comparisons, `in`, `has`, `size`, `?:`, `&&`, `||`, and the steps before.",
    ),
    fault(
        "always_fails",
        "A part of an expression fails for all values: a position before the start of a text, a division by the constant 0, a clause of a format for a value that it cannot write.",
        "Correct it; what is to be refused on purpose is written as `error(\"reason\")`.",
    ),
    fault(
        "bad_data",
        "Data that keeps to its schema can be outside of what the language has, such as a time beyond the year 9999; no condition can ask for it. A note.",
        "Nothing; such records are dead-lettered.",
    ),
    fault(
        "constant_condition",
        "A condition, or a part of one, is always or never true: the schema and the conditions before decide it. A warning; for a `when` that is always true a note.",
        "Remove it, or correct it.",
    ),
    fault(
        "nothing_passes",
        "A step lets no event pass. A warning.",
        "Correct the condition, or one before that contradicts it.",
    ),
    fault(
        "int_narrowing",
        "An integer goes into a smaller one, and may not fit. A warning; an error if no value fits.",
        "Bound the value before, or make the field a long.",
    ),
    fault(
        "float_narrowing",
        "A number goes into floating point that may not hold it. A warning.",
        "Make the field a double or a long, or convert with `double(…)`.",
    ),
    fault(
        "decimal_narrowing",
        "A decimal may have more digits than its field, before or after the point. A warning; an error if no value fits.",
        "Raise the field's precision or scale, or bound and round the value.",
    ),
    fault(
        "fixed_size",
        "Bytes go into a fixed of a size that they may not have. A warning; an error for a constant.",
        "Keep only values of that size, or make the field bytes.",
    ),
    fault(
        "enum_symbols",
        "A text goes into an enum that may not have it as a symbol. A warning where any text may come; an error where the texts are known and one of them is no symbol.",
        "Keep only events with texts that are symbols, or add symbols.",
    ),
    fault(
        "text_format",
        "Any text goes into a field that takes only some: a UUID, JSON, a time. A warning.",
        "Take the value from a field of that type, or make the field a string.",
    ),
    fault(
        "unhandled_branch",
        "An expression has no meaning for one of the types of a union (a warning), or a branch of an output's union is never written (a note).",
        "Convert the value, or keep such events out.",
    ),
    fault(
        "unread_fields",
        "Fields of a source that nothing reads. A note.",
        "Nothing; `except` says that it is meant.",
    ),
    fault(
        "pii_not_cleared",
        "A field that its schema tags as `pii`, or something computed from it, goes to a sink that is not cleared for it. Only redacting and keyed functions take the tag off: a plain hash can be undone by trying.",
        "Leave it out, redact it, or write `cleared_for: [pii]` at the sink.",
    ),
    fault(
        "pii_untagged",
        "A field carries `pii` and its schema does not say so. A warning.",
        "Tag the field in the schema: `\"pii\": true`.",
    ),
    fault(
        "dead_letter_not_cleared",
        "A source has fields tagged `pii`, dead letters carry whole records, and their topic is not cleared. A warning.",
        "Restrict who reads the topic, and write `cleared_for: [pii]` at `dead_letter`.",
    ),
    fault(
        "not_a_condition",
        "A condition is neither true nor false.",
        "Compare it with something.",
    ),
    fault(
        "key_type",
        "The key of an output is neither text nor bytes, and has no schema.",
        "Write `string(…)`, or `key: { schema: …, value: … }`.",
    ),
    fault(
        "value_type",
        "The value of an output is an expression of neither text nor bytes.",
        "Write `string(…)`, or map it to a record.",
    ),
    fault(
        "expr_syntax",
        "The expression is not CEL.",
        "Correct it where the caret points.",
    ),
    fault(
        "expr_limit",
        "The expression is too long or too deep.",
        "Split it over several fields.",
    ),
    fault(
        "expr_unsupported",
        "Something of CEL that this version does not have.",
        "Write it differently, as the help shows.",
    ),
    fault(
        "unknown_name",
        "A name that is none of `event`, `out`, `meta`, `vars`.",
        "Put the scope in front of it.",
    ),
    fault(
        "no_event",
        "There is no event here.",
        "Use `meta` or `vars`.",
    ),
    fault(
        "no_out",
        "There is no `out` yet.",
        "Move the expression behind a mapping step.",
    ),
    fault(
        "nullable",
        "Something that can be null is used as if it could not.",
        "Test it for null first.",
    ),
    fault(
        "before_not_carried",
        "A column of `event.before` that Debezium fills with zeros and blanks.",
        "Read key columns only, or set the table's replica identity to full and say so.",
    ),
    fault(
        "type_mismatch",
        "A value of another type is needed here.",
        "Convert it.",
    ),
    fault(
        "no_such_function",
        "A function that does not exist.",
        "Correct the name; the help names the nearest one.",
    ),
    fault(
        "unknown_symbol",
        "`event.op`, or an enum, is compared with something that it never is.",
        "Write one of the symbols; the operations are `c`, `r`, `u`, `d`, `t` and `m`.",
    ),
    fault(
        "bad_constant",
        "A constant that is never valid, such as `decimal(\"x\")`.",
        "Correct it.",
    ),
    fault(
        "bad_pattern",
        "Not a regular expression, or one that is too large.",
        "Correct the pattern.",
    ),
    fault(
        "table_unreadable",
        "The file of a table could not be read, or is too large.",
        "Correct the path, which begins at the folder of the topology.",
    ),
    fault(
        "table_invalid",
        "The file of a table is not as it is declared: a column, a cell, a key that is there twice.",
        "Mend the row, or the declaration under `tables`.",
    ),
    fault(
        "secret_missing",
        "A variable of the type secret is set to something else than a reference, or, where the topology is to run, leads to nothing.",
        "Write `NAME = \"env:VARIABLE\"` under `[vars]` in lockgate.toml and set that variable, or `NAME = \"file:PATH\"` and put the secret into that file.",
    ),
    fault(
        "secret_short",
        "A secret has fewer than 16 bytes: it can be found by trying, and then the tokens made with it hide nothing. A warning.",
        "Make one of 32 random bytes (`openssl rand -hex 32`). All tokens change with it.",
    ),
    fault(
        "var_unknown",
        "The configuration sets a variable that none of the topologies declares. A warning.",
        "Correct the name, or remove it; `lockgate config` tells where it is set.",
    ),
    fault(
        "not_a_secret",
        "The key of a keyed function is not a variable of the type secret.",
        "Declare the key under `vars` with the type `secret`, and write `vars.NAME`.",
    ),
    fault(
        "case_source",
        "A test case does not say, or says wrongly, from which source its event comes.",
        "Write `source: TOPIC`.",
    ),
    fault(
        "case_hex",
        "Not hexadecimal digits in pairs.",
        "Correct them.",
    ),
    fault(
        "case_base64",
        "Not base64.",
        "Use the standard alphabet, padded with `=`.",
    ),
];

/// Reasons of dead letters. All are of the class `poison`: the record itself can never be delivered as it is.
pub static REASONS: &[ReasonCode] = &[
    reason(
        "bad_headers",
        "The record's headers cannot be read: their lengths contradict each other, or there are more than 100 000. The dead letter is without them.",
        "Read the record at its position with another client; find the producer that writes it.",
    ),
    reason(
        "headers_limit",
        "The record has more than 1000 headers, or more than 256 KiB of them.",
        "Find the producer, or the chain of services that each add some.",
    ),
    reason(
        "bad_id_header",
        "The header that must hold the schema id (`id_from` of the source) is missing, or holds none.",
        "Find the producer that writes without it; say in `id_from` how this topic's records name their schema.",
    ),
    reason(
        "bad_frame",
        "Key or value is not in the Confluent wire format: no zero byte, or shorter than five bytes; an empty value is not a tombstone.",
        "Find the producer: it writes without the registry's serializer.",
    ),
    reason(
        "unknown_schema",
        "The registry does not know the schema id in the frame, even after a while.",
        "Restore the schema in the registry; or the producer uses another registry.",
    ),
    reason(
        "wrong_schema",
        "The schema id is that of a record with another name than the checked one.",
        "Something else is written to this topic; for flattened events write `envelope: none`.",
    ),
    reason(
        "incompatible_schema",
        "In test cases only: on the road such a schema stops its partition.",
        "See the pauses below.",
    ),
    reason(
        "outgrown",
        "The record's schema is newer than the checked one, and a value that is read has no place in it: null where there was none, a number beyond its range, more digits.",
        "Deploy a topology that is checked against the newer schema; then redrive.",
    ),
    reason(
        "truncated",
        "The datum ends early.",
        "The producer or something between is broken.",
    ),
    reason(
        "trailing_bytes",
        "The datum goes on behind its end.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_argument",
        "A function was given a value that it has no meaning for: a negative shift, an unknown rounding mode.",
        "Mend the data, or guard the call.",
    ),
    reason(
        "bad_format",
        "A text is not a format, or not one for the values.",
        "Mend the format.",
    ),
    reason(
        "bad_encoding",
        "A text is not base64, hex, an URL encoding or JSON where it is read as such.",
        "Mend the producer, or guard with `try`.",
    ),
    reason(
        "json_mismatch",
        "A JSON text that is read by a schema does not fit it; the message names the path and the reason.",
        "Mend the producer or the schema, or guard with `try`.",
    ),
    reason(
        "bad_pattern",
        "A text that is used as a pattern is none, or is too large.",
        "Mend the data, or write the pattern as a constant.",
    ),
    reason("bad_utf8", "Text that is not UTF-8.", "Mend the producer."),
    reason(
        "bad_union_index",
        "A union branch that does not exist.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_enum_index",
        "An enum symbol that does not exist.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_varint",
        "A number of more bytes than a number has.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_length",
        "A length that is negative or beyond the datum.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "bad_boolean",
        "A boolean that is neither 0 nor 1.",
        "The frame names another schema than the datum was written with.",
    ),
    reason(
        "avro_limit",
        "Deeper or larger than a datum may be here.",
        "Look at the record; a hostile or broken producer.",
    ),
    reason(
        "invalid_default",
        "A default of the schema does not fit its type.",
        "Mend the schema.",
    ),
    reason(
        "null_key",
        "The key is null, the topology says that it is Avro.",
        "Mend the producer, or write `key: bytes`.",
    ),
    reason(
        "unknown_op",
        "`event.op` is none of Debezium's.",
        "Look at the connector.",
    ),
    reason(
        "bad_envelope",
        "`before` or `after` is null, or not null, against what `op` says.",
        "Look at the connector and its transformations.",
    ),
    rule(
        "unavailable_value",
        "A column that is read, copied, or sent as it came, arrived as Debezium's placeholder for an unchanged large value.",
        "Set the replica identity to full, do not read the column, or choose another `unavailable`.",
    ),
    rule(
        "rule",
        "A `require` of the topology does not hold.",
        "Mend the data, or the rule.",
    ),
    rule(
        "unmatched",
        "No route takes the event, and `unmatched: dead_letter`.",
        "Add a route.",
    ),
    rule(
        "truncate",
        "A TRUNCATE of the table, and `truncate: dead_letter`.",
        "Empty the outputs by hand if you must; or choose `drop` or `pass`.",
    ),
    rule(
        "message",
        "A logical decoding message, and `messages: dead_letter`.",
        "Choose `drop` or `pass`.",
    ),
    rule(
        "heartbeat",
        "A heartbeat, and `heartbeats: dead_letter`.",
        "Choose `drop`.",
    ),
    rule(
        "schema_change",
        "A schema change event, and `schema_changes: dead_letter`.",
        "Choose `drop`.",
    ),
    rule(
        "transaction",
        "A transaction boundary, and `transactions: dead_letter`.",
        "Choose `drop`.",
    ),
    reason(
        "topic_not_allowed",
        "The topic that the template comes out as is not listed under `topics`.",
        "Add it to the list, or mend the data.",
    ),
    reason(
        "output_too_large",
        "The output is larger than its topic takes.",
        "Raise the topic's `max.message.bytes`, or send less with `except`.",
    ),
    reason(
        "invalid_record",
        "The broker refuses the record itself, such as one without a key for a compacted topic.",
        "Give it what the topic demands.",
    ),
    reason(
        "invalid_timestamp",
        "The record's time is further from the broker's than its topic allows.",
        "Raise the topic's `message.timestamp.before.max.ms` or `message.timestamp.after.max.ms`.",
    ),
    reason(
        "unrepresentable",
        "A value has no exact counterpart in the field's type: digits would be lost, or an enum has no such symbol.",
        "Widen the field's type, or convert under `set`.",
    ),
    reason(
        "unexpected_null",
        "A null where the topology was told that none can be.",
        "Look at the record; report it if the schema forbids the null.",
    ),
    reason(
        "decimal_overflow",
        "A decimal of more digits than fit.",
        "Widen the field's precision, or mend the data.",
    ),
    reason(
        "int_overflow",
        "An integer beyond its range.",
        "Bound the values before (`require: x > 0 && x < 1000000`), use `decimal(x)`, or mend the data.",
    ),
    reason(
        "division_by_zero",
        "A division or a remainder by zero.",
        "Guard it: `x != 0 ? a / x : …`.",
    ),
    reason(
        "bad_number",
        "A text is not a number.",
        "Guard it: `x.matches(\"^-?[0-9]{1,18}$\") ? int(x) : …`; or mend the data.",
    ),
    reason(
        "bad_bool",
        "A text is neither true nor false.",
        "Mend the data.",
    ),
    reason("bad_timestamp", "A text is not a time.", "Mend the data."),
    reason(
        "bad_duration",
        "A text is not a duration.",
        "Mend the data.",
    ),
    reason(
        "bad_timezone",
        "A text is not a time zone.",
        "Mend the data.",
    ),
    reason(
        "time_range",
        "A time outside of the years 1 to 9999.",
        "Mend the data.",
    ),
    reason(
        "missing_timestamp",
        "The record has no time of Kafka.",
        "Do not read `meta.timestamp`, or mend the producer.",
    ),
    reason(
        "missing_key",
        "A map does not have the key.",
        "Guard it: `\"k\" in m ? m[\"k\"] : …`, or `m.?k.orValue(…)`.",
    ),
    reason(
        "no_value",
        "The value of an optional was taken that has none.",
        "Guard it: `x.hasValue() ? x.value() : …`, or `x.orValue(…)`.",
    ),
    reason(
        "duplicate_key",
        "A map literal gets the same key twice.",
        "Mend the expression.",
    ),
    reason(
        "index_out_of_range",
        "An index beyond a list or a text.",
        "Guard it: `size(x) > 0 ? x[0] : …`.",
    ),
    reason(
        "no_such_overload",
        "Values whose types are only known at run time do not go together.",
        "Convert them.",
    ),
    reason(
        "expression_limit",
        "An evaluation builds or repeats more than is allowed.",
        "Look at the record; simplify the expression.",
    ),
    reason(
        "wrong_type",
        "A condition, a key or a text came out as another type, which only `dyn` can.",
        "Convert it.",
    ),
    reason(
        "internal_panic",
        "Lockgate's own code panicked at the record: a defect of Lockgate. The message names the place in the code.",
        "Report the place, and what is special about the record; redrive after an upgrade.",
    ),
];

/// Reasons of pauses, as `/status` and `lockgate_paused` show them.
pub static PAUSES: &[PauseCode] = &[
    pause(
        "partition_limit",
        "As many records or bytes of the partition are in flight as may be; ends at half.",
        "Nothing; if it lasts, the sink is slow.",
    ),
    pause(
        "process_limit",
        "As many records or bytes of the process are in flight as may be; ends at half.",
        "Nothing; if it lasts, start more workers or look at the sink.",
    ),
    pause(
        "schema",
        "A schema id has not been seen before and the registry has not answered; tried again with back-off.",
        "If it lasts: is the registry up, are its URL and credentials right?",
    ),
    pause(
        "sink",
        "The sink does not take records: the broker or a topic is gone, an ACL is missing; tried again with back-off.",
        "The log names the topic and the operation; mend it and it goes on by itself.",
    ),
    pause(
        "poison",
        "More than the allowed share of a source or route is judged poison; it stops instead of emptying the stream into the dead letters.",
        "Look at the dead letters, mend the cause, restart; or raise `limits.poison_share`.",
    ),
    pause(
        "incompatible_schema",
        "A writer schema of the checked name that cannot be read as the checked one: a column that is read is gone, or has another type. Wider and nullable columns do not stop anything.",
        "Update the topology's schema, or take the producer's change back; then restart.",
    ),
    pause(
        "drain",
        "The partition is being handed over, or the process ends.",
        "Nothing.",
    ),
];

/// Kafka's errors by what they are about, as they stand in the log (`reason`). None of them makes a dead letter.
pub static KAFKA: &[PauseCode] = &[
    pause(
        "unknown_topic",
        "The cluster has no such topic.",
        "Create it: Lockgate never does.",
    ),
    pause(
        "unknown_partition",
        "The topic has no such partition.",
        "Nothing, if the topic was just recreated; else report it.",
    ),
    pause(
        "topic_recreated",
        "The topic was deleted and created again.",
        "Nothing; restart if it lasts.",
    ),
    pause(
        "invalid_topic",
        "The broker does not accept the topic's name, or a reserved topic is meant.",
        "Correct the name.",
    ),
    pause(
        "topic_not_authorized",
        "The principal may not write to, read or describe the topic.",
        "Add the ACL; `lockgate describe` lists the minimal ones.",
    ),
    pause(
        "group_not_authorized",
        "The principal may not read with the consumer group.",
        "Add the ACL; `lockgate describe` lists the minimal ones.",
    ),
    pause(
        "cluster_not_authorized",
        "The principal may not write idempotently on this cluster.",
        "Grant IdempotentWrite on the cluster; newer brokers do not ask for it.",
    ),
    pause(
        "transactional_id_not_authorized",
        "The principal may not use the transactional id.",
        "Add the ACL.",
    ),
    pause(
        "policy_violation",
        "A policy of the broker refuses the write.",
        "Ask whoever runs the cluster.",
    ),
    pause(
        "unsupported_compression",
        "The topic does not accept the compression.",
        "Set `compression.type` of the connection.",
    ),
    pause(
        "unsupported_message_format",
        "The topic's message format is too old for headers or idempotence.",
        "Upgrade the topic's message format.",
    ),
    pause(
        "invalid_required_acks",
        "The broker does not accept the producer's `acks`.",
        "Remove the override.",
    ),
    pause(
        "producer_fatal",
        "The producer can go on with nothing; a new one starts from the first record without an answer.",
        "Nothing; look at the brokers if it repeats.",
    ),
    pause(
        "producer_fenced",
        "Another producer has taken over the producer's id.",
        "Nothing; look for a second process if it repeats.",
    ),
    pause(
        "producer_sequence",
        "The broker misses a record before this one.",
        "Nothing: sent again in order. Look at the brokers if it repeats.",
    ),
    pause(
        "producer_id_expired",
        "The broker has forgotten the producer.",
        "Nothing: a new producer.",
    ),
    pause(
        "producer_closed",
        "The producer was closed before the record had an answer.",
        "Nothing: sent again.",
    ),
    pause(
        "purged",
        "We gave up the record with its producer.",
        "Nothing: sent again.",
    ),
    pause(
        "queue_full",
        "The producer's queue is full.",
        "Nothing; it is how back-pressure works.",
    ),
    pause(
        "timed_out",
        "The record or the request timed out in the client.",
        "Are the brokers reachable?",
    ),
    pause(
        "broker_timed_out",
        "The broker did not answer in time.",
        "Look at the brokers' load.",
    ),
    pause(
        "broker_unreachable",
        "No connection to the broker.",
        "Is the address right, is the broker up, may we connect?",
    ),
    pause(
        "authentication_failed",
        "The broker does not accept the credentials.",
        "Correct `sasl.username`, `sasl.password` or the mechanism.",
    ),
    pause(
        "tls_failed",
        "The TLS handshake failed.",
        "Check `ssl.ca.location`, the certificate's names and its dates.",
    ),
    pause(
        "no_leader",
        "The partition has no leader, or a new one.",
        "Nothing; look at the brokers if it lasts.",
    ),
    pause(
        "not_enough_replicas",
        "Fewer replicas in sync than `min.insync.replicas`.",
        "Look at the brokers.",
    ),
    pause(
        "broker_storage",
        "The broker's disk fails.",
        "Look at the broker.",
    ),
    pause(
        "corrupt_in_transit",
        "The bytes arrived broken.",
        "Nothing; look at the network if it repeats.",
    ),
    pause(
        "quota_exceeded",
        "The broker throttles us.",
        "Raise the quota, or have patience.",
    ),
    pause(
        "kafka_error",
        "Another error of Kafka; the text says which.",
        "Look at the text.",
    ),
    pause(
        "kafka_unknown_code",
        "A code that the client library does not know, of a newer broker.",
        "Look the number up in Kafka's protocol guide.",
    ),
    pause(
        "nothing_to_commit",
        "There was nothing to commit.",
        "Nothing.",
    ),
    pause(
        "group_moved_on",
        "The group has given the partition to another member; its records are that one's.",
        "Nothing; if it repeats, look for pauses of the process.",
    ),
    pause(
        "rebalance_in_progress",
        "The group is rebalancing; committed again.",
        "Nothing.",
    ),
    pause(
        "coordinator_unavailable",
        "The group's coordinator did not take the commit; committed again.",
        "Nothing; look at the brokers if it lasts.",
    ),
    pause(
        "metadata_too_large",
        "The broker does not take the text that is committed with an offset.",
        "Raise `offset.metadata.max.bytes` of the broker to its default.",
    ),
    pause(
        "commit_too_large",
        "The commit is larger than the broker takes.",
        "Run fewer partitions per worker.",
    ),
    pause(
        "instance_fenced",
        "Another member has the same `group.instance.id`.",
        "Give each member its own, or none.",
    ),
    pause(
        "consumer_fatal",
        "The consumer can go on with nothing.",
        "Restart; the text says why.",
    ),
    pause(
        "consumer_closed",
        "The consumer was closed before the commit had an answer.",
        "Nothing: read again by the next owner.",
    ),
];
