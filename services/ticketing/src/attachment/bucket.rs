//! An S3-compatible store, reached with our own HTTP client: rustls with ring like everything else, and no second client library.

use bytes::Bytes;
use drumtower_runtime::{Config, Failure};
use http::Response;
use http_body_util::BodyExt as _;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector as Tcp},
    rt::TokioExecutor,
};
use object_store::{
    ClientOptions,
    aws::{AmazonS3, AmazonS3Builder},
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpRequestBody, HttpResponse, HttpResponseBody, HttpService,
    },
};
use secrecy::ExposeSecret as _;

/// How long the store may take to begin its answer.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Opens a bucket. Keys come from the secrets `s3_key_id` and `s3_key`.
pub fn open(config: &Config, bucket: &str) -> Result<AmazonS3, Failure> {
    let store = &config.store;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&store.region)
        .with_access_key_id(config.secret("s3_key_id")?.expose_secret())
        .with_secret_access_key(config.secret("s3_key")?.expose_secret())
        .with_http_connector(Ours);
    if let Some(endpoint) = &store.endpoint {
        // On the services' private network TLS may be somebody else's affair, as with Redis.
        builder = builder.with_endpoint(endpoint).with_allow_http(endpoint.starts_with("http://"));
    }
    Ok(builder.build()?)
}

#[derive(Debug)]
struct Ours;

impl HttpConnector for Ours {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        let https = HttpsConnectorBuilder::new().with_webpki_roots().https_or_http().enable_http1().build();
        Ok(HttpClient::new(Sends(Client::builder(TokioExecutor::new()).build(https))))
    }
}

#[derive(Debug)]
struct Sends(Client<HttpsConnector<Tcp>, HttpRequestBody>);

#[tonic::async_trait]
impl HttpService for Sends {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let answer = tokio::time::timeout(PATIENCE, self.0.request(request)).await;
        let answer = answer.map_err(|late| HttpError::new(HttpErrorKind::Timeout, late))?;
        let answer = answer.map_err(|error| {
            let kind = if error.is_connect() { HttpErrorKind::Connect } else { HttpErrorKind::Request };
            HttpError::new(kind, error)
        })?;
        let (head, body) = answer.into_parts();
        let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error)).map_frame(|frame| frame.map_data(Bytes::from));
        Ok(Response::from_parts(head, HttpResponseBody::new(body)))
    }
}
