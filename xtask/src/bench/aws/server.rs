//! A server that says what EC2 and S3 would say, always the same and at once. Looks at no signature and
//! keeps nothing of what it is sent.

use std::{
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

/// The server. Its threads end with the program.
pub(super) struct Server {
    address: SocketAddr,
    /// How large the one object is that is there.
    object: Arc<AtomicU64>,
}

/// What all answers about the object share.
const ENTITY: &str = "ETag: \"0123456789abcdef\"\r\nLast-Modified: Fri, 02 Jan 2026 03:04:05 GMT\r\n\
                      Accept-Ranges: bytes\r\n";

impl Server {
    pub(super) fn start() -> Result<Self, String> {
        let failed = |error: io::Error| format!("no port for the server: {error}");
        let listener = TcpListener::bind("127.0.0.1:0").map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let object = Arc::new(AtomicU64::new(0));
        let (size, instances) = (Arc::clone(&object), Arc::new(instances()));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (size, instances) = (Arc::clone(&size), Arc::clone(&instances));
                // A client that goes away is none of the server's business.
                thread::spawn(move || Connection { size, instances }.serve(&stream));
            }
        });
        Ok(Self { address, object })
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The object is so large from now on.
    pub(super) fn object(&self, size: u64) {
        self.object.store(size, Ordering::Relaxed);
    }
}

struct Connection {
    size: Arc<AtomicU64>,
    instances: Arc<String>,
}

/// The head of a request.
struct Head {
    method: String,
    target: String,
    length: u64,
    chunked: bool,
    range: Option<(u64, u64)>,
    waits: bool,
}

impl Connection {
    fn serve(&self, stream: &TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::with_capacity(64 << 10, stream);
        let mut writer = stream;
        while let Some(head) = head(&mut reader)? {
            if head.waits {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            skip(&mut reader, &head)?;
            self.answer(&mut writer, &head)?;
        }
        Ok(())
    }

    fn answer(&self, to: &mut impl Write, head: &Head) -> io::Result<()> {
        let size = self.size.load(Ordering::Relaxed);
        let upload = "<UploadId>u</UploadId><Bucket>bucket</Bucket><Key>large</Key>";
        match (head.method.as_str(), head.target.as_str()) {
            ("POST", "/") => whole(to, &self.instances),
            ("POST", target) if target.contains("uploads") => {
                let name = "InitiateMultipartUploadResult";
                whole(to, &format!("<{name}>{upload}</{name}>"))
            }
            ("POST", _) => {
                let name = "CompleteMultipartUploadResult";
                whole(to, &format!("<{name}><ETag>\"e\"</ETag></{name}>"))
            }
            ("HEAD", _) => write!(to, "HTTP/1.1 200 OK\r\n{ENTITY}Content-Length: {size}\r\n\r\n"),
            ("GET", _) => {
                let (from, last) = head.range.unwrap_or((0, size.saturating_sub(1)));
                let last = last.min(size.saturating_sub(1));
                let length = (last + 1).saturating_sub(from);
                write!(
                    to,
                    "HTTP/1.1 206 Partial Content\r\n{ENTITY}Content-Length: {length}\r\n\
                     Content-Range: bytes {from}-{last}/{size}\r\n\r\n"
                )?;
                io::copy(&mut io::repeat(0).take(length), to).map(drop)
            }
            _ => write!(to, "HTTP/1.1 200 OK\r\n{ENTITY}Content-Length: 0\r\n\r\n"),
        }
    }
}

fn whole(to: &mut impl Write, body: &str) -> io::Result<()> {
    // In one piece, as a server that is near would send it.
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    to.write_all(answer.as_bytes())
}

/// The next head; nothing where the client is done.
fn head(reader: &mut impl BufRead) -> io::Result<Option<Head>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut head = Head { method, target, length: 0, chunked: false, range: None, waits: false };
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(':') else { return Ok(Some(head)) };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.length = value.parse().unwrap_or(0),
            "transfer-encoding" => head.chunked = value.eq_ignore_ascii_case("chunked"),
            "expect" => head.waits = true,
            "range" => head.range = range(value),
            _ => {}
        }
    }
}

/// `bytes=0-7`.
fn range(value: &str) -> Option<(u64, u64)> {
    let (from, last) = value.strip_prefix("bytes=")?.split_once('-')?;
    Some((from.parse().ok()?, last.parse().unwrap_or(u64::MAX)))
}

/// Reads a body and forgets it.
fn skip(reader: &mut impl BufRead, head: &Head) -> io::Result<()> {
    if !head.chunked {
        return io::copy(&mut reader.take(head.length), &mut io::sink()).map(drop);
    }
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = u64::from_str_radix(size, 16).unwrap_or(0);
        if size > 0 {
            io::copy(&mut reader.take(size + 2), &mut io::sink())?;
            continue;
        }
        // Trailers end with an empty line.
        while !line.trim().is_empty() {
            line.clear();
            reader.read_line(&mut line)?;
        }
        return Ok(());
    }
}

/// Ten instances, about as much of each as EC2 says.
fn instances() -> String {
    let mut text = String::from(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <DescribeInstancesResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\">\n\
         <requestId>fdcdcab1-ae5c-489e-9c33-4637c5dda355</requestId>\n<reservationSet>\n",
    );
    for number in 0..10 {
        // Writing into a text cannot fail.
        let _ = writeln!(
            text,
            "<item><reservationId>r-{number:017x}</reservationId><ownerId>123456789012</ownerId>\
             <groupSet/><instancesSet><item><instanceId>i-{number:017x}</instanceId>\
             <imageId>ami-0123456789abcdef0</imageId><instanceState><code>16</code><name>running</name>\
             </instanceState><privateDnsName>ip-10-0-0-{number}.eu-west-1.compute.internal</privateDnsName>\
             <dnsName>ec2-203-0-113-{number}.eu-west-1.compute.amazonaws.com</dnsName><reason/>\
             <keyName>key</keyName><amiLaunchIndex>{number}</amiLaunchIndex><productCodes/>\
             <instanceType>t3.micro</instanceType><launchTime>2026-01-02T03:04:05.000Z</launchTime>\
             <placement><availabilityZone>eu-west-1a</availabilityZone><groupName/>\
             <tenancy>default</tenancy></placement><monitoring><state>disabled</state></monitoring>\
             <subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId>\
             <privateIpAddress>10.0.0.{number}</privateIpAddress><ipAddress>203.0.113.{number}</ipAddress>\
             <sourceDestCheck>true</sourceDestCheck><groupSet><item><groupId>sg-0123456789abcdef0</groupId>\
             <groupName>web</groupName></item></groupSet><architecture>x86_64</architecture>\
             <rootDeviceType>ebs</rootDeviceType><rootDeviceName>/dev/xvda</rootDeviceName>\
             <blockDeviceMapping>{disks}</blockDeviceMapping><virtualizationType>hvm</virtualizationType>\
             <clientToken>00000000-0000-4000-8000-{number:012}</clientToken><tagSet>{tags}</tagSet>\
             <hypervisor>xen</hypervisor><ebsOptimized>false</ebsOptimized><enaSupport>true</enaSupport>\
             <cpuOptions><coreCount>1</coreCount><threadsPerCore>2</threadsPerCore></cpuOptions>\
             <metadataOptions><state>applied</state><httpTokens>required</httpTokens>\
             <httpPutResponseHopLimit>2</httpPutResponseHopLimit><httpEndpoint>enabled</httpEndpoint>\
             </metadataOptions></item></instancesSet></item>",
            disks = disks(number),
            tags = tags(number),
        );
    }
    text.push_str("</reservationSet></DescribeInstancesResponse>");
    text
}

fn disks(instance: u32) -> String {
    let one = |disk: u32| {
        format!(
            "<item><deviceName>/dev/xvd{disk}</deviceName><ebs><volumeId>vol-{instance:08x}{disk:09x}\
             </volumeId><status>attached</status><attachTime>2026-01-02T03:04:06.000Z</attachTime>\
             <deleteOnTermination>true</deleteOnTermination></ebs></item>"
        )
    };
    (0..3).map(one).collect()
}

fn tags(instance: u32) -> String {
    let one =
        |tag: u32| format!("<item><key>tag-{tag}</key><value>{instance}-{tag}</value></item>");
    (0..10).map(one).collect()
}
