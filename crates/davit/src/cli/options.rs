//! Options that several commands share, as typed; each group puts what it means into a [`Request`].

use crate::report::warn;
use crate::setup::Request;

/// Which hosts.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct InventoryOptions {
    /// Inventory: a file, a folder, a script, or hosts with a comma: `a,b,`. May be given several times.
    #[arg(short, long, alias = "inventory-file", value_name = "INVENTORY")]
    inventory: Vec<String>,
    /// Only hosts that this pattern selects too; `@FILE` reads patterns from a file.
    #[arg(short, long, value_name = "PATTERN", allow_hyphen_values = true)]
    limit: Option<String>,
    /// Forget cached facts first.
    #[arg(long)]
    flush_cache: bool,
}

impl InventoryOptions {
    pub(crate) fn apply(&self, request: &mut Request) {
        request.inventory.clone_from(&self.inventory);
        request.limit.clone_from(&self.limit);
        request.flush_cache = self.flush_cache;
    }
}

/// Variables of the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct VariableOptions {
    /// Variables above all others: `k=v`, JSON, YAML, or `@FILE`. May be given several times.
    #[arg(short, long, value_name = "VARS", allow_hyphen_values = true)]
    extra_vars: Vec<String>,
}

impl VariableOptions {
    pub(crate) fn apply(&self, request: &mut Request) {
        request.extra_vars.clone_from(&self.extra_vars);
    }
}

/// Where vault passwords come from.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct VaultOptions {
    /// A vault password by its id: `LABEL@FILE` or `LABEL@prompt`. May be given several times.
    #[arg(long, value_name = "ID")]
    vault_id: Vec<String>,
    /// A file with a vault password, or a program that prints one. May be given several times.
    #[arg(
        long,
        alias = "vault-pass-file",
        value_name = "FILE",
        conflicts_with = "ask_vault_password"
    )]
    vault_password_file: Vec<String>,
    /// Ask for the vault password.
    #[arg(short = 'J', long, visible_alias = "ask-vault-pass")]
    ask_vault_password: bool,
}

impl VaultOptions {
    pub(crate) fn apply(&self, request: &mut Request) {
        request.vault_ids.clone_from(&self.vault_id);
        request.vault_password_files.clone_from(&self.vault_password_file);
        request.ask_vault_password = self.ask_vault_password;
    }
}

/// How hosts are reached.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectionOptions {
    /// How hosts are reached where nothing else says.
    #[arg(short, long, value_name = "NAME")]
    connection: Option<String>,
    /// How long a host may take to answer, in seconds.
    #[arg(short = 'T', long, value_name = "SECONDS")]
    timeout: Option<u64>,
    /// Log in as this user (ssh).
    #[arg(short, long, value_name = "NAME")]
    user: Option<String>,
    /// Log in with this key (ssh).
    #[arg(long, alias = "key-file", value_name = "FILE")]
    private_key: Option<String>,
    /// Arguments for ssh, sftp and scp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    ssh_common_args: Option<String>,
    /// Arguments for sftp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    sftp_extra_args: Option<String>,
    /// Arguments for scp.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    scp_extra_args: Option<String>,
    /// Arguments for ssh.
    #[arg(long, value_name = "ARGS", allow_hyphen_values = true)]
    ssh_extra_args: Option<String>,
    /// Ask for the password to log in with (ssh).
    #[arg(short = 'k', long, conflicts_with = "connection_password_file")]
    ask_pass: bool,
    /// A file with the password to log in with (ssh).
    #[arg(long, alias = "conn-pass-file", value_name = "FILE")]
    connection_password_file: Option<String>,
    /// Folders with modules of your own.
    #[arg(short = 'M', long, value_name = "PATH")]
    module_path: Vec<String>,
}

impl ConnectionOptions {
    /// Puts in what is supported, and names what is not.
    pub(crate) fn apply(&self, request: &mut Request) {
        request.connection.clone_from(&self.connection);
        request.timeout = self.timeout;
        request.user.clone_from(&self.user);
        let login = &mut request.login;
        login.private_key.clone_from(&self.private_key);
        login.ssh_common_args.clone_from(&self.ssh_common_args);
        login.ssh_extra_args.clone_from(&self.ssh_extra_args);
        login.ask_password = self.ask_pass;
        login.password_file.clone_from(&self.connection_password_file);
        for (given, name) in [
            (self.sftp_extra_args.is_some(), "--sftp-extra-args"),
            (self.scp_extra_args.is_some(), "--scp-extra-args"),
        ] {
            if given {
                warn(&format!("{name} has no effect: files travel over the connection itself"));
            }
        }
        if !self.module_path.is_empty() {
            warn("--module-path has no effect: modules that are Python programs are not supported");
        }
    }
}

/// As which user tasks run.
#[derive(Clone, Debug, Default, clap::Args)]
#[command(next_help_heading = "Privileges")]
pub(crate) struct BecomeOptions {
    /// Run tasks as another user.
    #[arg(short = 'b', long = "become", id = "become")]
    enabled: bool,
    /// How to become that user.
    #[arg(long, value_name = "NAME")]
    become_method: Option<String>,
    /// That user.
    #[arg(long, value_name = "NAME")]
    become_user: Option<String>,
    /// Ask for the password that it takes.
    #[arg(short = 'K', long, conflicts_with = "become_password_file")]
    ask_become_pass: bool,
    /// A file with the password that it takes.
    #[arg(long, alias = "become-pass-file", value_name = "FILE")]
    become_password_file: Option<String>,
}

impl BecomeOptions {
    pub(crate) fn apply(&self, request: &mut Request) {
        if self.enabled {
            request.privileges.insert("become".into(), "true".into());
        }
        if let Some(method) = &self.become_method {
            request.privileges.insert("become_method".into(), method.clone());
        }
        if let Some(user) = &self.become_user {
            request.privileges.insert("become_user".into(), user.clone());
        }
        request.login.ask_become_password = self.ask_become_pass;
        request.login.become_password_file.clone_from(&self.become_password_file);
    }
}

/// How tasks run.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TaskOptions {
    /// Change nothing; say what would change.
    #[arg(short = 'C', long)]
    check: bool,
    /// Show what changes in files.
    #[arg(short = 'D', long)]
    diff: bool,
    /// How many hosts at the same time.
    #[arg(short, long, value_name = "NUMBER", value_parser = forks)]
    forks: Option<usize>,
}

fn forks(text: &str) -> Result<usize, String> {
    let forks: usize = text.parse().map_err(|_| format!("'{text}' is no number"))?;
    if forks == 0 {
        return Err("The number of processes (--forks) must be >= 1".to_owned());
    }
    Ok(forks)
}

impl TaskOptions {
    pub(crate) fn apply(&self, request: &mut Request) {
        request.check = self.check;
        request.diff = self.diff;
        request.forks = self.forks;
    }
}

/// How much is said.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub(crate) struct Verbosity {
    /// Say more; up to six times.
    #[arg(short, long, action = clap::ArgAction::Count)]
    verbose: u8,
}

impl Verbosity {
    pub(crate) fn apply(self, request: &mut Request) {
        request.verbosity = self.verbose;
    }
}
