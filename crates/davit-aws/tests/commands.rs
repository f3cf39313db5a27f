//! The command line against the AWS CLI: names of all arguments, what it makes of random command
//! lines, what it prints.

use std::{collections::BTreeMap, fs};

use davit_aws::{
    command::{
        self, Argument, Command, Format, Inputs, Invocation, Look, Parsed, Takes, command_name,
        operation_commands, service_command, service_commands,
    },
    model::{Kind, Member, Service, ShapeId, Store},
    value::Value,
};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};

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
    println!("{operations} operations with {arguments} arguments");
    assert!(operations > 19_000 && arguments > 100_000, "{operations} {arguments}");
}

/// Numbers that look random and are the same in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (bound as u64)).expect("small")
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn text(&mut self) -> String {
        const PARTS: [&str; 24] = [
            "a", "b", "Key", "value", "1", "0", "-", "_", ".", " ", ",", "=", "'", "\"", "\\", "{",
            "}", "[", "]", "ü", "漢", ":", "/", "#",
        ];
        let mut text = String::from(["x", "Y", "7", "é"][self.below(4)]);
        for _ in 0..self.below(7) {
            let most = if self.one_in(3) { PARTS.len() } else { 9 };
            text.push_str(PARTS[self.below(most)]);
        }
        text.trim().to_owned()
    }

    fn value(&mut self, service: &'static Service, shape: ShapeId, depth: usize) -> Json {
        match &service.shape(shape).kind {
            Kind::Structure(structure) if structure.document => {
                json!({"any": [1, null, self.text()]})
            }
            Kind::Structure(structure) => {
                let mut map = Map::new();
                for member in &structure.members {
                    let fits = depth < 4 || !is_complex(service, member.shape);
                    if fits && (depth == 0 || self.one_in(2)) && map.len() < 6 {
                        map.insert(
                            member.name.to_owned(),
                            self.value(service, member.shape, depth + 1),
                        );
                    }
                }
                map.into()
            }
            Kind::List { member, .. } if depth > 5 => {
                let _ = member;
                json!([])
            }
            Kind::List { member, .. } => {
                (0..self.below(4)).map(|_| self.value(service, member.shape, depth + 1)).collect()
            }
            Kind::Map { .. } if depth > 5 => json!({}),
            Kind::Map { value, .. } => (0..self.below(3))
                .map(|it| (format!("key{it}"), self.value(service, value.shape, depth + 1)))
                .collect(),
            Kind::String { choices, .. } if !choices.is_empty() && !self.one_in(4) => {
                choices[self.below(choices.len())].into()
            }
            Kind::Integer(_) | Kind::Long(_) => self.below(100_000).into(),
            Kind::Float(_) | Kind::Double(_) => [0.5, 3.0, 1e20, 1.25e-7][self.below(4)].into(),
            Kind::Boolean => self.one_in(2).into(),
            Kind::Timestamp => "2026-01-02T03:04:05Z".into(),
            Kind::String { .. } | Kind::Blob { .. } => self.text().into(),
        }
    }

    /// A value in shorthand. `top` means that no bracket need stand around it.
    fn shorthand(&mut self, value: &Json, top: bool) -> String {
        match value {
            Json::Object(map) => {
                let entries: Vec<String> = map
                    .iter()
                    .map(|(name, it)| {
                        let space = if self.one_in(8) { " " } else { "" };
                        format!("{name}={space}{}", self.shorthand(it, false))
                    })
                    .collect();
                if top { entries.join(",") } else { format!("{{{}}}", entries.join(",")) }
            }
            Json::Array(items) => {
                let items: Vec<String> = items.iter().map(|it| self.shorthand(it, false)).collect();
                format!("[{}]", items.join(","))
            }
            Json::String(text) => {
                let simple = text.chars().all(|it| it.is_alphanumeric() || "-_./:#".contains(it));
                if simple && !self.one_in(3) {
                    text.clone()
                } else {
                    let quote = if self.one_in(2) { '\'' } else { '"' };
                    // A backslash at the end would hold on to the quote.
                    let text = text.trim_end_matches('\\');
                    let escaped = text.replace('\\', "\\\\").replace(quote, &format!("\\{quote}"));
                    format!("{quote}{escaped}{quote}")
                }
            }
            other => other.to_string(),
        }
    }

    /// Words for an argument; nothing if none can be made up.
    fn words(&mut self, command: &Command, argument: &Argument) -> Option<Vec<String>> {
        let service = command.service;
        let member = argument.member()?;
        let mut line = vec![argument.written()];
        if argument.takes == Takes::Nothing {
            return Some(line);
        }
        if matches!(service.shape(member.shape).kind, Kind::Blob { .. }) && member.traits.streaming
        {
            line.push(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned());
            return Some(line);
        }
        let value = self.value(service, member.shape, 0);
        // Documents have no shorthand.
        let short = command::shorthand(service, member.shape).is_some()
            && !value.to_string().contains("{\"any\":");
        match (&value, &service.shape(member.shape).kind) {
            (Json::Array(items), Kind::List { member: item, .. }) => {
                let complex = is_complex(service, item.shape);
                if (complex && !short) || items.is_empty() || self.one_in(4) {
                    line.push(value.to_string());
                } else if complex {
                    let all_short = self.one_in(2);
                    for it in items {
                        let plain = !it.is_object() || it.as_object().is_some_and(Map::is_empty);
                        if plain && all_short {
                            return None;
                        }
                        line.push(if all_short {
                            self.shorthand(it, true)
                        } else {
                            it.to_string()
                        });
                    }
                } else {
                    line.extend(items.iter().map(text_of));
                }
            }
            (Json::Object(map), _) if short && !map.is_empty() && self.one_in(2) => {
                line.push(self.shorthand(&value, true));
            }
            (Json::Object(_) | Json::Array(_), _) => line.push(value.to_string()),
            (Json::String(_), Kind::Structure(_)) => line.push(value.to_string()),
            (Json::String(_), _) if member.traits.json_value => line.push(value.to_string()),
            _ => line.push(text_of(&value)),
        }
        Some(line)
    }
}

fn text_of(value: &Json) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn is_complex(service: &Service, shape: ShapeId) -> bool {
    matches!(service.shape(shape).kind, Kind::Structure(_) | Kind::List { .. } | Kind::Map { .. })
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
        for _ in 0..3 {
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
    }
    println!("{count} command lines");
    assert!(wrong.is_empty(), "{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n\n"));
    assert!(count > 1_000, "{count}");
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
    let lines = [
        "ec2 run-instances --count 3",
        "ec2 run-instances --count 2:5 --security-group-ids sg-1 sg-2 --subnet-id subnet-1",
        "ec2 run-instances --associate-public-ip-address --subnet-id s --security-group-ids a b",
        "ec2 run-instances --no-associate-public-ip-address --private-ip-address 10.0.0.1",
        "ec2 run-instances --secondary-private-ip-addresses 10.0.0.2 10.0.0.3 --subnet-id s",
        "ec2 run-instances --secondary-private-ip-address-count 2 --ipv6-address-count 1",
        "ec2 run-instances --ebs-optimized --disable-api-termination --image-id ami-1",
        "ec2 run-instances --enable-api-termination --instance-type t2.micro --dry-run",
        "ec2 run-instances --image-id a --tag-specifications \
         ResourceType=instance,Tags=[{Key=Name,Value=web},{Key=e,Value=''}]",
        "ec2 run-instances --block-device-mappings \
         DeviceName=/dev/sda1,Ebs={VolumeSize=20,DeleteOnTermination=true,Encrypted=False}",
        "ec2 authorize-security-group-ingress --group-id sg-1 --protocol tcp --port 22 --cidr 0.0.0.0/0",
        "ec2 authorize-security-group-ingress --group-name g --protocol all --port all --source-group sg-2",
        "ec2 authorize-security-group-egress --group-id sg-1 --protocol 50 --source-group name --group-owner 12",
        "ec2 revoke-security-group-ingress --group-id sg-1 --protocol udp --port 10-20 --cidr 10.0.0.0/8",
        "ec2 revoke-security-group-egress --group-id sg-1 --protocol icmp --port -1",
        "ec2 authorize-security-group-ingress --group-id sg-1 --ip-permissions \
         IpProtocol=tcp,FromPort=3389,ToPort=3389,IpRanges=[{CidrIp=203.0.113.0/24,Description=\"a, b\"}]",
        "ec2 create-network-acl-entry --network-acl-id a --ingress --rule-number 1 --protocol tcp --rule-action allow",
        "ec2 replace-network-acl-entry --network-acl-id a --egress --rule-number 1 --protocol 17 --rule-action deny",
        "ec2 create-tags --resources i-1 i-2 --tags Key=a,Value=b Key=c,Value=",
        "ec2 modify-instance-attribute --instance-id i --ebs-optimized --no-source-dest-check",
        "ec2 modify-instance-attribute --instance-id i --disable-api-termination Value=false",
        "ec2 modify-instance-attribute --instance-id i --instance-type t3.micro",
        "ec2 modify-instance-attribute --instance-id i --instance-initiated-shutdown-behavior Value=stop",
        "ec2 create-image --instance-id i --name n --no-reboot",
        "ec2 create-image --instance-id i --name n --reboot",
        "ec2 describe-instances --filters Name=tag:Name,Values=a,b Name=x,Values=c --max-items 3",
        "ec2 describe-instances --max-results 5",
        "ec2 describe-instances --next-token t --no-paginate",
        "ec2 describe-instances --page-size 7 --starting-token abc",
        "ec2 describe-instances --instance-id i-1 --output text --region eu-west-1 --filter Name=a,Values=b",
        "ec2 describe-volumes",
        "ec2 describe-volumes --page-size 3",
        "ec2 describe-volumes --volume-ids v",
        "ec2 describe-snapshots --owner-ids self",
        "ec2 wait instance-running --instance-ids i-1 i-2",
        "emr wait cluster-running --cluster-id j-1",
        "rds add-option-to-option-group --option-group-name g --options OptionName=a,Port=1 --apply-immediately",
        "rds remove-option-from-option-group --option-group-name g --options a b",
        "rds wait db-instance-available --db-instance-identifier d",
        "rds describe-db-instances --max-items 4 --filters Name=engine,Values=mysql",
        "cloudwatch put-metric-data --namespace n --metric-name m --value 1.5 --unit Count",
        "cloudwatch put-metric-data --namespace n --metric-name m --timestamp 2026-01-02 \
         --dimensions a=b,c=d --statistic-values Sum=1,Minimum=0.5,Maximum=3,SampleCount=2",
        "cloudwatch put-metric-data --namespace n --metric-name m --value 3 --storage-resolution 1",
        "cloudwatch put-metric-data --namespace n --metric-data MetricName=m,Value=2,Dimensions=[{Name=a,Value=b}]",
        "cloudwatch get-metric-statistics --namespace n --metric-name m --start-time 2026-01-01T00:00:00Z \
         --end-time 2026-01-02T00:00:00Z --period 300 --statistics Average Maximum",
        "ses send-email --from a@b --to c@d e@f --cc g@h --subject s --text t --html <p>",
        "ses send-email --from a@b --bcc x@y --message Subject={Data=s},Body={Text={Data=t}}",
        "lambda create-function --function-name f --role r --zip-file fileb://{zip} --runtime python3.12",
        "lambda create-function --function-name f --role r --zip-file fileb://{zip} --code S3Bucket=b",
        "lambda update-function-code --function-name f --zip-file fileb://{zip} --publish",
        "lambda publish-layer-version --layer-name l --zip-file fileb://{zip}",
        "lambda publish-version --function-name f --code-sha-256 x",
        "lambda create-function --function-name f --role r --code S3Bucket=b,S3Key=k \
         --environment Variables={A=1,B=two} --tags a=b,c=d --layers x y",
        "lambda invoke --function-name f --payload {\"a\":1} out.json",
        "rekognition detect-labels --image-bytes fileb://{zip}",
        "rekognition compare-faces --source-image S3Object={Bucket=b,Name=n} --target-image-bytes x",
        "translate import-terminology --name n --merge-strategy OVERWRITE --data-file fileb://{zip} \
         --terminology-data Format=CSV",
        "translate translate-document --document-content fileb://{zip} --document ContentType=a \
         --source-language-code a --target-language-code b",
        "quicksight start-asset-bundle-import-job --aws-account-id 1 --asset-bundle-import-job-id i \
         --asset-bundle-import-source-bytes fileb://{zip}",
        "configservice put-configuration-recorder --configuration-recorder name=d,roleARN=r \
         --recording-group allSupported=true,includeGlobalResourceTypes=true",
        "deploy create-deployment --application-name a --s3-location bucket=b,key=k,bundleType=zip,eTag=e",
        "deploy register-application-revision --application-name a --github-location repository=r,commitId=c",
        "deploy get-application-revision --application-name a --revision revisionType=S3,s3Location={bucket=b}",
        "cloudsearch define-expression --domain-name d --name n --expression e",
        "cloudsearch define-index-field --domain-name d --name n --type int-array --default-value 3 \
         --search-enabled false --return-enabled true",
        "cloudsearch define-index-field --domain-name d --name n --type latlon --source-field f",
        "emr add-tags --resource-id r --tags a=b c",
        "emr list-clusters --active",
        "emr list-clusters --cluster-states RUNNING WAITING --created-after 2026-01-01",
        "emr list-clusters --failed --max-items 2",
        "elb register-instances-with-load-balancer --load-balancer-name l --instances i-1 i-2",
        "elb register-instances-with-load-balancer --load-balancer-name l --instances [{\"InstanceId\":\"i\"}]",
        "elb add-tags --load-balancer-names l --tags Key=a,Value=b",
        "workspaces reboot-workspaces --reboot-workspace-requests w-1 w-2",
        "dynamodb put-item --table-name t --item {\"a\":{\"S\":\"b\"},\"n\":{\"N\":\"1\"},\"b\":{\"B\":\"YWJj\"}}",
        "dynamodb get-item --table-name t --key a={S=b} --no-consistent-read",
        "dynamodb create-table --table-name t --attribute-definitions AttributeName=a,AttributeType=S \
         --key-schema AttributeName=a,KeyType=HASH --provisioned-throughput ReadCapacityUnits=5,WriteCapacityUnits=5",
        "dynamodb query --table-name t --expression-attribute-values {\":v\":{\"S\":\"a\"}} --no-scan-index-forward",
        "sqs send-message --queue-url https://sqs/1/q --message-body hello --message-attributes \
         k={DataType=String,StringValue=v}",
        "sqs create-queue --queue-name q --attributes VisibilityTimeout=30,DelaySeconds=5",
        "sqs set-queue-attributes --queue-url https://q --attributes {\"Policy\":\"{}\"}",
        "sns subscribe --topic-arn t --protocol email --notification-endpoint a@b",
        "logs filter-log-events --log-group-name g --start-time 1700000000000 --filter-pattern ERROR",
        "logs put-log-events --log-group-name g --log-stream-name s --log-events timestamp=1,message=a",
        "kinesis list-streams --exclusive-start-stream-name s",
        "kinesis put-record --stream-name s --data abc --partition-key k",
        "route53 list-hosted-zones --max-items 3",
        "route53 list-hosted-zones --max-items 3 --no-paginate",
        "route53 list-resource-record-sets --hosted-zone-id z --start-record-name n --max-items 3",
        "iam list-users --max-items 5 --page-size 2",
        "iam enable-mfa-device --user-name u --serial-number s --authentication-code-1 1 --authentication-code2 2",
        "s3api put-object --bucket b --key k --body {text} --metadata a=b,c=d",
        "s3api get-object --bucket b --key k out",
        "s3api list-objects-v2 --bucket b --page-size 5 --prefix p",
        "s3api create-bucket --bucket b --create-bucket-configuration LocationConstraint=eu-west-1",
        "s3api delete-objects --bucket b --delete Objects=[{Key=a},{Key=b}],Quiet=true",
        "s3api put-bucket-tagging --bucket b --tagging TagSet=[{Key=a,Value=b}]",
        "s3api select-object-content --bucket b --key k --expression e --expression-type SQL \
         --input-serialization CSV={} --output-serialization CSV={} out",
        "s3api wait bucket-exists --bucket b",
        "ecs execute-command --cluster c --task t --command ls --interactive",
        "ecs update-service --service s --desired-count 2 --disable-execute-command",
        "eks create-cluster --name c --role-arn r --kubernetes-version 1.30 --resources-vpc-config subnetIds=a,b",
        "ssm put-parameter --name n --value -1 --type String --overwrite",
        "ssm send-command --document-name d --parameters commands=ls,pwd --targets Key=a,Values=b",
        "ssm start-session --target t",
        "stepfunctions send-task-success --task-token t --task-output {}",
        "secretsmanager create-secret --name n --secret-string file://{text}",
        "secretsmanager create-secret --name n --secret-binary fileb://{zip}",
        "ec2 describe-instances --cli-input-json {\"MaxResults\":5,\"DryRun\":true} --no-dry-run",
        "ec2 create-tags --cli-input-json {\"Resources\":[\"a\"],\"Tags\":[{\"Key\":\"k\"}]}",
        "autoscaling create-auto-scaling-group --auto-scaling-group-name g --min-size 1 --max-size 2 \
         --tags Key=a,Value=b,PropagateAtLaunch=true --vpc-zone-identifier a,b",
        "cloudformation create-stack --stack-name s --template-body file://{text} --capabilities A B \
         --parameters ParameterKey=k,ParameterValue=v ParameterKey=l,UsePreviousValue=true",
        "elbv2 create-listener --load-balancer-arn l --default-actions Type=forward,TargetGroupArn=t \
         --port 80 --protocol HTTP",
        "events put-targets --rule r --targets Id=1,Arn=a,RetryPolicy={MaximumRetryAttempts=2}",
        "events put-rule --name r --event-pattern {\"source\":[\"a\"]} --schedule-expression rate(1",
        "codepipeline get-pipeline --name n --pipeline-version 2",
        "mturk list-hi-ts-for-qualification-type --qualification-type-id q",
        "runtime.sagemaker invoke-endpoint --endpoint-name e --body {text} out",
        "bedrock-runtime converse --model-id m --messages [{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}] \
         --additional-model-request-fields {\"a\":[1,null]}",
        "--region r ec2 --color off describe-regions --all-regions --endpoint-url http://x",
        "sts assume-role --role-arn r --role-session-name=-n --policy={}",
        "sts assume-role --role-arn r --role-session n --tags Key=a,Value=b",
    ];
    let mut wrong = Vec::new();
    for line in lines {
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
    for (line, message) in [
        ("ec2 run-instance", "did you mean run-instances"),
        (
            "ec2 describe-instances --instanceids a",
            "no argument --instanceids; did you mean --instance-ids",
        ),
        ("ec2 describe-instances a", "\"a\" belongs to no argument"),
        ("ec2 describe-instances --no-p --no", "--no may be"),
        ("ec2 create-tags --resources a", "--tags is missing"),
        ("ec2 create-tags", "--resources or --tags are missing"),
        (
            "ec2 create-tags --resources a --tags Key",
            "--tags takes a list of structures, written Key=string,Value=string ...: expected '=', found the end at character 3",
        ),
        ("ec2 describe-instances --max-results x", "\"x\" is no whole number"),
        (
            "ec2 describe-instances --max-items 3 --no-paginate",
            "--max-items cannot be given together with --no-paginate",
        ),
        ("ec2 describe-instances --region", "--region takes a name, and there is none"),
        ("ec2 describe-instances --output xml", "one of json, text, table, yaml: \"xml\" is none"),
        ("ec2 describe-instances --query a[", "--query takes a jmespath"),
        ("ec2 describe-instances --endpoint-url x", "has no scheme"),
        ("ec2 run-instances --count x", "--count takes min[:max]"),
        (
            "ec2 run-instances --network-interfaces DeviceIndex=0 --associate-public-ip-address",
            "cannot be given together",
        ),
        (
            "ec2 authorize-security-group-ingress --ip-permissions IpProtocol=tcp --port 1",
            "cannot be given together",
        ),
        (
            "ec2 authorize-security-group-ingress --group-id g --protocol xyz",
            "\"xyz\" is no protocol",
        ),
        ("ec2 authorize-security-group-ingress --group-id g --port a-b", "is no whole number"),
        (
            "ec2 modify-instance-attribute --instance-id i --ebs-optimized --no-ebs-optimized",
            "cannot be given together",
        ),
        ("lambda update-function-code --function-name f --zip-file x", "no zip file"),
        (
            "lambda create-function --function-name f --role r --zip-file fileb:///nowhere",
            "/nowhere of --zip-file cannot be read",
        ),
        ("lambda invoke --function-name f", "outfile is missing"),
        (
            "cloudwatch put-metric-data --namespace n --metric-data a=b --value 1",
            "cannot be given together",
        ),
        ("dynamodb put-item --table-name t --item {\"a\"", "it is no JSON"),
        ("ec2 wait instance-runing", "did you mean instance-running"),
        ("ec2 describe-instances --cli-input-json []", "it is a list"),
        ("emr list-clusters --active --failed", "only one of"),
        ("ec2 describe-instances --dry-run=x", "\"x\" stands behind it"),
        (
            "sts assume-role --role-arn r --role-session-name -n",
            "--role-session-name takes a string, and there is none",
        ),
    ] {
        let line: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let error = parse(&store, &line).expect_err("wrong");
        assert!(error.contains(message), "{line:?}: {error}");
        let theirs = python.ask(&json!({"ask": "params", "words": line}));
        assert!(
            theirs.get("error").is_some() || theirs["params"] == json!([]),
            "{line:?}: {theirs}"
        );
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
    println!("{seen} answers, {refused} that the AWS CLI cannot show");
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
