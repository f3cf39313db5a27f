//! Requests go where botocore sends them.

mod clients;

use std::collections::BTreeMap;

use davit_aws::{
    endpoint::{
        AccountIdMode, Endpoint, EndpointError, S3Settings, Settings, partitions, resolve,
        resolve_built_ins, resolve_rules,
    },
    model::{Store, Tree},
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
