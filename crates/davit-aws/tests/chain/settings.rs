//! Settings come from options, variables and files as botocore's do.

use std::{fmt::Write as _, time::Duration};

use davit_aws::checksum::When;
use davit_aws::config::{DefaultsMode, Environment, Options, Profiles, Settings, UsEast1Endpoint};
use davit_aws::endpoint::AddressingStyle;
use serde_json::{Value as Json, json};

use crate::python::Python;

use super::Dice;

/// A key of a profile, a variable, values that both take.
const SETTINGS: &[(&str, &str, &[&str])] = &[
    ("region", "AWS_DEFAULT_REGION", &["eu-west-1", "us-east-1"]),
    ("ca_bundle", "AWS_CA_BUNDLE", &["/a/b.pem"]),
    ("use_dualstack_endpoint", "AWS_USE_DUALSTACK_ENDPOINT", &["true", "False"]),
    ("use_fips_endpoint", "AWS_USE_FIPS_ENDPOINT", &["TRUE", "false"]),
    (
        "ignore_configured_endpoint_urls",
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        &["true", "false", "false"],
    ),
    ("sts_regional_endpoints", "AWS_STS_REGIONAL_ENDPOINTS", &["regional", "legacy"]),
    ("retry_mode", "AWS_RETRY_MODE", &["standard", "adaptive", "legacy"]),
    ("max_attempts", "AWS_MAX_ATTEMPTS", &["1", "7"]),
    ("defaults_mode", "AWS_DEFAULTS_MODE", &["legacy", "standard", "in-region", "mobile"]),
    ("sdk_ua_app_id", "AWS_SDK_UA_APP_ID", &["one", "two"]),
    (
        "request_min_compression_size_bytes",
        "AWS_REQUEST_MIN_COMPRESSION_SIZE_BYTES",
        &["1", "1048576"],
    ),
    ("disable_request_compression", "AWS_DISABLE_REQUEST_COMPRESSION", &["true", "false"]),
    (
        "request_checksum_calculation",
        "AWS_REQUEST_CHECKSUM_CALCULATION",
        &["when_supported", "WHEN_REQUIRED"],
    ),
    (
        "response_checksum_validation",
        "AWS_RESPONSE_CHECKSUM_VALIDATION",
        &["when_supported", "when_required"],
    ),
    (
        "account_id_endpoint_mode",
        "AWS_ACCOUNT_ID_ENDPOINT_MODE",
        &["preferred", "disabled", "required"],
    ),
    ("metadata_service_timeout", "AWS_METADATA_SERVICE_TIMEOUT", &["2", "5"]),
    ("metadata_service_num_attempts", "AWS_METADATA_SERVICE_NUM_ATTEMPTS", &["3", "4"]),
    (
        "ec2_metadata_service_endpoint_mode",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE",
        &["IPv4", "ipv6"],
    ),
    ("ec2_metadata_v1_disabled", "AWS_EC2_METADATA_V1_DISABLED", &["true", "false"]),
    ("imds_use_ipv6", "AWS_IMDS_USE_IPV6", &["true", "false"]),
    ("endpoint_url", "AWS_ENDPOINT_URL", &["http://a:1", "https://b/c"]),
    ("", "AWS_ENDPOINT_URL_SECRETS_MANAGER", &["http://secrets"]),
    ("", "AWS_ENDPOINT_URL_S3", &["http://s3"]),
    ("s3_use_arn_region", "AWS_S3_USE_ARN_REGION", &["true", "false"]),
    (
        "s3_us_east_1_regional_endpoint",
        "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT",
        &["regional", "legacy"],
    ),
    ("", "AWS_S3_DISABLE_MULTIREGION_ACCESS_POINTS", &["true", "false"]),
];

/// The same in the block of S3.
const NESTED: &[(&str, &[&str])] = &[
    ("addressing_style", &["auto", "virtual", "path"]),
    ("use_accelerate_endpoint", &["true", "false"]),
    ("use_dualstack_endpoint", &["true", "false"]),
    ("payload_signing_enabled", &["true", "false"]),
    ("use_arn_region", &["true", "false"]),
    ("us_east_1_regional_endpoint", &["regional", "legacy"]),
    ("s3_disable_multiregion_access_points", &["true", "false"]),
];

/// What botocore is asked for by name.
const NAMES: &[&str] = &[
    "region",
    "ca_bundle",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
    "sts_regional_endpoints",
    "disable_request_compression",
    "user_agent_appid",
    "metadata_service_timeout",
    "metadata_service_num_attempts",
    "ec2_metadata_v1_disabled",
];

struct Case {
    config: String,
    credentials: String,
    variables: Vec<(String, String)>,
}

fn case(dice: &Dice) -> Case {
    let mut case =
        Case { config: String::new(), credentials: String::new(), variables: Vec::new() };
    if dice.hits(40) {
        case.variables.push(("AWS_PROFILE".to_owned(), "dev".to_owned()));
    }
    if dice.hits(5) {
        case.variables.push(("AWS_DEFAULT_PROFILE".to_owned(), "none".to_owned()));
    }
    for (_, variable, values) in SETTINGS {
        if dice.hits(15) {
            case.variables.push(((*variable).to_owned(), dice.pick(values).to_owned()));
        }
    }
    for section in ["[default]", "[profile dev]"] {
        writeln!(case.config, "{section}").unwrap();
        for (key, _, values) in SETTINGS.iter().filter(|(key, ..)| !key.is_empty()) {
            if dice.hits(20) {
                writeln!(case.config, "{key} = {}", dice.pick(values)).unwrap();
            }
        }
        if dice.hits(30) {
            writeln!(case.config, "services = my").unwrap();
        }
        case.config.push_str("s3 =\n  x = y\n");
        for (key, values) in NESTED {
            if dice.hits(25) {
                writeln!(case.config, "  {key} = {}", dice.pick(values)).unwrap();
            }
        }
    }
    if dice.hits(90) {
        case.config.push_str("[services my]\ndynamodb =\n  endpoint_url = http://dynamo\n");
        case.config.push_str("secrets_manager =\n  endpoint_url = http://secret\n");
    }
    if dice.hits(20) {
        case.credentials.push_str("[dev]\nregion = eu-central-1\n");
    }
    case
}

fn wire<T: Copy + PartialEq>(value: Option<T>, names: &[(T, &str)]) -> Json {
    let name = names.iter().find(|(known, _)| Some(*known) == value);
    name.map_or(Json::Null, |(_, name)| (*name).into())
}

/// The settings under botocore's names.
fn as_botocore(settings: &Settings) -> Json {
    let checksums = [(When::Supported, "when_supported"), (When::Required, "when_required")];
    let endpoints = [(UsEast1Endpoint::Legacy, "legacy"), (UsEast1Endpoint::Regional, "regional")];
    let styles = [
        (AddressingStyle::Auto, "auto"),
        (AddressingStyle::Virtual, "virtual"),
        (AddressingStyle::Path, "path"),
    ];
    let debug = |it: &dyn std::fmt::Debug| Json::from(format!("{it:?}").to_lowercase());
    let s3 = &settings.s3;
    let mut retries = json!({ "mode": debug(&settings.retry_mode) });
    if let Some(attempts) = settings.max_attempts {
        retries["total_max_attempts"] = attempts.into();
    }
    let url = |id: &str| settings.endpoint_urls.get(id).unwrap();
    let metadata = &settings.metadata;
    json!({
        "region": settings.region,
        "ca_bundle": settings.ca_bundle,
        "use_dualstack_endpoint": settings.use_dualstack_endpoint,
        "use_fips_endpoint": settings.use_fips_endpoint,
        "sts_regional_endpoints": debug(&settings.sts_regional_endpoints),
        "disable_request_compression": settings.disable_request_compression,
        "user_agent_appid": settings.user_agent_app_id,
        "metadata_service_timeout": metadata.timeout.as_secs(),
        "metadata_service_num_attempts": metadata.attempts,
        "ec2_metadata_v1_disabled": metadata.v1_disabled,
        "mode": if metadata.endpoint.contains("fd00") { "ipv6" } else { "ipv4" },
        "connect_timeout": settings.connect_timeout.as_secs_f64(),
        "retries": retries,
        "request_checksum_calculation":
            wire(settings.request_checksum_calculation.or(Some(When::default())), &checksums),
        "response_checksum_validation":
            wire(settings.response_checksum_validation.or(Some(When::default())), &checksums),
        "account_id_endpoint_mode": debug(&settings.account_id_endpoint_mode),
        "request_min_compression_size_bytes": settings.request_min_compression_size_bytes,
        "s3": {
            "addressing_style": wire(s3.addressing_style, &styles),
            "use_accelerate_endpoint": s3.use_accelerate_endpoint,
            "use_dualstack_endpoint": s3.use_dualstack_endpoint,
            "payload_signing_enabled": s3.payload_signing_enabled,
            "use_arn_region": s3.use_arn_region,
            "us_east_1_regional_endpoint": wire(Some(s3.us_east_1_regional_endpoint), &endpoints),
            "s3_disable_multiregion_access_points": s3.disable_multiregion_access_points,
        },
        "urls": {
            "s3": url("S3"),
            "dynamodb": url("DynamoDB"),
            "secretsmanager": url("Secrets Manager"),
            "sts": url("STS"),
        },
    })
}

#[test]
fn settings_are_those_of_botocore() {
    let folder = tempfile::tempdir().unwrap();
    let aws = folder.path().join(".aws");
    std::fs::create_dir(&aws).unwrap();
    let (mut agreed, mut refused) = (0, 0);
    let mut botocore = Python::start("chain.py");
    for seed in 0..100 {
        let case = case(&Dice::new(seed));
        std::fs::write(aws.join("config"), &case.config).unwrap();
        std::fs::write(aws.join("credentials"), &case.credentials).unwrap();
        let mut variables: serde_json::Map<_, _> = case
            .variables
            .iter()
            .map(|(name, value)| (name.clone(), value.as_str().into()))
            .collect();
        // A client is made, for which there must be keys.
        for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
            variables.insert(name.to_owned(), "x".into());
        }
        let question =
            json!({"ask": "settings", "env": variables, "home": folder.path(), "names": NAMES});
        let mut expected = botocore.ask(&question);
        let environment = case.variables.iter().cloned().collect::<Environment>();
        let settings = Settings::load(&Options::default(), &environment, Some(folder.path()));
        let about = format!("{seed}: {:?}\n{}", case.variables, case.config);
        let urls_fail = |it: &Settings| it.endpoint_urls.get("STS").is_err();
        let settings = match settings {
            Ok((settings, _)) if !urls_fail(&settings) => settings,
            _ => {
                assert!(expected.get("error").is_some(), "{about}");
                refused += 1;
                continue;
            }
        };
        assert!(expected.get("error").is_none(), "{expected} {about}");
        let own = as_botocore(&settings);
        // botocore keeps texts and things that are not set where they are looked at later.
        let s3 = expected["s3"].as_object_mut().unwrap();
        for (key, _) in NESTED {
            let value = s3.remove(*key).unwrap_or_default();
            let value = if *key == "us_east_1_regional_endpoint" && value.is_null() {
                "legacy".into()
            } else {
                value
            };
            // botocore writes the general setting in here where it counts.
            if *key == "use_dualstack_endpoint" && own[*key] == true && value == true {
                continue;
            }
            assert_eq!(own["s3"][*key], value, "{key} {about}");
        }
        for (key, value) in own.as_object().unwrap() {
            let expected = match &expected[key] {
                Json::Null if value == false => &Json::Bool(false),
                Json::Number(it) => &Json::from(it.as_f64()),
                other => other,
            };
            let value = if let Json::Number(it) = value { &Json::from(it.as_f64()) } else { value };
            if key != "s3" {
                assert_eq!(value, expected, "{key} {about}");
            }
        }
        agreed += 1;
    }
    assert!(agreed > 60 && refused > 2, "{agreed} {refused}");
}

fn settings(config: &str, variables: &[(&str, &str)]) -> Result<Settings, String> {
    let profiles = Profiles::from_text(config, "").unwrap();
    let environment = variables.iter().copied().collect();
    Settings::of(&Options::default(), &environment, None, &profiles).map_err(|it| it.to_string())
}

#[test]
fn wrong_values_are_told_with_their_place() {
    for (config, variables, expected) in [
        (
            "[default]\nx = 1\nretry_mode = fast",
            &[][..],
            "~/.aws/config:3: `retry_mode` is `fast`: it must be `standard`, `adaptive` or `legacy`",
        ),
        (
            "",
            &[("AWS_USE_FIPS_ENDPOINT", "yes")],
            "variable AWS_USE_FIPS_ENDPOINT is `yes`: it must be `true` or `false`",
        ),
        (
            "[default]\ns3 =\n  addressing_style = host",
            &[],
            "~/.aws/config:2: `s3.addressing_style` is `host`: it must be `auto`, `virtual` or `path`",
        ),
        (
            "",
            &[("AWS_MAX_ATTEMPTS", "0")],
            "variable AWS_MAX_ATTEMPTS is `0`: it must be a whole number from 1 to 4294967295",
        ),
        (
            "[default]\ns3 =\n multipart_chunksize = 5 MB",
            &[],
            "~/.aws/config:2: `s3.multipart_chunksize` is `5 MB`: it must be a size above zero, in bytes or such as `64MB`",
        ),
        (
            "[default]\nec2_metadata_service_endpoint = not a uri",
            &[],
            "~/.aws/config:2: `ec2_metadata_service_endpoint` is `not a uri`: it must be an address such as `http://169.254.169.254`",
        ),
        (
            "[profile production]",
            &[("AWS_PROFILE", "prodution")],
            "there is no profile `prodution` (variable AWS_PROFILE) in ~/.aws/config or ~/.aws/credentials: did you mean `production`?",
        ),
        (
            "",
            &[("AWS_PROFILE", "dev")],
            "there is no profile `dev` (variable AWS_PROFILE) in ~/.aws/config or ~/.aws/credentials: see `davit aws configure list-profiles`",
        ),
    ] {
        assert_eq!(settings(config, variables).unwrap_err(), expected);
    }
    let found = settings("[default]\nservices = my\nendpoint_url = nowhere", &[]).unwrap();
    assert_eq!(
        found.endpoint_urls.get("S3").unwrap_err().to_string(),
        "~/.aws/config:2: `services` is `my` and there is no section [services my]: write one or take the line away"
    );
    let found = settings("", &[("AWS_ENDPOINT_URL_S3", "localhost:9000")]).unwrap();
    assert_eq!(
        found.endpoint_urls.get("S3").unwrap_err().to_string(),
        "variable AWS_ENDPOINT_URL_S3 is `localhost:9000`: it must be an address such as `https://host:port`"
    );
    assert_eq!(found.endpoint_urls.get("STS").unwrap(), None);
}

#[test]
fn options_go_before_variables_and_those_before_files() {
    let profiles = Profiles::from_text(
        "[default]\nregion = file\n[profile dev]\nregion = dev\noutput = table\ns3 =\n max_concurrent_requests = 3\n max_bandwidth = 2MB/s",
        "",
    )
    .unwrap();
    let get = |options: &Options, variables: &[(&str, &str)]| {
        Settings::of(options, &variables.iter().copied().collect(), None, &profiles).unwrap()
    };
    let (none, both) =
        (Options::default(), [("AWS_DEFAULT_REGION", "second"), ("AWS_REGION", "first")]);
    assert_eq!(get(&none, &[]).region.as_deref(), Some("file"));
    assert_eq!(get(&none, &both[..1]).region.as_deref(), Some("second"));
    assert_eq!(get(&none, &both).region.as_deref(), Some("first"));
    let options = Options { profile: Some("dev".to_owned()), ..Options::default() };
    let options = options.with("region", "given").with("s3.addressing_style", "path");
    let found = get(&options, &both);
    assert_eq!(found.region.as_deref(), Some("given"));
    assert_eq!(found.s3.addressing_style, Some(AddressingStyle::Path));
    assert_eq!(found.s3.transfer.max_concurrent_requests, 3);
    assert_eq!(found.s3.transfer.max_bandwidth, Some(2 << 20));
    assert_eq!(found.cli.output, Some("table"));
    assert_eq!((found.profile.as_str(), found.explicit_profile), ("dev", true));
    let auto = |variables: &[(&str, &str)]| {
        get(&Options::default().with("defaults_mode", "auto").with("region", "here"), variables)
    };
    assert_eq!(auto(&[]).defaults_mode, DefaultsMode::Standard);
    let inside = [("AWS_EXECUTION_ENV", "AWS_Lambda"), ("AWS_REGION", "here")];
    assert_eq!(auto(&inside).defaults_mode, DefaultsMode::InRegion);
    assert_eq!(auto(&inside).connect_timeout, Duration::from_millis(1100));
    let outside = [("AWS_EXECUTION_ENV", "AWS_Lambda"), ("AWS_REGION", "there")];
    assert_eq!(auto(&outside).defaults_mode, DefaultsMode::CrossRegion);
}
