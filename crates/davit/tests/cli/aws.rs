//! `davit aws` against moto, as a person at a terminal or a script would use it.

use std::fs;

use davit_ground::Moto;

use crate::cli::{Place, Ran};

/// Runs a command line that calls moto.
pub(super) fn aws(place: &Place, moto: &Moto, line: &str) -> Ran {
    let environment = moto.environment();
    let variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    place.run_with(&format!("davit aws {line}"), &variables, "")
}

#[test]
fn operations_are_called_and_their_answers_shown() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    let ran = aws(&place, &moto, "sts get-caller-identity --query Account --output text");
    assert_eq!((ran.code, ran.out.as_str()), (0, "123456789012\n"), "{}", ran.err);

    place.write("q.json", r#"{"QueueName": "jobs"}"#);
    let ran = aws(&place, &moto, "sqs create-queue --cli-input-json file://q.json");
    assert!(ran.out.contains("/jobs"), "{}{}", ran.out, ran.err);
    for name in ["a", "b", "c"] {
        aws(
            &place,
            &moto,
            &format!("ssm put-parameter --name {name} --value {name} --type String"),
        );
    }
    let ran = aws(
        &place,
        &moto,
        "ssm describe-parameters --max-items 2 --query {n:Parameters[].Name,t:NextToken} --output json",
    );
    let page: serde_json::Value = serde_json::from_str(&ran.out).expect("JSON");
    assert_eq!(page["n"], serde_json::json!(["a", "b"]));
    let token = page["t"].as_str().expect("more would come");
    let ran = aws(
        &place,
        &moto,
        &format!(
            "ssm describe-parameters --starting-token {token} --query Parameters[].Name --output text"
        ),
    );
    assert_eq!(ran.out, "c\n", "{}", ran.err);
    let ran = aws(&place, &moto, "ec2 wait vpc-available");
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn mistakes_are_told_by_message_hint_and_exit_code() {
    let (place, moto) = (Place::new(&[]), Moto::start().expect("moto"));
    for (line, code, parts) in [
        ("ec3 describe-vpcs", 252, &["ec3", "did you mean", "ec2"][..]),
        ("ec2 describe-vps", 252, &["did you mean describe-vpcs", "hint: davit aws help ec2"]),
        ("ec2 describe-vpcs --vpc vpc-1 --fitlers x", 252, &["--fitlers", "--filters"]),
        ("sqs create-queue", 252, &["--queue-name", "missing"]),
        ("ec2 describe-vpcs --filters {", 252, &["--filters"]),
        ("ec2 describe-vpcs --vpc-ids vpc-00000000", 254, &["InvalidVpcID.NotFound"]),
        ("ec2 describe-vpcs --profile nobody", 253, &["nobody"]),
        ("s3 cp nothing s3://bucket/", 255, &["nothing", "No such file"]),
        ("s3 cp a b", 252, &["neither is in S3"]),
        ("sts get-caller-identity --endpoint-url http://127.0.0.1:9", 255, &["127.0.0.1:9"]),
        ("ec2 describe-vpcs --query Vpcs[", 252, &["JMESPath"]),
    ] {
        let ran = aws(&place, &moto, line);
        assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{line}: {}", ran.err);
        for part in parts {
            assert!(ran.err.contains(part), "{line}: {:?} is not in {}", part, ran.err);
        }
    }
    let nothing = [("AWS_REGION", "eu-west-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let ran = place.run_with("davit aws s3 ls", &nothing, "");
    assert_eq!(ran.code, 253);
    assert!(ran.err.contains("no credentials: looked in the environment"), "{}", ran.err);
}

#[test]
fn modules_that_call_an_api_go_on_by_themselves() {
    let play = r#"
- hosts: far
  gather_facts: false
  tasks:
    - name: waited for
      amazon.aws.s3_bucket: {name: waited-for}
      async: 60
      poll: 1
      register: waited
    - name: not waited for
      amazon.aws.s3_bucket: {name: left-alone}
      async: 60
      poll: 0
      register: started
    - name: looked after
      ansible.builtin.async_status: {jid: "{{ started.ansible_job_id }}"}
      register: job
      until: job is finished
      retries: 60
      delay: 0.5
    - name: not there
      amazon.aws.s3_bucket: {name: "-"}
      async: 60
      poll: 1
      register: wrong
      ignore_errors: true
    - ansible.builtin.debug:
        msg: "{{ waited is changed }} {{ waited.name }} {{ started.finished }} {{ job.name }} {{ wrong is failed }}"
"#;
    // The host is not this machine, where such modules run all the same, and so do their jobs.
    let hosts = "far ansible_host=192.0.2.1\n";
    let place = Place::new(&[("play.yml", play), ("hosts.ini", hosts)]);
    let moto = Moto::start().expect("moto");
    let environment = moto.environment();
    let mut variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let jobs = place.path().join("jobs").display().to_string();
    variables.push(("ANSIBLE_ASYNC_DIR", &jobs));
    let ran = place.run_with("davit run play.yml -i hosts.ini", &variables, "");
    assert!(ran.out.contains("True waited-for False left-alone True"), "{}{}", ran.out, ran.err);
    let ran = aws(&place, &moto, "s3api list-buckets --query sort(Buckets[].Name) --output text");
    assert_eq!(ran.out, "left-alone\twaited-for\n", "{}", ran.err);
}

#[test]
fn folders_go_to_s3_and_back() {
    let place =
        Place::new(&[("site/a.html", "<a>"), ("site/b/c d.txt", "text"), ("site/x.tmp", "")]);
    fs::write(place.path().join("site/large.bin"), vec![7; 9 << 20]).expect("a file");
    let moto = Moto::start().expect("moto");
    let s3 = |line: &str| aws(&place, &moto, &format!("s3 {line}"));
    assert_eq!(s3("mb s3://folders-go").out, "make_bucket: folders-go\n");

    let ran = s3("sync site s3://folders-go/p --exclude *.tmp --dryrun");
    assert!(
        ran.out.contains("(dryrun) upload: site/a.html to s3://folders-go/p/a.html"),
        "{}",
        ran.out
    );
    assert_eq!(s3("ls s3://folders-go --recursive").out, "");
    let ran = s3("sync site s3://folders-go/p --exclude *.tmp");
    assert_eq!((ran.code, ran.out.lines().count()), (0, 3), "{}{}", ran.out, ran.err);
    assert_eq!(s3("sync site s3://folders-go/p --exclude *.tmp").out, "", "nothing differs");
    let ran = aws(
        &place,
        &moto,
        "s3api head-object --bucket folders-go --key p/a.html --query ContentType --output text",
    );
    assert_eq!(ran.out, "text/html\n");

    let ran = s3("sync s3://folders-go/p back");
    assert_eq!(ran.code, 0, "{}", ran.err);
    for name in ["a.html", "b/c d.txt", "large.bin"] {
        let read = |folder: &str| fs::read(place.path().join(folder).join(name)).expect("a file");
        assert_eq!(read("site"), read("back"), "{name}");
    }
    assert_eq!(s3("sync s3://folders-go/p back").out, "", "nothing differs");

    fs::remove_file(place.path().join("site/a.html")).expect("it is there");
    let ran = s3("sync site s3://folders-go/p --delete --exclude *.tmp");
    assert_eq!(ran.out, "delete: s3://folders-go/p/a.html\n", "{}", ran.err);
    assert_eq!(s3("mv s3://folders-go/p/large.bin moved.bin").code, 0);
    assert_eq!(fs::metadata(place.path().join("moved.bin")).expect("it came").len(), 9 << 20);
    let ran = s3("ls s3://folders-go/p/");
    assert!(ran.out.ends_with("PRE b/\n"), "{}", ran.out);
    assert_eq!(s3("rb s3://folders-go").code, 1, "it is not empty");
    assert_eq!(s3("rb s3://folders-go --force").code, 0);
}

#[test]
fn what_is_in_an_archive_is_left_out() {
    let place = Place::new(&[("one", "1")]);
    let moto = Moto::start().expect("moto");
    let s3 = |line: &str| aws(&place, &moto, &format!("s3 {line}"));
    let made = s3("mb s3://archived --tags team web --tags stage test");
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(s3("cp one s3://archived/p/cold --storage-class DEEP_ARCHIVE").code, 0);
    assert_eq!(s3("cp one s3://archived/p/warm --storage-class STANDARD_IA").code, 0);
    let warm = "download: s3://archived/p/warm to to/warm\n";
    for (line, code, out, told) in [
        ("sync s3://archived/p to --dryrun", 2, format!("(dryrun) {warm}"), 1),
        ("sync s3://archived/p to", 2, warm.to_owned(), 1),
        ("cp s3://archived/p to --recursive --ignore-glacier-warnings", 0, warm.to_owned(), 0),
        ("mv s3://archived/p/cold cold", 2, String::new(), 1),
        ("cp s3://archived/p/cold s3://archived/q", 2, String::new(), 1),
        ("cp s3://archived/p/cold s3://archived/q --ignore-glacier-warnings", 0, String::new(), 0),
        (
            "cp one s3://archived/p/cold --storage-class GLACIER",
            0,
            "upload: ./one to s3://archived/p/cold\n".to_owned(),
            0,
        ),
    ] {
        let ran = s3(line);
        assert_eq!((ran.code, ran.out.as_str()), (code, out.as_str()), "{line}: {}", ran.err);
        let left_out = "s3://archived/p/cold is left out: it is in an archive";
        assert_eq!(ran.err.matches(left_out).count(), told, "{line}: {}", ran.err);
    }
    // Whether it can be read after all is the service's to say.
    let ran = s3("cp s3://archived/p/cold cold --force-glacier-transfer");
    assert!(!ran.err.contains("is left out"), "{}", ran.err);
    assert_eq!(s3("ls s3://archived/p/").out.lines().count(), 2);
}

#[test]
fn long_names_go_over_and_come_back() {
    let name = "n".repeat(255);
    let key = format!("{}/{name}", ["k".repeat(248), "l".repeat(247), "m".repeat(247)].join("/"));
    let place = Place::new(&[("one", "1")]);
    let moto = Moto::start().expect("moto");
    let s3 = |line: &str| aws(&place, &moto, &format!("s3 {line}"));
    assert_eq!(s3("mb s3://long-names").code, 0);
    for line in [
        format!("cp one s3://long-names/{key} --expected-size 1"),
        "sync s3://long-names back".to_owned(),
        format!("cp s3://long-names/{key} back/"),
    ] {
        let ran = s3(&line);
        assert_eq!(ran.code, 0, "{line}: {}", ran.err);
    }
    for path in [format!("back/{key}"), format!("back/{name}")] {
        assert_eq!(fs::read(place.path().join(&path)).expect("a file"), b"1");
    }
}

#[test]
fn what_is_left_out_or_refused_has_its_exit_code() {
    let place = Place::new(&[("site/a.txt", "a"), ("site/b/c.txt", "c"), ("one", "1")]);
    let path = |name: &str| place.path().join(name);
    std::os::unix::fs::symlink("nowhere", path("site/gone")).expect("a link");
    nix::unistd::mkfifo(&path("site/pipe"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let moto = Moto::start().expect("moto");
    // Options of all commands may stand in front of `s3`.
    let s3 =
        |line: &str| aws(&place, &moto, &format!("--region eu-west-1 --no-cli-pager s3 {line}"));
    assert_eq!(s3("mb s3://exit-codes").code, 0);
    let whole = path("site/b/*").display().to_string();
    let ran =
        s3(&format!("cp site s3://exit-codes --recursive --follow-symlinks --exclude {whole}"));
    assert_eq!(ran.out, "upload: site/a.txt to s3://exit-codes/a.txt\n");
    assert_eq!((ran.code, ran.err.matches("is left out").count()), (2, 2), "{}", ran.err);
    for (line, code, out) in [
        ("cp site/pipe s3://exit-codes/", 2, ""),
        ("sync one s3://exit-codes/", 2, ""),
        ("cp one s3://exit-codes/ --output text", 0, "upload: ./one to s3://exit-codes/one\n"),
        ("cp site/gone s3://exit-codes/ --no-follow-symlinks", 0, ""),
        ("cp site s3://exit-codes/", 1, ""),
        ("cp s3://exit-codes/none .", 1, ""),
        ("cp s3://exit-codes/none -", 1, ""),
        ("sync site s3://no-such-bucket-is-here", 1, ""),
        ("rm s3://no-such-bucket-is-here --recursive", 1, ""),
        ("ls s3://no-such-bucket-is-here", 254, ""),
        ("mb s3://no", 1, ""),
    ] {
        let ran = s3(line);
        assert_eq!((ran.code, ran.out.as_str()), (code, out), "{line}: {}", ran.err);
    }
    assert_eq!(s3("sync s3://exit-codes back").code, 0);
    // What is as long is fetched again where it was changed here, and not where it is older.
    fs::write(path("back/one"), "2").expect("a file");
    let later = std::time::SystemTime::now() + std::time::Duration::from_secs(60);
    let file = fs::File::options().write(true).open(path("back/one")).expect("a file");
    file.set_modified(later).expect("a time");
    let old = fs::File::options().write(true).open(path("back/a.txt")).expect("a file");
    old.set_modified(std::time::UNIX_EPOCH).expect("a time");
    let ran = s3("sync s3://exit-codes back");
    assert_eq!(ran.out, "download: s3://exit-codes/one to back/one\n", "{}", ran.err);
    let ran = s3("sync s3://exit-codes back --exact-timestamps");
    assert_eq!(ran.out, "download: s3://exit-codes/a.txt to back/a.txt\n", "{}", ran.err);
}

/// What the services of IAM Identity Center were asked for.
type Asked = std::sync::Arc<std::sync::Mutex<Vec<String>>>;

/// The services of IAM Identity Center: the code is confirmed when it was asked for the second time.
fn identity_center() -> (u16, Asked) {
    let asked = Asked::default();
    let seen = std::sync::Arc::clone(&asked);
    let port = crate::cli::cloud::stub(move |head| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let account = path.split("account_id=").nth(1).unwrap_or_default().to_owned();
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let mut seen = seen.lock().expect("sound");
        seen.push(path.clone());
        let body = match path.as_str() {
            "/client/register" => {
                r#"{"clientId": "id", "clientSecret": "client-secret", "clientSecretExpiresAt": 4102444800}"#
            }
            "/device_authorization" => {
                r#"{"deviceCode": "device", "userCode": "ABCD-EFGH", "verificationUri": "https://device.example",
                    "verificationUriComplete": "https://device.example?code=ABCD-EFGH", "expiresIn": 60, "interval": 1}"#
            }
            "/token" if seen.iter().filter(|it| *it == "/token").count() < 2 => {
                return (
                    "400 Bad Request",
                    r#"{"__type": "AuthorizationPendingException"}"#.to_owned(),
                );
            }
            "/token" => {
                r#"{"accessToken": "the-token", "refreshToken": "refresh", "expiresIn": 28800, "tokenType": "Bearer"}"#
            }
            "/federation/credentials" => {
                r#"{"roleCredentials": {"accessKeyId": "AKIAIOSFODNN7EXAMPLE",
                    "secretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "sessionToken": "s",
                    "expiration": 4102444800000}}"#
            }
            "/assignment/accounts" => {
                r#"{"accountList": [{"accountId": "111111111111", "accountName": "shop", "emailAddress": "shop@example"},
                    {"accountId": "222222222222"}]}"#
            }
            "/assignment/roles" if account.starts_with('1') => {
                r#"{"roleList": [{"roleName": "dev"}, {"roleName": "ops"}]}"#
            }
            "/assignment/roles" => r#"{"roleList": [{"roleName": "only"}]}"#,
            _ => "{}",
        };
        ("200 OK", body.to_owned())
    });
    (port, asked)
}

#[test]
fn people_sign_in_by_a_code_and_out_again() {
    let (port, asked) = identity_center();
    let config = format!(
        "[profile dev]\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\nregion = eu-west-1\n\
         endpoint_url = http://127.0.0.1:{port}\n\
         [sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n"
    );
    let place = Place::new(&[("config", &config)]);
    let file = place.path().join("config").display().to_string();
    let variables = [("AWS_CONFIG_FILE", file.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    let run = |line: &str| place.run_with(&format!("davit aws {line}"), &variables, "");

    let ran = run("sso login --sso-session crop");
    assert!(ran.code == 253 && ran.err.contains("did you mean corp?"), "{}", ran.err);
    let ran = run("sts get-caller-identity --profile dev");
    assert!(ran.err.contains("aws sso login --sso-session corp"), "{}", ran.err);
    let ran = run("sso login --profile dev");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("ABCD-EFGH") && ran.err.contains("https://device.example?code="));
    assert!(ran.out.starts_with("Signed in at https://corp.example/start until "), "{}", ran.out);
    assert!(!ran.err.contains("the-token") && !ran.err.contains("client-secret"));
    let ran = run("eks get-token --profile dev --cluster-name shop --query kind --output text");
    assert_eq!((ran.code, ran.out.trim()), (0, "ExecCredential"), "{}", ran.err);
    let ran = run("sso logout");
    assert_eq!((ran.code, ran.out.as_str()), (0, "Ended 1 session\n"), "{}", ran.err);
    let ran = run("eks get-token --profile dev --cluster-name shop");
    assert!(ran.code != 0 && ran.err.contains("was never begun"), "{}", ran.err);
    let told = asked.lock().expect("sound").clone();
    assert!(told.contains(&"/federation/credentials".to_owned()), "{told:?}");
}

#[test]
fn profiles_of_identity_center_are_made_by_questions() {
    let (port, asked) = identity_center();
    let url = format!("http://127.0.0.1:{port}");
    let place = Place::new(&[(".aws/config", "# mine\n[default]\nregion = eu-west-1\n")]);
    let variables = [("AWS_ENDPOINT_URL", url.as_str()), ("AWS_EC2_METADATA_DISABLED", "true")];
    let run = |line: &str, answers: &str| {
        place.run_with(&format!("davit aws configure {line}"), &variables, answers)
    };
    let before = place.read(".aws/config");

    let ran = run("sso", "");
    assert_eq!(ran.code, 255);
    assert!(ran.err.contains("call it in a terminal"), "{}", ran.err);
    let ran = run("sso", "corp\nno page\n\n");
    assert!(ran.code == 255 && ran.err.contains("this is no address of a page"), "{}", ran.err);
    assert_eq!(place.read(".aws/config"), before, "half the answers change nothing");

    let ran = run(
        "sso --no-browser --use-device-code",
        "corp\nhttps://corp.example/start\neu-west-1\n\n3\n1\nops\nus-east-1\n\n\n",
    );
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    assert!(ran.err.contains("ABCD-EFGH"), "{}", ran.err);
    assert!(ran.err.contains("there is no AWS account \"3\""), "{}", ran.err);
    assert!(ran.out.contains("1  shop, shop@example (111111111111)"), "{}", ran.out);
    assert!(ran.out.contains("Profile name [ops-111111111111]: "), "{}", ran.out);
    assert!(ran.out.ends_with("--profile ops-111111111111\n"), "{}", ran.out);
    assert!(!(ran.out + &ran.err).contains("the-token"));
    // As the AWS CLI writes it: the profile first.
    let made = "[profile ops-111111111111]\nsso_session = corp\nsso_account_id = 111111111111\n\
                sso_role_name = ops\nregion = us-east-1\n\
                [sso-session corp]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n\
                sso_registration_scopes = sso:account:access\n";
    assert_eq!(place.read(".aws/config"), format!("{before}{made}"));

    // The session is there and signed in: neither is asked for again.
    let count = |of: &str| asked.lock().expect("sound").iter().filter(|it| *it == of).count();
    let ran = run("sso --profile other", "corp\n222222222222\n\njson\n");
    assert_eq!((ran.code, count("/client/register")), (0, 1), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("The only role available to you is: only"), "{}", ran.out);
    let other = "[profile other]\nsso_session = corp\nsso_account_id = 222222222222\n\
                 sso_role_name = only\noutput = json\n";
    assert_eq!(place.read(".aws/config"), format!("{before}{made}{other}"));
    let ran = place.run_with(
        "davit aws eks get-token --profile other --region eu-west-1 --cluster-name a",
        &variables,
        "",
    );
    assert_eq!(ran.code, 0, "{}", ran.err);

    let empty = Place::new(&[]);
    let asked = [variables[0], variables[1], ("AWS_PROFILE", "first")];
    let answers = "\nhttps://corp.example/start\neu-west-1\n2\n\n\n";
    let ran = empty.run_with("davit aws configure sso", &asked, answers);
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let old = "[profile first]\nsso_start_url = https://corp.example/start\nsso_region = eu-west-1\n\
               sso_account_id = 222222222222\nsso_role_name = only\n";
    assert_eq!(empty.read(".aws/config"), old);

    let ran = run("sso-session", "more\nhttps://more.example/start\nus-east-1\na:b,c:d\n");
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let more = "[sso-session more]\nsso_start_url = https://more.example/start\n\
                sso_region = us-east-1\nsso_registration_scopes = a:b,c:d\n";
    assert_eq!(place.read(".aws/config"), format!("{before}{made}{other}{more}"));
}

#[test]
fn calls_of_what_there_is_not_are_found_before_the_run() {
    let play = r#"
- hosts: localhost
  gather_facts: false
  vars: {where: ec2}
  tasks:
    - davit.aws.call: {service: ec3, operation: describe_vpcs}
    - davit.aws.call:
        service: ec2
        operation: describe_vpcs
        parameters:
          Filter: [{Name: state, Values: [available]}]
    - davit.aws.call: {service: "{{ where }}", operation: what}
    - davit.gcp.call: {api: storag, method: buckets.list}
    - davit.gcp.call: {api: storage, method: bucket.list}
"#;
    let place = Place::new(&[("play.yml", play)]);
    let ran = place.run("davit lint play.yml");
    let told: Vec<&str> = ran.out.lines().filter(|it| it.contains("odd-argument")).collect();
    assert_eq!(told.len(), 4, "{}{}", ran.out, ran.err);
    for (told, part) in told.iter().zip(["ec2", "Filters", "storage", "buckets.list"]) {
        assert!(told.contains(part), "{told}");
    }
    assert!(ran.out.contains("play.yml:6:"), "{}", ran.out);
}
