//! What comes of servers, proxies and lines that do not do what they should.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use davit_aws::{
    Client, Error, Value,
    client::{Call, Options, Output, Provide},
    config::{Environment, Proxies},
    connection::{self, Body, FilePart, Pieces, Pool},
    credentials::{Credentials, CredentialsError},
    retry::Mode,
};
use futures_util::{future::BoxFuture, stream};
use serde_json::json;

use crate::{
    moto::{REGION, keys, map, runtime, tls},
    stub::{Asked, Reply, Stub},
};

const VPCS: &str = "<DescribeVpcsResponse><requestId>r</requestId><vpcSet><item>\
    <vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>";

/// Time-outs that tests can wait for.
fn quick() -> connection::Options {
    connection::Options {
        connect_timeout: Duration::from_secs(5),
        read_timeout: Duration::from_millis(600),
        ca_bundle: Some(tls("ca.pem")),
        ..connection::Options::default()
    }
}

fn options(stub: &Stub) -> Options {
    let mut options = Options::new(Arc::new(keys("AKID", "secret")));
    options.endpoint.endpoint_url = Some(stub.url.clone());
    options.endpoint.region = Some(REGION.to_owned());
    options.pool = Arc::new(Pool::new(quick()));
    options
}

fn client(stub: &Stub) -> Client {
    Client::new(options(stub))
}

fn call(
    client: &Client,
    service: &str,
    operation: &str,
    params: serde_json::Value,
) -> Result<Output, Error> {
    runtime().block_on(client.call(service, operation, map(params)))
}

fn vpcs(client: &Client) -> Result<Output, Error> {
    call(client, "ec2", "DescribeVpcs", json!({}))
}

/// What a person reads when it goes wrong.
fn text(outcome: Result<Output, Error>) -> String {
    outcome.expect_err("it goes wrong").chain()
}

fn signed_in(asked: &Asked) -> String {
    let header = asked.header("authorization");
    header.split('/').nth(2).unwrap_or_default().to_owned()
}

#[test]
fn attempts_are_the_same_but_for_their_number() {
    let run = "<RunInstancesResponse><reservationId>r-1</reservationId></RunInstancesResponse>";
    let after = [("x-amz-retry-after", "300")];
    let stub =
        Stub::script(vec![Reply::new(503, &[], ""), Reply::new(429, &after, ""), Reply::ok(run)]);
    let began = Instant::now();
    let params = json!({"MinCount": 1, "MaxCount": 1, "ImageId": "ami-1"});
    let output = call(&client(&stub), "ec2", "RunInstances", params).expect("the third time");
    assert!(began.elapsed() >= Duration::from_millis(300), "{:?}", began.elapsed());
    assert_eq!((output.attempts, output.metadata.retry_attempts), (3, 2));
    let asked = stub.asked();
    let numbers: Vec<_> = asked.iter().map(|it| it.header("amz-sdk-request")).collect();
    assert_eq!(numbers, ["attempt=1; max=3", "attempt=2; max=3", "attempt=3; max=3"]);
    assert!(asked[0].text().contains("ClientToken="), "{}", asked[0].text());
    assert_eq!(asked[0].header("amz-sdk-invocation-id").len(), 36);
    for again in &asked[1..] {
        assert_eq!(again.body, asked[0].body);
        let name = "amz-sdk-invocation-id";
        assert_eq!(again.header(name), asked[0].header(name));
    }
    assert_eq!(stub.connections(), 1);
}

#[test]
fn lines_that_break_are_tried_again() {
    let whole = Reply::ok(VPCS);
    let head = 60;
    let faults = [
        ("reset", Reply::reset()),
        ("closed", whole.clone().cut(0)),
        ("closed in the head", whole.clone().cut(10)),
        ("closed in the body", whole.clone().cut(head)),
        ("reset in the head", whole.clone().cut_by_reset(10)),
        ("reset in the body", whole.clone().cut_by_reset(head)),
        ("nothing comes", Reply::nothing()),
        ("it stops in the head", whole.clone().stops(10)),
        ("it stops in the body", whole.clone().stops(head)),
        ("half an answer that says it is whole", Reply::ok(&VPCS[..80])),
        ("closed where that is its end", Reply::without_length(&VPCS[..80])),
        ("500", Reply::new(500, &[], "")),
        ("502 with a page", Reply::new(502, &[], "<html>Bad gateway</html>")),
        ("503 in the service's words", Reply::xml_error(503, "ServiceUnavailable", "")),
        ("504", Reply::new(504, &[], "")),
    ];
    for (name, fault) in faults {
        let stub = Stub::script(vec![fault, whole.clone()]);
        let output = vpcs(&client(&stub)).unwrap_or_else(|it| panic!("{name}: {}", it.chain()));
        assert_eq!(output.attempts, 2, "{name}");
        assert_eq!(output.get("Vpcs").expect(name).items().len(), 1, "{name}");
    }
}

fn of_ec2(status: u16, code: &str) -> Reply {
    let body = format!("<Response><Errors><Error><Code>{code}</Code></Error></Errors></Response>");
    Reply::new(status, &[], body)
}

#[test]
fn what_does_not_pass_is_not_tried_again() {
    for (reply, code) in [
        (of_ec2(400, "InvalidParameterValue"), "InvalidParameterValue"),
        (of_ec2(403, "UnauthorizedOperation"), "UnauthorizedOperation"),
        (Reply::new(501, &[], ""), "501"),
        (Reply::new(404, &[], ""), "404"),
    ] {
        let stub = Stub::script(vec![reply]);
        let error = vpcs(&client(&stub)).expect_err("no");
        assert_eq!((error.code(), stub.asked().len()), (Some(code), 1));
    }
}

#[test]
fn errors_say_what_was_asked_of_whom_and_why_it_failed() {
    let forever = |reply: Reply| Stub::new(move |_| reply.clone());
    let of = |stub: &Stub| text(vpcs(&client(stub))).replace(&stub.port().to_string(), "PORT");
    assert_eq!(
        of(&forever(Reply::reset())),
        "ec2.DescribeVpcs failed after 3 attempts: the connection to localhost:PORT broke off: \
         Connection reset by peer (os error 104)"
    );
    assert_eq!(
        of(&forever(Reply::ok(VPCS).cut(60))),
        "ec2.DescribeVpcs failed after 3 attempts: the connection to localhost:PORT broke off: \
         end of file before message length reached"
    );
    assert_eq!(
        of(&forever(Reply::nothing())),
        "ec2.DescribeVpcs failed after 3 attempts: nothing came from localhost:PORT for 0.6 s"
    );
    assert_eq!(
        of(&forever(Reply::new(503, &[], ""))),
        "ec2.DescribeVpcs failed after 3 attempts: 503: Service Unavailable"
    );
    assert_eq!(
        of(&forever(Reply::new(302, &[("location", "http://portal/login")], ""))),
        "ec2.DescribeVpcs failed: 302: Found (to http://portal/login)"
    );
    let page = of(&forever(Reply::new(200, &[("content-type", "text/html")], "<html><h1>Log in")));
    assert!(
        page.starts_with("the answer to ec2.DescribeVpcs (status 200, text/html) is not the XML"),
        "{page}"
    );
    assert!(page.contains("a page for a browser") && page.contains("Log in"), "{page}");

    let closed =
        TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("one").port();
    let stub = Stub::script(vec![]);
    let mut made = options(&stub);
    made.endpoint.endpoint_url = Some(format!("http://localhost:{closed}"));
    assert_eq!(
        text(vpcs(&Client::new(made.clone()))).replace(&closed.to_string(), "PORT"),
        "ec2.DescribeVpcs failed after 3 attempts: no connection to localhost:PORT: \
         Connection refused (os error 111)"
    );
    made.endpoint.endpoint_url = Some("http://no-such-host.invalid".to_owned());
    let unknown = text(vpcs(&Client::new(made)));
    assert!(
        unknown.starts_with(
            "ec2.DescribeVpcs failed after 3 attempts: no connection to no-such-host.invalid: \
             failed to lookup address information"
        ),
        "{unknown}"
    );
}

#[test]
fn a_connection_is_used_again_and_replaced_when_it_was_closed() {
    let stub = Stub::new(|_| Reply::ok(VPCS));
    let one = client(&stub);
    let runtime = runtime();
    for _ in 0..10 {
        runtime.block_on(one.call("ec2", "DescribeVpcs", map(json!({})))).expect("an answer");
    }
    assert_eq!(stub.connections(), 1);
    // A server that closes without a word: the next call finds out while it sends, which is nobody's attempt.
    let stub = Stub::new(|_| Reply::ok(VPCS).closing());
    let one = client(&stub);
    for _ in 0..10 {
        let output = runtime.block_on(one.call("ec2", "DescribeVpcs", map(json!({}))));
        assert_eq!(output.expect("an answer").attempts, 1);
        stub.wait_closed();
    }
    assert_eq!(stub.connections(), 10);
}

#[test]
fn a_slow_line_is_no_dead_one() {
    let stub = Stub::new(|_| Reply::ok(VPCS).slowly(8, Duration::from_millis(60)));
    let began = Instant::now();
    assert_eq!(vpcs(&client(&stub)).expect("at last").attempts, 1);
    assert!(began.elapsed() > Duration::from_millis(1_000), "{:?}", began.elapsed());
}

#[test]
fn errors_behind_a_good_status_are_found() {
    let stub = |good: &'static str| {
        Stub::script(vec![
            Reply::xml_error(200, "InternalError", ""),
            Reply::xml_error(200, "SlowDown", ""),
            Reply::ok(good),
        ])
    };
    let copies = stub("<CopyObjectResult><ETag>\"e\"</ETag></CopyObjectResult>");
    let params = json!({"Bucket": "b", "Key": "k", "CopySource": {"Bucket": "a", "Key": "k"}});
    let output = call(&client(&copies), "s3", "CopyObject", params).expect("the third time");
    assert_eq!(output.attempts, 3);
    let ends =
        stub("<CompleteMultipartUploadResult><ETag>\"e\"</ETag></CompleteMultipartUploadResult>");
    let params = json!({"Bucket": "b", "Key": "k", "UploadId": "u",
        "MultipartUpload": {"Parts": [{"PartNumber": 1, "ETag": "\"e\""}]}});
    let output = call(&client(&ends), "s3", "CompleteMultipartUpload", params).expect("then");
    assert_eq!(output.attempts, 3);
    let denied = Stub::new(|_| Reply::xml_error(200, "AccessDenied", ""));
    let params = json!({"Bucket": "b", "Key": "k", "CopySource": "a/k"});
    let error = call(&client(&denied), "s3", "CopyObject", params).expect_err("no");
    assert_eq!(error.code(), Some("AccessDenied"));
}

#[test]
fn buckets_are_found_in_their_region() {
    let region = [("x-amz-bucket-region", "eu-west-1")];
    let put = json!({"Bucket": "b", "Key": "k", "Body": "text"});
    let object = json!({"Bucket": "b", "Key": "k"});
    let bucket = json!({"Bucket": "b"});
    let malformed = "<Region>eu-west-1</Region>";
    let error = |status, headers: &[(&str, &str)], code: &str| {
        Reply::new(status, headers, format!("<Error><Code>{code}</Code></Error>"))
    };
    // What is asked, what is answered, and how many requests it takes.
    let cases = [
        ("PutObject", &put, vec![error(301, &region, "PermanentRedirect")], 2),
        ("PutObject", &put, vec![error(307, &region, "TemporaryRedirect")], 2),
        (
            "PutObject",
            &put,
            vec![Reply::xml_error(400, "AuthorizationHeaderMalformed", malformed)],
            2,
        ),
        (
            "ListObjectsV2",
            &bucket,
            vec![error(400, &region, "IllegalLocationConstraintException")],
            2,
        ),
        (
            "PutObject",
            &put,
            vec![error(301, &[], "PermanentRedirect"), Reply::new(403, &region, "")],
            3,
        ),
        ("HeadBucket", &bucket, vec![Reply::new(400, &region, "")], 2),
        ("HeadBucket", &bucket, vec![Reply::new(301, &region, "")], 2),
        ("HeadObject", &object, vec![Reply::new(400, &[], ""), Reply::new(400, &region, "")], 4),
    ];
    for (place, (operation, params, mut replies, requests)) in cases.into_iter().enumerate() {
        replies.extend([Reply::ok(""), Reply::ok(""), Reply::ok("")]);
        let stub = Stub::script(replies);
        let one = client(&stub);
        let name = format!("{place} {operation}");
        call(&one, "s3", operation, params.clone())
            .unwrap_or_else(|it| panic!("{name}: {}", it.chain()));
        let asked = stub.asked();
        assert_eq!(asked.len(), requests, "{name}");
        assert_eq!(signed_in(&asked[0]), REGION, "{name}");
        let last = asked.last().expect("some");
        assert_eq!(signed_in(last), "eu-west-1", "{name}");
        assert_eq!(last.body, asked[0].body, "{name}");
        // It is known from then on.
        call(&one, "s3", operation, params.clone()).expect("known");
        assert_eq!(signed_in(stub.asked().last().expect("some")), "eu-west-1", "{name}");
        assert_eq!(stub.asked().len(), requests + 1, "{name}");
    }
}

#[test]
fn a_bucket_is_sent_nowhere_that_is_no_region() {
    for region in ["evil.example/", "eu west", ""] {
        let headers = [("x-amz-bucket-region", region)];
        let stub = Stub::new(move |_| {
            Reply::new(301, &headers, "<Error><Code>PermanentRedirect</Code></Error>")
        });
        let error = call(&client(&stub), "s3", "ListObjectsV2", json!({"Bucket": "b"}));
        assert_eq!(error.expect_err("nowhere").code(), Some("PermanentRedirect"));
        assert!(stub.asked().len() <= 2, "{region}");
        let signed: Vec<_> = stub.asked().iter().map(signed_in).collect();
        assert!(signed.iter().all(|it| it == REGION), "{region:?}: {signed:?}");
    }
}

#[test]
fn bodies_are_held_against_their_checksums() {
    let get = json!({"Bucket": "b", "Key": "k", "ChecksumMode": "ENABLED"});
    let object = |checksum: &'static str| {
        Stub::new(move |_| Reply::new(200, &[("x-amz-checksum-crc32", checksum)], "hello"))
    };
    let right = object("NhCmhg==");
    let output = call(&client(&right), "s3", "GetObject", get.clone()).expect("the same");
    assert_eq!(output.get("Body"), Some(&Value::Blob(Bytes::from_static(b"hello"))));
    assert_eq!(right.asked()[0].header("x-amz-checksum-mode"), "ENABLED");
    let wrong = text(call(&client(&object("AAAAAA==")), "s3", "GetObject", get.clone()));
    assert!(wrong.contains("CRC32") && wrong.contains("AAAAAA=="), "{wrong}");
    // The checksum of parts' checksums says nothing of the body.
    call(&client(&object("AAAAAA==-3")), "s3", "GetObject", get).expect("not looked at");
}

#[test]
fn clocks_that_are_wrong_are_set_by_the_services() {
    fn late() -> jiff::Timestamp {
        jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2)
    }
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = [("date", date.as_str())];
    let body = "<Error><Code>RequestTimeTooSkewed</Code></Error>";
    let skewed = Reply::new(403, &headers, body);
    let list = "<ListAllMyBucketsResult/>";
    let stub = Stub::script(vec![skewed.clone(), Reply::ok(list), Reply::ok(list)]);
    let mut made = options(&stub);
    made.now = late;
    let one = Client::new(made.clone());
    for _ in 0..2 {
        call(&one, "s3", "ListBuckets", json!({})).expect("with the right time");
    }
    let sent: Vec<jiff::Timestamp> =
        stub.asked().iter().map(|it| time(it.header("x-amz-date"))).collect();
    assert_eq!(sent.len(), 3);
    let ahead = |it: jiff::Timestamp| it.duration_since(jiff::Timestamp::now()).as_secs().abs();
    assert!(ahead(sent[0]) > 7_000 && ahead(sent[1]) < 60 && ahead(sent[2]) < 60, "{sent:?}");
    // Where the clock is not what is wrong, it is not tried for ever.
    let headers = [("date", date)];
    let stub = Stub::new(move |_| {
        Reply::new(403, &headers.each_ref().map(|(name, it)| (*name, it.as_str())), body)
    });
    made.endpoint.endpoint_url = Some(stub.url.clone());
    let error = call(&Client::new(made), "s3", "ListBuckets", json!({})).expect_err("still");
    assert_eq!((error.code(), stub.asked().len()), (Some("RequestTimeTooSkewed"), 2));
}

#[test]
fn a_signature_that_does_not_match_may_be_the_clocks_fault() {
    fn late() -> jiff::Timestamp {
        jiff::Timestamp::now() - jiff::SignedDuration::from_hours(2)
    }
    let date = jiff::Timestamp::now().strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let headers = [("date", date.as_str())];
    let refused = r#"{"__type": "InvalidSignatureException", "message": "does not match"}"#;
    let refused = Reply::new(400, &headers, refused);
    for (now, asked) in [(late as fn() -> _, 2), (jiff::Timestamp::now, 1)] {
        let stub = Stub::script(vec![refused.clone(), Reply::ok("{}")]);
        let mut made = options(&stub);
        made.now = now;
        let outcome = call(&Client::new(made), "dynamodb", "ListTables", json!({}));
        assert_eq!((outcome.is_ok(), stub.asked().len()), (asked == 2, asked), "{outcome:?}");
    }
}

#[test]
fn large_bodies_are_packed_where_the_service_takes_that() {
    let metric = |at: usize| json!({"MetricName": format!("metric-{at}"), "Value": at});
    for (count, packed) in [(2, false), (400, true)] {
        let metrics: Vec<_> = (0..count).map(metric).collect();
        let stub = Stub::script(vec![Reply::ok("{}")]);
        let params = json!({"Namespace": "davit", "MetricData": metrics});
        call(&client(&stub), "cloudwatch", "PutMetricData", params).expect("put");
        let asked = &stub.asked()[0];
        let encoding = asked.header("content-encoding");
        let mut body = Vec::new();
        if packed {
            let mut decoder = flate2::read::GzDecoder::new(asked.body.as_slice());
            decoder.read_to_end(&mut body).expect("gzip");
        } else {
            body.clone_from(&asked.body);
        }
        let body = String::from_utf8_lossy(&body);
        assert!(body.contains(&format!("metric-{}", count - 1)), "{body}");
        assert_eq!(encoding, if packed { "gzip" } else { "" });
        assert_eq!(body.len() > 10_240, packed);
    }
}

fn time(text: &str) -> jiff::Timestamp {
    let civil = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).expect("a time");
    civil.to_zoned(jiff::tz::TimeZone::UTC).expect("a time").timestamp()
}

/// Gives the next keys whenever the last are forgotten.
struct Turning(AtomicUsize, usize);

impl Provide for Turning {
    fn credentials(&self) -> BoxFuture<'_, Result<Arc<Credentials>, CredentialsError>> {
        let number = self.0.load(Ordering::SeqCst).min(self.1);
        let mut keys = keys(&format!("AKID{number}"), "secret");
        keys.session_token = Some(format!("token{number}"));
        Box::pin(async move { Ok(Arc::new(keys)) })
    }

    fn forget(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn keys_that_ended_are_looked_for_once_more() {
    let ended = Reply::xml_error(400, "ExpiredToken", "");
    let list = Reply::ok("<ListAllMyBucketsResult/>");
    let stub = Stub::script(vec![ended.clone(), list]);
    let mut made = options(&stub);
    made.credentials = Arc::new(Turning(AtomicUsize::new(0), 9));
    call(&Client::new(made.clone()), "s3", "ListBuckets", json!({})).expect("with new ones");
    let tokens: Vec<_> =
        stub.asked().iter().map(|it| it.header("x-amz-security-token").to_owned()).collect();
    assert_eq!(tokens, ["token0", "token1"]);
    // New ones that have ended too are not replaced for ever, and the same ones are not sent again.
    for (last, requests) in [(9, 2), (0, 1)] {
        let reply = ended.clone();
        let stub = Stub::new(move |_| reply.clone());
        made.endpoint.endpoint_url = Some(stub.url.clone());
        made.credentials = Arc::new(Turning(AtomicUsize::new(0), last));
        let error = call(&Client::new(made.clone()), "s3", "ListBuckets", json!({}));
        assert_eq!(error.expect_err("ended").code(), Some("ExpiredToken"));
        assert_eq!(stub.asked().len(), requests);
    }
}

fn through(proxy: &str, stub: &Stub) -> Client {
    let variables = [("http_proxy", proxy), ("https_proxy", proxy)];
    let environment: Environment =
        variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let mut made = options(stub);
    made.pool =
        Arc::new(Pool::new(connection::Options { proxies: Proxies::of(&environment), ..quick() }));
    Client::new(made)
}

#[test]
fn plain_requests_are_handed_to_a_proxy() {
    let proxy = Stub::new(|_| Reply::ok(VPCS));
    let mut made = options(&proxy);
    made.endpoint.endpoint_url = Some("http://ec2.example.org".to_owned());
    let address = proxy.url.replace("//", "//me:p%40ss@");
    let environment: Environment = [("http_proxy".to_owned(), address)].into_iter().collect();
    made.pool =
        Arc::new(Pool::new(connection::Options { proxies: Proxies::of(&environment), ..quick() }));
    vpcs(&Client::new(made)).expect("by the proxy");
    let asked = &proxy.asked()[0];
    assert_eq!(asked.target, "http://ec2.example.org/");
    assert_eq!(asked.header("host"), "ec2.example.org");
    assert_eq!(asked.header("proxy-authorization"), "Basic bWU6cEBzcw==");
}

#[test]
fn an_exception_from_proxies_holds_for_the_port_that_it_names() {
    for named in [true, false] {
        let (gate, here) = (Stub::new(|_| Reply::ok(VPCS)), Stub::new(|_| Reply::ok(VPCS)));
        let host = here.url.trim_start_matches("http://").trim_end_matches('/');
        let except = if named { host.to_owned() } else { "127.0.0.1:1".to_owned() };
        let variables =
            [("http_proxy".to_owned(), gate.url.clone()), ("no_proxy".to_owned(), except)];
        let proxies = Proxies::of(&variables.into_iter().collect());
        let mut made = options(&here);
        made.pool = Arc::new(Pool::new(connection::Options { proxies, ..quick() }));
        vpcs(&Client::new(made)).expect("from one of them");
        assert_eq!(
            (gate.asked().len(), here.asked().len()),
            (usize::from(!named), usize::from(named))
        );
    }
}

/// A proxy that makes tunnels for whoever says the right words; the words that were said.
fn tunnels(answer: &'static str, to: u16) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("one").port();
    let said = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&said);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            let mut head = Vec::new();
            let mut byte = [0];
            while !head.ends_with(b"\r\n\r\n") && client.read(&mut byte).is_ok_and(|it| it > 0) {
                head.push(byte[0]);
            }
            heard.lock().expect("no panic").push(String::from_utf8_lossy(&head).into_owned());
            let _ = client.write_all(answer.as_bytes());
            if !answer.contains(" 200 ") {
                continue;
            }
            let mut server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
            let (mut back, mut from) =
                (client.try_clone().expect("one"), server.try_clone().expect("one"));
            thread::spawn(move || std::io::copy(&mut from, &mut back));
            thread::spawn(move || std::io::copy(&mut client, &mut server));
        }
    });
    (port, said)
}

#[test]
fn secure_requests_go_through_a_tunnel() {
    let stub = Stub::over_tls("server", |_| Reply::ok(VPCS));
    let (port, said) = tunnels("HTTP/1.1 200 Go\r\n\r\n", stub.port());
    vpcs(&through(&format!("http://me:pass@localhost:{port}"), &stub)).expect("through it");
    let said = said.lock().expect("no panic").join("");
    assert!(said.starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", stub.port())), "{said}");
    assert!(
        said.to_lowercase().contains("\r\nproxy-authorization: basic bwu6cgfzcw==\r\n"),
        "{said}"
    );
}

#[test]
fn proxies_that_refuse_are_named() {
    let stub = Stub::over_tls("server", |_| Reply::ok(VPCS));
    for (answer, reason) in [
        ("HTTP/1.1 407 Who\r\n\r\n", "proxy authorization required"),
        ("HTTP/1.1 403 No\r\n\r\n", "the proxy refuses to connect there"),
    ] {
        let (port, _) = tunnels(answer, stub.port());
        let said = text(vpcs(&through(&format!("http://me:secret@localhost:{port}"), &stub)));
        let begin = format!(
            "ec2.DescribeVpcs failed after 3 attempts: no connection to localhost:{} through the \
             proxy localhost:{port}: ",
            stub.port()
        );
        assert!(said.starts_with(&begin) && said.ends_with(reason), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
    let said = text(vpcs(&through("socks5://localhost:1", &stub)));
    assert!(said.contains("a proxy is spoken to over http, not socks5"), "{said}");
}

#[test]
fn servers_are_trusted_by_their_certificates() {
    let with = |name: &str, bundle: Option<&str>, verify: bool| {
        let stub = Stub::over_tls(name, |_| Reply::ok(VPCS));
        let mut made = options(&stub);
        let ca_bundle = bundle.map(tls);
        made.pool = Arc::new(Pool::new(connection::Options { ca_bundle, verify, ..quick() }));
        let outcome = vpcs(&Client::new(made)).map(|it| it.attempts).map_err(|it| it.chain());
        outcome.map_err(|it| it.replace(&stub.port().to_string(), "PORT"))
    };
    assert_eq!(with("server", Some("ca.pem"), true), Ok(1));
    assert_eq!(with("self", Some("self.pem"), true), Ok(1));
    assert_eq!(with("server", Some("other.pem"), false), Ok(1));
    for (name, bundle) in [("server", Some("other.pem")), ("self", Some("ca.pem"))] {
        assert_eq!(
            with(name, bundle, true),
            Err("ec2.DescribeVpcs failed: the certificate of localhost:PORT is not trusted: nobody \
                 who is trusted here has signed it (ca_bundle or AWS_CA_BUNDLE names a file with \
                 the certificates to trust)"
                .to_owned())
        );
    }
    let missing = with("server", Some("none.pem"), true).expect_err("no file");
    assert!(
        missing.contains("none.pem cannot be read: ") && missing.contains("No such file"),
        "{missing}"
    );
    let none = with("server", Some("server.key"), true).expect_err("no certificate");
    assert!(none.contains("there is no certificate in it"), "{none}");
}

#[test]
fn certificates_are_for_names() {
    let stub = Stub::over_tls("self", |_| Reply::ok(VPCS));
    let mut made = options(&stub);
    made.endpoint.endpoint_url = Some(stub.url.replace("localhost", "127.0.0.1"));
    let ca_bundle = Some(tls("self.pem"));
    made.pool = Arc::new(Pool::new(connection::Options { ca_bundle, ..quick() }));
    let said = text(vpcs(&Client::new(made)));
    assert!(
        said.contains("the certificate of 127.0.0.1:") && said.contains("not valid for name"),
        "{said}"
    );
}

#[test]
fn answers_that_are_too_large_are_not_kept() {
    let stub = Stub::new(|_| Reply::ok(vec![b'x'; 100_000]));
    let mut made = options(&stub);
    made.largest = 50_000;
    let one = Client::new(made);
    let said = text(call(&one, "s3", "GetObject", json!({"Bucket": "b", "Key": "k"})));
    assert_eq!(said, "GetObject gives more than is kept in memory: read it piece by piece");
    let said = text(vpcs(&one));
    assert!(said.ends_with("is larger than 50000 bytes"), "{said}");
    assert_eq!(stub.asked().len(), 2);
}

#[test]
fn a_client_does_not_try_again_for_ever() {
    let stub = Stub::new(|_| Reply::new(500, &[], ""));
    let one = client(&stub);
    let runtime = runtime();
    for _ in 0..30 {
        let outcome = runtime.block_on(one.call("ec2", "DescribeVpcs", map(json!({}))));
        outcome.expect_err("it always fails");
    }
    // 500 tokens, 14 for each time that it is tried again.
    assert_eq!(stub.asked().len(), 30 + 35);
}

#[test]
fn the_mode_says_how_often() {
    for (mode, most, requests) in
        [(Mode::Standard, None, 3), (Mode::Standard, Some(1), 1), (Mode::Adaptive, Some(2), 2)]
    {
        let stub = Stub::new(|_| Reply::new(500, &[], ""));
        let mut made = options(&stub);
        (made.retry_mode, made.max_attempts) = (mode, most);
        vpcs(&Client::new(made)).expect_err("it always fails");
        assert_eq!(stub.asked().len(), requests);
    }
}

fn put(client: &Client, body: Body) -> Result<Output, Error> {
    let params = map(json!({"Bucket": "b", "Key": "k"}));
    runtime().block_on(client.run(Call::new("s3", "PutObject", params).body(body)))
}

fn pieces(pieces: &[&'static str], length: Option<u64>) -> Body {
    let pieces: Vec<_> = pieces.iter().map(|it| Ok(Bytes::from_static(it.as_bytes()))).collect();
    Body::Stream { pieces: Pieces::new(stream::iter(pieces)), length }
}

#[test]
fn bodies_are_sent_again_where_they_can_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("file");
    let content: Vec<u8> = (0..300_000_u32).map(|it| (it % 251) as u8).collect();
    std::fs::write(&path, &content).expect("a file");
    let stub = Stub::script(vec![Reply::new(500, &[], ""), Reply::reset(), Reply::ok("")]);
    let part = FilePart { path, from: 1_000, length: 250_000 };
    assert_eq!(put(&client(&stub), Body::File(part)).expect("then").attempts, 3);
    for asked in stub.asked() {
        assert!(asked.body == content[1_000..251_000], "{} bytes", asked.body.len());
    }
    let stub = Stub::script(vec![Reply::new(500, &[], ""), Reply::ok("")]);
    let error = put(&client(&stub), pieces(&["ab", "", "cd"], Some(4))).expect_err("comes once");
    assert_eq!((error.code(), stub.asked().len()), (Some("500"), 1));
    assert_eq!(stub.asked()[0].text(), "abcd");
}

#[test]
fn streams_keep_to_their_length() {
    for (given, length, reason) in [
        (&["ab", "cd"][..], Some(5), "less came than was announced"),
        (&["ab", "cd", "", "e"][..], Some(4), "more came than was announced"),
        (&["abcdef"][..], Some(4), "more came than was announced"),
        (&["ab"][..], None, "PutObject needs to know how long its body is"),
    ] {
        let stub = Stub::new(|_| Reply::ok(""));
        let said = text(put(&client(&stub), pieces(given, length)));
        assert!(said.contains(reason), "{said}");
        assert!(stub.asked().is_empty(), "{reason}: something whole came");
    }
}

#[test]
fn checksums_come_behind_streams() {
    let stub = Stub::over_tls("server", |_| Reply::ok(""));
    let mut made = options(&stub);
    made.request_checksums = Some(davit_aws::checksum::When::Supported);
    let one = Client::new(made);
    let content: Vec<u8> = (0..3_500_000_u32).map(|it| (it % 253) as u8).collect();
    let some: Vec<_> = content.chunks(70_001).map(|it| Ok(Bytes::copy_from_slice(it))).collect();
    let length = Some(content.len() as u64);
    let body = Body::Stream { pieces: Pieces::new(stream::iter(some)), length };
    put(&one, body).expect("it goes over");
    put(&one, Body::Empty).expect("it goes over");
    let asked = stub.asked();
    let sent = &asked[0];
    assert_eq!(sent.header("content-encoding"), "aws-chunked");
    assert_eq!(sent.header("x-amz-trailer"), "x-amz-checksum-crc32");
    assert_eq!(sent.header("x-amz-decoded-content-length"), "3500000");
    assert_eq!(sent.header("x-amz-content-sha256"), "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let (decoded, trailer) = decode(&sent.body);
    assert!(decoded == content);
    let expected = davit_aws::checksum::Algorithm::Crc32.of_bytes(&content);
    assert_eq!(trailer, format!("x-amz-checksum-crc32:{expected}\r\n\r\n"));
    let (decoded, trailer) = decode(&asked[1].body);
    assert_eq!((decoded.len(), trailer.as_str()), (0, "x-amz-checksum-crc32:AAAAAA==\r\n\r\n"));
}

/// What a body holds that was sent in chunks, and what comes behind it.
fn decode(mut body: &[u8]) -> (Vec<u8>, String) {
    let mut decoded = Vec::new();
    loop {
        let line = body.windows(2).position(|it| it == b"\r\n").expect("a line");
        let size = std::str::from_utf8(&body[..line]).expect("a number");
        let size = usize::from_str_radix(size, 16).expect("a number");
        body = &body[line + 2..];
        if size == 0 {
            return (decoded, String::from_utf8_lossy(body).into_owned());
        }
        decoded.extend_from_slice(&body[..size]);
        assert_eq!(&body[size..size + 2], b"\r\n");
        body = &body[size + 2..];
    }
}

#[test]
fn a_call_that_nobody_waits_for_is_given_up() {
    let stub = Arc::new(Stub::new(|_| Reply::nothing()));
    let one = client(&stub);
    runtime().block_on(async {
        let called = one.call("ec2", "DescribeVpcs", map(json!({})));
        let waiting = Arc::clone(&stub);
        let came = tokio::task::spawn_blocking(move || waiting.wait_asked(1));
        tokio::select! {
            _ = called => panic!("nothing is answered"),
            came = came => came.expect("it came"),
        }
        let closed = Arc::clone(&stub);
        tokio::task::spawn_blocking(move || closed.wait_closed()).await.expect("closed");
    });
    assert_eq!(stub.asked().len(), 1);
}

#[test]
fn a_server_may_say_no_before_it_has_read_everything() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("one").port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = client.read(&mut [0; 4_096]);
            let body = "<Error><Code>AccessDenied</Code></Error>";
            let head = format!(
                "HTTP/1.1 403 No\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            let _ = client.write_all((head + body).as_bytes());
            thread::sleep(Duration::from_millis(100));
        }
    });
    let stub = Stub::script(vec![]);
    let mut made = options(&stub);
    made.endpoint.endpoint_url = Some(format!("http://localhost:{port}"));
    let error = put(&Client::new(made), Body::Bytes(vec![0; 20_000_000].into())).expect_err("no");
    assert_eq!(error.code(), Some("AccessDenied"), "{}", error.chain());
    assert_eq!(requests.load(Ordering::SeqCst), 1);
}
