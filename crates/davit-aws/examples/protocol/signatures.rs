//! Signatures, of requests as suites write them: a text of HTTP, or their parts.

use davit_aws::{
    credentials::Credentials,
    http::Request,
    sign::{self, Keys, Payload, Scheme, Scope, Settings, Signing, Token},
    time,
};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde_json::{Value as Json, json};

use crate::{
    ask::{Answer, Asked, Refusal, headers_json, put_body},
    models::Models,
};

/// What cannot go over the wire as it is.
const WIRE: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'`');

pub(crate) fn sign(asked: Asked<'_>, _: &mut Models) -> Answer {
    // A suite's context stands in the request, or is a part of it.
    let context = if asked.get("context").is_some() { asked.part("context") } else { asked };
    let credentials = credentials(context.part("credentials"))?;
    let at = context.need_text("timestamp")?;
    let time = time::parse(at).or_else(|| basic(at));
    let time = time.ok_or_else(|| Refusal::new("request", format!("{at:?} is no time")))?;
    let mut request = match asked.get("request") {
        Some(Json::String(text)) => of_text(text)?,
        Some(_) => of_parts(asked.part("request"))?,
        None => return Err(Refusal::new("request", "needs a \"request\"")),
    };
    let settings = settings(asked, context)?;
    if !settings.double_encode {
        // As it goes over the wire: what is encoded already stays so.
        request.path = utf8_percent_encode(&request.path, WIRE).to_string();
    }
    let in_query = matches!(asked.text("mode"), Some("query"));
    let (region, service) = (context.need_text("region")?, context.need_text("service")?);
    let scope = Scope { region, service, time };
    let keys = Keys::default();
    let signing = Signing { credentials: &credentials, scope, settings, keys: &keys };
    let signed = if in_query {
        let expires = context.number(&["expires", "expiration_in_seconds"]);
        sign::presign(&mut request, expires, &signing)
    } else {
        sign::sign(&mut request, &signing)
    };
    let signed = signed.map_err(|it| Refusal::of("sign", &it))?;
    let query = request.query_string();
    let mark = if query.is_empty() { "" } else { "?" };
    let mut answer = json!({
        "canonical_request": signed.canonical_request,
        "string_to_sign": signed.string_to_sign,
        "signature": signed.signature,
        "authorization": request.headers.get("Authorization"),
        "method": request.method,
        "uri": format!("{}{mark}{query}", request.path),
        "url": request.url(),
        "headers": headers_json(&request.headers),
    });
    put_body(&mut answer, &request.body);
    Ok(answer)
}

fn settings<'a>(asked: Asked<'a>, context: Asked<'a>) -> Result<Settings<'a>, Refusal> {
    let said = asked.part("settings");
    let flag = |names: &[&str]| said.flag(names).or_else(|| context.flag(names));
    let scheme = match said.text("algorithm").or_else(|| asked.text("algorithm")) {
        None | Some("v4") => Scheme::V4,
        Some("v4a") => Scheme::V4a,
        Some(other) => return Err(Refusal::new("request", format!("no algorithm {other:?}"))),
    };
    let payload = match said.text("payload") {
        None => Payload::Body,
        Some("UNSIGNED-PAYLOAD") => Payload::Unsigned,
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER") => Payload::UnsignedTrailer,
        Some("STREAMING-AWS4-HMAC-SHA256-EVENTS") => Payload::Events,
        Some(hash) => Payload::Hash(hash),
    };
    let omit = flag(&["omit_session_token"]).unwrap_or(false);
    Ok(Settings {
        scheme,
        double_encode: flag(&["double_encode"]).unwrap_or(true),
        normalize_path: flag(&["normalize_path", "normalize"]).unwrap_or(true),
        payload,
        content_sha256: flag(&["sign_body", "content_sha256"]).unwrap_or(false),
        token: match said.text("token") {
            Some("s3express") => Token::S3Express,
            _ if omit => Token::AfterSigning,
            _ => Token::Signed,
        },
    })
}

fn credentials(asked: Asked<'_>) -> Result<Credentials, Refusal> {
    let need = |names: &[&str]| {
        let missing = || Refusal::new("request", format!("the credentials need {:?}", names[0]));
        asked.owned(names).ok_or_else(missing)
    };
    Ok(Credentials {
        access_key_id: need(&["access_key_id", "accessKeyId", "access_key"])?,
        secret_access_key: need(&["secret_access_key", "secretAccessKey", "secret_key"])?,
        session_token: asked.owned(&["session_token", "sessionToken", "token"]),
        expires: None,
        account_id: None,
        source: "the request".to_owned(),
    })
}

/// `20150830T123600Z`.
fn basic(text: &str) -> Option<jiff::Timestamp> {
    let time = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp())
}

/// A request as it goes over the wire.
fn of_text(text: &str) -> Result<Request, Refusal> {
    let wrong = |what: &str| Refusal::new("request", format!("{what} of the request is wrong"));
    let text = text.replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let first = lines.next().unwrap_or_default();
    let (method, rest) = first.split_once(' ').ok_or_else(|| wrong("the first line"))?;
    // A target may have blanks in it.
    let target = rest.rsplit_once(" HTTP/").map_or(rest, |(target, _)| target);
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            let (_, value) = headers.last_mut().ok_or_else(|| wrong("a header"))?;
            value.push(' ');
            value.push_str(line.trim());
        } else {
            let (name, value) = line.split_once(':').ok_or_else(|| wrong("a header"))?;
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    let mut request = Request {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        headers: headers.into_iter().collect(),
        body: body.to_owned().into(),
        ..Request::default()
    };
    put_target(&mut request, target);
    Ok(request)
}

fn of_parts(asked: Asked<'_>) -> Result<Request, Refusal> {
    let mut request = Request {
        method: asked.text("method").unwrap_or("GET").to_owned(),
        scheme: "https".to_owned(),
        headers: asked.headers(),
        body: asked.bytes("body")?,
        ..Request::default()
    };
    let mut target = asked.any_text(&["uri", "path", "url"]).unwrap_or("/");
    if let Some((scheme, rest)) = target.split_once("://") {
        scheme.clone_into(&mut request.scheme);
        let (host, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        host.clone_into(&mut request.host);
        target = path;
    }
    put_target(&mut request, target);
    match asked.get("query") {
        Some(Json::String(query)) => request.query.extend(pairs(query)),
        _ => request.query.extend(asked.texts("query")),
    }
    Ok(request)
}

/// Puts path and query into a request. The host is that of the header, which is signed as it is.
fn put_target(request: &mut Request, target: &str) {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let path = if path.is_empty() { "/" } else { path };
    path.clone_into(&mut request.path);
    request.query = pairs(query);
    if request.host.is_empty()
        && let Some(host) = request.headers.get("host").map(str::to_owned)
    {
        request.host = host;
    }
}

fn pairs(query: &str) -> Vec<(String, String)> {
    let text = |it: &str| {
        let known = it.replace('+', "%20");
        percent_decode_str(&known).decode_utf8_lossy().into_owned()
    };
    let parts = query.split('&').filter(|it| !it.is_empty());
    let pair = |it: &str| {
        let (name, value) = it.split_once('=').unwrap_or((it, ""));
        (text(name), text(value))
    };
    parts.map(pair).collect()
}
