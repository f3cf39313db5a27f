//! The client against moto: services of all protocols with their signatures looked at, pages, waiters,
//! addresses that are presigned, and the same reads by boto3.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use davit_aws::{
    Client, Error, Value,
    client::{Call, Waiting},
    credentials::Credentials,
    http::Request,
    paginate::Paginator,
    sign::Post,
    value::Map,
};
use serde_json::{Value as Json, json};
use tokio::runtime::Runtime;

use crate::{
    moto::{Moto, REGION, fetch, map, runtime},
    python::Python,
    stub::{Reply, Stub},
};

/// A client that waits for its answers.
struct Calls<'a> {
    runtime: &'a Runtime,
    client: Client,
}

impl Calls<'_> {
    fn outcome(&self, service: &str, operation: &str, params: Json) -> Result<Map, Error> {
        let called = self.client.call(service, operation, map(params));
        self.runtime.block_on(called).map(|it| it.values)
    }

    fn call(&self, service: &str, operation: &str, params: Json) -> Json {
        match self.outcome(service, operation, params) {
            Ok(values) => Value::Map(values).to_json(),
            Err(error) => panic!("{}", error.chain()),
        }
    }

    fn code(&self, service: &str, operation: &str, params: Json) -> String {
        let error = self.outcome(service, operation, params).expect_err(operation);
        error.code().unwrap_or_else(|| panic!("{}", error.chain())).to_owned()
    }
}

fn text<'a>(json: &'a Json, path: &str) -> &'a str {
    let found = json.pointer(path).unwrap_or_else(|| panic!("no {path} in {json:#}"));
    found.as_str().unwrap_or_else(|| panic!("{found} is no text"))
}

fn furnish_network(it: &Calls<'_>) -> Vec<(&'static str, &'static str, Json)> {
    let tags = |kind: &str, name: &str| json!([{"ResourceType": kind, "Tags": [{"Key": "Name", "Value": name}, {"Key": "a b/ü+", "Value": "=&%"}]}]);
    let vpc = it.call(
        "ec2",
        "CreateVpc",
        json!({"CidrBlock": "10.9.0.0/16", "TagSpecifications": tags("vpc", "v")}),
    );
    let vpc = text(&vpc, "/Vpc/VpcId").to_owned();
    let mut subnets = Vec::new();
    for part in 0..3 {
        let params = json!({"VpcId": vpc, "CidrBlock": format!("10.9.{part}.0/24")});
        let made = it.call("ec2", "create-subnet", params);
        subnets.push(text(&made, "/Subnet/SubnetId").to_owned());
    }
    let images = it.call("ec2", "DescribeImages", json!({"Owners": ["amazon"]}));
    let image = text(&images, "/Images/0/ImageId").to_owned();
    let params = json!({"ImageId": image, "MinCount": 2, "MaxCount": 2, "SubnetId": subnets[0],
        "UserData": "#!/bin/sh\n", "TagSpecifications": tags("instance", "i")});
    let made = it.call("ec2", "run_instances", params);
    let ids = [text(&made, "/Instances/0/InstanceId"), text(&made, "/Instances/1/InstanceId")];
    let data = it.call(
        "ec2",
        "DescribeInstanceAttribute",
        json!({"InstanceId": ids[0], "Attribute": "userData"}),
    );
    assert_eq!(text(&data, "/UserData/Value"), "IyEvYmluL3NoCg==");
    assert_eq!(
        it.code("ec2", "DescribeInstances", json!({"InstanceIds": ["i-0123456789abcdef0"]})),
        "InvalidInstanceID.NotFound"
    );
    assert_eq!(
        it.code(
            "ec2",
            "RunInstances",
            json!({"ImageId": image, "MinCount": 1, "MaxCount": 1, "DryRun": true})
        ),
        "DryRunOperation"
    );
    vec![
        ("ec2", "DescribeVpcs", json!({"VpcIds": [vpc]})),
        ("ec2", "DescribeSubnets", json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]})),
        ("ec2", "DescribeInstances", json!({"InstanceIds": ids})),
        ("ec2", "DescribeInstances", json!({"InstanceIds": ["i-0123456789abcdef0"]})),
        (
            "ec2",
            "DescribeSecurityGroups",
            json!({"Filters": [{"Name": "vpc-id", "Values": [vpc]}]}),
        ),
        ("ec2", "DescribeRegions", json!({})),
    ]
}

fn furnish_iam(it: &Calls<'_>) -> Vec<(&'static str, &'static str, Json)> {
    let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
        "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]});
    let params = json!({"RoleName": "worker", "AssumeRolePolicyDocument": trust.to_string(), "Description": "ü"});
    let role = it.call("iam", "CreateRole", params);
    assert_eq!(role.pointer("/Role/AssumeRolePolicyDocument"), Some(&trust));
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]});
    it.call(
        "iam",
        "PutRolePolicy",
        json!({"RoleName": "worker", "PolicyName": "p", "PolicyDocument": policy.to_string()}),
    );
    let got = it.call("iam", "GetRolePolicy", json!({"RoleName": "worker", "PolicyName": "p"}));
    assert_eq!(got.get("PolicyDocument"), Some(&policy));
    let me = it.call("sts", "GetCallerIdentity", json!({}));
    assert!(text(&me, "/Arn").ends_with("user/admin"), "{me}");
    vec![
        ("iam", "GetRole", json!({"RoleName": "worker"})),
        ("iam", "GetRolePolicy", json!({"RoleName": "worker", "PolicyName": "p"})),
        ("iam", "GetAccountAuthorizationDetails", json!({})),
        ("iam", "GetUser", json!({"UserName": "nobody"})),
        ("sts", "GetCallerIdentity", json!({})),
    ]
}

/// An archive with nothing in it.
fn empty_zip() -> Vec<u8> {
    let mut zip = b"PK\x05\x06".to_vec();
    zip.extend([0; 18]);
    zip
}

fn furnish_data(it: &Calls<'_>) -> Vec<(&'static str, &'static str, Json)> {
    let key = json!([{"AttributeName": "id", "KeyType": "HASH"}]);
    let attributes = json!([{"AttributeName": "id", "AttributeType": "S"}]);
    it.call(
        "dynamodb",
        "CreateTable",
        json!({"TableName": "t", "KeySchema": key,
        "AttributeDefinitions": attributes, "BillingMode": "PAY_PER_REQUEST"}),
    );
    let item = json!({"id": {"S": "ü"}, "n": {"N": "1.5"}, "b": {"BOOL": true}, "l": {"L": [{"NULL": true}]}});
    it.call("dynamodb", "PutItem", json!({"TableName": "t", "Item": item}));
    let got = it.call("dynamodb", "GetItem", json!({"TableName": "t", "Key": {"id": {"S": "ü"}}}));
    assert_eq!(got.get("Item"), Some(&item));
    let refused =
        json!({"TableName": "t", "Item": item, "ConditionExpression": "attribute_not_exists(id)"});
    assert_eq!(it.code("dynamodb", "PutItem", refused), "ConditionalCheckFailedException");
    let queue = it.call(
        "sqs",
        "CreateQueue",
        json!({"QueueName": "q", "Attributes": {"DelaySeconds": "1"}}),
    );
    let queue = text(&queue, "/QueueUrl").to_owned();
    assert_eq!(
        it.code("sqs", "GetQueueUrl", json!({"QueueName": "none"})),
        "AWS.SimpleQueueService.NonExistentQueue"
    );
    let topic =
        it.call("sns", "CreateTopic", json!({"Name": "n", "Tags": [{"Key": "k", "Value": "v"}]}));
    let topic = text(&topic, "/TopicArn").to_owned();
    it.call(
        "sns",
        "Publish",
        json!({"TopicArn": topic, "Message": "a&b=ü\n", "MessageAttributes": {
        "m": {"DataType": "String", "StringValue": "v"}}}),
    );
    it.call(
        "rds",
        "CreateDBInstance",
        json!({"DBInstanceIdentifier": "db-one", "Engine": "postgres",
        "DBInstanceClass": "db.t3.micro", "AllocatedStorage": 20, "MasterUsername": "root",
        "MasterUserPassword": "longenough", "Tags": [{"Key": "k", "Value": "v"}]}),
    );
    it.call("secretsmanager", "CreateSecret", json!({"Name": "s", "SecretString": "{\"a\": 1}"}));
    it.call("ssm", "PutParameter", json!({"Name": "/a/b", "Value": "v", "Type": "SecureString"}));
    let got = it.call("ssm", "GetParameter", json!({"Name": "/a/b", "WithDecryption": true}));
    assert_eq!(text(&got, "/Parameter/Value"), "v");
    vec![
        ("dynamodb", "DescribeTable", json!({"TableName": "t"})),
        ("dynamodb", "Scan", json!({"TableName": "t"})),
        ("sqs", "GetQueueAttributes", json!({"QueueUrl": queue, "AttributeNames": ["All"]})),
        ("sqs", "GetQueueUrl", json!({"QueueName": "none"})),
        ("sns", "GetTopicAttributes", json!({"TopicArn": topic})),
        ("sns", "ListTagsForResource", json!({"ResourceArn": topic})),
        ("rds", "DescribeDBInstances", json!({})),
        ("rds", "DescribeDBInstances", json!({"DBInstanceIdentifier": "none"})),
        ("secretsmanager", "GetSecretValue", json!({"SecretId": "s"})),
        ("ssm", "GetParametersByPath", json!({"Path": "/a", "WithDecryption": true})),
        ("ssm", "GetParameter", json!({"Name": "none"})),
    ]
}

fn furnish_rest(it: &Calls<'_>) -> Vec<(&'static str, &'static str, Json)> {
    let zip = empty_zip();
    let params = json!({"FunctionName": "f", "Runtime": "python3.12", "Role": "arn:aws:iam::123456789012:role/worker", "Handler": "a.b"});
    let mut params = map(params);
    let code = Map::from_iter([("ZipFile".to_owned(), Value::Blob(zip.into()))]);
    params.insert("Code".to_owned(), Value::Map(code));
    let made = it.runtime.block_on(it.client.call("lambda", "CreateFunction", params));
    made.unwrap_or_else(|error| panic!("{}", error.chain()));
    assert_eq!(
        it.code("lambda", "GetFunction", json!({"FunctionName": "none"})),
        "ResourceNotFoundException"
    );
    let role = it.call(
        "sts",
        "AssumeRole",
        json!({"RoleArn": "arn:aws:iam::123456789012:role/worker", "RoleSessionName": "session"}),
    );
    assert!(text(&role, "/Credentials/AccessKeyId").starts_with("ASIA"), "{role}");
    let template = json!({"AWSTemplateFormatVersion": "2010-09-09",
        "Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}, "Outputs": {"Out": {"Value": "é"}}});
    it.call(
        "cloudformation",
        "CreateStack",
        json!({"StackName": "st", "TemplateBody": template.to_string()}),
    );
    let got = it.call("cloudformation", "GetTemplate", json!({"StackName": "st"}));
    assert_eq!(got.get("TemplateBody"), Some(&template));
    let zone = it.call(
        "route53",
        "CreateHostedZone",
        json!({"Name": "example.org.", "CallerReference": "1"}),
    );
    let id = text(&zone, "/HostedZone/Id").to_owned();
    assert!(id.starts_with("/hostedzone/"), "{id}");
    let set = json!({"Name": "a.example.org.", "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "1.2.3.4"}]});
    let batch = json!({"Changes": [{"Action": "UPSERT", "ResourceRecordSet": set}]});
    it.call(
        "route53",
        "ChangeResourceRecordSets",
        json!({"HostedZoneId": id, "ChangeBatch": batch}),
    );
    it.call("logs", "CreateLogGroup", json!({"logGroupName": "/g"}));
    it.call("logs", "CreateLogStream", json!({"logGroupName": "/g", "logStreamName": "s"}));
    let alarm = json!({"AlarmName": "al", "MetricName": "m", "Namespace": "N", "Period": 60, "Threshold": 1.5,
        "EvaluationPeriods": 1, "ComparisonOperator": "GreaterThanThreshold", "Statistic": "Sum"});
    it.call("cloudwatch", "PutMetricAlarm", alarm);
    it.call(
        "cloudwatch",
        "PutMetricData",
        json!({"Namespace": "N", "MetricData": [
        {"MetricName": "m", "Value": 2.0, "Timestamp": "2026-01-02T03:04:05Z"}]}),
    );
    it.call("ecr", "CreateRepository", json!({"repositoryName": "r/a"}));
    it.call("events", "PutRule", json!({"Name": "ru", "ScheduleExpression": "rate(5 minutes)"}));
    vec![
        ("lambda", "ListFunctions", json!({})),
        ("lambda", "GetFunctionConfiguration", json!({"FunctionName": "f"})),
        ("lambda", "GetFunction", json!({"FunctionName": "none"})),
        ("cloudformation", "DescribeStacks", json!({"StackName": "st"})),
        ("cloudformation", "GetTemplate", json!({"StackName": "st"})),
        ("cloudformation", "DescribeStacks", json!({"StackName": "none"})),
        ("route53", "GetHostedZone", json!({"Id": id})),
        ("route53", "ListResourceRecordSets", json!({"HostedZoneId": id})),
        ("logs", "DescribeLogGroups", json!({})),
        ("logs", "DescribeLogStreams", json!({"logGroupName": "/g"})),
        ("cloudwatch", "DescribeAlarms", json!({})),
        ("ecr", "DescribeRepositories", json!({})),
        ("events", "ListRules", json!({})),
    ]
}

fn compared(
    moto: &Moto,
    keys: &Credentials,
    it: &Calls<'_>,
    reads: &[(&str, &str, Json)],
    all: bool,
) {
    let mut boto3 = Python::start("compare.py");
    let question = json!({"url": moto.url, "region": REGION, "key": keys.access_key_id,
        "secret": keys.secret_access_key, "calls": reads, "all": all});
    let theirs = boto3.ask(&question);
    for ((service, operation, params), theirs) in
        reads.iter().zip(theirs.as_array().expect("a list"))
    {
        let params = map(params.clone());
        let ours = if all {
            it.runtime.block_on(it.client.all(service, operation, params))
        } else {
            it.runtime.block_on(it.client.call(service, operation, params)).map(|it| it.values)
        };
        let ours = match ours {
            Ok(values) => Value::Map(values).to_json(),
            Err(error) => {
                json!({"error": error.code().unwrap_or_else(|| panic!("{}", error.chain()))})
            }
        };
        // A list that no page had is an empty one here, and missing with boto3.
        let difference = difference("", &ours, theirs)
            .filter(|it| !all || !it.ends_with(": [] and with boto3 null"));
        assert_eq!(difference, None, "{service} {operation}");
    }
}

/// Where two values differ first, with what is there.
fn difference(path: &str, ours: &Json, theirs: &Json) -> Option<String> {
    match (ours, theirs) {
        (Json::Object(one), Json::Object(other)) => {
            // This one goes with the clock.
            let names = one.keys().chain(other.keys()).filter(|it| *it != "LatestRestorableTime");
            names.into_iter().find_map(|name| {
                let of = |map: &serde_json::Map<String, Json>| {
                    map.get(name).cloned().unwrap_or_default()
                };
                difference(&format!("{path}/{name}"), &of(one), &of(other))
            })
        }
        (Json::Array(one), Json::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(place, (one, other))| {
                difference(&format!("{path}/{place}"), one, other)
            })
        }
        _ if ours == theirs => None,
        _ => Some(format!("{path}: {ours} and with boto3 {theirs}")),
    }
}

#[test]
fn services_of_all_protocols_take_what_is_sent_and_give_what_boto3_reads() {
    let moto = Moto::start();
    let runtime = runtime();
    let (client, keys) = moto.strict(&runtime);
    let it = Calls { runtime: &runtime, client };
    for reads in [furnish_network(&it), furnish_iam(&it), furnish_data(&it)] {
        compared(&moto, &keys, &it, &reads, false);
    }
    // Signatures are looked at: with another secret nothing is taken.
    let wrong = Calls {
        runtime: &runtime,
        client: moto
            .client_with(&Credentials { secret_access_key: "wrong".to_owned(), ..keys.clone() }),
    };
    for (service, operation, params, code) in [
        ("ec2", "DescribeVpcs", json!({}), "AuthFailure"),
        ("sts", "GetCallerIdentity", json!({}), "SignatureDoesNotMatch"),
        ("s3", "ListBuckets", json!({}), "SignatureDoesNotMatch"),
        ("dynamodb", "ListTables", json!({}), "403"),
    ] {
        assert_eq!(wrong.code(service, operation, params), code, "{service}");
    }
    objects(&it, "strict");
    compared(&moto, &keys, &it, &object_reads("strict"), false);
    // moto makes a body of its own for what has none, also for boto3.
    moto.say(&runtime, "reset-auth", "inf");
    compared(&moto, &keys, &it, &furnish_rest(&it), false);
}

/// Names that are hard to sign and to send.
const KEYS: &[&str] = &[
    "plain",
    "a b/ü",
    "+",
    "a%2Fb",
    "%",
    "a//b",
    "/lead",
    "trail/",
    "..",
    "a/../b",
    "./c",
    "~!*'()",
    "a?b=c&d",
    "#",
    "\u{1f600}",
    "a=b",
    "\"<&>\"",
];

fn objects(it: &Calls<'_>, bucket: &str) {
    it.call(
        "s3",
        "CreateBucket",
        json!({"Bucket": bucket,
        "CreateBucketConfiguration": {"LocationConstraint": REGION}}),
    );
    for key in KEYS {
        let body = format!("body of {key}");
        let metadata = json!({"m-one": "a  b", "empty": ""});
        let params = json!({"Bucket": bucket, "Key": key, "Body": body, "Metadata": metadata,
            "Tagging": "a=b%20c"});
        let outcome = it.outcome("s3", "PutObject", params);
        outcome.unwrap_or_else(|error| panic!("{key:?}: {}", error.chain()));
        let got = it.call("s3", "GetObject", json!({"Bucket": bucket, "Key": key}));
        assert_eq!(text(&got, "/Body"), body, "{key:?}");
        assert_eq!(text(&got, "/Metadata/m-one"), "a  b", "{key:?}");
    }
    let listed = it.call("s3", "ListObjectsV2", json!({"Bucket": bucket}));
    let listed = listed.get("Contents").and_then(Json::as_array).expect("some");
    let mut listed: Vec<_> = listed.iter().map(|it| text(it, "/Key")).collect();
    let mut expected = KEYS.to_vec();
    listed.sort_unstable();
    expected.sort_unstable();
    assert_eq!(listed, expected);
    for key in ["a b/ü", "+", "a%2Fb"] {
        let source = json!({"Bucket": bucket, "Key": key});
        it.call("s3", "CopyObject", json!({"Bucket": bucket, "Key": "copy", "CopySource": source}));
        let got = it.call("s3", "GetObject", json!({"Bucket": bucket, "Key": "copy"}));
        assert_eq!(text(&got, "/Body"), format!("body of {key}"));
    }
    it.call(
        "s3",
        "PutBucketTagging",
        json!({"Bucket": bucket, "Tagging": {"TagSet": [{"Key": "k", "Value": "ü"}]}}),
    );
    it.call(
        "s3",
        "PutBucketVersioning",
        json!({"Bucket": bucket, "VersioningConfiguration": {"Status": "Enabled"}}),
    );
    it.call("s3", "PutBucketLifecycleConfiguration", json!({"Bucket": bucket, "LifecycleConfiguration":
        {"Rules": [{"ID": "r", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}]}}));
    let gone: Vec<_> = ["a?b=c&d", "copy"].iter().map(|it| json!({"Key": it})).collect();
    let gone =
        it.call("s3", "DeleteObjects", json!({"Bucket": bucket, "Delete": {"Objects": gone}}));
    assert_eq!(gone.get("Deleted").and_then(Json::as_array).map(Vec::len), Some(2), "{gone}");
    assert_eq!(
        it.code("s3", "GetObject", json!({"Bucket": bucket, "Key": "a?b=c&d"})),
        "NoSuchKey"
    );
    assert_eq!(it.code("s3", "HeadObject", json!({"Bucket": bucket, "Key": "none"})), "404");
    assert_eq!(it.code("s3", "HeadBucket", json!({"Bucket": "none-such"})), "404");
    assert_eq!(it.code("s3", "ListObjects", json!({"Bucket": "none-such"})), "NoSuchBucket");
}

fn object_reads(bucket: &str) -> Vec<(&'static str, &'static str, Json)> {
    let mut reads = vec![
        ("s3", "ListObjects", json!({"Bucket": bucket})),
        ("s3", "ListObjectsV2", json!({"Bucket": bucket, "Delimiter": "/"})),
        ("s3", "ListObjectVersions", json!({"Bucket": bucket})),
        ("s3", "GetBucketTagging", json!({"Bucket": bucket})),
        ("s3", "GetBucketLocation", json!({"Bucket": bucket})),
        ("s3", "GetBucketVersioning", json!({"Bucket": bucket})),
        ("s3", "GetBucketLifecycleConfiguration", json!({"Bucket": bucket})),
        ("s3", "GetBucketPolicy", json!({"Bucket": bucket})),
        ("s3", "ListBuckets", json!({})),
        ("s3", "HeadObject", json!({"Bucket": bucket, "Key": "none"})),
    ];
    for key in KEYS.iter().filter(|it| **it != "a?b=c&d") {
        reads.push(("s3", "GetObject", json!({"Bucket": bucket, "Key": key})));
        reads.push(("s3", "GetObjectTagging", json!({"Bucket": bucket, "Key": key})));
    }
    reads
}

#[test]
fn names_with_line_ends_keep_them() {
    let listed = "<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>a%0D%0Ab+c%2B</Key>\
        </Contents></ListBucketResult>";
    let stub = Stub::script(vec![Reply::ok(""), Reply::ok("<DeleteResult/>"), Reply::ok(listed)]);
    let runtime = runtime();
    let mut options =
        davit_aws::client::Options::new(Arc::new(crate::moto::keys("AKID", "secret")));
    options.endpoint.endpoint_url = Some(stub.url.clone());
    options.endpoint.region = Some(REGION.to_owned());
    let it = Calls { runtime: &runtime, client: Client::new(options) };
    it.call("s3", "PutObject", json!({"Bucket": "b", "Key": "a\r\nb c+"}));
    it.call(
        "s3",
        "DeleteObjects",
        json!({"Bucket": "b", "Delete": {"Objects": [{"Key": "a\r\nb c+"}]}}),
    );
    let listed = it.call("s3", "ListObjectsV2", json!({"Bucket": "b"}));
    assert_eq!(text(&listed, "/Contents/0/Key"), "a\r\nb c+");
    let asked = stub.asked();
    assert_eq!(asked[0].target, "/b/a%0D%0Ab%20c%2B");
    assert!(asked[1].text().contains("<Key>a&#xD;&#xA;b c+</Key>"), "{}", asked[1].text());
}

#[test]
fn pages_are_those_of_boto3() {
    let moto = Moto::start();
    let runtime = runtime();
    let it = Calls { runtime: &runtime, client: moto.client() };
    it.call(
        "s3",
        "CreateBucket",
        json!({"Bucket": "pages", "CreateBucketConfiguration": {"LocationConstraint": REGION}}),
    );
    for number in 0..25 {
        it.call(
            "s3",
            "PutObject",
            json!({"Bucket": "pages", "Key": format!("d{}/k{number:02}", number % 3)}),
        );
        it.call("iam", "CreateUser", json!({"UserName": format!("u{number:02}")}));
        it.call(
            "ssm",
            "PutParameter",
            json!({"Name": format!("/p/{number:02}"), "Value": "v", "Type": "String"}),
        );
    }
    for number in 0..7 {
        let image = "ami-12c6146b";
        it.call(
            "ec2",
            "RunInstances",
            json!({"ImageId": image, "MinCount": 1, "MaxCount": 1,
            "ClientToken": format!("t{number}")}),
        );
    }
    let reads = [
        ("s3", "ListObjectsV2", json!({"Bucket": "pages", "MaxKeys": 4})),
        ("s3", "ListObjectsV2", json!({"Bucket": "pages", "MaxKeys": 2, "Delimiter": "/"})),
        ("s3", "ListObjects", json!({"Bucket": "pages", "MaxKeys": 7})),
        ("s3", "ListObjectVersions", json!({"Bucket": "pages", "MaxKeys": 6})),
        ("iam", "ListUsers", json!({"MaxItems": 6})),
        ("ssm", "GetParametersByPath", json!({"Path": "/p", "MaxResults": 10})),
        ("ec2", "DescribeInstances", json!({"MaxResults": 5})),
        ("ec2", "DescribeVpcs", json!({})),
        ("s3", "ListBuckets", json!({})),
    ];
    let keys = crate::moto::keys("testing", "testing");
    compared(&moto, &keys, &it, &reads, true);

    // Pages are asked for one after the other, and no further than somebody wants.
    let mut sizes = Vec::new();
    let params = map(json!({"Bucket": "pages", "MaxKeys": 4}));
    let each = |page: &davit_aws::client::Output| {
        sizes.push(page.get("Contents").map_or(0, |it| it.items().len()));
        sizes.len() < 3
    };
    runtime.block_on(it.client.pages("s3", "ListObjectsV2", params, each)).expect("pages");
    assert_eq!(sizes, [4, 4, 4]);

    // Where the first is left in the middle, a token goes on behind it.
    let service = it.client.service("s3").expect("there");
    let operation = Client::operation(service, "ListObjectsV2").expect("there");
    let paginator = Paginator::of(service, operation).expect("readable").expect("pages");
    let mut params = map(json!({"Bucket": "pages", "MaxKeys": 4}));
    let page =
        runtime.block_on(it.client.call("s3", "ListObjectsV2", params.clone())).expect("one");
    let next = paginator.next(&Value::Map(page.values), &params).expect("readable").expect("more");
    next.put(&mut params);
    let token = paginator.resume_token(&params, 3);
    let (tokens, shown) = paginator.start(&token).expect("its own");
    let mut again = map(json!({"Bucket": "pages", "MaxKeys": 4}));
    tokens.put(&mut again);
    let page = runtime.block_on(it.client.call("s3", "ListObjectsV2", again)).expect("one");
    let mut page = Value::Map(page.values);
    paginator.cut(&mut page, shown, None);
    let contents = page.get("Contents").expect("some").items();
    assert_eq!(
        (contents.len(), contents[0].get("Key").and_then(Value::as_str)),
        (1, Some("d0/k21"))
    );
}

fn quick() -> Waiting<'static> {
    Waiting { delay: Some(Duration::from_millis(20)), ..Waiting::default() }
}

#[test]
fn waiters_wait_until_it_is_so() {
    let moto = Moto::start();
    let runtime = runtime();
    let it = Calls { runtime: &runtime, client: moto.client() };
    let transition = json!({"progression": "manual", "times": 3});
    let transition = json!({"model_name": "dms::replicationinstance", "transition": transition});
    moto.say(&runtime, "state-manager/set-transition", &transition.to_string());
    it.call(
        "dms",
        "CreateReplicationInstance",
        json!({"ReplicationInstanceIdentifier": "one",
        "ReplicationInstanceClass": "dms.t2.micro"}),
    );
    let mut asked = 0;
    let mut count = |calls: u32| asked = calls;
    let waiting = Waiting { each: Some(&mut count), ..quick() };
    let name = "replication_instance_available";
    let waited = runtime.block_on(it.client.wait("dms", name, Map::new(), waiting));
    let last = waited.expect("it is there").expect("an answer");
    let status = last.values["ReplicationInstances"].items()[0].get("ReplicationInstanceStatus");
    assert_eq!((status.and_then(Value::as_str), asked), (Some("available"), 3));

    // What never comes is told as such, and how long was waited.
    let made = it.call(
        "ec2",
        "RunInstances",
        json!({"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}),
    );
    let id = text(&made, "/Instances/0/InstanceId").to_owned();
    let params = map(json!({"InstanceIds": [id]}));
    it.call("ec2", "TerminateInstances", json!({"InstanceIds": [id]}));
    let waited =
        runtime.block_on(it.client.wait("ec2", "InstanceRunning", params.clone(), quick()));
    let said = waited.expect_err("it does not come back").chain();
    assert!(said.starts_with("InstanceRunning: what is waited for will not come"), "{said}");
    let waiting = Waiting { timeout: Some(Duration::from_millis(100)), ..quick() };
    let began = Instant::now();
    let none = map(json!({"Bucket": "none"}));
    let waited = runtime.block_on(it.client.wait("s3", "BucketExists", none.clone(), waiting));
    assert!(
        matches!(waited, Err(Error::WaitTimeout { .. }))
            && began.elapsed() < Duration::from_secs(5)
    );
    let waiting = Waiting { most: Some(2), ..quick() };
    let waited = runtime.block_on(it.client.wait("s3", "BucketExists", none.clone(), waiting));
    assert!(waited.expect_err("none").chain().contains("not there after 2 calls"));
    // An error that the waiter waits for is what it waits for.
    let waited = runtime.block_on(it.client.wait("s3", "BucketNotExists", none, quick()));
    assert!(waited.expect("none").is_none());
    let waited = runtime.block_on(it.client.wait("s3", "BucketExist", Map::new(), quick()));
    assert!(waited.expect_err("unknown").chain().contains("did you mean \"BucketExists\""));
}

#[test]
fn presigned_addresses_are_for_everyone() {
    let moto = Moto::start();
    let runtime = runtime();
    let it = Calls { runtime: &runtime, client: moto.client() };
    it.call(
        "s3",
        "CreateBucket",
        json!({"Bucket": "signed", "CreateBucketConfiguration": {"LocationConstraint": REGION}}),
    );
    let presign = |service: &str, operation: &str, params: Json| {
        let call = Call::new(service, operation, map(params));
        runtime.block_on(it.client.presign(call, Duration::from_secs(60))).expect(operation)
    };
    for key in ["plain", "a b/ü+%"] {
        let mut put = Request::of_url(
            "PUT",
            &presign("s3", "PutObject", json!({"Bucket": "signed", "Key": key})),
        )
        .expect("an address");
        put.body = format!("body of {key}").into();
        assert_eq!(fetch(&runtime, &put).0, 200);
        let url = presign(
            "s3",
            "GetObject",
            json!({"Bucket": "signed", "Key": key, "ResponseContentType": "a/b"}),
        );
        let got = fetch(&runtime, &Request::of_url("GET", &url).expect("an address"));
        assert_eq!((got.0, got.1), (200, format!("body of {key}").into_bytes()), "{url}");
        assert!(
            url.contains("X-Amz-Expires=60") && url.contains("response-content-type=a%2Fb"),
            "{url}"
        );
    }
    let url = presign("sts", "GetCallerIdentity", json!({}));
    assert_eq!(fetch(&runtime, &Request::of_url("GET", &url).expect("an address")).0, 200, "{url}");
    let call = Call::new("s3", "GetObject", map(json!({"Bucket": "signed", "Key": "k"})));
    let long = runtime.block_on(it.client.presign(call, Duration::from_secs(8 * 24 * 3_600)));
    assert_eq!(
        long.expect_err("too long").chain(),
        "GetObject can be presigned for a week at most"
    );

    let fields = [("Content-Type".to_owned(), "text/plain".to_owned())];
    let conditions =
        [json!({"Content-Type": "text/plain"}), json!(["content-length-range", 1, 100])];
    let post = Post {
        bucket: "signed",
        key: "posted",
        fields: &fields,
        conditions: &conditions,
        expires: 60,
    };
    let form = runtime.block_on(it.client.presign_post(&post)).expect("a form");
    assert_eq!(form.url, format!("{}/signed", moto.url));
    let mut body = String::new();
    for (name, value) in &form.fields {
        body.push_str(&format!(
            "--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        ));
    }
    body.push_str("--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"f\"\r\n\r\nposted\r\n--x--\r\n");
    let mut request = Request::of_url("POST", &form.url).expect("an address");
    request.headers.set("Content-Type", "multipart/form-data; boundary=x");
    request.body = body.into();
    let (status, said) = fetch(&runtime, &request);
    assert!(status < 300, "{status} {}", String::from_utf8_lossy(&said));
    let got = it.call("s3", "GetObject", json!({"Bucket": "signed", "Key": "posted"}));
    assert_eq!(text(&got, "/Body"), "posted");
}

#[test]
fn copies_from_another_region_carry_a_signed_request() {
    for (service, operation, params, name) in [
        (
            "ec2",
            "CopySnapshot",
            json!({"SourceRegion": "us-west-2", "SourceSnapshotId": "snap-1"}),
            "PresignedUrl",
        ),
        (
            "rds",
            "CopyDBSnapshot",
            json!({"SourceRegion": "us-west-2", "SourceDBSnapshotIdentifier": "a",
            "TargetDBSnapshotIdentifier": "b"}),
            "PreSignedUrl",
        ),
    ] {
        let stub = Stub::new(|_| {
            Reply::ok("<R><CopyDBSnapshotResult/><snapshotId>snap-2</snapshotId></R>")
        });
        let mut options =
            davit_aws::client::Options::new(Arc::new(crate::moto::keys("AKID", "secret")));
        options.endpoint.endpoint_url = Some(stub.url.clone());
        options.endpoint.region = Some(REGION.to_owned());
        let client = Client::new(options);
        let called = runtime().block_on(client.call(service, operation, map(params)));
        called.unwrap_or_else(|error| panic!("{}", error.chain()));
        let body = format!("http://localhost/?{}", stub.asked()[0].text());
        let sent = Request::of_url("POST", &body).expect("a form");
        let of = |from: &Request, name: &str| {
            let found = from.query.iter().find(|it| it.0 == name);
            found.map(|it| it.1.clone()).unwrap_or_default()
        };
        let signed = Request::of_url("GET", &of(&sent, name)).expect("an address");
        assert_eq!(signed.host, format!("{service}.us-west-2.amazonaws.com"));
        assert_eq!(of(&signed, "DestinationRegion"), REGION);
        assert!(of(&signed, "X-Amz-Credential").contains("/us-west-2/"), "{signed:?}");
        assert_eq!(of(&signed, "X-Amz-Signature").len(), 64);
        assert_eq!(of(&sent, "SourceRegion").is_empty(), service == "rds");
    }
}

#[test]
fn mistakes_are_told_before_anything_is_sent() {
    let stub = Stub::new(|_| Reply::ok(""));
    let runtime = runtime();
    let mut options =
        davit_aws::client::Options::new(Arc::new(crate::moto::keys("AKID", "secret")));
    options.endpoint.endpoint_url = Some(stub.url.clone());
    options.endpoint.region = Some(REGION.to_owned());
    let it = Calls { runtime: &runtime, client: Client::new(options) };
    for (service, operation, params, said) in [
        ("ec3", "DescribeVpcs", json!({}), "there is no service \"ec3\" (did you mean \"ec2\"?)"),
        (
            "ec2",
            "DescribeVpc",
            json!({}),
            "ec2 has no operation \"DescribeVpc\" (did you mean \"DescribeVpcs\"?)",
        ),
        ("s3", "GetObject", json!({"Bucket": "b"}), "Key"),
        (
            "s3",
            "GetObject",
            json!({"Bucket": "b", "Key": "k", "Rang": "x"}),
            "Rang is not known; Range is",
        ),
        ("ec2", "RunInstances", json!({"MinCount": "one", "MaxCount": 1}), "MinCount"),
        ("s3", "GetObject", json!({"Bucket": "s3://b", "Key": "k"}), "no 's3://'"),
    ] {
        let error = it.outcome(service, operation, params).expect_err(operation).chain();
        assert!(error.contains(said), "{error}");
    }
    assert!(stub.asked().is_empty());
}
