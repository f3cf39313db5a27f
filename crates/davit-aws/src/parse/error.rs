//! Errors that services answer with. Knows neither retries nor what a caller makes of a code.

use std::fmt;

use super::{
    cbor,
    from_xml::error_root,
    headers::{Metadata, header},
    json::Json,
    members::Answer,
    unreadable::{Defect, Unreadable, is_page, printable},
    xml::{Document, Node},
};
use crate::{
    http::Response,
    model::{ErrorTraits, Operation, Protocol, Service, Shape, Structure},
    value::{Map, Value},
};

/// An error that a service answered with.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceError {
    /// The service: `ec2`.
    pub service: &'static str,
    /// The operation: `RunInstances`.
    pub operation: &'static str,
    /// What it is: `InvalidInstanceID.NotFound`. The status where the answer does not say.
    pub code: String,
    /// What the service says of it; may be empty.
    pub message: String,
    /// Where a code of the query protocol stands in the place of the service's own: the latter.
    pub query_error_code: Option<String>,
    /// Whose fault it is.
    pub fault: Fault,
    /// What holds for every answer: its status, headers and ids.
    pub metadata: Metadata,
    /// The name of the error in the model, if the model knows it.
    pub shape: Option<&'static str>,
    /// The members that the model gives this error.
    pub fields: Map,
    /// What else the answer says: S3's `BucketName`, `Endpoint` or `Region`.
    pub details: Map,
    /// The model says that trying again makes sense.
    pub retryable: bool,
    /// The model says that there were too many requests.
    pub throttling: bool,
    /// The answer was none of the service's: what was wrong with it.
    pub unreadable: Option<Box<Unreadable>>,
}

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller's.
    Sender,
    /// The service's.
    Receiver,
}

impl fmt::Display for ServiceError {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{} failed", self.service, self.operation)?;
        if self.metadata.retry_attempts > 0 {
            write!(to, " after {} attempts", self.metadata.retry_attempts + 1)?;
        }
        write!(to, ": {}", self.code)?;
        if !self.message.is_empty() {
            write!(to, ": {}", self.message)?;
        }
        if let Some(id) = &self.metadata.request_id {
            write!(to, " (request {id})")?;
        }
        Ok(())
    }
}

impl std::error::Error for ServiceError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.unreadable.as_deref().map(|it| it as _)
    }
}

/// What an answer says, before the model was asked.
#[derive(Debug, Default)]
struct Said {
    code: Option<String>,
    message: Option<String>,
    query_error_code: Option<String>,
    fault: Option<Fault>,
    request_id: Option<String>,
    host_id: Option<String>,
    details: Map,
    /// What is wrong with the body.
    defect: Option<Defect>,
}

/// Reads an answer whose status says that something went wrong. Every answer gives an error: where
/// the body says nothing that can be read, the status is its code.
#[must_use]
pub fn error(service: &Service, operation: &Operation, response: &Response) -> ServiceError {
    let said = said(service, response);
    let codes = said.code.iter().chain(&said.query_error_code);
    let modelled = codes.into_iter().find_map(|it| find(service, operation, it));
    let fields = modelled.map(|(_, structure)| {
        // An error is told even where a member of it cannot be read.
        let answer = Answer::new(service, response);
        let outside = || if answer.is_rest() { answer.outside(structure) } else { Ok(Map::new()) };
        answer.members(structure).or_else(|_| outside()).unwrap_or_default()
    });
    let mut error = complete(service, operation, response, said);
    error.know(modelled, fields.unwrap_or_default());
    error
}

/// An error that came as an event of a stream.
pub(crate) fn exception(
    service: &Service,
    operation: &Operation,
    (code, message): (String, String),
    modelled: Option<(&Shape, &Structure, Map)>,
) -> ServiceError {
    // Events have no status; botocore takes errors among them for the caller's.
    let response = Response { status: 400, ..Response::default() };
    let said = Said { code: Some(code), message: Some(message), ..Said::default() };
    let mut error = complete(service, operation, &response, said);
    if let Some((shape, structure, fields)) = modelled {
        error.know(Some((shape, structure)), fields);
    }
    error
}

fn complete(
    service: &Service,
    operation: &Operation,
    response: &Response,
    said: Said,
) -> ServiceError {
    let mut metadata = Metadata::new(response.status, &response.headers);
    metadata.request_id = said.request_id.or(metadata.request_id);
    metadata.host_id = metadata.host_id.or(said.host_id);
    let unreadable = said.defect.map(|defect| {
        // The message of an error is not secret, so that what came instead may be shown.
        let mut unreadable = Unreadable::new(service, operation, response, defect);
        unreadable.beginning = printable(&response.body).into();
        Box::new(unreadable)
    });
    let code = said.code.filter(|it| !it.is_empty());
    let own = code.is_some();
    let code = code.unwrap_or_else(|| response.status.to_string());
    let mut message = said.message.unwrap_or_default();
    if message.is_empty() && !own {
        reason(response.status).clone_into(&mut message);
    }
    let by_status = if response.status < 500 { Fault::Sender } else { Fault::Receiver };
    ServiceError {
        service: service.name,
        operation: operation.name,
        code,
        message,
        query_error_code: said.query_error_code,
        fault: said.fault.unwrap_or(by_status),
        metadata,
        shape: None,
        fields: Map::new(),
        details: said.details,
        retryable: false,
        throttling: false,
        unreadable,
    }
}

impl ServiceError {
    /// Adds what the model knows of it.
    fn know(&mut self, modelled: Option<(&Shape, &Structure)>, fields: Map) {
        let Some((shape, structure)) = modelled else { return };
        let traits = structure.error.unwrap_or_default();
        self.shape = Some(shape.name);
        self.retryable = traits.retryable;
        self.throttling = traits.throttling;
        self.fields = fields;
    }
}

/// The shape of an error's code: the operation's own, or any of the service's.
fn find<'s>(
    service: &'s Service,
    operation: &Operation,
    code: &str,
) -> Option<(&'s Shape, &'s Structure)> {
    let own = operation.errors.iter().map(|it| service.shape(*it));
    let known = own.filter_map(error_of).find(|it| it.2 == code);
    let known =
        known.or_else(|| service.errors().filter_map(error_of).filter(|it| it.2 == code).last());
    known.map(|(shape, structure, _)| (shape, structure))
}

fn error_of(shape: &Shape) -> Option<(&Shape, &Structure, &'static str)> {
    let crate::model::Kind::Structure(structure) = &shape.kind else { return None };
    let ErrorTraits { code, .. } = structure.error?;
    Some((shape, structure, code.unwrap_or(shape.name)))
}

/// The header that names an error.
const ERROR_TYPE: &str = "x-amzn-errortype";

fn said(service: &Service, response: &Response) -> Said {
    let body = response.body.trim_ascii();
    let named = header(&response.headers, ERROR_TYPE).is_some();
    if response.status >= 500 && (body.is_empty() && !named || body.starts_with(b"<html>")) {
        let defect = (!body.is_empty()).then_some(Defect::Page);
        return Said { defect, ..Said::default() };
    }
    let page = is_page(body);
    let read = match service.metadata.protocol {
        Protocol::Json | Protocol::RestJson => return in_json(service, response, page),
        _ if body.is_empty() => return Said::default(),
        _ if page => Err(Defect::Page),
        Protocol::Cbor => in_cbor(response),
        Protocol::Query | Protocol::Ec2 => in_query(service.metadata.protocol, response),
        Protocol::RestXml => in_rest_xml(service.metadata.protocol, response),
    };
    read.unwrap_or_else(|defect| Said { defect: Some(defect), ..Said::default() })
}

/// The bare name in what stands for a code: `aws.protocols#Name:http://...`.
fn bare(code: &str) -> &str {
    let code = code.split(':').next().unwrap_or_default();
    code.rsplit('#').next().unwrap_or_default()
}

fn in_json(service: &Service, response: &Response, page: bool) -> Said {
    let mut said = Said::default();
    let json = if response.body.trim_ascii().is_empty() {
        Json::Null
    } else if page {
        said.defect = Some(Defect::Page);
        Json::Null
    } else {
        match Json::read(&response.body) {
            Ok(json @ Json::Map(_)) => json,
            Ok(_) => {
                said.defect = Some(Defect::misfit("no map"));
                Json::Null
            }
            Err(defect) => {
                said.defect = Some(defect);
                Json::Null
            }
        }
    };
    let text = |names: &[&str]| {
        let found = names.iter().find_map(|name| json.get(name))?;
        match found.clone().into_value() {
            Value::Null => None,
            Value::String(text) => Some(text),
            other => Some(other.to_json().to_string()),
        }
    };
    said.message = text(&["message", "Message"]);
    let named = || header(&response.headers, ERROR_TYPE).map(|it| it.into_owned());
    let named = || named().or_else(|| text(&["code", "Code"]));
    let code = text(&["__type"]);
    // Not botocore's: the other protocol's places say more than a number does.
    let code = code.or_else(named).unwrap_or_else(|| response.status.to_string());
    said.code = Some(bare(&code).to_owned());
    query_compatible(response, &mut said);
    if service.metadata.protocol == Protocol::RestJson
        && let Some(code) = named()
    {
        said.code = Some(bare(&code).to_owned());
    }
    if said.defect.is_some() && !page {
        said.message = Some(printable(&response.body));
    }
    if said.code.as_deref() == Some(response.status.to_string().as_str()) && said.message.is_none()
    {
        said.code = None;
    }
    said
}

/// Services that once spoke the query protocol send the code that they had there beside their own.
fn query_compatible(response: &Response, said: &mut Said) {
    let Some(header) = header(&response.headers, "x-amzn-query-error") else { return };
    if let Some((code, kind)) = header.split_once(';')
        && !code.is_empty()
        && !kind.contains(';')
    {
        said.query_error_code = said.code.replace(code.to_owned());
        said.fault = fault(kind);
    }
}

fn fault(text: &str) -> Option<Fault> {
    match text {
        "Sender" => Some(Fault::Sender),
        "Receiver" => Some(Fault::Receiver),
        _ => None,
    }
}

fn in_cbor(response: &Response) -> Result<Said, Defect> {
    let Value::Map(map) = cbor::read(&response.body)? else {
        return Err(Defect::misfit("no map"));
    };
    let text = |name: &str| map.get(name).and_then(Value::as_str);
    let code = text("__type").map_or_else(|| response.status.to_string(), str::to_owned);
    let mut said = Said {
        code: Some(bare(&code).to_owned()),
        message: text("message").or_else(|| text("Message")).map(str::to_owned),
        ..Said::default()
    };
    query_compatible(response, &mut said);
    Ok(said)
}

fn in_query(protocol: Protocol, response: &Response) -> Result<Said, Defect> {
    let document = Document::read(&response.body)?;
    let root = document.root();
    let inner = match root.child("Errors") {
        Some(errors) => errors.child("Error"),
        None => root.child("Error"),
    };
    let inner = inner.ok_or_else(|| Defect::misfit("no element with the error"))?;
    let mut said = of_element(inner);
    let id = if protocol == Protocol::Ec2 { root.child("RequestID") } else { None };
    said.request_id = id.or_else(|| root.child("RequestId")).and_then(text_of);
    Ok(said)
}

fn in_rest_xml(protocol: Protocol, response: &Response) -> Result<Said, Defect> {
    let document = Document::read(&response.body)?;
    let root = document.root();
    let inner = error_root(protocol, root);
    if inner.name() != "Error" {
        let inner =
            root.child("Error").ok_or_else(|| Defect::misfit("no element with the error"))?;
        return Ok(Said {
            request_id: root.child("RequestId").and_then(text_of),
            ..of_element(inner)
        });
    }
    let mut said = of_element(inner);
    if inner.name() == root.name() {
        // S3's own form has its ids among the rest; those of the headers are the same.
        let mut id = |name: &str| match said.details.shift_remove(name) {
            Some(Value::String(id)) => Some(id),
            _ => None,
        };
        let (request_id, host_id) = (id("RequestId"), id("HostId"));
        let headers = Metadata::new(response.status, &response.headers);
        said.request_id = headers.request_id.or(request_id);
        said.host_id = host_id;
    } else {
        said.request_id = root.child("RequestId").and_then(text_of);
    }
    Ok(said)
}

fn text_of(node: Node<'_>) -> Option<String> {
    Some(node.text().to_owned()).filter(|it| !it.is_empty())
}

/// What the element of an error has.
fn of_element(node: Node<'_>) -> Said {
    let mut said = Said { details: details(node), ..Said::default() };
    let mut take = |name: &str| match said.details.shift_remove(name) {
        Some(Value::String(text)) => Some(text),
        _ => None,
    };
    let (code, message, kind) = (take("Code"), take("Message"), take("Type"));
    said.code = code;
    said.message = message;
    said.fault = kind.and_then(|it| fault(&it));
    said
}

/// The elements in an element by their names, of several with one name the first.
fn details(node: Node<'_>) -> Map {
    let mut map = Map::new();
    for child in node.children() {
        if map.contains_key(child.name()) {
            continue;
        }
        let value = if child.children().next().is_some() {
            Value::Map(details(child))
        } else if child.text().is_empty() {
            Value::Null
        } else {
            Value::from(child.text())
        };
        map.insert(child.name().to_owned(), value);
    }
    map
}

/// What a status is called; nothing for those that are not known.
#[must_use]
pub const fn reason(status: u16) -> &'static str {
    match status {
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        305 => "Use Proxy",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Request Entity Too Large",
        414 => "Request-URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Requested Range Not Satisfiable",
        417 => "Expectation Failed",
        418 => "I'm a Teapot",
        421 => "Misdirected Request",
        422 => "Unprocessable Entity",
        423 => "Locked",
        424 => "Failed Dependency",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        506 => "Variant Also Negotiates",
        507 => "Insufficient Storage",
        508 => "Loop Detected",
        510 => "Not Extended",
        511 => "Network Authentication Required",
        _ => "",
    }
}
