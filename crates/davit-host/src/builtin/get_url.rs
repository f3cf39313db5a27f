//! `ansible.builtin.get_url`: fetches a file from a server.
//!
//! How servers are spoken to: see `sys/http`. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/get_url_module.html>

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use davit_module::{Access, FileArgs, Host, Module, ModuleError, Outcome, Reply, Support};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::checksum::{self, Algorithm};
use crate::sys::http::download::{Download, folder_of, name_of, not_placed, reason};
use crate::sys::http::{
    Answer, Client, Failure, Follow, Headers, Incomplete, Own, Request, Url, UrlArgs, url,
};

/// The most that a list of checksums may hold.
const LIST: u64 = 16 * 1024 * 1024;

/// The SHA-1 of nothing.
const NOTHING: &str = "da39a3ee5e6b4b0d3255bfef95601890afd80709";

/// Fetches a file from a server to the host, over HTTP, HTTPS or FTP, or from a `file:` address.
///
/// The host itself speaks to the server; the file does not come by way of the controller. It is put
/// in place in one step once all of it is there. Proxies that the host's or the task's environment
/// names are used.
///
/// In check mode the server is asked whether the file is there, and the task counts as changed where
/// the file would be fetched.
///
/// ```yaml
/// - ansible.builtin.get_url:
///     url: https://example.com/tool-1.2.tar.gz
///     dest: /opt/tool.tar.gz
///     checksum: sha256:https://example.com/SHA256SUMS
///     mode: '0644'
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The address of the file. It may hold a name and a password.
    url: String,
    /// Where the file goes. In a folder it gets the name that the server says, or else the last part
    /// of its address.
    #[schemars(extend("x-type" = "path"))]
    dest: String,
    /// Fetch a file that is there again, and replace it where it differs. Without this it is
    /// fetched again only where the server has a newer one.
    #[serde(default)]
    force: bool,
    /// Keep a copy of the file as it was, with the time in its name.
    #[serde(default)]
    backup: bool,
    /// The checksum that the file must have: `sha256:` and the sum, or the address of a list of sums
    /// in which the file is named. md5, sha1, sha224, sha256, sha384 and sha512 are known.
    ///
    /// A file that is there and has the sum is not fetched.
    #[serde(default)]
    checksum: String,
    /// More headers for the request.
    #[serde(default)]
    headers: Option<Reply>,
    /// The name with which to log in.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["username"]))]
    url_username: Option<String>,
    /// How long the server may be silent, in seconds.
    #[serde(default = "timeout")]
    timeout: i64,
    /// The folder that holds the file until it is complete. Without it that is the folder of `dest`.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    tmp_dest: Option<PathBuf>,
    #[serde(flatten)]
    web: UrlArgs,
    #[serde(flatten)]
    file: FileArgs,
}

fn timeout() -> i64 {
    10
}

/// `ansible.builtin.get_url`.
pub(crate) struct GetUrl;

impl Module for GetUrl {
    const NAME: &'static str = "ansible.builtin.get_url";
    type Args = Args;
    const CHECK_MODE: Support = Support::Partial;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        let own = Own {
            username: args.url_username.as_deref(),
            timeout: args.timeout,
            follow: Follow::Usual,
            authorities: None,
            unix_socket: None,
        };
        let options = args.web.options(host, own)?;
        // What a client is told of the environment does not change while it is at work.
        let variables = host.environment();
        let env = |name: &str| {
            let found = variables.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let client = Client::new(options, &env, host.cancel());
        Task { args: &args, client, shown: shown(&args.url), start: Instant::now() }.run(host)
    }
}

/// An address without the password in it.
fn shown(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.user.is_some() => {
            let end = text.find('@').map_or(0, |at| at + 1);
            format!("{}://****:****@{}", url.scheme, text.get(end..).unwrap_or_default())
        }
        _ => text.to_owned(),
    }
}

/// A sum that the file must have.
struct Wanted {
    name: String,
    sum: String,
}

struct Task<'a> {
    args: &'a Args,
    client: Client<'a>,
    shown: String,
    start: Instant,
}

impl Task<'_> {
    fn run(&self, host: &mut Host<'_>) -> Result<Outcome, ModuleError> {
        let args = self.args;
        self.check_tmp(host)?;
        let headers = args.web.headers(args.headers.as_ref().unwrap_or(&Reply::new()));
        let mut headers = headers.map_err(|why| {
            self.fail(format!("An unknown error occurred: {why}")).with("dest", &args.dest)
        })?;
        if args.force {
            headers.set("Cache-Control", "no-cache");
        }
        let wanted = match args.checksum.as_str() {
            "" => None,
            text => Some(self.wanted(text, &headers)?),
        };
        let dest = PathBuf::from(&args.dest);
        let in_folder = host.is_dir(&dest);
        if !in_folder && host.exists(&dest) && !args.force {
            match &wanted {
                Some(wanted) if self.matches(host, wanted, &dest)? => {
                    return self.there_already(host, &dest);
                }
                Some(_) => {}
                None => {
                    if let Some(meta) = host.stat(&dest)? {
                        headers.set("If-Modified-Since", http_date(meta.mtime.secs));
                    }
                }
            }
        }
        let method = if host.is_check() { "HEAD" } else { "GET" };
        let mut answer = self.fetch(method, &args.url, &headers, &self.shown)?;
        if answer.status == Some(304) {
            return Ok(self
                .outcome(&answer)
                .changed(false)
                .with("dest", &args.dest)
                .with("status_code", 304));
        }
        if let Some(status) = answer.status.filter(|it| *it != 200) {
            return Err(self.refused(&answer, status, &self.shown).with("dest", &args.dest));
        }
        let dest = if in_folder { dest.join(name_of(&answer.headers, &answer.url)) } else { dest };
        if host.is_check() {
            return self.predict(host, &answer, &dest);
        }
        let download = self.download(host, &mut answer, &dest)?;
        self.place(host, (&answer, download), &dest, wanted.as_ref())
    }

    fn fail(&self, msg: impl Into<String>) -> ModuleError {
        ModuleError::failed(msg)
            .with("elapsed", self.start.elapsed().as_secs())
            .with("url", &self.shown)
    }

    fn outcome(&self, answer: &Answer) -> Outcome {
        Outcome::new()
            .msg(answer.message())
            .with("url", &self.shown)
            .with("elapsed", self.start.elapsed().as_secs())
    }

    fn refused(&self, answer: &Answer, status: u16, url: &str) -> ModuleError {
        self.fail("Request failed")
            .with("status_code", status)
            .with("response", answer.message())
            .with("url", url)
    }

    fn fetch(
        &self,
        method: &str,
        url: &str,
        headers: &Headers,
        shown: &str,
    ) -> Result<Answer, ModuleError> {
        let request = Request {
            method: method.to_owned(),
            url: url.to_owned(),
            headers: headers.clone(),
            payload: None,
        };
        self.client.fetch(&request).map_err(|failure| match failure {
            Failure::Stopped => ModuleError::Cancelled,
            Failure::Value(why) => ModuleError::failed(why).with("url", shown).with("status", -1),
            other => self.fail(other.to_string()).with("url", shown).with("dest", &self.args.dest),
        })
    }

    fn check_tmp(&self, host: &Host<'_>) -> Result<(), ModuleError> {
        let Some(folder) = &self.args.tmp_dest else { return Ok(()) };
        if host.is_dir(folder) {
            return Ok(());
        }
        let why = if host.exists(folder) {
            "is a file but should be a directory."
        } else {
            "directory does not exist."
        };
        Err(ModuleError::failed(format!("{} {why}", folder.display())))
    }

    /// The sum that the file must have.
    fn wanted(&self, text: &str, headers: &Headers) -> Result<Wanted, ModuleError> {
        let broken = |why: &str| {
            self.fail(why)
                .with("dest", &self.args.dest)
                .with("checksum_src", Value::Null)
                .with("checksum_dest", Value::Null)
        };
        let form = "The checksum parameter has to be in format <algorithm>:<checksum>";
        let (name, rest) = text.split_once(':').ok_or_else(|| broken(form))?;
        let rest = rest.trim();
        let is_list =
            ["http://", "https://", "ftp://", "file://"].iter().any(|it| rest.starts_with(it));
        let sum = if is_list { self.listed(rest, headers)? } else { rest.to_owned() };
        let sum: String = sum
            .chars()
            .filter(|it| it.is_alphanumeric() || *it == '_')
            .collect::<String>()
            .to_lowercase();
        if sum.is_empty() || !sum.chars().all(|it| it.is_ascii_hexdigit()) {
            return Err(broken("The checksum format is invalid"));
        }
        Ok(Wanted { name: name.trim().to_owned(), sum })
    }

    /// The sum of the file in the list at `address`.
    fn listed(&self, address: &str, headers: &Headers) -> Result<String, ModuleError> {
        let told = shown(address);
        let answer = self.fetch("GET", address, headers, &told)?;
        if let Some(status) = answer.status.filter(|it| *it != 200) {
            return Err(self.refused(&answer, status, &told).with("dest", &self.args.dest));
        }
        let mut text = Vec::new();
        let read = answer.body.take(LIST).read_to_end(&mut text);
        if let Err(err) = read {
            return Err(self.fail(format!("cannot read {told}: {}", reason(&err)?)));
        }
        let text = String::from_utf8_lossy(&text);
        let name =
            Url::parse(&self.args.url).map(|it| url::decode(it.file_name())).unwrap_or_default();
        sum_in(&text, &name).ok_or_else(|| {
            ModuleError::failed(format!("Unable to find a checksum for file '{name}' in '{told}'"))
        })
    }

    fn algorithm(wanted: &Wanted, path: &Path) -> Result<Algorithm, ModuleError> {
        Ok(match wanted.name.as_str() {
            "md5" => Algorithm::Md5,
            "sha1" => Algorithm::Sha1,
            "sha224" => Algorithm::Sha224,
            "sha256" => Algorithm::Sha256,
            "sha384" => Algorithm::Sha384,
            "sha512" => Algorithm::Sha512,
            other => {
                return Err(ModuleError::failed(format!(
                    "Could not hash file '{}' with algorithm '{other}'. Available algorithms: md5, \
                     sha1, sha224, sha256, sha384, sha512",
                    path.display()
                )));
            }
        })
    }

    fn matches(&self, host: &Host<'_>, wanted: &Wanted, path: &Path) -> Result<bool, ModuleError> {
        let algorithm = Self::algorithm(wanted, path)?;
        let sum = checksum::of(&mut host.open(path)?, algorithm);
        Ok(sum.map_err(|err| ModuleError::io("read", path, err))? == wanted.sum)
    }

    fn there_already(&self, host: &mut Host<'_>, dest: &Path) -> Result<Outcome, ModuleError> {
        let changed = host.set_attributes(dest, &self.args.file, None)?;
        let more = if changed { " but file attributes changed" } else { "" };
        Ok(Outcome::new()
            .changed(changed)
            .msg(format!("file already exists{more}"))
            .with("url", &self.shown)
            .with("elapsed", self.start.elapsed().as_secs())
            .with("dest", dest)
            .with("checksum_src", Value::Null)
            .with("checksum_dest", Value::Null))
    }

    fn predict(
        &self,
        host: &mut Host<'_>,
        answer: &Answer,
        dest: &Path,
    ) -> Result<Outcome, ModuleError> {
        let before = self.look(host, dest, NOTHING)?;
        host.predict_unknown(dest)?;
        host.set_attributes(dest, &self.args.file, None)?;
        Ok(self
            .outcome(answer)
            .changed(before.as_deref() != Some(NOTHING))
            .with("dest", dest)
            .with("checksum_src", NOTHING)
            .with("checksum_dest", before))
    }

    /// The sum of what is at `dest`; whether anything can be put there.
    fn look(&self, host: &Host<'_>, dest: &Path, sum: &str) -> Result<Option<String>, ModuleError> {
        let fail = |why: String| {
            self.fail(why)
                .with("dest", dest)
                .with("checksum_src", sum)
                .with("checksum_dest", Value::Null)
        };
        if !host.exists(dest) {
            let folder = folder_of(dest);
            let folder_there = !folder.as_os_str().is_empty() && host.exists(&folder);
            let shown = self.args.dest.trim_end_matches('/');
            if !folder_there {
                let told = if self.args.dest.ends_with('/') { Path::new(shown) } else { &folder };
                return Err(fail(format!("Destination {} does not exist", told.display())));
            }
            if self.args.dest.ends_with('/') && dest == Path::new(shown) {
                return Err(fail(format!("Destination {shown} does not exist")));
            }
            if !host.may(&folder, Access::Write) {
                return Err(fail(format!("Destination {} is not writable", folder.display())));
            }
            return Ok(None);
        }
        if host.is_dir(dest) {
            let told = dest.display();
            return Err(self.fail(format!("attempted to take checksum of directory: {told}")));
        }
        for (access, word) in [(Access::Write, "writable"), (Access::Read, "readable")] {
            if !host.may(dest, access) {
                return Err(fail(format!("Destination {} is not {word}", dest.display())));
            }
        }
        host.sha1(dest).map(Some)
    }

    fn download(
        &self,
        host: &Host<'_>,
        answer: &mut Answer,
        dest: &Path,
    ) -> Result<Download, ModuleError> {
        let folder = self.args.tmp_dest.clone().unwrap_or_else(|| folder_of(dest));
        Download::of(host, &mut answer.body, &folder).map_err(|err| {
            let short = err.get_ref().and_then(|it| it.downcast_ref::<Incomplete>());
            if let Some(Incomplete { read, missing }) = short {
                let all = read + missing;
                return ModuleError::failed(format!(
                    "Incomplete read, (rsp.length={missing}, cl={all}, st.st_size={read}) failed to \
                     read remaining {missing} bytes"
                ));
            }
            match reason(&err) {
                Ok(why) => self.fail(format!("failed to create temporary content file: {why}")),
                Err(stopped) => stopped,
            }
        })
    }

    fn place(
        &self,
        host: &mut Host<'_>,
        (answer, download): (&Answer, Download),
        dest: &Path,
        wanted: Option<&Wanted>,
    ) -> Result<Outcome, ModuleError> {
        let src = download.path().to_path_buf();
        let sum = download.sum(Algorithm::Sha1)?;
        let md5 = download.sum(Algorithm::Md5)?;
        let before = self.look(host, dest, &sum).map_err(|err| err.with("src", &src))?;
        let noted = |err: ModuleError| {
            err.with("elapsed", self.start.elapsed().as_secs())
                .with("url", &self.shown)
                .with("dest", dest)
                .with("src", &src)
                .with("checksum_src", &sum)
                .with("checksum_dest", &before)
        };
        if let Some(wanted) = wanted {
            let found = download.sum(Self::algorithm(wanted, &src)?)?;
            if found != wanted.sum {
                let why = format!(
                    "The checksum for {} did not match {}; it was {found}.",
                    src.display(),
                    wanted.sum
                );
                return Err(noted(ModuleError::failed(why)));
            }
        }
        let mut outcome = self.outcome(answer).with("status_code", answer.status);
        let differs = before.as_ref() != Some(&sum);
        if differs {
            if self.args.backup && before.is_some() {
                outcome.set("backup_file", host.backup(dest)?);
            }
            download
                .install(host, dest, self.args.file.unsafe_writes)
                .map_err(|err| noted(ModuleError::failed(not_placed(&src, dest, err))))?;
        }
        let changed = host.set_attributes(dest, &self.args.file, None)?;
        Ok(outcome
            .changed(changed || differs)
            .with("dest", dest)
            .with("src", &src)
            .with("md5sum", md5)
            .with("checksum_src", &sum)
            .with("checksum_dest", json!(before)))
    }
}

/// A time as servers write it.
pub(super) fn http_date(seconds: i64) -> String {
    let stamp = Timestamp::from_second(seconds).unwrap_or_default();
    stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// The sum of the file called `name` in a list, which may be but one sum.
fn sum_in(text: &str, name: &str) -> Option<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|it| !it.is_empty()).collect();
    if let [line] = lines.as_slice()
        && !line.contains(char::is_whitespace)
    {
        return Some((*line).to_owned());
    }
    let base = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
    lines.iter().find_map(|line| {
        // `SHA256 (name) = sum`, as BSD writes it.
        if let Some((head, sum)) = line.rsplit_once(" = ")
            && let Some((_, inner)) = head.split_once(" (")
        {
            return (base(inner.strip_suffix(')')?) == name).then(|| sum.trim().to_owned());
        }
        let (sum, rest) = line.split_once(char::is_whitespace)?;
        let rest = rest.trim_start();
        let file = rest.strip_prefix('*').unwrap_or(rest);
        (base(file) == name).then(|| sum.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_found_in_lists() {
        let check = |text: &str, expect: Option<&str>| {
            assert_eq!(sum_in(text, "a.tgz").as_deref(), expect, "{text}");
        };
        check("abc\n", Some("abc"));
        check("111  b.tgz\n222  a.tgz\n", Some("222"));
        check("222 *./dir/a.tgz\n", Some("222"));
        check("SHA256 (b.tgz) = 1\nSHA256 (a.tgz) = 2\n", Some("2"));
        check("1  xa.tgz\n", None);
        check("", None);
    }

    #[test]
    fn passwords_in_addresses_are_not_shown() {
        assert_eq!(shown("http://u:p@h/x"), "http://****:****@h/x");
        assert_eq!(shown("http://h/x@y"), "http://h/x@y");
        assert_eq!(http_date(1_445_412_480), "Wed, 21 Oct 2015 07:28:00 GMT");
    }
}
