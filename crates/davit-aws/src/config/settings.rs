//! Everything that a client has to know before its first request, from options, variables and the
//! profile, in this order. Does no IO but for the two files.

use std::{path::PathBuf, sync::Arc, time::Duration};

use super::{
    Environment,
    endpoints::EndpointUrls,
    lookup::{Lookup, Options, Origin, SettingsError},
    profiles::{FileKind, Profile, Profiles},
    proxy::Proxies,
    s3::{S3Settings, UsEast1Endpoint},
};
use crate::{checksum::When, endpoint::AccountIdMode, http::Request, retry};

/// What a client is set to.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// The profile that was read.
    pub profile: String,
    /// Whether the program asked for the profile: then variables with keys do not count.
    pub explicit_profile: bool,
    /// The region.
    pub region: Option<String>,
    /// Configured endpoints.
    pub endpoint_urls: EndpointUrls,
    /// `use_fips_endpoint`.
    pub use_fips_endpoint: bool,
    /// `use_dualstack_endpoint`.
    pub use_dualstack_endpoint: bool,
    /// `retry_mode`.
    pub retry_mode: retry::Mode,
    /// `max_attempts`, the first one included.
    pub max_attempts: Option<u32>,
    /// `defaults_mode`.
    pub defaults_mode: DefaultsMode,
    /// The settings of S3.
    pub s3: S3Settings,
    /// `sts_regional_endpoints`.
    pub sts_regional_endpoints: StsEndpoints,
    /// `ca_bundle`.
    pub ca_bundle: Option<PathBuf>,
    /// `request_checksum_calculation`. Nothing: nobody said so.
    pub request_checksum_calculation: Option<When>,
    /// `response_checksum_validation`. Nothing: nobody said so.
    pub response_checksum_validation: Option<When>,
    /// `request_min_compression_size_bytes`.
    pub request_min_compression_size_bytes: u64,
    /// `disable_request_compression`.
    pub disable_request_compression: bool,
    /// `sigv4a_signing_region_set`.
    pub sigv4a_signing_region_set: Option<Vec<String>>,
    /// `auth_scheme_preference`.
    pub auth_scheme_preference: Vec<String>,
    /// `account_id_endpoint_mode`.
    pub account_id_endpoint_mode: AccountIdMode,
    /// `disable_host_prefix_injection`.
    pub disable_host_prefix_injection: bool,
    /// `endpoint_discovery_enabled`. Nothing: where an operation demands it.
    pub endpoint_discovery: Option<bool>,
    /// `parameter_validation`.
    pub parameter_validation: bool,
    /// `sdk_ua_app_id`.
    pub user_agent_app_id: Option<String>,
    /// `tcp_keepalive`.
    pub tcp_keepalive: bool,
    /// How long connecting may take.
    pub connect_timeout: Duration,
    /// How long an answer may be silent.
    pub read_timeout: Duration,
    /// Proxies.
    pub proxies: Proxies,
    /// The instance metadata service.
    pub metadata: MetadataSettings,
    /// What the AWS CLI alone reads.
    pub cli: CliSettings,
}

/// Which set of defaults counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(missing_docs, reason = "the names are those of the AWS documentation")]
pub enum DefaultsMode {
    #[default]
    Legacy,
    Standard,
    InRegion,
    CrossRegion,
    Mobile,
    /// One of `InRegion`, `CrossRegion` and `Standard`, by where the program runs.
    Auto,
}

/// Where requests to STS go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StsEndpoints {
    /// To the region's endpoint.
    #[default]
    Regional,
    /// To `sts.amazonaws.com` for the regions that existed in 2015.
    Legacy,
}

/// Which of the two well-known addresses the instance metadata service has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EndpointMode {
    /// `169.254.169.254`.
    #[default]
    IpV4,
    /// `fd00:ec2::254`.
    IpV6,
}

/// How the instance metadata service is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MetadataSettings {
    /// Its address, without a slash at the end.
    pub endpoint: String,
    /// Whether it is not asked at all.
    pub disabled: bool,
    /// Whether it is only asked with a token.
    pub v1_disabled: bool,
    /// How long one answer may take.
    pub timeout: Duration,
    /// How often it is asked.
    pub attempts: u32,
    /// The instance profile, where it need not be asked for.
    pub instance_profile: Option<String>,
}

/// What the AWS CLI alone reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CliSettings {
    /// `output`: `json`, `yaml`, `yaml-stream`, `text` or `table`.
    pub output: Option<&'static str>,
    /// `cli_pager`. An empty one means none.
    pub pager: Option<String>,
    /// `cli_timestamp_format`: `wire` or `iso8601`.
    pub timestamp_format: Option<&'static str>,
    /// `cli_binary_format`: `base64` or `raw-in-base64-out`.
    pub binary_format: Option<&'static str>,
    /// `cli_auto_prompt`: `on`, `off` or `on-partial`.
    pub auto_prompt: Option<&'static str>,
    /// `cli_follow_urlparam`.
    pub follow_urlparam: Option<bool>,
}

const RETRY_MODES: &[(&str, retry::Mode)] = &[
    ("standard", retry::Mode::Standard),
    ("adaptive", retry::Mode::Adaptive),
    ("legacy", retry::Mode::Legacy),
];
const DEFAULTS_MODES: &[(&str, DefaultsMode)] = &[
    ("legacy", DefaultsMode::Legacy),
    ("standard", DefaultsMode::Standard),
    ("in-region", DefaultsMode::InRegion),
    ("cross-region", DefaultsMode::CrossRegion),
    ("mobile", DefaultsMode::Mobile),
    ("auto", DefaultsMode::Auto),
];
const STS_ENDPOINTS: &[(&str, StsEndpoints)] =
    &[("regional", StsEndpoints::Regional), ("legacy", StsEndpoints::Legacy)];
const CHECKSUM_MODES: &[(&str, When)] =
    &[("when_supported", When::Supported), ("when_required", When::Required)];
const ACCOUNT_ID_MODES: &[(&str, AccountIdMode)] = &[
    ("preferred", AccountIdMode::Preferred),
    ("disabled", AccountIdMode::Disabled),
    ("required", AccountIdMode::Required),
];
const ENDPOINT_MODES: &[(&str, EndpointMode)] =
    &[("ipv4", EndpointMode::IpV4), ("ipv6", EndpointMode::IpV6)];
const ON_OFF: &[(&str, Option<bool>)] = &[
    ("true", Some(true)),
    ("1", Some(true)),
    ("false", Some(false)),
    ("0", Some(false)),
    ("auto", None),
];

impl Settings {
    /// Reads the files that the variables name, or those in the home folder, and works out the
    /// settings.
    ///
    /// # Errors
    ///
    /// When a file cannot be read, a profile that was asked for is not there, or a value does not fit.
    pub fn load(
        options: &Options,
        environment: &Environment,
        home: Option<&std::path::Path>,
    ) -> Result<(Self, Arc<Profiles>), SettingsError> {
        let (config, credentials) = Self::files(environment, home);
        let profiles = Arc::new(Profiles::load(&config, &credentials)?);
        let settings = Self::of(options, environment, home, &profiles)?;
        Ok((settings, profiles))
    }

    /// Where both files are: what variables name, or in the home folder.
    #[must_use]
    pub fn files(environment: &Environment, home: Option<&std::path::Path>) -> (PathBuf, PathBuf) {
        let path = |variable: &str, default: &str| {
            environment.path(environment.get(variable).unwrap_or(default), home)
        };
        let config = path("AWS_CONFIG_FILE", "~/.aws/config");
        (config, path("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))
    }

    /// Works out the settings from files that were read.
    ///
    /// # Errors
    ///
    /// When a profile that was asked for is not there, or a value does not fit.
    pub fn of(
        options: &Options,
        environment: &Environment,
        home: Option<&std::path::Path>,
        profiles: &Profiles,
    ) -> Result<Self, SettingsError> {
        let (name, profile) = profile(options, environment, profiles)?;
        let lookup = Lookup { options, environment, profile };
        let region = lookup
            .option("region")
            .or_else(|| lookup.variable("AWS_REGION"))
            .or_else(|| lookup.variable("AWS_DEFAULT_REGION"))
            .or_else(|| lookup.file("region"))
            .map(|it| it.text.to_owned());
        let mode = lookup.choice("AWS_DEFAULTS_MODE", "defaults_mode", DEFAULTS_MODES)?;
        let mode = mode.unwrap_or_default().known(environment, region.as_deref());
        let us_east_1 = match mode {
            DefaultsMode::Legacy => UsEast1Endpoint::Legacy,
            _ => UsEast1Endpoint::Regional,
        };
        let mut proxies = Proxies::of(environment);
        proxies.ca_bundle = lookup.text("", "proxy_ca_bundle");
        proxies.client_cert = lookup.text("", "proxy_client_cert");
        proxies.forward_https =
            lookup.boolean("", "proxy_use_forwarding_for_https")?.unwrap_or(false);
        let mut settings = Self {
            profile: name,
            explicit_profile: options.profile.is_some(),
            region,
            endpoint_urls: EndpointUrls::of(&lookup, profiles)?,
            defaults_mode: mode,
            s3: S3Settings::of(&lookup, us_east_1)?,
            ca_bundle: lookup.path("AWS_CA_BUNDLE", "ca_bundle", home),
            sigv4a_signing_region_set: lookup
                .list("AWS_SIGV4A_SIGNING_REGION_SET", "sigv4a_signing_region_set"),
            auth_scheme_preference: lookup
                .list("AWS_AUTH_SCHEME_PREFERENCE", "auth_scheme_preference")
                .unwrap_or_default(),
            user_agent_app_id: lookup.text("AWS_SDK_UA_APP_ID", "sdk_ua_app_id"),
            connect_timeout: options.connect_timeout.unwrap_or(mode.connect_timeout()),
            read_timeout: options.read_timeout.unwrap_or(Duration::from_secs(60)),
            proxies,
            metadata: MetadataSettings::of(&lookup)?,
            cli: CliSettings::of(&lookup)?,
            ..Self::default()
        };
        settings.set_flags(&lookup)?;
        settings.set_choices(&lookup)?;
        Ok(settings)
    }

    fn set_flags(&mut self, lookup: &Lookup<'_>) -> Result<(), SettingsError> {
        let flag = |variable: &str, key: &str| {
            lookup.boolean(variable, key).map(Option::unwrap_or_default)
        };
        self.use_fips_endpoint = flag("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")?;
        self.use_dualstack_endpoint = flag("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")?;
        self.disable_request_compression =
            flag("AWS_DISABLE_REQUEST_COMPRESSION", "disable_request_compression")?;
        self.disable_host_prefix_injection =
            flag("AWS_DISABLE_HOST_PREFIX_INJECTION", "disable_host_prefix_injection")?;
        self.tcp_keepalive = flag("BOTOCORE_TCP_KEEPALIVE", "tcp_keepalive")?;
        self.parameter_validation = lookup.boolean("", "parameter_validation")?.unwrap_or(true);
        self.endpoint_discovery = lookup
            .choice("AWS_ENDPOINT_DISCOVERY_ENABLED", "endpoint_discovery_enabled", ON_OFF)?
            .flatten();
        Ok(())
    }

    fn set_choices(&mut self, lookup: &Lookup<'_>) -> Result<(), SettingsError> {
        let retry_mode = lookup.choice("AWS_RETRY_MODE", "retry_mode", RETRY_MODES)?;
        self.retry_mode = retry_mode.unwrap_or_default();
        let attempts = lookup.number("AWS_MAX_ATTEMPTS", "max_attempts", (1, u32::MAX.into()))?;
        self.max_attempts = attempts.and_then(|it| u32::try_from(it).ok());
        self.sts_regional_endpoints = lookup
            .choice("AWS_STS_REGIONAL_ENDPOINTS", "sts_regional_endpoints", STS_ENDPOINTS)?
            .unwrap_or_default();
        let checksums = |variable: &str, key: &str| lookup.choice(variable, key, CHECKSUM_MODES);
        self.request_checksum_calculation =
            checksums("AWS_REQUEST_CHECKSUM_CALCULATION", "request_checksum_calculation")?;
        self.response_checksum_validation =
            checksums("AWS_RESPONSE_CHECKSUM_VALIDATION", "response_checksum_validation")?;
        self.request_min_compression_size_bytes = lookup
            .number(
                "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
                "request_min_compression_size_bytes",
                (1, 1 << 20),
            )?
            .unwrap_or(10_240);
        self.account_id_endpoint_mode = lookup
            .choice("AWS_ACCOUNT_ID_ENDPOINT_MODE", "account_id_endpoint_mode", ACCOUNT_ID_MODES)?
            .unwrap_or_default();
        Ok(())
    }
}

fn profile<'a>(
    options: &Options,
    environment: &Environment,
    profiles: &'a Profiles,
) -> Result<(String, Option<&'a Profile>), SettingsError> {
    let variable = ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"]
        .into_iter()
        .find_map(|it| Some((environment.get(it)?, Origin::Variable(it.to_owned()))));
    let explicit = options.profile.as_deref().map(|it| (it, Origin::Option("profile".to_owned())));
    let Some((name, origin)) = explicit.or(variable) else {
        return Ok(("default".to_owned(), profiles.get("default")));
    };
    if let Some(profile) = profiles.get(name) {
        return Ok((name.to_owned(), Some(profile)));
    }
    let nearest = profiles.names().map(|it| (strsim::jaro_winkler(it, name), it));
    let nearest = nearest.filter(|(score, _)| *score > 0.8).max_by(|a, b| a.0.total_cmp(&b.0));
    let path = |file| profiles.path(file).display();
    Err(SettingsError::NoProfile {
        name: name.to_owned(),
        origin: Box::new(origin),
        files: format!("{} or {}", path(FileKind::Config), path(FileKind::Credentials)),
        nearest: nearest.map(|(_, it)| it.to_owned()),
    })
}

impl DefaultsMode {
    /// `Auto` becomes what the variables say of where the program runs. The instance metadata service
    /// is not asked: where they say nothing it is `Standard`.
    fn known(self, environment: &Environment, region: Option<&str>) -> Self {
        if self != Self::Auto {
            return self;
        }
        let here = environment.get("AWS_EXECUTION_ENV").and_then(|_| {
            environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION"))
        });
        match here {
            Some(here) if region == Some(here) => Self::InRegion,
            Some(_) => Self::CrossRegion,
            None => Self::Standard,
        }
    }

    const fn connect_timeout(self) -> Duration {
        Duration::from_millis(match self {
            Self::Legacy => 60_000,
            Self::Standard | Self::CrossRegion | Self::Auto => 3100,
            Self::InRegion => 1100,
            Self::Mobile => 30_000,
        })
    }
}

impl Default for MetadataSettings {
    fn default() -> Self {
        Self {
            endpoint: "http://169.254.169.254".to_owned(),
            disabled: false,
            v1_disabled: false,
            timeout: Duration::from_secs(1),
            attempts: 1,
            instance_profile: None,
        }
    }
}

impl MetadataSettings {
    fn of(lookup: &Lookup<'_>) -> Result<Self, SettingsError> {
        let mode = lookup.choice(
            "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
            "ec2_metadata_service_endpoint_mode",
            ENDPOINT_MODES,
        )?;
        let ipv6 = lookup.boolean("AWS_IMDS_USE_IPV6", "imds_use_ipv6")?.unwrap_or(false);
        let mode = mode.unwrap_or(if ipv6 { EndpointMode::IpV6 } else { EndpointMode::IpV4 });
        let endpoint = match lookup
            .find("AWS_EC2_METADATA_SERVICE_ENDPOINT", "ec2_metadata_service_endpoint")
        {
            Some(found) if Request::of_url("GET", found.text).is_some() => {
                found.text.trim_end_matches('/').to_owned()
            }
            Some(found) => return Err(found.wrong("an address such as `http://169.254.169.254`")),
            None if mode == EndpointMode::IpV6 => "http://[fd00:ec2::254]".to_owned(),
            None => "http://169.254.169.254".to_owned(),
        };
        let timeout = lookup.find("AWS_METADATA_SERVICE_TIMEOUT", "metadata_service_timeout");
        let attempts = lookup.number(
            "AWS_METADATA_SERVICE_NUM_ATTEMPTS",
            "metadata_service_num_attempts",
            (1, 100),
        )?;
        Ok(Self {
            endpoint,
            disabled: lookup.boolean("AWS_EC2_METADATA_DISABLED", "")?.unwrap_or(false),
            v1_disabled: lookup
                .boolean("AWS_EC2_METADATA_V1_DISABLED", "ec2_metadata_v1_disabled")?
                .unwrap_or(false),
            timeout: Duration::from_secs(
                timeout.map(|it| it.number(1, 3600)).transpose()?.unwrap_or(1),
            ),
            attempts: attempts.and_then(|it| u32::try_from(it).ok()).unwrap_or(1),
            instance_profile: lookup
                .text("AWS_EC2_INSTANCE_PROFILE_NAME", "ec2_instance_profile_name"),
        })
    }
}

impl CliSettings {
    fn of(lookup: &Lookup<'_>) -> Result<Self, SettingsError> {
        let choice = |variable: &str, key: &str, names: &[&'static str]| {
            let names: Vec<(&str, &'static str)> = names.iter().map(|it| (*it, *it)).collect();
            lookup.choice(variable, key, &names)
        };
        let outputs = ["json", "yaml", "yaml-stream", "text", "table", "off"];
        Ok(Self {
            output: choice("AWS_DEFAULT_OUTPUT", "output", &outputs)?,
            pager: lookup.pager(),
            timestamp_format: choice("", "cli_timestamp_format", &["wire", "iso8601", "none"])?,
            binary_format: choice("", "cli_binary_format", &["base64", "raw-in-base64-out"])?,
            auto_prompt: choice(
                "AWS_CLI_AUTO_PROMPT",
                "cli_auto_prompt",
                &["on", "off", "on-partial"],
            )?,
            follow_urlparam: lookup.boolean("", "cli_follow_urlparam")?,
        })
    }
}
