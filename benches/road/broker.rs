//! The broker to measure against: the one named by `LOCKGATE__KAFKA__BROKERS`, or Apache Kafka started here and ended afterwards.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

/// Any 22 characters of base64.
const CLUSTER_ID: &str = "AAAAAAAAQACAAAAAAAAAAA";

/// A broker, and its end if it was started here.
pub struct Broker {
    /// Where it listens.
    pub address: String,
    started: Option<(Child, tempfile::TempDir)>,
}

impl Broker {
    /// The broker of the environment, or a new one.
    pub fn find() -> anyhow::Result<Broker> {
        match std::env::var("LOCKGATE__KAFKA__BROKERS") {
            Ok(address) => Ok(Broker {
                address,
                started: None,
            }),
            Err(_) => start()
                .context("set LOCKGATE__KAFKA__BROKERS, or install what tests/stack/run needs"),
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        if let Some((mut child, _)) = self.started.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn start() -> anyhow::Result<Broker> {
    let fetch = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stack/parts/fetch");
    let fetched = Command::new(&fetch)
        .status()
        .with_context(|| format!("run {}", fetch.display()))?;
    ensure!(fetched.success(), "{} failed", fetch.display());
    let home = std::env::var_os("HOME").context("HOME")?;
    let cache = std::env::var_os("STACK_CACHE").map_or(
        Path::new(&home).join(".cache/lockgate-stack"),
        PathBuf::from,
    );
    let jars = format!("{}/kafka/*", cache.display());
    let folder = tempfile::tempdir()?;
    let (port, controller) = (free_port()?, free_port()?);
    let properties = folder.path().join("kafka.properties");
    std::fs::write(
        &properties,
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ncontroller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\nlog.dirs={}\n\
             offsets.topic.replication.factor=1\noffsets.topic.num.partitions=8\n\
             transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
             group.initial.rebalance.delay.ms=0\nauto.create.topics.enable=false\n",
            folder.path().join("data").display()
        ),
    )?;
    let format = Command::new("java")
        .args([
            "-cp",
            &jars,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            CLUSTER_ID,
            "-c",
        ])
        .arg(&properties)
        .output()
        .context("run java")?;
    ensure!(
        format.status.success(),
        "format the broker's data: {}",
        String::from_utf8_lossy(&format.stderr)
    );
    let child = Command::new("java")
        .args(["-Xmx1g", "-cp", &jars, "kafka.Kafka"])
        .arg(&properties)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .context("start the broker")?;
    let broker = Broker {
        address: format!("127.0.0.1:{port}"),
        started: Some((child, folder)),
    };
    let deadline = Instant::now() + Duration::from_secs(60);
    while TcpStream::connect(&broker.address).is_err() {
        ensure!(
            Instant::now() < deadline,
            "the broker did not come up in 60 s"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    Ok(broker)
}

/// A port that nobody listens on now.
fn free_port() -> anyhow::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?
        .local_addr()?
        .port())
}
