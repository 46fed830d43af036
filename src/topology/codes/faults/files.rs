//! Faults of files, of their shape, and of variables.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
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
        "A key stands twice in one mapping, or a field in a record that an expression writes out.",
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
];
