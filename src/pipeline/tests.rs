use super::planted::world;
use super::process::Class;
use super::*;
use crate::telemetry::logging::tests::lines_of;

#[test]
fn the_line_of_a_dead_letter_carries_the_id_that_its_record_brought() {
    let plan = world::plan();
    let correlation_of = |name: Option<&[u8]>, headers: &[(&[u8], Option<&[u8]>)], reason| {
        let input = Input {
            source: 0,
            partition: 3,
            offset: 77,
            timestamp_ms: None,
            key: None,
            value: None,
            headers,
        };
        let poison = Poison {
            class: Class::Poison,
            reason,
            step: None,
            route: None,
            message: String::new(),
            declared: false,
        };
        let lines = lines_of(|| tell_dead_letter(&plan, &input, &poison, name));
        assert_eq!(lines.len(), 1, "{lines:?}");
        assert_eq!(lines[0]["source"], "in/3/77");
        lines[0]["correlation"].as_str().unwrap().to_owned()
    };
    let name: Option<&[u8]> = Some(b"x-request");
    for reason in ["bad_frame", INTERNAL_PANIC] {
        let brought: [(&[u8], Option<&[u8]>); 2] =
            [(b"other", Some(b"no")), (b"x-request", Some(b"req-9"))];
        assert_eq!(correlation_of(name, &brought, reason), "req-9");
        // Without one that can be shown, its position is its id.
        assert_eq!(correlation_of(None, &brought, reason), "in/3/77");
        assert_eq!(correlation_of(name, &brought[..1], reason), "in/3/77");
        for value in [None, Some(&b"\xff"[..])] {
            let header = [(&b"x-request"[..], value)];
            assert_eq!(correlation_of(name, &header, reason), "in/3/77");
        }
    }
}
