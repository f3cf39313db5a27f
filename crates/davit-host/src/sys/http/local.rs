//! Addresses that are files of the host itself: `file:///etc/hostname`.
//!
//! It does not know HTTP.

use std::fs::File;
use std::io;

use davit_module::errno_text;

use super::url::{Url, decode};
use super::{Answer, Cookies, Failure, Headers};

/// Opens the file at `url`.
///
/// # Errors
/// Where it cannot be opened.
pub(super) fn fetch(url: &Url) -> Result<Answer, Failure> {
    let path = decode(url.path.split('?').next().unwrap_or_default());
    let fail = |err: io::Error| Failure::Request(format!("{}: '{path}'", errno_text(&err)));
    let file = File::open(&path).map_err(fail)?;
    let meta = file.metadata().map_err(fail)?;
    if meta.is_dir() {
        return Err(fail(io::Error::from_raw_os_error(nix::libc::EISDIR)));
    }
    let mut headers = Headers::default();
    headers.set("Content-Length", meta.len().to_string());
    Ok(Answer {
        status: None,
        reason: String::new(),
        headers,
        url: url.clone(),
        body: Box::new(file),
        cookies: Cookies::default(),
    })
}
