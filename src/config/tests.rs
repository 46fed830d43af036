use super::*;

/// A folder with configuration files, read under a profile and an environment.
struct Place {
    folder: tempfile::TempDir,
    sources: Sources,
}

impl Place {
    fn new(files: &[(&str, &str)]) -> Place {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let sources = Sources {
            folder: Some(folder.path().to_owned()),
            ..Sources::none()
        };
        Place { folder, sources }
    }

    fn profile(mut self, profile: Profile) -> Place {
        self.sources.profile = Some(profile);
        self
    }

    fn variable(mut self, name: &str, value: &str) -> Place {
        self.sources.environment.push((name.into(), value.into()));
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Place {
        self.sources.flags.push((key.into(), value.into()));
        self
    }

    fn load(&self) -> Result<Config, ConfigFaults> {
        load(&self.sources)
    }

    fn faults(&self) -> Vec<ConfigFault> {
        self.load().expect_err("faults were planted").0
    }
}

fn source<'a>(config: &'a Config, key: &str) -> &'a str {
    let entry = config.entries.iter().find(|entry| entry.key == key);
    &entry.unwrap_or_else(|| panic!("{key} is not shown")).source
}

#[test]
fn each_layer_outranks_the_one_below_and_each_value_names_its_source() {
    let place = Place::new(&[
        (
            "lockgate.toml",
            "[limits]\nlinger_ms = 1\ndrain_timeout_ms = 1\ncommit_interval_ms = 111\npoison_window = 111\n",
        ),
        (
            "lockgate.staging.toml",
            "[limits]\nlinger_ms = 2\ndrain_timeout_ms = 2\ncommit_interval_ms = 222\n",
        ),
        ("lockgate.production.toml", "[limits]\nlinger_ms = 9\n"),
    ])
    .profile(Profile::Staging)
    .variable("LOCKGATE__LIMITS__LINGER_MS", "3")
    .variable("LOCKGATE__LIMITS__DRAIN_TIMEOUT_MS", "3")
    .flag("limits.linger_ms", "4");
    let config = place.load().unwrap();
    let limits = &config.limits;
    assert_eq!(
        (
            limits.linger_ms,
            limits.drain_timeout_ms,
            limits.commit_interval_ms,
            limits.poison_window,
            limits.in_flight_bytes
        ),
        (4, 3, 222, 111, Limits::default().in_flight_bytes)
    );
    assert_eq!(source(&config, "limits.linger_ms"), "flag --set");
    assert_eq!(
        source(&config, "limits.drain_timeout_ms"),
        "environment variable LOCKGATE__LIMITS__DRAIN_TIMEOUT_MS"
    );
    assert!(source(&config, "limits.commit_interval_ms").ends_with("lockgate.staging.toml"));
    assert!(source(&config, "limits.poison_window").ends_with("/lockgate.toml"));
    assert_eq!(source(&config, "limits.in_flight_bytes"), "default");
}

#[test]
fn every_fault_of_every_layer_is_reported_at_once_with_its_source() {
    let place = Place::new(&[
        (
            "lockgate.toml",
            "[kafka]\nbrokrs = \"a:1\"\n[registry]\nurl = \"localhost\"\n[limits]\nlinger_ms = \"soon\"\n\
             [kafka.properties]\n\"linger.m\" = 5\nacks = 1\n",
        ),
        ("lockgate.dev.toml", "[limits]\npoison_share = 20\n[admn]\nlisten = \"x\"\n"),
    ])
    .variable("LOCKGATE__ADMIN__LISTEN", "everywhere")
    .variable("LOCKGATE__KAFKA__CONNECTIONS__DR__PROPERTIES", "fetch.min.bytes=1")
    .flag("log.format", "xml")
    // Hides the fault of the file, which is reported all the same.
    .flag("limits.linger_ms", "4");
    let faults = place.faults();
    for (key, source, words) in [
        (
            "kafka.brokrs",
            "lockgate.toml",
            "did you mean `kafka.brokers`",
        ),
        ("registry.url", "lockgate.toml", "http://"),
        ("limits.linger_ms", "lockgate.toml", "whole number from 0"),
        (
            "kafka.properties.linger.m",
            "lockgate.toml",
            "did you mean `linger.ms`",
        ),
        ("kafka.properties.acks", "lockgate.toml", "in-sync replica"),
        ("limits.poison_share", "lockgate.dev.toml", "0 to 1"),
        ("admn", "lockgate.dev.toml", "did you mean `admin`"),
        ("admin.listen", "LOCKGATE__ADMIN__LISTEN", "127.0.0.1:9400"),
        ("kafka.connections.dr.brokers", "", "no brokers"),
        ("log.format", "flag --set", "auto, human or json"),
    ] {
        assert!(
            faults.iter().any(|fault| fault.key == key
                && fault.source.ends_with(source)
                && fault.to_string().contains(words)),
            "{key}: {}",
            ConfigFaults(faults.clone())
        );
    }
    assert_eq!(faults.len(), 10, "{}", ConfigFaults(faults));
}

#[test]
fn connections_have_names_and_main_is_the_one_of_kafka_brokers() {
    let place = Place::new(&[(
        "lockgate.toml",
        "[kafka]\nbrokers = [\"a:9092\", \"b:9092\"]\n[kafka.properties]\nlinger.ms = 7\n\
         [kafka.connections.dr]\nbrokers = \"c:9093\"\nproperties = \"client.rack=r1;fetch.min.bytes=9\"\n",
    )])
    .variable("LOCKGATE__KAFKA__PROPERTIES", "socket.keepalive.enable=false;queue.buffering.max.ms=8");
    let config = place.load().unwrap();
    let main = config.connection("main").unwrap();
    assert_eq!(main.brokers, "a:9092,b:9092");
    let producer = main.client(Role::Producer, &config.limits);
    let shown: Vec<String> = producer.iter().map(|p| format!("{p:?}")).collect();
    // The alias in the environment replaces the name in the file.
    assert!(shown.contains(&"linger.ms=8".to_owned()), "{shown:?}");
    assert!(shown.contains(&"socket.keepalive.enable=false".to_owned()));
    assert_eq!(config.connection("dr").unwrap().brokers, "c:9093");
    let missing = config.connection("elsewhere").unwrap_err();
    assert_eq!(missing.key, "kafka.connections.elsewhere.brokers");
}

#[test]
fn main_is_named_as_missing_where_it_is_needed_and_not_before() {
    let config = Place::new(&[]).load().unwrap();
    let missing = config.connection("main").unwrap_err().to_string();
    assert!(missing.contains("LOCKGATE__KAFKA__BROKERS"), "{missing}");
}

#[test]
fn an_inline_secret_is_refused_outside_dev_and_a_reference_is_not() {
    let inline = "[registry]\nusername = \"u\"\npassword = \"canary-31\"\n\
                  [kafka]\nbrokers = \"a:1\"\n[kafka.properties]\n\"sasl.password\" = \"canary-32\"\n";
    assert!(Place::new(&[("lockgate.toml", inline)]).load().is_ok());
    for profile in [Profile::Staging, Profile::Production] {
        let faults = Place::new(&[("lockgate.toml", inline)])
            .profile(profile)
            .faults();
        let keys: Vec<&str> = faults.iter().map(|fault| &*fault.key).collect();
        assert_eq!(
            keys,
            ["kafka.properties.sasl.password", "registry.password"]
        );
    }
    let references = inline
        .replace("canary-31", "env:REGISTRY_PASSWORD")
        .replace("canary-32", "env:KAFKA_PASSWORD");
    let config = Place::new(&[("lockgate.toml", &references)])
        .profile(Profile::Production)
        .variable("REGISTRY_PASSWORD", "canary-33")
        .variable("KAFKA_PASSWORD", "canary-34")
        .load()
        .unwrap();
    match &config.registry.auth {
        Auth::Basic(user, password) => {
            assert_eq!((user.expose(), password.expose()), ("u", "canary-33"));
        }
        other => panic!("{other:?}"),
    }
    let properties = &config.connection("main").unwrap().properties;
    assert_eq!(properties[0].value.expose(), "canary-34");
    assert!(properties[0].secret);
}

#[test]
fn a_value_that_the_client_library_refuses_is_a_fault_that_does_not_repeat_it() {
    let faults = Place::new(&[])
        .variable("LOCKGATE__KAFKA__BROKERS", "a:1")
        .flag("kafka.properties.linger.ms", "canary-55")
        .faults();
    assert_eq!(faults[0].key, "kafka.properties.linger.ms");
    assert!(!faults[0].to_string().contains("canary-55"));
}

#[test]
fn security_settings_that_do_nothing_are_warned_about() {
    let warnings = |properties: &str| {
        let place = Place::new(&[]).variable("LOCKGATE__KAFKA__BROKERS", "a:1");
        let place = place.variable("LOCKGATE__KAFKA__PROPERTIES", properties);
        place.load().unwrap().warnings
    };
    let sasl = "sasl.mechanism=SCRAM-SHA-512;sasl.username=u;sasl.password=p";
    assert!(warnings(sasl)[0].contains("security.protocol"));
    assert!(warnings(&format!("{sasl};security.protocol=sasl_ssl")).is_empty());
    let plain = "sasl.mechanism=PLAIN;security.protocol=SASL_PLAINTEXT";
    assert!(warnings(plain)[0].contains("in the clear"));
}

#[test]
fn one_way_to_sign_in_at_the_registry() {
    for (toml, key) in [
        ("username = \"u\"", "registry.username"),
        ("password = \"p\"", "registry.password"),
        ("token = \"t\"\nusername = \"u\"", "registry.token"),
    ] {
        let faults = Place::new(&[("lockgate.toml", &format!("[registry]\n{toml}\n"))]).faults();
        assert_eq!(faults[0].key, key);
        assert_eq!(faults.len(), 1);
    }
}

#[test]
fn a_near_miss_in_the_environment_is_warned_about_and_a_foreign_name_is_not() {
    let config = Place::new(&[])
        .variable("LOCKGATE_KAFKA_BROKERS", "a:1")
        .variable("LOCKGATE_SERVICE_HOST", "10.0.0.1")
        .variable("LOCKGATE_PORT_9400_TCP_ADDR", "10.0.0.1")
        .load()
        .unwrap();
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert!(config.warnings[0].contains("LOCKGATE__KAFKA__BROKERS"));
}

#[test]
fn a_file_that_was_asked_for_must_exist() {
    let mut place = Place::new(&[]);
    place.sources.file = Some(place.folder.path().join("absent.toml"));
    assert!(place.faults()[0].message.contains("absent.toml"));
}

/// Goal: no secret reaches an error, a debug output or the listing. Method: canaries are planted wherever a secret may be
/// written, rightly or wrongly; everything that can be printed is searched; the search is proven by one canary planted on
/// purpose in a value that is shown.
#[test]
fn planted_secrets_are_nowhere_to_be_seen() {
    const CANARY: &str = "canary-9c1f";
    let secret_file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret_file.path(), format!("{CANARY}-file\n")).unwrap();
    let good = format!(
        "[registry]\nurl = \"https://r:8081\"\nusername = \"u\"\npassword = \"{CANARY}-a\"\n\
         [kafka]\nbrokers = \"a:1\"\n[kafka.properties]\n\"sasl.password\" = \"{CANARY}-b\"\n\
         \"ssl.key.pem\" = \"env:KEY\"\n\"sasl.oauthbearer.config\" = \"{CANARY}-c\"\n\"sasl.username\" = \"file:{}\"\n\
         [vars]\nkey = \"{CANARY}-f\"\n",
        secret_file.path().display()
    );
    let good = Place::new(&[("lockgate.toml", &good)])
        .variable("KEY", &format!("{CANARY}-d"))
        .variable("LOCKGATE__KAFKA__CONNECTIONS__DR__BROKERS", "b:1")
        .variable(
            "LOCKGATE__KAFKA__CONNECTIONS__DR__PROPERTIES",
            &format!("sasl.password={CANARY}-e"),
        );
    let config = good.load().unwrap();
    let mut printed = vec![
        format!("{config:?}"),
        format!("{:#?}", config.entries),
        serde_json::to_string(&config.entries).unwrap(),
        config.warnings.join("\n"),
    ];
    for connection in config.connections.values() {
        let (group, partitions) = ("g", 1);
        for role in [Role::Producer, Role::Consumer { group, partitions }] {
            printed.push(format!("{:?}", connection.client(role, &config.limits)));
        }
    }
    for wrong in [
        format!("[registry]\npasword = \"{CANARY}\"\n"),
        format!("[registry]\npassword = {CANARY}\n"),
        format!("[registry]\npassword = [\"{CANARY}\", \"x\"]\n"),
        format!("[registry.password]\nvalue = \"{CANARY}\"\n"),
        format!("[registry]\nurl = \"https://u:{CANARY}@r:8081\"\n"),
        format!("[kafka]\nbrokers = \"u:{CANARY}@host:9092\"\n"),
        format!("[kafka]\nproperties = \"sasl.password=a;{CANARY}\"\n"),
        format!("[kafka]\nproperties = \"sasl.password=a;{CANARY}=b\"\n"),
        format!("[kafka.properties]\n\"sasl.pasword\" = \"{CANARY}\"\n"),
        format!("[kafka.properties]\nacks = \"{CANARY}\"\n"),
        format!("[registry]\npassword = \"{CANARY}\"\ntoken = \"{CANARY}\"\n"),
        format!("[limits]\nlinger_ms = \"{CANARY}\"\n"),
    ] {
        for profile in [Profile::Dev, Profile::Production] {
            let place = Place::new(&[("lockgate.toml", &wrong)]).profile(profile);
            let Err(faults) = place.load() else {
                panic!("accepted: {wrong}")
            };
            printed.push(format!("{faults}\n{faults:?}"));
        }
    }
    let found = |printed: &[String]| printed.iter().any(|text| text.contains(CANARY));
    for text in &printed {
        assert!(!text.contains(CANARY), "{text}");
    }
    let planted = Place::new(&[])
        .flag("outputs.correlation_header", CANARY)
        .load()
        .unwrap();
    printed.push(serde_json::to_string(&planted.entries).unwrap());
    assert!(
        found(&printed),
        "the search finds nothing, so it proves nothing"
    );
}

#[test]
fn names_of_connections_are_such_that_the_environment_can_name_them() {
    for name in ["DR", "\"a.b\"", "\"\""] {
        let toml = format!("[kafka.connections.{name}]\nbrokers = \"a:1\"\n");
        let faults = Place::new(&[("lockgate.toml", &toml)]).faults();
        assert_eq!(faults.len(), 1, "{}", ConfigFaults(faults));
        assert!(faults[0].to_string().contains("small letters"));
    }
}

proptest::proptest! {
    #[test]
    fn no_words_bring_the_loader_down(
        keys in proptest::collection::vec(
            "(kafka|registry|limits|vars|log|properties|connections|[a-z]{0,3})([.](properties|brokers|url|main|dr|linger|ms|[a-z.]{0,4})){0,4}",
            0..4,
        ),
        values in proptest::collection::vec("(file:|env:|a=b;|\\\\;|[0-9]{0,20}|.{0,10}){0,3}", 4),
        toml in "(\\[?(kafka|registry|limits)(\\.(url|properties))?\\]?( = )?([0-9]{1,4}|\"[a-z]\"|\\{\\}|\\[\\])?\n){0,4}",
    ) {
        let mut place = Place::new(&[("lockgate.toml", &toml)]);
        for (key, value) in keys.into_iter().zip(values) {
            let variable = format!("LOCKGATE__{}", key.replace('.', "__").to_uppercase());
            place = place.variable(&variable, &value).flag(&key, &value);
        }
        // Accepted or refused, but answered.
        let _ = place.load();
    }
}

#[test]
fn a_variable_that_is_not_text_is_a_fault_and_not_as_if_it_were_not_set() {
    let mut place = Place::new(&[]);
    place
        .sources
        .unreadable
        .push("LOCKGATE__KAFKA__BROKERS".into());
    place.sources.unreadable.push("ANOTHERS".into());
    let faults = place.faults();
    assert_eq!(faults.len(), 1, "{faults:?}");
    assert_eq!(faults[0].key, "kafka.brokers");
    assert!(
        faults[0].message.contains("UTF-8")
            && faults[0].source.contains("LOCKGATE__KAFKA__BROKERS"),
        "{faults:?}"
    );
}
