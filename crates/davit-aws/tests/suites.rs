//! What the suites of the AWS SDKs want beside what botocore does: cases that it leaves out of its own
//! tests, and what other SDKs find credentials with. Asked through the program that drives the crate.

use serde_json::{Value as Json, json};

use crate::protocol::{Driver, has};

fn check(cases: &[(Json, Json)]) {
    let mut driver = Driver::start();
    for (request, expected) in cases {
        let answer = driver.ask(&request.to_string());
        assert!(has(&answer, expected), "{request}\n{answer}\n{expected}");
    }
}

/// A question about an operation that has these members, with texts and lists of texts to choose from.
fn asked(command: &str, protocol: &str, side: &str, top: &Json) -> Json {
    let mut request = json!({
        "command": command,
        "model": {
            "metadata": {"protocol": protocol, "apiVersion": "2020-01-08"},
            "shapes": {
                "Top": top,
                "Text": {"type": "string"},
                "Texts": {"type": "list", "member": {"shape": "Text"}},
                "Items": {"type": "list", "member": {"shape": "Text", "locationName": "item"}},
                "Either": {"type": "structure", "union": true, "members": {"a": {"shape": "Text"}}},
            },
        },
        "given": {"name": "Op", "http": {"method": "POST", "requestUri": "/"}},
    });
    request["given"][side] = json!({"shape": "Top"});
    request
}

fn serialized(protocol: &str, top: Json, params: Json, body: &str) -> (Json, Json) {
    let mut request = asked("serialize", protocol, "input", &top);
    request["params"] = params;
    (request, json!({ "body": body }))
}

fn structure(members: Json) -> Json {
    json!({"type": "structure", "members": members})
}

#[test]
fn names_are_those_of_the_member_where_it_has_one() {
    let form = "Action=Op&Version=2020-01-08";
    let flattened = |name: Option<&str>| {
        let mut member = json!({"shape": "Items", "flattened": true});
        if let Some(name) = name {
            member["locationName"] = name.into();
        }
        structure(json!({ "List": member }))
    };
    let list = json!({"List": ["a", "b"]});
    check(&[
        serialized("query", flattened(Some("Hi")), list.clone(), &format!("{form}&Hi.1=a&Hi.2=b")),
        serialized("query", flattened(None), list, &format!("{form}&item.1=a&item.2=b")),
        serialized(
            "ec2",
            structure(json!({"token": {"shape": "Text"}})),
            json!({"token": "t"}),
            &format!("{form}&Token=t"),
        ),
    ]);
}

#[test]
fn flattened_lists_may_be_named_as_their_member() {
    let members = structure(json!({
        "own": {"shape": "Items", "flattened": true},
        "renamed": {"shape": "Items", "flattened": true, "locationName": "custom"},
    }));
    let mut request = asked("parse", "rest-xml", "output", &members);
    let body = "<Op><own>a</own><own>b</own><custom>c</custom></Op>";
    request["response"] = json!({ "body": body });
    check(&[(request, json!({"result": {"own": ["a", "b"], "renamed": ["c"]}}))]);
}

#[test]
fn texts_in_headers_may_be_quoted() {
    let list = structure(json!({
        "list": {"shape": "Texts", "location": "header", "locationName": "X-List"},
    }));
    let mut request = asked("parse", "rest-json", "output", &list);
    request["response"] = json!({"headers": {"X-List": r#""b,c", "\"def\"", a"#}, "body": "{}"});
    check(&[(request, json!({"result": {"list": ["b,c", "\"def\"", "a"]}}))]);
}

#[test]
fn a_body_that_is_a_union_is_nothing_without_a_member() {
    let mut union = structure(json!({"it": {"shape": "Either"}}));
    union["payload"] = "it".into();
    check(&[
        serialized("rest-json", union.clone(), json!({}), ""),
        serialized("rest-json", union, json!({"it": {"a": "x"}}), r#"{"a": "x"}"#),
    ]);
}

#[test]
fn endpoints_may_have_a_path() {
    let mut request = asked("serialize", "json", "input", &structure(json!({})));
    request["endpoint"] = "https://example.com/custom".into();
    let expected = json!({
        "uri": "/custom/", "path": "/custom/", "host": "example.com",
        "url": "https://example.com/custom/",
    });
    check(&[(request, expected)]);
}

fn container(expiration: &str) -> Json {
    json!([{"response": {"body": json!({
        "AccessKeyId": "C", "SecretAccessKey": "s", "Token": "t", "Expiration": expiration,
    }).to_string()}}])
}

#[test]
fn recorded_credentials_are_good_when_they_were_recorded() {
    let variable = json!({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x"});
    let ask = |now: Json| {
        json!({
            "command": "credentials", "env": variable, "http": container("2009-02-13T23:31:30Z"),
            "now": now,
        })
    };
    let found = json!({"credentials": {"access_key_id": "C", "expiry": 1_234_567_890}});
    let ended = json!({"error": {"kind": "credentials", "provider": "container-role"}});
    check(&[
        (ask(Json::Null), found.clone()),
        (ask(1_234_567_890.into()), found),
        (ask(1_234_567_891.into()), ended),
    ]);
}

#[test]
fn variables_of_blanks_are_not_set() {
    let request = json!({
        "command": "credentials",
        "env": {"AWS_ACCESS_KEY_ID": " ", "AWS_SECRET_ACCESS_KEY": " ", "AWS_PROFILE": "p"},
        "files": {
            "/home/.aws/config": "[profile p]\naws_access_key_id = A\naws_secret_access_key = s",
        },
    });
    check(&[(request, json!({"credentials": {"access_key_id": "A"}, "provider": "config-file"}))]);
}

#[test]
fn files_are_named_as_suites_name_them() {
    let config = "[default]\naws_access_key_id = A\naws_secret_access_key = s";
    let found = json!({"credentials": {"access_key_id": "A"}});
    for name in ["/home/.aws/config", "home/.aws/config", "~/.aws/config"] {
        let request = json!({"command": "credentials", "files": {name: config}});
        check(&[(request, found.clone())]);
    }
    let request = json!({
        "command": "credentials",
        "env": {
            "HOME": "/home/anna",
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/v1/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/token.jwt",
        },
        "files": {"token.jwt": "t"},
        "http": container("2999-01-01T00:00:00Z"),
    });
    let sent = json!({"requests": [{"headers": {"Authorization": "t"}}]});
    check(&[(request, sent)]);
}

#[test]
fn tokens_come_from_sessions() {
    let files = json!({
        "/home/.aws/config": "[default]\nsso_session = test\n[sso-session test]\nsso_start_url = https://x/\nsso_region = us-east-2",
        "/home/.aws/sso/cache/a94a8fe5ccb19ba61c4c0873d391e987982fbbd3.json":
            r#"{"accessToken": "a", "expiresAt": "2080-10-16T03:56:45Z"}"#,
    });
    check(&[
        (json!({"command": "token", "files": files}), json!({"token": "a"})),
        (json!({"command": "token"}), json!({"error": {"kind": "credentials"}})),
    ]);
}

#[test]
fn hosts_have_the_account_in_their_names() {
    let ask = |command: &str, variables: &[(&str, &str)]| {
        let mut env = json!({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"});
        env["AWS_REGION"] = "us-west-2".into();
        for (name, value) in variables {
            env[*name] = (*value).into();
        }
        json!({
            "command": command, "service": "dynamodb", "operation": "ListTables", "env": env,
            "http": [{"response": {"body": "{}"}}],
        })
    };
    let sent = |host: &str| json!({"requests": [{"url": format!("https://{host}/")}]});
    let account = ("AWS_ACCOUNT_ID", "123456789012");
    let mode = |mode: &'static str| ("AWS_ACCOUNT_ID_ENDPOINT_MODE", mode);
    let (with, without) =
        ("123456789012.ddb.us-west-2.amazonaws.com", "dynamodb.us-west-2.amazonaws.com");
    check(&[
        (ask("call", &[account]), sent(with)),
        (ask("call", &[account, mode("required")]), sent(with)),
        (ask("call", &[account, mode("disabled")]), sent(without)),
        (ask("call", &[]), sent(without)),
        (ask("call", &[mode("required")]), json!({"error": {"kind": "call", "requests": []}})),
    ]);
    let mut anonymous = ask("call", &[account, mode("required")]);
    anonymous["anonymous"] = true.into();
    check(&[(anonymous, sent(without))]);
    let answer = Driver::start().ask(&ask("presign", &[account]).to_string());
    let url = answer["url"].as_str().unwrap_or_default();
    assert!(url.starts_with(&format!("https://{with}/?")), "{answer}");
}

#[test]
fn bodies_with_a_checksum_behind_them_are_seen_as_a_whole() {
    let request = json!({
        "command": "call", "service": "s3", "operation": "PutObject",
        "params": {"Bucket": "b", "Key": "k", "Body": "hello"},
        "env": {
            "AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s", "AWS_REGION": "us-west-2",
        },
        "http": [{"response": {"status": 200}}],
    });
    let sent = json!({
        "body": "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n",
        "headers": {
            "Content-Encoding": "aws-chunked",
            "X-Amz-Content-SHA256": "STREAMING-UNSIGNED-PAYLOAD-TRAILER",
        },
    });
    check(&[(request, json!({"requests": [sent], "attempts": 1}))]);
}

#[test]
fn functions_of_lambda_send_their_trace() {
    let ask = |variables: &[(&str, &str)]| {
        let mut env = json!({"AWS_ACCESS_KEY_ID": "A", "AWS_SECRET_ACCESS_KEY": "s"});
        env["AWS_REGION"] = "eu-west-1".into();
        env["AWS_SDK_UA_APP_ID"] = "my app".into();
        for (name, value) in variables {
            env[*name] = (*value).into();
        }
        json!({
            "command": "call", "service": "dynamodb", "operation": "ListTables", "env": env,
            "http": [{"response": {"body": "{}"}}],
        })
    };
    let id = "Root=1-5759e988-bd86;Parent=53995c3f42cd8ad8;Sampled=1;lineage=a87bd80c:0";
    let function = ("AWS_LAMBDA_FUNCTION_NAME", "some-function");
    let sent = |id: &str| json!({"requests": [{"headers": {"X-Amzn-Trace-Id": id}}]});
    check(&[
        (ask(&[function, ("_X_AMZN_TRACE_ID", id)]), sent(id)),
        (
            ask(&[function, ("_X_AMZN_TRACE_ID", "first\nsecond\u{bc}\t")]),
            sent("first%0Asecond%C2%BC%09"),
        ),
    ]);
    let mut driver = Driver::start();
    for variables in [&[function][..], &[("_X_AMZN_TRACE_ID", id)]] {
        let answer = driver.ask(&ask(variables).to_string());
        let headers = &answer["requests"][0]["headers"];
        assert_eq!(headers["X-Amzn-Trace-Id"], Json::Null, "{answer}");
        let agent = headers["User-Agent"].as_str().expect("a text");
        assert!(agent.ends_with(" app/my-app"), "{agent}");
    }
}

/// The messages of the suite of aws-c-event-stream, which all SDKs have.
#[test]
fn frames_are_those_of_every_sdk() {
    let all = json!([
        {"name": "event-type", "type": "int", "value": 40972},
    ]);
    let decode = |frame: &str| json!({"command": "event_stream", "decode": frame});
    let wrong = json!({"error": {"kind": "frame"}});
    let payload = "eydmb28nOidiYXInfQ==";
    let messages = |headers: Json, payload: &str| json!({"messages": [{"headers": headers, "payload_base64": payload}]});
    let content_type =
        json!([{"name": "content-type", "type": "string", "value": "application/json"}]);
    let cases = [
        ("AAAAEAAAAAAFwkjrfZjI/w==", messages(json!([]), "")),
        ("AAAALQAAABBBxCS4CmV2ZW50LXR5cGUEAACgDHsnZm9vJzonYmFyJ3029ICg", messages(all, payload)),
        ("AAAAHQAAAAD9Uoxaeydmb28nOidiYXInfcNlOTY=", messages(json!([]), payload)),
        (
            "AAAAPQAAACAH/YOWDGNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb257J2Zvbyc6J2Jhcid9jZwIsQ==",
            messages(content_type, payload),
        ),
        (
            "AAAAPQAAACAH/YOWDGNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb257YWZvbyc6J2Jhcid9jZwIsQ==",
            wrong.clone(),
        ),
        (
            "AAAAPQAAACEH/YOWDGNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb257J2Zvbyc6J2Jhcid9jZwIsQ==",
            wrong.clone(),
        ),
        (
            "AAAAPgAAACAH/YOWDGNvbnRlbnQtdHlwZQcAEGFwcGxpY2F0aW9uL2pzb257J2Zvbyc6J2Jhcid9jZwIsQ==",
            wrong.clone(),
        ),
        ("AAAAHQAAAAD9UoxaWydmb28nOidiYXInfcNlOTY=", wrong),
    ];
    check(&cases.map(|(frame, expected)| (decode(frame), expected)));
    let encode = json!({
        "command": "event_stream",
        "encode": {
            "headers": [{"name": "event-type", "type": 4, "value": 40972}],
            "payload_base64": payload,
        },
    });
    let frame = "AAAALQAAABBBxCS4CmV2ZW50LXR5cGUEAACgDHsnZm9vJzonYmFyJ3029ICg";
    check(&[(encode, json!({ "frame": frame }))]);
}
