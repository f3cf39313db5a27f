//! Calls operations: looks at what is given, builds the request, finds out where it goes, signs and
//! sends it, tries again where that makes sense, and reads the answer.

mod account;
mod attempt;
mod discovery;
mod open;
mod prepare;
mod presign;
mod wait;

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::BoxFuture;
use jiff::Timestamp;

pub use self::{open::Opened, presign::Form, wait::Waiting};
use crate::{
    checksum::When,
    config::EndpointUrls,
    connection::{Body, Pool},
    credentials::{Credentials, CredentialsError},
    endpoint,
    error::Error,
    model::{Operation, Service, Store},
    paginate::Paginator,
    parse::Metadata,
    retry::{Mode, Policy},
    sign::Keys,
    validate::nearest,
    value::{Map, Value},
};

/// Where the keys come from that requests are signed with.
pub trait Provide: Send + Sync {
    /// Keys that are good for now.
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>>;

    /// Forgets keys that a service says have ended, so that others are looked for.
    fn forget(&self) {}

    /// A token for services that take one in the place of keys. Nothing, where there is none.
    fn bearer(
        &self,
        _service: &Service,
    ) -> BoxFuture<'_, Result<Option<String>, CredentialsError>> {
        Box::pin(async { Ok(None) })
    }
}

/// Keys that are there for good.
impl Provide for Credentials {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        let keys = Arc::new(self.clone());
        Box::pin(async move { Ok(keys) })
    }
}

/// What a client is made with.
#[derive(Clone)]
pub struct Options {
    /// The models.
    pub store: Arc<Store>,
    /// The connections.
    pub pool: Arc<Pool>,
    /// Where keys come from.
    pub credentials: Arc<dyn Provide>,
    /// Where requests go. Its `endpoint_url` is for all services and goes before `endpoint_urls`.
    pub endpoint: endpoint::Settings,
    /// The addresses that are set for single services.
    pub endpoint_urls: EndpointUrls,
    /// Which way to sign is preferred.
    pub auth: endpoint::AuthPreference,
    /// How calls are tried again.
    pub retry_mode: Mode,
    /// How often a call is made at most; the mode's number without it.
    pub max_attempts: Option<u32>,
    /// Whether requests get checksums that need not be. Without a word: at Amazon's endpoints.
    pub request_checksums: Option<When>,
    /// Whether checksums of answers are looked at. Without a word: at Amazon's endpoints.
    pub response_checksums: Option<When>,
    /// `payload_signing_enabled` of S3.
    pub sign_payload: Option<bool>,
    /// Bodies of at least so many bytes are packed, where the service takes that: 10,240. Nothing: none is.
    pub compress_from: Option<usize>,
    /// Whether services are asked where their calls go. Without a word: where an operation demands it.
    pub endpoint_discovery: Option<bool>,
    /// What goes before hosts is left out.
    pub no_host_prefix: bool,
    /// Parameters are held against the model before they are sent.
    pub validate: bool,
    /// How many bytes of an answer are kept in memory at most: 1 GiB.
    pub largest: usize,
    /// `User-Agent`.
    pub user_agent: String,
    /// `X-Amzn-Trace-Id`, by which Lambda sees functions that call themselves without end.
    pub trace_id: Option<String>,
    /// The clock.
    pub now: fn() -> Timestamp,
}

impl Options {
    /// What is usual, with keys from somewhere.
    #[must_use]
    pub fn new(credentials: Arc<dyn Provide>) -> Self {
        Self {
            store: Arc::default(),
            pool: Arc::new(Pool::new(crate::connection::Options::default())),
            credentials,
            endpoint: endpoint::Settings::default(),
            endpoint_urls: EndpointUrls::default(),
            auth: endpoint::AuthPreference::default(),
            retry_mode: Mode::default(),
            max_attempts: None,
            request_checksums: None,
            response_checksums: None,
            sign_payload: None,
            compress_from: Some(10_240),
            endpoint_discovery: None,
            no_host_prefix: false,
            validate: true,
            largest: 1 << 30,
            user_agent: concat!("davit/", env!("CARGO_PKG_VERSION")).to_owned(),
            trace_id: None,
            now: Timestamp::now,
        }
    }
}

/// Calls operations of any service. It is cheap to clone, and its clones share connections, keys and
/// what was learned of services.
#[derive(Clone)]
pub struct Client {
    options: Options,
    shared: Arc<Shared>,
}

impl fmt::Debug for Client {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Client").field("endpoint", &self.options.endpoint).finish_non_exhaustive()
    }
}

/// What clones of a client share.
struct Shared {
    keys: Keys,
    policies: Mutex<HashMap<&'static str, Arc<Policy>>>,
    /// Where buckets turned out to be.
    buckets: Mutex<HashMap<String, String>>,
    /// Where services said that their calls go, by service and region.
    places: Mutex<HashMap<(&'static str, String), discovery::Place>>,
    /// Sessions of directory buckets.
    sessions: Mutex<HashMap<String, Arc<Credentials>>>,
    /// By how many seconds the services' clocks are ahead of this one.
    skew: AtomicI64,
    began: Instant,
}

/// What a call gave.
#[derive(Debug, Clone)]
pub struct Output {
    /// The members of the answer.
    pub values: Map,
    /// What stands beside them.
    pub metadata: Metadata,
    /// How often it was sent.
    pub attempts: u32,
}

impl Output {
    /// A member.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name).filter(|it| **it != Value::Null)
    }
}

/// One call: an operation and what it is given.
#[derive(Debug)]
pub struct Call {
    /// The service, by botocore's name: `ec2`.
    pub service: String,
    /// The operation: `DescribeInstances`.
    pub operation: String,
    /// What it is given.
    pub params: Map,
    /// The body of an operation that takes a stream, in the place of the member.
    pub body: Option<Body>,
    /// Another region than the client's.
    pub region: Option<String>,
}

impl Call {
    /// An operation with its parameters.
    #[must_use]
    pub fn new(service: &str, operation: &str, params: Map) -> Self {
        Self {
            service: service.to_owned(),
            operation: operation.to_owned(),
            params,
            body: None,
            region: None,
        }
    }

    /// The same with a body.
    #[must_use]
    pub fn body(self, body: Body) -> Self {
        Self { body: Some(body), ..self }
    }

    /// The same in a region.
    #[must_use]
    pub fn region(self, region: Option<String>) -> Self {
        Self { region, ..self }
    }
}

impl Client {
    /// A client.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let shared = Shared {
            keys: Keys::default(),
            policies: Mutex::default(),
            buckets: Mutex::default(),
            places: Mutex::default(),
            sessions: Mutex::default(),
            skew: AtomicI64::new(0),
            began: Instant::now(),
        };
        Self { options, shared: Arc::new(shared) }
    }

    /// What it was made with.
    #[must_use]
    pub const fn options(&self) -> &Options {
        &self.options
    }

    /// The same client with other keys, or with none: then nothing is signed.
    #[must_use]
    pub fn with_credentials(&self, credentials: Option<Arc<dyn Provide>>) -> Self {
        let mut client = self.clone();
        match credentials {
            Some(credentials) => client.options.credentials = credentials,
            None => client.options.auth.anonymous = true,
        }
        client
    }

    /// The same client, which calls another region.
    #[must_use]
    pub fn in_region(&self, region: &str) -> Self {
        let mut client = self.clone();
        client.options.endpoint.region = Some(region.to_owned());
        client
    }

    /// The model of a service.
    ///
    /// # Errors
    ///
    /// When there is none of this name, or it cannot be read.
    pub fn service(&self, name: &str) -> Result<&'static Service, Error> {
        let store = &self.options.store;
        store.service(name)?.ok_or_else(|| {
            let names = store.names();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let nearest = nearest(name, names.iter().copied()).map(str::to_owned);
            Error::UnknownService { name: name.to_owned(), nearest }
        })
    }

    /// An operation, by its name in the model or as boto3 and the command line write it
    /// (`describe_instances`, `describe-instances`).
    ///
    /// # Errors
    ///
    /// When the service has none of this name.
    pub fn operation(service: &'static Service, name: &str) -> Result<&'static Operation, Error> {
        if let Some(operation) = service.operation(name) {
            return Ok(operation);
        }
        let plain = |it: &str| it.replace(['-', '_'], "").to_lowercase();
        let wanted = plain(name);
        if let Some(known) = service.operation_names().find(|it| plain(it) == wanted)
            && let Some(operation) = service.operation(known)
        {
            return Ok(operation);
        }
        let nearest = nearest(name, service.operation_names()).map(str::to_owned);
        Err(Error::UnknownOperation { service: service.name, name: name.to_owned(), nearest })
    }

    /// Holds a call against what the operation takes, as it would be before it is sent. Sends nothing.
    ///
    /// # Errors
    ///
    /// When the service or operation is not known, or takes something else.
    pub fn check(&self, call: Call) -> Result<(), Error> {
        let service = self.service(&call.service)?;
        let operation = Self::operation(service, &call.operation)?;
        self.prepare(service, operation, call).map(drop)
    }

    /// Calls an operation and reads the whole answer.
    ///
    /// # Errors
    ///
    /// Before anything is sent, when the service or operation is not known or takes something
    /// else; when there is no answer after all attempts; when the service says no.
    pub async fn call(&self, service: &str, operation: &str, params: Map) -> Result<Output, Error> {
        self.run(Call::new(service, operation, params)).await
    }

    /// The same for a call that has more to it.
    ///
    /// # Errors
    ///
    /// As for `call`.
    pub async fn run(&self, call: Call) -> Result<Output, Error> {
        self.open(call).await?.read(self.options.largest).await
    }

    /// Calls an operation and reads the head of its answer. The body of a streaming operation is then
    /// read piece by piece.
    ///
    /// # Errors
    ///
    /// As for `call`.
    pub async fn open(&self, call: Call) -> Result<Opened, Error> {
        let service = self.service(&call.service)?;
        let operation = Self::operation(service, &call.operation)?;
        let prepared = self.prepare(service, operation, call)?;
        Box::pin(self.attempts(prepared)).await
    }

    /// Calls an operation page after page. `each` is given each page and says whether to go on.
    ///
    /// # Errors
    ///
    /// As for `call`, and when the service gives the same page for ever.
    pub async fn pages(
        &self,
        service: &str,
        operation: &str,
        mut params: Map,
        mut each: impl FnMut(&Output) -> bool,
    ) -> Result<(), Error> {
        let service = self.service(service)?;
        let operation = Self::operation(service, operation)?;
        let paginator = Paginator::of(service, operation)?;
        loop {
            let page = self.call(service.name, operation.name, params.clone()).await?;
            if !each(&page) {
                return Ok(());
            }
            let Some(paginator) = &paginator else { return Ok(()) };
            let values = Value::Map(page.values);
            match paginator.next(&values, &params)? {
                Some(next) => next.put(&mut params),
                None => return Ok(()),
            }
        }
    }

    /// All pages of an operation as one answer. One that has no pages is called once.
    ///
    /// # Errors
    ///
    /// As for `pages`.
    pub async fn all(&self, service: &str, operation: &str, params: Map) -> Result<Map, Error> {
        let model = self.service(service)?;
        let Some(paginator) = Paginator::of(model, Self::operation(model, operation)?)? else {
            return Ok(self.call(service, operation, params).await?.values);
        };
        let mut whole = paginator.whole();
        self.pages(service, operation, params, |page| {
            whole.add(&Value::Map(page.values.clone()));
            true
        })
        .await?;
        Ok(whole.end())
    }

    /// The time at the services, as far as it is known.
    fn now(&self) -> Timestamp {
        let skew = self.shared.skew.load(Ordering::Relaxed);
        let now = (self.options.now)();
        now.checked_add(jiff::SignedDuration::from_secs(skew)).unwrap_or(now)
    }

    fn policy(&self, service: &'static Service) -> Arc<Policy> {
        let mut policies = lock(&self.shared.policies);
        let make = || {
            let Options { retry_mode, max_attempts, .. } = self.options;
            Arc::new(Policy::new(retry_mode, max_attempts, service.name))
        };
        Arc::clone(policies.entry(service.name).or_insert_with(make))
    }

    /// Seconds of a clock that runs evenly.
    fn seconds(&self) -> f64 {
        self.shared.began.elapsed().as_secs_f64()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A number from 0 to 1 that nobody can foretell.
pub(crate) fn chance() -> f64 {
    let mut bytes = [0; 4];
    // Without any the longest wait is as good as another.
    if getrandom::fill(&mut bytes).is_err() {
        return 1.0;
    }
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

async fn sleep(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}
