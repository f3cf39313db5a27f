//! davit's client of AWS, boto3 and the AWS CLI, against a server on this machine that always says the
//! same: what one call costs, what many do, a large object, a model, what it takes on disk.

mod server;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use self::server::Server;
use super::{best, text};
use crate::{
    Outcome, cache,
    process::{self, measure},
    root, target,
};

/// boto3, doing the same as `examples/measure.rs`.
const BOTO3: &str = include_str!("aws/measure.py");

/// Everything.
pub(super) fn aws(quick: bool) -> Outcome {
    println!("\naws: calls against a server on this machine that answers at once");
    let examples = ["--example", "call", "--example", "measure"];
    let build = ["build", "--release", "--package", "davit-aws", "--locked"];
    process::cargo(&[&build[..], &examples].concat())?;
    let folder = target().join("bench/aws");
    fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let script = folder.join("measure.py");
    fs::write(&script, BOTO3).map_err(|error| format!("{}: {error}", script.display()))?;
    let server = Server::start()?;
    let bench = Bench { server, folder, script, quick };
    let measurements = [bench.one_shot(), bench.calls(), bench.copies(), bench.model()];
    bench.sizes()?;
    measurements.into_iter().collect()
}

struct Bench {
    server: Server,
    folder: PathBuf,
    script: PathBuf,
    quick: bool,
}

/// What one side did: by name, so that a number that is missing is told.
struct Numbers(String);

impl Numbers {
    /// A number of the one line of JSON that both programs print.
    fn get(&self, name: &str) -> Result<f64, String> {
        let missing = || format!("no {name:?} in {:?}", self.0);
        let (_, behind) = self.0.split_once(&format!("\"{name}\": ")).ok_or_else(missing)?;
        let end = behind.find([',', '}']).ok_or_else(missing)?;
        behind[..end].parse().map_err(|_| missing())
    }
}

impl Bench {
    /// A program in an environment that has nothing but keys and the server's address.
    fn command(&self, program: &Path, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(&self.folder).env_clear();
        command.envs([
            ("HOME", self.folder.display().to_string()),
            ("PATH", "/usr/bin:/bin".to_owned()),
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
            ("AWS_REGION", "eu-west-1".to_owned()),
            ("AWS_DEFAULT_REGION", "eu-west-1".to_owned()),
            ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
            ("AWS_ENDPOINT_URL", self.server.url()),
            ("PYTHONDONTWRITEBYTECODE", "1".to_owned()),
        ]);
        command
    }

    fn ours(&self, args: &[&str]) -> Result<Numbers, String> {
        numbers(&mut self.command(&example("measure"), args))
    }

    fn theirs(&self, args: &[&str]) -> Result<Numbers, String> {
        let script = self.script.display().to_string();
        let args = [&[script.as_str()], args].concat();
        numbers(&mut self.command(&peer("python3")?, &args))
    }

    /// A program that starts, describes ten instances and ends.
    fn one_shot(&self) -> Outcome {
        println!("\n  one describe of ten instances, from the start of the program to its end");
        let script = self.script.display().to_string();
        let davit = target().join("release/davit");
        let call = ["ec2", "DescribeInstances"];
        let command = ["aws", "ec2", "describe-instances"];
        let mut sides = vec![
            ("davit-aws (its example)", example("call"), call.to_vec()),
            ("boto3", peer("python3")?, vec![script.as_str(), "once"]),
            ("the AWS CLI", peer("aws")?, command[1..].to_vec()),
        ];
        if davit.is_file() {
            sides.insert(1, ("davit aws", davit, command.to_vec()));
        }
        let rounds = if self.quick { 3 } else { 10 };
        for (name, program, args) in sides {
            let output = self.folder.join("one.out");
            let measured = best(rounds, || measure(&mut self.command(&program, &args), &output));
            // The program may be of a time when it had no such command.
            match measured {
                Ok(measured) => println!("  {name:<24} {}", text(measured)),
                Err(_) if name == "davit aws" => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Many calls of one client, one after the other and side by side.
    fn calls(&self) -> Outcome {
        let count = if self.quick { "200" } else { "1000" };
        println!(
            "\n  {count} calls of one client {:>20} {:>26} {:>8}",
            "davit-aws", "boto3", "CPU"
        );
        let put = r#"{"Bucket": "bucket", "Key": "key", "Body": "BODY"}"#;
        let put = put.replace("BODY", &"x".repeat(1024));
        for (what, service, operation, params) in [
            ("describe, 32 KB", "ec2", "DescribeInstances", "{}"),
            ("put of 1 KiB", "s3", "PutObject", put.as_str()),
        ] {
            for at_once in ["1", "32"] {
                let args = ["calls", service, operation, params, count, at_once];
                let (ours, theirs) = (self.ours(&args)?, self.theirs(&args)?);
                let side = |it: &Numbers| -> Result<String, String> {
                    let (rate, cpu) = (it.get("per_second")?, it.get("cpu_ms")?);
                    Ok(format!("{rate:>7.0}/s {cpu:>6.3} ms CPU"))
                };
                let ratio = theirs.get("cpu_ms")? / ours.get("cpu_ms")?;
                let what = format!("{what}, {at_once} at once");
                println!("  {what:<27} {} {} {ratio:>7.0}x", side(&ours)?, side(&theirs)?);
            }
        }
        Ok(())
    }

    /// A large object there and back.
    fn copies(&self) -> Outcome {
        let mebibytes: u64 = if self.quick { 64 } else { 1024 };
        println!("\n  an object of {mebibytes} MiB, in parts of 8 MiB, ten at once");
        let large = self.folder.join("large");
        let failed = |error| format!("{}: {error}", large.display());
        fs::File::create(&large).and_then(|it| it.set_len(mebibytes << 20)).map_err(failed)?;
        self.server.object(mebibytes << 20);
        let (file, object) = (large.display().to_string(), "s3://bucket/large");
        let back = self.folder.join("back").display().to_string();
        for (what, from, to) in [("up", &*file, object), ("down", object, &*back)] {
            let args = ["copy", from, to];
            for (name, side) in [("davit-aws", self.ours(&args)?), ("boto3", self.theirs(&args)?)] {
                #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
                let rate = side.get("per_second")? * mebibytes as f64;
                let cpu = side.get("cpu_ms")? / 1e3;
                println!("  {what:<6} {name:<12} {rate:>7.0} MiB/s {cpu:>7.2} s CPU");
            }
        }
        for path in [&large, &self.folder.join("back")] {
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(())
    }

    /// The largest model, for the first time.
    fn model(&self) -> Outcome {
        let args = ["model", "ec2"];
        let (ours, theirs) = (self.ours(&args)?.get("ms")?, self.theirs(&args)?.get("ms")?);
        println!("\n  the model of ec2: davit-aws {ours:.2} ms, botocore {theirs:.1} ms");
        Ok(())
    }

    /// What all models take.
    fn sizes(&self) -> Outcome {
        let bundled = root().join("crates/davit-aws/models/models.bin");
        let bundled =
            fs::metadata(&bundled).map_err(|it| format!("{}: {it}", bundled.display()))?;
        let theirs = self.theirs(&["sizes"])?.get("bytes")?;
        #[expect(clippy::cast_precision_loss, reason = "a few million")]
        let ours = bundled.len() as f64;
        println!(
            "  the models of all services: davit-aws {:.2} MiB, botocore {:.1} MiB",
            ours / f64::from(1 << 20),
            theirs / f64::from(1 << 20)
        );
        Ok(())
    }
}

fn numbers(command: &mut Command) -> Result<Numbers, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    let printed = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(Numbers(printed));
    }
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim()))
}

fn example(name: &str) -> PathBuf {
    target().join("release/examples").join(name)
}

/// A program of the environment that has boto3.
fn peer(name: &str) -> Result<PathBuf, String> {
    Ok(cache()?.join("aws/bin").join(name))
}
