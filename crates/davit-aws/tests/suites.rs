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
