//! `davit aws configure`: the files of the AWS CLI, looked at and changed.

mod edit;
mod list;
mod sso;

use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, Parser, Subcommand};
use davit_aws::config::{FileKind, Profiles, Settings};

use self::edit::Change;
use super::globals::Globals;
use super::{codes, own, session};
use crate::report::{Report, exit, print, warn};

/// Profiles, keys and settings in `~/.aws`. Without a command, ask for the usual ones.
#[derive(Debug, Parser)]
#[command(
    name = "davit aws configure",
    bin_name = "davit aws configure",
    after_help = "\
Examples:
  davit aws configure --profile dev
  davit aws configure sso
  davit aws configure list
  davit aws configure get region --profile dev
  davit aws configure set s3.addressing_style path
  davit aws configure import --csv file://keys.csv"
)]
struct Configure {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    globals: Globals,
}

/// What is to be done.
#[derive(Debug, Subcommand)]
enum Command {
    /// Say which profile, keys and region are used, and where they come from.
    List,
    /// Print a setting.
    Get {
        /// `region`, `profile.dev.region`, `s3.addressing_style` ...
        name: String,
    },
    /// Write a setting.
    Set {
        /// `region`, `profile.dev.region`, `s3.addressing_style` ...
        name: String,
        /// Its value.
        #[arg(allow_hyphen_values = true)]
        value: String,
    },
    /// Print the names of all profiles.
    ListProfiles,
    /// Take keys out of a file that the console gave.
    Import(Import),
    /// Make a profile of IAM Identity Center: ask where, sign in, and choose an account and a role.
    Sso(sso::Args),
    /// Make a session of IAM Identity Center, which profiles can share.
    SsoSession,
}

/// What is taken from where.
#[derive(Debug, clap::Args)]
struct Import {
    /// `file://PATH`.
    #[arg(long)]
    csv: String,
    /// What goes in front of users' names to make names of profiles.
    #[arg(long, default_value = "", hide_default_value = true)]
    profile_prefix: String,
    /// Leave out lines that are no keys.
    #[arg(long)]
    skip_invalid: bool,
}

pub(super) fn definition() -> clap::Command {
    Configure::command()
}

/// Does what the words behind `configure` say.
pub(super) fn run(words: &[String], asks_for_help: bool) -> Result<u8, Report> {
    let said = match own::parse::<Configure>(words, asks_for_help)? {
        Ok(said) => said,
        Err(code) => return Ok(code),
    };
    let files = Files::load(&said.globals)?;
    match &said.command {
        None => files.ask(),
        Some(Command::List) => list::run(&files, &said.globals),
        Some(Command::Get { name }) => files.get(name),
        Some(Command::Set { name, value }) => files.set(name, value),
        Some(Command::ListProfiles) => {
            let names: String = files.profiles.names().map(|it| format!("{it}\n")).collect();
            print(&names)?;
            Ok(exit::OK)
        }
        Some(Command::Import(args)) => files.import(args),
        Some(Command::Sso(args)) => sso::profile(&files, args, &said.globals),
        Some(Command::SsoSession) => sso::sso_session(&files),
    }
}

/// Both files, and the profile that is meant.
struct Files {
    profiles: Profiles,
    config: PathBuf,
    credentials: PathBuf,
    /// The profile that was asked for, by an option or a variable.
    asked: Option<String>,
}

/// Settings that stand in the file with the keys.
const SECRET: [&str; 4] =
    ["aws_access_key_id", "aws_secret_access_key", "aws_session_token", "aws_security_token"];

/// Sections of the configuration file that are no profiles.
const NO_PROFILES: [&str; 2] = ["preview", "plugins"];

/// What is asked for, with the words for it.
const QUESTIONS: [(&str, &str); 4] = [
    ("aws_access_key_id", "AWS Access Key ID"),
    ("aws_secret_access_key", "AWS Secret Access Key"),
    ("region", "Default region name"),
    ("output", "Default output format"),
];

impl Files {
    fn load(globals: &Globals) -> Result<Self, Report> {
        let environment = session::environment();
        let (config, credentials) = Settings::files(&environment, session::home().as_deref());
        let profiles = Profiles::load(&config, &credentials)
            .map_err(|error| Report::of(&error).code(codes::CONFIGURATION))?;
        let variable = |name: &str| environment.get(name).map(str::to_owned);
        let asked = globals.profile.clone();
        let asked =
            asked.or_else(|| variable("AWS_PROFILE").or_else(|| variable("AWS_DEFAULT_PROFILE")));
        Ok(Self { profiles, config, credentials, asked })
    }

    fn profile(&self) -> &str {
        self.asked.as_deref().unwrap_or("default")
    }

    /// Asks for the usual settings, and writes those that are new.
    fn ask(&self) -> Result<u8, Report> {
        let profile = self.profile();
        let known = self.profiles.get(profile);
        let mut typed = Vec::new();
        for (name, words) in QUESTIONS {
            let old = known.and_then(|it| it.get(name));
            let shown = match old {
                None => "None".to_owned(),
                Some(old) if SECRET.contains(&name) => masked(old),
                Some(old) => old.to_owned(),
            };
            print(&format!("{words} [{shown}]: "))?;
            let mut line = String::new();
            let read = io::stdin().read_line(&mut line).map_err(|error| Report::of(&error))?;
            if read == 0 {
                let text = "there are no more answers: nothing is written";
                return Err(Report::new(text).code(codes::GENERAL));
            }
            let answer = line.trim_end_matches(['\n', '\r']);
            if !answer.is_empty() && old != Some(answer) {
                typed.push((name, answer.to_owned()));
            }
        }
        let changes = |secret: bool| -> Vec<Change<'_>> {
            let meant = typed.iter().filter(|(name, _)| SECRET.contains(name) == secret);
            meant.map(|(name, value)| Change { name, inner: None, value }).collect()
        };
        let (keys, settings) = (changes(true), changes(false));
        self.write(FileKind::Credentials, profile, &keys)?;
        self.write(FileKind::Config, &section_of(profile), &settings)?;
        Ok(exit::OK)
    }

    fn get(&self, name: &str) -> Result<u8, Report> {
        let place = self.place(name)?;
        let found = match &place.section {
            Some(section) => self.profiles.other(section).and_then(|it| it.get(&place.name)),
            None => {
                let profile = self.profiles.get(&place.profile);
                if profile.is_none() && self.asked.as_ref() == Some(&place.profile) {
                    let text = format!("there is no profile {:?}", place.profile);
                    return Err(Report::new(text).code(codes::GENERAL));
                }
                profile.and_then(|it| match &place.inner {
                    Some(inner) => it.nested(&place.name, inner),
                    None => it.get(&place.name),
                })
            }
        };
        match found {
            Some(block) if block.starts_with('\n') => {
                let text = format!("{name} is a block of settings: name one of them");
                Err(Report::new(text).code(exit::ERROR))
            }
            Some(value) => {
                print(&format!("{value}\n"))?;
                Ok(exit::OK)
            }
            None => Ok(exit::ERROR),
        }
    }

    fn set(&self, name: &str, value: &str) -> Result<u8, Report> {
        let place = self.place(name)?;
        let change = Change { name: &place.name, inner: place.inner.as_deref(), value };
        let (kind, section) = match &place.section {
            Some(section) => (FileKind::Config, section.clone()),
            None if SECRET.contains(&place.name.as_str()) => {
                (FileKind::Credentials, place.profile.clone())
            }
            None => (FileKind::Config, section_of(&place.profile)),
        };
        self.write(kind, &section, &[change])?;
        Ok(exit::OK)
    }

    /// What a name with dots means.
    fn place(&self, name: &str) -> Result<Place, Report> {
        let parts: Vec<&str> = name.split('.').collect();
        let (profile, rest) = match parts.as_slice() {
            [section, name] if NO_PROFILES.contains(section) => {
                return Ok(Place {
                    profile: String::new(),
                    section: Some((*section).to_owned()),
                    name: (*name).to_owned(),
                    inner: None,
                });
            }
            ["profile", profile, rest @ ..] => (*profile, rest),
            [first, rest @ ..]
                if !rest.is_empty()
                    && (*first == "default" || self.profiles.get(first).is_some()) =>
            {
                (*first, rest)
            }
            rest => (self.profile(), rest),
        };
        let (name, inner) = match rest {
            [name] => (*name, None),
            [name, inner] => (*name, Some((*inner).to_owned())),
            _ => {
                let text = format!(
                    "{name:?} names no setting: write NAME, BLOCK.NAME or profile.PROFILE.NAME"
                );
                return Err(Report::new(text).code(codes::USAGE));
            }
        };
        Ok(Place { profile: profile.to_owned(), section: None, name: name.to_owned(), inner })
    }

    fn import(&self, args: &Import) -> Result<u8, Report> {
        let wrong = |text: String| Report::new(text).code(codes::USAGE);
        let path = args.csv.strip_prefix("file://");
        let path = path.ok_or_else(|| wrong("--csv takes file://PATH".to_owned()))?;
        let bytes = super::call::read(path)
            .map_err(|error| wrong(format!("{path} cannot be read: {error}")))?;
        let text = String::from_utf8_lossy(&bytes);
        let mut taken = 0;
        for (line, row) in rows(text.trim_start_matches('\u{feff}'))
            .map_err(|text| wrong(format!("{path}: {text}")))?
        {
            let row = match row {
                Ok(row) => row,
                Err(text) if args.skip_invalid => {
                    warn(&format!("{path}:{line}: {text}; it is left out"));
                    continue;
                }
                Err(text) => return Err(wrong(format!("{path}:{line}: {text}"))),
            };
            let profile = format!("{}{}", args.profile_prefix, row.user);
            let keys = [
                Change { name: SECRET[0], inner: None, value: &row.id },
                Change { name: SECRET[1], inner: None, value: &row.secret },
            ];
            self.write(FileKind::Credentials, &profile, &keys)?;
            taken += 1;
        }
        print(&format!("Successfully imported {taken} profile(s)\n"))?;
        Ok(exit::OK)
    }

    /// Writes settings into a section, if there are any.
    fn write(&self, kind: FileKind, section: &str, changes: &[Change<'_>]) -> Result<(), Report> {
        if changes.is_empty() {
            return Ok(());
        }
        let path = match kind {
            FileKind::Config => &self.config,
            FileKind::Credentials => &self.credentials,
        };
        let wrong = |error: io::Error| {
            let text = format!("{} cannot be written: {error}", path.display());
            Report::new(text).code(codes::GENERAL)
        };
        let old = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(wrong(error)),
        };
        let new = edit::edited(&old, section, changes)
            .map_err(|error| Report::of(&error).code(codes::USAGE))?;
        replace(path, &new).map_err(wrong)
    }
}

/// Where a setting stands.
struct Place {
    profile: String,
    /// A section that is no profile.
    section: Option<String>,
    name: String,
    /// The setting in the block of that name.
    inner: Option<String>,
}

/// Puts a text in the place of a file that only its owner may read. It is there as a whole or not at all.
fn replace(path: &Path, text: &str) -> io::Result<()> {
    // A link stays one: what it leads to is replaced.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    if !folder.is_dir() {
        let mut builder = fs::DirBuilder::new();
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.recursive(true).create(folder)?;
    }
    let mut file = tempfile::Builder::new()
        .prefix(".davit-")
        .permissions(fs::Permissions::from_mode(0o600))
        .tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(&path).map(drop).map_err(|error| error.error)
}

/// The section of a profile in the configuration file.
fn section_of(profile: &str) -> String {
    match profile {
        "default" => "default".to_owned(),
        name if name.contains([' ', '\t']) => format!("profile '{name}'"),
        name => format!("profile {name}"),
    }
}

/// Its last four letters, as the AWS CLI shows them.
fn masked(value: &str) -> String {
    let from = value.char_indices().rev().nth(3).map_or(0, |(at, _)| at);
    // Of a short one, its last letters would be all of it.
    let shown = if value.chars().count() > 4 { &value[from..] } else { "" };
    format!("{}{shown}", "*".repeat(16))
}

/// One user's keys.
struct Row {
    user: String,
    id: String,
    secret: String,
}

/// A line's number, with the keys in it or why there are none.
type Line = (u64, Result<Row, String>);

/// The lines below the head.
fn rows(text: &str) -> Result<Vec<Line>, String> {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(text.as_bytes());
    let head = reader.headers().map_err(|error| error.to_string())?.clone();
    let column = |name: &str| {
        let found = head.iter().position(|it| it.eq_ignore_ascii_case(name));
        found.ok_or_else(|| format!("there is no column {name:?} in its first line"))
    };
    let columns = [column("User Name")?, column("Access key ID")?, column("Secret access key")?];
    let mut found = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let [user, id, secret] =
            columns.map(|it| record.get(it).map(str::to_owned).filter(|it| !it.is_empty()));
        let row = match (user, id, secret) {
            (Some(user), Some(id), Some(secret)) => Ok(Row { user, id, secret }),
            (None, ..) => Err("there is no user".to_owned()),
            (_, None, _) => Err("there is no access key id".to_owned()),
            (.., None) => Err("there is no secret access key".to_owned()),
        };
        found.push((line, row));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_masked() {
        assert_eq!(masked("AKIAIOSFODNN7EXAMPLE"), "****************MPLE");
        assert_eq!(masked("äöüß1"), "****************öüß1");
        assert_eq!(masked("abcd"), "****************");
    }

    #[test]
    fn columns_are_found_by_their_names() {
        let text =
            "Extra,user name,Access key ID,Secret access key\nx,anna,AKIA1,s/1\n,,AKIA2,s2\n";
        let found = rows(text).unwrap();
        let names: Vec<Result<&str, &str>> = found
            .iter()
            .map(|(_, it)| it.as_ref().map(|it| it.user.as_str()).map_err(String::as_str))
            .collect();
        assert_eq!(names, [Ok("anna"), Err("there is no user")]);
        assert!(rows("Access key ID,Secret access key\na,b\n").is_err());
    }
}
