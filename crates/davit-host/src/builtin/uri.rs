//! `ansible.builtin.uri`: speaks to a web service.
//!
//! What the controller sends arrives as the attachment `src`, and files of a form's fields as
//! `body.FIELD`. How servers are spoken to: see `sys/http`. Source:
//! <https://docs.ansible.com/ansible/latest/collections/ansible/builtin/uri_module.html>

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Instant;

use davit_module::{
    Attachment, FileArgs, Host, Module, ModuleError, Outcome, Reply, Rules, Support, errno_text,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::get_url::http_date;
use crate::sys::http::content;
use crate::sys::http::download::{Download, folder_of, name_of, not_placed, reason};
use crate::sys::http::form::{self, kind};
use crate::sys::http::{
    Answer, Client, Failure, Follow, Headers, Incomplete, Own, Payload, Request, Url, UrlArgs,
};

/// The most that a result holds of an answer.
const CONTENT: u64 = 512 * 1024 * 1024;

/// Speaks to a web service over HTTP or HTTPS, from the host itself.
///
/// The result has the answer's `status` and its headers, with their names in lower case and `_` for
/// `-`. An answer that is JSON is found in `json`. The task fails where the status is none of
/// `status_code`. It does not run in check mode, as nobody knows what a service would do.
///
/// ```yaml
/// - ansible.builtin.uri:
///     url: https://example.com/api/items
///     method: POST
///     body_format: json
///     body: { name: "{{ item }}" }
///     status_code: [200, 201]
///   register: created
/// ```
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Args {
    /// The address. It may hold a name and a password.
    url: String,
    /// The request's method, such as `POST`. One word.
    #[serde(default = "get")]
    method: String,
    /// What is sent.
    #[serde(default)]
    #[schemars(extend("x-type" = "raw"))]
    body: Value,
    /// How `body` is made a text, and which `Content-Type` goes with it.
    #[serde(default)]
    body_format: BodyFormat,
    /// A file that is sent. Not together with `body`.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    src: Option<PathBuf>,
    /// `src`, and the files that the fields of a form name, are on the host and not on the controller.
    #[serde(default)]
    remote_src: bool,
    /// Where the answer is written. In a folder it gets the name that the server says, or else the
    /// last part of its address.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    dest: Option<PathBuf>,
    /// Tell what the answer holds, in `content`.
    #[serde(default)]
    return_content: bool,
    /// The statuses that are well. `-1` stands for no answer at all.
    #[serde(default = "well")]
    status_code: Vec<i64>,
    /// More headers for the request.
    #[serde(default)]
    headers: Reply,
    /// Which redirects are followed.
    #[serde(default)]
    follow_redirects: Redirects,
    /// The name with which to log in.
    #[serde(default)]
    #[schemars(extend("x-aliases" = ["user"]))]
    url_username: Option<String>,
    /// How long the server may be silent, in seconds.
    #[serde(default = "timeout")]
    timeout: i64,
    /// A PEM file with the certificates to trust in place of the system's.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    ca_path: Option<PathBuf>,
    /// Speak over this socket of the file system.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    unix_socket: Option<PathBuf>,
    /// A path on the host: where something is there, nothing is done.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    creates: Option<PathBuf>,
    /// A path on the host: where nothing is there, nothing is done.
    #[serde(default)]
    #[schemars(extend("x-type" = "path"))]
    removes: Option<PathBuf>,
    /// Ask for a fresh answer, and not only for one that is newer than the file at `dest`.
    #[serde(default)]
    force: bool,
    #[serde(flatten)]
    web: UrlArgs,
    #[serde(flatten)]
    file: FileArgs,
}

/// How a body is made a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum BodyFormat {
    /// Names and values in one line: a map, or a list of pairs.
    FormUrlencoded,
    /// JSON. A text is sent as it is.
    Json,
    /// As it is.
    #[default]
    Raw,
    /// One part a field: a text, or a map with `content`, `filename`, `mime_type` and
    /// `multipart_encoding`.
    FormMultipart,
}

/// Which redirects are followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Redirects {
    /// All of them.
    All,
    /// An old word for `none`.
    No,
    /// None of them.
    None,
    /// Those of GET and HEAD.
    #[default]
    Safe,
    /// As Python's own library does.
    Urllib2,
    /// An old word for `all`.
    Yes,
}

fn get() -> String {
    "GET".to_owned()
}

fn well() -> Vec<i64> {
    vec![200]
}

fn timeout() -> i64 {
    30
}

/// `ansible.builtin.uri`.
pub(crate) struct Uri;

impl Module for Uri {
    const NAME: &'static str = "ansible.builtin.uri";
    type Args = Args;
    const RULES: Rules = Rules { mutually_exclusive: &[&["body", "src"]], ..Rules::NONE };
    const CHECK_MODE: Support = Support::None;

    fn run(host: &mut Host<'_>, args: Args) -> Result<Outcome, ModuleError> {
        if host.is_check() {
            let msg = "This action (uri) does not support check mode.";
            return Ok(Outcome::new().changed(false).with("skipped", true).msg(msg));
        }
        let method = args.method.to_uppercase();
        if method.is_empty() || !method.chars().all(char::is_alphabetic) {
            return Err(ModuleError::failed(
                "Parameter 'method' needs to be a single word in uppercase, like GET or POST.",
            ));
        }
        let start = Instant::now();
        let (payload, content_type) = payload(host, &args)?;
        if let Some(skipped) = guarded(host, &args) {
            return Ok(skipped);
        }
        let own = Own {
            username: args.url_username.as_deref(),
            timeout: args.timeout,
            follow: follow(host, args.follow_redirects),
            authorities: args.ca_path.clone(),
            unix_socket: args.unix_socket.clone(),
        };
        let options = args.web.options(host, own)?;
        let variables = host.environment();
        let env = |name: &str| {
            let found = variables.iter().rev().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone())
        };
        let client = Client::new(options, &env, host.cancel());
        let answer = match headers(host, &args, content_type) {
            Ok(headers) => {
                client.fetch(&Request { method, url: args.url.clone(), headers, payload })
            }
            Err(why) => Err(Failure::Unknown(why)),
        };
        match answer {
            Ok(answer) => Report { args: &args, start, keys: Reply::new() }.run(host, answer),
            Err(failure) => no_answer(&args, start, failure),
        }
    }
}

fn follow(host: &mut Host<'_>, redirects: Redirects) -> Follow {
    if matches!(redirects, Redirects::Yes | Redirects::No) {
        host.deprecate(json!({
            "msg": "Using 'yes' or 'no' for 'follow_redirects' parameter is deprecated.",
            "collection_name": "ansible.builtin",
            "version": "2.22",
            "deprecator": { "resolved_name": "ansible.builtin.uri", "type": "module" },
        }));
    }
    match redirects {
        Redirects::All | Redirects::Yes => Follow::All,
        Redirects::None | Redirects::No => Follow::None,
        Redirects::Safe => Follow::Safe,
        Redirects::Urllib2 => Follow::Usual,
    }
}

/// The result where a file says that there is nothing to do.
fn guarded(host: &Host<'_>, args: &Args) -> Option<Outcome> {
    let guards = [(&args.creates, true, "exists"), (&args.removes, false, "does not exist")];
    for (path, unless, why) in guards {
        let Some(path) = path.as_ref().filter(|it| !it.as_os_str().is_empty()) else { continue };
        if host.exists(path) == unless {
            let said = format!("skipped, since '{}' {why}", path.display());
            let outcome = Outcome::new().changed(false).with("stdout_lines", [&said]);
            return Some(outcome.with("stdout", said));
        }
    }
    None
}

/// The request's headers.
fn headers(host: &Host<'_>, args: &Args, content_type: Option<String>) -> Result<Headers, String> {
    let mut headers = args.web.headers(&args.headers)?;
    match content_type {
        // A form of several parts has a border that nobody else knows.
        Some(kind) if args.body_format == BodyFormat::FormMultipart => {
            headers.set("Content-Type", kind);
        }
        Some(kind) => headers.set_default("Content-Type", kind),
        None => {}
    }
    if args.force {
        headers.set("Cache-Control", "no-cache");
    }
    let dest = args.dest.as_ref().filter(|it| !args.force && !host.is_dir(it));
    if let Some(meta) = dest.and_then(|it| host.stat(it).ok().flatten()) {
        headers.set("If-Modified-Since", http_date(meta.mtime.secs));
    }
    Ok(headers)
}

/// What is sent, and its type.
fn payload(host: &Host<'_>, args: &Args) -> Result<(Option<Payload>, Option<String>), ModuleError> {
    let plain = Some("application/x-www-form-urlencoded".to_owned());
    if let Some(src) = args.src.as_ref().filter(|it| !it.as_os_str().is_empty()) {
        let kind = match args.body_format {
            BodyFormat::Json => Some("application/json".to_owned()),
            _ => plain,
        };
        let payload = match host.attachment("src").filter(|_| !args.remote_src) {
            Some(sent) => Payload::Sent(sent.clone()),
            None => Payload::File(source(host, src)?),
        };
        return Ok((Some(payload), kind));
    }
    let text = |text: String| Some(Payload::Bytes(text.into_bytes().into()));
    match (args.body_format, &args.body) {
        (BodyFormat::Json, Value::String(body)) => {
            Ok((text(body.clone()), Some("application/json".to_owned())))
        }
        (BodyFormat::Json, body) => {
            Ok((text(form::json(body)), Some("application/json".to_owned())))
        }
        (BodyFormat::FormUrlencoded, Value::Null) => Ok((None, plain)),
        (BodyFormat::FormUrlencoded, body) => {
            let body = form::urlencoded(body).map_err(|why| {
                let msg = format!("failed to parse body as form_urlencoded: {why}");
                ModuleError::failed(msg).with("elapsed", 0)
            })?;
            Ok((text(body), plain))
        }
        (BodyFormat::FormMultipart, body) => {
            let read = |field: &str, path: &str| field_file(host, args, field, path);
            let (kind, bytes) = form::multipart(body, &read).map_err(ModuleError::failed)?;
            Ok((Some(Payload::Bytes(bytes.into())), Some(kind)))
        }
        (BodyFormat::Raw, Value::Null) => Ok((None, None)),
        (BodyFormat::Raw, Value::String(body)) => Ok((text(body.clone()), plain)),
        (BodyFormat::Raw, body) => Err(ModuleError::failed(format!(
            "body must be a text and not a {} where body_format is raw",
            kind(body)
        ))),
    }
}

/// A file of the host that can be sent.
fn source(host: &Host<'_>, path: &Path) -> Result<PathBuf, ModuleError> {
    let place = host.at(path);
    if !host.is_file(path) || std::fs::File::open(&place).is_err() {
        let shown = path.display();
        let msg = format!("Unable to open source file {shown}");
        return Err(ModuleError::failed(msg).with("elapsed", 0));
    }
    Ok(place)
}

/// What the file of a form's field holds.
fn field_file(host: &Host<'_>, args: &Args, field: &str, path: &str) -> Result<Vec<u8>, String> {
    let sent = host.attachment(&format!("body.{field}")).filter(|_| !args.remote_src);
    let place = host.at(Path::new(path));
    let sent = sent.cloned().unwrap_or(Attachment::Path(place));
    sent.read().map_err(|err| format!("{}: b'{path}'", errno_text(&err)))
}

/// The result where nobody answered.
fn no_answer(args: &Args, start: Instant, failure: Failure) -> Result<Outcome, ModuleError> {
    let msg = failure.to_string();
    match failure {
        Failure::Stopped => Err(ModuleError::Cancelled),
        Failure::Value(_) => {
            Err(ModuleError::failed(msg).with("url", &args.url).with("status", -1))
        }
        _ if args.status_code.contains(&-1) => Ok(Outcome::new()
            .changed(false)
            .msg(msg)
            .with("url", &args.url)
            .with("status", -1)
            .with("redirected", false)
            .with("elapsed", start.elapsed().as_secs())),
        _ => Err(ModuleError::failed(not_well(-1, args, &msg))
            .with("url", &args.url)
            .with("status", -1)
            .with("redirected", false)
            .with("elapsed", start.elapsed().as_secs())),
    }
}

fn not_well(status: i64, args: &Args, msg: &str) -> String {
    let wanted: Vec<String> = args.status_code.iter().map(ToString::to_string).collect();
    format!("Status code was {status} and not [{}]: {msg}", wanted.join(", "))
}

/// What becomes of an answer.
struct Report<'a> {
    args: &'a Args,
    start: Instant,
    keys: Reply,
}

impl Report<'_> {
    fn run(mut self, host: &mut Host<'_>, mut answer: Answer) -> Result<Outcome, ModuleError> {
        let Some(status) = answer.status.map(i64::from) else {
            return Err(ModuleError::failed("only http and https addresses have a status"));
        };
        self.tell(&answer, status);
        let well = self.args.status_code.contains(&status);
        let kind = answer.headers.get("Content-Type").unwrap_or_default().to_owned();
        let dest = self.args.dest.as_ref().map(|dest| {
            if host.is_dir(dest) {
                dest.join(name_of(&answer.headers, &answer.url))
            } else {
                dest.clone()
            }
        });
        if let Some(dest) = &dest {
            self.set("path", json!(dest));
        }
        let mut changed = false;
        let is_json = content::is_json(&kind);
        let refused = !answer.is_success();
        let wants_content = self.args.return_content || is_json || (refused && well);
        let content = match &dest {
            // What is not newer is not sent.
            Some(dest) if well && status != 304 => {
                let download = self.download(host, &mut answer, dest)?;
                let content = if wants_content { Some(read_back(&download)?) } else { None };
                self.write(host, download, dest, &answer)?;
                changed = true;
                content
            }
            _ if wants_content => Some(self.read(&mut answer)?),
            _ => None,
        };
        if let Some(bytes) = content {
            self.tell_content(&bytes, &kind, refused);
        }
        if !well {
            let error = ModuleError::failed(not_well(status, self.args, &answer.message()));
            return Err(self.keys.into_iter().fold(error, |error, (key, it)| error.with(&key, it)));
        }
        let outcome = Outcome::new().changed(changed).msg(answer.message());
        Ok(self.keys.into_iter().fold(outcome, |outcome, (key, it)| outcome.with(&key, it)))
    }

    fn set(&mut self, key: &str, value: Value) {
        self.keys.insert(key.to_owned(), value);
    }

    /// The headers, and what else is known before the answer is read.
    fn tell(&mut self, answer: &Answer, status: i64) {
        for (name, value) in &answer.headers.0 {
            let key = name.to_lowercase().replace('-', "_");
            // What is said twice is one list.
            let value = match self.keys.get(&key).and_then(Value::as_str) {
                Some(there) => format!("{there}, {value}"),
                None => value.clone(),
            };
            self.set(&key, value.into());
        }
        if answer.is_success() {
            let (map, text) = answer.cookies.shown();
            self.set("cookies", map.into());
            self.set("cookies_string", text.into());
        }
        // A refusal is told of the address that was asked for.
        let plain = Url::parse(&self.args.url).map(|it| it.text).unwrap_or_default();
        let url = if answer.is_success() { &answer.url.text } else { &plain };
        self.set("url", url.as_str().into());
        self.set("redirected", (answer.is_success() && *url != self.args.url).into());
        self.set("status", status.into());
        self.set("elapsed", self.start.elapsed().as_secs().into());
    }

    fn tell_content(&mut self, bytes: &[u8], kind: &str, refused: bool) {
        let text = content::text(bytes, kind);
        if content::is_json(kind)
            && let Ok(value) = serde_json::from_str::<Value>(&text)
        {
            self.set("json", value);
        }
        if self.args.return_content {
            self.set("content", text.into());
        } else if refused
            && !content::is_json(kind)
            && self
                .keys
                .get("status")
                .and_then(Value::as_i64)
                .is_some_and(|it| self.args.status_code.contains(&it))
        {
            self.set("body", text.into());
        }
    }

    fn broken(&self, err: &std::io::Error) -> ModuleError {
        if let Some(short) = err.get_ref().and_then(|it| it.downcast_ref::<Incomplete>()) {
            let msg = format!("HTTP Error while fetching {}: {short}", self.args.url);
            return ModuleError::failed(msg);
        }
        match reason(err) {
            Ok(why) => ModuleError::failed(format!("Task failed: Module failed: {why}")),
            Err(stopped) => stopped,
        }
    }

    fn read(&self, answer: &mut Answer) -> Result<Vec<u8>, ModuleError> {
        let mut bytes = Vec::new();
        let mut body = (&mut answer.body).take(CONTENT + 1);
        body.read_to_end(&mut bytes).map_err(|err| self.broken(&err))?;
        fits(bytes.len() as u64)?;
        Ok(bytes)
    }

    fn download(
        &self,
        host: &Host<'_>,
        answer: &mut Answer,
        dest: &Path,
    ) -> Result<Download, ModuleError> {
        let place = host.real_path(dest);
        Download::of(host, &mut answer.body, &folder_of(&place)).map_err(|err| self.broken(&err))
    }

    fn write(
        &self,
        host: &mut Host<'_>,
        download: Download,
        dest: &Path,
        answer: &Answer,
    ) -> Result<(), ModuleError> {
        let src = download.path().to_path_buf();
        // What a link points to is written, and the link stays.
        let place = host.real_path(dest);
        download.install(host, &place, self.args.file.unsafe_writes).map_err(|err| {
            let msg = format!("{} {}", not_placed(&src, dest, err), answer.message());
            let error = ModuleError::failed(msg);
            let keys = self.keys.iter().filter(|(key, _)| *key != "path");
            keys.fold(error, |error, (key, value)| error.with(key, value))
        })?;
        host.set_attributes(dest, &self.args.file, None)?;
        Ok(())
    }
}

fn fits(size: u64) -> Result<(), ModuleError> {
    if size > CONTENT {
        return Err(ModuleError::failed("the answer is too large for a result: write it to dest"));
    }
    Ok(())
}

fn read_back(download: &Download) -> Result<Vec<u8>, ModuleError> {
    fits(download.size)?;
    std::fs::read(download.path()).map_err(|err| ModuleError::io("read", download.path(), err))
}
