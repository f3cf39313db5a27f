//! A client made as the AWS CLI makes its own: out of files, variables and options, with keys from
//! wherever they are. What it is made of is handed in; it reads the files that those name.

use std::{path::PathBuf, sync::Arc, time::Duration};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    client::{self, Client, Provide},
    config::{self, Environment, Profiles, Settings, StsEndpoints},
    connection::{self, Pool, Transport},
    credentials::{
        Call, CallError, Calls, Chain, Credentials, CredentialsError, Http, Mfa, Setup,
        Surroundings, TransportError,
    },
    endpoint,
    error::Error,
    http::{Request, Response},
    model::{Service, Store},
    value::Map,
};

/// What a session is made of.
#[derive(Clone, Default)]
pub struct Parts {
    /// What was asked for, before variables and files.
    pub options: config::Options,
    /// The variables of the environment.
    pub environment: Environment,
    /// The home folder.
    pub home: Option<PathBuf>,
    /// Keys that were given.
    pub credentials: Option<Credentials>,
    /// Nothing is signed.
    pub anonymous: bool,
    /// Certificates are not looked at.
    pub no_verify: bool,
    /// Who asks for codes of second factors.
    pub mfa: Option<Arc<dyn Mfa>>,
    /// `User-Agent`.
    pub user_agent: Option<String>,
    /// What answers in the place of the network.
    pub transport: Option<Arc<dyn Transport>>,
    /// The clock, in the place of the machine's.
    pub now: Option<fn() -> Timestamp>,
}

/// Settings, keys and a client.
#[derive(Clone)]
pub struct Session {
    /// The settings.
    pub settings: Arc<Settings>,
    /// The profiles of both files.
    pub profiles: Arc<Profiles>,
    /// Where keys come from.
    pub chain: Arc<Chain>,
    /// The client.
    pub client: Client,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.debug_struct("Session").field("profile", &self.settings.profile).finish_non_exhaustive()
    }
}

impl Session {
    /// Reads the files and makes a client. Nothing is called yet.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, or a setting makes no sense.
    pub fn new(parts: Parts) -> Result<Self, Error> {
        let Parts { options, environment, home, .. } = &parts;
        let (settings, profiles) = Settings::load(options, environment, home.as_deref())?;
        let settings = Arc::new(settings);
        let pool = connection::Options {
            connect_timeout: settings.connect_timeout,
            read_timeout: settings.read_timeout,
            ca_bundle: settings.ca_bundle.clone(),
            verify: !parts.no_verify,
            proxies: settings.proxies.clone(),
            ..connection::Options::default()
        };
        let pool = Arc::new(pool_of(parts.transport.as_ref(), pool));
        let mut made = options_of(&settings, Arc::new(Nobody), pool);
        made.store = Arc::new(Store::new(model_folders(environment, home.as_ref())));
        if let Some(agent) = &parts.user_agent {
            made.user_agent.clone_from(agent);
        }
        if let Some(id) = &settings.user_agent_app_id {
            made.user_agent.push_str(" app/");
            made.user_agent.extend(id.chars().map(|it| if fits_agent(it) { it } else { '-' }));
        }
        made.trace_id = trace_id(environment);
        let mut surroundings = Surroundings::new(environment.clone(), home.clone());
        if let Some(now) = parts.now {
            made.now = now;
            surroundings.now = Arc::new(now);
        }
        let unsigned = Client::new(made.clone());
        let chain = Arc::new(Chain::new(Setup {
            surroundings,
            profiles: Arc::clone(&profiles),
            settings: Arc::clone(&settings),
            explicit: parts.credentials.clone(),
            http: Arc::new(Direct::new(parts.transport.as_ref())),
            calls: Arc::new(Services(unsigned)),
            mfa: parts.mfa.clone(),
        }));
        made.credentials = Arc::new(Keys(Arc::clone(&chain)));
        made.auth.anonymous = parts.anonymous;
        Ok(Self { settings, profiles, chain, client: Client::new(made) })
    }
}

/// What may stand in a part of `User-Agent` as it is.
const fn fits_agent(letter: char) -> bool {
    letter.is_ascii_alphanumeric()
        || matches!(letter, '!' | '$' | '%' | '&' | '\'' | '*' | '+')
        || matches!(letter, '-' | '.' | '^' | '_' | '`' | '|' | '~')
}

/// What Lambda gives a function to send with its calls.
fn trace_id(environment: &Environment) -> Option<String> {
    /// What is sent as it is.
    const TRACE: &AsciiSet = &NON_ALPHANUMERIC
        .remove(b'-')
        .remove(b'_')
        .remove(b'.')
        .remove(b'~')
        .remove(b'=')
        .remove(b';')
        .remove(b':')
        .remove(b'+')
        .remove(b'&')
        .remove(b'[')
        .remove(b']')
        .remove(b'{')
        .remove(b'}')
        .remove(b'"')
        .remove(b'\'')
        .remove(b',');
    environment.get("AWS_LAMBDA_FUNCTION_NAME")?;
    let id = environment.get("_X_AMZN_TRACE_ID")?;
    Some(utf8_percent_encode(id, TRACE).to_string())
}

/// Folders with models of the user's: those of `AWS_DATA_PATH`, and `~/.aws/models`.
#[must_use]
pub fn model_folders(environment: &Environment, home: Option<&PathBuf>) -> Vec<PathBuf> {
    let listed = environment.get("AWS_DATA_PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(listed)
        .filter(|it| !it.as_os_str().is_empty())
        .map(|it| environment.path(&it.to_string_lossy(), home.map(PathBuf::as_path)))
        .collect();
    folders.extend(home.map(|it| it.join(".aws/models")));
    folders
}

fn options_of(
    settings: &Settings,
    credentials: Arc<dyn Provide>,
    pool: Arc<Pool>,
) -> client::Options {
    let mut options = client::Options::new(credentials);
    options.pool = pool;
    options.endpoint = endpoint_of(settings);
    options.endpoint_urls = settings.endpoint_urls.clone();
    options.auth = endpoint::AuthPreference {
        schemes: settings.auth_scheme_preference.clone(),
        region_set: settings.sigv4a_signing_region_set.clone().unwrap_or_default(),
        ..endpoint::AuthPreference::default()
    };
    options.retry_mode = settings.retry_mode;
    options.max_attempts = settings.max_attempts;
    options.request_checksums = settings.request_checksum_calculation;
    options.response_checksums = settings.response_checksum_validation;
    options.sign_payload = settings.s3.payload_signing_enabled;
    let least = usize::try_from(settings.request_min_compression_size_bytes);
    options.compress_from = least.ok().filter(|_| !settings.disable_request_compression);
    options.endpoint_discovery = settings.endpoint_discovery;
    options.no_host_prefix = settings.disable_host_prefix_injection;
    options.validate = settings.parameter_validation;
    options
}

fn endpoint_of(settings: &Settings) -> endpoint::Settings {
    let s3 = &settings.s3;
    endpoint::Settings {
        region: settings.region.clone(),
        use_fips: settings.use_fips_endpoint,
        use_dual_stack: settings.use_dualstack_endpoint,
        s3: endpoint::S3Settings {
            addressing_style: s3.addressing_style.unwrap_or_default(),
            use_accelerate: s3.use_accelerate_endpoint.unwrap_or(false),
            use_arn_region: s3.use_arn_region,
            us_east_1_regional: s3.us_east_1_regional_endpoint == config::UsEast1Endpoint::Regional,
            disable_multi_region_access_points: s3
                .disable_multiregion_access_points
                .unwrap_or(false),
            disable_express_session_auth: s3.disable_express_session_auth.unwrap_or(false),
            use_dual_stack: s3.use_dualstack_endpoint,
        },
        sts_global_endpoint: settings.sts_regional_endpoints == StsEndpoints::Legacy,
        account_id_endpoint_mode: settings.account_id_endpoint_mode,
        ..endpoint::Settings::default()
    }
}

/// The keys and tokens of a chain.
struct Keys(Arc<Chain>);

impl Provide for Keys {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        Box::pin(self.0.credentials())
    }

    fn forget(&self) {
        self.0.forget();
    }

    fn bearer(&self, service: &Service) -> BoxFuture<'_, Result<Option<String>, CredentialsError>> {
        let name = service.metadata.signing_name;
        Box::pin(self.0.token(name))
    }
}

/// No keys: who calls without them signs nothing.
struct Nobody;

impl Provide for Nobody {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        Box::pin(async { Err(CredentialsError::Nowhere { tried: Vec::new() }) })
    }
}

/// Metadata services, which are next door: no proxy.
struct Direct(Pool);

impl Direct {
    fn new(transport: Option<&Arc<dyn Transport>>) -> Self {
        let options = connection::Options {
            connect_timeout: Duration::from_secs(2),
            ..connection::Options::default()
        };
        Self(pool_of(transport, options))
    }
}

fn pool_of(transport: Option<&Arc<dyn Transport>>, options: connection::Options) -> Pool {
    match transport {
        Some(transport) => Pool::answered_by(Arc::clone(transport)),
        None => Pool::new(options),
    }
}

/// No metadata service says more.
const MOST: usize = 1 << 20;

impl Http for Direct {
    fn send(
        &self,
        request: Request,
        timeout: Duration,
    ) -> BoxFuture<'_, Result<Response, TransportError>> {
        Box::pin(async move {
            let body = connection::Body::Bytes(request.body.clone());
            let answer = async { self.0.send(&request, body).await?.read(MOST).await };
            match tokio::time::timeout(timeout, answer).await {
                Ok(Ok(response)) => Ok(response),
                Ok(Err(error)) => {
                    let timed_out = matches!(
                        error,
                        connection::TransportError::ConnectTimeout { .. }
                            | connection::TransportError::ReadTimeout { .. }
                    );
                    Err(TransportError { message: Error::from(error).chain(), timed_out })
                }
                Err(_) => {
                    let message = format!("nothing came within {} s", timeout.as_secs_f64());
                    Err(TransportError { message, timed_out: true })
                }
            }
        })
    }
}

/// The services that give keys.
struct Services(Client);

impl Calls for Services {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Map, CallError>> {
        Box::pin(async move {
            let credentials = call.credentials.map(|it| Arc::new(it.clone()) as Arc<dyn Provide>);
            let client = self.0.with_credentials(credentials);
            let made = client::Call::new(call.service, call.operation, call.parameters)
                .region(call.region);
            let outcome = match call.sign_address {
                Some(sign) => client.once(made, sign).await,
                None => client.run(made).await.map(|it| it.values),
            };
            outcome.map_err(|error| match &error {
                Error::Service(said) => CallError {
                    code: Some(said.code.clone()),
                    message: said.message.clone(),
                    members: said.fields.clone(),
                },
                _ => CallError { code: None, message: error.chain(), members: Map::new() },
            })
        })
    }
}
