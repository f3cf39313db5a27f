//! Requests go where botocore sends them.

use std::collections::BTreeMap;

use davit_aws::{
    endpoint::{
        AccountIdMode, AddressingStyle, AuthPreference, Endpoint, EndpointError, S3Settings,
        Scheme, Settings, apply, auth, complete, host_prefix, partitions, resolve,
        resolve_built_ins, resolve_rules,
    },
    http::{Request, encode},
    model::{Service, Store, Tree},
    value::{Map, Value},
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use crate::python::Python;

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).expect("64 bits") % end
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }
}

const ENDPOINTS: &[&str] = &[
    "https://example.com",
    "http://localhost:4566",
    "http://127.0.0.1:9000/base",
    "https://[::1]:8443/p/",
    "https://example.com/a/../b%20c",
    "https://s3-accelerate.amazonaws.com",
    "https://beta.example.com:443",
    "example.com",
    "ftp://example.com",
];

fn region(dice: &mut Dice) -> String {
    let partition = &partitions()[dice.below(partitions().len())];
    match dice.below(12) {
        0 => dice
            .of(&["xx-nowhere-1", "us-gov-nowhere-9", "cn-new-3", "aws-global", "us east 1"])
            .to_owned(),
        1..=3 => dice.of(&["us-east-1", "us-west-2", "aws-global", "eu-central-1"]).to_owned(),
        _ => dice.of(&partition.regions).to_owned(),
    }
}

fn arn(dice: &mut Dice) -> String {
    let partition = dice.of(&["aws", "aws", "aws", "aws-cn", "aws-us-gov", ""]);
    let service = dice.of(&[
        "s3",
        "s3",
        "s3-outposts",
        "s3-object-lambda",
        "s3express",
        "dynamodb",
        "kinesis",
        "sqs",
        "",
    ]);
    let place = if dice.one_in(6) { String::new() } else { region(dice) };
    let account = dice.of(&["123456789012", "123456789012", "", "12_3", "1234"]);
    let resource = dice.of(&[
        "accesspoint/myendpoint",
        "accesspoint:myendpoint",
        "accesspoint:myendpoint:more",
        "accesspoint:my_endpoint",
        "accesspoint",
        "accesspoint:mfzwi23gnjvgw.mrap",
        "accesspoint:",
        "outpost/op-01234567890123456/accesspoint/reports",
        "outpost:op-01234567890123456:accesspoint:reports",
        "outpost:op-01234567890123456:bucket:mybucket",
        "outpost:op-01234567890123456",
        "outpost",
        "table/name",
        "table:name",
        "stream/name",
        "stream/name/consumer/c:123",
        "a-queue",
        "bucket_name",
        "",
    ]);
    format!("arn:{partition}:{service}:{place}:{account}:{resource}")
}

fn bucket(dice: &mut Dice) -> String {
    if dice.one_in(3) {
        return arn(dice);
    }
    dice.of(&[
        "bucket-name",
        "99a_b",
        "bucket.with.dots",
        "Upper",
        "ab",
        "192.168.1.1",
        "bucket name",
        "example.com#",
        "test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3",
        "test-accessp-e0b1d075431d83bebde8xz5w8ijx1qzlbp3i3ebeta0--op-s3",
        "short--op-s3",
        "mybucket--usw2-az1--x-s3",
        "mybucket--use1-az5--x-s3",
        "mybucket--abcd-ab1--x-s3",
        "mybucket--test-ab1--x-s3",
        "myaccesspoint--usw2-az1--xa-s3",
        "myaccesspoint--test-zone-ab1--xa-s3",
        "my.bucket--usw2-az1--x-s3",
        "--x-s3",
        "point-s3alias",
        "é",
        "",
    ])
    .to_owned()
}

/// For each parameter the texts that rules compare it with.
fn compared(tree: &Tree, found: &mut BTreeMap<&'static str, Vec<String>>) {
    if tree.text("fn") == Some("stringEquals")
        && let [left, right] = tree.get("argv").map(Tree::items).unwrap_or_default()
        && let (Some(name), Some(text)) = (left.text("ref"), right.as_str())
    {
        found.entry(name).or_default().push(text.to_owned());
    }
    tree.items().iter().for_each(|it| compared(it, found));
    tree.entries().iter().for_each(|(_, it)| compared(it, found));
}

/// Parameters for the rules of a service.
fn parameters(rules: &Tree, dice: &mut Dice, texts: &BTreeMap<&str, Vec<String>>) -> Json {
    let mut chosen = serde_json::Map::new();
    for (name, parameter) in rules.get("parameters").expect("there").entries() {
        let kind = parameter.text("type").expect("typed").to_lowercase();
        let value = match (*name, kind.as_str()) {
            ("Region", _) if dice.one_in(25) => continue,
            ("Region", _) => json!(region(dice)),
            ("Endpoint", _) if dice.one_in(5) => json!(dice.of(ENDPOINTS)),
            ("Endpoint", _) => continue,
            ("Bucket", _) if dice.one_in(8) => continue,
            ("Bucket", _) => json!(bucket(dice)),
            (_, "boolean") if dice.one_in(3) => continue,
            (_, "boolean") => json!(dice.one_in(3)),
            (_, "stringarray") => {
                json!((0..dice.below(3)).map(|_| arn(dice)).collect::<Vec<_>>())
            }
            _ if dice.one_in(4) => continue,
            (name, _) if texts.contains_key(name) && !dice.one_in(5) => {
                json!(dice.of(&texts[name]))
            }
            (name, _) if name.to_lowercase().contains("arn") => json!(arn(dice)),
            _ => json!(dice.of(&["123456789012", "a-label", "bad label", "op-0123", "a.b", ""])),
        };
        chosen.insert((*name).to_owned(), value);
    }
    Json::Object(chosen)
}

/// What rules gave, in botocore's form.
fn shown(found: &Result<Endpoint, EndpointError>) -> Json {
    let endpoint = match found {
        Ok(endpoint) => endpoint,
        Err(error) => return json!({"error": error.to_string()}),
    };
    let mut properties = Value::Map(endpoint.properties.clone()).to_json();
    let schemes: Vec<Json> = endpoint
        .auth_schemes
        .iter()
        .map(|it| {
            let mut scheme = json!({"name": it.name});
            let mut put = |name: &str, value: Option<Json>| {
                if let Some(value) = value {
                    scheme[name] = value;
                }
            };
            put("signingName", it.signing_name.clone().map(Json::from));
            put("signingRegion", it.signing_region.clone().map(Json::from));
            put("signingRegionSet", it.signing_region_set.clone().map(Json::from));
            put("disableDoubleEncoding", it.disable_double_encoding.map(Json::from));
            scheme
        })
        .collect();
    if !schemes.is_empty() {
        properties["authSchemes"] = schemes.into();
    }
    let mut headers = serde_json::Map::new();
    for (name, value) in endpoint.headers.iter() {
        let values = headers.entry(name).or_insert_with(|| json!([]));
        values.as_array_mut().expect("a list").push(json!(value));
    }
    json!({"url": endpoint.url(), "headers": headers, "properties": properties})
}

fn map(json: &Json) -> Map {
    Value::from(json.clone()).as_map().cloned().unwrap_or_default()
}

#[test]
fn rules_lead_where_botocore_is_led() {
    let mut python = Python::start("endpoints.py");
    let store = Store::default();
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut compared_cases, mut led) = (0, 0);
    let mut wrong = Vec::new();
    for listed in Store::bundled() {
        let service = store.service(listed.name).expect("readable").expect("there");
        let rules = service.endpoint_rules();
        let mut texts = BTreeMap::new();
        compared(&rules, &mut texts);
        let many = rules.get("parameters").expect("there").entries().len();
        let count = match listed.name {
            "s3" => 5000,
            "s3control" => 2000,
            _ if many > 4 => 200,
            _ => 20,
        };
        let cases: Vec<Json> = (0..count).map(|_| parameters(&rules, &mut dice, &texts)).collect();
        let answers = python.ask(&json!({"rules": listed.name, "cases": cases}));
        for (case, theirs) in cases.iter().zip(answers.as_array().expect("a list")) {
            let found = resolve_rules(service, &map(case));
            compared_cases += 1;
            // botocore looks at addresses and regions at another place.
            let looked_at = case.get("Endpoint").is_some() || case["Region"] == "us east 1";
            if matches!(found, Err(EndpointError::InvalidUrl { .. })) && looked_at {
                continue;
            }
            let ours = shown(&found);
            let same = match &found {
                Err(EndpointError::Rejected { .. }) | Ok(_) => ours == *theirs,
                Err(_) => theirs.get("error").is_some(),
            };
            led += usize::from(found.is_ok());
            if !same {
                wrong.push(format!("{} {case}\n  ours   {ours}\n  theirs {theirs}", listed.name));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {compared_cases}:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(12)].join("\n")
    );
    assert!(compared_cases > 15_000 && led > 8_000, "{compared_cases} {led}");
}

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
    let prefix = host_prefix(service, operation, &input)?;
    apply(service, operation, &endpoint, prefix.as_deref(), &mut request);
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

/// An operation of a service.
fn resolved(
    name: &str,
    operation: &str,
    input: &Json,
    settings: &Settings,
) -> Result<Endpoint, EndpointError> {
    let store = Store::default();
    let service = store.service(name).expect("readable").expect("there");
    resolve(service, service.operation(operation).expect("there"), &map(input), settings)
}

#[test]
fn built_ins_can_be_given_by_their_names() {
    let store = Store::default();
    let service = store.service("s3").expect("readable").expect("there");
    let operation = service.operation("GetObject").expect("there");
    let input = map(&json!({"Bucket": "bucket-name", "Key": "key"}));
    for (built_ins, url, region) in [
        (json!({"AWS::Region": "aws-global"}), "https://bucket-name.s3.amazonaws.com", "us-east-1"),
        (
            json!({"AWS::Region": "us-west-2", "AWS::S3::UseGlobalEndpoint": true}),
            "https://bucket-name.s3.us-west-2.amazonaws.com",
            "us-west-2",
        ),
        (
            json!({"AWS::Region": "aws-global", "SDK::Endpoint": "https://example.com"}),
            "https://bucket-name.example.com",
            "us-east-1",
        ),
    ] {
        let built_ins = map(&built_ins);
        let endpoint = resolve_built_ins(service, operation, &input, &built_ins, &Map::new());
        let endpoint = endpoint.expect("an endpoint");
        assert_eq!(endpoint.url(), url);
        assert_eq!(endpoint.auth_schemes[0].signing_region.as_deref(), Some(region));
    }
}

#[test]
fn what_leads_nowhere_is_told() {
    let with = |region: &str| Settings { region: Some(region.to_owned()), ..Settings::default() };
    let none = json!({});
    for (name, operation, input, settings, told) in [
        ("ec2", "DescribeVpcs", &none, Settings::default(), "no region is set, and ec2 needs one"),
        (
            "ec2",
            "DescribeVpcs",
            &none,
            with("us_east_1"),
            "\"us_east_1\" can be no region: letters, digits and hyphens are what regions have",
        ),
        (
            "ec2",
            "DescribeVpcs",
            &none,
            Settings { endpoint_url: Some("http://me:secret@h".to_owned()), ..with("x") },
            "the endpoint \"http://***@h\" is no address of a service: it has a user in it",
        ),
        ("s3", "HeadBucket", &json!({"Bucket": 1}), with("us-east-1"), "Bucket must be a string"),
        (
            "dynamodb",
            "ListTables",
            &none,
            Settings { account_id_endpoint_mode: AccountIdMode::Required, ..with("us-east-1") },
            "AccountIdEndpointMode is required but no AccountID was provided or able to be loaded",
        ),
    ] {
        let error = resolved(name, operation, input, &settings).expect_err("an error");
        assert_eq!(error.to_string(), told);
    }
}

proptest! {
    #[test]
    fn any_text_leads_somewhere_or_to_an_error(
        bucket in "arn:aws:s3[a-z-]{0,14}:[a-z0-9-]{0,12}:[0-9]{0,12}:\\PC{0,30}|\\PC{0,40}",
        region in "[a-z0-9-]{0,20}|\\PC{0,10}",
        url in proptest::option::of("https?://\\PC{0,20}|\\PC{0,20}"),
        account in "\\PC{0,12}",
        flags in 0_u8..64,
    ) {
        let on = |bit: u8| flags & (1 << bit) != 0;
        let settings = Settings {
            region: Some(region),
            use_fips: on(0),
            use_dual_stack: on(1),
            endpoint_url: url,
            s3: S3Settings { use_accelerate: on(2), us_east_1_regional: on(3), ..S3Settings::default() },
            account_id: Some(account.clone()),
            ..Settings::default()
        };
        for (name, operation) in [("s3", "GetObject"), ("s3control", "GetBucket"), ("dynamodb", "GetItem")] {
            let input = json!({"Bucket": bucket, "Key": "k", "TableName": bucket, "AccountId": account});
            if let Ok(endpoint) = resolved(name, operation, &input, &settings) {
                prop_assert!(endpoint.url().bytes().all(|it| it.is_ascii_graphic()));
            }
        }
    }
}
