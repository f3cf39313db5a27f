//! All places one after the other, and what was found kept until it ends.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp;

use super::{
    Credentials, cache, container,
    error::{CredentialsError, Problem},
    instance,
    io::{Calls, Http, Mfa, Surroundings},
    login,
    place::Place,
    process,
    profile::{self, Source, Step},
    role, sso,
};
use crate::config::{FileKind, Profiles, Settings};

/// With less time than this left one caller refreshes, while the others go on with what there is.
const ADVISORY_SECONDS: i64 = 15 * 60;
/// With less time than this left all callers wait for the one that refreshes.
const MANDATORY_SECONDS: i64 = 10 * 60;
/// What is good still is not refreshed more often than this.
const PAUSE_SECONDS: i64 = 60;

/// What a chain works with.
#[derive(Clone)]
pub struct Setup {
    /// Where the program runs.
    pub surroundings: Surroundings,
    /// The profiles of both files.
    pub profiles: Arc<Profiles>,
    /// The settings.
    pub settings: Arc<Settings>,
    /// Credentials that the program gave.
    pub explicit: Option<Credentials>,
    /// Sends requests to metadata services.
    pub http: Arc<dyn Http>,
    /// Calls STS, SSO and Sign-In.
    pub calls: Arc<dyn Calls>,
    /// Asks for codes of second factors.
    pub mfa: Option<Arc<dyn Mfa>>,
}

impl fmt::Debug for Setup {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("Setup")
            .field("surroundings", &self.surroundings)
            .field("profile", &self.settings.profile)
            .finish_non_exhaustive()
    }
}

/// A place that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The place.
    pub place: Place,
    /// What came of it, in words: why it gave nothing, or `found`.
    pub result: String,
}

/// Finds credentials and keeps them. It is looked where the AWS CLI looks, in its order; the first
/// place that has some is asked again when they end.
#[derive(Debug)]
pub struct Chain {
    setup: Setup,
    state: Mutex<State>,
    refreshing: tokio::sync::Mutex<()>,
    instance: instance::Known,
}

#[derive(Debug, Default)]
struct State {
    current: Option<Arc<Credentials>>,
    place: Option<Place>,
    /// When what is good still was last refreshed, or could not be.
    refreshed: Option<Timestamp>,
    tried: Vec<Attempt>,
}

/// How much a refresh is needed.
#[derive(Debug, PartialEq, Eq)]
enum Need {
    No,
    Advisory,
    Mandatory,
}

/// What a place has.
enum Outcome {
    Found(Box<Credentials>),
    Nothing(String),
}

impl Chain {
    /// A chain that has looked at nothing yet.
    #[must_use]
    pub fn new(setup: Setup) -> Self {
        Self {
            setup,
            state: Mutex::default(),
            refreshing: tokio::sync::Mutex::new(()),
            instance: instance::Known::default(),
        }
    }

    /// Credentials that are good now. They are kept: only when they end soon, or there are none yet,
    /// a place is asked. Of many callers one asks, and the others wait or go on with what there is.
    ///
    /// # Errors
    ///
    /// When no place has any, or the first that should have some gives none.
    pub async fn credentials(&self) -> Result<Arc<Credentials>, CredentialsError> {
        let (current, need) = self.current();
        let _guard = match (current, need) {
            (Some(current), Need::No) => return Ok(current),
            (Some(current), Need::Advisory) => match self.refreshing.try_lock() {
                Ok(guard) => guard,
                Err(_) => return Ok(current),
            },
            _ => self.refreshing.lock().await,
        };
        // Somebody else may have done it meanwhile.
        let (current, need) = self.current();
        match current {
            Some(current) if need == Need::No => Ok(current),
            current => self.refresh(current).await,
        }
    }

    /// A token for services that take one instead of a signature: that of the variable
    /// `AWS_BEARER_TOKEN_NAME`, after the name that the service signs with, or that of the profile's
    /// `sso_session`. Nothing if there is neither.
    ///
    /// # Errors
    ///
    /// When the profile's session is not there, has ended or cannot be refreshed.
    pub async fn token(&self, signing_name: &str) -> Result<Option<String>, CredentialsError> {
        let setup = &self.setup;
        let variable = signing_name.replace(['-', ' '], "_").to_uppercase();
        let variable = format!("AWS_BEARER_TOKEN_{variable}");
        if let Some(token) = setup.surroundings.environment.get(&variable) {
            return Ok(Some(token.to_owned()));
        }
        let Some(profile) = setup.profiles.get(&setup.settings.profile) else { return Ok(None) };
        let token = async {
            match profile::sso_session(&setup.profiles, profile)? {
                Some(session) => sso::token(setup, &session).await.map(Some),
                None => Ok(None),
            }
        };
        let failed = |problem| CredentialsError::Failed { place: Place::Sso, problem };
        token.await.map_err(|problem: Problem| failed(Box::new(problem)))
    }

    /// What it works with.
    pub(super) const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Forgets what was found, as when a service says that it has ended: the next caller asks anew.
    pub fn forget(&self) {
        let mut state = self.state();
        state.current = None;
        state.refreshed = None;
    }

    /// The places that were looked at the last time that something was looked for.
    #[must_use]
    pub fn explain(&self) -> Vec<Attempt> {
        self.state().tried.clone()
    }

    /// The place that credentials come from, once they were found.
    #[must_use]
    pub fn place(&self) -> Option<Place> {
        self.state().place
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn current(&self) -> (Option<Arc<Credentials>>, Need) {
        let state = self.state();
        let Some(current) = state.current.clone() else { return (None, Need::Mandatory) };
        let now = self.setup.surroundings.now();
        let need = match current.expires.map(|it| cache::left(it, now)) {
            None => Need::No,
            Some(left) if left >= ADVISORY_SECONDS => Need::No,
            Some(left) if left <= 0 => Need::Mandatory,
            _ if state.refreshed.is_some_and(|it| cache::left(now, it) < PAUSE_SECONDS) => Need::No,
            Some(left) if left < MANDATORY_SECONDS => Need::Mandatory,
            Some(_) => Need::Advisory,
        };
        (Some(current), need)
    }

    async fn refresh(
        &self,
        current: Option<Arc<Credentials>>,
    ) -> Result<Arc<Credentials>, CredentialsError> {
        let place = self.state().place;
        let fresh = match place {
            Some(place) => match self.load(place).await {
                Ok(Outcome::Found(fresh)) => Ok((place, *fresh)),
                Ok(Outcome::Nothing(result)) => {
                    Err(CredentialsError::Nowhere { tried: vec![Attempt { place, result }] })
                }
                Err(problem) => Err(CredentialsError::Failed { place, problem: Box::new(problem) }),
            },
            None => self.search().await,
        };
        let now = self.setup.surroundings.now();
        let fresh = fresh.and_then(|(place, fresh)| match fresh.expires {
            // As botocore has it, they are good at that very moment still.
            Some(at) if at < now => {
                let at = crate::time::iso8601(at);
                let problem = Box::new(Problem::Ended { from: fresh.source, at });
                Err(CredentialsError::Failed { place, problem })
            }
            _ => Ok((place, fresh)),
        });
        let mut state = self.state();
        state.refreshed = Some(now);
        match (fresh, current) {
            (Ok((place, fresh)), _) => {
                let fresh = Arc::new(fresh);
                state.place = Some(place);
                state.current = Some(fresh.clone());
                Ok(fresh)
            }
            // What there is does for now.
            (Err(_), Some(current)) if current.expires.is_some_and(|it| it > now) => Ok(current),
            // An instance's credentials are used on until the service is there again.
            (Err(_), Some(current)) if place == Some(Place::Instance) => {
                let expires = Some(instance::extension(now));
                let kept = Arc::new(Credentials { expires, ..Credentials::clone(&current) });
                state.current = Some(kept.clone());
                Ok(kept)
            }
            (Err(error), _) => Err(error),
        }
    }

    async fn search(&self) -> Result<(Place, Credentials), CredentialsError> {
        let mut tried = Vec::new();
        for place in Place::ORDER {
            let outcome = self.load(place).await;
            let result = match &outcome {
                Ok(Outcome::Found(_)) => "found".to_owned(),
                Ok(Outcome::Nothing(reason)) => reason.clone(),
                Err(problem) => problem.to_string(),
            };
            // Only who gives credentials to the program wants to hear of it.
            if place != Place::Explicit || matches!(outcome, Ok(Outcome::Found(_))) {
                tried.push(Attempt { place, result });
            }
            let found = match outcome {
                Ok(Outcome::Nothing(_)) => continue,
                Ok(Outcome::Found(found)) => Ok((place, *found)),
                Err(problem) => Err(CredentialsError::Failed { place, problem: Box::new(problem) }),
            };
            self.state().tried = tried;
            return found;
        }
        self.state().tried.clone_from(&tried);
        Err(CredentialsError::Nowhere { tried })
    }

    async fn load(&self, place: Place) -> Result<Outcome, Problem> {
        let setup = &self.setup;
        let name = setup.settings.profile.as_str();
        let environment = &setup.surroundings.environment;
        match place {
            Place::Explicit => Ok(Outcome::of(setup.explicit.clone(), || "gave none".to_owned())),
            Place::Environment if setup.settings.explicit_profile => {
                Ok(Outcome::Nothing(format!("not looked at: profile `{name}` was asked for")))
            }
            Place::Environment => {
                let found = from_environment(setup)?;
                Ok(Outcome::of(found, || "AWS_ACCESS_KEY_ID is not set".to_owned()))
            }
            Place::Role => match profile::roles(&setup.profiles, name)? {
                Some(steps) => self.go(&steps).await.map(Outcome::found),
                None => Ok(Outcome::Nothing(self.lacks("`role_arn`"))),
            },
            Place::Container => {
                let found = container::fetch(setup).await?;
                let reason = "neither AWS_CONTAINER_CREDENTIALS_RELATIVE_URI nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set";
                Ok(Outcome::of(found, || reason.to_owned()))
            }
            Place::Instance => Ok(match instance::fetch(setup, &self.instance).await? {
                Ok(found) => Outcome::found(found),
                Err(reason) => Outcome::Nothing(reason),
            }),
            base => {
                let profile = setup.profiles.get(name);
                let environment = (!setup.settings.explicit_profile).then_some(environment);
                let step = match profile {
                    Some(profile) => profile::at(base, &setup.profiles, profile, environment)?,
                    None if base == Place::WebIdentity => profile::web_identity(None, environment)?,
                    None => None,
                };
                match step {
                    Some(step) => self.go(&[step]).await.map(Outcome::found),
                    None => Ok(Outcome::Nothing(self.why_not(base))),
                }
            }
        }
    }

    /// Goes the way to credentials. It begins at the last role of which an earlier run left some.
    async fn go(&self, steps: &[Step]) -> Result<Credentials, Problem> {
        let setup = &self.setup;
        let kept = steps.iter().enumerate().rev().find_map(|(at, step)| match step {
            Step::Role(role) => role::kept(setup, role).map(|it| (at, it)),
            _ => None,
        });
        let (mut rest, mut current) = match kept {
            Some((at, kept)) => (&steps[at + 1..], Some(kept)),
            None => (steps, None),
        };
        while let Some((step, behind)) = rest.split_first() {
            current = Some(match step {
                Step::Keys(keys) => keys.clone(),
                Step::Source(source) => self.source(*source).await?,
                Step::WebIdentity { role_arn, token_file, session_name } => {
                    role::with_token(setup, role_arn, token_file, session_name.as_deref()).await?
                }
                Step::Sso(profile) => sso::fetch(setup, profile).await?,
                Step::Login { session } => login::fetch(setup, session).await?,
                Step::Process { command, account_id } => {
                    process::fetch(setup, command, account_id.as_deref()).await?
                }
                Step::Role(role) => {
                    let with = current.expect("a way does not begin with a role");
                    role::assume(setup, role, &with).await?
                }
            });
            rest = behind;
        }
        Ok(current.expect("a way has a step"))
    }

    async fn source(&self, source: Source) -> Result<Credentials, Problem> {
        let setup = &self.setup;
        let found = match source {
            Source::Environment => {
                from_environment(setup)?.ok_or("AWS_ACCESS_KEY_ID is not set".to_owned())
            }
            Source::EcsContainer => container::fetch(setup)
                .await?
                .ok_or("no variable gives a container's address".to_owned()),
            Source::Ec2InstanceMetadata => instance::fetch(setup, &self.instance).await?,
        };
        found.map_err(|reason| {
            let reason = format!("its `credential_source` {source:?} gives nothing: {reason}");
            Problem::profile(&setup.settings.profile, reason)
        })
    }

    fn why_not(&self, place: Place) -> String {
        let file = match place {
            Place::WebIdentity => {
                return format!(
                    "AWS_WEB_IDENTITY_TOKEN_FILE is not set and {}",
                    self.lacks("`web_identity_token_file`")
                );
            }
            Place::Sso => return self.lacks("`sso_account_id`"),
            Place::Login => return self.lacks("`login_session`"),
            Place::Process => return self.lacks("`credential_process`"),
            Place::SharedFile => FileKind::Credentials,
            _ => FileKind::Config,
        };
        let (profiles, name) = (&self.setup.profiles, &self.setup.settings.profile);
        let path = profiles.path(file).display();
        if !profiles.found(file) {
            return format!("there is no {path}");
        }
        format!("profile `{name}` has no `aws_access_key_id` in {path}")
    }

    fn lacks(&self, what: &str) -> String {
        let name = &self.setup.settings.profile;
        match self.setup.profiles.get(name) {
            Some(_) => format!("profile `{name}` has no {what}"),
            None => format!("there is no profile `{name}`"),
        }
    }
}

impl Outcome {
    fn found(credentials: Credentials) -> Self {
        Self::Found(Box::new(credentials))
    }

    fn of(found: Option<Credentials>, reason: impl FnOnce() -> String) -> Self {
        found.map_or_else(|| Self::Nothing(reason()), Self::found)
    }
}

fn from_environment(setup: &Setup) -> Result<Option<Credentials>, Problem> {
    // What has nothing but blanks in it is not set.
    let environment = &setup.surroundings.environment;
    let get = |name: &str| environment.get(name).filter(|it| !it.trim().is_empty());
    let get = |name: &str| get(name).map(str::to_owned);
    let Some(access_key_id) = get("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret_access_key) = get("AWS_SECRET_ACCESS_KEY") else {
        return Err(Problem::Partial {
            there: "AWS_ACCESS_KEY_ID".to_owned(),
            missing: "AWS_SECRET_ACCESS_KEY".to_owned(),
        });
    };
    let expires = match get("AWS_CREDENTIAL_EXPIRATION") {
        Some(text) => Some(cache::time(&text).ok_or_else(|| Problem::Variable {
            name: "AWS_CREDENTIAL_EXPIRATION",
            reason: format!("is `{text}`, which is no time such as 2026-01-02T03:04:05Z"),
        })?),
        None => None,
    };
    Ok(Some(Credentials {
        access_key_id,
        secret_access_key,
        session_token: get("AWS_SECURITY_TOKEN").or_else(|| get("AWS_SESSION_TOKEN")),
        expires,
        account_id: get("AWS_ACCOUNT_ID"),
        source: "environment".to_owned(),
    }))
}
