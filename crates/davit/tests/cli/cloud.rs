//! Lookups and inventory plugins against moto, in playbooks and on the command line. What is expected
//! was seen with the original's collection, against the same server.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::thread;

use davit_ground::Moto;
use serde_json::{Value, json};

use crate::cli::{Place, Ran};

/// A folder, a server, and what tells programs to call it.
struct World {
    place: Place,
    moto: Moto,
}

impl World {
    fn new() -> Self {
        Self { place: Place::new(&[]), moto: Moto::start().expect("moto") }
    }

    fn run(&self, line: &str) -> Ran {
        self.run_with(line, &[])
    }

    fn run_with(&self, line: &str, more: &[(&str, &str)]) -> Ran {
        let environment = self.moto.environment();
        let mut variables: Vec<(&str, &str)> =
            environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        variables.extend(more);
        self.place.run_with(line, &variables, "")
    }

    /// Runs tasks; fails where one does.
    fn tasks(&self, tasks: &Value) {
        let play = json!([{"hosts": "localhost", "gather_facts": false, "tasks": tasks}]);
        self.place.write("tasks.yml", &play.to_string());
        let ran = self.run("davit run tasks.yml");
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    }

    /// Puts the files of an example into the folder.
    fn example(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
        let mut folders = vec![folder.clone()];
        while let Some(at) = folders.pop() {
            for entry in fs::read_dir(at).expect("the example is there") {
                let path = entry.expect("it can be listed").path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let name = path.strip_prefix(&folder).expect("it is in there");
                    let text = fs::read_to_string(&path).expect("it can be read");
                    self.place.write(&name.to_string_lossy(), &text);
                }
            }
        }
    }
}

fn call(service: &str, operation: &str, parameters: Value) -> Value {
    json!({"davit.aws.call": {"service": service, "operation": operation, "parameters": parameters}})
}

/// What lookups are asked about.
fn store() -> Value {
    let secret = |name: &str, text: &str| {
        call("secretsmanager", "create_secret", json!({"Name": name, "SecretString": text}))
    };
    let parameter = |name: &str, kind: &str, value: &str| {
        let parameters = json!({"Name": name, "Type": kind, "Value": value});
        call("ssm", "put_parameter", parameters)
    };
    json!([
        secret("plain", "plain-value-1"),
        secret("second", "and-two"),
        secret(
            "json",
            r#"{"a": {"b": {"c": 1}}, "t": "text-in-json", "f": 1.5, "l": [1,2], "n": null, "bo": true, "d": {"x":"y"}}"#
        ),
        secret("/app/one", "v/app/one"),
        secret("/app/deep/two", "v/app/deep/two"),
        secret("gone", "gone-value"),
        call("secretsmanager", "delete_secret", json!({"SecretId": "gone"})),
        call(
            "secretsmanager",
            "put_secret_value",
            json!({"SecretId": "second", "SecretString": "newer"})
        ),
        parameter("Hello", "String", "world"),
        parameter("List", "StringList", "a,b,c"),
        parameter("Sec", "SecureString", "secure-value"),
        parameter("/demo/a", "String", "v/demo/a"),
        parameter("/demo/sub/c", "String", "v/demo/sub/c"),
    ])
}

/// A line of `cloud/lookups.txt`: an expression, and what it gives, or a part of the error.
fn lookups() -> Vec<(&'static str, Result<Value, &'static str>)> {
    let lines = include_str!("cloud/lookups.txt").lines().filter(|it| !it.starts_with('#'));
    let split = |line: &'static str| match line.split_once(" => ") {
        Some((expression, value)) => {
            (expression, Ok(serde_json::from_str(value).expect("it is JSON")))
        }
        None => {
            let (expression, part) = line.split_once(" !! ").expect("it gives something");
            (expression, Err(part))
        }
    };
    lines.map(split).collect()
}

#[test]
fn lookups_give_what_the_original_gives() {
    let world = World::new();
    world.tasks(&store());
    let mut play = Vec::new();
    for (expression, _) in lookups() {
        play.push(json!({
            "set_fact": {"found": format!("{{{{ {expression} }}}}")},
            "ignore_errors": true,
            "register": "it",
        }));
        let kept = "{{ all_found | default([]) + [{'value': it.ansible_facts.found | default(none), 'failed': it.failed, 'msg': it.msg | default('')}] }}";
        play.push(json!({"set_fact": {"all_found": kept}}));
    }
    let content = "{{ all_found | to_json }}";
    let dest = world.place.path().join("found.json");
    play.push(json!({"copy": {"content": content, "dest": dest}}));
    world.tasks(&json!(play));
    let found: Vec<Value> =
        serde_json::from_str(&world.place.read("found.json")).expect("a list of results");
    for (found, (expression, expect)) in found.iter().zip(lookups()) {
        let msg = found["msg"].as_str().unwrap_or_default();
        match expect {
            Ok(value) => {
                assert_eq!(
                    (&found["failed"], &found["value"]),
                    (&json!(false), &value),
                    "{expression}: {msg}"
                );
            }
            Err(part) => {
                assert!(found["failed"] == true && msg.contains(part), "{expression}: {found}");
            }
        }
    }
    assert_eq!(found.len(), lookups().len());
}

/// Answers every request by its head; gives the port.
pub(super) fn stub(answer: impl Fn(&str) -> (&'static str, String) + Send + 'static) -> u16 {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = server.local_addr().expect("an address").port();
    thread::spawn(move || {
        for stream in server.incoming() {
            let mut stream = stream.expect("a connection");
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap_or_default();
            let (status, body) = answer(&String::from_utf8_lossy(&head[..length]));
            let _ = write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    port
}

/// moto refuses in XML where these services speak JSON.
#[test]
fn what_may_not_be_read_is_left_out_where_that_is_wanted() {
    let no = |_: &str| {
        ("400 Bad Request", json!({"__type": "AccessDeniedException", "message": "no"}).to_string())
    };
    let url = format!("http://127.0.0.1:{}", stub(no));
    let place = Place::new(&[]);
    let ask = |expression: &str| {
        let line = format!("davit exec localhost -m debug -a msg={{{{{expression}}}}}");
        let variables = [
            ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ENDPOINT_URL", &url),
        ];
        place.run_with(&line, &variables, "")
    };
    for lookup in [
        "'aws_secret','a'",
        "'aws_secret','a',bypath=true",
        "'aws_ssm','a'",
        "'aws_ssm','/a',bypath=true",
    ] {
        let ran = ask(&format!("lookup({lookup})"));
        let is_told = ran.out.contains("is denied (AccessDenied)");
        assert!(ran.code == 2 && is_told, "{lookup}: {}{}", ran.out, ran.err);
        let ran = ask(&format!("query({lookup},on_denied='skip')"));
        assert_eq!(ran.code, 0, "{lookup}: {}{}", ran.out, ran.err);
        let ran = ask(&format!("query({lookup},on_denied='warn')"));
        let is_told = ran.err.contains("Skipping, access to");
        assert!(ran.code == 0 && is_told, "{lookup}: {}{}", ran.out, ran.err);
    }
}

#[test]
fn regions_that_may_not_be_asked_are_left_out_where_that_is_wanted() {
    let world = World::new();
    let key = world.place.path().join("key.json");
    world.tasks(&json!([
        call("iam", "create_user", json!({"UserName": "nobody"})),
        {"davit.aws.call": {
            "service": "iam", "operation": "create_access_key", "parameters": {"UserName": "nobody"},
        }, "register": "made"},
        {"copy": {"content": "{{ made.result.AccessKey | to_json }}", "dest": key}},
    ]));
    let key: Value = serde_json::from_str(&world.place.read("key.json")).expect("a key");
    world.moto.post("/moto-api/reset-auth", "0").expect("moto checks who calls");
    let keys = [
        ("AWS_ACCESS_KEY_ID", key["AccessKeyId"].as_str().expect("an id")),
        ("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"].as_str().expect("a secret")),
    ];
    let graph = |text: &str| {
        world.place.write("x.aws_ec2.yml", text);
        world.run_with("davit inventory -i x.aws_ec2.yml --graph", &keys)
    };
    let text = "plugin: aws_ec2\nregions: [eu-west-1]\n";
    let ran = graph(text);
    let told = "asking the region eu-west-1 failed: ec2.DescribeInstances failed: AccessDenied";
    assert!(ran.err.contains(told), "{}", ran.err);
    let ran = graph(&format!("{text}strict_permissions: false\n"));
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
}

#[test]
fn address_ranges_are_read_from_where_they_are_published() {
    let body = json!({
        "syncToken": "1",
        "prefixes": [
            {"ip_prefix": "3.5.140.0/22", "region": "eu-west-1", "service": "AMAZON", "network_border_group": "eu-west-1"},
            {"ip_prefix": "52.92.16.0/20", "region": "us-east-1", "service": "S3"},
            {"ip_prefix": "52.216.0.0/15", "region": "us-east-1", "service": "S3"},
        ],
        "ipv6_prefixes": [{"ipv6_prefix": "2600:1f00::/40", "region": "us-east-1", "service": "S3"}],
    })
    .to_string();
    let port = stub(move |head| match head.starts_with("GET /ranges.json ") {
        true => ("200 OK", body.clone()),
        false => ("404 Not Found", "no".to_owned()),
    });
    let place = Place::new(&[]);
    let ask = |path: &str, options: &str| {
        let line = format!(
            "davit exec localhost -m debug -a msg={{{{query('aws_service_ip_ranges',url='http://127.0.0.1:{port}{path}'{options})|join('+')}}}}"
        );
        let ran = place.run(&line);
        (ran.code, format!("{}{}", ran.out, ran.err))
    };
    for (options, expect) in [
        ("", "3.5.140.0/22+52.92.16.0/20+52.216.0.0/15\""),
        (",region='us-east-1',service='S3'", "\"52.92.16.0/20+52.216.0.0/15\""),
        (",ipv6_prefixes=true", "\"2600:1f00::/40\""),
        (",region='nowhere'", "\"msg\": \"\""),
    ] {
        let (code, text) = ask("/ranges.json", options);
        assert!(code == 0 && text.contains(expect), "{options}: {text}");
    }
    let (code, text) = ask("/nothing", "");
    assert!(code == 2 && text.contains("the status is 404"), "{text}");
    let (code, text) = ask("/ranges.json", ",rgion='x'");
    assert!(code == 2 && text.contains("did you mean 'region'?"), "{text}");
}

#[test]
fn the_example_configures_a_shop_and_shows_no_secret() {
    let world = World::new();
    world.example("aws-secrets");
    for changed in ["changed=3", "changed=0"] {
        let ran = world.run("ansible-playbook keep.yml");
        assert!(ran.code == 0 && ran.out.contains(changed), "{}{}", ran.out, ran.err);
    }
    let secrets = ["correct-horse-battery-staple", "an-api-key-of-the-shop"];
    for changed in ["changed=1", "changed=0"] {
        let ran = world.run("ansible-playbook configure.yml --diff -vvv");
        assert!(ran.code == 0 && ran.out.contains(changed), "{}{}", ran.out, ran.err);
        assert!(ran.out.contains("db.example.com:5432 with ******** and ********"), "{}", ran.out);
        for secret in secrets {
            assert!(!ran.out.contains(secret) && !ran.err.contains(secret), "{}", ran.out);
        }
    }
    let expect = format!(
        "motd = Welcome\nhost = db.example.com\nport = 5432\npassword = {}\napi_key = {}\n",
        secrets[0], secrets[1]
    );
    assert_eq!(world.place.read("shop.conf"), expect);
    let ran = world.run("davit lint keep.yml configure.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
}

/// Servers and databases, in two regions.
fn fleet() -> Value {
    let server = |region: &str, tags: &[(&str, &str)]| {
        let tags: Vec<Value> =
            tags.iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
        let mut parameters = json!({
            "ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1, "InstanceType": "t3.micro",
        });
        if !tags.is_empty() {
            parameters["TagSpecifications"] = json!([{"ResourceType": "instance", "Tags": tags}]);
        }
        let mut task = call("ec2", "run_instances", parameters);
        task["davit.aws.call"]["region"] = json!(region);
        task["register"] = json!("made");
        task
    };
    let then = |operation: &str| {
        call(
            "ec2",
            operation,
            json!({"InstanceIds": ["{{ made.result.Instances[0].InstanceId }}"]}),
        )
    };
    let shop = ("Project", "shop");
    json!([
        server("eu-west-1", &[("Name", "web-1"), shop, ("Role", "we b"), ("a:b/c", "odd key")]),
        server("us-east-1", &[("Name", "web-2"), shop, ("Role", "we b")]),
        server("eu-west-1", &[("Name", "db-1"), shop, ("Role", "")]),
        server("eu-west-1", &[("Name", "idle"), shop]),
        then("stop_instances"),
        server("eu-west-1", &[("Name", "dead"), shop]),
        then("terminate_instances"),
        server("eu-west-1", &[]),
        call(
            "rds",
            "create_db_instance",
            json!({
                "DBInstanceIdentifier": "orders", "DBInstanceClass": "db.t3.micro", "Engine": "postgres",
                "MasterUsername": "shop", "MasterUserPassword": "never-to-be-seen", "AllocatedStorage": 20,
                "Tags": [{"Key": "Team", "Value": "data"}],
            })
        ),
        call(
            "rds",
            "create_db_cluster",
            json!({
                "DBClusterIdentifier": "ledger", "Engine": "aurora-mysql",
                "MasterUsername": "shop", "MasterUserPassword": "never-to-be-seen",
            })
        ),
    ])
}

/// What is another one in each run.
const MADE_UP: &[&str] = &[
    "attach_time",
    "attachment_id",
    "client_token",
    "cluster_create_time",
    "db_cluster_resource_id",
    "dbi_resource_id",
    "earliest_restorable_time",
    "endpoint",
    "group_id",
    "instance_create_time",
    "instance_id",
    "latest_restorable_time",
    "launch_time",
    "mac_address",
    "network_interface_id",
    "preferred_backup_window",
    "preferred_maintenance_window",
    "private_dns_name",
    "private_ip_address",
    "public_dns_name",
    "public_ip",
    "public_ip_address",
    "reader_endpoint",
    "reservation_id",
    "state_transition_reason",
    "subnet_id",
    "volume_id",
    "vpc_id",
    "vpc_security_group_id",
    "hosted_zone_id",
    "ansible_host",
];

/// Covers it, and sorts hosts, whose order is that of their ids.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let kept = map.iter().map(|(name, value)| {
                let bare = name.trim_start_matches("aws_").trim_end_matches("_x");
                let is_made_up =
                    MADE_UP.contains(&bare) && !value.is_null() && value.get("port").is_none();
                let value = if is_made_up { json!("*") } else { plain(value) };
                let value = match (name.as_str(), value) {
                    ("hosts" | "children", Value::Array(mut names)) => {
                        names.sort_by_key(Value::to_string);
                        Value::Array(names)
                    }
                    (_, value) => value,
                };
                (name.clone(), value)
            });
            kept.collect::<BTreeMap<_, _>>().into_iter().collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(plain).collect(),
        other => other.clone(),
    }
}

/// The files in `cloud/inventories`, and beside each what the original made of it.
#[test]
fn inventories_are_those_of_the_original() {
    let world = World::new();
    world.tasks(&fleet());
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/cloud/inventories");
    let mut seen = 0;
    for entry in fs::read_dir(&folder).expect("there are cases") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("it has a name").to_string_lossy().into_owned();
        if !name.ends_with(".yml") {
            continue;
        }
        seen += 1;
        world.place.write(&name, &fs::read_to_string(&path).expect("it can be read"));
        let ran = world.run(&format!("ansible-inventory -i {name} --list"));
        let found: Value = serde_json::from_str(&ran.out).expect("JSON");
        let text = serde_json::to_string_pretty(&plain(&found)).expect("JSON") + "\n";
        let expect = fs::read_to_string(path.with_extension("json")).unwrap_or_default();
        assert!(text == expect, "{name}: {text}{}", ran.err);
    }
    assert!(seen >= 4, "{seen} cases");
}

#[test]
fn the_example_shows_servers_and_databases() {
    let world = World::new();
    world.tasks(&fleet());
    world.example("aws-inventory");
    let ran = world.run("davit inventory -i shop.aws_ec2.yml --graph");
    for line in [
        "|--@aws_ec2:",
        "|  |--web-1",
        "|--@role_we_b:",
        "|--@regions:",
        "|  |--@region_us_east_1:",
        "|--@small:",
    ] {
        assert!(ran.out.contains(line), "{line}: {}{}", ran.out, ran.err);
    }
    for none in ["idle", "dead", "i-"] {
        assert!(!ran.out.contains(none), "{none}: {}", ran.out);
    }
    let ran = world.run("ansible-playbook -i shop.aws_ec2.yml -i shop.aws_rds.yml show.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    for host in ["web-1 at 10.", "web-2 at 10.", "db-1 at 10.", "orders at orders."] {
        assert!(ran.out.contains(host), "{host}: {}", ran.out);
    }
    assert!(ran.out.contains(" in us-east-1") && ran.out.contains(" in eu-west-1"), "{}", ran.out);
}

#[test]
fn what_cannot_be_asked_is_told_with_its_reason() {
    let world = World::new();
    let check = |text: &str, variables: &[(&str, &str)], expect: &[&str]| {
        world.place.write("x.aws_ec2.yml", text);
        let ran = world.run_with("davit inventory -i x.aws_ec2.yml --list", variables);
        assert_eq!(ran.code, 0, "{}", ran.err);
        for part in expect {
            assert!(ran.err.contains(part), "{part}: {}", ran.err);
        }
    };
    let usual = "plugin: amazon.aws.aws_ec2\nregions: [eu-west-1]\n";
    let unknown = format!("{usual}filtres: {{}}\n");
    check(
        &unknown,
        &[],
        &["there is no option 'filtres'; did you mean 'filters'?", "x.aws_ec2.yml:3:1"],
    );
    let wrong = format!("{usual}hostnames: [{{prefix: a}}]\n");
    check(&wrong, &[], &["a hostname that is a dictionary needs a name"]);
    let dead = format!("{usual}endpoint_url: http://127.0.0.1:9\n");
    check(
        &dead,
        &[("AWS_MAX_ATTEMPTS", "1")],
        &["asking the region eu-west-1 failed", "127.0.0.1:9"],
    );
    let nobody = [
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    check(usual, &nobody, &["no credentials: looked in", "AWS_ACCESS_KEY_ID"]);
    let region = "plugin: aws_ec2\nregions: [eu_west_1]\n";
    check(region, &[], &["eu_west_1"]);
    let strict = format!("{usual}strict: true\nkeyed_groups: [{{key: nothing.here}}]\n");
    world.tasks(&fleet());
    check(&strict, &[], &["Could not generate group for host", "from nothing.here entry"]);
}

#[test]
fn what_was_fetched_is_kept_and_a_role_can_be_taken() {
    let world = World::new();
    world.tasks(&fleet());
    let text = "plugin: aws_ec2\nregions: [eu-west-1]\nhostnames: [tag:Name]\nassume_role_arn: arn:aws:iam::123456789012:role/reader\n\
                cache: true\ncache_plugin: jsonfile\ncache_connection: kept\n";
    world.place.write("x.aws_ec2.yml", text);
    let first = world.run("davit inventory -i x.aws_ec2.yml --list");
    assert!(first.out.contains("\"web-1\""), "{}{}", first.out, first.err);
    let kept = fs::read_dir(world.place.path().join("kept")).expect("a folder").count();
    assert_eq!(kept, 1);
    world.moto.post("/moto-api/reset", "").expect("moto forgets");
    let second = world.run("davit inventory -i x.aws_ec2.yml --list");
    assert_eq!(second.out, first.out, "{}", second.err);
    world.place.write("site.yml", "- hosts: all\n  gather_facts: false\n  tasks: []\n");
    let flushed =
        world.run("ansible-playbook -i x.aws_ec2.yml site.yml --flush-cache --list-hosts");
    assert!(flushed.out.contains("hosts (0)"), "{}{}", flushed.out, flushed.err);
}

#[test]
fn lint_knows_what_a_play_gives_its_modules() {
    let place = Place::new(&[(
        "site.yml",
        "- hosts: localhost
  module_defaults:
    group/aws: {region: eu-west-1, tags: {a: b}}
    amazon.aws.iam_group: {state: present}
  tasks:
    - amazon.aws.iam_user: {name: a}
    - amazon.aws.iam_group: {name: a}
    - amazon.aws.aws_caller_info: {}
    - davit.aws.call: {service: ec2, operation: describe_vpcs, wait: {fr: vpc_exists}}
    - amazon.aws.lambda_alias: {}
    - community.aws.iam_role: {}
    - amazon.aws.ec2_vpc_net_info: {}
    - amazon.aws.ec2_vpc_nett: {}
    - amazon.aws.route53: {zone: a, record: b.a, type: A, value: 192.0.2.1, region: '{{ omit }}', state: present}
",
    )]);
    let ran = place.run("davit lint site.yml");
    let told: Vec<&str> = ran
        .out
        .lines()
        .filter(|it| it.contains(": error:") || it.contains("help:"))
        .map(str::trim_start)
        .collect();
    let part =
        "help: davit has part of the modules of amazon.aws; 'davit.aws.call' reaches everything";
    let expect = [
        "site.yml:6:7: error: missing required arguments: state",
        "site.yml:7:7: error: 'amazon.aws.iam_group' has no argument 'tags', which module_defaults",
        "site.yml:8:7: error: 'amazon.aws.aws_caller_info' has no argument 'tags', which module_d",
        "site.yml:9:7: error: missing required arguments: for found in wait",
        "site.yml:9:71: error: 'davit.aws.call' has no argument 'wait.fr'",
        "help: Did you mean 'for'?",
        "site.yml:10:7: error: there is no module or action 'amazon.aws.lambda_alias'",
        part,
        "site.yml:11:7: error: there is no module or action 'community.aws.iam_role'",
        "help: Did you mean 'amazon.aws.iam_role'?",
        "site.yml:12:7: error: there is no module or action 'amazon.aws.ec2_vpc_net_info'",
        part,
        "site.yml:13:7: error: there is no module or action 'amazon.aws.ec2_vpc_nett'",
        "help: Did you mean 'amazon.aws.ec2_vpc_net'?",
        "site.yml:14:7: error: 'amazon.aws.route53' has no argument 'tags', which module_defaults",
    ];
    assert_eq!(told.len(), expect.len(), "{}", ran.out);
    for (told, expect) in told.iter().zip(expect) {
        assert!(told.starts_with(expect), "{told}: {expect}");
    }
}

#[test]
fn everything_knows_the_names() {
    let place = Place::new(&[(
        "site.yml",
        "- hosts: localhost\n  tasks:\n    - debug: {msg: \"{{ lookup('amazon.aws.aws_secret', 'a') }}{{ lookup('aws_secrte', 'a') }}\"}\n",
    )]);
    let ran = place.run("davit lint site.yml");
    let told = "there is no lookup 'aws_secrte'";
    assert!(ran.out.contains(told) && ran.out.contains("1 error, 0 warnings"), "{}", ran.out);
    let ran = place.run("davit doc -t lookup amazon.aws.ssm_parameter");
    assert!(
        ran.out.contains("> AMAZON.AWS.SSM_PARAMETER") && ran.out.contains("droppath"),
        "{}",
        ran.out
    );
    let ran = place.run("davit doc -t lookup -l");
    assert!(ran.out.contains("amazon.aws.aws_service_ip_ranges"), "{}", ran.out);
    let ran = place.run("davit doc -t inventory amazon.aws.aws_ec2");
    assert!(
        ran.out.contains("> AMAZON.AWS.AWS_EC2") && ran.out.contains("hostvars_prefix"),
        "{}",
        ran.out
    );
}

#[test]
fn options_of_lookups_are_checked_before_they_run() {
    let place = Place::new(&[
        (
            "site.yml",
            "- hosts: localhost
  vars:
    more: {bypath: true}
    here: eu-west-1
    odd: warn
  tasks:
    - debug: {msg: \"{{ lookup('amazon.aws.aws_secret', 'x', regoin='eu-west-1', wantlist=true) }}\"}
    - debug:
        msg: |
          {{ query('aws_ssm', '/a', aws_region='eu-west-1', on_missing=odd,
                   decrypt='perhaps', on_denied='nevr') }}
    - debug: {msg: \"{{ lookup('aws_secret', 'x', join=1, nosuch=2, errors='ignore') }}\"}
    - debug: {msg: \"{{ lookup('aws_secret', 'x', region=here, join=true, **more) }}\"}
    - template: {src: a.j2, dest: /tmp/a}
",
        ),
        ("a.j2", "one\n{{ lookup('aws_ssm', '/a', bypth=true) }}\n"),
    ]);
    let ran = place.run("davit lint site.yml");
    let told: Vec<&str> = ran
        .out
        .lines()
        .filter(|it| it.contains(": error:") || it.contains(": warning:") || it.contains("Did you"))
        .collect();
    let expect = [
        "a.j2:2:28: error: lookup 'aws_ssm' has no option 'bypth'",
        "help: Did you mean 'bypath'?",
        "site.yml:7:61: error: lookup 'amazon.aws.aws_secret' has no option 'regoin'",
        "help: Did you mean 'region'?",
        "site.yml:11:20: error: argument 'decrypt' is of type str",
        "site.yml:11:39: error: value of on_denied must be one of: error, skip, warn, got: nevr",
        "site.yml:12:58: warning: lookup 'aws_secret' has no option 'nosuch'",
    ];
    assert_eq!(told.len(), expect.len(), "{}", ran.out);
    for (told, expect) in told.iter().zip(expect) {
        assert!(told.trim_start().starts_with(expect), "{told}: {expect}");
    }
}

/// The secret is spelled only where the task reads it from: a playbook shows its own text in errors.
#[test]
fn calls_show_nothing_that_a_model_calls_sensitive() {
    let world = World::new();
    let made = json!({"Name": "shop", "SecretString": "{{ lookup('env', 'HUSH') }}"});
    let mut read = call("secretsmanager", "get_secret_value", json!({"SecretId": "shop"}));
    read["register"] = json!("got");
    let play = json!([{"hosts": "localhost", "gather_facts": false, "tasks": [
        call("secretsmanager", "create_secret", made),
        read,
        {"debug": {"var": "got"}},
        {"assert": {"that": "got.result.SecretString == lookup('env', 'HUSH')"}},
    ]}]);
    world.place.write("calls.yml", &play.to_string());
    let ran = world.run_with("davit run -vvv --diff calls.yml", &[("HUSH", "correct-horse")]);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let kept = world.run("davit show last --output events");
    assert!(kept.out.contains("SecretString"), "{}{}", kept.out, kept.err);
    for text in [ran.out, ran.err, kept.out] {
        assert!(!text.contains("correct-horse"), "{text}");
    }
}
