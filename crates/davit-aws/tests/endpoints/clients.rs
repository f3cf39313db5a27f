//! Whole clients of botocore, asked where they would send a request and how they would sign it.

use davit_aws::{
    endpoint::{
        AccountIdMode, AddressingStyle, AuthPreference, EndpointError, S3Settings, Scheme,
        Settings, apply, auth, complete, resolve,
    },
    http::{Request, encode},
    model::{Service, Store},
    value::Map,
};
use serde_json::{Value as Json, json};

use super::{Dice, bucket, map};
use crate::python::Python;

/// The settings that a client's configuration is for botocore.
fn settings(config: &Json) -> (Settings, AuthPreference) {
    let text = |name: &str| config[name].as_str().map(str::to_owned);
    let flag = |name: &str| config[name] == true;
    let s3 = &config["s3"];
    let settings = Settings {
        region: text("region"),
        use_fips: flag("use_fips"),
        use_dual_stack: flag("use_dual_stack"),
        endpoint_url: text("endpoint_url"),
        plain_http: flag("plain_http"),
        s3: S3Settings {
            addressing_style: match s3["addressing_style"].as_str() {
                Some("virtual") => AddressingStyle::Virtual,
                Some("path") => AddressingStyle::Path,
                _ => AddressingStyle::Auto,
            },
            use_accelerate: s3["use_accelerate_endpoint"] == true,
            use_arn_region: s3["use_arn_region"].as_bool(),
            us_east_1_regional: s3["us_east_1_regional_endpoint"] == "regional",
            disable_multi_region_access_points: s3["s3_disable_multiregion_access_points"] == true,
            disable_express_session_auth: s3["disable_s3_express_session_auth"] == true,
            use_dual_stack: s3["use_dualstack_endpoint"].as_bool(),
        },
        sts_global_endpoint: config["sts"] == "legacy",
        account_id: text("account_id"),
        account_id_endpoint_mode: match config["account_id_endpoint_mode"].as_str() {
            Some("required") => AccountIdMode::Required,
            Some("disabled") => AccountIdMode::Disabled,
            _ if flag("unsigned") => AccountIdMode::Disabled,
            _ => AccountIdMode::Preferred,
        },
        context: Map::new(),
    };
    let schemes = text("auth_scheme_preference");
    let schemes = schemes.map(|it| it.split(',').map(str::to_owned).collect());
    let preference = AuthPreference {
        anonymous: flag("unsigned"),
        schemes: schemes.unwrap_or_default(),
        ..AuthPreference::default()
    };
    (settings, preference)
}

/// Where a call goes and how it is signed, in botocore's words; `None` if there is an error.
fn sent(service: &Service, config: &Json, call: &Json) -> Result<Json, EndpointError> {
    let (settings, preference) = settings(config);
    let operation = service.operation(call["operation"].as_str().expect("named")).expect("there");
    let mut input = map(&call["input"]);
    complete(service, operation, &mut input)?;
    let endpoint = resolve(service, operation, &input, &settings)?;
    let auth = auth(service, operation, &endpoint, &preference)?;
    let path = call["path"].as_str().unwrap_or("/");
    let mut path = path.split('?').next().unwrap_or_default().to_owned();
    if service.name == "s3" && operation.uri.starts_with("/{Bucket}") {
        path = format!("/{}{path}", encode(call["input"]["Bucket"].as_str().unwrap_or_default()));
    }
    let mut request = Request { path, ..Request::default() };
    let mut prefix = operation.host_prefix.unwrap_or_default().to_owned();
    for (name, value) in &input {
        prefix = prefix.replace(&format!("{{{name}}}"), value.as_str().unwrap_or_default());
    }
    apply(service, operation, &endpoint, Some(&prefix), &mut request);
    let scheme = match auth.scheme {
        Scheme::Anonymous => Json::Null,
        Scheme::SigV4 if !auth.double_encode => json!("s3v4"),
        Scheme::SigV4 => json!("v4"),
        Scheme::SigV4a if !auth.double_encode => json!("s3v4a"),
        Scheme::SigV4a => json!("v4a"),
        Scheme::S3Express => json!("v4-s3express"),
        Scheme::SigV2 => json!("v2"),
        Scheme::Bearer => json!("bearer"),
    };
    let signed = !matches!(auth.scheme, Scheme::Anonymous | Scheme::Bearer | Scheme::SigV2);
    Ok(json!({
        "url": request.url(),
        "scheme": scheme,
        "region": if signed { json!(auth.region) } else { Json::Null },
        "name": if signed { json!(auth.signing_name) } else { Json::Null },
        "body": if signed { json!(auth.sign_body) } else { Json::Null },
    }))
}

/// The same of botocore's answer.
fn sent_there(call: &Json) -> Option<Json> {
    // The port that is https's own is not written, and addresses of IP have no names before them.
    let url = call["url"].as_str()?.replace(".com:443/", ".com/");
    let url = url.replace("//route.127.0.0.1", "//127.0.0.1");
    let signed = !matches!(call["scheme"].as_str(), None | Some("bearer" | "v2"));
    let or_null = |name: &str| if signed { call[name].clone() } else { Json::Null };
    Some(json!({
        "url": url.split('?').next(),
        "scheme": call["scheme"],
        "region": or_null("region"),
        "name": or_null("name"),
        "body": or_null("sign_body"),
    }))
}

/// Asks about calls, and what is different.
fn differences(python: &mut Python, store: &Store, question: &Json) -> (usize, Vec<String>) {
    let name = question["calls"].as_str().expect("named");
    let service = store.service(name).expect("readable").expect("there");
    let answers = python.ask(question);
    let (mut count, mut wrong) = (0, Vec::new());
    let configs = question["configs"].as_array().expect("a list");
    for (config, answer) in configs.iter().zip(answers.as_array().expect("a list")) {
        for call in answer["done"].as_array().into_iter().flatten() {
            count += 1;
            let theirs = sent_there(call);
            let ours = sent(service, config, call);
            if ours.as_ref().ok() != theirs.as_ref() {
                wrong.push(format!("{name} {config}\n  {call}\n  ours {ours:?}"));
            }
        }
        if let Some(error) = answer.get("client") {
            wrong.push(format!("{name} {config}: {error}"));
        }
    }
    (count, wrong)
}

#[test]
fn requests_of_services_go_where_those_of_clients_go() {
    let mut python = Python::start("endpoints.py");
    let store = Store::default();
    let configs = json!([
        {"region": "eu-central-1"},
        {"region": "us-east-1", "use_fips": true, "account_id": "123456789012"},
        {"region": "us-west-2", "use_dual_stack": true},
        {"region": "cn-north-1", "auth_scheme_preference": "sigv4a,sigv4"},
        {"region": "fips-us-gov-west-1", "unsigned": true},
        {"region": "eu-west-9", "endpoint_url": "http://localhost:4566/base/", "use_fips": true},
        {"region": "us-gov-west-1", "plain_http": true},
    ]);
    let configs = configs.as_array().expect("a list");
    let (mut count, mut wrong) = (0, Vec::new());
    for (place, listed) in Store::bundled().enumerate() {
        // Signed for another name or region by a list of hosts from before there were rules. The hosts
        // are not there any more, or never were.
        if matches!(listed.name, "importexport" | "health") {
            continue;
        }
        let mut chosen = vec![&configs[place % configs.len()]];
        if matches!(listed.name, "billingconductor" | "chime" | "shield" | "waf") {
            chosen.retain(|it| it["use_dual_stack"] != true);
        }
        // An upload that botocore signs though nothing is to be signed.
        if listed.name == "ebs" {
            chosen.retain(|it| it["unsigned"] != true);
        }
        let question = json!({"calls": listed.name, "configs": chosen, "count": 4});
        let (more, differing) = differences(&mut python, &store, &question);
        count += more;
        wrong.extend(differing);
    }
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert!(count > 1_500, "{count}");
}

#[test]
fn requests_of_s3_go_where_those_of_clients_go() {
    let mut python = Python::start("endpoints.py");
    let store = Store::default();
    let mut dice = Dice(42);
    let mut configs = Vec::new();
    for region in ["us-east-1", "us-west-2", "cn-north-1", "aws-global"] {
        for s3 in [
            json!({}),
            json!({"addressing_style": "path"}),
            json!({"addressing_style": "virtual", "use_arn_region": false}),
            json!({"use_dualstack_endpoint": true, "disable_s3_express_session_auth": true}),
            json!({"use_accelerate_endpoint": true}),
            json!({"us_east_1_regional_endpoint": "regional", "s3_disable_multiregion_access_points": true}),
        ] {
            configs.push(json!({"region": region, "s3": s3}));
        }
    }
    for url in [
        "http://127.0.0.1:9000",
        "http://minio.local:9000/sub/path/",
        "https://s3-accelerate.amazonaws.com",
        "https://s3.us-west-2.amazonaws.com:443",
    ] {
        configs.push(json!({"region": "us-west-2", "endpoint_url": url}));
        configs.push(json!({"endpoint_url": url, "s3": {"addressing_style": "virtual"}}));
    }
    configs.push(json!({}));
    configs.push(json!({"region": "us-west-2", "use_fips": true}));
    configs.push(json!({"region": "us-west-2", "plain_http": true, "unsigned": true}));
    let mut inputs = vec![
        json!(["ListBuckets", {}]),
        json!(["ListDirectoryBuckets", {}]),
        json!(["WriteGetObjectResponse", {"RequestRoute": "route", "RequestToken": "token"}]),
    ];
    for _ in 0..60 {
        // botocore refuses those before it looks for an endpoint.
        let bucket = loop {
            let bucket = bucket(&mut dice);
            let plain = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '.' | '_');
            if bucket.starts_with("arn:aws:s3") || bucket.len() > 2 && bucket.chars().all(plain) {
                break bucket;
            }
        };
        inputs.push(match dice.below(5) {
            0 => json!(["HeadBucket", {"Bucket": bucket}]),
            1 => json!(["GetBucketLocation", {"Bucket": bucket}]),
            2 => json!(["GetBucketAcl", {"Bucket": bucket}]),
            3 => json!(["CreateBucket", {"Bucket": bucket}]),
            _ => json!(["GetObject", {"Bucket": bucket, "Key": "/a b//c+d"}]),
        });
    }
    let question = json!({"calls": "s3", "configs": configs, "inputs": inputs});
    let (count, wrong) = differences(&mut python, &store, &question);
    assert!(
        wrong.is_empty(),
        "{} of {count}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert!(count > 2_000, "{count}");
}

#[test]
fn requests_with_parameters_of_rules_go_where_those_of_clients_go() {
    let mut python = Python::start("endpoints.py");
    let store = Store::default();
    let account = |mode: &str| json!({"region": "us-west-2", "account_id": "123456789012", "account_id_endpoint_mode": mode});
    let table = "arn:aws:dynamodb:us-west-2:333333333333:table/t";
    let stream = "arn:aws:kinesis:us-west-2:123456789012:stream/s";
    let op = "arn:aws:s3-outposts:us-west-2:123456789012:outpost:op-01234567890123456";
    let sts = [
        ("us-west-2", "legacy"),
        ("eu-central-2", "legacy"),
        ("us-west-2", "regional"),
        ("aws-global", "legacy"),
    ];
    let sts: Vec<Json> =
        sts.iter().map(|(region, sts)| json!({"region": region, "sts": sts})).collect();
    let questions = [
        json!({"calls": "dynamodb", "inputs": [
            ["GetItem", {"TableName": "t", "Key": {}}],
            ["GetItem", {"TableName": table, "Key": {}}],
            ["BatchGetItem", {"RequestItems": {table: {"Keys": []}}}],
            ["TransactWriteItems", {"TransactItems": [{"Put": {"TableName": table, "Item": {}}}, {"Delete": {"TableName": "u", "Key": {}}}]}],
            ["TransactGetItems", {"TransactItems": [{"Get": {"TableName": table, "Key": {}}}]}],
            ["ImportTable", {"S3BucketSource": {"S3Bucket": "b"}, "InputFormat": "CSV", "TableCreationParameters": {"TableName": table, "AttributeDefinitions": [], "KeySchema": []}}],
            ["ListTables", {}],
        ], "configs": [account("preferred"), account("required"), account("disabled"),
            {"region": "us-west-2", "account_id_endpoint_mode": "required"},
            {"region": "local"}, {"region": "us-west-2"}, {"region": "us-west-2", "unsigned": true, "account_id": "1"}]}),
        json!({"calls": "kinesis", "inputs": [
            ["DescribeStream", {"StreamARN": stream}], ["DescribeStream", {"StreamName": "s"}],
            ["SubscribeToShard", {"ConsumerARN": format!("{stream}/consumer/c:1"), "ShardId": "s", "StartingPosition": {"Type": "LATEST"}}],
        ], "configs": [{"region": "us-west-2"}, {"region": "us-east-1", "use_fips": true}]}),
        json!({"calls": "s3control", "inputs": [
            ["GetAccessPoint", {"AccountId": "123456789012", "Name": "p"}],
            ["GetAccessPoint", {"Name": format!("{op}:accesspoint:p")}],
            ["GetAccessPoint", {"AccountId": "1", "Name": format!("{op}:accesspoint:p")}],
            ["GetBucket", {"Bucket": format!("{op}:bucket:b")}],
            ["GetBucket", {"AccountId": "123456789012", "Bucket": "plain"}],
            ["CreateBucket", {"Bucket": "b", "OutpostId": "op-01234567890123456"}],
            ["ListRegionalBuckets", {"AccountId": "123456789012", "OutpostId": "op-01234567890123456"}],
            ["GetMultiRegionAccessPoint", {"AccountId": "123456789012", "Name": "p"}],
            ["ListTagsForResource", {"AccountId": "123456789012", "ResourceArn": "arn:aws:s3:us-west-2:1:bucket/b"}],
        ], "configs": [{"region": "us-west-2"}, {"region": "us-east-1"}, {"region": "us-east-1", "s3": {"use_arn_region": true}},
            {"region": "us-west-2", "use_fips": true}, {"region": "us-west-2", "s3": {"use_dualstack_endpoint": true}},
            {"region": "us-west-2", "endpoint_url": "https://beta.example.com"}]}),
        json!({"calls": "events", "inputs": [
            ["PutEvents", {"Entries": [], "EndpointId": "abc.456"}], ["PutEvents", {"Entries": []}], ["PutEvents", {"Entries": [], "EndpointId": "bad_"}],
        ], "configs": [{"region": "us-east-1"}, {"region": "us-gov-west-1"}, {"region": "us-east-1", "use_fips": true}]}),
        json!({"calls": "sts", "inputs": [["GetCallerIdentity", {}],
            ["AssumeRoleWithWebIdentity", {"RoleArn": "r", "RoleSessionName": "s", "WebIdentityToken": "t"}]],
            "configs": sts}),
        json!({"calls": "cloudfront", "inputs": [["ListDistributions", {}]], "configs": [{}, {"region": "eu-west-1"}]}),
        json!({"calls": "iam", "inputs": [["ListUsers", {}]], "configs": [{}, {"region": "us-iso-east-1"}, {"region": "us-gov-west-1"}]}),
    ];
    for question in questions {
        let (count, wrong) = differences(&mut python, &store, &question);
        assert!(
            wrong.is_empty(),
            "{} of {count}:\n{}",
            wrong.len(),
            wrong[..wrong.len().min(6)].join("\n")
        );
        assert!(count > 0);
    }
}
