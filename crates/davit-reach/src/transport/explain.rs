//! What ssh's complaints mean, and what to do about them. Knows no session: it reads text.

use std::sync::atomic::Ordering;
use std::time::Duration;

use davit_run::Unreachable;

use crate::askpass::{Asked, Memory};
use crate::words::quote;

/// A log-in that came to nothing.
pub(crate) struct Attempt<'a> {
    pub(crate) host: &'a str,
    pub(crate) port: Option<u16>,
    pub(crate) user: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) timeout: Duration,
    pub(crate) memory: &'a Memory,
    /// A password was there to be given.
    pub(crate) has_password: bool,
}

impl Attempt<'_> {
    /// The host as `known_hosts` names it.
    fn known_as(&self) -> String {
        match self.port {
            Some(port) if port != 22 => format!("[{}]:{port}", self.host),
            _ => self.host.to_owned(),
        }
    }

    /// The command that logs in by hand.
    fn by_hand(&self) -> String {
        let port = self.port.map(|port| format!(" -p {port}")).unwrap_or_default();
        let user = self.user.map(|user| format!("{user}@")).unwrap_or_default();
        format!("ssh{port} {}", quote(&format!("{user}{}", self.host)))
    }
}

/// What begins the lines in which ssh itself says why it ends.
const OF_SSH: &[&str] = &[
    "ssh: ",
    "ssh_",
    "kex_exchange_identification:",
    "Connection closed by ",
    "Connection reset by ",
    "Connection timed out during ",
    "Connection to ",
    "Disconnected from ",
    "Received disconnect from ",
    "Host key verification failed.",
    "Unable to negotiate with ",
    "client_loop: ",
    "packet_write_",
    "Timeout, server ",
    "command-line: line ",
    "Bad owner or permissions on ",
    "banner exchange: ",
    "mux_client_",
    "Control socket connect",
];

/// True where ssh says that it failed itself: else what it ran ended with 255.
pub(crate) fn is_of_ssh(said: &str) -> bool {
    said.lines().any(|line| {
        let line = line.trim_end();
        let denied = line.contains(": Permission denied (") && line.ends_with(").");
        denied || OF_SSH.iter().any(|begin| line.starts_with(begin))
    })
}

/// What to say of a session that ended before it came to anything.
pub(crate) fn explain(attempt: &Attempt<'_>, code: Option<i32>, said: &str) -> Unreachable {
    let said = said.trim();
    let gave_password =
        attempt.has_password && attempt.memory.gave_password.load(Ordering::Relaxed);
    if gave_password && said.contains("Permission denied (") {
        attempt.memory.refuse(said);
        return wrong_password(said);
    }
    if code.is_some_and(|code| code != 255) && !is_of_ssh(said) {
        return no_shell(attempt, code, said);
    }
    let why = match (said, code) {
        ("", Some(code)) => format!("ssh ended with {code} and said nothing"),
        ("", None) => "ssh ended and said nothing".into(),
        _ => said.to_owned(),
    };
    let why = format!("Failed to connect to the host via ssh: {why}");
    Unreachable { help: help(attempt, said), ..Unreachable::new(why) }
}

/// The password is wrong.
pub(crate) fn wrong_password(said: &str) -> Unreachable {
    let why = format!("Failed to connect to the host via ssh: {said}");
    let help = "the host refused the password (or the user may not log in with one); it is not tried again in this run, as that could lock the account";
    Unreachable { help: Some(help.into()), ..Unreachable::new(why) }
}

/// Logged in, and thrown out.
fn no_shell(attempt: &Attempt<'_>, code: Option<i32>, said: &str) -> Unreachable {
    let user = attempt.user.map_or_else(|| "the user".to_owned(), |user| format!("'{user}'"));
    let low = said.to_lowercase();
    let help = if low.contains("account is currently not available") || low.contains("nologin") {
        format!(
            "{user} has no shell that can be logged in to: log in as another user and use become"
        )
    } else if low.contains("sftp connections only") {
        format!(
            "{user} may only transfer files (ForceCommand internal-sftp, or a subsystem): nothing can be run as that user"
        )
    } else if code == Some(127) || low.contains("not found") || low.contains("no such file") {
        format!("the shell of {user} cannot run `/bin/sh`")
    } else {
        format!(
            "the log-in works; what the user's shell does is seen with `{} true`",
            attempt.by_hand()
        )
    };
    let code = code.map_or_else(|| "a signal".to_owned(), |code| code.to_string());
    let said = if said.is_empty() { String::new() } else { format!(": {said}") };
    let why = format!("Failed to start a shell on the host: it ended with {code}{said}");
    Unreachable { help: Some(help), ..Unreachable::new(why) }
}

fn help(attempt: &Attempt<'_>, said: &str) -> Option<String> {
    let has = |text: &str| said.contains(text);
    let host = attempt.host;
    let of_jump = has("UNKNOWN port 65535") || has("stdio forwarding failed");
    let first = if has("REMOTE HOST IDENTIFICATION HAS CHANGED") {
        changed_key(attempt, said)
    } else if has("Host key verification failed") || has("host key is known for") {
        unknown_key(attempt)
    } else if has("Permission denied (") {
        denied(attempt, said)
    } else if has("Too many authentication failures") {
        "the ssh agent offers too many keys: name the right one with ansible_ssh_private_key_file and add IdentitiesOnly=yes to the host in ~/.ssh/config".into()
    } else if has("Connection refused") {
        format!(
            "nothing listens there: is sshd running on {host}, and is port {} the right one (ansible_port)?",
            attempt.port.unwrap_or(22)
        )
    } else if has("timed out") || has("Timeout, server") {
        format!(
            "no answer within {} s: is the host up, and does a firewall lie between? ansible_ssh_timeout gives it longer",
            attempt.timeout.as_secs()
        )
    } else if has("No route to host") || has("Network is unreachable") {
        "no way leads there from this machine: is the host up, and is the address right (ansible_host)?".into()
    } else if has("Could not resolve hostname") {
        let name = between(said, "Could not resolve hostname ", ":").unwrap_or(host);
        format!(
            "the name '{name}' has no address: is it spelt right? ansible_host says where a host is, `Host` in ~/.ssh/config as well"
        )
    } else if has("Unable to negotiate") {
        let what = between(said, "no matching ", " found").unwrap_or("algorithm");
        format!(
            "the host only has what this ssh holds to be too old or too new ({what}); `ssh -Q` lists what it knows, and ansible_ssh_common_args can allow more"
        )
    } else if has("Bad configuration option")
        || has("Bad owner or permissions on")
        || has("terminating, ")
    {
        "ssh's configuration or ansible_ssh_*_args are wrong: the line says where".into()
    } else if has("No such file or directory") && of_jump {
        "the ProxyCommand cannot be run".into()
    } else if of_jump {
        "the way through the jump host (ProxyJump, ProxyCommand) is broken: the lines before the last say where".into()
    } else if has("kex_exchange_identification")
        || has("Connection closed by")
        || has("Connection reset by")
    {
        "the host took the connection and closed it: MaxStartups or a block list on its side, or no sshd at that port".into()
    } else {
        return None;
    };
    let through = of_jump && !first.contains("jump host");
    Some(if through { format!("{first} (on the way through the jump host)") } else { first })
}

fn between<'a>(text: &'a str, before: &str, after: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(before)?;
    rest.split_once(after).map(|(it, _)| it.trim())
}

fn unknown_key(attempt: &Attempt<'_>) -> String {
    let name = attempt.known_as();
    let Some(question) = attempt.memory.unanswered(Asked::HostKey) else {
        return format!(
            "the key of {name} is not known here: log in once by hand with `{}`",
            attempt.by_hand()
        );
    };
    // The question names the host, which may be one that is jumped through.
    let whose = between(&question, "authenticity of host '", "'").unwrap_or(&name);
    // Its address stands behind its name.
    let whose = whose.split(' ').next().unwrap_or(whose);
    let fingerprint = between(&question, "fingerprint is ", "\n")
        .map(|it| it.trim_end_matches('.'))
        .unwrap_or("not told");
    let nobody = if attempt.memory.declined.load(Ordering::Relaxed) {
        "it was not accepted"
    } else {
        "nobody is there to be asked"
    };
    let with_port = whose.strip_prefix('[').and_then(|it| it.split_once("]:"));
    let (address, port) = with_port.unwrap_or((whose, "22"));
    let port = if port == "22" { String::new() } else { format!(" -p {port}") };
    format!(
        "the key of {whose} is not known here, and {nobody}. Its fingerprint is {fingerprint}. If that is the host's, add the key with `ssh-keyscan{port} {address} >> ~/.ssh/known_hosts`, or log in once by hand with `{}`; host_key_checking = False lets every key pass",
        attempt.by_hand()
    )
}

fn changed_key(attempt: &Attempt<'_>, said: &str) -> String {
    let at = said.lines().find_map(|line| {
        let (_, at) = line.trim().strip_prefix("Offending ")?.split_once(" key in ")?;
        Some(at.to_owned())
    });
    let name = between(said, "Host key for ", " has changed")
        .map_or_else(|| attempt.known_as(), str::to_owned);
    let (file, place) = match &at {
        Some(at) => {
            let file = at.rsplit_once(':').map_or(at.as_str(), |(file, _)| file);
            (format!(" -f {}", quote(file)), format!(" ({at})"))
        }
        None => (String::new(), String::new()),
    };
    format!(
        "the key of {name} is another one than was known{place}. Either the host was set up anew, or somebody stands between: find out which. If the new key is right, remove the old one with `ssh-keygen{file} -R {}`",
        quote(&name)
    )
}

fn denied(attempt: &Attempt<'_>, said: &str) -> String {
    let methods = between(said, "Permission denied (", ")").unwrap_or_default();
    let user = attempt.user.map_or_else(|| "the user".to_owned(), |user| format!("'{user}'"));
    let takes_password =
        methods.split(',').any(|it| it.starts_with("password") || it.starts_with("keyboard"));
    let mut parts = vec![format!("the host takes {methods} and let {user} in with none of them")];
    if let Some(key) = key_trouble(attempt, said) {
        parts.push(key);
    } else if let Some(key) = attempt.key {
        parts.push(format!(
            "the key {key} was offered: is its public half in the user's ~/.ssh/authorized_keys?"
        ));
    } else {
        parts.push("the keys of ~/.ssh and of the ssh agent were offered; ansible_ssh_private_key_file names another".into());
    }
    if let Some(question) = attempt.memory.unanswered(Asked::Secret) {
        parts.push(format!("the host asked '{}', which nobody has answered", question.trim()));
    } else if let Some(question) = attempt.memory.unanswered(Asked::Password) {
        parts.push(format!("the question '{}' was not answered", question.trim()));
    } else if takes_password && !attempt.has_password {
        parts.push("-k asks for a password, ansible_password holds one".into());
    }
    parts.join("; ")
}

/// What is wrong with a key.
fn key_trouble(attempt: &Attempt<'_>, said: &str) -> Option<String> {
    if said.contains("UNPROTECTED PRIVATE KEY FILE") {
        let file = between(said, "Permissions ", " are too open")?;
        let file = file.split_once(" for ").map_or(file, |(_, file)| file).trim_matches('\'');
        return Some(format!(
            "the key was not used because others can read it: `chmod 600 {}`",
            quote(file)
        ));
    }
    if let Some(file) = between(said, "Identity file ", " not accessible") {
        return Some(format!("the key {file} cannot be read"));
    }
    if let Some(file) = between(said, "no such identity: ", ":") {
        return Some(format!("there is no key {file} on this machine"));
    }
    if let Some(question) = attempt.memory.unanswered(Asked::Passphrase) {
        let file = between(&question, "key '", "'").unwrap_or("of the user");
        return Some(format!(
            "the key {file} has a passphrase that nobody has typed: add it to an ssh agent with `ssh-add {}`, or set ansible_ssh_private_key_passphrase",
            quote(file)
        ));
    }
    if let Some(file) = between(said, "Load key \"", "\"") {
        return Some(format!(
            "the key {file} cannot be used: it is no private key, or its passphrase is wrong"
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(memory: &Memory) -> Attempt<'_> {
        Attempt {
            host: "10.0.0.7",
            port: Some(2222),
            user: Some("deploy"),
            key: None,
            timeout: Duration::from_secs(10),
            memory,
            has_password: false,
        }
    }

    /// What OpenSSH 9.2 says, and a part of what is said of it.
    const SAID: &[(&str, &str)] = &[
        ("ssh: connect to host 10.0.0.7 port 2222: Connection refused", "port 2222 the right one"),
        (
            "Connection timed out during banner exchange\nConnection to 10.0.0.7 port 2222 timed out",
            "within 10 s",
        ),
        ("ssh: connect to host 10.0.0.7 port 2222: No route to host", "no way leads there"),
        ("ssh: Could not resolve hostname web: Name or service not known", "'web' has no address"),
        (
            "deploy@10.0.0.7: Permission denied (publickey,password).",
            "takes publickey,password and let 'deploy' in with none",
        ),
        ("deploy@10.0.0.7: Permission denied (publickey,password).", "-k asks for a password"),
        (
            "Warning: Identity file /no/key not accessible: No such file or directory.\ndeploy@10.0.0.7: Permission denied (publickey).",
            "the key /no/key cannot be read",
        ),
        (
            "no such identity: /no/key: No such file or directory\ndeploy@10.0.0.7: Permission denied (publickey).",
            "there is no key /no/key",
        ),
        (
            "Permissions 0644 for 'open' are too open.\nWARNING: UNPROTECTED PRIVATE KEY FILE!\ndeploy@10.0.0.7: Permission denied (publickey).",
            "`chmod 600 open`",
        ),
        (
            "Load key \"bad\": error in libcrypto\ndeploy@10.0.0.7: Permission denied (publickey).",
            "the key bad cannot be used",
        ),
        (
            "Received disconnect from 10.0.0.7 port 2222:2: Too many authentication failures\nDisconnected from 10.0.0.7 port 2222",
            "IdentitiesOnly",
        ),
        (
            "Unable to negotiate with 10.0.0.7 port 2222: no matching cipher found. Their offer: 3des-cbc",
            "(cipher)",
        ),
        ("command-line: line 0: Bad configuration option: nosuch", "configuration"),
        (
            "ssh: connect to host jump port 22: Connection refused\nkex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
            "on the way through the jump host",
        ),
        (
            "kex_exchange_identification: Connection closed by remote host\nConnection closed by UNKNOWN port 65535",
            "the way through the jump host",
        ),
        (
            "kex_exchange_identification: read: Connection reset by peer\nConnection reset by 10.0.0.7 port 2222",
            "closed it",
        ),
        ("Host key verification failed.", "log in once by hand with `ssh -p 2222 deploy@10.0.0.7`"),
        (
            "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @\nOffending ED25519 key in /home/me/.ssh/known_hosts:3\nHost key for [10.0.0.7]:2222 has changed and you have requested strict checking.\nHost key verification failed.",
            "(/home/me/.ssh/known_hosts:3)",
        ),
    ];

    #[test]
    fn what_ssh_says_is_explained() {
        for (said, part) in SAID {
            let memory = Memory::default();
            let error = explain(&attempt(&memory), Some(255), said);
            assert_eq!(error.why, format!("Failed to connect to the host via ssh: {said}"));
            let help = error.help.unwrap_or_default();
            assert!(help.contains(part), "{said}\n--\n{help}");
            assert!(is_of_ssh(said), "{said}");
        }
    }

    #[test]
    fn what_a_command_says_is_not_ssh() {
        for said in ["", "backup: Connection refused", "rsync: Permission denied (13)"] {
            assert!(!is_of_ssh(said), "{said}");
        }
    }

    #[test]
    fn a_user_without_a_shell_is_told_from_a_broken_connection() {
        for (said, part) in [
            ("This account is currently not available.", "become"),
            ("This service allows sftp connections only.", "transfer files"),
        ] {
            let memory = Memory::default();
            let error = explain(&attempt(&memory), Some(1), said);
            assert!(error.why.starts_with("Failed to start a shell"), "{}", error.why);
            assert!(error.help.is_some_and(|help| help.contains(part)));
        }
    }

    #[test]
    fn a_password_that_was_refused_is_remembered() {
        let memory = Memory::default();
        memory.gave_password.store(true, Ordering::Relaxed);
        let attempt = Attempt { has_password: true, ..attempt(&memory) };
        let said = "deploy@10.0.0.7: Permission denied (publickey,password).";
        let error = explain(&attempt, Some(255), said);
        assert!(error.help.is_some_and(|help| help.contains("refused the password")));
        assert_eq!(memory.refusal().as_deref(), Some(said));
    }
}
