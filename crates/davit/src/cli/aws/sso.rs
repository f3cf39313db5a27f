//! `davit aws sso login` and `logout`: signing in to IAM Identity Center by a code that is confirmed in a browser.

use std::io::{IsTerminal as _, stdout};
use std::process::{Command, Stdio};

use clap::{CommandFactory as _, Parser};
use davit_aws::credentials::Confirm;

use super::globals::Globals;
use super::{codes, own, session};
use crate::report::{Report, exit, print, say};

/// Sign in to IAM Identity Center, so that profiles with `sso_session` or `sso_start_url` have keys.
///
/// A page is opened in a browser, here or on any other device, and asks to confirm a code. The token that comes of it is
/// kept where the AWS CLI keeps its own.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws sso login",
    bin_name = "davit aws sso login",
    after_help = "\
Examples:
  davit aws sso login --profile dev
  davit aws sso login --sso-session my-company --no-browser"
)]
struct Login {
    /// A session of the configuration file; that of the profile without it.
    #[arg(long, value_name = "NAME")]
    sso_session: Option<String>,
    /// Only show the address.
    #[arg(long)]
    no_browser: bool,
    /// Sign in by a code, which is the only way here.
    #[arg(long, hide = true)]
    use_device_code: bool,
    #[command(flatten)]
    globals: Globals,
}

pub(super) fn login_definition() -> clap::Command {
    Login::command()
}

/// Signs in.
pub(super) fn login(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Login>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let session = session::make(&said.globals.said())?;
    session::until_done(async {
        let mut show = confirm(!said.no_browser);
        let signed_in = session.chain.sign_in(said.sso_session.as_deref(), &mut show).await;
        let signed_in = signed_in.map_err(|error| Report::of(&error).code(codes::CONFIGURATION))?;
        print(&format!("Signed in at {} until {}\n", signed_in.start_url, signed_in.expires))?;
        Ok(exit::OK)
    })
}

/// Shows the code that is to be confirmed, and opens its page where that is wanted and someone is there.
pub(super) fn confirm(browser: bool) -> impl FnMut(&Confirm) + Send {
    let browser = browser && stdout().is_terminal();
    move |confirm: &Confirm| {
        say(&format!(
            "To sign in, open this page and confirm the code {}:\n\n  {}\n\nWithout the code in it, the page is {}\n",
            confirm.code, confirm.url_with_code, confirm.url
        ));
        if browser {
            open(&confirm.url_with_code);
        }
    }
}

/// Opens a page in the user's browser, if there is one: the address is shown in any case.
fn open(url: &str) {
    // It is handed to a program: what a service says is to be an address and nothing else.
    if !url.starts_with("https://") {
        return;
    }
    let chosen = std::env::var("BROWSER").ok().filter(|it| !it.is_empty());
    let program = chosen.unwrap_or_else(|| {
        if cfg!(target_os = "macos") { "open".to_owned() } else { "xdg-open".to_owned() }
    });
    let mut command = Command::new(program);
    command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let _ = command.spawn();
}

/// End all sessions of IAM Identity Center that are kept here.
#[derive(Debug, Parser)]
#[command(name = "davit aws sso logout", bin_name = "davit aws sso logout")]
struct Logout {
    #[command(flatten)]
    globals: Globals,
}

pub(super) fn logout_definition() -> clap::Command {
    Logout::command()
}

/// Signs out.
pub(super) fn logout(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Logout>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let session = session::make(&said.globals.said())?;
    session::until_done(async {
        let ended = session.chain.sign_out().await;
        let ended = ended.map_err(|error| Report::of(&error).code(codes::GENERAL))?;
        let ended = if ended == 1 { "1 session".to_owned() } else { format!("{ended} sessions") };
        print(&format!("Ended {ended}\n"))?;
        Ok(exit::OK)
    })
}
