//! The vault passwords that the command line and the configuration name.

use std::path::Path;

use davit_vault::{IdSpec, Secret, Secrets, Source, SourceError};

use crate::config::Config;
use crate::prompt;
use crate::report::{Report, warn};
use crate::setup::Request;

/// The secrets that a run decrypts with.
pub(crate) fn of_run(request: &Request, config: &Config) -> Result<Secrets, Report> {
    gather(request, config, false, false)
}

/// The secrets of `ansible-vault`: asked for where nothing names one, twice where they are `new`.
pub(crate) fn of_vault(request: &Request, config: &Config, new: bool) -> Result<Secrets, Report> {
    gather(request, config, true, new)
}

fn gather(request: &Request, config: &Config, ask: bool, new: bool) -> Result<Secrets, Report> {
    let configured = config.list_or_default("DEFAULT_VAULT_IDENTITY_LIST");
    let mut specs: Vec<IdSpec> =
        configured.iter().chain(&request.vault_ids).map(|it| IdSpec::parse(it)).collect();
    let plain = |file: &str| IdSpec {
        label: davit_vault::DEFAULT_ID.to_owned(),
        source: Source::File(file.into()),
    };
    specs.extend(request.vault_password_files.iter().map(|it| plain(it)));
    let asked = request.ask_vault_password || config.is("DEFAULT_ASK_VAULT_PASS")?;
    if request.vault_password_files.is_empty()
        && !asked
        && let Some(file) = config.path_of("DEFAULT_VAULT_PASSWORD_FILE")
    {
        specs.push(plain(&file.to_string_lossy()));
    }
    if asked || (ask && specs.is_empty()) {
        specs.push(IdSpec { label: davit_vault::DEFAULT_ID.to_owned(), source: Source::AskPass });
    }
    let mut secrets = Secrets::default();
    secrets.match_only(config.is("DEFAULT_VAULT_ID_MATCH")?);
    for spec in specs {
        let secret = one(&spec, config, new)?;
        secrets.add(spec.label, secret);
    }
    Ok(secrets)
}

/// The password of one `label@source`.
pub(crate) fn one(spec: &IdSpec, config: &Config, new: bool) -> Result<Secret, Report> {
    match &spec.source {
        Source::File(path) => {
            let path = config.expand(&path.to_string_lossy());
            let path = std::path::absolute(&path).unwrap_or(path);
            from_file(&path, &spec.label)
        }
        Source::Prompt | Source::AskPass => typed(spec, new),
    }
}

fn from_file(path: &Path, label: &str) -> Result<Secret, Report> {
    davit_vault::load_password(path, label).map_err(|error| {
        let what = match error {
            SourceError::NotFound(_) => "Error getting vault password file",
            _ => "Error in vault password file loading",
        };
        warn(&format!("{what} ({label}): {error}"));
        Report::new(error.to_string())
    })
}

fn typed(spec: &IdSpec, new: bool) -> Result<Secret, Report> {
    let question = match (&spec.source, new) {
        (Source::Prompt, true) => format!("New vault password ({}): ", spec.label),
        (_, true) => "New Vault password: ".to_owned(),
        _ => spec.prompt().unwrap_or_default(),
    };
    let nobody = || Report::new(format!("EOFError (ctrl-d) on prompt for ({})", spec.label));
    let first = prompt::password(&question).ok_or_else(nobody)?;
    if new {
        let again = match &spec.source {
            Source::Prompt => format!("Confirm new vault password ({}): ", spec.label),
            _ => "Confirm New Vault password: ".to_owned(),
        };
        if prompt::password(&again).ok_or_else(nobody)? != first {
            return Err(Report::new("Passwords do not match"));
        }
    }
    let first = first.trim();
    if first.is_empty() {
        return Err(Report::new(format!(
            "Invalid vault password was provided for ({})",
            spec.label
        )));
    }
    Ok(Secret::new(first))
}
