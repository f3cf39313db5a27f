//! `davit audit` against moto: what is found, how it is written, what the exit code says.

use davit_ground::Moto;
use serde_json::{Value, json};

use crate::cli::{Place, Ran};

/// Runs a command line that calls moto, with some variables of its own.
fn davit(place: &Place, moto: &Moto, own: &[(&str, &str)], line: &str) -> Ran {
    let environment = moto.environment();
    let mut variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.extend(own);
    place.run_with(&format!("davit {line}"), &variables, "")
}

/// Buckets of each kind.
fn buckets(place: &Place, moto: &Moto) {
    let aws = |line: &str| {
        let ran = davit(place, moto, &[], &format!("aws {line}"));
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    };
    for (name, rule) in [
        ("plain", None),
        ("own-keys", Some(json!({"SSEAlgorithm": "AES256"}))),
        ("kms", Some(json!({"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/data"}))),
    ] {
        aws(&format!("s3 mb s3://{name}"));
        if let Some(rule) = rule {
            let rules = json!({"Rules": [{"ApplyServerSideEncryptionByDefault": rule, "BucketKeyEnabled": true}]});
            place.write("rules.json", &rules.to_string());
            aws(&format!(
                "s3api put-bucket-encryption --bucket {name} --server-side-encryption-configuration file://rules.json"
            ));
        }
    }
}

#[test]
fn audits_are_listed() {
    let ran = Place::new(&[]).run("davit audit --list");
    ran.check(
        0,
        "aws-s3-encryption  Buckets of S3 encrypt what is put into them, and with which keys\n",
        "",
    );
}

#[test]
fn buckets_are_held_against_what_is_asked_for() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    let audit =
        |line: &str| davit(&place, &moto, &[], format!("audit aws-s3-encryption {line}").trim());
    let empty = audit("");
    empty.check(0, "0 looked at: 0 passed, 0 violated, 0 unseen\n", "");
    buckets(&place, &moto);

    audit("").check(
        1,
        "\
passed    kms       eu-west-1  algorithm aws:kms, key alias/data, bucket_key true
passed    own-keys  eu-west-1  algorithm AES256, bucket_key true
violated  plain     eu-west-1  it has no setting for encryption [aws-s3-encryption/missing]
3 looked at: 2 passed, 1 violated, 0 unseen
",
        "",
    );
    for (line, code, last) in [
        ("--exclude pl*", 0, "2 looked at: 2 passed, 0 violated, 0 unseen"),
        ("--match k* --require aws:kms --key alias/data --bucket-key", 0, "1 looked at: 1 passed"),
        ("--match k* --key alias/other", 1, "1 looked at: 0 passed, 1 violated"),
        ("--exclude plain --require aws:kms:dsse,aws:kms", 1, "2 looked at: 1 passed, 1 violated"),
        ("own-keys --require AES256 --parallel 1", 0, "1 looked at: 1 passed"),
        ("own-keys nowhere", 4, "2 looked at: 1 passed, 0 violated, 1 unseen"),
        ("plain nowhere", 1, "2 looked at: 0 passed, 1 violated, 1 unseen"),
    ] {
        let ran = audit(line);
        assert_eq!((ran.code, ran.err.as_str()), (code, ""), "{line}");
        let said = ran.out.lines().last().unwrap_or_default();
        assert!(said.starts_with(last), "{line}: {said}");
    }
    let ran = audit("--require aws:kms --output json");
    let found: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(found["summary"], json!({"looked_at": 3, "passed": 1, "violated": 2, "unseen": 0}));
    assert_eq!(
        found["checks"][1],
        json!({
            "kind": "bucket", "name": "own-keys", "region": "eu-west-1", "full_name": "arn:aws:s3:::own-keys",
            "verdict": "violated",
            "problems": [{
                "rule": "aws-s3-encryption/algorithm",
                "message": "it encrypts with AES256, not with aws:kms",
            }],
            "facts": {"algorithm": "AES256", "key": null, "bucket_key": true},
        })
    );
}

#[test]
fn sarif_has_what_its_schema_wants() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    buckets(&place, &moto);
    let line = "audit aws-s3-encryption plain own-keys nowhere --output sarif";
    let ran = davit(&place, &moto, &[], line);
    assert_eq!(ran.code, 1, "{}", ran.err);
    let document: Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(document["version"], "2.1.0");
    let run = &document["runs"][0];
    let driver = &run["tool"]["driver"];
    assert!(driver["name"].is_string());
    let rules = driver["rules"].as_array().expect("rules");
    for rule in rules {
        assert!(rule["id"].is_string() && rule["shortDescription"]["text"].is_string());
        assert_eq!(rule["defaultConfiguration"]["level"], "error");
    }
    let mut seen = Vec::new();
    for result in run["results"].as_array().expect("results") {
        assert!(result["message"]["text"].as_str().is_some_and(|it| !it.is_empty()));
        let at = usize::try_from(result["ruleIndex"].as_u64().expect("an index")).expect("small");
        assert_eq!(result["ruleId"], rules[at]["id"]);
        // By the standard, what is no failure has no level.
        assert_eq!(result["kind"] == "fail", result["level"] != "none");
        let logical = &result["locations"][0]["logicalLocations"][0];
        assert_eq!(logical["kind"], "bucket");
        seen.push((logical["fullyQualifiedName"].clone(), result["kind"].clone()));
    }
    let expect = [("nowhere", "open"), ("own-keys", "pass"), ("plain", "fail")];
    assert_eq!(
        seen,
        expect.map(|(name, kind)| (format!("arn:aws:s3:::{name}").into(), kind.into()))
    );
    let invocation = &run["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false);
    let told = &invocation["toolExecutionNotifications"][0];
    assert_eq!(told["level"], "error");
    assert!(
        told["message"]["text"].as_str().is_some_and(|it| it.contains("NoSuchBucket")),
        "{told}"
    );
}

#[test]
fn what_may_not_be_read_does_not_pass() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    buckets(&place, &moto);
    let policy = json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
        {"Effect": "Deny", "Action": "s3:*", "Resource": "arn:aws:s3:::kms"},
    ]});
    place.write("policy.json", &policy.to_string());
    let aws = |line: &str| davit(&place, &moto, &[], &format!("aws {line}"));
    for line in [
        "iam create-user --user-name auditor",
        "iam put-user-policy --user-name auditor --policy-name look --policy-document file://policy.json",
    ] {
        assert_eq!(aws(line).code, 0, "{line}");
    }
    let query = "AccessKey.[AccessKeyId,SecretAccessKey]";
    let ran =
        aws(&format!("iam create-access-key --user-name auditor --query {query} --output text"));
    let (id, secret) = ran.out.trim().split_once('\t').expect("two words");
    moto.post("/moto-api/reset-auth", "0").expect("moto answers");
    let own = [("AWS_ACCESS_KEY_ID", id), ("AWS_SECRET_ACCESS_KEY", secret)];
    let ran = davit(&place, &moto, &own, "audit aws-s3-encryption --exclude plain");
    assert_eq!((ran.code, ran.err.as_str()), (4, ""), "{}", ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    assert!(lines[0].starts_with("unseen    kms       -          s3.Get"), "{}", ran.out);
    assert!(
        lines[0].contains("AccessDenied") && lines[0].ends_with("[aws-s3-encryption/unseen]"),
        "{}",
        ran.out
    );
    assert!(lines[1].starts_with("passed    own-keys"), "{}", ran.out);
    assert_eq!(lines[2], "2 looked at: 1 passed, 0 violated, 1 unseen");
}

#[test]
fn who_cannot_look_is_told_why() {
    let place = Place::new(&[]);
    let nobody = [("AWS_REGION", "eu-west-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let keys = [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    for (variables, line, part) in [
        (&nobody[..], "", "no credentials: looked in the environment"),
        (&keys[..], " --endpoint-url http://127.0.0.1:9", "127.0.0.1:9"),
        (&keys[..], " --profile nobody", "nobody"),
    ] {
        let ran = place.run_with(&format!("davit audit aws-s3-encryption{line}"), variables, "");
        assert_eq!((ran.code, ran.out.as_str()), (4, ""), "{line}: {}", ran.err);
        assert!(ran.err.contains(part), "{line}: {}", ran.err);
    }
}
