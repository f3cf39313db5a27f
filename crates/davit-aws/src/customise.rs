//! What boto3 does for single services besides what their models say: before a request is built, on
//! the request, on the answer, and on what came of it. Does no IO.
//!
//! Each is done for users of boto3 without their asking; they are named after what they do.

use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use bytes::Bytes;
use md5::{Digest, Md5};

use crate::{
    http::{self, Request, Response},
    model::{Kind, Location, Operation, Service, ShapeId},
    parse,
    value::{Map, Value},
};

/// A parameter that cannot be sent as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct Refused {
    /// The parameter.
    pub path: String,
    /// Why.
    pub reason: String,
}

fn refused<T>(path: &str, reason: impl Into<String>) -> Result<T, Refused> {
    Err(Refused { path: path.to_owned(), reason: reason.into() })
}

/// What was done before a call and matters after it.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// The names of objects come encoded, since nobody but this client asked for that.
    decode_keys: bool,
    /// The region that a copy is made from, which the request carries in signed form.
    pub(crate) source_region: Option<String>,
}

/// Changes what was given into what is sent.
pub(crate) fn before(
    service: &Service,
    operation: &Operation,
    params: &mut Map,
) -> Result<Notes, Refused> {
    let mut notes = Notes::default();
    match service.name {
        "s3" => before_s3(operation, params, &mut notes)?,
        "ec2" => before_ec2(service, operation, params, &mut notes),
        "autoscaling" if operation.name == "CreateLaunchConfiguration" => user_data(params),
        "cloudsearchdomain" => alias(params, "returnFields", "return"),
        "glacier" if !matches!(params.get("accountId"), Some(it) if *it != Value::Null) => {
            params.insert("accountId".to_owned(), "-".into());
        }
        "logs" if operation.name == "CreateExportTask" => alias(params, "fromTime", "from"),
        "rds" | "neptune" | "docdb" => {
            if signs_a_copy(service.name, operation.name)
                && let Some(Value::String(region)) = params.shift_remove("SourceRegion")
                && !params.contains_key("PreSignedUrl")
            {
                notes.source_region = Some(region);
            }
        }
        "route53" => trim_ids(service, operation, params),
        _ => {}
    }
    Ok(notes)
}

/// Operations that name the region they copy from by a signed request to it.
fn signs_a_copy(service: &str, operation: &str) -> bool {
    matches!(operation, "CopyDBClusterSnapshot" | "CreateDBCluster")
        || service == "rds"
            && matches!(
                operation,
                "CopyDBSnapshot"
                    | "CreateDBInstanceReadReplica"
                    | "StartDBInstanceAutomatedBackupsReplication"
            )
}

/// Puts a value under the name that the model has for it.
fn alias(params: &mut Map, given: &str, name: &str) {
    if let Some(value) = params.shift_remove(given) {
        params.insert(name.to_owned(), value);
    }
}

fn before_s3(operation: &Operation, params: &mut Map, notes: &mut Notes) -> Result<(), Refused> {
    if let Some(Value::String(bucket)) = params.get("Bucket") {
        let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_');
        let named = (1..=255).contains(&bucket.len()) && bucket.chars().all(plain);
        if !named && !is_bucket_arn(bucket) {
            return refused(
                "Bucket",
                format!(
                    "{bucket:?} is no bucket: names are of 1 to 255 letters, digits, '.', '-' and \
                     '_' (no 's3://', no '/'), or the ARN of an access point"
                ),
            );
        }
    }
    if operation.name.starts_with("ListObject") && !params.contains_key("EncodingType") {
        params.insert("EncodingType".to_owned(), "url".into());
        notes.decode_keys = true;
    }
    if let Some(Value::Map(metadata)) = params.get("Metadata") {
        for (name, value) in metadata {
            if !name.is_ascii() || !value.as_str().is_none_or(str::is_ascii) {
                return refused(
                    &format!("Metadata.{name}"),
                    "metadata of objects goes in headers, which are ASCII: encode it",
                );
            }
        }
    }
    if let Some(source) = params.get("CopySource") {
        let source = copy_source(source)?;
        params.insert("CopySource".to_owned(), Value::String(source));
    }
    for prefix in ["SSECustomer", "CopySourceSSECustomer"] {
        customer_key(params, prefix);
    }
    Ok(())
}

fn is_bucket_arn(text: &str) -> bool {
    let mut parts = text.splitn(6, ':');
    parts.next() == Some("arn")
        && parts.next().is_some_and(|it| it.starts_with("aws"))
        && parts.next().is_some_and(|it| it.starts_with("s3"))
        && parts.nth(2).is_some_and(|it| it.contains(['/', ':']))
}

/// `BUCKET/KEY?versionId=ID`, the key encoded, from that or from a map of the three.
fn copy_source(source: &Value) -> Result<String, Refused> {
    let (path, version) = match source {
        Value::String(text) => match text.rfind("?versionId=") {
            Some(place) => (text[..place].to_owned(), Some(text[place + 11..].to_owned())),
            None => (text.clone(), None),
        },
        Value::Map(map) => {
            let part = |name: &str| map.get(name).and_then(Value::as_str);
            let (Some(bucket), Some(key)) = (part("Bucket"), part("Key")) else {
                return refused("CopySource", "a map needs `Bucket` and `Key`");
            };
            let between = if is_bucket_arn(bucket) { "/object/" } else { "/" };
            (format!("{bucket}{between}{key}"), part("VersionId").map(str::to_owned))
        }
        other => {
            return refused(
                "CopySource",
                format!("it is \"BUCKET/KEY\" or a map of Bucket and Key, not {}", other.kind()),
            );
        }
    };
    let path = http::encode_path(&path);
    Ok(version.map_or_else(|| path.clone(), |version| format!("{path}?versionId={version}")))
}

/// A key of the customer's goes along with its digest, both as text.
fn customer_key(params: &mut Map, prefix: &str) {
    let (key, digest) = (format!("{prefix}Key"), format!("{prefix}KeyMD5"));
    if params.contains_key(&digest) {
        return;
    }
    let bytes = match params.get(&key) {
        Some(Value::String(text)) => Bytes::copy_from_slice(text.as_bytes()),
        Some(Value::Blob(bytes)) => bytes.clone(),
        _ => return,
    };
    params.insert(key, BASE64.encode(&bytes).into());
    params.insert(digest, BASE64.encode(Md5::digest(&bytes)).into());
}

fn before_ec2(service: &Service, operation: &Operation, params: &mut Map, notes: &mut Notes) {
    // A few operations have it without the s.
    let input = operation.input.and_then(|it| service.structure(it));
    if input.is_some_and(|it| it.member("Filter").is_some()) {
        alias(params, "Filters", "Filter");
    }
    match operation.name {
        "RunInstances" => user_data(params),
        "CopySnapshot" if !params.contains_key("PresignedUrl") => {
            if let Some(Value::String(region)) = params.get("SourceRegion") {
                notes.source_region = Some(region.clone());
            }
        }
        _ => {}
    }
}

/// `UserData` goes as base64 and is given as it is.
fn user_data(params: &mut Map) {
    let encoded = match params.get("UserData") {
        Some(Value::String(text)) => BASE64.encode(text),
        Some(Value::Blob(bytes)) => BASE64.encode(bytes),
        _ => return,
    };
    params.insert("UserData".to_owned(), encoded.into());
}

/// Ids are given as answers have them, `/hostedzone/Z1`, and go without what is in front.
fn trim_ids(service: &Service, operation: &Operation, params: &mut Map) {
    let Some(structure) = operation.input.and_then(|it| service.structure(it)) else { return };
    for member in &structure.members {
        let shape = service.shape(member.shape).name;
        if matches!(shape, "ResourceId" | "DelegationSetId" | "ChangeId")
            && let Some(Value::String(id)) = params.get_mut(member.name)
            && let Some((_, last)) = id.rsplit_once('/')
        {
            *id = last.to_owned();
        }
    }
}

/// Changes the request that was built, before it is signed.
pub(crate) fn request(service: &Service, operation: &Operation, request: &mut Request) {
    match (service.name, operation.name) {
        ("s3", "DeleteObjects" | "PutBucketLifecycleConfiguration") => {
            request.body = escape_line_ends(&request.body);
        }
        ("glacier", _) => {
            request.headers.set("x-amz-glacier-version", service.metadata.api_version);
        }
        ("apigateway", _) if !request.headers.contains("accept") => {
            request.headers.set("Accept", "application/json");
        }
        ("cloudsearchdomain", "Search") if request.method == "GET" && !request.query.is_empty() => {
            request.method = "POST".to_owned();
            request.headers.set("Content-Type", "application/x-www-form-urlencoded");
            request.body = request.query_string().into();
            request.query.clear();
        }
        _ => {}
    }
    if operation.endpoint_operation {
        request.headers.set("x-amz-api-version", service.metadata.api_version);
    }
}

/// Line ends that stand in XML as they are are made one kind by whoever reads it, so names that hold them are
/// written in another way.
fn escape_line_ends(body: &Bytes) -> Bytes {
    if !body.iter().any(|it| matches!(it, b'\r' | b'\n')) {
        return body.clone();
    }
    let mut escaped = Vec::with_capacity(body.len() + 64);
    for byte in body {
        match byte {
            b'\r' => escaped.extend(b"&#xD;"),
            b'\n' => escaped.extend(b"&#xA;"),
            other => escaped.push(*other),
        }
    }
    escaped.into()
}

/// Changes an answer before it is read. Gives what the model calls something else.
pub(crate) fn response(service: &Service, operation: &Operation, response: &mut Response) {
    match service.name {
        "s3" if response.status == 200
            && has_whole_xml(service, operation)
            && parse::is_hidden_error(&response.body) =>
        {
            response.status = 500;
        }
        "sso-oidc" if response.status >= 400 => {
            if let Ok(serde_json::Value::Object(mut body)) = serde_json::from_slice(&response.body)
                && !body.contains_key("message")
                && !body.contains_key("Message")
                && let Some(message) = body.get("error_description").cloned()
            {
                body.insert("message".to_owned(), message);
                response.body = serde_json::Value::Object(body).to_string().into();
            }
        }
        _ => {}
    }
    if service.name == "s3"
        && has_expires(service, operation)
        && let Some(text) = response.headers.get("expires").map(str::to_owned)
        && crate::time::parse(&text).is_none()
    {
        response.headers.remove("expires");
        response.headers.set(UNREADABLE_EXPIRES, text);
    }
}

/// Where a date that is none waits to be put beside what was read.
const UNREADABLE_EXPIRES: &str = "x-davit-expires";

fn has_expires(service: &Service, operation: &Operation) -> bool {
    let output = operation.output.and_then(|it| service.structure(it));
    output.is_some_and(|it| {
        it.members.iter().any(|it| {
            it.traits.location == Some(Location::Header)
                && it.traits.location_name.is_some_and(|it| it.eq_ignore_ascii_case("expires"))
        })
    })
}

/// Whether the answer is XML as a whole: no stream of bytes, no text, no events.
fn has_whole_xml(service: &Service, operation: &Operation) -> bool {
    let Some(output) = operation.output.and_then(|it| service.structure(it)) else { return false };
    let Some(member) = output.payload.and_then(|it| output.member(it)) else { return true };
    match &service.shape(member.shape).kind {
        Kind::Structure(structure) => !structure.event_stream,
        Kind::Blob { .. } | Kind::String { .. } => false,
        _ => true,
    }
}

/// Changes what was read into what is given.
pub(crate) fn after(
    service: &Service,
    operation: &Operation,
    values: &mut Map,
    answer: &Response,
    notes: &Notes,
) {
    match (service.name, operation.name) {
        ("s3", "GetBucketLocation") => {
            if let Some(region) = location(&answer.body) {
                values.insert("LocationConstraint".to_owned(), region);
            }
        }
        ("s3", name) if notes.decode_keys => decode_keys(name, values),
        ("s3", _) => {
            let headers = &answer.headers;
            let expires = headers.get("expires").or_else(|| headers.get(UNREADABLE_EXPIRES));
            if let Some(text) = expires.filter(|_| has_expires(service, operation)) {
                values.insert("ExpiresString".to_owned(), text.into());
            }
        }
        ("ec2", "GetConsoleOutput") => {
            if let Some(Value::String(text)) = values.get_mut("Output")
                && let Ok(bytes) = BASE64.decode(text.as_bytes())
            {
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
        }
        ("cloudformation", "GetTemplate") => {
            if let Some(body) = values.get_mut("TemplateBody") {
                become_json(body, |text| text.to_owned());
            }
        }
        ("iam", _) => {
            if let Some(output) = operation.output {
                policies(service, output, values, 0);
            }
        }
        _ => {}
    }
}

/// The text of `<LocationConstraint>`; null where it is empty, which is `us-east-1`.
fn location(body: &[u8]) -> Option<Value> {
    let mut reader = quick_xml::Reader::from_reader(body);
    let mut text = String::new();
    loop {
        use quick_xml::events::Event;
        match reader.read_event().ok()? {
            Event::Text(part) => text.push_str(part.trim()),
            Event::Eof => break,
            _ => {}
        }
    }
    Some(if text.is_empty() { Value::Null } else { Value::String(text) })
}

fn decode_keys(operation: &str, values: &mut Map) {
    if values.get("EncodingType").and_then(Value::as_str) != Some("url") {
        return;
    }
    let (top, nested): (&[&str], &[(&str, &str)]) = match operation {
        "ListObjects" => (
            &["Delimiter", "Marker", "NextMarker"],
            &[("Contents", "Key"), ("CommonPrefixes", "Prefix")],
        ),
        "ListObjectsV2" => (
            &["Delimiter", "Prefix", "StartAfter"],
            &[("Contents", "Key"), ("CommonPrefixes", "Prefix")],
        ),
        _ => (
            &["KeyMarker", "NextKeyMarker", "Prefix", "Delimiter"],
            &[("Versions", "Key"), ("DeleteMarkers", "Key"), ("CommonPrefixes", "Prefix")],
        ),
    };
    for name in top {
        if let Some(Value::String(text)) = values.get_mut(*name) {
            decode(text);
        }
    }
    for (list, name) in nested {
        let Some(Value::List(items)) = values.get_mut(*list) else { continue };
        for item in items {
            if let Value::Map(item) = item
                && let Some(Value::String(text)) = item.get_mut(*name)
            {
                decode(text);
            }
        }
    }
}

fn decode(text: &mut String) {
    if text.contains(['%', '+']) {
        let plus = text.replace('+', " ");
        *text = percent_encoding::percent_decode_str(&plus).decode_utf8_lossy().into_owned();
    }
}

/// Policies come as encoded JSON and are given as what they say.
fn policies(service: &Service, shape: ShapeId, values: &mut Map, depth: usize) {
    let Some(structure) = service.structure(shape).filter(|_| depth < 16) else { return };
    for member in &structure.members {
        let Some(value) = values.get_mut(member.name) else { continue };
        let shape = service.shape(member.shape);
        match (&shape.kind, value) {
            (Kind::String { .. }, value) if shape.name == "policyDocumentType" => {
                become_json(value, |text| {
                    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
                });
            }
            (Kind::Structure(_), Value::Map(inner)) => {
                policies(service, member.shape, inner, depth + 1);
            }
            (Kind::List { member, .. }, Value::List(items)) => {
                for item in items {
                    if let Value::Map(inner) = item {
                        policies(service, member.shape, inner, depth + 1);
                    }
                }
            }
            _ => {}
        }
    }
}

/// Text that holds JSON becomes what it says; any other stays as it is.
fn become_json(value: &mut Value, decode: impl Fn(&str) -> String) {
    if let Value::String(text) = value
        && let Ok(json) = serde_json::from_str::<serde_json::Value>(&decode(text))
    {
        *value = json.into();
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::Store;

    fn map(json: serde_json::Value) -> Map {
        match json.into() {
            Value::Map(map) => map,
            _ => Map::new(),
        }
    }

    fn of(service: &str, operation: &str) -> (&'static Service, &'static Operation) {
        let service = Store::default().service(service).expect("readable").expect("there");
        (service, service.operation(operation).expect("there"))
    }

    fn changed(service: &str, operation: &str, given: serde_json::Value) -> serde_json::Value {
        let (service, operation) = of(service, operation);
        let mut params = map(given);
        match before(service, operation, &mut params) {
            Ok(_) => Value::Map(params).to_json(),
            Err(error) => json!(error.to_string()),
        }
    }

    #[test]
    fn what_is_given_is_changed_into_what_is_sent() {
        for (service, operation, given, sent) in [
            ("ec2", "RunInstances", json!({"UserData": "#!"}), json!({"UserData": "IyE="})),
            ("ec2", "DescribeVpcs", json!({"Filters": []}), json!({"Filters": []})),
            ("ec2", "DescribeHosts", json!({"Filter": []}), json!({"Filter": []})),
            ("ec2", "DescribeHosts", json!({"Filters": []}), json!({"Filter": []})),
            (
                "s3",
                "CopyObject",
                json!({"CopySource": {"Bucket": "b", "Key": "a b/ü", "VersionId": "v"}}),
                json!({"CopySource": "b/a%20b/%C3%BC?versionId=v"}),
            ),
            (
                "s3",
                "GetObject",
                json!({"SSECustomerKey": "key"}),
                json!({"SSECustomerKey": "a2V5", "SSECustomerKeyMD5": "PG4LipwVIkqCKLmpjKFTHQ=="}),
            ),
            ("route53", "GetHostedZone", json!({"Id": "/hostedzone/Z1"}), json!({"Id": "Z1"})),
            ("glacier", "ListVaults", json!({}), json!({"accountId": "-"})),
            ("s3", "ListObjectsV2", json!({}), json!({"EncodingType": "url"})),
        ] {
            assert_eq!(changed(service, operation, given), sent, "{service} {operation}");
        }
        let text = changed("s3", "GetObject", json!({"Bucket": "s3://b"}));
        assert!(text.to_string().contains("no 's3://'"), "{text}");
        let text = changed("s3", "PutObject", json!({"Metadata": {"a": "ü"}}));
        assert!(text.to_string().contains("ASCII"), "{text}");
    }

    #[test]
    fn errors_that_came_with_200_are_found() {
        let (service, operation) = of("s3", "CompleteMultipartUpload");
        for (body, status) in [
            ("<Error><Code>InternalError</Code></Error>", 500),
            ("<CompleteMultipartUploadResult><Bucket>", 500),
            ("<CompleteMultipartUploadResult/>", 200),
        ] {
            let mut answer = Response {
                status: 200,
                body: Bytes::from_static(body.as_bytes()),
                ..Default::default()
            };
            response(service, operation, &mut answer);
            assert_eq!(answer.status, status, "{body}");
        }
    }

    #[test]
    fn what_was_read_is_changed_into_what_is_given() {
        let given = |service, operation, read, body: &'static str, notes| {
            let (service, operation) = of(service, operation);
            let mut values = map(read);
            let answer = Response { body: body.into(), ..Default::default() };
            after(service, operation, &mut values, &answer, &notes);
            Value::Map(values).to_json()
        };
        let plain = Notes::default;
        assert_eq!(
            given(
                "iam",
                "GetRole",
                json!({"Role": {"AssumeRolePolicyDocument": "%7B%22V%22%3A1%7D"}}),
                "",
                plain()
            ),
            json!({"Role": {"AssumeRolePolicyDocument": {"V": 1}}})
        );
        assert_eq!(
            given(
                "s3",
                "GetBucketLocation",
                json!({}),
                "<?xml version=\"1.0\"?>\n<LocationConstraint xmlns=\"x\">eu-west-1</LocationConstraint>",
                plain()
            ),
            json!({"LocationConstraint": "eu-west-1"})
        );
        let notes = Notes { decode_keys: true, source_region: None };
        assert_eq!(
            given(
                "s3",
                "ListObjectsV2",
                json!({"EncodingType": "url", "Contents": [{"Key": "a%20b+c"}]}),
                "",
                notes
            ),
            json!({"EncodingType": "url", "Contents": [{"Key": "a b c"}]})
        );
        assert_eq!(
            given(
                "cloudformation",
                "GetTemplate",
                json!({"TemplateBody": "{\"a\": 1}"}),
                "",
                plain()
            ),
            json!({"TemplateBody": {"a": 1}})
        );
        assert_eq!(
            given("ec2", "GetConsoleOutput", json!({"Output": "aGk="}), "", plain()),
            json!({"Output": "hi"})
        );
    }
}
