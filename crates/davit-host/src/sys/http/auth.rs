//! Showing who one is: Basic, Digest, and the file that keeps passwords.
//!
//! It does not know when a server asks for it.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Failure;
use crate::checksum::{self, Algorithm};

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Login {
    pub(crate) name: String,
    pub(crate) password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Login {
    /// The value of `Authorization` for Basic.
    pub(super) fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.name, self.password)))
    }
}

/// The parts of a challenge: `Digest realm="x", nonce=y`.
fn parts(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    // The first word says only which kind of challenge it is.
    let mut rest = text.trim_start().split_once(' ').map_or("", |it| it.1);
    while let Some((name, tail)) = rest.split_once('=') {
        let name = name.trim_matches([' ', ',', '\t']).to_ascii_lowercase();
        let (value, after) = match tail.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
            None => tail.split_once(',').unwrap_or((tail, "")),
        };
        found.push((name, value.trim().to_owned()));
        rest = after;
    }
    found
}

/// The value of `Authorization` that answers a Digest challenge.
///
/// # Errors
/// Where it asks for what is not known here.
pub(super) fn digest(
    challenge: &str,
    login: &Login,
    method: &str,
    target: &str,
) -> Result<String, Failure> {
    let parts = parts(challenge);
    let part = |name: &str| parts.iter().find(|(it, _)| it == name).map(|(_, it)| it.as_str());
    let written = part("algorithm").unwrap_or("MD5");
    let upper = written.to_ascii_uppercase();
    let (plain, session) =
        upper.strip_suffix("-SESS").map_or((upper.as_str(), false), |it| (it, true));
    let algorithm = match plain {
        "MD5" => Algorithm::Md5,
        "SHA" => Algorithm::Sha1,
        "SHA-256" => Algorithm::Sha256,
        _ => {
            return Err(Failure::Value(format!(
                "Unsupported digest authentication algorithm '{written}'"
            )));
        }
    };
    let hash = |text: String| {
        checksum::of(&mut text.as_bytes(), algorithm)
            .map_err(|err| Failure::Unknown(err.to_string()))
    };
    let realm = part("realm").unwrap_or_default();
    let nonce = part("nonce").unwrap_or_default();
    let random = format!("{:016x}", random_number());
    let mut secret = hash(format!("{}:{realm}:{}", login.name, login.password))?;
    if session {
        secret = hash(format!("{secret}:{nonce}:{random}"))?;
    }
    let asked = hash(format!("{method}:{target}"))?;
    let quality = part("qop").map(|it| it.split(',').any(|it| it.trim() == "auth"));
    let (response, more) = match quality {
        Some(true) => (
            hash(format!("{secret}:{nonce}:00000001:{random}:auth:{asked}"))?,
            format!(", qop=auth, nc=00000001, cnonce=\"{random}\""),
        ),
        Some(false) => {
            return Err(Failure::Value("qop 'auth-int' is not supported.".to_owned()));
        }
        None => (hash(format!("{secret}:{nonce}:{asked}"))?, String::new()),
    };
    let mut out = format!(
        "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{target}\", \
         response=\"{response}\"",
        login.name.replace(['"', '\\'], "")
    );
    if let Some(opaque) = part("opaque") {
        out.push_str(&format!(", opaque=\"{opaque}\""));
    }
    out.push_str(&format!(", algorithm=\"{written}\"{more}"));
    Ok(out)
}

/// A number that nobody can guess.
pub(super) fn random_number() -> u64 {
    use std::hash::{BuildHasher, Hasher, RandomState};
    // Each has keys of its own, from the system's source of random numbers.
    RandomState::new().build_hasher().finish()
}

/// The login that the user keeps for a host in `NETRC` or `~/.netrc`.
pub(super) fn kept(host: &str, env: &dyn Fn(&str) -> Option<String>) -> Option<Login> {
    let path = env("NETRC").filter(|it| !it.is_empty()).map(PathBuf::from);
    let path = path.or_else(|| Some(Path::new(&env("HOME")?).join(".netrc")))?;
    login_for(host, &fs::read_to_string(path).ok()?)
}

fn login_for(host: &str, text: &str) -> Option<Login> {
    let plain: String = text
        .lines()
        .filter(|it| !it.trim_start().starts_with('#'))
        .flat_map(|it| [it, "\n"])
        .collect();
    let mut words = plain.split_whitespace();
    let (mut own, mut other) = (None, None);
    let mut login: Option<&mut Option<Login>> = None;
    while let Some(word) = words.next() {
        let fresh = || Login { name: String::new(), password: String::new() };
        match word {
            "machine" => {
                let matches = words.next() == Some(host) && own.is_none();
                login = matches.then_some(&mut own);
                login.iter_mut().for_each(|it| **it = Some(fresh()));
            }
            "default" => {
                other = Some(fresh());
                login = Some(&mut other);
            }
            "login" | "user" | "password" | "account" => {
                let value = words.next().unwrap_or_default().trim_matches('"');
                if let Some(Some(login)) = &mut login {
                    match word {
                        "password" => value.clone_into(&mut login.password),
                        "account" => {}
                        _ => value.clone_into(&mut login.name),
                    }
                }
            }
            // Macros run up to an empty line; nothing after one is worth a guess.
            "macdef" => break,
            _ => {}
        }
    }
    own.or(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        Login { name: "Mufasa".into(), password: "Circle Of Life".into() }
    }

    #[test]
    fn basic_is_as_in_the_standard() {
        let login = Login { name: "Aladdin".into(), password: "open sesame".into() };
        assert_eq!(login.basic(), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");
        assert!(!format!("{login:?}").contains("sesame"));
    }

    #[test]
    fn digest_without_quality_is_as_in_the_standard() {
        let challenge = "Digest realm=\"testrealm@host.com\", opaque=\"5ccc\", \
                         nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"";
        let answer = digest(challenge, &login(), "GET", "/dir/index.html").unwrap();
        assert!(answer.contains("response=\"670fd8c2df070c60b045671b8b24ff02\""), "{answer}");
        assert!(answer.contains("opaque=\"5ccc\""), "{answer}");
        assert_eq!(parts("Digest realm=\"a, b\", x=y")[0], ("realm".into(), "a, b".into()));
        assert!(digest("Digest algorithm=X", &login(), "GET", "/").is_err());
        assert!(digest("Digest qop=\"auth-int\"", &login(), "GET", "/").is_err());
        assert!(digest("Digest qop=\"auth,auth-int\"", &login(), "GET", "/").is_ok());
    }

    #[test]
    fn kept_logins_are_found() {
        let text = "# c\nmachine a login la password pa\nmachine b\n login lb\n password \"pb\"\n\
                    default login ld password pd\nmacdef init\n cd\n";
        for (host, expect) in [("a", "la:pa"), ("b", "lb:pb"), ("c", "ld:pd")] {
            let login = login_for(host, text).unwrap();
            assert_eq!(format!("{}:{}", login.name, login.password), expect);
        }
        assert_eq!(login_for("x", "machine y login z"), None);
    }
}
