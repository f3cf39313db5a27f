//! The command line against the AWS CLI: names of all arguments, what it makes of random command
//! lines, what it prints.

mod looks;
mod random;

use std::{collections::BTreeMap, fs};

use davit_aws::{
    command::{
        self, Command, Format, Inputs, Invocation, Look, Parsed, Takes, command_name,
        operation_commands, service_command, service_commands,
    },
    model::Store,
    value::Value,
};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

use self::random::Random;
use crate::python::Python;

/// Arguments of the AWS CLI that are not here: see the module's page.
const NOT_HERE: &[(&str, &str, &[&str])] = &[
    ("ec2", "bundle-instance", &["bucket", "prefix", "owner-akid", "owner-sak", "policy"]),
    ("ec2", "get-password-data", &["priv-launch-key"]),
    ("cloudfront", "update-distribution", &["default-root-object"]),
    ("datapipeline", "put-pipeline-definition", &["pipeline-definition", "parameter-values-uri"]),
    ("datapipeline", "activate-pipeline", &["parameter-values-uri"]),
];

fn inputs() -> Inputs<'static> {
    Inputs {
        read: &|path| fs::read(path),
        yaml: &|text| serde_json::from_str(text).map_err(|error| error.to_string()),
    }
}

fn words(line: &[&str]) -> Vec<String> {
    line.iter().map(|it| (*it).to_owned()).collect()
}

fn parse(store: &Store, words: &[String]) -> Result<Box<Parsed>, String> {
    match command::parse(store, words, inputs()) {
        Ok(Invocation::Call(call)) => Ok(call),
        Ok(Invocation::Help(topic)) => Err(format!("help {}", topic.join(" "))),
        Err(error) => Err(error.to_string()),
    }
}

/// All parameters of a call, as the script gives those of the AWS CLI.
fn params(call: &Parsed) -> Json {
    let mut params = plain(&Value::Map(call.params.clone()));
    if let Some(body) = &call.body {
        params[body.member] = json!({"file": body.path});
    }
    params
}

fn plain(value: &Value) -> Json {
    match value {
        Value::Blob(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => bytes.iter().map(|it| char::from(*it)).collect::<String>().into(),
        },
        Value::List(items) => items.iter().map(plain).collect(),
        Value::Map(map) => map.iter().map(|(name, it)| (name.clone(), plain(it))).collect(),
        other => other.to_json(),
    }
}

#[test]
fn all_arguments_of_all_operations_have_the_names_of_the_aws_cli() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let theirs = python.ask(&json!({"ask": "services"}));
    let theirs: Vec<&str> =
        theirs.as_array().expect("a list").iter().filter_map(Json::as_str).collect();
    let ours = service_commands(&store);
    let shown: Vec<&str> = theirs.iter().copied().filter(|it| *it != "runtime.sagemaker").collect();
    assert_eq!(ours, shown);
    let mut operations = 0;
    let mut arguments = 0;
    let mut wrong = Vec::new();
    for service in theirs {
        let found = command::find_service(&store, service).expect("readable").expect("there");
        let answer = python.ask(&json!({"ask": "arguments", "service": service}));
        let commands = answer["commands"].as_object().expect("a map");
        let known: Vec<String> = operation_commands(found).into_iter().map(|(it, _)| it).collect();
        for name in answer["operations"].as_array().expect("a list").iter().filter_map(Json::as_str)
        {
            if !known.iter().any(|it| it == name) {
                wrong.push(format!("{service} {name} is missing"));
            }
        }
        for (name, theirs) in commands {
            let Ok(command) = Command::find(&store, service, name, None) else {
                wrong.push(format!("{service} {name} is missing"));
                continue;
            };
            operations += 1;
            let mut theirs: BTreeMap<String, (bool, bool)> = theirs
                .as_object()
                .expect("a map")
                .iter()
                .map(|(name, it)| (name.clone(), (it[0] == true, it[1] == true)))
                .collect();
            let mut ours: BTreeMap<String, (bool, bool)> = command
                .arguments()
                .into_iter()
                .filter(|it| it.name != "cli-input-yaml")
                .map(|it| (it.name, (it.required, it.hidden)))
                .collect();
            if let Some((_, _, not_here)) =
                NOT_HERE.iter().find(|(of, on, _)| *of == service && *on == name)
            {
                for argument in *not_here {
                    assert!(theirs.remove(*argument).is_some(), "{name} {argument} is not theirs");
                    assert!(!ours.contains_key(*argument), "{name} {argument} is here");
                }
                // What those replace is here as the model has it.
                ours.retain(|name, _| theirs.contains_key(name));
                theirs.retain(|name, _| ours.contains_key(name));
                for (name, flags) in &theirs {
                    ours.insert(name.clone(), *flags);
                }
            }
            arguments += ours.len();
            if ours != theirs {
                let only = |left: &BTreeMap<String, (bool, bool)>, right: &BTreeMap<_, _>| {
                    let differs =
                        |(name, it): &(&String, &(bool, bool))| right.get(*name) != Some(*it);
                    left.iter()
                        .filter(differs)
                        .map(|(name, it)| format!("{name}{it:?}"))
                        .collect::<Vec<_>>()
                };
                wrong.push(format!(
                    "{service} {name}: ours {:?}, theirs {:?}",
                    only(&ours, &theirs),
                    only(&theirs, &ours)
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(operations > 19_000 && arguments > 100_000, "{operations} {arguments}");
}

/// Holds what the AWS CLI makes of a command line against what this makes of it.
fn compare(python: &mut Python, store: &Store, words: &[String]) -> Result<(), String> {
    let theirs = python.ask(&json!({"ask": "params", "words": words}));
    let ours = parse(store, words);
    if let Some(error) = theirs.get("error") {
        return Err(format!("theirs: {error}\nours: {:?}", ours.map(|it| params(&it))));
    }
    let ours = ours.map_err(|error| format!("ours: {error}\ntheirs: {theirs}"))?;
    let mine = params(&ours);
    if mine != theirs["params"] {
        return Err(format!("ours:   {mine}\ntheirs: {}", theirs["params"]));
    }
    if theirs["operation"] != ours.command.operation.name {
        return Err(format!("{} {theirs}", ours.command.operation.name));
    }
    let paging = &theirs["paging"];
    let number = |it: Option<u64>| it.map_or(Json::Null, |it| it.to_string().into());
    let token = ours.paging.starting_token.clone().map_or(Json::Null, Json::from);
    if number(ours.paging.max_items) != paging["MaxItems"]
        || number(ours.paging.page_size) != paging["PageSize"]
        || token != paging["StartingToken"]
    {
        return Err(format!("{:?} {paging}", ours.paging));
    }
    Ok(())
}

#[test]
fn random_command_lines_mean_what_they_mean_to_the_aws_cli() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let mut random = Random(0x2545_F491_4F6C_DD1D);
    let mut wrong = Vec::new();
    let mut count = 0;
    for service in service_commands(&store) {
        let found = command::find_service(&store, &service).expect("readable").expect("there");
        // Those that the AWS CLI hides are left out.
        let names = python.ask(&json!({"ask": "commands", "service": service}));
        let names: Vec<&str> =
            names.as_array().expect("a list").iter().filter_map(Json::as_str).collect();
        let name = &names[random.below(names.len())];
        let command = Command::find(&store, &service, name, None).expect("there");
        // `sdb` must be switched on, and a parameter `query` is a global option's twin there.
        if matches!(found.name, "sdb" | "opensearchmemory")
            || NOT_HERE.iter().any(|(_, on, _)| on == name)
        {
            continue;
        }
        let mut line = vec![service.clone(), (*name).to_owned()];
        if found.name == "cloudsearchdomain" {
            line.push("--endpoint-url=http://x".to_owned());
        }
        for argument in command.arguments() {
            if argument.takes == Takes::Place {
                // Behind a list it would be one of its values.
                line.insert(2, "out.bin".to_owned());
            } else if argument.required || (!argument.hidden && random.one_in(3)) {
                line.extend(random.words(&command, &argument).unwrap_or_else(|| {
                    if argument.required && argument.member().is_some() {
                        vec![argument.written(), "[]".to_owned()]
                    } else {
                        Vec::new()
                    }
                }));
            }
        }
        // Arguments that the model does not have are tried below.
        let required = command.arguments();
        if required
            .iter()
            .any(|it| it.required && it.member().is_none() && it.takes != Takes::Place)
        {
            continue;
        }
        count += 1;
        if let Err(difference) = compare(&mut python, &store, &line) {
            wrong.push(format!("{line:?}\n{difference}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(count > 400, "{count}");
}

#[test]
fn special_arguments_mean_what_they_mean_to_the_aws_cli() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let folder = tempfile::tempdir().expect("a folder");
    let zip = folder.path().join("code.zip");
    let mut empty = b"PK\x05\x06".to_vec();
    empty.extend([0; 18]);
    fs::write(&zip, empty).expect("writable");
    let text = folder.path().join("text.json");
    fs::write(&text, "{\"Name\": \"n\",\r\n \"Values\": [\"ü\"]}").expect("writable");
    let (zip, text) = (zip.display(), text.display());
    let lines: Vec<&str> = include_str!("commands/lines.txt").lines().collect();
    let mut wrong = Vec::new();
    for line in &lines {
        let line = line.replace("{zip}", &zip.to_string()).replace("{text}", &text.to_string());
        let mut line: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        // Words in quotes were split.
        while let Some(at) = line.iter().position(|it| it.matches('"').count() % 2 == 1) {
            let next = line.remove(at + 1);
            line[at] = format!("{} {next}", line[at]);
        }
        let difference = compare(&mut python, &store, &line);
        if let Err(difference) = difference {
            wrong.push(format!("{line:?}\n{difference}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} wrong:\n{}", wrong.len(), lines.len(), wrong.join("\n\n"));
}

#[test]
fn what_the_aws_cli_refuses_is_refused() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let cases: Vec<&str> = include_str!("commands/refused.txt").lines().map(str::trim).collect();
    for case in cases.chunks(2) {
        let [line, message] = case else { panic!("a line without its message: {case:?}") };
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = parse(&store, &line).expect_err("wrong");
        assert!(error.contains(*message), "{line:?}: {error}");
        let theirs = python.ask(&json!({"ask": "params", "words": line}));
        assert!(theirs.get("error").is_some(), "{line:?}: {theirs}");
    }
}

#[test]
fn what_only_version_two_has_is_there() {
    let store = Store::default();
    let call = |line: &[&str]| parse(&store, &words(line)).expect("right");
    let put = call(&[
        "kinesis",
        "put-record",
        "--stream-name",
        "s",
        "--data",
        "YWJj",
        "--partition-key",
        "k",
        "--cli-binary-format",
        "base64",
    ]);
    assert_eq!(put.params["Data"], Value::Blob("abc".into()));
    let item = call(&[
        "--cli-binary-format",
        "base64",
        "dynamodb",
        "put-item",
        "--table-name",
        "t",
        "--item",
        r#"{"b":{"B":"YWJj"}}"#,
    ]);
    assert_eq!(item.params["Item"].at(&["b", "B"]), Some(&Value::Blob("abc".into())));
    let yaml = call(&["ec2", "describe-regions", "--cli-input-yaml", r#"{"DryRun": true}"#]);
    assert_eq!(yaml.params["DryRun"], Value::Bool(true));
    let seed = call(&[
        "iam",
        "create-virtual-mfa-device",
        "--virtual-mfa-device-name",
        "n",
        "--outfile",
        "f",
        "--bootstrap-method",
        "Base32StringSeed",
    ]);
    assert_eq!(seed.saves[0].part, ["VirtualMFADevice", "Base32StringSeed"]);
    assert_eq!((seed.saves[0].path.as_str(), seed.saves[0].conceals.len()), ("f", 2));
    let paths = call(&[
        "cloudfront",
        "create-invalidation",
        "--distribution-id",
        "d",
        "--paths",
        "/a",
        "/b",
    ]);
    assert_eq!(
        paths.params["InvalidationBatch"].at(&["Paths", "Items"]).expect("some").items().len(),
        2
    );
    let origin =
        call(&["cloudfront", "create-distribution", "--origin-domain-name", "b.s3.amazonaws.com"]);
    let config = origin.params["DistributionConfig"].to_json();
    assert_eq!(
        config["DefaultCacheBehavior"]["TargetOriginId"],
        config["Origins"]["Items"][0]["Id"]
    );
    assert!(config["Origins"]["Items"][0]["S3OriginConfig"].is_object());
    for (line, topic) in [
        (&["help"][..], "help "),
        (&["ec2", "help"], "help ec2"),
        (&["ec2", "run-instances", "help"], "help ec2 run-instances"),
        (&["help", "ec2", "wait"], "help ec2 wait"),
        (
            &["s3api", "get-object", "--bucket", "b", "--key", "k", "o", "help"],
            "help s3api get-object",
        ),
    ] {
        assert_eq!(parse(&store, &words(line)).expect_err("help"), topic);
    }
}

#[test]
fn shorthand_is_shown_as_the_aws_cli_shows_it() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    let mut seen = 0;
    for (service, operation) in [
        ("ec2", "run-instances"),
        ("ec2", "describe-instances"),
        ("s3api", "put-bucket-lifecycle-configuration"),
        ("lambda", "create-function"),
        ("dynamodb", "put-item"),
        ("dynamodb", "create-table"),
        ("ecs", "register-task-definition"),
        ("cloudfront", "create-cache-policy"),
        ("elbv2", "create-rule"),
        ("wafv2", "create-web-acl"),
        ("autoscaling", "create-auto-scaling-group"),
        ("rds", "create-db-instance"),
        ("bedrock-runtime", "converse"),
        ("ssm", "send-command"),
        ("sqs", "send-message-batch"),
    ] {
        let question = json!({"ask": "shorthand", "service": service, "operation": operation});
        let theirs = python.ask(&question);
        let command = Command::find(&store, service, operation, None).expect("there");
        for argument in command.arguments() {
            let Some(theirs) = theirs.get(&argument.name) else { continue };
            let member = argument.member().expect("one of the model");
            let ours = command::shorthand(command.service, member.shape);
            // Keys that are listed behind the syntax are shown with the parameter's members.
            let theirs = theirs.as_str().unwrap_or_default().split("\n\n").next();
            assert_eq!(
                ours.as_deref().unwrap_or_default(),
                theirs.unwrap_or_default(),
                "{operation} {}",
                argument.name
            );
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen}");
}

#[test]
fn skeletons_are_those_of_the_aws_cli() {
    let mut python = Python::start("commands.py");
    let store = Store::default();
    for (service, operation) in [
        ("ec2", "run-instances"),
        ("ec2", "describe-instances"),
        ("lambda", "create-function"),
        ("dynamodb", "put-item"),
        ("s3api", "put-bucket-lifecycle-configuration"),
        ("wafv2", "create-web-acl"),
        ("sts", "get-caller-identity"),
        ("kinesis", "put-records"),
        ("cloudwatch", "put-metric-data"),
    ] {
        let line = [service, operation, "--generate-cli-skeleton"];
        let theirs = python.ask(&json!({"ask": "params", "words": line}));
        let call = parse(&store, &words(&line)).expect("right");
        assert_eq!(call.skeleton, Some(command::Skeleton::Input));
        let command = &call.command;
        let ours = command::skeleton(command.service, command.operation.input, false);
        let ours = ours.to_json();
        let theirs: Json =
            serde_json::from_str(theirs["written"].as_str().expect("text")).expect("JSON");
        // The AWS CLI picks one of the choices at random.
        assert_eq!(without_texts(&ours), without_texts(&theirs), "{operation}");
    }
    let line = ["ec2", "describe-regions", "--generate-cli-skeleton", "output"];
    let call = parse(&store, &words(&line)).expect("right");
    let command = &call.command;
    let answer = command::skeleton(command.service, command.operation.output, true).to_json();
    assert_eq!(
        answer,
        json!({"Regions": [{"OptInStatus": "OptInStatus", "Geography": [{"Name": "Name"}],
            "RegionName": "RegionName", "Endpoint": "Endpoint"}]}),
    );
}

fn without_texts(value: &Json) -> Json {
    match value {
        Json::Object(map) => {
            map.iter().map(|(name, it)| (name.clone(), without_texts(it))).collect()
        }
        Json::Array(items) => items.iter().map(without_texts).collect(),
        Json::String(text) if text.starts_with("1970") => text.as_str().into(),
        Json::String(_) => "".into(),
        other => other.clone(),
    }
}

#[test]
fn names_go_both_ways() {
    let store = Store::default();
    for name in ["s3", "codedeploy", "config", "ec2"] {
        let found = command::find_service(&store, service_command(name)).expect("readable");
        assert_eq!(found.expect("there").name, name);
    }
    assert_eq!(command_name("DBInstanceIdentifier"), "db-instance-identifier");
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("--".to_owned()),
        "--[a-z-]{0,12}(=.{0,8})?",
        "[a-zA-Z]{1,8}=[a-z,={}\\[\\]'\"@\\\\ ]{0,20}",
        "(ec2|s3api|lambda|wait|help|describe-instances|run-instances|invoke|put-object)",
        "--(filters|tag-specifications|count|max-items|cli-input-json|output|query|payload|zip-file)",
        "[\\[{].{0,20}",
        ".{0,10}",
    ]
}

proptest! {
    #[test]
    fn no_command_line_panics(
        service in "(ec2|s3api|lambda|dynamodb|cloudsearch|iam)",
        operation in "(describe-instances|run-instances|put-object|invoke|put-item|define-index-field|wait)",
        words in prop::collection::vec(word(), 0..8),
    ) {
        let store = Store::default();
        let mut line = vec![service, operation];
        line.extend(words);
        let none = Inputs { read: &|_| Ok(vec![0xff, b'P']), yaml: &|_| Ok(json!({"a": 1})) };
        let _ = command::parse(&store, &line, none);
        let words: Vec<&str> = line.iter().map(String::as_str).collect();
        let _ = command::complete(&store, &words);
    }

    #[test]
    fn no_answer_panics(text in ".{0,30}", number in any::<f64>(), width in 0_usize..200) {
        let value: Value = json!({text.clone(): [[text.clone()], {text.clone(): [number, {}]}, null], "n": number}).into();
        for format in [Format::Json, Format::Text, Format::Table, Format::Yaml] {
            let look = Look { title: &text, width, colour: true };
            let _ = command::render(&value, format, look);
        }
    }
}
