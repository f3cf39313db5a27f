//! Signatures are those of botocore, and of the C runtime where botocore leaves them to it.

use bytes::Bytes;
use davit_aws::{
    checksum::{self, Algorithm, Place},
    credentials::Credentials,
    http::{Headers, Request},
    sign::{
        self, ClusterToken, DsqlAction, Keys, Payload, Post, Scheme, Scope, Settings, Signed,
        Signing, Token,
    },
};
use jiff::Timestamp;
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    python::Python,
    random::{Dice, Who, ours, theirs, with},
};

fn check_headers(
    python: &mut Python,
    who: &Who,
    mut request: Request,
    (settings, more): (Settings<'_>, Json),
) {
    let question = with(who.question("sign", &request), more);
    let answer = python.ask(&question);
    let signed = sign::sign(&mut request, &who.signing(settings)).expect("a signature");
    assert_eq!(
        ours(&request.headers),
        theirs(&answer),
        "{question:#}\n{}",
        signed.canonical_request
    );
}

#[test]
fn requests_are_signed_in_their_headers() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(1);
    for round in 0..400 {
        let who = Who::roll(&mut dice);
        let mut request = dice.request(true);
        if round % 7 == 0 {
            request.headers.set("Date", "Thu, 01 Jan 1970 00:00:00 GMT");
        }
        if round % 11 == 0 {
            // It was signed before and is tried again.
            request.headers.set("Authorization", "AWS4-HMAC-SHA256 old");
            request.headers.set("X-Amz-Date", "20010101T000000Z");
        }
        let case = match round % 4 {
            0 => (Settings::standard(Payload::Body), json!({ "signer": "v4" })),
            1 => {
                (Settings::standard(Payload::Unsigned), json!({ "signer": "v4", "unsigned": true }))
            }
            2 => {
                request.headers.set("x-amz-content-sha256", "0123");
                (Settings::standard(Payload::Body), json!({ "signer": "v4" }))
            }
            _ => (Settings::s3(Payload::Body), json!({ "signer": "s3v4", "always_signed": true })),
        };
        check_headers(&mut python, &who, request, case);
    }
}

#[test]
fn bodies_to_s3_are_signed_when_botocore_signs_them() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(2);
    let mut seen = [0; 3];
    for _ in 0..200 {
        let who = Who::roll(&mut dice);
        let mut request = dice.request(true);
        let streaming = dice.coin();
        let always = [None, Some(true), Some(false)][dice.below(3)];
        let place = [None, Some(Place::Header), Some(Place::Trailer)][dice.below(3)];
        let algorithm = Algorithm::Crc32;
        let plan = place.map(|place| checksum::Plan { algorithm, place, named_in: None });
        let mut more = json!({ "signer": "s3v4", "streaming": streaming, "always_signed": always });
        if let Some(place) = place {
            let place = if place == Place::Header { "header" } else { "trailer" };
            more["algorithm"] =
                json!({ "algorithm": "crc32", "in": place, "name": "x-amz-checksum-crc32" });
            if dice.coin() {
                request.headers.set("x-amz-checksum-crc32", "AAAAAA==");
            }
        }
        let payload = Payload::of_s3(&request, plan.as_ref(), streaming, always);
        seen[match payload {
            Payload::Body => 0,
            Payload::Unsigned => 1,
            _ => 2,
        }] += 1;
        check_headers(&mut python, &who, request, (Settings::s3(payload), more));
    }
    assert!(seen.iter().all(|it| *it > 10), "{seen:?}");
}

#[test]
fn directory_buckets_get_the_token_of_their_session() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(3);
    for round in 0..60 {
        let mut who = Who::roll(&mut dice);
        who.service = "s3express";
        who.credentials.session_token = Some("session".to_owned());
        let mut request = dice.request(false);
        if round % 2 == 0 {
            let settings = Settings { token: Token::S3Express, ..Settings::s3(Payload::Body) };
            let more = json!({ "signer": "v4-s3express", "always_signed": true });
            check_headers(&mut python, &who, request, (settings, more));
        } else {
            request.body = Bytes::new();
            let settings = Settings { token: Token::S3Express, ..Settings::s3(Payload::Unsigned) };
            let more = json!({ "signer": "v4-s3express-query", "expires": 300 });
            check_address(&mut python, &who, request, (settings, more));
        }
    }
}

fn check_address(
    python: &mut Python,
    who: &Who,
    mut request: Request,
    (settings, more): (Settings<'_>, Json),
) {
    let question = with(who.question("sign", &request), more);
    let expires = question["expires"].as_u64();
    let answer = python.ask(&question);
    let signed = sign::presign(&mut request, expires, &who.signing(settings)).expect("a signature");
    let (url, canonical) = (request.url(), signed.canonical_request);
    assert_eq!(url, answer["url"], "{question:#}\n{canonical}");
    assert_eq!(ours(&request.headers), theirs(&answer), "{question:#}");
}

#[test]
fn requests_are_signed_in_their_addresses() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(4);
    for round in 0..300 {
        let who = Who::roll(&mut dice);
        let mut request = dice.request(false);
        request.body = Bytes::new();
        let expires = 1 + dice.below(604_800);
        let case = match round % 3 {
            0 => (Settings::standard(Payload::Body), json!({ "signer": "v4-query" })),
            1 => {
                request.headers.set("X-Amz-Content-SHA256", "UNSIGNED-PAYLOAD");
                (Settings::standard(Payload::Body), json!({ "signer": "v4-query" }))
            }
            _ => (Settings::s3(Payload::Unsigned), json!({ "signer": "s3v4-query" })),
        };
        let case = (case.0, with(case.1, json!({ "expires": expires })));
        check_address(&mut python, &who, request, case);
    }
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn input_in_bodies_goes_into_addresses() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(5);
    let fields = json!({ "Action": "GetCallerIdentity", "Version": "2011-06-15", "a b": "c+d&é=" });
    let members = json!({
        "Text": "ü ber", "Number": 7, "Half": 0.5, "Yes": true, "LexiconNames": ["a", "b c"], "None": null,
    });
    for round in 0..20 {
        let who = Who::roll(&mut dice);
        let mut request = dice.request(false);
        request.headers = Headers::default();
        let form = round % 2 == 0;
        let more = if form {
            request.headers.set("Content-Type", FORM);
            request.body =
                "Action=GetCallerIdentity&Version=2011-06-15&a+b=c%2Bd%26%C3%A9%3D".into();
            json!({ "signer": "v4-query", "expires": 60, "fields": fields })
        } else {
            request.body = members.to_string().into();
            json!({ "signer": "v4-query", "expires": 60, "fields": members })
        };
        let answer = python.ask(&with(who.question("form", &request), more));
        sign::move_body_to_query(&mut request).expect("a body that can be moved");
        let signing = who.signing(Settings::standard(Payload::Body));
        sign::presign(&mut request, Some(60), &signing).expect("a signature");
        assert_eq!(request.url(), answer["url"]);
        assert!(request.body.is_empty());
    }
    let mut request = Request { body: "neither".into(), ..Request::default() };
    assert!(sign::move_body_to_query(&mut request).is_err());
}

/// The C runtime says what is right for settings that botocore has no use for, and for signatures of
/// several regions.
#[test]
fn the_c_runtime_signs_the_same() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(6);
    for _ in 0..300 {
        let mut who = Who::roll(&mut dice);
        let mut request = dice.request(true);
        // The runtime takes no header that it has to make, and knows fewer that are not signed.
        request.headers = ours(&request.headers)
            .into_iter()
            .filter(|(name, _)| name.starts_with("x-amz-meta") || name == "content-type")
            .map(|(name, value)| (name, value.trim().to_owned()))
            .collect();
        let settings = Settings {
            scheme: if dice.coin() { Scheme::V4 } else { Scheme::V4a },
            double_encode: dice.coin(),
            normalize_path: dice.coin(),
            payload: if dice.coin() { Payload::Body } else { Payload::Unsigned },
            content_sha256: dice.coin(),
            token: if dice.coin() { Token::Signed } else { Token::AfterSigning },
        };
        let several = settings.scheme == Scheme::V4a;
        if several {
            who.region = dice.pick(&["*", "us-east-1,eu-west-1", "eu-west-1"]);
        }
        let expires = dice.coin().then_some(900_u64);
        let unsigned = request.clone();
        let signing = who.signing(settings);
        let signed = match expires {
            Some(_) => sign::presign(&mut request, expires, &signing),
            None => sign::sign(&mut request, &signing),
        };
        let Signed { canonical_request, string_to_sign, signature } = signed.expect("a signature");
        let mut question = with(
            who.question("crt_sign", &unsigned),
            json!({
                "v4a": several,
                "double_encode": settings.double_encode,
                "normalize": settings.normalize_path,
                "unsigned": settings.payload == Payload::Unsigned,
                "content_sha256": settings.content_sha256,
                "token_after": settings.token == Token::AfterSigning,
                "string_to_sign": string_to_sign,
                "signature": signature,
            }),
        );
        if let Some(expires) = expires {
            question["expires"] = expires.into();
        }
        let mut answer = python.ask(&question);
        // Two signatures by one key are never the same; that both are right was looked at.
        if let Some(theirs) = answer["signature"].as_str() {
            answer = serde_json::from_str(&answer.to_string().replace(theirs, &signature))
                .expect("JSON");
        }
        request.headers.set("host", unsigned.host.as_str());
        let parameters = |url: &str| {
            let mut parameters: Vec<String> = url.split(['?', '&']).map(str::to_owned).collect();
            parameters.sort();
            parameters
        };
        let url = answer["url"].as_str().expect("an address");
        assert_eq!(parameters(&request.url()), parameters(url), "{canonical_request}");
        assert_eq!(ours(&request.headers), theirs(&answer), "{canonical_request}");
    }
}

#[test]
fn forms_for_uploads_are_those_of_boto3() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(7);
    for round in 0..12 {
        let mut who = Who::roll(&mut dice);
        who.service = "s3";
        who.region = "eu-west-1";
        let key = ["a/b.txt", "up/${filename}", "ä \"ö\"\n\u{7f}\u{1f600}"][round % 3];
        let fields =
            [("acl".to_owned(), "public-read".to_owned()), ("key".to_owned(), "x".to_owned())];
        let fields = &fields[..round / 3 % 3];
        let conditions = [json!({ "acl": "public-read" }), json!(["content-length-range", 2, 5])];
        let conditions = &conditions[..round % 2 * 2];
        let question = with(
            who.question("post", &Request::default()),
            json!({
                "bucket": "my-bucket",
                "key": key,
                "fields": fields,
                "conditions": conditions,
                "expires": 3600,
            }),
        );
        let post = Post { bucket: "my-bucket", key, fields, conditions, expires: 3600 };
        let made = sign::presign_post(&post, &who.signing(Settings::s3(Payload::Unsigned)));
        assert_eq!(json!(made), python.ask(&question)["fields"]);
    }
}

#[test]
fn the_second_version_is_still_known() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(8);
    for _ in 0..20 {
        let who = Who::roll(&mut dice);
        let mut request = dice.request(false);
        request.method = "POST".to_owned();
        request.body = "Action=Select&SelectExpression=select+*+from+%C3%A9".into();
        let fields = json!({ "Action": "Select", "SelectExpression": "select * from é" });
        let question = with(who.question("v2", &request), json!({ "fields": fields }));
        let answer = python.ask(&question);
        let expected = answer["fields"].as_object().expect("fields").iter().map(|(name, value)| {
            format!("{name}={}", davit_aws::http::encode(value.as_str().expect("text")))
        });
        sign::sign_query_v2(&mut request, &who.credentials, who.time);
        let expected = expected.collect::<Vec<_>>().join("&");
        assert_eq!(request.body, expected.as_bytes());
        let once = request.clone();
        sign::sign_query_v2(&mut request, &who.credentials, who.time);
        assert_eq!(request, once);
    }
}

#[test]
fn tokens_are_those_of_boto3_and_the_command_line() {
    let mut python = Python::start("signatures.py");
    let mut dice = Dice(9);
    for port in [3306, 443] {
        let mut who = Who::roll(&mut dice);
        who.region = "eu-west-1";
        let question = with(
            who.question("tokens", &Request::default()),
            json!({
                "db": "db.example.com", "port": port, "user": "jörg & co", "expires": 1200, "cluster": "my cluster",
            }),
        );
        let answer = python.ask(&question);
        let signing = who.signing(Settings::s3(Payload::Unsigned));
        let rds = sign::rds_auth_token("db.example.com", port, "jörg & co", &signing);
        assert_eq!(rds.expect("a token"), answer["rds"]);
        for (action, name) in
            [(DsqlAction::Connect, "connect"), (DsqlAction::ConnectAdmin, "admin")]
        {
            let token = sign::dsql_auth_token("db.example.com", action, 1200, &signing);
            assert_eq!(token.expect("a token"), answer[name]);
        }
        let token = ClusterToken { cluster: "my cluster", sts_host: "sts.eu-west-1.amazonaws.com" };
        assert_eq!(sign::eks_token(&token, &signing).expect("a token"), answer["eks"]);
    }
}

#[test]
fn bearer_tokens_go_over_tls_only() {
    let mut request = Request { scheme: "https".to_owned(), ..Request::default() };
    sign::bearer(&mut request, "token").expect("safe");
    assert_eq!(request.headers.get("authorization"), Some("Bearer token"));
    request.scheme = "http".to_owned();
    let error = sign::bearer(&mut request, "secret").expect_err("everyone can read it");
    assert!(!format!("{error} {error:?}").contains("secret"));
}

#[test]
fn nothing_secret_is_shown() {
    let who = Who::roll(&mut Dice(10));
    let mut request = Dice(10).request(true);
    let credentials =
        Credentials { session_token: Some("hidden".to_owned()), ..who.credentials.clone() };
    let signing =
        Signing { credentials: &credentials, ..who.signing(Settings::standard(Payload::Body)) };
    let signed = sign::sign(&mut request, &signing).expect("a signature");
    let shown = format!("{signing:?} {signed:?} {:?}", who.keys);
    assert!(
        !shown.contains("hidden") && !shown.contains(&credentials.secret_access_key),
        "{shown}"
    );
}

/// The examples of <https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html> and
/// <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html>.
#[test]
fn the_examples_of_the_documentation_hold() {
    let who = Who {
        credentials: Credentials {
            access_key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: None,
            expires: None,
            account_id: None,
            source: "a test".to_owned(),
        },
        time: "2013-05-24T00:00:00Z".parse().expect("a time"),
        keys: Keys::default(),
        region: "us-east-1",
        service: "s3",
    };
    let request = |method: &str, path: &str| Request {
        method: method.to_owned(),
        scheme: "https".to_owned(),
        host: "examplebucket.s3.amazonaws.com".to_owned(),
        path: path.to_owned(),
        ..Request::default()
    };
    let sign = |mut request: Request| {
        let signing = who.signing(Settings::s3(Payload::Body));
        sign::sign(&mut request, &signing).expect("a signature").signature
    };
    let mut get = request("GET", "/test.txt");
    get.headers.set("Range", "bytes=0-9");
    assert_eq!(sign(get), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
    let mut put = request("PUT", "/test%24file.text");
    put.headers.set("Date", "Fri, 24 May 2013 00:00:00 GMT");
    put.headers.set("x-amz-storage-class", "REDUCED_REDUNDANCY");
    put.body = "Welcome to Amazon S3.".into();
    // The example has both dates, and a signed request one.
    put.headers.remove("Date");
    let expected = sign(put.clone());
    put.headers.set("User-Agent", "not signed");
    assert_eq!(sign(put), expected);
    let mut list = request("GET", "/");
    list.query =
        vec![("max-keys".to_owned(), "2".to_owned()), ("prefix".to_owned(), "J".to_owned())];
    assert_eq!(sign(list), "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
    let mut lifecycle = request("GET", "/");
    lifecycle.query = vec![("lifecycle".to_owned(), String::new())];
    assert_eq!(sign(lifecycle), "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
    let mut address = request("GET", "/test.txt");
    let signing = who.signing(Settings::s3(Payload::Unsigned));
    let signed = sign::presign(&mut address, Some(86_400), &signing).expect("a signature");
    assert_eq!(
        signed.signature,
        "aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

proptest! {
    #[test]
    fn whatever_is_signed_nothing_breaks(
        texts in prop::array::uniform6(".*"),
        pairs in prop::collection::vec((".*", ".*"), 0..6),
        body in prop::collection::vec(any::<u8>(), 0..64),
        seconds in -377_705_023_201_i64..253_402_207_200,
        choice in 0..4_u8,
    ) {
        let [method, scheme, host, path, region, service] = &texts;
        let credentials = Credentials {
            access_key_id: path.clone(),
            secret_access_key: host.clone(),
            session_token: Some(region.clone()),
            expires: None,
            account_id: None,
            source: String::new(),
        };
        let mut request = Request {
            method: method.clone(),
            scheme: scheme.clone(),
            host: host.clone(),
            path: path.clone(),
            query: pairs.clone(),
            headers: pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect(),
            body: body.into(),
        };
        let scheme = if choice < 3 { Scheme::V4 } else { Scheme::V4a };
        let settings = Settings { scheme, ..Settings::standard(Payload::Body) };
        let time = Timestamp::from_second(seconds).expect("in range");
        let keys = Keys::default();
        let scope = Scope { region, service, time };
        let signing = Signing { credentials: &credentials, scope, settings, keys: &keys };
        let post = Post { bucket: host, key: path, fields: &pairs, conditions: &[], expires: u64::MAX };
        let form = sign::presign_post(&post, &signing);
        prop_assert!(form.len() > pairs.len());
        let _ = sign::move_body_to_query(&mut request);
        sign::sign_query_v2(&mut request, &credentials, time);
        sign::sign(&mut request, &signing).expect("a signature");
        sign::presign(&mut request, Some(u64::MAX), &signing).expect("a signature");
        let parts = pairs.iter().map(|(value, length)| (value.as_str(), length.len() as u64));
        let _ = checksum::combine(Algorithm::Crc32, parts);
    }
}
