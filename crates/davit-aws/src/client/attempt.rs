//! One attempt after the other: where the request goes, its checksum and signature, the answer, and
//! what comes of an error. Reads answers; makes no requests out of parameters.

use std::sync::{Arc, atomic::Ordering};

use bytes::Bytes;
use futures_util::stream;

use super::{Client, Map, Opened, chance, lock, open::Parts, prepare::Prepared, sleep};
use crate::{
    checksum::{self, Chunked, Place, Plan, RequestSettings},
    connection::{Body, FilePart, Pieces, TransportError},
    credentials::Credentials,
    customise,
    endpoint::{self, Auth, Scheme},
    error::Error,
    http::{Request, Response},
    parse::{self, ServiceError},
    retry::Failure,
    sign::{self, Payload, Scope, Settings, Signing, Token},
    value::Value,
};

/// An attempt that failed, with the answer if there was one.
struct Failed {
    error: Error,
    answer: Option<Response>,
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self { error: error.into(), answer: None }
    }
}

/// What was learned from an attempt that failed, each of which is acted on once.
#[derive(Default)]
struct Learned {
    region: bool,
    clock: bool,
    keys: bool,
    place: bool,
}

impl Client {
    /// Sends a call until it is answered or makes no sense any more.
    pub(super) async fn attempts(&self, mut call: Prepared) -> Result<Opened, Error> {
        if call.built.event_stream.is_some() {
            let reason = "takes a stream of events, which cannot be sent";
            return Err(Error::Unfit { operation: call.operation.name, reason });
        }
        self.sign_copy(&mut call).await?;
        let policy = self.policy(call.service);
        let mut learned = Learned::default();
        let (mut attempt, mut spent) = (1, 0);
        loop {
            sleep(policy.before_sending(self.seconds())).await;
            let Failed { error, answer } =
                match self.attempt(&mut call, attempt, policy.most()).await {
                    Ok(opened) => {
                        policy.answered(self.seconds(), false);
                        policy.succeeded(spent);
                        return Ok(opened);
                    }
                    Err(failed) => failed,
                };
            let failure = failure(&error, answer.as_ref());
            let throttled = failure.reason() == Some(crate::retry::Reason::Throttling);
            policy.answered(self.seconds(), throttled);
            let named = |error| match error {
                Error::Transport(source) => {
                    let (service, operation) = (call.service.name, call.operation.name);
                    Error::NoAnswer { service, operation, attempts: attempt, source }
                }
                Error::Service(mut said) => {
                    said.metadata.retry_attempts = attempt - 1;
                    Error::Service(said)
                }
                other => other,
            };
            if call.once {
                return Err(named(error));
            }
            if self.learn(&mut call, &mut learned, &error, answer.as_ref()).await {
                attempt += 1;
                continue;
            }
            let Some(wait) = policy.again(&failure, attempt, chance(), &mut spent) else {
                return Err(named(error));
            };
            sleep(wait).await;
            attempt += 1;
        }
    }

    /// Sends a call once.
    async fn attempt(
        &self,
        call: &mut Prepared,
        attempt: u32,
        most: u32,
    ) -> Result<Opened, Failed> {
        self.put_account(call).await?;
        let (mut request, auth) = self.address(call)?;
        self.discover(call, &mut request).await?;
        let headers = &mut request.headers;
        headers.set("User-Agent", self.options.user_agent.as_str());
        headers.set("amz-sdk-invocation-id", call.invocation.to_string());
        headers.set("amz-sdk-request", format!("attempt={attempt}; max={most}"));
        if let Some(id) = &self.options.trace_id
            && !headers.contains("X-Amzn-Trace-Id")
        {
            headers.set("X-Amzn-Trace-Id", id.as_str());
        }
        let body = call.body.as_ref().and_then(Body::again).or_else(|| call.body.take());
        let (plan, body) = self.with_checksum(call, &mut request, body).await?;
        call.signed_with = self.sign(call, &mut request, &auth, plan.as_ref()).await?;
        let answer = self.options.pool.send(&request, body).await?;
        let parts = Parts { service: call.service, operation: call.operation, attempt };
        if answer.status < 300 && parse::body(call.service, call.operation) != parse::Body::Whole {
            let headers = &answer.headers;
            let verifier = checksum::resolve_response(call.operation, &call.params, headers);
            return Ok(Opened::stream(parts, answer, verifier)?);
        }
        let mut response = answer.read(self.options.largest).await?;
        customise::response(call.service, call.operation, &mut response);
        if response.status >= 300 {
            let mut error = parse::error(call.service, call.operation, &response);
            if response.status < 400
                && let Some(place) = response.headers.get("location")
            {
                error.message.push_str(&format!(" (to {place})"));
            }
            return Err(Failed { error: error.into(), answer: Some(response) });
        }
        match parse::output(call.service, call.operation, &response) {
            Ok(mut output) => {
                let values = &mut output.values;
                customise::after(call.service, call.operation, values, &response, &call.notes);
                Ok(Opened::whole(parts, output))
            }
            Err(error) => Err(Failed { error: error.into(), answer: Some(response) }),
        }
    }

    /// Makes a call that is not signed, once, with a header that is made of its address.
    pub(crate) async fn once(
        &self,
        call: super::Call,
        header: &(dyn Fn(&str) -> (String, String) + Send + Sync),
    ) -> Result<Map, Error> {
        let service = self.service(&call.service)?;
        let operation = Self::operation(service, &call.operation)?;
        let prepared = self.prepare(service, operation, call)?;
        let (mut request, _) = self.address(&prepared)?;
        let (name, value) = header(&request.url());
        request.headers.set(&name, value);
        let body = Body::Bytes(request.body.clone());
        let response =
            self.options.pool.send(&request, body).await?.read(self.options.largest).await?;
        if response.status >= 300 {
            return Err(parse::error(service, operation, &response).into());
        }
        Ok(parse::output(service, operation, &response)?.values)
    }

    /// The request with its address, and how it is signed there.
    pub(super) fn address(&self, call: &Prepared) -> Result<(Request, Auth), Error> {
        let mut settings = call.endpoint.clone();
        if let Some(bucket) = bucket(call)
            && let Some(region) = lock(&self.shared.buckets).get(bucket)
        {
            settings.region = Some(region.clone());
        }
        let endpoint = endpoint::resolve(call.service, call.operation, call.params(), &settings)?;
        let mut request = call.built.request.clone();
        let prefix = call.built.host_prefix.as_deref();
        endpoint::apply(call.service, call.operation, &endpoint, prefix, &mut request);
        if call.service.name == "machinelearning"
            && let Some(url) = call.params.get("PredictEndpoint").and_then(Value::as_str)
            && let Some(host) = url.split("://").last()
        {
            host.trim_end_matches('/').clone_into(&mut request.host);
        }
        let auth = endpoint::auth(call.service, call.operation, &endpoint, &self.options.auth)?;
        Ok((request, auth))
    }

    /// Gives the request its checksum, and what is to be sent as its body.
    async fn with_checksum(
        &self,
        call: &Prepared,
        request: &mut Request,
        body: Option<Body>,
    ) -> Result<(Option<Plan>, Body), Error> {
        // What comes in pieces can only have its checksum behind it.
        let pieces = matches!(body, Some(Body::Stream { .. }));
        let settings = RequestSettings {
            calculation: call.request_checksums,
            trailers: request.scheme == "https",
        };
        let (service, operation) = (call.service, call.operation);
        let plan = checksum::resolve_request(service, operation, &call.params, request, &settings)?;
        let Some(plan) = plan else {
            let body = body.unwrap_or_else(|| Body::Bytes(request.body.clone()));
            return Ok((None, body));
        };
        if plan.place == Place::Header && !pieces {
            match &body {
                Some(Body::File(part)) => {
                    let mut hasher = plan.algorithm.hasher();
                    hasher = read_file(part.clone(), hasher, |hasher, bytes| {
                        hasher.update(bytes);
                    })
                    .await?;
                    plan.put_value(request, hasher.finish());
                }
                Some(Body::Bytes(bytes)) => {
                    plan.put_value(request, plan.algorithm.of_bytes(bytes));
                }
                _ => plan.put_header(request),
            }
            let body = body.unwrap_or_else(|| Body::Bytes(request.body.clone()));
            return Ok((Some(plan), body));
        }
        if plan.place == Place::Header {
            // No checksum of what is not there yet; without TLS it cannot come behind the body.
            return Ok((None, body.unwrap_or_default()));
        }
        let body = body.unwrap_or_else(|| Body::Bytes(std::mem::take(&mut request.body)));
        let length = body.length();
        let chunked = plan.put_trailer(request, length);
        let encoded = length.map(|it| Chunked::encoded_length(plan.algorithm, it));
        let body = Body::Stream { pieces: chunks(body, chunked).await?, length: encoded };
        Ok((Some(plan), body))
    }

    /// Signs the request, and gives the keys it did that with.
    async fn sign(
        &self,
        call: &Prepared,
        request: &mut Request,
        auth: &Auth,
        plan: Option<&Plan>,
    ) -> Result<Option<Arc<Credentials>>, Error> {
        match auth.scheme {
            Scheme::Anonymous => {
                sign::anonymous(request, plan);
                return Ok(None);
            }
            Scheme::Bearer => {
                let token = self.options.credentials.bearer(call.service).await?;
                let Some(token) = token else {
                    let reason = "wants a bearer token, and there is none";
                    return Err(Error::Unfit { operation: call.operation.name, reason });
                };
                sign::bearer(request, &token)?;
                return Ok(None);
            }
            _ => {}
        }
        let credentials = self.credentials_for(call, auth).await?;
        let hash;
        let streaming = checksum::takes_stream(call.service, call.operation);
        let mut payload = if auth.double_encode {
            if auth.sign_body { Payload::Body } else { Payload::Unsigned }
        } else {
            Payload::of_s3(request, plan, streaming, self.options.sign_payload)
        };
        if payload == Payload::Body && call.once {
            if auth.double_encode {
                let reason = "signs its body, which has to be there as a whole or in a file";
                return Err(Error::Unfit { operation: call.operation.name, reason });
            }
            payload = Payload::Unsigned;
        }
        if payload == Payload::Body
            && let Some(body) = &call.body
        {
            payload = match body {
                Body::File(part) => {
                    let context = ring::digest::Context::new(&ring::digest::SHA256);
                    let context = read_file(part.clone(), context, ring::digest::Context::update);
                    hash = sign::hex(context.await?.finish().as_ref());
                    Payload::Hash(&hash)
                }
                Body::Bytes(bytes) => {
                    hash = sign::sha256(bytes);
                    Payload::Hash(&hash)
                }
                Body::Stream { .. } | Body::Empty => Payload::Body,
            };
        }
        if auth.scheme == Scheme::SigV2 {
            sign::sign_query_v2(request, &credentials, self.now());
            return Ok(Some(credentials));
        }
        let mut settings =
            if auth.double_encode { Settings::standard(payload) } else { Settings::s3(payload) };
        if auth.scheme == Scheme::SigV4a {
            settings.scheme = sign::Scheme::V4a;
        }
        if auth.scheme == Scheme::S3Express {
            settings.token = Token::S3Express;
        }
        let scope = Scope { region: &auth.region, service: &auth.signing_name, time: self.now() };
        let keys = &self.shared.keys;
        sign::sign(request, &Signing { credentials: &credentials, scope, settings, keys })?;
        Ok(Some(credentials))
    }

    /// The keys for a request: those of the client, or of a session with a directory bucket.
    pub(super) async fn credentials_for(
        &self,
        call: &Prepared,
        auth: &Auth,
    ) -> Result<Arc<Credentials>, Error> {
        if auth.scheme != Scheme::S3Express || call.operation.name == "CreateSession" {
            return Ok(self.options.credentials.credentials().await?);
        }
        let bucket = bucket(call).unwrap_or_default().to_owned();
        let soon = self.now() + jiff::SignedDuration::from_secs(30);
        if let Some(session) = lock(&self.shared.sessions).get(&bucket)
            && session.expires.is_none_or(|it| it > soon)
        {
            return Ok(Arc::clone(session));
        }
        let params = Map::from_iter([("Bucket".to_owned(), Value::from(bucket.as_str()))]);
        let output = Box::pin(self.call("s3", "CreateSession", params)).await?;
        let part = |name: &str| {
            let found = output.get("Credentials").and_then(|it| it.get(name));
            found.and_then(Value::as_str).unwrap_or_default().to_owned()
        };
        let expires = match output.get("Credentials").and_then(|it| it.get("Expiration")) {
            Some(Value::Timestamp(it)) => Some(*it),
            _ => None,
        };
        let session = Arc::new(Credentials {
            access_key_id: part("AccessKeyId"),
            secret_access_key: part("SecretAccessKey"),
            session_token: Some(part("SessionToken")),
            expires,
            account_id: None,
            source: format!("session with {bucket}"),
        });
        lock(&self.shared.sessions).insert(bucket, Arc::clone(&session));
        Ok(session)
    }

    /// Learns from an error what makes the next attempt different: where a bucket is, what time it is, or
    /// that other keys are needed. Whether there was something to learn.
    async fn learn(
        &self,
        call: &mut Prepared,
        learned: &mut Learned,
        error: &Error,
        answer: Option<&Response>,
    ) -> bool {
        let (Some(answer), Some(said)) = (answer, error.service()) else { return false };
        if !learned.clock && (is_of_clock(&said.code, &said.message) || may_be_of_clock(&said.code))
        {
            let least = if is_of_clock(&said.code, &said.message) { 60 } else { 240 };
            learned.clock = self.learn_clock(answer, least);
            return learned.clock;
        }
        if !learned.place && (answer.status == 421 || said.code == "InvalidEndpointException") {
            learned.place = self.forget_place(call);
            return learned.place;
        }
        if !learned.keys && matches!(said.code.as_str(), "ExpiredToken" | "ExpiredTokenException") {
            learned.keys = true;
            return self.learn_keys(call).await;
        }
        if learned.region || call.service.name != "s3" {
            return false;
        }
        learned.region = self.learn_region(call, said, answer).await;
        learned.region
    }

    /// Takes the service's clock for the right one, if it is another than was known.
    /// `least` is how many seconds make a difference.
    fn learn_clock(&self, answer: &Response, least: u64) -> bool {
        let now = (self.options.now)();
        let time = answer.headers.get("date").and_then(crate::time::parse);
        let Some(ahead) = time.map(|it| it.duration_since(now).as_secs()) else { return false };
        let known = self.shared.skew.load(Ordering::Relaxed);
        let differs = known.abs_diff(ahead) > least;
        if differs {
            self.shared.skew.store(ahead, Ordering::Relaxed);
        }
        differs
    }

    /// Looks for other keys. Those that files and the environment hold stay the same, and a call is not
    /// sent again with them.
    async fn learn_keys(&self, call: &Prepared) -> bool {
        if let Some(bucket) = bucket(call) {
            lock(&self.shared.sessions).remove(bucket);
        }
        self.options.credentials.forget();
        // If there are none any more, the next attempt says why.
        let Ok(found) = self.options.credentials.credentials().await else { return true };
        call.signed_with.as_ref().is_some_and(|it| {
            it.access_key_id != found.access_key_id || it.session_token != found.session_token
        })
    }

    /// Finds out where a bucket is, if that is what was wrong.
    async fn learn_region(&self, call: &Prepared, said: &ServiceError, answer: &Response) -> bool {
        let Some(bucket) = bucket(call).map(str::to_owned) else { return false };
        let of_region = answer.headers.get("x-amz-bucket-region").filter(|it| !it.is_empty());
        let elsewhere = match said.code.as_str() {
            "AuthorizationHeaderMalformed" => said.details.contains_key("Region"),
            "PermanentRedirect" => true,
            "IllegalLocationConstraintException" => call.operation.name != "CreateBucket",
            "301" | "400" => match call.operation.name {
                "HeadObject" => true,
                "HeadBucket" => of_region.is_some(),
                _ => false,
            },
            _ => matches!(answer.status, 301 | 302 | 307),
        };
        if !elsewhere || bucket.starts_with("arn:") {
            return false;
        }
        let region = match of_region.or_else(|| said.details.get("Region").and_then(Value::as_str))
        {
            Some(region) => Some(region.to_owned()),
            None if call.operation.name == "HeadBucket" => None,
            None => Box::pin(self.region_of(&bucket)).await,
        };
        let Some(region) = region.filter(|it| !it.is_empty() && endpoint::is_valid_region(it))
        else {
            return false;
        };
        lock(&self.shared.buckets).insert(bucket, region);
        true
    }

    /// The region that a bucket says it is in.
    async fn region_of(&self, bucket: &str) -> Option<String> {
        let params = Map::from_iter([("Bucket".to_owned(), Value::from(bucket))]);
        let outcome = self.call("s3", "HeadBucket", params).await;
        let headers = match &outcome {
            Ok(output) => Some(&output.metadata.headers),
            Err(error) => error.service().map(|it| &it.metadata.headers),
        };
        let said = headers.and_then(|it| it.get("x-amz-bucket-region")).map(str::to_owned);
        // Or it was found out on the way.
        said.or_else(|| lock(&self.shared.buckets).get(bucket).cloned())
    }
}

/// The bucket that a call of S3 is about.
fn bucket(call: &Prepared) -> Option<&str> {
    if call.service.name == "s3" { call.params.get("Bucket").and_then(Value::as_str) } else { None }
}

/// Whether an error is about what time it is.
fn is_of_clock(code: &str, message: &str) -> bool {
    match code {
        "RequestTimeTooSkewed" | "RequestExpired" | "RequestInTheFuture" => true,
        _ => {
            may_be_of_clock(code)
                && (message.contains("expired") || message.contains("not yet current"))
        }
    }
}

/// Whether a clock that is off may have led to an error, though it does not say so.
fn may_be_of_clock(code: &str) -> bool {
    matches!(code, "InvalidSignatureException" | "SignatureDoesNotMatch" | "AuthFailure")
}

/// What is known of a failure, for whether to try again.
fn failure<'a>(error: &'a Error, answer: Option<&'a Response>) -> Failure<'a> {
    let retry_after =
        answer.and_then(|it| it.headers.get("x-amz-retry-after")).and_then(|it| it.parse().ok());
    match error {
        Error::Service(said) => Failure {
            code: Some(&said.code),
            status: answer.map(|it| it.status),
            connection: false,
            modeled: said.retryable,
            modeled_throttling: said.throttling,
            retry_after,
        },
        Error::Transport(error) => Failure { connection: error.passes(), ..Failure::default() },
        // An answer of the service that breaks off is the connection's fault.
        Error::Unreadable(error) => Failure {
            connection: error.defect == parse::Defect::Truncated,
            status: answer.map(|it| it.status),
            ..Failure::default()
        },
        _ => Failure::default(),
    }
}

/// Goes over a part of a file.
async fn read_file<T: Send + 'static>(
    part: FilePart,
    mut state: T,
    each: fn(&mut T, &[u8]),
) -> Result<T, Error> {
    use std::io::{Read, Seek, SeekFrom};
    let path = part.path.display().to_string();
    let read = move || -> std::io::Result<T> {
        let mut file = std::fs::File::open(&part.path)?;
        file.seek(SeekFrom::Start(part.from))?;
        let mut rest = file.take(part.length);
        let mut buffer = vec![0; 256 << 10];
        loop {
            match rest.read(&mut buffer)? {
                0 => return Ok(state),
                size => each(&mut state, &buffer[..size]),
            }
        }
    };
    let outcome = tokio::task::spawn_blocking(read).await;
    let outcome = outcome.unwrap_or_else(|error| Err(std::io::Error::other(error)));
    outcome.map_err(|source| Error::File { path, source })
}

/// A body in the encoding that has its checksum behind it.
async fn chunks(body: Body, chunked: Chunked) -> Result<Pieces, Error> {
    let pieces = body.pieces().await.map_err(|source| TransportError::Body { source })?;
    let state = Some((pieces, chunked));
    let encoded = stream::unfold(state, |state| async move {
        use futures_util::StreamExt;
        let (mut pieces, mut chunked) = state?;
        let wrong = |error: checksum::ChecksumError| std::io::Error::other(error);
        match pieces.next().await {
            Some(Ok(piece)) => {
                let mut out = Vec::new();
                match chunked.push(piece, &mut out) {
                    Ok(()) => Some((Ok(out), Some((pieces, chunked)))),
                    Err(error) => Some((Err(wrong(error)), None)),
                }
            }
            Some(Err(error)) => Some((Err(error), None)),
            None => Some((chunked.finish().map(|end| vec![end]).map_err(wrong), None)),
        }
    });
    let flat = futures_util::StreamExt::flat_map(encoded, |pieces| {
        let pieces: Vec<std::io::Result<Bytes>> = match pieces {
            Ok(pieces) => pieces.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        };
        stream::iter(pieces)
    });
    Ok(Pieces::new(flat))
}
