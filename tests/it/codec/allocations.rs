//! Goal: between decode and route a record costs no allocation. Method: an allocator that counts per thread, in this
//! test binary only.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use bumpalo::Bump;
use lockgate::codec::{Emit, FieldSource, Scan, Slots, Val, frame};

use super::{schema, unhex};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain cell of the thread.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

fn count(size: usize) {
    let _ = COUNT.try_with(|count| count.set(count.get() + 1));
    let _ = BYTES.try_with(|bytes| bytes.set(bytes.get() + size as u64));
}

/// How many bytes `work` asks for on this thread, given back or not.
pub fn allocated_bytes(work: impl FnOnce()) -> u64 {
    let before = BYTES.get();
    work();
    BYTES.get() - before
}

/// How often `work` allocates on this thread.
pub fn allocations(work: impl FnOnce()) -> u64 {
    let before = COUNT.get();
    work();
    COUNT.get() - before
}

#[test]
fn scan_and_emit_allocate_nothing_after_the_first_records() {
    let text =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/shop.json"))
            .unwrap();
    let shop: serde_json::Value = serde_json::from_str(&text).unwrap();
    let envelope = schema(&shop["schemas"]["6"]);
    let row = |name: &str| {
        let (after, field) = envelope.field(envelope.root, "after").unwrap();
        let (record, _) = envelope.strip_null(field.ty);
        let (index, field) = envelope.field(record, name).unwrap();
        (
            lockgate::codec::Want {
                path: vec![after, index],
            },
            field.ty,
        )
    };
    // Copied as they are (in one piece), behind another union index, with another unit, and one computed field.
    let names = [
        "id",
        "customer_id",
        "status",
        "currency",
        "price",
        "quantity",
        "weight_kg",
        "discount",
        "note",
        "updated_at",
        "placed_on",
    ];
    let wants: Vec<_> = names.iter().map(|name| row(name).0).collect();
    let out = schema(
        serde_json::json!({"type": "record", "name": "Out", "fields": [
            {"name": "id", "type": ["null", "string"]},
            {"name": "customer_id", "type": ["null", "long"]},
            {"name": "status", "type": ["null", "string"]},
            {"name": "currency", "type": ["null", "string"]},
            {"name": "price", "type": ["null", {"type": "bytes", "logicalType": "decimal", "precision": 12, "scale": 2}]},
            {"name": "quantity", "type": ["null", "int"]},
            {"name": "weight_kg", "type": ["null", "float"]},
            {"name": "discount", "type": ["null", "double"]},
            {"name": "note", "type": ["null", "string"]},
            {"name": "updated_at", "type": ["null", {"type": "long", "logicalType": "timestamp-nanos"}]},
            {"name": "placed_on", "type": ["null", {"type": "int", "logicalType": "date"}]},
            {"name": "computed", "type": "string"},
            {"name": "fixed", "type": "int", "default": 5},
        ]}),
    );
    let mut sources: Vec<_> = (0..names.len())
        .map(|slot| FieldSource::Slot(slot as u16))
        .collect();
    sources.extend([FieldSource::Reg(0), FieldSource::Default]);
    let scan = Scan::compile(&envelope, &envelope, &wants).unwrap();
    let emit = Emit::compile(&scan, &envelope, &wants, &out, &sources).unwrap();
    let records: Vec<Vec<u8>> = shop["records"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|record| record["value"].as_str().map(unhex))
        .filter(|value| value[4] == 6)
        .collect();
    assert!(records.len() > 30);
    let (mut slots, mut bytes, bump) = (Slots::new(), Vec::new(), Bump::new());
    let mut round = || {
        bytes.clear();
        for record in &records {
            let (id, datum) = frame::split(record).unwrap();
            frame::write(id, &mut bytes);
            scan.run(datum, &mut slots).unwrap();
            let status = scan.get(&slots, 2, datum);
            let computed = if matches!(status, Val::Null) {
                Val::Str("none")
            } else {
                status
            };
            emit.run(&scan, datum, &slots, &[computed], &bump, &mut bytes)
                .unwrap();
        }
    };
    round();
    assert_eq!(allocations(&mut round), 0);
    // The counter counts.
    assert_eq!(allocations(|| drop(std::hint::black_box(vec![1u8]))), 1);
}
