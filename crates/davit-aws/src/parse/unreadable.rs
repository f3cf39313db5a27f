//! Answers that cannot be read: what was expected and what came instead. Shows nothing of an answer
//! that could be the service's own, since that may hold secrets.

use crate::{
    http::{Headers, Response},
    model::{Operation, Protocol, Service},
};

/// An answer that cannot be read as what the operation gives.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the answer to {operation} ({}) is not the {expected} that it should be: {defect}{}",
    shown_status(*.status, .content_type.as_deref()), shown_beginning(.beginning))]
pub struct Unreadable {
    /// The service and the operation: `ec2.DescribeInstances`.
    pub operation: Box<str>,
    /// `JSON`, `XML`, `CBOR`, `UTF-8`, or `headers`.
    pub expected: &'static str,
    /// The status it came with.
    pub status: u16,
    /// Its `Content-Type`.
    pub content_type: Option<Box<str>>,
    /// What is wrong with it.
    pub defect: Defect,
    /// How it begins, in one line of printable text; empty if it begins as the service's answers do.
    pub beginning: Box<str>,
}

/// Why something cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// It ends before it is complete.
    #[error("it ends before it is complete")]
    Truncated,
    /// It does not keep to its grammar.
    #[error("{what} at byte {at}")]
    Malformed {
        /// Where.
        at: usize,
        /// What is there.
        what: &'static str,
    },
    /// It keeps to its grammar, and a value is none that the model allows.
    #[error("{}{what}", shown_path(.path))]
    Misfit {
        /// The names that lead to the value, with dots between them.
        path: Box<str>,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It is a page for people, as proxies and portals send it.
    #[error("it is a page for a browser")]
    Page,
}

impl Defect {
    pub(super) const fn malformed(at: usize, what: &'static str) -> Self {
        Self::Malformed { at, what }
    }

    /// A value that the model does not allow.
    pub(crate) fn misfit(what: &'static str) -> Self {
        Self::Misfit { path: Box::default(), what }
    }

    /// The same, seen from outside of what has this name.
    pub(crate) fn under(self, name: &str) -> Self {
        match self {
            Self::Misfit { path, what } if path.is_empty() => {
                Self::Misfit { path: name.into(), what }
            }
            Self::Misfit { path, what } => {
                Self::Misfit { path: format!("{name}.{path}").into(), what }
            }
            other => other,
        }
    }
}

/// How many characters of an answer are shown.
const SHOWN: usize = 200;

impl Unreadable {
    pub(crate) fn new(
        service: &Service,
        operation: &Operation,
        response: &Response,
        defect: Defect,
    ) -> Self {
        let expected = match service.metadata.protocol {
            Protocol::RestJson | Protocol::Json => "JSON",
            Protocol::RestXml | Protocol::Query | Protocol::Ec2 => "XML",
            Protocol::Cbor => "CBOR",
        };
        Self {
            operation: format!("{}.{}", service.name, operation.name).into(),
            expected,
            status: response.status,
            content_type: response.headers.get("content-type").map(Into::into),
            defect,
            beginning: beginning(expected, &response.body).into(),
        }
    }

    pub(super) fn of_headers(
        service: &Service,
        operation: &Operation,
        (status, headers): (u16, &Headers),
        defect: Defect,
    ) -> Self {
        let response = Response { status, headers: headers.clone(), ..Response::default() };
        Self { expected: "headers", ..Self::new(service, operation, &response, defect) }
    }
}

/// Whether a body is a page for people.
pub(super) fn is_page(body: &[u8]) -> bool {
    let body = body.trim_ascii_start();
    let begins = |with: &str| {
        let (name, rest) = body.split_at_checked(with.len()).unwrap_or_default();
        name.eq_ignore_ascii_case(with.as_bytes())
            && !rest.first().is_some_and(u8::is_ascii_alphanumeric)
    };
    begins("<!doctype html") || begins("<html")
}

/// How a body begins, if it does not begin as the service's answers do.
fn beginning(expected: &str, body: &[u8]) -> String {
    let own = match expected {
        "JSON" => body.trim_ascii_start().starts_with(b"{"),
        "XML" => body.trim_ascii_start().starts_with(b"<") && !is_page(body),
        _ => !body.is_ascii(),
    };
    if own { String::new() } else { printable(body) }
}

/// The first characters of a body in one line.
pub(super) fn printable(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(SHOWN * 8)]);
    let mut words = String::new();
    for word in text.split_whitespace() {
        if !words.is_empty() {
            words.push(' ');
        }
        words.extend(word.chars().map(|it| if it.is_control() { '\u{fffd}' } else { it }));
    }
    match words.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words,
    }
}

fn shown_status(status: u16, content_type: Option<&str>) -> String {
    match content_type {
        Some(kind) => format!("status {status}, {kind}"),
        None => format!("status {status}"),
    }
}

fn shown_beginning(beginning: &str) -> String {
    if beginning.is_empty() { String::new() } else { format!("; it begins with {beginning:?}") }
}

fn shown_path(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}
