//! Credentials of instances: the metadata service of EC2.

use std::sync::Mutex;

use serde_json::Value as Json;

use super::{Credentials, cache, chain::Setup, error::Problem, io::TransportError};
use crate::http::{Request, Response};

/// Seconds that a token is good for.
const TOKEN_SECONDS: &str = "21600";
/// How often a service is asked that has trouble.
const TRIES_IN_TROUBLE: u32 = 3;
const EXTENDED: &str = "/latest/meta-data/iam/security-credentials-extended/";
const LEGACY: &str = "/latest/meta-data/iam/security-credentials/";

/// What was learnt of the service.
#[derive(Debug, Default)]
pub(super) struct Known {
    state: Mutex<State>,
}

#[derive(Debug, Default, Clone)]
struct State {
    api: Api,
    profile: Option<String>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Api {
    #[default]
    Unknown,
    /// Paths that give the account besides.
    Extended,
    Legacy,
}

/// Credentials, or why there are none.
pub(super) async fn fetch(
    setup: &Setup,
    known: &Known,
) -> Result<Result<Credentials, String>, Problem> {
    let metadata = &setup.settings.metadata;
    if metadata.disabled {
        return Ok(Err("AWS_EC2_METADATA_DISABLED is set".to_owned()));
    }
    let token = match token(setup).await {
        Ok(token) => token,
        Err(reason) => return Ok(Err(reason)),
    };
    if token.is_none() && metadata.v1_disabled {
        return Ok(Err(format!(
            "{} gave no token, and asking without one is turned off",
            metadata.endpoint
        )));
    }
    let mut state = known.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let found = search(setup, token.as_deref(), &mut state).await;
    *known.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = state;
    found
}

async fn search(
    setup: &Setup,
    token: Option<&str>,
    state: &mut State,
) -> Result<Result<Credentials, String>, Problem> {
    let given = setup.settings.metadata.instance_profile.as_deref();
    // Each round finds out one more thing: which paths there are, which profile there is now.
    for _ in 0..4 {
        let paths = if state.api == Api::Legacy { LEGACY } else { EXTENDED };
        let profile = match given.map(str::to_owned).or_else(|| state.profile.clone()) {
            Some(profile) => profile,
            None => match get(setup, paths, token).await {
                Err(reason) => return Ok(Err(reason)),
                Ok(answer) if answer.status == 404 && state.api != Api::Legacy => {
                    state.api = Api::Legacy;
                    continue;
                }
                Ok(answer) => {
                    let name = String::from_utf8_lossy(&answer.body);
                    let name = name.lines().next().unwrap_or_default().trim();
                    let fits = |it: char| it.is_ascii_graphic() && !"/?#".contains(it);
                    if answer.status != 200 || name.is_empty() || !name.chars().all(fits) {
                        return Ok(Err("the instance has no role".to_owned()));
                    }
                    state.profile = Some(name.to_owned());
                    name.to_owned()
                }
            },
        };
        let answer = match get(setup, &format!("{paths}{profile}"), token).await {
            Ok(answer) => answer,
            Err(reason) => return Ok(Err(reason)),
        };
        match answer.status {
            200 => {
                if state.api == Api::Unknown {
                    state.api = Api::Extended;
                }
                let read = read(&answer.body, "instance metadata");
                return Ok(read.map(|it| extended(setup, it)));
            }
            404 if state.api == Api::Unknown => state.api = Api::Legacy,
            404 if given.is_some() => {
                let reason = format!("there is no instance profile `{profile}`");
                return Err(Problem::answer(&setup.settings.metadata.endpoint, reason));
            }
            404 if state.profile.is_some() => state.profile = None,
            status => return Ok(Err(format!("the role `{profile}` was answered with {status}"))),
        }
    }
    Ok(Err("the instance's role changes all the time".to_owned()))
}

/// How often a request is sent: as often as the settings say, and a few times more where the service
/// is there but has trouble.
struct Tries<'a> {
    setup: &'a Setup,
    sent: u32,
    trouble: bool,
}

impl<'a> Tries<'a> {
    const fn of(setup: &'a Setup) -> Self {
        Self { setup, sent: 0, trouble: false }
    }

    /// Whether it may be sent now; waits before it is sent to a service that has trouble.
    async fn again(&self) -> bool {
        let most = self.setup.settings.metadata.attempts;
        if self.trouble && self.sent < most.max(TRIES_IN_TROUBLE) {
            tokio::time::sleep(self.setup.surroundings.pause).await;
            return true;
        }
        self.sent < most
    }

    async fn send(&mut self, request: Request) -> Result<Response, TransportError> {
        self.sent += 1;
        let answer = self.setup.http.send(request, self.setup.settings.metadata.timeout).await;
        self.trouble = answer.as_ref().is_ok_and(|it| it.status >= 500);
        answer
    }
}

/// A token; nothing where the service has none to give, which is the old form of it.
async fn token(setup: &Setup) -> Result<Option<String>, String> {
    let metadata = &setup.settings.metadata;
    let mut request = request(setup, "PUT", "/latest/api/token");
    request.headers.set("x-aws-ec2-metadata-token-ttl-seconds", TOKEN_SECONDS);
    let mut tries = Tries::of(setup);
    while tries.again().await {
        match tries.send(request.clone()).await {
            Ok(answer) if answer.status == 200 => {
                let token = String::from_utf8_lossy(&answer.body).trim().to_owned();
                return Ok(Some(token).filter(|it| it.bytes().all(|it| it.is_ascii_graphic())));
            }
            Ok(answer) if matches!(answer.status, 403..=405) => return Ok(None),
            Ok(answer) if answer.status == 400 => {
                return Err(format!("{} finds the request wrong", metadata.endpoint));
            }
            // A hop limit that is too small swallows the answer; the old form gets through.
            Err(error) if error.timed_out => return Ok(None),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(None)
}

async fn get(setup: &Setup, path: &str, token: Option<&str>) -> Result<Response, String> {
    let metadata = &setup.settings.metadata;
    let mut request = request(setup, "GET", path);
    if let Some(token) = token {
        request.headers.set("x-aws-ec2-metadata-token", token);
    }
    let mut why = String::new();
    let mut tries = Tries::of(setup);
    while tries.again().await {
        match tries.send(request.clone()).await {
            Ok(answer)
                if answer.status == 404 || answer.status == 200 && !answer.body.is_empty() =>
            {
                return Ok(answer);
            }
            Ok(answer) => why = format!("{} answers with {}", metadata.endpoint, answer.status),
            Err(error) => why = format!("{} does not answer: {error}", metadata.endpoint),
        }
    }
    Err(why)
}

fn request(setup: &Setup, method: &str, path: &str) -> Request {
    let endpoint = &setup.settings.metadata.endpoint;
    Request::of_url(method, &format!("{endpoint}{path}")).unwrap_or_default()
}

/// Where the service gives what has ended, or ends soon, it has a problem of its own: what it gave is
/// used on, and asked for again after a while that is not the same for all instances.
fn extended(setup: &Setup, credentials: Credentials) -> Credentials {
    let now = setup.surroundings.now();
    let later = extension(now);
    let soon = credentials.expires.is_some_and(|it| {
        it.as_second().saturating_sub(later.as_second() - now.as_second()) <= now.as_second()
    });
    if soon { Credentials { expires: Some(later), ..credentials } } else { credentials }
}

/// Fifteen minutes and two to ten more.
pub(super) fn extension(now: jiff::Timestamp) -> jiff::Timestamp {
    let mut random = [0; 2];
    // Without random bytes they are just the same for all.
    let _ = getrandom::fill(&mut random);
    let seconds = 15 * 60 + 120 + i64::from(u16::from_le_bytes(random) % 481);
    now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now)
}

/// What both metadata services answer.
pub(super) fn read(body: &[u8], source: &str) -> Result<Credentials, String> {
    let answer: Json =
        serde_json::from_slice(body).map_err(|_| "the answer is no JSON".to_owned())?;
    let text = |name: &str| answer.get(name).and_then(Json::as_str).map(str::to_owned);
    let needed = |name: &str| match (text(name), text("Code"), text("Message")) {
        (Some(text), ..) => Ok(text),
        (None, Some(code), Some(message)) => Err(format!("{code}: {message}")),
        _ => Err(format!("the answer has no `{name}`")),
    };
    let expires = needed("Expiration")?;
    Ok(Credentials {
        access_key_id: needed("AccessKeyId")?,
        secret_access_key: needed("SecretAccessKey")?,
        session_token: Some(needed("Token")?),
        expires: Some(cache::time(&expires).ok_or("the answer's `Expiration` is no time")?),
        account_id: text("AccountId"),
        source: source.to_owned(),
    })
}
