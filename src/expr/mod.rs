//! CEL over typed slots: parse, infer types from the schemas, compile to a typed node tree that reads slots. Pure.
