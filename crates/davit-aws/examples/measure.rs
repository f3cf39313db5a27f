//! Makes the same call many times and prints what one costs: `measure calls SERVICE OPERATION JSON COUNT
//! AT_ONCE`; `measure model SERVICE` reads a model; `measure copy PATH s3://BUCKET/KEY` and back move an object.
//! Prints JSON. Reads the environment as the AWS CLI does.
#![expect(clippy::print_stdout, reason = "a program that prints what it measured")]

use std::{env, error::Error, fs, path::Path, time::Instant};

use davit_aws::{
    Client,
    model::Store,
    session::{Parts, Session},
    transfer::{Object, Settings, Transfer},
    value::{Map, Value},
};
use futures_util::{StreamExt, TryStreamExt, stream};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["model", service] => {
            let began = Instant::now();
            let found = Store::default().service(service)?.ok_or("there is no such service")?;
            let milliseconds = began.elapsed().as_secs_f64() * 1e3;
            println!(
                "{{\"ms\": {milliseconds:.3}, \"operations\": {}}}",
                found.operation_names().len()
            );
        }
        ["calls", service, operation, json, count, at_once] => {
            let params = Value::from(serde_json::from_str::<serde_json::Value>(json)?);
            let Value::Map(params) = params else { return Err("no object".into()) };
            let (count, at_once): (u32, usize) = (count.parse()?, at_once.parse()?);
            let client = session()?.client;
            let made = calls(&client, (service, operation, &params), at_once);
            // The first one connects and reads the model.
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(made(1))?;
            print(&runtime, count, made(count))?;
        }
        ["copy", from, to] => {
            let transfer = Transfer::new(session()?.client, Settings::default());
            let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
            let copied = async {
                match (object(from), object(to)) {
                    (None, Some(to)) => transfer.upload(Path::new(from), &to, &Map::new()).await,
                    (Some(from), None) => {
                        transfer.download(&from, Path::new(to), &Map::new()).await.map(drop)
                    }
                    _ => Ok(()),
                }
            };
            print(&runtime, 1, copied)?;
        }
        _ => return Err("measure calls|model|copy ...".into()),
    }
    Ok(())
}

fn session() -> Result<Session, davit_aws::Error> {
    Session::new(Parts {
        environment: env::vars().collect(),
        home: env::home_dir(),
        ..Parts::default()
    })
}

/// So many calls, some of them at once.
fn calls<'a>(
    client: &'a Client,
    (service, operation, params): (&'a str, &'a str, &'a Map),
    at_once: usize,
) -> impl Fn(u32) -> futures_util::future::BoxFuture<'a, Result<(), davit_aws::Error>> {
    move |count| {
        let one = move |_| client.call(service, operation, params.clone());
        let all = stream::iter(0..count).map(one).buffer_unordered(at_once);
        Box::pin(all.try_for_each(|_| async { Ok(()) }))
    }
}

/// Runs it and prints the time that it took and the time that it used.
fn print(
    runtime: &tokio::runtime::Runtime,
    count: u32,
    work: impl Future<Output = Result<(), davit_aws::Error>>,
) -> Result<(), Box<dyn Error>> {
    let (began, used) = (Instant::now(), used()?);
    runtime.block_on(work).map_err(|error| error.chain())?;
    let seconds = began.elapsed().as_secs_f64();
    let cpu = (crate::used()? - used) / f64::from(count);
    println!("{{\"per_second\": {:.1}, \"cpu_ms\": {:.4}}}", f64::from(count) / seconds, cpu * 1e3);
    Ok(())
}

/// The processor time of all threads, in seconds.
fn used() -> Result<f64, Box<dyn Error>> {
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir("/proc/self/task")? {
        let text = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().unwrap_or("0").parse::<f64>()?;
    }
    Ok(nanoseconds / 1e9)
}

/// `s3://BUCKET/KEY`.
fn object(text: &str) -> Option<Object> {
    let (bucket, key) = text.strip_prefix("s3://")?.split_once('/')?;
    Some(Object::new(bucket, key))
}
