//! Users, groups and addresses by name, as the host knows them.
//!
//! A statically linked program must not ask the C library: the services behind it (LDAP, systemd,
//! mDNS ...) are shared objects, and loading one that was built for another C library ends the
//! process. So the files are read, and whatever they do not hold is asked of the host's own
//! `getent`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer of `getent` counts: files of one folder ask for the same few names.
const KEPT: Duration = Duration::from_secs(2);

/// A user of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Name.
    pub name: String,
    /// Number.
    pub uid: u32,
    /// Number of the user's own group.
    pub gid: u32,
    /// What else is written about the user.
    pub gecos: String,
    /// Home folder.
    pub dir: PathBuf,
    /// Shell.
    pub shell: String,
}

impl User {
    fn parse(line: &str) -> Option<Self> {
        let mut fields = line.split(':');
        let mut next = || fields.next();
        let (name, _, uid, gid) = (next()?, next()?, next()?, next()?);
        let (gecos, dir, shell) = (next()?, next()?, next()?);
        Some(Self {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid: gid.parse().ok()?,
            gecos: gecos.to_owned(),
            dir: dir.into(),
            shell: shell.to_owned(),
        })
    }

    /// The user of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let is_it = |line: &str| line.split(':').next() == Some(name);
        Self::parse(&find("passwd", name, is_it)?)
    }

    /// The user of that number.
    #[must_use]
    pub fn numbered(uid: u32) -> Option<Self> {
        let key = uid.to_string();
        let is_it = |line: &str| line.split(':').nth(2) == Some(key.as_str());
        Self::parse(&find("passwd", &key, is_it)?)
    }
}

/// The number of the group of that name.
#[must_use]
pub fn group_number(name: &str) -> Option<u32> {
    let is_it = |line: &str| line.split(':').next() == Some(name);
    find("group", name, is_it)?.split(':').nth(2)?.parse().ok()
}

/// The name of the group of that number.
#[must_use]
pub fn group_name(gid: u32) -> Option<String> {
    let key = gid.to_string();
    let is_it = |line: &str| line.split(':').nth(2) == Some(key.as_str());
    find("group", &key, is_it)?.split(':').next().map(str::to_owned)
}

/// The line of a database.
fn find(database: &'static str, key: &str, is_it: impl Fn(&str) -> bool) -> Option<String> {
    let file = std::fs::read(format!("/etc/{database}")).unwrap_or_default();
    let text = String::from_utf8_lossy(&file);
    if let Some(line) = text.lines().find(|line| is_it(line)) {
        return Some(line.to_owned());
    }
    // What begins so would be an option.
    if key.is_empty() || key.starts_with('-') || key.contains(['\0', ':', '\n']) {
        return None;
    }
    let told = asked(database, key)?;
    told.lines().find(|line| is_it(line)).map(str::to_owned)
}

/// What `getent` was asked and has said, and when.
type Answers = HashMap<(&'static str, String), (Instant, Option<String>)>;

/// What `getent` says of a key; `None` where it knows nothing, or is not there.
fn asked(database: &'static str, key: &str) -> Option<String> {
    static KNOWN: LazyLock<Mutex<Answers>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|_, (at, _)| at.elapsed() < KEPT);
    let slot = (database, key.to_owned());
    if let Some((_, told)) = known.get(&slot) {
        return told.clone();
    }
    drop(known);
    let ran = Command::new("getent").args([database, key]).stdin(Stdio::null()).output().ok();
    let told = ran
        .filter(|it| it.status.success())
        .map(|it| String::from_utf8_lossy(&it.stdout).into_owned());
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    known.insert(slot, (Instant::now(), told.clone()));
    told
}

/// The addresses of a name, or the address that it is.
#[must_use]
pub fn addresses(host: &str, port: u16) -> Vec<SocketAddr> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return vec![SocketAddr::new(address, port)];
    }
    if host.is_empty() || host.starts_with('-') || host.contains('\0') {
        return Vec::new();
    }
    let told = Command::new("getent").args(["ahosts", host]).stdin(Stdio::null()).output();
    let Ok(told) = told else {
        // A host without `getent` has no services that it could ask either.
        return (host, port).to_socket_addrs().map(Iterator::collect).unwrap_or_default();
    };
    let mut found: Vec<SocketAddr> = Vec::new();
    for line in String::from_utf8_lossy(&told.stdout).lines() {
        let address = line.split_whitespace().next().and_then(|it| it.parse::<IpAddr>().ok());
        let address = address.map(|it| SocketAddr::new(it, port));
        found.extend(address.filter(|it| !found.contains(it)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_and_groups_are_found_both_ways() {
        let root = User::named("root").unwrap();
        assert_eq!((root.uid, root.gid), (0, 0));
        assert_eq!(User::numbered(0).unwrap().name, "root");
        let group = group_name(0).unwrap();
        assert_eq!(group_number(&group), Some(0));
    }

    #[test]
    fn what_nobody_knows_is_nothing() {
        for name in ["", "-h", "no such user", "a:b", "nosuchuser", "a\nb"] {
            assert_eq!(User::named(name), None, "{name}");
            assert_eq!(group_number(name), None, "{name}");
        }
        assert_eq!(User::numbered(3_999_999_999), None);
        assert_eq!(group_name(3_999_999_999), None);
    }

    #[test]
    fn addresses_of_names_and_of_addresses() {
        assert_eq!(addresses("127.0.0.1", 5), ["127.0.0.1:5".parse().unwrap()]);
        assert!(addresses("localhost", 5).iter().all(|it| it.ip().is_loopback()));
        assert!(addresses("no-such-host.invalid", 5).is_empty());
    }
}
