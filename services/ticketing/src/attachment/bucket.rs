//! An S3-compatible store, reached with the one HTTP client that there is, and its cryptography.

use std::time::Duration;

use drumtower_runtime::{Config, Failure, web};
use object_store::{
    BackoffConfig, ClientOptions, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    client::{HttpClient, HttpConnector},
};
use secrecy::ExposeSecret as _;

/// How long the store may take with one request.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked again: whoever waits would rather hear that it is away than wait for it.
const RETRIES: usize = 2;

/// Opens a bucket. Keys come from the secrets `s3_key_id` and `s3_key`.
pub fn open(config: &Config, bucket: &str) -> Result<AmazonS3, Failure> {
    let store = &config.store;
    // The roots are the machine's: an operator's store may have a certificate of the operator's own.
    web::use_ring();
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let client = client.connect_timeout(Duration::from_secs(2)).timeout(PATIENCE).build()?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&store.region)
        .with_access_key_id(config.secret("s3_key_id")?.expose_secret())
        .with_secret_access_key(config.secret("s3_key")?.expose_secret())
        .with_retry(RetryConfig { backoff: BackoffConfig::default(), max_retries: RETRIES, retry_timeout: 2 * PATIENCE })
        .with_http_connector(Ours(client));
    if let Some(endpoint) = &store.endpoint {
        // On the services' private network TLS may be somebody else's affair, as with Redis.
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    Ok(builder.build()?)
}

/// Gives the store our client instead of one of its own.
#[derive(Debug)]
struct Ours(reqwest::Client);

impl HttpConnector for Ours {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.0.clone()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use drumtower_runtime::config::Store;
    use object_store::{ObjectStoreExt as _, path::Path};
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
    };

    use super::*;

    /// A server that keeps what is put and gives it back; what it was asked, heads only.
    async fn server(listener: TcpListener, asked: Arc<Mutex<Vec<String>>>) {
        let mut kept = Vec::new();
        loop {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let (mut bytes, mut head) = (Vec::new(), None);
            while head.is_none() {
                stream.read_buf(&mut bytes).await.expect("read");
                head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            }
            let head = String::from_utf8(bytes.drain(..head.expect("a head") + 4).collect()).expect("text").to_lowercase();
            let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next()?.parse().ok()).unwrap_or(0);
            while bytes.len() < length {
                stream.read_buf(&mut bytes).await.expect("read");
            }
            let (status, body) = match &head {
                head if head.starts_with("put ") => {
                    kept = bytes;
                    ("200 OK", Vec::new())
                }
                head if head.contains("/there ") => ("200 OK", kept.clone()),
                _ => ("404 Not Found", Vec::new()),
            };
            asked.lock().expect("heads").push(head);
            let tag = "etag: \"1\"\r\nlast-modified: Tue, 24 Nov 2026 08:00:00 GMT\r\nconnection: close";
            let answer = format!("HTTP/1.1 {status}\r\n{tag}\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(&[answer.as_bytes(), &body].concat()).await.expect("told");
        }
    }

    #[tokio::test]
    async fn a_bucket_is_asked_with_our_keys_and_says_what_is_not_there() {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let _server = tokio::spawn(server(listener, Arc::clone(&asked)));
        let secrets = std::env::temp_dir().join(format!("drumtower-bucket-{}", std::process::id()));
        std::fs::create_dir_all(&secrets).expect("a folder");
        for (name, value) in [("s3_key_id", "whoever\n"), ("s3_key", "secret\n")] {
            std::fs::write(secrets.join(name), value).expect("written");
        }
        let store = Store { endpoint: Some(endpoint), ..Store::default() };
        let config = Config { secrets: secrets.clone(), store, ..Config::default() };
        let bucket = open(&config, "ours").expect("opened");
        let bytes = vec![7; 3 << 20];
        bucket.put(&Path::from("1/there"), bytes.clone().into()).await.expect("kept");
        let found = bucket.get(&Path::from("1/there")).await.expect("found").bytes().await.expect("read");
        assert_eq!(found, bytes);
        let nothing = bucket.get(&Path::from("1/elsewhere")).await.expect_err("not there");
        assert!(matches!(nothing, object_store::Error::NotFound { .. }), "{nothing}");
        let asked = asked.lock().expect("heads");
        assert!(asked[0].starts_with("put /ours/1/there "), "{}", asked[0]);
        assert!(asked.iter().all(|head| head.contains("credential=whoever/") && head.contains("/cn-east-1/s3/")), "{asked:?}");
        std::fs::remove_dir_all(secrets).expect("clean up");
    }
}
