//! The cache and the client against a registry that fails on command. Times are real but none is slept through: every test
//! waits for an answer, and the bounds that make it come are milliseconds.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::runtime::Handle;

use super::cache::UNKNOWN_MAX;
use super::fake::{FakeRegistry, Fault};
use super::*;
use crate::codec::frame::SchemaId;
use crate::config::{Auth, RegistryConfig, Secret};
use crate::schema::Schema;
use crate::schema::compat::Level;

const ORDER: &str =
    r#"{"type":"record","name":"shop.Order","fields":[{"name":"id","type":"long"}]}"#;
const ORDER_2: &str = r#"{"type":"record","name":"shop.Order","fields":[{"name":"id","type":"long"},
    {"name":"note","type":["null","string"],"default":null}]}"#;

fn config(registry: &FakeRegistry) -> RegistryConfig {
    RegistryConfig {
        urls: vec![registry.url()],
        request_timeout_ms: 2_000,
        unknown_wait_ms: 100,
        requests_per_second: 1_000,
        ..RegistryConfig::default()
    }
}

fn cache(config: &RegistryConfig) -> Cache {
    Cache::start(config, &Handle::current()).unwrap()
}

fn found(answer: &Answer) -> &Arc<Schema> {
    match answer {
        Answer::Found(schema) => schema,
        other => panic!("{other:?}"),
    }
}

/// Waits until something holds that only another task can bring about.
async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let waited = tokio::time::timeout(Duration::from_secs(20), async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    waited
        .await
        .unwrap_or_else(|_| panic!("never came: {what}"));
}

#[tokio::test]
async fn an_id_is_fetched_once_however_many_ask_and_kept() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("orders-value", ORDER);
    registry.fail_with(Fault::Delay(Duration::from_millis(50)));
    let cache = cache(&config(&registry));
    assert!(cache.get(id).is_none());
    let asks: Vec<_> = (0..50)
        .map(|_| {
            let cache = cache.clone();
            tokio::spawn(async move { cache.fetch(id).await })
        })
        .collect();
    for ask in asks {
        assert_eq!(found(&ask.await.unwrap()).root_name(), Some("shop.Order"));
    }
    assert!(matches!(cache.get(id), Some(Answer::Found(_))));
    assert!(matches!(cache.fetch(id).await, Answer::Found(_)));
    assert_eq!(registry.requests_for(id), 1);
}

#[tokio::test]
async fn an_unknown_id_is_waited_for_and_then_remembered_for_a_short_time() {
    let registry = FakeRegistry::start().await.unwrap();
    let config = RegistryConfig {
        unknown_ttl_ms: 1_000,
        ..config(&registry)
    };
    let cache = cache(&config);
    assert!(matches!(cache.fetch(77).await, Answer::Unknown));
    let asked = registry.requests_for(77);
    assert!(asked >= 2, "asked once, not waited for");
    assert!(matches!(cache.get(77), Some(Answer::Unknown)));
    assert_eq!(registry.requests_for(77), asked, "remembered");
    until("the memory ends", || cache.get(77).is_none()).await;
}

#[tokio::test]
async fn an_id_that_a_lagging_member_learns_of_is_found() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("orders-value", ORDER);
    registry.hide(id, 1);
    let config = RegistryConfig {
        unknown_wait_ms: 10_000,
        ..config(&registry)
    };
    let answer = cache(&config).fetch(id).await;
    assert!(matches!(answer, Answer::Found(_)));
    assert_eq!(registry.requests_for(id), 2);
}

/// Goal: nothing but the registry's own word makes an id unknown. Method: each kind of trouble in turn; the ask must stay
/// open and the outage visible for longer than an unknown id would be waited for, and end well when the trouble ends.
#[tokio::test]
async fn no_kind_of_outage_is_an_answer_or_remembered_as_one() {
    let kinds = [
        Fault::Status(500),
        Fault::Status(503),
        Fault::Status(429),
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(408),
        Fault::ForeignNotFound,
        Fault::Html,
        Fault::HugeBody,
        Fault::Redirect,
        Fault::Delay(Duration::from_secs(60)),
    ];
    for kind in kinds {
        let registry = FakeRegistry::start().await.unwrap();
        let id = registry.register("orders-value", ORDER);
        registry.fail_with(kind);
        let config = RegistryConfig {
            unknown_wait_ms: 0,
            request_timeout_ms: if matches!(kind, Fault::Delay(_)) {
                50
            } else {
                5_000
            },
            ..config(&registry)
        };
        let cache = cache(&config);
        let ask = tokio::spawn({
            let cache = cache.clone();
            async move { cache.fetch(id).await }
        });
        until("two failures", || cache.stats().failures >= 2).await;
        let outage = cache.outage().expect("the outage is visible");
        assert!(
            outage.failures >= 1 && !outage.message.is_empty(),
            "{kind:?}"
        );
        assert!(!ask.is_finished() && cache.get(id).is_none(), "{kind:?}");
        registry.fail_with(Fault::None);
        assert!(matches!(ask.await.unwrap(), Answer::Found(_)), "{kind:?}");
        assert_eq!(cache.outage(), None, "{kind:?}");
    }
}

#[tokio::test]
async fn a_registry_that_is_down_at_the_start_is_waited_for() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("orders-value", ORDER);
    registry.down();
    let cache = cache(&config(&registry));
    let ask = tokio::spawn({
        let cache = cache.clone();
        async move { cache.fetch(id).await }
    });
    until("a failure", || cache.stats().failures >= 1).await;
    let message = cache.outage().unwrap().message;
    assert!(message.contains("refused"), "{message}");
    registry.up().await.unwrap();
    assert!(matches!(ask.await.unwrap(), Answer::Found(_)));
}

#[tokio::test]
async fn another_address_is_tried_when_one_fails() {
    let (dead, alive) = (
        FakeRegistry::start().await.unwrap(),
        FakeRegistry::start().await.unwrap(),
    );
    let id = alive.register("orders-value", ORDER);
    dead.down();
    let config = RegistryConfig {
        urls: vec![dead.url(), alive.url()],
        ..config(&alive)
    };
    assert!(matches!(cache(&config).fetch(id).await, Answer::Found(_)));
}

/// Each way to sign in, with the header that it becomes.
fn logins() -> [(Auth, &'static str); 2] {
    [
        (
            Auth::Basic(Secret::new("user"), Secret::new("canary")),
            "Basic dXNlcjpjYW5hcnk=",
        ),
        (Auth::Bearer(Secret::new("canary")), "Bearer canary"),
    ]
}

/// The words of a registry that has repeated what it was sent.
fn assert_hidden(message: &str) {
    assert!(
        message.contains("401") && message.contains("[secret]"),
        "{message}"
    );
    assert!(
        !message.contains("canary") && !message.contains("dXNlcjpjYW5hcnk"),
        "{message}"
    );
}

#[tokio::test]
async fn requests_are_signed_and_credentials_stay_out_of_what_is_said() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("orders-value", ORDER);
    for (auth, header) in logins() {
        registry.require_authorization("Basic other");
        let config = RegistryConfig {
            auth,
            ..config(&registry)
        };
        let cache = cache(&config);
        let ask = tokio::spawn({
            let cache = cache.clone();
            async move { cache.fetch(id).await }
        });
        until("a refusal", || cache.outage().is_some()).await;
        assert_hidden(&cache.outage().unwrap().message);
        registry.require_authorization(header);
        assert!(matches!(ask.await.unwrap(), Answer::Found(_)));
    }
}

#[tokio::test]
async fn references_are_followed_and_other_types_of_schema_are_reported() {
    let registry = FakeRegistry::start().await.unwrap();
    registry.register(
        "money",
        r#"{"type":"record","name":"shop.Money","fields":[{"name":"cents","type":"long"}]}"#,
    );
    registry.register_as(
        "line",
        r#"{"type":"record","name":"shop.Line","fields":[{"name":"price","type":"shop.Money"}]}"#,
        "AVRO",
        json!([{"name": "shop.Money", "subject": "money", "version": 1}]),
    );
    let id = registry.register_as(
        "orders-value",
        r#"{"type":"record","name":"shop.Order","fields":[{"name":"line","type":"shop.Line"},{"name":"total","type":"shop.Money"}]}"#,
        "AVRO",
        json!([{"name": "shop.Line", "subject": "line", "version": 1},
               {"name": "shop.Money", "subject": "money", "version": 1}]),
    );
    let proto = registry.register_as("p-value", "syntax = \"proto3\";", "PROTOBUF", json!([]));
    let broken = registry.register_as("b-value", r#"{"type":"nonsense"}"#, "AVRO", json!([]));
    let cache = cache(&config(&registry));
    assert_eq!(
        found(&cache.fetch(id).await).root_name(),
        Some("shop.Order")
    );
    for (id, words) in [(proto, "PROTOBUF"), (broken, "cannot be used")] {
        match cache.fetch(id).await {
            Answer::Unusable(why) => assert!(why.contains(words), "{why}"),
            other => panic!("{other:?}"),
        }
        assert!(matches!(cache.get(id), Some(Answer::Unusable(_))));
    }
}

#[tokio::test]
async fn references_that_never_end_cost_a_bounded_number_of_requests() {
    let registry = FakeRegistry::start().await.unwrap();
    for n in 0..200 {
        let next = format!("s{}", n + 1);
        registry.register_as(
            &format!("s{n}"),
            &format!(r#"{{"type":"record","name":"R{n}","fields":[]}}"#),
            "AVRO",
            json!([{"name": next, "subject": next, "version": 1}]),
        );
    }
    let cache = cache(&config(&registry));
    assert!(matches!(cache.fetch(1).await, Answer::Unusable(_)));
    assert!(
        registry.requests() < 100,
        "{} requests",
        registry.requests()
    );
}

#[tokio::test]
async fn a_flood_of_random_ids_is_remembered_within_bounds_and_paced() {
    let registry = FakeRegistry::start().await.unwrap();
    let config = RegistryConfig {
        unknown_wait_ms: 0,
        requests_per_second: 100,
        ..config(&registry)
    };
    let cache = cache(&config);
    let started = std::time::Instant::now();
    for id in 1_000..1_250 {
        cache.request(id, |_| {});
    }
    until("all answered", || cache.stats().open == 0).await;
    let seconds = started.elapsed().as_secs_f64();
    // 250 requests: 100 at once, the rest at 100 per second.
    assert!(seconds > 1.0, "250 requests in {seconds} s");
    assert_eq!(registry.requests(), 250);
    assert_eq!(cache.stats().unknown, UNKNOWN_MAX);
}

#[tokio::test]
async fn the_id_of_an_output_schema_is_looked_up_and_registered_only_if_told_so() {
    let registry = FakeRegistry::start().await.unwrap();
    let schema = Schema::parse(ORDER).unwrap();
    let careful = Client::new(&config(&registry)).unwrap();
    let fault = careful
        .output_id("orders-value", &schema)
        .await
        .unwrap_err();
    assert!(fault.to_string().contains("not registered"), "{fault}");

    let other = registry.register("orders-value", ORDER_2);
    let fault = careful
        .output_id("orders-value", &schema)
        .await
        .unwrap_err();
    assert!(matches!(fault, OutputFault::Missing(_)));
    assert!(fault.to_string().contains("note"), "{fault}");

    let registering = RegistryConfig {
        register: true,
        ..config(&registry)
    };
    let registering = Client::new(&registering).unwrap();
    let id = registering
        .output_id("orders-value", &schema)
        .await
        .unwrap();
    assert_ne!(id, other);
    assert_eq!(
        careful.output_id("orders-value", &schema).await.unwrap(),
        id
    );
}

#[tokio::test]
async fn an_output_schema_that_another_worker_registers_meanwhile_is_taken() {
    let registry = FakeRegistry::start().await.unwrap();
    registry.fail_with(Fault::Outrun);
    let config = RegistryConfig {
        register: true,
        ..config(&registry)
    };
    let client = Client::new(&config).unwrap();
    let schema = Schema::parse(ORDER).unwrap();
    let id = client.output_id("orders-value", &schema).await.unwrap();
    assert_eq!(id, 1);
}

#[tokio::test]
async fn an_output_schema_that_is_incompatible_is_refused_and_no_outage() {
    let registry = FakeRegistry::start().await.unwrap();
    registry.register("orders-value", ORDER);
    registry.set_level("orders-value", Level::Full);
    let other = ORDER.replace(r#""long""#, r#""string""#);
    let schema = Schema::parse(&other).unwrap();
    let registering = RegistryConfig {
        register: true,
        ..config(&registry)
    };
    let client = Client::new(&registering).unwrap();
    let fault = client.output_id("orders-value", &schema).await.unwrap_err();
    assert!(matches!(fault, OutputFault::Refused(_)), "{fault:?}");
    assert!(
        fault.to_string().contains("incompatible with an earlier"),
        "{fault}"
    );
    let opinion = client.opinion("orders-value", &schema).await.unwrap();
    match opinion {
        Opinion::Incompatible(words) => assert!(words[0].contains("id"), "{words:?}"),
        Opinion::Compatible => panic!("compatible"),
    }
    let better = Schema::parse(ORDER_2).unwrap();
    let opinion = client.opinion("orders-value", &better).await.unwrap();
    assert_eq!(opinion, Opinion::Compatible);
    let level = client.level("orders-value").await.unwrap();
    assert_eq!(level.as_deref(), Some("FULL"));
    assert_eq!(
        client.level("elsewhere").await.unwrap().as_deref(),
        Some("NONE")
    );
}

#[tokio::test]
async fn an_outage_is_no_fault_of_an_output_schema() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("orders-value", ORDER);
    let schema = Schema::parse(ORDER).unwrap();
    let client = Client::new(&config(&registry)).unwrap();
    registry.fail_with(Fault::Status(500));
    let fault = client.output_id("orders-value", &schema).await.unwrap_err();
    assert!(matches!(fault, OutputFault::Outage(_)), "{fault:?}");
    registry.fail_with(Fault::None);
    assert_eq!(client.output_id("orders-value", &schema).await.unwrap(), id);
}

#[tokio::test]
async fn operators_list_register_and_read_subjects() {
    let registry = FakeRegistry::start().await.unwrap();
    let client = Client::new(&config(&registry)).unwrap();
    let id = client.register("orders-value", ORDER).await.unwrap();
    client.register("orders-value", ORDER_2).await.unwrap();
    assert_eq!(client.subjects().await.unwrap(), ["orders-value"]);
    assert_eq!(client.versions("orders-value").await.unwrap(), [1, 2]);
    let latest = client.latest("orders-value").await.unwrap().unwrap();
    assert_eq!((latest.id, latest.version), (id + 1, 2));
    assert!(client.latest("elsewhere").await.unwrap().is_none());
    for name in ["", ".", ".."] {
        assert!(client.register(name, ORDER).await.is_err(), "{name:?}");
    }
    // Nothing of a subject's name becomes a part of the address.
    for name in ["../admin", "a b", "100%", "a?b#c", "a%2Fb", ":.tenant:x"] {
        let id = client.register(name, ORDER).await.unwrap();
        assert_eq!(client.versions(name).await.unwrap(), [1], "{name}");
        let listed = client.listed(name, "latest").await.unwrap().unwrap();
        assert_eq!((listed.id, listed.version), (id, 1), "{name}");
        assert!(client.subjects().await.unwrap().contains(&name.to_owned()));
    }
    registry.down();
    let error = format!("{:#}", client.latest("orders-value").await.unwrap_err());
    assert!(
        error.contains("reading the subject orders-value"),
        "{error}"
    );
}

#[tokio::test]
async fn what_operators_are_told_of_a_refused_login_does_not_repeat_it() {
    let registry = FakeRegistry::start().await.unwrap();
    let schema = Schema::parse(ORDER).unwrap();
    for (auth, header) in logins() {
        registry.require_authorization("Basic other");
        let config = RegistryConfig {
            auth,
            ..config(&registry)
        };
        let client = Client::new(&config).unwrap();
        let told = [
            client.subjects().await.err(),
            client.versions("orders-value").await.err(),
            client.register("orders-value", ORDER).await.err(),
            client.latest("orders-value").await.err(),
            client.listed("orders-value", "1").await.err(),
            client.level("orders-value").await.err(),
            client.find("orders-value", &schema).await.err(),
            client.opinion("orders-value", &schema).await.err(),
        ];
        for error in told {
            assert_hidden(&format!("{:#}", error.expect("refused")));
        }
        registry.require_authorization(header);
        assert_eq!(client.subjects().await.unwrap(), [""; 0]);
    }
}

#[tokio::test]
async fn a_schema_is_found_by_its_guid_and_kept_beside_that_of_its_id() {
    let registry = FakeRegistry::start().await.unwrap();
    let id = registry.register("s-value", ORDER);
    let cache = cache(&config(&registry));
    let guid = SchemaId::Guid(registry.guid(id));
    assert!(cache.get(guid).is_none());
    assert!(matches!(cache.fetch(guid).await, Answer::Found(_)));
    assert!(matches!(cache.get(guid), Some(Answer::Found(_))));
    assert!(
        cache.get(id).is_none(),
        "another key, though the same schema"
    );
    assert_eq!(registry.requests(), 1);
    let unknown = SchemaId::Guid([7; 16]);
    assert!(matches!(cache.fetch(unknown).await, Answer::Unknown));
}
