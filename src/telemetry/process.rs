//! Memory, CPU time and open files of this process, from `/proc/self`; elsewhere than on Linux these metrics are absent.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus::proto::MetricFamily;

use super::metrics::{counter, family, gauge};
use super::table;

pub(super) fn families() -> Vec<MetricFamily> {
    let mut families = vec![family(
        table::START_TIME,
        vec![gauge(&[], started_seconds())],
    )];
    families.extend(
        resident_bytes().map(|bytes| family(table::MEMORY, vec![gauge(&[], bytes as f64)])),
    );
    families.extend(cpu_seconds().map(|seconds| family(table::CPU, vec![counter(&[], seconds)])));
    // Reading the folder opens one more descriptor itself.
    let open_fds =
        std::fs::read_dir("/proc/self/fd").map(|folder| folder.count().saturating_sub(1));
    families.extend(
        open_fds
            .ok()
            .map(|count| family(table::OPEN_FDS, vec![gauge(&[], count as f64)])),
    );
    families
}

/// When the first `Metrics` was made: a few milliseconds after the start of the process.
pub(super) fn started_seconds() -> f64 {
    static STARTED: OnceLock<f64> = OnceLock::new();
    *STARTED.get_or_init(|| {
        SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0.0, |since| since.as_secs_f64())
    })
}

fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
}

fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses and may hold spaces; utime and stime are fields 14 and 15,
    // in ticks that the kernel fixes at 100 per second for user space.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(ticks as f64 / 100.0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_cpu_and_files_of_this_process_are_plausible() {
        let memory = resident_bytes().unwrap();
        assert!((1 << 20..1 << 36).contains(&memory), "{memory}");
        let before = cpu_seconds().unwrap();
        let mut x = 0u64;
        while cpu_seconds().unwrap() < before + 0.03 {
            x = std::hint::black_box(x.wrapping_add(1));
        }
        let names: Vec<_> = families()
            .iter()
            .map(|family| family.name().to_owned())
            .collect();
        assert!(
            names.contains(&table::OPEN_FDS.name.to_owned()),
            "{names:?}"
        );
    }
}
