//! The corpus of the fuzz targets, replayed through the same functions, with every input also cut and damaged.

use std::fs;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

#[path = "../../fuzz/entries.rs"]
mod entries;

/// Runs each input of a target's corpus, and damaged copies of it: a byte changed, doubled, taken away.
fn replay(target: &str, run: fn(&[u8]), damages: usize) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 8,
        "{} has {} inputs",
        folder.display(),
        files.len()
    );
    let mut rng = StdRng::seed_from_u64(0x10c6_9a7e);
    for file in files {
        let input = fs::read(&file).unwrap();
        run(&input);
        for _ in 0..damages {
            let mut damaged = input.clone();
            for _ in 0..rng.random_range(1..4) {
                if damaged.is_empty() {
                    break;
                }
                let at = rng.random_range(0..damaged.len());
                match rng.random_range(0..4) {
                    0 => damaged[at] = rng.random(),
                    1 => damaged.insert(at, rng.random()),
                    2 => drop(damaged.remove(at)),
                    _ => damaged.truncate(at),
                }
            }
            // Shown only if the run fails.
            println!("{}: {damaged:?}", file.display());
            run(&damaged);
        }
    }
}

#[test]
fn the_corpus_of_frames_breaks_no_promise() {
    replay("frame", entries::frame, 300);
}

#[test]
fn the_corpus_of_data_breaks_no_promise() {
    replay("scan", entries::scan, 300);
}

#[test]
fn the_corpus_of_expressions_breaks_no_promise() {
    replay("expression", entries::expression, 100);
}

#[test]
fn the_corpus_of_topologies_breaks_no_promise() {
    replay("topology", entries::topology, 40);
}
