//! Configuration files: profiles, where the files are, what a client is set to, the roles of a profile.

use std::{fmt::Write as _, path::PathBuf};

use davit_aws::{
    checksum::When,
    config::{Environment, Options, Profiles, Section, Settings},
    credentials::{Step, plan},
};
use serde_json::{Map as JsonMap, Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal},
    models::Models,
};

/// The profiles of both files' texts.
fn profiles(asked: Asked<'_>) -> Result<Profiles, Refusal> {
    let config = asked.any_text(&["config", "configFile"]).unwrap_or_default();
    let credentials = asked.any_text(&["credentials", "credentialsFile"]).unwrap_or_default();
    Profiles::from_text(config, credentials).map_err(|it| Refusal::of("profile", &it))
}

pub(crate) fn profile(asked: Asked<'_>, _: &mut Models) -> Answer {
    let read = profiles(asked)?;
    let mut answer = read.to_json();
    let texts = |section: &Section| {
        let texts = section.iter().map(|(name, it)| (name.to_owned(), Json::from(it)));
        Json::Object(texts.collect())
    };
    let services = read.service_names().filter_map(|it| Some((it.to_owned(), read.services(it)?)));
    answer["services"] = Json::Object(services.map(|(name, it)| (name, texts(it))).collect());
    let ignored = read.ignored().iter();
    answer["ignored"] = ignored.map(|it| json!({"line": it.line, "reason": it.reason})).collect();
    Ok(answer)
}

/// Where the program has its home: as the AWS SDKs find it.
fn home(environment: &Environment, windows: bool, usual: Option<&str>) -> Option<String> {
    let get = |name: &str| environment.get(name).map(str::to_owned);
    let of_windows = || get("USERPROFILE").or_else(|| Some(get("HOMEDRIVE")? + &get("HOMEPATH")?));
    let known = get("HOME").or_else(|| if windows { of_windows() } else { None });
    known.or_else(|| usual.map(str::to_owned))
}

pub(crate) fn profile_files(asked: Asked<'_>, _: &mut Models) -> Answer {
    let environment: Environment = asked.texts("environment").into_iter().collect();
    let windows = asked.text("platform") == Some("windows");
    let usual = asked.any_text(&["home", "languageSpecificHome"]);
    let home = home(&environment, windows, usual).map(PathBuf::from);
    let options = Options { profile: asked.owned(&["profile_option"]), ..Options::default() };
    let (config, credentials) = Settings::files(&environment, home.as_deref());
    let settings = Settings::of(&options, &Environment::default(), None, &Profiles::default());
    let profile = environment.get("AWS_PROFILE").map(str::to_owned);
    let profile = profile.or_else(|| settings.ok().map(|it| it.profile));
    let text = |path: PathBuf| {
        let text = path.display().to_string();
        if windows { text.replace('/', "\\") } else { text }
    };
    Ok(json!({
        "profile": profile,
        "configLocation": text(config),
        "credentialsLocation": text(credentials),
    }))
}

/// A choice as profiles have it: those that are asked for are one word each.
fn word(choice: &dyn std::fmt::Debug) -> String {
    format!("{choice:?}").to_lowercase()
}

fn when(mode: When) -> &'static str {
    match mode {
        When::Supported => "when_supported",
        When::Required => "when_required",
    }
}

/// What fewer suites ask about.
fn more(settings: &Settings, answer: &mut Json) {
    let members = [
        ("metadata_v1_disabled", json!(settings.metadata.v1_disabled)),
        ("metadata_timeout", json!(settings.metadata.timeout.as_secs_f64())),
        ("metadata_attempts", json!(settings.metadata.attempts)),
        ("request_checksum_calculation", json!(settings.request_checksum_calculation.map(when))),
        ("response_checksum_validation", json!(settings.response_checksum_validation.map(when))),
        ("account_id_endpoint_mode", json!(word(&settings.account_id_endpoint_mode))),
        ("sts_regional_endpoints", json!(word(&settings.sts_regional_endpoints))),
        ("endpoint_discovery_enabled", json!(settings.endpoint_discovery)),
        ("disable_host_prefix_injection", json!(settings.disable_host_prefix_injection)),
        ("parameter_validation", json!(settings.parameter_validation)),
        ("connect_timeout", json!(settings.connect_timeout.as_secs_f64())),
        ("read_timeout", json!(settings.read_timeout.as_secs_f64())),
    ];
    for (name, value) in members {
        answer[name] = value;
    }
    answer["s3"] = json!({
        "addressing_style": settings.s3.addressing_style.as_ref().map(|it| word(it)),
        "use_accelerate_endpoint": settings.s3.use_accelerate_endpoint,
        "use_dualstack_endpoint": settings.s3.use_dualstack_endpoint,
        "use_arn_region": settings.s3.use_arn_region,
        "us_east_1_regional_endpoint": word(&settings.s3.us_east_1_regional_endpoint),
        "disable_multiregion_access_points": settings.s3.disable_multiregion_access_points,
        "disable_s3_express_session_auth": settings.s3.disable_express_session_auth,
        "payload_signing_enabled": settings.s3.payload_signing_enabled,
    });
}

pub(crate) fn settings(asked: Asked<'_>, _: &mut Models) -> Answer {
    let environment: Environment =
        asked.texts("environment").into_iter().chain(asked.texts("env")).collect();
    let mut options = Options { profile: asked.owned(&["profile"]), ..Options::default() };
    for (name, value) in asked.texts("options") {
        options = options.with(&name, value);
    }
    let refuse = |it| Refusal::of("settings", &it);
    let settings = Settings::of(&options, &environment, None, &profiles(asked)?).map_err(refuse)?;
    let mut answer = json!({
        "profile": settings.profile,
        "region": settings.region,
        "use_fips_endpoint": settings.use_fips_endpoint,
        "use_dualstack_endpoint": settings.use_dualstack_endpoint,
        "retry_mode": word(&settings.retry_mode),
        "max_attempts": settings.max_attempts,
        "ca_bundle": settings.ca_bundle,
        "auth_scheme_preference": settings.auth_scheme_preference,
        "sigv4a_signing_region_set": settings.sigv4a_signing_region_set,
        "disable_request_compression": settings.disable_request_compression,
        "request_min_compression_size_bytes": settings.request_min_compression_size_bytes,
        "user_agent_app_id": settings.user_agent_app_id,
        "metadata_endpoint": settings.metadata.endpoint,
        "metadata_disabled": settings.metadata.disabled,
    });
    more(&settings, &mut answer);
    if let Some(id) = asked.any_text(&["service_id"]) {
        answer["endpoint_url"] = json!(settings.endpoint_urls.get(id).map_err(refuse)?);
    }
    Ok(answer)
}

pub(crate) fn role_chain(asked: Asked<'_>, _: &mut Models) -> Answer {
    let read = match asked.get("profiles") {
        Some(Json::Object(profiles)) => {
            let text = text_of(profiles);
            Profiles::from_text(&text, "").map_err(|it| Refusal::of("profile", &it))?
        }
        _ => profiles(asked)?,
    };
    let steps = plan(&read, asked.text("profile").unwrap_or("default"));
    let steps = steps.map_err(|it| Refusal::of("profile", &it))?;
    Ok(json!({ "chain": steps.iter().map(step).collect::<Vec<_>>() }))
}

/// Profiles as a configuration file.
fn text_of(profiles: &JsonMap<String, Json>) -> String {
    let mut text = String::new();
    for (name, properties) in profiles {
        // Writing into a text cannot fail.
        let _ = writeln!(text, "[profile \"{name}\"]");
        for (key, value) in properties.as_object().into_iter().flatten() {
            let _ = writeln!(text, "{key} = {}", value.as_str().unwrap_or_default());
        }
    }
    text
}

fn step(step: &Step) -> Json {
    let members = |members: &[(&str, Option<String>)]| {
        let there = members.iter().filter_map(|(name, it)| Some(((*name).to_owned(), it.clone()?)));
        Json::Object(there.map(|(name, it)| (name, it.into())).collect())
    };
    let own = |it: &str| Some(it.to_owned());
    let (name, said) = match step {
        Step::Keys(keys) => (
            "AccessKey",
            members(&[
                ("access_key_id", own(&keys.access_key_id)),
                ("secret_access_key", own(&keys.secret_access_key)),
                ("session_token", keys.session_token.clone()),
            ]),
        ),
        Step::Source(source) => ("NamedSource", format!("{source:?}").into()),
        Step::WebIdentity { role_arn, token_file, session_name } => (
            "WebIdentityToken",
            members(&[
                ("role_arn", own(role_arn)),
                ("web_identity_token_file", own(token_file)),
                ("role_session_name", session_name.clone()),
            ]),
        ),
        Step::Sso(sso) => (
            "Sso",
            members(&[
                ("sso_session", sso.session.clone()),
                ("sso_start_url", own(&sso.start_url)),
                ("sso_region", own(&sso.region)),
                ("sso_account_id", own(&sso.account_id)),
                ("sso_role_name", own(&sso.role_name)),
            ]),
        ),
        Step::Login { session } => ("LoginSession", members(&[("login_session", own(session))])),
        Step::Process { command, account_id } => (
            "CredentialProcess",
            members(&[("command", own(command)), ("account_id", account_id.clone())]),
        ),
        Step::Role(role) => (
            "AssumeRole",
            members(&[
                ("role_arn", own(&role.role_arn)),
                ("role_session_name", role.session_name.clone()),
                ("external_id", role.external_id.clone()),
                ("mfa_serial", role.mfa_serial.clone()),
                ("duration_seconds", role.duration_seconds.map(|it| it.to_string())),
            ]),
        ),
    };
    json!({ name: said })
}
