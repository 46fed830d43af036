//! From (name, value) pairs to a client configuration, and the client's own log lines to `tracing`.

use std::collections::HashMap;
use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::NonNull;
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use rdkafka_sys as sys;

use super::error::ClientError;
use super::native::{Native, text_of};

/// librdkafka properties by name. Values may be secrets, so there is no `Debug`, and no error shows a value.
#[derive(Clone, Default)]
pub struct Properties(Vec<(String, String)>);

impl Properties {
    /// Sets a property; a later value replaces an earlier one.
    pub fn set(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        let value = value.into();
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some(entry) => entry.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
        self
    }

    /// The value of a property, if it was set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Checks every property with the library, and prepares a client.
    pub(super) fn conf(&self) -> Result<Conf, ClientError> {
        // SAFETY: a plain constructor; it aborts rather than return null.
        let conf = unsafe { sys::rd_kafka_conf_new() };
        let conf = Conf(NonNull::new(conf).expect("the library allocates or aborts"));
        for (name, value) in self.iter() {
            if is_secret(name) {
                hide(value);
            }
            let attempted = format!("set the client property {name}");
            let invalid = sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__INVALID_ARG;
            let refused = |detail: &str| ClientError {
                detail: detail.to_owned(),
                ..ClientError::new(attempted.as_str(), invalid)
            };
            let (Ok(c_name), Ok(c_value)) = (CString::new(name), CString::new(value)) else {
                return Err(refused("the name or the value contains a zero byte"));
            };
            let mut text = [0 as c_char; 8];
            // SAFETY: all pointers are valid for the call. The library's text repeats the value, so it is not read.
            let result = unsafe {
                sys::rd_kafka_conf_set(
                    conf.0.as_ptr(),
                    c_name.as_ptr(),
                    c_value.as_ptr(),
                    text.as_mut_ptr(),
                    text.len(),
                )
            };
            match result {
                sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => {}
                sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                    return Err(refused("librdkafka has no property of this name"));
                }
                sys::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                    return Err(refused(
                        "librdkafka does not accept its value (not shown: it may be a secret)",
                    ));
                }
            }
        }
        // SAFETY: the configuration is valid; the callback matches the declared type.
        unsafe { sys::rd_kafka_conf_set_log_cb(conf.0.as_ptr(), Some(on_log)) };
        Ok(conf)
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Properties {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut properties = Properties::default();
        for (name, value) in pairs {
            properties.set(&name.into(), value);
        }
        properties
    }
}

/// A configuration that no client has taken yet.
pub(super) struct Conf(NonNull<sys::rd_kafka_conf_t>);

impl Conf {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_conf_t {
        self.0.as_ptr()
    }

    /// Creates the client. Its callbacks get `state`.
    pub(super) fn create<S: Send + Sync>(
        self,
        kind: sys::rd_kafka_type_t,
        state: Box<S>,
    ) -> Result<Native<S>, ClientError> {
        let mut text = [0 as c_char; 512];
        let conf = self.0.as_ptr();
        // SAFETY: the opaque pointer stays valid: the box moves, its content does not, and `Native` drops it after the client.
        // The client takes the configuration over only if it was created.
        let rk = unsafe {
            sys::rd_kafka_conf_set_opaque(conf, (&raw const *state).cast_mut().cast::<c_void>());
            sys::rd_kafka_new(kind, conf, text.as_mut_ptr(), text.len())
        };
        let Some(rk) = NonNull::new(rk) else {
            // SAFETY: takes no argument, reads the thread's own value.
            let code = unsafe { sys::rd_kafka_last_error() };
            return Err(ClientError {
                detail: scrub(text_of(&text)),
                ..ClientError::new("create a Kafka client", code)
            });
        };
        std::mem::forget(self);
        // SAFETY: just created, ours alone, with this state.
        Ok(unsafe { Native::adopt(rk, state) })
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: not taken over by a client, which forgets this value.
        unsafe { sys::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}

/// Values that were handed to the library as secrets, so that a log line can be searched for them.
static HIDDEN: Mutex<Vec<String>> = Mutex::new(Vec::new());

fn is_secret(name: &str) -> bool {
    name.contains("password")
        || name.contains("secret")
        || matches!(name, "ssl.key.pem" | "sasl.oauthbearer.config")
}

fn hide(value: &str) {
    let mut hidden = HIDDEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    if !value.is_empty() && !hidden.iter().any(|known| known == value) {
        hidden.push(value.to_owned());
    }
}

/// Replaces every secret that a client was given.
pub(super) fn scrub(mut text: String) -> String {
    let hidden = HIDDEN
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    for value in hidden.iter() {
        if text.contains(value.as_str()) {
            text = text.replace(value.as_str(), "<hidden>");
        }
    }
    text
}

/// Lines of one facility that are let through per window; an unreachable broker writes several per second.
const LINES_PER_WINDOW: u32 = 10;
const WINDOW: Duration = Duration::from_secs(10);

struct Window {
    start: Instant,
    lines: u32,
}

static WINDOWS: LazyLock<Mutex<HashMap<String, Window>>> = LazyLock::new(Mutex::default);

/// Counts a line of a facility. `Some(suppressed)` lets it through, with the number of lines that were not before it.
fn admit(facility: &str, now: Instant) -> Option<u32> {
    let mut windows = WINDOWS
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner());
    let window = windows.entry(facility.to_owned()).or_insert(Window {
        start: now,
        lines: 0,
    });
    let mut suppressed = 0;
    if now.duration_since(window.start) >= WINDOW {
        suppressed = window.lines.saturating_sub(LINES_PER_WINDOW);
        *window = Window {
            start: now,
            lines: 0,
        };
    }
    window.lines += 1;
    (window.lines <= LINES_PER_WINDOW).then_some(suppressed)
}

/// The library's levels are those of syslog.
const DEBUG: i32 = 7;

const GAPLESS: &[u8] = b"enable.gapless.guarantee is experimental";

unsafe extern "C" fn on_log(
    rk: *const sys::rd_kafka_t,
    level: i32,
    facility: *const c_char,
    line: *const c_char,
) {
    // A panic must not unwind into the library.
    let _ = std::panic::catch_unwind(|| {
        // SAFETY: the library passes C strings that live during the call; the client may be null.
        let (client, facility, line) = unsafe {
            let client = if rk.is_null() {
                c"".as_ptr()
            } else {
                sys::rd_kafka_name(rk)
            };
            (
                CStr::from_ptr(client),
                CStr::from_ptr(facility),
                CStr::from_ptr(line),
            )
        };
        // Said once per producer of a property that we set on purpose (see `sink::kafka`).
        if line
            .to_bytes()
            .windows(GAPLESS.len())
            .any(|part| part == GAPLESS)
        {
            return;
        }
        let facility = facility.to_string_lossy();
        let Some(suppressed) = admit(&facility, Instant::now()) else {
            return;
        };
        let client = client.to_string_lossy();
        let line = scrub(line.to_string_lossy().into_owned());
        // Whoever uses the client tells of its fatal error and of what follows from it: from most producers, that there is a new one.
        let level = if facility == "FATAL" { DEBUG } else { level };
        match level {
            0..=2 => {
                tracing::error!(target: "librdkafka", %client, %facility, suppressed, "{line}")
            }
            3..=4 => tracing::warn!(target: "librdkafka", %client, %facility, suppressed, "{line}"),
            5..=6 => tracing::info!(target: "librdkafka", %client, %facility, suppressed, "{line}"),
            _ => tracing::debug!(target: "librdkafka", %client, %facility, suppressed, "{line}"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_property_is_named_and_its_value_is_not_shown() {
        let unknown: Properties = [("no.such.property", "hunter2-canary")]
            .into_iter()
            .collect();
        let error = unknown.conf().err().expect("refused").to_string();
        assert!(
            error.contains("no.such.property") && !error.contains("canary"),
            "{error}"
        );
        let invalid: Properties = [("security.protocol", "hunter2-canary")]
            .into_iter()
            .collect();
        let error = invalid.conf().err().expect("refused").to_string();
        assert!(
            error.contains("security.protocol") && !error.contains("canary"),
            "{error}"
        );
    }

    #[test]
    fn a_secret_in_a_line_of_the_library_is_hidden() {
        let secret: Properties = [("sasl.password", "canary-5c1e")].into_iter().collect();
        assert!(secret.conf().is_ok());
        assert_eq!(
            scrub("login of canary-5c1e failed".into()),
            "login of <hidden> failed"
        );
    }

    #[test]
    fn lines_of_one_facility_are_limited_and_the_suppressed_ones_counted() {
        let start = Instant::now();
        let admitted = (0..100).filter(|_| admit("TEST", start).is_some()).count();
        assert_eq!(admitted, LINES_PER_WINDOW as usize);
        assert_eq!(admit("OTHER", start), Some(0));
        assert_eq!(admit("TEST", start + WINDOW), Some(90));
    }
}
