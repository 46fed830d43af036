//! A value that must not be seen, and the references it comes by.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;

use crate::words;

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

/// Whether a text is a reference (`file:PATH`, `env:NAME`) and not the value itself.
pub fn is_reference(text: &str) -> bool {
    text.starts_with("file:") || text.starts_with("env:")
}

/// A secret file larger than this is not one.
const FILE_BYTES_MAX: u64 = 64 << 10;

/// Follows a reference. `Ok(None)` if the text is none. Relative paths begin at the working directory. One line end at the
/// end of a file is not part of the secret. A file that others may read earns a warning.
pub fn resolve(
    text: &str,
    environment: &[(String, String)],
    warnings: &mut Vec<String>,
) -> Result<Option<Secret>, String> {
    if let Some(name) = text.strip_prefix("env:") {
        return match environment.iter().find(|(known, _)| known == name) {
            Some((_, value)) if !value.is_empty() => Ok(Some(Secret::new(value))),
            Some(_) => Err(format!("the environment variable {name} is empty")),
            None => Err(format!("the environment variable {name} is not set")),
        };
    }
    let Some(path) = text.strip_prefix("file:") else {
        return Ok(None);
    };
    let mut secret = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_string(&mut secret))
        .map_err(|error| {
            let why = words::of_io(&error);
            format!("the secret file {path} cannot be read: {why}")
        })?;
    if secret.len() as u64 > FILE_BYTES_MAX {
        return Err(format!(
            "the secret file {path} is larger than {FILE_BYTES_MAX} bytes"
        ));
    }
    let trimmed = secret.strip_suffix('\n').unwrap_or(&secret);
    let trimmed = trimmed.strip_suffix('\r').unwrap_or(trimmed);
    if trimmed.is_empty() {
        return Err(format!("the secret file {path} is empty"));
    }
    warn_if_open(path, warnings);
    Ok(Some(Secret::new(trimmed)))
}

/// Follows a reference in the environment of this process. `Ok(None)` if the text is none.
///
/// # Errors
/// Why it leads to nothing.
pub fn secret_of(text: &str) -> Result<Option<Secret>, String> {
    let environment = match text.strip_prefix("env:") {
        Some(name) => std::env::var(name)
            .map(|value| vec![(name.to_owned(), value)])
            .unwrap_or_default(),
        None => Vec::new(),
    };
    // The configuration has warned of open files where it was read.
    resolve(text, &environment, &mut Vec::new())
}

/// Warns of a file with a secret that others may read.
pub fn warn_if_open(path: &str, warnings: &mut Vec<String>) {
    // A file that cannot be read at all is reported by whoever reads it.
    let Ok(metadata) = std::fs::metadata(path) else {
        return;
    };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o044 != 0 {
        warnings.push(format!(
            "the secret file {path} can be read by its group or by everybody (mode {mode:03o}): chmod 600"
        ));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::{Debug, Display};
    use std::io::Write;
    use std::marker::PhantomData;

    fn file(text: &str, mode: u32) -> tempfile::NamedTempFile {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(file.path(), permissions).unwrap();
        file
    }

    #[test]
    fn a_secret_file_that_others_may_read_is_warned_about_and_a_private_one_is_not() {
        for (mode, warned) in [(0o600, 0), (0o640, 1), (0o604, 1)] {
            let file = file("s3cret\n", mode);
            let reference = format!("file:{}", file.path().display());
            let mut warnings = Vec::new();
            let secret = resolve(&reference, &[], &mut warnings).unwrap();
            assert_eq!(secret.unwrap().expose(), "s3cret");
            assert_eq!(warnings.len(), warned, "{mode:o}");
            assert!(!warnings.concat().contains("s3cret"));
        }
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_a_fault() {
        let empty = file("\n", 0o600);
        let of_empty = format!("file:{}", empty.path().display());
        for reference in ["env:MISSING", "file:/nonexistent/secret", &of_empty] {
            assert!(
                resolve(reference, &[], &mut Vec::new()).is_err(),
                "{reference}"
            );
        }
        assert!(resolve("inline", &[], &mut Vec::new()).unwrap().is_none());
    }

    /// Whether a type has a trait: an inherent constant is preferred to one of a trait, if its bound holds.
    struct Has<T>(PhantomData<T>);
    trait HasNot {
        const DEBUG: bool = false;
        const DISPLAY: bool = false;
        const SERIALIZE: bool = false;
    }
    impl<T> HasNot for Has<T> {}
    impl<T: Debug> Has<T> {
        const DEBUG: bool = true;
    }
    impl<T: Display> Has<T> {
        const DISPLAY: bool = true;
    }
    impl<T: serde::Serialize> Has<T> {
        const SERIALIZE: bool = true;
    }

    #[test]
    fn a_secret_cannot_be_printed_or_serialised() {
        let of_text = (
            Has::<String>::DEBUG,
            Has::<String>::DISPLAY,
            Has::<String>::SERIALIZE,
        );
        let of_secret = (
            Has::<Secret>::DEBUG,
            Has::<Secret>::DISPLAY,
            Has::<Secret>::SERIALIZE,
        );
        assert_eq!(of_text, (true, true, true), "the probe finds nothing");
        assert_eq!(of_secret, (false, false, false));
    }
}
