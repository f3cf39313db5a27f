//! What a profile says about where its credentials come from. Fetches none.

use crate::config::{Environment, FileKind, Profile, Profiles, Section};

use super::{Credentials, error::Problem, place::Place};

/// One step on the way to credentials. A way begins with what stands by itself and goes on with the
/// roles that are assumed, one with the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Keys that stand in a file.
    Keys(Credentials),
    /// `credential_source`.
    Source(Source),
    /// A role that is assumed with a token in a file.
    WebIdentity {
        /// The role.
        role_arn: String,
        /// The file.
        token_file: String,
        /// The name of the session.
        session_name: Option<String>,
    },
    /// A role of IAM Identity Center.
    Sso(SsoProfile),
    /// `login_session`.
    Login {
        /// The session.
        session: String,
    },
    /// `credential_process`.
    Process {
        /// The command.
        command: String,
        /// `aws_account_id` of the profile.
        account_id: Option<String>,
    },
    /// A role that is assumed with what the step before gave.
    Role(Role),
}

/// What `credential_source` can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Variables.
    Environment,
    /// The instance metadata service.
    Ec2InstanceMetadata,
    /// A container's address.
    EcsContainer,
}

/// How a role is assumed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Role {
    /// The profile that says so.
    pub profile: String,
    /// `role_arn`.
    pub role_arn: String,
    /// `role_session_name`.
    pub session_name: Option<String>,
    /// `external_id`.
    pub external_id: Option<String>,
    /// `mfa_serial`.
    pub mfa_serial: Option<String>,
    /// `duration_seconds`.
    pub duration_seconds: Option<i64>,
}

/// A role of IAM Identity Center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoProfile {
    /// The profile that says so.
    pub profile: String,
    /// `sso_session`; nothing for a profile of the old kind.
    pub session: Option<String>,
    /// `sso_start_url`.
    pub start_url: String,
    /// `sso_region`.
    pub region: String,
    /// `sso_account_id`.
    pub account_id: String,
    /// `sso_role_name`.
    pub role_name: String,
}

/// The whole way to the credentials of a profile.
///
/// # Errors
///
/// When the profile, or one that it refers to, is not there, says two things at once or too little,
/// or refers to itself in a circle.
pub fn plan(profiles: &Profiles, name: &str) -> Result<Vec<Step>, Problem> {
    let profile = profiles.get(name).ok_or_else(|| missing(profiles, name, name))?;
    if let Some(steps) = roles(profiles, name)? {
        return Ok(steps);
    }
    Ok(vec![base(profiles, profile)?])
}

/// The way of a profile that assumes a role; nothing if it does not.
pub(super) fn roles(profiles: &Profiles, name: &str) -> Result<Option<Vec<Step>>, Problem> {
    let Some(mut profile) = profiles.get(name).filter(|it| assumes(it)) else {
        return Ok(None);
    };
    let mut steps = Vec::new();
    let mut visited = vec![name];
    let first = loop {
        steps.push(Step::Role(Role::of(profile)?));
        let source = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) => source,
            (None, Some(source)) => break Step::Source(Source::of(profile, source)?),
            (Some(_), Some(_)) => {
                let reason = "has both `source_profile` and `credential_source`: take one away";
                return Err(Problem::profile(profile.name(), reason));
            }
            (None, None) => {
                let reason = "has a `role_arn` and nothing to assume it with: add `source_profile` or `credential_source`";
                return Err(Problem::profile(profile.name(), reason));
            }
        };
        let next = profiles.get(source).ok_or_else(|| missing(profiles, source, profile.name()))?;
        // A profile may refer to itself: its keys assume its role.
        let itself = source == profile.name();
        if visited.contains(&source) && !(itself && has_keys(next)) {
            visited.push(source);
            return Err(Problem::Loop(visited.into_iter().map(str::to_owned).collect()));
        }
        visited.push(source);
        profile = next;
        if has_keys(profile) || !assumes(profile) {
            break base(profiles, profile)?;
        }
    };
    steps.push(first);
    steps.reverse();
    Ok(Some(steps))
}

fn missing(profiles: &Profiles, name: &str, from: &str) -> Problem {
    let (config, credentials) =
        (profiles.path(FileKind::Config), profiles.path(FileKind::Credentials));
    let files = format!("{} or {}", config.display(), credentials.display());
    Problem::profile(
        from,
        if name == from {
            format!("is not in {files}")
        } else {
            format!("its `source_profile` `{name}` is not in {files}")
        },
    )
}

/// Whether a profile assumes a role with what another place gives.
pub(super) fn assumes(profile: &Profile) -> bool {
    profile.get("role_arn").is_some() && profile.get("web_identity_token_file").is_none()
}

fn has_keys(profile: &Profile) -> bool {
    ["aws_access_key_id", "aws_secret_access_key"].iter().any(|it| profile.get(it).is_some())
}

/// What a profile has that stands by itself.
fn base(profiles: &Profiles, profile: &Profile) -> Result<Step, Problem> {
    for place in Place::BASES {
        if let Some(step) = at(place, profiles, profile, None)? {
            return Ok(step);
        }
    }
    Err(Problem::profile(
        profile.name(),
        "has nothing that gives credentials: add `aws_access_key_id` and `aws_secret_access_key`, `sso_session`, `credential_process` or `role_arn`",
    ))
}

/// What a profile has for one place. The variables count for web identities.
pub(super) fn at(
    place: Place,
    profiles: &Profiles,
    profile: &Profile,
    environment: Option<&Environment>,
) -> Result<Option<Step>, Problem> {
    match place {
        Place::WebIdentity => web_identity(Some(profile), environment),
        Place::Sso => sso(profiles, profile),
        Place::SharedFile => keys(profile, FileKind::Credentials),
        Place::ConfigFile => keys(profile, FileKind::Config),
        Place::Login => Ok(profile
            .get("login_session")
            .map(|session| Step::Login { session: session.to_owned() })),
        Place::Process => Ok(profile.get("credential_process").map(|command| Step::Process {
            command: command.to_owned(),
            account_id: profile.get("aws_account_id").map(str::to_owned),
        })),
        _ => Ok(None),
    }
}

/// A role and a token file, of variables or a profile.
pub(super) fn web_identity(
    profile: Option<&Profile>,
    environment: Option<&Environment>,
) -> Result<Option<Step>, Problem> {
    let get = |variable: &str, key: &str| {
        let variable = environment.and_then(|it| it.get(variable));
        variable.or_else(|| profile.and_then(|it| it.get(key))).map(str::to_owned)
    };
    let Some(token_file) = get("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else {
        return Ok(None);
    };
    let Some(role_arn) = get("AWS_ROLE_ARN", "role_arn").filter(|it| !it.is_empty()) else {
        return Err(Problem::Partial {
            there: "the file of a web identity's token".to_owned(),
            missing: "the role (AWS_ROLE_ARN, or `role_arn` of the profile)".to_owned(),
        });
    };
    let session_name = get("AWS_ROLE_SESSION_NAME", "role_session_name");
    Ok(Some(Step::WebIdentity { role_arn, token_file, session_name }))
}

fn keys(profile: &Profile, file: FileKind) -> Result<Option<Step>, Problem> {
    let section = profile.section(file);
    let Some(access_key_id) = section.get("aws_access_key_id") else { return Ok(None) };
    let Some(secret_access_key) = section.get("aws_secret_access_key") else {
        let (file, name) = (section.path().display(), profile.name());
        return Err(Problem::Partial {
            there: format!("`aws_access_key_id` of profile `{name}` in {file}"),
            missing: "`aws_secret_access_key`".to_owned(),
        });
    };
    let token = section.get("aws_security_token").or_else(|| section.get("aws_session_token"));
    Ok(Some(Step::Keys(Credentials {
        access_key_id: access_key_id.to_owned(),
        secret_access_key: secret_access_key.to_owned(),
        session_token: token.map(str::to_owned),
        expires: None,
        account_id: section.get("aws_account_id").map(str::to_owned),
        source: format!("profile {} of {}", profile.name(), section.path().display()),
    })))
}

fn sso(profiles: &Profiles, profile: &Profile) -> Result<Option<Step>, Problem> {
    if profile.get("sso_role_name").is_none() && profile.get("sso_account_id").is_none() {
        return Ok(None);
    }
    let wrong = |reason: String| Problem::profile(profile.name(), reason);
    let session: Option<&Section> = match profile.get("sso_session") {
        Some(name) => Some(profiles.sso_session(name).ok_or_else(|| {
            let file = profiles.path(FileKind::Config).display();
            wrong(format!("its `sso_session` `{name}` is no [sso-session {name}] of {file}"))
        })?),
        None => None,
    };
    let mut missing = Vec::new();
    let mut get = |key: &'static str| {
        let (own, shared) = (profile.get(key), session.and_then(|it| it.get(key)));
        if let (Some(own), Some(shared)) = (own, shared)
            && own != shared
        {
            return Err(wrong(format!(
                "`{key}` is `{own}` in the profile and `{shared}` in its sso-session: take one away"
            )));
        }
        if own.or(shared).is_none() {
            missing.push(format!("`{key}`"));
        }
        Ok(shared.or(own).unwrap_or_default().to_owned())
    };
    let found = SsoProfile {
        profile: profile.name().to_owned(),
        session: profile.get("sso_session").map(str::to_owned),
        role_name: get("sso_role_name")?,
        account_id: get("sso_account_id")?,
        start_url: get("sso_start_url")?,
        region: get("sso_region")?,
    };
    if missing.is_empty() {
        return Ok(Some(Step::Sso(found)));
    }
    Err(wrong(format!("is one of SSO and lacks {}: run `aws configure sso`", missing.join(", "))))
}

/// The session that a profile's token is of; nothing if it has none.
pub(super) fn sso_session(
    profiles: &Profiles,
    profile: &Profile,
) -> Result<Option<SsoProfile>, Problem> {
    let Some(name) = profile.get("sso_session") else { return Ok(None) };
    let session = profiles.sso_session(name);
    let get = |key: &str| {
        let value = session.and_then(|it| it.get(key)).map(str::to_owned);
        value.ok_or_else(|| {
            let file = profiles.path(FileKind::Config).display();
            let reason = format!(
                "its [sso-session {name}] of {file} has no `{key}`: run `aws configure sso`"
            );
            Problem::profile(profile.name(), reason)
        })
    };
    Ok(Some(SsoProfile {
        profile: profile.name().to_owned(),
        session: Some(name.to_owned()),
        start_url: get("sso_start_url")?,
        region: get("sso_region")?,
        account_id: String::new(),
        role_name: String::new(),
    }))
}

/// What to sign in to: a session by its name, or that of a profile, which may be of the old kind.
pub(super) fn sso_to_sign_in(
    profiles: &Profiles,
    name: &str,
    session: Option<&str>,
) -> Result<SsoProfile, Problem> {
    let file = profiles.path(FileKind::Config).display();
    if let Some(session) = session {
        let found = profiles.sso_session(session).ok_or_else(|| {
            let known = profiles.sso_sessions();
            let reason = match crate::validate::nearest(session, known) {
                Some(nearest) => format!(
                    "there is no [sso-session {session}] in {file}: did you mean {nearest}?"
                ),
                None => format!(
                    "there is no [sso-session {session}] in {file}: run `aws configure sso`"
                ),
            };
            Problem::profile(name, reason)
        })?;
        let get = |key: &str| {
            let reason = || format!("[sso-session {session}] of {file} has no `{key}`");
            found.get(key).map(str::to_owned).ok_or_else(|| Problem::profile(name, reason()))
        };
        return Ok(SsoProfile {
            profile: name.to_owned(),
            session: Some(session.to_owned()),
            start_url: get("sso_start_url")?,
            region: get("sso_region")?,
            account_id: String::new(),
            role_name: String::new(),
        });
    }
    let profile = profiles.get(name).ok_or_else(|| missing(profiles, name, name))?;
    if let Some(session) = sso_session(profiles, profile)? {
        return Ok(session);
    }
    let get = |key: &str| {
        let reason = || format!("has neither `sso_session` nor `{key}`: run `aws configure sso`");
        profile.get(key).map(str::to_owned).ok_or_else(|| Problem::profile(name, reason()))
    };
    Ok(SsoProfile {
        profile: name.to_owned(),
        session: None,
        start_url: get("sso_start_url")?,
        region: get("sso_region")?,
        account_id: String::new(),
        role_name: String::new(),
    })
}

impl Role {
    fn of(profile: &Profile) -> Result<Self, Problem> {
        let get = |key: &str| profile.get(key).map(str::to_owned);
        let duration_seconds = match profile.get("duration_seconds").map(str::parse) {
            None => None,
            Some(Ok(seconds)) => Some(seconds),
            Some(Err(_)) => {
                let reason = "`duration_seconds` must be a whole number";
                return Err(Problem::profile(profile.name(), reason));
            }
        };
        Ok(Self {
            profile: profile.name().to_owned(),
            role_arn: get("role_arn").unwrap_or_default(),
            session_name: get("role_session_name"),
            external_id: get("external_id"),
            mfa_serial: get("mfa_serial"),
            duration_seconds,
        })
    }
}

impl Source {
    fn of(profile: &Profile, name: &str) -> Result<Self, Problem> {
        let known = [
            ("Environment", Self::Environment),
            ("Ec2InstanceMetadata", Self::Ec2InstanceMetadata),
            ("EcsContainer", Self::EcsContainer),
        ];
        let found = known.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, it)| *it).ok_or_else(|| {
            let reason = format!(
                "its `credential_source` `{name}` must be Environment, Ec2InstanceMetadata or EcsContainer"
            );
            Problem::profile(profile.name(), reason)
        })
    }
}
