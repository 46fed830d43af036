//! A compiled topology. What the pipeline may rely on; how it is compiled lies beside it.
