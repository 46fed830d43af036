//! Files and streams that are read whole, of a bounded size: what a path leads to may have no size, or no end.

use std::fs::File;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;

/// No file of ours (a topology, a schema, a certificate) is larger, in bytes; those of one kind have limits of their own below it.
pub const FILE_BYTES_MAX: u64 = 16 << 20;

/// The bytes of a file of so many bytes at most.
pub fn bytes_of(path: &Path, bytes_max: u64) -> Result<Vec<u8>> {
    bytes(File::open(path)?, bytes_max)
}

/// The text of a file of so many bytes at most.
pub fn text_of(path: &Path, bytes_max: u64) -> Result<String> {
    text(File::open(path)?, bytes_max)
}

/// What is left of a stream, a text of so many bytes at most.
pub fn text(from: impl Read, bytes_max: u64) -> Result<String> {
    String::from_utf8(bytes(from, bytes_max)?).map_err(|_| ErrorKind::InvalidData.into())
}

/// What is said of something that has more bytes than are read.
pub fn too_large(bytes_max: u64) -> Error {
    Error::other(format!("it has more than {bytes_max} bytes"))
}

fn bytes(from: impl Read, bytes_max: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(bytes_max + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > bytes_max {
        true => Err(too_large(bytes_max)),
        false => Ok(bytes),
    }
}
