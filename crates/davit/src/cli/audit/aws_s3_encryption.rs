//! `davit audit aws-s3-encryption`: how buckets of S3 encrypt what is put into them, if nobody says otherwise.
//!
//! Since January 2023 Amazon's S3 encrypts everything, at least with its own keys, and says so. Other servers that
//! speak S3, and moto, have buckets without any setting: these are told of as such.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/default-bucket-encryption.html>

use std::io::{IsTerminal as _, Write as _};

use clap::{ArgMatches, Args as _, FromArgMatches as _, ValueEnum};
use davit_aws::client::Call;
use davit_aws::value::{Map, Value};
use davit_aws::{Client, Error};
use futures_util::{StreamExt as _, stream};
use serde_json::json;

use super::Audit;
use super::findings::{Check, Findings, Problem, Rule, Subject, Verdict};
use crate::cli::aws::session::{self, Said};
use crate::cli::{aws, wildcard};
use crate::report::Report;

/// Its line in the table.
pub(super) const AUDIT: Audit = Audit {
    name: "aws-s3-encryption",
    summary: "Buckets of S3 encrypt what is put into them, and with which keys",
    command: Args::augment_args,
    run,
};

/// What is looked at, and what has to hold.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
Examples:
  davit audit aws-s3-encryption
  davit audit aws-s3-encryption --match 'prod-*' --require aws:kms,aws:kms:dsse
  davit audit aws-s3-encryption --require aws:kms --key alias/data --bucket-key --output json")]
struct Args {
    /// Only these buckets; all of the account without any.
    #[arg(value_name = "BUCKET", conflicts_with_all = ["matching", "exclude"])]
    buckets: Vec<String>,
    /// Only buckets whose names fit this pattern: `prod-*`. May be given several times.
    #[arg(long = "match", id = "matching", value_name = "PATTERN")]
    matching: Vec<String>,
    /// No buckets whose names fit this pattern. May be given several times.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// What buckets have to encrypt with: one of these.
    #[arg(
        long,
        value_enum,
        value_name = "ALGORITHM",
        value_delimiter = ',',
        default_value = "any"
    )]
    require: Vec<Algorithm>,
    /// The key of KMS that has to be used: its id, ARN or alias, as buckets name it. May be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Buckets that encrypt with `aws:kms` have to have a bucket key, which saves most calls of KMS.
    #[arg(long)]
    bucket_key: bool,
    /// How many buckets to look at side by side.
    #[arg(long, value_name = "NUMBER", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    parallel: u16,
    /// The region to call first.
    #[arg(long)]
    region: Option<String>,
    /// A profile of the files of the AWS CLI.
    #[arg(long)]
    profile: Option<String>,
    /// Where to call instead of AWS.
    #[arg(long, value_name = "URL")]
    endpoint_url: Option<String>,
}

/// Ways to encrypt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Algorithm {
    /// Any.
    #[value(name = "any")]
    Any,
    /// Keys of S3's own.
    #[value(name = "AES256")]
    Aes256,
    /// Keys of KMS.
    #[value(name = "aws:kms")]
    Kms,
    /// Keys of KMS, twice.
    #[value(name = "aws:kms:dsse")]
    KmsTwice,
}

impl Algorithm {
    /// As S3 has it.
    const fn name(self) -> &'static str {
        match self {
            Self::Any => "any",
            Self::Aes256 => "AES256",
            Self::Kms => "aws:kms",
            Self::KmsTwice => "aws:kms:dsse",
        }
    }
}

const ENCRYPTED: &str = "aws-s3-encryption";
const MISSING: &str = "aws-s3-encryption/missing";
const ALGORITHM: &str = "aws-s3-encryption/algorithm";
const KEY: &str = "aws-s3-encryption/key";
const BUCKET_KEY: &str = "aws-s3-encryption/bucket-key";
const UNSEEN: &str = "aws-s3-encryption/unseen";

static RULES: &[Rule] = &[
    Rule {
        id: ENCRYPTED,
        about: "A bucket encrypts what is put into it, as is asked for",
        help: "Nothing is to be done.",
    },
    Rule {
        id: MISSING,
        about: "A bucket has a setting for encryption",
        help: "Give the bucket a default encryption: amazon.aws.s3_bucket with `encryption`.",
    },
    Rule {
        id: ALGORITHM,
        about: "A bucket encrypts with an algorithm that is asked for",
        help: "Change the bucket's default encryption: amazon.aws.s3_bucket with `encryption`.",
    },
    Rule {
        id: KEY,
        about: "A bucket encrypts with a key that is asked for",
        help: "Name the key: amazon.aws.s3_bucket with `encryption_key_id`.",
    },
    Rule {
        id: BUCKET_KEY,
        about: "A bucket that encrypts with KMS has a bucket key",
        help: "Turn it on: amazon.aws.s3_bucket with `bucket_key_enabled`.",
    },
    Rule {
        id: UNSEEN,
        about: "A bucket's encryption can be looked at",
        help: "Who audits needs s3:GetEncryptionConfiguration for the bucket.",
    },
];

/// How a bucket encrypts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Encryption {
    algorithm: String,
    /// The key of KMS as the bucket names it; none for S3's own.
    key: Option<String>,
    bucket_key: bool,
}

/// A bucket that is to be looked at.
struct Bucket {
    name: String,
    region: Option<String>,
}

fn run(matches: &ArgMatches) -> Result<Findings, Report> {
    let args = Args::from_arg_matches(matches).map_err(|error| Report::of(&error))?;
    let session = session::make(&Said {
        region: args.region.clone(),
        profile: args.profile.clone(),
        endpoint_url: args.endpoint_url.clone(),
        ..Said::default()
    })?;
    let mut checks = session::until(look(&session.client, &args))?;
    checks.sort_by(|a, b| a.subject.name.cmp(&b.subject.name));
    Ok(Findings { audit: AUDIT.name, rules: RULES, checks })
}

async fn look(client: &Client, args: &Args) -> Result<Vec<Check>, Report> {
    let buckets = buckets(client, args).await.map_err(|error| aws::report(&error))?;
    let total = buckets.len();
    let meter = Meter { shown: std::io::stderr().is_terminal(), total };
    let mut checks = Vec::with_capacity(total);
    let mut running = stream::iter(buckets)
        .map(|bucket| check(client, bucket, args))
        .buffer_unordered(usize::from(args.parallel));
    meter.show(0);
    while let Some(check) = running.next().await {
        checks.push(check);
        meter.show(checks.len());
    }
    meter.clear();
    Ok(checks)
}

/// The buckets that are meant.
async fn buckets(client: &Client, args: &Args) -> Result<Vec<Bucket>, Error> {
    if !args.buckets.is_empty() {
        let named = args.buckets.iter().map(|it| Bucket { name: it.clone(), region: None });
        return Ok(named.collect());
    }
    let listed = client.all("s3", "ListBuckets", Map::new()).await?;
    let fits = |name: &str, patterns: &[String]| patterns.iter().any(|it| wildcard::fits(name, it));
    let meant = |it: &Bucket| {
        (args.matching.is_empty() || fits(&it.name, &args.matching))
            && !fits(&it.name, &args.exclude)
    };
    let all = listed.get("Buckets").map(Value::items).unwrap_or_default().iter();
    let all = all.filter_map(|it| {
        let text = |name: &str| it.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Bucket { name: text("Name")?, region: text("BucketRegion") })
    });
    Ok(all.filter(meant).collect())
}

async fn check(client: &Client, bucket: Bucket, args: &Args) -> Check {
    let region = match &bucket.region {
        Some(region) => Some(region.clone()),
        None => region(client, &bucket.name).await,
    };
    let params = Map::from_iter([("Bucket".to_owned(), bucket.name.as_str().into())]);
    let call = Call::new("s3", "GetBucketEncryption", params).region(region.clone());
    let mut facts = serde_json::Map::new();
    let verdict = match client.run(call).await.map(|it| encryption(&it.values)) {
        Ok(Some(found)) => {
            facts = found.facts();
            verdict(&found, args)
        }
        Ok(None) => missing(),
        Err(error) if error.code() == Some("ServerSideEncryptionConfigurationNotFoundError") => {
            missing()
        }
        Err(error) => Verdict::Unseen(Problem { rule: UNSEEN, message: error.chain() }),
    };
    let partition = match region.as_deref() {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    };
    let full_name = format!("arn:{partition}:s3:::{}", bucket.name);
    Check {
        subject: Subject { kind: "bucket", name: bucket.name, region, full_name },
        verdict,
        facts,
    }
}

/// Where a bucket is. Who may not ask learns nothing from that, and looks on.
async fn region(client: &Client, bucket: &str) -> Option<String> {
    let params = Map::from_iter([("Bucket".to_owned(), bucket.into())]);
    let answer = client.call("s3", "GetBucketLocation", params).await.ok()?;
    Some(match answer.get("LocationConstraint").and_then(Value::as_str) {
        // The first two regions have names of their own in this operation.
        None | Some("") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    })
}

fn missing() -> Verdict {
    let message = "it has no setting for encryption".to_owned();
    Verdict::Violated(vec![Problem { rule: MISSING, message }])
}

/// What an answer says; nothing where no rule of it is for new objects.
fn encryption(answer: &Map) -> Option<Encryption> {
    let rules = answer.get("ServerSideEncryptionConfiguration")?.get("Rules")?.items();
    rules.iter().find_map(|rule| {
        let default = rule.get("ApplyServerSideEncryptionByDefault")?;
        let text = |name: &str| default.get(name).and_then(Value::as_str).map(str::to_owned);
        let algorithm = text("SSEAlgorithm")?;
        let of_kms = algorithm.starts_with("aws:kms");
        // KMS without a key is the key that AWS has for S3.
        let key =
            of_kms.then(|| text("KMSMasterKeyID").unwrap_or_else(|| "alias/aws/s3".to_owned()));
        let bucket_key = rule.get("BucketKeyEnabled").and_then(Value::as_bool).unwrap_or(false);
        Some(Encryption { algorithm, key, bucket_key })
    })
}

impl Encryption {
    fn facts(&self) -> serde_json::Map<String, serde_json::Value> {
        let facts = [
            ("algorithm", json!(self.algorithm)),
            ("key", json!(self.key)),
            ("bucket_key", json!(self.bucket_key)),
        ];
        facts.into_iter().map(|(name, it)| (name.to_owned(), it)).collect()
    }
}

fn verdict(found: &Encryption, args: &Args) -> Verdict {
    let mut problems = Vec::new();
    let allowed = |it: &Algorithm| *it == Algorithm::Any || it.name() == found.algorithm;
    if !args.require.iter().any(allowed) {
        let wanted: Vec<&str> = args.require.iter().map(|it| it.name()).collect();
        let message =
            format!("it encrypts with {}, not with {}", found.algorithm, wanted.join(" or "));
        problems.push(Problem { rule: ALGORITHM, message });
    }
    if !args.key.is_empty() {
        let key = found.key.as_deref();
        if !key.is_some_and(|key| args.key.iter().any(|it| is_same_key(key, it))) {
            let used = key.unwrap_or("a key of S3's own");
            let message = format!("it encrypts with {used}, not with {}", args.key.join(" or "));
            problems.push(Problem { rule: KEY, message });
        }
    }
    if args.bucket_key && found.algorithm == Algorithm::Kms.name() && !found.bucket_key {
        let message = "it has no bucket key".to_owned();
        problems.push(Problem { rule: BUCKET_KEY, message });
    }
    if problems.is_empty() { Verdict::Passed } else { Verdict::Violated(problems) }
}

/// Whether two names are of one key: an id or alias is also that of an ARN that ends in it.
fn is_same_key(one: &str, other: &str) -> bool {
    let short = |text: &str| {
        let name = text.rsplit(':').next().unwrap_or(text).to_owned();
        name.strip_prefix("key/").map_or(name.clone(), str::to_owned)
    };
    let both_whole = one.starts_with("arn:") && other.starts_with("arn:");
    if both_whole { one == other } else { short(one) == short(other) }
}

/// How far it is, in one line that is written over.
struct Meter {
    shown: bool,
    total: usize,
}

impl Meter {
    fn show(&self, done: usize) {
        if self.shown {
            // A meter that cannot be shown stops nothing.
            let _ = write!(std::io::stderr(), "\r{done} of {} buckets\x1b[K", self.total);
        }
    }

    fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(algorithm: &str, key: Option<&str>, bucket_key: bool) -> Encryption {
        Encryption { algorithm: algorithm.to_owned(), key: key.map(str::to_owned), bucket_key }
    }

    fn check(line: &str, found: &Encryption, rules: &[&str]) {
        let command = Args::augment_args(clap::Command::new("audit"));
        let words = std::iter::once("audit").chain(line.split_whitespace());
        let args = Args::from_arg_matches(&command.get_matches_from(words)).unwrap();
        let broken: Vec<&str> = match verdict(found, &args) {
            Verdict::Violated(problems) => problems.iter().map(|it| it.rule).collect(),
            _ => Vec::new(),
        };
        assert_eq!(broken, rules, "{line}: {found:?}");
    }

    #[test]
    fn what_is_asked_for_is_held_against_what_there_is() {
        let own = found("AES256", None, false);
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/abc";
        let kms = found("aws:kms", Some(arn), false);
        let twice = found("aws:kms:dsse", Some("alias/data"), false);
        check("", &own, &[]);
        check("--require AES256", &own, &[]);
        check("--require aws:kms", &own, &[ALGORITHM]);
        check("--require aws:kms", &twice, &[ALGORITHM]);
        check("--require aws:kms,aws:kms:dsse", &twice, &[]);
        check("--require aws:kms --key abc", &kms, &[]);
        check("--key xyz --bucket-key", &kms, &[KEY, BUCKET_KEY]);
        check("--key alias/data --bucket-key", &twice, &[]);
        check("--key abc --bucket-key", &own, &[KEY]);
        check("--bucket-key", &found("aws:kms", None, true), &[]);
    }

    #[test]
    fn keys_are_told_apart() {
        let arn = "arn:aws:kms:eu-west-1:123456789012:key/abc";
        let alias = "arn:aws:kms:eu-west-1:123456789012:alias/data";
        for (one, other, same) in [
            (arn, arn, true),
            (arn, "abc", true),
            ("key/abc", arn, true),
            (arn, "bc", false),
            (alias, "alias/data", true),
            (alias, "data", false),
            (arn, "arn:aws:kms:us-east-1:123456789012:key/abc", false),
        ] {
            assert_eq!(is_same_key(one, other), same, "{one} {other}");
        }
    }

    #[test]
    fn answers_without_rules_are_no_encryption() {
        let read = |json: serde_json::Value| encryption(Value::from(json).as_map().unwrap());
        assert_eq!(read(json!({})), None);
        assert_eq!(read(json!({"ServerSideEncryptionConfiguration": {"Rules": []}})), None);
        let rule = json!({"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms"}});
        assert_eq!(
            read(json!({"ServerSideEncryptionConfiguration": {"Rules": [rule]}})),
            Some(found("aws:kms", Some("alias/aws/s3"), false))
        );
    }
}
