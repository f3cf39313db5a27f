//! What is printed, against what the AWS CLI prints.

use davit_aws::{
    command::{self, Format, Look},
    model::Store,
};
use serde_json::{Value as Json, json};

use super::random::Random;
use crate::python::Python;

#[test]
fn answers_look_as_those_of_the_aws_cli() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut seen = 0;
    let mut refused = 0;
    for (service, operation) in [
        ("ec2", "DescribeInstances"),
        ("ec2", "DescribeVpcs"),
        ("ec2", "DescribeSecurityGroups"),
        ("ec2", "DescribeRegions"),
        ("ec2", "DescribeVolumes"),
        ("ec2", "RunInstances"),
        ("s3", "ListBuckets"),
        ("s3", "ListObjectsV2"),
        ("s3", "GetBucketLifecycleConfiguration"),
        ("s3", "HeadObject"),
        ("iam", "ListUsers"),
        ("iam", "GetRole"),
        ("iam", "ListAttachedRolePolicies"),
        ("sts", "GetCallerIdentity"),
        ("lambda", "ListFunctions"),
        ("lambda", "GetFunction"),
        ("rds", "DescribeDBInstances"),
        ("cloudformation", "DescribeStacks"),
        ("cloudformation", "ListStackResources"),
        ("cloudwatch", "DescribeAlarms"),
        ("cloudwatch", "GetMetricStatistics"),
        ("logs", "FilterLogEvents"),
        ("sqs", "ReceiveMessage"),
        ("sqs", "GetQueueAttributes"),
        ("dynamodb", "Scan"),
        ("dynamodb", "DescribeTable"),
        ("ecs", "DescribeServices"),
        ("ecr", "DescribeImages"),
        ("eks", "DescribeCluster"),
        ("route53", "ListResourceRecordSets"),
        ("autoscaling", "DescribeAutoScalingGroups"),
        ("elbv2", "DescribeTargetHealth"),
        ("secretsmanager", "ListSecrets"),
        ("ssm", "GetParametersByPath"),
        ("kms", "ListAliases"),
    ] {
        let found = store.service(service).expect("readable").expect("there");
        let output = found.operation(operation).expect("there").output.expect("some");
        let mut values: Vec<Json> = (0..8).map(|_| random.value(found, output, 0)).collect();
        // What queries give: parts of answers, lists of lists.
        if let Some(part) = values[0].as_object().and_then(|it| it.values().next()).cloned() {
            values.push(part.clone());
            values.push(json!([["a", 1, null], ["b", true, 2.5]]));
            values.push(json!([part]));
        }
        for value in values {
            for (name, format) in
                [("json", Format::Json), ("text", Format::Text), ("table", Format::Table)]
            {
                for colour in [false, true] {
                    let question = json!({"ask": "show", "format": name, "value": value,
                        "title": operation, "color": if colour { "on" } else { "off" }});
                    let theirs = python.ask(&question);
                    let look = Look { title: operation, width: 80, colour };
                    let ours = command::render(&value.clone().into(), format, look);
                    if theirs.get("error").is_some() {
                        refused += 1;
                        continue;
                    }
                    assert_eq!(theirs["text"].as_str().expect("text"), ours, "{name} of {value}");
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 1_500 && refused < seen / 10, "{seen} {refused}");
}

#[test]
fn yaml_is_read_as_what_was_written() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let mut random = Random(0xD1B5_4A32_D192_ED03);
    let tricky = json!({
        "a": ["yes", "no", "~", "null", "1", "1.5", "0x1f", "1e3", "2026-01-02", "=", "- a", "a: b",
            "a #b", "a:", "", " a", "a ", "@a", "`a", "&a", "*a", "!a", "%a", "|", ">", "'", "\"",
            "a\nb", "a\nb\n", "a\n\n", "\na", "a\n b\n\nc\n\n", "\t", "a\tb", "\u{7f}", "\u{85}",
            "\u{2028}", "\u{feff}", "🦀", "y", "on", "inf", ".inf", "nan", "-1", "+1", "1_000", "12:30"],
        "key: with": {"b": {}, "c": [], "d": [[], [[1]], {"e": [{"f": "g\nh"}]}]},
        "1": null, "t": true, "x": [{"a": 1, "b": [1, 2]}, [3]], "": 1.5, "\n": -3,
    });
    let mut values = vec![tricky, json!([]), json!("text"), json!(["a\nb"]), Json::Null];
    for (service, operation) in
        [("ec2", "DescribeInstances"), ("dynamodb", "Scan"), ("s3", "ListObjectsV2")]
    {
        let found = store.service(service).expect("readable").expect("there");
        let output = found.operation(operation).expect("there").output.expect("some");
        values.extend((0..10).map(|_| random.value(found, output, 0)));
    }
    for value in values {
        let text = command::render(&value.clone().into(), Format::Yaml, Look::default());
        if value == json!({}) {
            assert_eq!(text, "");
            continue;
        }
        assert!(text.ends_with('\n'), "{text:?}");
        assert_eq!(python.ask(&json!({"ask": "yaml", "text": text})), value, "{text}");
    }
}

#[test]
fn characters_are_as_wide_as_the_aws_cli_takes_them_for() {
    let mut python = Python::start("commands.py");
    let texts: Vec<String> = (0x21_u32..0x3400)
        .chain(0xa000..0xa500)
        .chain(0xe000..0xe100)
        .chain(0xfe00..0x10100)
        .chain(0x1f000..0x1fa00)
        .filter_map(char::from_u32)
        .filter(|it| !it.is_control())
        .map(String::from)
        .collect();
    let theirs = python.ask(&json!({"ask": "widths", "texts": texts}));
    let mut wrong = Vec::new();
    for (text, theirs) in texts.iter().zip(theirs.as_array().expect("a list")) {
        let table = command::render(
            &json!({"k": text}).into(),
            Format::Table,
            Look { title: "", width: 80, colour: false },
        );
        let width = table.lines().next().expect("a line").len() - 2 - (1 + 4) - 4;
        // Nothing for characters that are not assigned.
        if json!(width) != *theirs && !theirs.is_null() {
            wrong.push(u32::from(text.chars().next().expect("one")));
        }
    }
    // What Unicode says of these is younger than the Python.
    wrong.retain(|it| !matches!(it, 0x17a4 | 0x2630..=0x2637 | 0x268a..=0x268f));
    assert!(wrong.is_empty(), "{wrong:x?}");
}
