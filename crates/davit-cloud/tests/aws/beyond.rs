//! What moto does not know: a server in front of it answers that by itself, as the documentation of AWS says, and
//! leaves the rest to moto. `cases/beyond` are cases for both.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::sync::{Arc, Mutex};

use davit_cloud::inventories::INVENTORIES;
use davit_cloud::reader::Reader;
use davit_ground::Moto;
use serde_json::{Map, Value, json};

use crate::gcp::stub::{Asked, Reply, Stub, ok, said};

/// What the server in front knows.
#[derive(Default)]
struct Known {
    /// The names of addresses.
    names: BTreeMap<String, String>,
    /// Whose routes a table takes over.
    propagating: BTreeMap<String, BTreeSet<String>>,
}

/// An answer in the XML of EC2.
fn ec2(operation: &str, content: &str) -> Reply {
    let text = format!(
        "<{operation}Response xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\
         <requestId>1</requestId>{content}</{operation}Response>"
    );
    Reply::Whole(200, vec![("content-type", "text/xml".into())], text.into())
}

fn answer(asked: &Asked, moto: &str, known: &mut Known) -> Reply {
    let operation = asked.field("Action").unwrap_or_default();
    let field = |name: &str| asked.field(name).unwrap_or_default();
    let (id, table) = (field("AllocationId"), field("RouteTableId"));
    let record = |known: &Known, id: &str| {
        let name =
            known.names.get(id).map_or("ec2-192-0-2-1.compute.amazonaws.com", String::as_str);
        format!("<allocationId>{id}</allocationId><ptrRecord>{name}.</ptrRecord>")
    };
    match operation.as_str() {
        "DescribeAddressesAttribute" => {
            assert_eq!(field("Attribute"), "domain-name");
            let record = record(known, &field("AllocationId.1"));
            ec2(&operation, &format!("<addressSet><item>{record}</item></addressSet>"))
        }
        "ModifyAddressAttribute" => {
            known.names.insert(id.clone(), field("DomainName"));
            ec2(&operation, &format!("<address>{}</address>", record(known, &id)))
        }
        "ResetAddressAttribute" => {
            assert!(known.names.remove(&id).is_some(), "it has no name");
            ec2(&operation, &format!("<address>{}</address>", record(known, &id)))
        }
        "EnableVgwRoutePropagation" => {
            let is_new = known.propagating.entry(table).or_default().insert(field("GatewayId"));
            assert!(is_new, "that gateway was there");
            ec2(&operation, "<return>true</return>")
        }
        "DescribeRouteTables" => {
            let (status, mut text) = forward(moto, asked);
            for (table, gateways) in &known.propagating {
                let items =
                    gateways.iter().map(|it| format!("<item><gatewayId>{it}</gatewayId></item>"));
                let set = items.collect::<String>();
                // Tables come before their routes; so do their associations, which have their ids, too.
                let id = format!("<routeTableId>{table}</routeTableId><routeSet>");
                let with = format!("<propagatingVgwSet>{set}</propagatingVgwSet>{id}");
                text = text.replace(&id, &with);
            }
            Reply::Whole(status, vec![("content-type", "text/xml".into())], text.into())
        }
        _ => {
            let (status, text) = forward(moto, asked);
            Reply::Whole(status, vec![("content-type", "text/xml".into())], text.into())
        }
    }
}

/// What moto says.
fn forward(moto: &str, asked: &Asked) -> (u16, String) {
    let mut stream = TcpStream::connect(moto).unwrap();
    let mut head = format!("{} {} HTTP/1.1\r\nConnection: close\r\n", asked.method, asked.path);
    let passing = asked.headers.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("connection"));
    passing.for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
    stream.write_all(&asked.body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, body.to_owned())
}

/// What tells a client to call this server, and moto for the rest.
fn environment(moto: &Moto, name: &str, stub: &Stub) -> Vec<(String, String)> {
    let own = [(format!("AWS_ENDPOINT_URL_{name}"), stub.url.clone())];
    moto.environment().into_iter().chain(own).collect()
}

#[test]
fn names_of_addresses_and_propagated_routes() {
    let moto = Moto::start().unwrap();
    let host = moto.url().trim_start_matches("http://").to_owned();
    let known = Arc::new(Mutex::new(Known::default()));
    let stub = Stub::new(move |asked| answer(asked, &host, &mut known.lock().unwrap()));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/aws/cases/beyond");
    let mut wrong = Vec::new();
    for file in fs::read_dir(&folder).unwrap() {
        let path = file.unwrap().path();
        let steps = super::run(&environment(&moto, "EC2", &stub), &path, Map::new(), &mut wrong);
        assert!(steps > 0, "{}", path.display());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The hosts of an inventory of this many instances, by what the Systems Manager is said to say.
fn inventory(
    count: usize,
    options: Value,
    says: impl Fn(&[Value]) -> Reply + Send + Sync + 'static,
) -> Result<Vec<Value>, String> {
    let moto = Moto::start().unwrap();
    let host = moto.url().trim_start_matches("http://").to_owned();
    let run = format!(
        "Action=RunInstances&Version=2016-11-15&ImageId=ami-12c6146b&MinCount={count}&MaxCount={count}"
    );
    let headers = [
        ("content-type", "application/x-www-form-urlencoded".to_owned()),
        ("content-length", run.len().to_string()),
        (
            "authorization",
            "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/ec2/aws4_request".into(),
        ),
    ];
    let asked = Asked {
        method: "POST".into(),
        path: "/".into(),
        query: Vec::new(),
        headers: headers.into_iter().collect(),
        body: run.into(),
        number: 0,
    };
    assert_eq!(forward(&host, &asked).0, 200);
    let stub = Stub::new(move |asked| {
        assert_eq!(asked.header("x-amz-target"), "AmazonSSM.GetInventory");
        let filter = &asked.json()["Filters"][0];
        assert_eq!(filter["Key"], "AWS:InstanceInformation.InstanceId");
        says(filter["Values"].as_array().unwrap())
    });
    let reader = Reader {
        environment: Arc::new(environment(&moto, "SSM", &stub).into_iter().collect()),
        shared: Default::default(),
        warn: Arc::new(|_| ()),
        secret: Arc::new(|_| ()),
    };
    let entry = INVENTORIES.iter().find(|it| it.name == "amazon.aws.aws_ec2").unwrap();
    let plugin = entry.open(options.as_object().unwrap().clone()).map_err(|it| it.message)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fetched = runtime.block_on(plugin.fetch(&reader)).map_err(|error| error.message())?;
    let hosts = plugin.hosts(&fetched, &|_, _| Err("there are none".into())).unwrap();
    Ok(hosts.into_iter().map(|it| davit_value::Value::from(it.vars).to_json()).collect())
}

#[test]
fn what_the_systems_manager_says_is_asked_of_forty_instances_at_a_time() {
    let options = json!({"plugin": "aws_ec2", "regions": ["eu-west-1"], "use_ssm_inventory": true});
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&sizes);
    let hosts = inventory(43, options, move |ids| {
        seen.lock().unwrap().push(ids.len());
        let about =
            json!({"PlatformName": "Ubuntu", "IpAddress": "10.0.0.1", "InstanceId": ids[0]});
        let data = json!({"AWS:InstanceInformation": {"TypeName": "AWS:InstanceInformation",
            "SchemaVersion": "1.0", "Content": [about]}});
        ok(&json!({"Entities": [{"Id": ids[0], "Data": data}, {"Id": ids[1], "Data": {}}]}))
    })
    .unwrap();
    assert_eq!(*sizes.lock().unwrap(), [40, 3]);
    let told: Vec<&Value> = hosts.iter().filter(|it| !it["ssm_inventory"].is_null()).collect();
    assert_eq!((hosts.len(), told.len()), (43, 2));
    for host in told {
        let id = &host["instance_id"];
        let expect =
            json!({"platform_name": "Ubuntu", "ip_address": "10.0.0.1", "instance_id": id});
        assert_eq!(host["ssm_inventory"], expect);
    }
}

#[test]
fn the_systems_manager_may_be_forbidden() {
    let forbidden =
        |_: &[Value]| said(400, &json!({"__type": "AccessDeniedException", "message": "no"}));
    let mut options =
        json!({"plugin": "aws_ec2", "regions": ["eu-west-1"], "use_ssm_inventory": true});
    let error = inventory(1, options.clone(), forbidden).unwrap_err();
    assert!(error.contains("GetInventory"), "{error}");
    options["strict_permissions"] = json!(false);
    let hosts = inventory(1, options, forbidden).unwrap();
    assert_eq!((hosts.len(), hosts[0].get("ssm_inventory")), (1, None));
    let options = json!({"plugin": "aws_ec2", "regions": ["eu-west-1"]});
    assert_eq!(inventory(1, options, |_| unreachable!("nobody asks")).unwrap().len(), 1);
}
