//! `davit aws configure`, `ecr get-login-password`, `eks get-token` and completion, held against the AWS CLI where it
//! has the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use davit_ground::Moto;
use serde_json::Value;

use crate::cli::{Place, Ran};

/// The same line by the AWS CLI.
fn original(place: &Place, line: &str, variables: &[(&str, &str)]) -> Ran {
    let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
    let program = home.join(".cache/davit/aws/bin/aws");
    let output = Command::new(&program)
        .args(line.split(' '))
        .current_dir(place.path())
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", place.path())
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| {
            panic!("{}: {error} (cargo xtask setup makes it)", program.display())
        });
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: text(output.stdout),
        err: text(output.stderr),
    }
}

const CONFIG: &str = "\
# Mine.
[default]
region = eu-west-1
s3 =
    addressing_style = path
output = json

[profile 'two words']
region = us-east-1

[profile dev]
; later
region = us-west-2
";

const CREDENTIALS: &str = "[default]\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = secret/ABCD\n\n[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = dev/WXYZ\n";

fn place() -> Place {
    Place::new(&[(".aws/config", CONFIG), (".aws/credentials", CREDENTIALS)])
}

#[test]
fn settings_are_written_as_the_aws_cli_writes_them() {
    let (ours, theirs) = (place(), place());
    for line in [
        "configure set region eu-central-1",
        "configure set region us-east-2 --profile dev",
        "configure set profile.dev.output text",
        "configure set profile.new.region sa-east-1",
        "configure set default.s3.addressing_style virtual",
        "configure set profile.dev.s3.max_concurrent_requests 20",
        "configure set aws_session_token tok",
        "configure set aws_access_key_id AKIANEW --profile other",
        "configure set preview.cloudfront true",
    ] {
        let ran = ours.run(&format!("davit aws {line}"));
        ran.check(0, "", "");
        assert_eq!(original(&theirs, line, &[]).code, 0, "{line}");
        for file in [".aws/config", ".aws/credentials"] {
            assert_eq!(ours.read(file), theirs.read(file), "{line}: {file}");
        }
    }
    let mode = |file: &str| {
        fs::metadata(ours.path().join(file)).expect("it is there").permissions().mode() & 0o777
    };
    assert_eq!((mode(".aws/config"), mode(".aws/credentials")), (0o600, 0o600));
    assert_eq!(
        fs::read_dir(ours.path().join(".aws")).expect("it is there").count(),
        2,
        "nothing is left over"
    );

    let empty = Place::new(&[]);
    empty.run("davit aws configure set region x").check(0, "", "");
    assert_eq!(empty.read(".aws/config"), "[default]\nregion = x\n");
    let ran = empty.run_with("davit aws configure set aws_secret_access_key", &[], "");
    assert_eq!(ran.code, 252);
}

#[test]
fn settings_are_read_as_the_aws_cli_reads_them() {
    let place = place();
    for line in [
        "configure get region",
        "configure get aws_access_key_id --profile dev",
        "configure get profile.dev.region",
        "configure get dev.region",
        "configure get default.s3.addressing_style",
        "configure get s3.addressing_style",
        "configure get nothing",
        "configure get default.nothing",
        "configure list",
        "configure list --profile dev",
    ] {
        for variables in
            [&[][..], &[("AWS_DEFAULT_REGION", "ap-south-1")], &[("AWS_PROFILE", "dev")]]
        {
            let ours = place.run_with(&format!("davit aws {line}"), variables, "");
            let theirs = original(&place, line, variables);
            assert_eq!(
                (ours.code, &ours.out),
                (theirs.code, &theirs.out),
                "{line} {variables:?}: {}",
                ours.err
            );
        }
    }
    let nobody = [("AWS_EC2_METADATA_DISABLED", "true")];
    let empty = Place::new(&[]);
    let ours = empty.run_with("davit aws configure list", &nobody, "");
    assert_eq!(ours.out, original(&empty, "configure list", &nobody).out, "{}", ours.err);
    let ran = place.run("davit aws configure get s3");
    assert_eq!((ran.code, ran.out.as_str()), (1, ""));
    place.run("davit aws configure list-profiles").check(0, "default\ntwo words\ndev\n", "");
}

#[test]
fn answers_are_written_and_old_keys_are_not_shown() {
    let place = place();
    let ran = place.run_with("davit aws configure", &[], "\nnew/secret\n\ntext\n");
    ran.check(
        0,
        "AWS Access Key ID [****************MPLE]: AWS Secret Access Key [****************ABCD]: \
         Default region name [eu-west-1]: Default output format [json]: ",
        "",
    );
    assert_eq!(place.read(".aws/config"), CONFIG.replace("output = json", "output = text"));
    assert_eq!(place.read(".aws/credentials"), CREDENTIALS.replace("secret/ABCD", "new/secret"));
    let ran = place.run_with(
        "davit aws configure --profile fresh",
        &[],
        "AKIAFRESH\nfresh\nus-east-1\n\n",
    );
    assert!(ran.out.starts_with("AWS Access Key ID [None]: "), "{}", ran.out);
    assert!(
        place
            .read(".aws/credentials")
            .ends_with("[fresh]\naws_access_key_id = AKIAFRESH\naws_secret_access_key = fresh\n")
    );
    assert!(place.read(".aws/config").ends_with("[profile fresh]\nregion = us-east-1\n"));
    let before = place.read(".aws/credentials");
    let ran = place.run_with("davit aws configure", &[], "AKIA\n");
    assert_eq!(ran.code, 255);
    assert_eq!(place.read(".aws/credentials"), before, "half an answer changes nothing");
}

#[test]
fn keys_of_the_console_are_taken() {
    let place = place();
    place.write("keys.csv", "\u{feff}User Name,Access key ID,Secret access key\nanna,AKIAANNA,a/1\n,AKIA2,b\ndev,AKIADEV2,d/2\n");
    let line = "davit aws configure import --csv file://keys.csv";
    let ran = place.run(line);
    assert_eq!(ran.code, 252);
    assert!(ran.err.contains("keys.csv:3: there is no user"), "{}", ran.err);
    let ran = place.run(&format!("{line} --skip-invalid"));
    ran.check(
        0,
        "Successfully imported 2 profile(s)\n",
        "[WARNING]: keys.csv:3: there is no user; it is left out\n",
    );
    let text = place.read(".aws/credentials");
    assert!(text.ends_with("[dev]\naws_access_key_id = AKIADEV2\naws_secret_access_key = d/2\n[anna]\naws_access_key_id = AKIAANNA\naws_secret_access_key = a/1\n"), "{text}");
    let ran = place.run("davit aws configure import --csv keys.csv");
    assert_eq!(ran.code, 252);
}

#[test]
fn docker_gets_its_password() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    let environment = moto.environment();
    let mut variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    variables.push(("AWS_DEFAULT_REGION", "eu-west-1"));
    let line = "ecr get-login-password";
    let ours = place.run_with(&format!("davit aws {line}"), &variables, "");
    let theirs = original(&place, line, &variables);
    assert_eq!((ours.code, &ours.out), (0, &theirs.out), "{}{}", ours.err, theirs.err);
    let ran = place.run_with(
        "davit aws ecr get-login-password --region us-west-1 --nothing",
        &variables,
        "",
    );
    assert_eq!(ran.code, 252);
}

/// What a token says: its address, and its parameters in order of their names, without those that every second changes.
fn opened(out: &str) -> (Value, String, Vec<String>) {
    let mut object: Value = serde_json::from_str(out).expect("JSON");
    let status = object["status"].as_object_mut().expect("a status");
    let expires =
        status.insert("expirationTimestamp".to_owned(), Value::Null).expect("it is there");
    assert_eq!(expires.as_str().map(str::len), Some("2026-01-01T00:00:00Z".len()));
    let token = status.insert("token".to_owned(), Value::Null).expect("it is there");
    let token = token.as_str().and_then(|it| it.strip_prefix("k8s-aws-v1.")).expect("a token");
    let url = String::from_utf8(URL_SAFE_NO_PAD.decode(token).expect("base64")).expect("text");
    let (address, query) = url.split_once('?').expect("parameters");
    let mut query: Vec<String> = query.split('&').map(str::to_owned).collect();
    query.retain(|it| !it.starts_with("X-Amz-Date=") && !it.starts_with("X-Amz-Signature="));
    query.sort();
    (object, address.to_owned(), query)
}

#[test]
fn kubectl_gets_its_token() {
    let place = Place::new(&[]);
    let mut variables = vec![
        ("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "eu-west-1"),
    ];
    let line = "eks get-token --cluster-name demo";
    let ours = place.run_with(&format!("davit aws {line}"), &variables, "");
    let theirs = original(&place, line, &variables);
    assert_eq!(ours.code, 0, "{}", ours.err);
    assert_eq!(opened(&ours.out), opened(&theirs.out));
    // Every byte but those of the token and the time.
    let shape = |text: &str| {
        let line = |it: &str| it.split(": \"").next().unwrap_or_default().to_owned();
        text.split('\n').map(line).collect::<Vec<_>>()
    };
    assert_eq!(shape(&ours.out), shape(&theirs.out));
    let info = r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential"}"#;
    variables.push(("KUBERNETES_EXEC_INFO", info));
    let ran = place.run_with(
        &format!("davit aws {line} --query apiVersion --output text"),
        &variables,
        "",
    );
    ran.check(0, "client.authentication.k8s.io/v1\n\n", "");
    for (line, part) in [
        ("eks get-token", "--cluster-name"),
        ("eks get-token --cluster-name a --output nice", "nice"),
    ] {
        let ran = place.run_with(&format!("davit aws {line}"), &variables, "");
        assert_eq!((ran.code, ran.err.contains(part)), (252, true), "{line}: {}", ran.err);
    }
}

#[test]
fn a_token_can_be_of_a_role() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    let environment = moto.environment();
    let variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let role = "arn:aws:iam::123456789012:role/kube";
    let ran = place.run_with(
        &format!("davit aws eks get-token --cluster-name demo --role-arn {role}"),
        &variables,
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (_, address, query) = opened(&ran.out);
    assert!(address.starts_with(&moto.url()), "{address}");
    assert!(query.iter().any(|it| it.starts_with("X-Amz-Security-Token=")), "{query:?}");
}

#[test]
fn bash_completes_words_of_aws() {
    let place = Place::new(&[]);
    let script = place.run("davit completions bash");
    place.write("davit.bash", &script.out);
    // As bash does it: words are parted at blanks, and at `=` and `:` besides.
    let ask = "
source davit.bash
eval \"$(complete -p davit | sed 's/.*-F \\([^ ]*\\).*/handler=\\1/')\"
COMP_LINE=$1
COMP_POINT=${#COMP_LINE}
read -ra COMP_WORDS <<< \"$(sed 's/[=:]/ & /g' <<< \"$COMP_LINE\")\"
[[ $COMP_LINE == *' ' ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
$handler davit \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD-1]}\"
printf '%s\\n' \"${COMPREPLY[@]}\"
";
    place.write("ask.bash", ask);
    for (line, expect) in [
        ("davit aws secretsm", &["secretsmanager"][..]),
        ("davit aws conf", &["configservice", "configure"]),
        ("davit aws s3 p", &["presign"]),
        ("davit aws ec2 run-ins", &["run-instances"]),
        ("davit aws ec2 run-instances --associate", &["--associate-public-ip-address"]),
        ("davit aws ec2 run-instances --placement Ten", &["Tenancy="]),
        (
            "davit aws ec2 run-instances --placement GroupName=a,Tenancy=de",
            &["default", "dedicated"],
        ),
        ("davit aws --output t", &["text", "table"]),
        ("davit comp", &["completions"]),
    ] {
        let output = Command::new("bash")
            .args(["--norc", "ask.bash", line])
            .current_dir(place.path())
            .env_clear()
            .env("PATH", format!("{}/bin:/usr/bin:/bin", place.path().display()))
            .env("HOME", place.path())
            .output()
            .expect("bash");
        let text = String::from_utf8_lossy(&output.stdout);
        let mut found: Vec<&str> = text.lines().collect();
        if line.ends_with("conf") {
            found.sort_unstable();
            found.retain(|it| expect.contains(it));
        }
        assert_eq!(found, expect, "{line}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
