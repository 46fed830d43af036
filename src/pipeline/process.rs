//! One record through its plan: pure computation between consume and deliver.
