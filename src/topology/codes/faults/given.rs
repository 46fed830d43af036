//! Faults of tables, secrets, and of the JSON of test cases.

use crate::topology::codes::{FaultCode, fault};

pub(super) static FAULTS: &[FaultCode] = &[
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
