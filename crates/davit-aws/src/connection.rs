//! Carries requests over HTTP: one pool of connections, time-outs everywhere, proxies and trust as
//! they are handed in. Knows nothing of services and reads no environment.

mod body;
mod cause;
mod file;
mod proxy;
mod tls;

use std::{
    error::Error,
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use futures_util::{TryStreamExt, future::BoxFuture};
use http_body_util::BodyExt;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{
        Client,
        connect::{HttpConnector, capture_connection},
    },
    rt::TokioExecutor,
};

pub use self::body::{Body, FilePart, Pieces};
use self::{body::Sending, cause::Cause, proxy::Connector};
use crate::{
    config::Proxies,
    http::{Headers, Request, Response},
};

/// How connections are made.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long a connection may take to be there.
    pub connect_timeout: Duration,
    /// How long nothing may be sent or come in.
    pub read_timeout: Duration,
    /// A file of certificates to trust in the place of the system's.
    pub ca_bundle: Option<PathBuf>,
    /// Whether certificates are looked at. Without it anyone may read and change what is sent.
    pub verify: bool,
    /// What goes through which proxy.
    pub proxies: Proxies,
    /// How many idle connections to a host are kept.
    pub idle: usize,
}

/// botocore's time-outs of a minute; trust and no proxy.
impl Default for Options {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(60),
            read_timeout: Duration::from_secs(60),
            ca_bundle: None,
            verify: true,
            proxies: Proxies::default(),
            idle: 64,
        }
    }
}

/// Why no answer came, or not the whole of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransportError {
    /// No connection came to be.
    #[error("no connection to {host}")]
    Connect {
        /// The host.
        host: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The host showed a certificate that is not trusted.
    #[error("the certificate of {host} is not trusted: {reason}")]
    Untrusted {
        /// The host.
        host: String,
        /// Why.
        reason: String,
    },
    /// A connection did not come to be in time.
    #[error("no connection to {host} within {} s", after.as_secs_f64())]
    ConnectTimeout {
        /// The host.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// Nothing was sent and nothing came for too long.
    #[error("nothing came from {host} for {} s", after.as_secs_f64())]
    ReadTimeout {
        /// The host.
        host: String,
        /// How long was waited.
        after: Duration,
    },
    /// The connection broke off.
    #[error("the connection to {host} broke off")]
    Broken {
        /// The host.
        host: String,
        /// Why.
        source: Box<dyn Error + Send + Sync>,
    },
    /// What was to be sent could not be read.
    #[error("the body to be sent cannot be read")]
    Body {
        /// Why.
        source: std::io::Error,
    },
    /// An answer that is larger than anything that is kept in memory.
    #[error("the answer of {host} is larger than {most} bytes")]
    TooLarge {
        /// The host.
        host: String,
        /// How much is kept.
        most: usize,
    },
    /// The trusted certificates cannot be read.
    #[error("the certificates in {path} cannot be read: {reason}")]
    Certificates {
        /// Where they are.
        path: String,
        /// Why.
        reason: String,
    },
    /// What is to be called is no address.
    #[error("{url:?} is no address that can be called: {reason}")]
    Address {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
}

impl TransportError {
    /// Whether it may come through when it is tried again.
    #[must_use]
    pub const fn passes(&self) -> bool {
        matches!(
            self,
            Self::Connect { .. }
                | Self::ConnectTimeout { .. }
                | Self::ReadTimeout { .. }
                | Self::Broken { .. }
        )
    }
}

/// Answers requests in the place of the network: with what was recorded, in tests.
pub trait Transport: Send + Sync {
    /// The answer to a request, whose body is in it.
    fn answer(&self, request: Request) -> BoxFuture<'_, Result<Response, TransportError>>;
}

/// A pool of connections.
pub struct Pool {
    options: Options,
    transport: Option<Arc<dyn Transport>>,
    plain: OnceLock<Client<Connector, Sending>>,
    secure: OnceLock<Client<HttpsConnector<Connector>, Sending>>,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Pool").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Pool {
    /// A pool. What is trusted is read when something is first called over TLS.
    #[must_use]
    pub const fn new(options: Options) -> Self {
        Self { options, transport: None, plain: OnceLock::new(), secure: OnceLock::new() }
    }

    /// A pool without connections: something else answers.
    #[must_use]
    pub fn answered_by(transport: Arc<dyn Transport>) -> Self {
        Self { transport: Some(transport), ..Self::new(Options::default()) }
    }

    /// Sends a request and gives the head of the answer, whose body is still to be read.
    ///
    /// # Errors
    ///
    /// When there is no answer.
    pub async fn send(&self, request: &Request, body: Body) -> Result<Answer, TransportError> {
        if let Some(transport) = &self.transport {
            return self.given(&**transport, request, body).await;
        }
        let host = request.host.as_str();
        let sending =
            Sending::open(body).await.map_err(|source| TransportError::Body { source })?;
        let progress = sending.progress();
        let mut built = build(request, sending)?;
        if request.scheme == "http"
            && let Some(login) = proxy::login(&self.options.proxies, host)
        {
            built.headers_mut().insert(hyper::header::PROXY_AUTHORIZATION, login);
        }
        let mut captured = capture_connection(&mut built);
        // Connections that were closed while nothing was sent are noticed before one is taken.
        tokio::task::yield_now().await;
        let answer = async {
            if request.scheme == "https" {
                self.secure()?.request(built).await
            } else {
                self.plain().request(built).await
            }
            .map_err(|error| self.explain(request, &error))
        };
        let mut answer = std::pin::pin!(answer);
        let early = tokio::select! {
            biased;
            answer = &mut answer => Some(answer?),
            _ = captured.wait_for_connection_metadata() => None,
            () = tokio::time::sleep(self.options.connect_timeout) => {
                let host = self.name(request);
                return Err(TransportError::ConnectTimeout { host, after: self.options.connect_timeout });
            }
        };
        let head = match early {
            Some(head) => head,
            None => self.patiently(host, &progress, answer).await?,
        };
        let (head, body) = head.into_parts();
        let headers = head.headers.iter().map(|(name, value)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        });
        let (status, headers) = (head.status.as_u16(), headers.collect());
        let (body, limit) = (Incoming::Network(body), self.options.read_timeout);
        Ok(Answer { status, headers, host: host.to_owned(), body, limit })
    }

    /// Waits for an answer for as long as something is still being sent, and then for the read time-out.
    async fn patiently<T>(
        &self,
        host: &str,
        progress: &body::Progress,
        mut answer: impl Future<Output = Result<T, TransportError>> + Unpin,
    ) -> Result<T, TransportError> {
        let limit = self.options.read_timeout;
        let began = Instant::now();
        let mut wait = limit;
        loop {
            match tokio::time::timeout(wait, &mut answer).await {
                Ok(answer) => return answer,
                Err(_) => {
                    let idle = progress.last().max(began).elapsed();
                    if idle >= limit {
                        let host = host.to_owned();
                        return Err(TransportError::ReadTimeout { host, after: limit });
                    }
                    wait = limit - idle;
                }
            }
        }
    }

    async fn given(
        &self,
        transport: &dyn Transport,
        request: &Request,
        body: Body,
    ) -> Result<Answer, TransportError> {
        let unreadable = |source| TransportError::Body { source };
        let pieces = body.pieces().await.map_err(unreadable)?;
        let pieces: Vec<Bytes> = pieces.try_collect().await.map_err(unreadable)?;
        let request = Request { body: pieces.concat().into(), ..request.clone() };
        let host = request.host.clone();
        let Response { status, headers, body } = transport.answer(request).await?;
        let body = Incoming::Given(Some(body).filter(|it| !it.is_empty()));
        Ok(Answer { status, headers, host, body, limit: self.options.read_timeout })
    }

    fn plain(&self) -> &Client<Connector, Sending> {
        self.plain.get_or_init(|| self.builder().build(self.connector()))
    }

    fn secure(&self) -> Result<&Client<HttpsConnector<Connector>, Sending>, TransportError> {
        if let Some(client) = self.secure.get() {
            return Ok(client);
        }
        let config = tls::config(self.options.ca_bundle.as_deref(), self.options.verify)?;
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(config)
            .https_only()
            .enable_http1()
            .wrap_connector(self.connector());
        Ok(self.secure.get_or_init(|| self.builder().build(connector)))
    }

    fn builder(&self) -> hyper_util::client::legacy::Builder {
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .pool_max_idle_per_host(self.options.idle)
            .pool_idle_timeout(Duration::from_secs(12));
        builder
    }

    fn connector(&self) -> Connector {
        let mut tcp = HttpConnector::new();
        tcp.set_connect_timeout(Some(self.options.connect_timeout));
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        Connector::new(tcp, self.options.proxies.clone(), self.options.connect_timeout)
    }

    /// The host, and the proxy that it is reached through.
    fn name(&self, request: &Request) -> String {
        match proxy::address(&self.options.proxies, &request.scheme, &request.host) {
            Some(proxy) => format!("{} through the proxy {proxy}", request.host),
            None => request.host.clone(),
        }
    }

    fn explain(
        &self,
        request: &Request,
        error: &hyper_util::client::legacy::Error,
    ) -> TransportError {
        let host = self.name(request);
        if let Some(source) = body::unreadable(error) {
            return TransportError::Body { source };
        }
        if let Some(reason) = cause::distrust(error) {
            return TransportError::Untrusted { host: request.host.clone(), reason };
        }
        let connect = error.is_connect();
        if connect && cause::timed_out(error) {
            return TransportError::ConnectTimeout { host, after: self.options.connect_timeout };
        }
        let source = Box::new(Cause::of(error));
        if connect {
            TransportError::Connect { host, source }
        } else {
            TransportError::Broken { host, source }
        }
    }
}

fn build(request: &Request, body: Sending) -> Result<hyper::Request<Sending>, TransportError> {
    let url = request.url();
    let mut builder = hyper::Request::builder().method(request.method.as_str()).uri(url.as_str());
    for (name, value) in request.headers.iter() {
        // The body says how long it is, and the connection for whom it is.
        if !name.eq_ignore_ascii_case("content-length") {
            builder = builder.header(name, value);
        }
    }
    // The connection says nothing of the length where there is no body, which S3 does not take.
    if hyper::body::Body::is_end_stream(&body)
        && matches!(&*request.method, "PUT" | "POST" | "PATCH")
    {
        builder = builder.header("content-length", "0");
    }
    builder.body(body).map_err(|error| TransportError::Address { url, reason: error.to_string() })
}

/// The head of an answer, and a body that is still to be read.
#[derive(Debug)]
pub struct Answer {
    /// `200`.
    pub status: u16,
    /// The headers in their order, their names in lower case.
    pub headers: Headers,
    host: String,
    body: Incoming,
    limit: Duration,
}

#[derive(Debug)]
enum Incoming {
    Network(hyper::body::Incoming),
    Given(Option<Bytes>),
}

impl Answer {
    /// The next piece of the body; nothing at its end.
    ///
    /// # Errors
    ///
    /// When the connection breaks off or nothing comes for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, TransportError> {
        let body = match &mut self.body {
            Incoming::Network(body) => body,
            Incoming::Given(body) => return Ok(body.take()),
        };
        loop {
            let frame = tokio::time::timeout(self.limit, body.frame()).await.map_err(|_| {
                TransportError::ReadTimeout { host: self.host.clone(), after: self.limit }
            })?;
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(source)) => {
                    let (host, source) = (self.host.clone(), Box::new(Cause::of(&source)));
                    return Err(TransportError::Broken { host, source });
                }
            }
        }
    }

    /// The whole body.
    ///
    /// # Errors
    ///
    /// When it breaks off, stops, or is larger than `most` bytes.
    pub async fn read(mut self, most: usize) -> Result<Response, TransportError> {
        let mut whole = BytesMut::new();
        let mut first: Option<Bytes> = None;
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + first.as_ref().map_or(0, Bytes::len) + chunk.len() > most {
                return Err(TransportError::TooLarge { host: self.host, most });
            }
            // Most answers come in one piece, which need not be copied.
            if whole.is_empty() && first.is_none() {
                first = Some(chunk);
                continue;
            }
            if let Some(first) = first.take() {
                whole.extend_from_slice(&first);
            }
            whole.extend_from_slice(&chunk);
        }
        let body = first.unwrap_or_else(|| whole.freeze());
        Ok(Response { status: self.status, headers: self.headers, body })
    }

    /// How long the body is, where the answer says so.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.headers.get("content-length").and_then(|it| it.parse().ok())
    }
}
