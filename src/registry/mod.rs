//! Schemas by id over HTTP, under our own cache.
