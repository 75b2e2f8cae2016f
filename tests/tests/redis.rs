//! Redis in its other two shapes, with real servers: a master watched by a Sentinel that hands over, and a Cluster that loses a node.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use drumtower_runtime::redis::{Bell, Redis};
use drumtower_tests::world::free_port;
use redis::{Cmd, Script, cmd};
use tempfile::TempDir;

const PASSWORD: &str = "a password with @ and /";
const IN_URL: &str = "a%20password%20with%20%40%20and%20%2F";

/// A server of a test's own, ended with it.
struct Server {
    port: u16,
    dir: TempDir,
    process: Child,
}

impl Server {
    fn start(port: u16, settings: &str, sentinel: bool) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = format!("bind 127.0.0.1\nport {port}\ndir {}\nsave \"\"\nappendonly no\n{settings}\n", dir.path().display());
        std::fs::write(dir.path().join("redis.conf"), settings).expect("settings");
        let process = Self::launch(&dir, sentinel);
        Self { port, dir, process }
    }

    fn launch(dir: &TempDir, sentinel: bool) -> Child {
        let mut server = Command::new("redis-server");
        server.arg(dir.path().join("redis.conf")).args(sentinel.then_some("--sentinel")).stdout(Stdio::null()).stderr(Stdio::null());
        server.spawn().expect("redis-server is installed")
    }

    fn kill(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }

    fn start_again(&mut self) {
        self.process = Self::launch(&self.dir, false);
    }

    async fn client(&self, password: &str) -> Redis {
        let who = if password.is_empty() { String::new() } else { format!(":{password}@") };
        let redis = Redis::connect(Some(&format!("redis://{who}127.0.0.1:{}", self.port))).expect("a URL");
        eventually("a server answers", async || redis.ping().await.is_ok()).await;
        redis
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

async fn eventually(what: &str, mut happens: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !happens().await {
        assert!(began.elapsed() < Duration::from_secs(30), "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Values, scripts and the bell: what the services ask of Redis.
async fn everything_works(redis: &Redis, bells: &[Bell; 2]) {
    eventually("a value is kept", async || {
        redis.set("{1}:test:a", b"value", Duration::from_secs(60)).await;
        redis.get("{1}:test:a").await.as_deref() == Some(b"value")
    })
    .await;
    redis.forget("{1}:test:a").await;
    assert_eq!(redis.get("{1}:test:a").await, None);
    let both = Script::new("redis.call('INCR', KEYS[1]) return {redis.call('INCR', KEYS[2]), tonumber(ARGV[1])}");
    for tenant in 1..20 {
        let keys = [format!("{{{tenant}}}:test:b"), format!("{{{tenant}}}:test:c")];
        let counted = redis.script(&both, &keys, &["7".to_owned()]).await.expect("a script runs");
        assert_eq!(counted.get(1), Some(&7), "{counted:?}");
    }
    assert!(redis.keys().await.expect("names").len() >= 38, "keys of every node");
    eventually("a bell is heard in another process", async || {
        let mut heard = bells[1].listen();
        bells[0].ring("log:test", 1);
        tokio::time::timeout(Duration::from_millis(200), heard.recv()).await.is_ok()
    })
    .await;
    assert_eq!(redis.flush().await.as_deref(), Some("OK"));
}

fn two_bells(url: &str) -> [Bell; 2] {
    [(); 2].map(|()| Bell::new(Redis::connect(Some(url)).expect("a URL")))
}

async fn role(server: &Redis) -> String {
    let role: Vec<redis::Value> = server.run(&cmd("ROLE")).await.unwrap_or_default();
    role.into_iter().next().and_then(|word| redis::from_redis_value(word).ok()).unwrap_or_default()
}

#[tokio::test]
async fn a_sentinel_hands_over_to_another_master() {
    let settings = format!("requirepass \"{PASSWORD}\"\nmasterauth \"{PASSWORD}\"\nrepl-diskless-sync-delay 0");
    let mut first = Server::start(free_port(), &settings, false);
    let second = Server::start(free_port(), &format!("{settings}\nreplicaof 127.0.0.1 {}", first.port), false);
    let (one, two) = (first.client(IN_URL).await, second.client(IN_URL).await);
    eventually("the replica follows", async || {
        let info: String = two.run(cmd("INFO").arg("replication")).await.unwrap_or_default();
        info.contains("master_link_status:up")
    })
    .await;
    let watch = format!(
        "sentinel monitor park 127.0.0.1 {} 1\nsentinel auth-pass park \"{PASSWORD}\"\nsentinel down-after-milliseconds park 500\n\
         sentinel failover-timeout park 3000",
        first.port
    );
    let sentinel = Server::start(free_port(), &watch, true);
    let watcher = sentinel.client("").await;
    // The first Sentinel is dark: it takes connections and says nothing.
    let dark = TcpListener::bind("127.0.0.1:0").expect("a port");
    let dark_port = dark.local_addr().expect("an address").port();
    let url = format!("redis+sentinel://:{IN_URL}@127.0.0.1:{dark_port},127.0.0.1:{}/park", sentinel.port);
    let redis = Redis::connect(Some(&url)).expect("a URL");
    let bells = two_bells(&url);
    everything_works(&redis, &bells).await;
    eventually("the Sentinel knows the replica", async || {
        let replicas: Vec<redis::Value> = watcher.run(cmd("SENTINEL").arg("REPLICAS").arg("park")).await.unwrap_or_default();
        replicas.len() == 1
    })
    .await;

    first.kill();
    everything_works(&redis, &bells).await;
    assert_eq!(role(&two).await, "master");

    // The other way: both live, and the old master is one no longer.
    first.start_again();
    eventually("the old master follows the new one", async || role(&one).await == "slave").await;
    eventually("an orderly handover begins", async || watcher.run::<String>(cmd("SENTINEL").arg("FAILOVER").arg("park")).await.is_some())
        .await;
    eventually("it is done", async || role(&one).await == "master" && role(&two).await == "slave").await;
    everything_works(&redis, &bells).await;
}

#[tokio::test]
async fn a_cluster_is_one_redis_and_may_lose_a_node() {
    let settings = |port| format!("cluster-enabled yes\ncluster-port {port}\ncluster-node-timeout 1000\ncluster-require-full-coverage no");
    let mut nodes: Vec<Server> = (0..3).map(|_| Server::start(free_port(), &settings(free_port()), false)).collect();
    let mut clients = Vec::new();
    for node in &nodes {
        clients.push(node.client("").await);
    }
    for (client, slots) in clients.iter().zip([(0, 5460), (5461, 10922), (10923, 16383)]) {
        let slots: Option<()> = client.run(cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(slots.0).arg(slots.1)).await;
        assert!(slots.is_some());
    }
    for node in &nodes[1..] {
        let bus = std::fs::read_to_string(node.dir.path().join("redis.conf")).expect("settings");
        let bus = bus.lines().find_map(|line| line.strip_prefix("cluster-port ")).expect("a port").to_owned();
        let met: Option<()> = clients[0].run(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(node.port).arg(bus)).await;
        assert!(met.is_some());
    }
    for client in &clients {
        eventually("the cluster stands", async || {
            let info: String = client.run(cmd("CLUSTER").arg("INFO")).await.unwrap_or_default();
            info.contains("cluster_state:ok") && info.contains("cluster_known_nodes:3") && info.contains("cluster_slots_assigned:16384")
        })
        .await;
    }
    let url = format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}", nodes[0].port, nodes[1].port);
    let redis = Redis::connect(Some(&url)).expect("a URL");
    let bells = two_bells(&url);
    everything_works(&redis, &bells).await;

    // Of two districts, one lives on the node that dies.
    let lives_on = async |client: &Redis, key: &str| client.run::<Option<String>>(&Cmd::get(key)).await.is_some();
    let mut lost = None;
    let mut kept = None;
    for tenant in 1..50 {
        let key = format!("{{{tenant}}}:test:a");
        if lives_on(&clients[0], &key).await {
            lost = Some(key);
        } else {
            kept = Some(key);
        }
    }
    let (lost, kept) = (lost.expect("a district there"), kept.expect("a district elsewhere"));
    nodes[0].kill();
    eventually("the other nodes serve their districts", async || {
        redis.set(&kept, b"value", Duration::from_secs(60)).await;
        redis.get(&kept).await.as_deref() == Some(b"value")
    })
    .await;
    assert_eq!(redis.get(&lost).await, None, "the district of the dead node does without");
    eventually("the bell rings on", async || {
        let mut heard = bells[1].listen();
        bells[0].ring("log:test", 1);
        tokio::time::timeout(Duration::from_millis(200), heard.recv()).await.is_ok()
    })
    .await;
}
