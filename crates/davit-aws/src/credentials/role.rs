//! Roles that are assumed: with other credentials, or with a token in a file.

use serde_json::Value as Json;

use super::{Credentials, cache, chain::Setup, error::Problem, io::Call, profile::Role};
use crate::value::{Map, Value};

/// What the AWS CLI's file of a role is named after. The session's name counts only if it was given.
fn key(role: &Role) -> String {
    let optional = |name: &'static str, value: &Option<String>| {
        value.as_ref().map(|it| (name, Json::from(it.as_str())))
    };
    let mut members = vec![("RoleArn", Json::from(role.role_arn.as_str()))];
    members.extend(optional("RoleSessionName", &role.session_name));
    members.extend(optional("ExternalId", &role.external_id));
    members.extend(optional("SerialNumber", &role.mfa_serial));
    members.extend(role.duration_seconds.map(|it| ("DurationSeconds", Json::from(it))));
    cache::dumps(&mut members, ", ", ": ")
}

/// The credentials that an earlier run left, if they are good for a while.
pub(super) fn kept(setup: &Setup, role: &Role) -> Option<Credentials> {
    cache::kept(&setup.surroundings, &key(role), &format!("role {}", role.role_arn))
}

/// Assumes a role with other credentials.
pub(super) async fn assume(
    setup: &Setup,
    role: &Role,
    with: &Credentials,
) -> Result<Credentials, Problem> {
    let mut parameters = parameters(setup, role);
    let optional = [("ExternalId", &role.external_id), ("SerialNumber", &role.mfa_serial)];
    for (name, value) in optional {
        if let Some(value) = value {
            parameters.insert(name.to_owned(), value.as_str().into());
        }
    }
    if let Some(seconds) = role.duration_seconds {
        parameters.insert("DurationSeconds".to_owned(), seconds.into());
    }
    if let Some(serial) = &role.mfa_serial {
        let code = match &setup.mfa {
            Some(mfa) => mfa.code(serial).await,
            None => None,
        };
        let code = code.ok_or_else(|| Problem::NoCode { serial: serial.clone() })?;
        parameters.insert("TokenCode".to_owned(), code.into());
    }
    call(setup, "AssumeRole", parameters, Some(with), role).await
}

/// Assumes a role with a token in a file.
pub(super) async fn with_token(
    setup: &Setup,
    role_arn: &str,
    token_file: &str,
    session_name: Option<&str>,
) -> Result<Credentials, Problem> {
    let role = Role {
        role_arn: role_arn.to_owned(),
        session_name: session_name.map(str::to_owned),
        ..Role::default()
    };
    if let Some(kept) = kept(setup, &role) {
        return Ok(kept);
    }
    let path = setup.surroundings.environment.path(token_file, setup.surroundings.home.as_deref());
    let token = std::fs::read_to_string(&path).map_err(|error| Problem::File {
        path: path.clone(),
        reason: format!("the token cannot be read: {error}"),
    })?;
    let mut parameters = parameters(setup, &role);
    parameters.insert("WebIdentityToken".to_owned(), token.into());
    call(setup, "AssumeRoleWithWebIdentity", parameters, None, &role).await
}

fn parameters(setup: &Setup, role: &Role) -> Map {
    let session_name = role.session_name.clone();
    let session_name = session_name
        .unwrap_or_else(|| format!("davit-session-{}", setup.surroundings.now().as_second()));
    Map::from_iter([
        ("RoleArn".to_owned(), role.role_arn.as_str().into()),
        ("RoleSessionName".to_owned(), session_name.into()),
    ])
}

async fn call(
    setup: &Setup,
    operation: &'static str,
    parameters: Map,
    with: Option<&Credentials>,
    role: &Role,
) -> Result<Credentials, Problem> {
    let call = Call {
        service: "sts",
        operation,
        parameters,
        credentials: with,
        region: None,
        sign_address: None,
    };
    let answer = setup.calls.call(call).await;
    let answer =
        Value::Map(answer.map_err(|error| Problem::Call { operation, error: Box::new(error) })?);
    let text = |path: &[&str]| answer.at(path).and_then(Value::as_str).map(str::to_owned);
    let needed = |name: &str| {
        text(&["Credentials", name])
            .ok_or_else(|| Problem::answer(operation, format!("the answer has no {name}")))
    };
    let expires = match answer.at(&["Credentials", "Expiration"]) {
        Some(Value::Timestamp(at)) => Some(*at),
        Some(Value::String(text)) => cache::time(text),
        _ => None,
    };
    let assumed = text(&["AssumedRoleUser", "Arn"]);
    // arn:aws:sts::123456789012:assumed-role/...
    let account_id = assumed.as_deref().and_then(|it| it.split(':').nth(4));
    let credentials = Credentials {
        access_key_id: needed("AccessKeyId")?,
        secret_access_key: needed("SecretAccessKey")?,
        session_token: Some(needed("SessionToken")?),
        expires,
        account_id: account_id.filter(|it| !it.is_empty()).map(str::to_owned),
        source: format!("role {}", role.role_arn),
    };
    let more = answer
        .get("AssumedRoleUser")
        .map(|it| serde_json::json!({ "AssumedRoleUser": it.to_json() }));
    let more = more.unwrap_or_else(|| serde_json::json!({}));
    cache::keep(&setup.surroundings, &key(role), &credentials, more);
    Ok(credentials)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_roles_are_named_as_those_of_the_cli() {
        let mut role =
            Role { role_arn: "arn:aws:iam::123456789012:role/a".to_owned(), ..Role::default() };
        assert_eq!(key(&role), r#"{"RoleArn": "arn:aws:iam::123456789012:role/a"}"#);
        role.duration_seconds = Some(900);
        role.external_id = Some("x".to_owned());
        assert_eq!(
            key(&role),
            r#"{"DurationSeconds": 900, "ExternalId": "x", "RoleArn": "arn:aws:iam::123456789012:role/a"}"#
        );
    }
}
