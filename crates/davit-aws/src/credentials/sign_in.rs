//! Signing in to IAM Identity Center and out of it: a code that the user confirms in a browser, and the token that
//! comes of it, kept where the AWS CLI keeps it. Shows nothing itself.

use std::{fs, io, path::PathBuf, time::Duration};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value as Json, json};

use super::{
    cache,
    chain::{Chain, Setup},
    error::Problem,
    io::{Call, CallError},
    profile::{SsoProfile, sso_to_sign_in},
};
use crate::value::{Map, Value};

/// What the user has to do: look at a page and confirm a code there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirm {
    /// The page.
    pub url: String,
    /// The code that it asks for.
    pub code: String,
    /// The same page with the code in its address.
    pub url_with_code: String,
}

/// A sign-in that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedIn {
    /// Where: `https://my-company.awsapps.com/start`.
    pub start_url: String,
    /// When the token ends.
    pub expires: Timestamp,
}

/// Where to sign in, where no file says so yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Portal {
    /// The session, by whose name the token is kept; without one it is of the old kind, and kept by the page.
    pub session: Option<String>,
    /// `sso_start_url`.
    pub start_url: String,
    /// `sso_region`.
    pub region: String,
    /// `sso_registration_scopes`: what is asked for, with commas between.
    pub scopes: Option<String>,
}

impl Portal {
    fn profile(&self) -> SsoProfile {
        SsoProfile {
            profile: String::new(),
            session: self.session.clone(),
            start_url: self.start_url.clone(),
            region: self.region.clone(),
            account_id: String::new(),
            role_name: String::new(),
        }
    }
}

/// What is asked for where a session does not say.
const SCOPES: &str = "sso:account:access";

/// How the grant by a code on another device is called: RFC 8628.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

impl Chain {
    /// Signs in to a session of the configuration file, or to that of the profile, and keeps the token. `show` is
    /// called once, with what the user has to do; then it is waited for that.
    ///
    /// # Errors
    ///
    /// When there is no such session, the service refuses, nobody confirms the code in time, or the token cannot be kept.
    pub async fn sign_in(
        &self,
        session: Option<&str>,
        show: &mut (dyn FnMut(&Confirm) + Send),
    ) -> Result<SignedIn, Problem> {
        let setup = self.setup();
        let sso = sso_to_sign_in(&setup.profiles, &setup.settings.profile, session)?;
        let section = sso.session.as_ref().and_then(|it| setup.profiles.sso_session(it));
        let scopes = section.and_then(|it| it.get("sso_registration_scopes"));
        self.signed_in(&sso, scopes, show).await
    }

    /// The same where no file says where yet.
    ///
    /// # Errors
    ///
    /// As for [`Self::sign_in`], but that there is no such session.
    pub async fn sign_in_at(
        &self,
        portal: &Portal,
        show: &mut (dyn FnMut(&Confirm) + Send),
    ) -> Result<SignedIn, Problem> {
        self.signed_in(&portal.profile(), portal.scopes.as_deref(), show).await
    }

    /// The token that is kept of signing in there, renewed where it ends soon.
    ///
    /// # Errors
    ///
    /// When there is none, it has ended, or it cannot be read.
    pub async fn kept_token(&self, portal: &Portal) -> Result<String, Problem> {
        super::sso::token(self.setup(), &portal.profile()).await
    }

    async fn signed_in(
        &self,
        sso: &SsoProfile,
        scopes: Option<&str>,
        show: &mut (dyn FnMut(&Confirm) + Send),
    ) -> Result<SignedIn, Problem> {
        let setup = self.setup();
        let client = register(setup, sso, scopes).await?;
        let device = ask(setup, sso, &client, show).await?;
        let token = wait(setup, sso, &client, &device).await?;
        let signed_in = keep(setup, sso, &client, &token)?;
        self.forget();
        Ok(signed_in)
    }

    /// Ends all sessions that are kept, at the service too where it answers, and forgets what was got by them. How
    /// many there were.
    ///
    /// # Errors
    ///
    /// When a file that holds a token cannot be removed.
    pub async fn sign_out(&self) -> Result<usize, Problem> {
        let setup = self.setup();
        let Some(home) = &setup.surroundings.home else { return Ok(0) };
        let mut ended = 0;
        for path in files(home.join(".aws/sso/cache")) {
            let Ok(Some(kept)) = cache::read(&path) else { continue };
            let text = |name: &str| kept.get(name).and_then(Json::as_str);
            let Some(token) = text("accessToken") else { continue };
            if let Some(region) = text("region") {
                let parameters = Map::from_iter([("accessToken".to_owned(), token.into())]);
                // What cannot be ended there ends by itself.
                let _ = setup.calls.call(unsigned("sso", "Logout", parameters, region)).await;
            }
            remove(path)?;
            ended += 1;
        }
        for path in files(home.join(".aws/cli/cache")) {
            let Ok(Some(kept)) = cache::read(&path) else { continue };
            if kept.get("ProviderType").and_then(Json::as_str) == Some("sso") {
                remove(path)?;
            }
        }
        self.forget();
        Ok(ended)
    }
}

/// The files of JSON in a folder; none where it is not there.
fn files(folder: PathBuf) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|it| it.path()).filter(|it| it.extension().is_some_and(|it| it == "json"))
}

fn remove(path: PathBuf) -> Result<(), Problem> {
    match fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(Problem::File { path, reason: error.to_string() })
        }
        _ => Ok(()),
    }
}

fn unsigned<'a>(
    service: &'static str,
    operation: &'static str,
    parameters: Map,
    region: &str,
) -> Call<'a> {
    let region = Some(region.to_owned());
    Call { service, operation, parameters, credentials: None, region, sign_address: None }
}

async fn oidc(
    setup: &Setup,
    sso: &SsoProfile,
    operation: &'static str,
    parameters: Map,
) -> Result<Map, CallError> {
    setup.calls.call(unsigned("sso-oidc", operation, parameters, &sso.region)).await
}

fn text(answer: &Map, operation: &'static str, name: &str) -> Result<String, Problem> {
    let text = answer.get(name).and_then(Value::as_str).map(str::to_owned);
    text.ok_or_else(|| Problem::answer(operation, format!("the answer has no {name}")))
}

fn number(answer: &Map, name: &str) -> Option<u64> {
    answer.get(name).and_then(Value::as_int).and_then(|it| u64::try_from(it).ok())
}

/// This program, as the service knows it for a while.
struct Client {
    id: String,
    secret: String,
    expires: Timestamp,
}

async fn register(
    setup: &Setup,
    sso: &SsoProfile,
    scopes: Option<&str>,
) -> Result<Client, Problem> {
    let operation = "RegisterClient";
    let now = setup.surroundings.now();
    let mut parameters = Map::from_iter([
        ("clientName".to_owned(), format!("davit-{}", now.as_second()).into()),
        ("clientType".to_owned(), "public".into()),
    ]);
    // A token of the old kind is for accounts and nothing else.
    if sso.session.is_some() {
        let scopes = scopes.unwrap_or(SCOPES).split(',').map(str::trim).filter(|it| !it.is_empty());
        parameters.insert("scopes".to_owned(), Value::List(scopes.map(Value::from).collect()));
    }
    let failed = |error| Problem::Call { operation, error: Box::new(error) };
    let answer = oidc(setup, sso, operation, parameters).await.map_err(failed)?;
    let expires = answer.get("clientSecretExpiresAt").and_then(Value::as_int).unwrap_or(0);
    Ok(Client {
        id: text(&answer, operation, "clientId")?,
        secret: text(&answer, operation, "clientSecret")?,
        expires: Timestamp::from_second(expires).unwrap_or(now),
    })
}

/// A code that was asked for, and how long it is good.
struct Device {
    code: String,
    interval: Duration,
    limit: Duration,
}

async fn ask(
    setup: &Setup,
    sso: &SsoProfile,
    client: &Client,
    show: &mut (dyn FnMut(&Confirm) + Send),
) -> Result<Device, Problem> {
    let operation = "StartDeviceAuthorization";
    let parameters = Map::from_iter([
        ("clientId".to_owned(), client.id.as_str().into()),
        ("clientSecret".to_owned(), client.secret.as_str().into()),
        ("startUrl".to_owned(), sso.start_url.as_str().into()),
    ]);
    let failed = |error| Problem::Call { operation, error: Box::new(error) };
    let answer = oidc(setup, sso, operation, parameters).await.map_err(failed)?;
    let url = text(&answer, operation, "verificationUri")?;
    let url_with_code =
        text(&answer, operation, "verificationUriComplete").unwrap_or_else(|_| url.clone());
    show(&Confirm { url, code: text(&answer, operation, "userCode")?, url_with_code });
    Ok(Device {
        code: text(&answer, operation, "deviceCode")?,
        interval: Duration::from_secs(number(&answer, "interval").unwrap_or(5).clamp(1, 60)),
        limit: Duration::from_secs(number(&answer, "expiresIn").unwrap_or(600).clamp(1, 3600)),
    })
}

/// Asks for the token again and again until the user has confirmed.
async fn wait(
    setup: &Setup,
    sso: &SsoProfile,
    client: &Client,
    device: &Device,
) -> Result<Map, Problem> {
    let operation = "CreateToken";
    let began = std::time::Instant::now();
    let mut interval = device.interval;
    let late = || Problem::answer(operation, "nobody confirmed the code in time");
    while began.elapsed() < device.limit {
        let parameters = Map::from_iter([
            ("grantType".to_owned(), GRANT.into()),
            ("clientId".to_owned(), client.id.as_str().into()),
            ("clientSecret".to_owned(), client.secret.as_str().into()),
            ("deviceCode".to_owned(), device.code.as_str().into()),
        ]);
        match oidc(setup, sso, operation, parameters).await {
            Ok(token) => return Ok(token),
            Err(error) => match error.code.as_deref() {
                Some("AuthorizationPendingException") => {}
                Some("SlowDownException") => interval += Duration::from_secs(5),
                Some("ExpiredTokenException") => return Err(late()),
                _ => return Err(Problem::Call { operation, error: Box::new(error) }),
            },
        }
        tokio::time::sleep(interval).await;
    }
    Err(late())
}

fn keep(
    setup: &Setup,
    sso: &SsoProfile,
    client: &Client,
    token: &Map,
) -> Result<SignedIn, Problem> {
    let now = setup.surroundings.now();
    let seconds = number(token, "expiresIn").unwrap_or_default();
    let ahead = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(0));
    let expires = now.checked_add(ahead).unwrap_or(now);
    // Whole seconds: the AWS CLI writes them so.
    let whole = |it: Timestamp| Timestamp::from_second(it.as_second()).unwrap_or(it);
    let mut kept = json!({
        "startUrl": sso.start_url,
        "region": sso.region,
        "accessToken": text(token, "CreateToken", "accessToken")?,
        "expiresAt": crate::time::iso8601(whole(expires)),
    });
    if sso.session.is_some() {
        kept["clientId"] = client.id.as_str().into();
        kept["clientSecret"] = client.secret.as_str().into();
        kept["registrationExpiresAt"] = crate::time::iso8601(whole(client.expires)).into();
        if let Ok(refresh) = text(token, "CreateToken", "refreshToken") {
            kept["refreshToken"] = refresh.into();
        }
    }
    let no_home = || Problem::Profile {
        profile: sso.profile.clone(),
        reason: "there is no home folder to keep its token in".to_owned(),
    };
    let path = super::sso::token_file(setup, sso).ok_or_else(no_home)?;
    cache::write(&path, &kept)?;
    Ok(SignedIn { start_url: sso.start_url.clone(), expires: whole(expires) })
}
