//! A host that shares nothing with this one but the disk: network, processes and mounts of its own, an sshd inside.

use std::{
    fs,
    net::Ipv4Addr,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use nix::sys::signal::Signal;

use crate::{
    Ground, Outcome, Process, delay,
    delay::Line,
    every_process,
    process::{end_family, finish, is_root, run, wait_until},
    sshd::{Hosts, Serve, configuration, wait_for},
};

/// The port that its sshd listens on.
const PORT: u16 = 22;

/// What tells the routes that reserve addresses from those that lead to them.
const RESERVED: &str = "4000";

/// How a machine is made.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// How many addresses it has, each a host to whoever connects; one if this is zero.
    pub hosts: usize,
    /// How long a packet takes in each direction.
    pub delay: Duration,
    /// Passwords are taken as well.
    pub passwords: bool,
    /// Each host has a home of its own, as [`Serve::homes`].
    pub homes: bool,
    /// Folders below the one for temporary files that it sees besides the ground's; of the others it has its own.
    pub shared: Vec<PathBuf>,
    /// Shell commands before its sshd starts: what they mount is seen on this machine only. `$ground` is the ground's
    /// folder.
    pub before: String,
    /// More lines for its `sshd_config`.
    pub more: String,
}

/// A host with a cable.
#[derive(Debug)]
pub struct Machine {
    name: String,
    init: Child,
    /// The first process inside, as seen from here.
    first: i32,
    space: PathBuf,
    line: Option<(Line, Vec<Child>)>,
    /// Where its addresses are from.
    block: String,
    ground: PathBuf,
    /// The hosts that it plays.
    pub hosts: Hosts,
}

impl Machine {
    /// Makes it and waits until its sshd listens.
    ///
    /// # Errors
    /// It needs root, `ip`, `sshd` and, for a delay, `socat`.
    pub fn start(ground: &Ground, options: &Options) -> Outcome<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        if !is_root() {
            return Err("namespaces of the test ground can only be made by root".to_owned());
        }
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("dg{}x{number}", std::process::id());
        let subnet = Subnet::reserve()?;
        ground.write(&format!("{name}.netns"), &format!("{name} {}", subnet.block()))?;
        run("ip", &["netns", "add", &name])?;
        let line = if options.delay.is_zero() {
            subnet.cable(&name)?;
            None
        } else {
            Some(subnet.line(ground, &name, options.delay)?)
        };
        subnet.routes(&name)?;
        let addresses: Vec<Ipv4Addr> =
            (0..options.hosts.max(1)).map(|at| subnet.host(at)).collect();
        let hosts = Hosts::new(ground, addresses, PORT)?;
        let mut more = options.more.clone();
        if options.homes {
            more.push('\n');
            more.push_str(&hosts.homes(&hosts.addresses)?);
        }
        let serve = Serve { passwords: options.passwords, more, ..Serve::hosts(0) };
        let any = [Ipv4Addr::UNSPECIFIED];
        ground.write(&name, &configuration(ground, &name, PORT, &any, &serve))?;
        let init = init(ground, &name, options)?;
        let mut machine = Self {
            name,
            init,
            first: 0,
            space: PathBuf::new(),
            line,
            block: subnet.block(),
            ground: ground.folder().to_owned(),
            hosts,
        };
        machine.find_first()?;
        Ok(machine)
    }

    fn find_first(&mut self) -> Outcome<()> {
        let at = |ending: &str| self.ground.join(format!("{}.{ending}", self.name));
        wait_for(&at("pid"), &at("log")).map_err(|error| {
            let said = fs::read_to_string(self.ground.join(format!("{}-init.log", self.name)));
            format!("{error}{}", said.unwrap_or_default().trim())
        })?;
        let parent = i32::try_from(self.init.id()).unwrap_or(0);
        let mut first = None;
        wait_until(Duration::from_secs(10), || {
            first = every_process().into_iter().find(|it| it.parent == parent);
            first.is_some()
        });
        let first = first.ok_or_else(|| format!("{}: nothing runs in it", self.name))?;
        (self.first, self.space) = (first.pid, first.space);
        Ok(())
    }

    /// Cuts the cable: packets are lost in both directions, and nobody is told.
    ///
    /// # Errors
    /// `ip` fails.
    pub fn cut(&self) -> Outcome<()> {
        match &self.line {
            Some((line, _)) => line.cut(true),
            None => drop(run("ip", &["-n", &self.name, "link", "set", "cable", "down"])?),
        }
        Ok(())
    }

    /// Mends the cable.
    ///
    /// # Errors
    /// `ip` fails.
    pub fn mend(&self) -> Outcome<()> {
        match &self.line {
            Some((line, _)) => line.cut(false),
            None => drop(run("ip", &["-n", &self.name, "link", "set", "cable", "up"])?),
        }
        Ok(())
    }

    /// Lets no more than so many kilobytes a second through to it.
    ///
    /// # Errors
    /// `tc` fails.
    pub fn slow(&self, kilobytes: u32) -> Outcome<()> {
        let rate = format!("{kilobytes}kbps");
        let shape = ["burst", "16kb", "latency", "300ms"];
        let words = ["qdisc", "replace", "dev", &self.name, "root", "tbf", "rate", &rate];
        run("tc", &words.into_iter().chain(shape).collect::<Vec<_>>()).map(drop)
    }

    /// Lets everything through again.
    ///
    /// # Errors
    /// `tc` fails.
    pub fn fast(&self) -> Outcome<()> {
        run("tc", &["qdisc", "delete", "dev", &self.name, "root"]).map(drop)
    }

    /// What runs on it now, besides what keeps it up: its first process, its sshds and their sessions.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let own = |it: &Process| {
            it.line.starts_with("sshd:")
                || it.line.contains("/usr/sbin/sshd")
                || it.pid == self.first
        };
        self.everything().into_iter().filter(|it| !own(it)).collect()
    }

    /// What runs on it now.
    #[must_use]
    pub fn everything(&self) -> Vec<Process> {
        let keeps_up = |it: &Process| it.parent == self.first && it.line == "sleep 1";
        every_process().into_iter().filter(|it| it.space == self.space && !keeps_up(it)).collect()
    }

    /// Ends its sshd and all its sessions, and lets what they started run on.
    pub fn kill_sshd(&self) {
        let is_sshd = |it: &Process| {
            let line = &it.line;
            (line.starts_with("sshd:") || line.contains("/usr/sbin/sshd")) && it.pid != self.first
        };
        // What is killed holds its port until it is gone.
        wait_until(Duration::from_secs(10), || {
            let left: Vec<Process> = self.everything().into_iter().filter(is_sshd).collect();
            left.iter().for_each(Process::kill);
            left.is_empty()
        });
    }

    /// Starts its sshd again.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_sshd(&self) -> Outcome<()> {
        let pid = self.ground.join(format!("{}.pid", self.name));
        let _ = fs::remove_file(&pid);
        let config = self.ground.join(&self.name).display().to_string();
        self.run(&["/usr/sbin/sshd", "-f", &config])?;
        wait_for(&pid, &self.ground.join(format!("{}.log", self.name)))
    }

    /// Runs a program on it as root.
    ///
    /// # Errors
    /// It fails: with what it said.
    pub fn run(&self, argv: &[&str]) -> Outcome<String> {
        let first = self.first.to_string();
        let mut args = vec!["--target", &first, "--mount", "--pid", "--net", "--"];
        args.extend(argv);
        finish(Command::new("nsenter").args(args).env_remove("SSH_AUTH_SOCK"))
    }

    /// Sends a signal to everything on it that this is true of, and says how many there were.
    pub fn signal(&self, signal: Signal, which: impl Fn(&Process) -> bool) -> usize {
        let found: Vec<Process> = self.processes().into_iter().filter(|it| which(it)).collect();
        found.iter().for_each(|it| it.signal(signal));
        found.len()
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        for process in every_process().iter().filter(|it| it.pid == self.first) {
            process.kill();
        }
        end_family(i32::try_from(self.init.id()).unwrap_or(0));
        let _ = self.init.wait();
        for mut child in self.line.take().into_iter().flat_map(|(_, children)| children) {
            end_family(i32::try_from(child.id()).unwrap_or(0));
            let _ = child.wait();
        }
        let _ = run("ip", &["netns", "delete", &self.name]);
        give_back(&self.name, &self.block);
        // What has been given back may be somebody else's when the ground goes.
        let _ = fs::remove_file(self.ground.join(format!("{}.netns", self.name)));
    }
}

/// Commands that give a machine folders for temporary files of its own: what is left in them goes with it.
fn own_folders(ground: &Ground, options: &Options) -> String {
    let shared: Vec<String> = options.shared.iter().map(|it| it.display().to_string()).collect();
    let here = ground.folder().display().to_string();
    let mut text = "mount -t tmpfs none /mnt\n".to_owned();
    for (number, folder) in shared.iter().chain([&here]).enumerate() {
        text.push_str(&format!("mkdir /mnt/{number}\nmount --bind {folder} /mnt/{number}\n"));
    }
    for folder in ["/tmp", "/var/tmp", "/dev/shm", "/run/user"] {
        text.push_str(&format!("mkdir -p {folder}\nmount -t tmpfs -o mode=1777 none {folder}\n"));
    }
    for (number, folder) in shared.iter().chain([&here]).enumerate() {
        text.push_str(&format!("mkdir -p {folder}\nmount --bind /mnt/{number} {folder}\n"));
    }
    text + "umount -l /mnt\n"
}

/// Takes away a machine's device and its routes, the one that reserves its addresses at last. The namespace alone would
/// take its end of the cable along only some time later.
pub(crate) fn give_back(name: &str, block: &str) {
    let _ = run("ip", &["link", "delete", name]);
    let _ = run("ip", &["route", "flush", "exact", block]);
}

/// Starts the first process of a machine, which starts its sshd and takes in orphans.
fn init(ground: &Ground, name: &str, options: &Options) -> Outcome<Child> {
    let folder = ground.folder().display();
    let (own, before) = (own_folders(ground, options), &options.before);
    let script = format!(
        "set -e\nground={folder}\nhostname {name}\nmkdir -p /run/sshd\n{own}{before}\n\
         /usr/sbin/sshd -D -f {folder}/{name} -E {folder}/{name}.log &\nset +e\n\
         while :; do wait; sleep 1; done\n"
    );
    let path = ground.write(&format!("{name}.sh"), &script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700))
        .map_err(|error| error.to_string())?;
    let said = fs::File::create(ground.path(&format!("{name}-init.log")))
        .map_err(|error| error.to_string())?;
    let child = Command::new("ip")
        .args(["netns", "exec", name, "unshare", "--mount", "--pid", "--uts", "--fork"])
        .args(["--kill-child", "--mount-proc", "/bin/sh"])
        .arg(&path)
        .env_clear()
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said)
        .spawn()
        .map_err(|error| format!("ip: {error} (Debian: iproute2)"))?;
    ground.write(&format!("{name}-init.pid"), &child.id().to_string())?;
    Ok(child)
}

/// The addresses of one machine: `.1` is here and `.2` there, and half of the block are its hosts.
struct Subnet {
    second: u8,
    third: u8,
}

impl Subnet {
    /// One that nobody has: the first to set a route to it gets it.
    fn reserve() -> Outcome<Self> {
        let from = std::process::id();
        let subnets = (0..1024).map(|more| Self::of(from.wrapping_add(more)));
        subnets
            .into_iter()
            .find(|it| {
                run("ip", &["route", "add", "unreachable", &it.block(), "metric", RESERVED]).is_ok()
            })
            .ok_or_else(|| "no subnet of 100.64.0.0/10 is free".to_owned())
    }

    /// One of the 1,024 blocks of 100.64.0.0/10, which nobody routes.
    fn of(unique: u32) -> Self {
        let byte = |number: u32| u8::try_from(number & 0xff).unwrap_or(0);
        Self { second: 64 + byte((unique >> 4) & 63), third: byte((unique & 15) * 16) }
    }

    fn near(&self) -> String {
        format!("100.{}.{}.1", self.second, self.third)
    }

    fn far(&self) -> String {
        format!("100.{}.{}.2", self.second, self.third)
    }

    fn block(&self) -> String {
        format!("100.{}.{}.0/21", self.second, self.third + 8)
    }

    fn host(&self, number: usize) -> Ipv4Addr {
        let third = self.third + 8 + u8::try_from(number / 250).unwrap_or(7).min(7);
        Ipv4Addr::new(100, self.second, third, 1 + u8::try_from(number % 250).unwrap_or(0))
    }

    /// A pair of devices, one end in the namespace.
    fn cable(&self, name: &str) -> Outcome<()> {
        let hardware = format!("02:da:17:{:02x}:{:02x}:02", self.second, self.third);
        let (near, far) = (format!("{}/30", self.near()), format!("{}/30", self.far()));
        run("ip", &["link", "add", name, "type", "veth", "peer", "name", "cable", "netns", name])?;
        run("ip", &["address", "add", &near, "dev", name])?;
        run("ip", &["link", "set", name, "up"])?;
        run("ip", &["-n", name, "link", "set", "cable", "address", &hardware])?;
        run("ip", &["-n", name, "address", "add", &far, "dev", "cable"])?;
        run("ip", &["-n", name, "link", "set", "cable", "up"])?;
        // As behind a router: when the cable is cut, packets are lost and nobody says that the host is gone.
        let neighbour = [
            "neighbour",
            "replace",
            &self.far(),
            "lladdr",
            &hardware,
            "dev",
            name,
            "nud",
            "permanent",
        ];
        run("ip", &neighbour).map(drop)
    }

    /// Two devices whose packets travel through a slow line.
    fn line(&self, ground: &Ground, name: &str, delay: Duration) -> Outcome<(Line, Vec<Child>)> {
        let ends = ["near", "far"].map(|end| ground.path(&format!("{name}-{end}.socket")));
        let line = Line::join([&ends[0], &ends[1]], delay)?;
        let socat = |device: &str, address: &str, end: &std::path::Path| {
            let (bound, to) = (end.display(), delay::beside(end));
            vec![
                "-b65536".to_owned(),
                format!("TUN:{address}/30,up,iff-no-pi,tun-name={device}"),
                format!("UNIX-SENDTO:{},bind={bound}", to.display()),
            ]
        };
        let mut children = Vec::new();
        let commands = [
            (vec!["socat"], socat(name, &self.near(), &ends[0])),
            (vec!["ip", "netns", "exec", name, "socat"], socat("cable", &self.far(), &ends[1])),
        ];
        for (number, (program, args)) in commands.into_iter().enumerate() {
            let child = Command::new(program[0])
                .args(&program[1..])
                .args(args)
                .env_clear()
                .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .map_err(|error| format!("{}: {error} (Debian: socat, iproute2)", program[0]))?;
            ground.write(&format!("{name}-socat{number}.pid"), &child.id().to_string())?;
            children.push(child);
        }
        let up = wait_until(Duration::from_secs(10), || {
            run("ip", &["link", "show", name, "up"]).is_ok_and(|text| !text.is_empty())
                && run("ip", &["-n", name, "link", "show", "cable", "up"])
                    .is_ok_and(|text| !text.is_empty())
        });
        if up {
            Ok((line, children))
        } else {
            Err("socat made no TUN device (Debian: socat)".to_owned())
        }
    }

    fn routes(&self, name: &str) -> Outcome<()> {
        run("ip", &["-n", name, "link", "set", "lo", "up"])?;
        run("ip", &["-n", name, "route", "add", "local", &self.block(), "dev", "lo"])?;
        run("ip", &["route", "add", &self.block(), "via", &self.far()]).map(drop)
    }
}
