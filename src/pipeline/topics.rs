//! What is known of the output topics: whether they can be written to, their partitions, their size limits.
//!
//! A watcher thread asks the clusters, at the start and then now and again; pipeline threads only read. A topic that is
//! missing or forbidden blocks the lanes that need it before anything is handed to a producer, which would let it fail there.

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::topology::plan::Plan;

/// One topic.
#[derive(Debug)]
struct Entry {
    /// 0 while unknown.
    partitions: AtomicI32,
    bytes_max: AtomicU32,
    /// What the producers of this process take, whatever the topic does.
    cap: AtomicU32,
    trouble: Mutex<Option<String>>,
    has_trouble: AtomicBool,
}

/// All output topics of a plan, by their index there.
#[derive(Debug)]
pub(super) struct Topics {
    entries: Vec<Entry>,
}

impl Topics {
    /// Nothing is known yet, except the limit that holds where the broker does not say.
    pub fn new(plan: &Plan, bytes_max: u32) -> Arc<Topics> {
        let entry = |_| Entry {
            partitions: AtomicI32::new(0),
            bytes_max: AtomicU32::new(bytes_max),
            cap: AtomicU32::new(u32::MAX),
            trouble: Mutex::new(None),
            has_trouble: AtomicBool::new(false),
        };
        Arc::new(Topics {
            entries: plan.topics.iter().map(entry).collect(),
        })
    }

    /// Partitions of a topic that can be written to, as far as is known; `None` while it cannot.
    #[inline]
    pub fn partitions(&self, topic: u16) -> Option<i32> {
        let entry = &self.entries[usize::from(topic)];
        let partitions = entry.partitions.load(Ordering::Relaxed);
        (partitions > 0 && !entry.has_trouble.load(Ordering::Relaxed)).then_some(partitions)
    }

    /// Largest record that a topic takes, in bytes with keys, headers and the batch's own overhead.
    #[inline]
    pub fn bytes_max(&self, topic: u16) -> usize {
        let entry = &self.entries[usize::from(topic)];
        let cap = entry.cap.load(Ordering::Relaxed);
        entry.bytes_max.load(Ordering::Relaxed).min(cap) as usize
    }

    /// The producers of a connection take no larger records than this, also when a topic's limit is raised later.
    pub fn cap(&self, plan: &Plan, connection: &str, bytes_max: u32) {
        for (topic, entry) in plan.topics.iter().zip(&self.entries) {
            if topic.connection == connection {
                entry.cap.store(bytes_max, Ordering::Relaxed);
            }
        }
    }

    /// Whether there is trouble with any topic.
    pub fn has_trouble(&self) -> bool {
        self.entries
            .iter()
            .any(|entry| entry.has_trouble.load(Ordering::Relaxed))
    }

    /// What was learned of a topic's partitions; clears the trouble of its being missing.
    pub fn found(&self, topic: u16, partitions: i32) {
        let entry = &self.entries[usize::from(topic)];
        entry.partitions.store(partitions, Ordering::Relaxed);
        self.set_trouble(topic, None);
    }

    /// What was learned of a topic's size limit.
    pub fn limit(&self, topic: u16, bytes_max: u32) {
        self.entries[usize::from(topic)]
            .bytes_max
            .store(bytes_max, Ordering::Relaxed);
    }

    /// A topic cannot be written to, or can again.
    pub fn set_trouble(&self, topic: u16, trouble: Option<String>) {
        let entry = &self.entries[usize::from(topic)];
        entry
            .has_trouble
            .store(trouble.is_some(), Ordering::Relaxed);
        *entry.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    /// Why a topic cannot be written to.
    pub fn trouble(&self, topic: u16) -> Option<String> {
        let entry = &self.entries[usize::from(topic)];
        let trouble = entry
            .trouble
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        trouble.or_else(|| {
            (entry.partitions.load(Ordering::Relaxed) == 0)
                .then(|| "nothing is known of it yet".to_owned())
        })
    }

    /// The smallest size limit of the topics of one connection.
    pub fn smallest_limit(&self, plan: &Plan, connection: &str) -> Option<u32> {
        let of_connection = plan
            .topics
            .iter()
            .zip(&self.entries)
            .filter(|(topic, _)| topic.connection == connection);
        of_connection
            .map(|(_, entry)| entry.bytes_max.load(Ordering::Relaxed))
            .min()
    }

    /// The largest size limit of the topics of one connection.
    pub fn largest_limit(&self, plan: &Plan, connection: &str) -> Option<u32> {
        let of_connection = plan
            .topics
            .iter()
            .zip(&self.entries)
            .filter(|(topic, _)| topic.connection == connection);
        of_connection
            .map(|(_, entry)| entry.bytes_max.load(Ordering::Relaxed))
            .max()
    }
}
