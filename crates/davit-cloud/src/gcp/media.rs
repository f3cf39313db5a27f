//! Media: what is sent besides JSON, whole or in parts that can be gone on with, and what comes instead of it.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use davit_aws::connection::{Body, FilePart};
use davit_aws::http::{Headers, Request, Response};
use md5::{Digest as _, Md5};
use serde_json::{Map, Value};
use tokio::fs::File;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::client::{Gcp, Outgoing, is_safe, value_of};
use super::document::{Api, Method, Upload};
use super::error::Error;
use super::http::LARGEST;
use super::request::{self, Media};
use super::retry::{Failure, Retry};

/// What is larger goes in parts of this size, where the method takes that.
const PART: u64 = 8 << 20;

/// Media to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What is sent.
    pub content: Content,
    /// What it is: `image/png`.
    pub media_type: String,
}

/// Where media come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// What is there as a whole.
    Bytes(Bytes),
    /// A file.
    File(PathBuf),
}

/// A method with what it is given.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The API.
    pub api: &'a Api,
    /// The method.
    pub method: &'a Method,
    /// Its parameters.
    pub parameters: &'a Map<String, Value>,
    /// What goes along with it.
    pub body: &'a Value,
}

impl Call<'_> {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Setting { what: self.method.name.clone(), reason: reason.into() }
    }
}

impl Gcp {
    /// Calls a method that takes media; what it answers.
    ///
    /// # Errors
    /// When the method takes no such media, and as for [`Gcp::call`].
    pub async fn upload(&self, call: Call<'_>, source: &Source) -> Result<Value, Error> {
        let upload = call.method.upload.as_ref();
        let upload = upload.ok_or_else(|| call.wrong("it takes no media"))?;
        let size = source.size().await?;
        takes(&call, upload, source, size)?;
        let scopes = self.scopes(call.api, call.method);
        let scopes = scopes.as_deref();
        if upload.resumable && size > PART {
            return self.in_parts(call, source, size, scopes).await;
        }
        if size > LARGEST as u64 {
            return Err(call.wrong(format!("it takes media only as a whole, and not {size} bytes")));
        }
        let bytes = source.whole().await?;
        let kind = if call.body.is_null() { "media" } else { "multipart" };
        let given = (call.parameters, &Value::Null);
        let mut request = self.request(call.api, call.method, given, Media::Upload(kind))?;
        if call.body.is_null() {
            request.headers.set("content-type", &source.media_type);
            request.body = bytes;
        } else {
            multipart(&mut request, call.body, &source.media_type, &bytes);
        }
        // What is sent twice has to come to the same.
        let safe = is_safe(call.method, call.parameters)
            || call.parameters.contains_key("ifGenerationMatch");
        self.json(&call.method.name, request, scopes, safe).await
    }

    /// Sends a file or text part by part, and goes on where it was cut off.
    async fn in_parts(
        &self,
        call: Call<'_>,
        source: &Source,
        size: u64,
        scopes: Option<&[String]>,
    ) -> Result<Value, Error> {
        let (method, given) = (call.method.name.as_str(), (call.parameters, call.body));
        let mut begin = self.request(call.api, call.method, given, Media::Upload("resumable"))?;
        begin.headers.set("x-upload-content-type", &source.media_type);
        begin.headers.set("x-upload-content-length", size.to_string());
        let body = Body::Bytes(begin.body.clone());
        let outgoing =
            Outgoing { method, request: &begin, body: &body, scopes, safe: true, is_part: false };
        let answer = self.whole(outgoing).await?;
        let place = answer.headers.get("location").unwrap_or_default();
        let mut place = as_it_stands(request::of_url("PUT", place)?, place);
        place.headers.set("accept", "application/json");
        // Who is not Google is not shown who we are.
        let is_known = place.host == begin.host || place.host.ends_with(".googleapis.com");
        let scopes = scopes.filter(|_| is_known);
        let mut retry = Retry::default();
        let (mut from, mut furthest) = (0, 0);
        loop {
            let length = PART.min(size - from);
            let body = source.part(from, length);
            let said = format!("bytes {from}-{}/{size}", from + length - 1);
            let request = with_range(&place, &said);
            let outgoing = Outgoing {
                method,
                request: &request,
                body: &body,
                scopes,
                safe: false,
                is_part: true,
            };
            match self.whole(outgoing).await {
                Ok(answer) if answer.status == 308 => {
                    let next = next_of(&answer).filter(|it| *it < size).unwrap_or(0);
                    if next <= from {
                        return Err(call.wrong("parts are taken and not kept"));
                    }
                    from = next;
                    // A server that loses what it took is not asked for ever.
                    if next > furthest {
                        furthest = next;
                        retry = Retry::default();
                    }
                }
                Ok(answer) => return value_of(method, &answer),
                Err(error) => {
                    let pause = pause(&mut retry, &error);
                    let Some(pause) = pause else { return Err(error) };
                    tokio::time::sleep(pause).await;
                    let request = with_range(&place, &format!("bytes */{size}"));
                    let body = Body::Empty;
                    let outgoing = Outgoing {
                        method,
                        request: &request,
                        body: &body,
                        scopes,
                        safe: true,
                        is_part: true,
                    };
                    let answer = self.whole(outgoing).await?;
                    if answer.status != 308 {
                        return value_of(method, &answer);
                    }
                    from = next_of(&answer).filter(|it| *it < size).unwrap_or(0);
                }
            }
        }
    }

    /// Calls a method for its media, and holds them against a file. Where they are something else they are written to
    /// `beside`, if there is such a place; whether they are, and how many bytes they have.
    ///
    /// # Errors
    /// As for [`Gcp::call`], and when a file cannot be read or written.
    pub async fn download(
        &self,
        call: Call<'_>,
        to: &Path,
        beside: Option<&Path>,
    ) -> Result<(bool, u64), Error> {
        if !call.method.gives_media {
            return Err(call.wrong("it gives no media"));
        }
        let given = (call.parameters, call.body);
        let request = self.request(call.api, call.method, given, Media::Download)?;
        let scopes = self.scopes(call.api, call.method);
        let body = Body::Bytes(request.body.clone());
        let method = call.method.name.as_str();
        let outgoing = Outgoing {
            method,
            request: &request,
            body: &body,
            scopes: scopes.as_deref(),
            safe: true,
            is_part: false,
        };
        let mut retry = Retry::default();
        loop {
            match self.fetch(outgoing, to, beside).await {
                Ok(found) => return Ok(found),
                Err(error) => {
                    let pause = match &error {
                        Error::Transport { source, .. } => {
                            retry.again(Failure::Transport(source), true)
                        }
                        _ => None,
                    };
                    let Some(pause) = pause else { return Err(error) };
                    tokio::time::sleep(pause).await;
                }
            }
        }
    }

    async fn fetch(
        &self,
        outgoing: Outgoing<'_>,
        to: &Path,
        beside: Option<&Path>,
    ) -> Result<(bool, u64), Error> {
        let mut answer = self.head(outgoing).await?;
        let transport = |source| Error::Transport { method: outgoing.method.to_owned(), source };
        let wrote =
            |path: &Path, source| Error::File { action: "write", path: path.to_owned(), source };
        let mut known = File::open(to).await.ok();
        let mut new = match beside {
            Some(path) => Some((path, File::create(path).await.map_err(|it| wrote(path, it))?)),
            None => None,
        };
        let (mut hash, mut size) = (Md5::new(), 0);
        while let Some(piece) = answer.chunk().await.map_err(transport)? {
            hash.update(&piece);
            size += piece.len() as u64;
            if !is_next(&mut known, &piece).await {
                known = None;
            }
            match &mut new {
                Some((path, file)) => file.write_all(&piece).await.map_err(|it| wrote(path, it))?,
                None if known.is_none() => return Ok((true, size)),
                None => {}
            }
        }
        if let Some((path, file)) = &mut new {
            file.flush().await.map_err(|it| wrote(path, it))?;
        }
        let hash = STANDARD.encode(hash.finalize());
        if md5_of(&answer.headers).is_some_and(|it| it != hash) {
            let reason = "what came is not what was sent: its MD5 is another".to_owned();
            let (method, status) = (outgoing.method.to_owned(), answer.status);
            return Err(Error::Answer { method, status, reason });
        }
        let is_same = match &mut known {
            Some(known) => known.read(&mut [0; 1]).await.is_ok_and(|it| it == 0),
            None => false,
        };
        Ok((!is_same, size))
    }
}

/// Whether a file goes on like that.
async fn is_next(known: &mut Option<File>, piece: &[u8]) -> bool {
    let Some(file) = known else { return false };
    let mut bytes = vec![0; piece.len()];
    file.read_exact(&mut bytes).await.is_ok() && bytes == piece
}

/// The MD5 that Cloud Storage says of what it sends, unless it is unpacked on the way.
fn md5_of(headers: &Headers) -> Option<&str> {
    if headers.contains("x-goog-stored-content-encoding")
        && headers.get("x-goog-stored-content-encoding") != Some("identity")
    {
        return None;
    }
    let all = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("x-goog-hash"));
    let mut parts = all.flat_map(|(_, it)| it.split(','));
    parts.find_map(|it| it.trim().strip_prefix("md5="))
}

fn pause(retry: &mut Retry, error: &Error) -> Option<std::time::Duration> {
    match error {
        Error::Transport { source, .. } => retry.again(Failure::Transport(source), true),
        Error::Said(said) => retry.again(Failure::Said(said, &Headers::default()), true),
        _ => None,
    }
}

/// The request with its address letter by letter: what others made is not taken apart and put together again.
fn as_it_stands(mut request: Request, url: &str) -> Request {
    let behind = url.split_once("://").map_or("", |(_, it)| it);
    if let Some(path) = behind.strip_prefix(request.host.as_str()).filter(|it| it.starts_with('/'))
    {
        request.path = path.split('#').next().unwrap_or_default().to_owned();
        request.query.clear();
    }
    request
}

fn with_range(place: &Request, range: &str) -> Request {
    let mut request = place.clone();
    request.headers.set("content-range", range);
    request
}

/// Where the next part begins: what has arrived is in `range: bytes=0-LAST`.
fn next_of(answer: &Response) -> Option<u64> {
    let last = answer.headers.get("range")?.rsplit('-').next()?;
    last.trim().parse::<u64>().ok()?.checked_add(1)
}

/// Whether a method takes such media.
fn takes(call: &Call<'_>, upload: &Upload, source: &Source, size: u64) -> Result<(), Error> {
    if let Some(most) = upload.most.filter(|it| *it > 0 && size > *it) {
        return Err(call.wrong(format!("it takes {most} bytes at most, not {size}")));
    }
    let kind = source.media_type.split(';').next().unwrap_or_default().trim();
    let fits = |it: &String| match it.strip_suffix('*') {
        Some(front) => it == "*/*" || kind.starts_with(front),
        None => it == kind,
    };
    if upload.accept.is_empty() || upload.accept.iter().any(fits) {
        return Ok(());
    }
    Err(call.wrong(format!("it takes {}, not {kind}", upload.accept.join(", "))))
}

/// A body of JSON and media behind each other.
fn multipart(request: &mut Request, body: &Value, media_type: &str, bytes: &[u8]) {
    let boundary = format!("davit-{}", uuid::Uuid::new_v4().simple());
    let mut whole = format!(
        "--{boundary}\r\ncontent-type: application/json\r\n\r\n{body}\r\n\
         --{boundary}\r\ncontent-type: {media_type}\r\n\r\n"
    )
    .into_bytes();
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    request.headers.set("content-type", format!("multipart/related; boundary={boundary}"));
    request.body = Bytes::from(whole);
}

impl Source {
    async fn size(&self) -> Result<u64, Error> {
        match &self.content {
            Content::Bytes(bytes) => Ok(bytes.len() as u64),
            Content::File(path) => {
                let about = tokio::fs::metadata(path).await;
                about.map(|it| it.len()).map_err(|source| unreadable(path, source))
            }
        }
    }

    async fn whole(&self) -> Result<Bytes, Error> {
        match &self.content {
            Content::Bytes(bytes) => Ok(bytes.clone()),
            Content::File(path) => {
                let bytes = tokio::fs::read(path).await;
                bytes.map(Bytes::from).map_err(|source| unreadable(path, source))
            }
        }
    }

    fn part(&self, from: u64, length: u64) -> Body {
        match &self.content {
            Content::Bytes(bytes) => {
                let at = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(bytes.len());
                Body::Bytes(bytes.slice(at(from)..at(from + length)))
            }
            Content::File(path) => Body::File(FilePart { path: path.clone(), from, length }),
        }
    }
}

fn unreadable(path: &Path, source: std::io::Error) -> Error {
    Error::File { action: "read", path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_arrived_says_what_comes_next() {
        for (range, expect) in [("bytes=0-41", Some(42)), ("0-0", Some(1)), ("bytes=x", None)] {
            let headers: Headers = [("range", range)].into_iter().collect();
            assert_eq!(next_of(&Response { headers, ..Response::default() }), expect, "{range}");
        }
        assert_eq!(next_of(&Response::default()), None);
    }

    #[test]
    fn addresses_of_others_stay_as_they_are() {
        let url = "http://a:8/b%2Fc?x=1+2&y=%7E&z";
        let request = request::of_url("PUT", url).unwrap();
        assert_eq!(as_it_stands(request, url).url(), url);
    }

    #[test]
    fn hashes_are_found_in_all_their_forms() {
        let of = |pairs: &[(&str, &str)]| -> Option<String> {
            md5_of(&pairs.iter().copied().collect()).map(str::to_owned)
        };
        assert_eq!(of(&[("x-goog-hash", "crc32c=a==, md5=b==")]).as_deref(), Some("b=="));
        assert_eq!(
            of(&[("x-goog-hash", "crc32c=a"), ("x-goog-hash", "md5=b")]).as_deref(),
            Some("b")
        );
        let packed = ("x-goog-stored-content-encoding", "gzip");
        assert_eq!(of(&[("x-goog-hash", "md5=b"), packed]), None);
    }
}
