//! Examples that are whole uses: metrics of CloudWatch, docker's log-in to ECR.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use davit_ground::Moto;
use serde_json::{Value, json};

use crate::cli::{Place, Ran};

fn with_moto(place: &Place, moto: &Moto, line: &str) -> Ran {
    let environment = moto.environment();
    let variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    place.run_with(line, &variables, "")
}

#[test]
fn metrics_are_held_against_a_threshold() {
    let place =
        Place::new(&[("watch.yml", include_str!("../../../../examples/aws-metrics/watch.yml"))]);
    let moto = Moto::start().expect("moto");
    let aws = |line: &str| {
        let ran = with_moto(&place, &moto, &format!("davit aws --region us-west-1 {line}"));
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
        ran.out.trim().to_owned()
    };
    let quiet = with_moto(&place, &moto, "davit run watch.yml");
    assert_eq!(quiet.code, 0, "{}{}", quiet.out, quiet.err);
    for value in [5, 3] {
        aws(&format!(
            "cloudwatch put-metric-data --namespace Shop --metric-name Errors --dimensions service=checkout --value {value}"
        ));
    }
    aws(
        "cloudwatch put-metric-data --namespace Shop --metric-name Errors --dimensions service=other --value 100",
    );
    aws(
        "cloudwatch put-metric-alarm --alarm-name too-many --namespace Shop --metric-name Errors --statistic Sum --period 60 --evaluation-periods 1 --threshold 1 --comparison-operator GreaterThanThreshold",
    );
    aws("cloudwatch set-alarm-state --alarm-name too-many --state-value ALARM --state-reason test");
    let topic = aws("sns create-topic --name errors --query TopicArn --output text");
    let queue = aws("sqs create-queue --queue-name errors --query QueueUrl --output text");
    aws(&format!(
        "sns subscribe --topic-arn {topic} --protocol sqs --notification-endpoint arn:aws:sqs:us-west-1:123456789012:errors"
    ));

    let calm = with_moto(&place, &moto, "davit run watch.yml");
    assert_eq!(calm.code, 0, "{}{}", calm.out, calm.err);
    for part in ["\"sum\": 8.0", "too-many", "\"averages\"", "changed=0 "] {
        assert!(calm.out.contains(part), "{part}: {}", calm.out);
    }
    let ran = with_moto(&place, &moto, &format!("davit run watch.yml -e most=7 -e topic={topic}"));
    assert_eq!(ran.code, 2, "{}{}", ran.out, ran.err);
    let text = "Errors of Shop: 8.0 in 60 minutes, and 7 at most";
    assert!(ran.out.contains(text), "{}", ran.out);
    let message = aws(&format!(
        "sqs receive-message --queue-url {queue} --query Messages[0].Body --output text"
    ));
    let message: Value = serde_json::from_str(&message).expect("JSON");
    assert_eq!(message["Message"], text);
}

#[test]
fn docker_is_logged_in_and_keeps_what_it_knew() {
    let place =
        Place::new(&[("login.yml", include_str!("../../../../examples/aws-ecr/login.yml"))]);
    let moto = Moto::start().expect("moto");
    let ran = with_moto(&place, &moto, "davit run login.yml -vvv --diff");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let read =
        || -> Value { serde_json::from_str(&place.read(".docker/config.json")).expect("JSON") };
    let first = read();
    let (registry, entry) =
        first["auths"].as_object().and_then(|it| it.iter().next()).expect("an entry");
    assert!(registry.ends_with(".dkr.ecr.us-west-1.amazonaws.com"), "{registry}");
    let token = entry["auth"].as_str().expect("a token");
    assert!(!ran.out.contains(token) && !ran.err.contains(token), "{}", ran.out);
    let mode = fs::metadata(place.path().join(".docker/config.json"))
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);

    let known = json!({"auths": {"other:5000": {"auth": "eDp5"}, registry: {"auth": "old"}}, "credHelpers": {"gcr.io": "gcloud"}});
    place.write(".docker/config.json", &known.to_string());
    let ran = with_moto(&place, &moto, "davit run login.yml");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let mut expect = known;
    expect["auths"][registry.as_str()]["auth"] = token.into();
    assert_eq!(read(), expect);
    let ran = with_moto(&place, &moto, "davit run login.yml");
    assert!(ran.out.contains("changed=0 "), "{}", ran.out);
}
