//! A value that must not be seen.

/// A secret. It has no `Debug`, `Display` or `Serialize`, so that it cannot reach a log, an error or a dump by accident;
/// what holds one has to write its own `Debug`. Whoever hands it on says so with [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a value.
    pub fn new(value: impl Into<String>) -> Secret {
        Secret(value.into())
    }

    /// The value, to be handed to a client library and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}
