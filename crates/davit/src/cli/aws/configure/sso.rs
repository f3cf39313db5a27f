//! `davit aws configure sso` and `sso-session`: asks for what a profile of IAM Identity Center needs, signs in, and
//! writes what the AWS CLI writes for the same answers. Nothing is written before the last answer.

use std::io;

use davit_aws::Client;
use davit_aws::config::FileKind;
use davit_aws::credentials::Portal;
use davit_aws::value::{Map, Value};

use super::edit::Change;
use super::{Files, section_of};
use crate::cli::aws::globals::Globals;
use crate::cli::aws::session;
use crate::cli::aws::{codes, report, sso};
use crate::report::{Report, exit, print, say, warn};

/// What is asked for where nothing else is said.
const SCOPES: &str = "sso:account:access";

/// How to sign in.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only show the address.
    #[arg(long)]
    no_browser: bool,
    /// Sign in by a code, which is the only way here.
    #[arg(long, hide = true)]
    use_device_code: bool,
}

/// Settings with their values, in the order in which they are written.
type Settings = Vec<(&'static str, String)>;

/// Asks for a session and a profile that uses it.
pub(super) fn profile(files: &Files, args: &Args, globals: &Globals) -> Result<u8, Report> {
    let session = session::without_profile(globals.said())?;
    session::until_done(async {
        let (portal, written, mut profile) = portal(files).await?;
        let kept = match &written {
            // What is kept for a new session is another's of that name.
            Some(_) => None,
            None => session.chain.kept_token(&portal).await.ok(),
        };
        let token = match kept {
            Some(token) => token,
            None => {
                let mut show = sso::confirm(!args.no_browser);
                let signed_in = session.chain.sign_in_at(&portal, &mut show).await;
                signed_in.map_err(|error| Report::of(&error).code(codes::CONFIGURATION))?;
                let token = session.chain.kept_token(&portal).await;
                token.map_err(|error| Report::of(&error).code(codes::CONFIGURATION))?
            }
        };
        let client = session.client.in_region(&portal.region);
        let role = role(&client, &token).await?;
        if let Some((account, role)) = &role {
            profile.push(("sso_account_id", account.clone()));
            profile.push(("sso_role_name", role.clone()));
        }
        let known = files.profiles.get(files.profile());
        for (name, words) in [
            ("region", "Default client Region"),
            ("output", "CLI default output format (json if not specified)"),
        ] {
            let old = known.and_then(|it| it.get(name));
            profile.extend(ask(words, old, anything).await?.map(|it| (name, it)));
        }
        let name = match &files.asked {
            Some(name) => name.clone(),
            None => {
                let usual = role.as_ref().map(|(account, role)| format!("{role}-{account}"));
                ask("Profile name", usual.as_deref(), something).await?.unwrap_or_default()
            }
        };
        write(files, &section_of(&name), &profile)?;
        if let (Some(session), Some(written)) = (&portal.session, &written) {
            write(files, &section_of_session(session), written)?;
        }
        print(&conclusion(&name, role.is_some()))?;
        Ok(exit::OK)
    })
}

fn conclusion(profile: &str, has_role: bool) -> String {
    match (has_role, profile) {
        (false, _) => format!("Configured the session of the profile {profile}\n"),
        (true, "default") => {
            "The default profile is ready:\n\ndavit aws sts get-caller-identity\n".to_owned()
        }
        (true, _) => format!(
            "To use this profile, name it with --profile:\n\ndavit aws sts get-caller-identity --profile {profile}\n"
        ),
    }
}

/// Asks for a session, and writes it.
pub(super) fn sso_session(files: &Files) -> Result<u8, Report> {
    session::until_done(async {
        let name = question("SSO session name: ", None, something).await?.unwrap_or_default();
        let (_, settings) = session_settings(files, &name, Settings::new()).await?;
        write(files, &section_of_session(&name), &settings)?;
        print(&format!(
            "\nCompleted configuring SSO session: {name}\nTo sign in to it:\n\ndavit aws sso login --sso-session {name}\n"
        ))?;
        Ok(exit::OK)
    })
}

/// Where to sign in; what to write into the section of the session, where it is a new one; and what to write into
/// that of the profile so far.
async fn portal(files: &Files) -> Result<(Portal, Option<Settings>, Settings), Report> {
    let known = files.profiles.get(files.profile());
    let of_profile = |name: &str| known.and_then(|it| it.get(name)).map(str::to_owned);
    let old = of_profile("sso_session");
    let words = match &old {
        Some(old) => format!("SSO session name [{old}]: "),
        None => "SSO session name (Recommended): ".to_owned(),
    };
    let session = question(&words, old.as_deref(), anything).await?;
    let before: Settings = ["sso_start_url", "sso_region"]
        .into_iter()
        .filter_map(|name| Some((name, of_profile(name)?)))
        .collect();
    let Some(name) = session else {
        warn(
            "without the name of a session this is a profile of the old kind, whose token is not renewed",
        );
        let settings = page_and_region(before).await?;
        let portal = portal_of(None, &settings);
        return Ok((portal, None, settings));
    };
    let profile = vec![("sso_session", name.clone())];
    let Some(section) = files.profiles.sso_session(&name) else {
        let (portal, settings) = session_settings(files, &name, before).await?;
        return Ok((portal, Some(settings), profile));
    };
    let get = |key: &str| {
        section.get(key).map(str::to_owned).ok_or_else(|| {
            let text = format!("[sso-session {name}] of {} has no {key}", files.config.display());
            let hint = "`davit aws configure sso-session` asks for it";
            Report::new(text).code(codes::CONFIGURATION).hint(hint)
        })
    };
    let portal = Portal {
        start_url: get("sso_start_url")?,
        region: get("sso_region")?,
        scopes: section.get("sso_registration_scopes").map(str::to_owned),
        session: Some(name.clone()),
    };
    Ok((portal, None, profile))
}

/// Asks for the settings of a session. What stands in its section counts before `before`.
async fn session_settings(
    files: &Files,
    name: &str,
    mut before: Settings,
) -> Result<(Portal, Settings), Report> {
    let section = files.profiles.sso_session(name);
    let old = |key: &str| section.and_then(|it| it.get(key)).map(str::to_owned);
    for key in ["sso_start_url", "sso_region"] {
        if let Some(value) = old(key) {
            before.retain(|(it, _)| *it != key);
            before.push((key, value));
        }
    }
    let mut settings = page_and_region(before).await?;
    let scopes = old("sso_registration_scopes").unwrap_or_else(|| SCOPES.to_owned());
    let scopes = ask("SSO registration scopes", Some(&scopes), list).await?;
    settings.extend(scopes.map(|it| ("sso_registration_scopes", it)));
    Ok((portal_of(Some(name), &settings), settings))
}

async fn page_and_region(before: Settings) -> Result<Settings, Report> {
    let old = |name: &str| before.iter().find(|it| it.0 == name).map(|it| it.1.as_str());
    let page = ask("SSO start URL", old("sso_start_url"), page).await?.unwrap_or_default();
    let region = ask("SSO region", old("sso_region"), something).await?.unwrap_or_default();
    Ok(vec![("sso_start_url", page), ("sso_region", region)])
}

fn portal_of(session: Option<&str>, settings: &Settings) -> Portal {
    let get = |name: &str| settings.iter().find(|it| it.0 == name).map(|it| it.1.clone());
    Portal {
        session: session.map(str::to_owned),
        start_url: get("sso_start_url").unwrap_or_default(),
        region: get("sso_region").unwrap_or_default(),
        scopes: get("sso_registration_scopes"),
    }
}

/// The account and the role, of those that there are; nothing where the service does not say which.
async fn role(client: &Client, token: &str) -> Result<Option<(String, String)>, Report> {
    let accounts = listed(client, "ListAccounts", "accountList", &[("accessToken", token)]).await?;
    let Some(accounts) = accounts else { return Ok(None) };
    let accounts: Vec<(String, String)> = accounts.iter().filter_map(account).collect();
    let account = choose("AWS account", &accounts).await?;
    print(&format!("Using the account ID {account}\n"))?;
    let of = [("accessToken", token), ("accountId", account.as_str())];
    let Some(roles) = listed(client, "ListAccountRoles", "roleList", &of).await? else {
        return Ok(None);
    };
    let roles: Vec<(String, String)> = roles
        .iter()
        .filter_map(|it| it.get("roleName")?.as_str())
        .map(|it| (it.to_owned(), it.to_owned()))
        .collect();
    let role = choose("role", &roles).await?;
    print(&format!("Using the role name \"{role}\"\n"))?;
    Ok(Some((account, role)))
}

/// The id of an account, and how it is shown.
fn account(it: &Value) -> Option<(String, String)> {
    let text = |name: &str| it.get(name).and_then(Value::as_str);
    let id = text("accountId")?;
    let about: Vec<&str> =
        [text("accountName"), text("emailAddress")].into_iter().flatten().collect();
    let shown =
        if about.is_empty() { id.to_owned() } else { format!("{} ({id})", about.join(", ")) };
    Some((id.to_owned(), shown))
}

async fn listed(
    client: &Client,
    operation: &str,
    list: &str,
    parameters: &[(&str, &str)],
) -> Result<Option<Vec<Value>>, Report> {
    let parameters: Map =
        parameters.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
    match client.all("sso", operation, parameters).await {
        Ok(answer) => Ok(Some(answer.get(list).map(|it| it.items().to_vec()).unwrap_or_default())),
        Err(error) if error.code() == Some("UnauthorizedException") => {
            warn(
                "the service does not say which accounts and roles there are: the profile gets none",
            );
            Ok(None)
        }
        Err(error) => Err(report(&error)),
    }
}

/// Lets the user choose one of several, by its number or its name.
async fn choose(what: &str, all: &[(String, String)]) -> Result<String, Report> {
    match all {
        [] => {
            let text = format!("there is no {what} for you");
            return Err(Report::new(text).code(codes::GENERAL));
        }
        [(only, _)] => {
            print(&format!("The only {what} available to you is: {only}\n"))?;
            return Ok(only.clone());
        }
        _ => {}
    }
    print(&format!("There are {} {what}s available to you.\n", all.len()))?;
    for (number, (_, shown)) in all.iter().enumerate() {
        print(&format!("  {}  {shown}\n", number + 1))?;
    }
    loop {
        let words = format!("Number or name of the {what}: ");
        let answer = question(&words, None, something).await?.unwrap_or_default();
        let by_name = all.iter().find(|(name, _)| *name == answer);
        let by_number = answer.parse::<usize>().ok().and_then(|it| all.get(it.checked_sub(1)?));
        if let Some((name, _)) = by_name.or(by_number) {
            return Ok(name.clone());
        }
        say(&format!("there is no {what} {answer:?}"));
    }
}

/// Why an answer will not do.
type Fits = fn(&str) -> Option<&'static str>;

fn anything(_: &str) -> Option<&'static str> {
    None
}

fn something(answer: &str) -> Option<&'static str> {
    answer.is_empty().then_some("a value is required")
}

fn page(answer: &str) -> Option<&'static str> {
    let rest = answer.strip_prefix("https://").or_else(|| answer.strip_prefix("http://"));
    let host = rest.map(|it| it.split(['/', '?', '#', ':']).next().unwrap_or_default());
    let is_host = |it: &str| {
        !it.is_empty() && it.chars().all(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '.'))
    };
    let right = host.is_some_and(is_host) && !answer.contains(char::is_whitespace);
    (!right).then_some("this is no address of a page: https://NAME.awsapps.com/start")
}

fn list(answer: &str) -> Option<&'static str> {
    let spaced = answer.split(',').any(|it| it.trim().contains(char::is_whitespace));
    spaced.then_some("scopes are separated by commas")
}

/// Asks for a setting; what it was stands for an empty answer.
async fn ask(words: &str, old: Option<&str>, fits: Fits) -> Result<Option<String>, Report> {
    question(&format!("{words} [{}]: ", old.unwrap_or("None")), old, fits).await
}

/// Asks until an answer will do.
async fn question(text: &str, old: Option<&str>, fits: Fits) -> Result<Option<String>, Report> {
    loop {
        print(text)?;
        // On another thread, so that Ctrl-C is heard meanwhile.
        let read = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            io::stdin().read_line(&mut line).map(|read| (read, line))
        });
        let read = read.await.map_err(|error| Report::of(&error))?;
        let (read, line) = read.map_err(|error| Report::of(&error))?;
        if read == 0 {
            let text = "there are no more answers: nothing is written";
            let report = Report::new(text).code(codes::GENERAL);
            return Err(report.hint("this command asks questions: call it in a terminal"));
        }
        let answer = line.trim();
        let answer = if answer.is_empty() { old.unwrap_or_default() } else { answer };
        match fits(answer) {
            Some(wrong) => say(wrong),
            None => return Ok(Some(answer.to_owned()).filter(|it| !it.is_empty())),
        }
    }
}

fn section_of_session(name: &str) -> String {
    match name {
        name if name.contains([' ', '\t']) => format!("sso-session '{name}'"),
        name => format!("sso-session {name}"),
    }
}

fn write(files: &Files, section: &str, settings: &Settings) -> Result<(), Report> {
    let changes: Vec<Change<'_>> =
        settings.iter().map(|(name, value)| Change { name, inner: None, value }).collect();
    files.write(FileKind::Config, section, &changes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_that_will_not_do_are_told_from_those_that_do() {
        for (right, answer) in [
            (true, "https://corp.awsapps.com/start"),
            (true, "http://127.0.0.1:8080/start"),
            (false, "corp.awsapps.com/start"),
            (false, "https:///start"),
            (false, "https://a b/start"),
            (false, ""),
        ] {
            assert_eq!(page(answer).is_none(), right, "{answer}");
        }
        assert!(list("a:b, c:d").is_none() && list("a b").is_some());
        assert!(something("").is_some() && anything("").is_none());
    }

    #[test]
    fn sections_of_sessions_have_their_names() {
        for (name, section) in [
            ("corp", "sso-session corp"),
            ("two words", "sso-session 'two words'"),
            ("default", "sso-session default"),
        ] {
            assert_eq!(section_of_session(name), section);
        }
    }
}
