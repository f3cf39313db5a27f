//! What the comparison with botocore does not show: what people read, and where botocore has no answer.

use std::error::Error as _;

use bytes::Bytes;

use super::*;
use crate::model::Store;

fn service(name: &str) -> &'static Service {
    Store::default().service(name).expect("readable").expect("known")
}

fn response(status: u16, kind: &str, body: &str) -> Response {
    let headers = [("Content-Type", kind), ("X-Amzn-RequestId", "r-1")];
    Response { status, headers: headers.into_iter().collect(), body: body.to_owned().into() }
}

fn read(name: &str, operation: &str, response: &Response) -> Result<Output, Unreadable> {
    let service = service(name);
    output(service, service.operation(operation).expect("known"), response)
}

fn failed(name: &str, operation: &str, response: &Response) -> ServiceError {
    let service = service(name);
    error(service, service.operation(operation).expect("known"), response)
}

const PORTAL: &str = "<!DOCTYPE html>\n<html>\n <title>Sign in</title></html>";

#[test]
fn a_portals_page_is_no_answer() {
    for (name, operation) in [
        ("ec2", "DescribeInstances"),
        ("ec2", "DeleteVpc"),
        ("sts", "GetCallerIdentity"),
        ("s3", "ListBuckets"),
        ("s3", "DeleteBucket"),
        ("dynamodb", "GetItem"),
        ("lambda", "GetFunction"),
        ("lambda", "DeleteFunctionConcurrency"),
        ("eventbridgev2", "ListEventBuses"),
    ] {
        let error = read(name, operation, &response(200, "text/html", PORTAL)).expect_err(name);
        let text = error.to_string();
        assert!(
            text.starts_with(&format!("the answer to {name}.{operation} (status 200, text/html) "))
        );
        assert!(text.contains("<!DOCTYPE html> <html> <title>Sign in</title></html>"), "{text}");
    }
    let text = read("lambda", "GetFunction", &response(200, "text/html", PORTAL));
    assert_eq!(
        text.expect_err("a page").to_string(),
        "the answer to lambda.GetFunction (status 200, text/html) is not the JSON that it should be: \
         it is a page for a browser; \
         it begins with \"<!DOCTYPE html> <html> <title>Sign in</title></html>\"",
    );
}

#[test]
fn what_was_cut_off_is_told_and_not_shown() {
    let whole = r#"{"SecretString": "hush", "Name": "n"}"#;
    for end in 1..whole.len() {
        let answer = response(200, "application/x-amz-json-1.1", &whole[..end]);
        let error = read("secretsmanager", "GetSecretValue", &answer).expect_err("cut off");
        assert_eq!(error.defect, Defect::Truncated, "{end}");
        assert!(!format!("{error} {error:?}").contains("hush"));
    }
    let xml = "<GetSessionTokenResponse><GetSessionTokenResult><Credentials><SecretAccessKey>hush";
    let error =
        read("sts", "GetSessionToken", &response(200, "text/xml", xml)).expect_err("cut off");
    assert_eq!(error.defect, Defect::Truncated);
    assert!(!format!("{error} {error:?}").contains("hush"));
}

#[test]
fn a_value_that_does_not_fit_is_named() {
    let xml = "<DescribeInstancesResponse><reservationSet><item><instancesSet><item>\
               <amiLaunchIndex>many</amiLaunchIndex></item></instancesSet></item></reservationSet>\
               </DescribeInstancesResponse>";
    let error =
        read("ec2", "DescribeInstances", &response(200, "text/xml", xml)).expect_err("text");
    assert_eq!(
        error.to_string(),
        "the answer to ec2.DescribeInstances (status 200, text/xml) is not the XML that it should be: \
         Reservations.Instances.AmiLaunchIndex: no whole number",
    );
}

#[test]
fn the_metadata_stands_under_botos_names() {
    let answer = response(200, "application/x-amz-json-1.0", "{\"Count\": 0}");
    let value = read("dynamodb", "Scan", &answer).expect("readable").into_value();
    assert_eq!(
        value.to_json(),
        serde_json::json!({"Count": 0, "ResponseMetadata": {
            "RequestId": "r-1",
            "HTTPStatusCode": 200,
            "HTTPHeaders": {"content-type": "application/x-amz-json-1.0", "x-amzn-requestid": "r-1"},
            "RetryAttempts": 0,
        }}),
    );
}

#[test]
fn errors_say_what_when_and_for_which_request() {
    let xml = "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>The vpc ID 'vpc-1' \
               does not exist</Message></Error></Errors><RequestID>r-2</RequestID></Response>";
    let error = failed("ec2", "DeleteVpc", &response(400, "text/xml", xml));
    assert_eq!(
        error.to_string(),
        "ec2.DeleteVpc failed: InvalidVpcID.NotFound: The vpc ID 'vpc-1' does not exist (request r-2)",
    );
    assert_eq!((error.fault, error.metadata.status), (Fault::Sender, 400));
    assert!(error.source().is_none());
}

#[test]
fn an_error_without_a_body_is_its_status() {
    for (name, operation) in [("s3", "HeadObject"), ("ec2", "DeleteVpc"), ("dynamodb", "Scan")] {
        let error = failed(name, operation, &Response { status: 404, ..Response::default() });
        assert_eq!((error.code.as_str(), error.message.as_str()), ("404", "Not Found"), "{name}");
        assert!(error.unreadable.is_none());
        assert_eq!(error.to_string(), format!("{name}.{operation} failed: 404: Not Found"));
    }
}

#[test]
fn a_proxys_page_is_an_error_that_shows_it() {
    for (name, operation) in [
        ("ec2", "DeleteVpc"),
        ("sts", "GetCallerIdentity"),
        ("s3", "GetObject"),
        ("lambda", "Invoke"),
        ("sqs", "SendMessage"),
        ("eventbridgev2", "ListEventBuses"),
    ] {
        for status in [403, 502] {
            let page = "<html>\n<body><h1>Blocked &amp; logged</h1></body></html>";
            let error = failed(name, operation, &response(status, "text/html", page));
            assert_eq!(error.code, status.to_string(), "{name}");
            assert_eq!(error.message, reason(status), "{name}");
            let source = error.source().expect("what was wrong").to_string();
            assert!(source.contains(&format!("(status {status}, text/html)")), "{source}");
            assert!(source.contains("<html> <body><h1>Blocked &amp; logged"), "{source}");
        }
    }
    let error = failed("sqs", "SendMessage", &response(400, "text/plain", "no such\n\u{7}thing"));
    assert_eq!((error.code.as_str(), error.message.as_str()), ("400", "no such \u{fffd}thing"));
}

#[test]
fn what_s3_says_besides_is_kept() {
    let xml = "<Error><Code>PermanentRedirect</Code><Message>m</Message><Endpoint>b.s3.amazonaws.com\
               </Endpoint><Bucket>b</Bucket><RequestId>r-3</RequestId><HostId>h</HostId></Error>";
    let answer = Response { headers: Headers::default(), ..response(301, "", xml) };
    let error = failed("s3", "GetObject", &answer);
    assert_eq!(error.code, "PermanentRedirect");
    let details = Value::Map(error.details.clone()).to_json();
    assert_eq!(details, serde_json::json!({"Endpoint": "b.s3.amazonaws.com", "Bucket": "b"}));
    assert_eq!(error.metadata.request_id.as_deref(), Some("r-3"));
    assert_eq!(error.metadata.host_id.as_deref(), Some("h"));
    assert!(is_hidden_error(xml.as_bytes()));
    assert!(is_hidden_error(b"<CompleteMultipartUploadResult>"));
    assert!(!is_hidden_error(b"<CompleteMultipartUploadResult/>"));
    assert!(!is_hidden_error(b""));
}

#[test]
fn what_the_model_says_of_retries_is_told() {
    let said = |code: &str| {
        let body = format!("{{\"__type\": \"{code}\", \"message\": \"m\"}}");
        let error = failed("accessanalyzer", "ApplyArchiveRule", &response(429, "", &body));
        (error.shape, error.retryable, error.throttling)
    };
    assert_eq!(said("ThrottlingException"), (Some("ThrottlingException"), true, true));
    assert_eq!(said("InternalServerException"), (Some("InternalServerException"), true, false));
    assert_eq!(said("ValidationException"), (Some("ValidationException"), false, false));
    assert_eq!(said("Throttling"), (None, false, false));
}

#[test]
fn codes_of_the_query_protocol_stand_before_the_services_own() {
    let mut answer = response(400, "", r#"{"__type":"com.amazonaws.sqs#QueueDoesNotExist"}"#);
    answer.headers.set("x-amzn-query-error", "AWS.SimpleQueueService.NonExistentQueue;Receiver");
    let error = failed("sqs", "SendMessage", &answer);
    assert_eq!(error.code, "AWS.SimpleQueueService.NonExistentQueue");
    assert_eq!(error.query_error_code.as_deref(), Some("QueueDoesNotExist"));
    assert_eq!((error.shape, error.fault), (Some("QueueDoesNotExist"), Fault::Receiver));
}

#[test]
fn bodies_that_are_not_read_as_a_whole_are_told_beforehand() {
    let body_of = |name: &str, operation: &str| {
        let service = service(name);
        body(service, service.operation(operation).expect("known"))
    };
    assert_eq!(body_of("s3", "GetObject"), Body::Stream("Body"));
    assert_eq!(body_of("s3", "ListObjectsV2"), Body::Whole);
    assert_eq!(body_of("s3", "SelectObjectContent"), Body::Events("Payload"));
    assert_eq!(body_of("kinesis", "SubscribeToShard"), Body::Events("EventStream"));
    assert_eq!(body_of("s3", "DeleteBucket"), Body::Whole);
}

#[test]
fn headers_are_read_without_the_body() {
    let service = service("s3");
    let operation = service.operation("GetObject").expect("known");
    let headers = [
        ("content-length", "12"),
        ("Last-Modified", "Fri, 02 Jan 2026 03:04:05 GMT"),
        ("x-amz-meta-Owner", "me"),
        ("X-AMZ-META-owner", "you"),
        ("x-amz-delete-marker", "true"),
    ];
    let head = head(service, operation, 200, &headers.into_iter().collect()).expect("readable");
    assert_eq!(
        Value::Map(head.values).to_json(),
        serde_json::json!({
            "DeleteMarker": true,
            "LastModified": "2026-01-02T03:04:05+00:00",
            "ContentLength": 12,
            "Metadata": {"Owner": "me, you"},
        }),
    );
    let wrong: Headers = [("content-length", "long")].into_iter().collect();
    let error = super::head(service, operation, 200, &wrong).expect_err("no number");
    assert_eq!(
        error.to_string(),
        "the answer to s3.GetObject (status 200) is not the headers that it should be: ContentLength: \
         no whole number",
    );
}

#[test]
fn a_stream_that_was_read_as_a_whole_is_its_bytes() {
    let answer = response(200, "text/html", PORTAL);
    let output = read("s3", "GetObject", &answer).expect("any bytes");
    assert_eq!(output.values.get("Body"), Some(&Value::Blob(Bytes::from(PORTAL))));
}
