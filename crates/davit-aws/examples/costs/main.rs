//! What calls cost this side: the CPU time of describing ten instances (an answer of 32 KB) and of
//! putting an object of 1 KiB, against a server in the same process that says the same each time.
#![expect(clippy::print_stdout, reason = "an example that shows numbers")]

use std::{
    error::Error,
    fs,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Instant,
};

use bytes::Bytes;
use davit_aws::{Client, Value, client::Options, credentials::Credentials, value::Map};

const INSTANCE: &str = include_str!("instance.xml");
const CALLS: u32 = 3_000;

fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://127.0.0.1:{}", listener.local_addr()?.port());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || serve(stream));
        }
    });
    let mut options = Options::new(Arc::new(Credentials {
        access_key_id: "AKID".to_owned(),
        secret_access_key: "secret".to_owned(),
        session_token: None,
        expires: None,
        account_id: None,
        source: "here".to_owned(),
    }));
    options.endpoint.endpoint_url = Some(url);
    options.endpoint.region = Some("eu-central-1".to_owned());
    options.request_checksums = Some(davit_aws::checksum::When::Supported);
    let client = Client::new(options);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let object = Map::from_iter([
        ("Bucket".to_owned(), Value::from("bucket")),
        ("Key".to_owned(), Value::from("some/key")),
        ("Body".to_owned(), Value::Blob(Bytes::from(vec![b'x'; 1_024]))),
    ]);
    for (service, operation, params) in
        [("ec2", "DescribeInstances", Map::new()), ("s3", "PutObject", object)]
    {
        let call = || runtime.block_on(client.call(service, operation, params.clone()));
        // The first reads the model and makes the connection.
        let began = Instant::now();
        call()?;
        let first = began.elapsed();
        let (cpu, began) = (cpu()?, Instant::now());
        for _ in 0..CALLS {
            call()?;
        }
        let spent = (self::cpu()? - cpu) / f64::from(CALLS);
        let rate = f64::from(CALLS) / began.elapsed().as_secs_f64();
        println!(
            "{service} {operation}: first {:.1} ms, then {spent:.3} ms of CPU, {rate:.0} a second",
            first.as_secs_f64() * 1_000.0
        );
    }
    Ok(())
}

/// The CPU time of this thread in milliseconds, which is where the client runs.
fn cpu() -> io::Result<f64> {
    let said = fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = said.split(' ').next().and_then(|it| it.parse::<f64>().ok());
    Ok(nanoseconds.unwrap_or(f64::NAN) / 1e6)
}

fn serve(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let described = format!(
        "<DescribeInstancesResponse><reservationSet><item><reservationId>r-1</reservationId>\
         <instancesSet>{}</instancesSet></item></reservationSet></DescribeInstancesResponse>",
        INSTANCE.trim_end().repeat(10)
    );
    let answer =
        |body: &str| format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let (described, put) = (answer(&described), answer(""));
    let mut held = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Some(head) = held.windows(4).position(|it| it == b"\r\n\r\n") else {
            match stream.read(&mut buffer)? {
                0 => return Ok(()),
                size => held.extend_from_slice(&buffer[..size]),
            }
            continue;
        };
        let text = String::from_utf8_lossy(&held[..head]).to_lowercase();
        let length = text.lines().find_map(|it| it.strip_prefix("content-length: "));
        let length = length.and_then(|it| it.parse().ok()).unwrap_or(0);
        let end = head + 4 + length;
        if held.len() < end {
            let missing = end - held.len();
            let from = held.len();
            held.resize(from + missing, 0);
            stream.read_exact(&mut held[from..])?;
        }
        let said = if text.starts_with("put") { &put } else { &described };
        stream.write_all(said.as_bytes())?;
        held.drain(..end);
    }
}
