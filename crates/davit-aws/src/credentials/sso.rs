//! Roles of IAM Identity Center: the token of `aws sso login`, refreshed where that can be, and the
//! credentials that it gets.

use std::path::PathBuf;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value as Json;

use super::{Credentials, cache, chain::Setup, error::Problem, io::Call, profile::SsoProfile};
use crate::value::{Map, Value};

/// A token with less time than this left is refreshed.
const REFRESH_SECONDS: i64 = 15 * 60;

/// The credentials of a role.
pub(super) async fn fetch(setup: &Setup, sso: &SsoProfile) -> Result<Credentials, Problem> {
    let source = format!("SSO role {} of account {}", sso.role_name, sso.account_id);
    let key = key(sso);
    if let Some(kept) = cache::kept(&setup.surroundings, &key, &source) {
        return Ok(kept);
    }
    let token = token(setup, sso).await?;
    let parameters = Map::from_iter([
        ("roleName".to_owned(), sso.role_name.as_str().into()),
        ("accountId".to_owned(), sso.account_id.as_str().into()),
        ("accessToken".to_owned(), token.into()),
    ]);
    let operation = "GetRoleCredentials";
    let answer = setup.calls.call(unsigned("sso", operation, parameters, sso)).await;
    let answer = Value::Map(answer.map_err(|error| match error.code.as_deref() {
        Some("UnauthorizedException") => signed_out(sso, "has expired or was ended"),
        _ => Problem::Call { operation, error: Box::new(error) },
    })?);
    let part = |name: &str| answer.at(&["roleCredentials", name]);
    let text = |name: &str| {
        let text = part(name).and_then(Value::as_str).map(str::to_owned);
        text.ok_or_else(|| Problem::answer(operation, format!("the answer has no {name}")))
    };
    let expires = part("expiration").and_then(Value::as_int);
    let credentials = Credentials {
        access_key_id: text("accessKeyId")?,
        secret_access_key: text("secretAccessKey")?,
        session_token: Some(text("sessionToken")?),
        expires: expires.and_then(|it| Timestamp::from_second(it.div_euclid(1000)).ok()),
        account_id: Some(sso.account_id.clone()),
        source,
    };
    let more = serde_json::json!({ "ProviderType": "sso" });
    cache::keep(&setup.surroundings, &key, &credentials, more);
    Ok(credentials)
}

fn key(sso: &SsoProfile) -> String {
    let mut members = [
        ("roleName", Json::from(sso.role_name.as_str())),
        ("accountId", Json::from(sso.account_id.as_str())),
        match &sso.session {
            Some(session) => ("sessionName", Json::from(session.as_str())),
            None => ("startUrl", Json::from(sso.start_url.as_str())),
        },
    ];
    cache::dumps(&mut members, ",", ":")
}

fn unsigned<'a>(
    service: &'static str,
    operation: &'static str,
    parameters: Map,
    sso: &SsoProfile,
) -> Call<'a> {
    let region = Some(sso.region.clone());
    Call { service, operation, parameters, credentials: None, region, sign_address: None }
}

fn signed_out(sso: &SsoProfile, reason: &'static str) -> Problem {
    let (session, command) = match &sso.session {
        Some(session) => (session, format!("aws sso login --sso-session {session}")),
        None => (&sso.profile, format!("aws sso login --profile {}", sso.profile)),
    };
    Problem::SignIn { session: session.clone(), reason, command }
}

/// Where the token of a session is kept; nothing without a home folder.
pub(super) fn token_file(setup: &Setup, sso: &SsoProfile) -> Option<PathBuf> {
    let name = cache::sha1(sso.session.as_ref().unwrap_or(&sso.start_url));
    let home = setup.surroundings.home.as_ref()?;
    Some(home.join(".aws/sso/cache").join(format!("{name}.json")))
}

/// The token of a session, refreshed if it ends soon.
pub(super) async fn token(setup: &Setup, sso: &SsoProfile) -> Result<String, Problem> {
    let path = token_file(setup, sso);
    let kept = path.as_deref().map(cache::read).transpose()?.flatten();
    let mut kept = kept.ok_or_else(|| signed_out(sso, "was never begun"))?;
    let mut current = Token::of(&kept).ok_or_else(|| signed_out(sso, "cannot be read"))?;
    let now = setup.surroundings.now();
    if sso.session.is_some()
        && cache::left(current.expires, now) < REFRESH_SECONDS
        && let Some(fresh) = refresh(setup, sso, &kept).await
    {
        store(&mut kept, &fresh, sso, now);
        cache::write(&path.unwrap_or_default(), &kept)?;
        current = Token::of(&kept).ok_or_else(|| signed_out(sso, "cannot be read"))?;
    }
    if current.expires <= now {
        return Err(signed_out(sso, "has expired"));
    }
    Ok(current.text)
}

struct Token {
    text: String,
    expires: Timestamp,
}

impl Token {
    fn of(kept: &Json) -> Option<Self> {
        let text = kept.get("accessToken")?.as_str()?.to_owned();
        let expires = cache::time(kept.get("expiresAt")?.as_str()?)?;
        Some(Self { text, expires })
    }
}

/// A new token; nothing if it cannot be had. The old one may still do.
async fn refresh(setup: &Setup, sso: &SsoProfile, kept: &Json) -> Option<Map> {
    let text = |name: &str| kept.get(name).and_then(Json::as_str);
    if cache::time(text("registrationExpiresAt")?)? <= setup.surroundings.now() {
        return None;
    }
    let parameters = Map::from_iter([
        ("grantType".to_owned(), "refresh_token".into()),
        ("clientId".to_owned(), text("clientId")?.into()),
        ("clientSecret".to_owned(), text("clientSecret")?.into()),
        ("refreshToken".to_owned(), text("refreshToken")?.into()),
    ]);
    setup.calls.call(unsigned("sso-oidc", "CreateToken", parameters, sso)).await.ok()
}

fn store(kept: &mut Json, fresh: &Map, sso: &SsoProfile, now: Timestamp) {
    let text = |name: &str| fresh.get(name).and_then(Value::as_str);
    let seconds = fresh.get("expiresIn").and_then(Value::as_int).unwrap_or_default();
    let expires = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(now);
    let Some(token) = text("accessToken") else { return };
    kept["startUrl"] = sso.start_url.as_str().into();
    kept["region"] = sso.region.as_str().into();
    kept["accessToken"] = token.into();
    // Whole seconds: the AWS CLI writes them so.
    let whole = Timestamp::from_second(expires.as_second()).unwrap_or(expires);
    kept["expiresAt"] = crate::time::iso8601(whole).into();
    match text("refreshToken") {
        Some(token) => kept["refreshToken"] = token.into(),
        None => {
            kept.as_object_mut().map(|it| it.remove("refreshToken"));
        }
    }
}
