//! `davit vault`: encrypts, decrypts, shows and edits files.

mod files;

use std::fs;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use davit_vault::{IdSpec, Secret, Secrets, Source};

use self::files::{absolute, edited, page, read, replace};
use crate::cli::options::{VaultOptions, Verbosity};
use crate::config::Config;
use crate::prompt;
use crate::report::{Report, exit, print, say};
use crate::secrets;
use crate::setup::{Request, working_folder};

/// Encrypt, decrypt, show and edit files.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit vault encrypt secrets.yml
  davit vault view secrets.yml --vault-password-file ~/.vault
  davit vault edit secrets.yml --vault-id prod@prompt
  davit vault rekey secrets.yml --new-vault-id prod@new.txt
  echo -n hunter2 | davit vault encrypt-string --stdin-name password")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Clone, Debug, Subcommand)]
enum Command {
    /// Write a new encrypted file with the editor.
    #[command(after_help = "Example:\n  davit vault create secrets.yml")]
    Create(CreateArgs),
    /// Turn encrypted files into plain ones.
    #[command(after_help = "Example:\n  davit vault decrypt secrets.yml --output -")]
    Decrypt(FileArgs),
    /// Change encrypted files with the editor.
    #[command(after_help = "Example:\n  davit vault edit secrets.yml")]
    Edit(FileArgs),
    /// Show encrypted files.
    #[command(after_help = "Example:\n  davit vault view secrets.yml")]
    View(FileArgs),
    /// Turn plain files into encrypted ones.
    #[command(after_help = "Example:\n  davit vault encrypt secrets.yml --vault-id prod@prompt")]
    Encrypt(FileArgs),
    /// Encrypt texts, to be put into a file of variables.
    #[command(
        alias = "encrypt_string",
        after_help = "Example:\n  davit vault encrypt-string hunter2 --name password"
    )]
    EncryptString(StringArgs),
    /// Encrypt files anew with another password.
    #[command(
        after_help = "Example:\n  davit vault rekey secrets.yml --new-vault-password-file new.txt"
    )]
    Rekey(RekeyArgs),
}

#[derive(Clone, Debug, clap::Args)]
struct FileArgs {
    /// The files; `-` or none for standard input.
    #[arg(value_name = "FILE")]
    files: Vec<String>,
    /// Write here; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The vault id to encrypt with, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    verbosity: Verbosity,
}

#[derive(Clone, Debug, clap::Args)]
struct CreateArgs {
    #[command(flatten)]
    file: FileArgs,
    /// Start the editor even where there is no terminal.
    #[arg(long)]
    skip_tty_check: bool,
}

#[derive(Clone, Debug, clap::Args)]
struct RekeyArgs {
    #[command(flatten)]
    file: FileArgs,
    /// The new password: `LABEL@FILE` or `LABEL@prompt`.
    #[arg(long, value_name = "ID")]
    new_vault_id: Option<String>,
    /// A file with the new password.
    #[arg(long, value_name = "FILE", conflicts_with = "new_vault_id")]
    new_vault_password_file: Option<String>,
}

#[derive(Clone, Debug, clap::Args)]
struct StringArgs {
    /// The texts; `-` for standard input.
    #[arg(value_name = "TEXT")]
    texts: Vec<String>,
    /// The names of their variables, in order. May be given several times.
    #[arg(short, long, value_name = "NAME")]
    name: Vec<String>,
    /// The name of the variable for standard input.
    #[arg(long, value_name = "NAME")]
    stdin_name: Option<String>,
    /// Ask for a text.
    #[arg(short, long)]
    prompt: bool,
    /// Show what is typed.
    #[arg(long)]
    show_input: bool,
    /// Write here; `-` for standard output.
    #[arg(long, value_name = "FILE")]
    output: Option<String>,
    /// The vault id to encrypt with, where there are several.
    #[arg(long, value_name = "ID")]
    encrypt_vault_id: Option<String>,
    #[command(flatten)]
    vault: VaultOptions,
    #[command(flatten)]
    verbosity: Verbosity,
}

/// Configuration and passwords of one call.
struct Ground {
    config: Arc<Config>,
    request: Request,
    encrypt_id: Option<String>,
}

impl Ground {
    fn new(vault: &VaultOptions, encrypt_id: Option<&String>) -> Result<Self, Report> {
        let config = Arc::new(Config::load(&working_folder()?)?);
        let mut request = Request::default();
        vault.apply(&mut request);
        let configured = config.get("DEFAULT_VAULT_ENCRYPT_IDENTITY").map(str::to_owned);
        Ok(Self { encrypt_id: encrypt_id.cloned().or(configured), config, request })
    }

    fn secrets(&self, new: bool) -> Result<Secrets, Report> {
        secrets::of_vault(&self.request, &self.config, new)
    }

    fn encrypt(&self, plain: &[u8], secrets: &Secrets) -> Result<String, Report> {
        let (id, secret) = secrets.to_encrypt(self.encrypt_id.as_deref())?;
        self.encrypt_as(plain, secret, id)
    }

    fn encrypt_as(&self, plain: &[u8], secret: &Secret, id: &str) -> Result<String, Report> {
        // The default id is not written, as the original does not.
        let id = Some(id).filter(|it| *it != davit_vault::DEFAULT_ID);
        match self.config.get("VAULT_ENCRYPT_SALT") {
            Some(salt) => Ok(davit_vault::encrypt_with_salt(plain, secret, id, salt.as_bytes())),
            None => Ok(davit_vault::encrypt(plain, secret, id)?),
        }
    }
}

/// Does what is asked.
pub(crate) fn run(args: &Args) -> Result<u8, Report> {
    match &args.command {
        Command::Create(args) => create(args),
        Command::Decrypt(args) => decrypt(args),
        Command::Edit(args) => edit(args),
        Command::View(args) => view(args),
        Command::Encrypt(args) => encrypt(args),
        Command::EncryptString(args) => encrypt_string(args),
        Command::Rekey(args) => rekey(args),
    }
}

/// The files that a command works on, in which `-` is standard input.
fn files(args: &FileArgs, name: &str) -> Result<Vec<String>, Report> {
    if args.output.is_some() && args.files.len() > 1 {
        return Err(Report::usage("At most one input file may be used with the --output option"));
    }
    if args.files.is_empty() && matches!(name, "edit" | "view" | "rekey") {
        return Err(Report::usage(format!(
            "ansible-vault {name} requires at least one filename as a parameter"
        )));
    }
    Ok(if args.files.is_empty() { vec!["-".to_owned()] } else { args.files.clone() })
}

/// The plain content of an encrypted file, and the id of the secret that fitted.
fn open<'a>(
    content: &[u8],
    shown: &str,
    secrets: &'a Secrets,
) -> Result<(Vec<u8>, &'a str), Report> {
    let text = String::from_utf8_lossy(content);
    davit_vault::decrypt_with(&text, secrets)
        .map_err(|error| Report::new(format!("{error} for {shown}")))
}

/// Writes a result: to `--output`, else back to the file, else to standard output.
fn put(args: &FileArgs, file: &str, content: &[u8]) -> Result<(), Report> {
    let target = args.output.as_deref().unwrap_or(file);
    if target != "-" {
        return replace(&absolute(target), content);
    }
    let mut out = std::io::stdout();
    match out.write_all(content).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Report::new(format!("cannot write the result: {error}")))
        }
        _ => Ok(()),
    }
}

fn done(what: &str) {
    if std::io::stdout().is_terminal() {
        say(&format!("{what} successful"));
    }
}

fn encrypt(args: &FileArgs) -> Result<u8, Report> {
    let files = files(args, "encrypt")?;
    let ground = Ground::new(&args.vault, args.encrypt_vault_id.as_ref())?;
    let secrets = ground.secrets(true)?;
    for file in &files {
        let plain = read(file, "plaintext")?;
        if davit_vault::is_vault_bytes(&plain) {
            return Err(davit_vault::Error::AlreadyVault.into());
        }
        let text = ground.encrypt(&plain, &secrets)?;
        put(args, file, text.as_bytes())?;
    }
    done("Encryption");
    Ok(exit::OK)
}

fn decrypt(args: &FileArgs) -> Result<u8, Report> {
    let files = files(args, "decrypt")?;
    let ground = Ground::new(&args.vault, None)?;
    let secrets = ground.secrets(false)?;
    for file in &files {
        let content = read(file, "ciphertext")?;
        let shown = if file == "-" { file.clone() } else { absolute(file).display().to_string() };
        let (plain, _) = open(&content, &shown, &secrets)?;
        put(args, file, &plain)?;
    }
    done("Decryption");
    Ok(exit::OK)
}

fn view(args: &FileArgs) -> Result<u8, Report> {
    let ground = Ground::new(&args.vault, None)?;
    let secrets = ground.secrets(false)?;
    for file in files(args, "view")? {
        let content = read(&file, "ciphertext")?;
        let (plain, _) = open(&content, &file, &secrets)?;
        page(&ground.config, &plain)?;
    }
    Ok(exit::OK)
}

fn create(args: &CreateArgs) -> Result<u8, Report> {
    let [file] = args.file.files.as_slice() else {
        return Err(Report::usage("ansible-vault create can take only one filename argument"));
    };
    let ground = Ground::new(&args.file.vault, args.file.encrypt_vault_id.as_ref())?;
    let secrets = ground.secrets(true)?;
    let path = absolute(file);
    if !args.skip_tty_check && !std::io::stdout().is_terminal() {
        return Err(Report::usage("not a tty, editor cannot be opened"));
    }
    if path.exists() {
        return Err(Report::new(format!("{} exists, please use 'edit' instead", path.display())));
    }
    secrets.to_encrypt(ground.encrypt_id.as_deref())?;
    if let Some(folder) = path.parent().filter(|it| !it.is_dir()) {
        fs::create_dir_all(folder)
            .map_err(|error| Report::new(format!("cannot make {}: {error}", folder.display())))?;
    }
    let plain = edited(&ground.config, b"", &path)?;
    let text = ground.encrypt(&plain, &secrets)?;
    replace(&path, text.as_bytes())?;
    Ok(exit::OK)
}

fn edit(args: &FileArgs) -> Result<u8, Report> {
    let ground = Ground::new(&args.vault, args.encrypt_vault_id.as_ref())?;
    let secrets = ground.secrets(false)?;
    for file in files(args, "edit")? {
        let path = absolute(&file);
        let content = read(&file, "ciphertext")?;
        let (plain, id) = open(&content, &path.display().to_string(), &secrets)?;
        let new = edited(&ground.config, &plain, &path)?;
        if new == plain {
            continue;
        }
        let wanted = ground.encrypt_id.clone().unwrap_or_else(|| id.to_owned());
        let (id, secret) = secrets.to_encrypt(Some(&wanted))?;
        let text = ground.encrypt_as(&new, secret, id)?;
        replace(&path, text.as_bytes())?;
    }
    Ok(exit::OK)
}

fn rekey(args: &RekeyArgs) -> Result<u8, Report> {
    let ground = Ground::new(&args.file.vault, args.file.encrypt_vault_id.as_ref())?;
    let files = files(&args.file, "rekey")?;
    let secrets = ground.secrets(false)?;
    let spec = match (&args.new_vault_id, &args.new_vault_password_file) {
        (Some(id), _) => IdSpec::parse(id),
        (None, Some(file)) => {
            IdSpec { label: davit_vault::DEFAULT_ID.into(), source: Source::File(file.into()) }
        }
        (None, None) => IdSpec { label: davit_vault::DEFAULT_ID.into(), source: Source::AskPass },
    };
    let secret = secrets::one(&spec, &ground.config, true)?;
    let plain: Vec<(PathBuf, Vec<u8>)> = files
        .iter()
        .map(|file| {
            let path = absolute(file);
            let content = read(file, "ciphertext")?;
            let (plain, _) = open(&content, &path.display().to_string(), &secrets)?;
            Ok((path, plain))
        })
        .collect::<Result<_, Report>>()?;
    let id = args.file.encrypt_vault_id.clone().unwrap_or(spec.label);
    for (path, plain) in plain {
        let text = ground.encrypt_as(&plain, &secret, &id)?;
        replace(&path, text.as_bytes())?;
    }
    say("Rekey successful");
    Ok(exit::OK)
}

/// A text to encrypt, the name of its variable, and where it came from.
struct Text {
    plain: String,
    name: Option<String>,
    from: &'static str,
}

fn encrypt_string(args: &StringArgs) -> Result<u8, Report> {
    let ground = Ground::new(&args.vault, args.encrypt_vault_id.as_ref())?;
    let secrets = ground.secrets(true)?;
    secrets.to_encrypt(ground.encrypt_id.as_deref())?;
    let texts = texts(args)?;
    let mut out = String::new();
    for (at, text) in texts.iter().enumerate() {
        let cipher = ground.encrypt(text.plain.as_bytes(), &secrets)?;
        if texts.len() > 1 {
            let number = at + 1;
            match &text.name {
                Some(name) => say(&format!(
                    "# The encrypted version of variable (\"{name}\", the string #{number} from {}).",
                    text.from
                )),
                None => say(&format!(
                    "# The encrypted version of the string #{number} from {}.)",
                    text.from
                )),
            }
        }
        out.push_str(&davit_vault::encrypt_string_block(&cipher, text.name.as_deref()));
    }
    match args.output.as_deref() {
        Some(path) if path != "-" => replace(&absolute(path), out.as_bytes())?,
        _ => print(&out)?,
    }
    done("Encryption");
    Ok(exit::OK)
}

fn texts(args: &StringArgs) -> Result<Vec<Text>, Report> {
    let mut texts = Vec::new();
    if args.prompt {
        texts.push(prompted(args)?);
    }
    let stdin = args.stdin_name.is_some()
        || args.texts.iter().any(|it| it == "-")
        || (args.texts.is_empty() && !args.prompt);
    if stdin {
        if std::io::stdin().is_terminal() {
            say(
                "Reading plaintext input from stdin. (ctrl-d to end input, twice if your content does not already have a newline)",
            );
        }
        let plain = std::io::read_to_string(std::io::stdin())
            .map_err(|error| Report::new(format!("Unable to read standard input: {error}")))?;
        if plain.is_empty() {
            return Err(Report::usage("stdin was empty, not encrypting"));
        }
        texts.push(Text { plain, name: args.stdin_name.clone(), from: "stdin" });
    }
    let plain = args.texts.iter().filter(|it| *it != "-").count();
    if let Some(last) = args.name.last().filter(|_| args.name.len() < plain) {
        say(&format!(
            "The number of --name options do not match the number of args.\nThe last named variable will be \"{last}\". The rest will not have names."
        ));
    }
    let mut names = args.name.iter().skip(usize::from(args.prompt && !args.name.is_empty()));
    for text in args.texts.iter().filter(|it| *it != "-") {
        if text.is_empty() {
            return Err(Report::usage(
                "The plaintext provided from the command line args was empty, not encrypting",
            ));
        }
        texts.push(Text {
            plain: text.clone(),
            name: names.next().cloned(),
            from: "the command line args",
        });
    }
    Ok(texts)
}

fn prompted(args: &StringArgs) -> Result<Text, Report> {
    let terminal = prompt::Terminal;
    let ask = |text: &str, secret: bool| {
        davit_run::Prompt::ask(&terminal, text, secret)
            .ok_or_else(|| Report::new("a text is to be asked for, and there is no terminal"))
    };
    let name = match args.name.first() {
        Some(name) => Some(name.clone()),
        None => {
            Some(ask("Variable name (enter for no name): ", false)?).filter(|it| !it.is_empty())
        }
    };
    let hidden = if args.show_input { "" } else { " (hidden)" };
    let plain = ask(&format!("String to encrypt{hidden}: "), !args.show_input)?;
    if plain.is_empty() {
        return Err(Report::usage(
            "The plaintext provided from the prompt was empty, not encrypting",
        ));
    }
    if !args.show_input && ask("Confirm String to encrypt: ", true)? != plain {
        return Err(Report::new("the texts do not match"));
    }
    Ok(Text { plain, name, from: "the interactive prompt" })
}
