//! `examples/aws-vpc`: what it makes, that it makes it once, and that it completes what was begun.

use std::fs;
use std::path::Path;

use davit_event::{End, Status};
use davit_ground::Moto;
use serde_json::{Value, json};

use crate::play::Play;

/// What a run may have made before it was cut off, one step after the other: nothing has more than what it is
/// found by.
const STEPS: &str = "
- davit.aws.call:
    service: ec2
    operation: create_vpc
    parameters:
      CidrBlock: 10.0.0.0/16
      TagSpecifications: [{ResourceType: vpc, Tags: [{Key: Name, Value: staging-vpc}]}]
  register: vpc
- davit.aws.call:
    service: ec2
    operation: create_internet_gateway
    parameters:
      TagSpecifications:
        - ResourceType: internet-gateway
          Tags: [{Key: Name, Value: staging-igw}, {Key: Environment, Value: staging}]
- davit.aws.call:
    service: ec2
    operation: create_subnet
    parameters: {VpcId: '{{ vpc.result.Vpc.VpcId }}', CidrBlock: 10.0.1.0/24, AvailabilityZone: eu-west-1a}
- davit.aws.call:
    service: ec2
    operation: create_subnet
    parameters: {VpcId: '{{ vpc.result.Vpc.VpcId }}', CidrBlock: 10.0.2.0/24, AvailabilityZone: eu-west-1b}
- davit.aws.call:
    service: ec2
    operation: create_subnet
    parameters: {VpcId: '{{ vpc.result.Vpc.VpcId }}', CidrBlock: 10.0.10.0/24, AvailabilityZone: eu-west-1a}
- davit.aws.call:
    service: ec2
    operation: create_subnet
    parameters: {VpcId: '{{ vpc.result.Vpc.VpcId }}', CidrBlock: 10.0.20.0/24, AvailabilityZone: eu-west-1b}
- davit.aws.call:
    service: ec2
    operation: create_route_table
    parameters:
      VpcId: '{{ vpc.result.Vpc.VpcId }}'
      TagSpecifications: [{ResourceType: route-table, Tags: [{Key: Name, Value: staging-public}]}]
";

/// What there is, whatever its ids are: of each network all that belongs to it, and every internet gateway.
const LOOK: &str = "
- davit.aws.call:
    {service: ec2, operation: describe_vpcs, parameters: {Filters: [{Name: cidr, Values: [10.0.0.0/16]}]}}
- davit.aws.call:
    {service: ec2, operation: describe_internet_gateways}
- davit.aws.call:
    {service: ec2, operation: describe_subnets, parameters: {Filters: [{Name: 'tag:Environment', Values: [staging]}]}}
- davit.aws.call:
    {service: ec2, operation: describe_route_tables, parameters: {Filters: [{Name: 'tag:Name', Values: [staging-public]}]}}
";

#[test]
fn the_example_makes_a_network_once_and_completes_what_was_cut_off() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/aws-vpc/site.yml");
    let site = fs::read_to_string(path).unwrap();
    let moto = Moto::start().unwrap();
    let play = Play { environment: moto.environment(), ..Play::new() };
    let steps: Vec<&str> = STEPS.split("\n- ").skip(1).collect();
    // One subnet or three of four are not there: that is the same.
    for done in [0, 1, 2, 3, 6, steps.len()] {
        moto.post("/moto-api/reset", "").unwrap();
        if done > 0 {
            let ends = play.run(&tasks(&format!("- {}", steps[..done].join("\n- "))));
            assert!(ends.iter().all(|it| it.status == Status::Changed), "{ends:?}");
        }
        let ends = play.run(&site);
        let is_well = |it: &End| matches!(it.status, Status::Ok | Status::Changed);
        assert!(ends.iter().all(is_well), "after {done} steps: {ends:?}");
        assert!(ends.iter().any(|it| it.status == Status::Changed), "after {done} steps");
        check(&play.run(&tasks(LOOK)), done);
        if done == 0 || done == steps.len() {
            let ends = play.run(&site);
            assert!(ends.iter().all(|it| it.status == Status::Ok), "once more: {ends:?}");
            let shown = &ends.last().unwrap().reply["msg"];
            let ids = shown["subnet_ids"].as_object().unwrap();
            let names: Vec<&str> = ids.keys().map(String::as_str).collect();
            assert_eq!(names, ["public-a", "public-b", "private-a", "private-b"]);
            assert!(shown["vpc_id"].as_str().unwrap().starts_with("vpc-"), "{shown}");
            assert!(shown["igw_id"].as_str().unwrap().starts_with("igw-"), "{shown}");
        }
    }
}

fn tasks(tasks: &str) -> String {
    let play = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n";
    format!(
        "{play}{}",
        tasks.replace('\n', "\n    ").replacen(
            "- ",
            "    - ",
            usize::from(!tasks.starts_with('\n'))
        )
    )
}

/// There is the whole of it, and once.
fn check(ends: &[End], done: usize) {
    let found: Vec<&Value> = ends.iter().map(|it| &it.reply["result"]).collect();
    let [vpcs, gateways, subnets, tables] = found[..] else { panic!("{ends:?}") };
    let vpcs = vpcs["Vpcs"].as_array().unwrap();
    assert_eq!(vpcs.len(), 1, "after {done} steps: {vpcs:?}");
    let vpc = &vpcs[0]["VpcId"];
    assert_eq!(tags(&vpcs[0]), ["Environment=staging", "Name=staging-vpc"]);
    let gateways = gateways["InternetGateways"].as_array().unwrap();
    assert_eq!(gateways.len(), 1, "after {done} steps: {gateways:?}");
    assert_eq!(&gateways[0]["Attachments"][0]["VpcId"], vpc);
    let mut all: Vec<Value> = subnets["Subnets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            assert_eq!(&it["VpcId"], vpc);
            let tags = tags(it);
            json!([
                it["CidrBlock"],
                it["AvailabilityZone"],
                it["MapPublicIpOnLaunch"],
                tags[1],
                tags[2]
            ])
        })
        .collect();
    all.sort_by_key(ToString::to_string);
    let expect = json!([
        ["10.0.1.0/24", "eu-west-1a", true, "Name=staging-public-a", "Type=public"],
        ["10.0.10.0/24", "eu-west-1a", false, "Name=staging-private-a", "Type=private"],
        ["10.0.2.0/24", "eu-west-1b", true, "Name=staging-public-b", "Type=public"],
        ["10.0.20.0/24", "eu-west-1b", false, "Name=staging-private-b", "Type=private"],
    ]);
    assert_eq!(json!(all), expect, "after {done} steps");
    let tables = tables["RouteTables"].as_array().unwrap();
    assert_eq!(tables.len(), 1, "after {done} steps: {tables:?}");
    let routes = tables[0]["Routes"].as_array().unwrap();
    let out = routes.iter().find(|it| it["DestinationCidrBlock"] == "0.0.0.0/0").unwrap();
    assert_eq!(out["GatewayId"], gateways[0]["InternetGatewayId"]);
    assert_eq!(tables[0]["Associations"].as_array().unwrap().len(), 2, "after {done} steps");
}

fn tags(item: &Value) -> Vec<String> {
    let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
    let all = item["Tags"].as_array().unwrap().iter();
    let mut tags: Vec<String> =
        all.map(|it| format!("{}={}", text(&it["Key"]), text(&it["Value"]))).collect();
    tags.sort();
    tags
}
