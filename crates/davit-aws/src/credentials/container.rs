//! Credentials of containers: the address that ECS and EKS put into variables.

use std::{net::IpAddr, time::Duration};

use super::{Credentials, chain::Setup, error::Problem, instance};
use crate::{config::Environment, http::Request};

const RELATIVE: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
const FULL: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";

/// Where ECS answers.
const ECS: &str = "169.254.170.2";
/// Who may be sent a token without TLS, besides the machine itself.
const HOSTS: [&str; 4] = [ECS, "169.254.170.23", "fd00:ec2::23", "localhost"];
const TIMEOUT: Duration = Duration::from_secs(2);
const ATTEMPTS: u32 = 3;

/// The credentials; nothing if no variable gives an address.
pub(super) async fn fetch(setup: &Setup) -> Result<Option<Credentials>, Problem> {
    let environment = &setup.surroundings.environment;
    let Some(mut request) = request(environment)? else { return Ok(None) };
    request.headers.set("Accept", "application/json");
    if let Some(token) = token(setup)? {
        request.headers.set("Authorization", token);
    }
    let url = request.url();
    let mut attempt = 1;
    loop {
        let answer = setup.http.send(request.clone(), TIMEOUT).await;
        let problem = match answer {
            Ok(answer) if answer.status == 200 => match instance::read(&answer.body, "container") {
                Ok(credentials) => return Ok(Some(credentials)),
                Err(reason) => Problem::answer(&url, reason),
            },
            Ok(answer) => Problem::answer(&url, format!("answered with {}", answer.status)),
            Err(error) => Problem::Transport { address: url.clone(), error },
        };
        if attempt == ATTEMPTS {
            return Err(problem);
        }
        attempt += 1;
        tokio::time::sleep(setup.surroundings.pause).await;
    }
}

fn request(environment: &Environment) -> Result<Option<Request>, Problem> {
    let wrong = |name, reason: &str| Problem::Variable { name, reason: reason.to_owned() };
    if let Some(relative) = environment.get(RELATIVE) {
        let request = Request::of_url("GET", &format!("http://{ECS}{relative}"));
        let request = request.filter(|it| it.host == ECS);
        return request.map(Some).ok_or_else(|| wrong(RELATIVE, "must be a path such as `/v2/x`"));
    }
    let Some(full) = environment.get(FULL) else { return Ok(None) };
    let request =
        Request::of_url("GET", full).ok_or_else(|| wrong(FULL, "must be an address of HTTP"))?;
    if request.scheme == "https" || is_near(&request.host) {
        return Ok(Some(request));
    }
    let reason = format!(
        "has the host `{}`: without TLS only this machine and {} are asked",
        request.host,
        HOSTS.join(", ")
    );
    Err(wrong(FULL, &reason))
}

fn is_near(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    HOSTS.contains(&name) || name.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
}

/// The token is read again each time: its file changes.
fn token(setup: &Setup) -> Result<Option<String>, Problem> {
    let environment = &setup.surroundings.environment;
    let (name, token) = match (environment.get(TOKEN_FILE), environment.get(TOKEN)) {
        (Some(file), _) => {
            let path = environment.path(file, setup.surroundings.home.as_deref());
            let token = std::fs::read_to_string(&path)
                .map_err(|error| Problem::File { path, reason: error.to_string() })?;
            (TOKEN_FILE, token)
        }
        (None, Some(token)) => (TOKEN, token.to_owned()),
        (None, None) => return Ok(None),
    };
    if token.contains(['\r', '\n']) {
        let reason = "gives a token with a line break, which no header can have".to_owned();
        return Err(Problem::Variable { name, reason });
    }
    Ok(Some(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_near_hosts_are_asked_without_tls() {
        for (url, allowed) in [
            ("http://localhost:8080/x", true),
            ("http://127.0.0.2/x", true),
            ("http://[::1]:80/x", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://169.254.170.24/", false),
            ("http://example.com/", false),
            ("http://localhost.example.com/", false),
            ("https://example.com/", true),
            ("ftp://localhost/", false),
            ("localhost", false),
        ] {
            let environment = [(FULL, url)].into_iter().collect();
            assert_eq!(request(&environment).is_ok(), allowed, "{url}");
        }
        let environment = [(RELATIVE, "@example.com/")].into_iter().collect();
        assert!(request(&environment).is_err());
    }
}
