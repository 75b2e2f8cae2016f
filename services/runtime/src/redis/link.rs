//! A connection that is opened when it is first needed, shared by everybody, and opened again, perhaps to another server, after it failed.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, RetryMethod, ScriptInvocation, Value,
    aio::{ConnectionLike, MultiplexedConnection, PubSub},
    cluster::ClusterClient,
    cluster_async::ClusterConnection,
    sentinel::{SentinelClient, SentinelNodeConnectionInfo, SentinelServerType},
};
use futures::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};

use super::address::Address;

const ANSWERS_WITHIN: Duration = Duration::from_millis(100);
const CONNECTS_WITHIN: Duration = Duration::from_millis(200);
/// Asking the Sentinels, or a Cluster for its slots, takes some connections one after the other.
const FINDS_WITHIN: Duration = Duration::from_secs(3);
/// Who asks does not wait that long for it; the attempt goes on.
const WAITS: Duration = Duration::from_millis(300);

/// The way to Redis.
pub(super) struct Link {
    way: Arc<Way>,
    slot: Mutex<Slot>,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) enum Question<'a> {
    Command(&'a Cmd),
    Script(&'a ScriptInvocation<'a>),
}

impl Question<'_> {
    async fn put(self, mut connection: Connection) -> RedisResult<Value> {
        match self {
            Self::Command(command) => command.query_async(&mut connection).await,
            Self::Script(script) => script.invoke_async(&mut connection).await,
        }
    }
}

fn late() -> RedisError {
    std::io::Error::from(std::io::ErrorKind::TimedOut).into()
}

/// Whether a new connection may do better. Who waited in vain once does not wait again.
fn worth_another(error: &RedisError) -> bool {
    !error.is_timeout() && !error.is_connection_refusal() && !matches!(error.retry_method(), RetryMethod::NoRetry)
}

/// The connection in use or being opened, and how many came before it.
#[derive(Default)]
struct Slot {
    number: u64,
    opening: Option<Opening>,
}

type Opening = Shared<BoxFuture<'static, RedisResult<Connection>>>;

enum Way {
    One(Client),
    Watched(tokio::sync::Mutex<SentinelClient>),
    Cluster { client: ClusterClient, nodes: Vec<Client> },
}

impl Link {
    /// Connects nothing yet.
    pub fn new(address: &Address) -> RedisResult<Self> {
        Ok(Self { way: Arc::new(Way::new(address)?), slot: Mutex::default() })
    }

    /// Asks, and once more over a new connection when the old one turned out to be dead, or its server a master no longer.
    pub async fn ask(&self, question: Question<'_>) -> RedisResult<Value> {
        match self.ask_once(question).await {
            Err(error) if worth_another(&error) => self.ask_once(question).await,
            answer => answer,
        }
    }

    /// A connection whose failure is not that of the question is not used again.
    async fn ask_once(&self, question: Question<'_>) -> RedisResult<Value> {
        let (number, opening) = self.opening();
        let opened = match tokio::time::timeout(WAITS, opening).await {
            Ok(opened) => opened,
            Err(_) => return Err(late()),
        };
        let answer = match opened {
            Ok(connection) => question.put(connection).await,
            Err(error) => Err(error),
        };
        answer.inspect_err(|error| {
            if error.is_io_error() || worth_another(error) {
                self.give_up(number);
            }
        })
    }

    /// A connection that hears what is published.
    pub async fn subscription(&self) -> RedisResult<PubSub> {
        tokio::time::timeout(FINDS_WITHIN, self.subscribe()).await.unwrap_or_else(|_| Err(late()))
    }

    async fn subscribe(&self) -> RedisResult<PubSub> {
        match &*self.way {
            Way::One(client) => client.get_async_pubsub().await,
            Way::Watched(client) => {
                let master = client.lock().await.async_get_client().await?;
                master.get_async_pubsub().await
            }
            // What one node is told, all are told.
            Way::Cluster { nodes, .. } => {
                let mut last = RedisError::from((ErrorKind::InvalidClientConfig, "no nodes"));
                for node in nodes {
                    match node.get_async_pubsub().await {
                        Ok(subscription) => return Ok(subscription),
                        Err(error) => last = error,
                    }
                }
                Err(last)
            }
        }
    }

    /// The connection, or the one attempt to open it that everybody waits for.
    fn opening(&self) -> (u64, Opening) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let number = slot.number;
        let opening = slot.opening.get_or_insert_with(|| {
            let way = Arc::clone(&self.way);
            // A task of its own: it goes on when those who asked for it have gone.
            let opening = tokio::spawn(async move { way.open().await });
            opening.map(|opened| opened.unwrap_or_else(|_| Err(late()))).boxed().shared()
        });
        (number, opening.clone())
    }

    /// Drops a connection, unless somebody was quicker.
    fn give_up(&self, number: u64) {
        let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.number == number {
            *slot = Slot { number: number + 1, opening: None };
        }
    }
}

impl Way {
    fn new(address: &Address) -> RedisResult<Self> {
        Ok(match address {
            Address::One(server) => Self::One(Client::open(server.clone())?),
            Address::Watched { sentinels, name, master } => {
                let master = SentinelNodeConnectionInfo::default().set_redis_connection_info(master.redis_settings().clone());
                let client = SentinelClient::build(sentinels.clone(), name.clone(), Some(master), SentinelServerType::Master)?;
                Self::Watched(tokio::sync::Mutex::new(client))
            }
            Address::Cluster(nodes) => {
                let client = ClusterClient::builder(nodes.clone())
                    .connection_timeout(CONNECTS_WITHIN)
                    .response_timeout(ANSWERS_WITHIN)
                    .retries(1)
                    .min_retry_wait(10)
                    .max_retry_wait(50)
                    .build()?;
                let nodes = nodes.iter().map(|node| Client::open(node.clone())).collect::<Result<_, _>>()?;
                Self::Cluster { client, nodes }
            }
        })
    }

    async fn open(&self) -> RedisResult<Connection> {
        let settings =
            AsyncConnectionConfig::new().set_response_timeout(Some(ANSWERS_WITHIN)).set_connection_timeout(Some(CONNECTS_WITHIN));
        let opened = tokio::time::timeout(FINDS_WITHIN, async {
            Ok(match self {
                Self::One(client) => Connection::Server(client.get_multiplexed_async_connection_with_config(&settings).await?),
                Self::Watched(client) => Connection::Server(client.lock().await.get_async_connection_with_config(&settings).await?),
                Self::Cluster { client, .. } => Connection::Cluster(client.get_async_connection().await?),
            })
        });
        opened.await.unwrap_or_else(|_| Err(late()))
    }
}

/// To one server or to many.
#[derive(Clone)]
pub(super) enum Connection {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, command: &'a Cmd) -> RedisFuture<'a, Value> {
        match self {
            Self::Server(connection) => connection.req_packed_command(command),
            Self::Cluster(connection) => connection.req_packed_command(command),
        }
    }

    fn req_packed_commands<'a>(&'a mut self, pipeline: &'a Pipeline, offset: usize, count: usize) -> RedisFuture<'a, Vec<Value>> {
        match self {
            Self::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            Self::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match self {
            Self::Server(connection) => connection.get_db(),
            Self::Cluster(connection) => connection.get_db(),
        }
    }
}
